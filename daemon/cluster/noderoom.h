/* Node room: have the nodes room for the pods that a rollout adds? Roughly, as it is now: what pods
 * ask for, nodeSelector and taints are counted; affinity, topology, ports, volumes and what an
 * autoscaler would add are not. So it is a warning at most. Pure; the lists are those of the API
 * server. */
#ifndef CLUSTER_NODEROOM_H
#define CLUSTER_NODEROOM_H

#include <jansson.h>
#include "cluster/headroom.h"
#include "model/findings.h"

struct noderoom; /* what each node has left */

struct noderoom *noderoom_new(void);
void noderoom_free(struct noderoom *room); /* NULL is allowed */
/* Items of a page of nodes, then of the pods on them that have not ended. */
void noderoom_add_nodes(struct noderoom *room, const json_t *nodes);
void noderoom_add_pods(struct noderoom *room, const json_t *pods);
void noderoom_judge(
    const struct noderoom *room, const struct headroom *headroom, struct findings *found);
/* It could not be counted; why ends a sentence. */
void noderoom_uncounted(const struct headroom *headroom, const char *why, struct findings *found);

#endif
