/* decide and converge against a mesh that behaves as a real istiod: debounce, churn, one push that
 * carries everything, warming; known by asking it, or by time alone. A failing seed is printed and
 * can be run alone: test_converge_mesh SEED. */
#include <stdlib.h>
#include <string.h>
#include "toy_world.h"

#define LONGEST_MS 12000 /* the longest debounce and a margin */

static unsigned only;

#define EACH_SEED(seed, n)                                                                         \
	for (unsigned seed = only ? only : 1; seed <= (only ? only : (n)); seed++)

/* Every third world is quiet, every third changes now and then, every third all the time. */
static void
begin(struct toy *w, unsigned seed, bool asks)
{
	static const int64_t churn[] = {0, 200, 50};
	toy_begin(w, seed, "");
	toy_use_istiod(w, churn[seed % 3], asks);
	if (!asks)
		w->settle_ms = LONGEST_MS;
}

static void
release(unsigned seed, bool asks)
{
	static struct toy w;
	begin(&w, seed, asks);
	toy_run_to_end(&w, PHASE_SUCCEEDED);
	toy_expect_home(&w);
	assert_true(w.stable_new);
	toy_end(&w);
}

static void
a_canary_that_asks_loses_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 150)
	release(seed, true);
}

static void
a_canary_that_waits_long_enough_loses_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 60)
	release(seed, false);
}

static void
abort_somewhere(unsigned seed, bool asks, int longest)
{
	static struct toy w;
	begin(&w, seed, asks);
	int ticks = (int)(seed * 7919 % (unsigned)longest);
	for (int i = 0; i < ticks && toy_tick(&w); i++)
		;
	if (w.r->phase != PHASE_SUCCEEDED) {
		toy_command(&w, COMMAND_ABORT);
		toy_run_to_end(&w, PHASE_ABORTED);
		toy_expect_home(&w);
		assert_false(w.stable_new);
	}
	toy_end(&w);
}

static void
an_abort_that_asks_loses_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 600)
	abort_somewhere(seed, true, 900);
}

static void
an_abort_that_waits_long_enough_loses_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 150)
	abort_somewhere(seed, false, 1500);
}

/* The model bites: while another Service changes all the time, waits that are too short lose. */
static void
too_short_a_wait_loses_requests(void **state)
{
	(void)state;
	for (int64_t settle_ms = 0; settle_ms <= 3000; settle_ms += 1500) {
		int hurt = 0;
		for (unsigned seed = 1; seed <= 20; seed++) {
			static struct toy w;
			toy_begin(&w, seed, "");
			toy_use_istiod(&w, 50, false);
			w.settle_ms = settle_ms;
			w.careless = true;
			for (int i = 0; i < 3000 && toy_tick(&w); i++)
				;
			hurt += w.lost > 0;
			toy_end(&w);
		}
		assert_true(hurt >= 5);
	}
}

/* Whatever is unconfirmed: all traffic is sent home in the first look, and then nothing else is
 * written until the mesh has taken it (checked at every act, see check_alone). */
static void
an_abort_is_sent_in_the_first_look(void **state)
{
	(void)state;
	int open = 0;
	EACH_SEED(seed, 300)
	{
		static struct toy w;
		begin(&w, seed, true);
		w.istiod.silent = false;
		int ticks = (int)(seed * 31 % 400);
		while (w.weight == 0 && toy_tick(&w))
			;
		for (int i = 0; i < ticks && !w.r->rolled && toy_tick(&w); i++)
			;
		if (!w.r->rolled && w.weight > 0) {
			open += !rollout_taken(w.r, MESH_WEIGHT);
			w.istiod.silent = true;
			toy_command(&w, COMMAND_ABORT);
			int acts = w.acts;
			toy_think(&w);
			assert_int_equal(w.weight, 0);
			assert_int_equal(w.acts, acts + 1);
			assert_true(w.last.urgent && w.last.kind == ACT_WEIGHT);
			for (int i = 0; i < 300; i++)
				toy_tick(&w);
			assert_int_equal(w.acts, acts + 1);
		}
		toy_end(&w);
	}
	assert_true(only || open > 20);
}

/* Nothing is torn down and nothing goes on; it says who does not answer. */
static void
an_istiod_that_never_answers(void **state)
{
	(void)state;
	EACH_SEED(seed, 60)
	{
		static struct toy w;
		begin(&w, seed, true);
		int ticks = (int)(seed * 13 % 500);
		for (int i = 0; i < ticks && toy_tick(&w); i++)
			;
		if (phase_final(w.r->phase)) {
			toy_end(&w);
			continue;
		}
		w.istiod.silent = true;
		toy_command(&w, COMMAND_ABORT);
		bool open = false;
		for (int i = 0; i < 1200 && toy_tick(&w); i++)
			open |= !rollout_taken(w.r, MESH_WEIGHT);
		if (open && !phase_final(w.r->phase)) {
			assert_true(w.canary_exists && w.service);
			assert_non_null(strstr(w.waiting.what, "does not answer"));
			assert_true(w.waiting.since_ms < w.now - 20000);
		}
		if (w.lost)
			fail_msg("seed %u lost requests: %s", seed, w.why);
		w.istiod.silent = false;
		toy_run_to_end(&w, PHASE_ABORTED);
		toy_expect_home(&w);
		toy_end(&w);
	}
}

/* So many of its pods are never ready again. */
static void
kill_canary(struct toy *w, int most)
{
	w->never_ready = true;
	w->fatal = most == TOY_PODS;
	for (int i = 0; i < TOY_PODS && most > 0; i++)
		if (w->pods[i].canary && w->pods[i].ready) {
			w->pods[i].ready = false;
			w->pods[i].ready_at = INT64_MAX;
			most--;
		}
}

/* The canary's pods die in the middle of an abort, while the stable side still has the release, so
 * that it must be rolled back in place: even then nothing is written behind the abort's weight. */
static void
a_canary_that_dies_in_an_abort(void **state)
{
	(void)state;
	int rolled = 0;
	EACH_SEED(seed, 150)
	{
		static struct toy w;
		begin(&w, seed, true);
		while (!w.r->rolled && toy_tick(&w))
			;
		for (unsigned i = 0; i < seed % 80 && toy_tick(&w); i++)
			;
		if (!phase_final(w.r->phase)) {
			rolled++;
			toy_command(&w, COMMAND_ABORT);
			for (unsigned i = 0; i < seed % 7; i++)
				toy_tick(&w);
			kill_canary(&w, seed % 2 ? TOY_PODS : 1);
			for (int i = 0; i < 6000 && toy_tick(&w); i++)
				;
			assert_int_equal(w.r->phase, PHASE_ABORTED);
			assert_false(w.stable_new);
		}
		toy_end(&w);
	}
	assert_true(only || rolled > 50);
}

/* The stable side serves the release that an abort flees from, istiod is down, and the canary that
 * should carry the way home blinks: no pod of the stable side restarts before proxies can hear of
 * it. Where it serves nothing, it is rolled at once. */
static void
no_pod_restarts_while_istiod_is_down(void **state)
{
	(void)state;
	int kept = 0;
	EACH_SEED(seed, 150)
	{
		static struct toy w;
		begin(&w, seed, true);
		while (!w.r->rolled && toy_tick(&w))
			;
		while (w.weight == 100 && toy_tick(&w))
			;
		w.istiod.down = true;
		for (int i = 0; i < 60 && toy_tick(&w); i++)
			; /* it answered a moment before */
		toy_command(&w, COMMAND_ABORT);
		kill_canary(&w, 1 + (int)(seed % TOY_PODS));
		bool serves = w.stable_new && w.weight < 100;
		for (int i = 0; serves && i < 1500 && toy_tick(&w); i++)
			assert_true(w.stable_new);
		kept += strstr(w.waiting.what, "its pods would restart") != NULL;
		w.istiod.down = w.never_ready = false;
		toy_run_to_end(&w, PHASE_ABORTED);
		assert_false(w.stable_new);
		toy_end(&w);
	}
	assert_true(only || kept > 50);
}

/* Half of the canary has died, and the stable side serves what is fled from: the rest of the canary
 * is waited for, but not without end. */
static void
the_way_home_waits_a_minute_for_the_canary(void **state)
{
	(void)state;
	EACH_SEED(seed, 20)
	{
		static struct toy w;
		begin(&w, seed, true);
		toy_set_full(&w, 4);
		while (!w.r->rolled && toy_tick(&w))
			;
		kill_canary(&w, 2);
		for (int i = 0; i < 600 && toy_tick(&w); i++)
			;
		assert_in_range(w.weight, 1, 99);
		toy_command(&w, COMMAND_ABORT);
		toy_think(&w);
		assert_string_equal(w.waiting.object, "Deployment shop/web-canary");
		assert_int_equal(w.waiting.until_ms, w.r->phase_ms + 60000);
		toy_end(&w);
	}
}

static void
what_never_gets_ready_loses_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 60)
	{
		static struct toy w;
		begin(&w, seed, seed % 2);
		w.never_ready = seed % 4 < 2;
		w.stable_never = !w.never_ready;
		toy_run_to_end(&w, PHASE_ABORTED);
		toy_expect_home(&w);
		toy_end(&w);
	}
}

/* All memory is lost before every look. */
static void
crashes_lose_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 6)
	{
		static struct toy w;
		begin(&w, seed, true);
		w.crashes = true;
		toy_run_to_end(&w, PHASE_SUCCEEDED);
		toy_expect_home(&w);
		toy_end(&w);
	}
}

/* Its webhook refuses every weight and nothing is pushed; when it is back it goes on. */
static void
an_istiod_that_is_down_for_a_while(void **state)
{
	(void)state;
	EACH_SEED(seed, 150)
	{
		static struct toy w;
		begin(&w, seed, seed % 2 == 0);
		int ticks = (int)(seed * 13 % 500);
		for (int i = 0; i < ticks && toy_tick(&w); i++)
			;
		if (!phase_final(w.r->phase)) {
			w.istiod.down = true;
			if (seed % 4 < 2)
				toy_command(&w, COMMAND_ABORT);
			for (int i = 0; i < (seed % 8 < 4 ? 150 : 900); i++)
				toy_tick(&w);
			w.istiod.down = false;
			bool home = w.r->phase == PHASE_ABORTING || w.r->phase == PHASE_ABORTED;
			toy_run_to_end(&w, home ? PHASE_ABORTED : PHASE_SUCCEEDED);
		}
		toy_expect_home(&w);
		toy_end(&w);
	}
}

/* Bounded: assumed after fifteen seconds, and named. */
static void
a_proxy_that_never_confirms(void **state)
{
	(void)state;
	EACH_SEED(seed, 40)
	{
		static struct toy w;
		begin(&w, seed, true);
		if (seed % 2)
			w.istiod.proxies[1].stopped = true;
		else
			w.istiod.proxies[1].scoped = true;
		while (w.weight == 0 && toy_tick(&w))
			;
		while (!rollout_taken(w.r, MESH_WEIGHT) && toy_tick(&w))
			;
		assert_string_equal(w.r->mesh[MESH_WEIGHT].known, "assumed");
		assert_string_equal(w.r->mesh[MESH_WEIGHT].missing, "client-2.lab");
		toy_run_to_end(&w, PHASE_SUCCEEDED);
		toy_expect_home(&w);
		toy_end(&w);
	}
}

int
main(int argc, char **argv)
{
	only = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_canary_that_asks_loses_nothing),
	    cmocka_unit_test(a_canary_that_waits_long_enough_loses_nothing),
	    cmocka_unit_test(an_abort_that_asks_loses_nothing),
	    cmocka_unit_test(an_abort_that_waits_long_enough_loses_nothing),
	    cmocka_unit_test(too_short_a_wait_loses_requests),
	    cmocka_unit_test(an_abort_is_sent_in_the_first_look),
	    cmocka_unit_test(an_istiod_that_never_answers),
	    cmocka_unit_test(a_canary_that_dies_in_an_abort),
	    cmocka_unit_test(no_pod_restarts_while_istiod_is_down),
	    cmocka_unit_test(the_way_home_waits_a_minute_for_the_canary),
	    cmocka_unit_test(what_never_gets_ready_loses_nothing),
	    cmocka_unit_test(crashes_lose_nothing),
	    cmocka_unit_test(an_istiod_that_is_down_for_a_while),
	    cmocka_unit_test(a_proxy_that_never_confirms),
	};
	return cmocka_run_group_tests_name("converge with a real mesh", tests, NULL, NULL);
}
