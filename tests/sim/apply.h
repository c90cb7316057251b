/* apply: server-side apply, that is merging a configuration that one manager wants into what
 * others may own as well. */
#ifndef SIM_APPLY_H
#define SIM_APPLY_H

#include "kinds.h"

#include <jansson.h>

/* Conflicts of config with the managers of live other than manager: an array of
 * {"field": ".spec.replicas", "who": "conflict with …"}. New reference. */
json_t *apply_conflicts(
    const struct kind *k, const json_t *live, const json_t *config, const char *manager);
/* live with config merged in, and without what this manager applied before and no longer
 * does and nobody else owns. New reference. */
json_t *apply_merge(const struct kind *k, json_t *live, json_t *config, const char *manager);

#endif
