/* Notices as Events of Kubernetes: what is said, in which form, and that the row of those that wait
 * is bounded and in nobody's way. */
#include "cluster_fake.h"

#include "base/clock.h"
#include "cluster/bulletin.h"
#include "model/told.h"

/* --- what is said ----------------------------------------------------------------------------- */

static struct gate_spec gate_specs[2] = {{.name = "success"}, {.name = "latency"}};
static struct gate_state left[2], now[2];
static struct stage_record records[3] = {{.gates = left}, {.skipped = true}, {.entered_ms = 1}};
static struct stage stages[3] = {
    {.name = "canary 10%"}, {.name = "canary 50%"}, {.name = "canary 100%"}};
static struct app said_app;
static struct rollout said;

static void
say(void)
{
	said_app = app_of(TRAFFIC_HOST);
	said_app.gates = gate_specs;
	said_app.gate_count = 2;
	said = (struct rollout){.id = "r-1",
	    .app = &said_app,
	    .release = {.number = 7, .image = "web:v2", .why = "sale"},
	    .compiled = true,
	    .ladder = {.stages = stages, .count = 3},
	    .stage = 2,
	    .records = records,
	    .gates = now,
	    .created_ms = 1000,
	    .ended_ms = 66600};
	str_copy(said.reason, sizeof(said.reason), "gate success failed");
	memset(now, 0, sizeof(now));
	memset(left, 0, sizeof(left));
	left[0] = (struct gate_state){
	    .count = 3, .last = {.verdict = VERDICT_PASS, .has_value = true, .value = 0.9991}};
	left[1] = (struct gate_state){.count = 1, .last = {.verdict = VERDICT_NO_DATA}};
	now[0] = (struct gate_state){
	    .count = 1, .last = {.verdict = VERDICT_FAIL, .has_value = true, .value = 0.5}};
}

static void
each_notice_has_its_sentence(void **state)
{
	static const struct {
		enum notice notice;
		const char *actor, *text;
		bool bad;
	} wanted[] = {
	    {NOTICE_STARTED, "ann",
		"release 7 (web:v2) is being rolled out as rollout r-1: sale (by ann)", false},
	    {NOTICE_STAGE, "",
		"release 7 has come to stage canary 100%; measured: success 0.9991 (pass), latency "
		"(no_data)",
		false},
	    {NOTICE_PAUSED, "",
		"release 7 is paused at canary 100%: gate success failed; measured: success 0.5 "
		"(fail)",
		true},
	    {NOTICE_PAUSED, "ann",
		"release 7 is paused at canary 100%: gate success failed; measured: success 0.5 "
		"(fail) (by ann)",
		false},
	    {NOTICE_APPROVAL, "",
		"release 7 waits for an approval at canary 100%: airisctl rollout approve r-1; "
		"measured: success 0.5 (fail)",
		false},
	    {NOTICE_RESUMED, "ann", "release 7 goes on at canary 100% (by ann)", false},
	    {NOTICE_ABORTING, "",
		"release 7 is being aborted at canary 100%: gate success failed; measured: success "
		"0.5 (fail)",
		true},
	    {NOTICE_ABORTING, "ann",
		"release 7 is being aborted at canary 100%: gate success failed; measured: success "
		"0.5 (fail) (by ann)",
		false},
	    {NOTICE_ABORTED, "", "release 7 was aborted, all is as before: gate success failed",
		false},
	    {NOTICE_SUCCEEDED, "",
		"release 7 (web:v2) is rolled out, after 1m5s; measured: success 0.5 (fail)",
		false},
	    {NOTICE_FAILED, "", "release 7 has failed and needs a person: gate success failed",
		true},
	};
	char text[TOLD_TEXT];
	(void)state;
	say();
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		told_text(&said, wanted[i].notice, wanted[i].actor, text);
		assert_string_equal(text, wanted[i].text);
		assert_int_equal(told_is_bad(wanted[i].notice, wanted[i].actor), wanted[i].bad);
	}
}

static void
it_is_cut_between_characters(void **state)
{
	char text[TOLD_TEXT];
	(void)state;
	say();
	for (int shift = 0; shift < 2; shift++) {
		struct str long_one;
		str_init(&long_one, sizeof(said.reason) - 1);
		str_add(&long_one, shift == 0 ? "" : "x");
		while (!long_one.full)
			str_add(&long_one, "\xc3\xa9");
		str_copy(said.reason, sizeof(said.reason), str_text(&long_one));
		str_done(&long_one);
		told_text(&said, NOTICE_FAILED, "", text);
		assert_true(strlen(text) >= TOLD_TEXT - 2 && strlen(text) < TOLD_TEXT);
		assert_true(str_utf8_ok(text, strlen(text)));
	}
	str_copy(said.reason, sizeof(said.reason), "a\xff\xc3z");
	told_text(&said, NOTICE_FAILED, "", text);
	assert_string_equal(text, "release 7 has failed and needs a person: a??z");
}

/* Before anything is known of it. */
static void
a_rollout_that_has_not_begun(void **state)
{
	struct rollout young = {.app = &said_app, .release = {.number = 1}};
	char text[TOLD_TEXT];
	(void)state;
	say();
	told_text(&young, NOTICE_PAUSED, "", text);
	assert_string_equal(text, "release 1 is paused at the start");
}

/* --- the form --------------------------------------------------------------------------------- */

static struct bulletin
bulletin_of(enum workload_kind kind, enum notice notice, bool bad)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct told told = {.notice = notice,
	    .bad = bad,
	    .rollout = "r-1",
	    .seq = 42,
	    .at_ms = INT64_C(1780000000123),
	    .text = "release 7"};
	struct bulletin bulletin;
	app.kind = kind;
	bulletin_make(&app, &told, &bulletin);
	return bulletin;
}

static void
an_event_of_the_workload(void **state)
{
	struct bulletin bulletin = bulletin_of(WORKLOAD_STATEFULSET, NOTICE_ABORTING, true);
	json_t *is = bulletin_json(&bulletin, "d-web", "ops-1");
	json_t *should =
	    J("{'apiVersion': 'v1', 'kind': 'Event', 'metadata': {'name': 'web.r-1-0000000042',"
	      " 'namespace': 'prod'}, 'involvedObject': {'apiVersion': 'apps/v1', 'kind':"
	      " 'StatefulSet', 'namespace': 'prod', 'name': 'web', 'uid': 'd-web'}, 'type':"
	      " 'Warning', 'reason': 'RolloutAborting', 'action': 'Rollout', 'message':"
	      " 'release 7', 'source': {'component': 'airisd'}, 'reportingComponent':"
	      " 'airis.io/airisd', 'reportingInstance': 'ops-1', 'eventTime':"
	      " '2026-05-28T20:26:40.123000Z', 'firstTimestamp': '2026-05-28T20:26:40Z',"
	      " 'lastTimestamp': '2026-05-28T20:26:40Z', 'count': 1}");
	(void)state;
	char *text = jsonx_dump(is), *wanted = jsonx_dump(should);
	assert_string_equal(text, wanted);
	free(text);
	free(wanted);
	json_decref(is);
	json_decref(should);
}

static void
every_notice_has_its_reason(void **state)
{
	(void)state;
	for (int i = 0; i < NOTICES; i++) {
		struct bulletin bulletin =
		    bulletin_of(WORKLOAD_DAEMONSET, (enum notice)i, i == NOTICE_FAILED);
		json_t *event = bulletin_json(&bulletin, "u", "h");
		const char *reason = jsonx_text(event, "reason");
		assert_non_null(reason);
		assert_true(reason[0] >= 'A' && reason[0] <= 'Z' && strlen(reason) <= 128);
		assert_string_equal(
		    jsonx_text(event, "type"), i == NOTICE_FAILED ? "Warning" : "Normal");
		assert_string_equal(jsonx_text(event, "involvedObject.kind"), "DaemonSet");
		json_decref(event);
	}
}

static void
a_name_that_tells_them_apart(void **state)
{
	struct bulletin bulletin = bulletin_of(WORKLOAD_DEPLOYMENT, NOTICE_STAGE, false);
	char name[BULLETIN_NAME], other[BULLETIN_NAME];
	(void)state;
	memset(bulletin.workload, 'w', sizeof(bulletin.workload) - 1);
	for (int i = 1; i < (int)sizeof(bulletin.workload) - 1; i += 2)
		bulletin.workload[i] = '.';
	bulletin.seq = INT64_MAX;
	id_new(bulletin.rollout, "r-", 1);
	bulletin_name(&bulletin, name);
	assert_true(strlen(name) <= 253 && str_is_dns_name(name));
	bulletin.seq--;
	bulletin_name(&bulletin, other);
	assert_true(str_is_dns_name(other));
	assert_string_not_equal(name, other);
}

static void
what_an_answer_means(void **state)
{
	static const struct {
		int status;
		const char *reason;
		enum bulletin_verdict verdict;
	} rows[] = {{201, "", BULLETIN_DONE}, {200, "", BULLETIN_DONE},
	    {409, "AlreadyExists", BULLETIN_DONE}, {409, "Conflict", BULLETIN_AGAIN},
	    {403, "Forbidden", BULLETIN_FORBIDDEN}, {400, "", BULLETIN_REFUSED},
	    {404, "NotFound", BULLETIN_REFUSED}, {413, "", BULLETIN_REFUSED},
	    {422, "Invalid", BULLETIN_REFUSED}, {401, "", BULLETIN_AGAIN},
	    {408, "", BULLETIN_AGAIN}, {429, "", BULLETIN_AGAIN}, {500, "", BULLETIN_AGAIN},
	    {503, "", BULLETIN_AGAIN}};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kube_answer answer = {.outcome = KUBE_ANSWERED, .status = rows[i].status};
		str_copy(answer.reason, sizeof(answer.reason), rows[i].reason);
		assert_int_equal(bulletin_judge(&answer), rows[i].verdict);
	}
	for (enum kube_outcome o = KUBE_NOT_SENT; o <= KUBE_UNKNOWN; o++)
		assert_int_equal(
		    bulletin_judge(&(struct kube_answer){.outcome = o}), BULLETIN_AGAIN);
}

/* --- the row ---------------------------------------------------------------------------------- */

static struct {
	int posts, status;
	bool hangs;
	struct fake_conn *hanging;
	char names[8][64]; /* of the first ones, and of the last */
	char last[64];
} taken;

static void
answer_post(struct fake_conn *conn)
{
	static const char *const reasons[] = {"Forbidden", "AlreadyExists", "Invalid"};
	int at = taken.status == 403 ? 0 : taken.status == 409 ? 1 : 2;
	char *body = str_format("{\"kind\":\"Status\",\"reason\":\"%s\",\"message\":\"no\"}",
	    taken.status == 201 ? "" : reasons[at]);
	fake_answer(conn, taken.status, body);
	free(body);
}

static int
take(struct fake_conn *conn)
{
	struct err e;
	if (strcmp(conn->method, "POST") != 0 ||
	    !str_starts(conn->path, "/api/v1/namespaces/prod/events?")) {
		fake_answer(conn, 200, "{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"}}");
		return 0;
	}
	json_t *body = jsonx_parse(conn->body, strlen(conn->body), 1 << 16, &e);
	assert_string_equal(jsonx_text(body, "involvedObject.uid"), "d-web");
	str_copy(taken.last, sizeof(taken.last), jsonx_text(body, "metadata.name"));
	if (taken.posts < 8)
		str_copy(taken.names[taken.posts], sizeof(taken.names[0]), taken.last);
	taken.posts++;
	json_decref(body);
	if (taken.hangs)
		taken.hanging = conn;
	else
		answer_post(conn);
	return 0;
}

static int
begin(void **state)
{
	(void)state;
	memset(&taken, 0, sizeof(taken));
	taken.status = 201;
	room_begin(TRAFFIC_HOST);
	cluster_tell_set(room.cluster, true);
	room.write = take;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	room_end();
	return 0;
}

static void
tell(int seq)
{
	const struct told told = {
	    .notice = NOTICE_STAGE, .rollout = "r-1", .seq = seq, .at_ms = 1000, .text = "x"};
	room.port.tell(room.port.ctx, &room.app, &told);
}

static uint64_t
count(enum bulletins_result result)
{
	return bulletins_count(cluster_bulletins(room.cluster), result);
}

static int
waiting(void)
{
	return bulletins_waiting(cluster_bulletins(room.cluster));
}

static bool
is_empty(void)
{
	return waiting() == 0;
}

static bool
has_posted(void)
{
	return taken.posts > 0;
}

/* The workload's uid is read when no cache has it, as when a rollout has only just begun. */
static void
they_are_written_in_order(void **state)
{
	(void)state;
	for (int i = 1; i <= 3; i++)
		tell(i);
	assert_int_equal(taken.posts, 0); /* never from within the call */
	assert_true(run_until(room.loop, is_empty, 5000));
	assert_int_equal(count(BULLETINS_WRITTEN), 3);
	assert_int_equal(taken.posts, 3);
	assert_string_equal(taken.names[0], "web.r-1-0000000001");
	assert_string_equal(taken.names[2], "web.r-1-0000000003");
	assert_true(room.reads >= 1);
}

static void
a_cache_saves_the_read(void **state)
{
	(void)state;
	room_follow();
	room.reads = 0;
	tell(1);
	assert_true(run_until(room.loop, is_empty, 5000));
	assert_int_equal(count(BULLETINS_WRITTEN), 1);
	assert_int_equal(room.reads, 0);
}

static void
the_row_is_bounded(void **state)
{
	(void)state;
	room_follow();
	taken.hangs = true;
	tell(1);
	assert_true(run_until(room.loop, has_posted, 5000));
	for (int i = 2; i <= BULLETINS_MOST + 10; i++)
		tell(i);
	(void)run_until(room.loop, never, 100);
	assert_int_equal(taken.posts, 1); /* one at a time */
	assert_int_equal(waiting(), BULLETINS_MOST);
	assert_int_equal(count(BULLETINS_FULL), 10);
	/* The oldest went, but for the one that is being written. */
	taken.hangs = false;
	answer_post(taken.hanging);
	assert_true(run_until(room.loop, is_empty, 20000));
	assert_int_equal(count(BULLETINS_WRITTEN), BULLETINS_MOST);
	assert_string_equal(taken.names[0], "web.r-1-0000000001");
	assert_string_equal(taken.names[1], "web.r-1-0000000012");
	char last[64];
	str_print(last, sizeof(last), "web.r-1-%010d", BULLETINS_MOST + 10);
	assert_string_equal(taken.last, last);
}

static void
what_is_there_already_is_written(void **state)
{
	(void)state;
	taken.status = 409;
	tell(1);
	assert_true(run_until(room.loop, is_empty, 5000));
	assert_int_equal(count(BULLETINS_WRITTEN), 1);
	assert_int_equal(taken.posts, 1);
}

static void
a_namespace_that_forbids_is_left_alone(void **state)
{
	(void)state;
	taken.status = 403;
	for (int i = 1; i <= 5; i++)
		tell(i);
	assert_true(run_until(room.loop, is_empty, 5000));
	tell(6);
	(void)run_until(room.loop, never, 50);
	assert_int_equal(taken.posts, 1);
	assert_int_equal(count(BULLETINS_FORBIDDEN), 6);
	assert_int_equal(count(BULLETINS_WRITTEN), 0);
}

static void
one_that_is_refused_holds_up_no_other(void **state)
{
	(void)state;
	taken.status = 422;
	taken.hangs = true;
	tell(1);
	tell(2);
	assert_true(run_until(room.loop, has_posted, 5000));
	taken.hangs = false;
	answer_post(taken.hanging);
	taken.status = 201;
	assert_true(run_until(room.loop, is_empty, 5000));
	assert_int_equal(count(BULLETINS_REFUSED), 1);
	assert_int_equal(count(BULLETINS_WRITTEN), 1);
}

static void
after_a_failure_it_waits(void **state)
{
	int64_t began = clock_mono_ms();
	(void)state;
	taken.status = 503;
	tell(1);
	assert_true(run_until(room.loop, has_posted, 5000));
	(void)run_until(room.loop, never, 300);
	assert_int_equal(taken.posts, 1);
	taken.status = 201;
	assert_true(run_until(room.loop, is_empty, 5000));
	assert_int_equal(count(BULLETINS_WRITTEN), 1);
	assert_true(clock_mono_ms() - began >= 1000);
}

/* A workload that is not there: there is nothing to write about. */
static void
nothing_to_write_about(void **state)
{
	(void)state;
	free(map_remove(room.objects, "deployments/web"));
	tell(1);
	assert_true(run_until(room.loop, is_empty, 5000));
	assert_int_equal(count(BULLETINS_REFUSED), 1);
	assert_int_equal(taken.posts, 0);
}

/* Of two colours that have not begun it is whichever there is. */
static void
a_colour_that_is_there(void **state)
{
	(void)state;
	room_put("deployments/web-canary",
	    J("{'metadata': {'name': 'web-canary', 'namespace': 'prod', 'uid': 'd-web',"
	      " 'resourceVersion': '6'}}"));
	free(map_remove(room.objects, "deployments/web"));
	room.app.colours = true;
	tell(1);
	assert_true(run_until(room.loop, is_empty, 5000));
	assert_int_equal(count(BULLETINS_WRITTEN), 1);
	assert_string_equal(taken.last, "web-canary.r-1-0000000001");
}

static bool
has_acted(void)
{
	return room.answers > 0;
}

/* The server takes no Event: acts of both lanes go on. */
static void
no_act_waits_for_one(void **state)
{
	(void)state;
	room_follow();
	taken.hangs = true;
	for (int i = 1; i <= 50; i++)
		tell(i);
	assert_true(run_until(room.loop, has_posted, 5000));
	for (int urgent = 0; urgent < 2; urgent++) {
		struct baseline baseline = {.uid = "d-web"};
		struct act act = {.kind = ACT_WEIGHT, .number = 10 + urgent, .urgent = urgent};
		int64_t began = clock_mono_ms();
		room.answers = 0;
		(void)room.port.act(room.port.ctx, &room.app, &baseline, &act);
		assert_true(run_until(room.loop, has_acted, 2000));
		assert_true(clock_mono_ms() - began < 1000);
	}
	assert_int_equal(taken.posts, 1);
}

static int patched;

static void
on_patched(void *ctx, const struct kube_answer *answer)
{
	(void)ctx;
	patched += answer->status == 200;
}

/* It goes last, though it came first, and leaves half of the budget to others. */
static void
it_takes_what_is_left(void **state)
{
	struct kube_call call = {.method = "PATCH",
	    .path = "/api/v1/namespaces/prod/services/web",
	    .body = "{}",
	    .done = on_patched};
	(void)state;
	room_end();
	room_begin_within(TRAFFIC_HOST, 50, 8);
	cluster_tell_set(room.cluster, true);
	room.write = take;
	patched = 0;
	int64_t began = clock_mono_ms();
	tell(1);
	(void)run_until(room.loop, never, 0);
	for (int i = 0; i < 15; i++)
		(void)kube_request(cluster_kube(room.cluster), &call);
	assert_true(run_until(room.loop, has_posted, 5000));
	assert_int_equal(patched, 15);
	/* 7 beyond the burst, and 4 to be left with half of it. */
	assert_true(clock_mono_ms() - began >= 200);
}

static void
on_retired(void *ctx)
{
	(void)ctx;
}

/* One that may not write any more, or not yet, writes no Event either. */
static void
none_goes_past_the_fence(void **state)
{
	(void)state;
	room_follow();
	cluster_retire(room.cluster, on_retired, NULL);
	tell(1);
	(void)run_until(room.loop, never, 100);
	assert_int_equal(taken.posts, 0);
	assert_int_equal(waiting(), 1);
}

static void
turned_off_it_says_nothing(void **state)
{
	(void)state;
	tell(1);
	cluster_tell_set(room.cluster, false);
	tell(2);
	(void)run_until(room.loop, never, 50);
	assert_int_equal(taken.posts, 0);
	assert_null(cluster_bulletins(room.cluster));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_notice_has_its_sentence),
	    cmocka_unit_test(it_is_cut_between_characters),
	    cmocka_unit_test(a_rollout_that_has_not_begun),
	    cmocka_unit_test(an_event_of_the_workload),
	    cmocka_unit_test(every_notice_has_its_reason),
	    cmocka_unit_test(a_name_that_tells_them_apart),
	    cmocka_unit_test(what_an_answer_means),
	    cmocka_unit_test_setup_teardown(they_are_written_in_order, begin, end),
	    cmocka_unit_test_setup_teardown(a_cache_saves_the_read, begin, end),
	    cmocka_unit_test_setup_teardown(the_row_is_bounded, begin, end),
	    cmocka_unit_test_setup_teardown(what_is_there_already_is_written, begin, end),
	    cmocka_unit_test_setup_teardown(a_namespace_that_forbids_is_left_alone, begin, end),
	    cmocka_unit_test_setup_teardown(one_that_is_refused_holds_up_no_other, begin, end),
	    cmocka_unit_test_setup_teardown(after_a_failure_it_waits, begin, end),
	    cmocka_unit_test_setup_teardown(nothing_to_write_about, begin, end),
	    cmocka_unit_test_setup_teardown(a_colour_that_is_there, begin, end),
	    cmocka_unit_test_setup_teardown(no_act_waits_for_one, begin, end),
	    cmocka_unit_test_setup_teardown(it_takes_what_is_left, begin, end),
	    cmocka_unit_test_setup_teardown(none_goes_past_the_fence, begin, end),
	    cmocka_unit_test_setup_teardown(turned_off_it_says_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
