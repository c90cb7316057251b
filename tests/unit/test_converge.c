/* decide and converge against a small world with late pods and a late mesh: whatever happens in
 * between, no request is lost, the five laws hold, and the end is the right one. The world is made
 * from a seed; a failing one is printed and can be run alone: test_converge SEED. */
#include <stdlib.h>
#include <string.h>
#include "toy_world.h"

static unsigned only;

#define EACH_SEED(seed, n)                                                                         \
	for (unsigned seed = only ? only : 1; seed <= (only ? only : (n)); seed++)

static void
a_healthy_canary_succeeds_and_loses_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 300)
	{
		static struct toy w;
		toy_begin(&w, seed, "");
		toy_run_to_end(&w, PHASE_SUCCEEDED);
		toy_expect_home(&w);
		assert_true(w.stable_new);
		toy_end(&w);
	}
}

static void
an_abort_at_any_moment_ends_at_home(void **state) /* F42, I4 */
{
	(void)state;
	EACH_SEED(seed, 1500)
	{
		static struct toy w;
		toy_begin(&w, seed, "");
		int ticks = (int)(seed % 500);
		for (int i = 0; i < ticks && toy_tick(&w); i++)
			;
		if (w.r->phase == PHASE_SUCCEEDED) {
			toy_end(&w);
			continue;
		}
		toy_command(&w, COMMAND_ABORT);
		toy_run_to_end(&w, PHASE_ABORTED);
		toy_expect_home(&w);
		assert_false(w.stable_new);
		toy_end(&w);
	}
}

/* Time counts from when an HTTPRoute was accepted, however late that is. */
static void
an_HTTPRoute_is_accepted_before_anything_depends_on_it(void **state)
{
	(void)state;
	EACH_SEED(seed, 900)
	{
		static struct toy w;
		toy_begin_gateway(&w, seed);
		int ticks = (int)(seed * 7919 % 1500);
		for (int i = 0; i < ticks && toy_tick(&w); i++)
			;
		bool aborts = seed % 3 != 0 && w.r->phase == PHASE_PROGRESSING;
		if (aborts)
			toy_command(&w, COMMAND_ABORT);
		toy_run_to_end(
		    &w, aborts || w.r->phase == PHASE_ABORTED ? PHASE_ABORTED : PHASE_SUCCEEDED);
		toy_expect_home(&w);
		toy_end(&w);
	}
}

/* Nothing is torn down, and it says whom it waits for; then it goes on. */
static void
a_controller_that_is_away_is_named(void **state)
{
	static struct toy w;
	(void)state;
	toy_begin_gateway(&w, 7);
	while (w.weight == 0 && toy_tick(&w))
		;
	toy_command(&w, COMMAND_ABORT);
	toy_think(&w);
	assert_int_equal(w.weight, 0);
	w.accepted_at = INT64_MAX;
	for (int i = 0; i < 1200; i++)
		toy_tick(&w);
	assert_int_equal(w.r->phase, PHASE_ABORTING);
	assert_true(w.canary_exists && w.service);
	assert_string_equal(w.waiting.object, "HTTPRoute shop/web");
	assert_non_null(strstr(w.waiting.what, "its controllers have not accepted it yet"));
	w.accepted_at = w.now;
	toy_run_to_end(&w, PHASE_ABORTED);
	toy_expect_home(&w);
	toy_end(&w);
}

static void
a_canary_that_never_gets_ready_is_aborted_by_the_deadline(void **state) /* F38, F39 */
{
	(void)state;
	EACH_SEED(seed, 50)
	{
		static struct toy w;
		toy_begin(&w, seed, "");
		w.never_ready = true;
		toy_run_to_end(&w, PHASE_ABORTED);
		toy_expect_home(&w);
		assert_non_null(strstr(w.r->reason, "no progress"));
		assert_int_equal(w.r->seen_ms, 0); /* no weight was ever written */
		toy_end(&w);
	}
}

/* Pods that run for a moment and then crash, again and again, never get a request. */
static void
a_canary_must_be_steady_before_it_gets_traffic(void **state) /* F20 */
{
	(void)state;
	EACH_SEED(seed, 50)
	{
		static struct toy w;
		toy_begin(&w, seed, "");
		w.pods_late = 300;
		w.settle_ms = 500;
		for (int i = 0; i < 3000 && toy_tick(&w); i++)
			for (int p = 0; p < TOY_PODS; p++)
				if (w.pods[p].canary && w.pods[p].ready && i % 30 == 0) {
					w.pods[p].ready = false;
					w.pods[p].ready_at = w.now + 1300;
				}
		assert_int_equal(w.r->phase, PHASE_ABORTED);
		toy_expect_home(&w);
		assert_int_equal(w.r->seen_ms, 0); /* no weight was ever written */
		toy_end(&w);
	}
}

static void
a_promotion_that_fails_keeps_the_healthy_side(void **state) /* F45, I5 */
{
	(void)state;
	EACH_SEED(seed, 100)
	{
		static struct toy w;
		toy_begin(&w, seed, "");
		w.stable_never = true;
		toy_run_to_end(&w, PHASE_ABORTED);
		toy_expect_home(&w);
		assert_false(w.stable_new);
		toy_end(&w);
	}
}

static void
an_abort_does_not_wait_for_a_full_house(
    void **state) /* peers: weight stays while a pod is unready */
{
	(void)state;
	static struct toy w;
	toy_begin(&w, 7, "");
	toy_set_full(&w, 4);
	while (w.weight != 50 && toy_tick(&w))
		;
	for (int i = 0; i < 100; i++)
		toy_tick(&w);
	w.pods[0].ready = false;
	w.pods[0].ready_at = INT64_MAX;
	toy_command(&w, COMMAND_ABORT);
	toy_think(&w);
	assert_int_equal(w.weight, 0);
	assert_true(w.last.urgent);
	toy_end(&w);
}

/* Two of six carry two thirds in an abort: so much comes at once, the rest as more get ready. */
static void
an_abort_moves_at_once_what_can_be_carried(void **state)
{
	(void)state;
	static struct toy w;
	toy_begin(&w, 7, "");
	toy_set_full(&w, 6);
	while (w.weight != 50 && toy_tick(&w))
		;
	for (int i = 0; i < 100; i++)
		toy_tick(&w);
	for (int i = 0; i < 4; i++) {
		w.pods[i].ready = false;
		w.pods[i].ready_at = INT64_MAX;
	}
	toy_command(&w, COMMAND_ABORT);
	toy_think(&w);
	assert_int_equal(w.weight, 34);
	assert_true(w.last.urgent);
	w.pods[0].ready_at = w.now;
	for (int i = 0; i < 5; i++)
		toy_tick(&w);
	assert_int_equal(w.weight, 0);
	toy_end(&w);
}

static int
ready_stable(const struct toy *w, bool new)
{
	int n = 0;
	for (int i = 0; i < TOY_PODS; i++)
		n += w->pods[i].there && !w->pods[i].canary && w->pods[i].ready &&
		     w->pods[i].new == new;
	return n;
}

/* A pod of each side dies when the stable one has just got the release: in an abort that side rolls
 * back, and gets no more than its old pods carry, not what is about to go. */
static void
an_abort_counts_no_pods_that_are_about_to_go(void **state) /* I2, I5 */
{
	(void)state;
	static struct toy w;
	toy_begin(&w, 7, "");
	toy_set_full(&w, 4);
	while ((!w.stable_new || ready_stable(&w, true) < 4) && toy_tick(&w))
		;
	assert_int_equal(w.weight, 100);
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < TOY_PODS; i++)
			if (w.pods[i].there && w.pods[i].canary == (side == 0)) {
				w.pods[i].ready = false;
				w.pods[i].ready_at = INT64_MAX;
				break;
			}
	toy_command(&w, COMMAND_ABORT);
	for (int i = 0; w.weight > 0 && toy_tick(&w); i++) {
		int stays = ready_stable(&w, false) + (w.stable_new ? ready_stable(&w, true) : 0);
		assert_true(i < 3000);
		assert_true((100 - w.weight) * 2 <= stays * 100);
	}
	toy_run_to_end(&w, PHASE_ABORTED);
	toy_expect_home(&w);
	toy_end(&w);
}

/* Rolled back, one pod does not come: the canary stays, though it serves nothing any more. */
static void
the_canary_stays_until_the_stable_side_is_whole(void **state) /* I5 */
{
	(void)state;
	static struct toy w;
	toy_begin(&w, 7, "");
	toy_set_full(&w, 4);
	while (!w.stable_new && toy_tick(&w))
		;
	for (int i = 0; i < 20; i++) /* it rolls */
		toy_tick(&w);
	toy_command(&w, COMMAND_ABORT);
	while (w.stable_new && toy_tick(&w))
		;
	int last = -1;
	while (w.weight > 0 && toy_tick(&w))
		for (int i = 0; i < TOY_PODS && last < 0; i++)
			if (w.pods[i].there && !w.pods[i].new && !w.pods[i].ready)
				last = i, w.pods[i].ready_at = INT64_MAX;
	assert_true(last >= 0);
	for (int i = 0; i < 300; i++)
		toy_tick(&w);
	assert_int_equal(w.r->phase, PHASE_ABORTING);
	assert_true(w.canary_exists);
	assert_string_equal(w.waiting.object, "Deployment shop/web");
	w.pods[last].ready_at = w.now;
	toy_run_to_end(&w, PHASE_ABORTED);
	toy_expect_home(&w);
	toy_end(&w);
}

static void
a_pause_lasts_until_it_is_resumed(void **state)
{
	(void)state;
	static struct toy w;
	toy_begin(&w, 7, "");
	while (w.weight == 0 && toy_tick(&w))
		;
	toy_command(&w, COMMAND_PAUSE);
	for (int i = 0; i < 600; i++)
		toy_tick(&w);
	assert_int_equal(w.weight, 10);
	assert_int_equal(w.r->phase, PHASE_PAUSED);
	assert_string_equal(w.waiting.object, "Rollout");
	toy_command(&w, COMMAND_RESUME);
	toy_run_to_end(&w, PHASE_SUCCEEDED);
	toy_expect_home(&w);
	toy_end(&w);
}

static void
a_canary_pod_that_dies_lowers_the_weight(void **state) /* F20 */
{
	(void)state;
	static struct toy w;
	toy_begin(&w, 3, "");
	toy_set_full(&w, 4);
	while (w.weight != 50 && toy_tick(&w))
		;
	for (int i = 0; i < TOY_PODS; i++)
		if (w.pods[i].canary && w.pods[i].there) {
			w.pods[i].ready = false;
			w.pods[i].ready_at = w.now + 5000;
			break;
		}
	toy_think(&w);
	assert_int_equal(w.weight, 25);
	toy_run_to_end(&w, PHASE_SUCCEEDED);
	toy_end(&w);
}

static void
weight_100_waits_for_all_of_the_canary(void **state) /* F19 */
{
	(void)state;
	static struct toy w;
	toy_begin(&w, 11, "");
	toy_set_full(&w, 5);
	while (w.weight != 50 && toy_tick(&w))
		;
	w.pods_late = 100000000;
	for (int i = 0; i < 200; i++)
		toy_tick(&w);
	assert_int_equal(w.weight, 50);
	assert_non_null(strstr(w.r->waiting.what, "3 of 5 endpoints ready"));
	toy_end(&w);
}

/* kill -9 before every look: the same acts at the same moments, no hold begun anew, no stage
 * skipped or done twice (I7). */
static void
a_crash_at_any_moment_changes_nothing(void **state) /* F52 */
{
	(void)state;
	EACH_SEED(seed, 5)
	{
		static struct toy whole, crashing;
		toy_begin(&whole, seed, "");
		toy_run_to_end(&whole, PHASE_SUCCEEDED);
		toy_begin(&crashing, seed, "");
		crashing.crashes = true;
		toy_run_to_end(&crashing, PHASE_SUCCEEDED);
		assert_int_equal(crashing.acts, whole.acts);
		assert_int_equal(crashing.now, whole.now);
		assert_int_equal(crashing.written, whole.written);
		for (int i = 0; i < whole.written; i++)
			assert_int_equal(crashing.journal[i].kind, whole.journal[i].kind);
		toy_end(&crashing);
		toy_end(&whole);
	}
}

int
main(int argc, char **argv)
{
	only = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_healthy_canary_succeeds_and_loses_nothing),
	    cmocka_unit_test(an_abort_at_any_moment_ends_at_home),
	    cmocka_unit_test(an_HTTPRoute_is_accepted_before_anything_depends_on_it),
	    cmocka_unit_test(a_controller_that_is_away_is_named),
	    cmocka_unit_test(a_canary_that_never_gets_ready_is_aborted_by_the_deadline),
	    cmocka_unit_test(a_canary_must_be_steady_before_it_gets_traffic),
	    cmocka_unit_test(a_promotion_that_fails_keeps_the_healthy_side),
	    cmocka_unit_test(an_abort_does_not_wait_for_a_full_house),
	    cmocka_unit_test(an_abort_moves_at_once_what_can_be_carried),
	    cmocka_unit_test(an_abort_counts_no_pods_that_are_about_to_go),
	    cmocka_unit_test(the_canary_stays_until_the_stable_side_is_whole),
	    cmocka_unit_test(a_pause_lasts_until_it_is_resumed),
	    cmocka_unit_test(a_canary_pod_that_dies_lowers_the_weight),
	    cmocka_unit_test(weight_100_waits_for_all_of_the_canary),
	    cmocka_unit_test(a_crash_at_any_moment_changes_nothing),
	};
	return cmocka_run_group_tests_name("converge", tests, NULL, NULL);
}
