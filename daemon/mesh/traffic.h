/* One question to traffic: does the canary's share of the requests show the weight? One look at a
 * time, which asks for some windows, the longest that is all of it after the change first. Inside
 * of mesh. */
#ifndef MESH_TRAFFIC_H
#define MESH_TRAFFIC_H

#include "mesh/ask.h"

struct traffic;

/* The cluster has a source. What was seen stays with it, for people. */
struct traffic *traffic_new(struct cluster_mesh *cluster, struct loop *loop,
    const struct mesh_needs *needs, const struct mesh_question *question, uint64_t number,
    const struct ask_done *done, void (*ended)(void *ctx, uint64_t number), void *ended_ctx);
void traffic_free(struct traffic *traffic); /* not within its callbacks; NULL is allowed */

#endif
