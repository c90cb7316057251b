/* DaemonSets: the controller, which has a pod on each node, nodes that come and go, and the laws of
 * what rolls node by node. While its strategy is OnDelete it replaces nothing, and makes what is
 * missing of the template it has; by itself it replaces, as Kubernetes does (daemon/update.go),
 * every old pod that is not ready, and of the others so many that one is missing. */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "model/pace.h"
#include "rooms.h"

#define NODES_MAX 12
#define MAY_MISS 1 /* maxUnavailable, as it is by itself */

static bool
has_node(const struct deployment *d, int node)
{
	return (d->nodes >> node & 1) != 0;
}

void
nodes_begin(struct deployment *d)
{
	d->nodes = (1u << d->size) - 1;
}

/* --- the controller --------------------------------------------------------------------------- */

static bool
make_missing(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	for (int i = 0; i < SEATS; i++)
		if (has_node(d, i) && ordinals_pod(a, i) == NULL)
			return pods_make(w, app, OF_STABLE, d->image, i);
	return false;
}

/* So many are not there, or are of the template and do not serve. */
static int
missing_now(struct app_world *a)
{
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	int missing = 0;
	for (int i = 0; i < SEATS; i++) {
		const struct pod *pod = ordinals_pod(a, i);
		bool old = pod != NULL && pod->gone_ms == 0 && pod->image != d->image;
		missing += has_node(d, i) && !old && (pod == NULL || !pod_serves(pod));
	}
	return missing;
}

static bool
renew(struct world *w, int app, enum cause cause)
{
	struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	bool any = missing_now(a) < MAY_MISS;
	struct pod *next = NULL;
	for (int i = 0; i < SEATS && !d->by_hand; i++) {
		struct pod *pod = ordinals_pod(a, i);
		if (pod == NULL || pod->gone_ms != 0 || pod->image == d->image)
			continue;
		if (!pod->ready || (any && next == NULL))
			next = pod;
		if (!pod->ready)
			break;
	}
	if (next != NULL)
		pods_tell_to_go(w, app, next, cause);
	return next != NULL;
}

bool
nodes_step(struct world *w, int app, enum cause rolled)
{
	return make_missing(w, app) || renew(w, app, rolled);
}

/* A node that goes takes its pod with it; one that comes gets one of the template. */
void
nodes_come_or_go(struct world *w, const struct item *item)
{
	struct app_world *a = &w->apps[item->app];
	struct deployment *d = &a->truth.deployments[OF_STABLE];
	bool goes = item->arg % 2 == 0 && d->size > 1;
	int node = item->arg / 2 % NODES_MAX;
	if (!w->plan->apps[item->app].nodes || !d->exists || (!goes && d->size >= NODES_MAX - 1))
		return;
	while (has_node(d, node) != goes)
		node = (node + 1) % NODES_MAX;
	d->nodes ^= 1u << node;
	d->size += goes ? -1 : 1;
	a->load = d->size < a->load ? d->size : a->load;
	a->nodes_changed = true;
	a->seats[node] = CAUSE_NONE;
	struct pod *pod = ordinals_pod(a, node);
	if (goes && pod != NULL && pod->gone_ms == 0)
		pods_tell_to_go(w, item->app, pod, CAUSE_OTHERS);
	pods_sync(w, item->app);
	world_hit(w, FAULT_NODE);
}

/* A person does what airisd does; what comes has the template, too. */
void
nodes_pod_deleted(struct world *w, const struct item *item)
{
	struct app_world *a = &w->apps[item->app];
	struct pod *pod = ordinals_pod(a, item->arg % NODES_MAX);
	for (int i = 0; i < NODES_MAX && (pod == NULL || pod->gone_ms != 0); i++)
		pod = ordinals_pod(a, (item->arg + i) % NODES_MAX);
	if (!w->plan->apps[item->app].nodes || pod == NULL || pod->gone_ms != 0)
		return;
	pods_tell_to_go(w, item->app, pod, CAUSE_OTHERS);
	pods_sync(w, item->app);
	world_hit(w, FAULT_POD_DELETED);
}

/* --- what is seen ----------------------------------------------------------------------------- */

/* Names sort as uids do. */
static void
pod_name(unsigned uid, char *to, size_t size)
{
	str_print(to, size, "agent-%06u", uid);
}

static unsigned
uid_of(const struct act *act)
{
	const char *dash = strrchr(act->text, '-');
	return dash == NULL ? 0 : (unsigned)strtoul(dash + 1, NULL, 10);
}

static bool
is_outdated(const struct deployment *d, const struct seat *seat)
{
	return seat->image != 0 && !seat->going && seat->image != d->image;
}

static bool
goes_before(const struct seat *seat, const struct seat *than)
{
	if (than == NULL || seat->ready != than->ready)
		return than == NULL || !seat->ready;
	return seat->uid < than->uid;
}

const struct seat *
nodes_named(const struct cached *cached, const struct act *act)
{
	const struct seat *seats = cached->sides[OF_STABLE].seats;
	for (int i = 0; i < SEATS; i++)
		if (seats[i].uid == uid_of(act) &&
		    is_outdated(&cached->truth.deployments[OF_STABLE], &seats[i]))
			return &seats[i];
	return NULL;
}

void
nodes_see(const struct app_world *a, struct workload_seen *seen)
{
	const struct deployment *d = &a->cached.truth.deployments[OF_STABLE];
	const struct counts *counts = &a->cached.sides[OF_STABLE];
	const struct seat *next = NULL;
	for (int i = 0; i < SEATS; i++)
		if (is_outdated(d, &counts->seats[i]) && goes_before(&counts->seats[i], next))
			next = &counts->seats[i];
	seen->observed = ordinals_is_synced(d);
	seen->replicas = d->status.size;
	seen->pace = (struct pace){.nodes = true, .by_hand = d->by_hand};
	seen->next_ready = next != NULL && next->ready;
	if (next != NULL)
		pod_name(next->uid, seen->next, sizeof(seen->next));
}

/* --- the write -------------------------------------------------------------------------------- */

static struct pod *
pod_named(struct app_world *a, const struct act *act)
{
	for (int i = 0; i < PODS; i++)
		if (a->pods[i].there && a->pods[i].uid == uid_of(act))
			return &a->pods[i];
	return NULL;
}

enum act_outcome
nodes_replace(struct world *w, struct act_sent *x)
{
	struct app_world *a = &w->apps[x->app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	const struct rollout_known *r = rollout_active(w, x->app);
	struct pod *pod = pod_named(a, &x->act);
	if (pod == NULL)
		return ACT_DONE;
	if (pod->version != x->version)
		return ACT_CONFLICT;
	/* Of one that was given up, or that an abort overtook, the template may be another now. */
	bool known = x->life == w->life && !x->answered && r != NULL && phase_forward(r->phase);
	if (known && !d->image_by_others && pod->image == d->image)
		world_violated(w, "I2", "app%d: the pod on node %d is deleted and has the template",
		    x->app, pod->ordinal);
	w->counters->replaced++;
	pods_tell_to_go(w, x->app, pod, CAUSE_IN_PLACE);
	return ACT_DONE;
}

/* --- the laws --------------------------------------------------------------------------------- */

int
nodes_limit(const struct world *w, int app, int size)
{
	const struct app_world *a = &w->apps[app];
	const struct app_plan *plan = &w->plan->apps[app];
	const struct rollout_known *r = rollout_active((struct world *)w, app);
	int batch = r == NULL ? 0 : schedule_batch(plan, r->stage);
	if (batch < 1)
		return 0;
	if (schedule_each_ordinal(plan) && batch <= a->ladder_size)
		return batch < size ? batch : size;
	if (batch > a->spec->plan.stage_count)
		return size;
	const struct stage_spec *stage = &a->spec->plan.stages[batch - 1];
	struct share_spec share = {stage->weight, !stage->pods};
	return pace_share(&share, size);
}

/* By what it sees: a pod that serves goes only when so many others do, and none in an abort. */
void
nodes_check_send(struct world *w, int app, const struct act *act)
{
	const struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->cached.truth.deployments[OF_STABLE];
	const struct rollout_known *r = rollout_active(w, app);
	const struct seat *seat = nodes_named(&a->cached, act);
	int size = d->status.size, ready = a->cached.sides[OF_STABLE].ready;
	if (act->kind != ACT_REPLACE_POD || a->broken || a->image_by_others || seat == NULL)
		return;
	if (r == NULL || r->phase == PHASE_ABORTING)
		world_violated(w, "I4", "app%d: an abort deletes a pod", app);
	if (!d->by_hand)
		world_violated(w, "I7", "app%d: a pod goes, and its controller replaces them", app);
	if (seat->ready && size - ready + 1 > pace_share(&a->spec->batch.unavailable, size))
		world_violated(
		    w, "I2", "app%d: a pod that serves goes, and %d of %d do", app, ready, size);
}

void
nodes_note(const struct world *w, struct act_sent *x)
{
	const struct cached *cached = &w->apps[x->app].cached;
	const struct counts *counts = &cached->sides[OF_STABLE];
	x->size = cached->truth.deployments[OF_STABLE].status.size;
	x->gone = x->size - (counts->pods - counts->updated);
}

/* What its stage is shows the journal, which is told of a moment after it was sent. An abort
 * overtakes what is under way. */
void
nodes_check_effect(struct world *w, const struct act_sent *x)
{
	const struct app_world *a = &w->apps[x->app];
	const struct rollout_known *r = rollout_active(w, x->app);
	int limit = nodes_limit(w, x->app, x->size);
	if (a->image_by_others || r == NULL || !phase_forward(r->phase))
		return;
	if (x->act.kind == ACT_ROLL && x->act.number > limit)
		world_violated(w, "I7", "app%d: %d pods of the release, its stage allows %d",
		    x->app, x->act.number, limit);
	if (x->act.kind == ACT_REPLACE_POD && x->gone + 1 > limit)
		world_violated(w, "I7", "app%d: old pods are gone from %d of %d nodes, %d may go",
		    x->app, x->gone, x->size, limit);
}

/* In each state: no pod of the release before its first batch, and no more nodes without a pod
 * because of airisd than may be. How far a batch goes is looked at when a pod is sent away: others
 * have their own. */
static void
check_release(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	const struct rollout_known *r = rollout_active(w, app);
	if (r == NULL || !r->begun || !phase_forward(r->phase) || r->image == a->image_home ||
	    a->image_by_others)
		return;
	int ready = ordinals_ready_of(a, r->image);
	a->most_ready = ready > a->most_ready ? ready : a->most_ready;
	if (schedule_batch(&w->plan->apps[app], r->stage) < 1 &&
	    ordinals_pods_of(a, r->image, false) > 0)
		world_violated(w, "I7", "app%d: pods of the release in stage %d", app, r->stage);
}

void
nodes_check(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	int missing = ordinals_missing(a);
	if (d->by_hand && !a->image_by_others &&
	    missing > pace_share(&a->spec->batch.unavailable, d->size))
		world_violated(
		    w, "I2", "app%d: %d of %d nodes are without a pod", app, missing, d->size);
	check_release(w, app);
}
