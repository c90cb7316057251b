/* A canary's stable side gives up what the canary has taken over, and gets it back. What must hold:
 * it never has less than its share of the traffic needs, with head room, nor than carries
 * everything in need, so that an abort moves all of it in one write, as from a whole one (law 4).
 * It grows before it gets more and shrinks after it has less (laws 1, 3). It is only ever made
 * smaller than at the start, and nothing is written to one that an HPA owns. */
#include <string.h>
#include "base/str.h"
#include "model/step.h"

static bool
is_ours_to_size(const struct view *v)
{
	const struct workload_seen *stable = &v->seen->stable;
	return v->rollout->app->plan.shrink && stable->exists && !v->seen->hpa.exists && !v->adopt;
}

static int
share_of(const struct view *v, int percent)
{
	int size = (v->rollout->baseline.replicas * percent + 99) / 100;
	return size < 1 ? 1 : size;
}

/* With its share and head room, or all where there is no room for that. */
static bool
canary_has(const struct view *v, int percent)
{
	int ready = canary_ready_of(v->rollout, v->seen);
	return v->seen->canary.exists && ready >= size_for(v, percent > 100 ? 100 : percent);
}

/* For the weight that it has and for the one that it is to have; all of it, if the canary lacks
 * pods for its own share. */
static int
least_size(const struct view *v)
{
	const struct route_seen *route = &v->seen->route;
	const struct target *target = &v->target;
	int weight = route->exists && route->fits ? route->weight : 0;
	int keeps = app_keeps(v->rollout->app, weight);
	if (target->stable == 0 || !canary_has(v, weight))
		return share_of(v, 100);
	return share_of(v, keeps > target->stable ? keeps : target->stable);
}

/* Also if only an answer that was lost says that we made it smaller; and while an edit holds all
 * else, but one of this size. */
bool
rule_grow(const struct view *v, struct step *step)
{
	int replicas = v->seen->stable.replicas, least = least_size(v);
	bool theirs = v->held && strcmp(v->rollout->drift.what, "stable size") == 0;
	if (!v->rollout->resized || !is_ours_to_size(v) || theirs || replicas < 0 ||
	    replicas >= least)
		return false;
	return step_act(step, ACT_SCALE_STABLE, least, NULL);
}

/* What others have made larger is theirs, until we had made it smaller. */
bool
rule_shrink(const struct view *v, struct step *step)
{
	const struct rollout *r = v->rollout;
	int replicas = v->seen->stable.replicas, least = least_size(v);
	int room = v->target.weight + r->app->plan.headroom;
	if (v->target.stable == 0 || !rollout_stage(r)->serves || !is_ours_to_size(v) ||
	    replicas <= least || (replicas > r->baseline.replicas && r->stable == 0))
		return false;
	if (!canary_has(v, room))
		return step_pods(v, step, SIDE_CANARY, size_for(v, room > 100 ? 100 : room));
	if (step_drained(v, step, "then the stable side shrinks") ||
	    step_unheard(v, step, "then the stable side shrinks", "pods that serve would go"))
		return true;
	return step_act(step, ACT_SCALE_STABLE, least, NULL);
}

bool
shrink_is_safe(const struct view *v, const struct act *act)
{
	int weight = v->seen->route.weight;
	if (act->number >= v->seen->stable.replicas)
		return true;
	return canary_has(v, weight) &&
	       act->number >= share_of(v, app_keeps(v->rollout->app, weight));
}
