/* Inside the kube client only. kube.c: one cluster's settings and parts. kube_send.c: requests in
 * lanes. kube_answer.c: what an answer means. kube_cache.c: which caches there are and how fresh.
 * kube_list.c: lists in pages. kube_watch.c: list, then watch; kube_lines.c: what a stream says.
 * kube_read.c: reads past the caches. kube_probe.c: does the server live? */
#ifndef CLUSTER_KUBE_ROOM_H
#define CLUSTER_KUBE_ROOM_H

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

struct kube_reading;
struct kube_request;

struct kube_request_list {
	struct kube_request *first, *last;
};

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
	int64_t asleep_ms;     /* so long the machine slept since it began, as far as is reckoned */
	int64_t dead_since_ms; /* wall clock */
	char why[1024];
};

struct kube {
	struct loop *loop;
	struct kube_settings settings; /* the numbers, with defaults; texts below */
	char *name;
	struct kube_events events;
	struct credentials *credentials;
	struct kube_lane_state lanes[KUBE_LANES];
	struct kube_budget budget;
	struct loop_timer *pump;
	struct kube_reading *readings;
	uint64_t last_number;
	bool http2;			/* the server was last seen to speak it */
	struct httpc_pool *many, *few;	/* for watches without and with HTTP/2 */
	struct map *caches[KUBE_KINDS]; /* namespace -> struct kube_cache */
	int versions[KUBE_KINDS];	/* index into kube_kind_info.versions */
	struct kube_probe probe;
	struct kube_stats stats;
	char *user_agent;
};

/* --- the probe --- */

void kube_probe_start(struct kube *kube);
void kube_probe_done(struct kube *kube);
void kube_probe_need(struct kube *kube);  /* something is being watched */
void kube_probe_heard(struct kube *kube); /* the server has answered something */
/* The machine slept, and the caches do not know yet what happened meanwhile. */
bool kube_probe_slept(const struct kube *kube);

#endif
