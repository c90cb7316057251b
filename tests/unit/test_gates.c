/* Gates against a source that behaves in every bad way there is: one answer for each question,
 * never at once, never late, and never a pass that was not measured. */
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include "fake_prom.h"
#include "gates/gates.h"

enum { GUARD_MS = 20000, SHORT_MS = 400 };

struct bench {
	struct loop *loop;
	struct loop_timer *guard;
	struct fake fake;
	struct gates *gates;
	struct gate_port port;
	struct gate_spec gate;
	char url[64], folder[32];
	struct gates_source source;
	int answers, wanted, hung_wanted;
	bool inside; /* measure() is running */
	struct gate_sample sample;
	uint64_t number, cancel_inside;
};

static struct bench *hooked; /* the turn hook's */

static void
on_guard(void *ctx)
{
	(void)ctx;
	fail_msg("no answer within %d ms", GUARD_MS);
}

static void
on_turn(void *ctx)
{
	struct bench *b = ctx;

	if (b != hooked)
		return;
	if (b->answers >= b->wanted && fake_hung(&b->fake) >= b->hung_wanted)
		loop_stop(b->loop);
}

static void
on_sample(void *ctx, uint64_t number, const struct gate_sample *sample)
{
	struct bench *b = ctx;

	assert_false(b->inside);
	b->answers++;
	b->number = number;
	b->sample = *sample;
	if (b->cancel_inside != 0)
		b->port.cancel(b->port.ctx, b->cancel_inside);
	/* Its own number means nothing any more. */
	b->port.cancel(b->port.ctx, number);
}

static void
open_bench(struct bench *b)
{
	*b = (struct bench){.loop = loop_new()};
	hooked = b;
	fake_start(&b->fake, b->loop);
	loop_each_turn(b->loop, on_turn, b);
	b->guard = loop_timer_new(b->loop, on_guard, b);
	loop_timer_set(b->guard, GUARD_MS);
	str_copy(b->folder, sizeof(b->folder), "/tmp/airis-gates-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	str_print(b->url, sizeof(b->url), "http://127.0.0.1:%d/prom/", b->fake.port);
	b->source = (struct gates_source){.name = "main", .url = b->url, .timeout_ms = 5000};
	b->gate = (struct gate_spec){.source = "main",
	    .query = (char *)"sum(x{w=\"{{canary}}\"}[{{window}}])",
	    .compare = COMPARE_GE,
	    .limit = 1};
}

static void
open_gates(struct bench *b)
{
	struct err e;

	if (gates_source_check(&b->source, &e) != 0)
		fail_msg("%s", e.text);
	b->gates = gates_new(b->loop, &b->source, 1);
	gates_port(b->gates, &b->port);
}

static void
close_bench(struct bench *b)
{
	gates_free(b->gates);
	loop_timer_free(b->guard);
	fake_stop(&b->fake);
	hooked = NULL;
	loop_free(b->loop);
	assert_int_equal(rmdir(b->folder), 0);
}

static uint64_t
ask(struct bench *b)
{
	const struct gate_question question = {.gate = &b->gate,
	    .app = "web",
	    .namespace = "shop",
	    .stable = "web",
	    .canary = "web-canary",
	    .window_ms = 30000,
	    .since_weight_ms = 60000};
	uint64_t number;

	b->inside = true;
	number = b->port.measure(b->port.ctx, &question, on_sample, b);
	b->inside = false;
	assert_true(number != 0);
	return number;
}

static void
wait_answers(struct bench *b, int count)
{
	b->wanted = count;
	loop_run(b->loop);
	assert_int_equal(b->answers, count);
}

/* Asks once, waits, and expects. */
static void
expect(struct bench *b, enum verdict verdict, const char *says)
{
	uint64_t number = ask(b);

	wait_answers(b, b->answers + 1);
	assert_true(b->number == number);
	if (b->sample.verdict != verdict || strstr(b->sample.text, says) == NULL)
		fail_msg("%s: %s", verdict_name(b->sample.verdict), b->sample.text);
}

static struct gates_health
health(struct bench *b)
{
	struct gates_health one;

	assert_int_equal(gates_health(b->gates, &one, 1), 1);
	return one;
}

static void
write_file(const struct bench *b, const char *name, const char *text, char path[64])
{
	char beside[80];
	FILE *file;

	/* As tools do it that rotate secrets: a new file in the old one's place. */
	str_print(path, 64, "%s/%s", b->folder, name);
	str_print(beside, sizeof(beside), "%s.new", path);
	file = fopen(beside, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(beside, path), 0);
}

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

static void
test_bearer_token_is_read_again(void **state)
{
	char path[64];
	struct bench b;

	(void)state;
	open_bench(&b);
	write_file(&b, "token", "first-secret\n", path);
	b.source.token_file = path;
	open_gates(&b);
	expect(&b, VERDICT_PASS, "");
	assert_non_null(
	    strstr(fake_request(&b.fake, 0), "\r\nAuthorization: Bearer first-secret\r\n"));
	write_file(&b, "token", "second", path);
	expect(&b, VERDICT_PASS, "");
	assert_non_null(strstr(fake_request(&b.fake, 1), "\r\nAuthorization: Bearer second\r\n"));
	/* Nothing that could become a second header, and no secret in what is said. */
	write_file(&b, "token", "top-secret\r\nX-Evil: 1\n", path);
	expect(&b, VERDICT_ERROR, "one line");
	assert_null(strstr(b.sample.text, "top-secret"));
	write_file(&b, "token", " \n", path);
	expect(&b, VERDICT_ERROR, "one line");
	unlink(path);
	expect(&b, VERDICT_ERROR, "No such file");
	assert_false(health(&b).ok);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect(&b, VERDICT_ERROR, "must be a file");
	unlink(path);
	assert_int_equal(fake_requests(&b.fake), 2);
	close_bench(&b);
}

static void
test_basic_password(void **state)
{
	char path[64];
	struct bench b;

	(void)state;
	open_bench(&b);
	write_file(&b, "password", "open:sesame\n", path);
	b.source.username = "airis";
	b.source.password_file = path;
	open_gates(&b);
	expect(&b, VERDICT_PASS, "");
	assert_non_null(
	    strstr(fake_request(&b.fake, 0), "\r\nAuthorization: Basic YWlyaXM6b3BlbjpzZXNhbWU="));
	unlink(path);
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
	int64_t began = clock_mono_ms();
	struct bench b;

	(void)state;
	open_bench(&b);
	b.source.timeout_ms = SHORT_MS;
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, "");
	for (int i = 0; i < 16 + 1024; i++)
		ask(&b);
	expect(&b, VERDICT_ERROR, "too many questions");
	assert_int_equal(b.answers, 1);
	wait_answers(&b, 16 + 1024 + 1);
	assert_int_equal(b.sample.verdict, VERDICT_ERROR);
	assert_true(clock_mono_ms() - began < SHORT_MS * 10);
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

/* --- the set of sources ---------------------------------------------------------------------- */

static void
test_unknown_source_and_empty_names(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	assert_true(b.port.has_source(b.port.ctx, "main"));
	assert_false(b.port.has_source(b.port.ctx, "other"));
	str_copy(b.gate.source, sizeof(b.gate.source), "other");
	expect(&b, VERDICT_ERROR, "data source other: is not in the daemon's settings");
	/* F13 */
	str_copy(b.gate.source, sizeof(b.gate.source), "main");
	b.gate.query = (char *)"{{nothing}}";
	expect(&b, VERDICT_ERROR, "no variable {{nothing}}");
	b.gate.query = (char *)"1";
	b.gate.samples_query = (char *)"x{a=\"{{";
	expect(&b, VERDICT_ERROR, "samples query: ");
	assert_int_equal(fake_requests(&b.fake), 0);
	close_bench(&b);
}

static void
test_reload(void **state)
{
	struct gates_source both[2];
	struct gates_health two[2];
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, "");
	for (int i = 0; i < 20; i++)
		ask(&b);
	b.hung_wanted = 16;
	wait_answers(&b, 0);
	/* The source goes: those that run and those that wait are all told. */
	both[0] = b.source;
	both[0].name = "second";
	fake_do(&b.fake, FAKE_ANSWER, 200, FAKE_ONE("1"));
	gates_reload(b.gates, both, 1);
	assert_int_equal(b.answers, 0);
	assert_false(b.port.has_source(b.port.ctx, "main"));
	b.hung_wanted = 0;
	wait_answers(&b, 20);
	assert_int_equal(b.sample.verdict, VERDICT_ERROR);
	assert_non_null(strstr(b.sample.text, "data source main: is no longer"));
	both[1] = b.source;
	gates_reload(b.gates, both, 2);
	assert_int_equal(gates_health(b.gates, two, 2), 2);
	assert_string_equal(two[0].name, "second");
	assert_string_equal(two[1].name, "main");
	expect(&b, VERDICT_PASS, "");
	gates_reload(b.gates, NULL, 0);
	assert_int_equal(gates_health(b.gates, NULL, 0), 0);
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

static void
wait_known(struct bench *b)
{
	while (!health(b).known) {
		b->wanted = b->answers;
		loop_run(b->loop);
	}
}

/* F16: a source whose clock is off shows another time's data; its numbers are no data. */
static void
test_f16_clock_is_off(void **state)
{
	static const int64_t skews[] = {-60000, 60000, 2000};
	struct bench b;

	(void)state;
	open_bench(&b);
	open_gates(&b);
	for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
		int probes;

		pthread_mutex_lock(&b.fake.lock);
		b.fake.skew_ms = skews[i];
		pthread_mutex_unlock(&b.fake.lock);
		gates_reload(b.gates, NULL, 0);
		gates_reload(b.gates, &b.source, 1);
		assert_false(health(&b).known);
		wait_known(&b);
		assert_true(health(&b).ok);
		probes = (int)health(&b).asked;
		assert_int_equal(probes, 1);
		if (i == 0)
			expect(&b, VERDICT_NO_DATA, "behind ours");
		else if (i == 1)
			expect(&b, VERDICT_NO_DATA, "ahead of ours");
		else
			expect(&b, VERDICT_PASS, "");
	}
	close_bench(&b);
}

static void
test_source_checks(void **state)
{
	const char *const bad_header[] = {"X: a\r\nY: b", NULL}, *const no_name[] = {": x", NULL};
	const struct gates_source bad[] = {
	    {.name = "A", .url = "http://x"},
	    {.name = "a"},
	    {.name = "a", .url = "prometheus:9090"},
	    {.name = "a", .url = "file:///etc/passwd"},
	    {.name = "a", .url = "http://"},
	    {.name = "a", .url = "http:///x"},
	    {.name = "a", .url = "http://u:p@host"},
	    {.name = "a", .url = "http://host/?a=b"},
	    {.name = "a", .url = "http://host/#a"},
	    {.name = "a", .url = "http://ho st/"},
	    {.name = "a", .url = "http://x", .username = "u"},
	    {.name = "a", .url = "http://x", .password_file = "f"},
	    {.name = "a", .url = "http://x", .username = "u:v", .password_file = "f"},
	    {.name = "a",
		.url = "http://x",
		.username = "u",
		.password_file = "f",
		.token_file = "t"},
	    {.name = "a", .url = "http://x", .timeout_ms = -1},
	    {.name = "a", .url = "http://x", .timeout_ms = 3600000},
	    {.name = "a", .url = "http://x", .headers = bad_header},
	    {.name = "a", .url = "http://x", .headers = no_name},
	};
	const struct gates_source good = {.name = "a", .url = "https://x:9090/prefix/@2"};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.text[0] = '\0';
		if (gates_source_check(&bad[i], &e) != -1 || e.text[0] == '\0')
			fail_msg("source %zu was taken", i);
	}
	assert_int_equal(gates_source_check(&good, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request_as_it_is_sent),
	    cmocka_unit_test(test_samples_query),
	    cmocka_unit_test(test_bearer_token_is_read_again),
	    cmocka_unit_test(test_basic_password),
	    cmocka_unit_test(test_f01_to_f07_over_http),
	    cmocka_unit_test(test_f08_outages),
	    cmocka_unit_test(test_one_retry),
	    cmocka_unit_test(test_f18_bad_bodies),
	    cmocka_unit_test(test_f15_no_pile_up),
	    cmocka_unit_test(test_row_is_bounded_and_timed),
	    cmocka_unit_test(test_row_that_fails_at_once),
	    cmocka_unit_test(test_cancel_inside_an_answer),
	    cmocka_unit_test(test_unknown_source_and_empty_names),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_free_while_busy),
	    cmocka_unit_test(test_f16_clock_is_off),
	    cmocka_unit_test(test_source_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
