/* Two colours: PodDisruptionBudgets that choose the pods of one colour only. Such a budget guards
 * nothing after a switch, so the other colour gets one of its own, cloned from it, before. It is
 * named as the colour's Deployment, and goes when the colour rests. The user's own is never
 * changed; one that chooses both colours, or one for each, needs nothing. No pod gets two: those
 * cannot be evicted at all. Pure. */
#ifndef CLUSTER_BUDGETS_H
#define CLUSTER_BUDGETS_H

#include <jansson.h>
#include "base/err.h"
#include "cluster/observe.h"

/* Does its selector, as a LabelSelector, choose these labels? None chooses nothing, an empty one
 * all. */
bool budgets_selects(const json_t *budget, const json_t *labels);
void budgets_look(
    const struct app *app, const struct observe_objects *objects, struct budgets_seen *seen);
/* Ours for that side; borrowed; NULL: there is none. */
const json_t *budgets_ours(
    const struct app *app, const struct observe_objects *objects, bool canary);
/* The body of one for that side, cloned from the other side's; a new reference. NULL: e. */
must_check json_t *budgets_clone(
    const struct app *app, const struct observe_objects *objects, bool canary, struct err *e);

#endif
