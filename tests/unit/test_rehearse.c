/* The plan of a canary, both shapes: which acts, in which order, in which stage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/rehearse.h"

static struct app *
make_app(const char *mode, const char *more)
{
	char *text = str_format("kind: App\n"
				"name: web\n"
				"namespace: shop\n"
				"workload: {kind: Deployment, name: web}\n"
				"traffic: {istio: {virtualService: web, mode: %s}}\n"
				"strategy: {canary: {weights: [25, 50, 100], hold: 1d}}\n%s",
	    mode, more);
	struct errlist errors;
	json_t *spec;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	errlist_init(&errors);
	struct app *app = app_parse(spec, &errors);
	if (app == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	json_decref(spec);
	free(text);
	return app;
}

static void
make_seen(struct observed *seen)
{
	*seen = (struct observed){.fresh = true, .service = true};
	seen->stable = (struct workload_seen){.exists = true,
	    .observed = true,
	    .uid = "u1",
	    .image = "web:1",
	    .replicas = 4,
	    .pods = 4,
	    .updated = 4,
	    .ready = 4};
	seen->route = (struct route_seen){.exists = true, .fits = true, .even = true};
	seen->subsets.stable_fits = true;
}

static const struct release release = {.app = "web", .number = 2, .image = "web:2"};

static void
expect(const struct plan *plan, const char *wanted)
{
	struct str got;
	str_init(&got, 0);
	for (int i = 0; i < plan->count; i++)
		str_addf(&got, "%d:%s=%d ", plan->steps[i].stage, act_name(plan->steps[i].act.kind),
		    plan->steps[i].act.number);
	assert_string_equal(str_text(&got), wanted);
	str_done(&got);
}

static void
check_plan(const char *mode, const char *more, const char *wanted)
{
	struct app *app = make_app(mode, more);
	struct observed seen;
	struct plan plan;
	struct err e;
	make_seen(&seen);
	if (plan_make(app, &release, &seen, NULL, 1000000, &plan, &e) < 0)
		fail_msg("%s", e.text);
	expect(&plan, wanted);
	plan_done(&plan);
	app_free(app);
}

/* airisd asks for its lease when it has something to write: a question is none. */
static void
a_plan_is_made_by_who_may_not_write(void **state)
{
	struct app *app = make_app("host", "");
	struct observed seen;
	struct plan plan;
	struct err e;
	(void)state;
	make_seen(&seen);
	seen.fence.other = true;
	str_copy(seen.fence.object, sizeof(seen.fence.object), "Lease airis/airisd");
	str_copy(seen.fence.why, sizeof(seen.fence.why), "lease airis/airisd is another's");
	if (plan_make(app, &release, &seen, NULL, 1000000, &plan, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(plan.count, 12);
	plan_done(&plan);
	app_free(app);
}

static void
plan_of_a_host_canary(void **state)
{
	(void)state;
	check_plan("host", "",
	    "1:create_service=0 1:create_canary=1 1:weight=25 2:scale_canary=2 2:weight=50 "
	    "3:scale_canary=4 3:weight=100 4:set_image=0 5:weight=0 6:delete_canary=0 "
	    "6:route_home=0 6:delete_service=0 ");
}

static void
plan_of_a_subset_canary(void **state)
{
	(void)state;
	check_plan("subset", "",
	    "1:add_subsets=0 1:name_stable=0 1:create_canary=1 1:weight=25 2:scale_canary=2 "
	    "2:weight=50 3:scale_canary=4 3:weight=100 4:set_image=0 5:weight=0 6:delete_canary=0 "
	    "6:route_home=0 6:remove_subsets=0 ");
}

/* A hold of a day with a gate every 100 ms is rehearsed in a moment too. */
static void
plan_of_long_holds(void **state)
{
	(void)state;
	check_plan("host",
	    "gates: [{name: g, prometheus: {query: up, pass: \"> 0\"}, every: 100ms, window: 1s}]\n"
	    "onEdit: hold\n",
	    "1:create_service=0 1:create_canary=1 1:weight=25 2:scale_canary=2 2:weight=50 "
	    "3:scale_canary=4 3:weight=100 4:set_image=0 5:weight=0 6:delete_canary=0 "
	    "6:route_home=0 6:delete_service=0 ");
}

static void
plan_says_what_forbids_the_start(void **state)
{
	(void)state;
	struct app *app = make_app("host", "");
	struct observed seen;
	struct plan plan;
	struct err e;
	make_seen(&seen);
	seen.stable.replicas = 0; /* F37 */
	assert_int_equal(plan_make(app, &release, &seen, NULL, 1000000, &plan, &e), 0);
	assert_int_equal(plan.count, 0);
	assert_int_equal(plan.problems.count, 1);
	assert_non_null(strstr(plan.problems.items[0].text, "0 replicas"));
	plan_done(&plan);
	app_free(app);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plan_is_made_by_who_may_not_write),
	    cmocka_unit_test(plan_of_a_host_canary),
	    cmocka_unit_test(plan_of_a_subset_canary),
	    cmocka_unit_test(plan_of_long_holds),
	    cmocka_unit_test(plan_says_what_forbids_the_start),
	};
	return cmocka_run_group_tests_name("rehearse", tests, NULL, NULL);
}
