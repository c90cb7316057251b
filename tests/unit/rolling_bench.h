/* The bench of rolling's tests: an App, and its Deployment before a rollout. */
#ifndef TESTS_UNIT_ROLLING_BENCH_H
#define TESTS_UNIT_ROLLING_BENCH_H

#include "decide_bench.h"

#define APP(traffic, rolling)                                                                      \
	"{kind: App, name: web, namespace: shop, workload: {name: web}, " traffic                  \
	"gates: [{name: errors, prometheus: {query: up, pass: '> 0'}}],\n"                         \
	" strategy: {rolling: {" rolling "}}}"
#define SPEC APP("", "batches: [1, 50%, 100%], surge: 1, steady: 2s, deadline: 1m")

static const struct release release = {.app = "web", .number = 2, .image = "web:2"};

static inline json_t *
spec_of(const char *text)
{
	json_t *spec;
	struct err e;
	if (yaml_parse(text, strlen(text), &spec, NULL, &e) < 0)
		fail_msg("%s", e.text);
	return spec;
}

static inline void
see_old(struct observed *seen, int size)
{
	struct workload_seen *stable = &seen->stable;
	see_home(seen);
	seen->route = (struct route_seen){0};
	stable->replicas = stable->pods = stable->updated = stable->ready = size;
	stable->pace = (struct pace){"25%", "25%", -1, 600, false, 0, false, false};
}

#endif
