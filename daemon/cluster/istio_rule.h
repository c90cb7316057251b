/* The DestinationRule of subset mode: which labels make a pod stable or canary, and the JSON
 * Patches that add and remove the two subsets. Subsets that are the user's own are used as they
 * are. Pure. */
#ifndef CLUSTER_ISTIO_RULE_H
#define CLUSTER_ISTIO_RULE_H

#include <jansson.h>
#include "base/err.h"
#include "model/app.h"
#include "model/baseline.h"
#include "model/observed.h"

/* The labels of the two subsets, as they are or as they would be added; new references. -1: e says
 * what is missing, such as the label on the pods of the stable Deployment. rule NULL: there is
 * none. */
must_check int istio_rule_labels(const struct app *app, const json_t *rule, const json_t *stable,
    json_t **stable_labels, json_t **canary_labels, struct err *e);
/* pods: of the stable side (array). stable_fits also says whether subsets to be added would fit. */
void istio_rule_look(const struct app *app, const json_t *rule, const json_t *stable,
    const json_t *canary, const json_t *pods, struct subsets_seen *seen);
/* Is this subset there? */
bool istio_rule_has(const json_t *rule, const char *subset);

/* A new DestinationRule with both subsets; api_version NULL: networking.istio.io/v1. */
must_check json_t *istio_rule_new(
    const struct app *app, const json_t *stable, const char *api_version, struct err *e);
/* JSON Patch; json_null: nothing to do; NULL: e. */
must_check json_t *istio_rule_add_patch(
    const struct app *app, const json_t *rule, const json_t *stable, struct err *e);
json_t *istio_rule_remove_patch(
    const struct app *app, const json_t *rule, const struct baseline *baseline);

#endif
