/* After every event: what would a request meet, and does something stand that may not? */
#include <stdio.h>
#include "rooms.h"

#define GATE_TIMEOUT_MS 10000
#define ABORT_MS 30000 /* an abort's weight waits for nothing but its answer */
#define IN_PLACE_MS 120000
#define STANDS_MS                                                                                  \
	90000 /* longer than a mesh that is asked and does not know, twice, and a retry            \
	       */

/* --- requests --------------------------------------------------------------------------------- */

/* Proxies do not hear of pods that come and go. */
static bool
deaf(const struct world *w)
{
	const struct mesh *mesh = &w->mesh;
	return mesh->down || (mesh->up_ms != 0 && w->now_ms < mesh->up_ms + HEARD_MS);
}

/* Pods that restart while they serve, for want of another side, are not known in time to a mesh
 * that is late. */
static bool
rolls_unheard(const struct world *w, const struct app_world *a, int side)
{
	bool late = w->mesh.churn_ms != 0 && w->now_ms < w->mesh.churn_ms + HEARD_MS;
	return side == OF_STABLE && a->in_place_ms != 0 && (late || deaf(w)) &&
	       w->now_ms < a->in_place_ms + IN_PLACE_MS;
}

static int
victims(const struct world *w, const struct app_world *a, int side)
{
	const struct mesh *mesh = &w->mesh;
	int n = 0;
	for (int i = 0; i < 8; i++)
		n += a->victims[side][i] > (deaf(w) ? mesh->down_ms : w->now_ms);
	return n;
}

/* An app's pods, a bit for each. */
struct pod_bits {
	uint64_t there, answers, returned, by_airisd, by_others, canary;
};

static void
look_at_pods(const struct app_world *a, struct pod_bits *bits)
{
	*bits = (struct pod_bits){0};
	for (int i = 0; i < PODS; i++) {
		const struct pod *pod = &a->pods[i];
		bits->there |= (uint64_t)pod->there << i;
		bits->answers |= (uint64_t)pod_answers(pod) << i;
		bits->returned |= (uint64_t)pod->returned << i;
		bits->by_airisd |= (uint64_t)(pod->cause == CAUSE_AIRISD) << i;
		bits->by_others |= (uint64_t)(pod->cause == CAUSE_OTHERS) << i;
		bits->canary |= (uint64_t)pod->canary << i;
	}
}

static int
count_bits(uint64_t bits)
{
	return __builtin_popcountll(bits);
}

/* Enough pods that are there for the side's share; those that others took away count as there. */
static void
check_side(struct world *w, int app, const struct proxy *proxy, const struct pod_bits *pods,
    int side, int percent)
{
	const struct app_world *a = &w->apps[app];
	uint64_t of_side = side == OF_CANARY ? pods->canary : ~pods->canary;
	uint64_t known = proxy->has[app].ends & of_side, silent = of_side & ~pods->answers;
	int alive = count_bits(known & pods->answers);
	int dead = count_bits(known & silent & pods->by_airisd);
	int theirs = victims(w, a, side) + (side == OF_STABLE ? ordinals_missing(a) : 0) +
		     count_bits((known | pods->there) & silent & pods->by_others) +
		     count_bits(of_side & ~known & pods->answers &
				(rolls_unheard(w, a, side) ? UINT64_MAX : pods->returned));
	/* A canary that others made smaller or another is theirs, until airisd writes it again. */
	const struct deployment *d = &a->truth.deployments[side];
	if (percent == 0 || d->size_by_others || d->image_by_others)
		return;
	/* The other colour was taken by others: what is there has to do. */
	const struct deployment *other = &a->truth.deployments[OF_CANARY];
	if (side == OF_STABLE && colours_of(a) && (other->size_by_others || other->image_by_others))
		return;
	if (dead > 0 || (alive + theirs) * 200 < percent * a->load)
		world_violated(w, "requests",
		    "app%d: the %s has %d%% of the requests and %d pods of %d alive, %d ended by "
		    "airisd, %d by others",
		    app, side == OF_CANARY ? "canary" : "stable side", percent, alive, a->load,
		    dead, theirs);
}

static void
check_proxy(struct world *w, int app, const struct proxy *proxy, const struct pod_bits *pods)
{
	const struct app_world *a = &w->apps[app];
	const struct config *has = &proxy->has[app];
	if (proxy->stuck || has->by_others)
		return;
	bool subset = a->spec->traffic.mode == TRAFFIC_SUBSET;
	bool gone = a->truth.service.gone_by_others || a->truth.rule.gone_by_others;
	if (has->weight > 0 && !gone && (!has->canary_cluster || w->now_ms < proxy->warm_ms[app]))
		world_violated(w, "I3", "app%d: a proxy has weight %d and no %s cluster", app,
		    has->weight, has->canary_cluster ? "warm" : "known");
	if (subset && !has->names_stable && (has->ends & pods->canary) != 0 &&
	    !a->truth.route.by_others)
		world_violated(
		    w, "I3", "app%d: the canary gets requests that no weight gives it", app);
	check_side(w, app, proxy, pods, OF_CANARY, has->weight);
	check_side(w, app, proxy, pods, OF_STABLE, 100 - has->weight);
}

/* --- what may not stand ----------------------------------------------------------------------- */

/* In an abort half of the stable side's size carries everything (abortCapacity). */
static bool
stable_carries(const struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	int full = w->plan->apps[app].replicas > d->size ? w->plan->apps[app].replicas : d->size;
	struct counts counts;
	pods_count(a, OF_STABLE, &counts);
	return d->exists && d->image == a->image_home && counts.ready * 2 >= full &&
	       counts.ready_of[a->image_home] == counts.ready && counts.pods == counts.updated;
}

/* Whatever a rollout waits for, while the canary has traffic its gates are asked. */
static bool
gates_rest(const struct world *w, int app, const struct rollout_known *r)
{
	const struct app_world *a = &w->apps[app];
	const struct app_plan *plan = &w->plan->apps[app];
	int last = plan->keep && plan->hold_ms > 0 ? 4 : 3; /* kept for no time is no stage */
	bool rest = false, retires = colours_of(a) && r->stage >= last;
	if (retires || !a->truth.route.exists || a->truth.route.weight == 0 ||
	    a->truth.route.by_others)
		return false;
	for (int i = 0; i < plan->gates; i++) {
		int64_t from_ms = a->gates[i].asked_ms;
		if (a->weight_ms > from_ms)
			from_ms = a->weight_ms;
		rest |= w->now_ms > from_ms + 2 * plan->every_ms + GATE_TIMEOUT_MS;
	}
	return rest;
}

/* Where airisd has said that pods may go, or takes it back. */
static bool
waits_for_stuck(const struct app_world *a, const struct rollout_known *r)
{
	const struct deployment *stable = &a->truth.deployments[OF_STABLE];
	int image = r->phase == PHASE_ABORTING ? a->image_home : r->image;
	return (r->phase == PHASE_ABORTING || r->phase == PHASE_PROGRESSING) && stable->exists &&
	       !stable->image_by_others && stable->image == image;
}

/* What stands and has a way out that nothing bars; NULL: nothing. */
static const char *
what_stands(const struct world *w, int app, const struct rollout_known *r, const char **law)
{
	const struct app_world *a = &w->apps[app];
	const struct route *route = &a->truth.route;
	bool carried = route->exists && route->weight > 0 && stable_carries(w, app);
	*law = "I6";
	if (r->breach_ms != 0 && phase_forward(r->phase))
		return "a broken gate does not end it";
	if (phase_forward(r->phase) && gates_rest(w, app, r))
		return "its gates are not asked";
	if (w->plan->apps[app].backup_ms > 0 && backup_stands(w, app, r) != NULL)
		return backup_stands(w, app, r);
	*law = "I4";
	const struct deployment *stable = &a->truth.deployments[OF_STABLE];
	if (r->phase == PHASE_ABORTING && w->plan->apps[app].rolls && stable->exists &&
	    stable->image != a->image_home && !stable->image_by_others)
		return "an abort leaves the release in its place";
	if (r->phase == PHASE_ABORTING && carried)
		return "an abort leaves weight on the canary";
	struct counts counts;
	pods_count(a, OF_STABLE, &counts);
	if (w->plan->apps[app].ordinals && waits_for_stuck(a, r) &&
	    ordinals_stuck(stable, &counts) >= 0)
		return "its controller waits for a pod that it would replace";
	*law = "I2";
	if (carried && pods_ready(a, OF_CANARY) == 0)
		return "a dead canary keeps its weight";
	return NULL;
}

static void
check_standing(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	const struct rollout_known *r = rollout_active(w, app);
	const char *law = "", *what = r == NULL ? NULL : what_stands(w, app, r, &law);
	if (what == NULL || w->now_ms < w->barred_ms || !watch_fresh(w, app)) {
		a->bad_ms = 0;
		return;
	}
	if (a->bad_ms == 0 || a->bad_ms < w->barred_ms || a->bad_what != what)
		a->bad_ms = w->now_ms;
	a->bad_what = what;
	if (w->now_ms > a->bad_ms + (law[1] == '4' ? ABORT_MS : STANDS_MS))
		world_violated(w, law, "app%d: %s for %lld s, and nothing bars it", app, what,
		    (long long)(w->now_ms - a->bad_ms) / 1000);
}

void
check_world(struct world *w)
{
	for (int app = 0; app < w->plan->app_count; app++) {
		if (w->apps[app].broken || w->apps[app].spec == NULL)
			continue;
		struct pod_bits pods;
		look_at_pods(&w->apps[app], &pods);
		for (int i = 0; i < PROXIES; i++)
			check_proxy(w, app, &w->mesh.proxies[i], &pods);
		check_standing(w, app);
		if (w->plan->apps[app].ordinals)
			ordinals_check(w, app);
		if (w->plan->apps[app].nodes)
			nodes_check(w, app);
		if (w->plan->apps[app].backup_ms > 0)
			backup_check(w, app);
	}
}

/* --- at the end ------------------------------------------------------------------------------- */

/* What serves is guarded as the first colour was, the other one by nothing of ours, and no pod by
 * two. */
static void
check_budgets(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct budgets_seen *b = &a->truth.budgets;
	bool canary = colours_serving(a) == OF_CANARY;
	bool theirs = canary ? b->canary : b->stable;
	bool ours = canary ? b->canary_ours : b->stable_ours;
	if ((b->stable || b->canary) && theirs == ours)
		world_violated(w, "home", "app%d: what serves has %s", app,
		    ours ? "two budgets" : "no budget");
	if ((canary ? b->stable_ours : b->canary_ours) && !a->forgotten)
		world_violated(w, "home", "app%d: the idle colour's budget is left over", app);
}

/* Two colours: the one that serves is the one that it should be, and the other one rests. */
static void
check_colours(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct truth *t = &a->truth;
	const struct deployment *serves = &t->deployments[colours_serving(a)];
	const struct deployment *idle = &t->deployments[!colours_serving(a)];
	bool rests = a->ended_well ? idle->size == 0
				   : idle->exists == a->rest.exists &&
					 (!idle->exists || (idle->size == a->rest.size &&
							       idle->image == a->rest.image));
	if (t->route.exists && !t->route.by_others && (t->route.weight == 100) != a->ended_well)
		world_violated(w, "home", "app%d: the wrong colour serves", app);
	if (!rests && !a->forgotten && !idle->size_by_others && !idle->image_by_others)
		world_violated(w, "home", "app%d: the idle colour has %d pods of image %d", app,
		    idle->size, idle->image);
	if (switches_of(a) && t->service.exists)
		world_violated(w, "home", "app%d: the preview is left over", app);
	if (!switches_of(a) && !a->ended_well && !a->forgotten &&
	    t->service.exists != a->rest_service)
		world_violated(w, "home", "app%d: the idle colour's Service is %s", app,
		    a->rest_service ? "gone" : "left over");
	if (t->hpa.exists &&
	    (t->hpa.on_canary != a->ended_well || t->hpa.min != w->plan->apps[app].hpa_min ||
		t->hpa.idles != t->hpa.keda))
		world_violated(w, "home", "app%d: the HPA is not as it was", app);
	check_budgets(w, app);
	if (!serves->image_by_others && !a->image_by_others && serves->image != a->image_end)
		world_violated(w, "home", "app%d: the image is %d, it should be %d", app,
		    serves->image, a->image_end);
}

static void
check_routing(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct truth *t = &a->truth;
	const struct app_plan *plan = &w->plan->apps[app];
	if (t->route.exists && !t->route.by_others &&
	    (t->route.names_canary || t->route.names_stable || t->route.weight != 0))
		world_violated(w, "home", "app%d: the route has weight %d, canary %d, stable %d",
		    app, t->route.weight, t->route.names_canary, t->route.names_stable);
	if (t->service.exists ||
	    (t->rule.exists && (!plan->own_rule || t->rule.canary || t->rule.stable)))
		world_violated(w, "home", "app%d: a Service or subsets are left over", app);
	if (t->hpa.exists && (t->hpa.min != plan->hpa_min || t->hpa.idles != t->hpa.keda))
		world_violated(w, "home", "app%d: the HPA's floor is %d, it was %d", app,
		    t->hpa.min, plan->hpa_min);
}

/* F49: nothing is left over, and the image is what the last rollout says. */
void
check_home(struct world *w)
{
	for (int app = 0; app < w->plan->app_count; app++) {
		const struct app_world *a = &w->apps[app];
		const struct deployment *stable = &a->truth.deployments[OF_STABLE];
		if (a->broken || a->image_end == 0)
			continue;
		if (colours_of(a)) {
			check_colours(w, app);
			continue;
		}
		if (!a->forgotten &&
		    (a->truth.deployments[OF_CANARY].exists || pods_ready(a, OF_CANARY) > 0))
			world_violated(w, "home", "app%d: the canary is left over", app);
		check_routing(w, app);
		if (w->plan->apps[app].shrinks && !stable->size_by_others &&
		    stable->size != w->plan->apps[app].replicas)
			world_violated(w, "home", "app%d: %d of %d stable pods are left", app,
			    stable->size, w->plan->apps[app].replicas);
		if (stable->held != 0 || stable->partition != 0 || stable->by_hand)
			world_violated(w, "home", "app%d: it is held at %d pods, or partition %d%s",
			    app, stable->held, stable->partition,
			    stable->by_hand ? ", or OnDelete" : "");
		if (!a->image_by_others && stable->image != a->image_end)
			world_violated(w, "home", "app%d: the image is %d, it should be %d", app,
			    stable->image, a->image_end);
	}
}
