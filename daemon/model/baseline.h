/* Baseline: what was there before the rollout's first act, kept in the journal, so that home can be
 * reached after any crash: the image, the size, the HPA's floor, and which parts of the routing
 * were already the user's own. */
#ifndef MODEL_BASELINE_H
#define MODEL_BASELINE_H

#include <jansson.h>
#include "model/observed.h"

struct baseline {
	char image[APP_IMAGE];
	char uid[64]; /* of the stable workload: another uid is another workload (F67) */
	int replicas; /* size at the start, >= 0 */
	int hpa_min;  /* -1: no HPA, and no ScaledObject */
	/* Of a ScaledObject, as in struct hpa_seen. */
	bool keda, keda_bare, keda_idles;
	int keda_idle;
	bool had_canary_destination; /* the route named the canary already (at weight 0) */
	bool had_stable_subset_named;
	bool had_canary_subset, had_stable_subset, had_destination_rule;
	bool had_canary_service;
	/* The shape of each route of the app, as in struct route_seen: what goes back is what was
	 * there. */
	uint32_t bare, with_canary, with_subset;
	struct pace pace; /* of a workload that rolls */
	/* Two colours: which is which in this rollout, and how the idle one was. */
	char stable[APP_NAME], canary[APP_NAME]; /* "": as the app says */
	bool had_canary;
	struct budgets_seen budgets;
	char canary_image[APP_IMAGE];
	int canary_replicas;
};

/* What is ours from an earlier rollout counts as not there: it is to go. */
void baseline_take(struct baseline *baseline, const struct observed *seen);
/* Of two colours also the sides. */
void baseline_take_sides(
    struct baseline *baseline, const struct app *app, const struct observed *seen);
/* What scales the workload is what did at the start, and has the bounds that it had. */
bool baseline_scaler(const struct baseline *baseline, const struct hpa_seen *hpa);
bool baseline_bounds(const struct baseline *baseline, const struct hpa_seen *hpa);
json_t *baseline_json(const struct baseline *baseline); /* new reference */
must_check int baseline_parse(const json_t *json, struct baseline *baseline, struct err *e);

#endif
