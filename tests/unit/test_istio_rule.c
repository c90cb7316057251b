/* DestinationRules: whose subsets they are, whether they tell the sides apart, and that what was
 * added is what is removed. */
#include "cluster_objects.h"

#include "cluster/istio_rule.h"

static json_t *
rule_of(const char *spec)
{
	char *text =
	    str_format("{'metadata': {'name': 'web', 'uid': 'dr', 'resourceVersion': '77'},"
		       " 'spec': %s}",
		spec);
	json_t *rule = J(text);

	free(text);
	return rule;
}

static void
assert_labels(const char *spec, const char *stable, const char *canary)
{
	struct app app = app_of(TRAFFIC_SUBSET);
	json_t *rule = spec != NULL ? rule_of(spec) : NULL, *deployment = web_deployment();
	json_t *first, *second;
	struct err e;

	assert_int_equal(istio_rule_labels(&app, rule, deployment, &first, &second, &e), 0);
	assert_json(first, stable);
	assert_json(second, canary);
	json_decref(first);
	json_decref(second);
	json_decref(rule);
	json_decref(deployment);
}

static void
test_labels(void **state)
{
	struct app app = app_of(TRAFFIC_SUBSET);
	json_t *deployment = web_deployment(), *a, *b;
	json_t *pods = jsonx_at(deployment, "spec.template.metadata.labels");
	struct err e;

	(void)state;
	assert_labels(NULL, "{'track': 'main'}", "{'track': 'canary'}");
	assert_labels("{'host': 'web', 'subsets': [{'name': 'stable', 'labels': {'v': '1'}},"
		      " {'name': 'canary', 'labels': {'v': '2'}}]}",
	    "{'v': '1'}", "{'v': '2'}");
	assert_labels("{'host': 'web', 'subsets': [{'name': 'canary', 'labels': {'v': '2'}}]}",
	    "{'track': 'main'}", "{'v': '2'}");
	json_object_set_new(pods, "track", json_string("canary"));
	assert_int_equal(istio_rule_labels(&app, NULL, deployment, &a, &b, &e), 0);
	assert_json(a, "{'track': 'canary'}");
	assert_json(b, "{'track': 'canary-canary'}");
	json_decref(a);
	json_decref(b);
	json_object_del(pods, "track");
	assert_int_equal(istio_rule_labels(&app, NULL, deployment, &a, &b, &e), -1);
	assert_non_null(strstr(e.text, "add track: stable to its pod template"));
	json_decref(deployment);
}

static struct subsets_seen
look(const char *spec, const char *pods)
{
	struct app app = app_of(TRAFFIC_SUBSET);
	json_t *rule = spec != NULL ? rule_of(spec) : NULL, *deployment = web_deployment();
	json_t *list = J(pods);
	struct subsets_seen seen = {0};

	istio_rule_look(&app, rule, deployment, NULL, list, &seen);
	json_decref(rule);
	json_decref(deployment);
	json_decref(list);
	return seen;
}

#define POD(labels)                                                                                \
	"{'metadata': {'labels': " labels                                                          \
	"}, 'status': {'conditions': [{'type': 'Ready', 'status': 'True'}]}}"

/* F21: a subset that the pods do not match is not routed to. */
static void
test_F21_subsets_must_fit(void **state)
{
	struct subsets_seen seen = look(NULL, "[" POD("{'track': 'main'}") "]");

	(void)state;
	assert_true(seen.stable_fits);
	assert_false(seen.exists || seen.stable || seen.canary || seen.ours);
	seen = look("{'host': 'web.prod.svc', 'subsets': [{'name': 'stable', 'labels': {'track': "
		    "'main'}}]}",
	    "[]");
	assert_true(seen.exists && seen.stable && seen.stable_fits);
	assert_false(seen.canary);
	seen = look(
	    "{'host': 'web', 'subsets': [{'name': 'stable', 'labels': {'track': 'x'}}]}", "[]");
	assert_false(seen.stable_fits);
	assert_non_null(strstr(seen.why_not, "does not select the pods"));
	seen = look(
	    "{'host': 'web', 'subsets': [{'name': 'stable', 'labels': {'app': 'web'}}]}", "[]");
	assert_false(seen.stable_fits);
	assert_non_null(strstr(seen.why_not, "would select the canary's pods"));
	seen = look(NULL, "[" POD("{'app': 'web'}") "," POD("{'track': 'main'}") "]");
	assert_false(seen.stable_fits);
	assert_non_null(strstr(seen.why_not, "1 pods of Deployment web"));
	seen = look("{'host': 'other'}", "[]");
	assert_false(seen.stable_fits);
	assert_non_null(strstr(seen.why_not, "is for host other"));
}

static void
assert_added_and_removed(const char *spec, const char *added, struct baseline baseline,
    const char *after, const char *removed)
{
	struct app app = app_of(TRAFFIC_SUBSET);
	json_t *rule = rule_of(spec), *deployment = web_deployment(), *now = rule_of(after);
	struct err e;
	json_t *patch = istio_rule_add_patch(&app, rule, deployment, &e);

	if (added == NULL)
		assert_true(json_is_null(patch));
	else
		assert_patch(patch, "77", added);
	patch = istio_rule_remove_patch(&app, now, &baseline);
	if (removed == NULL)
		assert_true(json_is_null(patch));
	else
		assert_patch(patch, "77", removed);
	json_decref(rule);
	json_decref(now);
	json_decref(deployment);
}

#define ADDED_STABLE "{'name': 'stable', 'labels': {'track': 'main'}}"
#define ADDED_CANARY "{'name': 'canary', 'labels': {'track': 'canary'}}"

static void
test_added_is_removed(void **state)
{
	struct baseline none = {.had_destination_rule = true};
	struct baseline stable = {.had_destination_rule = true, .had_stable_subset = true};
	struct baseline both = {
	    .had_destination_rule = true, .had_stable_subset = true, .had_canary_subset = true};

	(void)state;
	assert_added_and_removed("{'host': 'web'}",
	    "[{'op': 'add', 'path': '/spec/subsets', 'value': []},"
	    " {'op': 'add', 'path': '/spec/subsets/-', 'value': " ADDED_STABLE "},"
	    " {'op': 'add', 'path': '/spec/subsets/-', 'value': " ADDED_CANARY "}]",
	    none, "{'host': 'web', 'subsets': [" ADDED_STABLE "," ADDED_CANARY "]}",
	    "[{'op': 'remove', 'path': '/spec/subsets/1'}, {'op': 'remove', 'path': "
	    "'/spec/subsets/0'},"
	    " {'op': 'remove', 'path': '/spec/subsets'}]");
	assert_added_and_removed("{'host': 'web', 'subsets': [{'name': 'eu'}, " ADDED_STABLE "]}",
	    "[{'op': 'add', 'path': '/spec/subsets/-', 'value': " ADDED_CANARY "}]", stable,
	    "{'host': 'web', 'subsets': [{'name': 'eu'}, " ADDED_CANARY ", " ADDED_STABLE "]}",
	    "[{'op': 'remove', 'path': '/spec/subsets/1'}]");
	assert_added_and_removed("{'host': 'web', 'subsets': [" ADDED_STABLE "," ADDED_CANARY "]}",
	    NULL, both, "{'host': 'web', 'subsets': [" ADDED_STABLE "," ADDED_CANARY "]}", NULL);
}

static void
test_new_rule(void **state)
{
	struct app app = app_of(TRAFFIC_SUBSET);
	json_t *deployment = web_deployment();
	struct err e;
	json_t *rule = istio_rule_new(&app, deployment, NULL, &e);

	(void)state;
	assert_json(rule,
	    "{'apiVersion': 'networking.istio.io/v1', 'kind': 'DestinationRule', 'metadata': {"
	    " 'name': 'web', 'namespace': 'prod', " OURS
	    "}, 'spec': {'host': 'web', 'subsets': [" ADDED_STABLE "," ADDED_CANARY "]}}");
	json_decref(rule);
	json_object_del(jsonx_at(deployment, "spec.template.metadata.labels"), "track");
	assert_null(istio_rule_new(&app, deployment, NULL, &e));
	json_decref(deployment);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_labels),
	    cmocka_unit_test(test_F21_subsets_must_fit),
	    cmocka_unit_test(test_added_is_removed),
	    cmocka_unit_test(test_new_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
