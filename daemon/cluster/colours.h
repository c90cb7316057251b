/* Two colours: which Deployment a Service's selector or a route's weights choose now, what a
 * selector has to be to choose the other one, and what tells their pods apart. The selector of a
 * colour has the keys that the Service's selector has, with the values of that colour's pods. Pure.
 */
#ifndef CLUSTER_COLOURS_H
#define CLUSTER_COLOURS_H

#include <jansson.h>
#include "base/err.h"
#include "cluster/observe.h"
#include "model/app.h"
#include "model/observed.h"

/* Before a rollout has begun the sides are what is served: the active colour is the stable one.
 * route: the Service that is switched, or the route of the weights. get: the Deployment of a name,
 * borrowed; NULL: there is none. The app is changed. */
void colours_take_sides(struct app *app, const json_t *route,
    const json_t *(*get)(void *ctx, const char *name), void *ctx);
/* The labels that the pods of a colour get which is cloned from the other. A new reference. */
must_check json_t *colours_labels(
    const struct app *app, const struct observe_objects *objects, struct err *e);
/* What selects a side's pods, those that are or those that would be; a new reference. */
must_check json_t *colours_selector(
    const struct app *app, const struct observe_objects *objects, bool canary, struct err *e);
/* The Service as a route: weight 100 if it selects the canary's pods. */
void colours_look(
    const struct app *app, const struct observe_objects *objects, struct route_seen *seen);
enum preview_seen colours_preview(const struct app *app, const struct observe_objects *objects);
/* By weights: does the Service of each colour select its pods, and none of the other's? -1: e. */
must_check int colours_check_services(
    const struct app *app, const struct observe_objects *objects, struct err *e);
/* The ready pods of a side that its selector chooses, by uid, as workload_endpoints gives them. */
struct map *colours_endpoints(
    const struct app *app, const struct observe_objects *objects, bool canary);
/* The JSON Patch that makes a Service select that side; as route_weight_patch. */
must_check json_t *colours_select_patch(const struct app *app,
    const struct observe_objects *objects, const json_t *service, bool canary, struct err *e);

#endif
