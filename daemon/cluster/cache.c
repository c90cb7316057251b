/* The store behind a watch. Buckets of the index hold borrowed pointers to the objects that the
 * entries own; an entry is in the bucket of its key exactly as long as it is in the map. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/map.h"
#include "base/str.h"
#include "cluster/cache.h"

enum { KEY_SIZE = 320, VERSION_SIZE = 64 };

struct entry {
	json_t *object;
	char *key; /* NULL: not in the index */
	unsigned list;
};

struct bucket {
	json_t **objects;
	size_t count, room;
};

struct cache {
	enum kube_kind kind;
	cache_changed *changed;
	void *ctx;
	struct map *entries; /* by name */
	struct map *buckets; /* by key */
	char version[VERSION_SIZE];
	char list_version[VERSION_SIZE];
	unsigned list; /* number of the list that is being read or was read last */
	bool listing;
	bool back; /* this list is older than what we have seen: believe it */
};

static const char *
name_of(const json_t *object)
{
	return jsonx_text(object, "metadata.name");
}

static const char *
uid_of(const json_t *object)
{
	return jsonx_text_or(object, "metadata.uid", "");
}

static const char *
version_of(const json_t *object)
{
	return jsonx_text_or(object, "metadata.resourceVersion", "");
}

static void
bucket_free(void *value)
{
	struct bucket *bucket = value;

	free(bucket->objects);
	free(bucket);
}

static void
entry_free(void *value)
{
	struct entry *entry = value;

	json_decref(entry->object);
	free(entry->key);
	free(entry);
}

struct cache *
cache_new(enum kube_kind kind, cache_changed *changed, void *ctx)
{
	struct cache *cache = mem_alloc(sizeof *cache);

	cache->kind = kind;
	cache->changed = changed;
	cache->ctx = ctx;
	cache->entries = map_new();
	cache->buckets = map_new();
	return cache;
}

void
cache_free(struct cache *cache)
{
	if (!cache)
		return;
	map_free(cache->buckets, bucket_free);
	map_free(cache->entries, entry_free);
	free(cache);
}

static void
index_add(struct cache *cache, struct entry *entry)
{
	const struct kube_kind_info *info = kube_kind_info(cache->kind);
	struct bucket *bucket;
	char key[KEY_SIZE];

	if (!info->index || !info->index(entry->object, key, sizeof key))
		return;
	entry->key = mem_strdup(key);
	bucket = map_get(cache->buckets, key);
	if (!bucket) {
		bucket = mem_alloc(sizeof *bucket);
		map_set(cache->buckets, key, bucket);
	}
	if (bucket->count == bucket->room) {
		bucket->room = bucket->room ? bucket->room * 2 : 2;
		bucket->objects = mem_grow(bucket->objects, bucket->room, sizeof(json_t *));
	}
	bucket->objects[bucket->count++] = entry->object;
}

static void
index_remove(struct cache *cache, struct entry *entry)
{
	struct bucket *bucket = entry->key ? map_get(cache->buckets, entry->key) : NULL;

	if (!bucket)
		return;
	for (size_t i = 0; i < bucket->count; i++) {
		if (bucket->objects[i] != entry->object)
			continue;
		bucket->objects[i] = bucket->objects[--bucket->count];
		break;
	}
	if (bucket->count == 0) {
		map_remove(cache->buckets, entry->key);
		bucket_free(bucket);
	}
	free(entry->key);
	entry->key = NULL;
}

/* What is there is as new as this, or newer. */
static bool
is_stale(const struct cache *cache, const struct entry *there, const json_t *object)
{
	const char *have = version_of(there->object), *come = version_of(object);

	if (!strcmp(have, come) && !strcmp(uid_of(there->object), uid_of(object)))
		return true;
	return !(cache->listing && cache->back) && kube_older(come, have);
}

static void
replace(struct cache *cache, struct entry *entry, json_t *object)
{
	json_t *old = entry->object;

	index_remove(cache, entry);
	entry->object = object;
	index_add(cache, entry);
	cache->changed(cache->ctx, name_of(object), old, object);
	json_decref(old);
}

static void
add(struct cache *cache, json_t *object)
{
	struct entry *entry = mem_alloc(sizeof *entry);

	entry->object = object;
	entry->list = cache->list;
	map_set(cache->entries, name_of(object), entry);
	index_add(cache, entry);
	cache->changed(cache->ctx, name_of(object), NULL, object);
}

bool
cache_put(struct cache *cache, json_t *object)
{
	const char *name = name_of(object);
	struct entry *entry;

	if (!name || !*name || !*uid_of(object) || !*version_of(object)) {
		json_decref(object);
		return false;
	}
	entry = map_get(cache->entries, name);
	if (entry)
		entry->list = cache->list;
	if (entry && is_stale(cache, entry, object)) {
		json_decref(object);
		return false;
	}
	kube_slim(cache->kind, object);
	if (entry)
		replace(cache, entry, object);
	else
		add(cache, object);
	return true;
}

static void
drop(struct cache *cache, const char *name, struct entry *entry)
{
	char *kept = mem_strdup(name); /* name may be the map's own */

	index_remove(cache, entry);
	map_remove(cache->entries, kept);
	cache->changed(cache->ctx, kept, entry->object, NULL);
	entry_free(entry);
	free(kept);
}

bool
cache_remove(struct cache *cache, const char *name, const char *uid, const char *version)
{
	struct entry *entry = map_get(cache->entries, name);

	if (!entry)
		return false;
	if (uid && *uid && strcmp(uid, uid_of(entry->object)) != 0)
		return false;
	if (version && kube_older(version, version_of(entry->object)))
		return false;
	drop(cache, name, entry);
	return true;
}

void
cache_list_begin(struct cache *cache, const char *version)
{
	cache->list++;
	cache->listing = true;
	cache->back = kube_older(version, cache->version);
	str_copy(cache->list_version, sizeof cache->list_version, version);
}

void
cache_list_end(struct cache *cache)
{
	size_t cursor = 0;
	const char *name;
	void *value;

	while (map_next(cache->entries, &cursor, &name, &value)) {
		struct entry *entry = value;

		if (entry->list == cache->list)
			continue;
		if (!cache->back && kube_older(cache->list_version, version_of(entry->object)))
			continue;
		drop(cache, name, entry);
	}
	cache->listing = false;
	cache_seen(cache, cache->list_version);
}

/* Has the object the labels "a=b,c=d"? */
static bool
labelled(const json_t *object, const char *labels)
{
	json_t *have = jsonx_at(object, "metadata.labels");

	while (*labels) {
		size_t length = strcspn(labels, ","), name = strcspn(labels, "=");
		char key[KEY_SIZE];
		const char *value;

		if (name >= length || name >= sizeof key)
			return false;
		memcpy(key, labels, name);
		key[name] = '\0';
		value = json_string_value(json_object_get(have, key));
		if (!value || strlen(value) != length - name - 1 ||
		    strncmp(value, labels + name + 1, length - name - 1) != 0)
			return false;
		labels += length;
		labels += *labels == ',';
	}
	return true;
}

/* Those of the bucket that the labels lead to; all, if they lead to none. The list is
 * the caller's, the objects are borrowed. */
static json_t **
candidates(const struct cache *cache, const char *labels, size_t *count)
{
	const char *label = kube_kind_info(cache->kind)->index_label;
	size_t length = label ? strlen(label) : 0, cursor = 0, i = 0;
	json_t **list;
	void *entry;

	if (length && str_starts(labels, label) && labels[length] == '=') {
		const char *value = labels + length + 1;
		char *key = mem_strndup(value, strcspn(value, ","));
		json_t *const *found = cache_find(cache, key, count);

		free(key);
		list = mem_array(*count + 1, sizeof *list);
		for (; i < *count; i++)
			list[i] = found[i];
		return list;
	}
	*count = map_count(cache->entries);
	list = mem_array(*count + 1, sizeof *list);
	while (map_next(cache->entries, &cursor, NULL, &entry))
		list[i++] = ((struct entry *)entry)->object;
	return list;
}

void
cache_sweep(struct cache *cache, const char *labels, const json_t *items, const char *version)
{
	struct map *there = map_new();
	json_t **objects, *item;
	size_t count, i;

	json_array_foreach(items, i, item)
	{
		if (name_of(item))
			map_set(there, name_of(item), item);
	}
	objects = candidates(cache, labels, &count);
	for (i = 0; i < count; i++) {
		const char *name = name_of(objects[i]);

		if (!map_get(there, name) && labelled(objects[i], labels) &&
		    !kube_older(version, version_of(objects[i])))
			drop(cache, name, map_get(cache->entries, name));
	}
	free(objects);
	map_free(there, NULL);
}

const char *
cache_version(const struct cache *cache)
{
	return cache->version;
}

void
cache_seen(struct cache *cache, const char *version)
{
	str_copy(cache->version, sizeof cache->version, version);
}

json_t *
cache_get(const struct cache *cache, const char *name)
{
	struct entry *entry = map_get(cache->entries, name);

	return entry ? entry->object : NULL;
}

json_t *const *
cache_find(const struct cache *cache, const char *key, size_t *count)
{
	struct bucket *bucket = map_get(cache->buckets, key);

	*count = bucket ? bucket->count : 0;
	return bucket ? bucket->objects : NULL;
}

json_t *
cache_next(const struct cache *cache, size_t *cursor)
{
	void *entry;

	return map_next(cache->entries, cursor, NULL, &entry) ? ((struct entry *)entry)->object
							      : NULL;
}

size_t
cache_count(const struct cache *cache)
{
	return map_count(cache->entries);
}
