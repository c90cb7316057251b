/* A canary's sizes: one that is larger than its weight, one without traffic, and a stable side that
 * gives up what the canary has taken over, and gets it back whatever happens. */
#include "decide_bench.h"
#include "model/ladder.h"
#include "model/pace.h"
#include "model/rehearse.h"

#define APP(canary)                                                                                \
	"{kind: App, name: web, namespace: shop, workload: {name: web}, traffic: {istio: "         \
	"{virtualService: web}},\n strategy: {canary: {steady: 0s, drain: 4s, deadline: "          \
	"1m, " canary "}}}"
#define STAGES "stages: [{weight: 25, hold: 9s}, {weight: 50, hold: 9s}, {weight: 100, hold: 9s}]"
#define SHRINKS APP(STAGES ", shrinkStable: true")

static void
start(struct bench *b, const char *text)
{
	static const struct release release = {.app = "web", .number = 2, .image = "web:2"};
	json_t *spec;
	struct err e;
	if (yaml_parse(text, strlen(text), &spec, NULL, &e) < 0)
		fail_msg("%s", e.text);
	*b = (struct bench){.r = rollout_new("r-test")};
	see_home(&b->seen);
	b->at = (struct situation){
	    .rollout = b->r, .seen = &b->seen, .now_ms = 1000000, .settle_ms = 1000};
	fold(b, EVENT_CREATED,
	    json_pack("{s:o, s:o}", "app", spec, "release", release_json(&release)));
}

static void
answer(struct bench *b, enum act_outcome outcome)
{
	if (outcome == ACT_DONE)
		rehearse_act(&b->seen, b->r, &b->out.act);
	fold(b, EVENT_ACTED,
	    json_pack("{s:I, s:s}", "attempt", (json_int_t)b->r->attempt.number, "outcome",
		act_outcome_name(outcome)));
}

/* Law 1 for both sides, and what an abort is promised: at no moment is less there than the weight
 * needs, nor than carries everything in need. */
static void
check_capacity(const struct bench *b)
{
	int weight = b->seen.route.weight, stable = b->seen.stable.ready;
	int keeps = app_keeps(b->r->app, weight);
	if (b->seen.canary.ready * 100 < weight * 4)
		fail_msg("weight %d with %d canary pods", weight, b->seen.canary.ready);
	if (b->r->phase == PHASE_PROGRESSING && stable * 100 < 4 * keeps)
		fail_msg("weight %d with %d stable pods", weight, stable);
	assert_true(stable * 100 >= 4 * b->r->app->abort_capacity);
}

/* Until the act is chosen; it is not done. */
static void
until(struct bench *b, enum act_kind kind, int number)
{
	for (int i = 0; i < 400; i++) {
		b->seen.verified_ms = b->at.now_ms;
		move(b);
		if (b->out.act.kind == kind && b->out.act.number == number)
			return;
		if (b->out.act.kind != ACT_NONE)
			answer(b, ACT_DONE);
		check_capacity(b);
		if (phase_final(b->r->phase))
			break;
		b->at.now_ms += 500;
	}
	fail_msg("no %s %d: stage %d: %s: %s", act_name(kind), number, b->r->stage,
	    b->r->waiting.object, b->r->waiting.what);
}

/* To the end; says which sizes the stable side was given. */
static void
finish(struct bench *b, enum phase phase, const int *sizes)
{
	for (int i = 0; i < 800 && !phase_final(b->r->phase); i++) {
		b->seen.verified_ms = b->at.now_ms;
		move(b);
		if (b->out.act.kind == ACT_SCALE_STABLE)
			assert_int_equal(b->out.act.number, *sizes++);
		if (b->out.act.kind != ACT_NONE)
			answer(b, ACT_DONE);
		check_capacity(b);
		b->at.now_ms += 500;
	}
	if (b->r->phase != phase)
		fail_msg("%s in stage %d: %s: %s; %s", phase_name(b->r->phase), b->r->stage,
		    b->r->waiting.object, b->r->waiting.what, b->r->reason);
	assert_int_equal(*sizes, 0);
	assert_int_equal(b->seen.stable.replicas, 4);
	assert_int_equal(b->seen.stable.ready, 4);
	assert_int_equal(b->r->stable, 0);
	assert_false(b->seen.canary.exists);
}

static void
expect_act(const struct bench *b, enum act_kind kind, int number)
{
	if (b->out.act.kind != kind || b->out.act.number != number)
		fail_msg("%s %d: %s: %s", act_name(b->out.act.kind), b->out.act.number,
		    b->out.waiting.object, b->out.waiting.what);
}

static void
next(struct bench *b, int64_t after_ms)
{
	b->at.now_ms += after_ms;
	b->seen.verified_ms = b->at.now_ms;
	move(b);
}

static void
abort_now(struct bench *b)
{
	fold(b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	next(b, 100);
}

/* Half of the traffic is on the canary, and the stable side has given up one of its four pods. */
static void
be_shrunk(struct bench *b)
{
	start(b, SHRINKS);
	until(b, ACT_SCALE_STABLE, 3);
	answer(b, ACT_DONE);
	assert_int_equal(b->seen.route.weight, 50);
	for (int i = 0; i < 4; i++)
		next(b, 0);
	assert_true(b->r->records[b->r->stage].settled_ms > 0);
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void
a_size_is_there_before_the_weight_and_stays(void **state)
{
	struct bench b;
	(void)state;
	start(&b, APP("stages: [{weight: 25, size: 75}, {weight: 50}]"));
	until(&b, ACT_CREATE_CANARY, 3);
	answer(&b, ACT_DONE);
	b.seen.canary.ready = b.seen.canary.ready_new = 2; /* would carry 25 */
	for (int i = 0; i < 20; i++)
		next(&b, 500);
	expect_act(&b, ACT_NONE, 0);
	assert_non_null(strstr(b.out.waiting.what, "2 of 3 endpoints ready"));
	b.seen.canary.ready = b.seen.canary.ready_new = 3;
	until(&b, ACT_WEIGHT, 25);
	answer(&b, ACT_DONE);
	until(&b, ACT_WEIGHT, 50); /* with the three that it has */
	assert_int_equal(b.seen.canary.replicas, 3);
	answer(&b, ACT_DONE);
	finish(&b, PHASE_SUCCEEDED, (const int[]){0});
	end(&b);
}

static void
a_canary_without_traffic(void **state)
{
	struct bench b;
	(void)state;
	start(&b, APP("stages: [{weight: 0, size: 50, hold: 9s}, {weight: 50}]"));
	until(&b, ACT_CREATE_CANARY, 2);
	answer(&b, ACT_DONE);
	b.seen.canary.ready = b.seen.canary.ready_new = 1;
	for (int i = 0; i < 20; i++)
		next(&b, 500);
	assert_non_null(strstr(b.out.waiting.what, "1 of 2 endpoints ready"));
	assert_int_equal(b.r->records[1].settled_ms, 0);
	b.seen.canary.ready = b.seen.canary.ready_new = 2;
	for (int i = 0; i < 4; i++)
		next(&b, 500);
	assert_true(b.r->records[1].settled_ms > 0);
	assert_int_equal(b.seen.route.weight, 0);
	until(&b, ACT_WEIGHT, 50);
	assert_true(b.at.now_ms >= b.r->records[1].settled_ms + 9000);
	end(&b);
}

/* --- a stable side that shrinks ----------------------------------------------------------------
 */

static void
a_whole_rollout(void **state)
{
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_WEIGHT, 50);
	assert_int_equal(b.seen.stable.replicas, 4); /* 25 leaves 95 percent: four of four */
	assert_int_equal(b.seen.canary.replicas, 3); /* its half, and head room */
	answer(&b, ACT_DONE);
	int64_t weighed_ms = b.at.now_ms;
	until(&b, ACT_SCALE_STABLE, 3);
	assert_true(b.at.now_ms >= weighed_ms + 4000); /* drain (law 3) */
	assert_int_equal(b.r->records[b.r->stage].settled_ms, 0);
	answer(&b, ACT_DONE);
	assert_int_equal(b.r->stable, 3);
	until(&b, ACT_SCALE_STABLE, 2); /* at 100: what carries everything in need */
	assert_int_equal(b.seen.route.weight, 100);
	answer(&b, ACT_DONE);
	until(&b, ACT_SET_IMAGE, 0); /* what grows is of the new image */
	assert_int_equal(b.seen.stable.replicas, 2);
	answer(&b, ACT_DONE);
	finish(&b, PHASE_SUCCEEDED, (const int[]){4, 0});
	end(&b);
}

static void
the_plan_says_it(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	const struct climb *ladder = &b.r->ladder;
	assert_int_equal(ladder->stages[1].target.stable, 95);
	assert_int_equal(ladder->stages[2].target.stable, 70);
	assert_int_equal(ladder->stages[2].target.canary, 70);
	assert_int_equal(ladder->stages[3].target.stable, 50);
	assert_int_equal(ladder->stages[4].target.stable, 0);
	end(&b);
}

/* Its endpoints have to be there for its own share and the head room, too. */
static void
nothing_is_given_up_to_a_canary_without_head_room(void **state)
{
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_WEIGHT, 50);
	answer(&b, ACT_DONE);
	b.seen.canary.ready = b.seen.canary.ready_new = 2; /* of three; carries its half */
	for (int i = 0; i < 20; i++)
		next(&b, 500);
	expect_act(&b, ACT_NONE, 0);
	assert_non_null(strstr(b.out.waiting.what, "2 of 3 endpoints ready"));
	end(&b);
}

/* All of the traffic goes in the first write, as from a whole stable side; then it grows, then the
 * canary goes. */
static void
an_abort_moves_all_and_then_grows(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	abort_now(&b);
	expect_act(&b, ACT_WEIGHT, 0);
	answer(&b, ACT_DONE);
	next(&b, 100);
	expect_act(&b, ACT_NONE, 0); /* law 4: alone, until the mesh has it */
	finish(&b, PHASE_ABORTED, (const int[]){4, 0});
	end(&b);
}

/* Where the stable side cannot carry all, the rest waits for it to grow, at a canary that serves.
 */
static void
an_abort_grows_first_what_cannot_carry_it(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	b.seen.stable.ready = 1;
	abort_now(&b);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	answer(&b, ACT_DONE);
	b.seen.stable.ready = 1;
	next(&b, 100);
	expect_act(&b, ACT_NONE, 0);
	b.seen.stable.ready = 2;
	next(&b, 100);
	expect_act(&b, ACT_WEIGHT, 0);
	end(&b);
}

/* But not at one that is dead. */
static void
an_abort_waits_for_nothing_at_a_dead_canary(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	b.seen.stable.ready = 1;
	b.seen.canary.ready = b.seen.canary.ready_new = 0;
	abort_now(&b);
	expect_act(&b, ACT_WEIGHT, 0);
	end(&b);
}

/* Going forward: the traffic leaves it, and the stable side gets back what it had given up. */
static void
it_grows_when_the_canary_dies(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	b.seen.canary.ready = b.seen.canary.ready_new = 0;
	next(&b, 100);
	expect_act(&b, ACT_WEIGHT, 0);
	answer(&b, ACT_DONE);
	next(&b, 100);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	answer(&b, ACT_DONE);
	b.seen.canary.ready = b.seen.canary.ready_new = 3;
	until(&b, ACT_WEIGHT, 50);
	answer(&b, ACT_DONE);
	until(&b, ACT_SCALE_STABLE, 3);
	end(&b);
}

/* A canary pod that is away for a moment is within the head room. */
static void
it_does_not_flap_with_the_canary(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	int64_t settled_ms = b.r->records[b.r->stage].settled_ms;
	b.seen.canary.ready = b.seen.canary.ready_new = 2;
	next(&b, 100);
	next(&b, 100);
	expect_act(&b, ACT_NONE, 0);
	assert_int_equal(b.r->records[b.r->stage].settled_ms, settled_ms);
	b.seen.canary.ready = b.seen.canary.ready_new = 1;
	next(&b, 100);
	expect_act(&b, ACT_WEIGHT, 25); /* what it carries still */
	answer(&b, ACT_DONE);
	next(&b, 0);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	end(&b);
}

/* An abort does not wait for the answer to a write that leaves what carries everything. */
static void
an_abort_does_not_wait_for_a_shrinking_that_is_under_way(void **state)
{
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_SCALE_STABLE, 3);
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	b.at.under_way = true;
	next(&b, 100);
	expect_act(&b, ACT_WEIGHT, 0);
	answer(&b, ACT_DONE);
	b.at.under_way = false;
	finish(&b, PHASE_ABORTED, (const int[]){0}); /* it never came */
	end(&b);
}

/* And what it does when it comes after that is taken back. */
static void
a_shrinking_that_was_overtaken_is_taken_back(void **state)
{
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_SCALE_STABLE, 3);
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	b.at.under_way = true;
	next(&b, 100);
	expect_act(&b, ACT_WEIGHT, 0);
	answer(&b, ACT_DONE);
	rehearse_act(&b.seen, b.r, &(struct act){.kind = ACT_SCALE_STABLE, .number = 3});
	b.at.under_way = false;
	finish(&b, PHASE_ABORTED, (const int[]){4, 0});
	end(&b);
}

/* Nobody answered, and it comes when the abort is nearly over. */
static void
a_shrinking_that_comes_late_is_taken_back(void **state)
{
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_SCALE_STABLE, 3);
	answer(&b, ACT_UNKNOWN);
	abort_now(&b);
	expect_act(&b, ACT_WEIGHT, 0);
	answer(&b, ACT_DONE);
	for (int i = 0; i < 8; i++)
		next(&b, 500);
	expect_act(&b, ACT_NONE, 0);
	rehearse_act(&b.seen, b.r, &(struct act){.kind = ACT_SCALE_STABLE, .number = 3});
	finish(&b, PHASE_ABORTED, (const int[]){4, 0});
	end(&b);
}

/* --- others ------------------------------------------------------------------------------------
 */

static void
another_size_is_noticed_and_held(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	rehearse_act(&b.seen, b.r, &(struct act){.kind = ACT_SCALE_STABLE, .number = 4});
	str_copy(b.seen.stable.sized_by, APP_NAME, "argocd");
	next(&b, 100);
	expect_act(&b, ACT_NONE, 0);
	assert_string_equal(b.out.waiting.object, "Deployment shop/web");
	assert_non_null(strstr(b.out.waiting.what, "stable size is 4, airisd left 3"));
	assert_non_null(strstr(b.out.waiting.what, "argocd"));
	fold(&b, EVENT_COMMAND, json_pack("{s:s}", "name", "retry"));
	until(&b, ACT_SCALE_STABLE, 3);
	end(&b);
}

/* Somebody took the canary away, which is held; the stable side has the traffic, so it gets its
 * size back all the same. */
static void
it_grows_while_an_edit_is_held(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	b.seen.canary.replicas = b.seen.canary.ready = b.seen.canary.ready_new = 0;
	next(&b, 100);
	expect_act(&b, ACT_WEIGHT, 0);
	answer(&b, ACT_DONE);
	next(&b, 100);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	answer(&b, ACT_DONE);
	next(&b, 100);
	expect_act(&b, ACT_NONE, 0);
	assert_non_null(strstr(b.out.waiting.what, "canary size is 0, airisd left 3"));
	end(&b);
}

/* Theirs stays theirs: home makes it no smaller. */
static void
an_abort_leaves_what_others_made_larger(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	rehearse_act(&b.seen, b.r, &(struct act){.kind = ACT_SCALE_STABLE, .number = 6});
	abort_now(&b);
	for (int i = 0; i < 100 && !phase_final(b.r->phase); i++) {
		assert_true(b.out.act.kind != ACT_SCALE_STABLE);
		if (b.out.act.kind != ACT_NONE)
			answer(&b, ACT_DONE);
		next(&b, 500);
	}
	assert_int_equal(b.r->phase, PHASE_ABORTED);
	assert_int_equal(b.seen.stable.replicas, 6);
	end(&b);
}

static void
what_others_made_larger_before_is_not_shrunk(void **state)
{
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_CREATE_CANARY, 2);
	answer(&b, ACT_DONE);
	rehearse_act(&b.seen, b.r, &(struct act){.kind = ACT_SCALE_STABLE, .number = 8});
	for (int i = 0; i < 400 && !phase_final(b.r->phase); i++) {
		next(&b, 500);
		assert_true(b.out.act.kind != ACT_SCALE_STABLE);
		if (b.out.act.kind != ACT_NONE)
			answer(&b, ACT_DONE);
	}
	assert_int_equal(b.r->phase, PHASE_SUCCEEDED);
	assert_int_equal(b.seen.stable.replicas, 8);
	end(&b);
}

/* It may have the stable side that we made smaller: replicas are written no more. */
static void
an_hpa_that_comes_owns_it(void **state)
{
	struct bench b;
	(void)state;
	be_shrunk(&b);
	b.seen.hpa = (struct hpa_seen){.exists = true, .name = "web", .min = 1, .max = 9};
	b.seen.stable.replicas = 5;
	b.seen.stable.pods = b.seen.stable.updated = b.seen.stable.ready = 5;
	for (int i = 0; i < 400 && !phase_final(b.r->phase); i++) {
		next(&b, 500);
		assert_true(b.out.act.kind != ACT_SCALE_STABLE);
		if (b.out.act.kind != ACT_NONE)
			answer(&b, ACT_DONE);
	}
	assert_int_equal(b.r->phase, PHASE_SUCCEEDED);
	assert_int_equal(b.seen.stable.replicas, 5);
	end(&b);
}

static void
an_autoscaler_is_refused_at_the_start(void **state)
{
	static const char *const says[] = {
	    "HorizontalPodAutoscaler shop/web-auto sizes", "ScaledObject shop/web-auto sizes"};
	(void)state;
	for (int keda = 0; keda < 2; keda++) {
		struct bench b;
		start(&b, SHRINKS);
		b.seen.hpa = (struct hpa_seen){
		    .exists = true, .keda = keda, .name = "web-auto", .min = 1, .max = 9};
		for (int i = 0; i < 4; i++)
			move(&b);
		assert_int_equal(b.r->phase, PHASE_ABORTED);
		assert_non_null(strstr(b.r->reason, says[keda]));
		assert_non_null(strstr(b.r->reason, "leave shrinkStable out"));
		end(&b);
	}
}

/* Nor while istiod is away: proxies would not hear of the pods that go. */
static void
nothing_shrinks_unheard(void **state)
{
	struct mesh_asking asking = {.way = {MESH_ISTIOD, MESH_ISTIOD, MESH_ISTIOD, MESH_ISTIOD}};
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_SCALE_STABLE, 3);
	answer(&b, ACT_UNREACHED);
	b.at.mesh = &asking;
	next(&b, 31000);
	expect_act(&b, ACT_NONE, 0);
	assert_true(b.out.ask_mesh);
	assert_non_null(strstr(b.out.waiting.what, "pods that serve would go"));
	asking.heard_ms = b.at.now_ms;
	next(&b, 100);
	expect_act(&b, ACT_SCALE_STABLE, 3);
	end(&b);
}

/* Asked again when it is sent. */
static void
a_shrinking_is_not_sent_when_the_canary_lacks_pods(void **state)
{
	struct bench b;
	(void)state;
	start(&b, SHRINKS);
	until(&b, ACT_SCALE_STABLE, 3);
	struct view view = {.rollout = b.r, .seen = &b.seen};
	assert_true(act_is_safe(&view, &b.out.act));
	b.seen.canary.ready = 1;
	assert_false(act_is_safe(&view, &b.out.act));
	b.seen.canary.ready = 3;
	b.seen.route.weight = 25;
	assert_false(act_is_safe(&view, &b.out.act));
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_size_is_there_before_the_weight_and_stays),
	    cmocka_unit_test(a_canary_without_traffic),
	    cmocka_unit_test(a_whole_rollout),
	    cmocka_unit_test(the_plan_says_it),
	    cmocka_unit_test(nothing_is_given_up_to_a_canary_without_head_room),
	    cmocka_unit_test(an_abort_moves_all_and_then_grows),
	    cmocka_unit_test(an_abort_grows_first_what_cannot_carry_it),
	    cmocka_unit_test(an_abort_waits_for_nothing_at_a_dead_canary),
	    cmocka_unit_test(it_grows_when_the_canary_dies),
	    cmocka_unit_test(it_does_not_flap_with_the_canary),
	    cmocka_unit_test(an_abort_does_not_wait_for_a_shrinking_that_is_under_way),
	    cmocka_unit_test(a_shrinking_that_was_overtaken_is_taken_back),
	    cmocka_unit_test(a_shrinking_that_comes_late_is_taken_back),
	    cmocka_unit_test(another_size_is_noticed_and_held),
	    cmocka_unit_test(it_grows_while_an_edit_is_held),
	    cmocka_unit_test(an_abort_leaves_what_others_made_larger),
	    cmocka_unit_test(what_others_made_larger_before_is_not_shrunk),
	    cmocka_unit_test(an_hpa_that_comes_owns_it),
	    cmocka_unit_test(an_autoscaler_is_refused_at_the_start),
	    cmocka_unit_test(nothing_shrinks_unheard),
	    cmocka_unit_test(a_shrinking_is_not_sent_when_the_canary_lacks_pods),
	};
	return cmocka_run_group_tests_name("shrink", tests, NULL, NULL);
}
