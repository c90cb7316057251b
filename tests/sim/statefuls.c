/* statefuls: the StatefulSet controller. A turn looks at all the pods, goes up the ordinals to the
 * first one that is missing or not ready, then takes away what is too much, then what is of the old
 * revision, from above; with podManagementPolicy Parallel nothing waits but the last of these. */
#include "statefuls.h"

#include "jx.h"
#include "plan.h"
#include "podmake.h"
#include "revisions.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define HASH_LABEL "controller.kubernetes.io/hash"

static int
from_above(const void *a, const void *b)
{
	const struct obj *x = *(struct obj *const *)a, *y = *(struct obj *const *)b;
	size_t n = strlen(x->name), m = strlen(y->name);

	/* Names differ in the number at their end alone. */
	if (n != m)
		return n < m ? 1 : -1;
	return strcmp(y->name, x->name);
}

/* Whether the pod is of use now; one that is going is not. */
static bool
available(struct turn *t, struct obj *pod)
{
	return pod_available(pod, t->min_s, &t->next_ms) && !pod_going(pod);
}

static void
find_bad(struct turn *t)
{
	for (int64_t i = 0; i < t->n; i++) {
		if (t->at[i] != NULL && available(t, t->at[i]))
			continue;
		t->bad = t->at[i] != NULL ? t->at[i] : t->set; /* the set: none of the pods */
		return;
	}
	for (size_t i = t->nextra; i > 0; i--)
		if (!available(t, t->extra[i - 1])) {
			t->bad = t->extra[i - 1];
			return;
		}
}

static void
look(struct turn *t, struct obj *set)
{
	const char *policy = jx_str(set->json, "spec.podManagementPolicy");

	*t = (struct turn){.set = set,
	    .ordered = policy == NULL || strcmp(policy, "Parallel") != 0,
	    .start = jx_int(set->json, "spec.ordinals.start", 0),
	    .n = jx_int(set->json, "spec.replicas", 1),
	    .min_s = jx_int(set->json, "spec.minReadySeconds", 0)};
	t->update = revision_now(set, HASH_LABEL);
	t->current = revision_named(set, jx_str(set->json, "status.currentRevision"));
	if (t->current == NULL)
		t->current = t->update;
	t->at = xalloc(((size_t)t->n + 1) * sizeof(*t->at));
	t->extra = xalloc((set->nkids + 1) * sizeof(*t->extra));
	for (size_t i = 0; i < set->nkids; i++) {
		struct obj *pod = set->kids[i];
		int64_t ordinal = stateful_ordinal(set, pod->name);

		if (pod->kind->id != K_POD || ordinal < 0)
			continue;
		if (ordinal >= t->start && ordinal < t->start + t->n)
			t->at[ordinal - t->start] = pod;
		else
			t->extra[t->nextra++] = pod;
	}
	qsort(t->extra, t->nextra, sizeof(*t->extra), from_above);
	find_bad(t);
}

static void
done(struct turn *t)
{
	free(t->at);
	free(t->extra);
}

/* True: that is all for now. */
static bool
grow(struct turn *t)
{
	for (int64_t i = 0; i < t->n; i++) {
		struct obj *pod = t->at[i];

		if (pod == NULL) {
			if (!stateful_make(t, t->start + i) || t->ordered)
				return true;
			continue;
		}
		if (pod_ended(pod)) {
			if (!pod_going(pod))
				stateful_delete(t, pod);
			if (t->ordered)
				return true;
		} else if (t->ordered && !available(t, pod)) {
			return true;
		}
	}
	return false;
}

static bool
shrink(struct turn *t)
{
	for (size_t i = 0; i < t->nextra; i++) {
		struct obj *pod = t->extra[i];

		if (t->ordered && (pod_going(pod) || (!available(t, pod) && pod != t->bad)))
			return true;
		if (!pod_going(pod))
			stateful_delete(t, pod);
		if (t->ordered)
			return true;
	}
	return false;
}

/* Takes the highest pod of another revision than the new one; its place is filled in a turn after
 * it went. */
static void
renew(struct turn *t)
{
	const char *type = jx_str(t->set->json, "spec.updateStrategy.type");
	int64_t least = jx_int(t->set->json, "spec.updateStrategy.rollingUpdate.partition", 0);

	if (type != NULL && strcmp(type, "OnDelete") == 0)
		return;
	for (int64_t i = t->n - 1; i >= least; i--) {
		struct obj *pod = t->at[i];

		if (pod == NULL)
			return;
		if (!pod_going(pod) && strcmp(revision_of_pod(pod), t->update->name) != 0) {
			stateful_delete(t, pod);
			return;
		}
		if (!available(t, pod))
			return;
	}
}

static bool
is_used(const struct obj *set, const struct obj *revision)
{
	const char *update = jx_str(set->json, "status.updateRevision");
	const char *current = jx_str(set->json, "status.currentRevision");

	if ((update != NULL && strcmp(update, revision->name) == 0) ||
	    (current != NULL && strcmp(current, revision->name) == 0))
		return true;
	for (size_t i = 0; i < set->nkids; i++)
		if (set->kids[i]->kind->id == K_POD &&
		    strcmp(revision_of_pod(set->kids[i]), revision->name) == 0)
			return true;
	return false;
}

static void
sync_set(struct obj *set)
{
	struct turn t;

	obj_ref(set);
	look(&t, set);
	if (jx_str(set->json, "metadata.deletionTimestamp") == NULL && !grow(&t) && !shrink(&t))
		renew(&t);
	done(&t);
	if (!set->dead) {
		look(&t, set);
		stateful_status(&t);
		revisions_trim(set, is_used);
		if (t.next_ms > 0)
			plan_task(set, T_STEP, t.next_ms);
		done(&t);
	}
	obj_unref(set);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *owner = o->kind->id == K_POD ? store_owner(o) : NULL;

	(void)before;
	if (o->kind->id == K_STATEFULSET && change != DELETED)
		plan_task(o, T_SYNC, 10);
	if (owner != NULL && owner->kind->id == K_STATEFULSET)
		plan_task(owner, T_SYNC, 5);
}

void
statefuls_init(void)
{
	store_listen(changed);
	plan_register(K_STATEFULSET, T_SYNC, sync_set);
	plan_register(K_STATEFULSET, T_STEP, sync_set);
}
