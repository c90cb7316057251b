/* The engine where traffic shows what the mesh has taken: weights alone, and only when it does. */
#include "engine_world.h"
#include "virtual_loop.h"
#include "base/jsonx.h"

enum shows { SHOWS_IT, SHOWS_LITTLE, SHOWS_ANOTHER };

#define LAST_MS 15000

static struct looked {
	struct world *w;
	enum shows shows;
	uint64_t last, open;
	int count, of_others;
	struct share_wish wish;
	void (*done)(void *ctx, uint64_t number, const struct mesh_answer *answer);
	void *ctx;
	struct loop_timer *timer;
} looked;

static enum mesh_way
way_of(void *ctx, const char *cluster, enum mesh_subject subject)
{
	(void)ctx;
	(void)cluster;
	return subject == MESH_WEIGHT ? MESH_TRAFFIC : MESH_TIME;
}

static int64_t
wall_ms(void)
{
	return virtual_loop_now(looked.w->loop) + looked.w->wall_offset;
}

static void
answer(void *ctx)
{
	static const struct mesh_answer answers[] = {[SHOWS_IT] = {.outcome = MESH_OBSERVED},
	    [SHOWS_LITTLE] = {.outcome = MESH_UNREACHABLE, .text = "1 of 3: too few to tell"},
	    [SHOWS_ANOTHER] = {.outcome = MESH_DIFFERS, .text = "0 of 812 requests"}};
	struct mesh_answer given = answers[looked.shows];
	uint64_t number = looked.open;
	(void)ctx;
	given.at_ms = wall_ms();
	looked.open = 0;
	if (number != 0)
		looked.done(looked.ctx, number, &given);
}

static uint64_t
ask_mesh(void *ctx, const struct mesh_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct mesh_answer *answer), void *done_ctx)
{
	int64_t since_ms = question->since_ms ? question->since_ms : question->changed_ms;
	(void)ctx;
	looked.of_others += question->subject != MESH_WEIGHT;
	looked.count++;
	looked.done = done;
	looked.ctx = done_ctx;
	looked.wish = question->wish;
	if (since_ms > wall_ms() || question->changed_ms > wall_ms())
		fail_msg("asked about a weight of the future");
	looked.open = ++looked.last;
	/* The world's mesh is late by so much. */
	loop_timer_set(looked.timer, looked.shows == SHOWS_IT ? looked.w->mesh_late + 100 : 300);
	return looked.last;
}

static void
cancel(void *ctx, uint64_t number)
{
	(void)ctx;
	if (looked.open == number)
		looked.open = 0;
}

static const struct mesh_port port = {.way = way_of, .ask = ask_mesh, .cancel = cancel};

static struct world *
world_with(enum shows shows)
{
	struct world *w = world_new(1, "");
	looked = (struct looked){.w = w, .shows = shows};
	looked.timer = loop_timer_new(w->loop, answer, NULL);
	w->mesh = &port;
	world_crash(w); /* the next life has the mesh */
	return w;
}

static void
end(struct world *w)
{
	loop_timer_free(looked.timer);
	world_free(w);
}

static const struct mesh_fact *
fact_of(struct world *w, const char *id)
{
	return &world_rollout(w, id)->mesh[MESH_WEIGHT];
}

static bool
taken(struct world *w, const char *id)
{
	return rollout_taken(world_rollout(w, id), MESH_WEIGHT);
}

/* How long after it was seen the last weight counted as taken. */
static int64_t
late_ms(struct world *w, const char *id)
{
	const struct mesh_fact *fact = fact_of(w, id);
	return fact->at_ms - fact->of_ms;
}

static void
weights_are_observed_and_nothing_else(void **state)
{
	struct world *w = world_with(SHOWS_IT);
	int weights = 0;
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, 100);
	assert_int_equal(looked.wish.target, 50);
	assert_int_equal(looked.wish.below, 0);
	assert_int_equal(looked.wish.above, -1);
	world_until_weight(w, 100);
	world_run(w, 100);
	assert_int_equal(looked.wish.target, 100);
	assert_int_equal(looked.wish.below, 50);
	world_until_weight(w, 0);
	world_run(w, 100);
	assert_int_equal(looked.wish.target, 0);
	assert_int_equal(looked.wish.above, 100); /* 50 was left behind */
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	for (int i = 0; i < world_events(w, id, "taken"); i++) {
		json_t *event = world_event(w, id, "taken", i);
		bool weight = str_equal(jsonx_text(event, "subject"), "weight");
		weights += weight;
		assert_string_equal(jsonx_text(event, "known"), weight ? "observed" : "assumed");
		assert_null(json_object_get(event, "missing"));
		json_decref(event);
	}
	assert_int_equal(weights, 3);
	assert_int_equal(looked.of_others, 0);
	int count = looked.count;
	world_run(w, 5000); /* nothing is open: nobody is asked */
	assert_int_equal(looked.count, count);
	world_check_journal(w, id);
	end(w);
}

/* Too few requests do not hold it back longer than time alone would, and it is said why. */
static void
traffic_that_cannot_tell(void **state)
{
	struct world *w = world_with(SHOWS_LITTLE);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, WORLD_SETTLE_MS - 200);
	assert_false(taken(w, id));
	const struct waiting *waiting = world_waiting(w, id);
	assert_non_null(strstr(waiting->what, "traffic does not show it yet: 1 of 3"));
	world_run(w, 400);
	assert_string_equal(fact_of(w, id)->known, "assumed");
	assert_string_equal(fact_of(w, id)->missing, "1 of 3: too few to tell");
	assert_int_equal(late_ms(w, id), WORLD_SETTLE_MS);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	end(w);
}

static void
nothing_was_seen_at_all(void **state)
{
	struct world *w = world_with(SHOWS_IT);
	(void)state;
	w->mesh_late = 10 * WORLD_SETTLE_MS; /* its look lasts longer */
	w->breaks_laws = true;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, WORLD_SETTLE_MS + 200);
	assert_string_equal(fact_of(w, id)->known, "assumed");
	assert_string_equal(fact_of(w, id)->missing, "nothing was seen in time");
	assert_int_equal(looked.open, 0); /* the question was withdrawn */
	end(w);
}

static void
traffic_that_contradicts(void **state)
{
	struct world *w = world_with(SHOWS_ANOTHER);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, LAST_MS - 300);
	assert_false(taken(w, id));
	const struct waiting *waiting = world_waiting(w, id);
	assert_non_null(strstr(waiting->what, "0 of 812 requests"));
	assert_int_equal(waiting->until_ms, world_rollout(w, id)->seen_ms + LAST_MS);
	assert_int_equal(world_phase(w, id), PHASE_PROGRESSING);
	world_run(w, 500);
	assert_string_equal(fact_of(w, id)->known, "assumed");
	assert_string_equal(fact_of(w, id)->missing, "0 of 812 requests");
	assert_int_equal(late_ms(w, id), LAST_MS);
	assert_in_range(looked.count, 10, 30); /* no storm */
	looked.shows = SHOWS_IT;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	end(w);
}

static void
a_contradiction_ends(void **state)
{
	struct world *w = world_with(SHOWS_ANOTHER);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, 5 * WORLD_SETTLE_MS);
	looked.shows = SHOWS_IT;
	world_run(w, 3000);
	assert_string_equal(fact_of(w, id)->known, "observed");
	assert_string_equal(fact_of(w, id)->missing, "");
	looked.shows = SHOWS_ANOTHER;
	world_until_weight(w, 100);
	world_run(w, 5 * WORLD_SETTLE_MS);
	assert_false(taken(w, id));
	looked.shows = SHOWS_LITTLE; /* nobody contradicts any more, and time is over */
	world_run(w, 1500);
	assert_string_equal(fact_of(w, id)->known, "assumed");
	assert_string_equal(fact_of(w, id)->missing, "1 of 3: too few to tell");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	end(w);
}

/* Its weight goes out at once; what follows waits. What was said of the old weight is forgotten. */
static void
an_abort_is_not_held_back(void **state)
{
	struct world *w = world_with(SHOWS_ANOTHER);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, 5 * WORLD_SETTLE_MS);
	int64_t begun_ms = virtual_loop_now(w->loop);
	world_must(w, id, COMMAND_ABORT);
	world_until_weight(w, 0);
	assert_true(virtual_loop_now(w->loop) - begun_ms <= 300);
	world_run(w, 200);
	assert_non_null(strstr(world_waiting(w, id)->what, "traffic does not show it yet"));
	assert_null(strstr(world_waiting(w, id)->what, "812"));
	world_run(w, 1000);
	assert_int_equal(looked.wish.target, 0);
	assert_int_equal(
	    looked.wish.above, 50); /* 0 was the last one taken, but that is no proof */
	world_run(w, 10000);
	assert_true(w->canary_exists);
	looked.shows = SHOWS_IT;
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	end(w);
}

/* What was seen before is lost, and mesh.settle is over: it looks before it assumes anything. */
static void
a_new_beginning_looks_first(void **state)
{
	struct world *w = world_with(SHOWS_ANOTHER);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, 5 * WORLD_SETTLE_MS);
	world_crash(w);
	world_run(w, 200);
	assert_false(taken(w, id));
	world_run(w, 5 * WORLD_SETTLE_MS);
	assert_false(taken(w, id));
	world_run(w, LAST_MS);
	assert_string_equal(fact_of(w, id)->known, "assumed");
	assert_int_equal(late_ms(w, id), LAST_MS); /* counted from the change, not from the crash */
	looked.shows = SHOWS_IT;
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_check_journal(w, id);
	end(w);
}

/* Killed again and again, it has never seen anything, and still ends. */
static void
beginnings_without_end(void **state)
{
	struct world *w = world_with(SHOWS_LITTLE);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	for (int i = 0; i < 80; i++) {
		world_run(w, 200);
		world_crash(w);
	}
	assert_true(taken(w, id) || w->weight == 100);
	world_until_phase(w, id, PHASE_SUCCEEDED);
	end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(weights_are_observed_and_nothing_else),
	    cmocka_unit_test(traffic_that_cannot_tell),
	    cmocka_unit_test(nothing_was_seen_at_all),
	    cmocka_unit_test(traffic_that_contradicts),
	    cmocka_unit_test(a_contradiction_ends),
	    cmocka_unit_test(an_abort_is_not_held_back),
	    cmocka_unit_test(a_new_beginning_looks_first),
	    cmocka_unit_test(beginnings_without_end),
	};
	return cmocka_run_group_tests_name("engine_traffic", tests, NULL, NULL);
}
