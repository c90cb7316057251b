/* What the nodes of the cluster have left, for noderoom.h: read once for all who ask within a
 * while, and only up to a bound, however large the cluster is. Loop thread only. */
#ifndef CLUSTER_PORT_ROOM_H
#define CLUSTER_PORT_ROOM_H

#include <stdbool.h>
#include "cluster/headroom.h"
#include "cluster/kube.h"
#include "model/findings.h"

struct rooms;

/* done: what was asked for is there now; in a later turn. */
struct rooms *rooms_new(struct kube *kube, void (*done)(void *ctx), void *ctx);
void rooms_free(struct rooms *rooms); /* done does not come any more; before its kube */
/* True: what is known now, or why it is not, is added to found. False: it is read first; then done
 * comes, and to ask again. */
bool rooms_judge(struct rooms *rooms, const struct headroom *headroom, struct findings *found);

#endif
