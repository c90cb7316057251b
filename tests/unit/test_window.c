/* Windows in istio_requests_total: those that can be believed, and those that cannot; never a proof
 * without data. */
#include "unit.h"

#include "mesh/window.h"
#include "traffic_answers.h"

static bool
read_text(struct window *window, const char *body, int status)
{
	struct window_answer answer = {.status = status,
	    .body = body,
	    .length = strlen(body),
	    .window_ms = 5000,
	    .elapsed_ms = 6000};
	return window_read(window, &app, &answer);
}

static bool
read_window(struct window *window, const struct counted of[REPORTERS])
{
	char *body = body_of(of);
	bool ok = read_text(window, body, 200);
	free(body);
	return ok;
}

static void
test_window(void **state)
{
	struct counted of[REPORTERS] = {counted(5000, 900, 100)};
	struct window window;
	(void)state;
	name_app();
	assert_true(read_window(&window, of));
	assert_int_equal(window.count, 1);
	assert_string_equal(window.seen[0].reporter, "source");
	assert_int_equal(window.seen[0].requests, 1000);
	assert_int_equal(window.seen[0].canary, 100);
	assert_int_equal(window.seen[0].proven, 1000);
	assert_true(window.seen[0].both);
	of[DESTINATION] = counted(5000, 800, 0);
	of[DESTINATION].no_canary = true;
	of[DESTINATION].fresh = 300;
	assert_true(read_window(&window, of));
	assert_int_equal(window.count, 2);
	assert_int_equal(window.seen[1].requests, 800);
	assert_int_equal(window.seen[1].proven, 500);
	assert_false(window.seen[1].both);
	/* Who counted nothing has no say, whatever its times are. */
	of[DESTINATION] = counted(5000, 0, 0);
	of[DESTINATION].rest = 240;
	assert_true(read_window(&window, of));
	assert_int_equal(window.count, 1);
}

static void
must_not_be_used(const struct counted *source, const char *why)
{
	struct counted of[REPORTERS] = {*source, counted(5000, 900, 100)};
	struct window window;
	if (read_window(&window, of))
		fail_msg("it is used, in spite of \"%s\"", why);
	if (strstr(window.text, why) == NULL)
		fail_msg("no \"%s\" in \"%s\"", why, window.text);
	assert_false(window.broken);
}

/* One reporter that cannot be believed spoils the window for the other. */
static void
test_windows_that_cannot_be_used(void **state)
{
	struct counted of = counted(5000, 900, 100);
	(void)state;
	name_app();
	of.age = 6.001; /* requests of before the change are among these */
	must_not_be_used(&of, "from after the change");
	of = counted(5000, 900, 100);
	of.no_before = true;
	must_not_be_used(&of, "no counter was there 5s ago");
	of = counted(5000, 900, 100);
	of.rest = 6.5;
	must_not_be_used(&of, "the newest sample is 6 s old");
	of = counted(5000, 900, 100);
	of.least = 0; /* read every 30 s: one series was read, another was not */
	must_not_be_used(&of, "read twice within 5s");
	of = counted(5000, 900, 100);
	of.least = 4;
	must_not_be_used(&of, "too far apart");
}

static void
must_be_broken(const char *body, int status)
{
	struct window window;
	if (read_text(&window, body, status) || !window.broken || window.text[0] == '\0')
		fail_msg("taken for an answer: %s", body);
}

#define SERIES(labels, value)                                                                      \
	"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":"     \
	"{" labels "},\"value\":[1," value "]}]}}"
#define REQUESTS "\"part\":\"requests\",\"reporter\":\"source\",\"destination_workload\":\"web\""

static void
test_answers_that_are_none(void **state)
{
	struct counted of[REPORTERS] = {counted(5000, 900, 100)};
	struct window window;
	(void)state;
	name_app();
	char *good = body_of(of);
	assert_true(read_text(&window, good, 200));
	must_be_broken(good, 503);
	char *warned = str_format("{\"warnings\":[\"partial\"],%s", good + 1);
	must_be_broken(warned, 200);
	free(warned);
	good[strlen(good) / 2] = '\0';
	must_be_broken(good, 200);
	free(good);
	must_be_broken("", 200);
	must_be_broken("<html>", 200);
	must_be_broken(
	    "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"too slow\"}", 503);
	must_be_broken(SERIES(REQUESTS, "\"NaN\""), 200);
	must_be_broken(SERIES(REQUESTS, "\"+Inf\""), 200);
	must_be_broken(SERIES(REQUESTS, "\"-5\""), 200);
	must_be_broken(SERIES(REQUESTS, "\"1e30\""), 200);
	must_be_broken(SERIES(REQUESTS, "12"), 200);
	must_be_broken(SERIES("", "\"12\""), 200);
	must_be_broken(SERIES("\"part\":\"requests\",\"reporter\":\"waypoint\"", "\"1\""), 200);
	must_be_broken(SERIES("\"part\":\"requests\",\"reporter\":\"source\","
			      "\"destination_workload\":\"other\"",
			   "\"1\""),
	    200);
	must_be_broken(SERIES("\"part\":\"odd\",\"reporter\":\"source\"", "\"1\""), 200);
	must_be_broken("{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":"
		       "[1,\"12\"]}}",
	    200);
	assert_false(read_text(&window,
	    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}", 200));
	assert_string_equal(window.text, "no istio_requests_total of shop/web and its canary");
	of[SOURCE] = counted(5000, 0, 0);
	assert_false(read_window(&window, of));
	assert_string_equal(window.text, "shop/web and its canary got no requests");
}

/* Names stay within their quotes; in the expression they match themselves alone. */
static void
test_query(void **state)
{
	struct err e;
	(void)state;
	name_app();
	str_copy(app.workload, sizeof(app.workload), "web.v1");
	char *query = window_query(&app, 30000, &e);
	assert_non_null(query);
	assert_non_null(
	    strstr(query, "destination_workload_namespace=\"shop\",destination_workload=~"
			  "\"web\\\\.v1|web-canary\"} offset 30s"));
	assert_null(strstr(query, "{{"));
	free(query);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_windows_that_cannot_be_used),
	    cmocka_unit_test(test_answers_that_are_none),
	    cmocka_unit_test(test_query),
	};
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
