/* Looking at apps and rollouts from above. */
#include <string.h>
#include "base/str.h"
#include "engine/engine_room.h"

const struct app *
engine_app(const struct engine *engine, const char *name)
{
	const struct app_entry *entry = map_get(engine->apps, name);
	return entry == NULL ? NULL : entry->app;
}

const struct app *
engine_app_coming(const struct engine *engine, const char *name)
{
	const struct app_entry *entry = map_get(engine->apps, name);
	return entry == NULL ? NULL : commit_coming(entry);
}

const struct app *
engine_app_next(const struct engine *engine, const char *after)
{
	const struct app *next = NULL;
	size_t cursor = 0;
	const char *name;
	void *value;
	while (map_next(engine->apps, &cursor, &name, &value)) {
		const struct app_entry *entry = value;
		if (entry->app == NULL || (after != NULL && strcmp(name, after) <= 0))
			continue;
		if (next == NULL || strcmp(name, next->name) < 0)
			next = entry->app;
	}
	return next;
}

const char *
engine_app_active(const struct engine *engine, const char *name)
{
	const struct app_entry *entry = map_get(engine->apps, name);
	return entry == NULL || entry->rollouts == NULL ? NULL : entry->rollouts->rollout->id;
}

/* Nothing goes on before it can be written down; an abort does. */
static void
say_degraded(const struct entry *entry, struct waiting *waiting)
{
	const struct engine *engine = entry->engine;
	enum phase phase = entry->rollout->phase;
	if (!(engine->degraded || entry->unwritten) ||
	    !(phase == PHASE_QUEUED || phase_forward(phase)))
		return;
	*waiting = (struct waiting){.since_ms = engine->degraded_ms};
	str_copy(waiting->object, sizeof(waiting->object), "Database");
	str_copy(waiting->what, sizeof(waiting->what), engine->degraded_why);
	str_copy(waiting->next, sizeof(waiting->next),
	    "goes on by itself when it can be written; traffic stays as it is, `rollout abort` "
	    "brings it home");
}

/* Somebody who sees an end acts upon it: until it is durable it is none. */
static void
look_at_end(const struct entry *entry, struct engine_look *look)
{
	enum phase phase = entry->rollout->phase;
	bool ended = phase == PHASE_SUCCEEDED || phase == PHASE_ABORTED;
	look->phase = phase;
	if (!ended || entry->unsaved == 0)
		return;
	look->phase = phase == PHASE_SUCCEEDED ? PHASE_PROGRESSING : PHASE_ABORTING;
	look->waiting =
	    (struct waiting){.object = "Database", .since_ms = entry->rollout->ended_ms};
	str_copy(look->waiting.what, sizeof(look->waiting.what), "its end is being written down");
	str_print(
	    look->waiting.next, sizeof(look->waiting.next), "then it is %s", phase_name(phase));
}

int
engine_look(struct engine *engine, const char *id, struct engine_look *look, struct err *e)
{
	struct entry *entry = engine_entry(engine, id);
	*look = (struct engine_look){0};
	if (entry == NULL) {
		struct rollout *rollout;
		if (recover_rollout(&engine->ports.journal, id, &rollout, e) < 0)
			return -1;
		look->rollout = rollout;
		look->phase = rollout->phase;
		return 0;
	}
	look->live = true;
	look->rollout = entry->rollout;
	look->waiting = entry->waiting;
	say_degraded(entry, &look->waiting);
	look_at_end(entry, look);
	if (entry->followed)
		engine_observe(entry, &look->seen);
	return 0;
}

void
engine_look_done(struct engine_look *look)
{
	if (!look->live)
		rollout_free((struct rollout *)look->rollout);
	*look = (struct engine_look){0};
}

int
engine_events(struct engine *engine, const char *id, int64_t after_seq, int limit,
    journal_each *each, void *ctx, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	return journal->events(journal->ctx, id, after_seq, limit, each, ctx, e);
}

int
engine_audit_rows(struct engine *engine, const struct journal_audit_filter *filter,
    journal_audit_each *each, void *ctx, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	return journal->audit(journal->ctx, filter, each, ctx, e);
}

int
engine_audit_head(const struct engine *engine, struct journal_head *head, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	return journal->audit_head(journal->ctx, head, e);
}

int
engine_rollouts(struct engine *engine, const struct journal_filter *filter, journal_each *each,
    void *ctx, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	return journal->rollouts(journal->ctx, filter, each, ctx, e);
}

int
engine_releases(struct engine *engine, const char *app, int before, int limit, journal_each *each,
    void *ctx, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	return journal->releases(journal->ctx, app, before, limit, each, ctx, e);
}
