/* Counting what happens to rollouts. */
#ifndef ENGINE_COUNT_H
#define ENGINE_COUNT_H

#include "engine/engine_room.h"

struct count_mark { /* a rollout before an event is folded */
	enum phase phase;
	int64_t phase_ms;
	int stage;
};
struct count_mark count_mark(const struct rollout *rollout);
void count_event(struct entry *entry, const struct event *event, const struct count_mark *before);
void count_started(struct entry *entry);
void count_act(
    struct engine *engine, enum act_kind kind, enum act_outcome outcome, int64_t took_ms);

#endif
