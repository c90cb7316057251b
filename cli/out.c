/* Standard output and standard error. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "cli.h"
#include "show/table.h"

void
out_to(int fd, const struct str *text)
{
	const char *at = str_text(text);
	size_t left = text->length;

	while (left > 0) {
		ssize_t count = write(fd, at, left);

		if (count >= 0) {
			at += count;
			left -= (size_t)count;
		} else if (errno != EINTR)
			break;
	}
	if (left == 0 || fd != STDOUT_FILENO)
		return;
	if (errno != EPIPE)
		complain("cannot write: %s", strerror(errno));
	exit(CODE_FAILED);
}

void
out_str(const struct str *text)
{
	out_to(STDOUT_FILENO, text);
}

void
out_text(const char *text)
{
	struct str s;

	str_init(&s, 0);
	str_add(&s, text);
	out_str(&s);
	str_done(&s);
}

void
out_table(const struct paint *paint, const struct table *table)
{
	struct str all, cut;
	const char *line;

	str_init(&all, 0);
	str_init(&cut, 0);
	table_print(table, 0, &all);
	for (line = str_text(&all); *line != '\0';) {
		size_t length = strcspn(line, "\n");

		text_cut(paint, &cut, line, length, paint->width);
		str_add(&cut, "\n");
		line += length + 1;
	}
	out_str(&cut);
	str_done(&all);
	str_done(&cut);
}

void
complain_line(const char *text)
{
	struct paint paint;
	struct str line;

	paint_init(&paint, STDERR_FILENO, true);
	str_init(&line, 0);
	paint_add(&paint, &line, PLAIN, text);
	str_add(&line, "\n");
	out_to(STDERR_FILENO, &line);
	str_done(&line);
}

void
complain(const char *format, ...)
{
	va_list args;
	char *text = NULL, *line;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		log_fatal("no text can be made of \"%s\"", format);
	line = str_format("airisctl: %s", text);
	complain_line(line);
	free(line);
	free(text);
}
