/* Gates against a source that behaves in every bad way there is: one answer for each question,
 * never at once, never late, and never a pass that was not measured. */
#include "unit.h"

#include "gates_bench.h"

/* --- what is sent ---------------------------------------------------------------------------- */

static void
test_request_as_it_is_sent(void **state)
{
	const char *const headers[] = {"X-Scope-OrgID: team-7", NULL};
	struct bench b;
	const char *request;

	(void)state;
	open_bench(&b);
	b.source.headers = headers;
	open_gates(&b);
	expect(&b, VERDICT_PASS, "1 >= 1");
	assert_true(b.sample.has_value && b.sample.value == 1);
	assert_true(b.sample.at_ms > clock_wall_ms() - GUARD_MS);
	assert_true(b.sample.samples == -1);
	request = fake_request(&b.fake, 0);
	assert_true(str_starts(request, "POST /prom/api/v1/query HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nX-Scope-OrgID: team-7\r\n"));
	assert_non_null(strstr(request, "application/x-www-form-urlencoded"));
	assert_non_null(
	    strstr(request, "query=sum%28x%7Bw%3D%22web-canary%22%7D%5B30s%5D%29&time="));
	assert_non_null(strstr(request, "&timeout="));
	assert_null(strstr(request, "Authorization"));
	assert_true(health(&b).ok);
	close_bench(&b);
}

/* The value and its samples are asked for the same instant. */
static void
test_samples_query(void **state)
{
	struct bench b;
	const char *first, *second;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	b.gate.samples_query = (char *)"count({{since_weight}})";
	b.gate.samples_min = 1;
	expect(&b, VERDICT_PASS, "1 >= 1");
	assert_true(b.sample.samples == 1);
	assert_int_equal(fake_requests(&b.fake), 2);
	first = strstr(fake_request(&b.fake, 0), "&time=");
	second = strstr(fake_request(&b.fake, 1), "&time=");
	assert_non_null(first);
	assert_non_null(second);
	assert_memory_equal(first, second, strlen("&time=1795380162.051&"));
	/* F11 */
	b.gate.samples_min = 2;
	expect(&b, VERDICT_TOO_FEW, "1 samples; 2 are needed");
	close_bench(&b);
}

/* --- what comes back ------------------------------------------------------------------------- */

/* F01 to F07 and F14 through the wire: what is not a number holds. */
static void
test_f01_to_f07_over_http(void **state)
{
	static const struct {
		int status;
		const char *answer;
		enum verdict verdict;
	} cases[] = {
	    {200, FAKE_ONE("0.5"), VERDICT_FAIL},
	    {200, FAKE_ONE("NaN"), VERDICT_NO_DATA},
	    {200, FAKE_ONE("+Inf"), VERDICT_ERROR},
	    {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
		VERDICT_NO_DATA},
	    {200,
		"{\"status\":\"success\",\"warnings\":[\"partial\"],\"data\":{\"resultType\":"
		"\"scalar\",\"result\":[@T,\"1\"]}}",
		VERDICT_ERROR},
	    {200,
		"{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[@T,"
		"\"1\"]}}",
		VERDICT_ERROR},
	    {302, FAKE_ONE("1"), VERDICT_ERROR},
	    {401, "", VERDICT_ERROR},
	    {400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"x\"}",
		VERDICT_ERROR},
	    {422, "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"x\"}",
		VERDICT_ERROR},
	    {503, "", VERDICT_ERROR},
	};
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool alive =
		    cases[i].status == 200 || cases[i].status == 400 || cases[i].status == 422;

		fake_do(&b.fake, FAKE_ANSWER, cases[i].status, cases[i].answer);
		expect(&b, cases[i].verdict, "");
		/* F07: an answer is an answer; asking again changes nothing. */
		assert_int_equal(fake_requests(&b.fake), i + 1);
		assert_int_equal(health(&b).ok, alive);
	}
	assert_int_equal(health(&b).failed, 3);
	close_bench(&b);
}

/* F08: no connection, no answer, no name: an error in time, and the source is not well. */
static void
test_f08_outages(void **state)
{
	struct bench b;
	char *url;

	(void)state;
	open_bench(&b);
	b.source.timeout_ms = SHORT_MS;
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, "");
	expect(&b, VERDICT_ERROR, "data source main: ");
	assert_false(health(&b).ok);
	assert_int_equal(health(&b).running, 0);
	fake_do(&b.fake, FAKE_ANSWER, 200, FAKE_ONE("1"));
	expect(&b, VERDICT_PASS, "");
	assert_true(health(&b).ok);
	url = str_format("http://127.0.0.1:1");
	b.source.url = url;
	gates_reload(b.gates, &b.source, 1);
	expect(&b, VERDICT_ERROR, "data source main: ");
	b.source.url = "http://no-such-host.invalid";
	gates_reload(b.gates, &b.source, 1);
	expect(&b, VERDICT_ERROR, "data source main: ");
	assert_false(health(&b).ok);
	free(url);
	close_bench(&b);
}

/* A connection that breaks is tried once more, and only once. */
static void
test_one_retry(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	b.fake.close_first = 1;
	expect(&b, VERDICT_PASS, "");
	assert_int_equal(fake_requests(&b.fake), 2);
	fake_do(&b.fake, FAKE_CLOSE, 200, "");
	expect(&b, VERDICT_ERROR, "");
	assert_int_equal(fake_requests(&b.fake), 4);
	close_bench(&b);
}

/* F18: too big, cut short, not JSON, too deep: an error of bounded size. */
static void
test_f18_bad_bodies(void **state)
{
	struct str big;
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	str_init(&big, 0);
	str_add(&big, "{\"status\":\"success\",\"x\":\"");
	while (big.length < 10 * 1024 * 1024)
		str_add(&big, "01234567890123456789012345678901234567890123456789");
	fake_do(&b.fake, FAKE_ANSWER, 200, str_text(&big));
	expect(&b, VERDICT_ERROR, "bytes");
	fake_do(&b.fake, FAKE_CUT, 200, FAKE_ONE("1"));
	expect(&b, VERDICT_ERROR, "");
	fake_do(&b.fake, FAKE_ANSWER, 200, "It works!");
	expect(&b, VERDICT_ERROR, "not an answer of Prometheus");
	str_clear(&big);
	for (int i = 0; i < 50000; i++)
		str_add(&big, "[");
	fake_do(&b.fake, FAKE_ANSWER, 200, str_text(&big));
	expect(&b, VERDICT_ERROR, "deeper");
	fake_do(&b.fake, FAKE_ANSWER, 200, FAKE_ONE("1"));
	expect(&b, VERDICT_PASS, "");
	str_done(&big);
	close_bench(&b);
}

/* --- many at once ---------------------------------------------------------------------------- */

/* F15: a slow source gets a bounded number of questions; the others wait and end in time, and
 * cancelling is immediate. */
static void
test_f15_no_pile_up(void **state)
{
	uint64_t numbers[40];
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, "");
	for (int i = 0; i < 40; i++)
		numbers[i] = ask(&b);
	b.hung_wanted = 16;
	wait_answers(&b, 0);
	assert_int_equal(health(&b).running, 16);
	assert_int_equal(health(&b).waiting, 24);
	/* One that waits and one that runs, then all but the last. */
	fake_do(&b.fake, FAKE_ANSWER, 200, FAKE_ONE("1"));
	b.port.cancel(b.port.ctx, numbers[30]);
	assert_int_equal(health(&b).waiting, 23);
	b.port.cancel(b.port.ctx, numbers[3]);
	assert_int_equal(health(&b).running, 16);
	assert_int_equal(health(&b).waiting, 22);
	for (int i = 0; i < 39; i++)
		b.port.cancel(b.port.ctx, numbers[i]);
	assert_int_equal(health(&b).running, 1);
	wait_answers(&b, 1);
	assert_true(b.number == numbers[39]);
	assert_int_equal(b.sample.verdict, VERDICT_PASS);
	assert_int_equal(health(&b).running, 0);
	close_bench(&b);
}

/* All that wait for a source that hangs are told within its timeout, and the row is bounded. */
static void
test_row_is_bounded_and_timed(void **state)
{
	enum { ROW_MS = 1500 }; /* a tenth of it must do to ask them all */
	int64_t began = clock_mono_ms();
	struct bench b;

	(void)state;
	open_bench(&b);
	b.source.timeout_ms = ROW_MS;
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, "");
	for (int i = 0; i < 16 + 1024; i++)
		ask(&b);
	expect(&b, VERDICT_ERROR, "too many questions");
	assert_int_equal(b.answers, 1);
	wait_answers(&b, 16 + 1024 + 1);
	assert_int_equal(b.sample.verdict, VERDICT_ERROR);
	/* Those that had no turn were not asked at the last moment. */
	assert_in_range(b.no_turn, 1024 - 32, 1024);
	assert_in_range(health(&b).asked, 16, 16 + 32 + 2);
	assert_true(clock_mono_ms() - began < ROW_MS * 10);
	assert_int_equal(health(&b).running, 0);
	assert_int_equal(health(&b).waiting, 0);
	close_bench(&b);
}

/* A missing file fails a whole row at once, one after the other. */
static void
test_row_that_fails_at_once(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, "");
	for (int i = 0; i < 16 + 1000; i++)
		ask(&b);
	b.hung_wanted = 16;
	wait_answers(&b, 0);
	b.source.token_file = "/nonexistent/token";
	gates_reload(b.gates, &b.source, 1);
	b.hung_wanted = 0;
	b.port.cancel(b.port.ctx, 5);
	wait_answers(&b, 1000);
	assert_non_null(strstr(b.sample.text, "/nonexistent/token"));
	assert_int_equal(health(&b).running, 15);
	close_bench(&b);
}

static void
test_cancel_inside_an_answer(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	ask(&b);
	fake_do(&b.fake, FAKE_ANSWER, 200, FAKE_ONE("1"));
	b.gate.source[0] = 'x'; /* no such source: answered first */
	ask(&b);
	b.cancel_inside = 1;
	wait_answers(&b, 1);
	assert_true(b.number == 2);
	b.gate.source[0] = 'm';
	b.cancel_inside = 0;
	expect(&b, VERDICT_PASS, "");
	assert_int_equal(b.answers, 2);
	b.port.cancel(b.port.ctx, 0);
	b.port.cancel(b.port.ctx, 999);
	close_bench(&b);
}

/* Freed with everything under way: no answer comes, nothing is left. */
static void
test_free_while_busy(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, "");
	for (int i = 0; i < 30; i++)
		ask(&b);
	b.hung_wanted = 16;
	wait_answers(&b, 0);
	str_copy(b.gate.source, sizeof(b.gate.source), "none");
	ask(&b);
	gates_free(b.gates);
	b.gates = NULL;
	assert_int_equal(b.answers, 0);
	close_bench(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request_as_it_is_sent),
	    cmocka_unit_test(test_samples_query),
	    cmocka_unit_test(test_f01_to_f07_over_http),
	    cmocka_unit_test(test_f08_outages),
	    cmocka_unit_test(test_one_retry),
	    cmocka_unit_test(test_f18_bad_bodies),
	    cmocka_unit_test(test_f15_no_pile_up),
	    cmocka_unit_test(test_row_is_bounded_and_timed),
	    cmocka_unit_test(test_row_that_fails_at_once),
	    cmocka_unit_test(test_cancel_inside_an_answer),
	    cmocka_unit_test(test_free_while_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
