/* Text for people: colours, marks and widths, as the terminal (or the pipe) can take them. Always
 * true: what comes from a server goes through here, so no control character of it is ever printed.
 */
#ifndef CLI_SHOW_PAINT_H
#define CLI_SHOW_PAINT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

enum style { PLAIN, BOLD, DIM, GREEN, RED, YELLOW, CYAN };

enum mark {
	MARK_DONE,
	MARK_CURRENT,
	MARK_AHEAD,
	MARK_SKIPPED,
	MARK_PASS,
	MARK_FAIL,
	MARK_WAIT,
	MARK_UNKNOWN,
	MARK_NONE, /* a dash: no value */
	MARK_TO,   /* an arrow */
	MARK_DOT,  /* between two facts */
	MARK_MORE, /* an ellipsis */
	MARK_BAR_TAKEN,
	MARK_BAR_WRITTEN,
	MARK_BAR_REST
};

struct paint {
	bool terminal; /* it can be painted on in place */
	bool color;
	bool utf8;
	int width;  /* columns; 0: no bound */
	int height; /* lines; 0: no bound */
};

/* Looks at the descriptor, the locale, NO_COLOR and TERM. setlocale() was called. */
void paint_init(struct paint *paint, int fd, bool no_color);
void paint_measure(struct paint *paint, int fd); /* the window's size anew */

const char *paint_mark(const struct paint *paint, enum mark mark);
void paint_add(const struct paint *paint, struct str *to, enum style style, const char *text);
void paint_addf(const struct paint *paint, struct str *to, enum style style, const char *format,
    ...) printf_like(4, 5);
/* The text in lines of at most the paint's width, each after the first indented by indent columns;
 * the first starts where `to` stands, in column `at`. Ends with a line feed. */
void paint_wrap(const struct paint *paint, struct str *to, int at, int indent, const char *text);

int text_columns(const char *text); /* that it takes on a terminal; escapes take none */
/* Copies one line, cut to so many columns, with an ellipsis and the colours reset. */
void text_cut(
    const struct paint *paint, struct str *to, const char *line, size_t length, int columns);

#endif
