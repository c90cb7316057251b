/* Two colours in the cluster: which one a Service selects, and what is written to switch it. */
#include "unit.h"
#include <string.h>
#include "cluster_objects.h"
#include "base/map.h"
#include "cluster/act_plan.h"
#include "cluster/colours.h"
#include "cluster/route.h"

static struct app app;
static struct observe_objects o;

#define POD(uid, set, label, ready)                                                                \
	"{'metadata': {'uid': '" uid "', 'labels': {'app': '" label "'}, 'ownerReferences': "      \
	"[{'uid': '" set "', 'controller': true}]}, 'spec': {'containers': [{'name': 'c', "        \
	"'image': 'web:v2'}]}, 'status': {'conditions': [{'type': 'Ready', 'status': '" ready      \
	"'}]}}"

static void
set(json_t **slot, const char *text)
{
	json_decref(*slot);
	*slot = J(text);
}

#define GREEN                                                                                      \
	"{'metadata': {'name': 'web-green', 'uid': 'd-green', 'resourceVersion': '7', " OURS       \
	"}, 'spec': {'replicas': 0, 'template': {'metadata': {'labels': {'app': 'web-green', "     \
	"'airis.io/side': 'green'}}, 'spec': {'containers': [{'name': 'c', 'image': 'web:v0'}, "   \
	"{'name': 'log', 'image': 'log:1'}]}}}}"

static int
setup(void **state)
{
	(void)state;
	app = app_of(TRAFFIC_HOST);
	app.colours = app.sided = true;
	app.traffic.kind = TRAFFIC_SERVICE;
	str_copy(app.traffic.canary_service, sizeof(app.traffic.canary_service), "web-preview");
	str_copy(app.canary, sizeof(app.canary), "web-green");
	str_copy(app.pair.first, sizeof(app.pair.first), "web-blue");
	str_copy(app.pair.second, sizeof(app.pair.second), "web-green");
	observe_init(&o);
	o.stable = web_deployment();
	o.service = web_service();
	o.route = json_incref(o.service);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	observe_done(&o);
	return 0;
}

static struct observed
look(void)
{
	struct observed seen;
	observe_look(&app, "web:v2", &o, -1, &seen);
	return seen;
}

static struct act_plan
plan_of(enum act_kind kind, int number)
{
	struct act act = {.kind = kind, .number = number, .text = "web:v2"};
	struct baseline baseline = {.uid = "d-web", .had_canary = o.canary != NULL};
	struct act_plan plan;
	act_plan(&app, &baseline, &act, &o, &plan);
	return plan;
}

static void
a_missing_colour_is_cloned_with_labels_of_its_own(void **state)
{
	struct act_plan plan = plan_of(ACT_CREATE_CANARY, 3);
	struct observed seen = look();
	(void)state;
	assert_string_equal(seen.preflight, "");
	assert_true(seen.route.fits && seen.route.weight == 0);
	assert_true(plan.send && plan.verb == ACT_POST);
	assert_json(jsonx_at(plan.body, "spec.selector.matchLabels"),
	    "{'app': 'web-green', 'airis.io/side': 'green'}");
	act_plan_done(&plan);
	plan = plan_of(ACT_CREATE_SERVICE, 0);
	assert_string_equal(plan.name, "web-preview");
	assert_json(jsonx_at(plan.body, "spec.selector"), "{'app': 'web-green'}");
	act_plan_done(&plan);
}

static void
the_given_label_tells_them_apart(void **state)
{
	struct err e;
	(void)state;
	str_copy(app.pair.label, sizeof(app.pair.label), "colour");
	assert_null(colours_labels(&app, &o, &e));
	assert_non_null(strstr(e.text, "does not select by label colour"));
	json_object_set_new(jsonx_at(o.service, "spec.selector"), "colour", json_string("blue"));
	json_t *labels = colours_labels(&app, &o, &e);
	assert_json(labels, "{'colour': 'green', 'airis.io/side': 'green'}");
	json_decref(labels);
}

/* The other way round: green is there, blue has to be made again. */
static void
a_clone_of_the_second_is_the_first(void **state)
{
	struct err e;
	(void)state;
	str_copy(app.canary, sizeof(app.canary), "web-blue");
	json_object_set_new(jsonx_at(o.service, "spec.selector"), "app", json_string("web-green"));
	json_t *labels = colours_labels(&app, &o, &e);
	assert_json(labels, "{'app': 'web-blue', 'airis.io/side': 'blue'}");
	json_decref(labels);
}

static const json_t *
get(void *ctx, const char *name)
{
	return json_object_get(ctx, name);
}

static void
expect_sides(const char *there, const char *selects, const char *stable, const char *canary)
{
	json_t *deployments = json_object();
	json_t *service = json_pack("{s:{s:{s:s}}}", "spec", "selector", "app", selects);
	struct app unsided = app;
	const char *const names[] = {"web", "web-blue", "web-green"};
	for (size_t i = 0; i < 3; i++)
		if (strchr(there, "xbg"[i]) != NULL)
			json_object_set_new(deployments, names[i],
			    json_pack("{s:{s:{s:{s:{s:s}}}}}", "spec", "template", "metadata",
				"labels", "app", names[i]));
	unsided.sided = false;
	colours_take_sides(&unsided, service, get, deployments);
	assert_string_equal(unsided.workload, stable);
	assert_string_equal(unsided.canary, canary);
	assert_true(unsided.sided);
	json_decref(deployments);
	json_decref(service);
}

static void
the_active_colour_is_the_stable_side(void **state)
{
	(void)state;
	expect_sides("x", "web", "web", "web-green"); /* adopted */
	expect_sides("xg", "web", "web", "web-green");
	expect_sides("xg", "web-green", "web-green", "web");
	expect_sides("bg", "web-blue", "web-blue", "web-green");
	expect_sides("bg", "web-green", "web-green", "web-blue");
	expect_sides("g", "web-green", "web-green", "web-blue");
	expect_sides("xg", "other", "web", "web-green"); /* preflight refuses it */
	app.pair.named = true;
	expect_sides("xbg", "web-blue", "web-blue", "web-green");
}

static void
selectors_that_prove_nothing_are_refused(void **state)
{
	(void)state;
	o.canary = J(GREEN);
	json_object_set_new(jsonx_at(o.service, "spec.selector"), "app", json_string("other"));
	assert_non_null(strstr(look().route.why_not, "neither Deployment web nor web-green"));
	json_object_set_new(jsonx_at(o.service, "spec.selector"), "app", json_string("web"));
	json_object_set_new(jsonx_at(o.service, "spec.selector"), "tier", json_string("front"));
	assert_non_null(strstr(look().route.why_not, "have no label tier"));
	json_object_del(jsonx_at(o.service, "spec.selector"), "tier");
	json_object_set_new(
	    jsonx_at(o.canary, "spec.template.metadata.labels"), "app", json_string("web"));
	assert_non_null(strstr(look().route.why_not, "alike"));
	assert_false(look().route.fits);
}

/* Ready is what the side's whole selector chooses; the endpoints follow a moment later. */
static void
ready_pods_and_the_endpoints_that_follow(void **state)
{
	(void)state;
	o.canary = J(GREEN);
	set(&o.stable_pods, "[" POD("p1", "r", "web", "True") "]");
	set(&o.canary_pods, "[" POD("g1", "s", "web-green", "True") "," POD("g2", "s", "web-green",
				"False") "," POD("g3", "s", "strange", "True") "]");
	set(&o.slices, "[{'endpoints': [{'targetRef': {'uid': 'p1'}}]}]");
	struct observed seen = look();
	assert_int_equal(seen.stable.ready, 1);
	assert_int_equal(seen.canary.ready_new, 1);
	assert_true(seen.route.accepted);
	json_object_set_new(jsonx_at(o.service, "spec.selector"), "app", json_string("web-green"));
	seen = look();
	assert_int_equal(seen.route.weight, 100);
	assert_int_equal(seen.stable.ready, 1);
	assert_false(seen.route.accepted);
	assert_non_null(strstr(seen.route.unaccepted, "1 of the other colour"));
	set(&o.slices, "[{'endpoints': null}]");
	assert_false(look().route.accepted);
	set(&o.slices, "[{'endpoints': [{'targetRef': {'uid': 'g1'}}]}]");
	assert_true(look().route.accepted);
}

static void
the_switch_writes_what_differs(void **state)
{
	(void)state;
	o.canary = J(GREEN);
	json_object_set_new(
	    jsonx_at(o.service, "spec.selector"), "airis.io/x", json_string("same"));
	json_object_set_new(
	    jsonx_at(o.stable, "spec.template.metadata.labels"), "airis.io/x", json_string("same"));
	json_object_set_new(jsonx_at(o.canary, "spec.template.metadata.labels"), "airis.io/x",
	    json_string("other"));
	struct act_plan plan = plan_of(ACT_WEIGHT, 100);
	assert_int_equal(plan.outcome, ACT_CONFLICT); /* nobody is ready */
	assert_false(plan.send);
	act_plan_done(&plan);
	set(&o.canary_pods,
	    "[{'metadata': {'uid': 'g1', 'labels': {'app': 'web-green', 'airis.io/x': 'other'}},"
	    " 'status': {'conditions': [{'type': 'Ready', 'status': 'True'}]}}]");
	plan = plan_of(ACT_WEIGHT, 100);
	assert_int_equal(plan.kind, KUBE_SERVICES);
	assert_patch(json_incref(plan.body), "5",
	    "[{'op': 'add', 'path': '/spec/selector/app', 'value': 'web-green'},"
	    " {'op': 'add', 'path': '/spec/selector/airis.io~1x', 'value': 'other'}]");
	act_plan_done(&plan);
}

static void
a_resting_colour_is_brought_back_though_the_user_made_it(void **state)
{
	(void)state;
	o.canary = J("{'metadata': {'name': 'web-green', 'resourceVersion': '7'}, 'spec': "
		     "{'replicas': 0, 'template': {'spec': {'containers': [{'name': 'c', 'image': "
		     "'web:v0'}]}}}}");
	struct act_plan plan = plan_of(ACT_CREATE_CANARY, 3);
	assert_patch(json_incref(plan.body), "7",
	    "[{'op': 'replace', 'path': '/spec/template/spec/containers/0/image', 'value': "
	    "'web:v2'}, {'op': 'add', 'path': '/spec/replicas', 'value': 3}]");
	act_plan_done(&plan);
	plan = plan_of(ACT_SCALE_STABLE, 0);
	assert_string_equal(plan.name, "web");
	assert_patch(
	    json_incref(plan.body), "831", "[{'op': 'add', 'path': '/spec/replicas', 'value': 0}]");
	act_plan_done(&plan);
}

static void
the_hpa_and_the_preview_change_sides(void **state)
{
	(void)state;
	o.canary = J(GREEN);
	set(&o.hpas, "[{'metadata': {'name': 'h', 'resourceVersion': '9'}, 'spec': "
		     "{'minReplicas': 2, 'maxReplicas': 5, 'scaleTargetRef': {'name': 'web'}}}]");
	o.canary_service = J("{'metadata': {'name': 'web-preview', 'resourceVersion': '3'}, "
			     "'spec': {'selector': {'app': 'web-green'}}}");
	assert_false(look().hpa.on_canary);
	assert_int_equal(look().preview, PREVIEW_CANARY);
	struct act_plan plan = plan_of(ACT_FOLLOW_HPA, 100);
	assert_patch(json_incref(plan.body), "9",
	    "[{'op': 'replace', 'path': '/spec/scaleTargetRef/name', 'value': 'web-green'}]");
	act_plan_done(&plan);
	plan = plan_of(ACT_FOLLOW_HPA, 0);
	assert_int_equal(plan.outcome, ACT_ALREADY);
	act_plan_done(&plan);
	plan = plan_of(ACT_POINT_SERVICE, 0);
	assert_patch(json_incref(plan.body), "3",
	    "[{'op': 'add', 'path': '/spec/selector/app', 'value': 'web'}]");
	act_plan_done(&plan);
}

/* Somebody has edited what the preview selects, or what the Service does. */
static void
a_selector_of_others_is_set_whole_or_not_at_all(void **state)
{
	(void)state;
	o.canary = J(GREEN);
	o.canary_service = J("{'metadata': {'name': 'web-preview', 'resourceVersion': '3'}, "
			     "'spec': {'selector': {'app': 'web-green', 'tier': 'x'}}}");
	struct act_plan plan = plan_of(ACT_POINT_SERVICE, 0);
	assert_patch(json_incref(plan.body), "3",
	    "[{'op': 'add', 'path': '/spec/selector', 'value': {'app': 'web'}}]");
	act_plan_done(&plan);
	json_t *serves = (json_t *)jsonx_at(o.service, "spec.selector");
	json_object_set_new(serves, "app", json_string("third"));
	plan = plan_of(ACT_WEIGHT, 100);
	assert_int_equal(plan.outcome, ACT_REFUSED);
	assert_non_null(strstr(plan.text, "neither"));
	act_plan_done(&plan);
}

/* --- by weights --- */

static void
by_weights(const char *http)
{
	app.traffic.kind = TRAFFIC_ISTIO;
	str_copy(app.traffic.canary_service, sizeof(app.traffic.canary_service), "web-green");
	json_decref(o.route);
	o.route = web_routes(http);
}

#define TO(host, weight) "{'destination': {'host': '" host "'}, 'weight': " weight "}"
#define BOTH(blue, green) "[{'route': [" TO("web", blue) ", " TO("web-green", green) "]}]"

static void
set_green_service(const char *label)
{
	json_decref(o.canary_service);
	o.canary_service = J("{'metadata': {'name': 'web-green', " OURS "}, 'spec': {}}");
	json_object_set_new(json_object_get(o.canary_service, "spec"), "selector",
	    json_pack("{s:s}", "app", label));
}

static void
expect_turned(const char *http, bool turned)
{
	json_t *route = web_routes(http);
	struct app unsided = app;
	unsided.sided = false;
	colours_take_sides(&unsided, route, get, NULL);
	assert_string_equal(unsided.workload, turned ? "web-green" : "web-blue");
	assert_string_equal(unsided.canary, turned ? "web-blue" : "web-green");
	assert_string_equal(unsided.traffic.service, turned ? "web-green" : "web");
	assert_string_equal(unsided.traffic.canary_service, turned ? "web" : "web-green");
	json_decref(route);
}

static void
the_colour_with_the_weight_is_the_stable_side(void **state)
{
	(void)state;
	by_weights(BOTH("100", "0"));
	expect_turned(BOTH("100", "0"), false);
	expect_turned(BOTH("0", "100"), true);
	expect_turned("[{'route': [{'destination': {'host': 'web-green'}}]}]", true);
	expect_turned("[{'route': [{'destination': {'host': 'web'}}]}]", false);
	expect_turned(BOTH("30", "70"), false); /* preflight refuses it */
	expect_turned("[]", false);
}

/* The weights are set, the destination is added, and no selector is touched. */
static void
the_weights_are_what_is_switched(void **state)
{
	(void)state;
	by_weights("[{'route': [{'destination': {'host': 'web'}}]}]");
	set_green_service("web-green");
	struct observed seen = look();
	assert_string_equal(seen.preflight, "");
	assert_true(seen.route.fits && seen.route.weight == 0 && !seen.route.names_canary);
	assert_int_equal(seen.preview, PREVIEW_CANARY);
	struct act_plan plan = plan_of(ACT_WEIGHT, 100);
	assert_int_equal(plan.kind, KUBE_VIRTUALSERVICES);
	assert_patch(json_incref(plan.body), "868",
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 0},"
	    " {'op': 'add', 'path': '/spec/http/0/route/-', 'value': " TO("web-green", "100") "}]");
	act_plan_done(&plan);
}

/* Each by the endpoints of its own Service. */
static void
ready_is_what_the_own_service_has(void **state)
{
	(void)state;
	by_weights(BOTH("100", "0"));
	o.canary = J(GREEN);
	set(&o.stable_pods, "[" POD("p1", "r", "web", "True") "]");
	set(&o.canary_pods,
	    "[" POD("g1", "s", "web-green", "True") "," POD("g2", "s", "web-green", "True") "]");
	set(&o.slices, "[{'endpoints': [{'targetRef': {'uid': 'p1'}}]}]");
	assert_int_equal(look().stable.ready, 1);
	assert_int_equal(look().canary.ready_new, 0);
	set(&o.canary_slices, "[{'endpoints': [{'targetRef': {'uid': 'g1'}}]}]");
	assert_int_equal(look().canary.ready_new, 1);
}

static void
expect_refused(const char *why)
{
	struct observed seen = look();
	if (strstr(seen.preflight, why) == NULL)
		fail_msg("%s", seen.preflight);
}

static void
services_that_do_not_tell_colours_apart_are_refused(void **state)
{
	(void)state;
	by_weights(BOTH("100", "0"));
	o.canary = J(GREEN);
	set_green_service("web-green");
	assert_string_equal(look().preflight, "");
	set_green_service("other");
	expect_refused("Service web-green does not select the pods of Deployment web-green");
	set_green_service("web-green");
	json_object_set_new(
	    jsonx_at(o.canary, "spec.template.metadata.labels"), "app", json_string("web"));
	expect_refused("Service web would select the pods of Deployment web-green too");
	json_object_clear(jsonx_at(o.canary_service, "spec.selector"));
	json_object_set_new(jsonx_at(o.canary_service, "spec.selector"), "team", json_string("a"));
	json_object_set_new(
	    jsonx_at(o.canary, "spec.template.metadata.labels"), "app", json_string("web-green"));
	json_object_set_new(
	    jsonx_at(o.canary, "spec.template.metadata.labels"), "team", json_string("a"));
	json_object_set_new(
	    jsonx_at(o.stable, "spec.template.metadata.labels"), "team", json_string("a"));
	expect_refused("Service web-green selects the pods of Deployment web too");
}

static void
weights_that_leave_a_colour_in_doubt_are_refused(void **state)
{
	(void)state;
	by_weights(BOTH("30", "70"));
	set_green_service("web-green");
	expect_refused("gives weight to both Services, web and web-green");
	by_weights("[{'name': 'a', 'route': [" TO("web", "1") "]}, {'name': 'b', 'route': [" TO(
	    "web-green", "1") "]}]");
	expect_refused("http route \"b\" leads to web-green too");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_missing_colour_is_cloned_with_labels_of_its_own),
	    TEST(the_given_label_tells_them_apart),
	    TEST(a_clone_of_the_second_is_the_first),
	    TEST(a_selector_of_others_is_set_whole_or_not_at_all),
	    TEST(the_active_colour_is_the_stable_side),
	    TEST(selectors_that_prove_nothing_are_refused),
	    TEST(ready_pods_and_the_endpoints_that_follow),
	    TEST(the_switch_writes_what_differs),
	    TEST(a_resting_colour_is_brought_back_though_the_user_made_it),
	    TEST(the_hpa_and_the_preview_change_sides),
	    TEST(the_colour_with_the_weight_is_the_stable_side),
	    TEST(the_weights_are_what_is_switched),
	    TEST(ready_is_what_the_own_service_has),
	    TEST(services_that_do_not_tell_colours_apart_are_refused),
	    TEST(weights_that_leave_a_colour_in_doubt_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
