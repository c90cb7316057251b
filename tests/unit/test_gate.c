/* When a gate is due, about which window, when it passes, when it breaks: as a table. */
#include "unit.h"

#include <string.h>
#include "base/str.h"
#include "model/gate.h"

static struct app app;
static struct gate_spec specs[2];
static struct stage stages[1];
static struct gate_state states[2];
static struct rollout r;

/* One gate: every 10 s, window 60 s, warm-up 5 s, one failure allowed, two passes needed. */
static void
begin(void)
{
	memset(&app, 0, sizeof(app));
	memset(&r, 0, sizeof(r));
	memset(states, 0, sizeof(states));
	app.gates = specs;
	app.gate_count = 2;
	for (int i = 0; i < 2; i++)
		app.gates[i] = (struct gate_spec){.every_ms = 10000,
		    .window_ms = 60000,
		    .warmup_ms = 5000,
		    .failures = 1,
		    .measurements = 2};
	r.app = &app;
	r.phase = PHASE_PROGRESSING;
	r.compiled = true;
	r.ladder = (struct climb){.stages = stages, .count = 1};
	r.gates = states;
	r.ladder.stages[0] = (struct stage){.gates = 1, .watch = 3};
	r.taken = 50;
	r.seen = 50;
	r.seen_ms = 90000;
	r.mesh[MESH_WEIGHT] = (struct mesh_fact){.of_ms = 90000, .at_ms = 100000};
}

static void
it_is_asked_after_the_warm_up_and_then_every_interval(void **state) /* F12 */
{
	(void)state;
	begin();
	assert_int_equal(gate_due_ms(&r, 0), 115000); /* warm-up and one interval */
	r.gates[0].last.at_ms = 117000;
	assert_int_equal(gate_due_ms(&r, 0), 127000);
	r.gates[0].last.at_ms = 50000; /* of an earlier weight */
	assert_int_equal(gate_due_ms(&r, 0), 115000);
	app.gates[0].window_ms = 4000; /* shorter than the interval */
	assert_int_equal(gate_due_ms(&r, 0), 109000);
}

/* It has no weight: what is judged is there when its pods are known. */
static void
a_preview_is_judged_from_when_its_pods_are_known(void **state) /* I10 */
{
	(void)state;
	begin();
	r.ladder.stages[0].target = (struct target){.canary = 100};
	r.taken = r.seen = 0;
	r.sides[SIDE_CANARY].since_ms = 200000;
	r.mesh[MESH_CANARY] = (struct mesh_fact){.of_ms = 1, .at_ms = 210000};
	assert_int_equal(gate_due_ms(&r, 0), 0); /* of another change */
	r.mesh[MESH_CANARY].of_ms = rollout_changed_ms(&r, MESH_CANARY);
	assert_int_equal(gate_due_ms(&r, 0), 225000); /* warm-up and one interval */
	assert_int_equal(gate_window_ms(&r, 0, 216000), 1000);
}

static void
it_is_asked_only_where_there_is_something_to_measure(void **state) /* I6 */
{
	(void)state;
	begin();
	assert_true(gate_due_ms(&r, 1) > 0); /* watched, not waited for */
	r.phase = PHASE_PAUSED;
	assert_true(gate_due_ms(&r, 0) > 0);
	for (int phase = 0; phase <= PHASE_FAILED; phase++) {
		r.phase = (enum phase)phase;
		if (!phase_forward(r.phase))
			assert_int_equal(gate_due_ms(&r, 0), 0);
	}
	begin();
	r.mesh[MESH_WEIGHT].of_ms = 1; /* the last change is not taken yet */
	assert_int_equal(gate_due_ms(&r, 0), 0);
	begin();
	r.taken = 0;
	assert_int_equal(gate_due_ms(&r, 0), 0);
	begin();
	r.ladder.stages[0].gates = r.ladder.stages[0].watch = 0;
	assert_int_equal(gate_due_ms(&r, 0), 0);
	begin();
	r.compiled = false;
	assert_int_equal(gate_due_ms(&r, 0), 0);
}

static void
the_window_never_reaches_before_the_weight(void **state) /* F12 */
{
	(void)state;
	begin();
	assert_int_equal(gate_window_ms(&r, 0, 115000), 10000);
	assert_int_equal(gate_window_ms(&r, 0, 164999), 59999);
	assert_int_equal(gate_window_ms(&r, 0, 165000), 60000);
	assert_int_equal(gate_window_ms(&r, 0, 999000), 60000);
}

static void
only_recent_passes_in_a_row_count(void **state) /* F09, F53, I10 */
{
	(void)state;
	begin();
	struct gate_state *gate = &r.gates[0];
	assert_false(gate_passes(&r, 0, 130000)); /* never asked */
	gate->last = (struct gate_sample){.verdict = VERDICT_PASS, .at_ms = 120000};
	gate->passes = 1;
	assert_false(gate_passes(&r, 0, 120000));
	gate->passes = 2;
	assert_true(gate_passes(&r, 0, 120000));
	assert_true(gate_passes(&r, 0, 145000));  /* two intervals and five seconds */
	assert_false(gate_passes(&r, 0, 145001)); /* no longer */
	for (int verdict = 0; verdict <= VERDICT_TOO_FEW; verdict++) {
		gate->last.verdict = (enum verdict)verdict;
		assert_int_equal(gate_passes(&r, 0, 120000), verdict == VERDICT_PASS);
	}
}

static void
the_stage_waits_for_its_own_gates_and_breaks_by_any_it_watches(void **state) /* I6 */
{
	(void)state;
	begin();
	assert_int_equal(gate_waited_for(&r, 120000), 0);
	r.gates[0] =
	    (struct gate_state){.passes = 2, .last = {.verdict = VERDICT_PASS, .at_ms = 120000}};
	assert_int_equal(gate_waited_for(&r, 120000), -1);
	r.ladder.stages[0].gates = 3;
	assert_int_equal(gate_waited_for(&r, 120000), 1);
	assert_int_equal(gate_first_broken(&r), -1);
	r.gates[1].failures = 1;
	assert_int_equal(gate_first_broken(&r), -1); /* as many as are allowed */
	r.gates[1].failures = 2;
	r.ladder.stages[0].gates = 1;
	assert_int_equal(gate_first_broken(&r), 1);
	r.phase = PHASE_PAUSED;
	assert_int_equal(gate_first_broken(&r), 1);
	r.ladder.stages[0].watch = 1;
	assert_int_equal(gate_first_broken(&r), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_asked_after_the_warm_up_and_then_every_interval),
	    cmocka_unit_test(a_preview_is_judged_from_when_its_pods_are_known),
	    cmocka_unit_test(it_is_asked_only_where_there_is_something_to_measure),
	    cmocka_unit_test(the_window_never_reaches_before_the_weight),
	    cmocka_unit_test(only_recent_passes_in_a_row_count),
	    cmocka_unit_test(the_stage_waits_for_its_own_gates_and_breaks_by_any_it_watches),
	};
	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
