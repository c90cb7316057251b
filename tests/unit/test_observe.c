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
	    cmocka_unit_test(test_preflight_all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
