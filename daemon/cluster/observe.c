/* Observing one app: each part of struct observed from the objects that say it. */
#include "cluster/observe.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/autoscaler.h"
#include "cluster/backup.h"
#include "cluster/budgets.h"
#include "cluster/clone.h"
#include "cluster/colours.h"
#include "cluster/route.h"
#include "cluster/istio_rule.h"
#include "cluster/workload.h"

static json_t **
array_slot(struct observe_objects *objects, int i)
{
	json_t **const slots[] = {&objects->hpas, &objects->scaled, &objects->stable_sets,
	    &objects->stable_pods, &objects->canary_sets, &objects->canary_pods, &objects->slices,
	    &objects->canary_slices, &objects->routes, &objects->canary_hpas, &objects->jobs,
	    &objects->budgets};

	return i < (int)(sizeof(slots) / sizeof(slots[0])) ? slots[i] : NULL;
}

void
observe_init(struct observe_objects *objects)
{
	json_t **slot;

	memset(objects, 0, sizeof(*objects));
	for (int i = 0; (slot = array_slot(objects, i)) != NULL; i++)
		*slot = json_array();
}

void
observe_done(struct observe_objects *objects)
{
	json_t **slot;

	for (int i = 0; (slot = array_slot(objects, i)) != NULL; i++)
		json_decref(*slot);
	json_decref(objects->stable);
	json_decref(objects->canary);
	json_decref(objects->service);
	json_decref(objects->canary_service);
	json_decref(objects->route);
	json_decref(objects->rule);
	json_decref(objects->cronjob);
	memset(objects, 0, sizeof(*objects));
}

json_t *
observe_canary_labels(const struct app *app, const struct observe_objects *objects, struct err *e)
{
	const json_t *theirs = objects->canary_service;
	json_t *stable, *canary;

	if (app->colours)
		return colours_labels(app, objects, e);
	if (app->traffic.mode == TRAFFIC_HOST) {
		if (theirs != NULL && workload_is_ours(theirs, app->name))
			theirs = NULL;
		return clone_host_labels(objects->service, theirs, e);
	}
	if (istio_rule_labels(app, objects->rule, objects->stable, &stable, &canary, e) < 0)
		return NULL;
	json_decref(stable);
	return canary;
}

/* --- parts --- */

/* The pods that count for a side: uids, as of workload_endpoints. */
static struct map *
ready_in(const struct app *app, const struct observe_objects *objects, bool canary)
{
	bool own = canary && app->traffic.mode == TRAFFIC_HOST;

	if (app->traffic.kind == TRAFFIC_SERVICE)
		return colours_endpoints(app, objects, canary);
	if (app->traffic.service[0] == '\0')
		return NULL;
	return workload_endpoints(own ? objects->canary_slices : objects->slices);
}

static void
look_workloads(const struct app *app, const char *new_image, const struct observe_objects *objects,
    struct observed *seen)
{
	struct map *stable = ready_in(app, objects, false);
	struct map *canary = ready_in(app, objects, true);
	struct workload_side sides[2] = {
	    {objects->stable, objects->stable_sets, objects->stable_pods, stable},
	    {objects->canary, objects->canary_sets, objects->canary_pods, canary}};

	workload_look(&sides[0], app, new_image, &seen->stable);
	workload_look(&sides[1], app, new_image, &seen->canary);
	str_copy(seen->stable.name, sizeof(seen->stable.name), app->workload);
	str_copy(seen->canary.name, sizeof(seen->canary.name), app->canary);
	map_free(canary, NULL);
	map_free(stable, NULL);
}

/* Would the stable Service choose canary pods, those that are or those that would be? */
static bool
selects_canary(const struct app *app, const struct observe_objects *objects)
{
	const json_t *selector = jsonx_at(objects->service, "spec.selector");
	json_t *labels, *pods;
	bool selects;

	if (objects->canary != NULL)
		return workload_selects(
		    selector, jsonx_at(objects->canary, "spec.template.metadata.labels"));
	labels = observe_canary_labels(app, objects, NULL);
	if (labels == NULL)
		return false;
	pods = clone_pod_labels(objects->stable, labels);
	selects = workload_selects(selector, pods);
	json_decref(pods);
	json_decref(labels);
	return selects;
}

static void
look_services(const struct app *app, const struct observe_objects *objects, struct observed *seen)
{
	seen->service = objects->service != NULL;
	if (app->rolls)
		return;
	if (app->traffic.mode != TRAFFIC_HOST)
		return;
	seen->canary_service = objects->canary_service != NULL;
	seen->canary_service_ours =
	    seen->canary_service && workload_is_ours(objects->canary_service, app->name);
	if (app->traffic.kind == TRAFFIC_SERVICE)
		seen->preview = colours_preview(app, objects);
	else if (app->colours)
		seen->preview = PREVIEW_CANARY; /* it is that side's own */
	else
		seen->service_selects_canary = selects_canary(app, objects);
}

void
observe_look(const struct app *app, const char *new_image, const struct observe_objects *objects,
    int asked, struct observed *seen)
{
	memset(seen, 0, sizeof(*seen));
	look_workloads(app, new_image, objects, seen);
	look_services(app, objects, seen);
	if (app->traffic.kind == TRAFFIC_SERVICE)
		colours_look(app, objects, &seen->route);
	else if (!app->rolls)
		route_look(app, objects->route, asked, &seen->route);
	istio_rule_look(app, objects->rule, objects->stable, objects->canary, objects->stable_pods,
	    &seen->subsets);
	autoscaler_look(app, objects, &seen->hpa);
	backup_look(app, objects, seen->backups);
	budgets_look(app, objects, &seen->budgets);
	observe_preflight(app, objects, seen);
}
