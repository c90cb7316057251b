/* Blue-green by the weights of a route, in the model: a Service per colour, which stays. */
#include "decide_bench.h"
#include "model/rehearse.h"

static const struct release release = {.app = "web", .number = 2, .image = "web:2"};

static json_t *
spec_of(const char *text)
{
	json_t *spec;
	struct err e;
	if (yaml_parse(text, strlen(text), &spec, NULL, &e) < 0)
		fail_msg("%s", e.text);
	return spec;
}

static struct app *
parse(const char *text, struct errlist *errors)
{
	json_t *spec = spec_of(text);
	struct app *app = app_parse(spec, errors);
	json_decref(spec);
	return app;
}

static struct app *
app_of(const char *text)
{
	struct errlist errors;
	errlist_init(&errors);
	struct app *app = parse(text, &errors);
	if (app == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	return app;
}

#define WITH(traffic, strategy)                                                                    \
	"{kind: App, name: web, namespace: shop, workload: {name: web}, traffic: {" traffic        \
	"}, strategy: {" strategy "}}"

static void
each_mistake_says_what_to_do(void **state)
{
	static const struct {
		const char *text, *path, *says;
	} cases[] = {
	    {WITH("istio: {virtualService: web, mode: subset}", "blueGreen: {}"),
		"traffic.istio.mode", "must be host"},
	    {WITH("istio: {virtualService: web, service: web}", "blueGreen: {}"),
		"traffic.istio.service", "give services: {blue, green}"},
	    {WITH("gateway: {httpRoute: web, canaryService: x}", "blueGreen: {}"),
		"traffic.gateway.canaryService", "give services: {blue, green}"},
	    {WITH("gateway: {httpRoute: web, services: {green: web}}", "blueGreen: {}"),
		"traffic.gateway.services.green", "needs its own"},
	    {WITH("istio: {virtualService: web}", "blueGreen: {colours: {blue: a.b, green: c}}"),
		"traffic.istio.services.blue", "no name for a Service"},
	    {WITH(
		 "istio: {virtualService: web, services: {blue: web}}", "canary: {weights: [100]}"),
		"traffic.istio.services", "is for blueGreen"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errlist errors;
		errlist_init(&errors);
		assert_null(parse(cases[i].text, &errors));
		if (strcmp(errors.items[0].path, cases[i].path) != 0 ||
		    strstr(errors.items[0].text, cases[i].says) == NULL)
			fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
		errlist_done(&errors);
	}
}

static void
expect_services(const struct app *app, const char *stable, const char *canary)
{
	assert_string_equal(app->traffic.service, stable);
	assert_string_equal(app->traffic.canary_service, canary);
}

#define BY_WEIGHTS(services)                                                                       \
	WITH("istio: {virtualService: route" services "}", "blueGreen: {watch: 1m, drain: 1s}")

/* By weights each colour has its Service, which changes sides with it. */
static void
services_go_with_their_colours(void **state)
{
	struct app *app = app_of(BY_WEIGHTS("")), *sided;
	(void)state;
	expect_services(app, "web", "web-green");
	sided = app_with_sides(app, "web-green", "web");
	expect_services(sided, "web-green", "web");
	app_free(sided);
	sided = app_with_sides(app, "web", "web-green");
	expect_services(sided, "web", "web-green");
	app_free(sided);
	app_free(app);
	app = app_of(BY_WEIGHTS(", services: {blue: a, green: b}"));
	sided = app_with_sides(app, "web-green", "web-blue");
	expect_services(sided, "b", "a");
	app_free(sided);
	app_free(app);
	app = app_of(WITH("gateway: {httpRoute: r}", "blueGreen: {colours: {blue: a, green: b}}"));
	expect_services(app, "a", "b");
	app_free(app);
}

/* web-green is active with four pods; web rests. */
static void
see_green(struct observed *seen)
{
	see_home(seen);
	str_copy(seen->stable.name, APP_NAME, "web-green");
	seen->canary = (struct workload_seen){
	    .name = "web", .exists = true, .observed = true, .image = "web:0"};
	seen->route.accepted = seen->route.names_canary = true;
}

static void
expect(const struct plan *plan, const char *wanted)
{
	struct str got;
	str_init(&got, 0);
	for (int i = 0; i < plan->count; i++)
		str_addf(&got, "%s:%s=%d ", plan->ladder.stages[plan->steps[i].stage].name,
		    act_name(plan->steps[i].act.kind), plan->steps[i].act.number);
	assert_string_equal(str_text(&got), wanted);
	str_done(&got);
}

/* Nothing but the weights: no preview comes or goes, and what was made stays. */
static void
by_weights_both_services_stay(void **state)
{
	struct app *app = app_of(BY_WEIGHTS(""));
	struct observed seen;
	struct plan plan;
	struct err e;
	(void)state;
	see_green(&seen);
	seen.canary_service = seen.canary_service_ours = true;
	seen.preview = PREVIEW_CANARY;
	for (int there = 1; there >= 0; there--) {
		seen.canary_service = seen.canary_service_ours = there != 0;
		if (plan_make(app, &release, &seen, NULL, 1000000, &plan, &e) < 0)
			fail_msg("%s", e.text);
		expect(&plan, there ? "preview:create_canary=4 switch:weight=100 "
				      "retire:scale_stable=0 "
				    : "preview:create_service=0 preview:create_canary=4 "
				      "switch:weight=100 retire:scale_stable=0 ");
		expect_services(plan.app, "web-green", "web");
		plan_done(&plan);
	}
	app_free(app);
}

static void
weight_on_both_is_refused(void **state)
{
	struct app *app = app_of(BY_WEIGHTS(""));
	struct observed seen;
	struct plan plan;
	struct err e;
	(void)state;
	see_green(&seen);
	seen.route.weight = 70;
	assert_int_equal(plan_make(app, &release, &seen, NULL, 1000000, &plan, &e), 0);
	assert_string_equal(plan.problems.items[0].path, "traffic.istio.virtualService");
	assert_non_null(strstr(plan.problems.items[0].text, "give one of them all"));
	plan_done(&plan);
	app_free(app);
}

static struct step
go_home(const struct rollout *rollout, const struct observed *seen)
{
	struct view view = {.rollout = rollout,
	    .seen = seen,
	    .target = target_home(),
	    .now_ms = 10000000,
	    .urgent = true};
	struct step step;
	converge(&view, &step);
	return step;
}

/* An abort: what this rollout added to the route and to the Services goes, what was there before it
 * stays, though airisd made it once. */
static void
what_was_there_of_a_route_stays(void **state)
{
	struct app *app = app_of(BY_WEIGHTS(""));
	struct stage stage = {.name = "preview"};
	struct rollout r = {.app = app_with_sides(app, "web-green", "web"),
	    .release = release,
	    .compiled = true,
	    .ladder = {.stages = &stage, .count = 1}};
	struct observed seen;
	(void)state;
	see_green(&seen);
	seen.canary_service = seen.canary_service_ours = true;
	seen.preview = PREVIEW_CANARY;
	baseline_take(&r.baseline, &seen);
	baseline_take_sides(&r.baseline, r.app, &seen);
	assert_true(r.baseline.had_canary_service && r.baseline.had_canary_destination);
	assert_int_equal(go_home(&r, &seen).kind, STEP_SETTLED);
	r.baseline.had_canary_destination = r.baseline.had_canary_service = false;
	assert_int_equal(go_home(&r, &seen).act.kind, ACT_ROUTE_HOME);
	seen.route.names_canary = false;
	assert_int_equal(go_home(&r, &seen).act.kind, ACT_DELETE_SERVICE);
	app_free((struct app *)r.app);
	app_free(app);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mistake_says_what_to_do),
	    cmocka_unit_test(services_go_with_their_colours),
	    cmocka_unit_test(by_weights_both_services_stay),
	    cmocka_unit_test(weight_on_both_is_refused),
	    cmocka_unit_test(what_was_there_of_a_route_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
