/* What /readyz says of the rooms below the API. Part of the roof. */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <jansson.h>
#include "cluster/cluster.h"
#include "gates/gates.h"

json_t *wire_cluster_health(struct cluster *cluster);
json_t *wire_sources_health(const struct gates *gates);

#endif
