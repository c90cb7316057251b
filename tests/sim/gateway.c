/* gateway: see gateway.h. */
#include "gateway.h"

#include "fields.h"
#include "istiod.h"
#include "jx.h"
#include "plan.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELAY_MAX_MS = 600000 };

/* What is kept of a route: since when it is as it is. */
struct age {
	int64_t generation;
	uint64_t since_ms;
};

static uint64_t delay_ms;
static bool down;

static const char *
controller_name(void)
{
	return istiod_on() ? "istio.io/gateway-controller" : "lab/world";
}

static bool
is_ours(const json_t *parent)
{
	const char *name = jx_str(parent, "controllerName");

	return name != NULL && strcmp(name, controller_name()) == 0;
}

static json_t *
find_condition(const json_t *parent, const char *type)
{
	json_t *c;
	size_t i;

	json_array_foreach(json_object_get(parent, "conditions"), i, c)
	{
		const char *is = jx_str(c, "type");

		if (is != NULL && strcmp(is, type) == 0)
			return c;
	}
	return NULL;
}

/* --- the backends --------------------------------------------------------------------------- */

struct verdict {
	const char *reason; /* NULL: all is well */
	char *message;	    /* owned */
};

static void
judge_backend(struct verdict *v, const struct obj *o, const json_t *ref)
{
	const char *kind = jx_str(ref, "kind"), *group = jx_str(ref, "group");
	const char *name = jx_str(ref, "name"), *ns = jx_str(ref, "namespace");

	if (v->reason != NULL || name == NULL)
		return;
	if ((kind != NULL && strcmp(kind, "Service") != 0) || (group != NULL && *group != '\0')) {
		v->reason = "InvalidKind";
		v->message = xfmt("unsupported backendRef: group \"%s\" kind \"%s\"",
		    group != NULL ? group : "", kind != NULL ? kind : "");
	} else if (ns != NULL && strcmp(ns, o->ns) != 0) {
		v->reason = "RefNotPermitted";
		v->message = xfmt("backendRef %s/%s: no ReferenceGrant allows it", ns, name);
	} else if (store_get(&kinds[K_SERVICE], o->ns, name) == NULL) {
		v->reason = "BackendNotFound";
		v->message = xfmt("backend(%s.%s.svc.cluster.local) not found", name, o->ns);
	}
}

static struct verdict
judge(const struct obj *o)
{
	struct verdict v = {0};
	json_t *rule, *one;
	size_t i, j;

	json_array_foreach(jx_at(o->json, "spec.rules"), i, rule)
	{
		json_array_foreach(json_object_get(rule, "backendRefs"), j, one)
		    judge_backend(&v, o, one);
		json_array_foreach(json_object_get(rule, "filters"), j, one)
		    judge_backend(&v, o, jx_at(one, "requestMirror.backendRef"));
	}
	return v;
}

/* --- the status ----------------------------------------------------------------------------- */

/* Its time of transition is that of the old one unless the status is another. */
static json_t *
condition(const struct obj *o, const json_t *old, const char *type, const char *reason,
    const char *message)
{
	const char *status = reason == NULL ? "True" : "False", *was = jx_str(old, "status");
	char now[32];

	wall_text(now, sizeof(now));
	if (was != NULL && strcmp(was, status) == 0 && jx_str(old, "lastTransitionTime") != NULL)
		snprintf(now, sizeof(now), "%s", jx_str(old, "lastTransitionTime"));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "type", type, "status", status, "reason",
	    reason != NULL ? reason : type, "message", message != NULL ? message : "",
	    "lastTransitionTime", now, "observedGeneration",
	    (json_int_t)jx_int(o->json, "metadata.generation", 1));
}

/* Our entry of a parentRef as it is now; NULL: there is none. */
static json_t *
entry_of(const struct obj *o, const json_t *ref)
{
	json_t *parent;
	size_t i;

	json_array_foreach(jx_at(o->json, "status.parents"), i, parent)
	{
		if (is_ours(parent) && json_equal(json_object_get(parent, "parentRef"), ref))
			return parent;
	}
	return NULL;
}

/* What others wrote stays. */
static json_t *
parents_of(const struct obj *o)
{
	struct verdict v = judge(o);
	json_t *parents = json_array(), *one;
	size_t i;

	json_array_foreach(jx_at(o->json, "status.parents"), i, one)
	{
		if (!is_ours(one))
			json_array_append(parents, one);
	}
	json_array_foreach(jx_at(o->json, "spec.parentRefs"), i, one)
	{
		const json_t *old = entry_of(o, one);
		json_t *accepted =
		    condition(o, find_condition(old, "Accepted"), "Accepted", NULL, NULL);
		json_t *resolved = condition(
		    o, find_condition(old, "ResolvedRefs"), "ResolvedRefs", v.reason, v.message);

		json_array_append_new(
		    parents, json_pack("{s:O, s:s, s:[o, o]}", "parentRef", one, "controllerName",
				 controller_name(), "conditions", accepted, resolved));
	}
	free(v.message);
	return parents;
}

static void
write_parents(struct obj *o, json_t *parents)
{
	struct writer w = {"world", "Update", "status", "gateway.networking.k8s.io/v1"};
	json_t *next = json_copy(o->json);

	json_object_set_new(jx_own(next, "status"), "parents", parents);
	json_object_set_new(jx_own(next, "metadata"), "managedFields",
	    fields_managed(o->kind, o->json, next, &w, NULL));
	store_put(o->kind, o, next);
}

/* How long its controller still takes over the route as it is now. */
static uint64_t
left_ms(struct obj *o)
{
	int64_t generation = jx_int(o->json, "metadata.generation", 1);
	struct age *age = o->ext;
	uint64_t now = now_ms();

	if (age == NULL)
		age = o->ext = xalloc(sizeof(*age));
	if (age->generation != generation)
		*age = (struct age){generation, now};
	return now < age->since_ms + delay_ms ? age->since_ms + delay_ms - now : 0;
}

static void
sync_route(struct obj *o)
{
	json_t *parents;
	uint64_t left;

	if (down || (istiod_on() && istiod_state() != ISTIOD_UP))
		return;
	left = left_ms(o);
	if (left > 0) {
		plan_task(o, T_SYNC, left);
		return;
	}
	parents = parents_of(o);
	if (json_equal(parents, jx_at(o->json, "status.parents")) ||
	    (json_array_size(parents) == 0 && jx_at(o->json, "status.parents") == NULL))
		json_decref(parents);
	else
		write_parents(o, parents);
}

/* --- what happens --------------------------------------------------------------------------- */

static void
changed(struct obj *o, enum change change, json_t *before)
{
	size_t from, to, n;
	struct obj **all;

	(void)before;
	if (o->kind->id == K_HTTPROUTE && change != DELETED) {
		left_ms(o); /* it is this old from now on */
		plan_task(o, T_SYNC, delay_ms);
	}
	if (o->kind->id != K_SERVICE || change == MODIFIED)
		return;
	all = store_all(&kinds[K_HTTPROUTE], &n);
	store_range(&kinds[K_HTTPROUTE], o->ns, &from, &to);
	for (size_t i = from; i < to; i++)
		plan_task(all[i], T_SYNC, delay_ms);
}

void
gateway_wake(void)
{
	size_t n;
	struct obj **all = store_all(&kinds[K_HTTPROUTE], &n);

	for (size_t i = 0; i < n; i++)
		plan_task(all[i], T_SYNC, 0);
}

bool
gateway_is_accepted(const json_t *route)
{
	int64_t generation = jx_int(route, "metadata.generation", 1);
	json_t *parent;
	size_t i;

	json_array_foreach(jx_at(route, "status.parents"), i, parent)
	{
		const json_t *c = find_condition(parent, "Accepted");
		const char *status = jx_str(c, "status");

		if (is_ours(parent) && status != NULL && strcmp(status, "True") == 0 &&
		    jx_int(c, "observedGeneration", 0) == generation)
			return true;
	}
	return false;
}

bool
gateway_is_news(const json_t *known, const json_t *route)
{
	if (!gateway_is_accepted(route))
		return false;
	return known == NULL || !json_equal(jx_at(known, "spec"), jx_at(route, "spec")) ||
	       !json_equal(
		   jx_at(known, "metadata.annotations"), jx_at(route, "metadata.annotations"));
}

void
gateway_show(struct reply *r)
{
	r->code = 200;
	r->body = json_pack("{s:s, s:s, s:I}", "controller", down ? "down" : "up", "name",
	    controller_name(), "accept_delay_ms", (json_int_t)delay_ms);
}

static int
control(const char *key, const json_t *v)
{
	const char *text = json_string_value(v);
	json_int_t n = json_integer_value(v);

	if (strcmp(key, "controller") == 0 && text != NULL &&
	    (strcmp(text, "up") == 0 || strcmp(text, "down") == 0)) {
		down = strcmp(text, "down") == 0;
		return 0;
	}
	if (strcmp(key, "accept_delay_ms") != 0 || !json_is_integer(v) || n < 0 || n > DELAY_MAX_MS)
		return -1;
	delay_ms = (uint64_t)n;
	return 0;
}

void
gateway_control(struct req *q, struct reply *r)
{
	json_t *body = api_body(q, r, false), *v;
	const char *key;
	int rc = 0;

	if (body == NULL)
		return;
	json_object_foreach(body, key, v)
	{
		rc = rc < 0 ? rc : control(key, v);
	}
	json_decref(body);
	gateway_wake();
	if (rc == 0)
		gateway_show(r);
	else
		fail_request(r, "allowed: controller (up, down) and accept_delay_ms (0 to 600000)");
}

void
gateway_init(uint64_t delay)
{
	delay_ms = delay;
	store_listen(changed);
	plan_register(K_HTTPROUTE, T_SYNC, sync_route);
}
