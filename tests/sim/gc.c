/* gc: see gc.h. Event driven: the end of an owner plans one task for each of its dependents,
 * the end of a dependent one for an owner that waits for it. */
#include "gc.h"

#include "jx.h"
#include "plan.h"
#include "util.h"

#include <string.h>

#define FOREGROUND_FINALIZER "foregroundDeletion"

static bool
has_finalizer(const json_t *json, const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach(jx_at(json, "metadata.finalizers"), i,
	    v) if (strcmp(json_string_value(v), name) == 0) return true;
	return false;
}

/* Marks as being deleted; finalizer may be NULL. */
static void
mark(struct obj *o, int64_t grace, const char *finalizer)
{
	json_t *next = json_copy(o->json), *meta = jx_own(next, "metadata"), *list;
	char now[32];

	wall_text(now, sizeof(now));
	jx_set_str(meta, "deletionTimestamp", now);
	jx_set_int(meta, "deletionGracePeriodSeconds", grace);
	if (finalizer != NULL && !has_finalizer(o->json, finalizer)) {
		list = json_object_get(meta, "finalizers");
		list = json_is_array(list) ? json_copy(list) : json_array();
		json_array_append_new(list, json_string(finalizer));
		json_object_set_new(meta, "finalizers", list);
	}
	store_put(o->kind, o, next);
}

static void
drop_finalizer(struct obj *o, const char *name)
{
	json_t *next = json_copy(o->json), *meta = jx_own(next, "metadata"), *list = json_array();
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(meta, "finalizers"), i,
	    v) if (strcmp(json_string_value(v), name) != 0) json_array_append(list, v);
	json_object_set_new(meta, "finalizers", list);
	if (json_array_size(list) == 0)
		json_object_del(meta, "finalizers");
	store_put(o->kind, o, next);
}

static void
orphan_kids(struct obj *o)
{
	while (o->nkids > 0) {
		struct obj *kid = o->kids[o->nkids - 1];
		json_t *next = json_copy(kid->json), *refs = json_array(), *ref;
		size_t i;

		json_array_foreach(jx_at(kid->json, "metadata.ownerReferences"), i,
		    ref) if (strcmp(jx_str(ref, "uid"), o->uid) != 0) json_array_append(refs, ref);
		if (json_array_size(refs) > 0)
			json_object_set(jx_own(next, "metadata"), "ownerReferences", refs);
		else
			json_object_del(jx_own(next, "metadata"), "ownerReferences");
		json_decref(refs);
		store_put(kid->kind, kid, next);
	}
}

static void
delete_pod(struct obj *o, int64_t grace)
{
	if (grace < 0)
		grace = jx_int(o->json, "spec.terminationGracePeriodSeconds", 30);
	if (grace == 0 || jx_str(o->json, "spec.nodeName") == NULL) {
		store_remove(o);
		return;
	}
	if (jx_str(o->json, "metadata.deletionTimestamp") != NULL)
		return;
	mark(o, grace, NULL);
	plan_task(o, T_GONE, POD_GONE_MS);
}

static void
delete_namespace(struct obj *o)
{
	json_t *next;

	if (jx_str(o->json, "metadata.deletionTimestamp") == NULL) {
		next = json_copy(o->json);
		jx_set_str(jx_own(next, "status"), "phase", "Terminating");
		store_put(o->kind, o, next);
		mark(o, 0, NULL);
	}
	plan_task(o, T_GC, 1);
}

void
gc_delete(struct obj *o, enum propagation how, int64_t grace)
{
	if (o->kind->id == K_NAMESPACE) {
		delete_namespace(o);
		return;
	}
	if (how == ORPHAN)
		orphan_kids(o);
	if (how == FOREGROUND && o->nkids > 0) {
		if (jx_str(o->json, "metadata.deletionTimestamp") == NULL)
			mark(o, 0, FOREGROUND_FINALIZER);
		plan_task(o, T_GC, 5);
	} else if (json_array_size(jx_at(o->json, "metadata.finalizers")) > 0) {
		if (jx_str(o->json, "metadata.deletionTimestamp") == NULL)
			mark(o, 0, NULL);
	} else if (o->kind->id == K_POD) {
		delete_pod(o, grace);
	} else {
		store_remove(o);
	}
}

bool
gc_settle(struct obj *o)
{
	if (o->kind->id == K_POD || o->kind->id == K_NAMESPACE ||
	    jx_str(o->json, "metadata.deletionTimestamp") == NULL ||
	    json_array_size(jx_at(o->json, "metadata.finalizers")) > 0)
		return false;
	store_remove(o);
	return true;
}

static void
empty_namespace(struct obj *o)
{
	size_t from, to, left = 0;

	for (int i = 0; i < K_COUNT; i++) {
		if (!kinds[i].namespaced)
			continue;
		store_range(&kinds[i], o->name, &from, &to);
		left += to - from;
		for (; to > from; to--) {
			size_t n;
			struct obj **all = store_all(&kinds[i], &n);

			if (to <= n)
				gc_delete(all[to - 1], BACKGROUND, -1);
		}
	}
	if (left == 0)
		store_remove(o);
	else
		plan_task(o, T_GC, 50);
}

/* Looks at one object whose owner or whose dependents changed. */
static void
collect(struct obj *o)
{
	if (o->kind->id == K_NAMESPACE) {
		if (jx_str(o->json, "metadata.deletionTimestamp") != NULL)
			empty_namespace(o);
		return;
	}
	if (o->owner[0] != '\0' && store_owner(o) == NULL) {
		gc_delete(o, BACKGROUND, -1);
		return;
	}
	if (!has_finalizer(o->json, FOREGROUND_FINALIZER))
		return;
	for (size_t i = o->nkids; i > 0; i--)
		if (i <= o->nkids)
			gc_delete(o->kids[i - 1],
			    o->kids[i - 1]->nkids > 0 ? FOREGROUND : BACKGROUND, -1);
	if (o->nkids == 0) {
		drop_finalizer(o, FOREGROUND_FINALIZER);
		gc_settle(o);
	}
}

static void
pod_gone(struct obj *o)
{
	store_remove(o);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *owner = store_owner(o);

	(void)before;
	if (change == DELETED) {
		for (size_t i = 0; i < o->nkids; i++)
			plan_task(o->kids[i], T_GC, 10);
		if (owner != NULL && has_finalizer(owner->json, FOREGROUND_FINALIZER))
			plan_task(owner, T_GC, 5);
	} else if (change == ADDED && o->owner[0] != '\0' && owner == NULL) {
		plan_task(o, T_GC, 100);
	}
}

void
gc_init(void)
{
	store_listen(changed);
	for (int i = 0; i < K_COUNT; i++)
		plan_register((enum kind_id)i, T_GC, collect);
	plan_register(K_POD, T_GONE, pod_gone);
}
