/* Rollouts through the API: started once per key, looked at, listed, told what to do, planned. */
#include "test_api_ask.h"

#define GATED                                                                                      \
	"gates: [{name: rate, every: 100ms, window: 1s, failures: 1, prometheus: {query: up, "     \
	"pass: \">= 0.99\"}}]\n"

static void
test_start_is_checked(void **state)
{
	(void)state;
	(void)put_app("web", HELD, "");
	int wrote = world.wrote;
	(void)post("/v1/rollouts", "{\"app\":\"nope\",\"image\":\"web:2\"}");
	expect_problem(404, "not_found", "no app");
	(void)post("/v1/rollouts", "{\"app\":\"web\"}");
	expect_problem(422, "unprocessable", "nothing was started");
	expect_error("image", 0, "missing");
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"image\":\"Web:2\",\"imgae\":1}");
	expect_error("image", 0, "registry.example");
	expect_error("imgae", 0, "did you mean \"image\"");
	(void)post("/v1/rollouts", "{\"image\":\"web:2\"}");
	expect_error("app", 0, "");
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"image\":\"web:2\",\"to\":1}");
	expect_error("to", 0, "undo");
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"image\":\"web:2\",\"undo\":true}");
	expect_error("image", 0, "undo");
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"undo\":true,\"to\":0}");
	expect_error("to", 0, "1");
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"image\":\"web:2\",\"why\":\"\\u0007\"}");
	expect_error("why", 0, "control");
	(void)post("/v1/rollouts", "[1]");
	expect_error("", 0, "object");
	(void)post("/v1/rollouts", "{");
	expect_problem(400, "bad_request", "no JSON");
	(void)say(BY_TOKEN, "POST", "/v1/rollouts", YAML, "app: web");
	expect_problem(415, "unsupported_media_type", "application/json");
	(void)say(BY_TOKEN, "POST", "/v1/rollouts", NULL, NULL);
	expect_problem(415, "unsupported_media_type", "application/json");
	char *body = str_format("{\"app\":\"web\",\"image\":\"web:2\",\"why\":\"%0512d\"}", 0);
	(void)post("/v1/rollouts", body);
	expect_error("why", 0, "at most 511");
	free(body);
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"undo\":true}");
	expect_problem(409, "conflict", "nothing to undo");
	assert_int_equal(world.wrote, wrote);
}

/* F74: the same key with the same request is one release; with another it is refused. */
static void
test_idempotency(void **state)
{
	char id[ID_SIZE], first_id[ID_SIZE],
	    *header = str_format(JSON "Idempotency-Key: %0129d\r\n", 0);
	static const char *const key = JSON "Idempotency-Key: ci-4711\r\n";
	static const char *const body = "{\"app\":\"web\",\"image\":\"web:2\",\"commit\":\"c1\"}";
	(void)state;
	(void)put_app("web", HELD, "");
	assert_int_equal(say(BY_TOKEN, "POST", "/v1/rollouts", key, body), 201);
	str_copy(id, sizeof(id), text_at("id"));
	str_copy(first_id, sizeof(first_id), id);
	assert_non_null(strstr(got.head, "Location: /v1/rollouts/r-"));
	assert_int_equal(say(BY_SOCKET, "POST", "/v1/rollouts", key, body), 200);
	assert_string_equal(text_at("id"), id);
	(void)say(BY_TOKEN, "POST", "/v1/rollouts", key, "{\"app\":\"web\",\"image\":\"web:3\"}");
	expect_problem(409, "key_reused", "take a new one");
	/* Two at once: neither is durable when the other comes. */
	struct raw *a = begin(BY_TOKEN, "POST", "/v1/rollouts", JSON "Idempotency-Key: two\r\n",
	    "{\"app\":\"web\",\"image\":\"web:4\"}");
	struct raw *b = begin(BY_TOKEN, "POST", "/v1/rollouts", JSON "Idempotency-Key: two\r\n",
	    "{\"app\":\"web\",\"image\":\"web:4\"}");
	int first = take(a);
	str_copy(id, sizeof(id), text_at("id"));
	assert_int_equal(first + take(b), 201 + 200);
	assert_string_equal(text_at("id"), id);
	(void)get("/v1/rollouts?app=web");
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 2);
	(void)say(BY_TOKEN, "POST", "/v1/rollouts", header, body);
	expect_problem(400, "bad_request", "Idempotency-Key");
	(void)say(BY_TOKEN, "POST", "/v1/rollouts", JSON "Idempotency-Key: a b\r\n", body);
	expect_problem(400, "bad_request", "visible ASCII");
	free(header);
	/* After a restart, too. */
	await(first_id, PHASE_PROGRESSING, "canary 25%");
	world_restart();
	assert_int_equal(say(BY_TOKEN, "POST", "/v1/rollouts", key, body), 200);
	(void)get("/v1/rollouts?app=web");
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 2);
}

static void
expect_same(const char *path, const char *value)
{
	char *text = jsonx_dump(jsonx_at(got.json, path));
	if (strcmp(text, value) != 0)
		fail_msg("%s is %s, not %s, in %s", path, text, value, got.body);
	free(text);
}

static void
test_the_rollout_object(void **state)
{
	static const char *const keys[] = {"id", "app", "namespace", "cluster", "phase", "reason",
	    "release", "stage", "ladder", "weight", "stable", "canary", "batch", "gates",
	    "blocked_on", "started", "ended", "superseded_by", "trace", "cursor", "stale"};
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, GATED);
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	assert_int_equal(get(path_of(id, "")), 200);
	assert_int_equal(json_object_size(got.json), sizeof(keys) / sizeof(keys[0]));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(json_object_get(got.json, keys[i]));
	assert_string_equal(text_at("id"), id);
	assert_string_equal(text_at("phase"), "progressing");
	assert_string_equal(text_at("release.image"), "web:2");
	assert_int_equal(int_at("release.number"), 1);
	assert_int_equal(int_at("stage.index"), 1);
	assert_string_equal(text_at("stage.name"), "canary 25%");
	assert_non_null(jsonx_text(got.json, "stage.settled"));
	assert_non_null(jsonx_text(got.json, "stage.hold_until"));
	expect_same("ladder.0.state", "\"done\"");
	expect_same("ladder.1.state", "\"current\"");
	expect_same("ladder.2.state", "\"ahead\"");
	expect_same("ladder.1.hold", "\"1h\"");
	expect_same("ladder.1.gates", "[\"rate\"]");
	expect_same("ladder.1.left", "null");
	expect_same("weight.target", "25");
	expect_same("weight.written", "25");
	expect_same("weight.taken", "25");
	expect_same("weight.known", "\"assumed\"");
	expect_same("stable", "{\"image\":\"web:1\",\"size\":4,\"ready\":4}");
	expect_same("canary", "{\"image\":\"web:2\",\"size\":1,\"ready\":1}");
	assert_string_equal(text_at("blocked_on.object"), "Stage");
	assert_non_null(jsonx_text(got.json, "blocked_on.until"));
	expect_same("ended", "null");
	expect_same("superseded_by", "null");
	expect_same("stale", "\"\"");
	assert_int_equal(strlen(text_at("trace")), 32);
	assert_true(int_at("cursor") > 5);
}

static bool
was_measured(void *ctx)
{
	(void)ctx;
	return engine_stats(world.engine)->measures[VERDICT_PASS] > 0;
}

static void
test_gates_are_shown(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, GATED);
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	(void)get(path_of(id, ""));
	expect_same("gates.0.condition", "\">= 0.99\"");
	assert_true(lab_until(was_measured, NULL));
	(void)get(path_of(id, ""));
	expect_same("gates.0.name", "\"rate\"");
	expect_same("gates.0.verdict", "\"pass\"");
	expect_same("gates.0.value", "0.998");
	expect_same("gates.0.failures", "0");
	expect_same("gates.0.allowed", "1");
	assert_true(int_at("gates.0.passes") >= 1);
	expect_same("ladder.1.measured.0.gate", "\"rate\"");
	assert_true(int_at("ladder.1.measured.0.count") >= 1);
	world.verdict = VERDICT_FAIL;
	await(id, PHASE_ABORTED, NULL);
	(void)get(path_of(id, ""));
	expect_same("gates.0.verdict", "\"fail\"");
	expect_same("gates.0.failures", "2");
	assert_non_null(strstr(text_at("reason"), "gate rate failed 2 times"));
	expect_same("weight.target", "0");
	expect_same("blocked_on", "null");
	assert_non_null(jsonx_text(got.json, "ended"));
}

static void
test_to_the_end_and_back(void **state)
{
	char id[ID_SIZE], undo[ID_SIZE];
	(void)state;
	(void)put_app("web", FAST, "");
	start("web", "web:2", id);
	await(id, PHASE_SUCCEEDED, NULL);
	(void)get(path_of(id, ""));
	expect_same("phase", "\"succeeded\"");
	expect_same("stable", "{\"image\":\"web:2\",\"size\":4,\"ready\":4}");
	expect_same("canary", "{\"image\":\"\",\"size\":0,\"ready\":0}");
	for (size_t i = 0; i < json_array_size(jsonx_at(got.json, "ladder")); i++) {
		char path[32];
		str_print(path, sizeof(path), "ladder.%zu.state", i);
		expect_same(path, "\"done\"");
		str_print(path, sizeof(path), "ladder.%zu.left", i);
		assert_non_null(jsonx_text(got.json, path));
	}
	assert_int_equal(post("/v1/rollouts", "{\"app\":\"web\",\"undo\":true}"), 201);
	str_copy(undo, sizeof(undo), text_at("id"));
	assert_string_equal(text_at("release.image"), "web:1");
	assert_int_equal(int_at("release.number"), 2);
	await(undo, PHASE_SUCCEEDED, NULL);
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"undo\":true,\"to\":7}");
	expect_problem(409, "conflict", "release 7");
	assert_int_equal(post("/v1/rollouts", "{\"app\":\"web\",\"undo\":true,\"to\":1}"), 201);
	assert_string_equal(text_at("release.image"), "web:2");
}

static void
test_commands(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	(void)post(path_of(id, "/resume"), "{}");
	assert_int_equal(got.status, 200);
	assert_int_equal(post(path_of(id, "/pause"), "{\"reason\":\"lunch\"}"), 200);
	expect_same("phase", "\"paused\"");
	expect_same("reason", "\"lunch\"");
	assert_int_equal(say(BY_TOKEN, "POST", path_of(id, "/resume"), NULL, NULL), 200);
	expect_same("phase", "\"progressing\"");
	assert_int_equal(post(path_of(id, "/retry"), "{}"), 200);
	/* Who started it does not approve it, whatever name they give; another one does. */
	(void)say(BY_TOKEN, "POST", path_of(id, "/approve"), "X-Airis-Actor: bob\r\n", NULL);
	expect_problem(409, "conflict", "started by the same token");
	assert_int_equal(say(BY_SOCKET, "POST", path_of(id, "/approve"), NULL, NULL), 200);
	assert_int_equal(post(path_of(id, "/promote"), "{}"), 200);
	await(id, PHASE_PROGRESSING, "canary 50%");
	assert_int_equal(post(path_of(id, "/promote"), "{\"full\":true}"), 200);
	await(id, PHASE_SUCCEEDED, NULL);
	(void)post(path_of(id, "/pause"), "{}");
	expect_problem(409, "conflict", "only a progressing rollout");
	(void)post(path_of(id, "/abort"), "{}");
	expect_problem(409, "conflict", "undo");
	(void)post(path_of(id, "/retry"), "{}");
	expect_problem(409, "conflict", "start a new one");
	(void)post(path_of(id, "/pause"), "{\"full\":true}");
	expect_error("full", 0, "allowed here: reason");
	(void)post(path_of(id, "/promote"), "{\"full\":1}");
	expect_error("full", 0, "true or false");
	(void)post(path_of(NOBODY, "/abort"), "{}");
	expect_problem(404, "not_found", "");
	(void)post("/v1/rollouts/web/abort", "{}");
	expect_problem(404, "not_found", "\"web\"");
	(void)post(path_of(id, "/explode"), "{}");
	expect_problem(404, "not_found", "/explode");
}

/* F43: abort twice, and abort of what has aborted, is a yes. */
static void
test_abort_is_idempotent(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *a =
	    begin(BY_TOKEN, "POST", path_of(id, "/abort"), JSON, "{\"reason\":\"bad\"}");
	struct raw *b = begin(BY_TOKEN, "POST", path_of(id, "/abort"), JSON, "{}");
	assert_int_equal(take(a), 200);
	assert_int_equal(take(b), 200);
	await(id, PHASE_ABORTED, NULL);
	assert_int_equal(post(path_of(id, "/abort"), "{}"), 200);
	expect_same("phase", "\"aborted\"");
	expect_same("reason", "\"bad\"");
	expect_same("stable", "{\"image\":\"web:1\",\"size\":4,\"ready\":4}");
	(void)say(BY_TCP, "GET", "/metrics", NULL, NULL);
	assert_non_null(strstr(got.body, "\nairis_abort_latency_seconds_count 1\n"));
	/* The journal has one command. */
	(void)get(path_of(id, "/events?limit=500"));
	size_t i, commands = 0;
	json_t *item;
	json_array_foreach(jsonx_at(got.json, "items"), i, item) commands +=
	    strcmp(jsonx_text_or(item, "kind", ""), "command") == 0;
	assert_int_equal(commands, 1);
}

static void
test_lists(void **state)
{
	char ids[5][ID_SIZE], path[128];
	(void)state;
	(void)put_app("web", HELD, "");
	(void)put_app("shop", FAST, "");
	for (int i = 0; i < 5; i++) {
		start(i == 2 ? "shop" : "web", "web:2", ids[i]);
		lab_for(2); /* ids of one millisecond have no order */
	}
	await(ids[2], PHASE_SUCCEEDED, NULL);
	await(ids[0], PHASE_PROGRESSING, "canary 25%");
	assert_int_equal(get("/v1/rollouts?limit=2"), 200);
	assert_string_equal(text_at("items.0.id"), ids[4]);
	assert_string_equal(text_at("next"), ids[3]);
	expect_same("items.0.phase", "\"queued\"");
	str_print(path, sizeof(path), "/v1/rollouts?limit=2&before=%s", ids[3]);
	(void)get(path);
	assert_string_equal(text_at("items.0.id"), ids[2]);
	expect_same("items.0.phase", "\"succeeded\"");
	expect_same("items.0.app", "\"shop\"");
	expect_same("items.0.release", "1");
	expect_same("items.0.stage", "\"clean\"");
	assert_string_equal(text_at("items.1.id"), ids[1]);
	str_print(path, sizeof(path), "/v1/rollouts?limit=2&before=%s", ids[1]);
	(void)get(path);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 1);
	expect_same("next", "null");
	(void)get("/v1/rollouts?app=shop");
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 1);
	(void)get("/v1/rollouts?phase=progressing&cluster=default");
	assert_string_equal(text_at("items.0.id"), ids[0]);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 1);
	(void)get("/v1/rollouts?cluster=mars");
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 0);
	(void)get("/v1/rollouts?live=true&limit=3");
	assert_string_equal(text_at("items.0.id"), ids[4]);
	assert_string_equal(text_at("items.2.id"), ids[1]);
	assert_string_equal(text_at("next"), ids[1]);
	str_print(path, sizeof(path), "/v1/rollouts?live=true&limit=3&before=%s", ids[1]);
	(void)get(path);
	assert_string_equal(text_at("items.0.id"), ids[0]);
	expect_same("next", "null");
	(void)get(path_of(NOBODY, ""));
	expect_problem(404, "not_found", NOBODY);
	(void)get("/v1/rollouts/r-1");
	expect_problem(404, "not_found", "app=NAME");
}

static void
test_plan(void **state)
{
	char id[ID_SIZE], *text;
	static const char *const body = "{\"app\":\"web\",\"image\":\"web:2\"}";
	(void)state;
	(void)post("/v1/plan", body);
	expect_problem(404, "not_found", "\"web\"");
	(void)put_app(
	    "web", HELD, "gates: [{name: rate, prometheus: {query: up, pass: \">= 0.99\"}}]\n");
	int wrote = world.wrote;
	if (post("/v1/plan", body) != 200)
		fail_msg("%s", got.body);
	expect_same("app", "\"web\"");
	expect_same("image", "\"web:2\"");
	expect_same("preflight", "[]");
	expect_same("warnings", "[]");
	expect_same("stages.1.name", "\"canary 25%\"");
	expect_same("stages.1.hold", "\"1h\"");
	expect_same("stages.1.approve", "false");
	expect_same("stages.1.gates", "[\"rate\"]");
	expect_same("stages.1.acts.0.act", "\"create_service\"");
	assert_non_null(strstr(got.body, "VirtualService shop/web: canary weight 25, stable 75"));
	(void)post("/v1/plan", "{\"app\":\"web\",\"image\":\"\"}");
	expect_error("image", 0, "");
	(void)post("/v1/plan", "{\"app\":\"web\",\"image\":\"web:2\",\"why\":\"x\"}");
	expect_error("why", 0, "allowed here: app, image");
	assert_int_equal(world.wrote, wrote);
	lab_app_of("web")->seen.stable.replicas = 0;
	assert_int_equal(post("/v1/plan", body), 200);
	assert_int_equal(json_array_size(jsonx_at(got.json, "stages")), 0);
	assert_non_null(strstr(text_at("preflight.0"), "0 replicas"));
	lab_app_of("web")->seen.stable.replicas = 4;
	str_copy(lab_app_of("web")->seen.warnings, OBSERVED_TEXT, "little room");
	assert_int_equal(post("/v1/plan", body), 200);
	expect_same("warnings", "[\"little room\"]");
	lab_app_of("web")->seen.warnings[0] = '\0';
	/* Of a rollout: the same in its middle and after its end as at its beginning. */
	(void)post("/v1/plan", body);
	text = mem_strdup(got.body);
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	assert_int_equal(get(path_of(id, "/plan")), 200);
	assert_string_equal(got.body, text);
	(void)post(path_of(id, "/abort"), "{}");
	await(id, PHASE_ABORTED, NULL);
	assert_int_equal(say(BY_TOKEN, "DELETE", "/v1/apps/web", NULL, NULL), 204);
	assert_int_equal(get(path_of(id, "/plan")), 200);
	assert_string_equal(got.body, text);
	free(text);
	(void)get(path_of(NOBODY, "/plan"));
	expect_problem(404, "not_found", "");
}

static void
test_preflight(void **state)
{
	char id[ID_SIZE];
	static const char *const path = "/v1/apps/web/preflight";
	(void)state;
	(void)post(path, "{}");
	expect_problem(404, "not_found", "\"web\"");
	(void)put_app("web", HELD, "");
	int wrote = world.wrote;
	assert_int_equal(post(path, "{}"), 200);
	expect_same("app", "\"web\"");
	expect_same("ok", "true");
	expect_same("findings", "[]");
	(void)post(path, "{\"image\":\"web:2\"}");
	expect_error("image", 0, "");
	lab_app_of("web")->seen.stable.replicas = 0;
	lab_app_of("web")->seen.service = false;
	assert_int_equal(post(path, "{}"), 200);
	expect_same("ok", "false");
	assert_int_equal(json_array_size(jsonx_at(got.json, "findings")), 2);
	expect_same("findings.0.severity", "\"blocks\"");
	assert_non_null(strstr(text_at("findings.0.text"), "0 replicas"));
	assert_non_null(strstr(text_at("findings.1.text"), "Service shop/web does not exist"));
	assert_int_equal(world.wrote, wrote);
	lab_app_of("web")->seen.stable.replicas = 4;
	lab_app_of("web")->seen.service = true;
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	assert_int_equal(post(path, "{}"), 200);
	assert_non_null(strstr(got.body, "is under way: what it has changed"));
}

static void
test_plan_of_one_that_waits(void **state)
{
	char first[ID_SIZE], id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", first);
	start("web", "web:3", id);
	await(first, PHASE_PROGRESSING, "canary 25%");
	(void)get(path_of(id, ""));
	expect_same("stage", "null");
	expect_same("ladder", "[]");
	assert_int_equal(get(path_of(id, "/plan")), 200);
	expect_same("image", "\"web:3\"");
	/* Now the route does not look as a start wants it. */
	assert_true(json_array_size(jsonx_at(got.json, "preflight")) > 0);
}

static void
test_too_many_plans(void **state)
{
	struct raw *waiting[API_PLANS_MAX];
	static const char *const body = "{\"app\":\"web\",\"image\":\"web:2\"}";
	(void)state;
	(void)put_app("web", HELD, "");
	world.stale = true;
	for (int i = 0; i < API_PLANS_MAX; i++)
		waiting[i] = begin(BY_TOKEN, "POST", "/v1/plan", JSON, body);
	(void)post("/v1/plan", body);
	expect_problem(429, "throttled", "plans");
	world.stale = false;
	for (int i = 0; i < API_PLANS_MAX; i++)
		assert_int_equal(take(waiting[i]), 200);
	assert_int_equal(post("/v1/plan", body), 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    T(test_start_is_checked), T(test_idempotency), T(test_the_rollout_object),
	    T(test_gates_are_shown), T(test_to_the_end_and_back), T(test_commands),
	    T(test_abort_is_idempotent), T(test_lists), T(test_plan),
	    T(test_plan_of_one_that_waits), T(test_preflight), T(test_too_many_plans)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(got.json);
	return failed;
}
