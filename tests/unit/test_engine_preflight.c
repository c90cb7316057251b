/* Before its first act a rollout asks what no look at the caches tells, and begins only when that
 * is answered, or has not been for a few seconds. */
#include "engine_world.h"
#include "virtual_loop.h"

static void
what_is_found_forbids_the_start(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	w->review.problem = "airisd may not patch virtualservices web in namespace shop";
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_ABORTED);
	assert_string_equal(world_rollout(w, id)->reason,
	    "preflight: airisd may not patch virtualservices web in namespace shop");
	assert_int_equal(w->sent, 0);
	assert_int_equal(w->review.asked, 1);
	world_check_journal(w, id);
	world_free(w);
}

static void
a_warning_does_not(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	w->review.warning = "it is not known";
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	assert_int_equal(w->review.asked, 1); /* and never again */
	world_free(w);
}

static void
it_waits_for_the_answer_and_says_so(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	w->review.late = 3000;
	const char *id = world_start(w, "web:2");
	world_run(w, 2000);
	assert_string_equal(world_waiting(w, id)->object, "Preflight");
	assert_false(world_rollout(w, id)->compiled);
	assert_int_equal(w->sent, 0);
	world_run(w, 1500);
	assert_true(world_rollout(w, id)->compiled);
	assert_int_equal(w->review.asked, 1);
	world_free(w);
}

static void
but_not_for_ever(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	w->review.late = 1000000;
	w->review.problem = "never said";
	const char *id = world_start(w, "web:2");
	world_run(w, 4500);
	assert_int_equal(w->sent, 0);
	world_run(w, 2000);
	assert_true(world_rollout(w, id)->compiled);
	assert_null(w->review.done); /* it was withdrawn */
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static void
an_old_answer_is_not_believed(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	w->review.late = 500;
	const char *id = world_start(w, "web:2");
	world_run(w, 400);
	w->down = true;
	world_run(w, 60000);
	w->review.problem = "taken away since";
	w->down = false;
	world_poke(w);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_int_equal(w->review.asked, 2);
	assert_int_equal(w->sent, 0);
	world_free(w);
}

static void
after_a_crash_it_is_asked_again(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	w->review.late = 2000;
	const char *id = world_start(w, "web:2");
	world_run(w, 1000);
	world_crash(w);
	w->review.late = 0;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	assert_int_equal(w->review.asked, 2);
	world_free(w);
}

static void
an_abort_does_not_wait_for_it(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	w->review.late = 4000;
	const char *id = world_start(w, "web:2");
	world_run(w, 1000);
	world_must(w, id, COMMAND_ABORT);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_null(w->review.done);
	assert_int_equal(w->sent, 0);
	world_free(w);
}

#define GATE                                                                                       \
	"gates:\n"                                                                                 \
	"  - {name: rate, every: 1s, window: 10s, prometheus: {query: up, pass: '> 0'}}\n"

static const struct gate_sample refused = {
    .verdict = VERDICT_ERROR, .samples = -1, .refused = true, .text = "parse error"};
static const struct gate_sample ill = {
    .verdict = VERDICT_ERROR, .samples = -1, .source_ill = true, .text = "data source is away"};

static void
a_query_that_is_not_taken_forbids_it(void **state)
{
	(void)state;
	struct world *w = world_new(1, GATE);
	w->trial = &refused;
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_ABORTED);
	assert_non_null(strstr(world_rollout(w, id)->reason, "preflight: gate rate: data source"));
	assert_int_equal(w->sent, 0);
	assert_int_equal(w->trials, 1);
	world_free(w);
}

static void
a_source_that_is_ill_does_not(void **state)
{
	(void)state;
	struct world *w = world_new(1, GATE);
	w->trial = &ill;
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	assert_int_equal(w->trials, 1);
	assert_int_equal(w->review.asked, 1);
	world_free(w);
}

/* Undo, soon after: no gate is waited for, so none keeps it. */
static void
back_to_a_good_release_no_query_is_tried(void **state)
{
	(void)state;
	struct world *w = world_new(1, GATE "rollbackWindow: 2h\n");
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	w->trial = &refused;
	int undo = world_undo(w, 0);
	world_until_reply(w, undo);
	world_until_phase(w, w->replies[undo].id, PHASE_SUCCEEDED);
	assert_int_equal(w->trials, 1);
	assert_int_equal(w->review.asked, 2);
	world_free(w);
}

struct planned {
	int answers;
	bool blocked, warned;
};

static void
on_plan(
    void *ctx, uint64_t request, const struct app *app, const struct plan *plan, const char *why)
{
	struct planned *planned = ctx;
	(void)request;
	(void)app;
	if (plan == NULL)
		fail_msg("%s", why);
	planned->answers++;
	planned->blocked = plan->problems.count == 1 && plan->count == 0;
	planned->warned = plan->warnings.count == 1;
}

static void
plans_and_preflights_ask_too(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	struct planned planned = {0};
	w->review.late = 300;
	w->review.warning = "it is not known";
	engine_plan(w->engine, "web", "", on_plan, &planned, 1);
	world_run(w, 2000);
	assert_int_equal(planned.answers, 1);
	assert_true(planned.warned && !planned.blocked);
	w->review.problem = "it may not";
	for (int i = 0; i < 2; i++) {
		engine_plan(w->engine, "web", i == 0 ? "" : "web:2", on_plan, &planned, 2);
		world_run(w, 2000);
		assert_int_equal(planned.answers, 2 + i);
		assert_true(planned.warned && planned.blocked);
	}
	assert_int_equal(w->review.asked, 3);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_found_forbids_the_start),
	    cmocka_unit_test(a_warning_does_not),
	    cmocka_unit_test(it_waits_for_the_answer_and_says_so),
	    cmocka_unit_test(but_not_for_ever),
	    cmocka_unit_test(an_old_answer_is_not_believed),
	    cmocka_unit_test(after_a_crash_it_is_asked_again),
	    cmocka_unit_test(an_abort_does_not_wait_for_it),
	    cmocka_unit_test(a_query_that_is_not_taken_forbids_it),
	    cmocka_unit_test(a_source_that_is_ill_does_not),
	    cmocka_unit_test(back_to_a_good_release_no_query_is_tried),
	    cmocka_unit_test(plans_and_preflights_ask_too),
	};
	return cmocka_run_group_tests_name("engine_preflight", tests, NULL, NULL);
}
