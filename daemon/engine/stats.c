/* What can be seen of the engine from above, in numbers. */
#include "engine/engine_room.h"

static enum phase
phase_shown(const struct entry *entry)
{
	enum phase phase = entry->rollout->phase;
	if (phase == PHASE_SUCCEEDED)
		return PHASE_PROGRESSING;
	return phase == PHASE_ABORTED ? PHASE_ABORTING : phase;
}

/* 0: it moves. One that failed waits for a person. */
static int64_t
waits_since_ms(const struct entry *entry)
{
	const struct rollout *r = entry->rollout;
	if (r->phase == PHASE_FAILED)
		return r->phase_ms;
	if (entry->unwritten)
		return entry->engine->degraded_ms;
	return entry->waiting.object[0] != '\0' ? entry->waiting.since_ms : 0;
}

void
engine_each_live(
    const struct engine *engine, void (*each)(void *ctx, const struct engine_live *live), void *ctx)
{
	int64_t now_ms = engine_now_ms(engine);
	size_t cursor = 0;
	const char *id;
	void *value;
	while (map_next(engine->live, &cursor, &id, &value)) {
		const struct entry *entry = value;
		int64_t since_ms = waits_since_ms(entry);
		if (!entry->known)
			continue;
		struct engine_live live = {.rollout = entry->rollout,
		    .phase = phase_shown(entry),
		    .first = entry->app->rollouts == entry,
		    .waiting_ms = since_ms == 0 || since_ms > now_ms ? 0 : now_ms - since_ms};
		each(ctx, &live);
	}
}

const struct engine_stats *
engine_stats(const struct engine *engine)
{
	return &engine->stats;
}

struct engine_queues
engine_queues(const struct engine *engine)
{
	return (struct engine_queues){.acts = (int)map_count(engine->acts),
	    .measurements = (int)map_count(engine->asks),
	    .writes = (int)map_count(engine->batches)};
}
