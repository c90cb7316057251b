/* What /metrics is made of: the table keeps Prometheus' conventions, and the text is its format. */
#include "unit.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "telemetry/metrics.h"
#include "telemetry/process.h"

/* --- the table --- */

static bool
is_name(const char *text)
{
	return islower((unsigned char)*text) &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text) &&
	       strstr(text, "__") == NULL;
}

static void
check_name(const struct metric_family *family)
{
	bool ours = str_starts(family->name, "airis_") || str_starts(family->name, "process_");
	bool total = str_ends(family->name, "_total");
	bool taken = str_ends(family->name, "_count") || str_ends(family->name, "_sum") ||
		     str_ends(family->name, "_bucket");

	if (!is_name(family->name) || !ours || taken)
		fail_msg("\"%s\" is no name for a family", family->name);
	if (total != (family->type == METRIC_COUNTER))
		fail_msg("%s: _total is for counters, and for all of them", family->name);
	if (family->type == METRIC_HISTOGRAM && !str_ends(family->name, "_seconds"))
		fail_msg("%s: what is measured is time, in seconds", family->name);
}

static void
check_labels(const struct metric_family *family)
{
	for (int i = 0; family->labels[i] != NULL; i++) {
		if (!is_name(family->labels[i]) || strcmp(family->labels[i], "le") == 0)
			fail_msg("%s: label \"%s\"", family->name, family->labels[i]);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(family->labels[i], family->labels[j]);
	}
}

static void
test_the_table_keeps_the_conventions(void **state)
{
	(void)state;
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];
		assert_non_null(family->name);
		check_name(family);
		check_labels(family);
		assert_int_equal((family->type == METRIC_HISTOGRAM), (family->scale != NULL));
		if (!str_ends(family->help, ".") || strpbrk(family->help, "\\\n\"") != NULL)
			fail_msg(
			    "%s: \"%s\" is no sentence for a line", family->name, family->help);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(family->name, metric_families[j].name);
	}
}

/* --- the text --- */

static void
expect_text(struct metrics *metrics, const char *expected)
{
	struct str text;

	str_init(&text, 0);
	metrics_text(metrics, &text);
	assert_string_equal(str_text(&text), expected);
	str_done(&text);
	metrics_free(metrics);
}

static void
test_families_stand_together_in_their_order(void **state)
{
	struct metrics *metrics = metrics_new();

	(void)state;
	metrics_put(metrics, METRIC_LEASE_HELD, 1, "b");
	metrics_put(metrics, METRIC_ROLLOUTS_STARTED, 3, "canary");
	metrics_put(metrics, METRIC_LEASE_HELD, false, "a");
	metrics_one(metrics, METRIC_APPS, 7);
	expect_text(metrics,
	    "# HELP airis_rollouts_started_total Rollouts started.\n"
	    "# TYPE airis_rollouts_started_total counter\n"
	    "airis_rollouts_started_total{strategy=\"canary\"} 3\n"
	    "# HELP airis_apps Apps.\n"
	    "# TYPE airis_apps gauge\n"
	    "airis_apps 7\n"
	    "# HELP airis_lease_held 1 while this airisd holds the Lease and may write.\n"
	    "# TYPE airis_lease_held gauge\n"
	    "airis_lease_held{cluster=\"b\"} 1\n"
	    "airis_lease_held{cluster=\"a\"} 0\n");
}

static void
test_without_values_there_is_nothing(void **state)
{
	(void)state;
	expect_text(metrics_new(), "");
}

static void
test_numbers(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0, "0"}, {-0.5, "-0.5"}, {0.1, "0.1"}, {1764438688.25, "1764438688.25"},
	    {9007199254740991, "9007199254740991"}, {1e300, "1e+300"}, {NAN, "NaN"},
	    {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}, {123456789012, "123456789012"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct metrics *metrics = metrics_new();
		char *expected = str_format("# HELP airis_apps Apps.\n# TYPE airis_apps gauge\n"
					    "airis_apps %s\n",
		    cases[i].text);

		metrics_one(metrics, METRIC_APPS, cases[i].value);
		expect_text(metrics, expected);
		free(expected);
	}
}

/* One label that is not well must not cost the whole scrape. */
static void
test_values_of_labels_are_quoted(void **state)
{
	static const struct {
		const char *value, *text;
	} cases[] = {{"a\"b", "a\\\"b"}, {"a\\b", "a\\\\b"}, {"a\nb", "a\\nb"}, {"", ""},
	    {"größe", "größe"}, {"a\xff\xc3", "a??"}, {"} 1\n", "} 1\\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct metrics *metrics = metrics_new();
		char *expected = str_format("# HELP airis_kube_watches Open watches.\n"
					    "# TYPE airis_kube_watches gauge\n"
					    "airis_kube_watches{cluster=\"%s\"} 2\n",
		    cases[i].text);

		metrics_put(metrics, METRIC_KUBE_WATCHES, 2, cases[i].value);
		expect_text(metrics, expected);
		free(expected);
	}
}

static void
test_buckets_add_up(void **state)
{
	struct metrics *metrics = metrics_new();
	struct histogram took = {.sum_us = 0};

	(void)state;
	histogram_add(&took, &histogram_quick, 100); /* a bound is within */
	histogram_add(&took, &histogram_quick, 101);
	histogram_add(&took, &histogram_quick, -5); /* a clock that went back */
	histogram_add_ms(&took, &histogram_quick, 60);
	histogram_add_ms(&took, &histogram_quick, 10000);
	assert_int_equal(histogram_count(&took), 5);
	metrics_one_histogram(metrics, METRIC_LOOP_LAG, &took);
	expect_text(metrics,
	    "# HELP airis_loop_lag_seconds How much later than wanted timers fired.\n"
	    "# TYPE airis_loop_lag_seconds histogram\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.0001\"} 2\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.00025\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.0005\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.001\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.0025\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.005\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.01\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.025\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.05\"} 3\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.1\"} 4\n"
	    "airis_loop_lag_seconds_bucket{le=\"0.5\"} 4\n"
	    "airis_loop_lag_seconds_bucket{le=\"2.5\"} 4\n"
	    "airis_loop_lag_seconds_bucket{le=\"+Inf\"} 5\n"
	    "airis_loop_lag_seconds_sum 10.060201\n"
	    "airis_loop_lag_seconds_count 5\n");
}

static void
test_buckets_have_their_labels_before(void **state)
{
	struct metrics *metrics = metrics_new();
	struct histogram took = {.sum_us = 0};
	struct str text;

	(void)state;
	metrics_put_histogram(metrics, METRIC_ROLLOUT_DURATION, &took, "canary", "aborted");
	str_init(&text, 0);
	metrics_text(metrics, &text);
	assert_non_null(strstr(
	    str_text(&text), "_bucket{strategy=\"canary\",phase=\"aborted\",le=\"86400\"} 0\n"));
	assert_non_null(strstr(str_text(&text), "_sum{strategy=\"canary\",phase=\"aborted\"} 0\n"));
	str_done(&text);
	metrics_free(metrics);
}

static void
test_scales_ascend(void **state)
{
	static const struct histogram_scale *const scales[] = {
	    &histogram_quick, &histogram_request, &histogram_long};

	(void)state;
	for (int s = 0; s < 3; s++)
		for (int i = 1; i < HISTOGRAM_BOUNDS; i++)
			assert_true(scales[s]->us[i] > scales[s]->us[i - 1]);
}

/* --- what is a bug --- */

static void
too_few_labels(struct metrics *metrics)
{
	metrics_put(metrics, METRIC_ROLLOUTS, 1, "canary");
}

static void
too_many_labels(struct metrics *metrics)
{
	metrics_put(metrics, METRIC_APPS, 1, "canary");
}

static void
one_value_of_a_histogram(struct metrics *metrics)
{
	metrics_one(metrics, METRIC_LOOP_LAG, 1);
}

static void
another_scale(struct metrics *metrics)
{
	struct histogram took = {.sum_us = 0};

	histogram_add(&took, &histogram_long, 1);
	metrics_one_histogram(metrics, METRIC_LOOP_LAG, &took);
}

static void
test_a_wrong_collector_is_stopped(void **state)
{
	static void (*const wrong[])(struct metrics * metrics) = {
	    too_few_labels, too_many_labels, one_value_of_a_histogram, another_scale};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int status = 0;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			signal(SIGABRT, SIG_DFL);
			(void)!freopen("/dev/null", "w", stderr);
			wrong[i](metrics_new());
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
	}
}

/* --- the process --- */

static void
test_the_process_is_this_one(void **state)
{
	struct process_stats before, after;
	double now = (double)time(NULL);
	struct err e;
	int pipes[2];

	(void)state;
	assert_int_equal(process_stats(&before, &e), 0);
	assert_true(before.start_seconds <= now + 1 && before.start_seconds > now - 3600);
	assert_true(before.resident_bytes > 1e5 && before.resident_bytes < 1e10);
	assert_true(before.virtual_bytes >= before.resident_bytes);
	assert_true(before.fds >= 3 && before.max_fds >= before.fds);
	assert_int_equal(pipe(pipes), 0);
	for (volatile long i = 0; i < 30000000; i++)
		;
	assert_int_equal(process_stats(&after, &e), 0);
	assert_int_equal(after.fds, before.fds + 2);
	assert_true(after.cpu_seconds > before.cpu_seconds);
	assert_true(fabs(after.start_seconds - before.start_seconds) < DBL_EPSILON);
	close(pipes[0]);
	close(pipes[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_table_keeps_the_conventions),
	    cmocka_unit_test(test_families_stand_together_in_their_order),
	    cmocka_unit_test(test_without_values_there_is_nothing),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_values_of_labels_are_quoted),
	    cmocka_unit_test(test_buckets_add_up),
	    cmocka_unit_test(test_buckets_have_their_labels_before),
	    cmocka_unit_test(test_scales_ascend),
	    cmocka_unit_test(test_a_wrong_collector_is_stopped),
	    cmocka_unit_test(test_the_process_is_this_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
