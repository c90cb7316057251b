/* Pace: how many pods of a workload run its new template, and how that is held.
 *
 * A StatefulSet has a field for it: only pods of the partition's ordinal and above are replaced,
 * one after the other from the last, each when all others are ready.
 *
 * A DaemonSet replaces nothing by itself while its update strategy is OnDelete: then each pod is
 * replaced when it is deleted, and how far it may go is known to the rollout only.
 *
 * A Deployment has neither. Its controller counts a pod as available when it was ready for
 * minReadySeconds. With a time that never comes no new pod is, and the controller rests where
 * maxSurge + maxUnavailable pods are new and all but maxUnavailable of the old ones are left
 * (deployment/rolling.go, Kubernetes 1.26 to 1.36: reconcileNewReplicaSet,
 * reconcileOldReplicaSets). So the two amounts say how far it goes, and it goes no further, also
 * while airisd is away. Only its new ReplicaSet takes that time: the old pods stay available. */
#ifndef MODEL_PACE_H
#define MODEL_PACE_H

#include <stddef.h>
#include "model/workload_seen.h"

bool pace_is_known(const struct pace *pace);
bool pace_is_held(const struct pace *pace);
/* Pods of the new template, of a workload of that size; 0 for a Deployment that is not held. */
int pace_new(const struct pace *pace, int size);
/* Likewise: old pods that are gone for good. */
int pace_gone(const struct pace *pace, int size);
bool pace_same(const struct pace *a, const struct pace *b);
/* So many pods of that size, rounded up. */
int pace_share(const struct share_spec *spec, int size);
/* Held at number new pods; surge: the most pods above its size. */
struct pace pace_hold(int number, int surge);
/* Held at the last number ordinals of a StatefulSet of that size. */
struct pace pace_hold_ordinals(int number, int size);
/* A DaemonSet's, which waits to be told pod by pod. */
struct pace pace_hold_nodes(void);
/* "maxSurge 1, maxUnavailable 25%, minReadySeconds 0"; "partition 2"; "OnDelete" */
void pace_text(const struct pace *pace, char *to, size_t size);

#endif
