/* mesh: see mesh.h. A changed object is put on a list; each tick looks only at that list. */
#include "mesh.h"

#include "gateway.h"
#include "jx.h"
#include "map.h"
#include "plan.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
	struct item **items;
	size_t n, cap;
};

static struct map by_key[K_COUNT];
static struct map dr_by_host; /* "namespace/host" -> struct list of DestinationRules */
static struct map routed;     /* "namespace/host" -> count of VirtualServices, as size_t * */
static struct list changed_items, routes_loaded, svc_loaded;
static uint64_t config_delay;
static double default_rps;

static void
list_add(struct list *l, struct item *it)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 4;
		l->items = xgrow(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->n++] = it;
}

static void
list_drop(struct list *l, const struct item *it)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i] == it) {
			l->items[i] = l->items[--l->n];
			return;
		}
}

static bool
is_route(const struct item *it)
{
	return it->kind->id == K_VS || it->kind->id == K_HTTPROUTE;
}

static struct list *
loaded_list(const struct item *it)
{
	return is_route(it) ? &routes_loaded : &svc_loaded;
}

static void
set_loaded(struct item *it, bool loaded)
{
	struct list *l = loaded_list(it);

	if (loaded == (it->loaded_at != 0))
		return;
	if (loaded) {
		list_add(l, it);
		it->loaded_at = l->n;
	} else {
		l->items[it->loaded_at - 1] = l->items[--l->n];
		l->items[it->loaded_at - 1]->loaded_at = it->loaded_at;
		it->loaded_at = 0;
	}
}

static char *
host_key(const struct item *it, const char *host)
{
	char name[128];

	short_name(host, name, sizeof(name));
	return xfmt("%s/%s", it->ns, name);
}

static void
count_hosts(const struct item *it, const json_t *vs, int by)
{
	json_t *h;
	size_t i;

	json_array_foreach(jx_at(vs, "spec.hosts"), i, h)
	{
		char *key = host_key(it, json_string_value(h) ? json_string_value(h) : "");
		size_t *n = map_get(&routed, key);

		if (n == NULL) {
			n = xalloc(sizeof(*n));
			map_set(&routed, key, n);
		}
		*n += (size_t)by;
		free(key);
	}
}

static void
index_rule(struct item *it, const json_t *dr, bool in)
{
	const char *host = jx_str(dr, "spec.host");
	char *key;
	struct list *l;

	if (host == NULL)
		return;
	key = host_key(it, host);
	l = map_get(&dr_by_host, key);
	if (l == NULL) {
		l = xalloc(sizeof(*l));
		map_set(&dr_by_host, key, l);
	}
	free(key);
	list_drop(l, it);
	if (in)
		list_add(l, it);
}

/* What the mesh believes of an object changes. */
static void
believe(struct item *it, json_t *json)
{
	const char *rps = jx_annotation(json, "lab/rps");

	if (it->kind->id == K_VS) {
		count_hosts(it, it->cur, -1);
		count_hosts(it, json, 1);
	}
	if (is_route(it)) {
		route_free(it->route);
		it->route = json != NULL ? route_new(json) : NULL;
		it->rps = rps != NULL ? strtod(rps, NULL) : default_rps;
	} else if (it->kind->id == K_DR) {
		index_rule(it, it->cur, false);
		index_rule(it, json, true);
	} else {
		it->rps = rps != NULL ? strtod(rps, NULL) : 0;
	}
	json_decref(it->cur);
	it->cur = json_incref(json);
	it->known = json != NULL;
	if (it->kind->id != K_DR)
		set_loaded(it, it->known && it->rps > 0);
}

static void
settle(struct item *it, uint64_t now)
{
	if (it->there && now > it->due && it->cur != it->next)
		believe(it, it->next);
}

/* A change is noticed at a tick, and due some time after that. */
static void
notice(struct item *it, uint64_t now)
{
	uint64_t half = it->kind->id == K_SERVICE ? config_delay / 10 : config_delay / 2;

	it->dirty = false;
	settle(it, now);
	if (it->kind->id == K_HTTPROUTE && it->truth != NULL &&
	    !gateway_is_news(it->next, it->truth->json))
		return;
	json_decref(it->next);
	it->next = it->truth != NULL ? json_incref(it->truth->json) : NULL;
	it->there = it->next != NULL;
	it->due = now + half + rnd_below(half + 1);
}

static void
forget(struct item *it)
{
	believe(it, NULL);
	map_set(&by_key[it->kind->id], it->key, NULL);
	json_decref(it->next);
	free(it->key);
	free(it->ns);
	free(it);
}

void
mesh_tick(uint64_t now)
{
	for (size_t i = changed_items.n; i > 0; i--) {
		struct item *it = changed_items.items[i - 1];

		if (it->dirty)
			notice(it, now);
		if (now <= it->due)
			continue;
		settle(it, now);
		it->waits = false;
		changed_items.items[i - 1] = changed_items.items[--changed_items.n];
		if (!it->there)
			forget(it);
	}
}

struct item **
mesh_routes(size_t *n)
{
	*n = routes_loaded.n;
	return routes_loaded.items;
}

struct item **
mesh_services(size_t *n)
{
	*n = svc_loaded.n;
	return svc_loaded.items;
}

bool
mesh_routed(const char *key)
{
	const size_t *n = map_get(&routed, key);

	return n != NULL && *n > 0;
}

json_t *
mesh_service(const char *ns, const char *host)
{
	char key[400];
	struct item *it;

	snprintf(key, sizeof(key), "%s/%s", ns, host);
	it = map_get(&by_key[K_SERVICE], key);
	return it != NULL && it->known ? it->cur : NULL;
}

bool
mesh_subset(const char *ns, const char *host, const char *subset, json_t *wanted)
{
	char key[400];
	struct list *l;
	bool found = false;
	json_t *s;
	size_t j;

	snprintf(key, sizeof(key), "%s/%s", ns, host);
	l = map_get(&dr_by_host, key);
	for (size_t i = 0; l != NULL && i < l->n; i++)
		json_array_foreach(jx_at(l->items[i]->cur, "spec.subsets"), j, s)
		{
			const char *name = jx_str(s, "name");

			if (name == NULL || strcmp(name, subset) != 0)
				continue;
			found = true;
			json_object_update(wanted, json_object_get(s, "labels"));
		}
	return found;
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct item *it;

	(void)before;
	if (o->kind->id != K_VS && o->kind->id != K_DR && o->kind->id != K_HTTPROUTE &&
	    o->kind->id != K_SERVICE)
		return;
	it = map_get(&by_key[o->kind->id], o->key);
	if (it == NULL) {
		it = xalloc(sizeof(*it));
		it->key = xdup(o->key);
		it->ns = xdup(o->ns);
		it->name = it->key + strlen(it->ns) + 1;
		it->kind = o->kind;
		map_set(&by_key[o->kind->id], it->key, it);
	}
	it->truth = change == DELETED ? NULL : o;
	it->dirty = true;
	if (!it->waits) {
		it->waits = true;
		list_add(&changed_items, it);
	}
}

void
mesh_init(uint64_t delay_ms, double rps)
{
	config_delay = delay_ms;
	default_rps = rps;
	store_listen(changed);
}
