/* The objects of one kind in one namespace, by name and by the kind's index key. Pure memory.
 * Always true: an object is replaced only by one that is not older (resourceVersion), except when
 * a whole list shows that the cluster went back in time (a restored etcd). */
#ifndef CLUSTER_CACHE_H
#define CLUSTER_CACHE_H

#include <jansson.h>
#include "cluster/kube_kinds.h"

struct cache;

/* Called after the change; both borrowed; old NULL: came, new NULL: went. */
typedef void cache_changed(void *ctx, const char *name, json_t *old, json_t *new);

struct cache *cache_new(enum kube_kind kind, cache_changed *changed, void *ctx);
void cache_free(struct cache *cache);

/* Takes the reference over and slims the object in place. False: ignored, because it is older than
 * what is there, the same, or not an object with name, uid and resourceVersion. */
bool cache_put(struct cache *cache, json_t *object);
/* Takes it out, if the one that is there has this uid (NULL: any) and is not newer than version
 * (NULL: any). */
bool cache_remove(struct cache *cache, const char *name, const char *uid, const char *version);

/* A whole list, in pages: begin with its resourceVersion, cache_put each item, end. What was not in
 * it goes, unless it is newer than the list. A begin without an end is forgotten. */
void cache_list_begin(struct cache *cache, const char *version);
void cache_list_end(struct cache *cache);
/* Of the objects with these labels ("a=b,c=d") takes out those that are not in items (an array)
 * and not newer than version. */
void cache_sweep(struct cache *cache, const char *labels, const json_t *items, const char *version);

/* Where the next watch starts: the version of the last list or event; "" before the first list. */
const char *cache_version(const struct cache *cache);
void cache_seen(struct cache *cache, const char *version);

json_t *cache_get(const struct cache *cache, const char *name); /* borrowed; NULL: not there */
json_t *const *cache_find(const struct cache *cache, const char *key, size_t *count);
/* One after the other; *cursor is 0 at first; borrowed; NULL: that was all. */
json_t *cache_next(const struct cache *cache, size_t *cursor);
size_t cache_count(const struct cache *cache);

#endif
