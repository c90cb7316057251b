/* Points at which a test kills the daemon. They are there only in a build with CRASH=1; in any
 * other one they are nothing at all. A process that has AIRIS_FAILPOINT=NAME[:N] in its environment
 * dies by SIGKILL where it comes to NAME for the N-th time (1); only that thread stops, and the
 * others have a moment to do wrong. With AIRIS_FAILPOINT_LOG=FILE every point it comes to is
 * written there, a line each. All of them are in the table of failpoint.c; to come to one that is
 * not is a bug, so the table is never behind. Any thread may come to one. */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#ifdef AIRIS_CRASH

void failpoint(const char *name);
/* The point "PLACE:WHAT". */
void failpoint_of(const char *place, const char *what);
/* Dies a little later, in the middle of what comes next. */
void failpoint_soon(const char *name);
void failpoint_soon_of(const char *place, const char *what);
/* All names, a line each, on stdout; 0 or -1. */
int failpoint_print(void);

#else
#define failpoint(name) ((void)0)
#define failpoint_of(place, what) ((void)0)
#define failpoint_soon(name) ((void)0)
#define failpoint_soon_of(place, what) ((void)0)
#endif

#endif
