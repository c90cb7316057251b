/* HTTPRoutes of the Gateway API: the app's rules and weights, patches that change nothing else, and
 * whether the controllers of its parents have accepted it as it is now. */
#include "cluster_objects.h"

#include "cluster/route.h"
#include "model/strategy.h"

#define PARENTS "[{'kind': 'Gateway', 'name': 'edge', 'namespace': 'infra'}]"

static struct app
gateway_app(void)
{
	struct app app = app_of(TRAFFIC_HOST);

	app.traffic.kind = TRAFFIC_GATEWAY;
	return app;
}

/* Generation 7, with these rules, parentRefs and status.parents. */
static json_t *
route_with(const char *rules, const char *refs, const char *parents)
{
	char *text = str_format(
	    "{'apiVersion': 'gateway.networking.k8s.io/v1', 'kind': 'HTTPRoute',"
	    " 'metadata': {'name': 'web', 'namespace': 'prod', 'uid': 'h-web', 'generation': 7,"
	    "  'resourceVersion': '868',"
	    "  'managedFields': [{'manager': 'argocd', 'operation': 'Update',"
	    "   'time': '2026-11-22T20:15:59Z', 'fieldsV1': {'f:spec': {'f:rules': {}}}}]},"
	    " 'spec': {'parentRefs': %s, 'rules': %s}, 'status': {'parents': %s}}",
	    refs, rules, parents);
	json_t *route = J(text);

	free(text);
	return route;
}

static struct route_seen
look(const struct app *app, const char *rules)
{
	struct route_seen seen = {0};
	json_t *route = route_with(rules, PARENTS, "[]");

	route_look(app, route, -1, &seen);
	json_decref(route);
	return seen;
}

static void
assert_unfit(const struct app *app, const char *rules, const char *text)
{
	struct route_seen seen = look(app, rules);

	assert_true(seen.exists);
	assert_false(seen.fits);
	if (strstr(seen.why_not, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", seen.why_not, text);
}

static void
assert_weight(const char *rules, int weight, const char *expected)
{
	struct app app = gateway_app();
	json_t *route = route_with(rules, PARENTS, "[]");
	struct err e;
	json_t *patch = route_weight_patch(&app, route, weight, false, &e);

	assert_non_null(patch);
	if (expected == NULL)
		assert_true(json_is_null(patch));
	else
		assert_patch(patch, "868", expected);
	json_decref(route);
}

/* An App says it by the same names as with Istio. */
static void
test_app(void **state)
{
	json_t *spec = J("{'name': 'web', 'namespace': 'prod', 'workload': {'name': 'web'},"
			 " 'traffic': {'gateway': {'httpRoute': 'hr', 'rules': ['main', 'b']}},"
			 " 'strategy': {'canary': {'weights': [50]}}}");
	json_t *gateway = jsonx_at(spec, "traffic.gateway");
	struct observed seen = {.service = true, .route = {.exists = true, .fits = true}};
	struct errlist errors;
	struct app *app;

	(void)state;
	errlist_init(&errors);
	app = app_parse(spec, &errors);
	assert_non_null(app);
	assert_int_equal(app->traffic.kind, TRAFFIC_GATEWAY);
	assert_int_equal(app->traffic.mode, TRAFFIC_HOST);
	assert_string_equal(app_route_kind(app), "HTTPRoute");
	assert_string_equal(app->traffic.route, "hr");
	assert_int_equal(app->traffic.rule_count, 2);
	assert_string_equal(app->traffic.rules[1], "b");
	assert_string_equal(app->traffic.service, "web");
	assert_string_equal(app->traffic.canary_service, "web-canary");
	str_copy(seen.route.unaccepted, sizeof(seen.route.unaccepted), "nobody answers");
	app->strategy->preflight(app, &seen, &errors);
	assert_string_equal(errors.items[errors.count - 1].path, "traffic.gateway.httpRoute");
	assert_string_equal(
	    errors.items[errors.count - 1].text, "HTTPRoute prod/hr: nobody answers");
	app_free(app);
	errlist_done(&errors);
	errlist_init(&errors);
	json_object_set_new(gateway, "canaryService", json_string("web"));
	assert_null(app_parse(spec, &errors));
	assert_string_equal(errors.items[0].path, "traffic.gateway.canaryService");
	errlist_done(&errors);
	json_decref(spec);
}

/* As the API server stores a route that was written without weights. */
#define ALONE                                                                                      \
	"[{'backendRefs': [{'group': '', 'kind': 'Service', 'name': 'web', 'port': 80,"            \
	" 'weight': 1}]}]"

static void
test_weights(void **state)
{
	struct app app = gateway_app();
	struct route_seen seen = look(&app, ALONE);

	(void)state;
	assert_true(seen.fits && seen.even && seen.bare == 1);
	assert_false(seen.names_canary);
	assert_int_equal(seen.weight, 0);
	assert_string_equal(seen.edited_by, "argocd");
	assert_weight(ALONE, 10,
	    "[{'op': 'add', 'path': '/spec/rules/0/backendRefs/0/weight', 'value': 90},"
	    " {'op': 'add', 'path': '/spec/rules/0/backendRefs/-', 'value':"
	    "  {'group': '', 'kind': 'Service', 'name': 'web-canary', 'port': 80,"
	    "   'weight': 10}}]");
	assert_weight(ALONE, 0, NULL);
	assert_weight("[{'backendRefs': [{'name': 'web', 'port': 80, 'weight': 75},"
		      " {'name': 'web-canary', 'port': 80, 'weight': 25}]}]",
	    0,
	    "[{'op': 'add', 'path': '/spec/rules/0/backendRefs/0/weight', 'value': 100},"
	    " {'op': 'add', 'path': '/spec/rules/0/backendRefs/1/weight', 'value': 0}]");
}

/* F23: a weight that is missing is 1, not 0 and not 100, as soon as there is a second backend. */
static void
test_F23_missing_is_one(void **state)
{
	struct app app = gateway_app();
	json_t *route;
	struct route_view view;
	char text[OBSERVED_TEXT];

	(void)state;
	app.plan.stage_count = 0;
	assert_int_equal(
	    look(&app, "[{'backendRefs': [{'name': 'web'}, {'name': 'web-canary'}]}]").weight, 50);
	assert_int_equal(
	    look(&app, "[{'backendRefs': [{'name': 'web', 'weight': 3}, {'name': 'web-canary'}]}]")
		.weight,
	    25);
	route = route_with(
	    "[{'backendRefs': [{'name': 'web'}, {'name': 'other', 'weight': 9}]}]", PARENTS, "[]");
	app = gateway_app();
	route_view(&app, route, &view);
	assert_true(view.fits && view.pairs[0].total == 1);
	assert_true(route_too_coarse(&app, &view, text, sizeof(text)));
	assert_non_null(strstr(text, "HTTPRoute web gives the two sides weights that sum to 1"));
	json_decref(route);
}

static void
test_rules(void **state)
{
	static const char rules[] =
	    "[{'name': 'beta', 'backendRefs': [{'name': 'web', 'weight': 1}]},"
	    " {'backendRefs': [{'name': 'web', 'kind': 'Lab'}, {'name': 'web', 'group': 'x'},"
	    "   {'name': 'web', 'namespace': 'test'}]},"
	    " {'name': 'main', 'backendRefs': [{'name': 'web', 'weight': 1}]}]";
	struct app app = gateway_app();

	(void)state;
	assert_unfit(&app, rules,
	    "HTTPRoute web is ambiguous: several of its rules go to web; name them in "
	    "traffic.gateway.rules");
	app.traffic.rule_count = 1;
	str_copy(app.traffic.rules[0], APP_LABEL, "main");
	assert_true(look(&app, rules).fits);
	str_copy(app.traffic.rules[0], APP_LABEL, "old");
	assert_unfit(&app, rules, "HTTPRoute web has no rule named \"old\"");
	app.traffic.rule_count = 0;
	assert_unfit(&app, "[{'backendRefs': [{'name': 'web', 'namespace': 'test'}]}]",
	    "HTTPRoute web has no rule that leads to web");
	assert_unfit(&app, "[{'backendRefs': [{'name': 'web', 'weight': 0}]}]", "weight 0");
}

static void
assert_home(const char *before, const char *after, const char *expected)
{
	struct app app = gateway_app();
	struct observed seen = {.route = look(&app, before)};
	struct baseline baseline;
	json_t *route = route_with(after, PARENTS, "[]");
	struct err e;

	baseline_take(&baseline, &seen);
	json_t *patch = route_home_patch(&app, route, &baseline, &e);
	assert_non_null(patch);
	assert_patch(patch, "868", expected);
	json_decref(route);
}

/* F49: the weight that nobody had given is nobody's again; the API server makes it 1. */
static void
test_F49_home(void **state)
{
	(void)state;
	assert_home(ALONE,
	    "[{'backendRefs': [{'name': 'web', 'weight': 100},"
	    " {'name': 'web-canary', 'weight': 0}]}]",
	    "[{'op': 'remove', 'path': '/spec/rules/0/backendRefs/0/weight'},"
	    " {'op': 'remove', 'path': '/spec/rules/0/backendRefs/1'}]");
	assert_home(
	    "[{'backendRefs': [{'name': 'web', 'weight': 40}, {'name': 'x', 'weight': 60}]}]",
	    "[{'backendRefs': [{'name': 'web', 'weight': 30}, {'name': 'x', 'weight': 60},"
	    " {'name': 'web-canary', 'weight': 10}]}]",
	    "[{'op': 'add', 'path': '/spec/rules/0/backendRefs/0/weight', 'value': 40},"
	    " {'op': 'remove', 'path': '/spec/rules/0/backendRefs/2'}]");
}

/* --- accepted? -------------------------------------------------------------------------------- */

#define CONDITION(type, status, generation)                                                        \
	"{'type': '" type "', 'status': '" status "', 'reason': 'Because', 'message': 'of it',"    \
	" 'observedGeneration': " #generation "}"
#define PARENT(accepted, resolved)                                                                 \
	"{'controllerName': 'example.com/gw', 'parentRef': {'group': "                             \
	"'gateway.networking.k8s.io', 'kind': 'Gateway', 'name': 'edge', 'namespace': 'infra'},"   \
	" 'conditions': [" accepted ", " resolved "]}"

static void
assert_accepted(const char *refs, const char *parents, const char *unless)
{
	json_t *route = route_with(ALONE, refs, parents);
	char why[OBSERVED_TEXT];
	bool accepted = route_accepted(route, why, sizeof(why));

	if (accepted != (unless == NULL) || strstr(why, unless ? unless : "") == NULL)
		fail_msg("%s: accepted %d: \"%s\"", parents, accepted, why);
	json_decref(route);
}

static void
test_accepted(void **state)
{
	(void)state;
	assert_accepted(PARENTS,
	    "[" PARENT(CONDITION("Accepted", "True", 7), CONDITION("ResolvedRefs", "True", 7)) "]",
	    NULL);
	assert_accepted(PARENTS,
	    "[" PARENT(CONDITION("Accepted", "True", 8), CONDITION("ResolvedRefs", "True", 8)) "]",
	    NULL);
	assert_accepted(PARENTS,
	    "[" PARENT(CONDITION("Accepted", "True", 7), CONDITION("ResolvedRefs", "True", 6)) "]",
	    "example.com/gw has not looked at it as it is now (generation 7, ResolvedRefs)");
	assert_accepted(PARENTS,
	    "[" PARENT(CONDITION("Accepted", "False", 7), CONDITION("ResolvedRefs", "True", 7)) "]",
	    "example.com/gw says Accepted is False: Because: of it");
	assert_accepted(PARENTS,
	    "[" PARENT(CONDITION("Accepted", "True", 7), CONDITION("ResolvedRefs", "False", 7)) "]",
	    "ResolvedRefs is False");
	assert_accepted(PARENTS, "[]", "no controller has answered for its parent Gateway edge");
	assert_accepted("[]", "[]", "it has no parentRefs");
}

/* Several parents, and several controllers for one of them: all of them. */
static void
test_several_parents(void **state)
{
	static const char good[] =
	    PARENT(CONDITION("Accepted", "True", 7), CONDITION("ResolvedRefs", "True", 7));
	static const char late[] =
	    PARENT(CONDITION("Accepted", "True", 6), CONDITION("ResolvedRefs", "True", 6));
	char both[2048];

	(void)state;
	str_print(both, sizeof(both), "[%s, %s]", good, late);
	assert_accepted(PARENTS, both, "generation 7");
	str_print(both, sizeof(both), "[%s]", good);
	assert_accepted("[{'name': 'edge', 'namespace': 'infra'}]", both, NULL);
	assert_accepted("[{'name': 'edge', 'namespace': 'infra'},"
			" {'group': '', 'kind': 'Service', 'name': 'web'}]",
	    both, "no controller has answered for its parent Service web");
	assert_accepted("[{'name': 'edge', 'namespace': 'infra', 'port': 80}]", both,
	    "no controller has answered");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_app),
	    cmocka_unit_test(test_weights),
	    cmocka_unit_test(test_F23_missing_is_one),
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_F49_home),
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_several_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
