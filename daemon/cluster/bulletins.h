/* The Events that wait to be written in one cluster: in memory, a bounded number, one request at a
 * time in the lane that only takes what others leave, and only while the fence is open: of two
 * airisd one writes. Best effort: what cannot be written is dropped and counted; nobody waits for
 * it. Loop thread only. */
#ifndef CLUSTER_BULLETINS_H
#define CLUSTER_BULLETINS_H

#include "cluster/kube.h"
#include "loop/loop.h"
#include "model/app.h"
#include "model/told.h"

#define BULLETINS_MOST 256

enum bulletins_result {
	BULLETINS_WRITTEN,
	BULLETINS_FULL,	     /* newer ones came meanwhile */
	BULLETINS_LATE,	     /* the cluster did not take it in time */
	BULLETINS_FORBIDDEN, /* 403 */
	BULLETINS_REFUSED,   /* or there is no such workload */
	BULLETINS_RESULTS
};

struct bulletins;

struct bulletins *bulletins_new(
    struct loop *loop, struct kube *kube, const struct kube_fence *fence);
void bulletins_free(struct bulletins *bulletins); /* before its kube; NULL is allowed */
void bulletins_put(struct bulletins *bulletins, const struct app *app, const struct told *told);
void bulletins_poke(struct bulletins *bulletins); /* the fence may be open; NULL is allowed */
int bulletins_waiting(const struct bulletins *bulletins);
/* Since the start. */
uint64_t bulletins_count(const struct bulletins *bulletins, enum bulletins_result result);
const char *bulletins_result_name(enum bulletins_result result);

#endif
