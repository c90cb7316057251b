/* What the engine counts, for the metrics. */
#ifndef ENGINE_STATS_H
#define ENGINE_STATS_H

#include "base/histogram.h"
#include "engine/engine.h"
#include "model/strategy.h"

/* Of this process. By strategy: by strategy_place. */
struct engine_stats {
	uint64_t started[STRATEGIES], ended[STRATEGIES][PHASE_FAILED + 1];
	struct histogram took[STRATEGIES][PHASE_FAILED + 1]; /* from its start to that end */
	struct histogram stages[STRATEGIES][STAGE_WORDS], homeward[STRATEGIES];
	uint64_t acts[ACT_KINDS][ACT_UNREACHED + 1];
	struct histogram act_took[ACT_KINDS]; /* sent -> answered */
	uint64_t commands[COMMAND_COUNT];
	uint64_t decisions, events, measures[VERDICT_TOO_FEW + 1];
	int live, apps;
	struct histogram aborts; /* commands that led to a weight write: accepted -> sent */
};
const struct engine_stats *engine_stats(const struct engine *engine);

struct engine_queues {
	int acts, measurements; /* under way */
	int writes;		/* handed to the journal, not durable yet */
};
struct engine_queues engine_queues(const struct engine *engine);

/* A rollout that has not ended, as it is known outside: an end only when it is durable. */
struct engine_live {
	const struct rollout *rollout;
	enum phase phase;
	bool first; /* the one of its app whose turn it is */
	int64_t waiting_ms;
};
void engine_each_live(const struct engine *engine,
    void (*each)(void *ctx, const struct engine_live *live), void *ctx);

#endif
