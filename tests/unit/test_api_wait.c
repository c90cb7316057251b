/* Long polls: requests that wait for a rollout, and the budget that they share with streams. */
#include "test_api_ask.h"

#define SSE "Accept: text/event-stream\r\n"
#define IN_VAIN "150ms" /* for what does not happen in that time */

static struct raw *
begin_get(const char *id, const char *query)
{
	return begin(BY_TOKEN, "GET", path_of(id, query), NULL, NULL);
}

static struct raw *
begin_start(const char *query, const char *headers, const char *image)
{
	char path[96], body[128];
	str_print(path, sizeof(path), "/v1/rollouts%s", query);
	str_print(body, sizeof(body), "{\"app\":\"web\",\"image\":\"%s\"}", image);
	return begin(BY_TOKEN, "POST", path, headers, body);
}

static bool
has_followers(void *ctx)
{
	return api_stats(world.api)->followers == *(int *)ctx;
}

static void
expect_followers(int count)
{
	if (!lab_until(has_followers, &count))
		fail_msg("%d followers, not %d", api_stats(world.api)->followers, count);
}

static void
check_values(const char *id)
{
	static const char *const wrong[] = {"?wait=56s", "?wait=1m", "?wait=-1s", "?wait=30",
	    "?wait=", "?wait=99999999999999999999h", "?wait=s", "?wait=1s&wait=1s"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)get(path_of(id, wrong[i]));
		expect_problem(400, "bad_request", "wait");
		int wrote = world.wrote;
		(void)take(begin_start(wrong[i], JSON, "web:3"));
		expect_problem(400, "bad_request", "wait");
		(void)post(path_of(id, "/abort?wait=56s"), "{}");
		expect_problem(400, "bad_request", "0s to 55s");
		assert_int_equal(world.wrote, wrote);
	}
	(void)get(path_of(id, "?wait=1s&after=-1"));
	expect_problem(400, "bad_request", "after");
	(void)get(path_of(NOBODY, "?wait=55s"));
	expect_problem(404, "not_found", NOBODY);
	(void)get("/v1/rollouts?wait=1s");
	expect_problem(400, "bad_request", "wait");
	assert_int_equal(get(path_of(id, "?wait=0s&after=1000000")), 200);
	assert_int_equal(get(path_of(id, "?after=1000000")), 200);
}

/* A start that is waited for until it needs a person; then it stands, and its cursor with it. */
static long long
start_and_pause(char id[ID_SIZE])
{
	(void)put_app("web", "stages: [{weight: 25, approve: true}, {weight: 100}]", "");
	assert_int_equal(take(begin_start("?wait=55s", JSON, "web:2")), 201);
	assert_string_equal(text_at("blocked_on.object"), "Approval");
	assert_string_equal(text_at("phase"), "progressing");
	str_copy(id, ID_SIZE, text_at("id"));
	assert_int_equal(get(path_of(id, "?wait=55s")), 200);
	assert_int_equal(post(path_of(id, "/pause?wait=55s"), "{}"), 200);
	assert_string_equal(text_at("phase"), "paused");
	assert_int_equal(get(path_of(id, "?wait=55s")), 200);
	assert_int_equal(get(path_of(id, "")), 200);
	return int_at("cursor");
}

static void
check_after(const char *id, long long cursor)
{
	char query[64];
	str_print(query, sizeof(query), "?wait=55s&after=%lld", cursor - 1);
	assert_int_equal(get(path_of(id, query)), 200);
	assert_int_equal(int_at("cursor"), cursor);
	str_print(query, sizeof(query), "?wait=55s&after=%lld", cursor);
	struct raw *raw = begin_get(id, query);
	str_print(query, sizeof(query), "?wait=" IN_VAIN "&after=%lld", cursor + 1000);
	struct raw *later = begin_get(id, query);
	expect_followers(2);
	assert_int_equal(post(path_of(id, "/resume"), "{}"), 200);
	assert_int_equal(take(raw), 200);
	assert_true(int_at("cursor") > cursor);
	assert_string_equal(text_at("phase"), "progressing");
	/* Its time is over: the state as it is. */
	assert_int_equal(take(later), 200);
	assert_true(int_at("cursor") > cursor && int_at("cursor") < cursor + 1000);
	assert_string_equal(text_at("phase"), "progressing");
	expect_followers(0);
}

static void
expect_end(struct raw *raw, int status, const char *id)
{
	assert_int_equal(take(raw), status);
	assert_string_equal(text_at("phase"), "succeeded");
	if (id[0] != '\0')
		assert_string_equal(text_at("id"), id);
}

static uint64_t
timed_requests(void)
{
	const struct api_stats *stats = api_stats(world.api);
	uint64_t count = 0;
	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		count += stats->took[API_GET].counts[i] + stats->took[API_POST].counts[i];
	return count;
}

/* One that has ended: at once, whatever is waited for. */
static void
check_ended(const char *id)
{
	await(id, PHASE_SUCCEEDED, NULL);
	assert_int_equal(get(path_of(id, "?wait=55s")), 200);
	assert_int_equal(get(path_of(id, "?wait=55s&after=1000000")), 200);
	assert_string_equal(text_at("phase"), "succeeded");
}

static void
test_start(void **state)
{
	static const char *const key = JSON "Idempotency-Key: ci-1\r\n";
	char id[ID_SIZE] = "";
	(void)state;
	(void)put_app("web", "weights: [100]", "");
	world.stale = true;
	struct raw *first = begin_start("?wait=55s", key, "web:2");
	(void)get("/v1/rollouts?app=web");
	for (int i = 0; i < 100 && json_array_size(jsonx_at(got.json, "items")) == 0; i++)
		(void)get("/v1/rollouts?app=web");
	str_copy(id, sizeof(id), text_at("items.0.id"));
	/* Again, as if its answer was lost: the same rollout, waited for as well. */
	struct raw *again = begin_start("?wait=55s", key, "web:2"), *a = begin_get(id, "?wait=55s"),
		   *b = begin_get(id, "?wait=55s");
	expect_followers(4);
	uint64_t timed = timed_requests();
	(void)take(begin_start("?wait=55s", key, "web:3"));
	expect_problem(409, "key_reused", "take a new one");
	world.stale = false;
	engine_changed(world.engine, "web");
	expect_end(first, 201, id);
	assert_non_null(strstr(got.head, "\r\nLocation: /v1/rollouts/r-"));
	expect_end(again, 200, id);
	expect_end(a, 200, id);
	expect_end(b, 200, id);
	expect_followers(0);
	/* How long somebody wanted to wait is no slowness; the one that was refused is counted. */
	assert_int_equal(timed_requests(), timed + 1);
	expect_end(begin_start("?wait=55s", key, "web:2"), 200, id);
	check_ended(id);
}

/* What is refused waits for nothing; when its time is over it is created, and under way. */
static void
test_start_without_an_end(void **state)
{
	(void)state;
	(void)put_app("web", HELD, "");
	world.stale = true;
	assert_int_equal(take(begin_start("?wait=" IN_VAIN, JSON, "web:3")), 201);
	assert_string_not_equal(text_at("phase"), "succeeded");
	assert_string_equal(text_at("release.image"), "web:3");
	world.no_writes = true;
	(void)take(begin_start("?wait=55s", JSON, "web:4"));
	expect_problem(503, "degraded", "disk");
	expect_followers(0);
}

static int
setup_one_place(void **state)
{
	(void)state;
	world_open((struct api_settings){.max_followers = 1});
	return 0;
}

/* A wait that is refused has started nothing, and one that left leaves its place. */
static void
test_places(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	world.stale = true;
	start("web", "web:2", id);
	struct raw *stream =
	    begin(BY_TOKEN, "GET", path_of(id, "/events"), SSE "Last-Event-ID: 0\r\n", NULL);
	assert_true(raw_expect(stream, "event: state\n"));
	int wrote = world.wrote;
	(void)take(begin_start("?wait=1s", JSON, "web:3"));
	expect_problem(429, "throttled", "nothing was done");
	assert_non_null(strstr(got.head, "\r\nRetry-After: 2\r\n"));
	(void)post(path_of(id, "/abort?wait=1s"), "{}");
	expect_problem(429, "throttled", "limits.connections");
	(void)get(path_of(id, "?wait=1s&after=1000000"));
	expect_problem(429, "throttled", "1 streams and waits");
	assert_int_equal(world.wrote, wrote);
	assert_int_equal(get(path_of(id, "?wait=1s&after=0")), 200); /* needs no place */
	finish(stream);
	expect_followers(0);
	struct raw *wait = begin_get(id, "?wait=55s&after=1000000");
	expect_followers(1);
	(void)say(BY_TOKEN, "GET", path_of(id, "/events"), SSE, NULL);
	expect_problem(429, "throttled", "1 streams and waits");
	finish(wait);
	expect_followers(0);
	/* One whose start is not written down yet. */
	(void)put_app("other", HELD, "");
	struct raw *early = begin(BY_TOKEN, "POST", "/v1/rollouts?wait=55s", JSON,
	    "{\"app\":\"other\",\"image\":\"web:3\"}");
	expect_followers(1);
	finish(early);
	expect_followers(0);
}

/* Whoever waits when the daemon stops learns the state: the id above all. */
static void
check_stop(const char *id)
{
	(void)put_app("other", HELD, "");
	world.stale = true;
	struct raw *wait = begin_get(id, "?wait=55s&after=1000000"),
		   *begun = begin(BY_TOKEN, "POST", "/v1/rollouts?wait=55s", JSON,
		       "{\"app\":\"other\",\"image\":\"web:3\"}");
	expect_followers(2);
	(void)get("/v1/rollouts?app=other");
	for (int i = 0; i < 100 && json_array_size(jsonx_at(got.json, "items")) == 0; i++)
		(void)get("/v1/rollouts?app=other");
	lab_for(20);
	world_stop();
	read_rest(wait);
	assert_int_equal(take_read(wait), 200);
	assert_string_equal(text_at("id"), id);
	assert_string_equal(text_at("phase"), "progressing");
	read_rest(begun);
	assert_int_equal(take_read(begun), 201);
	assert_true(str_starts(text_at("id"), "r-"));
	assert_string_equal(text_at("app"), "other");
}

/* One rollout for three: each takes seconds to get there. */
static void
test_one_that_stands(void **state)
{
	char id[ID_SIZE];
	(void)state;
	long long cursor = start_and_pause(id);
	check_values(id);
	check_after(id, cursor);
	check_stop(id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    T(test_one_that_stands), T(test_start), T(test_start_without_an_end),
	    cmocka_unit_test_setup_teardown(test_places, setup_one_place, teardown)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(got.json);
	return failed;
}
