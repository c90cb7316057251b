/* Pace: how many pods of a Deployment run its new template, and how that is held. The Deployment
 * controller counts a pod as available when it was ready for minReadySeconds. With a time that
 * never comes no new pod is, and the controller rests where maxSurge + maxUnavailable pods are new
 * and all but maxUnavailable of the old ones are left (deployment/rolling.go, Kubernetes 1.26 to
 * 1.36: reconcileNewReplicaSet, reconcileOldReplicaSets). So the two amounts say how far it goes,
 * and it goes no further, also while airisd is away. Only its new ReplicaSet takes that time: the
 * old pods stay available. */
#ifndef MODEL_PACE_H
#define MODEL_PACE_H

#include "model/observed.h"

bool pace_is_known(const struct pace *pace);
bool pace_is_held(const struct pace *pace);
/* Held: pods of the new template; else 0. */
int pace_new(const struct pace *pace);
/* Held: old pods that are gone for good; else 0. */
int pace_gone(const struct pace *pace);
bool pace_same(const struct pace *a, const struct pace *b);
/* So many pods of that size, rounded up. */
int pace_share(const struct share_spec *spec, int size);
/* Held at number new pods; surge: the most pods above its size. */
struct pace pace_hold(int number, int surge);
/* "maxSurge 1, maxUnavailable 25%, minReadySeconds 0" */
void pace_text(const struct pace *pace, char *to, size_t size);

#endif
