/* Inside the kube client only: a cache with its list and its stream. */
#ifndef CLUSTER_KUBE_CACHES_H
#define CLUSTER_KUBE_CACHES_H

#include "cluster/kube_sending.h"

enum kube_cache_state {
	KUBE_CACHE_PAUSE, /* the timer will start it again */
	KUBE_CACHE_LISTING,
	KUBE_CACHE_WATCHING /* a stream was started; open tells whether it has begun */
};

struct kube_cache {
	struct kube *kube;
	enum kube_kind kind;
	char *ns;
	int wanted; /* kube_watch minus kube_unwatch */
	struct cache *store;
	enum kube_cache_state state;
	struct loop_timer *timer;  /* start again; for a stream: it should have opened or ended */
	struct loop_timer *linger; /* forget it */
	struct loop_timer *grace;  /* freshness may run out */
	struct kube_list *list;
	uint64_t stream;	 /* httpc's number; 0: none */
	struct httpc_pool *pool; /* of the stream */
	bool open, listed, was_fresh;
	bool refused;		 /* the last list was: 403 */
	bool absent;		 /* there are none of this optional kind, as far as is known */
	bool relist;		 /* the next start reads everything */
	bool refreshed;		 /* new credentials were fetched for this 401 */
	uint64_t generation;	 /* of the credentials of the stream */
	int status;		 /* HTTP, of the stream */
	int64_t opened_ms;	 /* monotonic */
	int64_t cut_ms;		 /* monotonic: when it was last known to be open */
	int64_t listed_ms;	 /* monotonic */
	int64_t relist_ms;	 /* after so long */
	int64_t backoff_ms;	 /* 0: none yet */
	int64_t broken_since_ms; /* wall clock */
	char why[1024];		 /* of the last failure; "" none */
	bool news;		 /* why has changed since anybody was told */
	struct str line;	 /* the part of a line that has come */
};

struct kube_cache *kube_cache_find(const struct kube *kube, enum kube_kind kind, const char *ns);
/* Looks whether its freshness is another one now, and tells. Not from within a public call, nor
 * while stepping through the caches: the one who is told may ask for more. */
void kube_cache_look(struct kube_cache *cache);
void kube_cache_look_all(struct kube *kube); /* soon */
void kube_cache_free(struct kube_cache *cache);
void kube_caches_done(struct kube *kube);

/* Bytes of a stream that was answered 200. False: it is of no more use (cache->relist is set). */
bool kube_lines_feed(struct kube_cache *cache, const char *bytes, size_t count);
/* Remembers why, for kube_fresh. */
void kube_cache_broken(struct kube_cache *cache, const char *why);

void kube_watch_begin(struct kube_cache *cache); /* soon */
void kube_watch_end(struct kube_cache *cache);	 /* cancels what is under way */
/* The server is back: all caches begin again now. */
void kube_watch_again(struct kube *kube);

#endif
