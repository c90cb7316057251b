/* The laws at the moment of a write: by what was there when it was decided (sent), and by what is
 * there when it counts (its effect). What airisd could not have known a moment ago is not held
 * against it; what others did to the same object is theirs. */
#include "model/pace.h"
#include "rooms.h"

#define MOMENT_MS 8000
#define LONG_MS 120000
#define UNHEARD_MS 6000 /* istiod was asked so long ago at most */

/* What it sees is of before it slept, and its news are on their way. */
static bool
just_woke(const struct world *w)
{
	return w->suspended_ms != 0 && w->now_ms < w->suspended_ms + MOMENT_MS;
}

static bool
troubled(const struct world *w)
{
	return w->now_ms < w->trouble_ms + LONG_MS;
}

void
check_history(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	a->history_at = (a->history_at + 1) % 16;
	a->history[a->history_at].at_ms = w->now_ms;
	for (int side = 0; side < SIDES; side++)
		a->history[a->history_at].ready[side] = pods_ready(a, side);
}

/* The most, or the least, that were ready within the last so many ms. */
static int
ready_within(const struct world *w, const struct app_world *a, int side, int64_t ms, bool most)
{
	int found = a->history[a->history_at].ready[side];
	for (int i = 0; i < 15; i++) {
		int at = (a->history_at + 16 - i) % 16;
		if (a->history[at].at_ms < w->now_ms - ms)
			break; /* what it was is what the one before this left */
		int ready = a->history[(at + 15) % 16].ready[side];
		if (most ? ready > found : ready < found)
			found = ready;
	}
	return found;
}

/* Evictions must not take the colour that is about to serve. */
static void
check_guarded(struct world *w, int app)
{
	const struct budgets_seen *b = &w->apps[app].truth.budgets;
	bool stable = b->stable || b->stable_ours, canary = b->canary || b->canary_ours;
	if (stable && !canary && !troubled(w))
		world_violated(w, "law 1", "app%d: a colour without its budget serves", app);
}

static void
check_raise(struct world *w, int app, int number)
{
	const struct app_world *a = &w->apps[app];
	int ready = ready_within(w, a, OF_CANARY, troubled(w) ? LONG_MS : MOMENT_MS, true);
	bool host = a->spec->traffic.mode == TRAFFIC_HOST;
	bool there = switches_of(a) ? true
		     : host	    ? a->truth.service.exists
				    : a->truth.rule.canary && a->truth.rule.stable;
	bool by_others = a->truth.service.gone_by_others || a->truth.rule.gone_by_others;
	if (number * a->load > ready * 100)
		world_violated(
		    w, "I2", "app%d: weight %d with %d of %d ready", app, number, ready, a->load);
	if (!there && !by_others && !troubled(w))
		world_violated(w, "I3", "app%d: weight %d before its %s", app, number,
		    host ? "Service" : "subset");
	check_guarded(w, app);
}

/* More for the stable side: it can carry it (half of it, in need), or the canary cannot either. */
static void
check_lower(struct world *w, int app, int number)
{
	struct app_world *a = &w->apps[app];
	int64_t ms = troubled(w) ? LONG_MS : MOMENT_MS;
	int stable = ready_within(w, a, OF_STABLE, ms, true);
	int canary = ready_within(w, a, OF_CANARY, ms, false);
	int weight = a->truth.route.weight;
	bool by_others = a->truth.service.gone_by_others || a->truth.rule.gone_by_others ||
			 a->truth.deployments[OF_CANARY].size_by_others;
	/* There is no other side any more, even if this one rolls. */
	a->in_place_ms = by_others ? w->now_ms : a->in_place_ms;
	if (!by_others && !just_woke(w) && stable * 200 < (100 - number) * a->load &&
	    canary * 100 >= weight * a->load)
		world_violated(w, "I5",
		    "app%d: weight %d to %d with %d of %d stable pods ready, and %d of the canary",
		    app, weight, number, stable, a->load, canary);
}

/* Whatever is answered, nobody is written to again and again (F59). */
static void
check_rate(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	a->sent_at = (a->sent_at + 1) % 32;
	if (a->sent_ms[a->sent_at] != 0 && w->now_ms < a->sent_ms[a->sent_at] + 5000)
		world_violated(w, "F59", "app%d: 32 writes in %lld ms", app,
		    (long long)(w->now_ms - a->sent_ms[a->sent_at]));
	a->sent_ms[a->sent_at] = w->now_ms;
}

/* The stable side of a canary is told to give up pods. */
bool
laws_shrinks(const struct app_world *a, const struct act *act)
{
	return act->kind == ACT_SCALE_STABLE && !colours_of(a) &&
	       act->number < a->truth.deployments[OF_STABLE].size;
}

/* No serving pod is told to go or to restart while istiod, which can be asked, is down. */
static void
check_heard(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	bool serves = !a->truth.route.exists || a->truth.route.weight < 100;
	if (w->mesh.down && w->now_ms > w->mesh.down_ms + UNHEARD_MS && serves && !a->broken &&
	    ready_within(w, a, OF_STABLE, MOMENT_MS, false) > 0)
		world_violated(w, "law 1", "app%d: pods go %lld ms after istiod went down", app,
		    (long long)(w->now_ms - w->mesh.down_ms));
}

void
check_send(struct world *w, int app, const struct act *act)
{
	const struct app_world *a = &w->apps[app];
	check_rate(w, app);
	if (laws_shrinks(a, act) && act->number * 2 < a->load)
		world_violated(w, "law 4", "app%d: the stable side shrinks to %d of %d", app,
		    act->number, a->load);
	if (act->kind == ACT_WEIGHT && (act->number < 0 || act->number > 100))
		world_violated(w, "I1", "app%d: weight %d", app, act->number);
	if ((act->kind == ACT_SET_IMAGE && act->urgent) || laws_shrinks(a, act))
		check_heard(w, app);
	if (act->kind != ACT_WEIGHT || a->broken || a->truth.route.by_others ||
	    !a->truth.route.exists)
		return;
	if (act->number > a->truth.route.weight)
		check_raise(w, app, act->number);
	else if (act->number < a->truth.route.weight)
		check_lower(w, app, act->number);
}

/* --- effects ---------------------------------------------------------------------------------- */

static bool
others_weighed(const struct world *w, const struct app_world *a)
{
	return a->truth.route.by_others ||
	       (a->others_weight_ms != 0 && w->now_ms < a->others_weight_ms + LONG_MS);
}

/* Where time has to do, it is promised that proxies take a change within mesh.settle. */
static bool
deaf_proxies(const struct world *w)
{
	bool stuck = false;
	for (int i = 0; i < PROXIES; i++)
		stuck |= w->mesh.proxies[i].stuck;
	return stuck && !w->plan->asks;
}

/* Law 3: the side that goes has no requests, and the last ones are over. */
static void
check_drained(struct world *w, int app, int64_t since_ms, const char *what)
{
	const struct app_world *a = &w->apps[app];
	int64_t drain_ms = w->plan->apps[app].drain_ms;
	if (others_weighed(w, a) || !a->truth.route.exists || deaf_proxies(w))
		return;
	if (since_ms == 0)
		world_violated(w, "law 3", "app%d: %s while proxies send it requests", app, what);
	else if (w->now_ms < since_ms + drain_ms)
		world_violated(w, "law 3", "app%d: %s %lld ms after its last request, drain %lld",
		    app, what, (long long)(w->now_ms - since_ms), (long long)drain_ms);
}

static void
check_delete(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	check_drained(w, app, a->no_weight_ms, "the canary is deleted");
	if (a->truth.route.exists && pods_ready(a, OF_CANARY) > 0 &&
	    ready_within(w, a, OF_STABLE, troubled(w) ? LONG_MS : MOMENT_MS, true) == 0)
		world_violated(w, "I5", "app%d: the only healthy side is deleted", app);
}

static void
check_image(struct world *w, int app, const struct act *act)
{
	struct app_world *a = &w->apps[app];
	int image = image_of(act->text);
	if (a->truth.deployments[OF_STABLE].image_by_others)
		return;
	if (image != a->image_home) {
		check_drained(w, app, a->all_weight_ms, "the stable side is rolled");
		if (++a->promotions > 1 + a->edits)
			world_violated(w, "I7", "app%d: promoted %d times", app, a->promotions);
		return;
	}
	a->in_place_ms = a->truth.route.weight < 100 ? w->now_ms : a->in_place_ms;
	int canary = ready_within(w, a, OF_CANARY, MOMENT_MS, false);
	if (a->all_weight_ms == 0 && !troubled(w) && !others_weighed(w, a) && canary >= a->load &&
	    !a->truth.deployments[OF_CANARY].deleting)
		world_violated(
		    w, "I5", "app%d: rolled back in place while the canary could carry it", app);
}

/* The old colour goes to rest: nobody sends it anything, and the other one is there. */
static void
check_rest(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	check_drained(w, app, a->all_weight_ms, "the old colour goes to rest");
	if (pods_ready(a, OF_STABLE) > 0 &&
	    ready_within(w, a, OF_CANARY, troubled(w) ? LONG_MS : MOMENT_MS, true) == 0)
		world_violated(w, "I5", "app%d: the only healthy colour goes to rest", app);
}

/* What the stable side gives up nobody sends it any more, and the canary carries what it has. An
 * abort's weight has not waited for the answer: half of it carries everything then. */
static void
check_shrink(struct world *w, int app, int number)
{
	const struct app_world *a = &w->apps[app];
	int canary = ready_within(w, a, OF_CANARY, troubled(w) ? LONG_MS : MOMENT_MS, true);
	int share = 100 - a->truth.route.weight;
	const struct rollout_known *r = rollout_active(w, app);
	bool home = r == NULL || r->phase == PHASE_ABORTING;
	if (home || others_weighed(w, a) || !a->truth.route.exists || deaf_proxies(w))
		return;
	for (int i = 0; i < PROXIES; i++) {
		const struct proxy *proxy = &w->mesh.proxies[i];
		if (!proxy->stuck && 100 - proxy->has[app].weight > share)
			share = 100 - proxy->has[app].weight;
	}
	if (number * 100 < share * a->load)
		world_violated(w, "law 3", "app%d: the stable side shrinks to %d of %d at %d%%",
		    app, number, a->load, share);
	if (canary * 100 < a->truth.route.weight * a->load)
		world_violated(w, "law 1",
		    "app%d: the stable side shrinks, and %d of %d canary pods have weight %d", app,
		    canary, a->load, a->truth.route.weight);
}

/* What an HPA changes meanwhile is spread over both. */
int
batch_limit(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct rollout_known *r = rollout_active(w, app);
	const struct canary_spec *plan = &a->spec->plan;
	int size = a->truth.deployments[OF_STABLE].size;
	int batch = r == NULL ? 0 : schedule_batch(&w->plan->apps[app], r->stage);
	if (w->plan->apps[app].nodes)
		return nodes_limit(w, app, size);
	if (r != NULL && batch < 1)
		return 0;
	if (r != NULL && schedule_each_ordinal(&w->plan->apps[app]))
		return batch;
	if (r == NULL || w->plan->apps[app].hpa || batch > plan->stage_count)
		return PODS;
	const struct stage_spec *stage = &plan->stages[batch - 1];
	struct share_spec share = {stage->weight, !stage->pods};
	return pace_share(&share, size);
}

/* Each pod of the release that follows others is made up for by one that is ready; and it is given
 * no more pods than its stage says. */
static void
check_roll(struct world *w, int app, const struct act *act)
{
	struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	const struct rolling_spec *batch = &a->spec->batch;
	int spare = pace_share(&batch->surge, d->size) + pace_share(&batch->unavailable, d->size);
	int most = 0;
	if (act->kind == ACT_BACKUP)
		return;
	a->in_place_ms = w->now_ms;
	for (int i = 0; i < PODS; i++)
		most += a->pods[i].there && a->pods[i].was_ready && !a->pods[i].canary &&
			a->pods[i].image == d->image;
	if (act->kind != ACT_ROLL || d->image_by_others || w->plan->apps[app].nodes)
		return;
	if (act->number > batch_limit(w, app))
		world_violated(w, "I7", "app%d: %d pods of the release, its stage allows %d", app,
		    act->number, batch_limit(w, app));
	if (troubled(w))
		return;
	if (act->number > most + spare)
		world_violated(w, "I2", "app%d: %d pods of the release with %d that were ready",
		    app, act->number, most);
}

void
check_effect(struct world *w, const struct act_sent *x)
{
	int app = x->app;
	const struct act *act = &x->act;
	const struct app_world *a = &w->apps[app];
	if (a->broken || x->turned)
		return;
	if (w->plan->apps[app].nodes)
		nodes_check_effect(w, x);
	if (w->plan->apps[app].rolls)
		check_roll(w, app, act);
	else if (act->kind == ACT_SCALE_STABLE && act->number == 0)
		check_rest(w, app);
	else if (x->shrinks)
		check_shrink(w, app, act->number);
	else if (act->kind == ACT_CREATE_CANARY && act->urgent && a->rest.exists)
		check_drained(w, app, a->no_weight_ms, "the idle colour goes back to rest");
	else if (act->kind == ACT_DELETE_CANARY)
		check_delete(w, app);
	else if (act->kind == ACT_SET_IMAGE)
		check_image(w, app, act);
	else if ((act->kind == ACT_DELETE_SERVICE || act->kind == ACT_REMOVE_SUBSETS) &&
		 a->truth.route.exists && a->truth.route.names_canary && !switches_of(a) &&
		 !others_weighed(w, a))
		world_violated(
		    w, "I3", "app%d: %s while the route names it", app, act_name(act->kind));
}

/* --- I7, I10: a stage is left for a reason -----------------------------------------------------
 */

/* Where the disk was ill, a measurement may be missing in the journal, or be told late; where the
 * wall clock has jumped, nobody can know how old one is that was made before a crash. */
static bool
gate_was_good(
    const struct world *w, const struct app_world *a, int i, int needed, int64_t decided_ms)
{
	int64_t every_ms = a->spec->gates[i].every_ms;
	bool ill = journal_was_ill(w, (needed + 1) * every_ms);
	int64_t late_ms = ill ? 1800000 : 1000;
	bool enough = a->gates[i].good >= (ill ? 1 : needed) ||
		      (a->gates[i].enough_ms != 0 && w->now_ms - a->gates[i].enough_ms <= late_ms);
	bool fresh = decided_ms - a->gates[i].good_ms <= 2 * every_ms + 5000 + late_ms;
	return enough && (fresh || w->jumped);
}

/* A hold is as long as it is, also with a crash in it. After a jump of the wall clock nobody can
 * know how long a crash took. */
static void
check_hold(struct world *w, const struct rollout_known *r, int from)
{
	const struct app_plan *plan = &w->plan->apps[r->app];
	int64_t held_ms = w->now_ms - r->still_ms, all_ms = w->now_ms - r->settled_ms;
	if (w->jumped || r->still_ms == 0)
		return;
	if (!r->late && held_ms < plan->hold_ms - 100)
		world_violated(w, "I7", "%s leaves stage %d after %lld ms, its hold is %lld", r->id,
		    from, (long long)held_ms, (long long)plan->hold_ms);
	if (plan->gates == 0 && !plan->approve && !r->paused && !r->late_first &&
	    w->fault_ms < r->settled_ms && all_ms > plan->hold_ms + 5000)
		world_violated(w, "I7", "%s is held for %lld ms in stage %d, its hold is %lld",
		    r->id, (long long)all_ms, from, (long long)plan->hold_ms);
}

void
check_stage(struct world *w, struct rollout_known *r, int from, int to, int64_t said_ms)
{
	const struct app_world *a = &w->apps[r->app];
	const struct app_plan *plan = &w->plan->apps[r->app];
	int stages = colours_of(a)		   ? 2
		     : schedule_each_ordinal(plan) ? a->ladder_size
						   : a->spec->plan.stage_count;
	int stage = schedule_batch(plan, from);
	bool judged = !colours_of(a) || from > 1 || plan->judged;
	/* It stands before its command in the journal. A process that does not run has no time. */
	int64_t ran_ms = w->now_ms - w->lag_ms - a->full_ms;
	bool full = a->full_ms != 0 && ran_ms < (journal_was_ill(w, 30000) ? 1800000 : 1000);
	if (to <= from || (to != from + 1 && !full))
		world_violated(w, "I7", "%s goes from stage %d to %d", r->id, from, to);
	if (from == 1 && stage == 0 && !r->backed_up && !full)
		world_violated(w, "I7", "%s goes on, and its backup has not succeeded", r->id);
	if (stage < 1 || stage > stages || r->skips || full)
		return;
	check_hold(w, r, from);
	if (plan->ordinals || plan->nodes)
		ordinals_check_stage(w, r);
	if (stage == 1 && plan->approve && !r->approved)
		world_violated(w, "I7", "%s leaves stage %d without its approval", r->id, from);
	/* It may have been decided before it slept, and written down after it. */
	int64_t decided_ms = just_woke(w) ? said_ms - w->wall_offset_ms : w->now_ms;
	/* Of a weight that others set this very moment it cannot know. */
	judged &= a->others_weight_ms == 0 || w->now_ms > a->others_weight_ms + 1000;
	for (int i = 0; i < plan->gates && judged; i++)
		if (!gate_was_good(w, a, i, plan->measurements, decided_ms))
			world_violated(w, "I10",
			    "%s leaves stage %d, gate g%d has %d of %d passes, the last %lld ms "
			    "ago",
			    r->id, from, i, a->gates[i].good, plan->measurements,
			    (long long)(w->now_ms - a->gates[i].good_ms));
}
