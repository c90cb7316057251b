/* What the cluster answers, or does not: conflicts, refusals, lost answers, late ones, objects that
 * go, clocks that jump. */
#include "engine_world.h"
#include "virtual_loop.h"
#include "base/jsonx.h"

static struct {
	enum act_kind kind; /* of the act that goes wrong; ACT_NONE: all */
	int times;	    /* how often; -1: always */
	struct world_answer answer;
} wrong;

static struct world_answer
go_wrong(struct world *w, const struct act *act)
{
	struct world_answer right = {.outcome = ACT_DONE,
	    .effect = true,
	    .effect_ms = 50,
	    .late_ms = 100,
	    .retry_after_ms = -1};
	(void)w;
	if (wrong.times == 0 || (wrong.kind != ACT_NONE && wrong.kind != act->kind))
		return right;
	wrong.times -= wrong.times > 0;
	return wrong.answer;
}

static struct world *
world_that_goes_wrong(unsigned seed, enum act_kind kind, int times, struct world_answer answer)
{
	struct world *w = world_new(seed, "");
	wrong.kind = kind;
	wrong.times = times;
	wrong.answer = answer;
	w->fault = go_wrong;
	return w;
}

static int
effects(const struct world *w, const char *text)
{
	int n = 0;
	for (int i = 0; i < w->effect_count; i++)
		n += strcmp(w->effects[i], text) == 0;
	return n;
}

static void
a_conflict_is_recomputed_and_progress_resumes(void **state) /* F56 */
{
	(void)state;
	struct world *w = world_that_goes_wrong(1, ACT_WEIGHT, 3,
	    (struct world_answer){
		.outcome = ACT_CONFLICT, .late_ms = 20, .retry_after_ms = -1, .text = "modified"});
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	assert_int_equal(effects(w, "weight=50"), 1);
	assert_int_equal(w->sent_by_kind[ACT_WEIGHT], 6);
	world_home(w, "web:2");
	world_free(w);
}

static void
a_conflict_that_stays_is_not_hammered(void **state) /* F56, F59, I12 */
{
	(void)state;
	struct world *w = world_that_goes_wrong(1, ACT_WEIGHT, -1,
	    (struct world_answer){
		.outcome = ACT_CONFLICT, .late_ms = 20, .retry_after_ms = -1, .text = "modified"});
	const char *id = world_start(w, "web:2");
	world_until_act(w, ACT_WEIGHT);
	world_run(w, 300000);
	assert_in_range(w->sent_by_kind[ACT_WEIGHT], 10, 20);
	assert_non_null(strstr(world_waiting(w, id)->what, "modified"));
	wrong.times = 0;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static void
a_cluster_that_cannot_be_reached_is_asked_when_it_says(void **state) /* F65 */
{
	(void)state;
	struct world *w = world_that_goes_wrong(2, ACT_WEIGHT, 1,
	    (struct world_answer){
		.outcome = ACT_UNREACHED, .late_ms = 20, .retry_after_ms = 7000, .text = "429"});
	const char *id = world_start(w, "web:2");
	world_until_act(w, ACT_WEIGHT);
	int64_t first = w->last_act_at;
	world_until_act(w, ACT_WEIGHT);
	assert_in_range(w->last_act_at - first, 7000, 7500);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static void
retries_back_off_to_thirty_seconds_at_most(void **state) /* I12 */
{
	(void)state;
	struct world *w = world_that_goes_wrong(2, ACT_WEIGHT, -1,
	    (struct world_answer){
		.outcome = ACT_UNREACHED, .late_ms = 20, .retry_after_ms = 600000, .text = "429"});
	world_start(w, "web:2");
	world_until_act(w, ACT_WEIGHT);
	for (int i = 0; i < 4; i++) {
		int64_t before = w->last_act_at;
		world_until_act(w, ACT_WEIGHT);
		assert_in_range(w->last_act_at - before, 29900, 30600);
	}
	world_free(w);
}

static void
an_abort_is_tried_every_two_seconds_until_it_is_taken(void **state) /* F27, law 4 */
{
	(void)state;
	struct world *w = world_that_goes_wrong(2, ACT_WEIGHT, 0,
	    (struct world_answer){.outcome = ACT_REFUSED,
		.late_ms = 20,
		.retry_after_ms = -1,
		.text = "failed calling webhook"});
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	wrong.times = 20;
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 10000);
	assert_int_equal(w->weight, 50);
	assert_non_null(strstr(world_waiting(w, id)->what, "failed calling webhook"));
	int64_t before = w->last_act_at;
	world_until_act(w, ACT_WEIGHT);
	assert_in_range(w->last_act_at - before, 1, 2300);
	assert_int_equal(w->sent_by_kind[ACT_DELETE_CANARY], 0); /* nothing is torn down */
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

static void
a_refused_write_ends_at_the_deadline(void **state) /* F27 */
{
	(void)state;
	struct world *w = world_that_goes_wrong(2, ACT_CREATE_CANARY, -1,
	    (struct world_answer){
		.outcome = ACT_REFUSED, .late_ms = 20, .retry_after_ms = -1, .text = "quota"});
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_ABORTED);
	assert_non_null(strstr(world_rollout(w, id)->reason, "quota"));
	world_home(w, "web:1");
	world_free(w);
}

/* Each act in turn: the answer is lost, with the effect and without it. */
static void
a_lost_answer_is_read_back_before_it_is_repeated(void **state) /* F66 */
{
	static const enum act_kind kinds[] = {ACT_CREATE_SERVICE, ACT_CREATE_CANARY, ACT_WEIGHT,
	    ACT_SCALE_CANARY, ACT_SET_IMAGE, ACT_DELETE_CANARY, ACT_ROUTE_HOME, ACT_DELETE_SERVICE};
	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool effect = i % 2 == 0;
		struct world *w = world_that_goes_wrong(i + 1, kinds[i / 2], 1,
		    (struct world_answer){.outcome = ACT_UNKNOWN,
			.effect = effect,
			.effect_ms = 10,
			.late_ms = 500,
			.retry_after_ms = -1,
			.text = "no answer"});
		const char *id = world_start(w, "web:2");
		world_until_phase(w, id, PHASE_SUCCEEDED);
		assert_int_equal(world_events(w, id, "drift"), 0);
		assert_int_equal(w->sent, effect ? 10 : 11);
		assert_int_equal(w->effect_count, 10);
		world_home(w, "web:2");
		world_free(w);
	}
}

static void
a_foreign_edit_after_a_lost_answer_is_still_noticed(void **state) /* F28, F66 */
{
	(void)state;
	struct world *w = world_that_goes_wrong(1, ACT_CREATE_CANARY, 1,
	    (struct world_answer){.outcome = ACT_UNKNOWN,
		.effect = true,
		.effect_ms = 10,
		.late_ms = 200,
		.retry_after_ms = -1});
	const char *id = world_start(w, "web:2");
	w->breaks_laws = true;
	world_until_weight(w, 50);
	w->canary_size = 3;
	str_copy(w->canary_by, sizeof(w->canary_by), "kubectl-scale");
	world_run(w, 1000);
	assert_non_null(strstr(world_waiting(w, id)->what, "kubectl-scale"));
	world_free(w);
}

/* What an abort overtakes can still arrive: it is waited for, and taken back. */
static void
an_abort_overtakes_an_act_that_arrives_late(void **state) /* F42, F49 */
{
	static const enum act_kind kinds[] = {
	    ACT_CREATE_SERVICE, ACT_CREATE_CANARY, ACT_WEIGHT, ACT_SCALE_CANARY, ACT_SET_IMAGE};
	(void)state;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (int late = 1000; late <= 9000; late += 4000) {
			struct world *w = world_that_goes_wrong(i + 1, kinds[i], 1,
			    (struct world_answer){.outcome = ACT_DONE,
				.effect = true,
				.effect_ms = late,
				.late_ms = late + 100,
				.retry_after_ms = -1});
			const char *id = world_start(w, "web:2");
			world_until_act(w, kinds[i]);
			world_must(w, id, COMMAND_ABORT);
			world_until_phase(w, id, PHASE_ABORTED);
			world_home(w, "web:1");
			assert_int_equal(world_events(w, id, "act"), world_events(w, id, "acted"));
			world_free(w);
		}
}

/* An act whose intent is still on its way into the journal is not sent after the abort. */
static void
an_abort_takes_back_what_was_not_sent_yet(void **state) /* F42, F49 */
{
	(void)state;
	for (unsigned i = 1; i <= 60; i++) {
		struct world *w = world_new(i, "");
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		w->disk_late = 400;
		world_run(w, i * 400 + i % 4 * 100);
		if (world_phase(w, id) == PHASE_PROGRESSING) {
			world_must(w, id, COMMAND_ABORT);
			world_until_phase(w, id, PHASE_ABORTED);
			world_home(w, "web:1");
		}
		world_free(w);
	}
}

static void
an_abort_in_every_stage_goes_home(void **state) /* F42, I4 */
{
	(void)state;
	for (unsigned at = 0; at < 260; at += 3) {
		struct world *w = world_new(at + 1, "");
		w->hpa = (struct hpa_seen){.exists = at % 2, .name = "web", .min = 2, .max = 9};
		const char *id = world_start(w, "web:2");
		world_run(w, at * 100);
		if (world_phase(w, id) == PHASE_SUCCEEDED) {
			world_free(w);
			break;
		}
		world_must(w, id, COMMAND_ABORT);
		world_run(w, 300);
		if (w->weight != 0 && world_rollout(w, id)->rolled == false)
			world_fail(w, "the canary still has %d%% after 0.3 s", w->weight);
		world_until_phase(w, id, PHASE_ABORTED);
		world_home(w, "web:1");
		world_check_journal(w, id);
		world_free(w);
	}
}

static void
an_abort_while_pods_are_pending_does_not_wait_for_them(void **state) /* F42 */
{
	(void)state;
	struct world *w = world_new(4, "");
	str_copy(w->never_ready, sizeof(w->never_ready), "web:2");
	str_copy(w->never_reason, sizeof(w->never_reason), "ImagePullBackOff");
	const char *id = world_start(w, "web:2");
	world_run(w, 10000);
	assert_string_equal(world_waiting(w, id)->reason, "ImagePullBackOff");
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 2000);
	assert_int_equal(world_phase(w, id), PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

static void
an_abort_twice_and_after_the_end_says_yes_and_does_nothing(void **state) /* F43 */
{
	(void)state;
	struct world *w = world_new(4, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	int first = world_command(w, id, COMMAND_ABORT, false);
	int second = world_command(w, id, COMMAND_ABORT, false);
	world_until_reply(w, first);
	world_until_reply(w, second);
	assert_int_equal(w->replies[second].result, ENGINE_OK);
	world_until_phase(w, id, PHASE_ABORTED);
	int phases = world_events(w, id, "phase"), commands = world_events(w, id, "command");
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 5000);
	world_must(w, id, COMMAND_ABORT);
	assert_int_equal(world_events(w, id, "phase"), phases);
	assert_int_equal(world_events(w, id, "command"), commands);
	assert_int_equal(commands, 1);
	world_free(w);
}

/* A yes is only said when what makes it true is on the disk (I8). */
static void
a_second_abort_is_not_answered_before_the_first_is_durable(void **state) /* F43, I8 */
{
	(void)state;
	struct world *w = world_new(4, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	w->disk_late = 5000;
	world_command(w, id, COMMAND_ABORT, false);
	world_tick(w);
	int second = world_command(w, id, COMMAND_ABORT, false);
	world_run(w, 1000);
	assert_false(w->replies[second].given);
	world_until_reply(w, second);
	assert_int_equal(w->replies[second].result, ENGINE_OK);
	w->disk_late = 0;
	world_until_phase(w, id, PHASE_ABORTED);
	world_free(w);
}

static void
an_aborted_release_is_not_tried_again_by_itself(void **state) /* F46 */
{
	(void)state;
	struct world *w = world_new(4, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	world_must(w, id, COMMAND_ABORT);
	world_until_phase(w, id, PHASE_ABORTED);
	int sent = w->sent;
	world_run(w, 600000);
	world_crash(w);
	world_run(w, 60000);
	assert_int_equal(w->sent, sent);
	assert_int_equal(w->id_count, 1);
	assert_int_equal(engine_stats(w->engine)->live, 0);
	int retry = world_command(w, id, COMMAND_RETRY, false);
	world_until_reply(w, retry);
	assert_int_equal(w->replies[retry].result, ENGINE_REFUSED);
	world_free(w);
}

static void
an_object_that_goes_stops_nothing_but_itself(void **state) /* F30 */
{
	(void)state;
	struct world *w = world_new(4, "");
	const char *id = world_start(w, "web:2");
	w->breaks_laws = true;
	world_until_weight(w, 50);
	w->route_exists = false;
	world_run(w, 300000);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	assert_non_null(strstr(world_waiting(w, id)->what, "is gone"));
	assert_false(w->route_exists);
	world_must(w, id, COMMAND_ABORT);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_false(w->canary_exists);
	world_free(w);
}

static void
a_deployment_made_anew_is_another_one(void **state) /* F67 */
{
	(void)state;
	struct world *w = world_new(4, "");
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	str_copy(w->uid, sizeof(w->uid), "u2");
	str_copy(w->image, sizeof(w->image), "web:9");
	world_until_phase(w, id, PHASE_ABORTED);
	assert_non_null(strstr(world_rollout(w, id)->reason, "made anew"));
	world_home(w, "web:9"); /* its image is left alone */
	world_free(w);
}

static void
nothing_is_decided_on_what_is_stale(void **state) /* F57 */
{
	(void)state;
	struct world *w = world_new(4, "");
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	w->down = true;
	world_run(w, 1000);
	int sent = w->sent;
	world_run(w, 120000);
	assert_int_equal(w->sent, sent);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	assert_string_equal(world_waiting(w, id)->object, "Cluster");
	w->down = false;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

static void
an_abort_on_what_is_stale_moves_traffic_and_tears_nothing_down(void **state) /* F57, law 3 */
{
	(void)state;
	struct world *w = world_new(4, "");
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	w->down = true;
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 60000);
	assert_int_equal(w->weight, 0);
	assert_true(w->canary_exists);
	assert_int_equal(world_phase(w, id), PHASE_ABORTING);
	assert_string_equal(world_waiting(w, id)->object, "Cluster");
	w->down = false;
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	world_free(w);
}

static void
clock_jump(int64_t jump, bool restart)
{
	struct world *w = world_new(4, "");
	const char *start = world_start(w, "web:2");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), start);
	world_until_weight(w, 50);
	int64_t began = virtual_loop_now(w->loop);
	world_run(w, 1200);
	w->wall_offset += jump;
	if (restart)
		world_crash(w);
	world_run(w, 200);
	assert_int_equal(world_rollout(w, id)->stage, 1); /* no instant promote */
	world_until_phase(w, id, PHASE_SUCCEEDED);
	assert_in_range(virtual_loop_now(w->loop) - began, 8000, 30000);
	world_home(w, "web:2");
	world_free(w);
}

static void
a_clock_that_jumps_changes_no_wait(void **state) /* F54 */
{
	(void)state;
	clock_jump(3600000, false);
	clock_jump(-3600000, false);
	clock_jump(-3600000, true);
	clock_jump(-86400000, true);
}

/* Down for a moment, and the clock is an hour ahead: the mesh's time to settle has not passed. */
static void
a_clock_that_jumps_over_a_crash_shortens_no_drain(void **state) /* F54, law 3 */
{
	(void)state;
	for (int64_t wait = 0; wait <= 1800; wait += 300) {
		struct world *w = world_new(4, "");
		w->mesh_late = 1900;
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_until_weight(w, 50);
		world_must(w, id, COMMAND_ABORT);
		world_until_weight(w, 0);
		world_run(w, wait);
		if (w->canary_exists) {
			w->wall_offset += 3600000;
			int64_t now = virtual_loop_now(w->loop);
			world_crash(w);
			world_until_act(w, ACT_DELETE_CANARY);
			assert_true(virtual_loop_now(w->loop) - now >= 1000);
		}
		world_until_phase(w, id, PHASE_ABORTED);
		world_home(w, "web:1");
		world_free(w);
	}
}

static void
a_downtime_is_no_time_without_progress(void **state) /* F54, F53 */
{
	(void)state;
	struct world *w = world_new(4, "");
	char id[ID_SIZE];
	str_copy(w->never_ready, sizeof(w->never_ready), "web:2");
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_act(w, ACT_CREATE_CANARY);
	w->wall_offset += 3600000;
	world_crash(w);
	world_run(w, 40000);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	world_crash(w);
	world_until_phase(w, id, PHASE_ABORTED); /* the deadline of a minute still holds */
	const struct rollout *r = world_rollout(w, id);
	assert_in_range(r->ended_ms - r->created_ms, 3600000 + 60000, 3600000 + 65000);
	world_free(w);
}

/* Between the choice of a weight and its way out the journal is written, which can take a while. */
static void
a_weight_is_not_sent_to_endpoints_that_went_meanwhile(void **state) /* I2, F20 */
{
	(void)state;
	struct world *w = world_new(4, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	world_until_act(w, ACT_SCALE_CANARY);
	w->disk_late = 3000;
	for (int i = 0; i < 200 && world_rollout(w, id)->attempt.act.number != 100; i++)
		world_tick(w);
	assert_int_equal(world_rollout(w, id)->attempt.act.kind, ACT_WEIGHT);
	int sent = w->sent_by_kind[ACT_WEIGHT];
	for (int i = 0; i < WORLD_PODS; i++)
		if (w->pods[i].canary && world_ready(w, true) > 2) {
			w->pods[i].ready = false;
			w->pods[i].ready_at = virtual_loop_now(w->loop) + 10000;
		}
	world_run(w, 6000);
	assert_int_equal(w->sent_by_kind[ACT_WEIGHT], sent);
	w->disk_late = 0;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

static void
stale_verification_is_not_trusted_after_a_jump(void **state) /* F54 */
{
	(void)state;
	struct world *w = world_new(4, "");
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	w->wall_offset -= 3600000; /* what was read seems to be from the future */
	int verifies = w->verifies;
	world_until_weight(w, 100);
	assert_true(w->verifies > verifies);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_conflict_is_recomputed_and_progress_resumes),
	    cmocka_unit_test(a_conflict_that_stays_is_not_hammered),
	    cmocka_unit_test(a_cluster_that_cannot_be_reached_is_asked_when_it_says),
	    cmocka_unit_test(retries_back_off_to_thirty_seconds_at_most),
	    cmocka_unit_test(an_abort_is_tried_every_two_seconds_until_it_is_taken),
	    cmocka_unit_test(a_refused_write_ends_at_the_deadline),
	    cmocka_unit_test(a_lost_answer_is_read_back_before_it_is_repeated),
	    cmocka_unit_test(a_foreign_edit_after_a_lost_answer_is_still_noticed),
	    cmocka_unit_test(an_abort_overtakes_an_act_that_arrives_late),
	    cmocka_unit_test(an_abort_takes_back_what_was_not_sent_yet),
	    cmocka_unit_test(an_abort_in_every_stage_goes_home),
	    cmocka_unit_test(an_abort_while_pods_are_pending_does_not_wait_for_them),
	    cmocka_unit_test(an_abort_twice_and_after_the_end_says_yes_and_does_nothing),
	    cmocka_unit_test(a_second_abort_is_not_answered_before_the_first_is_durable),
	    cmocka_unit_test(an_aborted_release_is_not_tried_again_by_itself),
	    cmocka_unit_test(an_object_that_goes_stops_nothing_but_itself),
	    cmocka_unit_test(a_deployment_made_anew_is_another_one),
	    cmocka_unit_test(nothing_is_decided_on_what_is_stale),
	    cmocka_unit_test(an_abort_on_what_is_stale_moves_traffic_and_tears_nothing_down),
	    cmocka_unit_test(a_clock_that_jumps_changes_no_wait),
	    cmocka_unit_test(a_clock_that_jumps_over_a_crash_shortens_no_drain),
	    cmocka_unit_test(a_downtime_is_no_time_without_progress),
	    cmocka_unit_test(a_weight_is_not_sent_to_endpoints_that_went_meanwhile),
	    cmocka_unit_test(stale_verification_is_not_trusted_after_a_jump),
	};
	return cmocka_run_group_tests_name("engine_faults", tests, NULL, NULL);
}
