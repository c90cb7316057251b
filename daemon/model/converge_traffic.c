/* Traffic: when the weight may move, and how far. */
#include <string.h>
#include "base/str.h"
#include "model/step.h"

int
full_size(const struct view *v)
{
	int full = v->rollout->baseline.replicas;
	if (v->seen->stable.replicas > full)
		full = v->seen->stable.replicas;
	return full < 1 ? 1 : full;
}

int
size_for(const struct view *v, int percent)
{
	return (full_size(v) * percent + 99) / 100;
}

int
percent_of(const struct view *v, int ready)
{
	int percent = 100 * ready / full_size(v);
	return percent > 100 ? 100 : percent;
}

static bool
same_image(const struct rollout *r)
{
	return strcmp(r->release.image, r->baseline.image) == 0;
}

int
stable_ready_of(const struct rollout *r, const struct workload_seen *stable, bool new)
{
	return new || same_image(r) ? stable->ready_new : stable->ready - stable->ready_new;
}

int
canary_ready_of(const struct rollout *r, const struct observed *seen)
{
	const struct workload_seen *canary = &seen->canary;
	if (r->app->rolls)
		return seen->stable.ready_new;
	return r->app->colours ? canary->ready_new : canary->ready;
}

static int
canary_ready(const struct view *v)
{
	return canary_ready_of(v->rollout, v->seen);
}

/* Home means the old version: ready stable pods that still run the release are on their way out. */
static bool
stable_is_mixed(const struct view *v)
{
	return v->rollout->rolled && !v->adopt && !v->target.stable_new &&
	       !same_image(v->rollout) && v->seen->stable.ready_new > 0;
}

/* Of a side that is scaled down no more than will be left, whatever is ready still. */
static int
stable_left(const struct view *v)
{
	const struct workload_seen *stable = &v->seen->stable;
	bool shrinks = stable->replicas >= 0 && stable->replicas < stable->ready;
	return shrinks ? stable->replicas : stable->ready;
}

/* Nor more of a side that rolls back. */
static int
stable_ready(const struct view *v)
{
	const struct workload_seen *stable = &v->seen->stable;
	bool rolls_back = stable_is_mixed(v) && stable_has_image(v);
	int old = stable->ready - stable->ready_new, left = stable_left(v);
	return rolls_back && old < left ? old : left;
}

/* A part of its size (half by default) carries all. */
int
stable_carries_in_need(const struct view *v)
{
	int ready = stable_ready(v);
	int percent = 100 * ready * 100 / (full_size(v) * v->rollout->app->abort_capacity);
	return percent > 100 ? 100 : percent;
}

/* What the stable side carries now. Of two colours one has everything. */
static int
stable_carries(const struct view *v)
{
	int percent = v->urgent ? stable_carries_in_need(v) : percent_of(v, stable_ready(v));
	return v->rollout->app->colours && percent < 100 ? 0 : percent;
}

static bool
canary_can_carry(const struct view *v, int weight)
{
	return v->seen->canary.exists && canary_ready(v) >= size_for(v, weight);
}

bool
act_is_safe(const struct view *v, const struct act *act)
{
	int weight = v->seen->route.weight;
	if (act->kind == ACT_ROLL || act->kind == ACT_REPLACE_POD)
		return roll_is_safe(v, act);
	if (act->kind == ACT_SCALE_STABLE && !v->rollout->app->colours && !act->urgent)
		return shrink_is_safe(v, act);
	if (act->kind != ACT_WEIGHT || act->number == weight)
		return true;
	if (act->number > weight)
		return canary_can_carry(v, act->number);
	return stable_ready(v) > 0 || canary_ready(v) == 0;
}

bool
act_goes_unwritten(const struct observed *seen, const struct act *act)
{
	const struct route_seen *route = &seen->route;
	if (!act->urgent)
		return false;
	return act->kind == ACT_WEIGHT
		   ? act->number <= route->weight
		   : act->kind == ACT_SET_IMAGE && route->exists && route->weight == 100;
}

static void
route_object(const struct view *v, char *to, size_t size)
{
	const struct app *app = v->rollout->app;
	step_object(to, size, app_route_kind(app), app, app->traffic.route);
}

/* All of it goes back, if that is better: to a side that carries everything in need, from one that
 * does not, or to whatever is ready from one where nothing is. */
static bool
rescue_whole(const struct view *v, struct step *step, int carries)
{
	if (stable_ready(v) == 0 || carries >= v->rollout->app->abort_capacity)
		return false;
	if (carries > 0 && stable_carries_in_need(v) < 100)
		return false;
	step_act(step, ACT_WEIGHT, 0, NULL);
	step->collapsed = !v->urgent;
	return true;
}

/* What the route sends to is there: else nothing gets to the canary. */
static bool
is_named(const struct view *v)
{
	const struct subsets_seen *subsets = &v->seen->subsets;
	if (v->rollout->app->traffic.kind == TRAFFIC_SERVICE)
		return true;
	if (v->rollout->app->traffic.mode == TRAFFIC_SUBSET)
		return subsets->stable && subsets->canary;
	return v->seen->canary_service;
}

/* What its ready endpoints carry. Of a colour that an HPA scales so many are enough as that wants:
 * it sees the load, and may have had more of the other one before. */
static int
canary_carries(const struct view *v)
{
	const struct workload_seen *canary = &v->seen->canary;
	bool scaled = v->seen->hpa.exists && v->seen->hpa.on_canary && canary->replicas > 0;
	if (!canary->exists || !is_named(v))
		return 0;
	if (!scaled || canary->replicas >= full_size(v))
		return percent_of(v, canary->ready);
	return canary->ready >= canary->replicas ? 100 : 100 * canary->ready / canary->replicas;
}

/* The traffic leaves a side that cannot carry it, if the other one can, whatever else holds. In an
 * abort all that can go goes in this one write (law 4). */
bool
rule_rescue(const struct view *v, struct step *step)
{
	int weight = v->seen->route.weight;
	const struct workload_seen *stable = &v->seen->stable;
	if (!v->seen->route.fits || weight == 0)
		return false;
	int carries = canary_carries(v);
	if (v->rollout->app->colours)
		return rescue_whole(v, step, carries);
	if (carries >= weight || (carries > 0 && !stable_complete(v)) || stable->ready == 0)
		return false;
	int lowest = 100 - stable_carries(v);
	bool keeps = !v->urgent || stable_is_mixed(v); /* the canary keeps what it carries */
	int wanted = carries == 0 ? 0 : keeps && carries > lowest ? carries : lowest;
	return wanted < weight && step_act(step, ACT_WEIGHT, wanted, NULL);
}

/* Pods that came anew while the other colour serves: nothing is won by a switch to endpoints that
 * nobody knows yet. */
static bool
is_regrown(const struct view *v)
{
	return v->rollout->app->colours && v->rollout->resized && canary_ready(v) > 0;
}

static bool
scales_stable(enum act_kind kind)
{
	return kind == ACT_SCALE_STABLE;
}

/* The stable side was told to rest, or to shrink, and nobody knows whether it does: until that
 * cannot come any more, traffic stays where it is served. One that shrinks keeps what carries
 * everything in an abort, which does not wait. */
static bool
stable_may_go(const struct view *v, struct step *step)
{
	int64_t until_ms = late_kind_ms(&v->rollout->late, v->now_ms, scales_stable);
	bool in_need = v->urgent && !v->rollout->app->colours;
	if (canary_ready(v) == 0 || until_ms == 0 || in_need)
		return false;
	return step_blocked(step, "Cluster", until_ms, "then the weight moves",
	    "a write that scales the stable side, and that the cluster did not answer, may still "
	    "take effect");
}

/* An HPA is asked by its floor. One that came since the start has none of ours, and no size but its
 * own. */
static bool
grow_by_hpa(const struct view *v, struct step *step, int size)
{
	char object[APP_NAME * 2];
	if (rule_hpa_floor(v, step))
		return true;
	if (v->seen->hpa.min >= size && !v->seen->hpa.paused)
		return false;
	step_object(object, sizeof(object),
	    step_keda(v) != NULL ? "ScaledObject" : "HorizontalPodAutoscaler", v->rollout->app,
	    v->seen->hpa.name);
	return step_blocked(step, object, 0,
	    v->seen->hpa.paused ? "resume it: then the traffic goes home"
				: "raise its bounds: then the traffic goes home",
	    "it keeps the stable side at %d pods, which cannot carry what the canary has; it had "
	    "%d",
	    v->seen->stable.replicas, size);
}

/* Somebody has made the stable side smaller than it was, and it cannot carry the rest of the
 * traffic: in an abort nobody else makes it grow (F44). */
static bool
grow_stable(const struct view *v, struct step *step)
{
	const struct workload_seen *stable = &v->seen->stable;
	int size = v->rollout->baseline.replicas;
	if (!v->urgent || v->rollout->app->colours || v->adopt || !stable->exists ||
	    stable->replicas < 0 || stable->replicas >= size)
		return false;
	if (step_alone(v, step, "then the stable workload grows"))
		return true;
	if (v->seen->hpa.exists && stable->replicas > 0)
		return grow_by_hpa(v, step, size);
	return step_act(step, ACT_SCALE_STABLE, size, NULL);
}

static bool
lower(const struct view *v, struct step *step, int wanted)
{
	int weight = v->seen->route.weight;
	int lowest = 100 - stable_carries(v);
	/* Moving would only mix versions on pods that are about to go. */
	if (stable_is_mixed(v) && canary_can_carry(v, weight))
		return step_pods(v, step, SIDE_STABLE, full_size(v));
	if (v->seen->canary.ready == 0 && stable_left(v) > 0)
		lowest = 0;
	if (lowest > wanted && !v->urgent)
		return step_pods(v, step, SIDE_STABLE, size_for(v, 100 - wanted));
	if (lowest >= weight)
		return grow_stable(v, step) ||
		       step_pods(v, step, SIDE_STABLE, size_for(v, 100 - wanted));
	if (stable_may_go(v, step))
		return true;
	if ((!v->urgent || is_regrown(v)) &&
	    step_taken(v, step, MESH_STABLE, "then the weight moves",
		"the stable side's endpoints are ready"))
		return true;
	return step_act(step, ACT_WEIGHT, lowest > wanted ? lowest : wanted, NULL);
}

/* Pods that crash after a moment were ready too. Going home, nothing is gained by waiting. */
static bool
not_steady(const struct view *v, struct step *step)
{
	const struct app *app = v->rollout->app;
	int64_t until_ms = v->rollout->sides[SIDE_CANARY].since_ms + app->steady_ms;
	char object[APP_NAME * 2];
	if (v->urgent || v->now_ms >= until_ms)
		return false;
	step_object(object, sizeof(object), "Deployment", app, app->canary);
	return step_blocked(step, object, until_ms, "then the weight moves",
	    "the canary's endpoints are ready; they must stay so for a moment (steady)");
}

/* All of its size is there before the traffic comes, also what it has above its share. */
static bool
raise_weight(const struct view *v, struct step *step, int wanted)
{
	int need = size_for(v, wanted > v->target.canary ? wanted : v->target.canary);
	if (canary_ready(v) < need || v->rollout->sides[SIDE_CANARY].ready < need)
		return step_pods(v, step, SIDE_CANARY, need);
	if (step_routing_known(v, step) || step_taken(v, step, MESH_CANARY, "then the weight moves",
					       "the canary's endpoints are ready"))
		return true;
	if (not_steady(v, step) || step_may_be_removed(v, step, act_deletes))
		return true;
	return step_act(step, ACT_WEIGHT, wanted, NULL);
}

bool
rule_no_route(const struct view *v, struct step *step)
{
	char object[APP_NAME * 2];
	route_object(v, object, sizeof(object));
	return step_blocked(step, object, 0, "apply it again, or abort",
	    "the %s is gone; airisd did not make it and does not guess it",
	    app_route_kind(v->rollout->app));
}

bool
rule_weight(const struct view *v, struct step *step, int wanted)
{
	const struct route_seen *route = &v->seen->route;
	char object[APP_NAME * 2], what[APP_NAME + 64];
	route_object(v, object, sizeof(object));
	if (!route->exists && v->urgent)
		return false; /* without a route all traffic goes to the stable Service */
	if (!route->exists)
		return rule_no_route(v, step);
	if (!route->fits)
		return step_blocked(step, object, 0, "mend it, or abort", "%s", route->why_not);
	if (route->weight > wanted || (route->weight == wanted && !route->even))
		return lower(v, step, wanted);
	if (route->weight < wanted)
		return raise_weight(v, step, wanted);
	step_weight(v, wanted, what, sizeof(what));
	return step_taken(v, step, MESH_WEIGHT, "then the stage is reached", what);
}
