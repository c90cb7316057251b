/* Rolling in the model: what an app may say, the batches, and what converge does with one workload
 * whose pods are old and new. */
#include "model/pace.h"
#include "model/rehearse.h"
#include "converge_bench.h"

/* --- the app --------------------------------------------------------------------------------- */

#define BATCHES(list) APP("", "batches: " list)
#define IN "strategy.rolling."

static void
each_mistake_says_what_to_do(void **state)
{
	static const struct {
		const char *text, *path, *says;
	} cases[] = {
	    {APP("", "hold: 1s"), IN "batches", "give batches"},
	    {APP("", "batches: [1], stages: [{pods: 1}]"), IN "batches", "not both"},
	    {APP("", "stages: []"), IN "stages", "at least one stage"},
	    {APP("", "stages: [{hold: 1s}]"), IN "stages[0].pods", "missing"},
	    {BATCHES("['0%']"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("['101%']"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("[abc]"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("['5']"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("[0]"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("[-1]"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("[-4294967295]"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("[10001]"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("[1.5]"), IN "batches[0]", "number of pods from 1"},
	    {BATCHES("[2, 50%, 2]"), IN "batches[2]", "2 pods comes after 2 pods"},
	    {BATCHES("[50%, 1, 25%]"), IN "batches[2]", "25% comes after 50%"},
	    {APP("", "stages: [{pods: 2}, {pods: 1}]"), IN "stages[1].pods", "must rise"},
	    {APP("", "batches: [1], surge: 0"), IN "unavailable", "give one of them"},
	    {APP("", "batches: [1], surge: '0%', unavailable: 0"), IN "unavailable",
		"give one of them"},
	    {APP("", "batches: [1], surge: lots"), IN "surge", "percent"},
	    {APP("traffic: {istio: {virtualService: web}}, ", "batches: [1]"), "traffic",
		"steers no traffic"},
	    {APP("traffic: {service: {preview: web-next}}, ", "batches: [1]"),
		"traffic.service.preview", "no preview"},
	    {APP("", "batches: [1]}, canary: {weights: [100]"), "strategy.rolling", "not several"},
	    {APP("", "stages: [{pods: 1, gates: [none]}]"), IN "stages[0].gates[0]",
		"no gate \"none\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_mistake(cases[i].text, cases[i].path, cases[i].says);
}

static void
what_is_not_said_is_safe(void **state)
{
	struct app *parsed = app_of(BATCHES("[1]"));
	const char *names[APP_WORKLOADS];
	(void)state;
	assert_true(parsed->rolls && !parsed->colours);
	assert_true(parsed->batch.surge.percent);
	assert_int_equal(parsed->batch.surge.number, 25);
	assert_int_equal(parsed->batch.unavailable.number, 0);
	assert_string_equal(parsed->canary, "");
	assert_string_equal(parsed->traffic.service, "");
	assert_int_equal(app_workloads(parsed, names), 1);
	app_free(parsed);
}

/* --- the pace -------------------------------------------------------------------------------- */

static void
a_batch_is_both_bounds_together(void **state)
{
	struct pace pace = pace_hold(3, 1), own = {"25%", "25%", -1, -1, false, 0, false, false};
	(void)state;
	assert_true(pace_is_held(&pace) && pace_is_known(&own) && !pace_is_held(&own));
	assert_string_equal(pace.surge, "1");
	assert_string_equal(pace.unavailable, "2");
	assert_int_equal(pace_new(&pace, 4), 3);
	assert_int_equal(pace_gone(&pace, 4), 2);
	assert_int_equal(pace_new(&own, 4), 0);
	own.min_ready_s = PACE_HELD_S; /* percents are nobody's batch */
	assert_false(pace_is_held(&own));
	pace = pace_hold(1, 4);
	assert_string_equal(pace.unavailable, "0");
	assert_true(pace_same(&(struct pace){"1", "0", -1, -1, false, 0, false, false},
	    &(struct pace){"1", "0", 0, 600, false, 0, false, false}));
	assert_false(pace_same(&(struct pace){"1", "0", -1, -1, false, 0, false, false},
	    &(struct pace){"1", "0", 1, -1, false, 0, false, false}));
}

/* --- the ladder ------------------------------------------------------------------------------ */

static void
expect_stages(const char *text, int size, const char *wanted)
{
	struct app *parsed = app_of(text);
	struct baseline baseline = {.replicas = size};
	struct ladder ladder;
	struct str got;
	str_init(&got, 0);
	parsed->strategy->compile(parsed, &baseline, &ladder);
	for (int i = 0; i < ladder.count; i++)
		str_addf(&got, "%s, ", ladder.stages[i].name);
	assert_string_equal(str_text(&got), wanted);
	assert_int_equal(ladder.full, ladder.count - 2);
	str_done(&got);
	app_free(parsed);
}

static void
batches_become_stages(void **state)
{
	(void)state;
	expect_stages(SPEC, 4, "preflight, batch 1 pod, batch 50%, batch 100%, finish, ");
	expect_stages(SPEC, 2, "preflight, batch 1 pod, batch 50%, batch 100%, finish, ");
	expect_stages(SPEC, 1, "preflight, batch 1 pod, batch 50%, batch 100%, finish, ");
	expect_stages(BATCHES("[2, 25%]"), 8, "preflight, batch 2 pods, batch 25%, all, finish, ");
	expect_stages(BATCHES("[2, 3]"), 3, "preflight, batch 2 pods, batch 3 pods, finish, ");
	expect_stages(BATCHES("[2, 3]"), 4, "preflight, batch 2 pods, batch 3 pods, all, finish, ");
}

/* --- the plan -------------------------------------------------------------------------------- */

static void
expect_plan(const char *text, int size, const char *wanted)
{
	struct app *parsed = app_of(text);
	struct observed cluster;
	struct plan plan;
	struct str got;
	struct err e;
	see_old(&cluster, size);
	if (plan_make(parsed, &release, &cluster, NULL, 1000000, &plan, &e) < 0)
		fail_msg("%s", e.text);
	str_init(&got, 0);
	for (int i = 0; i < plan.count; i++)
		str_addf(
		    &got, "%s=%d ", act_name(plan.steps[i].act.kind), plan.steps[i].act.number);
	assert_string_equal(str_text(&got), wanted);
	str_done(&got);
	plan_done(&plan);
	app_free(parsed);
}

static void
the_plan_goes_pod_by_pod(void **state)
{
	(void)state;
	expect_plan(SPEC, 4, "roll=1 roll=2 roll=3 roll=4 set_image=0 ");
	expect_plan(APP("", "batches: [1, 50%], surge: 0, unavailable: 1"), 4,
	    "roll=1 roll=2 roll=3 roll=4 set_image=0 ");
	expect_plan(APP("", "batches: [50%], surge: 2"), 4, "roll=2 roll=4 set_image=0 ");
	expect_plan(SPEC, 1, "roll=1 set_image=0 ");
}

static void
what_forbids_a_start(void **state)
{
	struct app *parsed = app_of(SPEC);
	struct observed cluster;
	struct errlist problems;
	(void)state;
	for (int i = 0; i < 4; i++) {
		static const char *const says[] = {
		    "0 replicas", "no strategy RollingUpdate", "still held", "does not exist"};
		see_old(&cluster, i == 0 ? 0 : 4);
		if (i == 1)
			cluster.stable.pace = (struct pace){"", "", -1, -1, false, 0, false, false};
		if (i == 2)
			cluster.stable.pace = pace_hold(1, 1);
		cluster.stable.exists = i != 3;
		errlist_init(&problems);
		parsed->strategy->preflight(parsed, &cluster, &problems);
		assert_int_equal(problems.count, 1);
		assert_non_null(strstr(problems.items[0].text, says[i]));
		errlist_done(&problems);
	}
	app_free(parsed);
}

/* --- converge -------------------------------------------------------------------------------- */

static int
setup(void **state)
{
	(void)state;
	begin_with(SPEC, 4, NULL);
	return 0;
}

static const struct target half = {.batch = 50, .percent = true, .stable_new = true};
static const struct target all = {.batch = 100, .percent = true, .stable_new = true};
static const struct target finish = {.stable_new = true, .home = true};

/* So many new pods are allowed and ready, and the old ones that are left. */
static void
see_batch(int number, int ready)
{
	struct workload_seen *stable = &seen.stable;
	str_copy(stable->image, APP_IMAGE, "web:2");
	stable->pace = pace_hold(number, 1);
	stable->updated = number;
	stable->pods = 4 - pace_gone(&stable->pace, 4) + number;
	stable->ready_new = ready;
	stable->ready = stable->pods - number + ready;
	rollout.batch = number;
	rollout.rolled = rollout.stable_new = true;
}

static void
a_batch_ends_where_it_says(void **state)
{
	(void)state;
	expect_act(look(half, false), ACT_ROLL, 1, "web:2");
	see_batch(1, 1);
	expect_act(look(half, false), ACT_ROLL, 2, "web:2");
	see_batch(2, 2);
	assert_int_equal(look(half, false).kind, STEP_SETTLED);
	expect_act(look(all, false), ACT_ROLL, 3, "web:2");
}

/* A floor that KEDA has not taken does not hold yet; later on it is no reason to stop. */
static void
the_first_pods_wait_for_keda(void **state)
{
	(void)state;
	seen.hpa = (struct hpa_seen){.exists = true, .keda = true, .name = "s", .min = 1, .max = 9};
	rollout.baseline.keda = true;
	rollout.baseline.hpa_min = 1;
	expect_act(look(half, false), ACT_HPA_FLOOR, 4, "s");
	seen.hpa.min = 4;
	str_copy(seen.hpa.lags, APP_NAME, "keda-hpa-s");
	struct step step = look(half, false);
	assert_int_equal(step.kind, STEP_BLOCKED);
	assert_string_equal(step.waiting.object, "ScaledObject shop/s");
	see_batch(1, 1);
	expect_act(look(half, false), ACT_ROLL, 2, "web:2");
}

static void
the_next_pods_wait_for_these(void **state)
{
	(void)state;
	see_batch(2, 1);
	struct step step = look(all, false);
	expect_wait(step, "1 of 2 pods of the batch ready");
	assert_true(step.on_pods);
	see_batch(2, 2);
	seen.stable.observed = false; /* what it counts is of before the write */
	assert_int_equal(look(all, false).kind, STEP_BLOCKED);
	seen.stable.observed = true;
	seen.stable.pods++; /* an old one is left that may go */
	assert_int_equal(look(all, false).kind, STEP_BLOCKED);
	seen.stable.pods--;
	rollout.sides[SIDE_CANARY].since_ms = 10000000 - 1000;
	step = look(all, false);
	expect_wait(step, "steady");
	assert_false(step.on_pods);
	assert_int_equal(step.waiting.until_ms, 10000000 + 1000);
}

/* One that is ready may not go while another is missing. */
static void
no_fewer_are_ready_than_demanded(void **state)
{
	(void)state;
	see_batch(2, 2);
	seen.stable.ready = 4; /* an old one broke: it goes first, and takes nothing with it */
	expect_act(look(all, false), ACT_ROLL, 3, "web:2");
	seen.stable.ready_new = 1; /* but one of the new ones must come back */
	seen.stable.ready = 4;
	assert_int_equal(look(all, false).kind, STEP_BLOCKED);
}

/* F41: what is broken is the old release; the new one is the way out. */
static void
F41_broken_old_pods_do_not_keep_the_release(void **state)
{
	(void)state;
	seen.stable.ready = 0;
	expect_act(look(half, false), ACT_ROLL, 1, "web:2");
	see_batch(1, 1);
	seen.stable.ready = 1;
	expect_act(look(half, false), ACT_ROLL, 2, "web:2");
	see_batch(2, 2);
	seen.stable.ready = 2;
	expect_act(look(all, false), ACT_ROLL, 3, "web:2");
}

static void
an_abort_is_one_write(void **state)
{
	(void)state;
	see_batch(2, 1);
	expect_act(look(target_home(), true), ACT_SET_IMAGE, 0, "web:1");
	str_copy(seen.stable.image, APP_IMAGE, "web:1"); /* the image alone is not all of it */
	expect_act(look(target_home(), true), ACT_SET_IMAGE, 0, "web:1");
	seen.stable.pace = rollout.baseline.pace;
	seen.stable.updated = 3;
	seen.stable.pods = 4;
	assert_int_equal(look(target_home(), true).kind, STEP_BLOCKED);
	seen.stable.updated = seen.stable.ready = 4;
	seen.stable.ready_new = 0;
	assert_int_equal(look(target_home(), true).kind, STEP_SETTLED);
}

static void
the_finish_lets_it_roll_by_itself(void **state)
{
	(void)state;
	see_batch(4, 4);
	expect_act(look(finish, false), ACT_SET_IMAGE, 0, "web:2");
	seen.stable.pace = rollout.baseline.pace;
	assert_int_equal(look(finish, false).kind, STEP_BLOCKED); /* an old one is left */
	seen.stable.pods = seen.stable.ready = 4;
	assert_int_equal(look(finish, false).kind, STEP_SETTLED);
}

static void
the_same_image_rolls_nothing(void **state)
{
	(void)state;
	str_copy(rollout.release.image, APP_IMAGE, "web:1");
	assert_int_equal(look(half, false).kind, STEP_SETTLED);
	assert_int_equal(look(all, false).kind, STEP_SETTLED);
	assert_int_equal(look(finish, false).kind, STEP_SETTLED);
}

static int
upto(int most)
{
	static uint32_t x = 12345;
	x = x * 1664525 + 1013904223;
	return (int)(x >> 8) % (most + 1);
}

/* F40: its HPA wanted more pods and then fewer than the batch is. */
static void
F40_a_smaller_workload_is_whole(void **state)
{
	(void)state;
	see_batch(4, 4);
	seen.stable.pace = pace_hold(8, 1);
	seen.stable.pods = seen.stable.updated = seen.stable.ready = 4;
	assert_int_equal(look(all, false).kind, STEP_SETTLED);
	seen.stable.ready_new = 3;
	expect_wait(look(all, false), "3 of 4");
}

/* Anything that a cluster may show. */
static void
see_random(void)
{
	struct workload_seen *stable = &seen.stable;
	int size = 1 + upto(9);
	see_old(&seen, size);
	baseline_take(&rollout.baseline, &seen);
	app->batch.surge = (struct share_spec){upto(3), false};
	app->batch.unavailable = (struct share_spec){upto(30), true};
	if (upto(2) > 0)
		see_batch(1 + upto(size - 1), 0);
	stable->replicas = upto(4) == 0 ? 1 + upto(9) : size;
	stable->pods = upto(size + 3);
	stable->updated = upto(stable->pods);
	stable->ready = upto(stable->pods);
	stable->ready_new = upto(stable->ready);
	stable->observed = upto(5) > 0;
}

static void
no_act_goes_beyond_the_batch(void **state)
{
	int acts = 0;
	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct target target = {
		    .batch = 1 + upto(99), .percent = upto(1) > 0, .stable_new = true};
		see_random();
		struct view view = {.rollout = &rollout, .seen = &seen, .target = target};
		struct step step = look(target, false);
		if (step.kind != STEP_ACT)
			continue;
		const struct workload_seen *stable = &seen.stable;
		struct share_spec share = {target.batch, target.percent};
		bool has = strcmp(stable->image, "web:2") == 0;
		assert_int_equal(step.act.kind, ACT_ROLL);
		assert_in_range(step.act.number, 1, stable->replicas);
		assert_true(step.act.number <= pace_share(&share, stable->replicas));
		assert_true(step.act.number <= roll_limit(&view));
		assert_true(step.act.number > (has ? pace_new(&stable->pace, 4) : 0));
		assert_true(!has || stable->ready_new >= pace_new(&stable->pace, 4) ||
			    stable->ready_new >= stable->replicas);
		assert_true(act_is_safe(&view, &step.act));
		acts++;
	}
	assert_true(acts > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mistake_says_what_to_do),
	    cmocka_unit_test(what_is_not_said_is_safe),
	    cmocka_unit_test(a_batch_is_both_bounds_together),
	    cmocka_unit_test(batches_become_stages),
	    cmocka_unit_test(the_plan_goes_pod_by_pod),
	    cmocka_unit_test(what_forbids_a_start),
	    ON_BENCH(a_batch_ends_where_it_says),
	    ON_BENCH(the_first_pods_wait_for_keda),
	    ON_BENCH(the_next_pods_wait_for_these),
	    ON_BENCH(no_fewer_are_ready_than_demanded),
	    ON_BENCH(F41_broken_old_pods_do_not_keep_the_release),
	    ON_BENCH(an_abort_is_one_write),
	    ON_BENCH(the_finish_lets_it_roll_by_itself),
	    ON_BENCH(the_same_image_rolls_nothing),
	    ON_BENCH(F40_a_smaller_workload_is_whole),
	    ON_BENCH(no_act_goes_beyond_the_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
