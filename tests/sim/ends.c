/* ends: see ends.h. The index goes from "namespace label=value" to the endpoints that have
 * it; a search walks the shortest list of its wanted pairs. */
#include "ends.h"

#include "jx.h"
#include "map.h"
#include "plan.h"
#include "select.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
	struct endpoint **items;
	size_t n, cap;
};

static struct map by_label, by_uid;
static struct list pending, found;
static uint64_t delay;

static void
list_add(struct list *l, struct endpoint *e)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 4;
		l->items = xgrow(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->n++] = e;
}

static void
list_drop(struct list *l, struct endpoint *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i] == e) {
			l->items[i] = l->items[--l->n];
			return;
		}
}

static const char *
label_key(const char *ns, const char *key, const json_t *value)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s %s=%s", ns, key, json_string_value(value));
	return text;
}

static void
index_labels(struct endpoint *e, json_t *labels)
{
	const char *key;
	json_t *v;
	struct list *l;

	json_object_foreach(e->labels, key, v)
	{
		l = map_get(&by_label, label_key(e->pod->ns, key, v));
		list_drop(l, e);
		if (l->n == 0) {
			map_set(&by_label, label_key(e->pod->ns, key, v), NULL);
			free(l->items);
			free(l);
		}
	}
	json_decref(e->labels);
	e->labels = json_incref(labels);
	json_object_foreach(e->labels, key, v)
	{
		l = map_get(&by_label, label_key(e->pod->ns, key, v));
		if (l == NULL) {
			l = xalloc(sizeof(*l));
			map_set(&by_label, label_key(e->pod->ns, key, v), l);
		}
		list_add(l, e);
	}
}

/* The number after a mark in an image's tag ("-err20"), or otherwise. */
static double
tag_number(const char *image, const char *mark, double otherwise)
{
	const char *at = image != NULL ? strstr(image, mark) : NULL;
	char *end;
	double v;

	for (; at != NULL; at = strstr(at + 1, mark)) {
		v = strtod(at + strlen(mark), &end);
		if (end != at + strlen(mark) && v >= 0)
			return v;
	}
	return otherwise;
}

/* The pod's Deployment, as the mesh's telemetry names it. */
static void
set_workload(struct endpoint *e)
{
	json_t *ref = json_array_get(jx_at(e->pod->json, "metadata.ownerReferences"), 0);
	const char *name = ref != NULL ? jx_str(ref, "name") : e->pod->name;
	const char *dash = strrchr(name, '-');
	int n = (int)strlen(name);

	if (ref != NULL && strcmp(jx_str(ref, "kind"), "ReplicaSet") == 0 && dash != NULL)
		n = (int)(dash - name);
	snprintf(e->workload, sizeof(e->workload), "%.*s", n, name);
}

bool
ends_pod_ready(const json_t *pod)
{
	json_t *c;
	size_t i;

	json_array_foreach(jx_at(pod, "status.conditions"), i,
	    c) if (strcmp(jx_str(c, "type"), "Ready") == 0) return strcmp(jx_str(c, "status"),
	    "True") == 0;
	return false;
}

static void
read_pod(struct endpoint *e)
{
	json_t *pod = e->pod->json;
	const char *image = jx_str(json_array_get(jx_at(pod, "spec.containers"), 0), "image");
	const char *rps = jx_annotation(pod, "lab/rps");
	char *end = NULL;

	e->going = jx_str(pod, "metadata.deletionTimestamp") != NULL;
	e->ready = !e->going && ends_pod_ready(pod);
	e->error_percent = tag_number(image, "-err", 0);
	e->latency_ms = tag_number(image, "-lat", 20);
	e->capacity = rps != NULL ? strtod(rps, &end) : -1;
	if (rps != NULL && end == rps)
		e->capacity = -1;
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct endpoint *e;
	json_t *labels;

	(void)before;
	if (o->kind->id != K_POD)
		return;
	e = map_get(&by_uid, o->uid);
	if (e == NULL) {
		e = xalloc(sizeof(*e));
		e->pod = obj_ref(o);
		map_set(&by_uid, o->uid, e);
		set_workload(e);
	}
	e->alive = change != DELETED;
	if (e->alive)
		read_pod(e);
	labels = jx_at(o->json, "metadata.labels");
	if (e->alive && !json_equal(labels, e->labels))
		index_labels(e, labels);
	if (!e->pending) {
		e->pending = true;
		list_add(&pending, e);
	}
}

static void
forget(struct endpoint *e)
{
	index_labels(e, NULL);
	map_set(&by_uid, e->pod->uid, NULL);
	obj_unref(e->pod);
	free(e);
}

void
ends_tick(uint64_t now)
{
	for (size_t i = pending.n; i > 0; i--) {
		struct endpoint *e = pending.items[i - 1];
		bool want = e->alive && e->ready;

		if (want != e->in && e->change_at == 0) {
			e->change_at = now + delay;
			continue;
		}
		if (want != e->in && now <= e->change_at)
			continue;
		e->in = want;
		e->change_at = 0;
		e->pending = false;
		pending.items[i - 1] = pending.items[--pending.n];
		if (!e->alive && !e->in && e->refs == 0)
			forget(e);
	}
}

struct endpoint *
ends_take(const char *uid)
{
	struct endpoint *e = map_get(&by_uid, uid);

	if (e != NULL)
		e->refs++;
	return e;
}

void
ends_release(struct endpoint *e)
{
	if (--e->refs > 0 || e->alive || e->in || e->pending)
		return;
	e->pending = true;
	list_add(&pending, e);
}

size_t
ends_select(const char *ns, const json_t *wanted, struct endpoint ***out)
{
	struct list *least = NULL;
	const char *key;
	json_t *v;

	found.n = 0;
	*out = found.items;
	json_object_foreach((json_t *)wanted, key, v)
	{
		struct list *l = map_get(&by_label, label_key(ns, key, v));

		if (l == NULL)
			return 0;
		if (least == NULL || l->n < least->n)
			least = l;
	}
	for (size_t i = 0; least != NULL && i < least->n; i++)
		if (labels_match(wanted, least->items[i]->labels))
			list_add(&found, least->items[i]);
	*out = found.items;
	return found.n;
}

void
ends_init(uint64_t delay_ms)
{
	delay = delay_ms;
	store_listen(changed);
}
