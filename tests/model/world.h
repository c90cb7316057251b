/* The cluster and the mesh of the small world.
 *
 * The cluster: Deployments roll with maxSurge 1 and maxUnavailable 0 and remove unready pods first;
 * a canary that is deleted is there until its pods are gone.
 *
 * The mesh: one proxy, late in everything, each kind of news (routes, clusters, the endpoints of
 * either side) by itself and in any order, so two writes that depend on each other may arrive the
 * wrong way round whenever airisd did not wait in between. One is enough: every law is about what
 * any proxy may do, and this is any of them. What it takes is what the API server has at that
 * moment; an older push that arrives after a newer write is not modelled (tests/unit/toy_istiod.c
 * has that). */
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

#include "model/act.h"
#include "model/observed.h"
#include "state.h"

/* All at rest, nothing begun, the mesh knows everything. */
void world_begin(const struct config *config, struct state *s);
void world_look(
    const struct config *config, const struct cluster *c, bool fresh, struct observed *seen);
/* Somebody wrote this object: what is on its way with an older resourceVersion will not be taken.
 */
void world_touch(struct state *s, enum act_object object);
/* The API server carries it out: done, already so, or a conflict. */
enum act_outcome world_apply(const struct config *config, struct state *s, const struct act *act);

/* Each is a step that may happen, or cannot happen now: false. */
bool world_roll(const struct config *config, struct state *s); /* the stable Deployment */
bool world_ready(const struct config *config, struct state *s, bool canary, enum image image);
/* A fault; last: of a StatefulSet the last one, else the first one. */
bool world_unready(struct state *s, bool canary, enum image image, bool last);
bool world_gone(struct state *s);
bool world_take_route(struct state *s);
bool world_take_clusters(struct state *s);
bool world_take_ends(struct state *s, bool canary);
void world_resize_canary(struct state *s, int size);

/* What is true of the mesh, whatever airisd believes. */
bool world_has_taken(const struct state *s, enum mesh_subject subject);
int world_stable_ready(const struct cluster *c);
/* Notes that requests may be under way where the proxy sends some; after every step. */
void world_settle(struct state *s);

#endif
