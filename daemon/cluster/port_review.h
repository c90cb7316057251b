/* Before a start: may airisd write what the rollout will write? Each right is asked for by a
 * request of its own; few are under way at a time, however many apps are started, so that the
 * writes of others do not wait for them. Loop thread only. */
#ifndef CLUSTER_PORT_REVIEW_H
#define CLUSTER_PORT_REVIEW_H

#include <stdint.h>
#include "cluster/kube.h"
#include "model/app.h"
#include "model/findings.h"

struct reviews;

struct reviews *reviews_new(struct kube *kube);
void reviews_free(struct reviews *reviews); /* no more answers come; before its kube */

/* For the port (ports/cluster.h): ctx is the cluster. */
uint64_t port_review(void *ctx, const struct app *app,
    void (*done)(void *done_ctx, uint64_t number, const struct findings *found), void *done_ctx);
void port_review_cancel(void *ctx, uint64_t number);

#endif
