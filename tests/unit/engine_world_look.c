/* What tests ask the world at the end: is all as it was, and what does the journal say? */
#include "engine_world.h"
#include <sqlite3.h>
#include "store/audit.h"
#include "base/jsonx.h"

void
world_home(struct world *w, const char *image)
{
	for (int i = 0; i < 100; i++) /* what is under way arrives */
		world_tick(w);
	if (strcmp(w->image, image) != 0)
		world_fail(w, "home: the image is %s, not %s", w->image, image);
	if (w->canary_exists || world_ready(w, true) > 0)
		world_fail(w, "home: the canary is left over");
	if (w->service || w->named_canary || w->weight != 0)
		world_fail(w, "home: routing is left over (Service %d, destination %d, weight %d)",
		    w->service, w->named_canary, w->weight);
	if (w->hpa.exists && w->hpa.min != 2)
		world_fail(w, "home: the HPA's floor is %d", w->hpa.min);
}

struct finding {
	const char *kind;
	int count, wanted;
	json_t *found;
};

static bool
find_event(void *ctx, const struct journal_row *row)
{
	struct finding *f = ctx;
	struct err e;
	if (strcmp(row->name, f->kind) != 0)
		return true;
	if (f->count++ == f->wanted)
		f->found = jsonx_parse(row->text, strlen(row->text), 1 << 20, &e);
	return true;
}

int
world_events(struct world *w, const char *id, const char *kind)
{
	struct finding f = {.kind = kind, .wanted = -1};
	struct err e;
	struct journal_port port = store_port(w->store);
	assert_int_equal(port.events(port.ctx, id, 0, 0, find_event, &f, &e), 0);
	return f.count;
}

json_t *
world_event(struct world *w, const char *id, const char *kind, int n)
{
	struct finding f = {.kind = kind, .wanted = n};
	struct err e;
	struct journal_port port = store_port(w->store);
	assert_int_equal(port.events(port.ctx, id, 0, 0, find_event, &f, &e), 0);
	if (f.found == NULL)
		world_fail(w, "there are only %d events \"%s\"", f.count, kind);
	return f.found;
}

static int64_t
count(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

void
world_check_audit(struct world *w)
{
	static const char *const pairs[][2] = {
	    {"events WHERE kind = 'acted'", "audit WHERE what LIKE 'act %' OR what LIKE 'seen %'"},
	    {"events WHERE kind = 'command'",
		"audit WHERE outcome = 'done' AND who NOT IN ('airisd', 'eve')"},
	    {"events WHERE kind = 'created'", "audit WHERE what IN ('start', 'undo')"
					      " AND outcome = 'created'"}};
	sqlite3 *db;
	int64_t last;
	struct err why;
	assert_int_equal(sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *events = str_format("SELECT count(*) FROM %s", pairs[i][0]);
		char *rows = str_format("SELECT count(*) FROM %s", pairs[i][1]);
		if (count(db, events) != count(db, rows))
			world_fail(w, "%lld %s, but %lld %s", (long long)count(db, events),
			    pairs[i][0], (long long)count(db, rows), pairs[i][1]);
		free(events);
		free(rows);
	}
	if (!store_audit_check(db, 0, &last, &why))
		world_fail(w, "%s", why.text);
	sqlite3_close(db);
}

struct refold {
	struct rollout *rollout;
	int64_t last;
};

static bool
fold_row(void *ctx, const struct journal_row *row)
{
	struct refold *f = ctx;
	struct event event = {
	    .kind = event_of(row->name), .at_ms = row->at_ms, .actor = row->actor};
	struct err e;
	assert_true(row->seq > f->last);
	f->last = row->seq;
	event.data = jsonx_parse(row->text, strlen(row->text), 1 << 20, &e);
	assert_non_null(event.data);
	if (rollout_fold(f->rollout, &event, &e) < 0)
		fail_msg("the journal does not fold: %s", e.text);
	json_decref(event.data);
	return true;
}

void
world_check_journal(struct world *w, const char *id)
{
	struct refold f = {.rollout = rollout_new(id)};
	struct err e;
	struct journal_port port = store_port(w->store);
	assert_int_equal(port.events(port.ctx, id, 0, 0, fold_row, &f, &e), 0);
	const struct rollout *r = world_rollout(w, id), *again = f.rollout;
	assert_int_equal(again->phase, r->phase);
	assert_int_equal(again->stage, r->stage);
	assert_int_equal(again->weight, r->weight);
	assert_int_equal(again->seen, r->seen);
	assert_int_equal(again->attempt.number, r->attempt.number);
	assert_int_equal(again->attempt.pending, r->attempt.pending);
	assert_int_equal(again->canary, r->canary);
	assert_string_equal(again->reason, r->reason);
	for (int i = 0; i < r->ladder.count; i++) {
		assert_int_equal(again->records[i].entered_ms, r->records[i].entered_ms);
		assert_int_equal(again->records[i].settled_ms, r->records[i].settled_ms);
		assert_int_equal(again->records[i].skipped, r->records[i].skipped);
	}
	rollout_free(f.rollout);
}
