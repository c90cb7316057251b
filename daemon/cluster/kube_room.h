/* Inside the kube client only. kube.c: one cluster's settings and parts. kube_send.c: requests in
 * lanes. kube_answer.c: what an answer means. kube_cache.c: which caches there are and how fresh.
 * kube_list.c: lists in pages. kube_watch.c: list, then watch; kube_lines.c: what a stream says.
 * kube_read.c: reads past the caches. kube_probe.c: does the server live?
 */
#ifndef CLUSTER_KUBE_ROOM_H
#define CLUSTER_KUBE_ROOM_H

#include <sys/queue.h>
#include "base/map.h"
#include "base/str.h"
#include "cluster/cache.h"
#include "cluster/credentials.h"
#include "cluster/kube.h"
#include "cluster/kube_stats.h"
#include "http/httpc.h"

enum {
	KUBE_LINE_MAX = 8 * 1024 * 1024,
	KUBE_PAGE_MAX = 32 * 1024 * 1024,
	KUBE_BACKOFF_MAX_MS = 30 * 1000,
	KUBE_RELIST_MS =
	    10 * 60 * 1000, /* a cache is read whole again after this, and a half more */
};

/* --- requests --- */

struct kube_reading;
TAILQ_HEAD(kube_reading_list, kube_reading);
struct kube_request;
TAILQ_HEAD(kube_request_list, kube_request);

struct kube_lane_state {
	struct kube_request_list waiting, running, sleeping;
	int under_way, limit;
	struct httpc_pool *pool;
};

struct kube_budget {
	double tokens;
	int64_t filled_ms;
};

struct kube_probe {
	struct loop_timer *timer;
	uint64_t number;  /* of the request; 0: none under way */
	int64_t heard_ms; /* monotonic: the last sign of life */
	int failures;	  /* in a row */
	bool dead;
	int64_t dead_since_ms; /* wall clock */
	char why[1024];
};

struct kube {
	struct loop *loop;
	struct kube_settings settings; /* the numbers, with defaults; texts below */
	char *name;
	struct kube_events events;
	struct credentials *credentials;
	struct kube_lane_state lanes[2];
	struct kube_budget budget;
	struct loop_timer *pump;
	struct kube_reading_list readings;
	uint64_t last_number;
	bool http2;			/* the server was last seen to speak it */
	struct httpc_pool *many, *few;	/* for watches without and with HTTP/2 */
	struct map *caches[KUBE_KINDS]; /* namespace -> struct kube_cache */
	int versions[KUBE_KINDS];	/* index into kube_kind_info.versions */
	struct kube_probe probe;
	struct kube_stats stats;
	char *user_agent;
};

/* A call and what the public one does not offer. */
struct kube_sending {
	struct kube_call call;
	const char *verb;   /* for the counters; NULL: the method. Static */
	int64_t attempt_ms; /* 0: the settings' */
	bool once;	    /* a GET that is not repeated */
	bool raw;	    /* the answer is no JSON */
	size_t max_body;    /* 0: 8 MiB */
};
uint64_t kube_send(struct kube *kube, const struct kube_sending *sending);
void kube_send_start(struct kube *kube);
void kube_send_done(struct kube *kube);
int kube_send_waiting(const struct kube *kube); /* or sleeping */
/* The server is back: what sleeps after failures need not go on sleeping. */
void kube_send_wake(struct kube *kube);
void kube_send_pump(struct kube *kube); /* soon: something may start now */

/* Fills in URL, headers, credentials: what every request has. headers has room for at least
 * KUBE_HEADERS and is NULL-terminated after it. The URL is owned by the caller. */
enum { KUBE_HEADERS = 32 };
char *kube_dress(struct kube *kube, const struct credentials_access *access, const char *path,
    const char *content_type, const char **headers, struct httpc_request *to);
/* What an HTTP answer says. body is a new reference or NULL: release it. */
void kube_answer_fill(
    const struct kube *kube, const struct httpc_answer *from, bool raw, struct kube_answer *to);
/* Decorrelated jitter: between base and three times the last, at most 30 s. */
int64_t kube_backoff(int64_t base_ms, int64_t last_ms);
void kube_count(struct kube *kube, const char *verb, int code);
/* text gets "pods in namespace x". */
void kube_what(enum kube_kind kind, const char *ns, char *text, size_t size);

/* --- lists --- */

/* One list in pages. Each page: on_page with its items (borrowed) and the list's resourceVersion,
 * then on_end: answer of the last page or of the one that failed. */
struct kube_list_call {
	enum kube_lane lane;
	enum kube_kind kind;
	const char *ns;
	const char *labels; /* NULL: all */
	void (*on_page)(void *ctx, const json_t *items, const char *version, bool first);
	void (*on_end)(void *ctx, const struct kube_answer *answer);
	void *ctx;
};
struct kube_list;
struct kube_list *kube_list_start(struct kube *kube, const struct kube_list_call *call);
void kube_list_cancel(struct kube_list *list); /* NULL is allowed; gone by itself after on_end */

/* A 404 that says that this one object is absent: not a proxy's, not an unknown kind's. */
bool kube_says_absent(const struct kube_answer *answer, const char *name);
/* After a 404 for a collection of kube->versions[kind] == asked: is there another one to try? */
bool kube_next_version(struct kube *kube, enum kube_kind kind, int asked);

/* --- reads --- */

bool kube_read_cancel(struct kube *kube, uint64_t number);
void kube_read_done(struct kube *kube);

/* --- caches --- */

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

/* --- the probe --- */

void kube_probe_start(struct kube *kube);
void kube_probe_done(struct kube *kube);
void kube_probe_need(struct kube *kube);  /* something is being watched */
void kube_probe_heard(struct kube *kube); /* the server has answered something */

#endif
