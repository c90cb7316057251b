/* Pods and Deployments. A Deployment rolls with maxSurge and maxUnavailable of 25%, as Kubernetes
 * rounds them; what is not ready goes first; a pod that is told to go is no endpoint any more and
 * answers for a moment. */
#include <assert.h>
#include <string.h>
#include "rooms.h"

#define GRACE_MS 2000

bool
pod_serves(const struct pod *pod)
{
	return pod->there && pod->ready && pod->gone_ms == 0;
}

bool
pod_answers(const struct pod *pod)
{
	return pod->there && pod->was_ready && !pod->down;
}

/* image 0: of any. */
static int
count(const struct app_world *a, int side, bool ready, int image)
{
	int n = 0;
	for (int i = 0; i < PODS; i++) {
		const struct pod *pod = &a->pods[i];
		if (pod->there && pod->canary == (side == OF_CANARY) &&
		    (image == 0 || pod->image == image))
			n += ready ? pod_serves(pod) : pod->gone_ms == 0;
	}
	return n;
}

int
pods_ready(const struct app_world *a, int side)
{
	return count(a, side, true, 0);
}

void
pods_count(const struct app_world *a, int side, struct counts *counts)
{
	const struct deployment *d = &a->truth.deployments[side];
	*counts = (struct counts){.never = d->exists && a->never_ready == d->image};
	for (int i = 0; i < PODS; i++) {
		const struct pod *pod = &a->pods[i];
		if (pod->canary != (side == OF_CANARY) || !pod->there)
			continue;
		bool stays = pod->gone_ms == 0;
		counts->going += !stays;
		counts->pods += stays;
		counts->updated += stays && (d->image == 0 || pod->image == d->image);
		counts->ready += pod_serves(pod);
		counts->ready_of[pod->image] += pod_serves(pod);
		ordinals_count(pod, counts);
	}
}

uint64_t
pods_ends(const struct app_world *a, int side)
{
	uint64_t ends = 0;
	for (int i = 0; i < PODS; i++)
		if (a->pods[i].canary == (side == OF_CANARY) && pod_serves(&a->pods[i]))
			ends |= UINT64_C(1) << i;
	return ends;
}

static void
mended(struct world *w, int app, int side)
{
	struct deployment *d = &w->apps[app].truth.deployments[side];
	if (d->mended && count(&w->apps[app], side, true, d->image) >= d->size)
		d->size_by_others = d->mended = false;
}

/* Its status changes with its pods, and so does its resourceVersion. */
static void
changed(struct world *w, int app, struct pod *pod)
{
	struct app_world *a = &w->apps[app];
	bool canary = pod->canary;
	pod->version++;
	a->truth.deployments[canary ? OF_CANARY : OF_STABLE].version++;
	check_history(w, app);
	if (a->truth.deployments[canary ? OF_CANARY : OF_STABLE].mended)
		event_at(
		    w, w->now_ms + HEARD_MS, mended, app, canary ? OF_CANARY : OF_STABLE, false);
	watch_changed(w, app, canary ? PART_CANARY : PART_STABLE);
	pods_sync(w, app);
	mesh_news(w);
}

static struct pod *
same_pod(struct world *w, int app, int place_and_uid, int *place)
{
	*place = place_and_uid % PODS;
	struct pod *pod = &w->apps[app].pods[*place];
	return pod->there && pod->uid % 1000000 == (unsigned)(place_and_uid / PODS) ? pod : NULL;
}

static int
name_of(const struct app_world *a, const struct pod *pod)
{
	return (int)(pod->uid % 1000000) * PODS + (int)(pod - a->pods);
}

static void
get_ready(struct world *w, int app, int name)
{
	int place;
	struct app_world *a = &w->apps[app];
	struct pod *pod = same_pod(w, app, name, &place);
	if (pod == NULL || pod->ready || pod->gone_ms != 0)
		return;
	if (a->never_ready == pod->image) {
		world_hit(w, FAULT_NEVER_READY);
		return;
	}
	pod->ready = pod->was_ready = true;
	pod->down = false;
	pod->returned = pod->cause == CAUSE_OTHERS;
	pod->cause = CAUSE_NONE;
	ordinals_serves(a, pod);
	changed(w, app, pod);
}

/* Those that could not get ready now can. */
void
pods_may_get_ready(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	for (int i = 0; i < PODS; i++)
		if (a->pods[i].there && !a->pods[i].ready)
			event_at(w, w->now_ms + world_between(w, 200, w->plan->pods_late_ms),
			    get_ready, app, name_of(a, &a->pods[i]), false);
}

bool
pods_make(struct world *w, int app, int side, int image, int ordinal)
{
	struct app_world *a = &w->apps[app];
	int place = 0;
	while (place < PODS && (a->pods[place].there || mesh_keeps(w, app, place)))
		place++;
	if (place == PODS)
		return false; /* the next look of the controllers tries again */
	struct pod *pod = &a->pods[place];
	*pod = (struct pod){.there = true,
	    .canary = side == OF_CANARY,
	    .image = image,
	    .ordinal = ordinal,
	    .uid = ++w->uids};
	event_at(w, w->now_ms + world_between(w, 200, w->plan->pods_late_ms), get_ready, app,
	    name_of(a, pod), false);
	return true;
}

static bool
add_pod(struct world *w, int app, int side)
{
	return pods_make(w, app, side, w->apps[app].truth.deployments[side].image, 0);
}

static void
go(struct world *w, int app, int name)
{
	int place;
	struct pod *pod = same_pod(w, app, name, &place);
	if (pod == NULL)
		return;
	pod->there = false;
	changed(w, app, pod);
}

/* Until the pod that takes the place of one that others took down is known. */
static int64_t
replaced_ms(const struct world *w, int app, int side)
{
	const struct app_world *a = &w->apps[app];
	int64_t never_ms = a->until[FAULT_NEVER_READY] - w->now_ms;
	bool never = a->never_ready == a->truth.deployments[side].image && never_ms > 0;
	return w->plan->pods_late_ms + HEARD_MS + (never ? never_ms : 0);
}

void
pods_tell_to_go(struct world *w, int app, struct pod *pod, enum cause cause)
{
	struct app_world *a = &w->apps[app];
	int side = pod->canary ? OF_CANARY : OF_STABLE;
	if (pod_serves(pod))
		ordinals_lost(a, pod, cause);
	pod->gone_ms = w->now_ms + GRACE_MS;
	if (pod->cause != CAUSE_OTHERS)
		pod->cause = cause;
	/* One that is down goes first, and with it what others did to it. */
	bool theirs = cause == CAUSE_OTHERS || (cause == CAUSE_IN_PLACE && pod->down);
	if (theirs && pod->was_ready)
		pods_victim(w, app, side, replaced_ms(w, app, side));
	event_at(w, pod->gone_ms, go, app, name_of(a, pod), false);
	changed(w, app, pod);
}

/* One that is not of this image (0: any); those that are not ready first. */
static bool
remove_pod(struct world *w, int app, int side, int image, enum cause cause)
{
	struct app_world *a = &w->apps[app];
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < PODS; i++) {
			struct pod *pod = &a->pods[i];
			bool match = pod->there && pod->gone_ms == 0 &&
				     pod->canary == (side == OF_CANARY) &&
				     (image == 0 || pod->image != image);
			if (match && (pass == 1 || !pod->ready)) {
				pods_tell_to_go(w, app, pod, cause);
				return true;
			}
		}
	return false;
}

/* Who is to answer for pods that go because of the size or the image. */
static enum cause
cause_of(const struct app_world *a, int side, bool rolls)
{
	const struct deployment *d = &a->truth.deployments[side];
	if (a->broken || (rolls ? d->image_by_others : d->size_by_others))
		return CAUSE_OTHERS;
	if (side == OF_STABLE && !rolls && !d->sized)
		return CAUSE_OTHERS; /* only others change its size */
	if (side == OF_STABLE && !rolls && !colours_of(a))
		return CAUSE_IN_PLACE; /* it shrinks while it serves */
	if (!rolls && a->truth.hpa.exists && a->truth.hpa.on_canary == (side == OF_CANARY) &&
	    colours_of(a) && d->size > 0)
		return CAUSE_OTHERS; /* so does an HPA */
	return rolls && d->image_by_others ? CAUSE_OTHERS : rolls ? CAUSE_IN_PLACE : CAUSE_AIRISD;
}

/* New pods never count as available: so many old ones are left, and the rest is new. */
static bool
roll_held(struct world *w, int app, int side)
{
	struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[side];
	int all = count(a, side, false, 0), right = count(a, side, false, d->image);
	int above = d->held < d->surge ? d->held : d->surge, left = d->size - (d->held - above);
	if (all - right > (left > 0 ? left : 0))
		return remove_pod(w, app, side, d->image, cause_of(a, side, true));
	if (right > d->size)
		return remove_pod(w, app, side, 0, cause_of(a, side, false));
	return right < d->size && all < d->size + above && add_pod(w, app, side);
}

/* One step of the controllers; true if there was something to do. */
static bool
roll(struct world *w, int app, int side)
{
	struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[side];
	int size = d->exists && !d->deleting ? d->size : 0;
	int all = count(a, side, false, 0), right = count(a, side, false, d->image);
	int wrong = all - right, surge = d->held > 0 ? d->surge : (size + 3) / 4;
	int ready = count(a, side, true, 0);
	if (side == OF_STABLE && w->plan->apps[app].nodes && size > 0)
		return nodes_step(w, app, cause_of(a, side, true));
	if (side == OF_STABLE && w->plan->apps[app].ordinals && size > 0)
		return ordinals_step(w, app, cause_of(a, side, true), cause_of(a, side, false));
	if (d->held > 0 && size > 0)
		return roll_held(w, app, side);
	bool unready = wrong > ready - count(a, side, true, d->image);
	if (wrong > 0 && (size == 0 || unready || ready > size - size / 4))
		return remove_pod(w, app, side, size == 0 ? 0 : d->image,
		    size == 0 ? cause_of(a, side, false) : cause_of(a, side, true));
	if (right > size)
		return remove_pod(w, app, side, 0, cause_of(a, side, false));
	return right < size && all < size + (wrong > 0 ? surge : 0) && add_pod(w, app, side);
}

/* In the foreground a Deployment is there until its last pod is gone. */
static void
finish_delete(struct world *w, int app, int side)
{
	struct deployment *d = &w->apps[app].truth.deployments[side];
	struct counts counts;
	pods_count(&w->apps[app], side, &counts);
	if (!d->deleting || counts.pods > 0 || counts.going > 0)
		return;
	d->exists = d->deleting = false;
	watch_changed(w, app, side == OF_CANARY ? PART_CANARY : PART_STABLE);
}

static void
look(struct world *w, int app, int b)
{
	(void)b;
	w->apps[app].controller_ms = 0;
	for (int side = 0; side < SIDES; side++) {
		for (int i = 0; i < PODS && roll(w, app, side); i++)
			;
		finish_delete(w, app, side);
	}
	if (w->plan->apps[app].ordinals || w->plan->apps[app].nodes)
		ordinals_status(w, app);
}

void
pods_sync(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	if (a->controller_ms != 0)
		return;
	a->controller_ms = w->now_ms + world_between(w, 10, 60);
	event_at(w, a->controller_ms, look, app, 0, false);
}

void
pods_victim(struct world *w, int app, int side, int64_t for_ms)
{
	int64_t *victims = w->apps[app].victims[side], *first = &victims[0];
	for (int i = 1; i < 8; i++)
		if (victims[i] < *first)
			first = &victims[i];
	*first = w->now_ms + for_ms;
}

/* Their processes end and are started again after a while. */
void
pods_hurt(struct world *w, int app, int side, int count, int64_t for_ms)
{
	struct app_world *a = &w->apps[app];
	for (int i = 0; i < PODS && count > 0; i++) {
		struct pod *pod = &a->pods[i];
		if (!pod_serves(pod) || pod->canary != (side == OF_CANARY))
			continue;
		count--;
		ordinals_lost(a, pod, CAUSE_OTHERS);
		pod->ready = false;
		pod->down = true;
		pod->cause = CAUSE_OTHERS;
		event_at(w, w->now_ms + for_ms, get_ready, app, name_of(a, pod), false);
		changed(w, app, pod);
	}
}

void
pods_begin(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	for (int i = 0; i < a->truth.deployments[OF_STABLE].size; i++)
		a->pods[i] = (struct pod){.there = true,
		    .ready = true,
		    .was_ready = true,
		    .image = a->truth.deployments[OF_STABLE].image,
		    .ordinal = i,
		    .uid = ++w->uids};
	if (w->plan->apps[app].ordinals || w->plan->apps[app].nodes)
		ordinals_status(w, app);
	check_history(w, app);
}
