/* Acts carried out against an API server that answers in every way there is: exactly one answer
 * each, never from within the call, and the caches know what the cluster said. */
#include "cluster_fake.h"

#include "cluster/act_plan.h"

static char sent[4096];	  /* the last write: "METHOD PATH\nBODY" */
static char answer[4096]; /* what it is answered with */
static const char *headers;
static int status;

static int
answer_write(struct fake_conn *conn)
{
	str_print(sent, sizeof(sent), "%s %s\n%s", conn->method, conn->path, conn->body);
	fake_answer_with(conn, status, headers, answer);
	return 0;
}

static int
hang_up(struct fake_conn *conn)
{
	str_print(sent, sizeof(sent), "%s %s\n%s", conn->method, conn->path, conn->body);
	return -1;
}

static bool
is_answered(void)
{
	return room.answers > 0;
}

static void
act(enum act_kind kind, int number, const char *text)
{
	struct baseline baseline = {.uid = "d-web"};
	struct act wanted = {.kind = kind, .number = number};
	uint64_t n;

	str_copy(wanted.text, sizeof(wanted.text), text);
	sent[0] = '\0';
	room.reads = room.answers = 0;
	n = room.port.act(room.port.ctx, &room.app, &baseline, &wanted);
	assert_true(n != 0);
	assert_int_equal(room.answers, 0);
	assert_true(run_until(room.loop, is_answered, 5000));
	assert_true(room.number == n);
	(void)run_until(room.loop, never, 20);
	assert_int_equal(room.answers, 1);
}

static void
answers(int code, const char *reason, const char *message)
{
	status = code;
	headers = "";
	room.write = answer_write;
	str_print(answer, sizeof(answer),
	    "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"%s\",\"message\":\"%s\","
	    "\"code\":%d}",
	    reason, message, code);
}

static void
answers_object(int code, json_t *object)
{
	char *text = jsonx_dump(object);

	answers(code, "", "");
	str_copy(answer, sizeof(answer), text);
	free(text);
	json_decref(object);
}

static json_t *
routes_of(const char *version, int stable, int canary)
{
	char *text = str_format("[{'route': [{'destination': {'host': 'web'}, 'weight': %d},"
				" {'destination': {'host': 'web-canary'}, 'weight': %d}]}]",
	    stable, canary);
	json_t *service = web_routes(text);

	json_object_set_new(
	    json_object_get(service, "metadata"), "resourceVersion", json_string(version));
	free(text);
	return service;
}

static void
test_done_and_already(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	answers_object(200, routes_of("869", 90, 10));
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_DONE);
	assert_string_equal(room.text, "");
	assert_int_equal(room.reads, 0);
	assert_true(str_starts(sent, "PATCH "
				     "/apis/networking.istio.io/v1/namespaces/prod/virtualservices/"
				     "web?timeout=12s&fieldManager=airisd"));
	assert_non_null(strstr(sent, "\"value\":\"868\""));
	assert_int_equal(room_look().route.weight, 10); /* before any watch event */
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_ALREADY);
	assert_string_equal(sent, "");
	room_end();
}

static struct fake_conn *held;

static int
hold_write(struct fake_conn *conn)
{
	held = conn;
	return 0;
}

static void
answer_held(void *ctx)
{
	(void)ctx;
	fake_answer(held, status, answer);
}

/* A hung webhook keeps a write waiting for longer than any read may take. */
static void
test_a_slow_write_is_waited_for(void **state)
{
	struct loop_timer *timer;

	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	answers(500, "InternalError", "failed calling webhook: deadline exceeded");
	room.write = hold_write;
	timer = loop_timer_new(room.loop, answer_held, NULL);
	loop_timer_set(timer, 600); /* a read ends after 200 */
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_REFUSED);
	loop_timer_free(timer);
	room_end();
}

/* F56: what somebody else wrote meanwhile is read, and shows at the next look. */
static void
test_F56_conflict(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	answers(409, "Conflict", "the object has been modified");
	room_put("virtualservices/web", routes_of("900", 40, 60));
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_CONFLICT);
	assert_int_equal(room.reads, 1);
	assert_non_null(strstr(room.text, "has been modified"));
	assert_int_equal(room_look().route.weight, 60);
	assert_string_equal(room_look().route.resource_version, "900");
	room_end();
}

/* F66: the connection goes after the write took effect. */
static void
test_F66_unknown_outcome(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	room.write = hang_up;
	room_put("virtualservices/web", routes_of("869", 90, 10));
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_UNKNOWN);
	assert_true(sent[0] != '\0');
	assert_int_equal(room.reads, 1);
	assert_int_equal(room_look().route.weight, 10);
	room_end();
}

static void
test_nobody_answers_at_all(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	room.write = hang_up;
	room.down = true;
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_UNKNOWN);
	assert_int_equal(room_look().route.weight, 0);
	fake_stop();
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_UNREACHED);
	assert_true(room.text[0] != '\0');
	fake_listen();
	room_end();
}

/* F27 and the rest of what a cluster can say. */
static void
test_F27_refused_and_throttled(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	answers(500, "InternalError", "failed calling webhook validation.istio.io: timeout");
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_REFUSED);
	assert_non_null(strstr(room.text, "failed calling webhook"));
	answers(403, "Forbidden", "not allowed");
	act(ACT_SET_IMAGE, 0, "web:v2");
	assert_int_equal(room.outcome, ACT_REFUSED);
	assert_non_null(strstr(room.text, "HTTP 403 Forbidden: not allowed"));
	answers(429, "TooManyRequests", "slow down");
	headers = "Retry-After: 3\r\n";
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_UNREACHED);
	assert_true(room.retry_after_ms == 3000);
	answers(503, "ServiceUnavailable", "");
	act(ACT_WEIGHT, 10, "");
	assert_int_equal(room.outcome, ACT_UNREACHED);
	assert_true(room.retry_after_ms == -1);
	room_end();
}

#define CANARY(version, metadata)                                                                  \
	J("{'kind': 'Deployment', 'metadata': {'name': 'web-canary', 'namespace': 'prod',"         \
	  " 'uid': 'd-c', 'resourceVersion': '" version "'" metadata                               \
	  "}, 'spec': {'replicas': 1}}")

/* A create whose answer was lost meets its own object; another's is left alone. */
static void
test_create_meets_an_object(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	answers(409, "AlreadyExists", "web-canary already exists");
	room_put("deployments/web-canary", CANARY("2000", ", " OURS));
	act(ACT_CREATE_CANARY, 1, "web:v2");
	assert_true(str_starts(sent, "POST /apis/apps/v1/namespaces/prod/deployments?"));
	assert_int_equal(room.outcome, ACT_ALREADY);
	assert_true(room_look().canary.ours);
	room_end();
	room_begin(TRAFFIC_HOST);
	room_follow();
	answers(409, "AlreadyExists", "web-canary already exists");
	room_put("deployments/web-canary", CANARY("2000", ""));
	act(ACT_CREATE_CANARY, 1, "web:v2");
	assert_int_equal(room.outcome, ACT_REFUSED);
	assert_non_null(strstr(room.text, "already exists"));
	assert_true(room_look().canary.exists && !room_look().canary.ours);
	room_end();
}

static void
test_delete(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_put("deployments/web-canary", CANARY("2000", ", " OURS));
	room_follow();
	/* In the foreground: the object stays, and says that it goes. */
	answers_object(
	    200, CANARY("2001", ", 'deletionTimestamp': '2026-11-22T20:09:22Z', 'finalizers': "
				"['foregroundDeletion'], " OURS));
	act(ACT_DELETE_CANARY, 0, "");
	assert_int_equal(room.outcome, ACT_DONE);
	assert_true(
	    str_starts(sent, "DELETE /apis/apps/v1/namespaces/prod/deployments/web-canary"));
	assert_non_null(strstr(sent, "\"uid\":\"d-c\""));
	assert_true(room_look().canary.exists && room_look().canary.deleting);
	/* A Service goes at once. */
	answers(200, "", "");
	act(ACT_DELETE_SERVICE, 0, "");
	assert_int_equal(room.outcome, ACT_DONE);
	assert_false(room_look().canary_service);
	room_end();
}

static void
test_delete_of_what_is_gone(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_put("deployments/web-canary", CANARY("2000", ", " OURS));
	room_follow();
	answers(404, "NotFound", "not found");
	act(ACT_DELETE_CANARY, 0, "");
	assert_int_equal(room.outcome, ACT_DONE);
	assert_false(room_look().canary.exists);
	room_end();
}

/* F57: nothing is known yet, so "there is nothing to delete" cannot be said. */
static void
test_F57_unread_is_not_absent(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	act(ACT_DELETE_CANARY, 0, "");
	assert_int_equal(room.outcome, ACT_UNREACHED);
	assert_true(room.text[0] != '\0');
	room_end();
}

static void
test_freed_with_an_act_under_way(void **state)
{
	struct baseline baseline = {.uid = ""};
	struct act weight = {.kind = ACT_WEIGHT, .number = 10};
	struct act none = {.kind = ACT_WEIGHT, .number = 0};

	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	room.port.act(room.port.ctx, &room.app, &baseline, &weight);
	room.port.act(room.port.ctx, &room.app, &baseline, &none);
	room_end();
	assert_int_equal(room.answers, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_done_and_already),
	    cmocka_unit_test(test_a_slow_write_is_waited_for),
	    cmocka_unit_test(test_F56_conflict),
	    cmocka_unit_test(test_F66_unknown_outcome),
	    cmocka_unit_test(test_nobody_answers_at_all),
	    cmocka_unit_test(test_F27_refused_and_throttled),
	    cmocka_unit_test(test_create_meets_an_object),
	    cmocka_unit_test(test_delete),
	    cmocka_unit_test(test_delete_of_what_is_gone),
	    cmocka_unit_test(test_F57_unread_is_not_absent),
	    cmocka_unit_test(test_freed_with_an_act_under_way),
	};

	mem_json_hook();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
