/* A journal that cannot be written: nothing is built on it, aborts reach the cluster, and when
 * there is space again the journal is complete and in order (F71, I8, I13, I14). The world itself
 * checks that no act is sent without a durable intent, but for an abort's. */
#include "engine_world.h"
#include "virtual_loop.h"

static void
a_full_disk_stops_progress_and_goes_on_when_there_is_space(void **state) /* F71 */
{
	(void)state;
	for (int64_t at = 200; at < 16000; at += 1300) {
		struct world *w = world_new((unsigned)at, "");
		const char *why;
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_run(w, at);
		world_disk(w, true);
		world_run(w, 20000);
		int sent = w->sent;
		assert_true(engine_degraded(w->engine, &why));
		assert_non_null(strstr(why, "cannot write"));
		world_run(w, 20000);
		assert_int_equal(w->sent, sent);
		int pause = world_command(w, id, COMMAND_PAUSE, false);
		world_until_reply(w, pause);
		assert_int_equal(w->replies[pause].result, ENGINE_DEGRADED);
		world_disk(w, false);
		world_until_phase(w, id, PHASE_SUCCEEDED);
		assert_false(engine_degraded(w->engine, &why));
		world_check_journal(w, id);
		world_home(w, "web:2");
		assert_int_equal(w->effect_count, 10);
		world_crash(w);
		assert_int_equal(world_phase(w, id), PHASE_SUCCEEDED);
		world_free(w);
	}
}

/* Without the journal the traffic gets home; what goes besides waits, and the rollout says so. */
static void
gets_home_but_for_the_rest(struct world *w, const char *id)
{
	bool ends = false, had_canary = w->canary_exists;
	for (int i = 0; i < 3000 && !ends; i++) {
		world_run(w, 10);
		enum phase phase = world_phase(w, id);
		ends = phase == PHASE_ABORTED ||
		       (phase == PHASE_ABORTING &&
			   str_equal(world_waiting(w, id)->object, "Database"));
	}
	assert_true(ends);
	int effects = w->effect_count;
	bool rolled = world_rollout(w, id)->rolled;
	if (w->weight != 0)
		world_fail(w, "the canary still has %d%%", w->weight);
	if (!rolled) {
		assert_string_equal(w->image, "web:1");
		assert_int_equal(w->canary_exists, had_canary);
	}
	world_run(w, 20000);
	assert_int_equal(w->effect_count, effects);
	const char *why;
	assert_true(engine_degraded(w->engine, &why));
	assert_non_null(engine_app_active(w->engine, "web")); /* not all is written */
	world_disk(w, false);
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_run(w, 5000);
	assert_null(engine_app_active(w->engine, "web"));
	assert_false(engine_degraded(w->engine, &why));
	world_check_journal(w, id);
}

static void
an_abort_reaches_the_cluster_without_the_disk(void **state) /* F71, law 4 */
{
	(void)state;
	for (int64_t at = 3000; at < 14000; at += 2300) {
		struct world *w = world_new((unsigned)at, "");
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_run(w, at);
		world_disk(w, true);
		int abort = world_command(w, id, COMMAND_ABORT, false);
		world_run(w, 500);
		assert_int_equal(w->replies[abort].result, ENGINE_DEGRADED);
		if (w->weight != 0 && !world_rollout(w, id)->rolled)
			world_fail(w, "the canary still has %d%%", w->weight);
		gets_home_but_for_the_rest(w, id);
		world_crash(w);
		assert_int_equal(world_phase(w, id), PHASE_ABORTED);
		world_run(w, 5000);
		assert_null(engine_app_active(w->engine, "web"));
		world_free(w);
	}
}

/* The intent of an act hangs in the journal: it was not sent, so it is not waited for. */
static void
an_abort_does_not_wait_for_what_could_not_be_written(void **state) /* F71 */
{
	(void)state;
	for (int64_t at = 300; at < 16000; at += 300) {
		struct world *w = world_new((unsigned)at, "");
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_run(w, at);
		world_disk(w, true);
		world_run(w, 3000); /* what is decided now stays unwritten */
		if (world_phase(w, id) == PHASE_SUCCEEDED) {
			world_free(w);
			break;
		}
		world_command(w, id, COMMAND_ABORT, false);
		gets_home_but_for_the_rest(w, id);
		world_free(w);
	}
}

/* The deletion of the canary hangs in the journal: it was never sent, so it is there for an abort
 * to carry the traffic while the stable side rolls back. */
static void
a_deletion_that_hangs_is_none_for_an_abort(void **state) /* F71, law 1 */
{
	(void)state;
	struct world *w = world_new(5, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	for (int i = 0;
	     i < 60000 && !str_equal(world_waiting(w, id)->next, "then the canary is deleted"); i++)
		world_run(w, 10);
	world_run(w, 500);
	world_disk(w, true);
	world_run(w, 20000);
	assert_true(w->canary_exists);
	const struct rollout *r = world_rollout(w, id);
	assert_true(r->attempt.pending && r->attempt.act.kind == ACT_DELETE_CANARY);
	world_command(w, id, COMMAND_ABORT, false);
	world_run(w, 1000);
	assert_false(world_rollout(w, id)->attempt.pending);
	assert_string_equal(world_waiting(w, id)->object, "Database");
	assert_string_equal(w->image, "web:2");
	world_disk(w, false);
	world_until_weight(w, 100);
	assert_string_equal(w->image, "web:2");
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

static enum verdict answer;
static int asked;

static enum verdict
as_told(struct world *w, const struct gate_question *question)
{
	(void)w, (void)question;
	asked++;
	return answer;
}

/* I6: whatever hangs in the journal, measurements or the intent of an act. What passes meanwhile is
 * not kept, or memory would fill up too. */
static void
a_gate_that_breaks_ends_it_without_the_disk(void **state) /* F71, I6 */
{
	(void)state;
	int met = 0;
	for (int64_t at = 1500; at < 9000; at += 700) {
		struct world *w =
		    world_new((unsigned)at, "gates:\n- {name: rate, prometheus: {query: up, pass: "
					    "'> 0'}, every: 1s, window: "
					    "2s, failures: 2}\n");
		char id[ID_SIZE];
		answer = VERDICT_PASS;
		w->verdict = as_told;
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_until_weight(w, 50);
		world_run(w, at);
		world_disk(w, true);
		world_run(w, 30000);
		const struct rollout *r = world_rollout(w, id);
		int weight = w->weight, passes = r->gates[0].passes;
		int64_t last_ms = r->gates[0].last.at_ms;
		asked = 0;
		world_run(w, 20000);
		assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
		assert_int_equal(w->weight, weight);
		assert_int_equal(r->gates[0].passes, passes);
		assert_int_equal(r->gates[0].last.at_ms, last_ms);
		/* Where the act that hangs would have given it another weight, nothing is asked. */
		met += asked > 0;
		if (asked > 0) {
			assert_in_range(asked, 15, 21);
			answer = VERDICT_FAIL;
			gets_home_but_for_the_rest(w, id);
			assert_non_null(
			    strstr(world_rollout(w, id)->reason, "gate rate failed 3 times"));
		}
		world_disk(w, false);
		world_run(w, 5000);
		world_check_journal(w, id);
		world_free(w);
	}
	assert_true(met > 3);
}

/* The abort was done and never written: after a crash it is as if it had not been asked for; what
 * the abort changed is found and the rollout says so, it does not go on over it. */
static void
an_abort_that_was_not_written_is_a_foreign_edit_after_a_crash(void **state) /* F52, F71 */
{
	(void)state;
	struct world *w = world_new(5, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	world_run(w, 300);
	world_disk(w, true);
	world_command(w, id, COMMAND_ABORT, false);
	world_run(w, 700);
	assert_int_equal(w->weight, 0);
	world_crash(w);
	world_run(w, 5000);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	assert_int_equal(w->weight, 0);
	assert_non_null(strstr(world_waiting(w, id)->what, "airisd left 50"));
	world_must(w, id, COMMAND_ABORT);
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

static void
a_disk_that_comes_and_goes_loses_no_event(void **state) /* F71 */
{
	(void)state;
	for (unsigned seed = 1; seed <= 15; seed++) {
		struct world *w = world_new(seed, "");
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		w->disk_late = seed % 3 * 100;
		for (int i = 0; i < 25; i++) {
			world_run(w, 100 + world_roll(w, 900));
			world_disk(w, !w->disk_full);
		}
		world_disk(w, false);
		w->disk_late = 0;
		world_until_phase(w, id, PHASE_SUCCEEDED);
		assert_int_equal(w->effect_count, 10);
		world_check_journal(w, id);
		world_home(w, "web:2");
		world_free(w);
	}
}

static bool
note_phase(void *ctx, const struct journal_row *row)
{
	str_copy(ctx, 32, row->name);
	return false;
}

/* What somebody who waits for the end acts upon is still so after a crash. */
static void
an_end_is_not_shown_before_it_is_durable(void **state) /* I8 */
{
	(void)state;
	for (int aborted = 0; aborted <= 1; aborted++) {
		struct world *w = world_new(4, "");
		struct journal_filter filter = {.app = "web", .limit = 1};
		struct err e;
		char id[ID_SIZE], durable[32] = "";
		bool hidden = false;
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_until_weight(w, 50);
		w->disk_late = 700;
		if (aborted)
			world_command(w, id, COMMAND_ABORT, false);
		for (int i = 0; i < 3000 && !str_equal(durable, aborted ? "aborted" : "succeeded");
		     i++) {
			struct engine_look look;
			world_tick(w);
			assert_int_equal(engine_look(w->engine, id, &look, &e), 0);
			assert_int_equal(
			    engine_rollouts(w->engine, &filter, note_phase, durable, &e), 0);
			if (phase_final(look.phase))
				assert_string_equal(phase_name(look.phase), durable);
			else if (phase_final(look.rollout->phase)) {
				hidden = true;
				assert_string_equal(look.waiting.object, "Database");
			}
			engine_look_done(&look);
		}
		assert_string_equal(durable, aborted ? "aborted" : "succeeded");
		assert_true(hidden);
		world_free(w);
	}
}

static void
a_damaged_journal_is_refused(void **state) /* I14 */
{
	(void)state;
	struct world *w = world_new(5, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	struct engine_ports ports = {.ctx = w};
	struct engine_settings settings = {.settle_ms = 1000};
	struct err e;
	world_all_ports(w, &ports);
	struct journal_write write = {.kind = JOURNAL_EVENT,
	    .key = id,
	    .app = "web",
	    .name = "stage",
	    .text = "{\"index\":0}",
	    .actor = "",
	    .at_ms = 1};
	struct journal_port port = store_port(w->store);
	port.append(port.ctx, &write, 1, NULL, NULL, 0);
	store_flush(w->store);
	assert_null(engine_new(w->loop, &ports, &settings, &e));
	assert_non_null(strstr(e.text, id));
	assert_non_null(strstr(e.text, "cannot enter stage 0"));
	world_free(w);
}

/* While the intent of a weight is written down the watches break: nobody knows any more whether the
 * canary can carry it. */
static void
no_weight_is_raised_out_of_sight(void **state) /* I2 */
{
	(void)state;
	struct world *w = world_new(5, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	w->disk_late = 400;
	const struct attempt *attempt = &world_rollout(w, id)->attempt;
	for (int i = 0; i < 6000 && (!attempt->pending || attempt->act.kind != ACT_WEIGHT); i++)
		world_run(w, 10);
	assert_int_equal(attempt->act.kind, ACT_WEIGHT);
	w->fresh_at = virtual_loop_now(w->loop) + 5000;
	world_run(w, 4000);
	assert_int_equal(w->weight, 0);
	assert_int_equal(attempt->outcome, ACT_UNREACHED);
	assert_non_null(strstr(attempt->text, "out of sight"));
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_weight_is_raised_out_of_sight),
	    cmocka_unit_test(a_full_disk_stops_progress_and_goes_on_when_there_is_space),
	    cmocka_unit_test(an_abort_reaches_the_cluster_without_the_disk),
	    cmocka_unit_test(an_abort_does_not_wait_for_what_could_not_be_written),
	    cmocka_unit_test(a_deletion_that_hangs_is_none_for_an_abort),
	    cmocka_unit_test(a_gate_that_breaks_ends_it_without_the_disk),
	    cmocka_unit_test(an_abort_that_was_not_written_is_a_foreign_edit_after_a_crash),
	    cmocka_unit_test(a_disk_that_comes_and_goes_loses_no_event),
	    cmocka_unit_test(an_end_is_not_shown_before_it_is_durable),
	    cmocka_unit_test(a_damaged_journal_is_refused),
	};
	return cmocka_run_group_tests_name("engine_disk", tests, NULL, NULL);
}
