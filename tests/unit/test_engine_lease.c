/* Another airisd may write in the cluster: this one changes nothing, says so, and goes on from
 * there when it may again. */
#include "engine_world.h"
#include "virtual_loop.h"
#include "base/jsonx.h"

static void
shut(struct world *w)
{
	w->fence = (struct fence_seen){
	    .why = "another airisd holds lease airis/airisd", .object = "Lease", .other = true};
	world_run(w, 50);
}

static void
open_again(struct world *w)
{
	w->fence = (struct fence_seen){.why = ""};
}

/* The cluster room refuses what is sent all the same. */
static struct world_answer
refuse(struct world *w, const struct act *act)
{
	bool closed = w->fence.why[0] != '\0';

	(void)act;
	return (struct world_answer){.outcome = closed ? ACT_UNREACHED : ACT_DONE,
	    .effect = !closed,
	    .effect_ms = 50,
	    .late_ms = closed ? 0 : 100,
	    .retry_after_ms = -1};
}

static void
it_does_not_begin(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	shut(w);
	const char *id = world_start(w, "web:2");
	world_run(w, 60000);
	assert_int_equal(w->sent, 0);
	assert_string_equal(world_waiting(w, id)->object, "Lease");
	assert_non_null(strstr(world_waiting(w, id)->what, "another airisd"));
	open_again(w);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

static void
an_abort_waits_and_goes_at_once(void **state)
{
	(void)state;
	struct world *w = world_new(2, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	world_run(w, 200);
	shut(w);
	int sent = w->sent;
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 120000);
	assert_int_equal(w->sent, sent);
	assert_int_equal(w->weight, 50);
	assert_int_equal(world_phase(w, id), PHASE_ABORTING);
	world_crash(w); /* it stays known over a restart */
	world_run(w, 2000);
	assert_int_equal(w->sent, sent);
	assert_int_equal(world_events(w, id, "fenced"), 1);
	open_again(w);
	world_run(w, 300);
	assert_int_equal(w->weight, 0);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_int_equal(world_events(w, id, "fence_over"), 1);
	world_check_journal(w, id);
	world_home(w, "web:1");
	world_free(w);
}

/* Waiting for another is not the canary's fault: its deadline begins anew. */
static void
the_deadline_begins_anew(void **state)
{
	(void)state;
	struct world *w = world_new(3, "");
	char id[ID_SIZE];
	w->pods_late = 20000;
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_act(w, ACT_CREATE_CANARY);
	world_run(w, 1000);
	shut(w);
	world_run(w, 3600 * 1000);
	open_again(w);
	world_run(w, 5000);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

/* It is shut at whatever moment, also between a decision and its act. */
static void
shut_at_any_moment(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct world *w = world_new(seed, "");
		char id[ID_SIZE];
		w->fault = refuse;
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_run(w, 100 + world_roll(w, 8000));
		w->fence = (struct fence_seen){.why = "another", .object = "Lease", .other = true};
		world_run(w, 1000 + world_roll(w, 90000));
		if (seed % 2 == 0)
			(void)world_command(w, id, COMMAND_ABORT, false);
		world_run(w, 2000);
		open_again(w);
		world_until_phase(w, id, seed % 2 == 0 ? PHASE_ABORTED : PHASE_SUCCEEDED);
		world_home(w, seed % 2 == 0 ? "web:1" : "web:2");
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_does_not_begin),
	    cmocka_unit_test(an_abort_waits_and_goes_at_once),
	    cmocka_unit_test(the_deadline_begins_anew),
	    cmocka_unit_test(shut_at_any_moment),
	};
	return cmocka_run_group_tests_name("engine_lease", tests, NULL, NULL);
}
