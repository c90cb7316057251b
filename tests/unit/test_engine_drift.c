/* Foreign edits: noticed within a second, the other manager named, answered by the app's policy. */
#include "engine_world.h"
#include "virtual_loop.h"

static struct world *
edited(const char *policy, char id[ID_SIZE])
{
	char more[64];
	str_print(more, sizeof(more), "onEdit: %s", policy);
	struct world *w = world_new(3, more);
	w->breaks_laws = true;
	str_copy(id, ID_SIZE, world_start(w, "web:2"));
	world_until_weight(w, 50);
	world_run(w, 200);
	return w;
}

static void
edit_weight(struct world *w, int weight)
{
	w->weight = weight;
	w->route_rv++;
	str_copy(w->route_by, sizeof(w->route_by), "argocd-controller");
}

static void
edit_image(struct world *w, const char *image)
{
	str_copy(w->image, sizeof(w->image), image);
	str_copy(w->image_by, sizeof(w->image_by), "kubectl-set");
}

static void
hold_waits_for_a_person(void **state) /* F28 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("hold", id);
	edit_weight(w, 30);
	world_run(w, 900);
	const struct waiting *waiting = world_waiting(w, id);
	assert_non_null(strstr(waiting->what, "weight is 30, airisd left 50"));
	assert_non_null(strstr(waiting->what, "argocd-controller"));
	json_t *drift = world_event(w, id, "drift", 0);
	assert_string_equal(json_string_value(json_object_get(drift, "by")), "argocd-controller");
	json_decref(drift);
	int sent = w->sent;
	world_run(w, 120000);
	assert_int_equal(w->sent, sent);
	assert_int_equal(w->weight, 30);
	world_crash(w);
	world_run(w, 2000);
	assert_int_equal(world_events(w, id, "drift"), 1); /* the same edit, told once */
	edit_weight(w, 50);				   /* put back by hand */
	world_until_phase(w, id, PHASE_SUCCEEDED);
	assert_int_equal(world_events(w, id, "drift_over"), 1);
	world_home(w, "web:2");
	world_free(w);
}

static void
retry_writes_over_what_is_held(void **state) /* F28 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("hold", id);
	edit_weight(w, 30);
	world_run(w, 3000);
	world_must(w, id, COMMAND_RETRY);
	world_run(w, 2500);
	assert_int_equal(w->weight, 50);
	edit_image(w, "web:7");
	world_run(w, 3000);
	assert_non_null(strstr(world_waiting(w, id)->what, "image is web:7, airisd left web:1"));
	world_must(w, id, COMMAND_RETRY);
	world_run(w, 2500);
	assert_string_equal(w->image, "web:1");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

static void
repair_writes_it_again_and_names_who(void **state) /* F28 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("repair", id);
	edit_weight(w, 30);
	world_run(w, 2500);
	assert_int_equal(w->weight, 50);
	edit_image(w, "web:7");
	world_run(w, 2500);
	assert_string_equal(w->image, "web:1");
	w->canary_size = 1;
	str_copy(w->canary_by, sizeof(w->canary_by), "kubectl-scale");
	world_run(w, 2500);
	assert_int_not_equal(w->canary_size, 1);
	json_t *drift = world_event(w, id, "drift", 2);
	assert_string_equal(json_string_value(json_object_get(drift, "by")), "kubectl-scale");
	assert_string_equal(json_string_value(json_object_get(drift, "what")), "canary size");
	json_decref(drift);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

static void
abort_goes_home_and_says_who(void **state) /* F28 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("abort", id);
	edit_weight(w, 30);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_non_null(strstr(world_rollout(w, id)->reason, "edited by argocd-controller"));
	world_home(w, "web:1");
	world_free(w);
}

static void
a_canary_deleted_by_hand_is_noticed(void **state) /* F28, F30 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("hold", id);
	w->canary_exists = false;
	world_run(w, 2000);
	assert_int_equal(w->weight, 0); /* rescued, whatever is held */
	assert_non_null(strstr(world_waiting(w, id)->what, "deleted"));
	world_must(w, id, COMMAND_ABORT);
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

/* A second controller that writes its own weight again and again. */
static void
a_fight_ends_in_hold_and_names_the_other(void **state) /* F85, F59 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("repair", id);
	uint64_t events = engine_stats(w->engine)->events;
	for (int i = 0; i < 600; i++) {
		if (w->weight == 50)
			edit_weight(w, 0);
		world_tick(w);
	}
	assert_in_range(w->sent_by_kind[ACT_WEIGHT], 3, 5);
	const struct waiting *waiting = world_waiting(w, id);
	assert_non_null(strstr(waiting->what, "argocd-controller"));
	assert_non_null(strstr(waiting->what, "again and again"));
	assert_true(engine_stats(w->engine)->events - events < 100);
	world_crash(w);
	world_run(w, 5000); /* the count of repairs survives */
	assert_in_range(w->sent_by_kind[ACT_WEIGHT], 3, 5);
	assert_non_null(strstr(world_waiting(w, id)->what, "again and again"));
	world_free(w);
}

static struct world_answer
unreachable(struct world *w, const struct act *act)
{
	(void)w, (void)act;
	return (struct world_answer){.outcome = ACT_UNREACHED,
	    .late_ms = 20,
	    .retry_after_ms = -1,
	    .text = "connection refused"};
}

/* Two things to wait for at once: neither may push the other out again and again. */
static void
a_held_rollout_whose_rescue_fails_keeps_quiet(void **state) /* F59, F85 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("hold", id);
	edit_image(w, "web:1x");
	world_run(w, 1000);
	w->fault = unreachable;
	str_copy(w->never_ready, sizeof(w->never_ready), "web:2");
	for (int i = 0; i < WORLD_PODS; i++)
		if (w->pods[i].canary)
			w->pods[i].ready = false;
	world_run(w, 2000);
	uint64_t events = engine_stats(w->engine)->events;
	uint64_t decisions = engine_stats(w->engine)->decisions;
	world_run(w, 120000);
	assert_true(engine_stats(w->engine)->events - events < 60);
	assert_true(engine_stats(w->engine)->decisions - decisions < 200);
	assert_non_null(strstr(world_waiting(w, id)->what, "connection refused"));
	w->fault = NULL;
	world_run(w, 35000);
	assert_int_equal(w->weight, 0);
	assert_non_null(strstr(world_waiting(w, id)->what, "kubectl-set"));
	world_free(w);
}

/* Nothing happens: nothing is done. In every state that waits. */
static void
who_waits_does_not_work(void **state) /* F59 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = edited("hold", id);
	world_must(w, id, COMMAND_PAUSE);
	world_run(w, 10000);
	uint64_t decisions = engine_stats(w->engine)->decisions;
	world_run(w, 600000);
	assert_true(engine_stats(w->engine)->decisions - decisions <= 2);
	str_copy(w->never_ready, sizeof(w->never_ready), "web:2");
	for (int i = 0; i < WORLD_PODS; i++)
		if (w->pods[i].canary)
			w->pods[i].ready = false;
	world_run(w, 90000); /* past the stage's deadline, which does not run while it is paused */
	decisions = engine_stats(w->engine)->decisions;
	world_run(w, 600000);
	assert_int_equal(world_phase(w, id), PHASE_PAUSED);
	assert_true(engine_stats(w->engine)->decisions - decisions <= 2);
	edit_weight(w, 30);
	world_run(w, 10000);
	decisions = engine_stats(w->engine)->decisions;
	world_run(w, 600000);
	assert_true(engine_stats(w->engine)->decisions - decisions <= 2);
	for (int i = 0; i < 1000; i++) { /* a burst of changes costs a look each, and no more */
		world_poke(w);
		world_turns(w);
	}
	assert_true(engine_stats(w->engine)->decisions - decisions <= 1002);
	world_free(w);
}

/* A release of the image that runs already (a restart): old and new pods look the same, so none of
 * them is the wrong one, and the way home is not waited for for ever. */
static void
abort_of_the_same_image_gets_home(void **state) /* I4 */
{
	(void)state;
	struct world *w = world_new(3, "onEdit: abort");
	char id[ID_SIZE];
	w->breaks_laws = true;
	str_copy(id, ID_SIZE, world_start(w, "web:1"));
	world_until_weight(w, 100);
	world_must(w, id, COMMAND_PAUSE);
	world_run(w, 5000); /* the stable side has drained: its image may be written at once */
	edit_image(w, "web:9");
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hold_waits_for_a_person),
	    cmocka_unit_test(retry_writes_over_what_is_held),
	    cmocka_unit_test(repair_writes_it_again_and_names_who),
	    cmocka_unit_test(abort_goes_home_and_says_who),
	    cmocka_unit_test(a_canary_deleted_by_hand_is_noticed),
	    cmocka_unit_test(a_fight_ends_in_hold_and_names_the_other),
	    cmocka_unit_test(a_held_rollout_whose_rescue_fails_keeps_quiet),
	    cmocka_unit_test(who_waits_does_not_work),
	    cmocka_unit_test(abort_of_the_same_image_gets_home),
	};
	return cmocka_run_group_tests_name("engine_drift", tests, NULL, NULL);
}
