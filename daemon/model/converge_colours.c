/* Two colours: the side that does not serve stays, and rests. What must hold on the way: the old
 * colour keeps its size until it is retired, so that going back is one write; what follows the
 * active colour (the HPA) follows once all traffic is there. */
#include <string.h>
#include "base/str.h"
#include "model/step.h"

bool
rule_hpa_follows(const struct view *v, struct step *step, enum side side)
{
	const struct hpa_seen *hpa = &v->seen->hpa;
	bool canary = side == SIDE_CANARY;
	if (!v->rollout->app->colours || !hpa->exists || hpa->on_canary == canary)
		return false;
	return step_act(step, ACT_FOLLOW_HPA, canary ? 100 : 0, step_keda(v));
}

bool
rule_idle_ready(const struct view *v, struct step *step, const struct target *target)
{
	int need = size_for(v, target->canary);
	if (target->weight > 0 || target->canary == 0 || target->stable_new ||
	    canary_ready_of(v->rollout, v->seen) >= need)
		return false;
	return step_pods(v, step, SIDE_CANARY, need);
}

/* One of ours is of an earlier rollout, which may have had the sides the other way round. */
bool
rule_preview(const struct view *v, struct step *step)
{
	if (!v->rollout->app->colours || !v->seen->canary_service_ours ||
	    v->seen->preview == PREVIEW_CANARY)
		return false;
	return step_act(step, ACT_POINT_SERVICE, 100, NULL);
}

/* The user's own, which went over to the old colour at the end. */
bool
rule_preview_home(const struct view *v, struct step *step)
{
	const struct observed *seen = v->seen;
	if (!v->rollout->app->colours || !seen->canary_service || seen->canary_service_ours ||
	    seen->preview != PREVIEW_STABLE)
		return false;
	return step_act(step, ACT_POINT_SERVICE, 100, NULL);
}

/* Evictions take as few pods of the colour that will serve as of the one that does. A pod of two
 * budgets could not be evicted at all: when somebody makes one, ours goes. */
bool
rule_budget(const struct view *v, struct step *step)
{
	const struct budgets_seen *seen = &v->seen->budgets;
	if (!v->rollout->app->colours)
		return false;
	if (v->seen->budgets_unknown[0] != '\0')
		return !v->urgent && step_blocked(step, "Cluster", 0, "then the colour gets pods",
					 "%s", v->seen->budgets_unknown);
	if (seen->canary)
		return seen->canary_ours && step_act(step, ACT_DELETE_BUDGET, 100, NULL);
	return !seen->canary_ours && (seen->stable || seen->stable_ours) &&
	       step_act(step, ACT_CREATE_BUDGET, 100, NULL);
}

/* It went with the colour that was about to rest. */
bool
rule_budget_home(const struct view *v, struct step *step)
{
	const struct budgets_seen *seen = &v->seen->budgets, *first = &v->rollout->baseline.budgets;
	bool lacks = (first->stable || first->stable_ours) && !seen->stable && !seen->stable_ours;
	return v->rollout->app->colours && lacks && (seen->canary || seen->canary_ours) &&
	       step_act(step, ACT_CREATE_BUDGET, 0, NULL);
}

/* That of a colour without pods, if it is ours. */
bool
rule_budget_rests(const struct view *v, struct step *step, enum side side)
{
	bool canary = side == SIDE_CANARY;
	bool ours = canary ? v->seen->budgets.canary_ours : v->seen->budgets.stable_ours;
	return v->rollout->app->colours && ours &&
	       step_act(step, ACT_DELETE_BUDGET, canary ? 100 : 0, NULL);
}

/* The old colour is on its way down already: it grows again, but what it can carry it gets first
 * (law 4). One with pods that an HPA scales is the HPA's. */
bool
rule_regrow(const struct view *v, struct step *step)
{
	const struct workload_seen *stable = &v->seen->stable;
	const struct route_seen *route = &v->seen->route;
	const struct hpa_seen *hpa = &v->seen->hpa;
	int size = v->rollout->baseline.replicas;
	bool scaled = hpa->exists && !hpa->on_canary && stable->replicas > 0;
	if (!v->rollout->app->colours || !stable->exists || v->adopt || scaled ||
	    stable->replicas >= size)
		return false;
	if (route->fits && route->weight > 0 && stable_carries_in_need(v) >= 100)
		return false;
	return step_act(step, ACT_SCALE_STABLE, size, NULL);
}

static bool
still_going(const struct view *v, struct step *step, const struct workload_seen *seen)
{
	const struct app *app = v->rollout->app;
	char object[APP_NAME * 2];
	if (seen->replicas > 0 || (seen->pods == 0 && seen->terminating == 0))
		return false;
	step_object(object, sizeof(object), "Deployment", app,
	    seen == &v->seen->canary ? app->canary : app->workload);
	return step_blocked(step, object, 0, "then this is over",
	    "it is scaled to 0, and its pods are still going");
}

/* The idle colour is again as it was found. */
bool
rule_rest(const struct view *v, struct step *step)
{
	const struct workload_seen *canary = &v->seen->canary;
	const struct baseline *baseline = &v->rollout->baseline;
	bool same = strcmp(canary->image, baseline->canary_image) == 0 &&
		    canary->replicas == baseline->canary_replicas;
	if (!canary->exists || canary->deleting)
		return false;
	if (same)
		return still_going(v, step, canary);
	if (step_drained(v, step, "then the idle colour goes to rest"))
		return true;
	return step_act(step, ACT_CREATE_CANARY, baseline->canary_replicas, baseline->canary_image);
}

static bool
leave_preview(const struct view *v, struct step *step)
{
	const struct observed *seen = v->seen;
	/* By weights it is what serves now. */
	if (!seen->canary_service || v->rollout->app->traffic.kind != TRAFFIC_SERVICE)
		return false;
	if (seen->canary_service_ours)
		return step_act(step, ACT_DELETE_SERVICE, 0, NULL);
	return seen->preview == PREVIEW_CANARY && step_act(step, ACT_POINT_SERVICE, 0, NULL);
}

/* A preview Service that comes when all is over would be left over. */
static bool
may_be_made(const struct view *v, struct step *step)
{
	int64_t until_ms = late_kind_ms(&v->rollout->late, v->now_ms, act_creates);
	return until_ms != 0 &&
	       step_blocked(step, "Cluster", until_ms, "then the old colour goes to rest",
		   "a creation that the cluster did not answer may still take effect");
}

/* A preview never shows what serves, so it goes before the old colour does. */
bool
rule_retire(const struct view *v, struct step *step)
{
	const struct workload_seen *stable = &v->seen->stable;
	if (!stable->exists)
		return false;
	if (may_be_made(v, step) || rule_budget(v, step))
		return true;
	if (stable->replicas != 0) {
		if (step_drained(v, step, "then the old colour goes to rest") ||
		    rule_keda_lags(v, step, "then the old colour goes to rest"))
			return true;
		return leave_preview(v, step) || step_act(step, ACT_SCALE_STABLE, 0, NULL);
	}
	return leave_preview(v, step) || still_going(v, step, stable) ||
	       rule_budget_rests(v, step, SIDE_STABLE) || rule_hpa_floor_home(v, step);
}
