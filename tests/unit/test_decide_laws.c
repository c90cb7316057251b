/* decide: moments in which a law of the design was once broken, each found by the model checker
 * (tests/model). */
#include "decide_bench.h"

static int attempts; /* of the bench's rollout */

static inline void
intend(struct bench *b, const char *act, int number, const char *text, bool urgent)
{
	attempts = (int)b->r->attempt.number + 1;
	fold(b, EVENT_ACT,
	    json_pack("{s:i, s:s, s:i, s:s, s:b}", "attempt", attempts, "act", act, "number",
		number, "text", text, "urgent", urgent));
}

static inline void
answered(struct bench *b, int attempt, const char *outcome)
{
	fold(b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", attempt, "outcome", outcome));
}

static inline void
done(struct bench *b, const char *act, int number, const char *text)
{
	intend(b, act, number, text, false);
	answered(b, attempts, "done");
}

/* Half of the traffic is on the canary's two pods, and everybody knows. */
static inline void
be_at_fifty(struct bench *b)
{
	be_ready_for_fifty(b);
	done(b, "weight", 50, "");
	b->seen.route.weight = 50;
	b->seen.route.names_canary = true;
	move(b);
	b->at.now_ms += 1000; /* mesh.settle */
	move(b);
	b->seen.verified_ms = b->at.now_ms;
	assert_int_equal(b->r->taken, 50);
}

static inline void
send_home(struct bench *b)
{
	fold(b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
}

/* Law 4: a canary of which some pods died keeps nothing of it. */
static void
an_abort_moves_all_traffic_in_its_first_write(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_at_fifty(&b);
	b.seen.canary.ready = b.seen.canary.ready_new = 1;
	send_home(&b);
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_WEIGHT);
	assert_int_equal(b.out.act.number, 0);
	end(&b);
}

/* Laws 4 and 5: it is the canary that a person flees from; it does not get more traffic because
 * somebody has also changed the stable image. */
static void
an_abort_after_a_foreign_image_moves_traffic_home_first(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_at_fifty(&b);
	str_copy(b.seen.stable.image, APP_IMAGE, "web:7");
	b.seen.stable.updated = 1;
	send_home(&b);
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_WEIGHT);
	assert_int_equal(b.out.act.number, 0);
	answered(&b, (int)b.r->attempt.number, "done");
	b.seen.route.weight = 0;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE); /* alone until it is taken */
	b.at.now_ms += 1000;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_SET_IMAGE);
	assert_string_equal(b.out.act.text, "web:1");
	end(&b);
}

/* I6: waiting for an answer is waiting, too, and so is waiting for the cluster. */
static void
a_breach_acts_while_a_write_is_not_answered(void **state)
{
	static const char gates[] =
	    ", gates: [{name: g, prometheus: {query: up, pass: '> 0'}, failures: 0}]";
	(void)state;
	for (int stale = 0; stale < 2; stale++) {
		struct bench b;
		begin(&b, gates);
		be_at_fifty(&b);
		if (stale)
			b.seen.fresh = false;
		else
			intend(&b, "scale_canary", 4, "web:2", false);
		fold(&b, EVENT_MEASURED, json_pack("{s:s, s:s}", "gate", "g", "verdict", "fail"));
		b.at.under_way = !stale;
		move(&b);
		assert_int_equal(b.r->phase, PHASE_ABORTING);
		assert_int_equal(b.out.act.kind, ACT_WEIGHT);
		assert_int_equal(b.out.act.number, 0);
		end(&b);
	}
}

/* Law 1: a pod that went and came while a write hung is new to the mesh. */
static void
pods_are_noted_while_a_write_is_not_answered(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_at_fifty(&b);
	intend(&b, "weight", 100, "", false);
	b.seen.canary.ready = 0;
	b.seen.route.weight = 100; /* whose that is shows the answer */
	move(&b);
	assert_int_equal(b.r->sides[SIDE_CANARY].ready, 0);
	assert_int_equal(b.r->seen, 50);
	b.seen.canary.ready = 2;
	move(&b);
	assert_int_equal(b.r->sides[SIDE_CANARY].ready, 2);
	assert_false(rollout_taken(b.r, MESH_CANARY));
	assert_int_equal(b.out.act.kind, ACT_NONE);
	end(&b);
}

/* Law 2: pods that nobody saw getting ready may be known to the mesh; the route goes home when it
 * knows that they are gone. */
static void
a_deleted_canary_is_news_for_the_mesh(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_ready_for_fifty(&b);
	b.seen.canary.ready = 0;
	move(&b);
	b.at.now_ms += 5000;
	move(&b);
	assert_true(rollout_taken(b.r, MESH_CANARY));
	send_home(&b);
	b.seen.route.names_canary = true;
	move(&b);
	/* Somebody may have sent traffic to it while the watch was silent: looked at before. */
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_true(b.out.verify);
	b.seen.verified_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_DELETE_CANARY);
	b.seen.canary = (struct workload_seen){0}; /* it got ready and went, unseen */
	answered(&b, (int)b.r->attempt.number, "done");
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_non_null(strstr(b.out.waiting.what, "the canary's pods are gone"));
	b.at.now_ms += 5000;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_ROUTE_HOME);
	end(&b);
}

/* I12: it says what a person can do, and does not write to what is not there. */
static void
a_route_that_is_gone_is_named_before_subsets_are(void **state)
{
	(void)state;
	struct bench b;
	begin_in(&b, "subset", "");
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_ADD_SUBSETS);
	answered(&b, 1, "done");
	b.seen.subsets = (struct subsets_seen){
	    .exists = true, .ours = true, .stable = true, .canary = true, .stable_fits = true};
	b.seen.route = (struct route_seen){.exists = false};
	b.at.now_ms += 5000;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_non_null(strstr(b.out.waiting.next, "apply it again"));
	end(&b);
}

/* I5: the release is promoted and all traffic is back, when the stable pods die. */
static void
the_only_healthy_side_is_not_cleaned_away(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_at_fifty(&b);
	done(&b, "set_image", 0, "web:2");
	done(&b, "weight", 0, "");
	fold(&b, EVENT_STAGE, json_pack("{s:i}", "index", b.r->ladder.count - 1));
	str_copy(b.seen.stable.image, APP_IMAGE, "web:2");
	b.seen.route.weight = 0;
	b.seen.stable.ready = b.seen.stable.ready_new = 1;
	move(&b);
	b.at.now_ms += 5000;
	b.seen.verified_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_string_equal(b.out.waiting.object, "Deployment shop/web");
	b.seen.stable.ready = b.seen.stable.ready_new = 2;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_DELETE_CANARY);
	end(&b);
}

/* Law 2: what is removed next depends on what the mesh has of that write. */
static void
a_late_write_of_the_routing_is_waited_for(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_at_fifty(&b);
	assert_true(rollout_taken(b.r, MESH_ROUTING));
	intend(&b, "route_home", 0, "", false);
	int overtaken = attempts;
	send_home(&b);
	intend(&b, "weight", 0, "", true);
	b.at.now_ms += 1000;
	answered(&b, overtaken, "done");
	assert_false(rollout_taken(b.r, MESH_ROUTING));
	assert_true(b.r->attempt.pending); /* that of the abort is not answered by it */
	end(&b);
}

static void
a_write_of_unknown_outcome_counts_as_one(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_at_fifty(&b);
	assert_true(rollout_taken(b.r, MESH_ROUTING) && !b.r->rolled);
	intend(&b, "route_home", 0, "", false);
	b.at.now_ms += 1000;
	answered(&b, attempts, "unknown");
	assert_false(rollout_taken(b.r, MESH_ROUTING));
	intend(&b, "set_image", 0, "web:2", false);
	answered(&b, attempts, "unknown");
	assert_true(b.r->rolled);
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_abort_moves_all_traffic_in_its_first_write),
	    cmocka_unit_test(an_abort_after_a_foreign_image_moves_traffic_home_first),
	    cmocka_unit_test(a_breach_acts_while_a_write_is_not_answered),
	    cmocka_unit_test(pods_are_noted_while_a_write_is_not_answered),
	    cmocka_unit_test(a_deleted_canary_is_news_for_the_mesh),
	    cmocka_unit_test(a_route_that_is_gone_is_named_before_subsets_are),
	    cmocka_unit_test(the_only_healthy_side_is_not_cleaned_away),
	    cmocka_unit_test(a_late_write_of_the_routing_is_waited_for),
	    cmocka_unit_test(a_write_of_unknown_outcome_counts_as_one),
	};
	return cmocka_run_group_tests_name("decide and the laws", tests, NULL, NULL);
}
