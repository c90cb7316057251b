/* Reading one side's workload: its Deployment or StatefulSet, ReplicaSets, pods and endpoints, as
 * JSON of the Kubernetes API. Pure; JSON is borrowed. Counts never go by names: a pod belongs to
 * the side whose Deployment controls the ReplicaSet that controls it. */
#ifndef CLUSTER_WORKLOAD_H
#define CLUSTER_WORKLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include "base/map.h"
#include "cluster/kube_kinds.h"
#include "model/app.h"
#include "model/observed.h"

struct workload_side {
	const json_t *workload; /* NULL: there is none */
	const json_t *sets;	/* array: the ReplicaSets that it controls */
	const json_t *pods;	/* array: the pods that these control */
	/* Of the side's Service: see workload_endpoints; NULL: it has none, ready pods count. */
	const struct map *endpoints;
};

enum kube_kind workload_kind(const struct app *app);

/* The label, and annotation with the app's name, that say that airisd created an object. */
#define WORKLOAD_MANAGED_BY "app.kubernetes.io/managed-by"
#define WORKLOAD_MANAGER "airisd"
#define WORKLOAD_APP "airis.io/app"
bool workload_is_ours(const json_t *object, const char *app);

/* The place of the released container in a pod's spec ("": the first); -1: it is not there. */
int workload_container(const json_t *pod_spec, const char *name);
/* Its image; "" when there is none. */
const char *workload_image(const json_t *pod_spec, const char *name);
/* Does a Service's or a subset's plain selector choose these labels? No selector chooses nothing.
 */
bool workload_selects(const json_t *selector, const json_t *labels);
/* Uids of the pods that have a ready endpoint in these slices (array; "endpoints" may be null).
 * The caller frees the map; its values mean nothing. */
struct map *workload_endpoints(const json_t *slices);
/* Calls each for every address of these slices that is ready and whose pod is, too: those that
 * workload_look counts. pods: array, of one side. */
void workload_addresses(const json_t *slices, const json_t *pods,
    void (*each)(void *ctx, const char *address), void *ctx);
/* A StatefulSet's pod that waits without end, of several the one with the last ordinal (struct
 * workload_seen); NULL: there is none, or it is not known yet. */
const json_t *workload_stuck(const json_t *stateful, const json_t *pods);
/* A DaemonSet's pod of that name, if it does not run the template and is not going; NULL: any, the
 * one to replace first: unready ones, of equals the first by name. NULL: there is none. */
const json_t *workload_outdated(
    const json_t *daemons, const json_t *pods, const char *container, const char *name);
/* Unready or missing pods of other images than this, from the last ordinal on in a row. */
int workload_broken_last(
    const json_t *stateful, const json_t *pods, const char *container, const char *new_image);
/* What is special of a DaemonSet: its size is that of the nodes, its numbers are those of the pods
 * that stand. */
void workload_look_nodes(
    const json_t *daemons, const json_t *pods, const char *container, struct workload_seen *seen);
/* Ready, and not going. */
bool workload_pod_ready(const json_t *pod);

void workload_look(const struct workload_side *side, const struct app *app, const char *new_image,
    struct workload_seen *seen);
/* How many of these no node takes; *first of them, by name (borrowed), says why: *message. */
int workload_unschedulable(const json_t *pods, const char **first, const char **message);
/* Why the newest pods of this side do not get ready; all zero: nothing wrong. */
void workload_problem(
    const struct workload_side *side, const struct app *app, struct problem *problem);

#endif
