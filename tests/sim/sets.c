/* sets: the ReplicaSet controller. A set owns its pods by ownerReference, so overlapping
 * selectors of two sets do no harm. */
#include "ends.h"
#include "gc.h"
#include "jx.h"
#include "plan.h"
#include "podmake.h"
#include "pods.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tally {
	struct obj **pods; /* the active ones */
	int64_t n, ready, available, labelled, going;
	uint64_t next_ms; /* when the next one becomes available, 0: none waits */
};

static void
count_pods(const struct obj *set, struct tally *t)
{
	int64_t min_s = jx_int(set->json, "spec.minReadySeconds", 0);

	*t = (struct tally){.pods = xalloc(set->nkids * sizeof(*t->pods))};
	for (size_t i = 0; i < set->nkids; i++) {
		struct obj *pod = set->kids[i];

		if (pod->kind->id != K_POD)
			continue;
		t->going += pod_going(pod);
		if (pod_going(pod) || pod_ended(pod))
			continue;
		t->pods[t->n++] = pod;
		t->ready += ends_pod_ready(pod->json);
		t->available += pod_available(pod, min_s, &t->next_ms);
	}
	t->labelled = t->n;
}

/* How much a pod deserves to stay; the least goes first. */
static int64_t
worth(const struct obj *o)
{
	struct podx *x = pods_ext((struct obj *)o);
	const char *phase = jx_str(o->json, "status.phase");
	const char *cost = jx_annotation(o->json, "controller.kubernetes.io/pod-deletion-cost");
	int64_t w = 0;

	if (jx_str(o->json, "spec.nodeName") != NULL)
		w += 8;
	if (phase != NULL && strcmp(phase, "Running") == 0)
		w += 4;
	if (ends_pod_ready(o->json))
		w += 2;
	w = w * 100000 + (cost != NULL ? strtoll(cost, NULL, 10) % 50000 : 0);
	return w * 1000 - (x->restarts < 999 ? x->restarts : 999);
}

static int
by_worth(const void *a, const void *b)
{
	const struct obj *x = *(struct obj *const *)a, *y = *(struct obj *const *)b;
	int64_t wx = worth(x), wy = worth(y);
	uint64_t rx = pods_ext((struct obj *)x)->ready_ms, ry = pods_ext((struct obj *)y)->ready_ms;

	if (wx != wy)
		return wx < wy ? -1 : 1;
	if (rx != ry)
		return rx > ry ? -1 : 1; /* the one that is ready for a shorter time */
	return strcmp(x->name, y->name);
}

/* Creates or deletes; the reason why not all could be created, or NULL (a new text). */
static char *
scale(struct obj *set, struct tally *t)
{
	int64_t want = jx_int(set->json, "spec.replicas", 1);
	char *why = NULL;

	if (jx_str(set->json, "metadata.deletionTimestamp") != NULL)
		return NULL;
	for (int64_t i = t->n; i < want; i++) {
		if (!world_quota(set->ns, &why))
			return why;
		store_put(
		    &kinds[K_POD], NULL, pod_of(set, jx_at(set->json, "spec.template"), NULL));
	}
	if (t->n > want) {
		qsort(t->pods, (size_t)t->n, sizeof(*t->pods), by_worth);
		for (int64_t i = 0; i < t->n - want; i++)
			gc_delete(t->pods[i], BACKGROUND, -1);
	}
	return NULL;
}

static json_t *
failure(const struct obj *set, const char *why)
{
	json_t *old = json_array_get(jx_at(set->json, "status.conditions"), 0);
	char now[32];

	if (old != NULL && strcmp(jx_str(old, "message"), why) == 0)
		return json_incref(old);
	wall_text(now, sizeof(now));
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "ReplicaFailure", "status", "True",
	    "lastTransitionTime", now, "reason", "FailedCreate", "message", why);
}

static void
write_status(struct obj *set, const struct tally *t, const char *why)
{
	json_t *next = json_copy(set->json), *status = jx_own(next, "status");

	jx_set_int(status, "replicas", t->n);
	jx_set_count(status, "fullyLabeledReplicas", t->labelled);
	jx_set_count(status, "readyReplicas", t->ready);
	jx_set_count(status, "availableReplicas", t->available);
	jx_set_int(status, "terminatingReplicas", t->going);
	jx_set_int(status, "observedGeneration", jx_int(set->json, "metadata.generation", 1));
	if (why != NULL)
		json_object_set_new(status, "conditions", json_pack("[o]", failure(set, why)));
	else
		json_object_del(status, "conditions");
	if (json_equal(status, json_object_get(set->json, "status")))
		json_decref(next);
	else
		store_put(set->kind, set, next);
}

static void
sync_set(struct obj *set)
{
	struct tally t;
	char *why, *text = NULL;

	obj_ref(set);
	count_pods(set, &t);
	why = scale(set, &t);
	if (why != NULL) {
		text = xfmt("pods \"%s-\" is forbidden: %s", set->name, why);
		if (jx_at(set->json, "status.conditions") == NULL)
			world_event(set, "Warning", "FailedCreate", "replicaset-controller", text);
		plan_task(set, T_STEP, 1000);
	}
	free(t.pods);
	count_pods(set, &t);
	if (!set->dead)
		write_status(set, &t, text);
	if (t.next_ms > 0)
		plan_task(set, T_STEP, t.next_ms);
	free(t.pods);
	free(why);
	free(text);
	obj_unref(set);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *owner;

	if (o->kind->id == K_REPLICASET && change != DELETED &&
	    json_object_get(before, "spec") != json_object_get(o->json, "spec"))
		plan_task(o, T_SYNC, 2);
	if (o->kind->id != K_POD)
		return;
	owner = store_owner(o);
	if (owner != NULL && owner->kind->id == K_REPLICASET)
		plan_task(owner, T_SYNC, 5);
}

void
sets_init(void)
{
	store_listen(changed);
	plan_register(K_REPLICASET, T_SYNC, sync_set);
	plan_register(K_REPLICASET, T_STEP, sync_set);
}
