/* Sums of what pods ask for, and the quotas' differences. */
#include "cluster/headroom.h"

#include <math.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/budgets.h"
#include "model/pace.h"

static int
pods_of(const struct app *app, const struct observe_objects *objects)
{
	int size = jsonx_count(objects->stable, "spec.replicas", 1), there;

	if (app->rolls)
		return pace_share(&app->batch.surge, size);
	there = objects->canary == NULL ? 0 : jsonx_count(objects->canary, "spec.replicas", 1);
	return size > there ? size - there : 0;
}

void
headroom_of(const struct app *app, const struct observe_objects *objects, struct headroom *headroom)
{
	const json_t *template = jsonx_at(objects->stable, "spec.template");
	const json_t *spec = json_object_get(template, "spec");

	*headroom = (struct headroom){.pods = pods_of(app, objects)};
	str_copy(headroom->namespace, sizeof(headroom->namespace), app->namespace);
	str_print(headroom->workload, sizeof(headroom->workload), "%s %s", app_workload_kind(app),
	    app->workload);
	headroom->labels = json_incref(jsonx_at(template, "metadata.labels"));
	headroom->spec = json_incref(json_object_get(template, "spec"));
	headroom->needs[ROOM_PODS] = headroom->pods;
	for (int what = ROOM_CPU; what < ROOMS; what++)
		headroom->needs[what] =
		    headroom->pods * fmax(podsize_of(spec, (enum podsize_what)what), 0);
}

void
headroom_done(struct headroom *headroom)
{
	json_decref(headroom->labels);
	json_decref(headroom->spec);
	headroom->labels = headroom->spec = NULL;
}

/* --- quotas ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum podsize_what what;
} limited[] = {{"pods", ROOM_PODS}, {"count/pods", ROOM_PODS}, {"requests.cpu", ROOM_CPU},
    {"cpu", ROOM_CPU}, {"requests.memory", ROOM_MEMORY}, {"memory", ROOM_MEMORY},
    {"limits.cpu", ROOM_CPU_LIMIT}, {"limits.memory", ROOM_MEMORY_LIMIT}};

static void
warn_quota(const struct headroom *headroom, const json_t *quota, const char *name, double free,
    double need, struct findings *found)
{
	errlist_add(&found->warnings, "",
	    "ResourceQuota %s in namespace %s has %.10g %s left, and a rollout of %s "
	    "adds "
	    "up to %d pods, which need %.10g: raise it, or it waits for room until its deadline",
	    jsonx_text_or(quota, "metadata.name", "?"), headroom->namespace, free < 0 ? 0 : free,
	    name, headroom->workload, headroom->pods, need);
}

static void
look_quota(const struct headroom *headroom, const json_t *quota, struct findings *found)
{
	const json_t *all = jsonx_at(quota, "status.hard"), *used = jsonx_at(quota, "status.used");

	if (jsonx_at(quota, "spec.scopes") != NULL || jsonx_at(quota, "spec.scopeSelector") != NULL)
		return;
	for (size_t i = 0; i < sizeof(limited) / sizeof(limited[0]); i++) {
		const char *name = limited[i].name;
		double hard = podsize_quantity(json_object_get(all, name));
		double taken = podsize_quantity(json_object_get(used, name));
		double need = headroom->needs[limited[i].what];

		if (hard >= 0 && taken >= 0 && need > 0 && hard - taken < need * (1 - 1e-9))
			warn_quota(headroom, quota, name, hard - taken, need, found);
	}
}

void
headroom_quotas(const struct headroom *headroom, const json_t *list, struct findings *found)
{
	const json_t *quota;
	size_t i;

	json_array_foreach(json_object_get(list, "items"), i, quota)
	    look_quota(headroom, quota, found);
}

/* --- budgets ---------------------------------------------------------------------------------- */

void
headroom_budgets(const struct headroom *headroom, const json_t *list, struct findings *found)
{
	const json_t *budget;
	size_t i;

	json_array_foreach(json_object_get(list, "items"), i, budget)
	{
		if (jsonx_int(budget, "status.disruptionsAllowed", 1) > 0 ||
		    jsonx_int(budget, "status.expectedPods", 0) == 0 ||
		    !budgets_selects(budget, headroom->labels))
			continue;
		errlist_add(&found->warnings, "",
		    "PodDisruptionBudget %s allows none of the pods of %s to be evicted "
		    "(%lld of %lld are healthy): a rollout does not evict, but no node that has "
		    "one of them can be drained now",
		    jsonx_text_or(budget, "metadata.name", "?"), headroom->workload,
		    (long long)jsonx_int(budget, "status.currentHealthy", 0),
		    (long long)jsonx_int(budget, "status.expectedPods", 0));
	}
}
