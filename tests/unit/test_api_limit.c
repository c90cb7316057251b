/* Limits by who asks: requests, and wrong tokens. */
#include "test_api_ask.h"
#include "api/limit.h"

#define WRONG "Authorization: Bearer not-the-token-0123456789\r\n"

static int
setup_rate(void **state)
{
	(void)state;
	world_open((struct api_settings){.rate = 1, .burst = 3});
	return 0;
}

static bool
has_a_token_again(void *ctx)
{
	(void)ctx;
	return get("/v1/version") == 200;
}

static void
test_rate(void **state)
{
	(void)state;
	assert_int_equal(get("/v1/version"), 200);
	assert_int_equal(get("/v1/no-such-path"), 404);
	assert_int_equal(get("/v1/apps?limit=0"), 400);
	/* On a slow machine some come too late to be too many. */
	for (int i = 0; i < 20 && get("/v1/version") == 200; i++)
		;
	expect_problem(429, "throttled", "limits.rate");
	assert_non_null(strstr(got.head, "\r\nRetry-After: 1\r\n"));
	/* Others have buckets of their own, or none. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(say(BY_SOCKET, "GET", "/v1/version", NULL, NULL), 200);
		assert_int_equal(say(BY_TCP, "GET", "/healthz", NULL, NULL), 200);
		assert_int_equal(say(BY_TCP, "GET", "/metrics", NULL, NULL), 200);
	}
	assert_int_equal(say(BY_TCP, "GET", "/v1/version", NULL, NULL), 401);
	for (int i = 0; i < 10 && say(BY_TCP, "GET", "/v1/version", NULL, NULL) == 401; i++)
		;
	expect_problem(429, "throttled", "limits.rate");
	for (int i = 0; i < 500 && !has_a_token_again(NULL); i++)
		lab_for(10);
	assert_int_equal(got.status, 200);
}

static int
setup_logins(void **state)
{
	(void)state;
	world_open((struct api_settings){.failed_logins = 3});
	return 0;
}

static void
test_wrong_tokens(void **state)
{
	char *line;
	(void)state;
	/* No token is no guess. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(say(BY_TCP, "GET", "/v1/version", NULL, NULL), 401);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get("/v1/version"), 200); /* who is right is not counted */
		assert_int_equal(say(BY_TCP, "GET", "/v1/version", WRONG, NULL), 401);
	}
	(void)say(BY_TCP, "GET", "/v1/version", WRONG, NULL);
	expect_problem(429, "throttled", "limits.failedLogins");
	assert_non_null(line = strstr(got.head, "\r\nRetry-After: "));
	long seconds = strtol(line + strlen("\r\nRetry-After: "), &line, 10);
	assert_true(seconds >= 1 && seconds <= 20);
	assert_true(str_starts(line, "\r\n"));
	/* Nor is the right one looked at: its answer would tell it from the others. */
	(void)get("/v1/version");
	expect_problem(429, "throttled", "limits.failedLogins");
	assert_int_equal(say(BY_SOCKET, "GET", "/v1/version", WRONG, NULL), 200);
	assert_int_equal(say(BY_TCP, "GET", "/healthz", WRONG, NULL), 200);
	assert_int_equal(say(BY_TCP, "GET", "/v1/version", NULL, NULL), 401);
}

/* Whoever has the new token first is not taken for a guesser. */
static void
test_a_new_token_is_no_guess(void **state)
{
	(void)state;
	assert_int_equal(get("/v1/version"), 200);
	write_file(world.token, "another-token-0123456789\n");
	for (int i = 0; i < 5; i++)
		assert_int_equal(say(BY_TCP, "GET", "/v1/version",
				     "Authorization: Bearer another-token-0123456789\r\n", NULL),
		    200);
	assert_int_equal(get("/v1/version"), 401);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *peer, *who;
	} rows[] = {
	    {"127.0.0.1:4711", "address 127.0.0.1"},
	    {"127.0.0.1:1", "address 127.0.0.1"},
	    {"[::1]:4711", "address 0000:0000:0000:0000::/64"},
	    {"[2001:db8:1:2:3:4:5:6]:80", "address 2001:0db8:0001:0002::/64"},
	    {"[2001:db8:1:2::]:81", "address 2001:0db8:0001:0002::/64"},
	    {"[2001:db8:1:3::1]:81", "address 2001:0db8:0001:0003::/64"},
	    {"[fe80::1%eth0]:80", "address fe80:0000:0000:0000::/64"},
	    {"?", "address ?"},
	};
	char who[API_WHO];
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		api_who_address(rows[i].peer, who);
		assert_string_equal(who, rows[i].who);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_rate, setup_rate, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong_tokens, setup_logins, teardown),
	    cmocka_unit_test_setup_teardown(test_a_new_token_is_no_guess, setup_logins, teardown),
	    cmocka_unit_test(test_addresses)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(got.json);
	return failed;
}
