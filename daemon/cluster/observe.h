/* Observing: from the objects of one app, as they were read, to struct observed. Pure: what is
 * fresh, and when it was verified, is added by port.c. */
#ifndef CLUSTER_OBSERVE_H
#define CLUSTER_OBSERVE_H

#include <jansson.h>
#include "base/err.h"
#include "model/app.h"
#include "model/observed.h"

struct observe_objects {		  /* all are references of its own; NULL: not there */
	json_t *stable, *canary;	  /* Deployments */
	json_t *service, *canary_service; /* canary_service: host mode */
	json_t *route;
	json_t *cronjob; /* of the backup */
	json_t *rule;	 /* subset mode: the DestinationRule */
	json_t *hpas;	 /* arrays from here on, never NULL after _init */
	json_t *scaled;	 /* KEDA's ScaledObjects, likewise of the workload or of both colours */
	json_t *stable_sets, *stable_pods, *canary_sets, *canary_pods;
	json_t *slices, *canary_slices; /* of the two Services */
	json_t *routes;			/* before a start: the namespace's other VirtualServices */
	json_t *jobs;			/* of that CronJob */
	json_t *budgets;		/* two colours: the namespace's PodDisruptionBudgets */
	json_t *canary_hpas;		/* no colours: those on a Deployment of the canary's name */
};
void observe_init(struct observe_objects *objects);
void observe_done(struct observe_objects *objects);

/* asked: the canary's weight that was last asked for, -1 none (see route_look). */
void observe_look(const struct app *app, const char *new_image,
    const struct observe_objects *objects, int asked, struct observed *seen);
/* The labels that canary pods get in place of the stable ones. A new reference; NULL: e. */
must_check json_t *observe_canary_labels(
    const struct app *app, const struct observe_objects *objects, struct err *e);
/* What forbids a start, and what to know before one: seen->preflight and ->warnings. */
void observe_preflight(
    const struct app *app, const struct observe_objects *objects, struct observed *seen);

#endif
