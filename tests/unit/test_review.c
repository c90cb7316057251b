/* What airisd may write, and what there is room for, is asked of the API server before a start. */
#include "cluster_fake.h"

#include "cluster/port_review.h"

static struct {
	int asked, open, most_open, answers, status;
	bool holds; /* no answer for now */
	const char *denied, *body;
	int nodes, pods;  /* pages that were asked for */
	int node_status;  /* of the answer, */
	const char *node; /* and the one node in it; NULL: a large one */
	const char *more; /* continue of each page of pods; NULL: it is the last one */
	int page;	  /* pods in each */
	struct fake_conn *held[64];
	struct findings found;
} api;

static void
answer_review(struct fake_conn *conn)
{
	bool denied = api.denied != NULL && strstr(conn->body, api.denied) != NULL;

	fake_answer(conn, api.status,
	    api.body != NULL ? api.body
	    : denied	     ? "{\"status\": {\"allowed\": false}}"
			     : "{\"status\": {\"allowed\": true}}");
}

#define NODE(cpu)                                                                                  \
	"{\"metadata\": {\"name\": \"a\"}, \"status\": {\"conditions\": [{\"type\": \"Ready\", "   \
	"\"status\": \"True\"}], \"allocatable\": {\"cpu\": \"" cpu "\", \"memory\": \"1Gi\", "    \
	"\"pods\": 99}}}"

static void
answer_nodes(struct fake_conn *conn)
{
	char *body =
	    str_format("{\"metadata\": {}, \"items\": [%s]}", api.node ? api.node : NODE("99"));

	api.nodes++;
	fake_answer(conn, api.node_status != 0 ? api.node_status : 200, body);
	free(body);
}

static void
answer_pods(struct fake_conn *conn)
{
	struct str body;

	assert_non_null(strstr(conn->path,
	    "fieldSelector=spec.nodeName%21%3D%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3D"
	    "Failed"));
	assert_true((api.pods++ > 0) == (strstr(conn->path, "&continue=a%2Bb") != NULL));
	str_init(&body, 0);
	str_addf(
	    &body, "{\"metadata\": {\"continue\": \"%s\"}, \"items\": [", api.more ? api.more : "");
	for (int i = 0; i < api.page; i++)
		str_addf(&body, "%s{}", i > 0 ? "," : "");
	str_add(&body, "]}");
	fake_answer(conn, 200, str_text(&body));
	str_done(&body);
}

static void
on_review_request(struct fake_conn *conn)
{
	if (str_starts(conn->path, "/api/v1/nodes?limit=")) {
		answer_nodes(conn);
		return;
	}
	if (str_starts(conn->path, "/api/v1/pods?limit=")) {
		answer_pods(conn);
		return;
	}
	if (strstr(conn->path, "selfsubjectaccessreviews") == NULL) {
		fake_answer(conn, 200, "{}");
		return;
	}
	assert_string_equal(conn->method, "POST");
	api.asked++;
	if (api.holds)
		api.held[api.open++] = conn;
	else
		answer_review(conn);
	if (api.open > api.most_open)
		api.most_open = api.open;
}

static void
on_found(void *ctx, uint64_t number, const struct findings *found)
{
	(void)ctx;
	(void)number;
	api.answers++;
	findings_take(&api.found.problems, &found->problems);
	findings_take(&api.found.warnings, &found->warnings);
}

static bool
is_answered(void)
{
	return api.answers > 0;
}

static uint64_t
ask(void)
{
	return room.port.review(room.port.ctx, &room.app, on_found, NULL);
}

static void
begin(void)
{
	memset(&api, 0, sizeof(api));
	api.status = 201;
	room_begin(TRAFFIC_HOST);
	room.elsewhere = on_review_request;
	room_follow();
}

static void
end(void)
{
	room_end();
	findings_done(&api.found);
}

static void
each_right_is_asked_for_once(void **state)
{
	(void)state;
	begin();
	api.denied = "virtualservices";
	assert_int_not_equal(ask(), 0);
	assert_int_equal(api.answers, 0); /* never from within the call */
	assert_true(run_until(room.loop, is_answered, 2000));
	assert_int_equal(api.answers, 1);
	/* web, web-canary (patch, create, delete), the route, and the Service that is there */
	assert_int_equal(api.asked, 6);
	assert_int_equal(api.found.problems.count, 1);
	assert_non_null(
	    strstr(api.found.problems.items[0].text, "may not patch virtualservices web"));
	assert_int_equal(api.found.warnings.count, 0);
	end();
}

/* They are asked at once: the answers come in any order. */
static bool
is_warned(const char *of)
{
	for (size_t i = 0; i < api.found.warnings.count; i++)
		if (strstr(api.found.warnings.items[i].text, of) != NULL)
			return true;
	return false;
}

static void
quotas_and_budgets_are_read_too(void **state)
{
	(void)state;
	begin();
	room_put("resourcequotas/q",
	    J("{'metadata': {'name': 'q'}, 'status': {'hard': {'pods': '4'}, 'used': {'pods': "
	      "'3'}}}"));
	room_put("poddisruptionbudgets/b",
	    J("{'metadata': {'name': 'b'}, 'spec': {'selector': {}}, 'status': "
	      "{'disruptionsAllowed': 0, 'expectedPods': 3}}"));
	ask();
	assert_true(run_until(room.loop, is_answered, 2000));
	assert_int_equal(api.found.problems.count, 0);
	assert_int_equal(api.found.warnings.count, 2);
	assert_true(is_warned("ResourceQuota q in namespace prod"));
	assert_true(is_warned("PodDisruptionBudget b allows"));
	end();
}

/* --- room on the nodes --- */

static int awaited;

static bool
so_many_are_answered(void)
{
	return api.answers == awaited;
}

static void
ask_often(int times)
{
	awaited = api.answers + times;
	for (int i = 0; i < times; i++)
		ask();
	assert_true(run_until(room.loop, so_many_are_answered, 4000));
}

static void
room_is_read_once_for_all(void **state)
{
	(void)state;
	begin();
	ask_often(5);
	ask_often(1);
	assert_int_equal(api.nodes, 1);
	assert_int_equal(api.pods, 1);
	assert_int_equal(api.found.problems.count + api.found.warnings.count, 0);
	end();
}

static void
nodes_without_room_are_said(void **state)
{
	(void)state;
	begin();
	room_put("deployments/web", web_deployment());
	api.node = "";
	ask_often(1);
	assert_int_equal(api.found.problems.count, 0);
	assert_int_equal(api.found.warnings.count, 1);
	assert_non_null(
	    strstr(api.found.warnings.items[0].text, "take them, 0 now, have room for 0 ("));
	end();
}

static void
who_may_not_list_nodes_is_told_once(void **state)
{
	(void)state;
	begin();
	api.node_status = 403;
	ask_often(3);
	assert_int_equal(api.nodes, 1); /* nobody gives a right in a moment */
	assert_int_equal(api.pods, 0);
	assert_int_equal(api.found.problems.count, 0);
	assert_int_equal(api.found.warnings.count, 1);
	assert_non_null(strstr(api.found.warnings.items[0].text,
	    "is not counted, and not needed for one: airisd may not list the nodes of the cluster; "
	    "config/rbac.yaml has the ClusterRole"));
	end();
}

static void
of_a_large_cluster_no_more_is_read_than_the_bound(void **state)
{
	(void)state;
	begin();
	api.more = "a+b";
	api.page = 500;
	ask_often(1);
	assert_int_equal(api.pods, 10);
	assert_int_equal(api.found.warnings.count, 1);
	assert_non_null(
	    strstr(api.found.warnings.items[0].text, ": the cluster has more than 5000 pods"));
	ask_often(1);
	assert_int_equal(api.pods, 10);
	end();
}

static void
an_answer_that_is_no_list_is_not_counted(void **state)
{
	(void)state;
	begin();
	api.node = "0], \"items\": [";
	api.node_status = 200;
	ask_often(1);
	assert_int_equal(api.found.warnings.count, 1);
	assert_non_null(strstr(api.found.warnings.items[0].text, "is not counted"));
	end();
}

static void
who_may_not_ask_is_warned_once(void **state)
{
	(void)state;
	begin();
	api.status = 403;
	api.body = "{\"kind\": \"Status\", \"reason\": \"Forbidden\", \"message\": \"no reviews\"}";
	ask();
	assert_true(run_until(room.loop, is_answered, 2000));
	assert_int_equal(api.found.problems.count, 0);
	assert_int_equal(api.found.warnings.count, 1);
	assert_non_null(strstr(api.found.warnings.items[0].text, "HTTP 403 Forbidden: no reviews"));
	end();
}

static void
an_answer_that_says_nothing_is_a_warning(void **state)
{
	(void)state;
	begin();
	api.body = "{\"status\": {}}";
	ask();
	assert_true(run_until(room.loop, is_answered, 2000));
	assert_int_equal(api.found.problems.count, 0);
	assert_int_equal(api.found.warnings.count, 1);
	end();
}

static void
few_are_under_way_at_a_time(void **state)
{
	(void)state;
	begin();
	api.holds = true;
	for (int i = 0; i < 5; i++)
		ask();
	(void)run_until(room.loop, never, 150);
	assert_int_equal(api.most_open, 8);
	api.holds = false;
	for (int i = 0; i < api.open; i++)
		answer_review(api.held[i]);
	(void)run_until(room.loop, never, 300);
	assert_int_equal(api.answers, 5);
	assert_int_equal(api.asked, 30);
	end();
}

static void
what_is_cancelled_never_comes(void **state)
{
	uint64_t first;

	(void)state;
	begin();
	api.holds = true;
	first = ask();
	ask();
	(void)run_until(room.loop, never, 50);
	room.port.review_cancel(room.port.ctx, first);
	room.port.review_cancel(room.port.ctx, 12345); /* unknown */
	api.holds = false;
	api.open = 0;
	(void)run_until(room.loop, is_answered, 1000); /* the second has its places */
	assert_true(api.asked >= 12);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_right_is_asked_for_once),
	    cmocka_unit_test(quotas_and_budgets_are_read_too),
	    cmocka_unit_test(room_is_read_once_for_all),
	    cmocka_unit_test(nodes_without_room_are_said),
	    cmocka_unit_test(who_may_not_list_nodes_is_told_once),
	    cmocka_unit_test(of_a_large_cluster_no_more_is_read_than_the_bound),
	    cmocka_unit_test(an_answer_that_is_no_list_is_not_counted),
	    cmocka_unit_test(who_may_not_ask_is_warned_once),
	    cmocka_unit_test(an_answer_that_says_nothing_is_a_warning),
	    cmocka_unit_test(few_are_under_way_at_a_time),
	    cmocka_unit_test(what_is_cancelled_never_comes),
	};
	return cmocka_run_group_tests_name("review", tests, NULL, NULL);
}
