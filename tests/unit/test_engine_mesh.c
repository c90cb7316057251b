/* The engine asks the mesh: what it confirms, what it only assumes, and what nobody answers. */
#include "engine_world.h"
#include "virtual_loop.h"
#include "base/jsonx.h"

enum way { CONFIRMS, SILENT, ASSUMES };

static struct asked {
	struct world *w;
	enum way way;
	bool off; /* the settings know no istiod any more */
	uint64_t last, open[MESH_SUBJECTS];
	int64_t at_ms[MESH_SUBJECTS];
	int count, cancelled;
	bool early;	 /* asked with a time that is later than the weight's */
	int timed;	 /* asked with a time */
	bool unaccepted; /* asked about a route that its controller has not accepted */
	void (*done)(void *ctx, uint64_t number, const struct mesh_answer *answer);
	void *ctx;
	struct loop_timer *timer;
} asked;

static enum mesh_way
way_of(void *ctx, const char *cluster, enum mesh_subject subject)
{
	(void)ctx;
	(void)subject;
	return str_equal(cluster, "default") && !asked.off ? MESH_ISTIOD : MESH_TIME;
}

static int64_t
now_ms(void)
{
	return virtual_loop_now(asked.w->loop);
}

static void
answer(void *ctx)
{
	static const struct mesh_answer answers[] = {[CONFIRMS] = {.outcome = MESH_CONFIRMED},
	    [SILENT] = {.outcome = MESH_UNREACHABLE, .text = "istiod is away"},
	    [ASSUMES] = {.outcome = MESH_ASSUMED, .text = "web-7f.shop"}};
	(void)ctx;
	for (int i = 0; i < MESH_SUBJECTS; i++) {
		uint64_t number = asked.open[i];
		struct mesh_answer given = answers[asked.way];
		given.at_ms = now_ms() + asked.w->wall_offset;
		asked.open[i] = 0;
		if (number != 0)
			asked.done(asked.ctx, number, &given);
	}
}

static uint64_t
ask_mesh(void *ctx, const struct mesh_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct mesh_answer *answer), void *done_ctx)
{
	(void)ctx;
	asked.count++;
	asked.done = done;
	asked.ctx = done_ctx;
	asked.timed += question->since_ms > 0;
	asked.unaccepted |=
	    mesh_in_route(question->subject) && asked.w->accepted_rv != asked.w->route_rv;
	asked.early |= question->since_ms > now_ms() + asked.w->wall_offset;
	asked.open[question->subject] = ++asked.last;
	/* The world's mesh is late by so much. */
	loop_timer_set(asked.timer, asked.way == SILENT ? 100 : asked.w->mesh_late * 2);
	return asked.last;
}

static void
cancel(void *ctx, uint64_t number)
{
	(void)ctx;
	for (int i = 0; i < MESH_SUBJECTS; i++)
		if (asked.open[i] == number) {
			asked.open[i] = 0;
			asked.cancelled++;
		}
}

static const struct mesh_port port = {.way = way_of, .ask = ask_mesh, .cancel = cancel};

static struct world *
world_with(enum way way)
{
	struct world *w = world_new(1, "");
	asked = (struct asked){.w = w, .way = way};
	asked.timer = loop_timer_new(w->loop, answer, NULL);
	w->mesh = &port;
	world_crash(w); /* the next life has the mesh */
	return w;
}

static void
end(struct world *w)
{
	loop_timer_free(asked.timer);
	world_free(w);
}

static void
every_weight_is_confirmed(void **state)
{
	struct world *w = world_with(CONFIRMS);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	for (int i = 0; i < world_events(w, id, "taken"); i++) {
		json_t *event = world_event(w, id, "taken", i);
		assert_string_equal(jsonx_text(event, "known"), "confirmed");
		json_decref(event);
	}
	assert_true(asked.count >= 5);
	assert_false(asked.early);
	assert_true(asked.timed >= 3);
	int count = asked.count;
	world_run(w, 5000); /* nothing is open: nobody is asked */
	assert_int_equal(asked.count, count);
	end(w);
}

/* Asked again and again, said, and nothing built on it; an abort goes out all the same. */
static void
nobody_answers(void **state)
{
	struct world *w = world_with(CONFIRMS);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	asked.way = SILENT;
	int count = asked.count;
	world_run(w, 60000);
	assert_int_equal(w->weight, 50);
	assert_true(asked.count > count + 60);
	assert_true(asked.count < count + 400);
	assert_non_null(strstr(world_waiting(w, id)->what, "istiod is away"));
	world_must(w, id, COMMAND_ABORT);
	world_until_weight(w, 0);
	world_run(w, 30000);
	assert_true(w->canary_exists); /* weight 0 is not known to be taken */
	asked.way = CONFIRMS;
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	end(w);
}

/* While istiod is away no serving pod restarts; once nobody is to be asked any more, they do. */
static void
an_abort_restarts_no_pod_unheard(void **state)
{
	struct world *w = world_with(CONFIRMS);
	(void)state;
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	for (int i = 0; i < 60000 && (!world_rollout(w, id)->rolled || w->canary_exists); i++)
		world_run(w, 10);
	asked.way = SILENT;
	str_copy(w->never_ready, sizeof(w->never_ready), "web:2");
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 120000);
	assert_non_null(strstr(world_waiting(w, id)->what, "its pods would restart"));
	assert_int_equal(world_phase(w, id), PHASE_ABORTING);
	asked.off = true;
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	end(w);
}

static void
half_the_canary_dies(struct world *w)
{
	int left = w->canary_size / 2;
	for (int i = 0; i < WORLD_PODS && left > 0; i++)
		if (w->pods[i].there && w->pods[i].canary) {
			w->pods[i].ready = w->pods[i].mesh = false;
			w->pods[i].ready_at = INT64_MAX;
			left--;
		}
	w->poke = true;
}

/* Nothing is open, so nobody has found out yet that istiod is away: it is asked before pods of a
 * side that serves restart, when a minute has shown that the canary cannot carry the way home. */
static void
an_abort_asks_before_pods_restart(void **state)
{
	struct world *w = world_with(CONFIRMS);
	(void)state;
	char id[ID_SIZE];
	str_copy(id, sizeof(id), world_start(w, "web:2"));
	for (int i = 0; i < 60000 && !world_rollout(w, id)->rolled; i++)
		world_run(w, 10);
	half_the_canary_dies(w);
	world_run(w, 30000);
	assert_int_equal(w->weight, 50);
	int count = asked.count;
	world_run(w, 20000);
	assert_int_equal(asked.count, count);
	asked.way = SILENT;
	world_must(w, id, COMMAND_ABORT);
	world_run(w, 59000);
	assert_int_equal(asked.count, count);
	world_run(w, 3000);
	assert_string_equal(w->image, "web:2");
	assert_non_null(strstr(world_waiting(w, id)->what, "its pods would restart"));
	assert_non_null(strstr(world_waiting(w, id)->what, "istiod is away"));
	assert_in_range(asked.count, count + 2, count + 10);
	asked.way = CONFIRMS;
	world_run(w, 2000);
	assert_string_equal(w->image, "web:1");
	world_until_phase(w, id, PHASE_ABORTED);
	world_home(w, "web:1");
	end(w);
}

static void
who_did_not_confirm_is_written_down(void **state)
{
	struct world *w = world_with(ASSUMES);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	world_run(w, 5000);
	const struct mesh_fact *fact = &world_rollout(w, id)->mesh[MESH_WEIGHT];
	assert_string_equal(fact->known, "assumed");
	assert_string_equal(fact->missing, "web-7f.shop");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	end(w);
}

/* A push between the write and its acceptance does not have it, so that a push began after the
 * write proves nothing: asked without a time, only what comes after the question counts. */
static void
what_a_controller_accepts_is_asked_without_a_time(void **state)
{
	struct world *w = world_with(CONFIRMS);
	(void)state;
	w->accept_late = 2000;
	world_until_reply(w, world_put(w, world_gateway_app("web",
					      "weights: [50, 100], hold: 2s, deadline: 1m", "")));
	const char *id = world_start(w, "web:2");
	world_until_phase(w, id, PHASE_SUCCEEDED);
	world_home(w, "web:2");
	assert_true(world_events(w, id, "accepted") >= 3);
	assert_true(asked.count >= 5);
	assert_int_equal(asked.timed, 0);
	assert_false(asked.unaccepted);
	end(w);
}

/* A question about a change that was overtaken is withdrawn. */
static void
an_overtaken_question_is_withdrawn(void **state)
{
	struct world *w = world_with(CONFIRMS);
	(void)state;
	const char *id = world_start(w, "web:2");
	world_until_weight(w, 50);
	int cancelled = asked.cancelled;
	world_must(w, id, COMMAND_ABORT);
	world_until_phase(w, id, PHASE_ABORTED);
	assert_true(asked.cancelled > cancelled);
	end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_weight_is_confirmed),
	    cmocka_unit_test(nobody_answers), cmocka_unit_test(an_abort_restarts_no_pod_unheard),
	    cmocka_unit_test(an_abort_asks_before_pods_restart),
	    cmocka_unit_test(who_did_not_confirm_is_written_down),
	    cmocka_unit_test(what_a_controller_accepts_is_asked_without_a_time),
	    cmocka_unit_test(an_overtaken_question_is_withdrawn)};
	return cmocka_run_group_tests_name("engine_mesh", tests, NULL, NULL);
}
