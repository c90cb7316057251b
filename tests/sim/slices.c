/* slices: the EndpointSlices of each Service: its pods by selector, at most 100 in a slice.
 * A change of a pod finds its Services by label, not by looking at all of them. */
#include "ends.h"
#include "gc.h"
#include "jx.h"
#include "map.h"
#include "plan.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE_MAX = 100, LATE_MS = 20 };

struct list {
	struct obj **items;
	size_t n, cap;
};

/* From "namespace label=value" of a selector's first pair to the Services. */
static struct map by_pair;

static char *
pair_key(const char *ns, const char *key, const json_t *value)
{
	return xfmt("%s %s=%s", ns, key, json_string_value(value));
}

static void
enter(struct obj *svc, json_t *json, bool in)
{
	json_t *selector = jx_at(json, "spec.selector");
	void *it = json_object_iter(selector);
	struct list *l;
	char *key;

	if (it == NULL)
		return;
	key = pair_key(svc->ns, json_object_iter_key(it), json_object_iter_value(it));
	l = map_get(&by_pair, key);
	if (l == NULL) {
		l = xalloc(sizeof(*l));
		map_set(&by_pair, key, l);
	}
	free(key);
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i] == svc) {
			if (!in)
				l->items[i] = l->items[--l->n];
			return;
		}
	if (!in)
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 2;
		l->items = xgrow(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->n++] = svc;
}

static void
plan_services(const struct obj *pod, const json_t *json)
{
	json_t *labels = jx_at(json, "metadata.labels"), *v;
	const char *k;

	json_object_foreach(labels, k, v)
	{
		char *key = pair_key(pod->ns, k, v);
		struct list *l = map_get(&by_pair, key);

		free(key);
		for (size_t i = 0; l != NULL && i < l->n; i++)
			plan_task(l->items[i], T_SYNC, LATE_MS);
	}
}

static json_t *
endpoint_of(const struct obj *svc, const struct endpoint *e)
{
	const json_t *pod = e->pod->json;
	const char *node = jx_str(pod, "spec.nodeName"), *ip = jx_str(pod, "status.podIP");
	char zone[16];
	const char *host = jx_str(pod, "spec.hostname"), *under = jx_str(pod, "spec.subdomain");
	const char *phase = jx_str(pod, "status.phase");
	bool serving = ends_pod_ready(pod);
	bool any = jx_bool(svc->json, "spec.publishNotReadyAddresses");
	json_t *out;

	if (node == NULL || ip == NULL || !e->alive || strcmp(phase, "Succeeded") == 0 ||
	    strcmp(phase, "Failed") == 0)
		return NULL;
	snprintf(zone, sizeof(zone), "zone-%c", node[strlen(node) - 1]);
	out = json_pack("{s:[s], s:{s:b, s:b, s:b}, s:{s:s, s:s, s:s, s:s}, s:s, s:s}", "addresses",
	    ip, "conditions", "ready", (int)(e->ready || any), "serving", (int)serving,
	    "terminating", (int)e->going, "targetRef", "kind", "Pod", "namespace", e->pod->ns,
	    "name", e->pod->name, "uid", e->pod->uid, "nodeName", node, "zone", zone);
	if (host != NULL && under != NULL && strcmp(under, svc->name) == 0)
		jx_set_str(out, "hostname", host);
	return out;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    (*(struct endpoint *const *)a)->pod->name, (*(struct endpoint *const *)b)->pod->name);
}

static json_t *
endpoints_of(struct obj *svc)
{
	struct endpoint **found;
	size_t n = ends_select(svc->ns, jx_at(svc->json, "spec.selector"), &found);
	json_t *list = json_array(), *e;

	if (n > 0)
		qsort(found, n, sizeof(*found), by_name);
	for (size_t i = 0; i < n; i++)
		if ((e = endpoint_of(svc, found[i])) != NULL)
			json_array_append_new(list, e);
	return list;
}

static json_t *
ports_of(const struct obj *svc)
{
	json_t *list = json_array(), *p;
	size_t i;

	json_array_foreach(jx_at(svc->json, "spec.ports"), i, p)
	{
		const char *name = jx_str(p, "name");
		int64_t port = jx_int(p, "targetPort", jx_int(p, "port", 80));

		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:I}", "name", name != NULL ? name : "", "protocol",
			      "TCP", "port", (json_int_t)port));
	}
	return list;
}

/* The part of a list that slice number i holds; null where there is nothing. */
static json_t *
chunk(const json_t *all, size_t i)
{
	json_t *part = json_array();

	for (size_t j = i * SLICE_MAX; j < (i + 1) * SLICE_MAX && j < json_array_size(all); j++)
		json_array_append(part, json_array_get(all, j));
	if (json_array_size(part) > 0)
		return part;
	json_decref(part);
	return json_null();
}

static bool
is_headless(const struct obj *svc)
{
	const char *ip = jx_str(svc->json, "spec.clusterIP");

	return ip != NULL && strcmp(ip, "None") == 0;
}

static void
make_slice(struct obj *svc, json_t *endpoints, json_t *ports)
{
	char suffix[6], *name;
	json_t *meta, *slice;

	rnd_suffix(suffix, 5);
	name = xfmt("%s-%s", svc->name, suffix);
	meta = world_metadata(svc->ns, name);
	free(name);
	json_object_set_new(meta, "generateName", json_sprintf("%s-", svc->name));
	jx_set_int(meta, "generation", 1);
	json_object_set_new(meta, "labels",
	    json_pack("{s:s, s:s}", "endpointslice.kubernetes.io/managed-by",
		"endpointslice-controller.k8s.io", "kubernetes.io/service-name", svc->name));
	if (is_headless(svc))
		jx_set_str(json_object_get(meta, "labels"), "service.kubernetes.io/headless", "");
	json_object_set_new(meta, "ownerReferences", world_owned_by(svc));
	slice = json_pack("{s:s, s:s, s:o, s:s, s:O, s:O}", "kind", "EndpointSlice", "apiVersion",
	    "discovery.k8s.io/v1", "metadata", meta, "addressType", "IPv4", "endpoints", endpoints,
	    "ports", json_is_null(endpoints) ? json_null() : ports);
	store_put(&kinds[K_SLICE], NULL, slice);
}

static void
update_slice(struct obj *o, json_t *endpoints, json_t *ports)
{
	json_t *next;

	if (json_equal(json_object_get(o->json, "endpoints"), endpoints))
		return;
	next = json_copy(o->json);
	json_object_set(next, "endpoints", endpoints);
	json_object_set(next, "ports", json_is_null(endpoints) ? json_null() : ports);
	world_bump(next);
	store_put(o->kind, o, next);
}

static int
by_key(const void *a, const void *b)
{
	return strcmp((*(struct obj *const *)a)->key, (*(struct obj *const *)b)->key);
}

static void
sync_service(struct obj *svc)
{
	json_t *all, *ports, *part;
	struct obj **have;
	size_t n = 0, want;

	if (json_object_size(jx_at(svc->json, "spec.selector")) == 0)
		return;
	all = endpoints_of(svc);
	ports = ports_of(svc);
	have = xalloc(svc->nkids * sizeof(*have));
	for (size_t i = 0; i < svc->nkids; i++)
		if (svc->kids[i]->kind->id == K_SLICE)
			have[n++] = svc->kids[i];
	qsort(have, n, sizeof(*have), by_key);
	want = (json_array_size(all) + SLICE_MAX - 1) / SLICE_MAX;
	if (want == 0)
		want = 1;
	for (size_t i = 0; i < want; i++) {
		part = chunk(all, i);
		if (i < n)
			update_slice(have[i], part, ports);
		else
			make_slice(svc, part, ports);
		json_decref(part);
	}
	for (size_t i = want; i < n; i++)
		gc_delete(have[i], BACKGROUND, -1);
	free(have);
	json_decref(all);
	json_decref(ports);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	if (o->kind->id == K_SERVICE) {
		if (before != NULL)
			enter(o, before, false);
		if (change == DELETED)
			return;
		enter(o, o->json, true);
		plan_task(o, T_SYNC, LATE_MS);
	} else if (o->kind->id == K_POD) {
		plan_services(o, o->json);
		if (before != NULL && !json_equal(jx_at(before, "metadata.labels"),
					  jx_at(o->json, "metadata.labels")))
			plan_services(o, before);
	} else if (o->kind->id == K_SLICE && change == DELETED && store_owner(o) != NULL) {
		plan_task(store_owner(o), T_SYNC, LATE_MS);
	}
}

void
slices_init(void)
{
	store_listen(changed);
	plan_register(K_SERVICE, T_SYNC, sync_service);
}
