/* rolling: how a Deployment's ReplicaSets grow and shrink, by Kubernetes' own rules. */
#include "deploys.h"
#include "gc.h"
#include "jx.h"
#include "util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
annotated(const struct obj *set, const char *key, int64_t otherwise)
{
	const char *text = jx_annotation(set->json, key);

	return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

static bool
is_rescale(const struct roll *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (set_replicas(r->sets[i]) > 0 &&
		    annotated(r->sets[i], "deployment.kubernetes.io/desired-replicas",
			r->replicas) != r->replicas)
			return true;
	return false;
}

static bool
saturated(const struct roll *r)
{
	return r->fresh != NULL && set_replicas(r->fresh) == r->replicas &&
	       annotated(r->fresh, "deployment.kubernetes.io/desired-replicas", -1) ==
		   r->replicas &&
	       set_available(r->fresh) == r->replicas;
}

/* What a set gets of a change, by its share of what all were meant to be. */
static int64_t
portion(const struct roll *r, const struct obj *set, int64_t add, int64_t added)
{
	int64_t size = set_replicas(set), part;
	int64_t of = annotated(set, "deployment.kubernetes.io/max-replicas", r->replicas);

	if (of <= 0 || add == 0 || add == added)
		return 0;
	if (r->replicas == 0)
		part = -size;
	else
		part = llround((double)size * (double)(r->replicas + r->surge) / (double)of) - size;
	if (add > 0)
		return least(part, add - added);
	return part > add - added ? part : add - added;
}

/* Largest first; of two as large the newer one for a growth, the older one for a cut. */
static void
by_size(const struct roll *r, bool newer, size_t *order)
{
	for (size_t k = 0; k < r->n; k++) {
		size_t i = newer ? r->n - 1 - k : k, at = k;

		for (; at > 0 && set_replicas(r->sets[order[at - 1]]) < set_replicas(r->sets[i]);
		     at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

static void
spread(struct roll *r)
{
	int64_t allowed = r->replicas > 0 ? r->replicas + r->surge : 0;
	int64_t add = allowed - roll_total(r), added = 0;
	int64_t *size = xalloc(r->n * sizeof(*size));
	size_t *order = xalloc(r->n * sizeof(*order));

	by_size(r, add > 0, order);
	for (size_t k = 0; k < r->n; k++) {
		size_t i = order[k];

		size[i] = set_replicas(r->sets[i]);
		if (size[i] > 0 && add != 0) {
			int64_t part = portion(r, r->sets[i], add, added);

			size[i] += part;
			added += part;
		}
	}
	if (r->n > 0 && size[order[0]] > 0 && add != 0) {
		size[order[0]] += add - added;
		if (size[order[0]] < 0)
			size[order[0]] = 0;
	}
	for (size_t i = 0; i < r->n; i++)
		if (set_replicas(r->sets[i]) > 0)
			roll_resize(r, r->sets[i], size[i]);
	free(order);
	free(size);
}

bool
roll_rescale(struct roll *r)
{
	struct obj *only = NULL;
	size_t busy = 0;

	for (size_t i = 0; i < r->n; i++)
		if (set_replicas(r->sets[i]) > 0) {
			only = r->sets[i];
			busy++;
		}
	if (busy == 0)
		only = r->fresh;
	if (!is_rescale(r) && !jx_bool(r->d->json, "spec.paused"))
		return false;
	if (busy <= 1 && only != NULL) {
		roll_resize(r, only, r->replicas);
	} else if (saturated(r)) {
		for (size_t i = 0; i < r->n; i++)
			if (r->sets[i] != r->fresh && set_replicas(r->sets[i]) > 0)
				roll_resize(r, r->sets[i], 0);
	} else if (json_object_get(jx_at(r->d->json, "spec.strategy"), "rollingUpdate") != NULL) {
		spread(r);
	}
	return true;
}

/* Old replicas that are not healthy go first. */
static void
drop_unhealthy(struct roll *r, int64_t most)
{
	int64_t gone = 0;

	for (size_t i = 0; i < r->n && gone < most; i++) {
		struct obj *set = r->sets[i];
		int64_t size = set_replicas(set), bad = size - set_available(set);

		if (set == r->fresh || size == 0 || bad <= 0)
			continue;
		bad = least(bad, most - gone);
		roll_resize(r, set, size - bad);
		gone += bad;
	}
}

static void
drop_old(struct roll *r)
{
	int64_t floor = r->replicas - r->unavailable, available = 0, spare;

	for (size_t i = 0; i < r->n; i++)
		available += set_available(r->sets[i]);
	spare = available - floor;
	for (size_t i = 0; i < r->n && spare > 0; i++) {
		struct obj *set = r->sets[i];
		int64_t cut = least(set_replicas(set), spare);

		if (set == r->fresh || cut == 0)
			continue;
		roll_resize(r, set, set_replicas(set) - cut);
		spare -= cut;
	}
}

static bool
grow_fresh(struct roll *r)
{
	int64_t have = set_replicas(r->fresh), room;

	if (have == r->replicas)
		return false;
	if (have > r->replicas)
		return roll_resize(r, r->fresh, r->replicas);
	room = r->replicas + r->surge - roll_total(r);
	if (room <= 0)
		return false;
	return roll_resize(r, r->fresh, have + least(room, r->replicas - have));
}

static void
rolling_update(struct roll *r)
{
	int64_t total, old, floor, waiting, most;

	if (r->fresh == NULL || grow_fresh(r))
		return;
	total = roll_total(r);
	old = total - set_replicas(r->fresh);
	if (old == 0)
		return;
	floor = r->replicas - r->unavailable;
	waiting = set_replicas(r->fresh) - set_available(r->fresh);
	most = total - floor - waiting;
	if (most <= 0)
		return;
	drop_unhealthy(r, most);
	drop_old(r);
}

static bool
old_pods_left(const struct roll *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->sets[i] != r->fresh && r->sets[i]->nkids > 0)
			return true;
	return false;
}

static void
recreate(struct roll *r)
{
	bool cut = false;

	for (size_t i = 0; i < r->n; i++)
		if (r->sets[i] != r->fresh && set_replicas(r->sets[i]) > 0)
			cut = roll_resize(r, r->sets[i], 0) || cut;
	if (cut || old_pods_left(r))
		return;
	if (r->fresh == NULL)
		roll_fresh(r, true);
	else
		roll_resize(r, r->fresh, r->replicas);
}

void
roll_step(struct roll *r)
{
	if (json_object_get(jx_at(r->d->json, "spec.strategy"), "rollingUpdate") == NULL)
		recreate(r);
	else
		rolling_update(r);
}

void
roll_clean(struct roll *r)
{
	int64_t keep = jx_int(r->d->json, "spec.revisionHistoryLimit", 10), old = 0;

	if (r->fresh == NULL || jx_int(r->d->json, "status.updatedReplicas", 0) != r->replicas ||
	    jx_int(r->d->json, "status.replicas", 0) != r->replicas)
		return;
	for (size_t i = 0; i < r->n; i++)
		old += r->sets[i] != r->fresh;
	for (size_t i = 0; i < r->n && old > keep; i++) {
		struct obj *set = r->sets[i];

		if (set == r->fresh || set_replicas(set) > 0 || set->nkids > 0)
			continue;
		gc_delete(set, BACKGROUND, -1);
		old--;
	}
}
