/* Clones: what is kept, what is left behind, and that no side's selector chooses the other's pods.
 */
#include "cluster_objects.h"

#include "cluster/clone.h"
#include "cluster/workload.h"

static void
test_deployment(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	json_t *stable = web_deployment(), *before = json_deep_copy(stable);
	json_t *labels = J("{'app': 'web-canary'}");
	struct err e;
	json_t *clone = clone_deployment(&app, stable, labels, "web:v2", 2, &e);

	(void)state;
	assert_json(clone,
	    "{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web-canary',"
	    " 'namespace': 'prod', 'labels': {'team': 'a', 'app.kubernetes.io/managed-by': "
	    "'airisd'},"
	    " 'annotations': {'lab/x': 'y', 'airis.io/app': 'shop'}},"
	    "'spec': {'replicas': 2, 'minReadySeconds': 2,"
	    " 'selector': {'matchLabels': {'app': 'web-canary', 'airis.io/side': 'canary'}},"
	    " 'template': {'metadata': {'creationTimestamp': null, 'labels': {'app': 'web-canary',"
	    "   'track': 'main', 'airis.io/side': 'canary'}, 'annotations': {'lab/rps': '30'}},"
	    "  'spec': {'containers': [{'name': 'c', 'image': 'web:v2', 'ports': "
	    "[{'containerPort': 80}]},"
	    "   {'name': 'log', 'image': 'log:1'}], 'terminationGracePeriodSeconds': 30}}}}");
	assert_true(json_equal(stable, before)); /* the original is not touched */
	assert_true(workload_is_ours(clone, "shop"));
	json_decref(clone);
	str_copy(app.container, sizeof(app.container), "log");
	clone = clone_deployment(&app, stable, labels, "log:2", 2, &e);
	assert_string_equal(
	    jsonx_text_or(clone, "spec.template.spec.containers.1.image", ""), "log:2");
	assert_string_equal(
	    jsonx_text_or(clone, "spec.template.spec.containers.0.image", ""), "web:v1");
	json_decref(clone);
	str_copy(app.container, sizeof(app.container), "none");
	assert_null(clone_deployment(&app, stable, labels, "x", 2, &e));
	assert_non_null(strstr(e.text, "no container none"));
	json_decref(labels);
	json_decref(stable);
	json_decref(before);
}

/* A selector by expression on the changed label would refuse the clone's own pods. */
static void
test_selector_expressions(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	json_t *stable = web_deployment(), *labels = J("{'app': 'web-canary'}"), *clone;
	struct err e;

	(void)state;
	json_object_set_new(json_object_get(stable, "spec"), "selector",
	    J("{'matchExpressions': [{'key': 'app', 'operator': 'In', 'values': ['web']},"
	      " {'key': 'track', 'operator': 'Exists'}]}"));
	json_object_set_new(json_object_get(stable, "spec"), "paused", json_true());
	clone = clone_deployment(&app, stable, labels, "web:v2", 0, &e);
	assert_json(jsonx_at(clone, "spec.selector"),
	    "{'matchLabels': {'app': 'web-canary', 'airis.io/side': 'canary'},"
	    " 'matchExpressions': [{'key': 'track', 'operator': 'Exists'}]}");
	assert_null(jsonx_at(clone, "spec.paused"));
	json_decref(clone);
	json_decref(stable);
	json_decref(labels);
}

static void
test_service(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	json_t *service = web_service(), *labels = J("{'app': 'web-canary'}"), *clone;
	struct err e;

	(void)state;
	clone = clone_service(&app, service, labels, &e);
	assert_json(clone,
	    "{'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'web-canary',"
	    " 'namespace': 'prod', 'labels': {'team': 'a', 'app.kubernetes.io/managed-by': "
	    "'airisd'},"
	    " 'annotations': {'airis.io/app': 'shop'}},"
	    "'spec': {'type': 'ClusterIP', 'sessionAffinity': 'None', 'selector': {'app': "
	    "'web-canary'},"
	    " 'ports': [{'name': 'http', 'port': 80, 'targetPort': 8080, 'protocol': 'TCP',"
	    "  'appProtocol': 'http'}]}}");
	json_decref(clone);
	json_object_set_new(json_object_get(service, "spec"), "clusterIP", json_string("None"));
	clone = clone_service(&app, service, labels, &e);
	assert_string_equal(jsonx_text_or(clone, "spec.clusterIP", ""), "None");
	json_decref(clone);
	json_decref(service);
	json_decref(labels);
}

static void
assert_label(const char *selector, const char *expected)
{
	char *text =
	    str_format("{'metadata': {'name': 'web'}, 'spec': {'selector': %s}}", selector);
	json_t *service = J(text), *labels;
	struct err e;

	labels = clone_host_labels(service, NULL, &e);
	if (expected[0] == '{')
		assert_json(labels, expected);
	else if (labels != NULL || strstr(e.text, expected) == NULL)
		fail_msg("%s", e.text);
	json_decref(labels);
	json_decref(service);
	free(text);
}

static void
test_which_label_is_changed(void **state)
{
	json_t *service = web_service(), *theirs, *labels;
	struct err e;

	(void)state;
	assert_label("{'z': '1', 'app': 'web'}", "{'app': 'web-canary'}");
	assert_label("{'b': '1', 'app.kubernetes.io/name': 'web'}",
	    "{'app.kubernetes.io/name': 'web-canary'}");
	assert_label("{'z': '1', 'k': 'x', 'n': '2'}", "{'k': 'x-canary'}");
	assert_label("{}", "no selector");
	assert_label("{'app': 'a2345678901234567890123456789012345678901234567890123456'}",
	    "{'app': 'a2345678901234567890123456789012345678901234567890123456-canary'}");
	assert_label("{'app': 'a23456789012345678901234567890123456789012345678901234567'}",
	    "longer than 63");
	theirs = J("{'spec': {'selector': {'app': 'web', 'version': 'next'}}}");
	labels = clone_host_labels(service, theirs, &e);
	assert_json(labels, "{'app': 'web', 'version': 'next'}");
	json_decref(labels);
	json_decref(theirs);
	json_decref(service);
}

static void
test_names_too_long(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	json_t *stable = web_deployment(), *service = web_service(), *labels = J("{}");
	struct err e;

	(void)state;
	memset(app.canary, 'a', 64);
	memset(app.traffic.canary_service, 'b', 64);
	assert_null(clone_deployment(&app, stable, labels, "x", 1, &e));
	assert_non_null(strstr(e.text, "64 characters, at most 63"));
	assert_null(clone_service(&app, service, labels, &e));
	assert_non_null(strstr(e.text, "Service would be named bbb"));
	json_decref(stable);
	json_decref(service);
	json_decref(labels);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_deployment),
	    cmocka_unit_test(test_selector_expressions),
	    cmocka_unit_test(test_service),
	    cmocka_unit_test(test_which_label_is_changed),
	    cmocka_unit_test(test_names_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
