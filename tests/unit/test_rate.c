/* Token buckets: how many at once, how many after that, and what a flood of names can do. */
#include "unit.h"
#include "api/rate.h"
#include "base/str.h"

#define SECOND_US INT64_C(1000000)
#define START_MS INT64_C(1000000)

static int
take_all(struct rate *rate, const char *key, int64_t now_ms)
{
	int count = 0;
	while (count < 1000 && rate_take(rate, key, now_ms) == 0)
		count++;
	return count;
}

static void
test_burst_and_rate(void **state)
{
	struct rate *rate = rate_new(SECOND_US / 20, 40, 8);
	(void)state;
	assert_int_equal(rate_look(rate, "a", START_MS), 0);
	assert_int_equal(take_all(rate, "a", START_MS), 40);
	assert_int_equal(rate_take(rate, "a", START_MS), 50);
	assert_int_equal(rate_look(rate, "a", START_MS + 20), 30);
	assert_int_equal(rate_take(rate, "a", START_MS + 49), 1);
	assert_int_equal(rate_look(rate, "a", START_MS + 50), 0); /* looking takes nothing */
	assert_int_equal(take_all(rate, "a", START_MS + 50), 1);
	assert_int_equal(take_all(rate, "b", START_MS + 50), 40); /* another has its own */
	/* Twenty a second, however they come. */
	assert_int_equal(take_all(rate, "a", START_MS + 1050), 20);
	int count = 0;
	for (int64_t at = START_MS + 1051; at <= START_MS + 11050; at++)
		count += take_all(rate, "a", at);
	assert_int_equal(count, 200);
	/* Never more than the burst, however long nobody asked. */
	assert_int_equal(take_all(rate, "a", START_MS + 86400000), 40);
	rate_free(rate);
}

/* What is no whole number of us is not given away for nothing, either. */
static void
test_slow_and_odd(void **state)
{
	struct rate *logins = rate_new(12 * SECOND_US, 5, 8), *one = rate_new(SECOND_US, 1, 8);
	(void)state;
	assert_int_equal(take_all(logins, "a", START_MS), 5);
	assert_int_equal(rate_take(logins, "a", START_MS), 12000);
	assert_int_equal(rate_take(logins, "a", START_MS + 11999), 1);
	assert_int_equal(take_all(logins, "a", START_MS + 60000), 5);
	assert_int_equal(take_all(one, "a", START_MS), 1);
	assert_int_equal(rate_take(one, "a", START_MS), 1000);
	rate_free(logins);
	rate_free(one);
	rate_free(NULL);
}

static void
flood(struct rate *rate, int names, int64_t now_ms)
{
	char key[32];
	for (int i = 0; i < names; i++) {
		str_print(key, sizeof(key), "flood-%d", i);
		(void)rate_take(rate, key, now_ms);
	}
}

/* A flood of names forgets nobody's bucket before it is full again, and costs the newcomers alone.
 */
static void
test_no_room(void **state)
{
	struct rate *rate = rate_new(SECOND_US, 5, 100);
	(void)state;
	assert_int_equal(take_all(rate, "mine", START_MS), 5);
	flood(rate, 10000, START_MS);
	assert_int_equal(rate_keys(rate), 100);
	assert_int_equal(rate_look(rate, "mine", START_MS), 1000);
	assert_int_equal(rate_take(rate, "mine", START_MS), 1000);
	/* Newcomers share what is left: nothing. */
	assert_true(rate_take(rate, "new", START_MS) > 0);
	assert_true(rate_look(rate, "another", START_MS) > 0);
	/* The flood took one token each: full after a second. Mine is not. */
	assert_int_equal(take_all(rate, "new", START_MS + 1001), 5);
	assert_int_equal(rate_keys(rate), 2);
	assert_int_equal(take_all(rate, "mine", START_MS + 1001), 1);
	/* With everybody busy the table stays as it is. */
	flood(rate, 98, START_MS + 2000);
	assert_int_equal(rate_keys(rate), 100);
	flood(rate, 99, START_MS + 2500);
	assert_int_equal(rate_keys(rate), 100);
	rate_free(rate);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_burst_and_rate),
	    cmocka_unit_test(test_slow_and_odd), cmocka_unit_test(test_no_room)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
