/* Answers of a data source to the query of mesh/window.h, made up for tests. */
#ifndef TESTS_UNIT_TRAFFIC_ANSWERS_H
#define TESTS_UNIT_TRAFFIC_ANSWERS_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "model/app.h"

enum { SOURCE, DESTINATION, REPORTERS };

struct counted { /* by one reporter; times in seconds */
	bool there;
	double stable, canary, fresh; /* fresh: of the stable side's, not there before */
	double age, rest, least, most;
	bool no_canary; /* none of its counters is there */
	bool no_before; /* nothing was there at the beginning */
};

static struct app app;

static inline void
add(json_t *list, const char *part, const char *reporter, const char *workload, double value)
{
	char text[32];
	str_print(text, sizeof(text), "%.10g", value);
	json_t *labels = json_pack("{s:s, s:s}", "part", part, "reporter", reporter);
	if (workload != NULL)
		json_object_set_new(labels, "destination_workload", json_string(workload));
	json_array_append_new(
	    list, json_pack("{s:o, s:[f, s]}", "metric", labels, "value", 1795876495.491, text));
}

static inline void
add_counted(json_t *list, const char *reporter, const struct counted *of)
{
	if (!of->there)
		return;
	add(list, "requests", reporter, "web", of->stable);
	if (!of->no_canary)
		add(list, "requests", reporter, "web-canary", of->canary);
	if (of->fresh > 0)
		add(list, "new", reporter, "web", of->fresh);
	add(list, "rest", reporter, NULL, of->rest);
	if (of->no_before)
		return;
	add(list, "age", reporter, NULL, of->age);
	add(list, "least", reporter, NULL, of->least);
	add(list, "most", reporter, NULL, of->most);
}

static inline char *
body_of(const struct counted of[REPORTERS])
{
	json_t *list = json_array();
	add_counted(list, "source", &of[SOURCE]);
	add_counted(list, "destination", &of[DESTINATION]);
	json_t *answer = json_pack("{s:s, s:{s:s, s:o}}", "status", "success", "data", "resultType",
	    "vector", "result", list);
	char *body = jsonx_dump(answer);
	json_decref(answer);
	return body;
}

/* Read every second over the whole window. */
static inline struct counted
counted(int64_t window_ms, double stable, double canary)
{
	double seconds = (double)window_ms / 1000;
	return (struct counted){.there = true,
	    .stable = stable,
	    .canary = canary,
	    .age = seconds + 0.6,
	    .rest = 0.6,
	    .least = seconds,
	    .most = seconds};
}

static inline void
name_app(void)
{
	app = (struct app){0};
	str_copy(app.name, sizeof(app.name), "web");
	str_copy(app.namespace, sizeof(app.namespace), "shop");
	str_copy(app.cluster, sizeof(app.cluster), "default");
	str_copy(app.workload, sizeof(app.workload), "web");
	str_copy(app.canary, sizeof(app.canary), "web-canary");
}

#endif
