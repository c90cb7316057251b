/* store: a sorted array of objects for each kind (found by binary search, so pages of a list
 * are cheap), an index by uid, and a ring of changes for each kind. */
#include "store.h"

#include "jx.h"
#include "map.h"
#include "util.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shelf {
	struct obj **objs;
	size_t n, cap;
	struct record *ring;
	uint64_t head;	/* records ever made */
	uint64_t floor; /* changes up to this rv are forgotten */
};

static struct shelf shelves[K_COUNT];
static size_t ring_cap;
static uint64_t last_rv;
static struct map by_uid;
enum { LISTENERS = 24 };
static change_fn *listeners[LISTENERS];
static size_t nlisteners;

void
store_init(size_t history)
{
	ring_cap = history;
	last_rv = 100;
	for (int i = 0; i < K_COUNT; i++)
		shelves[i] = (struct shelf){.ring = xalloc(history * sizeof(struct record))};
}

void
store_listen(change_fn *fn)
{
	assert(nlisteners < LISTENERS);
	listeners[nlisteners++] = fn;
}

uint64_t
store_rv(void)
{
	return last_rv;
}

/* The first index whose key is not less than the text. */
static size_t
lower(const struct shelf *s, const char *key)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->objs[mid]->key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static char *
make_key(const struct kind *k, const char *ns, const char *name)
{
	return k->namespaced ? xfmt("%s/%s", ns, name) : xdup(name);
}

struct obj *
store_get(const struct kind *k, const char *ns, const char *name)
{
	struct shelf *s = &shelves[k->id];
	char *key = make_key(k, ns, name);
	size_t i = lower(s, key);
	struct obj *o = i < s->n && strcmp(s->objs[i]->key, key) == 0 ? s->objs[i] : NULL;

	free(key);
	return o;
}

struct obj *
store_by_uid(const char *uid)
{
	return map_get(&by_uid, uid);
}

struct obj *
store_owner(const struct obj *o)
{
	return o->owner[0] != '\0' ? map_get(&by_uid, o->owner) : NULL;
}

struct obj **
store_all(const struct kind *k, size_t *count)
{
	*count = shelves[k->id].n;
	return shelves[k->id].objs;
}

void
store_range(const struct kind *k, const char *ns, size_t *from, size_t *to)
{
	char *first, *last;

	if (*ns == '\0' || !k->namespaced) {
		*from = 0;
		*to = shelves[k->id].n;
		return;
	}
	first = xfmt("%s/", ns);
	last = xfmt("%s0", ns); /* '0' follows '/' */
	*from = lower(&shelves[k->id], first);
	*to = lower(&shelves[k->id], last);
	free(first);
	free(last);
}

size_t
store_after(const struct kind *k, const char *key)
{
	struct shelf *s = &shelves[k->id];
	size_t i = lower(s, key);

	return i < s->n && strcmp(s->objs[i]->key, key) == 0 ? i + 1 : i;
}

struct obj *
obj_ref(struct obj *o)
{
	o->refs++;
	return o;
}

void
obj_unref(struct obj *o)
{
	if (--o->refs > 0)
		return;
	json_decref(o->json);
	free(o->key);
	free(o->ns);
	free(o->kids);
	free(o->ext);
	free(o);
}

/* The uid of the controlling owner, else of the first one, else "". */
static const char *
owner_uid(const json_t *json)
{
	json_t *refs = jx_at(json, "metadata.ownerReferences"), *ref;
	const char *uid = NULL;
	size_t i;

	json_array_foreach(refs, i, ref) if (uid == NULL || jx_bool(ref, "controller")) uid =
	    jx_str(ref, "uid");
	return uid != NULL ? uid : "";
}

static void
leave_owner(struct obj *o)
{
	struct obj *owner = store_owner(o);

	o->owner[0] = '\0';
	for (size_t i = 0; owner != NULL && i < owner->nkids; i++)
		if (owner->kids[i] == o) {
			owner->kids[i] = owner->kids[--owner->nkids];
			return;
		}
}

static void
join_owner(struct obj *o, const char *uid)
{
	struct obj *owner;

	if (strcmp(o->owner, uid) == 0)
		return;
	leave_owner(o);
	snprintf(o->owner, sizeof(o->owner), "%s", uid);
	owner = store_owner(o);
	if (owner == NULL)
		return;
	if (owner->nkids == owner->kidcap) {
		owner->kidcap = owner->kidcap ? owner->kidcap * 2 : 4;
		owner->kids = xgrow(owner->kids, owner->kidcap * sizeof(*owner->kids));
	}
	owner->kids[owner->nkids++] = o;
}

static struct obj *
insert(const struct kind *k, const json_t *json)
{
	struct shelf *s = &shelves[k->id];
	const char *ns = jx_str(json, "metadata.namespace");
	const char *uid = jx_str(json, "metadata.uid");
	struct obj *o = xalloc(sizeof(*o));
	size_t i;

	o->kind = k;
	o->refs = 1;
	o->ns = xdup(ns != NULL && k->namespaced ? ns : "");
	o->key = make_key(k, o->ns, jx_str(json, "metadata.name"));
	o->name = o->key + (k->namespaced ? strlen(o->ns) + 1 : 0);
	snprintf(o->uid, sizeof(o->uid), "%s", uid);
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->objs = xgrow(s->objs, s->cap * sizeof(*s->objs));
	}
	i = lower(s, o->key);
	memmove(s->objs + i + 1, s->objs + i, (s->n - i) * sizeof(*s->objs));
	s->objs[i] = o;
	s->n++;
	map_set(&by_uid, o->uid, o);
	return o;
}

static void
remember(const struct kind *k, enum change change, json_t *json, json_t *before)
{
	struct shelf *s = &shelves[k->id];
	struct record *r = &s->ring[s->head % ring_cap];

	if (s->head >= ring_cap) {
		if (s->floor < r->rv)
			s->floor = r->rv;
		json_decref(r->json);
		json_decref(r->before);
	}
	*r = (struct record){last_rv, change, json_incref(json), json_incref(before)};
	s->head++;
}

/* A copy of the tree that carries the next resourceVersion. */
static json_t *
stamp(json_t *json)
{
	json_t *copy = json_copy(json);
	char rv[24];

	snprintf(rv, sizeof(rv), "%llu", (unsigned long long)++last_rv);
	jx_set_str(jx_own(copy, "metadata"), "resourceVersion", rv);
	return copy;
}

static void
tell(struct obj *o, enum change change, json_t *before)
{
	for (size_t i = 0; i < nlisteners; i++)
		listeners[i](o, change, before);
}

struct obj *
store_put(const struct kind *k, struct obj *o, json_t *json)
{
	enum change change = o == NULL ? ADDED : MODIFIED;
	json_t *before = o == NULL ? NULL : o->json;

	if (o == NULL)
		o = insert(k, json);
	o->json = stamp(json);
	json_decref(json);
	o->rv = last_rv;
	join_owner(o, owner_uid(o->json));
	remember(k, change, o->json, before);
	obj_ref(o);
	tell(o, change, before);
	json_decref(before);
	obj_unref(o);
	return o;
}

void
store_remove(struct obj *o)
{
	struct shelf *s = &shelves[o->kind->id];
	size_t i = lower(s, o->key);
	json_t *before = o->json;

	memmove(s->objs + i, s->objs + i + 1, (s->n - i - 1) * sizeof(*s->objs));
	s->n--;
	map_set(&by_uid, o->uid, NULL);
	o->dead = true;
	o->json = stamp(before);
	o->rv = last_rv;
	remember(o->kind, DELETED, o->json, before);
	tell(o, DELETED, before);
	leave_owner(o);
	json_decref(before);
	obj_unref(o);
}

uint64_t
store_seek(const struct kind *k, uint64_t after)
{
	const struct shelf *s = &shelves[k->id];
	uint64_t lo = s->head > ring_cap ? s->head - ring_cap : 0, hi = s->head;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (s->ring[mid % ring_cap].rv <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct record *
store_next(const struct kind *k, uint64_t *pos, bool *lost)
{
	const struct shelf *s = &shelves[k->id];

	*lost = *pos + ring_cap < s->head;
	if (*lost || *pos >= s->head)
		return NULL;
	return &s->ring[(*pos)++ % ring_cap];
}

bool
store_expired(const struct kind *k, uint64_t rv)
{
	return rv < shelves[k->id].floor;
}

void
store_expire_history(void)
{
	last_rv++; /* so that even the newest answer given so far is too old */
	for (int i = 0; i < K_COUNT; i++)
		shelves[i].floor = last_rv;
}

void
store_free(void)
{
	for (int i = 0; i < K_COUNT; i++) {
		struct shelf *s = &shelves[i];

		for (size_t j = 0; j < s->n; j++)
			obj_unref(s->objs[j]);
		for (uint64_t j = 0; j < s->head && j < ring_cap; j++) {
			json_decref(s->ring[j].json);
			json_decref(s->ring[j].before);
		}
		free(s->objs);
		free(s->ring);
	}
	map_free(&by_uid);
}
