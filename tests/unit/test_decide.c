/* decide: one move at a time, from a state, what is seen and the hour. */
#include "decide_bench.h"

static void
it_begins_with_one_act(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	move(&b);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	assert_int_equal(b.out.act.kind, ACT_CREATE_SERVICE);
	assert_true(says(&b, EVENT_ACT)); /* the intent is among the events */
	move(&b);			  /* nothing more before its answer */
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_int_equal(b.out.events.count, 0);
	end(&b);
}

static void
who_is_second_waits(void **state) /* F58, I9 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	b.at.before = "r-first";
	move(&b);
	assert_int_equal(b.r->phase, PHASE_QUEUED);
	assert_non_null(strstr(b.out.waiting.what, "r-first"));
	b.at.before = NULL;
	move(&b);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	end(&b);
}

static void
who_is_superseded_goes_home_from_every_phase(void **state) /* F58 */
{
	static const enum phase phases[] = {
	    PHASE_QUEUED, PHASE_PROGRESSING, PHASE_PAUSED, PHASE_ABORTING, PHASE_FAILED};
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct bench b;
		begin(&b, "");
		if (phases[i] != PHASE_QUEUED)
			move(&b);
		if (phases[i] == PHASE_FAILED)
			fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
		if (b.r->phase != phases[i])
			fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", phase_name(phases[i])));
		b.at.superseded_by = "r-new";
		move_once(&b);
		assert_true(says(&b, EVENT_SUPERSEDED));
		for (int k = 0; k < b.out.events.count; k++)
			fold(&b, b.out.events.list[k].kind, json_incref(b.out.events.list[k].data));
		assert_int_equal(b.r->phase, PHASE_ABORTING);
		assert_string_equal(b.r->superseded_by, "r-new");
		b.at.superseded_by = "r-newer"; /* said once */
		move_once(&b);
		assert_false(says(&b, EVENT_SUPERSEDED));
		end(&b);
	}
}

static void
an_end_is_an_end(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	move(&b); /* nothing was done: nothing has to be looked at */
	assert_int_equal(b.r->phase, PHASE_ABORTED);
	b.at.superseded_by = "r-new";
	move_once(&b);
	assert_int_equal(b.out.events.count, 0);
	assert_int_equal(b.out.wake_ms, 0);
	end(&b);
}

static void
no_replicas(struct observed *seen)
{
	seen->stable.replicas = seen->stable.ready = 0;
}

static void
none_ready(struct observed *seen)
{
	seen->stable.ready = 0;
}

static void
foreign_canary(struct observed *seen)
{
	seen->canary.exists = true;
}

static void
no_service(struct observed *seen)
{
	seen->service = false;
}

static void
no_route(struct observed *seen)
{
	seen->route.exists = false;
}

static void
odd_route(struct observed *seen)
{
	seen->route.fits = false;
	str_copy(seen->route.why_not, sizeof(seen->route.why_not), "two routes fit");
}

static void
weighed_already(struct observed *seen)
{
	seen->route.weight = 7;
}

static void
odd_rule(struct observed *seen)
{
	str_copy(seen->subsets.why_not, sizeof(seen->subsets.why_not), "two rules fit");
}

static void
not_allowed(struct observed *seen)
{
	str_copy(seen->preflight, sizeof(seen->preflight), "may not patch");
}

static void
what_forbids_the_start_aborts_it_with_the_reason(void **state)
{
	static const struct {
		void (*spoil)(struct observed *seen);
		const char *mode, *why;
	} table[] = {{no_replicas, "host", "Deployment shop/web has 0 replicas"},
	    {none_ready, "host", "Deployment shop/web has no ready endpoint in Service web"},
	    {foreign_canary, "host",
		"Deployment shop/web-canary exists and airisd did not make it"},
	    {no_service, "host", "Service shop/web does not exist"},
	    {no_route, "host", "preflight: VirtualService shop/web does not exist"},
	    {odd_route, "host", "two routes fit"},
	    {weighed_already, "host", "already gives the canary 7 percent"},
	    {odd_rule, "subset", "two rules fit"}, {not_allowed, "host", "may not patch"}};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bench b;
		begin_in(&b, table[i].mode, "");
		table[i].spoil(&b.seen);
		move(&b);
		assert_int_equal(b.r->phase, PHASE_ABORTED);
		if (strstr(b.r->reason, table[i].why) == NULL)
			fail_msg("%s: %s", table[i].why, b.r->reason);
		assert_true(b.r->attempt.number == 0); /* nothing was written */
		end(&b);
	}
}

/* Made by others while it is under way: it is neither taken over nor written to. */
static void
a_foreign_canary_or_a_route_that_fits_no_more_is_left_alone(void **state) /* I11 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	move(&b);
	fold(&b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 1, "outcome", "done"));
	b.seen.canary_service = b.seen.canary_service_ours = true;
	b.seen.canary.exists = true;
	b.at.now_ms += 5000;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_string_equal(b.out.waiting.object, "Deployment shop/web-canary");
	end(&b);
	begin(&b, "");
	be_ready_for_fifty(&b);
	odd_route(&b.seen);
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_non_null(strstr(b.out.waiting.what, "two routes fit"));
	end(&b);
}

static void
nothing_begins_on_stale_caches(void **state) /* F57 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	b.seen.fresh = false;
	b.seen.route.exists = b.seen.stable.exists = false; /* not known, not absent */
	str_copy(b.seen.stale, sizeof(b.seen.stale), "leader changed");
	move(&b);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	assert_false(b.r->compiled);
	assert_non_null(strstr(b.out.waiting.what, "leader changed"));
	end(&b);
}

static void
what_cannot_be_taken_back_is_verified_first(void **state) /* F57, F63 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_ready_for_fifty(&b);
	move(&b);
	assert_true(b.out.verify);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_true(b.out.wake_ms > b.at.now_ms);
	b.seen.verified_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_WEIGHT);
	assert_int_equal(b.out.act.number, 50);
	end(&b);
}

static void
an_old_generation_is_no_completion(void **state) /* F60 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_ready_for_fifty(&b);
	fold(&b, EVENT_STAGE, json_pack("{s:i}", "index", b.r->ladder.full + 1)); /* promote */
	b.seen.route.weight = 100;
	b.seen.route.names_canary = true;
	fold(&b, EVENT_ACT,
	    json_pack("{s:i, s:s, s:i}", "attempt", 3, "act", "weight", "number", 100));
	fold(&b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 3, "outcome", "done"));
	b.seen.canary.replicas = b.seen.canary.ready = 4;
	fold(&b, EVENT_ACT,
	    json_pack("{s:i, s:s, s:i}", "attempt", 4, "act", "scale_canary", "number", 4));
	fold(&b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 4, "outcome", "done"));
	fold(&b, EVENT_ACT,
	    json_pack("{s:i, s:s, s:s}", "attempt", 5, "act", "set_image", "text", "web:2"));
	fold(&b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 5, "outcome", "done"));
	str_copy(b.seen.stable.image, APP_IMAGE, "web:2");
	b.seen.stable.ready_new = 4;
	b.seen.stable.observed = false; /* its status is of the template before */
	b.at.now_ms += 5000;
	b.seen.verified_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.r->stage, b.r->ladder.full + 1);
	assert_int_equal(b.r->records[b.r->stage].settled_ms, 0);
	b.seen.stable.observed = true;
	move(&b);
	assert_true(b.r->stage > b.r->ladder.full + 1);
	end(&b);
}

static void
it_never_asks_to_be_woken_in_the_past(void **state) /* F59 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_ready_for_fifty(&b);
	b.seen.canary.ready = 1;
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "paused"));
	for (int i = 0; i < 50; i++) {
		move(&b);
		assert_true(b.out.wake_ms == 0 || b.out.wake_ms > b.at.now_ms);
		b.at.now_ms += 7000;
	}
	assert_int_equal(b.r->phase, PHASE_PAUSED);
	end(&b);
}

/* Another airisd may write: not even the canary's traffic is taken away. */
static void
nothing_is_done_behind_a_fence(void **state) /* I9 */
{
	(void)state;
	struct bench b;
	struct fence_seen shut = {.why = "another holds it", .object = "Lease a/b", .other = true};
	begin(&b, "");
	b.seen.fence = shut;
	move(&b);
	assert_false(b.r->compiled); /* what is seen may be half of something */
	assert_string_equal(b.out.waiting.object, "Lease a/b");
	b.seen.fence.why[0] = '\0';
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_CREATE_SERVICE);
	b.seen.fence = shut;
	b.seen.route.weight = 50;
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_string_equal(b.out.waiting.what, "another holds it");
	assert_true(b.r->fenced);
	b.at.now_ms += 5000;
	b.seen.fence.why[0] = '\0';
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_WEIGHT);
	assert_int_equal(b.out.act.number, 0);
	assert_false(b.r->fenced);
	assert_true(b.r->back_ms == b.at.now_ms);
	end(&b);
}

static void
an_abort_waits_for_what_it_overtook(void **state) /* F42, F49 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	move(&b);
	assert_true(b.r->attempt.pending);
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	b.at.under_way = true;
	move(&b);
	assert_int_equal(b.r->phase, PHASE_ABORTING);
	assert_non_null(strstr(b.out.waiting.what, "no answer yet"));
	fold(&b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 1, "outcome", "done"));
	/* another one is still under way */
	move(&b);
	assert_int_equal(b.r->phase, PHASE_ABORTING);
	b.at.under_way = false;
	b.seen.canary_service = b.seen.canary_service_ours = true;
	b.at.now_ms += 5000;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_DELETE_SERVICE);
	assert_true(b.out.act.urgent);
	end(&b);
}

/* A watch may not have told of everything yet. */
static void
home_is_looked_at_directly_before_it_counts(void **state) /* F42 */
{
	(void)state;
	struct bench b;
	begin(&b, "");
	move(&b);
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	b.at.now_ms += 5000;
	fold(&b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 1, "outcome", "unreached"));
	b.seen.verified_ms = b.at.now_ms - 1;
	move(&b);
	assert_int_equal(b.r->phase, PHASE_ABORTING);
	assert_true(b.out.verify);
	b.seen.verified_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.r->phase, PHASE_ABORTED);
	end(&b);
}

/* Pods that are not ready: the stage's deadline runs from the return, not from before. */
static void
time_that_passed_while_away_was_not_waited(void **state)
{
	(void)state;
	struct bench b;
	begin(&b, "");
	be_ready_for_fifty(&b);
	b.seen.canary.ready = b.seen.canary.ready_new = 0;
	move(&b);
	b.at.now_ms += 3600 * 1000;
	b.at.back_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	assert_int_equal(b.out.waiting.until_ms, b.at.now_ms + 60000);
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_begins_with_one_act),
	    cmocka_unit_test(who_is_second_waits),
	    cmocka_unit_test(who_is_superseded_goes_home_from_every_phase),
	    cmocka_unit_test(an_end_is_an_end),
	    cmocka_unit_test(what_forbids_the_start_aborts_it_with_the_reason),
	    cmocka_unit_test(a_foreign_canary_or_a_route_that_fits_no_more_is_left_alone),
	    cmocka_unit_test(nothing_begins_on_stale_caches),
	    cmocka_unit_test(what_cannot_be_taken_back_is_verified_first),
	    cmocka_unit_test(an_old_generation_is_no_completion),
	    cmocka_unit_test(it_never_asks_to_be_woken_in_the_past),
	    cmocka_unit_test(nothing_is_done_behind_a_fence),
	    cmocka_unit_test(an_abort_waits_for_what_it_overtook),
	    cmocka_unit_test(home_is_looked_at_directly_before_it_counts),
	    cmocka_unit_test(time_that_passed_while_away_was_not_waited),
	};
	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
