/* The gates' data sources: their secrets, which rotate; their settings, which change while they are
 * asked; their clocks. */
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include "gates_bench.h"

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

static void
test_certificate_file_that_is_not_there(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	b.source.ca_file = "/nonexistent/ca.pem";
	open_gates(&b);
	expect(&b, VERDICT_ERROR, "data source main: /nonexistent/ca.pem cannot be opened");
	assert_int_equal(fake_requests(&b.fake), 0);
	close_bench(&b);
}

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
	assert_true(b.sample.source_ill && !b.sample.refused);
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
		assert_true(b.sample.source_ill == (i < 2));
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
	    cmocka_unit_test(test_bearer_token_is_read_again),
	    cmocka_unit_test(test_basic_password),
	    cmocka_unit_test(test_certificate_file_that_is_not_there),
	    cmocka_unit_test(test_unknown_source_and_empty_names),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_f16_clock_is_off),
	    cmocka_unit_test(test_source_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
