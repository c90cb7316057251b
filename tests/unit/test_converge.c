/* decide and converge against a small world with late pods and a late mesh: whatever happens in
 * between, no request is lost, the five laws hold, and the end is the right one. The world is made
 * from a seed; a failing one is printed and can be run alone: test_converge SEED. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "unit.h"
#include "base/str.h"
#include "base/yaml.h"
#include "model/command.h"
#include "model/gate.h"
#include "model/rehearse.h"

#define TICK_MS 100
#define SETTLE_MS 2000
#define PODS 64

struct pod {
	bool there, ready, new, canary;
	int64_t ready_at, gone_at; /* gone_at 0: not told to go */
	bool mesh;		   /* the mesh sends it requests */
	int64_t mesh_at;	   /* when it learns otherwise; 0: it is right */
};

struct world {
	unsigned seed;
	int64_t now;
	int full;
	bool canary_exists, stable_new, service, named_canary, never_ready, stable_never;
	int canary_size;
	struct pod pods[PODS];
	int weight, mesh_weight;
	int64_t mesh_weight_at;
	int64_t pods_late, mesh_late;
	int lost;
	char why[200];
	struct rollout *r;
	struct observed seen;
	int acts;
	struct act last;
	struct event journal[2000]; /* data as text and back, as on disk */
	int written;
	bool crashes; /* at every look */
};

static unsigned
roll(struct world *w, unsigned sides)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 8) % sides;
}

static bool
serves(const struct pod *pod)
{
	return pod->there && pod->ready && pod->gone_at == 0;
}

static int
count(const struct world *w, bool canary, bool ready, int new)
{
	int n = 0;
	for (int i = 0; i < PODS; i++) {
		const struct pod *pod = &w->pods[i];
		if (!pod->there || pod->canary != canary || (new >= 0 && pod->new != (bool)new))
			continue;
		n += ready ? serves(pod) : pod->gone_at == 0;
	}
	return n;
}

static void
add_pod(struct world *w, bool canary, bool new)
{
	for (int i = 0; i < PODS; i++)
		if (!w->pods[i].there && !w->pods[i].mesh) {
			bool never = canary ? w->never_ready : (new && w->stable_never);
			w->pods[i] = (struct pod){.there = true,
			    .new = new,
			    .canary = canary,
			    .ready_at =
				never ? INT64_MAX
				      : w->now + 200 + (int64_t)roll(w, (unsigned)w->pods_late)};
			return;
		}
	fail_msg("the test's world is full");
}

static void
remove_pod(struct world *w, bool canary, int new, bool unready_first)
{
	for (int pass = unready_first ? 0 : 1; pass < 2; pass++)
		for (int i = 0; i < PODS; i++) {
			struct pod *pod = &w->pods[i];
			bool match = pod->there && pod->gone_at == 0 && pod->canary == canary &&
				     (new < 0 || pod->new == (bool)new);
			if (match && (pass == 1 || !pod->ready)) {
				pod->gone_at = w->now + 300;
				return;
			}
		}
}

/* A Deployment with maxSurge and maxUnavailable of 25%, as Kubernetes rounds them; pods of another
 * template that are not ready go first. */
static void
roll_stable(struct world *w)
{
	bool new = w->stable_new;
	int right = count(w, false, false, new), wrong = count(w, false, false, !new);
	int surge = (w->full + 3) / 4, unavailable = w->full / 4;
	bool unready = wrong > count(w, false, true, !new);
	if (right + wrong < w->full + (wrong > 0 ? surge : 0) && right < w->full)
		add_pod(w, false, new);
	if (wrong > 0 && (unready || count(w, false, true, -1) > w->full - unavailable))
		remove_pod(w, false, !new, true);
}

static void
run_pods(struct world *w)
{
	roll_stable(w);
	int have = count(w, true, false, -1), want = w->canary_exists ? w->canary_size : 0;
	if (have < want)
		add_pod(w, true, true);
	else if (have > want)
		remove_pod(w, true, -1, true);
	for (int i = 0; i < PODS; i++) {
		struct pod *pod = &w->pods[i];
		if (pod->there && !pod->ready && w->now >= pod->ready_at)
			pod->ready = true;
		if (pod->there && pod->gone_at != 0 && w->now >= pod->gone_at)
			pod->there = false;
		if (serves(pod) == pod->mesh)
			pod->mesh_at = 0;
		else if (pod->mesh_at == 0)
			pod->mesh_at = w->now + w->mesh_late / 5;
		else if (w->now >= pod->mesh_at)
			pod->mesh = !pod->mesh, pod->mesh_at = 0;
	}
}

/* What the mesh believes must be servable: enough pods that are there for each side's share. */
static void
check_traffic(struct world *w, bool canary, int percent)
{
	int alive = 0, dead = 0;
	for (int i = 0; i < PODS; i++)
		if (w->pods[i].mesh && w->pods[i].canary == canary) {
			alive += w->pods[i].there;
			dead += !w->pods[i].there;
		}
	if (percent == 0 || (dead == 0 && alive * 200 >= percent * w->full))
		return;
	w->lost++;
	str_print(w->why, sizeof(w->why),
	    "at %lld ms, stage %d, %s: %s has %d%% and %d pods alive, %d gone", (long long)w->now,
	    w->r->stage, phase_name(w->r->phase), canary ? "canary" : "stable", percent, alive,
	    dead);
}

static void
run_mesh(struct world *w)
{
	if (w->mesh_weight != w->weight && w->mesh_weight_at == 0)
		w->mesh_weight_at =
		    w->now + w->mesh_late / 2 + (int64_t)roll(w, (unsigned)w->mesh_late / 2 + 1);
	if (w->mesh_weight_at != 0 && w->now >= w->mesh_weight_at) {
		w->mesh_weight = w->weight;
		w->mesh_weight_at = 0;
	}
	if (w->mesh_weight > 0 && !w->service) {
		w->lost++;
		str_print(w->why, sizeof(w->why), "weight without a Service");
	}
	check_traffic(w, true, w->mesh_weight);
	check_traffic(w, false, 100 - w->mesh_weight);
}

static void
look(struct world *w)
{
	struct observed *seen = &w->seen;
	*seen = (struct observed){.fresh = true, .service = true, .verified_ms = w->now};
	seen->stable = (struct workload_seen){.exists = true,
	    .observed = true,
	    .uid = "u1",
	    .replicas = w->full,
	    .pods = count(w, false, false, -1),
	    .updated = count(w, false, false, w->stable_new),
	    .ready = count(w, false, true, -1),
	    .ready_new = count(w, false, true, 1)};
	str_copy(seen->stable.image, APP_IMAGE, w->stable_new ? "web:2" : "web:1");
	seen->canary = (struct workload_seen){.exists = w->canary_exists,
	    .ours = w->canary_exists,
	    .observed = true,
	    .replicas = w->canary_size,
	    .ready = count(w, true, true, -1)};
	str_copy(seen->canary.image, APP_IMAGE, "web:2");
	seen->canary_service = seen->canary_service_ours = w->service;
	seen->route = (struct route_seen){.exists = true,
	    .fits = true,
	    .even = true,
	    .weight = w->weight,
	    .names_canary = w->named_canary};
}

/* The laws, at the moment of the write. */
static void
check_act(struct world *w, const struct act *act)
{
	int canary = count(w, true, true, -1);
	if (act->kind == ACT_WEIGHT && act->number > w->weight &&
	    act->number * w->full > canary * 100)
		fail_msg(
		    "seed: law 1: weight %d with %d of %d ready", act->number, canary, w->full);
	if (act->kind == ACT_DELETE_CANARY && (w->weight != 0 || w->mesh_weight != 0))
		fail_msg("law 3: canary deleted at weight %d, mesh %d", w->weight, w->mesh_weight);
	if (act->kind == ACT_DELETE_SERVICE && w->named_canary)
		fail_msg("law 2: Service deleted while the route names it");
	if (act->kind == ACT_WEIGHT && !w->service)
		fail_msg("law 2: weight before the Service");
}

static void
apply(struct world *w, const struct act *act)
{
	check_act(w, act);
	w->acts++;
	w->last = *act;
	if (act->kind == ACT_CREATE_SERVICE)
		w->service = true;
	else if (act->kind == ACT_DELETE_SERVICE)
		w->service = false;
	else if (act->kind == ACT_CREATE_CANARY)
		w->canary_exists = true, w->canary_size = act->number;
	else if (act->kind == ACT_SCALE_CANARY)
		w->canary_size = act->number;
	else if (act->kind == ACT_DELETE_CANARY)
		w->canary_exists = false, w->canary_size = 0;
	else if (act->kind == ACT_WEIGHT)
		w->weight = act->number, w->named_canary = true;
	else if (act->kind == ACT_SET_IMAGE)
		w->stable_new = strcmp(act->text, "web:2") == 0;
	else if (act->kind == ACT_ROUTE_HOME)
		w->named_canary = false;
}

static void
fold(struct world *w, enum event_kind kind, json_t *data)
{
	struct event event = {.kind = kind, .at_ms = w->now, .actor = "", .data = data};
	struct err e;
	if (rollout_fold(w->r, &event, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(w->written < 2000);
	w->journal[w->written++] = event;
}

/* All memory is lost; what was written down is folded again. */
static void
crash(struct world *w)
{
	rollout_free(w->r);
	w->r = rollout_new("r-test");
	for (int i = 0; i < w->written; i++) {
		struct event event = w->journal[i];
		struct err e;
		char *text = json_dumps(event.data, 0);
		event.data = json_loads(text, 0, NULL);
		if (rollout_fold(w->r, &event, &e) < 0)
			fail_msg("%s", e.text);
		json_decref(event.data);
		free(text);
	}
}

static void
fold_events(struct world *w, struct events *events)
{
	for (int i = 0; i < events->count; i++)
		fold(w, events->list[i].kind, json_incref(events->list[i].data));
	events_done(events);
}

static void
think(struct world *w)
{
	for (int i = 0; i < 12; i++) {
		struct decision decision;
		if (w->crashes)
			crash(w);
		look(w);
		decide(&(struct situation){.rollout = w->r,
			   .seen = &w->seen,
			   .now_ms = w->now,
			   .settle_ms = SETTLE_MS},
		    &decision);
		int events = decision.events.count;
		fold_events(w, &decision.events);
		if (decision.act.kind != ACT_NONE) {
			apply(w, &decision.act);
			fold(w, EVENT_ACTED,
			    json_pack("{s:I, s:s}", "attempt", (json_int_t)w->r->attempt.number,
				"outcome", "done"));
		} else if (events == 0)
			return;
	}
}

static struct app *
make_app(const char *more)
{
	char *text = str_format("{kind: App, name: web, namespace: shop, workload: {name: web},\n"
				" traffic: {istio: {virtualService: web}},\n"
				" strategy: {canary: {weights: [10, 25, 50, 100], hold: 3s, "
				"drain: 1s, deadline: 1m}}%s}",
	    more);
	struct errlist errors;
	json_t *spec;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	errlist_init(&errors);
	struct app *app = app_parse(spec, &errors);
	if (app == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	json_decref(spec);
	free(text);
	return app;
}

static void
begin(struct world *w, unsigned seed, const char *more)
{
	struct app *app = make_app(more);
	struct release release = {.app = "web", .number = 2, .image = "web:2"};
	*w = (struct world){.seed = seed, .now = 1000000};
	w->full = 1 + (int)roll(w, 6);
	w->pods_late = 1 + roll(w, 3000);
	w->mesh_late = 100 + roll(w, 1900);
	for (int i = 0; i < w->full; i++)
		w->pods[i] = (struct pod){.there = true, .ready = true, .mesh = true};
	w->r = rollout_new("r-test");
	fold(w, EVENT_CREATED,
	    json_pack("{s:O, s:o}", "app", app->spec, "release", release_json(&release)));
	app_free(app);
}

static void
end(struct world *w)
{
	rollout_free(w->r);
	for (int i = 0; i < w->written; i++)
		json_decref(w->journal[i].data);
}

/* One tick of everything; false when it is over. */
static bool
tick(struct world *w)
{
	w->now += TICK_MS;
	run_pods(w);
	run_mesh(w);
	think(w);
	return !phase_final(w->r->phase);
}

static void
command(struct world *w, enum command what)
{
	struct events events = {0};
	struct err why;
	assert_int_equal(command_give(w->r, what, false, "", w->now, &events, &why), COMMAND_TAKEN);
	fold_events(w, &events);
}

static void
expect_home(const struct world *w, unsigned seed)
{
	if (w->lost)
		fail_msg("seed %u lost requests: %s", seed, w->why);
	if (w->weight != 0 || w->canary_exists || w->service || w->named_canary)
		fail_msg("seed %u: not home: weight %d canary %d service %d named %d", seed,
		    w->weight, w->canary_exists, w->service, w->named_canary);
}

static void
run_to_end(struct world *w, unsigned seed, enum phase wanted)
{
	for (int i = 0; i < 6000; i++)
		if (!tick(w))
			break;
	if (w->r->phase != wanted)
		fail_msg("seed %u: %s in stage %d instead of %s: %s: %s; %s", seed,
		    phase_name(w->r->phase), w->r->stage, phase_name(wanted), w->r->waiting.object,
		    w->r->waiting.what, w->r->reason);
}

static unsigned only;

#define EACH_SEED(seed, n)                                                                         \
	for (unsigned seed = only ? only : 1; seed <= (only ? only : (n)); seed++)

static void
a_healthy_canary_succeeds_and_loses_nothing(void **state)
{
	(void)state;
	EACH_SEED(seed, 300)
	{
		static struct world w;
		begin(&w, seed, "");
		run_to_end(&w, seed, PHASE_SUCCEEDED);
		expect_home(&w, seed);
		assert_true(w.stable_new);
		end(&w);
	}
}

static void
an_abort_at_any_moment_ends_at_home(void **state) /* F42, I4 */
{
	(void)state;
	EACH_SEED(seed, 1500)
	{
		static struct world w;
		begin(&w, seed, "");
		int ticks = (int)(seed % 500);
		for (int i = 0; i < ticks && tick(&w); i++)
			;
		if (w.r->phase == PHASE_SUCCEEDED) {
			end(&w);
			continue;
		}
		command(&w, COMMAND_ABORT);
		run_to_end(&w, seed, PHASE_ABORTED);
		expect_home(&w, seed);
		assert_false(w.stable_new);
		end(&w);
	}
}

static void
a_canary_that_never_gets_ready_is_aborted_by_the_deadline(void **state) /* F38, F39 */
{
	(void)state;
	EACH_SEED(seed, 50)
	{
		static struct world w;
		begin(&w, seed, "");
		w.never_ready = true;
		run_to_end(&w, seed, PHASE_ABORTED);
		expect_home(&w, seed);
		assert_non_null(strstr(w.r->reason, "no progress"));
		assert_int_equal(w.r->seen_ms, 0); /* no weight was ever written */
		end(&w);
	}
}

static void
a_promotion_that_fails_keeps_the_healthy_side(void **state) /* F45, I5 */
{
	(void)state;
	EACH_SEED(seed, 100)
	{
		static struct world w;
		begin(&w, seed, "");
		w.stable_never = true;
		run_to_end(&w, seed, PHASE_ABORTED);
		expect_home(&w, seed);
		assert_false(w.stable_new);
		end(&w);
	}
}

static void
an_abort_does_not_wait_for_a_full_house(
    void **state) /* peers: weight stays while a pod is unready */
{
	(void)state;
	static struct world w;
	begin(&w, 7, "");
	w.full = 4;
	for (int i = 0; i < 4; i++)
		w.pods[i] = (struct pod){.there = true, .ready = true, .mesh = true};
	while (w.weight != 50 && tick(&w))
		;
	for (int i = 0; i < 100; i++)
		tick(&w);
	w.pods[0].ready = false;
	w.pods[0].ready_at = INT64_MAX;
	command(&w, COMMAND_ABORT);
	think(&w);
	assert_int_equal(w.weight, 0);
	assert_true(w.last.urgent);
	end(&w);
}

static void
a_canary_pod_that_dies_lowers_the_weight(void **state) /* F20 */
{
	(void)state;
	static struct world w;
	begin(&w, 3, "");
	w.full = 4;
	for (int i = 0; i < 4; i++)
		w.pods[i] = (struct pod){.there = true, .ready = true, .mesh = true};
	while (w.weight != 50 && tick(&w))
		;
	for (int i = 0; i < PODS; i++)
		if (w.pods[i].canary && w.pods[i].there) {
			w.pods[i].ready = false;
			w.pods[i].ready_at = w.now + 5000;
			break;
		}
	think(&w);
	assert_int_equal(w.weight, 25);
	run_to_end(&w, 3, PHASE_SUCCEEDED);
	end(&w);
}

static void
weight_100_waits_for_all_of_the_canary(void **state) /* F19 */
{
	(void)state;
	static struct world w;
	begin(&w, 11, "");
	w.full = 5;
	for (int i = 0; i < 5; i++)
		w.pods[i] = (struct pod){.there = true, .ready = true, .mesh = true};
	while (w.weight != 50 && tick(&w))
		;
	w.pods_late = 100000000;
	for (int i = 0; i < 200; i++)
		tick(&w);
	assert_int_equal(w.weight, 50);
	assert_non_null(strstr(w.r->waiting.what, "3 of 5 endpoints ready"));
	end(&w);
}

/* kill -9 before every look: the same acts at the same moments, no hold begun anew, no stage
 * skipped or done twice (I7). */
static void
a_crash_at_any_moment_changes_nothing(void **state) /* F52 */
{
	(void)state;
	EACH_SEED(seed, 5)
	{
		static struct world whole, crashing;
		begin(&whole, seed, "");
		run_to_end(&whole, seed, PHASE_SUCCEEDED);
		begin(&crashing, seed, "");
		crashing.crashes = true;
		run_to_end(&crashing, seed, PHASE_SUCCEEDED);
		assert_int_equal(crashing.acts, whole.acts);
		assert_int_equal(crashing.now, whole.now);
		assert_int_equal(crashing.written, whole.written);
		for (int i = 0; i < whole.written; i++)
			assert_int_equal(crashing.journal[i].kind, whole.journal[i].kind);
		end(&crashing);
		end(&whole);
	}
}

int
main(int argc, char **argv)
{
	only = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_healthy_canary_succeeds_and_loses_nothing),
	    cmocka_unit_test(an_abort_at_any_moment_ends_at_home),
	    cmocka_unit_test(a_canary_that_never_gets_ready_is_aborted_by_the_deadline),
	    cmocka_unit_test(a_promotion_that_fails_keeps_the_healthy_side),
	    cmocka_unit_test(an_abort_does_not_wait_for_a_full_house),
	    cmocka_unit_test(a_canary_pod_that_dies_lowers_the_weight),
	    cmocka_unit_test(weight_100_waits_for_all_of_the_canary),
	    cmocka_unit_test(a_crash_at_any_moment_changes_nothing),
	};
	return cmocka_run_group_tests_name("converge", tests, NULL, NULL);
}
