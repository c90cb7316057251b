/* Commands on rollouts, and apps put and deleted. */
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/engine_room.h"

static bool
is_ended(struct engine *engine, const char *id, struct rollout **ended)
{
	struct err e;
	return recover_rollout(&engine->ports.journal, id, ended, &e) == 0;
}

static void
answer_now(struct engine *engine, const struct engine_reply *reply, enum command_answer answer,
    const char *id, const struct err *why)
{
	reply_later(engine, reply, answer == COMMAND_REFUSED ? ENGINE_REFUSED : ENGINE_OK, id,
	    answer == COMMAND_REFUSED ? why->text : "");
}

/* A rollout that has ended: only what is true already is answered with yes. */
static void
command_ended(
    struct engine *engine, const char *id, enum command command, const struct engine_reply *reply)
{
	struct rollout *ended;
	struct events events = {0};
	struct err why;
	if (!is_ended(engine, id, &ended)) {
		reply_later(engine, reply, ENGINE_NOT_FOUND, id, "no rollout of that id");
		return;
	}
	enum command_answer answer =
	    command_give(ended, command, false, "", engine_now_ms(engine), &events, &why);
	events_done(&events);
	answer_now(engine, reply, answer, id, &why);
	rollout_free(ended);
}

void
engine_command(struct engine *engine, const char *id, enum command command, bool full,
    const char *reason, const struct actor *actor, const struct engine_reply *reply)
{
	struct entry *entry = engine_entry(engine, id);
	struct events events = {0};
	struct err why;
	if (entry == NULL || !entry->known) {
		command_ended(engine, id, command, reply);
		return;
	}
	if (engine->degraded && command != COMMAND_ABORT) {
		reply_later(engine, reply, ENGINE_DEGRADED, id, engine->degraded_why);
		return;
	}
	enum command_answer answer = command_give(
	    entry->rollout, command, full, reason, engine_now_ms(engine), &events, &why);
	/* What is true already may be true since a moment ago: it is said when that is durable. */
	if (answer == COMMAND_NOTHING && (entry->unsaved > 0 || entry->open != NULL)) {
		commit_reply(entry, reply, ENGINE_OK, id, "");
		commit_close(entry);
		return;
	}
	if (answer != COMMAND_TAKEN) {
		answer_now(engine, reply, answer, id, &why);
		return;
	}
	if (command == COMMAND_ABORT)
		entry->abort_ms = engine->ports.clock.mono_ms(engine->ports.clock.ctx);
	commit_events(entry, &events, actor->name);
	events_done(&events);
	commit_reply(entry, reply, ENGINE_OK, id, "");
	engine_mark(entry);
}

/* May the app become this (NULL: go)? It is judged as it is when all that came before is written,
 * and in the same turn handed over, so nothing comes between. False: answered. */
static bool
may_change(struct engine *engine, const struct app_entry *entry,
    const struct app_condition *condition, const json_t *spec, const struct engine_reply *reply)
{
	struct err why;
	if (condition == NULL || app_meets(commit_coming(entry), condition, spec, &why))
		return true;
	commit_app_reply(engine, entry, reply, ENGINE_CHANGED, why.text);
	return false;
}

static void
write_app(struct engine *engine, struct app *app, const struct actor *actor,
    const struct engine_reply *reply, enum engine_result result)
{
	char *text = jsonx_dump(app->spec);
	struct journal_write write = {.kind = JOURNAL_APP,
	    .key = app->name,
	    .app = app->name,
	    .text = text,
	    .actor = actor->name,
	    .at_ms = engine_now_ms(engine)};
	commit_app(engine, &write, app, reply, result);
	free(text);
}

void
engine_app_put(struct engine *engine, struct app *app, const struct app_condition *condition,
    const struct actor *actor, const struct engine_reply *reply)
{
	struct app_entry *entry = engine_app_entry(engine, app->name);
	const struct app *before = commit_coming(entry);
	if (engine->degraded) {
		reply_later(engine, reply, ENGINE_DEGRADED, app->name, engine->degraded_why);
		app_free(app);
	} else if (!may_change(engine, entry, condition, app->spec, reply)) {
		app_free(app);
	} else if (before != NULL && json_equal(before->spec, app->spec)) {
		commit_app_reply(engine, entry, reply, ENGINE_OK, "unchanged");
		app_free(app);
	} else {
		write_app(engine, app, actor, reply, before == NULL ? ENGINE_CREATED : ENGINE_OK);
	}
}

void
engine_app_delete(struct engine *engine, const char *name, const struct app_condition *condition,
    const struct actor *actor, const struct engine_reply *reply)
{
	struct app_entry *entry = map_get(engine->apps, name);
	if (entry == NULL || entry->app == NULL || entry->leaving > 0) {
		reply_later(engine, reply, ENGINE_NOT_FOUND, name, "no app of that name");
		return;
	}
	if (engine->degraded) {
		reply_later(engine, reply, ENGINE_DEGRADED, name, engine->degraded_why);
		return;
	}
	if (entry->rollouts != NULL) {
		char why[160];
		str_print(why, sizeof(why), "rollout %s of %s is %s: abort it first",
		    entry->rollouts->rollout->id, name,
		    phase_name(entry->rollouts->rollout->phase));
		reply_later(engine, reply, ENGINE_REFUSED, name, why);
		return;
	}
	if (!may_change(engine, entry, condition, NULL, reply))
		return;
	struct journal_write write = {.kind = JOURNAL_APP,
	    .key = name,
	    .app = name,
	    .actor = actor->name,
	    .at_ms = engine_now_ms(engine)};
	entry->leaving++;
	commit_app(engine, &write, NULL, reply, ENGINE_OK);
}
