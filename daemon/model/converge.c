/* The order of acts. Each rule decides or lets the next one speak. */
#include "base/str.h"
#include "model/step.h"

#define CARRIER_WAIT_MS 60000

/* Not of its Service or subsets: those are made anew before it gets traffic. */
static bool
is_deletion(enum act_kind kind)
{
	return kind == ACT_DELETE_CANARY;
}

/* We told it to go, and do not know yet whether it does. */
static bool
canary_may_go(const struct view *v)
{
	const struct attempt *attempt = &v->rollout->attempt;
	return (attempt->pending && attempt->act.kind == ACT_DELETE_CANARY) ||
	       late_kind_ms(&v->rollout->late, v->now_ms, is_deletion) != 0;
}

/* Pods that cannot come, or have not come in a minute, will not carry anything. */
static bool
canary_may_carry(const struct view *v)
{
	const struct workload_seen *canary = &v->seen->canary;
	if (canary_may_go(v))
		return false;
	if (canary->exists && percent_of(v, canary->ready) >= 100)
		return true;
	return !canary->problem.fatal && v->now_ms < v->rollout->phase_ms + CARRIER_WAIT_MS;
}

/* Pods that restart while proxies hear of nothing are lost to them, the new ones and the old: what
 * serves now, even the wrong release, serves better. So istiod is asked once more before. */
static bool
proxies_are_deaf(const struct view *v, struct step *step)
{
	return v->seen->stable.ready > 0 &&
	       step_unheard(v, step, "then the stable workload gets its image back",
		   "its pods would restart");
}

/* By its own strategy, pod by pod, while it serves. */
static bool
roll_in_place(const struct view *v, struct step *step)
{
	const struct route_seen *route = &v->seen->route;
	bool serves = !route->exists || route->weight < 100;
	return (serves && proxies_are_deaf(v, step)) || rule_image(v, step);
}

/* It carries all while the stable side rolls; not waited for without end. */
static bool
carry_by_canary(const struct view *v, struct step *step)
{
	int64_t until_ms = v->rollout->phase_ms + CARRIER_WAIT_MS;
	if (!rule_prepare(v, step) && !rule_canary(v, step, 100) && !rule_weight(v, step, 100))
		return false;
	if (!step->on_pods || v->now_ms >= until_ms)
		return true;
	step->waiting.until_ms = until_ms;
	str_copy(step->waiting.next, sizeof(step->waiting.next),
	    "goes on when they are ready, or then without them");
	return true;
}

/* Going home, the stable workload must get its old image back. While it serves, the canary carries
 * the traffic meanwhile (it runs the same image, so nothing gets worse); if it cannot, the
 * Deployment rolls in place, by its own strategy. */
static bool
restore_image(const struct view *v, struct step *step)
{
	const struct route_seen *route = &v->seen->route;
	const struct rollout *r = v->rollout;
	if (stable_has_image(v))
		return false;
	/* Somebody else changed it before the promotion: the canary has not shown that it can take
	 * all, and may be what is bad. */
	if (!rollout_stage(r)->target.stable_new) {
		/* A colour at rest takes its image before it grows. */
		if (r->app->colours && route->weight == 100 && stable_carries_in_need(v) < 100)
			return rule_image(v, step);
		return rule_weight(v, step, 0) || roll_in_place(v, step);
	}
	if (step_alone(v, step, "then the stable workload gets its image back"))
		return true;
	if (!route->exists || route->weight == 100 || !canary_may_carry(v))
		return roll_in_place(v, step);
	return carry_by_canary(v, step);
}

static bool
stable_ready(const struct view *v, struct step *step)
{
	if (!v->seen->stable.exists || stable_complete(v))
		return false;
	return step_pods(v, step, SIDE_STABLE, full_size(v));
}

static bool
go_home(const struct view *v, struct step *step)
{
	if (v->seen->stable.exists && !v->adopt && restore_image(v, step))
		return true;
	if (v->seen->route.weight > 0 && rule_regrow(v, step))
		return true;
	if (rule_weight(v, step, 0) || rule_regrow(v, step) || rule_grow(v, step))
		return true;
	/* Its own pods, changed by us, must be whole again before the canary goes. */
	if ((v->rollout->rolled || v->rollout->resized) && stable_ready(v, step))
		return true;
	return rule_clean(v, step);
}

static bool
go_forward(const struct view *v, struct step *step)
{
	const struct target *target = &v->target;
	bool promotes = target->stable_new && target->weight == 100;
	/* The pods that it gets back are of the new image. */
	if (!promotes && rule_grow(v, step))
		return true;
	if (target->canary > 0 && !target->retired && rule_prepare(v, step))
		return true;
	if (target->canary > 0 && rule_canary(v, step, target->canary))
		return true;
	if (promotes) {
		if (rule_weight(v, step, 100) || rule_image(v, step) || rule_grow(v, step))
			return true;
		return stable_ready(v, step);
	}
	if (rule_weight(v, step, target->weight) || rule_idle_ready(v, step, target) ||
	    rule_shrink(v, step))
		return true;
	if (target->weight == 100 && rule_hpa_follows(v, step, SIDE_CANARY))
		return true;
	return target->retired ? rule_retire(v, step) : target->home && rule_clean(v, step);
}

static void
mark_urgent(const struct view *v, struct step *step)
{
	if (step->kind == STEP_ACT)
		step->act.urgent = v->urgent;
}

void
converge(const struct view *v, struct step *step)
{
	*step = (struct step){.kind = STEP_SETTLED};
	bool rolls = v->rollout->app->rolls;
	bool decided = rule_rescue(v, step);
	if (!decided && v->held)
		decided = rule_grow(v, step);
	if (!decided && v->held)
		return;
	if (!decided && rolls)
		decided = rule_rolling(v, step);
	else if (!decided)
		decided = v->urgent ? go_home(v, step) : go_forward(v, step);
	mark_urgent(v, step);
}
