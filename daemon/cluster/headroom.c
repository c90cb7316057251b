/* Sums of what pods ask for, and the quotas' differences. */
#include "cluster/headroom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/budgets.h"
#include "model/pace.h"

/* --- quantities ------------------------------------------------------------------------------- */

static double
unit_of(const char *suffix)
{
	static const struct {
		const char *suffix;
		double unit;
	} units[] = {{"", 1}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
	    {"P", 1e15}, {"E", 1e18}, {"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30},
	    {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60}, {"u", 1e-6}, {"n", 1e-9}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].suffix, suffix) == 0)
			return units[i].unit;
	return -1;
}

double
headroom_quantity(const json_t *quantity)
{
	const char *text = json_string_value(quantity);
	double number, unit;
	char *end;

	if (json_is_number(quantity))
		return json_number_value(quantity) >= 0 ? json_number_value(quantity) : -1;
	if (text == NULL || text[strspn(text, "0123456789.")] == 'x' ||
	    strchr("0123456789.", text[0]) == NULL || text[0] == '\0')
		return -1;
	number = strtod(text, &end);
	unit = unit_of(end);
	return unit < 0 || !isfinite(number) ? -1 : number * unit;
}

/* --- what pods ask for ------------------------------------------------------------------------ */

struct asked { /* by a container; a limit is also a request */
	const char *kind, *resource;
};
static const struct asked asked[ROOMS] = {[ROOM_CPU] = {"requests", "cpu"},
    [ROOM_MEMORY] = {"requests", "memory"},
    [ROOM_CPU_LIMIT] = {"limits", "cpu"},
    [ROOM_MEMORY_LIMIT] = {"limits", "memory"}};

static double
of_container(const json_t *container, enum headroom_what what)
{
	const json_t *resources = json_object_get(container, "resources");
	const json_t *given = json_object_get(resources, asked[what].kind);
	double amount = headroom_quantity(json_object_get(given, asked[what].resource));

	if (amount < 0)
		amount = headroom_quantity(
		    json_object_get(json_object_get(resources, "limits"), asked[what].resource));
	return amount < 0 ? 0 : amount;
}

/* Containers together; those that run before them one by one. */
static double
of_pod(const json_t *spec, enum headroom_what what)
{
	double sum = 0, most = 0;
	const json_t *container;
	size_t i;

	json_array_foreach(json_object_get(spec, "containers"), i, container) sum +=
	    of_container(container, what);
	json_array_foreach(json_object_get(spec, "initContainers"), i, container) most =
	    fmax(most, of_container(container, what));
	return fmax(sum, most);
}

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
	headroom->needs[ROOM_PODS] = headroom->pods;
	for (int what = ROOM_CPU; what < ROOMS; what++)
		headroom->needs[what] = headroom->pods * of_pod(spec, (enum headroom_what)what);
}

void
headroom_done(struct headroom *headroom)
{
	json_decref(headroom->labels);
	headroom->labels = NULL;
}

/* --- quotas ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum headroom_what what;
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
		double hard = headroom_quantity(json_object_get(all, name));
		double taken = headroom_quantity(json_object_get(used, name));
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
