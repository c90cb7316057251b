/* StatefulSets: the controller, which has its pods by ordinal, and the laws of what rolls by them.
 * It goes up the ordinals to the first one that is missing or does not serve, and rests there: also
 * when it is one that it would replace (kubernetes/kubernetes#67250). Only when all serve it takes
 * what is too much, then from the last ordinal down to the partition what has another template, one
 * after the other. A Parallel one waits only with the last of these. */
#include <string.h>
#include "base/str.h"
#include "rooms.h"

struct pod *
ordinals_pod(struct app_world *a, int ordinal)
{
	for (int i = 0; i < PODS; i++)
		if (a->pods[i].there && !a->pods[i].canary && a->pods[i].ordinal == ordinal)
			return &a->pods[i];
	return NULL;
}

/* --- the controller --------------------------------------------------------------------------- */

enum next { GO_ON, REST, DID };

static enum next
grow(struct world *w, int app, bool ordered)
{
	struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	for (int i = 0; i < d->size; i++) {
		const struct pod *pod = ordinals_pod(a, i);
		int image = i < d->partition ? d->current : d->image;
		if (pod == NULL)
			return pods_make(w, app, OF_STABLE, image, i) ? DID : REST;
		if (ordered && !pod_serves(pod))
			return REST;
	}
	return GO_ON;
}

static enum next
shrink(struct world *w, int app, bool ordered, enum cause cause)
{
	struct app_world *a = &w->apps[app];
	int size = a->truth.deployments[OF_STABLE].size, bad = size;
	while (bad < SEATS && (ordinals_pod(a, bad) == NULL || pod_serves(ordinals_pod(a, bad))))
		bad++;
	for (int i = SEATS - 1; i >= size; i--) {
		struct pod *pod = ordinals_pod(a, i);
		if (pod == NULL || (!ordered && pod->gone_ms != 0))
			continue;
		if (pod->gone_ms != 0 || (ordered && !pod_serves(pod) && i != bad))
			return REST;
		pods_tell_to_go(w, app, pod, cause);
		return DID;
	}
	return GO_ON;
}

static bool
renew(struct world *w, int app, enum cause cause)
{
	struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	for (int i = d->size - 1; i >= d->partition; i--) {
		struct pod *pod = ordinals_pod(a, i);
		if (pod == NULL)
			return false;
		if (pod->gone_ms == 0 && pod->image != d->image) {
			pods_tell_to_go(w, app, pod, cause);
			return true;
		}
		if (!pod_serves(pod))
			return false;
	}
	return false;
}

bool
ordinals_step(struct world *w, int app, enum cause rolled, enum cause resized)
{
	struct deployment *d = &w->apps[app].truth.deployments[OF_STABLE];
	bool ordered = !w->plan->apps[app].parallel;
	enum next next;
	if (d->current == 0)
		d->current = d->image;
	next = grow(w, app, ordered);
	if (next == GO_ON)
		next = shrink(w, app, ordered, resized);
	return next == DID || (next == GO_ON && renew(w, app, rolled));
}

bool
ordinals_is_synced(const struct deployment *d)
{
	return d->status.image == d->image && d->status.partition == d->partition &&
	       d->status.size == d->size && d->status.by_hand == d->by_hand;
}

/* The new template is that of all pods when every one has it and serves. */
void
ordinals_status(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	struct deployment *d = &a->truth.deployments[OF_STABLE];
	struct counts counts;
	if (!d->exists)
		return;
	pods_count(a, OF_STABLE, &counts);
	if (counts.pods == d->size && counts.going == 0 && counts.ready_of[d->image] == d->size)
		d->current = d->image;
	if (ordinals_is_synced(d))
		return;
	d->status.image = d->image;
	d->status.partition = d->partition;
	d->status.size = d->size;
	d->status.by_hand = d->by_hand;
	d->version++;
	watch_changed(w, app, PART_STABLE);
}

enum act_outcome
ordinals_delete(struct world *w, struct act_sent *x)
{
	struct app_world *a = &w->apps[x->app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	struct pod *pod = ordinals_pod(a, ordinals_named(&x->act));
	bool known = x->life == w->life && !x->answered;
	if (pod == NULL)
		return ACT_ALREADY;
	if (pod->uid != x->uid || pod->version != x->version)
		return ACT_CONFLICT;
	if (pod->ready)
		world_violated(
		    w, "I2", "app%d: pod %d is deleted and is ready", x->app, pod->ordinal);
	/* Of one that was given up the template may be another one now. */
	if (known && !d->image_by_others && (pod->image == d->image || pod->ordinal < d->partition))
		world_violated(w, "I2", "app%d: pod %d is deleted and has the right template",
		    x->app, pod->ordinal);
	w->counters->unstuck++;
	pods_tell_to_go(w, x->app, pod, CAUSE_IN_PLACE);
	return ACT_DONE;
}

/* --- who took a pod away ---------------------------------------------------------------------- */

void
ordinals_serves(struct app_world *a, const struct pod *pod)
{
	if (!pod->canary)
		a->seats[pod->ordinal] = CAUSE_NONE;
}

void
ordinals_lost(struct app_world *a, const struct pod *pod, enum cause cause)
{
	if (!pod->canary)
		a->seats[pod->ordinal] = cause;
}

int
ordinals_missing(const struct app_world *a)
{
	int missing = 0;
	bool nodes = a->spec->kind == WORKLOAD_DAEMONSET; /* in no order */
	int size = nodes ? SEATS : a->truth.deployments[OF_STABLE].size;
	for (int i = 0; i < size && i < SEATS; i++)
		missing += a->spec->kind != WORKLOAD_DEPLOYMENT && a->seats[i] == CAUSE_IN_PLACE;
	return missing;
}

/* --- what is seen ----------------------------------------------------------------------------- */

void
ordinals_count(const struct pod *pod, struct counts *counts)
{
	counts->seats[pod->ordinal] = (struct seat){.image = pod->image,
	    .version = pod->version,
	    .ready = pod->ready,
	    .going = pod->gone_ms != 0,
	    .uid = pod->uid};
}

int
ordinals_stuck(const struct deployment *d, const struct counts *counts)
{
	for (int i = SEATS - 1; i >= d->partition && ordinals_is_synced(d); i--) {
		const struct seat *seat = &counts->seats[i];
		if (seat->image != 0 && seat->image != d->image && !seat->going && !seat->ready)
			return i;
	}
	return -1;
}

/* From the last ordinal on, but for those of the release. */
static int
broken_last(const struct deployment *d, const struct counts *counts, int image)
{
	int broken = 0;
	for (int i = d->size - 1; i >= 0; i--) {
		const struct seat *seat = &counts->seats[i];
		if (seat->image == image)
			continue;
		if (seat->image != 0 && seat->ready && !seat->going)
			break;
		broken++;
	}
	return broken;
}

/* Pods that are going are counted in its status until they are gone. */
void
ordinals_see(const struct app_world *a, int image, struct workload_seen *seen)
{
	const struct deployment *d = &a->cached.truth.deployments[OF_STABLE];
	const struct counts *counts = &a->cached.sides[OF_STABLE];
	int stuck = ordinals_stuck(d, counts);
	seen->observed = ordinals_is_synced(d);
	seen->pods = counts->pods + counts->going;
	seen->updated = 0;
	for (int i = 0; i < SEATS; i++)
		seen->updated +=
		    counts->seats[i].image == d->status.image && !counts->seats[i].going;
	seen->pace = (struct pace){.ordinals = true, .partition = d->partition};
	seen->broken_last = broken_last(d, counts, image);
	if (stuck >= 0)
		str_print(seen->stuck, sizeof(seen->stuck), "%s-%d", a->name, stuck);
}

int
ordinals_named(const struct act *act)
{
	int64_t ordinal;
	const char *dash = strrchr(act->text, '-');
	return dash != NULL && str_number(dash + 1, 0, SEATS - 1, &ordinal) == 0 ? (int)ordinal : 0;
}

bool
ordinals_is_held(const struct deployment *d, int number)
{
	return d->partition == (d->size > number ? d->size - number : 0);
}

/* --- the laws --------------------------------------------------------------------------------- */

int
ordinals_pods_of(const struct app_world *a, int image, bool others)
{
	int n = 0;
	for (int i = 0; i < PODS; i++)
		n += a->pods[i].there && a->pods[i].gone_ms == 0 &&
		     (a->pods[i].image == image) != others;
	return n;
}

int
ordinals_ready_of(const struct app_world *a, int image)
{
	int n = 0;
	for (int i = 0; i < PODS; i++)
		n += pod_serves(&a->pods[i]) && a->pods[i].image == image;
	return n;
}

/* In each state: no more pods of the release than its stage says, and no more missing than one. */
void
ordinals_check(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	const struct rollout_known *r = rollout_active(w, app);
	int missing = ordinals_missing(a);
	/* The controller of a Parallel one takes the last pod back while the next one is not there
	 * yet. */
	bool back = w->plan->apps[app].parallel && (r == NULL || r->phase == PHASE_ABORTING);
	if (missing > 1 + back)
		world_violated(w, "I2", "app%d: %d ordinals are missing at once", app, missing);
	if (r == NULL || !r->begun || !phase_forward(r->phase) || r->image == a->image_home ||
	    a->image_by_others)
		return;
	int ready = ordinals_ready_of(a, r->image);
	a->most_ready = ready > a->most_ready ? ready : a->most_ready;
	int limit = batch_limit(w, app), pods = ordinals_pods_of(a, r->image, false);
	if (pods > limit)
		world_violated(w, "I7",
		    "app%d: %d pods of the release in stage %d, which allows %d", app, pods,
		    r->stage, limit);
}

/* By what it sees: a pod that serves goes only when all others do. */
static void
check_roll(struct world *w, int app, const struct act *act)
{
	const struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->cached.truth.deployments[OF_STABLE];
	int goes = 0, missing = 0;
	for (int i = 0; i < d->size && i < SEATS; i++) {
		const struct seat *seat = &a->cached.sides[OF_STABLE].seats[i];
		bool serves = seat->image != 0 && seat->ready && !seat->going;
		missing += !serves;
		goes += serves && i >= d->size - act->number && seat->image != image_of(act->text);
	}
	if (goes > 0 && goes + missing > 1)
		world_violated(w, "I2",
		    "app%d: %d pods of the release, which takes %d with %d missing", app,
		    act->number, goes, missing);
}

void
ordinals_check_send(struct world *w, int app, const struct act *act)
{
	const struct app_world *a = &w->apps[app];
	if (a->broken || a->image_by_others)
		return;
	if (act->kind == ACT_ROLL)
		check_roll(w, app, act);
}

/* It is left: all its pods were ready at once. */
void
ordinals_check_stage(struct world *w, const struct rollout_known *r)
{
	const struct app_world *a = &w->apps[r->app];
	int limit = batch_limit(w, r->app);
	if (a->broken || a->image_by_others || r->image == a->image_home || limit == PODS ||
	    a->nodes_changed)
		return;
	if (a->most_ready < limit)
		world_violated(w, "I7", "%s leaves stage %d, and only %d of its %d pods were ready",
		    r->id, r->stage, a->most_ready, limit);
}

void
ordinals_check_home(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	if (a->broken || a->image_by_others || a->forgotten)
		return;
	if (a->truth.deployments[OF_STABLE].by_hand)
		world_violated(w, "home", "app%d: an abort leaves it OnDelete", app);
	if (ordinals_pods_of(a, a->image_home, true) > 0)
		world_violated(w, "home", "app%d: an abort ends with %d pods of another template",
		    app, ordinals_pods_of(a, a->image_home, true));
}
