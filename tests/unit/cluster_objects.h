/* Objects as the API server gives them, for the tests of the cluster room: written with ' in place
 * of " so that they can be read. */
#ifndef TESTS_UNIT_CLUSTER_OBJECTS_H
#define TESTS_UNIT_CLUSTER_OBJECTS_H

#include "unit.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/observe.h"
#include "model/app.h"

static inline json_t *
J(const char *text)
{
	char *copy = mem_strdup(text);
	struct err e = {""};
	json_t *json;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	json = jsonx_parse(copy, strlen(copy), 1 << 20, &e);
	if (json == NULL)
		fail_msg("%s in %s", e.text, copy);
	free(copy);
	return json;
}

static inline void
assert_json(const json_t *json, const char *expected)
{
	json_t *other = J(expected);

	if (!json_equal(json, other)) {
		char *is = jsonx_dump(json), *should = jsonx_dump(other);

		fail_msg("is     %s\nshould %s", is, should);
	}
	json_decref(other);
}

/* The JSON Patch without its first step, which must set this resourceVersion. */
static inline void
assert_patch(json_t *patch, const char *version, const char *expected)
{
	const json_t *first = json_array_get(patch, 0);

	assert_string_equal(jsonx_text_or(first, "path", "?"), "/metadata/resourceVersion");
	assert_string_equal(jsonx_text_or(first, "value", "?"), version);
	json_array_remove(patch, 0);
	assert_json(patch, expected);
	json_decref(patch);
}

static inline struct app
app_of(enum traffic_mode mode)
{
	struct app app = {
	    .name = "shop", .namespace = "prod", .workload = "web", .canary = "web-canary"};
	static struct stage_spec stages[] = {
	    {.weight = 10}, {.weight = 25}, {.weight = 50}, {.weight = 100}};
	static char routes[APP_ROUTES][APP_LABEL];

	app.traffic = (struct traffic_spec){.route = "web",
	    .mode = mode,
	    .service = "web",
	    .canary_service = "web-canary",
	    .destination_rule = "web",
	    .stable_subset = "stable",
	    .canary_subset = "canary",
	    .rules = routes,
	    .label = "track"};
	app.plan = (struct canary_spec){.stages = stages, .stage_count = 4};
	return app;
}

#define OURS                                                                                       \
	"'labels': {'app.kubernetes.io/managed-by': 'airisd'}, "                                   \
	"'annotations': {'airis.io/app': 'shop'}"

/* Deployment web: two containers, the first is released; uid d-web. */
static inline json_t *
web_deployment(void)
{
	return J("{'metadata': {'name': 'web', 'namespace': 'prod', 'uid': 'd-web',"
		 " 'resourceVersion': '831', 'generation': 12, 'creationTimestamp': "
		 "'2026-11-22T20:09:22Z',"
		 " 'labels': {'team': 'a', 'argocd.argoproj.io/instance': 'x'},"
		 " 'ownerReferences': [{'uid': 'o', 'controller': true}],"
		 " 'annotations': {'deployment.kubernetes.io/revision': '6', 'lab/x': 'y',"
		 "  'kubectl.kubernetes.io/last-applied-configuration': '{}'},"
		 " 'managedFields': [{'manager': 'helm', 'operation': 'Update', 'time': "
		 "'2026-11-22T20:12:23Z',"
		 "  'fieldsV1': {'f:spec': {'f:template': {'f:spec': {'f:containers': "
		 "{'k:{\\'name\\':\\'c\\'}': {"
		 "   'f:image': {}}}}}}}}]},"
		 "'spec': {'replicas': 3, 'minReadySeconds': 2, 'selector': {'matchLabels': "
		 "{'app': 'web'}},"
		 " 'template': {'metadata': {'creationTimestamp': null, 'labels': {'app': 'web', "
		 "'track': 'main'},"
		 "   'annotations': {'lab/rps': '30'}},"
		 "  'spec': {'containers': [{'name': 'c', 'image': 'web:v1', 'ports': "
		 "[{'containerPort': 80}]},"
		 "   {'name': 'log', 'image': 'log:1'}], 'terminationGracePeriodSeconds': 30}}},"
		 "'status': {'observedGeneration': 12, 'replicas': 3, 'updatedReplicas': 3}}");
}

static inline json_t *
web_service(void)
{
	return J("{'metadata': {'name': 'web', 'namespace': 'prod', 'uid': 's-web', "
		 "'resourceVersion': '5',"
		 " 'labels': {'team': 'a'}, 'annotations': {'lab/rps': '100'}},"
		 "'spec': {'type': 'NodePort', 'clusterIP': '10.0.0.7', 'clusterIPs': ['10.0.0.7'],"
		 " 'externalTrafficPolicy': 'Cluster', 'sessionAffinity': 'None',"
		 " 'selector': {'app': 'web'}, 'ports': [{'name': 'http', 'port': 80, "
		 "'targetPort': 8080,"
		 "  'nodePort': 30080, 'protocol': 'TCP', 'appProtocol': 'http'}]}, 'status': "
		 "{'loadBalancer': {}}}");
}

/* A VirtualService with this list of http routes. */
static inline json_t *
web_routes(const char *http)
{
	char *text = str_format(
	    "{'apiVersion': 'networking.istio.io/v1', 'kind': 'VirtualService',"
	    " 'metadata': {'name': 'web', 'namespace': 'prod', 'uid': 'v-web', 'resourceVersion': "
	    "'868',"
	    "  'managedFields': [{'manager': 'kubectl-edit', 'operation': 'Update',"
	    "   'time': '2026-11-22T20:15:59Z', 'fieldsV1': {'f:spec': {'.': {}, 'f:http': {}}}}]},"
	    " 'spec': {'hosts': ['web'], 'http': %s}}",
	    http);
	json_t *service = J(text);

	free(text);
	return service;
}

#endif
