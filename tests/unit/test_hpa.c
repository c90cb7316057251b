/* Sizes that others change while a release is under way: an HPA in every state (F34), and a person
 * or an HPA that has made the stable side smaller than it was before an abort (F44). */
#include "decide_bench.h"
#include "model/pace.h"
#include "model/rehearse.h"

#define APP(traffic, strategy)                                                                     \
	"{kind: App, name: web, namespace: shop, workload: {name: web}, " traffic                  \
	"gates: [{name: errors, prometheus: {query: up, pass: '> 0'}}],\n strategy: {" strategy    \
	"}}"
#define CANARY                                                                                     \
	APP("traffic: {istio: {virtualService: web}}, ",                                           \
	    "canary: {weights: [25, 50, 100], hold: 3s, drain: 1s, deadline: 1m}")
#define BLUE_GREEN                                                                                 \
	APP("traffic: {service: {}}, ",                                                            \
	    "blueGreen: {hold: 3s, drain: 1s, deadline: 1m, watch: 20s, keep: 10s}")
#define ROLLING APP("", "rolling: {batches: [1, 50%, 100%], surge: 1, steady: 2s, deadline: 1m}")

static unsigned dice;

static unsigned
pick(unsigned sides)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) % sides;
}

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
	str_copy(b->seen.stable.name, APP_NAME, "web");
	str_copy(b->seen.canary.name, APP_NAME, strstr(text, "blueGreen") ? "web-green" : "");
	b->seen.stable.pace = (struct pace){"25%", "25%", -1, 600, false, 0, false, false};
	b->seen.route.accepted = true;
	b->seen.hpa = (struct hpa_seen){.exists = true, .name = "web", .min = 2, .max = 9};
	b->at = (struct situation){
	    .rollout = b->r, .seen = &b->seen, .now_ms = 1000000, .settle_ms = 1000};
	fold(b, EVENT_CREATED,
	    json_pack("{s:o, s:o}", "app", spec, "release", release_json(&release)));
}

/* Its pods are there and ready at once; one that is held in a batch keeps to it. */
static void
resize(struct workload_seen *seen, int size)
{
	int fresh = seen->ready_new > size ? size : seen->ready_new;
	bool held = pace_is_held(&seen->pace);
	int old = size - (held ? pace_gone(&seen->pace, 4) : 0);
	bool all = seen->ready_new > 0 && seen->ready_new == seen->ready;
	seen->replicas = size;
	seen->ready_new = all ? size : fresh;
	seen->pods = seen->ready = held ? (old > 0 ? old : 0) + fresh : size;
	seen->updated = held ? fresh : size;
}

/* The HPA's own mind: anything within its bounds, or down to KEDA's idle count; what rests is left
 * alone. */
static void
hpa_moves(struct bench *b)
{
	const struct hpa_seen *hpa = &b->seen.hpa;
	struct workload_seen *scaled = hpa->on_canary ? &b->seen.canary : &b->seen.stable;
	int low = hpa->idles ? hpa->idle : hpa->min;
	if (hpa->exists && scaled->exists && scaled->replicas > 0)
		resize(scaled, low + (int)pick((unsigned)(hpa->max - low + 1)));
}

static void
act(struct bench *b)
{
	const struct act *act = &b->out.act;
	const struct observed *seen = &b->seen;
	/* Law 1, by the size that it has now. */
	bool up = act->kind == ACT_WEIGHT && act->number > seen->route.weight;
	if (up && seen->canary.ready * 100 < act->number * seen->stable.replicas)
		fail_msg("weight %d with %d of %d", act->number, seen->canary.ready,
		    seen->stable.replicas);
	/* Only a colour that has been left is scaled by us, to rest; and back again. */
	if (act->kind == ACT_SCALE_STABLE && b->r->phase == PHASE_ABORTING)
		assert_int_equal(act->number, b->r->baseline.replicas);
	else if (act->kind == ACT_SCALE_STABLE)
		assert_true(b->r->app->colours && seen->route.weight == 100 && act->number == 0 &&
			    b->r->stage == b->r->ladder.count - 1);
	if (act->kind == ACT_HPA_FLOOR) {
		assert_true(act->number >= (seen->hpa.keda ? ACT_AS_IT_WAS : 2));
		assert_string_equal(act->text, seen->hpa.keda ? "web" : "");
	}
	rehearse_act(&b->seen, b->r, act);
	fold(b, EVENT_ACTED,
	    json_pack(
		"{s:I, s:s}", "attempt", (json_int_t)b->r->attempt.number, "outcome", "done"));
}

/* One turn; false at the end. */
static bool
turn(struct bench *b)
{
	int stage = b->r->stage;
	hpa_moves(b);
	move(b);
	if (b->r->stage < stage || b->r->stage > stage + 1)
		fail_msg("from stage %d to %d", stage, b->r->stage);
	if (b->out.act.kind != ACT_NONE)
		act(b);
	if (b->r->compiled)
		fold(b, EVENT_MEASURED,
		    json_pack("{s:s, s:s}", "gate", "errors", "verdict", "pass"));
	b->at.now_ms += 2000;
	b->seen.verified_ms = b->at.now_ms;
	return !phase_final(b->r->phase);
}

static void
expect_end(const struct bench *b, unsigned seed, enum phase phase)
{
	if (b->r->phase != phase)
		fail_msg("seed %u: %s in stage %d: %s: %s; %s", seed, phase_name(b->r->phase),
		    b->r->stage, b->r->waiting.object, b->r->waiting.what, b->r->reason);
	assert_int_equal(b->seen.hpa.min, 2);
	assert_int_equal(b->seen.hpa.idles, b->seen.hpa.keda);
	assert_int_equal(b->seen.hpa.on_canary, b->r->app->colours && phase == PHASE_SUCCEEDED);
}

/* Up and down in every state, to the end or to an abort at any moment of it. */
static void
each_seed(const char *text)
{
	for (unsigned seed = 1; seed <= 300; seed++) {
		struct bench b;
		int aborts_at = seed % 3 == 0 ? (int)(seed / 3) : -1;
		dice = seed;
		start(&b, text);
		b.seen.hpa.keda = b.seen.hpa.idles = seed % 2 == 0;
		b.seen.hpa.idle = b.seen.hpa.idles;
		for (int i = 0; i < 600 && turn(&b); i++)
			if (i == aborts_at)
				fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
		bool aborted = b.r->phase_ms > 0 && b.r->phase == PHASE_ABORTED;
		expect_end(&b, seed, aborted && aborts_at >= 0 ? PHASE_ABORTED : PHASE_SUCCEEDED);
		end(&b);
	}
}

static void
F34_an_hpa_moves_in_every_state_of_a_canary(void **state)
{
	(void)state;
	each_seed(CANARY);
}

static void
F34_an_hpa_moves_in_every_state_of_a_blue_green_release(void **state)
{
	(void)state;
	each_seed(BLUE_GREEN);
}

static void
F34_an_hpa_moves_in_every_state_of_a_rolling_release(void **state)
{
	(void)state;
	each_seed(ROLLING);
}

/* Its controller is behind the HPA, and there are old pods too many for a moment. */
static void
F34_a_hold_goes_on_while_an_hpa_moves(void **state)
{
	struct bench b;
	(void)state;
	start(&b, APP("", "rolling: {batches: [1, 100%], surge: 1, steady: 2s, hold: 1h}"));
	b.seen.hpa.min = 4;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_ROLL);
	act(&b);
	move(&b);
	int64_t settled_ms = b.r->records[b.r->stage].settled_ms;
	assert_true(settled_ms > 0);
	for (int size = 9; size >= 4; size--) {
		resize(&b.seen.stable, size);
		b.seen.stable.observed = size % 2 == 0;
		b.seen.stable.pods += 3;
		b.at.now_ms += 1000;
		move(&b);
		assert_int_equal(b.r->records[b.r->stage].settled_ms, settled_ms);
	}
	b.seen.stable.ready_new = 0; /* that is another matter */
	move(&b);
	assert_int_equal(b.r->records[b.r->stage].settled_ms, 0);
	end(&b);
}

#define LONG_CANARY                                                                                \
	APP("traffic: {istio: {virtualService: web}}, ",                                           \
	    "canary: {weights: [25, 100], hold: 10m, drain: 1s, deadline: 1m}")
#define LONG_COLOURS                                                                               \
	APP("traffic: {service: {}}, ", "blueGreen: {hold: 10m, drain: 1s, deadline: 1m}")

static int64_t
settled_ms(const struct bench *b)
{
	return b->r->records[1].settled_ms;
}

/* In the hold of its first stage. */
static void
hold_in(struct bench *b, const char *text)
{
	start(b, text);
	b->seen.hpa.exists = false;
	for (int i = 0; i < 12 && (b->r->stage == 0 || settled_ms(b) == 0); i++) {
		move(b);
		if (b->out.act.kind != ACT_NONE)
			act(b);
		b->at.now_ms += 2000;
		b->seen.verified_ms = b->at.now_ms;
	}
	assert_int_equal(b->r->stage, 1);
	assert_true(settled_ms(b) > 0);
}

/* The stable side has eight pods to be, the canary is to have so many; those come later. */
static void
grow_in_hold(struct bench *b, int pods)
{
	int64_t since_ms = settled_ms(b);
	b->seen.stable.replicas = b->seen.stable.pods = 8;
	b->at.now_ms += 50000; /* the deadline begins with this (F40) */
	b->seen.verified_ms = b->at.now_ms;
	move(b);
	assert_int_equal(b->out.act.kind, ACT_SCALE_CANARY);
	assert_int_equal(b->out.act.number, pods);
	assert_true(b->r->records[1].outgrown);
	fold(b, EVENT_ACTED,
	    json_pack(
		"{s:I, s:s}", "attempt", (json_int_t)b->r->attempt.number, "outcome", "done"));
	b->seen.canary.replicas = pods;
	b->at.now_ms += 55000;
	move(b);
	assert_int_equal(b->r->phase, PHASE_PROGRESSING);
	assert_int_equal(settled_ms(b), since_ms);
	assert_int_equal(b->r->relapses, 0);
}

/* A canary serves its share with as many as before. */
static void
F34_a_hold_goes_on_while_the_canary_follows(void **state)
{
	struct bench b;
	(void)state;
	hold_in(&b, LONG_CANARY);
	assert_int_equal(b.seen.route.weight, 25);
	grow_in_hold(&b, 2);
	assert_false(b.r->records[1].outgrown);
	assert_string_equal(b.out.waiting.object, "Stage");
	assert_int_equal(b.out.waiting.until_ms, settled_ms(&b) + 600000);
	end(&b);
}

/* A colour is judged when it is whole: it is not left before, however long it was held. */
static void
F34_a_hold_goes_on_while_the_idle_colour_follows(void **state)
{
	struct bench b;
	(void)state;
	hold_in(&b, LONG_COLOURS);
	int64_t since_ms = settled_ms(&b);
	b.at.now_ms = since_ms + 500000;
	grow_in_hold(&b, 8);
	assert_true(b.r->records[1].outgrown);
	assert_string_equal(b.out.waiting.object, "Deployment shop/web-green");
	b.at.now_ms = since_ms + 610000;
	b.r->progress_ms = b.at.now_ms - 1000; /* one more was ready meanwhile */
	move(&b);
	assert_int_equal(b.r->stage, 1);
	resize(&b.seen.canary, 8);
	b.seen.canary.ready_new = 8;
	fold(&b, EVENT_MEASURED, json_pack("{s:s, s:s}", "gate", "errors", "verdict", "pass"));
	move(&b);
	assert_int_equal(settled_ms(&b), since_ms);
	assert_int_equal(b.r->stage, 2);
	end(&b);
}

static void
F34_a_colour_that_cannot_follow_goes_home_at_the_deadline(void **state)
{
	struct bench b;
	(void)state;
	hold_in(&b, LONG_COLOURS);
	grow_in_hold(&b, 8);
	b.at.now_ms += 6000;
	b.seen.verified_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.r->phase, PHASE_ABORTING);
	assert_non_null(strstr(b.r->reason, "no progress in stage \"preview\" within 1m"));
	end(&b);
}

/* Fewer pods than it was reached with, or other traffic: nothing of the hold counts. */
static void
F34_what_is_lost_while_it_grows_begins_anew(void **state)
{
	struct bench b;
	(void)state;
	hold_in(&b, LONG_COLOURS);
	grow_in_hold(&b, 8);
	b.seen.canary.ready = b.seen.canary.ready_new = 3;
	move(&b);
	assert_int_equal(settled_ms(&b), 0);
	end(&b);
	hold_in(&b, LONG_CANARY);
	resize(&b.seen.stable, 8); /* all at once: the canary's one pod carries an eighth */
	b.seen.verified_ms = b.at.now_ms;
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_WEIGHT);
	assert_int_equal(b.out.act.number, 12);
	assert_int_equal(settled_ms(&b), 0);
	end(&b);
}

/* KEDA would scale the old colour up again as long as it does not know that it has left that: the
 * watch goes on, and then the old colour waits. */
static void
the_old_colour_rests_when_keda_has_left_it(void **state)
{
	struct bench b;
	struct hpa_seen *hpa = &b.seen.hpa;
	(void)state;
	start(&b, BLUE_GREEN);
	*hpa =
	    (struct hpa_seen){.exists = true, .keda = true, .name = "web", .bare = true, .max = 4};
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_HPA_FLOOR);
	assert_int_equal(b.out.act.number, 4);
	assert_string_equal(b.out.act.text, "web");
	act(&b);
	str_copy(hpa->lags, APP_NAME, "keda-hpa-s");
	move(&b);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_string_equal(b.out.waiting.object, "ScaledObject shop/web");
	hpa->lags[0] = '\0';
	for (int i = 0; i < 200 && !hpa->on_canary; i++)
		turn(&b);
	str_copy(hpa->lags, APP_NAME, "keda-hpa-s");
	for (int i = 0; i < 25; i++) {
		turn(&b);
		assert_int_equal(b.seen.stable.replicas, 4);
	}
	assert_int_equal(b.r->stage, b.r->ladder.count - 1);
	assert_string_equal(b.out.waiting.object, "ScaledObject shop/web");
	hpa->lags[0] = '\0';
	for (int i = 0; i < 200 && turn(&b); i++)
		;
	assert_int_equal(b.r->phase, PHASE_SUCCEEDED);
	assert_int_equal(b.seen.stable.replicas, 0);
	assert_true(hpa->bare && hpa->min == 0);
	end(&b);
}

/* Nothing but a person makes one grow that is paused. */
static void
one_that_is_paused_does_not_grow(void **state)
{
	struct bench b;
	(void)state;
	start(&b, CANARY);
	b.seen.hpa =
	    (struct hpa_seen){.exists = true, .keda = true, .name = "web", .min = 4, .max = 4};
	for (int i = 0; b.seen.route.weight != 50 && i < 100; i++)
		turn(&b);
	b.seen.hpa.paused = true;
	resize(&b.seen.stable, 1);
	b.r->app->abort_capacity = 100;
	fold(&b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	for (int i = 0; i < 5; i++) {
		b.at.now_ms += 2000;
		move(&b);
		if (b.out.act.kind != ACT_NONE)
			act(&b);
	}
	assert_string_equal(b.out.waiting.object, "ScaledObject shop/web");
	assert_string_equal(b.out.waiting.next, "resume it: then the traffic goes home");
	end(&b);
}

/* --- F44: the stable side was made smaller ---------------------------------------------------- */

/* Half of the traffic is on the canary's two pods. */
static void
be_at_fifty(struct bench *b)
{
	start(b, CANARY);
	b->seen.hpa.exists = false;
	for (int i = 0; b->seen.route.weight != 50 && i < 100; i++)
		turn(b);
	for (int i = 0; i < 3; i++) /* all is taken; the hold is long */
		move(b), b->at.now_ms += 500;
	b->at.now_ms -= 1500;
	assert_int_equal(b->seen.route.weight, 50);
}

static void
abort_now(struct bench *b)
{
	fold(b, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
	b->at.now_ms += 100;
	move(b);
}

static void
expect_act(const struct bench *b, enum act_kind kind, int number)
{
	if (b->out.act.kind != kind || b->out.act.number != number)
		fail_msg("%s %d: %s: %s", act_name(b->out.act.kind), b->out.act.number,
		    b->out.waiting.object, b->out.waiting.what);
}

static void
F44_an_abort_grows_a_stable_side_that_was_shrunk(void **state)
{
	struct bench b;
	(void)state;
	be_at_fifty(&b);
	resize(&b.seen.stable, 1);
	abort_now(&b); /* one of four carries half, in need: it has that */
	expect_act(&b, ACT_SCALE_STABLE, 4);
	act(&b);
	b.seen.stable.ready = 1;
	move(&b);
	expect_act(&b, ACT_NONE, 0);
	assert_non_null(strstr(b.out.waiting.what, "1 of 4 endpoints ready"));
	b.seen.stable.ready = 2;
	move(&b);
	expect_act(&b, ACT_WEIGHT, 0);
	end(&b);
}

/* All of it, where nothing is carried in need: each pod that gets ready takes its share. */
static void
F44_the_traffic_follows_in_steps(void **state)
{
	static const int steps[] = {-1, -1, -1, 25, 0};
	struct bench b;
	(void)state;
	be_at_fifty(&b);
	b.r->app->abort_capacity = 100;
	resize(&b.seen.stable, 1);
	abort_now(&b);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	act(&b);
	for (int ready = 1; ready <= 4; ready++) {
		b.seen.stable.ready = ready;
		b.at.now_ms += 100;
		move(&b);
		if (steps[ready] < 0) {
			expect_act(&b, ACT_NONE, 0);
			continue;
		}
		expect_act(&b, ACT_WEIGHT, steps[ready]);
		act(&b);
	}
	end(&b);
}

/* Told to go a moment ago, and ready still: they carry nothing. */
static void
F44_pods_that_are_about_to_go_carry_nothing(void **state)
{
	struct bench b;
	(void)state;
	be_at_fifty(&b);
	b.seen.stable.replicas = 1;
	abort_now(&b);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	end(&b);
}

/* What it can carry moves at once, alone; it grows when the mesh has that. */
static void
F44_traffic_comes_before_growth(void **state)
{
	struct bench b;
	(void)state;
	be_at_fifty(&b);
	b.seen.route.weight = 75;
	fold(&b, EVENT_ACT,
	    json_pack("{s:i, s:s, s:i, s:s, s:b}", "attempt", (int)b.r->attempt.number + 1, "act",
		"weight", "number", 75, "text", "", "urgent", false));
	act(&b);
	b.seen.route.weight = 75;
	move(&b);
	resize(&b.seen.stable, 1);
	abort_now(&b);
	expect_act(&b, ACT_WEIGHT, 50);
	act(&b);
	move(&b);
	expect_act(&b, ACT_NONE, 0);
	assert_string_equal(b.out.waiting.next, "then the stable workload grows");
	b.at.now_ms += 1000;
	move(&b);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	end(&b);
}

/* One that is ours to hold is held; of one that came since, a person is told. */
static void
F44_an_hpa_grows_its_own(void **state)
{
	struct bench b;
	(void)state;
	be_at_fifty(&b);
	resize(&b.seen.stable, 1);
	b.seen.hpa = (struct hpa_seen){.exists = true, .name = "web", .min = 1, .max = 9};
	abort_now(&b);
	expect_act(&b, ACT_NONE, 0);
	assert_string_equal(b.out.waiting.object, "HorizontalPodAutoscaler shop/web");
	b.r->baseline.hpa_min = 2;
	move(&b);
	expect_act(&b, ACT_HPA_FLOOR, 4);
	act(&b);
	move(&b);
	assert_non_null(strstr(b.out.waiting.what, "1 of 4 endpoints ready"));
	b.seen.hpa.min = 1;
	resize(&b.seen.stable, 0); /* none is scaled by it any more */
	move(&b);
	expect_act(&b, ACT_SCALE_STABLE, 4);
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(F34_an_hpa_moves_in_every_state_of_a_canary),
	    cmocka_unit_test(F34_an_hpa_moves_in_every_state_of_a_blue_green_release),
	    cmocka_unit_test(F34_an_hpa_moves_in_every_state_of_a_rolling_release),
	    cmocka_unit_test(F34_a_hold_goes_on_while_an_hpa_moves),
	    cmocka_unit_test(the_old_colour_rests_when_keda_has_left_it),
	    cmocka_unit_test(one_that_is_paused_does_not_grow),
	    cmocka_unit_test(F34_a_hold_goes_on_while_the_canary_follows),
	    cmocka_unit_test(F34_a_hold_goes_on_while_the_idle_colour_follows),
	    cmocka_unit_test(F34_a_colour_that_cannot_follow_goes_home_at_the_deadline),
	    cmocka_unit_test(F34_what_is_lost_while_it_grows_begins_anew),
	    cmocka_unit_test(F44_an_abort_grows_a_stable_side_that_was_shrunk),
	    cmocka_unit_test(F44_the_traffic_follows_in_steps),
	    cmocka_unit_test(F44_pods_that_are_about_to_go_carry_nothing),
	    cmocka_unit_test(F44_traffic_comes_before_growth),
	    cmocka_unit_test(F44_an_hpa_grows_its_own),
	};
	return cmocka_run_group_tests_name("hpa", tests, NULL, NULL);
}
