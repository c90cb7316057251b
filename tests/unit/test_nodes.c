/* Rolling of a DaemonSet: its pace, what converge does node by node, and how its pods are seen. */
#include "base/jsonx.h"
#include "cluster/act_pace.h"
#include "cluster/workload.h"
#include "model/pace.h"
#include "converge_bench.h"

static int
setup(void **state)
{
	static const struct pace own = {.nodes = true};
	(void)state;
	begin_with("{kind: App, name: agent, namespace: shop, workload: {kind: DaemonSet, name: "
		   "agent}, strategy: {rolling: {steady: 2s}}}",
	    3, &own);
	return 0;
}

static const struct target two = {.batch = 2, .stable_new = true};
static const struct target finish = {.stable_new = true, .home = true};

/* The release may be on so many nodes; so many old pods were deleted, and so many of the new ones
 * are there and ready. */
static void
see_nodes(int allowed, int gone, int ready)
{
	struct workload_seen *stable = &seen.stable;
	str_copy(stable->image, APP_IMAGE, "web:2");
	stable->pace = pace_hold_nodes();
	stable->updated = stable->ready_new = ready;
	stable->pods = 3 - gone + ready;
	stable->ready = stable->pods;
	str_copy(stable->next, APP_NAME, gone < 3 ? "agent-a" : "");
	stable->next_ready = gone < 3;
	rollout.batch = allowed;
	rollout.rolled = rollout.stable_new = true;
}

static void
node_by_node(void **state)
{
	(void)state;
	expect_act(look(two, false), ACT_ROLL, 2, "web:2"); /* it moves nothing yet */
	see_nodes(2, 0, 0);
	expect_act(look(two, false), ACT_REPLACE_POD, 0, "agent-a");
	see_nodes(2, 1, 0);
	expect_wait(look(two, false), "2 of 3 pods ready; 1 may be missing");
	see_nodes(2, 1, 1);
	expect_act(look(two, false), ACT_REPLACE_POD, 0, "agent-a");
	see_nodes(2, 2, 2);
	assert_int_equal(look(two, false).kind, STEP_SETTLED);
	see_nodes(3, 3, 3);
	expect_act(look(finish, false), ACT_SET_IMAGE, 0, "web:2"); /* its own strategy again */
}

/* With two that may be missing, a pod that is gone and has no successor yet counts all the same. */
static void
never_more_than_the_batch(void **state)
{
	(void)state;
	app->batch.unavailable.number = 2;
	see_nodes(1, 1, 0);
	rollout.batch = 1;
	expect_wait(look((struct target){.batch = 1, .stable_new = true}, false),
	    "0 of 1 pods of the batch ready");
	see_nodes(2, 1, 0);
	expect_act(look(two, false), ACT_REPLACE_POD, 0, "agent-a");
}

/* F41, and a pod that is lost on another node. */
static void
no_node_too_many(void **state)
{
	(void)state;
	see_nodes(2, 0, 0);
	seen.stable.ready = 2;
	expect_wait(look(two, false), "2 of 3 pods ready; 1 may be missing");
	seen.stable.next_ready = false; /* it is the one */
	expect_act(look(two, false), ACT_REPLACE_POD, 0, "agent-a");
	seen.stable.ready = 1;
	expect_wait(look(two, false), "1 of 3 pods ready; 1 may be missing");
}

/* Asked again in the moment of the write. */
static void
a_replacement_is_asked_again(void **state)
{
	struct view view = {.rollout = &rollout, .seen = &seen};
	struct act act = {.kind = ACT_REPLACE_POD, .text = "agent-a"};
	(void)state;
	see_nodes(2, 0, 0);
	assert_true(act_is_safe(&view, &act));
	seen.stable.ready = 2;
	assert_false(act_is_safe(&view, &act));
	see_nodes(1, 1, 1); /* others deleted one while this was written down */
	assert_false(act_is_safe(&view, &act));
	see_nodes(2, 1, 1);
	assert_true(act_is_safe(&view, &act));
}

/* Pod b is not ready and would go first, but the deletion of a may still come. */
static void
no_other_pod_goes_while_a_deletion_may_come(void **state)
{
	struct late_act *late = &rollout.late.acts[0];
	(void)state;
	see_nodes(2, 0, 0);
	rollout.attempt.act = (struct act){.kind = ACT_REPLACE_POD, .text = "agent-a"};
	*late = (struct late_act){.act = {.kind = ACT_REPLACE_POD}, .until_ms = 10000001};
	expect_act(look(two, false), ACT_REPLACE_POD, 0, "agent-a");
	str_copy(seen.stable.next, APP_NAME, "agent-b");
	seen.stable.next_ready = false;
	seen.stable.ready = 2;
	expect_wait(look(two, false), "may still take effect");
	late->until_ms = 10000000;
	expect_act(look(two, false), ACT_REPLACE_POD, 0, "agent-b");
}

static void
a_replacement_given_up_is_not_taken_for_done(void **state)
{
	(void)state;
	str_copy(seen.stable.next, APP_NAME, "agent-a");
	expect_given_up_is_not_done(ACT_REPLACE_POD);
}

static void
an_abort_lets_its_controller_go(void **state)
{
	(void)state;
	see_nodes(2, 1, 1);
	expect_act(look(target_home(), true), ACT_SET_IMAGE, 0, "web:1");
	str_copy(seen.stable.image, APP_IMAGE, "web:1");
	expect_act(look(target_home(), true), ACT_SET_IMAGE, 0, "web:1"); /* still OnDelete */
	seen.stable.pace = rollout.baseline.pace;
	seen.stable.updated = 2;
	assert_int_equal(look(target_home(), true).kind, STEP_BLOCKED);
	seen.stable.updated = 3;
	seen.stable.ready_new = 0;
	assert_int_equal(look(target_home(), true).kind, STEP_SETTLED);
}

static void
the_pace_is_a_strategy(void **state)
{
	struct pace own = {.nodes = true}, held = pace_hold_nodes();
	struct baseline back = {0};
	struct err e = {""};
	char text[32];
	(void)state;
	assert_true(pace_is_held(&held) && !pace_is_held(&own) && !pace_same(&held, &own));
	pace_text(&held, text, sizeof(text));
	assert_string_equal(text, "OnDelete");
	json_t *json = baseline_json(&rollout.baseline);
	assert_int_equal(baseline_parse(json, &back, &e), 0);
	assert_true(pace_same(&back.pace, &own));
	json_decref(json);
}

static void
on_delete_is_refused(void **state)
{
	struct errlist problems;
	(void)state;
	errlist_init(&problems);
	seen.stable.pace = pace_hold_nodes();
	app->strategy->preflight(app, &seen, &problems);
	assert_int_equal(problems.count, 1);
	assert_non_null(strstr(problems.items[0].text, "OnDelete"));
	errlist_done(&problems);
}

static void
only_its_type_is_written(void **state)
{
	json_t *daemons = spec_of("{spec: {updateStrategy: {type: RollingUpdate, rollingUpdate: "
				  "{maxUnavailable: 2}}}}");
	json_t *patch = json_array();
	struct pace held = pace_hold_nodes(), own = {.nodes = true};
	(void)state;
	act_pace_set(patch, daemons, &own);
	assert_int_equal(json_array_size(patch), 0);
	act_pace_set(patch, daemons, &held);
	assert_int_equal(json_array_size(patch), 1);
	assert_string_equal(
	    jsonx_text(json_array_get(patch, 0), "path"), "/spec/updateStrategy/type");
	assert_string_equal(jsonx_text(json_array_get(patch, 0), "value"), "OnDelete");
	json_decref(patch);
	json_decref(daemons);
}

#define POD(name, image, ready, more)                                                              \
	"{metadata: {name: " name more "}, spec: {containers: [{name: c, image: '" image           \
	"'}]}, status: {conditions: [{type: Ready, status: '" ready "'}]}}"

static void
its_pods_are_counted_as_they_stand(void **state)
{
	json_t *daemons = spec_of("{metadata: {name: agent}, spec: {updateStrategy: {type: "
				  "OnDelete}, template: {spec: {containers: [{name: c, image: "
				  "'a:2'}]}}}, status: {desiredNumberScheduled: 4}}");
	json_t *pods = spec_of(
	    "[" POD("p1", "a:1", "True", "") ", " POD("p2", "a:1", "False", "") ", " POD("p3",
		"a:2", "True", "") ", " POD("p0", "a:1", "True", ", deletionTimestamp: now") "]");
	struct workload_side side = {.workload = daemons, .pods = pods};
	struct workload_seen found = {.exists = false};
	(void)state;
	workload_look(&side, app, "a:2", &found);
	assert_true(found.pace.nodes && found.pace.by_hand);
	assert_int_equal(found.replicas, 4);
	assert_int_equal(found.pods, 3);
	assert_int_equal(found.updated, 1);
	assert_int_equal(found.ready_new, 1);
	assert_string_equal(found.next, "p2"); /* nothing is lost with it */
	assert_false(found.next_ready);
	assert_non_null(workload_outdated(daemons, pods, "", "p1"));
	assert_null(workload_outdated(daemons, pods, "", "p3")); /* it has it */
	assert_null(workload_outdated(daemons, pods, "", "p0")); /* it is going */
	json_array_remove(pods, 1);
	workload_look(&side, app, "a:2", &found);
	assert_string_equal(found.next, "p1");
	json_decref(pods);
	json_decref(daemons);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ON_BENCH(node_by_node),
	    ON_BENCH(never_more_than_the_batch),
	    ON_BENCH(no_node_too_many),
	    ON_BENCH(a_replacement_is_asked_again),
	    ON_BENCH(no_other_pod_goes_while_a_deletion_may_come),
	    ON_BENCH(a_replacement_given_up_is_not_taken_for_done),
	    ON_BENCH(an_abort_lets_its_controller_go),
	    ON_BENCH(the_pace_is_a_strategy),
	    ON_BENCH(on_delete_is_refused),
	    ON_BENCH(only_its_type_is_written),
	    ON_BENCH(its_pods_are_counted_as_they_stand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
