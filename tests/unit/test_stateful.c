/* Rolling of a StatefulSet: what an App may say, its ladder, and what converge does with ordinals.
 */
#include "model/move.h"
#include "model/pace.h"
#include "model/rehearse.h"
#include "converge_bench.h"

#define STATEFUL(rolling)                                                                          \
	"{kind: App, name: db, namespace: shop, workload: {kind: StatefulSet, name: db}, "         \
	"gates: [{name: errors, prometheus: {query: up, pass: '> 0'}}],\n"                         \
	" strategy: {rolling: {" rolling "}}}"

static const struct pace own = {.ordinals = true};

static void
see_before(int size)
{
	see_old(&seen, size);
	seen.stable.pace = own;
}

static int
setup(void **state)
{
	(void)state;
	begin_with(STATEFUL("steady: 2s, deadline: 1m"), 3, &own);
	return 0;
}

/* --- the App and its ladder ------------------------------------------------------------------ */

static void
each_mistake_says_what_to_do(void **state)
{
	static const struct {
		const char *text, *path, *says;
	} cases[] = {
	    {STATEFUL("surge: 1"), "strategy.rolling.surge", "none is above its size"},
	    {STATEFUL("backup: {deadline: 1h}"), "strategy.rolling.backup.cronJob", "missing"},
	    {STATEFUL("backup: {cronJob: A_b}"), "strategy.rolling.backup.cronJob", "DNS label"},
	    {STATEFUL("backup: {cronJob: b, deadline: 0s}"), "strategy.rolling.backup.deadline",
		"from 1s"},
	    {STATEFUL("unavailable: 0"), "strategy.rolling.unavailable", "give one of them"},
	    {STATEFUL("batches: []"), "strategy.rolling.batches", "1 to 32"},
	    {STATEFUL("stages: []"), "strategy.rolling.stages", "at least one stage"},
	    {STATEFUL("batches: [1], stages: [{pods: 1}]"), "strategy.rolling.batches", "not both"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_mistake(cases[i].text, cases[i].path, cases[i].says);
}

static void
one_may_be_away(void **state)
{
	(void)state;
	assert_int_equal(app->kind, WORKLOAD_STATEFULSET);
	assert_int_equal(app->batch.surge.number, 0);
	assert_int_equal(app->batch.unavailable.number, 1);
	assert_string_equal(app_workload_kind(app), "StatefulSet");
}

static struct ladder
ladder_of(const char *text, int replicas)
{
	struct app *of = app_of(text);
	struct baseline baseline = {.replicas = replicas};
	struct ladder ladder;
	of->strategy->compile(of, &baseline, &ladder);
	app_free(of);
	return ladder;
}

static void
each_ordinal_is_a_stage(void **state)
{
	struct ladder ladder = ladder_of(STATEFUL("hold: 5s"), 3);
	static const char *const names[] = {
	    "preflight", "ordinal 2", "ordinal 1", "ordinal 0", "finish"};
	(void)state;
	assert_int_equal(ladder.count, 5);
	for (int i = 0; i < 5; i++)
		assert_string_equal(ladder.stages[i].name, names[i]);
	for (int i = 1; i < 4; i++) {
		assert_int_equal(ladder.stages[i].target.batch, i);
		assert_false(ladder.stages[i].target.percent);
		assert_int_equal(ladder.stages[i].hold_ms, 5000);
		assert_int_equal(ladder.stages[i].gates, 1);
	}
	assert_int_equal(ladder.full, 3);
}

static void
a_ladder_of_any_size_has_room(void **state)
{
	(void)state;
	for (int size = 1; size <= 200; size++) {
		struct ladder ladder = ladder_of(STATEFUL(""), size);
		int before = 0;
		assert_true(ladder.count - 2 >= 1 && ladder.count - 2 <= APP_STAGES);
		for (int i = 1; i < ladder.count - 1; i++) {
			assert_true(ladder.stages[i].target.batch > before);
			before = ladder.stages[i].target.batch;
		}
		assert_int_equal(before, size);
	}
}

static void
preflight_refuses_what_cannot_go_by_ordinals(void **state)
{
	static const struct {
		struct pace pace;
		int size;
		const char *says;
	} cases[] = {{{.ordinals = false}, 3, "OnDelete"},
	    {{.ordinals = true, .partition = 2}, 3, "partition 2"},
	    {{.ordinals = true}, 0, "StatefulSet shop/db has 0 replicas"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errlist problems;
		errlist_init(&problems);
		see_before(cases[i].size);
		seen.stable.pace = cases[i].pace;
		app->strategy->preflight(app, &seen, &problems);
		assert_int_equal(problems.count, 1);
		assert_non_null(strstr(problems.items[0].text, cases[i].says));
		errlist_done(&problems);
	}
}

/* --- pace ------------------------------------------------------------------------------------ */

static void
the_partition_holds(void **state)
{
	struct pace one = pace_hold_ordinals(1, 3), whole = pace_hold_ordinals(3, 3);
	struct pace unknown = {.ordinals = false};
	char text[64];
	(void)state;
	assert_int_equal(one.partition, 2);
	assert_true(pace_is_held(&one) && !pace_is_held(&whole) && !pace_is_held(&own));
	assert_true(pace_is_known(&own) && !pace_is_known(&unknown));
	assert_int_equal(pace_new(&one, 3), 1);
	assert_int_equal(pace_gone(&one, 3), 1);
	assert_int_equal(pace_new(&one, 5), 3); /* two that were added have the template, too */
	assert_int_equal(pace_new(&one, 2), 0); /* F83 */
	assert_true(pace_same(&whole, &own) && !pace_same(&one, &own));
	assert_false(pace_same(&own, &unknown));
	pace_text(&one, text, sizeof(text));
	assert_string_equal(text, "partition 2");
}

static void
the_journal_keeps_it(void **state)
{
	struct baseline back = {0};
	struct err e = {""};
	json_t *json;
	(void)state;
	rollout.baseline.pace.partition = 4;
	json = baseline_json(&rollout.baseline);
	assert_int_equal(baseline_parse(json, &back, &e), 0);
	assert_true(back.pace.ordinals && pace_same(&back.pace, &rollout.baseline.pace));
	json_object_set_new(json_object_get(json, "pace"), "partition", json_integer(-1));
	assert_int_equal(baseline_parse(json, &back, &e), -1);
	json_decref(json);
}

/* --- converge -------------------------------------------------------------------------------- */

static const struct target all = {.batch = 3, .stable_new = true};
static const struct target first = {.batch = 1, .stable_new = true};
static const struct target finish = {.stable_new = true, .home = true};

/* So many ordinals may have the release, and so many of these are ready; all others are. */
static void
see_ordinals(int number, int ready)
{
	struct workload_seen *stable = &seen.stable;
	str_copy(stable->image, APP_IMAGE, "web:2");
	stable->pace = pace_hold_ordinals(number, 3);
	stable->updated = number;
	stable->pods = 3;
	stable->ready_new = ready;
	stable->ready = 3 - number + ready;
	rollout.batch = number;
	rollout.rolled = rollout.stable_new = true;
}

static void
one_ordinal_at_a_time(void **state)
{
	(void)state;
	expect_act(look(all, false), ACT_ROLL, 1, "web:2");
	see_ordinals(1, 0);
	expect_wait(look(all, false), "0 of 1 pods of the batch ready");
	see_ordinals(1, 1);
	expect_act(look(all, false), ACT_ROLL, 2, "web:2");
	assert_int_equal(look(first, false).kind, STEP_SETTLED);
	see_ordinals(3, 3);
	assert_int_equal(look(all, false).kind, STEP_SETTLED);
	assert_int_equal(look(finish, false).kind, STEP_SETTLED); /* partition 0 is its own */
}

/* The quorum: with one of the others missing, no further one goes. F83: missing is not ready. */
static void
F83_all_others_are_ready_before_the_next_goes(void **state)
{
	(void)state;
	see_ordinals(1, 1);
	seen.stable.ready = 2;
	expect_wait(look(all, false), "2 of 3 pods ready; 1 may be missing");
	see_before(3);
	seen.stable.ready = 2; /* ordinal 0, say */
	expect_wait(look(all, false), "2 of 3 pods ready; 1 may be missing");
	seen.stable.broken_last = 1; /* F41: it is the one that goes, and nothing is lost */
	expect_act(look(all, false), ACT_ROLL, 1, "web:2");
}

static void
F83_a_partition_above_the_size_is_no_end(void **state)
{
	(void)state;
	see_ordinals(1, 0);
	seen.stable.replicas = seen.stable.pods = seen.stable.ready = 2; /* partition 2 of 2 */
	seen.stable.updated = 0;
	expect_act(look(all, false), ACT_ROLL, 1, "web:2");
}

/* kubernetes/kubernetes#67250. */
static void
F82_a_stuck_pod_is_removed(void **state)
{
	(void)state;
	see_ordinals(1, 0);
	str_copy(seen.stable.stuck, APP_NAME, "db-2");
	expect_act(look(all, false), ACT_DELETE_POD, 0, "db-2");
	/* An abort gives the old template first: before, it is right where it is. */
	expect_act(look(target_home(), true), ACT_SET_IMAGE, 0, "web:1");
	str_copy(seen.stable.image, APP_IMAGE, "web:1");
	seen.stable.pace = rollout.baseline.pace;
	seen.stable.updated = 2;
	expect_act(look(target_home(), true), ACT_DELETE_POD, 0, "db-2");
	seen.stable.observed = false; /* its status is of another template */
	assert_int_equal(look(target_home(), true).kind, STEP_BLOCKED);
	seen.stable.observed = true;
	seen.stable.stuck[0] = '\0';
	expect_wait(look(target_home(), true), "ready");
	seen.stable.updated = seen.stable.ready = 3;
	assert_int_equal(look(target_home(), true).kind, STEP_SETTLED);
}

/* Before the first ordinal it is not ours to remove what is stuck. */
static void
nothing_is_removed_before_the_first_ordinal(void **state)
{
	(void)state;
	str_copy(seen.stable.stuck, APP_NAME, "db-2");
	seen.stable.ready = 2;
	seen.stable.broken_last = 1;
	expect_act(look(all, false), ACT_ROLL, 1, "web:2");
	assert_int_equal(look(target_home(), true).kind, STEP_SETTLED);
}

/* --- the backup ------------------------------------------------------------------------------ */

static void
with_backup(void)
{
	static struct stage stages[1];
	static struct stage_record records[1];
	app_free(app);
	app = app_of(STATEFUL("backup: {cronJob: db-backup, deadline: 1h}"));
	rollout.app = app;
	str_copy(rollout.id, sizeof(rollout.id), "r-01m8kk3yrqqcba52zktkrbzwc4");
	records[0] = (struct stage_record){.entered_ms = 10000000 - 3599000};
	rollout.records = records;
	rollout.ladder = (struct climb){.stages = stages, .count = 1};
}

static void
expect_end(struct step step, const char *says)
{
	assert_int_equal(step.kind, STEP_BLOCKED);
	assert_true(step.hopeless);
	assert_string_equal(step.waiting.object, "Job shop/db-backup-zktkrbzwc4");
	if (strstr(step.waiting.what, says) == NULL)
		fail_msg("%s", step.waiting.what);
}

static void
the_backup_comes_first(void **state)
{
	static const struct target backup = {.home = true, .backup = true};
	struct ladder ladder = ladder_of(STATEFUL("backup: {cronJob: db-backup}"), 1);
	struct backup_seen *job = seen.backups;
	(void)state;
	assert_string_equal(ladder.stages[1].name, "backup");
	assert_true(ladder.stages[1].target.backup && ladder.stages[1].target.batch == 0);
	with_backup();
	expect_act(look(backup, false), ACT_BACKUP, 0, "db-backup-zktkrbzwc4");
	*job = (struct backup_seen){"db-backup-of-another", JOB_SUCCEEDED, ""};
	expect_act(look(backup, false), ACT_BACKUP, 0, "db-backup-zktkrbzwc4");
	*job = (struct backup_seen){"db-backup-zktkrbzwc4", JOB_RUNS, ""};
	assert_false(look(backup, false).hopeless);
	assert_int_equal(look(backup, false).kind, STEP_BLOCKED);
	job->state = JOB_SUCCEEDED;
	assert_int_equal(look(backup, false).kind, STEP_SETTLED);
	job[1] = *job; /* an earlier rollout's has come late, or in the same second */
	*job = (struct backup_seen){"db-backup-of-another", JOB_RUNS, ""};
	assert_int_equal(look(backup, false).kind, STEP_SETTLED);
	job[1] = (struct backup_seen){.state = JOB_NONE};
	*job = (struct backup_seen){"db-backup-zktkrbzwc4", JOB_FAILED, "BackoffLimitExceeded"};
	expect_end(look(backup, false), "the backup failed: BackoffLimitExceeded");
	job->state = JOB_RUNS;
	rollout.records[0].entered_ms -= 1000;
	expect_end(look(backup, false), "within its deadline");
	*job = (struct backup_seen){.state = JOB_NONE}; /* not even made, say for a webhook */
	expect_end(look(backup, false), "within its deadline");
}

/* As `rollout promote --full` has it: the stages before the last batch are passed by. */
static struct step
look_from_the_last_batch(int64_t backed_up_ms)
{
	static struct stage stages[3];
	static struct stage_record records[3];
	struct view view = {.rollout = &rollout, .seen = &seen, .target = all, .now_ms = 10000000};
	struct step step;
	stages[1].target.backup = true;
	records[1].settled_ms = backed_up_ms;
	records[2].entered_ms = 10000000;
	rollout.records = records;
	rollout.ladder = (struct climb){.stages = stages, .count = 3};
	rollout.stage = 2;
	rollout.compiled = true;
	converge(&view, &step);
	return step;
}

static void
who_promotes_to_the_end_waits_for_the_backup(void **state)
{
	(void)state;
	with_backup();
	see_before(3);
	expect_act(look_from_the_last_batch(0), ACT_BACKUP, 0, "db-backup-zktkrbzwc4");
	seen.backups[0] = (struct backup_seen){"db-backup-zktkrbzwc4", JOB_RUNS, ""};
	assert_int_equal(look_from_the_last_batch(0).kind, STEP_BLOCKED);
	seen.backups[0].state = JOB_SUCCEEDED;
	expect_act(look_from_the_last_batch(0), ACT_ROLL, 1, "web:2");
	seen.backups[0] =
	    (struct backup_seen){.state = JOB_NONE}; /* the CronJob's history is short */
	expect_act(look_from_the_last_batch(1), ACT_ROLL, 1, "web:2");
}

static void
a_deletion_given_up_is_not_taken_for_done(void **state)
{
	(void)state;
	str_copy(seen.stable.stuck, APP_NAME, "db-2");
	expect_given_up_is_not_done(ACT_DELETE_POD);
}

static void
the_plan_says_ordinals(void **state)
{
	struct plan plan;
	struct err e = {""};
	char text[512];
	(void)state;
	see_before(3);
	seen.service = true;
	assert_int_equal(plan_make(app, &release, &seen, NULL, 1000, &plan, &e), 0);
	assert_int_equal(plan.count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(plan.steps[i].act.number, i + 1);
	act_text(&plan.steps[0].act, app, text, sizeof(text));
	assert_string_equal(text, "StatefulSet shop/db: image web:2 on 1 pods");
	plan_done(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mistake_says_what_to_do),
	    ON_BENCH(one_may_be_away),
	    cmocka_unit_test(each_ordinal_is_a_stage),
	    cmocka_unit_test(a_ladder_of_any_size_has_room),
	    ON_BENCH(preflight_refuses_what_cannot_go_by_ordinals),
	    cmocka_unit_test(the_partition_holds),
	    ON_BENCH(the_journal_keeps_it),
	    ON_BENCH(one_ordinal_at_a_time),
	    ON_BENCH(F83_all_others_are_ready_before_the_next_goes),
	    ON_BENCH(F83_a_partition_above_the_size_is_no_end),
	    ON_BENCH(F82_a_stuck_pod_is_removed),
	    ON_BENCH(nothing_is_removed_before_the_first_ordinal),
	    ON_BENCH(the_backup_comes_first),
	    ON_BENCH(who_promotes_to_the_end_waits_for_the_backup),
	    ON_BENCH(a_deletion_given_up_is_not_taken_for_done),
	    ON_BENCH(the_plan_says_ordinals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
