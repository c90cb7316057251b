/* Starts: once per key, queued, refused or superseding; undo; apps that are put and deleted while
 * their rollouts live. */
#include "engine_world.h"
#include "virtual_loop.h"

static int
start_key(struct world *w, const char *image, const char *key)
{
	return world_start_with(
	    w, &(struct engine_start){
		   .app = "web", .image = image, .actor = {.name = "ci"}, .key = key});
}

static void
expect(struct world *w, int number, enum engine_result result)
{
	world_until_reply(w, number);
	if (w->replies[number].result != result)
		world_fail(w, "answered %d instead of %d: %s", w->replies[number].result, result,
		    w->replies[number].why);
}

static void
a_key_starts_one_rollout(void **state) /* F74, I8 */
{
	(void)state;
	struct world *w = world_new(1, "");
	int first = start_key(w, "web:2", "k1");
	expect(w, first, ENGINE_CREATED);
	int again = start_key(w, "web:2", "k1");
	expect(w, again, ENGINE_OK);
	assert_string_equal(w->replies[again].id, w->replies[first].id);
	int other = start_key(w, "web:3", "k1");
	expect(w, other, ENGINE_KEY_REUSED);
	world_crash(w);
	again = start_key(w, "web:2", "k1");
	expect(w, again, ENGINE_OK);
	assert_string_equal(w->replies[again].id, w->replies[first].id);
	world_until_phase(w, w->replies[first].id, PHASE_SUCCEEDED);
	again = start_key(w, "web:2", "k1");
	expect(w, again, ENGINE_OK);
	assert_int_equal(w->id_count, 1);
	world_free(w);
}

static void
a_key_given_twice_at_once_is_answered_when_it_is_durable(void **state) /* F74, I8 */
{
	(void)state;
	struct world *w = world_new(1, "");
	w->disk_late = 3000;
	int first = start_key(w, "web:2", "k1"), again = start_key(w, "web:2", "k1");
	int other = start_key(w, "web:3", "k1");
	world_run(w, 1000);
	assert_false(w->replies[first].given);
	assert_false(w->replies[again].given);
	assert_int_equal(w->replies[other].result, ENGINE_KEY_REUSED);
	expect(w, first, ENGINE_CREATED);
	expect(w, again, ENGINE_OK);
	assert_string_equal(w->replies[again].id, w->replies[first].id);
	assert_int_equal(w->id_count, 1);
	world_free(w);
}

static void
a_start_that_cannot_be_written_never_was(void **state) /* F71, F74, I8 */
{
	(void)state;
	struct world *w = world_new(1, "");
	world_disk(w, true);
	int first = start_key(w, "web:2", "k1"), again = start_key(w, "web:2", "k1");
	expect(w, first, ENGINE_DEGRADED);
	expect(w, again, ENGINE_DEGRADED);
	world_run(w, 5000);
	assert_null(engine_app_active(w->engine, "web"));
	world_disk(w, false);
	world_run(w, 10000);
	assert_int_equal(w->sent, 0);
	assert_int_equal(w->id_count, 0);
	first = start_key(w, "web:2", "k1");
	expect(w, first, ENGINE_CREATED);
	assert_int_equal(engine_stats(w->engine)->started[0], 1); /* counters never go back */
	world_crash(w);
	world_until_phase(w, w->replies[first].id, PHASE_SUCCEEDED);
	assert_int_equal(engine_stats(w->engine)->ended[0][PHASE_SUCCEEDED], 1);
	world_free(w);
}

static void
a_second_start_waits_for_its_turn(void **state) /* F58, I9 */
{
	(void)state;
	struct world *w = world_new(1, "onStart: queue");
	int first = start_key(w, "web:2", NULL), second = start_key(w, "web:3", NULL);
	int third = start_key(w, "web:4", NULL); /* all in the same ms */
	expect(w, third, ENGINE_CREATED);
	world_until_weight(w, 50);
	assert_int_equal(world_phase(w, w->replies[first].id), PHASE_PROGRESSING);
	assert_int_equal(world_phase(w, w->replies[second].id), PHASE_QUEUED);
	assert_non_null(strstr(world_waiting(w, w->replies[third].id)->what, w->replies[first].id));
	world_crash(w);
	world_until_phase(w, w->replies[first].id, PHASE_SUCCEEDED);
	assert_int_equal(world_phase(w, w->replies[third].id), PHASE_QUEUED);
	world_until_phase(w, w->replies[second].id, PHASE_SUCCEEDED);
	world_until_phase(w, w->replies[third].id, PHASE_SUCCEEDED);
	world_home(w, "web:4");
	world_free(w);
}

static void
a_queued_one_can_be_aborted(void **state) /* F42, F58 */
{
	(void)state;
	struct world *w = world_new(1, "onStart: queue");
	int first = start_key(w, "web:2", NULL), second = start_key(w, "web:3", NULL);
	expect(w, second, ENGINE_CREATED);
	world_until_weight(w, 50);
	world_must(w, w->replies[second].id, COMMAND_ABORT);
	world_run(w, 500);
	assert_int_equal(world_phase(w, w->replies[second].id), PHASE_ABORTED);
	world_until_phase(w, w->replies[first].id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

static void
a_second_start_is_refused_if_the_app_says_so(void **state) /* F58 */
{
	(void)state;
	struct world *w = world_new(1, "onStart: refuse");
	int first = start_key(w, "web:2", "k1");
	expect(w, first, ENGINE_CREATED);
	int second = start_key(w, "web:3", "k2");
	expect(w, second, ENGINE_REFUSED);
	assert_non_null(strstr(w->replies[second].why, w->replies[first].id));
	int again = start_key(w, "web:2", "k1"); /* the same request is no second start */
	expect(w, again, ENGINE_OK);
	world_until_phase(w, w->replies[first].id, PHASE_SUCCEEDED);
	second = start_key(w, "web:3", "k2");
	expect(w, second, ENGINE_CREATED);
	world_free(w);
}

static void
superseding_goes_home_first(void **state) /* F58, I9 */
{
	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		struct world *w = world_new(seed, "onStart: supersede");
		char old[ID_SIZE], new[ID_SIZE];
		str_copy(old, sizeof(old), world_start(w, "web:2"));
		world_run(w, seed * 900);
		str_copy(new, sizeof(new), world_start(w, "web:3"));
		world_run(w, 300);
		const struct rollout *r = world_rollout(w, old);
		assert_true(r->phase == PHASE_ABORTING || r->phase == PHASE_ABORTED);
		assert_string_equal(r->superseded_by, new);
		assert_non_null(strstr(r->reason, new));
		world_until_phase(w, old, PHASE_ABORTED);
		assert_string_equal(w->image, "web:1");
		assert_false(w->canary_exists);
		world_until_phase(w, new, PHASE_SUCCEEDED);
		world_home(w, "web:3");
		world_check_journal(w, old);
		world_free(w);
	}
}

/* The yes to the new one and the end of the old one are two writes: a crash may fall between. */
static void
superseding_survives_a_crash_at_every_write(void **state) /* F52, F58 */
{
	(void)state;
	for (int crash = CRASH_BEFORE_COMMIT; crash <= CRASH_AFTER_COMMIT; crash++)
		for (int at = 1; at <= 12; at++) {
			struct world *w = world_new(3, "onStart: supersede");
			char old[ID_SIZE];
			str_copy(old, sizeof(old), world_start(w, "web:2"));
			world_until_weight(w, 50);
			w->appends = 0;
			w->crash = (enum world_crash)crash;
			w->crash_at = at;
			int second = start_key(w, "web:3", "k2"), lives = w->engines;
			while (!w->replies[second].given && lives == w->engines)
				world_tick(w);
			if (!w->replies[second].given) {
				second = start_key(w, "web:3", "k2");
				world_until_reply(w, second);
			}
			world_until_phase(w, old, PHASE_ABORTED);
			world_until_phase(w, w->replies[second].id, PHASE_SUCCEEDED);
			assert_int_equal(w->id_count, 2);
			world_home(w, "web:3");
			world_free(w);
		}
}

/* Also what still waits for the journal when the new one comes. */
static void
superseding_with_a_slow_disk_leaves_nothing_over(void **state) /* F49, F58 */
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct world *w = world_new(seed, "onStart: supersede");
		char old[ID_SIZE], new[ID_SIZE];
		w->hpa = (struct hpa_seen){.exists = true, .name = "web", .min = 2, .max = 9};
		str_copy(old, sizeof(old), world_start(w, "web:2"));
		w->disk_late = 400;
		world_run(w, seed * 100);
		int second = start_key(w, "web:3", NULL);
		expect(w, second, ENGINE_CREATED);
		str_copy(new, sizeof(new), w->replies[second].id);
		world_must(w, new, COMMAND_ABORT);
		world_until_phase(w, old, PHASE_ABORTED);
		world_until_phase(w, new, PHASE_ABORTED);
		world_home(w, "web:1");
		world_free(w);
	}
}

static void
only_the_newest_of_many_is_released(void **state) /* F58 */
{
	(void)state;
	struct world *w = world_new(1, "onStart: supersede");
	char ids[4][ID_SIZE];
	for (int i = 0; i < 4; i++) {
		char image[16];
		str_print(image, sizeof(image), "web:%d", i + 2);
		str_copy(ids[i], ID_SIZE, world_start(w, image));
		world_run(w, i == 0 ? 5000 : 100);
	}
	world_until_phase(w, ids[3], PHASE_SUCCEEDED);
	for (int i = 0; i < 3; i++)
		assert_int_equal(world_phase(w, ids[i]), PHASE_ABORTED);
	world_home(w, "web:5");
	world_free(w);
}

static void
superseding_one_that_is_just_ending_does_no_harm(void **state) /* F58 */
{
	(void)state;
	for (int late = 0; late <= 900; late += 100) {
		struct world *w = world_new(1, "onStart: supersede");
		char old[ID_SIZE];
		str_copy(old, sizeof(old), world_start(w, "web:2"));
		while (w->service || w->sent == 0)
			world_tick(w);
		w->disk_late = 400;
		world_run(w, late);
		int second = start_key(w, "web:3", NULL);
		world_until_reply(w, second);
		w->disk_late = 0;
		world_until_phase(w, w->replies[second].id, PHASE_SUCCEEDED);
		world_home(w, "web:3");
		world_free(w);
	}
}

static enum verdict
bad_for_two(struct world *w, const struct gate_question *question)
{
	(void)question;
	return strcmp(w->canary_image, "web:2") == 0 ? VERDICT_FAIL : VERDICT_PASS;
}

static void
a_verdict_on_one_release_is_never_applied_to_the_next(void **state) /* F58, F15 */
{
	(void)state;
	struct world *w = world_new(1, "onStart: supersede\ngates:\n"
				       "- {name: g, prometheus: {query: up, pass: '> 0'}, every: "
				       "1s, window: 1s, failures: 0}");
	char old[ID_SIZE], new[ID_SIZE];
	w->verdict = bad_for_two;
	w->gate_late = 20000; /* what was asked about V2 is answered when V3 runs */
	str_copy(old, sizeof(old), world_start(w, "web:2"));
	while (w->asked == 0)
		world_tick(w);
	str_copy(new, sizeof(new), world_start(w, "web:3"));
	world_until_phase(w, old, PHASE_ABORTED);
	assert_int_equal(world_events(w, old, "measured"), 0);
	w->gate_late = 20;
	world_until_phase(w, new, PHASE_SUCCEEDED);
	world_free(w);
}

static void
undo_goes_back_to_what_ran_before(void **state) /* F47 */
{
	(void)state;
	struct world *w = world_new(1, "");
	int none = world_undo(w, 0);
	expect(w, none, ENGINE_REFUSED);
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	none = world_undo(w, 0);
	expect(w, none, ENGINE_REFUSED); /* abort is the way back */
	assert_non_null(strstr(w->replies[none].why, "abort"));
	world_until_phase(w, id, PHASE_SUCCEEDED);
	str_copy(id, sizeof(id), world_start(w, "web:bad"));
	world_until_weight(w, 50);
	world_must(w, id, COMMAND_ABORT);
	world_until_phase(w, id, PHASE_ABORTED);
	int aborted = world_undo(w, 2); /* release 2 never succeeded */
	expect(w, aborted, ENGINE_REFUSED);
	assert_non_null(strstr(w->replies[aborted].why, "never succeeded"));
	int unknown = world_undo(w, 77);
	expect(w, unknown, ENGINE_REFUSED);
	int undone = world_undo(w, 0);
	expect(w, undone, ENGINE_CREATED);
	const struct rollout *r = world_rollout(w, w->replies[undone].id);
	assert_string_equal(r->release.image, "web:1");
	assert_int_equal(r->release.number, 3);
	world_until_phase(w, w->replies[undone].id, PHASE_SUCCEEDED);
	world_home(w, "web:1");
	int to = world_undo(w, 1);
	expect(w, to, ENGINE_CREATED);
	world_until_phase(w, w->replies[to].id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	world_free(w);
}

/* The clock has gone back meanwhile: it is not known how long ago that was, and without a window it
 * does not matter. */
static void
undo_before_its_time_holds(void **state)
{
	static const char *const windows[] = {"", "rollbackWindow: 2h"};
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world *w = world_new(1, windows[i]);
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_until_phase(w, id, PHASE_SUCCEEDED);
		w->wall_offset -= 3600000;
		world_crash(w);
		int undone = world_undo(w, 0);
		expect(w, undone, ENGINE_CREATED);
		assert_false(world_rollout(w, w->replies[undone].id)->release.known_good);
		world_free(w);
	}
}

/* What ran a moment ago is not held and judged again, but gets traffic no sooner than its pods are
 * ready; what ran long ago is. */
static void
undo_within_the_window_holds_nothing(void **state) /* F48 */
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct world *w = world_new(1, "rollbackWindow: 2h");
		char id[ID_SIZE];
		str_copy(id, sizeof(id), world_start(w, "web:2"));
		world_until_phase(w, id, PHASE_SUCCEEDED);
		if (late)
			world_run(w, INT64_C(3) * 3600000);
		int undone = world_undo(w, 0);
		expect(w, undone, ENGINE_CREATED);
		const struct rollout *r = world_rollout(w, w->replies[undone].id);
		assert_int_equal(r->release.known_good, !late);
		world_crash(w);
		world_until_phase(w, w->replies[undone].id, PHASE_SUCCEEDED);
		world_home(w, "web:1");
		r = world_rollout(w, w->replies[undone].id);
		for (int i = 0; i < r->ladder.count; i++)
			if (r->ladder.stages[i].serves)
				assert_int_equal(r->ladder.stages[i].hold_ms > 0, late);
		world_free(w);
	}
}

static void
a_rollout_keeps_the_app_that_it_began_with(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_weight(w, 50);
	struct app *other = world_app("web", "weights: [5, 6, 7, 8], hold: 1h", "onEdit: abort");
	expect(w, world_put(w, other), ENGINE_OK);
	assert_int_equal(world_rollout(w, id)->ladder.count, 6);
	assert_int_equal(world_rollout(w, id)->app->on_edit, EDIT_HOLD);
	world_crash(w);
	assert_int_equal(world_rollout(w, id)->app->on_edit, EDIT_HOLD);
	assert_int_equal(engine_app(w->engine, "web")->on_edit, EDIT_ABORT);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static int
delete_app(struct world *w, const char *name)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_app_delete(w->engine, name, NULL, &(struct actor){.name = "ann"}, &reply);
	return number;
}

static void
an_app_is_not_deleted_under_its_rollout(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	expect(w, delete_app(w, "web"), ENGINE_REFUSED);
	expect(w, delete_app(w, "nobody"), ENGINE_NOT_FOUND);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	int deleted = delete_app(w, "web"), start = start_key(w, "web:3", NULL);
	expect(w, deleted, ENGINE_OK);
	expect(w, start, ENGINE_NOT_FOUND); /* it was being deleted */
	assert_null(engine_app(w->engine, "web"));
	assert_int_equal(engine_stats(w->engine)->apps, 0);
	world_crash(w);
	assert_null(engine_app(w->engine, "web"));
	world_free(w);
}

static int
put_if(struct world *w, const char *canary, const struct app_condition *condition)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_app_put(w->engine, world_app("web", canary, ""), condition,
	    &(struct actor){.name = "ann"}, &reply);
	return number;
}

/* Two have seen the same app: the first one's change is not even written when the second comes,
 * who hears of it only when it is. */
static void
of_two_changes_at_once_one_is_made(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	struct app_condition seen = {.tag_count = 1}, none = {.missing = true};
	app_tag(engine_app(w->engine, "web"), seen.tags[0]);
	world_disk(w, true);
	int one = put_if(w, "weights: [5]", &seen), two = put_if(w, "weights: [6]", &seen);
	expect(w, one, ENGINE_DEGRADED);
	expect(w, two, ENGINE_DEGRADED);
	world_disk(w, false);
	world_run(w, 3000);
	one = put_if(w, "weights: [5, 6]", &seen);
	two = put_if(w, "weights: [6]", &seen);
	expect(w, one, ENGINE_OK);
	expect(w, two, ENGINE_CHANGED);
	assert_int_equal(engine_app(w->engine, "web")->plan.stage_count, 2);
	expect(w, delete_app(w, "web"), ENGINE_OK);
	one = put_if(w, "weights: [5]", &none);
	two = put_if(w, "weights: [6]", &none);
	expect(w, one, ENGINE_CREATED);
	expect(w, two, ENGINE_CHANGED);
	world_free(w);
}

static void
an_app_made_anew_goes_on_counting_its_releases(void **state)
{
	(void)state;
	struct world *w = world_new(1, "");
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	world_until_phase(w, id, PHASE_SUCCEEDED);
	expect(w, delete_app(w, "web"), ENGINE_OK);
	world_crash(w);
	struct app *app = world_app("web", "weights: [50, 100]", "");
	expect(w, world_put(w, app), ENGINE_CREATED);
	str_copy(id, sizeof(id), world_start(w, "web:3"));
	assert_int_equal(world_rollout(w, id)->release.number, 2);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_free(w);
}

static void
an_app_that_cannot_be_written_is_not_taken(void **state) /* F71, I8 */
{
	(void)state;
	struct world *w = world_new(1, "");
	const char *why;
	world_disk(w, true);
	struct app *app = world_app("web", "weights: [5]", "");
	expect(w, world_put(w, app), ENGINE_DEGRADED);
	assert_int_equal(engine_app(w->engine, "web")->plan.stage_count, 2);
	assert_true(engine_degraded(w->engine, &why));
	world_disk(w, false);
	world_run(w, 3000); /* nothing is under way, and yet it finds out */
	assert_false(engine_degraded(w->engine, &why));
	app = world_app("web", "weights: [5]", "");
	int put = world_put(w, app);
	expect(w, put, ENGINE_OK);
	assert_string_equal(w->replies[put].why, "");
	app = world_app("web", "weights: [5]", "");
	put = world_put(w, app);
	expect(w, put, ENGINE_OK);
	assert_string_equal(w->replies[put].why, "unchanged");
	world_crash(w);
	assert_int_equal(engine_app(w->engine, "web")->plan.stage_count, 1);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_starts_one_rollout),
	    cmocka_unit_test(a_key_given_twice_at_once_is_answered_when_it_is_durable),
	    cmocka_unit_test(a_start_that_cannot_be_written_never_was),
	    cmocka_unit_test(a_second_start_waits_for_its_turn),
	    cmocka_unit_test(a_queued_one_can_be_aborted),
	    cmocka_unit_test(a_second_start_is_refused_if_the_app_says_so),
	    cmocka_unit_test(superseding_goes_home_first),
	    cmocka_unit_test(superseding_survives_a_crash_at_every_write),
	    cmocka_unit_test(superseding_with_a_slow_disk_leaves_nothing_over),
	    cmocka_unit_test(only_the_newest_of_many_is_released),
	    cmocka_unit_test(superseding_one_that_is_just_ending_does_no_harm),
	    cmocka_unit_test(a_verdict_on_one_release_is_never_applied_to_the_next),
	    cmocka_unit_test(undo_goes_back_to_what_ran_before),
	    cmocka_unit_test(undo_within_the_window_holds_nothing),
	    cmocka_unit_test(undo_before_its_time_holds),
	    cmocka_unit_test(a_rollout_keeps_the_app_that_it_began_with),
	    cmocka_unit_test(an_app_is_not_deleted_under_its_rollout),
	    cmocka_unit_test(of_two_changes_at_once_one_is_made),
	    cmocka_unit_test(an_app_made_anew_goes_on_counting_its_releases),
	    cmocka_unit_test(an_app_that_cannot_be_written_is_not_taken),
	};
	return cmocka_run_group_tests_name("engine_starts", tests, NULL, NULL);
}
