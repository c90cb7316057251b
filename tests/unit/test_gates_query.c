/* Queries of other rooms: one answer each, with the source's settings, places and health. */
#include "unit.h"

#include "gates_bench.h"

#define VECTOR "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}"

static struct got {
	struct bench *b;
	uint64_t number;
	int count, status;
	char body[200], error[200];
	bool inside;
} got;

static void
on_answer(void *ctx, uint64_t number, const struct gates_answer *answer)
{
	struct bench *b = ctx;

	assert_false(got.inside);
	b->answers++;
	got.count++;
	got.number = number;
	got.status = answer->status;
	str_print(got.body, sizeof(got.body), "%.*s", (int)answer->length,
	    answer->body ? answer->body : "");
	str_copy(got.error, sizeof(got.error), answer->error ? answer->error : "");
	gates_query_cancel(b->gates, number); /* means nothing any more */
}

static uint64_t
query(struct bench *b, const char *source, int64_t timeout_ms)
{
	uint64_t number;

	got.inside = true;
	number = gates_query(b->gates, source, "up{a=\"b\"}", timeout_ms, on_answer, b);
	got.inside = false;
	return number;
}

static void
open_all(struct bench *b)
{
	open_bench(b);
	got = (struct got){.b = b};
	fake_do(&b->fake, FAKE_ANSWER, 200, VECTOR);
}

static void
expect_error(struct bench *b, const char *says)
{
	wait_answers(b, b->answers + 1);
	if (strstr(got.error, says) == NULL)
		fail_msg("no \"%s\" in \"%s\"", says, got.error);
}

static void
test_answer(void **state)
{
	const char *const headers[] = {"X-Scope-OrgID: shop", NULL};
	struct bench b;
	uint64_t number, asked;

	(void)state;
	open_all(&b);
	b.source.headers = headers;
	open_gates(&b);
	number = query(&b, "main", 5000);
	asked = health(&b).asked;
	assert_int_equal(health(&b).running, 1);
	wait_answers(&b, 1);
	assert_true(got.number == number);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.body, VECTOR);
	assert_string_equal(got.error, "");
	assert_non_null(strstr(fake_request(&b.fake, 0), "\r\nX-Scope-OrgID: shop\r\n"));
	assert_non_null(strstr(fake_request(&b.fake, 0), "query=up%7Ba%3D%22b%22%7D&timeout="));
	assert_null(strstr(fake_request(&b.fake, 0), "&time=")); /* its own now */
	assert_int_equal(health(&b).running, 0);
	assert_true(health(&b).asked > asked);
	assert_true(health(&b).ok);
	/* What it says is for who asked; only what is no answer counts against the source. */
	fake_do(&b.fake, FAKE_ANSWER, 422, "{\"status\":\"error\"}");
	query(&b, "main", 5000);
	wait_answers(&b, 2);
	assert_int_equal(got.status, 422);
	assert_true(health(&b).ok);
	close_bench(&b);
}

static void
test_no_answer(void **state)
{
	struct bench b;
	int64_t begun_ms = clock_mono_ms();

	(void)state;
	open_all(&b);
	open_gates(&b);
	query(&b, "other", 5000);
	expect_error(&b, "data source other: is not in the daemon's settings");
	fake_do(&b.fake, FAKE_HANG, 200, VECTOR);
	query(&b, "main", SHORT_MS); /* less than the source's five seconds */
	expect_error(&b, "data source main: ");
	assert_true(clock_mono_ms() - begun_ms < 4000);
	assert_false(health(&b).ok);
	assert_int_equal(health(&b).running, 0);
	fake_do(&b.fake, FAKE_CLOSE, 200, VECTOR);
	query(&b, "main", 5000);
	expect_error(&b, "data source main: ");
	fake_do(&b.fake, FAKE_CUT, 200, VECTOR);
	query(&b, "main", 5000);
	expect_error(&b, "data source main: ");
	close_bench(&b);
}

static void
test_secret_that_cannot_be_read(void **state)
{
	struct bench b;

	(void)state;
	open_all(&b);
	b.source.token_file = "/nonexistent/token";
	open_gates(&b);
	query(&b, "main", 5000);
	expect_error(&b, "No such file");
	assert_int_equal(fake_requests(&b.fake), 0);
	assert_int_equal(health(&b).running, 0);
	close_bench(&b);
}

static void
test_places(void **state)
{
	struct bench b;
	uint64_t numbers[16];

	(void)state;
	open_all(&b);
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, VECTOR);
	for (int i = 0; i < 16; i++)
		numbers[i] = query(&b, "main", 5000);
	assert_int_equal(health(&b).running, 16);
	query(&b, "main", 5000);
	expect_error(&b, "too many questions");
	ask(&b); /* a measurement waits for a place */
	assert_int_equal(health(&b).waiting, 1);
	b.hung_wanted = 16;
	wait_answers(&b, 1);
	fake_do(&b.fake, FAKE_ANSWER, 200, FAKE_ONE("3"));
	gates_query_cancel(b.gates, numbers[0]);
	assert_int_equal(health(&b).waiting, 0); /* and got one */
	b.hung_wanted = 0;
	wait_answers(&b, 2);
	assert_int_equal(b.sample.verdict, VERDICT_PASS);
	for (int i = 0; i < 16; i++)
		gates_query_cancel(b.gates, numbers[i]);
	assert_int_equal(health(&b).running, 0);
	assert_int_equal(got.count, 1);
	close_bench(&b);
}

static void
test_source_goes(void **state)
{
	struct bench b;
	struct gates_source other = {.name = "other", .url = "http://127.0.0.1:9"};

	(void)state;
	open_all(&b);
	open_gates(&b);
	fake_do(&b.fake, FAKE_HANG, 200, VECTOR);
	query(&b, "main", 5000);
	gates_reload(b.gates, &other, 1);
	expect_error(&b, "is no longer in the daemon's settings");
	gates_reload(b.gates, &b.source, 1);
	query(&b, "main", 5000); /* ends with the gates, without an answer */
	close_bench(&b);
	assert_int_equal(got.count, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_no_answer),
	    cmocka_unit_test(test_secret_that_cannot_be_read),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_source_goes),
	};

	return cmocka_run_group_tests_name("gates_query", tests, NULL, NULL);
}
