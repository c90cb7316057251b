/* What is counted of rollouts as their events are folded: this process's own, from zero at each
 * start. What an earlier one has folded is not counted again. */
#include "base/jsonx.h"
#include "engine/count.h"

struct count_mark
count_mark(const struct rollout *r)
{
	return (struct count_mark){.phase = r->phase, .phase_ms = r->phase_ms, .stage = r->stage};
}

static void
add_stage(struct engine *engine, const struct rollout *r, int stage, int64_t at_ms)
{
	int strategy = strategy_place(r->app->strategy);
	int word = stage_word(&r->ladder.stages[stage]);
	histogram_add_ms(&engine->stats.stages[strategy][word], &histogram_long,
	    at_ms - r->records[stage].entered_ms);
}

/* The way home belongs to no stage, so its time is not the time of the one that it began in. */
static void
note_phase(struct engine *engine, const struct rollout *r, const struct count_mark *before)
{
	struct engine_stats *stats = &engine->stats;
	int strategy = strategy_place(r->app->strategy);
	bool onward = r->compiled && phase_forward(before->phase);
	if (onward && (r->phase == PHASE_ABORTING || r->phase == PHASE_SUCCEEDED))
		add_stage(engine, r, r->stage, r->phase_ms);
	if (!phase_final(r->phase))
		return;
	stats->ended[strategy][r->phase]++;
	if (r->phase != PHASE_FAILED) /* it may be tried again */
		histogram_add_ms(
		    &stats->took[strategy][r->phase], &histogram_long, r->phase_ms - r->created_ms);
	if (before->phase == PHASE_ABORTING)
		histogram_add_ms(
		    &stats->homeward[strategy], &histogram_long, r->phase_ms - before->phase_ms);
}

void
count_event(struct entry *entry, const struct event *event, const struct count_mark *before)
{
	struct engine *engine = entry->engine;
	const struct rollout *r = entry->rollout;
	engine->stats.events++;
	if (event->kind == EVENT_STAGE)
		add_stage(engine, r, before->stage, event->at_ms);
	else if (event->kind == EVENT_PHASE)
		note_phase(engine, r, before);
	else if (event->kind == EVENT_COMMAND) {
		enum command command = command_of(jsonx_text_or(event->data, "name", ""));
		if (command != COMMAND_COUNT)
			engine->stats.commands[command]++;
	}
}

void
count_started(struct entry *entry)
{
	entry->engine->stats.started[strategy_place(entry->rollout->app->strategy)]++;
}

void
count_act(struct engine *engine, enum act_kind kind, enum act_outcome outcome, int64_t took_ms)
{
	engine->stats.acts[kind][outcome]++;
	histogram_add_ms(&engine->stats.act_took[kind], &histogram_request, took_ms);
}
