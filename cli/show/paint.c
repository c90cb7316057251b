/* See paint.h. Escapes that count as colours are only those that paint_add itself made. */
#include "show/paint.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include "base/log.h"

#define ESCAPE '\x1b'

static const char *const escapes[] = {
    [PLAIN] = "",
    [BOLD] = "\x1b[1m",
    [DIM] = "\x1b[2m",
    [GREEN] = "\x1b[32m",
    [RED] = "\x1b[31m",
    [YELLOW] = "\x1b[33m",
    [CYAN] = "\x1b[36m",
};

static const struct {
	const char *fine, *ascii;
} marks[] = {
    [MARK_DONE] = {"✓", "+"},
    [MARK_CURRENT] = {"▶", ">"},
    [MARK_AHEAD] = {"·", "."},
    [MARK_SKIPPED] = {"↷", "-"},
    [MARK_PASS] = {"✓", "+"},
    [MARK_FAIL] = {"✗", "x"},
    [MARK_WAIT] = {"‖", "="},
    [MARK_UNKNOWN] = {"?", "?"},
    [MARK_NONE] = {"–", "-"},
    [MARK_TO] = {"→", "->"},
    [MARK_DOT] = {"·", "-"},
    [MARK_MORE] = {"…", "..."},
    [MARK_BAR_TAKEN] = {"█", "#"},
    [MARK_BAR_WRITTEN] = {"▒", "+"},
    [MARK_BAR_REST] = {"░", "."},
};

void
paint_measure(struct paint *paint, int fd)
{
	struct winsize size = {0};
	int64_t columns;

	paint->width = paint->height = 0;
	if (!isatty(fd))
		return;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
		paint->width = size.ws_col;
		paint->height = size.ws_row;
	}
	if (paint->width == 0)
		paint->width =
		    str_number(getenv("COLUMNS"), 20, 1000, &columns) == 0 ? (int)columns : 80;
	if (paint->height == 0)
		paint->height = 24;
}

void
paint_init(struct paint *paint, int fd, bool no_color)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	bool dumb = term == NULL || *term == '\0' || str_equal(term, "dumb");

	*paint = (struct paint){.terminal = isatty(fd) && !dumb};
	paint->color = paint->terminal && !no_color && (no == NULL || *no == '\0');
	paint->utf8 = str_equal(nl_langinfo(CODESET), "UTF-8");
	paint_measure(paint, fd);
}

const char *
paint_mark(const struct paint *paint, enum mark mark)
{
	return paint->utf8 ? marks[mark].fine : marks[mark].ascii;
}

/* Control characters, also the ones above ASCII, become spaces; what is no UTF-8, or cannot be
 * shown here, question marks. */
static void
add_clean(const struct paint *paint, struct str *to, const char *text)
{
	size_t length = strlen(text), step;

	for (size_t at = 0; at < length; at += step) {
		unsigned char c = (unsigned char)text[at];

		step = str_utf8_char(text + at, length - at);
		if (step == 0) {
			str_add(to, "?");
			step = 1;
		} else if (c < ' ' || c == 0x7f ||
			   (c == 0xc2 && (unsigned char)text[at + 1] < 0xa0))
			str_add(to, " ");
		else if (step > 1 && !paint->utf8)
			str_add(to, strncmp(text + at, "…", step) == 0 ? "..." : "?");
		else
			str_add_bytes(to, text + at, step);
	}
}

void
paint_add(const struct paint *paint, struct str *to, enum style style, const char *text)
{
	bool color = paint->color && style != PLAIN && *text != '\0';

	if (color)
		str_add(to, escapes[style]);
	add_clean(paint, to, text);
	if (color)
		str_add(to, "\x1b[0m");
}

void
paint_addf(const struct paint *paint, struct str *to, enum style style, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		log_fatal("no text can be made of \"%s\"", format);
	paint_add(paint, to, style, text);
	free(text);
}

/* The columns of the character at the start, and its bytes. */
static int
columns_of(const char *text, size_t *bytes)
{
	mbstate_t state = {0};
	wchar_t wide;
	size_t length = mbrtowc(&wide, text, strlen(text), &state);
	int columns;

	if (length == 0 || length > 4) {
		*bytes = str_utf8_char(text, strlen(text));
		if (*bytes == 0)
			*bytes = 1;
		return 1;
	}
	*bytes = length;
	columns = wcwidth(wide);
	return columns < 0 ? 1 : columns;
}

static size_t
escape_length(const char *text)
{
	size_t length = 2;

	if (text[0] != ESCAPE || text[1] != '[')
		return 0;
	while (text[length] != '\0' && (text[length] < '@' || text[length] > '~'))
		length++;
	return length + (text[length] != '\0');
}

int
text_columns(const char *text)
{
	int columns = 0;
	size_t bytes;

	while (*text != '\0') {
		bytes = escape_length(text);
		if (bytes == 0)
			columns += columns_of(text, &bytes);
		text += bytes;
	}
	return columns;
}

void
text_cut(const struct paint *paint, struct str *to, const char *line, size_t length, int columns)
{
	char *copy = mem_strndup(line, length);
	const char *more = paint_mark(paint, MARK_MORE);
	int room = columns - text_columns(more), used = 0;
	size_t bytes;

	if (columns <= 0 || text_columns(copy) <= columns) {
		str_add(to, copy);
		free(copy);
		return;
	}
	for (const char *at = copy; *at != '\0'; at += bytes) {
		bytes = escape_length(at);
		if (bytes == 0) {
			used += columns_of(at, &bytes);
			if (used > room)
				break;
		}
		str_add_bytes(to, at, bytes);
	}
	str_add(to, more);
	if (paint->color)
		str_add(to, "\x1b[0m");
	free(copy);
}

void
paint_wrap(const struct paint *paint, struct str *to, int at, int indent, const char *text)
{
	int width = paint->width <= 0 ? INT32_MAX : paint->width < 40 ? 40 : paint->width;
	bool first = true;
	struct str word;

	str_init(&word, 0);
	while (*text != '\0') {
		size_t length = strcspn(text, " \n");
		char *piece = mem_strndup(text, length);
		int columns;

		str_clear(&word);
		add_clean(paint, &word, piece);
		free(piece);
		columns = text_columns(str_text(&word));
		if (!first && at + 1 + columns > width) {
			str_addf(to, "\n%*s", indent, "");
			at = indent;
			first = true;
		}
		if (columns > 0) {
			str_addf(to, "%s%s", first ? "" : " ", str_text(&word));
			at += columns + !first;
			first = false;
		}
		text += length + (text[length] != '\0');
	}
	str_add(to, "\n");
	str_done(&word);
}
