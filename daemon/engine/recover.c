/* The only door back out of the journal: rollouts are folded again from their events. After a crash
 * the world is looked at anew before anything is done: an act without an outcome counts as unknown.
 */
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/engine_room.h"
#include "engine/outbox.h"

#define PAGE 500
/* An older notice was told, or is of no more use. */
#define TOLD_MS (INT64_C(10) * 60 * 1000)

struct folding {
	struct rollout *rollout;
	int64_t last_seq;
	int count;
	int rc;
	struct err *e;
	struct engine *engine;	     /* NULL: nobody is told */
	struct telling *telling;     /* the newest notice; owned */
	struct journal_write notice; /* when it was */
};

/* What happened right before a crash may not have been told. */
static void
note_telling(struct folding *f, const struct event *event, const struct notice_mark *before)
{
	if (f->engine->wall_base_ms - event->at_ms >= TOLD_MS)
		return;
	struct telling *telling =
	    outbox_telling(f->engine, f->rollout, event->kind, before, event->actor);
	if (telling == NULL)
		return;
	outbox_tellings_free(f->telling);
	f->telling = telling;
	f->notice = (struct journal_write){.number = f->last_seq, .at_ms = event->at_ms};
}

static bool
fold_row(void *ctx, const struct journal_row *row)
{
	struct folding *f = ctx;
	struct err e;
	struct event event = {
	    .kind = event_of(row->name), .at_ms = row->at_ms, .actor = row->actor};
	struct notice_mark before = notice_mark(f->rollout);
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
	if (f->rc == 0 && f->engine != NULL)
		note_telling(f, &event, &before);
	json_decref(event.data);
	f->rollout->last_seq = row->seq;
	return f->rc == 0;
}

static int
fold_all(const struct journal_port *journal, const char *id, struct folding *f)
{
	f->rollout = rollout_new(id);
	do {
		f->count = 0;
		if (journal->events(journal->ctx, id, f->last_seq, PAGE, fold_row, f, f->e) < 0)
			f->rc = -1;
	} while (f->rc == 0 && f->count == PAGE);
	if (f->rc == 0 && f->rollout->app == NULL)
		f->rc = err_set(f->e, "no rollout %s", id);
	if (f->rc == 0)
		return 0;
	rollout_free(f->rollout);
	outbox_tellings_free(f->telling);
	return -1;
}

int
recover_rollout(
    const struct journal_port *journal, const char *id, struct rollout **rollout, struct err *e)
{
	struct folding f = {.e = e};
	if (fold_all(journal, id, &f) < 0)
		return -1;
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
	struct folding f = {.engine = engine, .e = e};
	if (fold_all(&engine->ports.journal, id, &f) < 0)
		return err_wrap(e, "rollout %s", id);
	struct rollout *rollout = f.rollout;
	struct entry *entry = engine_entry_new(engine, rollout);
	if (rollout->last_ms > engine->wall_base_ms)
		engine->wall_base_ms = rollout->last_ms; /* the clock was set back meanwhile */
	if (rollout_was_away(rollout, engine->wall_base_ms))
		entry->back_ms = engine->wall_base_ms;
	entry->asking.back_ms = engine->wall_base_ms;
	entry->known = true;
	if (engine->wall_base_ms - f.notice.at_ms < TOLD_MS)
		outbox_tell(f.telling, &f.notice);
	outbox_tellings_free(f.telling);
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
