/* Events of a rollout, as pages and as streams that end, resume, fall behind and stop. */
#include "test_api_ask.h"

#define SSE "Accept: text/event-stream\r\n"

static struct raw *
follow_by(enum way way, const char *id, int64_t after)
{
	char headers[128];
	str_print(headers, sizeof(headers), SSE "Last-Event-ID: %lld\r\n", (long long)after);
	return begin(way, "GET", path_of(id, "/events"), headers, NULL);
}

static struct raw *
follow(const char *id, int64_t after)
{
	return follow_by(BY_TOKEN, id, after);
}

/* What a client makes of a stream: ids in order, each once; kinds; the last state's phase. */
struct heard {
	int events, states, comments;
	int64_t first, last;
	bool resync;
	char phase[32];
};

static char *
without_chunks(const char *text)
{
	struct str clean;
	const char *at = strstr(text, "\r\n\r\n");
	str_init(&clean, 0);
	assert_non_null(at);
	for (at += 4; *at != '\0';) {
		char *end;
		unsigned long size = strtoul(at, &end, 16);
		if (size == 0 || strlen(end) < size + 2)
			break;
		str_add_bytes(&clean, end + 2, size);
		at = end + 2 + size + 2;
	}
	return str_take(&clean);
}

static void
hear_data(struct heard *heard, const char *event, const char *data, int64_t id)
{
	json_t *json = jsonx_parse(data, strlen(data), 1 << 20, NULL);
	assert_non_null(json);
	if (strcmp(event, "state") == 0) {
		heard->states++;
		str_copy(heard->phase, sizeof(heard->phase), jsonx_text_or(json, "phase", "?"));
	} else if (strcmp(event, "resync") == 0) {
		heard->resync = true;
	} else {
		assert_true(id > heard->last);
		assert_int_equal(jsonx_int(json, "seq", -1), id);
		assert_string_equal(jsonx_text_or(json, "kind", "?"), event);
		assert_true(json_is_object(jsonx_at(json, "data")));
		if (heard->first == 0)
			heard->first = id;
		heard->last = id;
		heard->events++;
	}
	json_decref(json);
}

static struct heard
hear_text(const char *whole)
{
	struct heard heard = {0};
	char *text = without_chunks(whole), *rest = text, *line, event[32] = "";
	int64_t id = 0;
	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		heard.comments += line[0] == ':';
		if (str_starts(line, "id: "))
			assert_int_equal(str_number(line + 4, 1, INT64_MAX, &id), 0);
		else if (str_starts(line, "event: "))
			str_copy(event, sizeof(event), line + 7);
		else if (str_starts(line, "data: "))
			hear_data(&heard, event, line + 6, id);
	}
	free(text);
	return heard;
}

static struct heard
hear(const struct raw *raw)
{
	return hear_text(raw->text);
}

static void
test_pages(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	/* From here on nothing happens. */
	assert_int_equal(post(path_of(id, "/pause"), "{}"), 200);
	assert_int_equal(get(path_of(id, "/events?limit=3")), 200);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 3);
	assert_string_equal(text_at("items.0.kind"), "created");
	assert_string_equal(text_at("items.0.data.release.image"), "web:2");
	assert_int_equal(int_at("next"), int_at("items.2.seq"));
	assert_non_null(jsonx_text(got.json, "items.0.at"));
	assert_true(str_starts(text_at("items.0.actor"), "127.0.0.1"));
	long long next = int_at("next");
	char *path = str_format("/v1/rollouts/%s/events?limit=500&after=%lld", id, next);
	assert_int_equal(get(path), 200);
	assert_true(int_at("items.0.seq") > next);
	free(path);
	path = str_format("/v1/rollouts/%s/events?after=%lld", id, int_at("next"));
	next = int_at("next");
	assert_int_equal(get(path), 200);
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), 0);
	assert_int_equal(int_at("next"), next);
	free(path);
	(void)get(path_of(NOBODY, "/events"));
	expect_problem(404, "not_found", NOBODY);
	(void)say(BY_TOKEN, "GET", path_of(NOBODY, "/events"), SSE, NULL);
	expect_problem(404, "not_found", NOBODY);
	(void)say(BY_TOKEN, "GET", path_of(id, "/events"), SSE "Last-Event-ID: x\r\n", NULL);
	expect_problem(400, "bad_request", "Last-Event-ID");
	/* It wins, but what is wrong is told all the same. */
	char *both = str_format("/v1/rollouts/%s/events?after=x", id);
	(void)say(BY_TOKEN, "GET", both, "Last-Event-ID: 1\r\n", NULL);
	expect_problem(400, "bad_request", "after is");
	free(both);
}

static void
test_a_whole_rollout(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", FAST, "");
	world.stale = true; /* it waits until we listen */
	start("web", "web:2", id);
	struct raw *raw = begin(BY_TOKEN, "GET", path_of(id, "/events"), SSE, NULL);
	assert_true(raw_expect(raw, "event: state\n"));
	assert_non_null(strstr(raw->text, "Content-Type: text/event-stream"));
	world.stale = false;
	engine_changed(world.engine, "web");
	assert_true(raw_expect(raw, NULL)); /* the server ends it */
	struct heard heard = hear(raw);
	assert_string_equal(heard.phase, "succeeded");
	assert_false(heard.resync);
	assert_true(heard.states > 1);
	finish(raw);
	(void)get(path_of(id, ""));
	assert_int_equal(int_at("cursor"), heard.last);
	(void)get(path_of(id, "/events?limit=500"));
	assert_int_equal(json_array_size(jsonx_at(got.json, "items")), heard.events);
	/* One that has ended: what there is, the state, the end. */
	raw = follow(id, heard.last - 1);
	assert_true(raw_expect(raw, NULL));
	heard = hear(raw);
	assert_int_equal(heard.events, 1);
	assert_int_equal(heard.states, 1);
	assert_string_equal(heard.phase, "succeeded");
	finish(raw);
}

/* F75: a cut stream goes on where it was, also after a restart of the daemon. */
static void
test_resume(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *raw = follow(id, 0);
	assert_true(raw_expect(raw, "event: state\n"));
	struct heard before = hear(raw);
	assert_true(before.first > 0 && before.events > 5);
	finish(raw);
	assert_int_equal(post(path_of(id, "/pause"), "{}"), 200);
	world_restart();
	raw = follow(id, before.last);
	assert_true(raw_expect(raw, "\"phase\":\"paused\""));
	assert_int_equal(post(path_of(id, "/abort"), "{}"), 200);
	assert_true(raw_expect(raw, NULL));
	struct heard after = hear(raw);
	assert_true(after.first > before.last);
	assert_string_equal(after.phase, "aborted");
	finish(raw);
	(void)get(path_of(id, "/events?limit=500"));
	assert_int_equal(
	    json_array_size(jsonx_at(got.json, "items")), before.events + after.events);
}

static void
on_nothing(void *ctx, uint64_t request, enum engine_result result, const char *id, const char *why)
{
	(void)ctx;
	(void)request;
	(void)result;
	(void)id;
	(void)why;
}

/* Adds events to a rollout without asking the API. */
static void
add_events(const char *id, int count, const char *reason)
{
	struct engine_reply reply = {.done = on_nothing};
	for (int i = 0; i < count; i += 4) {
		engine_command(world.engine, id, COMMAND_PAUSE, false, reason,
		    &(struct actor){.name = "me"}, &reply);
		engine_command(world.engine, id, COMMAND_RESUME, false, "",
		    &(struct actor){.name = "me"}, &reply);
	}
}

/* More than a page and less than the queue: all of it, in order. */
static void
test_a_long_past(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	add_events(id, 300, "for a while");
	assert_int_equal(post(path_of(id, "/pause"), "{}"), 200);
	struct raw *raw = follow(id, 0);
	assert_true(raw_expect(raw, "event: state\n"));
	struct heard heard = hear(raw);
	assert_true(heard.events > 300);
	assert_string_equal(heard.phase, "paused");
	assert_int_equal(heard.states, 1);
	finish(raw);
}

/* What changes in one turn is one state. */
static void
test_states_are_few(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *raw = follow(id, 0);
	assert_true(raw_expect(raw, "event: state\n"));
	int events = hear(raw).events;
	add_events(id, 80, "for a while");
	assert_int_equal(post(path_of(id, "/pause"), "{\"reason\":\"enough\"}"), 200);
	assert_true(raw_expect(raw, "\"reason\":\"enough\",\"release\""));
	struct heard heard = hear(raw);
	assert_true(heard.events >= events + 80);
	assert_true(heard.states <= 10); /* a turn may come in between, not eighty */
	finish(raw);
}

/* Ready counts change without an event; people who watch see them. */
static void
test_what_is_seen_changes(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *raw = follow(id, 0);
	assert_true(raw_expect(raw, "event: state\n"));
	lab_app_of("web")->seen.stable.replicas = 7;
	assert_true(raw_expect(raw, "\"size\":7"));
	finish(raw);
}

static int
setup_heartbeat(void **state)
{
	(void)state;
	world_open((struct api_settings){.heartbeat_ms = 100});
	return 0;
}

static void
test_heartbeat(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *raw = follow(id, 0);
	assert_true(raw_expect(raw, ": heartbeat\n\n"));
	finish(raw);
}

static bool
no_streams(void *ctx)
{
	(void)ctx;
	(void)say(BY_TCP, "GET", "/metrics", NULL, NULL);
	return strstr(got.body, "\nairis_api_streams 0\n") != NULL;
}

static int
setup_streams_are_counted(void **state)
{
	(void)state;
	world_open((struct api_settings){.max_followers = 2});
	return 0;
}

static void
test_streams_are_counted(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	struct raw *a = follow(id, 0), *b = follow(id, 0);
	assert_true(raw_expect(a, "event: state\n"));
	assert_true(raw_expect(b, "event: state\n"));
	(void)say(BY_TOKEN, "GET", path_of(id, "/events"), SSE, NULL);
	expect_problem(429, "throttled", "2 streams");
	finish(a);
	finish(b);
	for (int i = 0; i < 100 && !no_streams(NULL); i++)
		lab_for(10);
	assert_true(no_streams(NULL));
	a = follow(id, 0);
	assert_true(raw_expect(a, "event: state\n"));
	finish(a);
}

static int
setup_places_for_the_socket(void **state)
{
	(void)state;
	world_open((struct api_settings){.max_followers = 8});
	return 0;
}

/* Who floods by TCP does not keep who is at the host from looking. */
static void
test_places_for_the_socket(void **state)
{
	char id[ID_SIZE];
	struct raw *open[8];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	for (int i = 0; i < 7; i++) {
		open[i] = follow(id, 0);
		assert_true(raw_expect(open[i], "event: state\n"));
	}
	(void)say(BY_TOKEN, "GET", path_of(id, "/events"), SSE, NULL);
	expect_problem(429, "throttled", "7 streams");
	open[7] = follow_by(BY_SOCKET, id, 0);
	assert_true(raw_expect(open[7], "event: state\n"));
	(void)say(BY_SOCKET, "GET", path_of(id, "/events"), SSE, NULL);
	expect_problem(429, "throttled", "8 streams");
	for (int i = 0; i < 8; i++)
		finish(open[i]);
}

/* A row that is told and never in the journal: only its size matters. */
static void
tell_big_row(const char *id, int64_t seq)
{
	struct str text;
	str_init(&text, 0);
	str_add(&text, "{\"text\":\"");
	for (int i = 0; i < 20000; i++)
		str_add(&text, "0123456789");
	str_add(&text, "\"}");
	api_event(world.api, &(struct journal_row){.seq = seq,
				 .at_ms = 1,
				 .key = id,
				 .name = "measured",
				 .text = str_text(&text),
				 .actor = ""});
	str_done(&text);
}

/* Throws away what comes, but for the last of it. */
static bool
is_drained(void *ctx)
{
	struct raw *raw = ctx;
	size_t half = sizeof(raw->text) / 2;
	for (;;) {
		if (raw->length > half) {
			memmove(raw->text, raw->text + raw->length - half, half);
			raw->length = half;
		}
		ssize_t count = recv(raw->fd, raw->text + raw->length, half - 1, 0);
		if (count <= 0) {
			raw->text[raw->length] = '\0';
			return count == 0 || errno != EAGAIN;
		}
		raw->length += (size_t)count;
	}
}

static int
setup_a_slow_client(void **state)
{
	(void)state;
	world_open((struct api_settings){.slow_ms = 300});
	return 0;
}

/* A client that does not read costs one queue, is told, and goes. */
static void
test_a_slow_client(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *raw = follow_by(BY_SOCKET, id, 0);
	assert_true(raw_expect(raw, "event: state\n"));
	for (int i = 0; i < 20; i++) { /* also what the kernel keeps */
		tell_big_row(id, 1000000 + i);
		lab_for(2);
	}
	for (int i = 0; i < 100 && !no_streams(NULL); i++)
		lab_for(50);
	assert_true(no_streams(NULL));
	raw->length = 0;
	assert_true(lab_until(is_drained, raw));
	assert_true(str_ends(raw->text, "event: resync\ndata: {}\n\n\r\n0\r\n\r\n"));
	finish(raw);
	assert_int_equal(get(path_of(id, "")), 200);
}

struct reader {
	int fd;
	struct str text;
};

static bool
has_the_end(void *ctx)
{
	static char bytes[65536];
	struct reader *reader = ctx;
	size_t before = reader->text.length;
	ssize_t count;
	while ((count = recv(reader->fd, bytes, sizeof(bytes), 0)) > 0)
		str_add_bytes(&reader->text, bytes, (size_t)count);
	before = before > 4096 ? before - 4096 : 0;
	return strstr(str_text(&reader->text) + before, "\"reason\":\"the end\",\"release\"");
}

/* One that falls behind by more than its queue gets everything when it reads again. */
static void
test_falling_behind(void **state)
{
	char id[ID_SIZE], reason[500];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *raw = follow_by(BY_SOCKET, id, 0);
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	for (int i = 0; i < 4; i++) {
		add_events(id, 1600, reason);
		(void)post(path_of(id, "/pause"), "{}");
		(void)post(path_of(id, "/resume"), "{}");
	}
	(void)post(path_of(id, "/pause"), "{\"reason\":\"the end\"}");
	struct reader reader = {.fd = raw->fd};
	str_init(&reader.text, 0);
	assert_true(lab_until(has_the_end, &reader));
	assert_true(reader.text.length > 2 * 1024 * 1024);
	struct heard heard = hear_text(str_text(&reader.text));
	assert_false(heard.resync);
	assert_int_equal(heard.first, 1);
	assert_true(heard.events > 6400);
	/* This is the only rollout, so no number is missing. */
	assert_int_equal(heard.last, heard.events);
	str_done(&reader.text);
	finish(raw);
}

static void
test_stopping_ends_streams(void **state)
{
	char id[ID_SIZE];
	(void)state;
	(void)put_app("web", HELD, "");
	start("web", "web:2", id);
	await(id, PHASE_PROGRESSING, "canary 25%");
	struct raw *raw = follow(id, 0);
	assert_true(raw_expect(raw, "event: state\n"));
	world_stop();
	read_rest(raw);
	assert_non_null(strstr(raw->text, ": airisd is stopping\n\n"));
	assert_true(str_ends(raw->text, "0\r\n\r\n")); /* a whole answer, not a cut one */
	finish(raw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    T(test_pages), T(test_a_whole_rollout), T(test_resume), T(test_a_long_past),
	    T(test_states_are_few), T(test_what_is_seen_changes), T(test_falling_behind),
	    T(test_stopping_ends_streams),
	    cmocka_unit_test_setup_teardown(test_heartbeat, setup_heartbeat, teardown),
	    cmocka_unit_test_setup_teardown(
		test_streams_are_counted, setup_streams_are_counted, teardown),
	    cmocka_unit_test_setup_teardown(
		test_places_for_the_socket, setup_places_for_the_socket, teardown),
	    cmocka_unit_test_setup_teardown(test_a_slow_client, setup_a_slow_client, teardown)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(got.json);
	return failed;
}
