/* What /readyz and /metrics say of the rooms below the API. Part of the roof. */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <jansson.h>
#include "base/str.h"
#include "cluster/cluster.h"
#include "gates/gates.h"
#include "store/store.h"

json_t *wire_cluster_health(struct cluster *cluster);
json_t *wire_sources_health(const struct gates *gates);
void wire_cluster_metrics(struct str *to, const char *name, struct cluster *cluster, bool first);
void wire_store_metrics(struct str *to, struct store *store);

#endif
