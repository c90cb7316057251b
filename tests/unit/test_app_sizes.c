/* What an App says of the sizes of a canary's two sides. */
#include "unit.h"

#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/app.h"

static struct app *
parse(const char *canary, struct errlist *errors)
{
	char *text = str_format("{kind: App, name: web, namespace: shop, workload: {name: web},\n"
				" traffic: {istio: {virtualService: v}}, strategy: {canary: %s}}",
	    canary);
	struct app *app;
	json_t *spec;
	struct err e;
	if (yaml_parse(text, strlen(text), &spec, NULL, &e) < 0)
		fail_msg("%s: %s", canary, e.text);
	free(text);
	errlist_init(errors);
	app = app_parse(spec, errors);
	json_decref(spec);
	return app;
}

static void
sizes(const char *canary, int first, int second, int third)
{
	struct errlist errors;
	struct app *app = parse(canary, &errors);
	if (app == NULL)
		fail_msg("%s: %s: %s", canary, errors.items[0].path, errors.items[0].text);
	assert_int_equal(app->plan.stages[0].size, first);
	assert_int_equal(app->plan.stages[1].size, second);
	assert_int_equal(app->plan.stages[2].size, third);
	app_free(app);
	errlist_done(&errors);
}

/* One mistake, told once. */
static void
wrong(const char *canary, const char *where, const char *says)
{
	struct errlist errors;
	assert_null(parse(canary, &errors));
	if (errors.count != 1 || strcmp(errors.items[0].path, where) != 0 ||
	    strstr(errors.items[0].text, says) == NULL)
		fail_msg("%s: %d: %s: %s", canary, (int)errors.count, errors.items[0].path,
		    errors.items[0].text);
	errlist_done(&errors);
}

static void
a_size_is_the_weight_or_more(void **state)
{
	(void)state;
	sizes("{weights: [10, 25, 50]}", 10, 25, 50);
	sizes("{stages: [{weight: 0, size: 5}, {weight: 25, size: 60}, {weight: 50}]}", 5, 60, 60);
}

static void
with_head_room_where_the_stable_side_gives_something_up(void **state)
{
	(void)state;
	sizes("{weights: [10, 25, 90], shrinkStable: true}", 10, 45, 100);
	sizes("{weights: [5, 15, 50], shrinkStable: true, headroom: 5}", 5, 20, 55);
}

static void
mistakes(void **state)
{
	(void)state;
	wrong("{stages: [{weight: 5, size: 50}, {weight: 10, size: 20}]}",
	    "strategy.canary.stages[1].size", "sizes must not fall, but 20 comes after 50");
	wrong("{stages: [{weight: 5}, {weight: 40, size: 59}], shrinkStable: true}",
	    "strategy.canary.stages[1].size", "has no headroom at weight 40; give at least 60");
	wrong("{weights: [10, 20], shrinkStable: true}", "strategy.canary.shrinkStable",
	    "gives nothing up: at weight 20 the stable side keeps 100 percent");
	wrong("{weights: [10, 100], shrinkStable: true, abortCapacity: 100}",
	    "strategy.canary.shrinkStable", "at least 100 of abortCapacity");
	wrong("{weights: [10, 100], shrinkStable: false, headroom: 3}", "strategy.canary.headroom",
	    "is for shrinkStable: true");
	wrong("{weights: [10], headroom: 10}", "strategy.canary.headroom",
	    "is for shrinkStable: true");
	wrong("{weights: [10, 50], shrinkStable: true, headroom: 101}", "strategy.canary.headroom",
	    "from 0 to 100");
	wrong("{weights: [10], shrinkStable: 1}", "strategy.canary.shrinkStable", "true or false");
	wrong(
	    "{stages: [{weight: 5, size: 0}]}", "strategy.canary.stages[0].size", "from 1 to 100");
	wrong("{stages: [{weight: 5, size: 101}]}", "strategy.canary.stages[0].size",
	    "from 1 to 100");
	wrong("{stages: [{weight: 5, size: '25%'}]}", "strategy.canary.stages[0].size",
	    "found: \"25%\"");
	wrong("{stages: [{weight: 5}, {weight: 60, size: 59}]}", "strategy.canary.stages[1].size",
	    "a canary of 59 percent cannot carry weight 60; give at least 60");
	wrong("{stages: [{weight: -1}]}", "strategy.canary.stages[0].weight", "from 0 to 100");
	wrong("{stages: [{weight: 5}, {weight: 0, size: 5}]}", "strategy.canary.stages[1].weight",
	    "weights must rise, but 0 comes after 5");
	wrong("{stages: [{weight: 0}]}", "strategy.canary.stages[0].weight",
	    "give size too, or a weight from 1");
}

static void
what_the_stable_side_keeps(void **state)
{
	static const int keeps[][2] = {
	    {0, 100}, {20, 100}, {21, 99}, {50, 70}, {70, 50}, {100, 50}};
	struct errlist errors;
	struct app *app = parse("{weights: [10, 100], shrinkStable: true}", &errors);
	(void)state;
	assert_non_null(app);
	for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++)
		assert_int_equal(app_keeps(app, keeps[i][0]), keeps[i][1]);
	app->plan.shrink = false;
	assert_int_equal(app_keeps(app, 100), 100);
	app_free(app);
	errlist_done(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_size_is_the_weight_or_more),
	    cmocka_unit_test(with_head_room_where_the_stable_side_gives_something_up),
	    cmocka_unit_test(mistakes),
	    cmocka_unit_test(what_the_stable_side_keeps),
	};
	return cmocka_run_group_tests_name("app_sizes", tests, NULL, NULL);
}
