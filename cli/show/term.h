/* A few lines at the bottom of a terminal that are painted again in place. Always true: whoever
 * opens it closes it, whatever happens, so that the cursor and the echo come back. */
#ifndef CLI_SHOW_TERM_H
#define CLI_SHOW_TERM_H

#include "show/paint.h"

struct term;

/* Hides the cursor, and what is typed (Ctrl-C stays what it is). */
struct term *term_open(int fd, struct paint *paint);
/* text: lines that end with a line feed; cut to the window. */
void term_paint(struct term *term, const char *text);
/* Ctrl-Z was pressed: gives the terminal back, stops, and takes it again when continued. */
void term_stop(struct term *term);
/* The last picture stays; below it goes on as usual. */
void term_close(struct term *term);

#endif
