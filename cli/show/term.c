/* One picture is one write, so that nothing flickers. A picture that is too high for the window is
 * cut at its end: what has scrolled away cannot be painted again. */
#include "show/term.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct term {
	int fd;
	struct paint *paint;
	struct termios before;
	bool silenced;
	char *shown; /* the last picture, as it was written */
};

/* In the background to change the terminal would stop us. */
static bool
in_front(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void
put(int fd, const struct str *text)
{
	size_t at = 0;

	while (at < text->length) {
		ssize_t count = write(fd, text->data + at, text->length - at);

		if (count < 0 && errno != EINTR)
			return;
		at += count < 0 ? 0 : (size_t)count;
	}
}

static void
put_text(int fd, const char *text)
{
	struct str s;

	str_init(&s, 0);
	str_add(&s, text);
	put(fd, &s);
	str_done(&s);
}

static void
take(struct term *term)
{
	struct termios quiet;

	term->silenced = in_front() && tcgetattr(STDIN_FILENO, &term->before) == 0;
	if (term->silenced) {
		quiet = term->before;
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
	}
	put_text(term->fd, "\x1b[?25l");
}

static void
give_back(struct term *term)
{
	put_text(term->fd, "\x1b[?25h");
	if (term->silenced && in_front())
		tcsetattr(STDIN_FILENO, TCSANOW, &term->before);
	term->silenced = false;
}

struct term *
term_open(int fd, struct paint *paint)
{
	struct term *term = mem_alloc(sizeof(*term));

	term->fd = fd;
	term->paint = paint;
	term->shown = mem_strdup("");
	take(term);
	return term;
}

/* How many rows of the window the last picture takes now: a window made narrower folds lines. */
static int
rows_of(const struct term *term)
{
	int rows = 0, width = term->paint->width;
	const char *line = term->shown;

	while (*line != '\0') {
		size_t length = strcspn(line, "\n");
		char *copy = mem_strndup(line, length);
		int columns = text_columns(copy);

		free(copy);
		rows += columns == 0 || width <= 0 ? 1 : (columns + width - 1) / width;
		line += length + (line[length] != '\0');
	}
	return rows;
}

static void
fit(const struct term *term, const char *text, struct str *to)
{
	int rows = term->paint->height - 1;

	while (*text != '\0' && rows-- > 0) {
		size_t length = strcspn(text, "\n");

		text_cut(term->paint, to, text, length, term->paint->width);
		str_add(to, "\n");
		text += length + (text[length] != '\0');
	}
}

void
term_paint(struct term *term, const char *text)
{
	int back = rows_of(term);
	struct str fitted, all;
	const char *line;

	str_init(&fitted, 0);
	fit(term, text, &fitted);
	str_init(&all, 0);
	if (back >= term->paint->height)
		str_add(&all, "\x1b[H"); /* it does not fit any more: start from the top */
	else if (back > 0)
		str_addf(&all, "\x1b[%dA\r", back);
	for (line = str_text(&fitted); *line != '\0';) {
		size_t length = strcspn(line, "\n");

		str_add_bytes(&all, line, length);
		str_add(&all, "\x1b[K\n");
		line += length + 1;
	}
	str_add(&all, "\x1b[J");
	put(term->fd, &all);
	str_done(&all);
	free(term->shown);
	term->shown = str_take(&fitted);
}

void
term_stop(struct term *term)
{
	give_back(term);
	raise(SIGSTOP);
	take(term);
	free(term->shown); /* the shell has written below it */
	term->shown = mem_strdup("");
}

void
term_close(struct term *term)
{
	if (term == NULL)
		return;
	give_back(term);
	free(term->shown);
	free(term);
}
