/* Who did what: each command and each act has its row, once, also those that were refused, also
 * through crashes and a full disk. That acts, commands and starts have theirs is looked at in every
 * world when it ends (world_check_audit). */
#include "engine_world.h"
#include "virtual_loop.h"
#include "engine/note.h"
#include "engine/tokens.h"

static const struct actor ann = {.name = "ann uid=7", .id = "uid=7", .from = "uid=7 pid=9"};
static const struct actor eve = {.name = "eve"};

struct wanted {
	const char *what, *outcome, *rollout; /* beginnings; NULL: any */
	int count;
	struct chain_row last;
	char who[64], id[64], from[64], app[64], namespace[64], detail[256], why[256], line[512];
};

static bool
look_row(void *ctx, const struct journal_audit *audit)
{
	struct wanted *wanted = ctx;
	const struct chain_row *row = &audit->row;
	if (!str_starts(row->what, wanted->what) ||
	    (wanted->outcome != NULL && !str_starts(row->outcome, wanted->outcome)) ||
	    (wanted->rollout != NULL && strcmp(row->rollout, wanted->rollout) != 0))
		return true;
	wanted->count++;
	str_copy(wanted->who, sizeof(wanted->who), row->who);
	str_copy(wanted->id, sizeof(wanted->id), row->id);
	str_copy(wanted->from, sizeof(wanted->from), row->from);
	str_copy(wanted->app, sizeof(wanted->app), row->app);
	str_copy(wanted->namespace, sizeof(wanted->namespace), row->namespace);
	str_copy(wanted->detail, sizeof(wanted->detail), row->detail);
	str_copy(wanted->why, sizeof(wanted->why), row->why);
	str_copy(wanted->line, sizeof(wanted->line), row->outcome);
	return true;
}

/* How many rows there are; *wanted tells of the last one. */
static int
find(struct world *w, struct wanted *wanted)
{
	struct journal_audit_filter filter = {.limit = 1000};
	struct err e;
	struct journal_port port = store_port(w->store);
	wanted->count = 0;
	store_flush(w->store);
	assert_int_equal(port.audit(port.ctx, &filter, look_row, wanted, &e), 0);
	return wanted->count;
}

static int
rows(struct world *w, const char *what, const char *outcome)
{
	struct wanted wanted = {.what = what, .outcome = outcome};
	return find(w, &wanted);
}

static enum engine_result
command(struct world *w, const char *id, enum command command, const char *reason,
    const struct actor *actor)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_command(w->engine, id, command, false, reason, actor, &reply);
	world_until_reply(w, number);
	world_turns(w);
	return w->replies[number].result;
}

static void
a_rollout_from_start_to_end(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	struct wanted put = {.what = "app put"}, start = {.what = "start"}, act = {.what = "act "};
	const char *id = world_start(w, "web:2");
	char *rollout = mem_strdup(id);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_run(w, 1000);
	assert_int_equal(find(w, &put), 1);
	assert_string_equal(put.who, "ann");
	assert_string_equal(put.line, "created");
	assert_true(str_starts(put.detail, "spec "));
	start.rollout = act.rollout = rollout;
	assert_int_equal(find(w, &start), 1);
	assert_string_equal(start.app, "web");
	assert_string_equal(start.namespace, "shop");
	assert_string_equal(start.detail, "release 1, image web:2");
	assert_int_equal(find(w, &act), w->sent);
	assert_string_equal(act.who, "airisd");
	assert_int_equal(rows(w, "act weight", "done"), w->sent_by_kind[ACT_WEIGHT]);
	assert_true(w->sent > 8);
	assert_int_equal(rows(w, "begin", NULL), 1);
	free(rollout);
	world_free(w);
}

static void
commands_and_what_was_refused(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	char id[ID_SIZE];
	struct wanted row = {.what = "pause"};
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_stage(w, id, 1);
	assert_int_equal(command(w, id, COMMAND_PAUSE, "lunch", &ann), ENGINE_OK);
	assert_int_equal(find(w, &row), 1);
	assert_string_equal(row.who, ann.name);
	assert_string_equal(row.id, ann.id);
	assert_string_equal(row.from, ann.from);
	assert_string_equal(row.why, "lunch");
	assert_string_equal(row.line, "done");
	assert_int_equal(command(w, id, COMMAND_PAUSE, "", &ann), ENGINE_OK);
	assert_int_equal(rows(w, "pause", "so already"), 1);
	assert_int_equal(command(w, "r-0", COMMAND_ABORT, "", &eve), ENGINE_NOT_FOUND);
	row = (struct wanted){.what = "abort", .rollout = "r-0"};
	assert_int_equal(find(w, &row), 1);
	assert_string_equal(row.who, "eve");
	assert_true(str_starts(row.line, "refused: "));
	assert_int_equal(command(w, id, COMMAND_ABORT, "smells", &ann), ENGINE_OK);
	world_until_phase(w, id, PHASE_ABORTED);
	world_run(w, 1000);
	assert_int_equal(command(w, id, COMMAND_RESUME, "", &ann), ENGINE_REFUSED);
	assert_int_equal(rows(w, "resume", "refused: "), 1);
	assert_int_equal(rows(w, "abort", "done"), 1);
	world_free(w);
}

static void
starts_are_told_once(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	struct engine_start start = {
	    .app = "web", .image = "web:2", .actor = ann, .key = "k", .why = "monday"};
	struct wanted row = {.what = "start"};
	int again[3];
	for (int i = 0; i < 3; i++)
		again[i] = world_start_with(w, &start);
	for (int i = 0; i < 3; i++)
		world_until_reply(w, again[i]);
	assert_int_equal(find(w, &row), 1);
	assert_string_equal(row.why, "monday");
	start.image = "web:3";
	world_until_reply(w, world_start_with(w, &start));
	start.key = NULL;
	start.app = "none";
	world_until_reply(w, world_start_with(w, &start));
	start.app = "web";
	start.undo = true;
	world_until_reply(w, world_start_with(w, &start));
	world_turns(w);
	assert_int_equal(rows(w, "start", "refused: "), 2);
	assert_int_equal(rows(w, "start", "created"), 1);
	assert_int_equal(rows(w, "undo", "refused: "), 1);
	world_free(w);
}

static void
apps_that_go(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	const struct app_condition none = {.missing = true};
	int number;
	struct engine_reply reply = world_reply(w, &number);
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	engine_app_delete(w->engine, "web", NULL, &ann, &reply);
	world_until_reply(w, number);
	reply = world_reply(w, &number);
	engine_app_delete(w->engine, "web", &none, &ann, &reply);
	world_until_reply(w, number);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_run(w, 2000);
	reply = world_reply(w, &number);
	engine_app_delete(w->engine, "web", NULL, &ann, &reply);
	world_until_reply(w, number);
	assert_int_equal(w->replies[number].result, ENGINE_OK);
	assert_int_equal(rows(w, "app delete", "refused: "), 2);
	assert_int_equal(rows(w, "app delete", "deleted"), 1);
	world_free(w);
}

/* Nobody has heard the answer: the act has its row all the same, and one alone. */
static void
an_answer_that_a_crash_took(void **state)
{
	(void)state;
	for (int n = 3; n < 6; n++) {
		struct world *w = world_new((unsigned)n, "");
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		w->crash = CRASH_ACT;
		w->crash_at = n;
		world_until_phase(w, id, PHASE_SUCCEEDED);
		world_run(w, 1000);
		assert_int_equal(w->crashes, 1);
		assert_int_equal(rows(w, "act ", "unknown: airisd was started again"), 1);
		assert_int_equal(rows(w, "begin", NULL), 1);
		world_free(w);
	}
}

static void
through_a_full_disk(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	world_disk(w, true);
	world_run(w, 5000);
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_command(w->engine, id, COMMAND_ABORT, false, "full", &ann, &reply);
	for (int i = 0; i < 5; i++)
		world_command(w, id, COMMAND_PAUSE, false); /* cannot be written down */
	world_run(w, 10000);
	world_disk(w, false);
	world_until_phase(w, id, PHASE_ABORTED);
	world_run(w, 70000);
	assert_int_equal(rows(w, "abort", "done"), 1);
	assert_int_equal(
	    rows(w, "act ", NULL) + rows(w, "seen ", NULL), world_events(w, id, "acted"));
	struct wanted left = {.what = "left out"};
	assert_int_equal(find(w, &left), 1);
	assert_int_equal(rows(w, "pause", NULL), 0);
	assert_true(str_starts(left.detail, "5 requests"));
	world_free(w);
}

static enum engine_result
drop_token(struct world *w, const char *id)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_token_drop(w->engine, id, &ann, &reply);
	world_until_reply(w, number);
	world_turns(w);
	return w->replies[number].result;
}

static void
put_token(struct world *w, const char *id)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_token_put(w->engine, id, "{}", id, &ann, &reply);
	world_until_reply(w, number);
	assert_int_equal(w->replies[number].result, ENGINE_CREATED);
}

/* The space that is kept for aborts is there for who shuts somebody out, and not for tidying up. */
static void
tokens_that_go(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	struct engine_token token;
	world_start(w, "web:2");
	world_until_weight(w, 50);
	put_token(w, "tttttttt");
	put_token(w, "uuuuuuuu");
	put_token(w, "vvvvvvvv");
	int urgents = w->urgents;
	assert_int_equal(drop_token(w, "tttttttt"), ENGINE_OK);
	assert_int_equal(w->urgents, urgents + 1);
	engine_token_drop(w->engine, "uuuuuuuu", &ann, NULL);
	world_run(w, 1000);
	assert_int_equal(w->urgents, urgents + 1);
	assert_false(engine_token(w->engine, "uuuuuuuu", &token));
	assert_int_equal(drop_token(w, "uuuuuuuu"), ENGINE_NOT_FOUND);
	assert_int_equal(rows(w, "token revoke", "revoked"), 2);
	assert_int_equal(rows(w, "token revoke", "refused: "), 1);
	world_disk(w, true);
	for (int i = 0; i < 10; i++) {
		engine_token_drop(w->engine, "vvvvvvvv", &ann, NULL);
		world_run(w, 1000);
	}
	assert_int_equal(w->urgents, urgents + 1);
	assert_true(engine_token(w->engine, "vvvvvvvv", &token));
	world_disk(w, false);
	world_free(w);
}

static struct world_answer
answer_weights_late(struct world *w, const struct act *act)
{
	(void)w;
	return (struct world_answer){.outcome = ACT_DONE,
	    .effect = true,
	    .effect_ms = 50,
	    .late_ms = act->kind == ACT_WEIGHT && act->number == 50 ? 600000 : 100,
	    .retry_after_ms = -1};
}

/* An act that was overtaken by an abort and answered long after it: the rollout is not over before
 * that, so no outcome is lost. */
static void
an_answer_after_the_abort(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	struct wanted late = {.what = "act weight"};
	char id[ID_SIZE];
	w->fault = answer_weights_late;
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	assert_int_equal(command(w, id, COMMAND_ABORT, "", &ann), ENGINE_OK);
	world_run(w, 60000);
	assert_int_equal(find(w, &late), 1);
	assert_non_null(strstr(late.detail, "canary weight 0"));
	world_until_phase(w, id, PHASE_ABORTED);
	assert_int_equal(find(w, &late), 2);
	assert_non_null(strstr(late.detail, "canary weight 50"));
	world_run(w, 1000);
	assert_int_equal(rows(w, "act ", NULL), w->sent);
	world_free(w);
}

/* A flood fills no disk, and what was left out is counted. */
static void
a_flood_is_bounded(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	struct engine_note note = {.actor = &eve, .what = "abort", .outcome = "denied: viewer"};
	struct wanted left = {.what = "left out"};
	for (int i = 0; i < 500; i++)
		engine_audit(w->engine, &note);
	world_run(w, 1000);
	int kept = rows(w, "abort", "denied: ");
	assert_in_range(kept, 50, 70);
	assert_int_equal(find(w, &left), 0);
	world_run(w, 70000);
	assert_int_equal(find(w, &left), 1);
	char *expected = str_format("%d requests that changed nothing", 500 - kept);
	assert_string_equal(left.detail, expected);
	free(expected);
	/* Later there is room again. */
	note.outcome = "denied: later";
	engine_audit(w->engine, &note);
	world_run(w, 1000);
	assert_int_equal(rows(w, "abort", "denied: later"), 1);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rollout_from_start_to_end),
	    cmocka_unit_test(commands_and_what_was_refused),
	    cmocka_unit_test(starts_are_told_once),
	    cmocka_unit_test(apps_that_go),
	    cmocka_unit_test(an_answer_that_a_crash_took),
	    cmocka_unit_test(through_a_full_disk),
	    cmocka_unit_test(tokens_that_go),
	    cmocka_unit_test(an_answer_after_the_abort),
	    cmocka_unit_test(a_flood_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
