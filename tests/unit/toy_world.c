/* The small world: its pods and Deployments, what is seen of them, and the rollout in it. */
#include "toy_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/gate.h"
#include "model/rehearse.h"

unsigned
toy_roll(struct toy *w, unsigned sides)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 8) % sides;
}

bool
toy_serves(const struct pod *pod)
{
	return pod->there && pod->ready && pod->gone_at == 0;
}

static int
count(const struct toy *w, bool canary, bool ready, int new)
{
	int n = 0;
	for (int i = 0; i < TOY_PODS; i++) {
		const struct pod *pod = &w->pods[i];
		if (!pod->there || pod->canary != canary || (new >= 0 && pod->new != (bool)new))
			continue;
		n += ready ? toy_serves(pod) : pod->gone_at == 0;
	}
	return n;
}

static void
add_pod(struct toy *w, bool canary, bool new)
{
	for (int i = 0; i < TOY_PODS; i++)
		if (!w->pods[i].there && !w->pods[i].mesh) {
			bool never = canary ? w->never_ready : (new && w->stable_never);
			w->pods[i] = (struct pod){.there = true,
			    .new = new,
			    .canary = canary,
			    .ready_at = never ? INT64_MAX
					      : w->now + 200 +
						    (int64_t)toy_roll(w, (unsigned)w->pods_late)};
			return;
		}
	fail_msg("the test's world is full");
}

static void
remove_pod(struct toy *w, bool canary, int new, bool unready_first)
{
	for (int pass = unready_first ? 0 : 1; pass < 2; pass++)
		for (int i = 0; i < TOY_PODS; i++) {
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
roll_stable(struct toy *w)
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
run_pods(struct toy *w)
{
	roll_stable(w);
	int have = count(w, true, false, -1), want = w->canary_exists ? w->canary_size : 0;
	if (have < want)
		add_pod(w, true, true);
	else if (have > want)
		remove_pod(w, true, -1, true);
	for (int i = 0; i < TOY_PODS; i++) {
		struct pod *pod = &w->pods[i];
		if (pod->there && !pod->ready && w->now >= pod->ready_at)
			pod->ready = true;
		if (pod->there && pod->gone_at != 0 && w->now >= pod->gone_at)
			pod->there = false;
	}
}

static int
going(const struct toy *w)
{
	int n = 0;
	for (int i = 0; i < TOY_PODS; i++)
		n += w->pods[i].canary && w->pods[i].there && w->pods[i].gone_at != 0;
	return n;
}

static void
look(struct toy *w)
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
	    .ours = w->canary_exists || going(w) > 0,
	    .terminating = going(w),
	    .observed = true,
	    .replicas = w->canary_size,
	    .ready = count(w, true, true, -1)};
	seen->canary.problem.fatal = w->fatal;
	str_copy(seen->canary.image, APP_IMAGE, "web:2");
	seen->canary_service = seen->canary_service_ours = w->service;
	seen->route = (struct route_seen){.exists = true,
	    .fits = true,
	    .even = true,
	    .weight = w->weight,
	    .names_canary = w->named_canary,
	    .accepted = w->now >= w->accepted_at};
}

/* Traffic is gone from the side, has been so for the drain, and we know it. */
static void
check_drained(struct toy *w, const char *what, bool of_canary)
{
	const struct mesh_fact *fact = &w->r->mesh[MESH_WEIGHT];
	bool gone = of_canary ? toy_most_weight(w) == 0 : toy_least_weight(w) == 100;
	if (w->weight != (of_canary ? 0 : 100) || !gone)
		fail_msg("seed %u: law 3: %s at weight %d, the mesh has %d to %d", w->first_seed,
		    what, w->weight, toy_least_weight(w), toy_most_weight(w));
	if (!rollout_taken(w->r, MESH_WEIGHT) ||
	    (fact->at_ms != 0 && w->now < fact->at_ms + w->r->app->drain_ms))
		fail_msg("seed %u: law 3: %s before weight %d was taken and drained", w->first_seed,
		    what, w->weight);
}

/* Law 4: what an abort writes is alone until it is taken, but for more of the same. */
static void
check_alone(struct toy *w, const struct act *act)
{
	if (w->alone && rollout_taken(w->r, MESH_WEIGHT))
		w->alone = false;
	bool more = act->kind == ACT_WEIGHT && act->number < w->weight;
	if (w->alone && !more)
		fail_msg("seed %u: law 4: act %s %d follows an abort's weight that is not taken",
		    w->first_seed, act_name(act->kind), act->number);
	if (act->kind == ACT_WEIGHT && w->r->phase == PHASE_ABORTING)
		w->alone = true;
}

/* The laws, at the moment of the write. */
static void
check_act(struct toy *w, const struct act *act)
{
	int canary = count(w, true, true, -1);
	if (act->kind == ACT_WEIGHT && act->number > w->weight &&
	    act->number * w->full > canary * 100)
		fail_msg("seed %u: law 1: weight %d with %d of %d ready", w->first_seed,
		    act->number, canary, w->full);
	if (act->kind == ACT_WEIGHT && act->number > w->weight &&
	    act->number * w->full > toy_known_canary(w) * 100)
		fail_msg("seed %u: law 1: weight %d with %d endpoints of %d known to the mesh",
		    w->first_seed, act->number, toy_known_canary(w), w->full);
	if (act->kind == ACT_DELETE_CANARY)
		check_drained(w, "canary deleted", true);
	if (act->kind == ACT_SET_IMAGE && w->weight == 100)
		check_drained(w, "stable side rolled", false);
	if (act->kind == ACT_DELETE_SERVICE && w->named_canary)
		fail_msg("law 2: Service deleted while the route names it");
	if (act->kind == ACT_WEIGHT && !w->service)
		fail_msg("law 2: weight before the Service");
	check_alone(w, act);
}

static void
apply(struct toy *w, const struct act *act)
{
	if (!w->careless)
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
	if (w->accept_late > 0 && (act->kind == ACT_WEIGHT || act->kind == ACT_ROUTE_HOME))
		w->accepted_at = w->now + 1 + toy_roll(w, (unsigned)w->accept_late);
}

void
toy_fold(struct toy *w, enum event_kind kind, json_t *data)
{
	struct event event = {.kind = kind, .at_ms = w->now, .actor = "", .data = data};
	struct err e;
	if (rollout_fold(w->r, &event, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(w->written < TOY_JOURNAL);
	w->journal[w->written++] = event;
}

/* All memory is lost; what was written down is folded again. */
static void
crash(struct toy *w)
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
fold_events(struct toy *w, struct events *events)
{
	for (int i = 0; i < events->count; i++)
		toy_fold(w, events->list[i].kind, json_incref(events->list[i].data));
	events_done(events);
}

/* istiod's webhook answers every write of a route. */
static bool
refused(const struct toy *w, const struct act *act)
{
	return w->istiod.on && w->istiod.down &&
	       (act->kind == ACT_WEIGHT || act->kind == ACT_ROUTE_HOME);
}

static void
carry_out(struct toy *w, const struct act *act)
{
	bool fails = refused(w, act);
	if (!fails)
		apply(w, act);
	toy_fold(w, EVENT_ACTED,
	    json_pack("{s:I, s:s, s:s}", "attempt", (json_int_t)w->r->attempt.number, "outcome",
		fails ? "refused" : "done", "text", fails ? "failed calling webhook" : ""));
}

void
toy_think(struct toy *w)
{
	for (int i = 0; i < 12; i++) {
		struct decision decision;
		if (w->crashes)
			crash(w);
		look(w);
		decide(&(struct situation){.rollout = w->r,
			   .seen = &w->seen,
			   .now_ms = w->now,
			   .settle_ms = w->settle_ms,
			   .mesh = w->istiod.asks ? &w->istiod.asking : NULL},
		    &decision);
		int events = decision.events.count;
		w->waiting = decision.waiting;
		fold_events(w, &decision.events);
		if (decision.act.kind != ACT_NONE)
			carry_out(w, &decision.act);
		else if (events == 0)
			return;
	}
}

static struct app *
make_app(const char *traffic, const char *more)
{
	char *text = str_format("{kind: App, name: web, namespace: shop, workload: {name: web},\n"
				" traffic: {%s},\n"
				" strategy: {canary: {weights: [10, 25, 50, 100], hold: 3s, "
				"drain: 1s, deadline: 1m}}%s}",
	    traffic, more);
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
begin(struct toy *w, unsigned seed, const char *traffic, const char *more)
{
	struct app *app = make_app(traffic, more);
	struct release release = {.app = "web", .number = 2, .image = "web:2"};
	*w = (struct toy){
	    .seed = seed, .first_seed = seed, .now = 1000000, .settle_ms = TOY_SETTLE_MS};
	w->full = 1 + (int)toy_roll(w, 6);
	w->pods_late = 1 + toy_roll(w, 3000);
	w->mesh_late = 100 + toy_roll(w, 1900);
	for (int i = 0; i < w->full; i++)
		w->pods[i] = (struct pod){.there = true, .ready = true, .mesh = true};
	w->r = rollout_new("r-test");
	toy_fold(w, EVENT_CREATED,
	    json_pack("{s:O, s:o}", "app", app->spec, "release", release_json(&release)));
	app_free(app);
}

void
toy_begin(struct toy *w, unsigned seed, const char *more)
{
	begin(w, seed, "istio: {virtualService: web}", more);
}

void
toy_begin_gateway(struct toy *w, unsigned seed)
{
	begin(w, seed, "gateway: {httpRoute: web}", "");
	w->accept_late = 4 * TOY_SETTLE_MS;
}

void
toy_end(struct toy *w)
{
	rollout_free(w->r);
	for (int i = 0; i < w->written; i++)
		json_decref(w->journal[i].data);
}

void
toy_set_full(struct toy *w, int full)
{
	w->full = full;
	for (int i = 0; i < TOY_PODS; i++) {
		bool there = i < full;
		w->pods[i] = (struct pod){.there = there, .ready = there, .mesh = there};
	}
}

static void
run_istiod(struct toy *w)
{
	for (int i = 0; i < TOY_TICK_MS / 10 && !phase_final(w->r->phase); i++) {
		w->now += 10;
		if (w->now % TOY_TICK_MS == 0)
			run_pods(w);
		if (toy_istiod_run(w) || toy_roll(w, 5) == 0)
			toy_think(w);
	}
}

bool
toy_tick(struct toy *w)
{
	if (w->istiod.on) {
		run_istiod(w);
		return !phase_final(w->r->phase);
	}
	w->now += TOY_TICK_MS;
	run_pods(w);
	toy_late_run(w);
	toy_think(w);
	return !phase_final(w->r->phase);
}

void
toy_command(struct toy *w, enum command what)
{
	struct events events = {0};
	struct err why;
	assert_int_equal(
	    command_give(w->r, what, false, "", "", w->now, &events, &why), COMMAND_TAKEN);
	fold_events(w, &events);
}

void
toy_expect_home(const struct toy *w)
{
	if (w->lost)
		fail_msg("seed %u lost requests: %s", w->first_seed, w->why);
	if (w->weight != 0 || w->canary_exists || w->service || w->named_canary)
		fail_msg("seed %u: not home: weight %d canary %d service %d named %d",
		    w->first_seed, w->weight, w->canary_exists, w->service, w->named_canary);
}

void
toy_run_to_end(struct toy *w, enum phase wanted)
{
	for (int i = 0; i < 6000; i++)
		if (!toy_tick(w))
			break;
	if (w->r->phase != wanted)
		fail_msg("seed %u: %s in stage %d instead of %s: %s: %s; %s", w->first_seed,
		    phase_name(w->r->phase), w->r->stage, phase_name(wanted), w->r->waiting.object,
		    w->r->waiting.what, w->r->reason);
}
