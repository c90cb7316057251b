/* Carrying planned acts out: one write, at most one read back, and exactly one answer, in a later
 * turn and within ACT_DEADLINE_MS. */
#ifndef CLUSTER_ACT_RUN_H
#define CLUSTER_ACT_RUN_H

#include <stdint.h>
#include "cluster/act_plan.h"
#include "cluster/kube.h"
#include "loop/loop.h"
#include "ports/cluster.h"

#define ACT_WRITE_MS 13000    /* a hung webhook is answered after 10 s */
#define ACT_DEADLINE_MS 20000 /* with the reading back */

struct act_runs;

/* fence: of every write. */
struct act_runs *act_runs_new(struct loop *loop, struct kube *kube, const struct kube_fence *fence,
    const struct cluster_events *events);
void act_runs_free(struct act_runs *runs);
bool act_runs_busy(const struct act_runs *runs); /* acts are not answered yet */
/* Takes the plan's body. Returns the act's number, never 0. */
uint64_t act_run(struct act_runs *runs, const struct app *app, bool urgent, struct act_plan *plan);

#endif
