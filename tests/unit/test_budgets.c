/* Budgets for disruption of two colours: whose pods they choose, and the clone of one. */
#include "cluster_objects.h"
#include "cluster/act_plan.h"
#include "cluster/budgets.h"

static struct app app;
static struct observe_objects o;

static int
setup(void **state)
{
	(void)state;
	app = app_of(TRAFFIC_HOST);
	app.colours = app.sided = true;
	app.traffic.kind = TRAFFIC_SERVICE;
	str_copy(app.canary, sizeof(app.canary), "web-green");
	str_copy(app.pair.first, sizeof(app.pair.first), "web-blue");
	str_copy(app.pair.second, sizeof(app.pair.second), "web-green");
	observe_init(&o);
	o.stable = web_deployment();
	o.service = web_service();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	observe_done(&o);
	return 0;
}

static void
add(const char *name, const char *metadata, const char *spec)
{
	char *text = str_format("{'metadata': {'name': '%s', 'namespace': 'prod', 'uid': 'u-%s', "
				"'resourceVersion': '4'%s}, 'spec': %s}",
	    name, name, metadata, spec);
	json_array_append_new(o.budgets, J(text));
	free(text);
}

static void
expect_seen(bool stable, bool canary, bool stable_ours, bool canary_ours)
{
	struct budgets_seen seen;
	budgets_look(&app, &o, &seen);
	assert_int_equal(seen.stable, stable);
	assert_int_equal(seen.canary, canary);
	assert_int_equal(seen.stable_ours, stable_ours);
	assert_int_equal(seen.canary_ours, canary_ours);
}

static struct act_plan
plan_of(enum act_kind kind, int number)
{
	struct act act = {.kind = kind, .number = number};
	struct baseline baseline = {.uid = "d-web"};
	struct act_plan plan;
	act_plan(&app, &baseline, &act, &o, &plan);
	return plan;
}

#define BLUE "{'minAvailable': 2, 'selector': {'matchLabels': {'app': 'web'}}}"

static void
selectors_are_read_as_the_cluster_reads_them(void **state)
{
	static const struct {
		const char *selector;
		bool selects;
	} cases[] = {
	    {"{'selector': {'matchLabels': {'app': 'web'}}}", true},
	    {"{'selector': {'matchLabels': {'app': 'web', 'x': 'y'}}}", false},
	    {"{'selector': {}}", true}, /* all of the namespace */
	    {"{}", false},
#define EXPRESSION(key, how, values)                                                               \
	"{'selector': {'matchLabels': {'app': 'web'}, 'matchExpressions': [{'key': '" key          \
	"', 'operator': '" how "', 'values': [" values "]}]}}"
	    {EXPRESSION("track", "In", "'a', 'main'"), true},
	    {EXPRESSION("track", "In", "'a'"), false},
	    {EXPRESSION("none", "In", "'a'"), false},
	    {EXPRESSION("track", "NotIn", "'main'"), false},
	    {EXPRESSION("none", "NotIn", "'main'"), true},
	    {EXPRESSION("track", "Exists", ""), true},
	    {EXPRESSION("none", "Exists", ""), false},
	    {EXPRESSION("none", "DoesNotExist", ""), true},
	    {EXPRESSION("track", "DoesNotExist", ""), false},
	    {EXPRESSION("track", "Gt", "'1'"), false},
	};
	json_t *labels = J("{'app': 'web', 'track': 'main'}");
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *budget = json_pack("{s:o}", "spec", J(cases[i].selector));
		if (budgets_selects(budget, labels) != cases[i].selects)
			fail_msg("%s", cases[i].selector);
		json_decref(budget);
	}
	json_decref(labels);
}

static void
whose_pods_they_choose(void **state)
{
	(void)state;
	expect_seen(false, false, false, false);
	add("other", "", "{'selector': {'matchLabels': {'app': 'db'}}}");
	expect_seen(false, false, false, false);
	add("web", "", BLUE);
	expect_seen(true, false, false, false); /* green's pods are to have app=web-green */
	o.canary = web_deployment();
	expect_seen(true, true, false, false);
	json_object_set_new(
	    jsonx_at(o.canary, "spec.template.metadata.labels"), "app", json_string("web-green"));
	expect_seen(true, false, false, false);
	add("web-green", ", " OURS, "{'selector': {'matchLabels': {'app': 'web-green'}}}");
	expect_seen(true, false, false, true);
	add("going", ", 'deletionTimestamp': '2026-11-29T12:00:00Z'", "{'selector': {}}");
	expect_seen(true, false, false, true);
	add("all", "", "{'selector': {'matchLabels': {'track': 'main'}}}");
	expect_seen(true, true, false, true);
	app.colours = false;
	expect_seen(false, false, false, false);
}

static void
the_clone_chooses_the_other_colour_and_nothing_else(void **state)
{
	(void)state;
	add("zz", "", "{'maxUnavailable': '9%', 'selector': {'matchLabels': {'app': 'web'}}}");
	add("pdb", ", 'labels': {'argocd.argoproj.io/instance': 'x'}",
	    "{'minAvailable': '50%', 'unhealthyPodEvictionPolicy': 'AlwaysAllow', 'selector': "
	    "{'matchLabels': {'track': 'main'}, 'matchExpressions': [{'key': 'app', 'operator': "
	    "'In', 'values': ['web', 'web-blue']}, {'key': 'track', 'operator': 'Exists'}]}}");
	struct act_plan plan = plan_of(ACT_CREATE_BUDGET, 100);
	assert_true(plan.send && plan.verb == ACT_POST);
	assert_int_equal(plan.kind, KUBE_BUDGETS);
	assert_string_equal(plan.name, "web-green");
	assert_json(plan.body,
	    "{'apiVersion': 'policy/v1', 'kind': 'PodDisruptionBudget', 'metadata': {'name': "
	    "'web-green', 'namespace': 'prod', " OURS "}, 'spec': {'minAvailable': '50%', "
	    "'unhealthyPodEvictionPolicy': 'AlwaysAllow', 'selector': {'matchLabels': {'app': "
	    "'web-green', 'track': 'main'}, 'matchExpressions': [{'key': 'track', 'operator': "
	    "'Exists'}]}}}");
	act_plan_done(&plan);
}

/* Green serves and is about to rest no more: from that of blue. */
static void
the_stable_side_gets_one_back(void **state)
{
	(void)state;
	str_copy(app.workload, sizeof(app.workload), "web-green");
	str_copy(app.canary, sizeof(app.canary), "web");
	o.canary = json_incref(o.stable);
	json_decref(o.stable);
	o.stable = J("{'metadata': {'name': 'web-green'}, 'spec': {'template': {'metadata': "
		     "{'labels': {'app': 'web-green'}}}}}");
	json_decref(o.canary);
	o.canary = web_deployment();
	add("web", "", BLUE);
	expect_seen(false, true, false, false);
	struct act_plan plan = plan_of(ACT_CREATE_BUDGET, 0);
	assert_string_equal(plan.name, "web-green");
	assert_json(jsonx_at(plan.body, "spec.selector.matchLabels"), "{'app': 'web-green'}");
	act_plan_done(&plan);
}

static void
what_cannot_be_cloned_says_why(void **state)
{
	(void)state;
	struct act_plan plan = plan_of(ACT_CREATE_BUDGET, 100);
	assert_int_equal(plan.outcome, ACT_REFUSED);
	assert_non_null(strstr(plan.text, "no PodDisruptionBudget any more"));
	json_decref(o.canary);
	o.canary = J("{'spec': {'template': {'metadata': {'labels': {'track': 'main'}}}}}");
	add("web", "", BLUE);
	plan = plan_of(ACT_CREATE_BUDGET, 100);
	assert_int_equal(plan.outcome, ACT_REFUSED);
	assert_non_null(strstr(plan.text, "by label app, which the pods of the other colour"));
	json_array_clear(o.budgets);
	add("web", "",
	    "{'selector': {'matchExpressions': [{'key': 'app', 'operator': 'Exists'}]}}");
	plan = plan_of(ACT_CREATE_BUDGET, 100);
	assert_int_equal(plan.outcome, ACT_REFUSED);
	assert_non_null(strstr(plan.text, "by label app, which"));
	add("web-green", "", "{'selector': {'matchLabels': {'app': 'db'}}}");
	plan = plan_of(ACT_CREATE_BUDGET, 100);
	assert_int_equal(plan.outcome, ACT_REFUSED);
	assert_non_null(strstr(plan.text, "web-green exists, was not created by airisd"));
}

static void
only_ours_is_deleted(void **state)
{
	(void)state;
	add("web-green", "", BLUE);
	struct act_plan plan = plan_of(ACT_DELETE_BUDGET, 100);
	assert_true(!plan.send && plan.outcome == ACT_ALREADY);
	json_array_clear(o.budgets);
	add("web-green", ", " OURS, BLUE);
	plan = plan_of(ACT_CREATE_BUDGET, 100);
	assert_true(!plan.send && plan.outcome == ACT_ALREADY);
	plan = plan_of(ACT_DELETE_BUDGET, 0);
	assert_true(!plan.send && plan.outcome == ACT_ALREADY);
	plan = plan_of(ACT_DELETE_BUDGET, 100);
	assert_true(plan.send && plan.verb == ACT_DELETE);
	assert_string_equal(jsonx_text(plan.body, "preconditions.uid"), "u-web-green");
	act_plan_done(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(selectors_are_read_as_the_cluster_reads_them),
	    cmocka_unit_test_setup_teardown(whose_pods_they_choose, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		the_clone_chooses_the_other_colour_and_nothing_else, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_stable_side_gets_one_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_cannot_be_cloned_says_why, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_ours_is_deleted, setup, teardown),
	};
	return cmocka_run_group_tests_name("budgets", tests, NULL, NULL);
}
