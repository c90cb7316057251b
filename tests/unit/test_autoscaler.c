/* What scales a workload: an HPA, or a ScaledObject of KEDA's, whose bounds and target are written
 * to it and not to the HPA that KEDA makes of it. */
#include "cluster_objects.h"

#include "cluster/act_plan.h"
#include "cluster/autoscaler.h"

#define SCALED(spec)                                                                               \
	"{'metadata': {'name': 's', 'uid': 'u', 'resourceVersion': '7'}, 'spec': "                 \
	"{'scaleTargetRef': {'name': 'web'}" spec "}}"
#define ITS_HPA(target, min)                                                                       \
	"{'metadata': {'name': 'keda-hpa-s', 'ownerReferences': [{'apiVersion': "                  \
	"'keda.sh/v1alpha1', 'kind': 'ScaledObject', 'name': 's', 'controller': true}]}, 'spec': " \
	"{'scaleTargetRef': {'kind': 'Deployment', 'name': '" target "'}, 'minReplicas': " min     \
	", 'maxReplicas': 9}}"
#define OWN_HPA "{'metadata': {'name': 'h'}, 'spec': {'minReplicas': 2, 'maxReplicas': 5}}"

static struct app app;
static struct observe_objects o;
static struct baseline baseline;

static int
begin(void **state)
{
	(void)state;
	app = app_of(TRAFFIC_HOST);
	observe_init(&o);
	o.stable = web_deployment();
	o.service = web_service();
	o.route = web_routes("[{'route': [{'destination': {'host': 'web'}}]}]");
	memset(&baseline, 0, sizeof(baseline));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	observe_done(&o);
	return 0;
}

static void
add(json_t *to, const char *text)
{
	json_array_append_new(to, J(text));
}

static struct observed
look(void)
{
	struct observed seen;

	observe_look(&app, "web:v2", &o, -1, &seen);
	return seen;
}

static void
expect_floor(int min, int max, bool bare)
{
	struct hpa_seen hpa = look().hpa;

	assert_true(hpa.exists && hpa.keda);
	assert_string_equal(hpa.name, "s");
	assert_int_equal(hpa.min, min);
	assert_int_equal(hpa.max, max);
	assert_int_equal(hpa.bare, bare);
}

static void
the_users_own_hpa(void **state)
{
	struct hpa_seen hpa;

	(void)state;
	add(o.hpas, OWN_HPA);
	hpa = look().hpa;
	assert_true(hpa.exists);
	assert_false(hpa.keda || hpa.bare || hpa.idles || hpa.paused);
	assert_string_equal(hpa.name, "h");
	assert_string_equal(hpa.lags, "");
}

/* Its own words, not those of its HPA; with KEDA's defaults. */
static void
a_scaled_object_is_read(void **state)
{
	(void)state;
	add(o.scaled, SCALED(""));
	add(o.hpas, ITS_HPA("web", "1"));
	expect_floor(0, 100, true);
	assert_string_equal(look().hpa.lags, "");
	assert_string_equal(look().preflight, "");
	json_array_clear(o.scaled);
	add(o.scaled, SCALED(", 'minReplicaCount': 0, 'maxReplicaCount': 6"));
	expect_floor(0, 6, false);
	assert_false(look().hpa.idles);
	json_array_clear(o.scaled);
	add(o.scaled, SCALED(", 'minReplicaCount': 2, 'idleReplicaCount': 0"));
	expect_floor(2, 100, false);
	assert_true(look().hpa.idles && look().hpa.idle == 0);
}

/* Until its HPA has the same target and floor; what is paused has none to wait for. */
static void
keda_lags(void **state)
{
	(void)state;
	add(o.scaled, SCALED(", 'minReplicaCount': 4"));
	assert_string_equal(look().hpa.lags, "");
	add(o.hpas, ITS_HPA("web", "1"));
	assert_string_equal(look().hpa.lags, "keda-hpa-s");
	json_array_clear(o.hpas);
	add(o.hpas, ITS_HPA("web", "4"));
	assert_string_equal(look().hpa.lags, "");
	json_array_clear(o.hpas);
	add(o.hpas, ITS_HPA("web-green", "4"));
	assert_string_equal(look().hpa.lags, "keda-hpa-s");
	json_object_set_new(json_object_get(json_array_get(o.scaled, 0), "metadata"), "annotations",
	    J("{'autoscaling.keda.sh/paused': 'true'}"));
	assert_string_equal(look().hpa.lags, "");
	assert_true(look().hpa.paused);
}

/* --- what is written --- */

static struct act_plan
plan(enum act_kind kind, int number)
{
	struct act act = {.kind = kind, .number = number};
	struct act_plan plan;

	str_copy(act.text, sizeof(act.text), "s");
	act_plan(&app, &baseline, &act, &o, &plan);
	return plan;
}

/* NULL: nothing. */
static void
expect_sent(enum act_kind kind, int number, const char *patch)
{
	struct act_plan p = plan(kind, number);

	assert_int_equal(p.kind, KUBE_SCALEDOBJECTS);
	assert_string_equal(p.name, "s");
	assert_int_equal(p.send, patch != NULL);
	if (patch != NULL) {
		assert_int_equal(p.verb, ACT_PATCH);
		assert_patch(json_incref(p.body), "7", patch);
	} else {
		assert_int_equal(p.outcome, ACT_ALREADY);
	}
	act_plan_done(&p);
}

static void
the_floor_is_the_scaled_objects(void **state)
{
	(void)state;
	add(o.scaled, SCALED(""));
	add(o.hpas, ITS_HPA("web", "1"));
	expect_sent(
	    ACT_HPA_FLOOR, 3, "[{'op': 'add', 'path': '/spec/minReplicaCount', 'value': 3}]");
	json_array_clear(o.scaled);
	add(o.scaled, SCALED(", 'minReplicaCount': 3"));
	expect_sent(ACT_HPA_FLOOR, 3, NULL);
}

/* With an idle count no floor holds: it goes for the time, too. */
static void
an_idle_count_goes(void **state)
{
	(void)state;
	add(o.scaled, SCALED(", 'minReplicaCount': 3, 'idleReplicaCount': 0"));
	expect_sent(ACT_HPA_FLOOR, 3, "[{'op': 'remove', 'path': '/spec/idleReplicaCount'}]");
}

/* Absent is absent again, and what was there is there again. */
static void
all_comes_back_as_it_was(void **state)
{
	(void)state;
	baseline = (struct baseline){.hpa_min = 0, .keda = true, .keda_bare = true};
	add(o.scaled, SCALED(", 'minReplicaCount': 3"));
	expect_sent(
	    ACT_HPA_FLOOR, ACT_AS_IT_WAS, "[{'op': 'remove', 'path': '/spec/minReplicaCount'}]");
	baseline = (struct baseline){.hpa_min = 0, .keda = true};
	expect_sent(ACT_HPA_FLOOR, ACT_AS_IT_WAS,
	    "[{'op': 'add', 'path': '/spec/minReplicaCount', 'value': 0}]");
	baseline =
	    (struct baseline){.hpa_min = 2, .keda = true, .keda_idles = true, .keda_idle = 0};
	expect_sent(ACT_HPA_FLOOR, ACT_AS_IT_WAS,
	    "[{'op': 'add', 'path': '/spec/minReplicaCount', 'value': 2},"
	    " {'op': 'add', 'path': '/spec/idleReplicaCount', 'value': 0}]");
	json_array_clear(o.scaled);
	add(o.scaled, SCALED(", 'minReplicaCount': 2, 'idleReplicaCount': 0"));
	expect_sent(ACT_HPA_FLOOR, ACT_AS_IT_WAS, NULL);
}

static void
it_follows_the_colour(void **state)
{
	(void)state;
	app.colours = app.sided = true;
	add(o.scaled, SCALED(""));
	add(o.hpas, ITS_HPA("web", "1"));
	expect_sent(ACT_FOLLOW_HPA, 100,
	    "[{'op': 'replace', 'path': '/spec/scaleTargetRef/name', 'value': 'web-canary'}]");
	expect_sent(ACT_FOLLOW_HPA, 0, NULL);
}

/* An HPA of KEDA's is never written to, nor is its workload ours to size. */
static void
one_that_is_not_seen(void **state)
{
	struct act_plan p;

	(void)state;
	add(o.hpas, ITS_HPA("web", "1"));
	assert_true(look().hpa.exists && look().hpa.keda);
	assert_non_null(strstr(look().preflight,
	    "HorizontalPodAutoscaler keda-hpa-s was made from ScaledObject s, which airisd does"));
	p = plan(ACT_HPA_FLOOR, 3);
	assert_false(p.send);
	assert_int_equal(p.outcome, ACT_CONFLICT);
	assert_string_equal(p.text, "ScaledObject s does not exist");
	act_plan_done(&p);
}

/* --- before a start --- */

static void
expect_refused(const char *text)
{
	struct observed seen = look();

	if (strstr(seen.preflight, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", seen.preflight, text);
}

static void
one_scales_alone(void **state)
{
	(void)state;
	add(o.scaled, SCALED(""));
	add(o.hpas, ITS_HPA("web", "1"));
	add(o.hpas, OWN_HPA);
	expect_refused("ScaledObject s and a HorizontalPodAutoscaler of your own both target");
	json_array_remove(o.hpas, 1);
	add(o.scaled, SCALED(""));
	expect_refused("several ScaledObjects target Deployment web: keep one");
}

static void
pause(const char *annotations)
{
	json_t *scaled = json_array_get(o.scaled, 0);

	json_object_set_new(json_object_get(scaled, "metadata"), "annotations", J(annotations));
}

/* The Deployment has three. */
static void
one_that_is_paused(void **state)
{
	(void)state;
	add(o.scaled, SCALED(""));
	pause("{'autoscaling.keda.sh/paused-replicas': '2'}");
	expect_refused("ScaledObject s is paused at 2 pods (autoscaling.keda.sh/paused-replicas) "
		       "and web has 3");
	for (int i = 0; i < 2; i++) {
		pause(i == 0 ? "{'autoscaling.keda.sh/paused-replicas': '3'}"
			     : "{'autoscaling.keda.sh/paused': 'true'}");
		assert_string_equal(look().preflight, "");
		assert_non_null(strstr(look().warnings, "ScaledObject s is paused"));
	}
	pause("{'autoscaling.keda.sh/paused': 'false'}");
	assert_string_equal(look().preflight, "");
	assert_string_equal(look().warnings, "");
}

static void
what_to_know_before(void **state)
{
	(void)state;
	add(o.scaled, SCALED(", 'maxReplicaCount': 2"));
	add(o.canary_hpas, ITS_HPA("web-canary", "1"));
	assert_non_null(strstr(look().warnings, "ScaledObject s allows 2 pods and Deployment web "
						"has 3: raise maxReplicaCount"));
	assert_non_null(strstr(look().warnings, "ScaledObject s scales Deployment web-canary"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_users_own_hpa, begin, end),
	    cmocka_unit_test_setup_teardown(a_scaled_object_is_read, begin, end),
	    cmocka_unit_test_setup_teardown(keda_lags, begin, end),
	    cmocka_unit_test_setup_teardown(the_floor_is_the_scaled_objects, begin, end),
	    cmocka_unit_test_setup_teardown(an_idle_count_goes, begin, end),
	    cmocka_unit_test_setup_teardown(all_comes_back_as_it_was, begin, end),
	    cmocka_unit_test_setup_teardown(it_follows_the_colour, begin, end),
	    cmocka_unit_test_setup_teardown(one_that_is_not_seen, begin, end),
	    cmocka_unit_test_setup_teardown(one_scales_alone, begin, end),
	    cmocka_unit_test_setup_teardown(one_that_is_paused, begin, end),
	    cmocka_unit_test_setup_teardown(what_to_know_before, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
