/* VirtualServices: the app's routes, their weights, and patches that change nothing else. */
#include "cluster_objects.h"

#include "cluster/route.h"

#define BARE "[{'route': [{'destination': {'host': 'web'}}]}]"
#define PAIR(s, c)                                                                                 \
	"[{'route': [{'destination': {'host': 'web'}, 'weight': " #s "},"                          \
	" {'destination': {'host': 'web-canary'}, 'weight': " #c "}]}]"

static struct route_seen
look(const struct app *app, const char *http, int asked)
{
	struct route_seen seen = {0};
	json_t *service = web_routes(http);

	route_look(app, service, asked, &seen);
	json_decref(service);
	return seen;
}

static void
assert_unfit(const struct app *app, const char *http, const char *text)
{
	struct route_seen seen = look(app, http, -1);

	assert_true(seen.exists);
	assert_false(seen.fits);
	if (strstr(seen.why_not, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", seen.why_not, text);
}

static void
assert_weight(const struct app *app, const char *http, int weight, const char *expected)
{
	json_t *service = web_routes(http);
	struct err e;
	json_t *patch = route_weight_patch(app, service, weight, true, &e);

	assert_non_null(patch);
	if (expected == NULL)
		assert_true(json_is_null(patch));
	else
		assert_patch(patch, "868", expected);
	json_decref(service);
}

static void
test_hosts(void **state)
{
	(void)state;
	assert_true(route_is_host("web", "web", "prod"));
	assert_true(route_is_host("web.prod", "web", "prod"));
	assert_true(route_is_host("web.prod.svc", "web", "prod"));
	assert_true(route_is_host("web.prod.svc.cluster.local", "web", "prod"));
	assert_false(route_is_host("web.test", "web", "prod"));
	assert_false(route_is_host("web.product", "web", "prod"));
	assert_false(route_is_host("web-canary", "web", "prod"));
	assert_false(route_is_host(NULL, "web", "prod"));
}

static void
test_look_at_weights(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct route_seen seen = look(&app, BARE, -1);

	(void)state;
	assert_true(seen.fits && seen.even);
	assert_false(seen.names_canary || seen.names_stable_subset);
	assert_int_equal(seen.weight, 0);
	assert_int_equal(seen.bare, 1);
	assert_int_equal(seen.with_canary, 0);
	assert_string_equal(seen.resource_version, "868");
	assert_string_equal(seen.edited_by, "kubectl-edit");
	assert_true(seen.edited_at_ms == 1795378559000);
	seen = look(&app, PAIR(75, 25), -1);
	assert_true(seen.fits && seen.names_canary);
	assert_int_equal(seen.weight, 25);
	assert_int_equal(seen.bare, 0);
	assert_int_equal(seen.with_canary, 1);
	/* A missing weight among several is 0. */
	seen = look(&app,
	    "[{'route': [{'destination': {'host': 'web.prod.svc'}, 'weight': 100},"
	    " {'destination': {'host': 'web-canary'}}]}]",
	    -1);
	assert_true(seen.fits && seen.names_canary);
	assert_int_equal(seen.weight, 0);
}

/* A pair of 90 cannot hold 25 %: 23 of it is what 25 and 26 are both written as. */
static void
test_F24_sum_is_kept(void **state)
{
	static const char http[] = "[{'route': [{'destination': {'host': 'web'}, 'weight': 90},"
				   " {'destination': {'host': 'old'}, 'weight': 10}]}]";
	static const char pair[] = "[{'route': [{'destination': {'host': 'web'}, 'weight': 67},"
				   " {'destination': {'host': 'old'}, 'weight': 10},"
				   " {'destination': {'host': 'web-canary'}, 'weight': 23}]}]";
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	assert_weight(&app, http, 25,
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 67},"
	    " {'op': 'add', 'path': '/spec/http/0/route/-', 'value':"
	    "  {'destination': {'host': 'web-canary'}, 'weight': 23}}]");
	assert_weight(&app, pair, 25, NULL);
	assert_weight(&app, pair, 50,
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 45},"
	    " {'op': 'add', 'path': '/spec/http/0/route/2/weight', 'value': 45}]");
	assert_int_equal(look(&app, pair, -1).weight, 25); /* of the plan */
	assert_int_equal(look(&app, pair, 26).weight, 26); /* asked for */
	assert_int_equal(look(&app, pair, 99).weight, 25);
	for (int total = 2; total <= 200; total++)
		for (int weight = 1; weight < 100; weight++) {
			assert_in_range(route_part(total, weight), 1, total - 1);
			assert_int_equal(route_part(total, 0), 0);
			assert_int_equal(route_part(total, 100), total);
		}
}

/* F23: zero is written as zero, and the trap of the only destination is refused. */
static void
test_F23_zero(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	assert_weight(&app, PAIR(75, 25), 0,
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 100},"
	    " {'op': 'add', 'path': '/spec/http/0/route/1/weight', 'value': 0}]");
	assert_weight(&app, PAIR(75, 25), 100,
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 0},"
	    " {'op': 'add', 'path': '/spec/http/0/route/1/weight', 'value': 100}]");
	assert_weight(&app, BARE, 0, NULL);
	assert_unfit(&app, "[{'route': [{'destination': {'host': 'web'}, 'weight': 0}]}]",
	    "only destination");
	assert_unfit(&app, PAIR(0, 0), "weight 0 to both");
	assert_unfit(&app, PAIR(-5, 105), "no number from 0");
	assert_unfit(&app, PAIR(1000000, 7), "sum to more than 1000000");
	assert_unfit(&app, PAIR('5', 95), "no number from 0");
}

/* F25, F26: only the places that must change are named; doing it again is nothing. */
static void
test_F26_repeated_weight_is_nothing(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	assert_weight(&app, PAIR(75, 25), 25, NULL);
	assert_weight(&app, PAIR(100, 0), 0, NULL);
}

static void
test_added_destination_is_like_the_stable_one(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	assert_weight(&app,
	    "[{'route': [{'destination': {'host': 'web.prod.svc.cluster.local', 'port': {'number': "
	    "80},"
	    " 'subset': 'stable'}, 'headers': {'request': {'set': {'a': 'b'}}}}]}]",
	    10,
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 90},"
	    " {'op': 'add', 'path': '/spec/http/0/route/-', 'value': {'destination': {"
	    "  'host': 'web-canary.prod.svc.cluster.local', 'port': {'number': 80}}, 'weight': 10,"
	    "  'headers': {'request': {'set': {'a': 'b'}}}}}]");
}

/* F29: several routes fit and none is named. */
static void
test_F29_ambiguous(void **state)
{
	static const char http[] =
	    "[{'name': 'beta', 'match': [{'headers': {'x': {'exact': 'y'}}}],"
	    "  'route': [{'destination': {'host': 'web'}}]},"
	    " {'name': 'other', 'route': [{'destination': {'host': 'foreign'}}]},"
	    " {'name': 'main', 'route': [{'destination': {'host': 'web'}}]}]";
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	assert_unfit(&app, http, "ambiguous");
	app.traffic.rule_count = 1;
	str_copy(app.traffic.rules[0], APP_LABEL, "main");
	assert_true(look(&app, http, -1).fits);
	assert_weight(&app, http, 10,
	    "[{'op': 'add', 'path': '/spec/http/2/route/0/weight', 'value': 90},"
	    " {'op': 'add', 'path': '/spec/http/2/route/-', 'value':"
	    "  {'destination': {'host': 'web-canary'}, 'weight': 10}}]");
	str_copy(app.traffic.rules[0], APP_LABEL, "none");
	assert_unfit(&app, http, "no http route named \"none\"");
	str_copy(app.traffic.rules[0], APP_LABEL, "other");
	assert_unfit(&app, http, "no destination with host web");
	app.traffic.rule_count = 0;
	assert_unfit(&app,
	    "[{'route': [{'destination': {'host': 'web'}, 'weight': 50},"
	    " {'destination': {'host': 'web.prod'}, 'weight': 50}]}]",
	    "stable side twice");
	assert_unfit(&app, "[]", "no http route that leads to web");
	assert_unfit(&app, "[{'name': 'm', 'redirect': {'uri': '/'}}]", "no http route");
}

static void
test_several_routes(void **state)
{
	static const char http[] =
	    "[{'name': 'a', 'route': [{'destination': {'host': 'web'}, 'weight': 75},"
	    "   {'destination': {'host': 'web-canary'}, 'weight': 25}]},"
	    " {'name': 'b', 'route': [{'destination': {'host': 'web'}}]}]";
	struct app app = app_of(TRAFFIC_HOST);
	struct route_seen seen;

	(void)state;
	app.traffic.rule_count = 2;
	str_copy(app.traffic.rules[0], APP_LABEL, "b");
	str_copy(app.traffic.rules[1], APP_LABEL, "a");
	seen = look(&app, http, -1);
	assert_true(seen.fits && seen.names_canary);
	assert_false(seen.even);
	assert_int_equal(seen.weight, 25);
	assert_int_equal(seen.bare, 1);
	assert_int_equal(seen.with_canary, 2);
	assert_weight(&app, http, 25,
	    "[{'op': 'add', 'path': '/spec/http/1/route/0/weight', 'value': 75},"
	    " {'op': 'add', 'path': '/spec/http/1/route/-', 'value':"
	    "  {'destination': {'host': 'web-canary'}, 'weight': 25}}]");
}

static void
test_subsets(void **state)
{
	static const char bare[] = "[{'route': [{'destination': {'host': 'web'}}]}]";
	static const char named[] =
	    "[{'route': [{'destination': {'host': 'web', 'subset': 'stable'}, 'weight': 100}]}]";
	static const char pair[] =
	    "[{'route': [{'destination': {'host': 'web', 'subset': 'stable'}, 'weight': 60},"
	    " {'destination': {'host': 'web', 'subset': 'canary'}, 'weight': 30},"
	    " {'destination': {'host': 'web', 'subset': 'beta'}, 'weight': 10}]}]";
	struct app app = app_of(TRAFFIC_SUBSET);
	json_t *service = web_routes(bare);
	struct err e;

	(void)state;
	assert_patch(route_name_patch(&app, service, &e), "868",
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/destination/subset', 'value': "
	    "'stable'}]");
	json_decref(service);
	service = web_routes(named);
	assert_true(json_is_null(route_name_patch(&app, service, &e)));
	json_decref(service);
	assert_false(look(&app, bare, -1).names_stable_subset);
	assert_true(look(&app, named, -1).names_stable_subset);
	assert_int_equal(look(&app, named, -1).with_subset, 1);
	assert_int_equal(look(&app, pair, -1).weight, 33);
	assert_weight(&app, named, 10,
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 90},"
	    " {'op': 'add', 'path': '/spec/http/0/route/-', 'value':"
	    "  {'destination': {'host': 'web', 'subset': 'canary'}, 'weight': 10}}]");
	assert_weight(&app, pair, 100,
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 0},"
	    " {'op': 'add', 'path': '/spec/http/0/route/1/weight', 'value': 90}]");
}

static void
assert_home(const struct app *app, const char *before, const char *now, const char *expected)
{
	struct observed seen = {0};
	struct baseline baseline;
	json_t *service = web_routes(now), *patch;
	struct err e;

	seen.route = look(app, before, -1);
	baseline_take(&baseline, &seen);
	patch = route_home_patch(app, service, &baseline, &e);
	assert_non_null(patch);
	if (expected == NULL)
		assert_true(json_is_null(patch));
	else
		assert_patch(patch, "868", expected);
	json_decref(service);
}

/* F49: the route ends in the shape in which it began. */
static void
test_F49_home(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	struct app subset = app_of(TRAFFIC_SUBSET);

	(void)state;
	assert_home(&app, BARE, PAIR(100, 0),
	    "[{'op': 'remove', 'path': '/spec/http/0/route/0/weight'},"
	    " {'op': 'remove', 'path': '/spec/http/0/route/1'}]");
	assert_home(&app, BARE, BARE, NULL);
	assert_home(&app, "[{'route': [{'destination': {'host': 'web'}, 'weight': 100}]}]",
	    PAIR(80, 20),
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 100},"
	    " {'op': 'remove', 'path': '/spec/http/0/route/1'}]");
	/* The canary destination was the user's: it stays, at 0. */
	assert_home(&app, PAIR(100, 0), PAIR(80, 20),
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 100},"
	    " {'op': 'add', 'path': '/spec/http/0/route/1/weight', 'value': 0}]");
	/* Somebody added a third destination: without a weight the stable one would get nothing. */
	assert_home(&app, BARE,
	    "[{'route': [{'destination': {'host': 'web'}, 'weight': 90},"
	    " {'destination': {'host': 'web-canary'}, 'weight': 0},"
	    " {'destination': {'host': 'x'}, 'weight': 10}]}]",
	    "[{'op': 'remove', 'path': '/spec/http/0/route/1'}]");
	assert_home(&subset, BARE,
	    "[{'route': [{'destination': {'host': 'web', 'subset': 'stable'}, 'weight': 100},"
	    " {'destination': {'host': 'web', 'subset': 'canary'}, 'weight': 0}]}]",
	    "[{'op': 'remove', 'path': '/spec/http/0/route/0/destination/subset'},"
	    " {'op': 'remove', 'path': '/spec/http/0/route/0/weight'},"
	    " {'op': 'remove', 'path': '/spec/http/0/route/1'}]");
}

static void
test_too_coarse(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	json_t *service = web_routes(PAIR(4, 0));
	struct route_view view;
	char text[256] = "";

	(void)state;
	route_view(&app, service, &view);
	assert_true(view.fits);
	assert_true(route_too_coarse(&app, &view, text, sizeof(text)));
	assert_non_null(strstr(text, "sum to 4"));
	view.pairs[0].total = 100;
	assert_false(route_too_coarse(&app, &view, text, sizeof(text)));
	json_decref(service);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_look_at_weights),
	    cmocka_unit_test(test_F24_sum_is_kept),
	    cmocka_unit_test(test_F23_zero),
	    cmocka_unit_test(test_F26_repeated_weight_is_nothing),
	    cmocka_unit_test(test_added_destination_is_like_the_stable_one),
	    cmocka_unit_test(test_F29_ambiguous),
	    cmocka_unit_test(test_several_routes),
	    cmocka_unit_test(test_subsets),
	    cmocka_unit_test(test_F49_home),
	    cmocka_unit_test(test_too_coarse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
