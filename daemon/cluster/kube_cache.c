/* Which caches there are, who wants them, how fresh they are, and looking into them. Freshness is
 * computed, never stored: listed, the server not known dead, no sleep that is not made up for, and
 * the stream open or cut only now. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cluster/kube_caches.h"

struct kube_cache *
kube_cache_find(const struct kube *kube, enum kube_kind kind, const char *ns)
{
	return map_get(kube->caches[kind], ns);
}

static bool
is_fresh(const struct kube_cache *cache)
{
	return (cache->listed || cache->absent) && !cache->kube->probe.dead &&
	       !kube_probe_slept(cache->kube) &&
	       (cache->open || cache->absent ||
		   clock_mono_ms() - cache->cut_ms < cache->kube->settings.grace_ms);
}

void
kube_cache_look(struct kube_cache *cache)
{
	struct kube *kube = cache->kube;
	bool fresh = is_fresh(cache);

	if (fresh && !cache->open && !cache->absent)
		loop_timer_set(cache->grace,
		    cache->cut_ms + cache->kube->settings.grace_ms - clock_mono_ms() + 1);
	if (fresh == cache->was_fresh && (fresh || !cache->news))
		return;
	if (!fresh && cache->was_fresh)
		cache->broken_since_ms = clock_wall_ms();
	cache->was_fresh = fresh;
	cache->news = false;
	if (kube->events.freshness)
		kube->events.freshness(kube->events.ctx, cache->kind, cache->ns);
}

void
kube_cache_look_all(struct kube *kube)
{
	for (int kind = 0; kind < KUBE_KINDS; kind++) {
		size_t cursor = 0;
		void *value;

		while (map_next(kube->caches[kind], &cursor, NULL, &value))
			loop_timer_set(((struct kube_cache *)value)->grace, 0);
	}
}

static void
on_grace(void *ctx)
{
	kube_cache_look(ctx);
}

static void
on_linger(void *ctx)
{
	struct kube_cache *cache = ctx;

	map_remove(cache->kube->caches[cache->kind], cache->ns);
	kube_cache_free(cache);
}

static void
on_changed(void *ctx, const char *name, json_t *old, json_t *new)
{
	struct kube_cache *cache = ctx;
	struct kube_events *events = &cache->kube->events;

	if (events->changed)
		events->changed(events->ctx, cache->kind, cache->ns, name, old, new);
}

static struct kube_cache *
cache_make(struct kube *kube, enum kube_kind kind, const char *ns)
{
	struct kube_cache *cache = mem_alloc(sizeof *cache);

	cache->kube = kube;
	cache->kind = kind;
	cache->ns = mem_strdup(ns);
	cache->store = cache_new(kind, on_changed, cache);
	cache->grace = loop_timer_new(kube->loop, on_grace, cache);
	cache->linger = loop_timer_new(kube->loop, on_linger, cache);
	cache->cut_ms = clock_mono_ms() - kube->settings.grace_ms;
	cache->broken_since_ms = clock_wall_ms();
	str_init(&cache->line, KUBE_LINE_MAX);
	map_set(kube->caches[kind], ns, cache);
	kube_watch_begin(cache);
	return cache;
}

void
kube_cache_free(struct kube_cache *cache)
{
	kube_watch_end(cache);
	loop_timer_free(cache->timer);
	loop_timer_free(cache->grace);
	loop_timer_free(cache->linger);
	cache_free(cache->store);
	str_done(&cache->line);
	free(cache->ns);
	free(cache);
}

void
kube_caches_done(struct kube *kube)
{
	for (int kind = 0; kind < KUBE_KINDS; kind++) {
		size_t cursor = 0;
		void *value;

		while (map_next(kube->caches[kind], &cursor, NULL, &value))
			kube_cache_free(value);
		map_free(kube->caches[kind], NULL);
	}
}

void
kube_watch(struct kube *kube, enum kube_kind kind, const char *ns)
{
	struct kube_cache *cache = kube_cache_find(kube, kind, ns);

	if (!cache)
		cache = cache_make(kube, kind, ns);
	cache->wanted++;
	loop_timer_clear(cache->linger);
	kube_probe_need(kube);
}

void
kube_unwatch(struct kube *kube, enum kube_kind kind, const char *ns)
{
	struct kube_cache *cache = kube_cache_find(kube, kind, ns);

	if (!cache || cache->wanted == 0)
		return;
	if (--cache->wanted == 0)
		loop_timer_set(cache->linger, kube->settings.linger_ms);
}

void
kube_cache_broken(struct kube_cache *cache, const char *why)
{
	cache->news |= strcmp(cache->why, why) != 0;
	str_copy(cache->why, sizeof cache->why, why);
	log_debug("kube", "cluster %s: %s in namespace %s: %s", cache->kube->name,
	    kube_kind_info(cache->kind)->plural, cache->ns, why);
}

/* Why not, for people. */
static void
explain(const struct kube_cache *cache, char *text, size_t size)
{
	const struct kube *kube = cache->kube;
	char what[400];

	kube_what(cache->kind, cache->ns, what, sizeof what);
	if (kube->probe.dead)
		str_copy(text, size, kube->probe.why);
	else if (kube_probe_slept(kube))
		str_print(text, size, "cluster %s: this machine slept; %s are looked at again",
		    kube->name, what);
	else if (!cache->listed && *credentials_problem(kube->credentials))
		str_print(text, size, "cluster %s: no credentials to read %s: %s", kube->name, what,
		    credentials_problem(kube->credentials));
	else if (!cache->listed && !*cache->why)
		str_print(text, size, "cluster %s: %s were not read yet", kube->name, what);
	else if (!cache->listed)
		str_print(text, size, "cluster %s: %s could not be read: %s", kube->name, what,
		    cache->why);
	else
		str_print(text, size, "cluster %s: the watch of %s is broken: %s", kube->name, what,
		    *cache->why ? cache->why : "it has not begun again yet");
}

bool
kube_refused(const struct kube *kube, enum kube_kind kind, const char *ns)
{
	const struct kube_cache *cache = kube_cache_find(kube, kind, ns);

	return cache && cache->refused && !cache->listed;
}

bool
kube_fresh(const struct kube *kube, enum kube_kind kind, const char *ns, char *text, size_t size,
    int64_t *since_ms)
{
	struct kube_cache *cache = kube_cache_find(kube, kind, ns);
	char what[400];

	if (cache && is_fresh(cache))
		return true;
	if (since_ms)
		*since_ms = clock_wall_ms();
	if (!cache) {
		kube_what(kind, ns, what, sizeof what);
		str_print(text, size, "cluster %s: %s are not watched", kube->name, what);
		return false;
	}
	explain(cache, text, size);
	if (since_ms && !cache->was_fresh)
		*since_ms = cache->broken_since_ms;
	return false;
}

void
kube_trouble(const struct kube *kube, char *text, size_t size)
{
	str_copy(text, size, "");
	for (int kind = 0; kind < KUBE_KINDS; kind++) {
		size_t cursor = 0;
		void *value;

		while (map_next(kube->caches[kind], &cursor, NULL, &value))
			if (!is_fresh(value)) {
				explain(value, text, size);
				return;
			}
	}
}

json_t *
kube_get(const struct kube *kube, enum kube_kind kind, const char *ns, const char *name)
{
	struct kube_cache *cache = kube_cache_find(kube, kind, ns);

	return cache ? cache_get(cache->store, name) : NULL;
}

struct kube_found
kube_find(const struct kube *kube, enum kube_kind kind, const char *ns, const char *key)
{
	struct kube_cache *cache = kube_cache_find(kube, kind, ns);
	struct kube_found found = {NULL, 0};

	if (cache)
		found.objects = cache_find(cache->store, key, &found.count);
	return found;
}

json_t *
kube_next(const struct kube *kube, enum kube_kind kind, const char *ns, size_t *cursor)
{
	struct kube_cache *cache = kube_cache_find(kube, kind, ns);

	return cache ? cache_next(cache->store, cursor) : NULL;
}

void
kube_put(struct kube *kube, enum kube_kind kind, json_t *object)
{
	const char *ns = jsonx_text(object, "metadata.namespace");
	const char *name = jsonx_text_or(object, "metadata.name", "");
	struct kube_cache *cache = ns ? kube_cache_find(kube, kind, ns) : NULL;
	bool going = jsonx_text(object, "metadata.deletionTimestamp") != NULL;

	/* The watch may have told its end before a delete was answered: then it is gone, and no
	 * later event would take it out again. */
	if (cache && !(going && kube_get(kube, kind, ns, name) == NULL))
		(void)cache_put(cache->store, json_deep_copy(object));
}

void
kube_forget(
    struct kube *kube, enum kube_kind kind, const char *ns, const char *name, const char *uid)
{
	struct kube_cache *cache = kube_cache_find(kube, kind, ns);

	if (cache)
		(void)cache_remove(cache->store, name, uid, NULL);
}
