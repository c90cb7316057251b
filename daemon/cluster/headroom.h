/* Headroom: has the namespace room for the pods that a rollout adds, and do disruption budgets
 * leave any of its pods free to go? Pure; the lists are those of the API server. All of it is what
 * a rollout may meet, not what it must, so all findings are warnings. */
#ifndef CLUSTER_HEADROOM_H
#define CLUSTER_HEADROOM_H

#include <jansson.h>
#include "cluster/observe.h"
#include "cluster/podsize.h"
#include "model/app.h"
#include "model/findings.h"

struct headroom {
	char namespace[APP_LABEL], workload[APP_NAME + 16]; /* "StatefulSet kafka" */
	int pods;	     /* that a rollout adds at most, besides what a Deployment surges */
	double needs[ROOMS]; /* of all of them, at least: what is injected is not known */
	json_t *labels;	     /* of the stable pods, owned; NULL: not known */
	json_t *spec;	     /* of one of them, likewise */
};

void headroom_of(
    const struct app *app, const struct observe_objects *objects, struct headroom *headroom);
void headroom_done(struct headroom *headroom);
/* Lists of ResourceQuotas and of PodDisruptionBudgets. A quota with scopes is not looked at. */
void headroom_quotas(const struct headroom *headroom, const json_t *list, struct findings *found);
void headroom_budgets(const struct headroom *headroom, const json_t *list, struct findings *found);

#endif
