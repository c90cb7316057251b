/* Log lines. Always true: a line is built in a buffer of its own on the stack, is closed
 * properly even when its message had to be cut, and leaves in one write, so that lines of two
 * threads do not mix. A line that stderr does not take at once is lost, never waited for. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"

#define LINE_SIZE 8192
#define TAIL_ROOM 16 /* kept free for what ends a line */

struct line {
	char bytes[LINE_SIZE];
	size_t length;
	size_t limit;
	bool cut; /* nothing more is taken, until the line's end */
};

static _Atomic int current_level = LOG_INFO;
static _Atomic int current_format = LOG_TEXT;
static _Atomic bool under_journald;
static char program_name[32] = "airisd";

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const int level_priorities[] = {7, 6, 4, 3};

void
log_setup(enum log_level level, enum log_format format, const char *program)
{
	current_level = (int)level;
	current_format = (int)format;
	under_journald = getenv("JOURNAL_STREAM") != NULL;
	str_copy(program_name, sizeof(program_name), program);
}

enum log_level
log_current_level(void)
{
	return (enum log_level)current_level;
}

static bool
put(struct line *line, const char *bytes, size_t count)
{
	if (line->cut || count > line->limit - line->length)
		return false;
	memcpy(line->bytes + line->length, bytes, count);
	line->length += count;
	return true;
}

static bool
put_text(struct line *line, const char *text)
{
	return put(line, text, strlen(text));
}

static void
put_end(struct line *line, const char *text)
{
	line->cut = false;
	line->limit = LINE_SIZE;
	put_text(line, text);
}

/* One character, escaped where JSON asks for it; text lines use the same signs. */
static bool
put_char(struct line *line, const char *at, size_t count, bool json)
{
	char code[8];
	unsigned char c = (unsigned char)*at;

	if (c == '\n')
		return put_text(line, "\\n");
	if (c == '\t')
		return put_text(line, "\\t");
	if (json && (c == '"' || c == '\\')) {
		code[0] = '\\';
		code[1] = (char)c;
		return put(line, code, 2);
	}
	if (c < 0x20 || c == 0x7f || count == 0) {
		str_print(code, sizeof(code), json ? "\\u%04x" : "\\x%02x", c);
		return put_text(line, code);
	}
	return put(line, at, count);
}

static void
put_escaped(struct line *line, const char *text, bool json)
{
	size_t length = strlen(text), step;

	for (size_t at = 0; at < length; at += step) {
		size_t count = str_utf8_char(text + at, length - at);

		step = count == 0 ? 1 : count;
		if (!put_char(line, text + at, count, json)) {
			line->limit = LINE_SIZE - TAIL_ROOM / 2;
			put_text(line, "...");
			line->cut = true;
			return;
		}
	}
}

static void
put_member(struct line *line, const char *name, const char *text)
{
	if (text == NULL)
		return;
	put_text(line, line->length == 0 ? "{\"" : "\",\"");
	put_text(line, name);
	put_text(line, "\":\"");
	put_escaped(line, text, true);
}

static void
build_json(struct line *line, const char *time, enum log_level level, const char *who,
    const char *rollout, const char *app, const char *message)
{
	put_member(line, "time", time);
	put_member(line, "level", level_names[level]);
	put_member(line, "program", program_name);
	put_member(line, "who", who);
	put_member(line, "rollout", rollout);
	put_member(line, "app", app);
	put_member(line, "message", message);
	put_end(line, "\"}\n");
}

static void
build_text(struct line *line, const char *time, enum log_level level, const char *who,
    const char *rollout, const char *app, const char *message)
{
	char head[64];

	if (under_journald)
		str_print(head, sizeof(head), "<%d>", level_priorities[level]);
	else
		str_print(head, sizeof(head), "%s %-5s ", time, level_names[level]);
	put_text(line, head);
	put_escaped(line, who, false);
	put_text(line, ": ");
	if (rollout != NULL) {
		put_text(line, "rollout=");
		put_escaped(line, rollout, false);
		put_text(line, " ");
	}
	if (app != NULL) {
		put_text(line, "app=");
		put_escaped(line, app, false);
		put_text(line, " ");
	}
	put_escaped(line, message, false);
	put_end(line, "\n");
}

static void
emit(enum log_level level, const char *who, const char *rollout, const char *app,
    const char *format, va_list args)
{
	char message[LINE_SIZE], time[40];
	struct line line;
	ssize_t written;

	line.length = 0;
	line.cut = false;
	line.limit = LINE_SIZE - TAIL_ROOM;
	vsnprintf(message, sizeof(message), format, args);
	str_time_text(clock_wall_ms(), time, sizeof(time));
	if (current_format == LOG_JSON)
		build_json(&line, time, level, who, rollout, app, message);
	else
		build_text(&line, time, level, who, rollout, app, message);
	do {
		written = write(STDERR_FILENO, line.bytes, line.length);
	} while (written < 0 && errno == EINTR);
}

void
log_line(enum log_level level, const char *who, const char *rollout, const char *app,
    const char *format, ...)
{
	int saved = errno;
	va_list args;

	if ((int)level < current_level)
		return;
	va_start(args, format);
	emit(level, who, rollout, app, format, args);
	va_end(args);
	errno = saved;
}

void
log_fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(LOG_ERROR, "fatal", NULL, NULL, format, args);
	va_end(args);
	abort();
}
