/* Observing: the parts come together, and what forbids a start is said. */
#include "cluster_objects.h"

#include "cluster/observe.h"

static struct observe_objects
objects_of(void)
{
	struct observe_objects o;

	observe_init(&o);
	o.stable = web_deployment();
	o.service = web_service();
	o.route = web_routes("[{'route': [{'destination': {'host': 'web'}}]}]");
	return o;
}

static struct observed
look(const struct app *app, struct observe_objects *objects)
{
	struct observed seen;

	memset(&seen, 7, sizeof(seen));
	observe_look(app, "web:v2", objects, -1, &seen);
	observe_done(objects);
	return seen;
}

static void
assert_forbidden(const struct app *app, struct observe_objects *objects, const char *text)
{
	struct observed seen = look(app, objects);

	if (strstr(seen.preflight, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", seen.preflight, text);
}

static void
assert_allowed(const struct app *app, struct observe_objects *objects)
{
	struct observed seen = look(app, objects);

	assert_string_equal(seen.preflight, "");
}

#define PODS(uid, set, image)                                                                      \
	"[{'metadata': {'name': '" uid "', 'uid': '" uid "', 'labels': {'track': 'main'}},"        \
	" 'spec': {'containers': [{'name': 'c', 'image': '" image "'}]},"                          \
	" 'status': {'conditions': [{'type': 'Ready', 'status': 'True'}]}}]"
#define SLICE(uid) "[{'endpoints': [{'targetRef': {'uid': '" uid "'}}]}]"

static void
set(json_t **slot, const char *text)
{
	json_decref(*slot);
	*slot = J(text);
}

static void
test_host_at_rest(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();
	struct observed seen;

	(void)state;
	set(&o.stable_pods, PODS("p1", "r", "web:v1"));
	set(&o.slices, SLICE("p1"));
	seen = look(&app, &o);
	assert_string_equal(seen.preflight, "");
	assert_true(seen.stable.exists && seen.service && seen.route.exists && seen.route.fits);
	assert_false(seen.canary.exists || seen.canary_service || seen.service_selects_canary);
	assert_int_equal(seen.stable.ready, 1);
	assert_int_equal(seen.stable.ready_new, 0);
	assert_int_equal(seen.canary.replicas, -1);
	assert_false(seen.hpa.exists || seen.subsets.exists || seen.fresh);
	assert_true(seen.verified_ms == 0);
}

static void
test_host_sides_have_their_own_endpoints(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();
	struct observed seen;

	(void)state;
	o.canary =
	    J("{'metadata': {'name': 'web-canary', " OURS "}, 'spec': {'replicas': 1, 'template':"
	      " {'metadata': {'labels': {'app': 'web-canary'}}}}}");
	o.canary_service =
	    J("{'metadata': {" OURS "}, 'spec': {'selector': {'app': 'web-canary'}}}");
	set(&o.stable_pods, PODS("p1", "r", "web:v1"));
	set(&o.canary_pods, PODS("p2", "s", "web:v2"));
	set(&o.slices, SLICE("p2")); /* as after a foreign edit of the selector */
	set(&o.canary_slices, SLICE("p2"));
	set(&o.hpas, "[{'metadata': {'name': 'h'}, 'spec': {'minReplicas': 2, 'maxReplicas': 5}}]");
	seen = look(&app, &o);
	assert_int_equal(seen.stable.ready, 0);
	assert_int_equal(seen.canary.ready, 1);
	assert_int_equal(seen.canary.ready_new, 1);
	assert_true(seen.canary.ours && seen.canary_service && seen.canary_service_ours);
	assert_true(seen.hpa.exists);
	assert_string_equal(seen.hpa.name, "h");
	assert_int_equal(seen.hpa.min, 2);
	assert_int_equal(seen.hpa.max, 5);
	assert_string_equal(seen.preflight, "");
}

static void
test_subset_sides_share_a_service(void **state)
{
	struct app app = app_of(TRAFFIC_SUBSET);
	struct observe_objects o = objects_of();
	struct observed seen;

	(void)state;
	o.canary =
	    J("{'metadata': {'name': 'web-canary', " OURS "}, 'spec': {'template': {'metadata':"
	      " {'labels': {'app': 'web', 'track': 'canary'}}}}}");
	set(&o.stable_pods, PODS("p1", "r", "web:v1"));
	set(&o.canary_pods, PODS("p2", "s", "web:v2"));
	set(&o.slices,
	    "[{'endpoints': [{'targetRef': {'uid': 'p1'}}, {'targetRef': {'uid': 'p2'}}]}]");
	seen = look(&app, &o);
	assert_int_equal(seen.stable.ready, 1);
	assert_int_equal(seen.canary.ready, 1);
	assert_true(seen.subsets.stable_fits);
	assert_string_equal(seen.preflight, "");
}

static void
test_preflight_workload(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();

	(void)state;
	json_decref(o.stable);
	o.stable = NULL;
	assert_forbidden(&app, &o, "Deployment prod/web does not exist");
	o = objects_of();
	json_object_set_new(json_object_get(o.stable, "spec"), "paused", json_true());
	assert_forbidden(&app, &o, "is paused");
	o = objects_of();
	str_copy(app.container, sizeof(app.container), "x");
	assert_forbidden(&app, &o, "no container x");
	app.container[0] = '\0';
	o = objects_of();
	set(&o.hpas, "[{}, {}]");
	assert_forbidden(&app, &o, "several HorizontalPodAutoscalers");
	o = objects_of();
	o.canary = web_deployment();
	assert_forbidden(&app, &o, "web-canary exists and airisd did not make it");
	o = objects_of();
	memset(app.canary, 'a', 70);
	assert_forbidden(&app, &o, "70 characters");
}

static void
test_preflight_services(void **state)
{
	struct app app = app_of(TRAFFIC_HOST), subset = app_of(TRAFFIC_SUBSET);
	struct observe_objects o = objects_of();
	json_t *spec;

	(void)state;
	json_decref(o.service);
	o.service = NULL;
	assert_forbidden(&app, &o, "Service prod/web does not exist");
	o = objects_of();
	json_object_set_new(json_object_get(o.service, "spec"), "selector", J("{'app': 'other'}"));
	assert_forbidden(&app, &o, "does not select the pods of Deployment web");
	/* A canary Service of the user's that does not tell the sides apart. */
	o = objects_of();
	o.canary_service = J("{'spec': {'selector': {'app': 'web'}}}");
	assert_forbidden(&app, &o, "would select the canary's pods too");
	o = objects_of();
	o.canary_service = J("{'spec': {'selector': {'app': 'web-next'}}}");
	assert_forbidden(&app, &o, "");
	/* Subset mode: the Service must select both sides. */
	o = objects_of();
	spec = json_object_get(o.service, "spec");
	json_object_set_new(spec, "selector", J("{'app': 'web', 'track': 'main'}"));
	assert_forbidden(&subset, &o, "in subset mode it must select both");
	o = objects_of();
	json_object_del(jsonx_at(o.stable, "spec.template.metadata.labels"), "track");
	assert_forbidden(&subset, &o, "add track: stable");
}

static void
test_preflight_route(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();

	(void)state;
	json_decref(o.route);
	o.route = NULL;
	assert_forbidden(&app, &o, "VirtualService prod/web does not exist");
	o = objects_of();
	set(&o.route, "{'spec': {'http': []}}");
	assert_forbidden(&app, &o, "no http route");
	o = objects_of();
	json_decref(o.route);
	o.route = web_routes("[{'route': [{'destination': {'host': 'web'}, 'weight': 80},"
			     " {'destination': {'host': 'web-canary'}, 'weight': 20}]}]");
	assert_forbidden(&app, &o, "already gives the canary 20 percent");
	o = objects_of();
	json_decref(o.route);
	o.route = web_routes("[{'route': [{'destination': {'host': 'web'}, 'weight': 1}]}]");
	assert_forbidden(&app, &o, "too coarse for 10 %");
}

static struct app
rolling_app(const char *service)
{
	struct app app = app_of(TRAFFIC_HOST);

	app.rolls = true;
	app.canary[0] = '\0';
	app.batch.surge = (struct share_spec){25, true};
	app.traffic = (struct traffic_spec){.kind = TRAFFIC_NONE};
	str_copy(app.traffic.service, sizeof(app.traffic.service), service);
	return app;
}

/* One side, no route; its Service's endpoints count, if it has one. */
static void
test_rolling(void **state)
{
	struct app app = rolling_app(""), served = rolling_app("web");
	struct observe_objects o = objects_of();
	struct observed seen;

	(void)state;
	set(&o.stable_pods, PODS("p1", "r", "web:v1"));
	seen = look(&app, &o);
	assert_string_equal(seen.preflight, "");
	assert_false(seen.route.exists || seen.canary.exists);
	assert_int_equal(seen.stable.ready, 1);
	o = objects_of();
	set(&o.stable_pods, PODS("p1", "r", "web:v1"));
	seen = look(&served, &o);
	assert_int_equal(seen.stable.ready, 0); /* it is in no slice */
	o = objects_of();
	app.batch.surge = (struct share_spec){0};
	assert_forbidden(&app, &o, "no pod of 3 can be replaced");
	o = objects_of();
	set(&o.service, "{'metadata': {'name': 'web'}, 'spec': {}}");
	assert_forbidden(&served, &o, "select");
}

static void
set_ports(json_t *service, const char *ports)
{
	json_object_set_new(json_object_get(service, "spec"), "ports", J(ports));
}

static void
test_preflight_ports(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();

	(void)state;
	json_decref(o.route);
	o.route = web_routes("[{'route': [{'destination': {'host': 'web.prod.svc', 'port': "
			     "{'number': 81}}}]}]");
	assert_forbidden(
	    &app, &o, "VirtualService web leads to port 81 of Service web, which has 80");
	o = objects_of();
	json_decref(o.route);
	o.route = web_routes(
	    "[{'route': [{'destination': {'host': 'web', 'port': {'number': 80}}, 'weight': 100},"
	    " {'destination': {'host': 'else', 'port': {'number': 9}}, 'weight': 0}]}]");
	assert_allowed(&app, &o);
	o = objects_of();
	set_ports(o.service, "[{'port': 80, 'targetPort': 'http'}]");
	assert_forbidden(
	    &app, &o, "the port named \"http\", which no container of Deployment web has");
	o = objects_of();
	set_ports(o.service, "[{'port': 80, 'targetPort': 'http'}]");
	json_object_set_new(json_array_get(jsonx_at(o.stable, "spec.template.spec.containers"), 1),
	    "ports", J("[{'name': 'http', 'containerPort': 8080}]"));
	assert_allowed(&app, &o);
	/* A canary Service of the user's. */
	o = objects_of();
	o.canary_service =
	    J("{'spec': {'selector': {'app': 'web-next'}, 'ports': [{'port': 81}]}}");
	assert_forbidden(&app, &o, "Service web has port 80 and Service web-canary has 81");
	o = objects_of();
	o.canary_service =
	    J("{'spec': {'selector': {'app': 'web-next'}, 'ports': [{'port': 80}]}}");
	assert_allowed(&app, &o);
}

/* A VirtualService beside the app's: its spec but for the http routes, and its age. */
static json_t *
beside(const char *spec, const char *created)
{
	char *text =
	    str_format("[{'metadata': {'name': 'other', 'creationTimestamp': '%s'}, 'spec': %s}]",
		created, spec);
	json_t *list = J(text);

	free(text);
	return list;
}

#define OLDER "2026-01-01T00:00:00Z"
#define YOUNGER "2026-12-01T00:00:00Z"

static struct observed
look_beside(const char *ours, const char *theirs, const char *created)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();

	json_object_set_new(json_object_get(o.route, "metadata"), "creationTimestamp",
	    json_string("2026-06-01T00:00:00Z"));
	json_object_update_new(json_object_get(o.route, "spec"), J(ours));
	json_decref(o.routes);
	o.routes = beside(theirs, created);
	return look(&app, &o);
}

static void
test_preflight_hosts(void **state)
{
	struct observed seen = look_beside("{}", "{'hosts': ['x', 'web.prod.svc']}", OLDER);

	(void)state;
	assert_non_null(
	    strstr(seen.preflight, "VirtualService other has host web at gateway mesh too "
				   "and is older"));
	assert_string_equal(seen.warnings, "");
	seen = look_beside("{}", "{'hosts': ['web']}", YOUNGER);
	assert_string_equal(seen.preflight, "");
	assert_non_null(strstr(seen.warnings, "VirtualService other has host web at gateway mesh"));
	seen = look_beside("{}", "{'hosts': ['web'], 'exportTo': ['x']}", OLDER);
	assert_string_equal(seen.preflight, "");
	assert_non_null(strstr(seen.warnings, "other"));
	/* Gateways put several together; of another one, or another host, nothing is said. */
	seen = look_beside(
	    "{'gateways': ['prod/edge']}", "{'hosts': ['web'], 'gateways': ['edge']}", OLDER);
	assert_string_equal(seen.preflight, "");
	assert_non_null(strstr(seen.warnings, "at gateway edge too"));
	seen = look_beside("{'gateways': ['edge']}", "{'hosts': ['web']}", OLDER);
	assert_true(seen.preflight[0] == '\0' && seen.warnings[0] == '\0');
	seen = look_beside("{}", "{'hosts': ['web.other', '*']}", OLDER);
	assert_true(seen.preflight[0] == '\0' && seen.warnings[0] == '\0');
}

static void
test_warns_of_hpas(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();
	struct observed seen;

	(void)state;
	set(&o.hpas, "[{'metadata': {'name': 'h'}, 'spec': {'maxReplicas': 2}}]");
	set(&o.canary_hpas, "[{'metadata': {'name': 'c'}}]");
	seen = look(&app, &o);
	assert_string_equal(seen.preflight, "");
	assert_non_null(
	    strstr(seen.warnings, "HorizontalPodAutoscaler c scales Deployment web-canary"));
	assert_non_null(
	    strstr(seen.warnings, "HorizontalPodAutoscaler h allows 2 pods and Deployment "
				  "web has 3"));
}

/* All at once, one a line; what builds on a broken part is not judged. */
static void
test_preflight_all_at_once(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct observe_objects o = objects_of();
	struct observed seen;

	(void)state;
	json_object_set_new(json_object_get(o.stable, "spec"), "paused", json_true());
	json_object_set_new(json_object_get(o.service, "spec"), "selector", J("{'app': 'other'}"));
	set(&o.hpas, "[{}, {}]");
	set(&o.route, "{'spec': {'http': []}}");
	seen = look(&app, &o);
	for (const char *const *text = (const char *const[]){"is paused", "does not select",
		 "several HorizontalPodAutoscalers", "no http route", NULL};
	     *text != NULL; text++)
		if (strstr(seen.preflight, *text) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", seen.preflight, *text);
	assert_null(strstr(seen.preflight, "would select"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_host_at_rest),
	    cmocka_unit_test(test_host_sides_have_their_own_endpoints),
	    cmocka_unit_test(test_subset_sides_share_a_service),
	    cmocka_unit_test(test_rolling),
	    cmocka_unit_test(test_preflight_workload),
	    cmocka_unit_test(test_preflight_services),
	    cmocka_unit_test(test_preflight_route),
	    cmocka_unit_test(test_preflight_ports),
	    cmocka_unit_test(test_preflight_hosts),
	    cmocka_unit_test(test_warns_of_hpas),
	    cmocka_unit_test(test_preflight_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
