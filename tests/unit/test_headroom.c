/* Room for the pods that a rollout adds: what quotas leave, what disruption budgets allow. */
#include "cluster_objects.h"

#include "cluster/headroom.h"

static struct observe_objects o;
static struct headroom room;
static struct findings found;

static int
setup(void **state)
{
	(void)state;
	observe_init(&o);
	o.stable =
	    J("{'spec': {'replicas': 3, 'template': {'metadata': {'labels': {'app': 'web'}}, "
	      "'spec': {'containers': ["
	      "{'resources': {'requests': {'cpu': '250m', 'memory': '64Mi'}}}, "
	      "{'resources': {'limits': {'cpu': '0.25', 'memory': '64Mi'}}}, {}], "
	      "'initContainers': [{'resources': {'requests': {'cpu': '100m', 'memory': "
	      "'256Mi'}}}]}}}}");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	headroom_done(&room);
	findings_done(&found);
	observe_done(&o);
	return 0;
}

static void
a_canary_adds_as_many_as_there_are(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	headroom_of(&app, &o, &room);
	assert_int_equal(room.pods, 3);
	assert_true(room.needs[ROOM_PODS] == 3);
	assert_true(room.needs[ROOM_CPU] == 3 * 0.5);		     /* a limit is a request too */
	assert_true(room.needs[ROOM_MEMORY] == 3 * 256.0 * 1048576); /* the one before them */
	assert_true(room.needs[ROOM_CPU_LIMIT] == 3 * 0.25);
	headroom_done(&room);
	o.canary = J("{'spec': {'replicas': 2}}"); /* a colour at rest, or what was left */
	headroom_of(&app, &o, &room);
	assert_int_equal(room.pods, 1);
	headroom_done(&room);
	app.rolls = true;
	app.batch.surge = (struct share_spec){.number = 25, .percent = true};
	headroom_of(&app, &o, &room);
	assert_int_equal(room.pods, 1);
}

/* What is found in one quota with this status. */
static const char *
of_quota(const char *hard, const char *used, const char *more)
{
	struct app app = app_of(TRAFFIC_HOST);
	char *text = str_format("{'items': [{'metadata': {'name': 'q'}, 'spec': {%s}, "
				"'status': {'hard': %s, 'used': %s}}]}",
	    more, hard, used);
	json_t *list = J(text);

	free(text);
	headroom_done(&room);
	findings_done(&found);
	headroom_of(&app, &o, &room);
	headroom_quotas(&room, list, &found);
	json_decref(list);
	assert_int_equal(found.problems.count, 0);
	return found.warnings.count > 0 ? found.warnings.items[0].text : NULL;
}

static void
what_a_quota_does_not_leave_is_said(void **state)
{
	(void)state;
	assert_null(of_quota("{'pods': '10'}", "{'pods': '7'}", ""));
	assert_string_equal(of_quota("{'pods': '10'}", "{'pods': '8'}", ""),
	    "ResourceQuota q in namespace prod has 2 pods left, and a rollout of Deployment web "
	    "adds "
	    "up to 3 pods, which need 3: raise it, or it waits for room until its deadline");
	assert_null(of_quota("{'requests.cpu': '2'}", "{'requests.cpu': '500m'}", ""));
	assert_non_null(strstr(of_quota("{'requests.cpu': '2'}", "{'requests.cpu': '600m'}", ""),
	    "has 1.4 requests.cpu left"));
	assert_non_null(of_quota("{'memory': '1Gi'}", "{'memory': '512Mi'}", ""));
	assert_non_null(of_quota("{'limits.cpu': '700m'}", "{'limits.cpu': '0'}", ""));
	assert_non_null(
	    strstr(of_quota("{'count/pods': '1'}", "{'count/pods': '4'}", ""), "has 0 "));
	assert_null(of_quota("{'services': '1'}", "{'services': '1'}", ""));
	assert_null(of_quota("{'pods': '1'}", "{}", "")); /* not counted yet */
	assert_null(of_quota("{'pods': '1'}", "{'pods': '1'}", "'scopes': ['BestEffort']"));
}

static int
of_budget(const char *selector, int allowed, int expected)
{
	struct app app = app_of(TRAFFIC_HOST);
	char *text = str_format("{'items': [{'metadata': {'name': 'b'}, 'spec': {'selector': %s}, "
				"'status': {'disruptionsAllowed': %d, 'expectedPods': %d, "
				"'currentHealthy': 3}}]}",
	    selector, allowed, expected);
	json_t *list = J(text);

	free(text);
	headroom_done(&room);
	findings_done(&found);
	headroom_of(&app, &o, &room);
	headroom_budgets(&room, list, &found);
	json_decref(list);
	assert_int_equal(found.problems.count, 0);
	return (int)found.warnings.count;
}

static void
a_budget_that_allows_none_is_said(void **state)
{
	(void)state;
	assert_int_equal(of_budget("{'matchLabels': {'app': 'web'}}", 0, 3), 1);
	assert_non_null(
	    strstr(found.warnings.items[0].text, "PodDisruptionBudget b allows none of the pods of "
						 "Deployment web to be evicted (3 of 3"));
	assert_int_equal(of_budget("{}", 0, 3), 1);
	assert_int_equal(of_budget("{'matchLabels': {'app': 'web'}}", 1, 3), 0);
	assert_int_equal(of_budget("{'matchLabels': {'app': 'web'}}", 0, 0), 0);
	assert_int_equal(of_budget("{'matchLabels': {'app': 'other'}}", 0, 3), 0);
	assert_int_equal(
	    of_budget("{'matchExpressions': [{'key': 'app', 'operator': 'Exists'}]}", 0, 3), 1);
	assert_int_equal(
	    of_budget("{'matchExpressions': [{'key': 'tier', 'operator': 'Exists'}]}", 0, 3), 0);
	assert_int_equal(of_budget("null", 0, 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_canary_adds_as_many_as_there_are, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_a_quota_does_not_leave_is_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_budget_that_allows_none_is_said, setup, teardown),
	};
	return cmocka_run_group_tests_name("headroom", tests, NULL, NULL);
}
