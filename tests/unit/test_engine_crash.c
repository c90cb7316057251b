/* kill -9 at every write of the journal and after every act: the same end, no act done twice with
 * effect, no stage skipped, no gate forgotten, no hold begun anew (F52, I3, I7, I8). */
#include "engine_world.h"
#include "virtual_loop.h"

#define GATES                                                                                      \
	"gates:\n"                                                                                 \
	"- {name: good, prometheus: {query: up, pass: '> 0'}, every: 1s, window: 1s}\n"

struct run {
	char effects[WORLD_EFFECTS][32];
	int effect_count, measured, phases, appends, sent;
	int64_t took, held[LADDER_STAGES];
	bool hit;
};

static void
note_stages(struct world *w, const struct rollout *r, struct run *run)
{
	for (int i = 0; i < r->ladder.count && r->phase == PHASE_SUCCEEDED; i++) {
		const struct stage_record *record = &r->records[i];
		if (record->skipped || record->entered_ms == 0 || record->settled_ms == 0)
			world_fail(w, "stage %d was skipped", i);
		if (i + 1 < r->ladder.count &&
		    record->left_ms < record->settled_ms + r->ladder.stages[i].hold_ms)
			world_fail(w, "stage %d was left before its hold was over", i);
		run->held[i] = record->left_ms - record->settled_ms;
	}
}

/* abort_at: ms after the start; 0: never. */
static void
release(enum world_crash crash, int at, int64_t abort_at, struct run *run)
{
	struct world *w = world_new(7, GATES);
	w->pods_late = 100;
	const char *start = world_start(w, "web:2");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), start);
	world_turns(w);
	int64_t began = virtual_loop_now(w->loop);
	*run = (struct run){0};
	w->appends = 0;
	w->crash = crash;
	w->crash_at = at;
	if (abort_at > 0) {
		world_run(w, abort_at);
		/* An answer that a crash took away is asked for again, as a client would. */
		int number = world_command(w, id, COMMAND_ABORT, false);
		for (int lives = w->engines; lives == w->engines && !w->replies[number].given;)
			world_turns(w);
		if (!w->replies[number].given)
			world_must(w, id, COMMAND_ABORT);
	}
	world_until_phase(w, id, abort_at > 0 ? PHASE_ABORTED : PHASE_SUCCEEDED);
	run->took = virtual_loop_now(w->loop) - began;
	run->hit = crash != CRASH_NEVER && w->crashes > 0;
	run->appends = w->appends;
	run->sent = w->sent;
	note_stages(w, world_rollout(w, id), run);
	world_home(w, abort_at > 0 ? "web:1" : "web:2");
	memcpy(run->effects, w->effects, sizeof(run->effects));
	run->effect_count = w->effect_count;
	run->measured = world_events(w, id, "measured");
	run->phases = world_events(w, id, "phase");
	world_check_journal(w, id);
	world_free(w);
}

static void
compare(const struct run *whole, const struct run *run, enum world_crash crash, int at)
{
	bool same = whole->effect_count == run->effect_count && whole->phases == run->phases;
	for (int i = 0; same && i < whole->effect_count; i++)
		same = strcmp(whole->effects[i], run->effects[i]) == 0;
	if (!same) {
		for (int i = 0; i < run->effect_count; i++)
			fprintf(stderr, " %s", run->effects[i]);
		fail_msg(
		    "crash %d at %d: %d acts with effect instead of %d, %d phases instead of %d",
		    crash, at, run->effect_count, whole->effect_count, run->phases, whole->phases);
	}
	/* What was sent, perhaps, when it crashed may come late: an abort waits until it cannot. */
	if (run->took > whole->took + 6000 + ACT_LATE_MS)
		fail_msg("crash %d at %d: it took %lld ms instead of %lld", crash, at,
		    (long long)run->took, (long long)whole->took);
	for (int i = 0; i < LADDER_STAGES; i++)
		if (run->held[i] > whole->held[i] + 4000)
			fail_msg("crash %d at %d: stage %d was held for %lld ms instead of %lld",
			    crash, at, i, (long long)run->held[i], (long long)whole->held[i]);
}

static void
crash_everywhere(int64_t abort_at)
{
	struct run whole, run;
	release(CRASH_NEVER, 0, abort_at, &whole);
	for (int crash = CRASH_BEFORE_COMMIT; crash <= CRASH_ACT; crash++) {
		int at = 0;
		do {
			release((enum world_crash)crash, ++at, abort_at, &run);
			compare(&whole, &run, (enum world_crash)crash, at);
			if (abort_at == 0 && run.measured < 4)
				fail_msg("crash %d at %d: a gate was forgotten", crash, at);
		} while (run.hit);
		assert_true(at > (crash >= CRASH_ACT_LOST ? whole.sent : whole.appends));
	}
}

static void
a_crash_at_every_write_and_act_changes_nothing(void **state) /* F52 */
{
	(void)state;
	crash_everywhere(0);
}

static void
an_abort_survives_a_crash_at_every_write_and_act(void **state) /* F42, F52 */
{
	(void)state;
	crash_everywhere(6000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_crash_at_every_write_and_act_changes_nothing),
	    cmocka_unit_test(an_abort_survives_a_crash_at_every_write_and_act),
	};
	return cmocka_run_group_tests_name("engine_crash", tests, NULL, NULL);
}
