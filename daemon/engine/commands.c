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

/* What was not done: refused, or so already. */
static void
answer_now(struct engine *engine, const struct engine_reply *reply, enum command_answer answer,
    const struct rollout *r, struct engine_note *note, const struct err *why)
{
	bool refused = answer == COMMAND_REFUSED;
	const char *text = refused ? why->text : ""; /* nobody has written it otherwise */
	note->outcome = refused ? NULL : "so already";
	audit_refused(engine, note, r, NULL, text);
	reply_later(engine, reply, refused ? ENGINE_REFUSED : ENGINE_OK, r->id, text);
}

/* A rollout that has ended: only what is true already is answered with yes. */
static void
command_ended(struct engine *engine, const char *id, enum command command, struct engine_note *note,
    const struct engine_reply *reply)
{
	struct rollout *ended;
	struct events events = {0};
	struct err why;
	if (!is_ended(engine, id, &ended)) {
		audit_refused(engine, note, NULL, NULL, "no rollout of that id");
		reply_later(engine, reply, ENGINE_NOT_FOUND, id, "no rollout of that id");
		return;
	}
	enum command_answer answer =
	    command_give(ended, command, false, "", "", engine_now_ms(engine), &events, &why);
	events_done(&events);
	answer_now(engine, reply, answer, ended, note, &why);
	rollout_free(ended);
}

void
engine_command(struct engine *engine, const char *id, enum command command, bool full,
    const char *reason, const struct actor *actor, const struct engine_reply *reply)
{
	struct entry *entry = engine_entry(engine, id);
	struct events events = {0};
	struct engine_note note = {.actor = actor,
	    .what = command_name(command),
	    .rollout = id,
	    .detail = full ? "to the full stage" : NULL,
	    .why = reason};
	struct err why;
	if (entry == NULL || !entry->known) {
		command_ended(engine, id, command, &note, reply);
		return;
	}
	if (engine->degraded && command != COMMAND_ABORT) {
		audit_lost(engine);
		reply_later(engine, reply, ENGINE_DEGRADED, id, engine->degraded_why);
		return;
	}
	enum command_answer answer = command_give(entry->rollout, command, full,
	    actor->id ? actor->id : "", reason, engine_now_ms(engine), &events, &why);
	/* What is true already may be true since a moment ago: it is said when that is durable. */
	if (answer == COMMAND_NOTHING && (entry->unsaved > 0 || entry->open != NULL)) {
		note.outcome = "so already";
		audit_refused(engine, &note, entry->rollout, NULL, "");
		commit_reply(entry, reply, ENGINE_OK, id, "");
		commit_close(entry);
		return;
	}
	if (answer != COMMAND_TAKEN) {
		answer_now(engine, reply, answer, entry->rollout, &note, &why);
		return;
	}
	if (command == COMMAND_ABORT)
		entry->abort_ms = engine->ports.clock.mono_ms(engine->ports.clock.ctx);
	commit_events(entry, &events, actor->name);
	events_done(&events);
	note.outcome = "done";
	struct chain_row row = audit_row(engine, &note, entry->rollout, NULL);
	commit_audit(entry, &row);
	commit_reply(entry, reply, ENGINE_OK, id, "");
	engine_mark(entry);
}

/* May the app become this (NULL: go)? It is judged as it is when all that came before is written,
 * and in the same turn handed over, so nothing comes between. False: answered. */
static bool
may_change(struct engine *engine, const struct app_entry *entry,
    const struct app_condition *condition, const json_t *spec, const struct engine_note *note,
    const struct engine_reply *reply)
{
	struct err why;
	if (condition == NULL || app_meets(commit_coming(entry), condition, spec, &why))
		return true;
	audit_refused(engine, note, NULL, entry->app, why.text);
	commit_app_reply(engine, entry, reply, ENGINE_CHANGED, why.text);
	return false;
}

static void
write_app(struct engine *engine, struct app *app, struct engine_note *note,
    const struct engine_reply *reply, enum engine_result result)
{
	note->outcome = result == ENGINE_CREATED ? "created" : "changed";
	struct chain_row row = audit_row(engine, note, NULL, app);
	char *text = jsonx_dump(app->spec);
	struct journal_write write = {.kind = JOURNAL_APP,
	    .key = app->name,
	    .app = app->name,
	    .text = text,
	    .actor = note->actor->name,
	    .at_ms = engine_now_ms(engine)};
	commit_app(engine, &write, &row, app, reply, result);
	free(text);
}

void
engine_app_put(struct engine *engine, struct app *app, const struct app_condition *condition,
    const struct actor *actor, const struct engine_reply *reply)
{
	struct app_entry *entry = engine_app_entry(engine, app->name);
	const struct app *before = commit_coming(entry);
	char detail[APP_TAG + 16] = "spec ";
	struct engine_note note = {
	    .actor = actor, .what = "app put", .app = app->name, .detail = detail};
	app_tag(app, detail + strlen(detail));
	if (engine->degraded) {
		audit_lost(engine);
		reply_later(engine, reply, ENGINE_DEGRADED, app->name, engine->degraded_why);
		app_free(app);
	} else if (!may_change(engine, entry, condition, app->spec, &note, reply)) {
		app_free(app);
	} else if (before != NULL && json_equal(before->spec, app->spec)) {
		note.outcome = "unchanged";
		audit_refused(engine, &note, NULL, app, "");
		commit_app_reply(engine, entry, reply, ENGINE_OK, "unchanged");
		app_free(app);
	} else {
		write_app(engine, app, &note, reply, before == NULL ? ENGINE_CREATED : ENGINE_OK);
	}
}

void
engine_app_delete(struct engine *engine, const char *name, const struct app_condition *condition,
    const struct actor *actor, const struct engine_reply *reply)
{
	struct app_entry *entry = map_get(engine->apps, name);
	struct engine_note note = {.actor = actor, .what = "app delete", .app = name};
	if (entry == NULL || entry->app == NULL || entry->leaving > 0) {
		audit_refused(engine, &note, NULL, NULL, "no app of that name");
		reply_later(engine, reply, ENGINE_NOT_FOUND, name, "no app of that name");
		return;
	}
	if (engine->degraded) {
		audit_lost(engine);
		reply_later(engine, reply, ENGINE_DEGRADED, name, engine->degraded_why);
		return;
	}
	if (entry->rollouts != NULL) {
		char why[160];
		str_print(why, sizeof(why), "rollout %s of %s is %s: abort it first",
		    entry->rollouts->rollout->id, name,
		    phase_name(entry->rollouts->rollout->phase));
		audit_refused(engine, &note, NULL, entry->app, why);
		reply_later(engine, reply, ENGINE_REFUSED, name, why);
		return;
	}
	if (!may_change(engine, entry, condition, NULL, &note, reply))
		return;
	note.outcome = "deleted";
	struct chain_row row = audit_row(engine, &note, NULL, entry->app);
	struct journal_write write = {.kind = JOURNAL_APP,
	    .key = name,
	    .app = name,
	    .actor = actor->name,
	    .at_ms = engine_now_ms(engine)};
	entry->leaving++;
	commit_app(engine, &write, &row, NULL, reply, ENGINE_OK);
}
