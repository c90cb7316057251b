/* Signals as facts that a waiting loop can see: handlers only note them and wake the loop. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

void signals_init(void);
int signals_fd(void); /* readable when one came; wait on it, signals_drain empties it */
void signals_drain(void);
bool signals_interrupted(void); /* Ctrl-C, SIGTERM or SIGHUP; stays true */
bool signals_resized(void);	/* the window changed since the last call */
/* While true, Ctrl-Z is noted as well instead of stopping the program at once. */
void signals_catch_stop(bool on);
bool signals_stop_asked(void); /* since the last call */

#endif
