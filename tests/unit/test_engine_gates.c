/* Gates in the engine: only a pass goes on, a breach acts in every waiting state, and what is
 * asked, how often and about which window is right. */
#include "engine_world.h"
#include "virtual_loop.h"

static enum verdict answer; /* to every question from now on */
static enum verdict pattern[64];
static int pattern_count, pattern_at;

static enum verdict
as_told(struct world *w, const struct gate_question *question)
{
	(void)w, (void)question;
	if (pattern_at < pattern_count)
		return pattern[pattern_at++];
	return answer;
}

#define GATE(more)                                                                                 \
	"gates:\n- {name: rate, prometheus: {query: up, pass: '> 0'}, every: 1s, window: "         \
	"2s, " more "}\n"

static struct world *
gated(const char *more, enum verdict verdict, char id[ID_SIZE])
{
	struct world *w = world_new(5, more);
	answer = verdict;
	pattern_count = pattern_at = 0;
	w->verdict = as_told;
	str_copy(id, ID_SIZE, world_start(w, "web:2"));
	return w;
}

static void
only_a_pass_goes_on(void **state) /* F09, F10, F11, I10 */
{
	static const enum verdict none[] = {
	    VERDICT_NO_DATA, VERDICT_ERROR, VERDICT_TOO_FEW, VERDICT_PENDING};
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char id[ID_SIZE];
		struct world *w = gated(GATE("deadline: 20s"), none[i], id);
		world_until_stage(w, id, 1);
		world_until_phase(w, id, PHASE_PAUSED);
		const struct rollout *r = world_rollout(w, id);
		assert_int_equal(r->stage, 1);
		assert_non_null(strstr(r->reason, "did not pass within 20s"));
		assert_int_equal(r->gates[0].failures, 0);
		/* The hold of 2 s, and then the deadline. */
		assert_in_range(r->phase_ms - r->records[1].settled_ms, 22000, 22500);
		world_run(w, 100000); /* and stays */
		assert_int_equal(world_phase(w, id), PHASE_PAUSED);
		assert_int_equal(w->weight, 50);
		world_free(w);
	}
}

static void
resume_starts_the_wait_anew(void **state) /* F53 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("deadline: 20s"), VERDICT_NO_DATA, id);
	world_until_phase(w, id, PHASE_PAUSED);
	world_run(w, 60000);
	world_must(w, id, COMMAND_RESUME);
	int64_t resumed = virtual_loop_now(w->loop);
	world_run(w, 1000);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	world_until_phase(w, id, PHASE_PAUSED);
	assert_in_range(virtual_loop_now(w->loop) - resumed, 19500, 20600);
	world_must(w, id, COMMAND_RETRY); /* the same of a paused one */
	world_run(w, 5000);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	answer = VERDICT_PASS;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static void
the_deadline_can_abort(void **state)
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("deadline: 20s, onDeadline: abort"), VERDICT_ERROR, id);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_non_null(strstr(world_rollout(w, id)->reason, "did not pass within 20s"));
	world_home(w, "web:1");
	world_free(w);
}

static void
as_many_failures_as_allowed(void **state)
{
	(void)state;
	for (int failing = 1; failing <= 4; failing++) {
		char id[ID_SIZE];
		struct world *w = gated(GATE("failures: 3"), VERDICT_PASS, id);
		for (int i = 0; i < failing; i++) {
			pattern[2 * i] = VERDICT_FAIL; /* never two in a row: they are counted */
			pattern[2 * i + 1] = VERDICT_NO_DATA;
		}
		pattern_count = 2 * failing;
		world_until_phase(w, id, failing > 3 ? PHASE_ABORTED : PHASE_SUCCEEDED);
		const struct rollout *r = world_rollout(w, id);
		if (failing > 3)
			assert_non_null(strstr(r->reason, "gate rate failed 4 times"));
		assert_int_equal(
		    r->records[1].gates ? r->records[1].gates[0].failures : 4, failing);
		world_free(w);
	}
}

static void
passes_in_a_row(void **state)
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("measurements: 3, failures: 9"), VERDICT_PASS, id);
	static const enum verdict seq[] = {VERDICT_PASS, VERDICT_PASS, VERDICT_FAIL, VERDICT_PASS,
	    VERDICT_PASS, VERDICT_NO_DATA, VERDICT_PASS, VERDICT_PASS, VERDICT_PASS};
	memcpy(pattern, seq, sizeof(seq));
	pattern_count = 9;
	world_until_stage(w, id, 2);
	assert_int_equal(world_rollout(w, id)->records[1].gates[0].count, 9);
	world_free(w);
}

/* A hold that is over does not let an old pass through: F53, and an outage after a pass. */
static void
an_old_pass_is_not_believed(void **state) /* F53, I10 */
{
	(void)state;
	struct world *w = world_new(5, NULL);
	char id[ID_SIZE];
	struct app *app =
	    world_app("web", "weights: [50, 100], hold: 40s, deadline: 1m", GATE("deadline: 10m"));
	world_until_reply(w, world_put(w, app));
	answer = VERDICT_PASS;
	pattern_count = pattern_at = 0;
	w->verdict = as_told;
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	while (w->asked < 5)
		world_tick(w);
	w->gate_late = 1000000; /* Prometheus hangs; it is not asked again meanwhile (F15) */
	world_run(w, 120000);
	assert_int_equal(world_rollout(w, id)->stage, 1);
	assert_int_equal(world_rollout(w, id)->gates[0].last.verdict, VERDICT_PASS);
	assert_string_equal(world_waiting(w, id)->object, "Gate rate");
	world_free(w);
}

static void
a_pass_is_measured_again_after_a_long_downtime(void **state) /* F53, F52 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("deadline: 1m, onDeadline: abort"), VERDICT_PASS, id);
	world_until_weight(w, 50);
	while (world_rollout(w, id)->gates[0].count < 1)
		world_tick(w);
	answer = VERDICT_NO_DATA;
	w->wall_offset += 1800000; /* it was down for half an hour */
	world_crash(w);
	world_run(w, 30000);
	assert_int_equal(world_rollout(w, id)->stage, 1);
	answer = VERDICT_PASS;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static void
abort_while_a_gate_is_asked_for_long(void **state) /* F15 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("failures: 0"), VERDICT_FAIL, id);
	w->gate_late = 60000;
	while (w->asked == 0)
		world_tick(w);
	world_run(w, 20000);
	assert_int_equal(w->asked, 1);
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 300);
	assert_int_equal(w->weight, 0);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_int_equal(world_events(w, id, "measured"), 0);
	world_free(w);
}

static void
the_window_never_reaches_before_the_weight(void **state) /* F12 */
{
	(void)state;
	struct world *w = world_new(5,
	    "gates:\n- {name: rate, prometheus: {query: up, pass: '> 0'}, every: 2s, window: 20s, "
	    "warmup: 3s}\n");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	w->verdict = as_told;
	answer = VERDICT_NO_DATA;
	pattern_count = pattern_at = 0;
	world_until_weight(w, 50);
	int64_t written = virtual_loop_now(w->loop);
	for (int asked = 0; w->asked < 14;) {
		world_tick(w);
		if (w->asked == asked)
			continue;
		asked = w->asked;
		int64_t since = virtual_loop_now(w->loop) - written - WORLD_SETTLE_MS;
		assert_true(w->last_question.window_ms <= since - 3000 + 100);
		assert_true(w->last_question.window_ms <= 20000);
		assert_in_range(w->last_question.since_weight_ms, since - 200, since + 200);
		if (asked == 1)
			assert_in_range(since, 5000, 5200); /* warm-up, and one interval */
	}
	assert_int_equal(w->last_question.window_ms, 20000);
	world_free(w);
}

static void
a_rollout_does_not_succeed_before_its_last_verdict(void **state) /* F17 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("deadline: 10m"), VERDICT_PASS, id);
	world_until_stage(w, id, 2);
	w->gate_late = 30000;
	world_run(w, 25000);
	assert_int_equal(world_rollout(w, id)->stage, 2);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

/* I6: the gate turns bad while a person is waited for, while it is paused, while it is promoted. */
static void
a_breach_acts_while_a_person_is_waited_for(void **state) /* I6 */
{
	(void)state;
	struct world *w = world_new(5, NULL);
	char id[ID_SIZE];
	struct app *app = world_app("web",
	    "stages: [{weight: 50, approve: true, gates: []}, {weight: 100}], hold: 1s",
	    GATE("failures: 1"));
	world_until_reply(w, world_put(w, app));
	w->verdict = as_told;
	answer = VERDICT_PASS;
	pattern_count = pattern_at = 0;
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	world_run(w, 60000);
	assert_string_equal(world_waiting(w, id)->object, "Approval");
	answer = VERDICT_FAIL;
	world_run(w, 3500);
	assert_int_equal(w->weight, 0);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_non_null(strstr(world_rollout(w, id)->reason, "gate rate failed 2 times"));
	world_free(w);
}

static void
a_breach_acts_while_it_is_paused(void **state) /* I6 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("failures: 1"), VERDICT_PASS, id);
	world_until_weight(w, 50);
	world_must(w, id, COMMAND_PAUSE);
	world_run(w, 60000);
	assert_int_equal(world_phase(w, id), PHASE_PAUSED);
	answer = VERDICT_FAIL;
	world_run(w, 3500);
	assert_int_equal(w->weight, 0);
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

static void
a_breach_acts_while_it_is_promoted(void **state) /* I6, F45 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("failures: 1"), VERDICT_PASS, id);
	world_until_stage(w, id, 3); /* promote: the stable side takes the image */
	w->pods_late = 30000;
	world_until_act(w, ACT_SET_IMAGE);
	answer = VERDICT_FAIL;
	world_until_phase(w, id, PHASE_ABORTING);
	assert_non_null(strstr(world_rollout(w, id)->reason, "gate rate failed 2 times"));
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

static void
promote_skips_hold_approval_and_gates_of_one_stage(void **state)
{
	(void)state;
	struct world *w = world_new(5, NULL);
	char id[ID_SIZE];
	struct app *app = world_app("web",
	    "stages: [{weight: 25, approve: true, hold: 1h}, {weight: 50, hold: 1h}, {weight: "
	    "100}]",
	    GATE("deadline: 10m"));
	world_until_reply(w, world_put(w, app));
	w->verdict = as_told;
	answer = VERDICT_NO_DATA;
	pattern_count = pattern_at = 0;
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 25);
	world_run(w, 10000);
	assert_int_equal(world_rollout(w, id)->stage, 1);
	world_must(w, id, COMMAND_PROMOTE);
	world_until_weight(w, 50);
	world_run(w, 60000);
	assert_int_equal(world_rollout(w, id)->stage, 2); /* one stage, no more */
	world_must(w, id, COMMAND_PAUSE);
	world_must(w, id, COMMAND_PROMOTE); /* of a paused one: it goes on, too */
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	world_until_weight(w, 100);
	answer = VERDICT_PASS;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static void
promote_full_goes_to_the_full_stage_with_capacity(void **state) /* law 1, F41, F48 */
{
	(void)state;
	struct world *w = world_new(5, NULL);
	char id[ID_SIZE];
	struct app *app = world_app(
	    "web", "weights: [10, 25, 50, 100], hold: 1h, deadline: 5m", GATE("deadline: 10m"));
	world_until_reply(w, world_put(w, app));
	w->verdict = as_told;
	answer = VERDICT_NO_DATA;
	pattern_count = pattern_at = 0;
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 10);
	w->pods_late = 20000;
	int full = world_command(w, id, COMMAND_PROMOTE, true);
	world_until_reply(w, full);
	world_run(w, 1000);
	const struct rollout *r = world_rollout(w, id);
	assert_int_equal(r->stage, r->ladder.full);
	assert_true(r->records[2].skipped && r->records[3].skipped);
	assert_int_equal(w->weight, 10); /* its pods are not ready: I2 is checked at each write */
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	assert_int_equal(w->sent_by_kind[ACT_WEIGHT], 3);
	world_free(w);
}

static void
approval_is_for_one_stage_and_takes_effect_at_once(void **state) /* F76 */
{
	(void)state;
	struct world *w = world_new(5, NULL);
	char id[ID_SIZE];
	struct app *app = world_app("web",
	    "stages: [{weight: 25, approve: true}, {weight: 50, approve: true}, {weight: 100}]",
	    "");
	world_until_reply(w, world_put(w, app));
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 25);
	world_run(w, 30000);
	world_must(w, id, COMMAND_APPROVE);
	assert_int_equal(world_rollout(w, id)->stage, 2);
	world_until_weight(w, 50);
	world_run(w, 60000);
	assert_string_equal(world_waiting(w, id)->object, "Approval");
	world_crash(w);
	world_run(w, 5000);
	assert_string_equal(world_waiting(w, id)->object, "Approval");
	world_must(w, id, COMMAND_APPROVE);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

/* The machine sleeps while a gate is asked: the answer is of before. */
static void
an_answer_of_long_ago_is_not_counted(void **state) /* I10 */
{
	(void)state;
	char id[ID_SIZE];
	struct world *w = gated(GATE("deadline: 10m"), VERDICT_PASS, id);
	w->gate_late = 5000;
	for (int i = 0; w->asked == 0; i++) {
		assert_true(i < 1000);
		world_tick(w);
	}
	w->mono_offset += 600000;
	w->wall_offset += 600000;
	world_run(w, 6000);
	assert_int_equal(world_events(w, id, "measured"), 0);
	assert_int_equal(world_rollout(w, id)->stage, 1);
	assert_int_equal(w->asked, 2); /* it is asked again */
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_a_pass_goes_on),
	    cmocka_unit_test(resume_starts_the_wait_anew),
	    cmocka_unit_test(the_deadline_can_abort),
	    cmocka_unit_test(as_many_failures_as_allowed),
	    cmocka_unit_test(passes_in_a_row),
	    cmocka_unit_test(an_old_pass_is_not_believed),
	    cmocka_unit_test(a_pass_is_measured_again_after_a_long_downtime),
	    cmocka_unit_test(abort_while_a_gate_is_asked_for_long),
	    cmocka_unit_test(the_window_never_reaches_before_the_weight),
	    cmocka_unit_test(a_rollout_does_not_succeed_before_its_last_verdict),
	    cmocka_unit_test(a_breach_acts_while_a_person_is_waited_for),
	    cmocka_unit_test(a_breach_acts_while_it_is_paused),
	    cmocka_unit_test(a_breach_acts_while_it_is_promoted),
	    cmocka_unit_test(promote_skips_hold_approval_and_gates_of_one_stage),
	    cmocka_unit_test(promote_full_goes_to_the_full_stage_with_capacity),
	    cmocka_unit_test(approval_is_for_one_stage_and_takes_effect_at_once),
	    cmocka_unit_test(an_answer_of_long_ago_is_not_counted),
	};
	return cmocka_run_group_tests_name("engine_gates", tests, NULL, NULL);
}
