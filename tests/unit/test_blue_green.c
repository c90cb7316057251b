/* Blue-green in the model: what an app may say, the plan, and what converge does with two colours.
 */
#include "decide_bench.h"
#include "model/rehearse.h"

#define SPEC                                                                                       \
	"{kind: App, name: web, namespace: shop, workload: {name: web},\n"                         \
	" traffic: {service: {}},\n"                                                               \
	" gates: [{name: errors, prometheus: {query: up, pass: '> 0'}}],\n"                        \
	" strategy: {blueGreen: {hold: 3s, drain: 1s, deadline: 1m, watch: 2m, keep: 1m,\n"        \
	"  previewSize: 50}}}"

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

/* --- the app --------------------------------------------------------------------------------- */

#define WITH(traffic, strategy)                                                                    \
	"{kind: App, name: web, namespace: shop, workload: {name: web}, traffic: {" traffic        \
	"}, strategy: {" strategy "}}"

static void
each_mistake_says_what_to_do(void **state)
{
	static const struct {
		const char *text, *path, *says;
	} cases[] = {
	    {WITH("service: {}", "canary: {weights: [100]}"), "traffic.service", "no weights"},
	    {WITH("service: {}", "blueGreen: {}, canary: {weights: [100]}"), "strategy.blueGreen",
		"not several"},
	    {WITH("service: {name: a, preview: a}", "blueGreen: {}"), "traffic.service.preview",
		"needs its own"},
	    {WITH("service: {}", "blueGreen: {colours: {blue: a}}"),
		"strategy.blueGreen.colours.green", "name both"},
	    {WITH("service: {}", "blueGreen: {colours: {green: a}}"),
		"strategy.blueGreen.colours.blue", "name both"},
	    {WITH("service: {}", "blueGreen: {colours: {blue: a, green: a}}"),
		"strategy.blueGreen.colours.green", "its own"},
	    {WITH("service: {}", "blueGreen: {previewSize: 0}"), "strategy.blueGreen.previewSize",
		"from 1 to 100"},
	    {WITH("service: {}", "blueGreen: {gates: [x]}"), "strategy.blueGreen.gates[0]",
		"no gate \"x\""},
	    {WITH("service: {}", "blueGreen: {postGates: [x]}"), "strategy.blueGreen.postGates[0]",
		"no gate \"x\""},
	    {WITH("service: {}", "blueGreen: {watch: 31d}"), "strategy.blueGreen.watch", "30d"},
	    {WITH("service: {}", "blueGreen: {keep: soon}"), "strategy.blueGreen.keep", "duration"},
	    {WITH("service: {}", "blueGreen: {label: 'a b'}"), "strategy.blueGreen.label", "label"},
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
names_follow_from_the_workload(void **state)
{
	struct app *app = app_of(SPEC), *sided;
	const char *names[APP_WORKLOADS];
	(void)state;
	assert_string_equal(app->pair.first, "web-blue");
	assert_string_equal(app->canary, "web-green");
	assert_string_equal(app->traffic.service, "web");
	assert_string_equal(app->traffic.canary_service, "web-preview");
	assert_int_equal(app->pair.judge.gates, 0);
	assert_int_equal(app->pair.watch, 1);
	assert_int_equal(app_workloads(app, names), 3);
	sided = app_with_sides(app, "web-green", "web");
	assert_string_equal(sided->workload, "web-green");
	assert_string_equal(sided->canary, "web");
	assert_int_equal(app_workloads(sided, names), 2);
	assert_true(sided->sided && !app->sided);
	app_free(sided);
	app_free(app);
}

/* --- the plan -------------------------------------------------------------------------------- */

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

static void
the_plan_ends_with_the_colours_turned(void **state)
{
	struct app *app = app_of(SPEC);
	struct observed seen;
	struct plan plan;
	struct err e;
	(void)state;
	see_green(&seen);
	seen.hpa = (struct hpa_seen){.exists = true, .min = 2, .max = 9};
	seen.budgets.stable = true;
	if (plan_make(app, &release, &seen, NULL, 1000000, &plan, &e) < 0)
		fail_msg("%s", e.text);
	expect(&plan, "preview:hpa_floor=4 preview:create_service=0 "
		      "preview:create_budget=100 preview:create_canary=2 "
		      "switch:scale_canary=4 switch:weight=100 switch:follow_hpa=100 "
		      "retire:delete_service=0 retire:scale_stable=0 retire:hpa_floor=2 ");
	assert_string_equal(plan.app->workload, "web-green");
	assert_string_equal(plan.app->canary, "web");
	plan_done(&plan);
	app_free(app);
}

static void
what_forbids_a_start(void **state)
{
	struct app *app = app_of(SPEC);
	struct observed seen;
	struct plan plan;
	struct err e;
	(void)state;
	see_green(&seen);
	seen.canary_service = true;
	seen.preview = PREVIEW_STABLE;
	assert_int_equal(plan_make(app, &release, &seen, NULL, 1000000, &plan, &e), 0);
	assert_non_null(strstr(plan.problems.items[0].text, "does not select the idle colour"));
	plan_done(&plan);
	see_green(&seen);
	seen.stable.replicas = 0;
	assert_int_equal(plan_make(app, &release, &seen, NULL, 1000000, &plan, &e), 0);
	assert_non_null(strstr(plan.problems.items[0].text, "web-green has 0 replicas"));
	plan_done(&plan);
	app_free(app);
}

/* --- converge -------------------------------------------------------------------------------- */

static struct rollout rollout;
static struct app *app;
static struct observed seen;

/* Switched, four new pods and four old ones. */
static int
setup(void **state)
{
	(void)state;
	app = app_of(SPEC);
	rollout = (struct rollout){.app = app, .release = release, .weight = 100, .seen = 100};
	see_green(&seen);
	baseline_take(&rollout.baseline, &seen);
	baseline_take_sides(&rollout.baseline, app, &seen);
	seen.route.weight = 100;
	seen.canary.replicas = seen.canary.pods = seen.canary.ready = seen.canary.ready_new = 4;
	str_copy(seen.canary.image, APP_IMAGE, "web:2");
	rollout.sides[SIDE_CANARY].ready = rollout.sides[SIDE_STABLE].ready = 4;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	app_free(app);
	return 0;
}

static const struct target switched = {.weight = 100, .canary = 100};
static const struct target retired = {.weight = 100, .canary = 100, .retired = true};

static struct step
look(struct target target, bool urgent)
{
	static struct stage stages[1];
	struct step step;
	struct view view = {.rollout = &rollout,
	    .seen = &seen,
	    .target = target,
	    .now_ms = 10000000,
	    .urgent = urgent};
	rollout.ladder = (struct climb){.stages = stages, .count = 1};
	rollout.compiled = true;
	converge(&view, &step);
	return step;
}

static void
expect_act(struct step step, enum act_kind kind, int number)
{
	if (step.kind != STEP_ACT)
		fail_msg("%s: %s", step.waiting.object, step.waiting.what);
	assert_string_equal(act_name(step.act.kind), act_name(kind));
	assert_int_equal(step.act.number, number);
}

static void
an_abort_switches_back_in_one_write(void **state)
{
	(void)state;
	expect_act(look(target_home(), true), ACT_WEIGHT, 0);
	seen.stable.ready = 2; /* half of it carries all in need */
	expect_act(look(target_home(), true), ACT_WEIGHT, 0);
}

/* All or nothing: to a colour that cannot carry everything it is not switched. */
static void
an_abort_grows_the_old_colour_first(void **state)
{
	(void)state;
	seen.stable.replicas = seen.stable.pods = seen.stable.updated = seen.stable.ready = 0;
	rollout.resized = true;
	expect_act(look(target_home(), true), ACT_SCALE_STABLE, 4);
	seen.stable.replicas = 4;
	seen.stable.ready = 1;
	struct step step = look(target_home(), true);
	assert_int_equal(step.kind, STEP_BLOCKED);
	assert_non_null(strstr(step.waiting.what, "1 of 4"));
	seen.stable.ready = 2;
	rollout.sides[SIDE_STABLE].since_ms = 10000000 - 500; /* the mesh has not heard of them */
	assert_int_equal(look(target_home(), true).kind, STEP_BLOCKED);
	rollout.mesh[MESH_STABLE].of_ms = rollout.sides[SIDE_STABLE].since_ms;
	expect_act(look(target_home(), true), ACT_WEIGHT, 0);
	rollout.mesh[MESH_STABLE].of_ms = 0;
	seen.canary.ready_new = 0; /* nobody serves: any endpoint is better */
	expect_act(look(target_home(), true), ACT_WEIGHT, 0);
}

/* Others gave it an image: whatever that is, it serves, and one pod of four does not. */
static void
an_abort_does_not_leave_what_serves_for_one_pod(void **state)
{
	(void)state;
	rollout.resized = true;
	seen.stable.ready = 1;
	seen.canary.ready_new = 0;
	assert_int_equal(look(target_home(), true).kind, STEP_BLOCKED);
	seen.canary.ready = 0;
	expect_act(look(target_home(), true), ACT_WEIGHT, 0);
}

/* It was told to go a moment ago, and its pods are ready still. */
static void
pods_that_are_about_to_go_carry_nothing(void **state)
{
	(void)state;
	seen.stable.replicas = 0;
	expect_act(look(target_home(), true), ACT_SCALE_STABLE, 4);
}

/* Somebody has edited it, and it has no pods: first its image, then they come. */
static void
a_colour_at_rest_takes_its_image_before_it_grows(void **state)
{
	(void)state;
	seen.stable.replicas = seen.stable.pods = seen.stable.updated = seen.stable.ready = 0;
	str_copy(seen.stable.image, APP_IMAGE, "web:7");
	struct step step = look(target_home(), true);
	expect_act(step, ACT_SET_IMAGE, 0);
	assert_string_equal(step.act.text, "web:1");
	str_copy(seen.stable.image, APP_IMAGE, "web:1");
	expect_act(look(target_home(), true), ACT_SCALE_STABLE, 4);
}

static void
the_idle_colour_goes_back_to_what_it_was(void **state)
{
	(void)state;
	seen.route.weight = rollout.weight = rollout.seen = 0;
	struct step step = look(target_home(), true);
	expect_act(step, ACT_CREATE_CANARY, 0);
	assert_string_equal(step.act.text, "web:0");
	seen.canary = (struct workload_seen){
	    .name = "web", .exists = true, .observed = true, .image = "web:0", .pods = 1};
	assert_int_equal(look(target_home(), true).kind, STEP_BLOCKED);
	seen.canary.pods = 0;
	assert_int_equal(look(target_home(), true).kind, STEP_SETTLED);
}

/* Pods of a release before are no proof of this one. */
static void
only_pods_of_the_release_count(void **state)
{
	struct target preview = {.canary = 100};
	(void)state;
	seen.route.weight = rollout.weight = rollout.seen = 0;
	seen.canary_service = seen.canary_service_ours = true;
	seen.preview = PREVIEW_CANARY;
	seen.canary.ready_new = 1;
	assert_int_equal(look(preview, false).kind, STEP_BLOCKED);
	assert_int_equal(look(switched, false).kind, STEP_BLOCKED);
	seen.canary.ready_new = 4;
	assert_int_equal(look(preview, false).kind, STEP_SETTLED);
	expect_act(look(switched, false), ACT_WEIGHT, 100);
}

static void
a_new_colour_that_collapses_is_left(void **state)
{
	(void)state;
	seen.canary_service = seen.canary_service_ours = true;
	seen.preview = PREVIEW_CANARY;
	seen.canary.ready = seen.canary.ready_new = 2; /* half is enough in need */
	assert_false(look(switched, false).collapsed);
	seen.canary.ready = seen.canary.ready_new = 1;
	struct step step = look(switched, false);
	expect_act(step, ACT_WEIGHT, 0);
	assert_true(step.collapsed);
	seen.stable.ready = 1; /* no better */
	assert_false(look(switched, false).collapsed);
	seen.stable.ready = 0;
	seen.canary.ready = seen.canary.ready_new = 0;
	assert_false(look(switched, false).collapsed);
}

static void
the_hpa_moves_with_the_traffic(void **state)
{
	(void)state;
	seen.canary_service = seen.canary_service_ours = true;
	seen.preview = PREVIEW_CANARY;
	rollout.baseline.hpa_min = 2;
	seen.hpa = (struct hpa_seen){.exists = true, .min = 4, .max = 9};
	expect_act(look(switched, false), ACT_FOLLOW_HPA, 100);
	seen.hpa.on_canary = true;
	seen.canary.replicas = 3; /* its own mind */
	assert_int_equal(look(switched, false).kind, STEP_SETTLED);
	seen.route.weight = rollout.weight = rollout.seen = 0;
	expect_act(look(target_home(), true), ACT_FOLLOW_HPA, 0);
}

/* Before the switch; where somebody else makes one, ours goes. */
static void
what_will_serve_has_a_budget_before(void **state)
{
	struct target preview = {.canary = 100};
	(void)state;
	seen.canary_service = seen.canary_service_ours = true;
	seen.preview = PREVIEW_CANARY;
	assert_int_equal(look(switched, false).kind, STEP_SETTLED);
	seen.budgets.stable = seen.budgets.canary = true; /* one spans both */
	assert_int_equal(look(switched, false).kind, STEP_SETTLED);
	seen.budgets.canary = false;
	expect_act(look(switched, false), ACT_CREATE_BUDGET, 100);
	seen.budgets = (struct budgets_seen){.stable_ours = true};
	expect_act(look(retired, false), ACT_CREATE_BUDGET, 100);
	str_copy(seen.budgets_unknown, OBSERVED_TEXT, "budgets may not be read");
	assert_string_equal(look(switched, false).waiting.what, "budgets may not be read");
	expect_act(look(target_home(), true), ACT_WEIGHT, 0);
	seen.budgets_unknown[0] = '\0';
	seen.route.weight = rollout.weight = rollout.seen = 0;
	expect_act(look(preview, false), ACT_CREATE_BUDGET, 100);
	seen.budgets.canary_ours = true;
	assert_int_equal(look(preview, false).kind, STEP_SETTLED);
	seen.budgets.canary = true;
	expect_act(look(preview, false), ACT_DELETE_BUDGET, 100);
}

/* It goes when its colour has no pods; at home what serves has one again. */
static void
the_idle_colours_budget_goes_with_it(void **state)
{
	(void)state;
	rollout.baseline.budgets.stable_ours = true;
	seen.budgets = (struct budgets_seen){.stable_ours = true, .canary = true};
	expect_act(look(retired, false), ACT_SCALE_STABLE, 0);
	seen.stable.replicas = seen.stable.ready = 0;
	assert_int_equal(look(retired, false).kind, STEP_BLOCKED); /* its pods are going */
	seen.stable.pods = 0;
	expect_act(look(retired, false), ACT_DELETE_BUDGET, 0);
	seen.budgets.stable_ours = false;
	assert_int_equal(look(retired, false).kind, STEP_SETTLED);
	see_green(&seen);
	rollout.weight = rollout.seen = 0;
	seen.budgets.canary = true;
	expect_act(look(target_home(), true), ACT_CREATE_BUDGET, 0);
	seen.budgets = (struct budgets_seen){.stable = true, .canary_ours = true};
	expect_act(look(target_home(), true), ACT_DELETE_BUDGET, 100);
	seen.canary.replicas = seen.canary.pods = 4;
	expect_act(look(target_home(), true), ACT_CREATE_CANARY, 0);
	seen.canary.replicas = seen.canary.pods = 0;
	seen.budgets.canary_ours = false;
	assert_int_equal(look(target_home(), true).kind, STEP_SETTLED);
	rollout.baseline.budgets.stable_ours = false;
	seen.budgets = (struct budgets_seen){.canary = true};
	assert_int_equal(look(target_home(), true).kind, STEP_SETTLED);
}

/* The user's own preview goes over to the old colour before that has no pods; ours goes. */
static void
retiring_leaves_the_preview_first(void **state)
{
	(void)state;
	seen.canary_service = seen.canary_service_ours = true;
	seen.preview = PREVIEW_CANARY;
	expect_act(look(retired, false), ACT_DELETE_SERVICE, 0);
	seen.canary_service_ours = false;
	expect_act(look(retired, false), ACT_POINT_SERVICE, 0);
	seen.preview = PREVIEW_STABLE;
	expect_act(look(retired, false), ACT_SCALE_STABLE, 0);
	seen.stable.replicas = seen.stable.ready = 0;
	assert_int_equal(look(retired, false).kind, STEP_BLOCKED); /* its pods are going */
	seen.stable.pods = 0;
	assert_int_equal(look(retired, false).kind, STEP_SETTLED);
	seen.route.weight = rollout.weight = rollout.seen = 0;
	seen.stable.replicas = seen.stable.ready = seen.stable.pods = 4;
	expect_act(look(target_home(), true), ACT_POINT_SERVICE, 100);
}

static void
nothing_retires_before_the_drain_is_over(void **state)
{
	(void)state;
	rollout.seen_ms = 10000000 - 500;
	rollout.accepted_of_ms = rollout.seen_ms;
	rollout.mesh[MESH_WEIGHT] =
	    (struct mesh_fact){.of_ms = rollout.seen_ms, .at_ms = rollout.seen_ms};
	struct step step = look(retired, false);
	assert_int_equal(step.kind, STEP_BLOCKED);
	assert_non_null(strstr(step.waiting.next, "old colour goes to rest"));
}

/* --- decide ---------------------------------------------------------------------------------- */

static void
the_sides_are_written_down(void **state)
{
	struct bench b = {.r = rollout_new("r-test")};
	json_t *json;
	struct baseline again;
	struct err e;
	(void)state;
	see_green(&b.seen);
	b.seen.budgets.stable_ours = true;
	b.at = (struct situation){
	    .rollout = b.r, .seen = &b.seen, .now_ms = 1000000, .settle_ms = 1000};
	fold(&b, EVENT_CREATED,
	    json_pack("{s:o, s:o}", "app", spec_of(SPEC), "release", release_json(&release)));
	move(&b);
	assert_true(b.r->baseline.budgets.stable_ours);
	assert_string_equal(b.r->app->workload, "web-green");
	assert_string_equal(b.r->app->canary, "web");
	assert_string_equal(b.r->baseline.canary_image, "web:0");
	json = baseline_json(&b.r->baseline);
	assert_int_equal(baseline_parse(json, &again, &e), 0);
	assert_memory_equal(&again, &b.r->baseline, sizeof(again));
	json_decref(json);
	end(&b);
}

static void
acted(struct bench *b, const char *outcome)
{
	fold(b, EVENT_ACTED,
	    json_pack(
		"{s:I, s:s}", "attempt", (json_int_t)b->r->attempt.number, "outcome", outcome));
}

/* Through every stage, each act at once, until it wants this one. */
static void
climb_to(struct bench *b, enum act_kind kind)
{
	for (int i = 0; i < 200; i++) {
		move(b);
		if (b->out.act.kind == kind)
			return;
		if (b->out.act.kind != ACT_NONE) {
			rehearse_act(&b->seen, b->r, &b->out.act);
			acted(b, "done");
		}
		fold(b, EVENT_MEASURED,
		    json_pack("{s:s, s:s}", "gate", "errors", "verdict", "pass"));
		b->at.now_ms += 5000;
		b->seen.verified_ms = b->at.now_ms;
	}
	fail_msg("it never wants %s", act_name(kind));
}

/* The write that takes the old colour's pods is on its way: nothing is switched to them before it
 * is known what came of it, and then not before they are known again. */
static void
an_abort_does_not_overtake_the_end_of_the_old_colour(void **state)
{
	struct bench b = {.r = rollout_new("r-test")};
	(void)state;
	see_green(&b.seen);
	b.at = (struct situation){
	    .rollout = b.r, .seen = &b.seen, .now_ms = 1000000, .settle_ms = 1000};
	fold(&b, EVENT_CREATED,
	    json_pack("{s:o, s:o}", "app", spec_of(SPEC), "release", release_json(&release)));
	climb_to(&b, ACT_SCALE_STABLE);
	assert_int_equal(b.out.act.number, 0);
	b.at.under_way = true;
	fold(&b, EVENT_PHASE, json_pack("{s:s, s:s}", "to", "aborting", "reason", "a person"));
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	acted(&b, "unknown");
	b.at.under_way = false;
	move(&b); /* four are ready, as far as is seen */
	assert_int_equal(b.out.act.kind, ACT_NONE);
	b.at.now_ms += ACT_LATE_MS - 1;
	move(&b); /* it may still come */
	assert_int_equal(b.out.act.kind, ACT_NONE);
	b.at.now_ms += 1;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_WEIGHT);
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mistake_says_what_to_do),
	    cmocka_unit_test(names_follow_from_the_workload),
	    cmocka_unit_test(the_plan_ends_with_the_colours_turned),
	    cmocka_unit_test(what_forbids_a_start),
	    cmocka_unit_test_setup_teardown(an_abort_switches_back_in_one_write, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_abort_grows_the_old_colour_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		an_abort_does_not_leave_what_serves_for_one_pod, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		pods_that_are_about_to_go_carry_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_colour_at_rest_takes_its_image_before_it_grows, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		the_idle_colour_goes_back_to_what_it_was, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_pods_of_the_release_count, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_new_colour_that_collapses_is_left, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_hpa_moves_with_the_traffic, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_will_serve_has_a_budget_before, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_idle_colours_budget_goes_with_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(retiring_leaves_the_preview_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		nothing_retires_before_the_drain_is_over, setup, teardown),
	    cmocka_unit_test(the_sides_are_written_down),
	    cmocka_unit_test(an_abort_does_not_overtake_the_end_of_the_old_colour),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
