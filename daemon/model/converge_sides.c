/* The two sides: what must be there before traffic comes, and what goes after it left. */
#include <string.h>
#include "base/str.h"
#include "model/step.h"

/* With an idleReplicaCount KEDA would go below any floor. */
bool
rule_hpa_floor(const struct view *v, struct step *step)
{
	const struct baseline *baseline = &v->rollout->baseline;
	const struct hpa_seen *hpa = &v->seen->hpa;
	if (!baseline_scaler(baseline, hpa))
		return false;
	int floor = baseline->replicas;
	if (floor > hpa->max)
		floor = hpa->max;
	if (hpa->min >= floor && !(hpa->idles && floor > 0))
		return false;
	return step_act(step, ACT_HPA_FLOOR, hpa->min > floor ? hpa->min : floor, step_keda(v));
}

bool
rule_keda_lags(const struct view *v, struct step *step, const char *next)
{
	const struct hpa_seen *hpa = &v->seen->hpa;
	char object[APP_NAME * 2];
	if (hpa->lags[0] == '\0')
		return false;
	step_object(object, sizeof(object), "ScaledObject", v->rollout->app, hpa->name);
	return step_blocked(step, object, 0, next,
	    "KEDA has not brought its HorizontalPodAutoscaler %s to what it says yet", hpa->lags);
}

/* Law 2: the subset, then the route that names the stable one, then pods that it keeps out. */
static bool
prepare_subsets(const struct view *v, struct step *step)
{
	const struct subsets_seen *subsets = &v->seen->subsets;
	const struct app *app = v->rollout->app;
	char object[APP_NAME * 2];
	step_object(object, sizeof(object), "DestinationRule", app, app->traffic.destination_rule);
	if (subsets->why_not[0] != '\0')
		return step_blocked(step, object, 0, "mend it, or abort", "%s", subsets->why_not);
	if (!subsets->stable || !subsets->canary)
		return step_act(step, ACT_ADD_SUBSETS, 0, NULL);
	if (!v->seen->route.exists)
		return rule_no_route(v, step);
	if (v->seen->route.names_stable_subset)
		return false;
	if (step_routing_known(v, step) || step_may_be_removed(v, step, act_deletes))
		return true;
	return step_act(step, ACT_NAME_STABLE, 0, NULL);
}

bool
rule_prepare(const struct view *v, struct step *step)
{
	if (rule_hpa_floor(v, step))
		return true;
	if (v->rollout->canary == 0 && rule_keda_lags(v, step, "then the canary gets pods"))
		return true;
	if (v->rollout->app->traffic.mode == TRAFFIC_SUBSET)
		return prepare_subsets(v, step);
	if (!v->seen->canary_service)
		return step_act(step, ACT_CREATE_SERVICE, 0, NULL);
	return rule_preview(v, step) || rule_budget(v, step);
}

/* A colour that was there before takes the image before it gets pods. An HPA has its own mind. */
static bool
grow_canary(const struct view *v, struct step *step, int need)
{
	const struct workload_seen *canary = &v->seen->canary;
	const struct rollout *r = v->rollout;
	bool image = strcmp(canary->image, r->release.image) != 0;
	bool small = canary->replicas < need && !v->seen->hpa.on_canary;
	bool scale = small && !(image && r->baseline.had_canary);
	return (image || small) &&
	       step_act(step, scale ? ACT_SCALE_CANARY : ACT_CREATE_CANARY, need, r->release.image);
}

bool
rule_canary(const struct view *v, struct step *step, int percent)
{
	const struct workload_seen *canary = &v->seen->canary;
	const struct rollout *r = v->rollout;
	int need = size_for(v, percent);
	char object[APP_NAME * 2];
	step_object(object, sizeof(object), "Deployment", r->app, r->app->canary);
	if (canary->exists && canary->deleting)
		return step_blocked(
		    step, object, 0, "then it is made anew", "the old canary is still going");
	if (!canary->exists) {
		/* Subset mode: no canary pod before the mesh names the stable subset. */
		if (r->app->traffic.mode == TRAFFIC_SUBSET &&
		    (step_routing_known(v, step) || step_may_be_removed(v, step, act_removes)))
			return true;
		return step_act(step, ACT_CREATE_CANARY, need, r->release.image);
	}
	if (!canary->ours && !r->baseline.had_canary)
		return step_blocked(step, object, 0, "rename or delete it, or abort",
		    "it exists and airisd did not make it");
	return grow_canary(v, step, need);
}

/* The stable workload takes an image only while it serves nothing, if the canary can serve instead.
 */
bool
rule_image(const struct view *v, struct step *step)
{
	const struct route_seen *route = &v->seen->route;
	if (!stable_has_image(v)) {
		bool serves = route->exists && route->weight < 100;
		if (!serves && route->exists &&
		    step_drained(v, step, "then the stable workload takes the image"))
			return true;
		return step_act(step, ACT_SET_IMAGE, 0, wanted_image(v));
	}
	return false;
}

/* In need, so many carry everything. */
static bool
stable_holds(const struct view *v)
{
	return v->seen->stable.ready * 100 >= full_size(v) * v->rollout->app->abort_capacity;
}

static bool
remove_canary(const struct view *v, struct step *step)
{
	const struct workload_seen *canary = &v->seen->canary;
	const struct rollout *r = v->rollout;
	char object[APP_NAME * 2];
	if (r->baseline.had_canary)
		return rule_rest(v, step);
	if (canary->exists && canary->ours && !canary->deleting) {
		/* Never the only healthy side (I5). */
		bool dead = v->seen->stable.ready == 0 && canary->ready > 0;
		if (dead || ((r->rolled || r->resized) && !stable_holds(v)))
			return step_pods(v, step, SIDE_STABLE, full_size(v));
		if (step_drained(v, step, "then the canary is deleted"))
			return true;
		return step_act(step, ACT_DELETE_CANARY, 0, NULL);
	}
	step_object(object, sizeof(object), "Deployment", r->app, r->app->canary);
	if (canary->ours && (canary->exists || canary->terminating > 0))
		return step_blocked(step, object, 0, "then its routing is removed",
		    "the canary is being deleted, %d pods are still going", canary->terminating);
	return false;
}

static bool
remove_routing(const struct view *v, struct step *step)
{
	const struct baseline *baseline = &v->rollout->baseline;
	const struct route_seen *route = &v->seen->route;
	bool subset = v->rollout->app->traffic.mode == TRAFFIC_SUBSET;
	bool named = route->names_canary && !baseline->had_canary_destination;
	bool subset_named =
	    subset && route->names_stable_subset && !baseline->had_stable_subset_named;
	if (route->exists && route->fits && (named || subset_named)) {
		if (step_taken(v, step, MESH_CANARY, "then the route goes home",
			"the canary's pods are gone"))
			return true;
		return step_act(step, ACT_ROUTE_HOME, 0, NULL);
	}
	bool subsets = subset && v->seen->subsets.exists &&
		       ((v->seen->subsets.canary && !baseline->had_canary_subset) ||
			   (v->seen->subsets.stable && !baseline->had_stable_subset) ||
			   (v->seen->subsets.ours && !baseline->had_destination_rule));
	bool service = !subset && v->seen->canary_service && v->seen->canary_service_ours &&
		       !baseline->had_canary_service;
	if (!subsets && !service)
		return false;
	if (step_routing_known(v, step))
		return true;
	return step_act(step, subsets ? ACT_REMOVE_SUBSETS : ACT_DELETE_SERVICE, 0, NULL);
}

/* What came after the end would be left over, or send requests to what is gone. */
static bool
may_come_late(const struct view *v, struct step *step)
{
	int64_t until_ms = late_away_ms(&v->rollout->late, v->now_ms);
	if (until_ms == 0)
		return false;
	return step_blocked(step, "Cluster", until_ms,
	    "then what it did is taken back, and the canary is deleted",
	    "a write that the cluster did not answer may still take effect");
}

bool
rule_clean(const struct view *v, struct step *step)
{
	if (may_come_late(v, step))
		return true;
	if (rule_hpa_follows(v, step, SIDE_STABLE) || rule_preview_home(v, step) ||
	    rule_budget_home(v, step))
		return true;
	return remove_canary(v, step) || remove_routing(v, step) ||
	       rule_budget_rests(v, step, SIDE_CANARY) || rule_hpa_floor_home(v, step);
}

bool
rule_hpa_floor_home(const struct view *v, struct step *step)
{
	const struct baseline *baseline = &v->rollout->baseline;
	const struct hpa_seen *hpa = &v->seen->hpa;
	int home = hpa->keda ? ACT_AS_IT_WAS : baseline->hpa_min;
	return baseline_scaler(baseline, hpa) && !baseline_bounds(baseline, hpa) &&
	       step_act(step, ACT_HPA_FLOOR, home, step_keda(v));
}
