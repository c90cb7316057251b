/* The only door back out of the journal: rollouts are folded again from their events. After a crash
 * the world is looked at anew before anything is done: an act without an outcome counts as unknown.
 */
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/engine_room.h"

#define PAGE 500

struct folding {
	struct rollout *rollout;
	int64_t last_seq;
	int count;
	int rc;
	struct err *e;
};

static bool
fold_row(void *ctx, const struct journal_row *row)
{
	struct folding *f = ctx;
	struct err e;
	struct event event = {
	    .kind = event_of(row->name), .at_ms = row->at_ms, .actor = row->actor};
	f->count++;
	f->last_seq = row->seq;
	event.data = jsonx_parse(row->text, strlen(row->text), 1 << 20, &e);
	if (event.data == NULL)
		f->rc = err_set(f->e, "event %lld is damaged: %s", (long long)row->seq, e.text);
	else if (event.kind == EVENT_KINDS)
		f->rc =
		    err_set(f->e, "event %lld is of kind \"%s\", which this version does not know",
			(long long)row->seq, row->name);
	else
		f->rc = rollout_fold(f->rollout, &event, f->e);
	json_decref(event.data);
	f->rollout->last_seq = row->seq;
	return f->rc == 0;
}

int
recover_rollout(
    const struct journal_port *journal, const char *id, struct rollout **rollout, struct err *e)
{
	struct folding f = {.rollout = rollout_new(id), .e = e};
	do {
		f.count = 0;
		if (journal->events(journal->ctx, id, f.last_seq, PAGE, fold_row, &f, e) < 0)
			f.rc = -1;
	} while (f.rc == 0 && f.count == PAGE);
	if (f.rc == 0 && f.rollout->app == NULL)
		f.rc = err_set(e, "no rollout %s", id);
	if (f.rc < 0) {
		rollout_free(f.rollout);
		return -1;
	}
	*rollout = f.rollout;
	return 0;
}

struct loading {
	struct engine *engine;
	char **ids;
	size_t count;
	int rc;
	struct err *e;
};

int
recover_app(const struct journal_row *row, struct app **app, struct err *e)
{
	struct errlist errors;
	errlist_init(&errors);
	json_t *spec = jsonx_parse(row->text, strlen(row->text), 1 << 20, e);
	*app = spec == NULL ? NULL : app_parse(spec, &errors);
	if (*app == NULL)
		err_set(e, "app %s in the database is not valid: %s", row->key,
		    errors.count > 0 ? errors.items[0].text : "not JSON");
	json_decref(spec);
	errlist_done(&errors);
	return *app == NULL ? -1 : 0;
}

static bool
load_app(void *ctx, const struct journal_row *row)
{
	struct loading *l = ctx;
	struct app *app;
	l->rc = recover_app(row, &app, l->e);
	if (l->rc == 0)
		engine_app_entry(l->engine, row->key)->app = app;
	return l->rc == 0;
}

static bool
note_id(void *ctx, const struct journal_row *row)
{
	struct loading *l = ctx;
	l->ids = mem_grow(l->ids, l->count + 1, sizeof(*l->ids));
	l->ids[l->count++] = mem_strdup(row->key);
	return true;
}

static bool
note_release(void *ctx, const struct journal_row *row)
{
	struct app_entry *app = ctx;
	app->releases = (int)row->number;
	return false;
}

static int
load_releases(struct engine *engine, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	size_t cursor = 0;
	const char *name;
	void *app;
	while (map_next(engine->apps, &cursor, &name, &app))
		if (journal->releases(journal->ctx, name, 0, 1, note_release, app, e) < 0)
			return -1;
	return 0;
}

/* Sent before the crash, or not: nobody knows. It is looked at before it is sent again. */
static void
answer_lost(struct entry *entry, uint64_t attempt)
{
	struct event event = {.kind = EVENT_ACTED,
	    .at_ms = engine_now_ms(entry->engine),
	    .actor = "",
	    .data = json_pack("{s:I, s:s, s:s}", "attempt", (json_int_t)attempt, "outcome",
		act_outcome_name(ACT_UNKNOWN), "text", "airisd was started again")};
	commit_event(entry, &event, "");
	json_decref(event.data);
}

static void
answers_lost(struct entry *entry)
{
	const struct rollout *r = entry->rollout;
	if (r->overtaken.attempt != 0)
		answer_lost(entry, r->overtaken.attempt);
	if (r->attempt.pending)
		answer_lost(entry, r->attempt.number);
}

static int
load_rollout(struct engine *engine, const char *id, struct err *e)
{
	struct rollout *rollout;
	if (recover_rollout(&engine->ports.journal, id, &rollout, e) < 0)
		return err_wrap(e, "rollout %s", id);
	struct entry *entry = engine_entry_new(engine, rollout);
	if (rollout->last_ms > engine->wall_base_ms)
		engine->wall_base_ms = rollout->last_ms; /* the clock was set back meanwhile */
	if (rollout_was_away(rollout, engine->wall_base_ms))
		entry->back_ms = engine->wall_base_ms;
	entry->asking.back_ms = engine->wall_base_ms;
	entry->known = true;
	answers_lost(entry);
	engine_mark(entry);
	return 0;
}

static int
load_live(struct engine *engine, struct loading *l, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	struct journal_filter filter = {.live = true, .limit = 1000000};
	int rc = journal->rollouts(journal->ctx, &filter, note_id, l, e);
	for (size_t i = 0; i < l->count; i++) {
		if (rc == 0)
			rc = load_rollout(engine, l->ids[i], e);
		free(l->ids[i]);
	}
	free(l->ids);
	return rc;
}

int
recover(struct engine *engine, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	struct loading l = {.engine = engine, .e = e};
	if (journal->apps(journal->ctx, load_app, &l, e) < 0 || l.rc < 0)
		return -1;
	if (tokens_load(engine, e) < 0)
		return -1;
	if (load_releases(engine, e) < 0 || load_live(engine, &l, e) < 0)
		return -1;
	engine->stats.apps = (int)map_count(engine->apps);
	log_info("engine", "%d apps, %d live rollouts", engine->stats.apps, engine->stats.live);
	return 0;
}
