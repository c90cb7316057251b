/* snap: see snap.h. */
#include "snap.h"

#include "jx.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double
load_of(const json_t *json, double otherwise)
{
	const char *rps = jx_annotation(json, "lab/rps");

	return rps != NULL ? strtod(rps, NULL) : otherwise;
}

static char *
space_of(const char *key, const char **name)
{
	const char *slash = strchr(key, '/');

	*name = slash + 1;
	return xfmt("%.*s", (int)(slash - key), key);
}

static void
host_key(char *out, size_t cap, const char *ns, const char *host)
{
	char name[128];

	short_name(host, name, sizeof(name));
	snprintf(out, cap, "%s/%s", ns, name);
}

static void
add_service(struct snap *s, const char *key, json_t *json)
{
	struct snap_service *svc = xalloc(sizeof(*svc));
	const char *name;

	svc->key = xdup(key);
	svc->ns = space_of(svc->key, &name);
	svc->name = name;
	svc->rps = load_of(json, 0);
	map_set(&s->services, key, svc);
}

/* The ready endpoints of a slice belong to its Service. */
static void
add_slice(struct snap *s, const char *key, json_t *json)
{
	const char *name, *of;
	char *ns = space_of(key, &name);
	struct snap_service *svc;
	json_t *e;
	size_t i;

	of = json_string_value(
	    json_object_get(jx_at(json, "metadata.labels"), "kubernetes.io/service-name"));
	svc = of != NULL ? snap_service(s, ns, of) : NULL;
	free(ns);
	if (svc == NULL)
		return;
	json_array_foreach(json_object_get(json, "endpoints"), i, e)
	{
		const char *uid = jx_str(e, "targetRef.uid");
		struct endpoint *end = uid != NULL ? ends_take(uid) : NULL;

		if (end == NULL)
			continue;
		if (!jx_bool(e, "conditions.ready")) {
			ends_release(end);
			continue;
		}
		svc->ends = xgrow(svc->ends, (svc->nends + 1) * sizeof(*svc->ends));
		svc->ends[svc->nends++] = end;
	}
}

static void
add_rule(struct snap *s, const char *ns, json_t *json)
{
	const char *host = jx_str(json, "spec.host");
	char key[300];
	json_t *list;

	if (host == NULL)
		return;
	host_key(key, sizeof(key), ns, host);
	list = map_get(&s->rules, key);
	if (list == NULL) {
		list = json_array();
		map_set(&s->rules, key, list);
	}
	json_array_append(list, json);
}

static void
add_route(struct snap *s, const char *key, json_t *json, double default_rps)
{
	struct snap_route *r;
	char host[300];
	json_t *h;
	size_t i;

	s->routes = xgrow(s->routes, (s->nroutes + 1) * sizeof(*s->routes));
	r = &s->routes[s->nroutes++];
	r->key = xdup(key);
	r->ns = space_of(r->key, &r->name);
	r->route = route_new(json);
	r->rps = load_of(json, default_rps);
	json_array_foreach(jx_at(json, "spec.hosts"), i, h)
	{
		host_key(host, sizeof(host), r->ns,
		    json_string_value(h) != NULL ? json_string_value(h) : "");
		map_set(&s->routed, host, s);
	}
}

static void
set_version(struct snap *s)
{
	char now[32];

	wall_text(now, sizeof(now));
	snprintf(s->version, sizeof(s->version), "%s/%llu", now, (unsigned long long)s->push);
}

struct snap *
snap_new(const struct map *known, const struct map *accepted, uint64_t push, double default_rps)
{
	struct snap *s = xalloc(sizeof(*s));
	const struct map_slot *slot;
	size_t i;

	s->refs = 1;
	s->push = push;
	set_version(s);
	for (i = 0; (slot = map_next(&known[K_SERVICE], &i)) != NULL;)
		add_service(s, slot->key, slot->value);
	for (i = 0; (slot = map_next(&known[K_SLICE], &i)) != NULL;)
		add_slice(s, slot->key, slot->value);
	for (i = 0; (slot = map_next(&known[K_DR], &i)) != NULL;) {
		const char *name;
		char *ns = space_of(slot->key, &name);

		add_rule(s, ns, slot->value);
		free(ns);
	}
	for (i = 0; (slot = map_next(&known[K_VS], &i)) != NULL;)
		add_route(s, slot->key, slot->value, default_rps);
	for (i = 0; (slot = map_next(accepted, &i)) != NULL;)
		add_route(s, slot->key, slot->value, default_rps);
	return s;
}

struct snap *
snap_ref(struct snap *s)
{
	s->refs++;
	return s;
}

static void
service_free(struct snap_service *svc)
{
	for (size_t i = 0; i < svc->nends; i++)
		ends_release(svc->ends[i]);
	free(svc->ends);
	free(svc->key);
	free(svc->ns);
	free(svc);
}

void
snap_unref(struct snap *s)
{
	const struct map_slot *slot;
	size_t i = 0;

	if (s == NULL || --s->refs > 0)
		return;
	while ((slot = map_next(&s->services, &i)) != NULL)
		service_free(slot->value);
	for (i = 0; (slot = map_next(&s->rules, &i)) != NULL;)
		json_decref(slot->value);
	for (i = 0; i < s->nroutes; i++) {
		route_free(s->routes[i].route);
		free(s->routes[i].key);
		free(s->routes[i].ns);
	}
	free(s->routes);
	map_free(&s->services);
	map_free(&s->rules);
	map_free(&s->routed);
	free(s);
}

struct snap_service *
snap_service(const struct snap *s, const char *ns, const char *host)
{
	char key[400];

	if (s == NULL)
		return NULL;
	snprintf(key, sizeof(key), "%s/%s", ns, host);
	return map_get(&s->services, key);
}

bool
snap_subset(
    const struct snap *s, const char *ns, const char *host, const char *subset, json_t *wanted)
{
	char key[400];
	bool found = false;
	json_t *rule, *one;
	size_t i, j;

	if (s == NULL)
		return false;
	snprintf(key, sizeof(key), "%s/%s", ns, host);
	json_array_foreach((json_t *)map_get(&s->rules, key), i, rule)
	    json_array_foreach(jx_at(rule, "spec.subsets"), j, one)
	{
		const char *name = jx_str(one, "name");

		if (name == NULL || strcmp(name, subset) != 0)
			continue;
		found = true;
		if (wanted != NULL)
			json_object_update(wanted, json_object_get(one, "labels"));
	}
	return found;
}

bool
snap_routed(const struct snap *s, const char *key)
{
	return s != NULL && map_get(&s->routed, key) != NULL;
}
