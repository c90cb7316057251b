/* What is to be told is written with what it tells of: after a kill -9 at any write of the journal
 * there is a row for each such event, and none for anything else. */
#include "engine_world.h"
#include "base/jsonx.h"
#include "engine/note.h"
#include "engine/outbox.h"
#include "virtual_loop.h"

static int written;

static int
everybody(void *ctx, const struct app *app, enum notice notice, const char *names[NOTICE_HOOKS])
{
	(void)ctx;
	assert_string_equal(app->name, "web");
	names[0] = "a";
	names[1] = "b";
	return notice == NOTICE_STAGE ? 1 : 2; /* b wants no stages */
}

static void
on_written(void *ctx, const char *hook)
{
	(void)ctx;
	written += strcmp(hook, "a") == 0;
}

static const struct notice_port port = {.hooks = everybody, .written = on_written};

struct rows {
	int count[NOTICES + 1], all;
	int64_t at_ms;
	char ids[64][ID_SIZE];
};

static bool
each(void *ctx, const struct journal_row *row)
{
	struct rows *rows = ctx;
	struct err e;
	json_t *data = jsonx_parse(row->text, strlen(row->text), 1 << 16, &e);
	rows->count[notice_of_name(row->name)]++;
	assert_true(row->at_ms >= rows->at_ms);
	rows->at_ms = row->at_ms;
	assert_string_equal(jsonx_text(data, "rollout.id"), row->key);
	assert_true(id_ok(row->actor, "d-"));
	for (int i = 0; i < rows->all; i++)
		assert_string_not_equal(rows->ids[i], row->actor);
	str_copy(rows->ids[rows->all++], ID_SIZE, row->actor);
	json_decref(data);
	return true;
}

static struct rows
rows_of(struct world *w, const char *hook)
{
	struct journal_port journal = store_port(w->store);
	struct rows rows = {0};
	struct err e;
	assert_int_equal(journal.outbox(journal.ctx, hook, 0, 0, each, &rows, &e), 0);
	assert_int_equal(journal.outbox_count(journal.ctx, hook), rows.all);
	return rows;
}

static int
phases_to(struct world *w, const char *id, const char *to)
{
	int found = 0, all = world_events(w, id, "phase");
	for (int i = 0; i < all; i++) {
		json_t *data = world_event(w, id, "phase", i);
		found += strcmp(jsonx_text_or(data, "to", ""), to) == 0;
		json_decref(data);
	}
	return found;
}

static void
compare(struct world *w, const char *id)
{
	struct rows a = rows_of(w, "a"), b = rows_of(w, "b");
	assert_int_equal(a.count[NOTICE_STARTED], 1);
	assert_int_equal(a.count[NOTICE_STAGE], world_events(w, id, "stage"));
	assert_int_equal(a.count[NOTICE_PAUSED], phases_to(w, id, "paused"));
	assert_int_equal(a.count[NOTICE_ABORTING], phases_to(w, id, "aborting"));
	assert_int_equal(a.count[NOTICE_ABORTED], phases_to(w, id, "aborted"));
	assert_int_equal(a.count[NOTICE_SUCCEEDED], phases_to(w, id, "succeeded"));
	assert_int_equal(a.count[NOTICES], 0);
	assert_int_equal(b.count[NOTICE_STAGE], 0);
	assert_int_equal(b.all, a.all - a.count[NOTICE_STAGE]);
}

/* What the cluster was told, in that order; the same one again is counted apart. */
static struct {
	int64_t seqs[64];
	enum notice notices[64];
	int count, again;
} shown;

static void
on_tell(void *ctx, const struct app *app, const struct told *told)
{
	(void)ctx;
	assert_string_equal(app->name, "web");
	assert_true(told->at_ms > 0 && strlen(told->text) > 10);
	for (int i = 0; i < shown.count; i++)
		if (shown.seqs[i] == told->seq) {
			assert_int_equal(shown.notices[i], told->notice);
			shown.again++;
			return;
		}
	assert_true(shown.count == 0 || shown.seqs[shown.count - 1] < told->seq);
	shown.seqs[shown.count] = told->seq;
	shown.notices[shown.count++] = told->notice;
}

static bool
is_of_kind(enum notice notice, const char *kind)
{
	const char *of = notice == NOTICE_STARTED ? "created"
			 : notice == NOTICE_STAGE ? "stage"
						  : "phase";
	return strcmp(of, kind) == 0;
}

static bool
find_shown(void *ctx, const struct journal_row *row)
{
	int *found = ctx;
	for (int i = 0; i < shown.count; i++)
		*found += shown.seqs[i] == row->seq && is_of_kind(shown.notices[i], row->name);
	return true;
}

/* Nothing was shown that is not in the journal as just that; a crash costs the last word of one
 * that had ended at most. */
static void
compare_shown(struct world *w, const char *id, bool crashed)
{
	struct journal_port journal = store_port(w->store);
	struct err e;
	int found = 0, all = rows_of(w, "a").all;
	assert_int_equal(journal.events(journal.ctx, id, 0, 0, find_shown, &found, &e), 0);
	assert_int_equal(found, shown.count);
	assert_true(shown.count <= all && shown.count >= all - crashed);
	assert_true(crashed ? shown.again <= 1 : shown.again == 0);
}

/* False: it was over before the crash. */
static bool
release(enum world_crash crash, int at, bool aborted)
{
	struct world *w = world_new(7, "");
	char id[ID_SIZE];
	w->notices = &port;
	w->tell = on_tell;
	memset(&shown, 0, sizeof(shown));
	world_crash(w);
	w->crashes = 0;
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	w->appends = 0;
	w->crash = crash;
	w->crash_at = at;
	if (aborted) {
		world_until_weight(w, 50);
		int number = world_command(w, id, COMMAND_ABORT, false);
		for (int lives = w->engines; lives == w->engines && !w->replies[number].given;)
			world_turns(w);
		if (!w->replies[number].given)
			world_must(w, id, COMMAND_ABORT);
	}
	world_until_phase(w, id, aborted ? PHASE_ABORTED : PHASE_SUCCEEDED);
	bool hit = w->crashes > 0;
	compare(w, id);
	compare_shown(w, id, hit);
	world_free(w);
	return hit;
}

static void
a_crash_loses_no_notice_and_invents_none(void **state)
{
	(void)state;
	for (int aborted = 0; aborted < 2; aborted++)
		for (int crash = CRASH_BEFORE_COMMIT; crash <= CRASH_AFTER_COMMIT; crash++)
			for (int at = 1; release((enum world_crash)crash, at, aborted); at++)
				;
	assert_true(written > 0);
}

/* Not before it is durable, and after a crash again, if it is not long ago. */
static void
the_last_word_is_told_again(void **state)
{
	(void)state;
	struct world *w = world_new(7, "");
	char id[ID_SIZE];
	w->tell = on_tell;
	memset(&shown, 0, sizeof(shown));
	world_crash(w);
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_must(w, id, COMMAND_PAUSE);
	world_run(w, 1000);
	int before = shown.count;
	assert_int_equal(shown.notices[before - 1], NOTICE_PAUSED);
	assert_int_equal(shown.again, 0);
	world_crash(w);
	assert_int_equal(shown.again, 1);
	world_run(w, 11 * 60 * 1000);
	world_crash(w);
	assert_int_equal(shown.again, 1);
	assert_int_equal(shown.count, before);
	world_free(w);
}

static void
on_dropped(void *ctx, uint64_t request, enum engine_result result, const char *id, const char *why)
{
	(void)id, (void)why;
	assert_int_equal(request, 5);
	*(enum engine_result *)ctx = result;
}

static bool
take_seq(void *ctx, const struct journal_row *row)
{
	*(int64_t *)ctx = row->seq;
	return false;
}

static bool
count_given_up(void *ctx, const struct journal_audit *audit)
{
	*(int *)ctx += strcmp(audit->row.what, "webhook give up") == 0;
	return true;
}

static int
given_up(struct world *w)
{
	struct journal_port journal = store_port(w->store);
	struct journal_audit_filter all = {.limit = 1000};
	struct err e;
	int count = 0;
	store_flush(w->store);
	assert_int_equal(journal.audit(journal.ctx, &all, count_given_up, &count, &e), 0);
	return count;
}

/* A row that is done with is gone, another stays; on a disk that is full it is still there. What
 * there is to say of it is said when it has gone, and not before. */
static void
what_is_delivered_is_dropped(void **state)
{
	(void)state;
	struct world *w = world_new(7, "");
	w->notices = &port;
	world_crash(w);
	world_start(w, "web:2");
	world_run(w, 1000);
	struct journal_port journal = store_port(w->store);
	enum engine_result result = ENGINE_REFUSED;
	struct engine_note note = {.what = "webhook give up", .outcome = "not taken"};
	struct engine_reply reply = {.done = on_dropped, .ctx = &result, .request = 5};
	struct err e;
	int64_t seq = 0;
	assert_int_equal(journal.outbox(journal.ctx, "b", 0, 0, take_seq, &seq, &e), 0);
	int before = rows_of(w, "a").all, of_b = rows_of(w, "b").all;
	world_disk(w, true);
	engine_outbox_drop(w->engine, &seq, 1, &note, &reply);
	world_run(w, 500);
	assert_int_equal(result, ENGINE_DEGRADED);
	assert_int_equal(given_up(w), 0);
	assert_int_equal(rows_of(w, "b").all, of_b);
	world_disk(w, false);
	world_run(w, 5000);
	of_b = rows_of(w, "b").all;
	before = rows_of(w, "a").all;
	engine_outbox_drop(w->engine, &seq, 1, &note, &reply);
	world_run(w, 100);
	assert_int_equal(result, ENGINE_OK);
	assert_int_equal(given_up(w), 1);
	assert_int_equal(rows_of(w, "b").all, of_b - 1);
	assert_int_equal(rows_of(w, "a").all, before);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_crash_loses_no_notice_and_invents_none),
	    cmocka_unit_test(the_last_word_is_told_again),
	    cmocka_unit_test(what_is_delivered_is_dropped),
	};
	return cmocka_run_group_tests_name("engine_outbox", tests, NULL, NULL);
}
