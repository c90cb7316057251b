/* Log lines on stderr, as text or JSON. Low floors log at debug only; the floor that gives up
 * logs once. Lines that concern a rollout carry its id and app. Control characters are escaped;
 * a line is at most 8 KiB and one write. Any thread may log. Under journald (JOURNAL_STREAM)
 * text lines start with "<priority>" in place of the time. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include "base/mem.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* May be called again, e.g. after a reload. program is copied (31 bytes). Before the first call:
 * text from info on. */
void log_setup(enum log_level level, enum log_format format, const char *program);
enum log_level log_current_level(void);

/* who: the room ("kube", "engine"). rollout and app may be NULL. */
void log_line(enum log_level level, const char *who, const char *rollout, const char *app,
    const char *format, ...) printf_like(5, 6);

#define log_debug(who, ...) log_line(LOG_DEBUG, who, NULL, NULL, __VA_ARGS__)
#define log_info(who, ...) log_line(LOG_INFO, who, NULL, NULL, __VA_ARGS__)
#define log_warn(who, ...) log_line(LOG_WARN, who, NULL, NULL, __VA_ARGS__)
#define log_error(who, ...) log_line(LOG_ERROR, who, NULL, NULL, __VA_ARGS__)

/* A bug: says it and aborts. */
void log_fatal(const char *format, ...) printf_like(1, 2) __attribute__((noreturn));

#endif
