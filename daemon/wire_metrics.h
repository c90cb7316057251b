/* Collecting what the rooms count, for /metrics. Part of the roof: the rooms keep plain numbers and
 * know nothing of Prometheus. */
#ifndef WIRE_METRICS_H
#define WIRE_METRICS_H

#include "api/api.h"
#include "cluster/cluster.h"
#include "gates/gates.h"
#include "hooks/hooks.h"
#include "loop/loop.h"
#include "store/store.h"
#include "telemetry/metrics.h"
#include "traces/traces.h"

/* apps: with the names of those that have a rollout that has not ended. */
void wire_engine_metrics(struct metrics *to, const struct engine *engine, bool apps);
void wire_api_metrics(struct metrics *to, struct api *api);
void wire_cluster_metrics(struct metrics *to, const char *name, struct cluster *cluster);
void wire_source_metrics(struct metrics *to, const struct gates *gates);
void wire_hook_metrics(struct metrics *to, const struct hooks *hooks);
void wire_trace_metrics(struct metrics *to, const struct traces *traces);
void wire_store_metrics(struct metrics *to, struct store *store);
void wire_process_metrics(struct metrics *to, const struct loop *loop);

#endif
