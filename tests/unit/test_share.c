/* What a share of requests proves: known edges of the intervals, and how often it is wrong. */
#include "unit.h"

#include <math.h>
#include <string.h>
#include "model/share.h"

#define LEVEL 0.001
#define OLD 0.00001

/* The smallest and the largest count that fits, from whole numbers alone (sums of
 * C(n, i) p^i (1-p)^(n-i) as fractions of integers). */
static void
known_edges(void **state)
{
	static const struct {
		int64_t n;
		int percent;
		double level;
		int64_t least, most;
	} edges[] = {
	    {1, 10, LEVEL, 0, 1},
	    {10, 50, LEVEL, 0, 10},
	    {20, 10, LEVEL, 0, 7},
	    {20, 10, OLD, 0, 10},
	    {50, 25, LEVEL, 4, 23},
	    {50, 25, OLD, 1, 27},
	    {100, 1, LEVEL, 0, 6},
	    {100, 1, OLD, 0, 8},
	    {100, 10, LEVEL, 2, 21},
	    {100, 10, OLD, 0, 25},
	    {100, 50, LEVEL, 34, 66},
	    {100, 50, OLD, 28, 72},
	    {200, 99, LEVEL, 192, 200},
	    {200, 99, OLD, 189, 200},
	    {812, 10, LEVEL, 54, 111},
	    {812, 10, OLD, 46, 121},
	    {1000, 25, LEVEL, 206, 296},
	    {1000, 25, OLD, 191, 312},
	    {3000, 50, LEVEL, 1410, 1590},
	    {3000, 50, OLD, 1379, 1621},
	    {5000, 1, LEVEL, 29, 75},
	    {5000, 1, OLD, 22, 84},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (int64_t k = -1; k <= edges[i].n + 1; k++) {
			bool fits = share_fits(edges[i].n, k, edges[i].percent, edges[i].level);
			if (fits != (k >= edges[i].least && k <= edges[i].most))
				fail_msg(
				    "%d of %d at %d %%", (int)k, (int)edges[i].n, edges[i].percent);
		}
}

/* Exact where the terms do not fit into a double any more. */
static void
many_requests(void **state)
{
	(void)state;
	int64_t n = 1000000000, sd = 15000; /* of 50 % is 15811 */
	assert_true(share_fits(n, n / 2, 50, LEVEL));
	assert_true(share_fits(n, n / 2 + 3 * sd, 50, LEVEL));
	assert_false(share_fits(n, n / 2 + 4 * sd, 50, LEVEL));
	assert_false(share_fits(n, n / 2 - 4 * sd, 50, LEVEL));
	assert_false(share_fits(n, 0, 1, LEVEL));
	assert_true(share_fits(n, 0, 0, LEVEL));
	assert_false(share_fits(n, 1, 0, LEVEL));
	assert_true(share_fits(n, n, 100, LEVEL));
	assert_false(share_fits(n, n - 1, 100, LEVEL));
}

/* The smallest n with (1 - p)^n <= 0.001 for a tenth of the nearest old weight's share. */
static void
requests_for_none(void **state)
{
	static const int64_t least[][2] = {{1, 6905}, {10, 688}, {50, 135}, {99, 67}, {100, 66}};
	(void)state;
	for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++) {
		struct share_wish down = {0, -1, (int)least[i][0]};
		struct share_wish up = {100, 100 - (int)least[i][0], -1};
		assert_int_equal(share_least(&down), least[i][1]);
		assert_int_equal(share_least(&up), least[i][1]);
	}
	struct share_wish unknown = {0, -1, -1};
	assert_int_equal(share_least(&unknown), 688);
}

static enum share_verdict
judge(int target, int below, int above, int64_t n, int64_t k)
{
	struct share_wish wish = {target, below, above};
	struct share_seen seen = {
	    .reporter = "source", .requests = n, .canary = k, .proven = n, .both = true};
	return share_judge(&wish, &seen, 1);
}

static double
chance(int64_t n, int64_t k, double p)
{
	return exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) +
		   (double)k * log(p) + (double)(n - k) * log1p(-p));
}

static const int64_t sizes[] = {1, 3, 10, 40, 150, 600, 2500};
static const int weights[] = {1, 5, 10, 20, 25, 50, 75, 90, 99};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* How often each verdict is given when a share of p goes to the canary: exactly, not by trying. */
static void
how_often(int target, int old, int64_t n, double p, double often[3])
{
	int below = old < target ? old : -1, above = old > target ? old : -1;
	memset(often, 0, 3 * sizeof(often[0]));
	for (int64_t k = 0; k <= n; k++)
		often[judge(target, below, above, n, k)] += chance(n, k, p);
}

static void
the_old_weight_is_not_taken_for_the_new_one(void **state)
{
	double often[3];
	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (size_t j = 0; j < COUNT(weights); j++)
			for (size_t k = 0; k < COUNT(weights); k++) {
				if (j == k)
					continue;
				how_often(
				    weights[j], weights[k], sizes[i], weights[k] / 100.0, often);
				if (often[SHARE_MATCHES] > OLD)
					fail_msg("%d for %d in %d requests: %g", weights[k],
					    weights[j], (int)sizes[i], often[SHARE_MATCHES]);
			}
}

static void
the_weight_is_rarely_contradicted(void **state)
{
	double often[3];
	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (size_t j = 0; j < COUNT(weights); j++) {
			how_often(weights[j], 0, sizes[i], weights[j] / 100.0, often);
			assert_true(often[SHARE_DIFFERS] <= LEVEL);
		}
	/* And it is seen, once there are enough. */
	how_often(10, 50, 600, 0.1, often);
	assert_true(often[SHARE_MATCHES] > 0.998);
	how_often(50, 10, 600, 0.5, often);
	assert_true(often[SHARE_MATCHES] > 0.998);
	how_often(99, 90, 2500, 0.99, often);
	assert_true(often[SHARE_MATCHES] > 0.99);
}

/* What follows a weight of 0 or 100 is a teardown: a tenth of the traffic that still has the old
 * weight is enough to be seen. */
static void
a_late_tenth_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(weights); i++) {
		struct share_wish wish = {0, -1, weights[i]};
		int64_t n = share_least(&wish);
		assert_true(chance(n, 0, weights[i] / 1000.0) <= LEVEL);
		assert_int_equal(judge(0, -1, weights[i], n, 0), SHARE_MATCHES);
		assert_int_equal(judge(0, -1, weights[i], n - 1, 0), SHARE_TOO_FEW);
		assert_int_equal(judge(0, -1, weights[i], n * 100, 1), SHARE_DIFFERS);
		assert_int_equal(judge(100, 100 - weights[i], -1, n, n), SHARE_MATCHES);
		assert_int_equal(judge(100, 100 - weights[i], -1, n - 1, n - 1), SHARE_TOO_FEW);
		assert_int_equal(judge(100, 100 - weights[i], -1, n, n - 1), SHARE_DIFFERS);
	}
}

/* An interval that everything fits into proves nothing. */
static void
too_few(void **state)
{
	(void)state;
	assert_int_equal(judge(10, -1, 50, 0, 0), SHARE_TOO_FEW);
	assert_int_equal(judge(10, -1, 25, 10, 1), SHARE_TOO_FEW);
	assert_int_equal(judge(10, -1, 25, 50, 5), SHARE_TOO_FEW);
	assert_int_equal(judge(10, -1, 25, 500, 50), SHARE_MATCHES);
	assert_int_equal(judge(10, -1, 25, 500, 125), SHARE_DIFFERS);
	/* Both neighbours must be ruled out. */
	assert_int_equal(judge(10, 5, -1, 300, 30), SHARE_TOO_FEW);
	assert_int_equal(judge(10, 5, 25, 300, 30), SHARE_TOO_FEW);
	assert_int_equal(judge(10, 5, 25, 2000, 200), SHARE_MATCHES);
	/* One on the canary rules 0 out. */
	assert_int_equal(judge(10, 0, -1, 5, 0), SHARE_TOO_FEW);
	assert_int_equal(judge(10, 0, -1, 5, 1), SHARE_MATCHES);
	/* No other weight is known of. */
	assert_int_equal(judge(10, -1, -1, 99, 10), SHARE_TOO_FEW);
	assert_int_equal(judge(10, -1, -1, 100, 10), SHARE_MATCHES);
	assert_int_equal(judge(10, -1, -1, 100, 50), SHARE_DIFFERS);
	assert_int_equal(judge(10, -1, 50, 10, 11), SHARE_DIFFERS);
}

static void
what_does_not_stand_still_is_no_proof(void **state)
{
	struct share_wish wish = {0, -1, 50};
	struct share_seen seen = {.reporter = "source", .requests = 5000, .proven = 5000};
	(void)state;
	assert_int_equal(share_judge(&wish, &seen, 1), SHARE_TOO_FEW); /* no counter of it */
	seen.both = true;
	assert_int_equal(share_judge(&wish, &seen, 1), SHARE_MATCHES);
	seen.proven = 134; /* the rest are of counters that were not there before */
	assert_int_equal(share_judge(&wish, &seen, 1), SHARE_TOO_FEW);
}

static void
all_reporters_must_agree(void **state)
{
	struct share_wish wish = {10, -1, 50};
	struct share_seen seen[2] = {
	    {.reporter = "source", .requests = 1000, .canary = 100, .both = true},
	    {.reporter = "destination", .requests = 1000, .canary = 500, .both = true}};
	char text[200];
	(void)state;
	assert_int_equal(share_judge(&wish, seen, 0), SHARE_TOO_FEW);
	share_text(&wish, seen, 0, text, sizeof(text));
	assert_string_equal(text, "no requests were counted");
	assert_int_equal(share_judge(&wish, seen, 1), SHARE_MATCHES);
	share_text(&wish, seen, 1, text, sizeof(text));
	assert_string_equal(text, "100 of 1000 requests went to the canary, 10 % expected");
	assert_int_equal(share_judge(&wish, seen, 2), SHARE_DIFFERS);
	share_text(&wish, seen, 2, text, sizeof(text));
	assert_string_equal(text, "500 of 1000 requests went to the canary, 10 % expected "
				  "(reporter destination)");
	seen[1].requests = seen[1].canary = 0; /* has no data */
	assert_int_equal(share_judge(&wish, seen, 2), SHARE_MATCHES);
	seen[1].requests = 3; /* has some, but too few */
	assert_int_equal(share_judge(&wish, seen, 2), SHARE_TOO_FEW);
	share_text(&wish, seen, 2, text, sizeof(text));
	assert_non_null(strstr(text, "0 of 3 "));
	seen[1] = (struct share_seen){.reporter = "destination", .requests = 1000, .canary = 97};
	assert_int_equal(share_judge(&wish, seen, 2), SHARE_MATCHES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_edges),
	    cmocka_unit_test(many_requests),
	    cmocka_unit_test(requests_for_none),
	    cmocka_unit_test(the_old_weight_is_not_taken_for_the_new_one),
	    cmocka_unit_test(the_weight_is_rarely_contradicted),
	    cmocka_unit_test(a_late_tenth_is_seen),
	    cmocka_unit_test(too_few),
	    cmocka_unit_test(what_does_not_stand_still_is_no_proof),
	    cmocka_unit_test(all_reporters_must_agree),
	};
	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
