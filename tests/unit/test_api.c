/* The API's ground: who gets in, what is there, what is refused and how it is told; apps, releases,
 * health. */
#include "test_api_ask.h"

/* Where the routes' holes are filled. */
static void
fill(const char *pattern, char *to, size_t size)
{
	const char *hole = strchr(pattern, '{');
	if (hole == NULL) {
		str_copy(to, size, pattern);
		return;
	}
	str_print(to, size, "%.*s%s%s", (int)(hole - pattern), pattern,
	    hole[1] == 'a' ? "web" : NOBODY, strchr(hole, '}') + 1);
}

/* F77: without the token nothing is told and nothing changes, on any route. */
static void
test_tcp_needs_the_token(void **state)
{
	static const char *const wrong[] = {NULL, "Authorization: Bearer wrong\r\n",
	    "Authorization: Bearer \r\n", "Authorization: " TOKEN "\r\n",
	    "Authorization: Basic " TOKEN "\r\n", "Authorization: Bearer " TOKEN "x\r\n"};
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		char path[160];
		fill(route->path, path, sizeof(path));
		for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
			(void)say(BY_TCP, route->method, path, wrong[w], NULL);
			/* What is posted to an open route is its own proof, and there is none. */
			if (route->open || route->here)
				assert_int_equal(
				    got.status, strcmp(route->method, "GET") == 0 ? 200 : 415);
			else
				expect_problem(401, "unauthorized", "Authorization: Bearer TOKEN");
		}
		if (!route->open && !route->here)
			assert_non_null(strstr(got.head, "WWW-Authenticate: Bearer"));
		assert_int_not_equal(say(BY_TOKEN, route->method, path, NULL, NULL), 401);
		assert_int_not_equal(say(BY_SOCKET, route->method, path, NULL, NULL), 401);
	}
	assert_int_equal(world.wrote, 0);
	assert_int_equal(say(BY_TCP, "GET", "/nowhere", NULL, NULL), 401);
}

static void
test_a_changed_token_is_noticed(void **state)
{
	struct err e;
	(void)state;
	write_file(world.token, "another-token-0123456789\n");
	assert_int_equal(api_reload(world.api, world.token, &e), 0);
	assert_int_equal(get("/v1/version"), 401);
	assert_int_equal(say(BY_TCP, "GET", "/v1/version",
			     "authorization: bearer another-token-0123456789\r\n", NULL),
	    200);
	/* By itself, too, at most a second later; gone means that nobody gets in. */
	assert_int_equal(unlink(world.token), 0);
	lab_for(1100);
	assert_int_equal(say(BY_TCP, "GET", "/v1/version",
			     "Authorization: Bearer another-token-0123456789\r\n", NULL),
	    401);
	assert_int_equal(api_reload(world.api, world.token, &e), -1);
	assert_non_null(strstr(e.text, world.token));
	write_file(world.token, TOKEN);
	lab_for(1100);
	assert_int_equal(get("/v1/version"), 200);
	/* F90 */
	assert_null(strstr(got.body, TOKEN));
}

static void
refuse_tcp(const char *token_text, const char *address, const char *why)
{
	struct api_settings settings = {.token_file = token_text == NULL ? NULL : world.token};
	struct api_ports ports = {0};
	struct err e = {""};
	int port;
	if (token_text != NULL)
		write_file(world.token, token_text);
	struct api *api = api_new(lab.loop, world.engine, &settings, &ports, &e);
	assert_int_equal(api_listen_tcp(api, address, &port, &e), -1);
	if (strstr(e.text, why) == NULL)
		fail_msg("%s: %s", address, e.text);
	assert_null(strstr(e.text, "two words"));
	api_free(api);
}

static void
test_where_it_does_not_listen(void **state)
{
	(void)state;
	refuse_tcp(TOKEN, "0.0.0.0:0", "loopback only");
	refuse_tcp(TOKEN, "10.1.2.3:80", "loopback only");
	refuse_tcp(TOKEN, "[::]:0", "loopback only");
	refuse_tcp(TOKEN, "[2001:db8::1]:80", "loopback only");
	refuse_tcp(TOKEN, "example.org:80", "loopback only");
	refuse_tcp(TOKEN, "0::1:8080", "loopback only");
	refuse_tcp(TOKEN, "::1:0", "loopback only");
	refuse_tcp(TOKEN, "[127.0.0.1]:0", "loopback only");
	refuse_tcp(NULL, "127.0.0.1:0", "no token file is set");
	refuse_tcp("", "127.0.0.1:0", "is empty");
	refuse_tcp(" \n", "127.0.0.1:0", "is empty");
	refuse_tcp("two words\n", "127.0.0.1:0", "visible ASCII");
	assert_int_equal(unlink(world.token), 0);
	struct api_settings settings = {.token_file = world.token, .max_followers = -1};
	struct err e;
	assert_null(api_new(lab.loop, world.engine, &settings, &(struct api_ports){0}, &e));
}

static void
test_what_there_is_not(void **state)
{
	(void)state;
	(void)get("/v2");
	expect_problem(404, "not_found", "/v1/rollouts");
	(void)get("/v1/apps/web/");
	expect_problem(404, "not_found", "/v1/apps/web/");
	for (size_t i = 0; i < api_route_count; i++) {
		char path[160], allow[80];
		fill(api_routes[i].path, path, sizeof(path));
		(void)say(BY_TOKEN, "PATCH", path, NULL, NULL);
		expect_problem(405, "method_not_allowed", "PATCH is not allowed");
		char *line = strstr(got.head, "Allow: ");
		assert_non_null(line);
		str_print(allow, sizeof(allow), "%.*s", (int)strcspn(line, "\r"), line);
		assert_non_null(strstr(allow, api_routes[i].method));
	}
	(void)say(BY_TOKEN, "PATCH", "/v1/apps/web", NULL, NULL);
	assert_non_null(strstr(got.head, "Allow: GET, PUT, DELETE\r\n"));
}

static void
test_queries_are_checked(void **state)
{
	(void)state;
	(void)get("/v1/apps?limt=3");
	expect_problem(400, "bad_request", "\"limt\"; allowed here: limit after");
	(void)get("/v1/apps?limit=3&limit=4");
	expect_problem(400, "bad_request", "twice");
	(void)get("/v1/apps?limit=501");
	expect_problem(400, "bad_request", "from 1 to 500");
	(void)get("/v1/apps?limit=0");
	expect_problem(400, "bad_request", "from 1 to 500");
	(void)get("/v1/apps?limit=x");
	expect_problem(400, "bad_request", "\"x\"");
	(void)get("/v1/version?x=1");
	expect_problem(400, "bad_request", "allowed here: none");
	(void)get("/v1/rollouts?phase=done");
	expect_problem(400, "bad_request", "queued, progressing");
	(void)get("/v1/rollouts?live=yes");
	expect_problem(400, "bad_request", "true, false");
	(void)get("/v1/rollouts?before=r-1");
	expect_problem(400, "bad_request", "before");
	(void)get(path_of(NOBODY, "/events?after=-1"));
	expect_problem(400, "bad_request", "after");
}

static void
test_put_app(void **state)
{
	static const char json[] =
	    "{\"kind\":\"App\",\"name\":\"web\",\"namespace\":\"shop\","
	    "\"workload\":{\"kind\":\"Deployment\",\"name\":\"web\"},"
	    "\"traffic\":{\"istio\":{\"virtualService\":\"web\"}},"
	    "\"strategy\":{\"canary\":{\"weights\":[25,50,100],\"hold\":\"1h\","
	    "\"drain\":\"0s\"}}}";
	(void)state;
	assert_int_equal(put_app("web", HELD, ""), 201);
	assert_non_null(strstr(got.head, "Location: /v1/apps/web\r\n"));
	assert_string_equal(text_at("name"), "web");
	assert_string_equal(text_at("namespace"), "shop");
	assert_string_equal(text_at("cluster"), "default");
	assert_true(json_is_true(jsonx_at(got.json, "changed")));
	assert_string_equal(text_at("spec.strategy.canary.hold"), "1h");
	assert_int_equal(put_app("web", HELD, ""), 200);
	assert_true(json_is_false(jsonx_at(got.json, "changed")));
	assert_int_equal(say(BY_TOKEN, "PUT", "/v1/apps/web",
			     "Content-Type: Application/JSON; charset=utf-8\r\n", json),
	    200);
	assert_true(json_is_false(jsonx_at(got.json, "changed")));
	assert_int_equal(put_app("web", FAST, ""), 200);
	assert_true(json_is_true(jsonx_at(got.json, "changed")));
	assert_int_equal(get("/v1/apps/web"), 200);
	assert_string_equal(text_at("strategy"), "canary");
	assert_string_equal(text_at("workload"), "web");
	assert_true(json_is_null(jsonx_at(got.json, "active")));
	assert_int_equal(int_at("spec.strategy.canary.weights.0"), 50);
}

static void
test_bad_apps(void **state)
{
	char *text;
	(void)state;
	assert_int_equal(put_app("web", "weights: [25, 500], hld: 1h", "gates: 3\n"), 422);
	expect_problem(422, "unprocessable", "see errors");
	expect_error("strategy.canary.weights[1]", 6, "500");
	expect_error("strategy.canary.hld", 6, "did you mean \"hold\"");
	expect_error("gates", 7, "");
	text = app_yaml("other", HELD, "");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", YAML, text);
	expect_problem(422, "unprocessable", "");
	expect_error("name", 2, "the path names \"web\"");
	free(text);
	(void)put_app("web", HELD, "cluster: mars\n");
	expect_problem(422, "unprocessable", "");
	expect_error("cluster", 7, "mars");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", JSON, "{\n\"name\": 3}");
	expect_problem(422, "unprocessable", "");
	expect_error("name", 2, "3");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", YAML, "name: [\n");
	expect_problem(400, "bad_request", "line");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", JSON, "{\"a\":1,\"a\":2}");
	expect_problem(400, "bad_request", "a");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", JSON, "{\"name\":\"\xff\"}");
	expect_problem(400, "bad_request", "UTF-8");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", YAML, "name: \"\xff\"");
	expect_problem(400, "bad_request", "UTF-8");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", "Content-Type: text/html\r\n", "x");
	expect_problem(415, "unsupported_media_type", "application/yaml");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", NULL, "x");
	expect_problem(415, "unsupported_media_type", "application/json");
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", JSON, "");
	expect_problem(400, "bad_request", "JSON");
	(void)get("/v1/apps/web");
	expect_problem(404, "not_found", "\"web\"");
	(void)get("/v1/apps/Web%20x");
	expect_problem(404, "not_found", "lower-case");
	assert_int_equal(world.wrote, 0);
}

static void
test_sizes(void **state)
{
	char *big = mem_alloc(300 * 1024 + 1);
	(void)state;
	memset(big, ' ', 300 * 1024);
	(void)say(BY_TOKEN, "PUT", "/v1/apps/web", YAML, big);
	expect_problem(413, "too_large", "262144");
	big[20 * 1024] = '\0';
	(void)post("/v1/rollouts", big);
	expect_problem(413, "too_large", "16384");
	(void)say(BY_TOKEN, "GET", "/v1/apps", NULL, "x");
	expect_problem(400, "bad_request", "takes no body");
	free(big);
	assert_int_equal(get("/v1/version"), 200);
}

static void
test_list_and_delete_apps(void **state)
{
	char id[ID_SIZE];
	(void)state;
	assert_int_equal(get("/v1/apps"), 200);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 0);
	assert_true(json_is_null(jsonx_at(got.json, "next")));
	(void)put_app("b", HELD, "");
	(void)put_app("c", HELD, "");
	(void)put_app("a", HELD, "");
	assert_int_equal(get("/v1/apps?limit=2"), 200);
	assert_string_equal(text_at("items.0.name"), "a");
	assert_string_equal(text_at("items.1.name"), "b");
	assert_string_equal(text_at("next"), "b");
	assert_int_equal(get("/v1/apps?limit=2&after=b"), 200);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 1);
	assert_string_equal(text_at("items.0.name"), "c");
	assert_true(json_is_null(jsonx_at(got.json, "next")));
	start("c", "web:2", id);
	assert_int_equal(get("/v1/apps?after=b"), 200);
	assert_string_equal(text_at("items.0.active"), id);
	(void)say(BY_TOKEN, "DELETE", "/v1/apps/c", NULL, NULL);
	expect_problem(409, "conflict", "abort it first");
	assert_int_equal(say(BY_TOKEN, "DELETE", "/v1/apps/a", NULL, NULL), 204);
	assert_string_equal(got.body, "");
	(void)say(BY_TOKEN, "DELETE", "/v1/apps/a", NULL, NULL);
	expect_problem(404, "not_found", "no app");
	(void)say(BY_TOKEN, "DELETE", "/v1/apps/A", NULL, NULL);
	expect_problem(404, "not_found", "lower-case");
	assert_int_equal(get("/v1/apps/a"), 404);
}

static void
test_releases(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)get("/v1/apps/web/releases");
	expect_problem(404, "not_found", "\"web\"");
	(void)put_app("web", HELD, "");
	assert_int_equal(get("/v1/apps/web/releases"), 200);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 0);
	assert_int_equal(
	    say(BY_SOCKET, "POST", "/v1/rollouts", JSON "X-Airis-Actor: alice \xc3\xa9\r\n",
		"{\"app\":\"web\",\"image\":\"web:2\",\"why\":\"line\\nline\","
		"\"commit\":\"abc\"}"),
	    201);
	str_print(id, sizeof(id), "alice \xc3\xa9 uid=%u", getuid());
	assert_string_equal(text_at("release.who"), id);
	start("web", "web:3", id);
	start("web", "web:4", id);
	assert_int_equal(get("/v1/apps/web/releases?limit=2"), 200);
	assert_int_equal(int_at("items.0.number"), 3);
	assert_int_equal(int_at("items.1.number"), 2);
	assert_int_equal(int_at("next"), 2);
	assert_int_equal(get("/v1/apps/web/releases?before=2"), 200);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 1);
	assert_string_equal(text_at("items.0.image"), "web:2");
	assert_string_equal(text_at("items.0.why"), "line\nline");
	assert_string_equal(text_at("items.0.commit"), "abc");
	assert_string_equal(text_at("items.0.app"), "web");
	assert_int_equal(strlen(text_at("items.0.at")), strlen("2026-01-01T00:00:00.000Z"));
	assert_true(json_is_null(jsonx_at(got.json, "next")));
}

static void
test_actor(void **state)
{
	char *header = str_format("X-Airis-Actor: %0129d\r\n", 0);
	(void)state;
	(void)say(BY_TOKEN, "DELETE", "/v1/apps/a", header, NULL);
	expect_problem(400, "bad_request", "X-Airis-Actor");
	(void)say(BY_TOKEN, "DELETE", "/v1/apps/a", "X-Airis-Actor: \xff\r\n", NULL);
	expect_problem(400, "bad_request", "UTF-8");
	free(header);
	/* The longest name leaves room for what is known for certain. */
	header = str_format(JSON "X-Airis-Actor: %0128d\r\n", 0);
	(void)put_app("web", HELD, "");
	assert_int_equal(
	    say(BY_SOCKET, "POST", "/v1/rollouts", header, "{\"app\":\"web\",\"image\":\"web:2\"}"),
	    201);
	free(header);
	assert_non_null(strstr(text_at("release.who"), " uid="));
	assert_int_equal(strlen(text_at("release.who")), 127);
}

static void
test_health(void **state)
{
	(void)state;
	assert_int_equal(get("/v1/version"), 200);
	assert_non_null(jsonx_text(got.json, "version"));
	assert_int_equal(say(BY_TCP, "GET", "/healthz", NULL, NULL), 200);
	assert_string_equal(got.body, "ok\n");
	assert_int_equal(say(BY_TCP, "GET", "/readyz", NULL, NULL), 200);
	assert_true(json_is_true(jsonx_at(got.json, "ready")));
	assert_string_equal(text_at("store"), "ok");
	assert_string_equal(text_at("clusters.0.name"), "default");
	assert_true(json_is_true(jsonx_at(got.json, "clusters.0.fresh")));
	assert_true(json_is_true(jsonx_at(got.json, "sources.0.ok")));
	assert_int_equal(get("/v1/mesh"), 200);
	assert_string_equal(text_at("clusters.0.name"), "default");
	world.store_is_bad = true;
	assert_int_equal(say(BY_TCP, "GET", "/readyz", NULL, NULL), 503);
	assert_true(json_is_false(jsonx_at(got.json, "ready")));
	assert_string_equal(text_at("store"), "the disk is full");
	assert_int_equal(say(BY_TCP, "GET", "/healthz", NULL, NULL), 200);
}

static void
expect_line(const char *line)
{
	if (strstr(got.body, line) == NULL)
		fail_msg("no \"%s\" in\n%s", line, got.body);
}

/* Within a second or two. */
static void
await_line(const char *line)
{
	for (int i = 0; i < 200; i++) {
		(void)say(BY_TCP, "GET", "/metrics", NULL, NULL);
		if (strstr(got.body, line) != NULL)
			return;
		lab_for(10);
	}
	expect_line(line);
}

static void
test_metrics(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", FAST, "");
	start("web", "web:2", id);
	await(id, PHASE_SUCCEEDED, NULL);
	assert_int_equal(say(BY_TCP, "GET", "/metrics", NULL, NULL), 200);
	assert_non_null(strstr(got.head, "text/plain; version=0.0.4"));
	expect_line("\nairis_rollouts_started_total{strategy=\"canary\"} 1\n");
	expect_line("\nairis_rollouts_started_total{strategy=\"rolling\"} 0\n");
	expect_line("\nairis_rollouts_ended_total{strategy=\"canary\",phase=\"succeeded\"} 1\n");
	expect_line("\nairis_rollouts_ended_total{strategy=\"canary\",phase=\"aborted\"} 0\n");
	expect_line("\nairis_rollouts{strategy=\"canary\",phase=\"progressing\"} 0\n");
	expect_line("\nairis_rollout_duration_seconds_count{strategy=\"canary\",phase="
		    "\"succeeded\"} 1\n");
	expect_line("\nairis_rollout_stage_duration_seconds_count{strategy=\"canary\",stage="
		    "\"promote\"} 1\n");
	expect_line("\nairis_apps 1\n");
	expect_line("\nairis_acts_total{act=\"set_image\",outcome=\"done\"} 1\n");
	expect_line("\nairis_act_duration_seconds_count{act=\"set_image\"} 1\n");
	expect_line("\nairis_gate_measurements_total{verdict=\"pass\"} 0\n");
	expect_line("\nairis_abort_latency_seconds_count 0\n");
	expect_line("\nairis_degraded 0\n");
	expect_line("\nairis_api_connections 1\n");
	expect_line("\nairis_api_requests_under_way 1\n");
	expect_line("\nairis_api_requests_total{method=\"PUT\",route=\"/v1/apps/{app}\",code="
		    "\"201\"} 1\n");
	expect_line("\nairis_api_requests_total{method=\"POST\",route=\"/v1/rollouts\",code="
		    "\"201\"} 1\n");
	expect_line("\nairis_api_request_duration_seconds_count{method=\"POST\"} 1\n");
	assert_null(strstr(got.body, "web"));
}

/* Under their route; what has none, or is not for who asks, under none. */
static void
test_requests_are_counted(void **state)
{
	(void)state;
	(void)get("/v1/apps/nobody");
	(void)get("/v1/apps/nothing");
	(void)get("/no/such/path");
	(void)say(BY_TCP, "GET", "/v1/apps", NULL, NULL);
	(void)say(BY_TOKEN, "DELETE", "/v1/version", NULL, NULL);
	(void)put_app("web", HELD, "");
	world.stale = true;
	finish(begin(BY_TOKEN, "POST", "/v1/plan", JSON, "{\"app\":\"web\",\"image\":\"web:2\"}"));
	await_line("\nairis_api_requests_total{method=\"POST\",route=\"/v1/plan\",code=\"0\"} 1\n");
	expect_line("\nairis_api_requests_under_way 1\n");
	expect_line("\nairis_api_requests_total{method=\"GET\",route=\"/v1/apps/{app}\",code="
		    "\"404\"} 2\n");
	expect_line(
	    "\nairis_api_requests_total{method=\"other\",route=\"other\",code=\"404\"} 1\n");
	expect_line(
	    "\nairis_api_requests_total{method=\"other\",route=\"other\",code=\"401\"} 1\n");
	expect_line(
	    "\nairis_api_requests_total{method=\"other\",route=\"other\",code=\"405\"} 1\n");
	expect_line("\nairis_api_unauthorized_total 1\n");
	assert_null(strstr(got.body, "nobody"));
}

/* The wait and the weight of what is under way, by its app. */
static void
test_live_rollouts_are_shown(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	await_line("\nairis_rollout_weight_ratio{app=\"web\",namespace=\"shop\",cluster="
		   "\"default\"} 0.25\n");
	expect_line("\nairis_rollouts{strategy=\"canary\",phase=\"progressing\"} 1\n");
	expect_line(
	    "\nairis_rollout_info{app=\"web\",namespace=\"shop\",cluster=\"default\",strategy="
	    "\"canary\",phase=\"progressing\"} 1\n");
	expect_line("\nairis_rollout_waiting_seconds{app=\"web\",namespace=\"shop\",cluster="
		    "\"default\"} ");
	expect_line("\nairis_act_duration_seconds_count{act=\"weight\"} 1\n");
}

/* Every mutation says that it was not written down, and can be asked for again later. */
static void
test_degraded(void **state)
{
	(void)state;
	assert_int_equal(put_app("web", HELD, ""), 201);
	world.no_writes = true;
	(void)post("/v1/rollouts", "{\"app\":\"web\",\"image\":\"web:2\"}");
	expect_problem(503, "degraded", "the disk is full");
	assert_non_null(strstr(got.head, "Retry-After: "));
	(void)put_app("b", HELD, "");
	expect_problem(503, "degraded", "the disk is full");
	assert_int_equal(say(BY_TCP, "GET", "/readyz", NULL, NULL), 503);
	assert_int_equal(get("/v1/apps/web"), 200);
	(void)say(BY_TCP, "GET", "/metrics", NULL, NULL);
	expect_line("\nairis_degraded 1\n");
}

/* Requests that wait and streams that run are told when the daemon stops; clients that left are
 * forgotten. */
static void
test_stop(void **state)
{
	struct raw *left, *waits;
	(void)state;
	(void)put_app("web", HELD, "");
	world.stale = true;
	left = begin(BY_TOKEN, "POST", "/v1/plan", JSON, "{\"app\":\"web\",\"image\":\"web:2\"}");
	waits = begin(BY_TOKEN, "POST", "/v1/plan", JSON, "{\"app\":\"web\",\"image\":\"web:2\"}");
	lab_for(50);
	finish(left);
	lab_for(50);
	world_stop();
	read_rest(waits);
	(void)take_read(waits);
	expect_problem(503, "stopping", "stopping");
}

/* The contract names every route, and the code has every word of it. */
static void
test_documented(void **state)
{
	char *text = mem_alloc(65536), line[160];
	int fd = open("docs/rest.md", O_RDONLY | O_CLOEXEC);
	(void)state;
	assert_true(fd >= 0);
	assert_true(read(fd, text, 65535) > 0);
	(void)close(fd);
	for (size_t i = 0; i < api_route_count; i++) {
		str_print(line, sizeof(line), "`%s %s`", api_routes[i].method, api_routes[i].path);
		if (strstr(text, line) == NULL)
			fail_msg("docs/rest.md does not have %s", line);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    T(test_tcp_needs_the_token), T(test_a_changed_token_is_noticed),
	    T(test_where_it_does_not_listen), T(test_what_there_is_not),
	    T(test_queries_are_checked), T(test_put_app), T(test_bad_apps), T(test_sizes),
	    T(test_list_and_delete_apps), T(test_releases), T(test_actor), T(test_health),
	    T(test_metrics), T(test_requests_are_counted), T(test_live_rollouts_are_shown),
	    T(test_degraded), T(test_stop), T(test_documented)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(got.json);
	return failed;
}
