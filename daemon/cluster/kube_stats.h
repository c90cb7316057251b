/* What the kube client counts, for /metrics. */
#ifndef CLUSTER_KUBE_STATS_H
#define CLUSTER_KUBE_STATS_H

#include <stddef.h>
#include <stdint.h>
#include "base/histogram.h"

struct kube;

enum { KUBE_STATS_CELLS = 64 };

struct kube_stats {
	struct kube_stats_cell {
		char verb[8]; /* GET LIST WATCH POST PUT PATCH DELETE; the last cell: OTHER */
		int code;     /* HTTP; 0: no answer */
		uint64_t count;
	} requests[KUBE_STATS_CELLS];
	size_t cells;		/* in use */
	struct histogram took;	/* all but watches */
	uint64_t retries;	/* GETs sent again */
	uint64_t throttled;	/* calls that had to wait for the budget ... */
	uint64_t throttled_ms;	/* ... for so long in all */
	uint64_t relists;	/* lists of a cache after its first */
	uint64_t watch_cuts;	/* streams that ended in an error or were given up as silent */
	uint64_t refreshes;	/* of the credentials */
	int caches, watches;	/* now: caches kept, streams open */
	int under_way, waiting; /* now: requests */
};

const struct kube_stats *kube_stats(struct kube *kube); /* valid until the next call */

#endif
