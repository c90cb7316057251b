/* Times: as the server writes them, and as people read them. */
#ifndef CLI_SHOW_WHEN_H
#define CLI_SHOW_WHEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEN_SIZE 40

/* "2026-01-02T12:00:03.120Z" -> ms since 1970; false: no such time. */
bool when_parse(const char *text, int64_t *ms);
/* The time at this path of the value; false: null, not there or no time. */
bool when_at(const json_t *value, const char *path, int64_t *ms);
/* "41s", "3m41s", "1h02m", "2d04h"; less than nothing is "0s". */
void when_span(int64_t ms, char to[WHEN_SIZE]);
/* "12:00:03" of today, "2026-01-02 12:00:03" of other days; UTC. */
void when_clock(int64_t ms, int64_t now_ms, char to[WHEN_SIZE]);

#endif
