/* Events of a rollout as lines, and the sentences of `explain`. */
#ifndef CLI_SHOW_EVENTS_H
#define CLI_SHOW_EVENTS_H

#include <jansson.h>
#include "show/paint.h"

/* Each event a line: time, kind, what, by whom. From the first one on (0: all). */
void show_events(const struct paint *paint, const json_t *items, size_t first, int64_t now_ms,
    int indent, struct str *to);
/* Why it waits, or why it ended, with the gates and the last events. */
void show_explain(const struct paint *paint, const json_t *rollout, const json_t *events,
    int64_t now_ms, struct str *to);
/* Every act, by stage; and what forbids a start. */
void show_plan(const struct paint *paint, const json_t *plan, struct str *to);
/* What forbids a start and what to know before one. */
void show_preflight(const struct paint *paint, const json_t *preflight, struct str *to);

#endif
