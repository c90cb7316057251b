/* One look at a rollout: observe, decide, write down, and have it done. Level-triggered: events
 * only poke it, so a lost or doubled one does no harm. */
#include "base/log.h"
#include "base/str.h"
#include "engine/engine_room.h"
#include "model/decide.h"

#define MOVES_MAX 12

/* The cluster reads the wall clock, which may have jumped since; ours does not (F54). What seems to
 * be from the future is not believed. */
static void
on_our_clock(const struct engine *engine, struct observed *seen)
{
	const struct clock_port *clock = &engine->ports.clock;
	int64_t now_ms = engine_now_ms(engine);
	if (seen->verified_ms == 0)
		return;
	seen->verified_ms += now_ms - clock->wall_ms(clock->ctx);
	if (seen->verified_ms > now_ms)
		seen->verified_ms = 0;
}

void
engine_observe(struct entry *entry, struct observed *seen)
{
	const struct rollout *r = entry->rollout;
	const struct cluster_port *cluster = engine_cluster(entry);
	*seen = (struct observed){0};
	if (cluster == NULL)
		str_print(seen->stale, sizeof(seen->stale), "cluster \"%s\" is not in the settings",
		    r->app->cluster);
	else
		cluster->observe(cluster->ctx, r->app, r->release.image, seen);
	on_our_clock(entry->engine, seen);
}

/* The rollout of the same app that goes first. */
static const char *
goes_before(const struct entry *entry)
{
	const struct entry *first = entry->app->rollouts;
	return first == entry ? NULL : first->rollout->id;
}

/* The newest rollout of the same app, if it is one that supersedes those before it (F58). */
static const char *
superseded_by(const struct entry *entry)
{
	const struct entry *newest = NULL;
	for (const struct entry *other = entry->next_of_app; other; other = other->next_of_app)
		if (other->known && !other->doomed &&
		    other->rollout->app->on_start == START_SUPERSEDE)
			newest = other;
	return newest == NULL ? NULL : newest->rollout->id;
}

void
engine_wake(struct entry *entry, int64_t at_ms)
{
	int64_t now_ms = engine_now_ms(entry->engine);
	if (at_ms == 0 || (entry->wake_ms != 0 && entry->wake_ms <= at_ms))
		return;
	entry->wake_ms = at_ms;
	loop_timer_set(entry->timer, at_ms > now_ms ? at_ms - now_ms : 1);
}

/* What could not be written down is not built upon, but an abort goes on. */
static bool
is_stuck(const struct entry *entry)
{
	return entry->unwritten && entry->rollout->phase != PHASE_ABORTING;
}

static void
on_inquired(void *ctx)
{
	engine_mark(ctx);
}

/* What was found before a start is of no use after it. What goes back to a good release waits for
 * no gate, so no data source keeps it. */
static void
inquire(struct entry *entry, const struct observed *seen, bool wanted)
{
	const struct rollout *r = entry->rollout;
	if (wanted ? inquiry_waits(entry->inquiry) : !r->compiled)
		return;
	inquiry_free(entry->inquiry);
	entry->inquiry = wanted ? inquiry_new(entry->engine, r->app, seen, !r->release.known_good,
				      on_inquired, entry)
				: NULL;
}

/* A start is not kept from by these; who wonders later finds them in the log. */
static void
log_warnings(const struct entry *entry, const struct findings *found)
{
	for (size_t i = 0; found != NULL && i < found->warnings.count; i++)
		log_line(LOG_WARN, "engine", entry->rollout->id, entry->app->name, "preflight: %s",
		    found->warnings.items[i].text);
}

static bool
move(struct entry *entry, const struct observed *seen)
{
	struct engine *engine = entry->engine;
	struct decision decision;
	const struct findings *found = inquiry_found(entry->inquiry);
	bool began = entry->rollout->compiled;
	struct situation at = {.rollout = entry->rollout,
	    .seen = seen,
	    .now_ms = engine_now_ms(engine),
	    .settle_ms = engine->settings.settle_ms,
	    .back_ms = entry->back_ms,
	    .mesh = &entry->asking,
	    .under_way = entry->act_number != 0 || entry->overtaken > 0,
	    .unwritten = entry->unwritten ? engine->degraded_why : NULL,
	    .found = found,
	    .unasked = found == NULL,
	    .before = goes_before(entry),
	    .superseded_by = superseded_by(entry)};
	bool stuck = is_stuck(entry);
	if (stuck)
		decide_unwritten(&at, &decision);
	else
		decide(&at, &decision);
	engine->stats.decisions++;
	bool more = decision.events.count > 0;
	commit_events(entry, &decision.events, "");
	events_done(&decision.events);
	if (!began && entry->rollout->compiled)
		log_warnings(entry, found);
	inquire(entry, seen, decision.inquire);
	if (stuck)
		return more;
	entry->waiting = decision.waiting;
	entry->asks_mesh = decision.ask_mesh;
	if (decision.act.kind != ACT_NONE)
		entry->sending = decision.act;
	if (decision.verify)
		effects_verify(entry);
	engine_wake(entry, decision.wake_ms);
	return more && decision.act.kind == ACT_NONE;
}

/* Only the one whose turn it is: the cluster follows an app, not a rollout of it. */
static bool
watches(const struct entry *entry)
{
	enum phase phase = entry->rollout->phase;
	return phase != PHASE_QUEUED && !phase_final(phase) && goes_before(entry) == NULL;
}

/* Nothing that a move does reaches the caches within the turn, but whether they are followed. */
static void
observe_again(struct entry *entry, struct observed *seen, bool first)
{
	bool followed = entry->followed;
	effects_follow(entry, watches(entry));
	if (first || entry->followed != followed)
		engine_observe(entry, seen);
	effects_mesh_know(entry); /* a move may have changed what it is asked about */
}

/* What was to be sent before an abort, and still waits for the journal, is not sent at all. */
static void
forget_forward(struct entry *entry)
{
	if (!phase_forward(entry->rollout->phase) && !entry->sending.urgent)
		effects_drop(entry, ACT_UNREACHED, "not sent: it was to be aborted before");
}

void
engine_advance(struct entry *entry)
{
	struct observed seen;
	int moves = 0;
	if (entry->doomed)
		return;
	if (!entry->known) { /* nothing of it before its creation is durable */
		commit_close(entry);
		return;
	}
	loop_timer_clear(entry->timer);
	entry->wake_ms = 0;
	forget_forward(entry);
	do
		observe_again(entry, &seen, moves == 0);
	while (move(entry, &seen) && ++moves < MOVES_MAX);
	commit_close(entry);
	effects_gates(entry);
	effects_mesh(entry, &seen);
	if (moves == MOVES_MAX)
		engine_mark(entry);
}
