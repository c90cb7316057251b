/* Who scales a workload: an HPA, or a ScaledObject of KEDA's. KEDA makes an HPA from that and takes
 * back what others write there, so bounds and target are read from, and written to, the
 * ScaledObject. Pure. */
#ifndef CLUSTER_AUTOSCALER_H
#define CLUSTER_AUTOSCALER_H

#include "cluster/kube_kinds.h"
#include "cluster/observe.h"
#include "model/act.h"
#include "model/baseline.h"

struct autoscaler {
	enum kube_kind kind; /* KUBE_HPAS or KUBE_SCALEDOBJECTS */
	const char *name;    /* NULL: nothing scales it */
	/* NULL: an HPA of KEDA's is there, and the ScaledObject that it was made from is not seen
	 */
	const json_t *object;
	const json_t
	    *hpa; /* of a ScaledObject; NULL: KEDA has none for it, so it is paused or new */
};
void autoscaler_find(const struct observe_objects *objects, struct autoscaler *found);
void autoscaler_look(
    const struct app *app, const struct observe_objects *objects, struct hpa_seen *seen);
/* The ScaledObject that an HPA was made from; NULL: it is the user's own. */
const char *autoscaler_owner(const json_t *hpa);

/* For send_built: json_null if there is nothing to do. object: not NULL. */
json_t *autoscaler_floor_patch(
    const struct autoscaler *found, const struct baseline *baseline, const struct act *act);
json_t *autoscaler_follow_patch(const struct autoscaler *found, const char *workload);

/* What forbids a start, and what to know before one; -1: e says it. */
int autoscaler_check(const struct app *app, const struct observe_objects *objects,
    const struct observed *seen, struct err *e);
int autoscaler_warn(const struct app *app, const struct observed *seen, struct err *e);
/* No colours: what would scale the canary, too. */
int autoscaler_warn_canary(
    const struct app *app, const struct observe_objects *objects, struct err *e);

#endif
