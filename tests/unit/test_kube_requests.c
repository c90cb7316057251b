/* Requests: lanes and budget, repeats, unknown outcomes, credentials that change. */
#include "unit.h"
#include <jansson.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "cluster/kube.h"
#include "cluster/kube_stats.h"
#include "kube_fake.h"

static struct loop *loop;
static struct kube *kube;
static char *folder, *file, *token_file;

struct got {
	int count;
	struct kube_answer answer; /* body: NULL */
	char name[64];
};
static struct got got;

static void
on_answer(void *ctx, const struct kube_answer *answer)
{
	struct got *to = ctx;

	to->count++;
	to->answer = *answer;
	to->answer.body = NULL;
	str_copy(to->name, sizeof to->name, jsonx_text_or(answer->body, "metadata.name", ""));
}

static bool
answered(void)
{
	return got.count > 0;
}

static const char *user = "{token: secret}";
static struct kube_settings settings;

static void
begin(fake_handler *handler)
{
	struct kube_settings first = {.name = "test",
	    .backoff_ms = 20,
	    .request_timeout_ms = 300,
	    .deadline_ms = 2000,
	    .exec_allowed = true};
	struct err e;
	char *text;

	if (!settings.name)
		settings = first;
	loop = loop_new();
	fake_start(loop, handler);
	folder = make_folder();
	token_file = write_file(folder, "token", "first\n");
	text = str_format("current-context: c\n"
			  "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
			  "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
			  "users: [{name: u, user: %s}]\n",
	    fake.port, user);
	file = write_file(folder, "config", text);
	free(text);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	if (!kube)
		fail_msg("%s", e.text);
	memset(&got, 0, sizeof got);
}

static void
end(void)
{
	kube_free(kube);
	fake_stop();
	loop_free(loop);
	unlink(file);
	unlink(token_file);
	rmdir(folder);
	free(file);
	free(token_file);
	free(folder);
	memset(&settings, 0, sizeof settings);
	user = "{token: secret}";
}

static uint64_t
call(const char *method, const char *path, enum kube_lane lane, void *ctx)
{
	return kube_request(kube, &(struct kube_call){.lane = lane,
				      .method = method,
				      .path = path,
				      .body = strcmp(method, "GET") ? "{}" : NULL,
				      .content_type = "application/merge-patch+json",
				      .done = on_answer,
				      .ctx = ctx});
}

/* --- what is sent --- */

static char seen_head[FAKE_HEAD], seen_path[2048];

static void
recording_handler(struct fake_conn *conn)
{
	str_copy(seen_head, sizeof seen_head, conn->head);
	str_copy(seen_path, sizeof seen_path, conn->path);
	fake_answer(conn, 200, "{\"metadata\":{\"name\":\"web\"}}");
}

static void
test_write_is_dressed(void **state)
{
	(void)state;
	begin(recording_handler);
	assert_true(call("PATCH", "/apis/x?dryRun=All", KUBE_NORMAL, &got) > 0);
	assert_int_equal(got.count, 0);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_ANSWERED);
	assert_int_equal(got.answer.status, 200);
	assert_string_equal(got.name, "web");
	assert_string_equal(
	    seen_path, "/apis/x?dryRun=All&fieldManager=airisd&fieldValidation=Strict");
	assert_non_null(strstr(seen_head, "Authorization: Bearer secret\r\n"));
	assert_non_null(strstr(seen_head, "User-Agent: airisd/"));
	assert_non_null(strstr(seen_head, "Content-Type: application/merge-patch+json\r\n"));
	assert_string_equal(kube_stats(kube)->requests[0].verb, "PATCH");
	assert_int_equal(kube_stats(kube)->requests[0].code, 200);
	assert_int_equal(kube_stats(kube)->requests[0].count, 1);
	end();
}

/* --- what is repeated and what is not --- */

static int fail_times, fail_status;
static const char *fail_headers;

static void
failing_handler(struct fake_conn *conn)
{
	if (fail_times-- > 0)
		fake_answer_with(conn, fail_status, fail_headers,
		    "{\"kind\":\"Status\",\"reason\":\"R\",\"message\":\"no\"}");
	else
		fake_answer(conn, 200, "{}");
}

static void
test_get_is_repeated(void **state)
{
	(void)state;
	begin(failing_handler);
	fail_times = 3;
	fail_status = 500;
	fail_headers = "";
	call("GET", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 200);
	assert_int_equal(kube_stats(kube)->retries, 3);
	end();
}

static void
test_write_is_not_repeated(void **state)
{
	(void)state;
	begin(failing_handler);
	fail_times = 1;
	fail_status = 503;
	fail_headers = "Retry-After: 7\r\n";
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_ANSWERED);
	assert_int_equal(got.answer.status, 503);
	assert_string_equal(got.answer.reason, "R");
	assert_string_equal(got.answer.message, "no");
	assert_int_equal(got.answer.retry_after_ms, 7000);
	assert_int_equal(fake.requests, 1);
	end();
}

/* F65: Retry-After is waited for, and when it goes beyond the deadline nobody waits in vain. */
static void
test_retry_after(void **state)
{
	int64_t began;

	(void)state;
	begin(failing_handler);
	fail_times = 1;
	fail_status = 429;
	fail_headers = "Retry-After: 1\r\n";
	began = clock_mono_ms();
	call("GET", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 200);
	assert_true(clock_mono_ms() - began >= 1000);
	got.count = 0;
	fail_times = 1;
	fail_headers = "Retry-After: 60\r\n";
	began = clock_mono_ms();
	call("GET", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 429);
	assert_true(clock_mono_ms() - began < 1000);
	end();
}

static void
huge_message_handler(struct fake_conn *conn)
{
	char text[4096], *body;

	memset(text, 'm', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	body = str_format("{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"%s\"}", text);
	fake_answer(conn, 422, body);
	free(body);
}

static void
test_message_is_cut(void **state)
{
	(void)state;
	begin(huge_message_handler);
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(strlen(got.answer.message), 1023);
	end();
}

/* --- F66: unknown outcomes --- */

static void
dropping_handler(struct fake_conn *conn)
{
	fake_close(conn);
}

static void
silent_handler(struct fake_conn *conn)
{
	(void)conn;
}

static void
test_unknown_outcome(void **state)
{
	(void)state;
	begin(dropping_handler);
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_UNKNOWN);
	assert_int_equal(got.answer.status, 0);
	assert_int_equal(fake.requests, 1);
	assert_non_null(strstr(got.answer.message, "the API server of cluster test"));
	end();
	begin(silent_handler);
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_UNKNOWN);
	end();
}

static void
test_not_sent(void **state)
{
	(void)state;
	begin(silent_handler);
	fake_stop();
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_NOT_SENT);
	got.count = 0;
	call("GET", "/x", KUBE_NORMAL, &got); /* repeated until the deadline, then told */
	assert_true(run_until(loop, answered, 4000));
	assert_int_equal(got.answer.outcome, KUBE_NOT_SENT);
	assert_true(kube_stats(kube)->retries > 1);
	fake_listen();
	end();
}

/* --- lanes --- */

static struct got many[60];

/* Normal requests are never answered, urgent ones at once. */
static void
lane_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "urgent"))
		fake_answer(conn, 200, "{}");
}

/* F65: an abort does not wait for a lane that is full, nor for an empty budget. */
static void
test_urgent_passes(void **state)
{
	int64_t began;

	(void)state;
	settings = (struct kube_settings){.name = "test", .qps = 0.1, .burst = 10};
	begin(lane_handler);
	memset(many, 0, sizeof many);
	for (int i = 0; i < 60; i++)
		call("PATCH", "/normal", KUBE_NORMAL, &many[i]);
	run_until(loop, never, 50);
	assert_int_equal(kube_stats(kube)->under_way, 8);
	assert_int_equal(kube_stats(kube)->waiting, 52);
	began = clock_mono_ms();
	call("PATCH", "/urgent", KUBE_URGENT, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 200);
	assert_true(clock_mono_ms() - began < 500);
	end();
}

static bool
all_answered(void)
{
	for (int i = 0; i < 15; i++)
		if (!many[i].count)
			return false;
	return true;
}

static void
test_budget(void **state)
{
	int64_t began;

	(void)state;
	settings = (struct kube_settings){.name = "test", .qps = 50, .burst = 5};
	begin(recording_handler);
	memset(many, 0, sizeof many);
	began = clock_mono_ms();
	for (int i = 0; i < 15; i++)
		call("PATCH", "/x", KUBE_NORMAL, &many[i]);
	assert_true(run_until(loop, all_answered, 3000));
	assert_true(clock_mono_ms() - began >= 180); /* 10 beyond the burst at 50 per second */
	assert_true(kube_stats(kube)->throttled >= 9);
	end();
}

static void
test_deadline_in_queue_and_cancel(void **state)
{
	uint64_t number;

	(void)state;
	settings =
	    (struct kube_settings){.name = "test", .qps = 0.01, .burst = 1, .deadline_ms = 200};
	begin(silent_handler);
	memset(many, 0, sizeof many);
	call("PATCH", "/first", KUBE_NORMAL, &many[0]);
	number = call("PATCH", "/cancelled", KUBE_NORMAL, &many[1]);
	call("PATCH", "/waits", KUBE_NORMAL, &got);
	kube_cancel(kube, number);
	kube_cancel(kube, 4711);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_NOT_SENT);
	assert_int_equal(many[1].count, 0);
	end();
}

/* --- F64: credentials that change --- */

static const char *wanted_token;
static int refusals;

static void
token_handler(struct fake_conn *conn)
{
	if (fake_has_header(conn, wanted_token)) {
		fake_answer(conn, 200, "{}");
		return;
	}
	refusals++;
	fake_answer(conn, 401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\",\"code\":401}");
}

static void
test_token_file_rotates(void **state)
{
	char *other;

	(void)state;
	user = "{tokenFile: token}";
	begin(token_handler);
	refusals = 0;
	wanted_token = "Bearer first\r\n";
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 200);
	/* It is replaced, and the old one refused: a write too is repeated, once. */
	other = write_file(folder, "token", "second\n");
	free(other);
	wanted_token = "Bearer second\r\n";
	got.count = 0;
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 200);
	assert_int_equal(refusals, 1);
	assert_int_equal(kube_stats(kube)->refreshes, 1);
	/* The file is gone: what was read stays in use. */
	unlink(token_file);
	got.count = 0;
	wanted_token = "Bearer third\r\n";
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 401);
	assert_int_equal(refusals, 3);
	end();
}

static void
test_fixed_token_is_not_repeated(void **state)
{
	(void)state;
	begin(token_handler);
	refusals = 0;
	wanted_token = "Bearer other\r\n";
	call("GET", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 401);
	assert_int_equal(refusals, 1);
	end();
}

/* A plugin that counts its runs in a file and gives the count as token. */
static void
test_plugin_refresh(void **state)
{
	char *script, *runs;

	(void)state;
	user = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}}";
	begin(token_handler);
	runs = write_file(folder, "runs", "");
	script = write_file(folder, "plugin",
	    "#!/bin/sh\n"
	    "here=${0%/*}\n"
	    "echo x >> \"$here/runs\"\n"
	    "n=$(wc -l < \"$here/runs\")\n"
	    "case $KUBERNETES_EXEC_INFO in *'\"interactive\":false'*) ;; *) exit 3 ;; esac\n"
	    "printf '{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"run-%d\"}}' $n\n");
	assert_int_equal(chmod(script, 0700), 0);
	refusals = 0;
	wanted_token = "Bearer run-1\r\n";
	call("GET", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 5000));
	assert_int_equal(got.answer.status, 200);
	got.count = 0;
	wanted_token = "Bearer run-2\r\n";
	call("GET", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 5000));
	assert_int_equal(got.answer.status, 200);
	assert_int_equal(refusals, 1);
	unlink(script);
	unlink(runs);
	free(script);
	free(runs);
	end();
}

static void
test_plugin_missing(void **state)
{
	(void)state;
	user = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./none, "
	       "installHint: install it}}";
	begin(token_handler);
	call("PATCH", "/x", KUBE_NORMAL, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_NOT_SENT);
	assert_non_null(strstr(got.answer.message, "/none: cannot be started"));
	assert_non_null(strstr(got.answer.message, "install it"));
	end();
}

/* --- reads --- */

static int read_status;
static const char *read_body;

static void
read_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "watch=1"))
		fake_stream(conn);
	else if (strstr(conn->path, "livez"))
		fake_answer(conn, 200, "{}");
	else if (strstr(conn->path, "?limit=500&labelSelector=app%3Dweb"))
		fake_answer(conn, 200,
		    "{\"metadata\":{\"resourceVersion\":\"20\"},\"items\":[{\"metadata\":{\"name\":"
		    "\"new\",\"namespace\":\"x\",\"uid\":\"n\",\"resourceVersion\":\"15\","
		    "\"labels\":{\"app\":\"web\"}}}]}");
	else if (strstr(conn->path, "?limit="))
		fake_answer(conn, 200,
		    "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":["
		    "{\"metadata\":{\"name\":\"old\",\"namespace\":\"x\",\"uid\":\"o\","
		    "\"resourceVersion\":\"5\",\"labels\":{\"app\":\"web\"}}},"
		    "{\"metadata\":{\"name\":\"other\",\"namespace\":\"x\",\"uid\":\"p\","
		    "\"resourceVersion\":\"6\",\"labels\":{\"app\":\"api\"}}}]}");
	else
		fake_answer(conn, read_status, read_body);
}

static bool
other_cached(void)
{
	return kube_get(kube, KUBE_SERVICES, "x", "other") != NULL;
}

static void
read_old(int status, const char *body)
{
	got.count = 0;
	read_status = status;
	read_body = body;
	kube_read(kube, KUBE_URGENT, KUBE_SERVICES, "x", "old", on_answer, &got);
	assert_true(run_until(loop, answered, 4000));
}

/* F57: only the API's own word takes an object out. */
static void
test_read(void **state)
{
	json_t *there;

	(void)state;
	begin(read_handler);
	kube_watch(kube, KUBE_SERVICES, "x");
	assert_true(run_until(loop, other_cached, 3000));
	read_old(500, "{\"kind\":\"Status\",\"reason\":\"InternalError\"}");
	assert_int_equal(got.answer.status, 500);
	assert_non_null(kube_get(kube, KUBE_SERVICES, "x", "old"));
	read_old(404, "404 page not found");
	assert_int_equal(got.answer.outcome, KUBE_UNKNOWN);
	assert_non_null(kube_get(kube, KUBE_SERVICES, "x", "old"));
	read_old(200, "{\"metadata\":{\"name\":\"old\",\"namespace\":\"x\",\"uid\":\"o\","
		      "\"resourceVersion\":\"9\"}}");
	there = kube_get(kube, KUBE_SERVICES, "x", "old");
	assert_string_equal(jsonx_text(there, "metadata.resourceVersion"), "9");
	read_old(404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404,"
		      "\"details\":{\"name\":\"old\",\"kind\":\"services\"}}");
	assert_int_equal(got.answer.status, 404);
	assert_null(kube_get(kube, KUBE_SERVICES, "x", "old"));
	end();
}

static void
test_read_list(void **state)
{
	(void)state;
	begin(read_handler);
	kube_watch(kube, KUBE_SERVICES, "x");
	assert_true(run_until(loop, other_cached, 3000));
	kube_read_list(kube, KUBE_NORMAL, KUBE_SERVICES, "x", "app=web", on_answer, &got);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 200);
	assert_null(kube_get(kube, KUBE_SERVICES, "x", "old"));
	assert_non_null(kube_get(kube, KUBE_SERVICES, "x", "new"));
	assert_non_null(kube_get(kube, KUBE_SERVICES, "x", "other"));
	got.count = 0;
	kube_cancel(kube,
	    kube_read_list(kube, KUBE_NORMAL, KUBE_SERVICES, "x", "app=web", on_answer, &got));
	kube_cancel(kube, kube_read(kube, KUBE_NORMAL, KUBE_SERVICES, "x", "old", on_answer, &got));
	run_until(loop, never, 50);
	assert_int_equal(got.count, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_write_is_dressed),
	    cmocka_unit_test(test_get_is_repeated),
	    cmocka_unit_test(test_write_is_not_repeated),
	    cmocka_unit_test(test_retry_after),
	    cmocka_unit_test(test_message_is_cut),
	    cmocka_unit_test(test_unknown_outcome),
	    cmocka_unit_test(test_not_sent),
	    cmocka_unit_test(test_urgent_passes),
	    cmocka_unit_test(test_budget),
	    cmocka_unit_test(test_deadline_in_queue_and_cancel),
	    cmocka_unit_test(test_token_file_rotates),
	    cmocka_unit_test(test_fixed_token_is_not_repeated),
	    cmocka_unit_test(test_plugin_refresh),
	    cmocka_unit_test(test_plugin_missing),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_read_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
