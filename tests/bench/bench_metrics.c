/* What a scrape costs with many rollouts under way, each with its app's name: all of it is one turn
 * of the loop. */
#include <stdio.h>
#include <time.h>
#include "telemetry/metrics.h"

enum { APPS = 10000, ROUNDS = 20 };

static void
collect(struct metrics *to)
{
	char app[64];
	for (int i = 0; i < APPS; i++) {
		str_print(app, sizeof(app), "analytics-engine-%05d", i);
		metrics_put(to, METRIC_ROLLOUT_INFO, 1, app, "airis-mon", "default", "canary",
		    "progressing");
		metrics_put(to, METRIC_ROLLOUT_WAITING, 12.345 + i, app, "airis-mon", "default");
		metrics_put(to, METRIC_ROLLOUT_WEIGHT, 0.25, app, "airis-mon", "default");
	}
}

static int64_t
cpu_us(void)
{
	struct timespec now = {0};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int
main(void)
{
	int64_t least_us = INT64_MAX;
	size_t bytes = 0;
	for (int i = 0; i < ROUNDS; i++) {
		int64_t began_us = cpu_us();
		struct metrics *metrics = metrics_new();
		struct str text;
		str_init(&text, 0);
		collect(metrics);
		metrics_text(metrics, &text);
		bytes = text.length;
		str_done(&text);
		metrics_free(metrics);
		int64_t took_us = cpu_us() - began_us;
		least_us = took_us < least_us ? took_us : least_us;
	}
	printf("a scrape with %d apps: %.1f MB in %.1f ms of CPU time\n", APPS, (double)bytes / 1e6,
	    (double)least_us / 1000);
	return 0;
}
