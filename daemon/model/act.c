/* Acts: their names and how they read in a log, a plan and the journal. */
#include "model/act.h"

#include <string.h>
#include "base/str.h"

static const char *const kinds[ACT_KINDS] = {
    [ACT_NONE] = "none",
    [ACT_HPA_FLOOR] = "hpa_floor",
    [ACT_CREATE_SERVICE] = "create_service",
    [ACT_ADD_SUBSETS] = "add_subsets",
    [ACT_NAME_STABLE] = "name_stable",
    [ACT_CREATE_CANARY] = "create_canary",
    [ACT_SCALE_CANARY] = "scale_canary",
    [ACT_WEIGHT] = "weight",
    [ACT_SET_IMAGE] = "set_image",
    [ACT_ROUTE_HOME] = "route_home",
    [ACT_DELETE_CANARY] = "delete_canary",
    [ACT_REMOVE_SUBSETS] = "remove_subsets",
    [ACT_DELETE_SERVICE] = "delete_service",
    [ACT_POINT_SERVICE] = "point_service",
    [ACT_FOLLOW_HPA] = "follow_hpa",
    [ACT_SCALE_STABLE] = "scale_stable",
    [ACT_CREATE_BUDGET] = "create_budget",
    [ACT_DELETE_BUDGET] = "delete_budget",
    [ACT_ROLL] = "roll",
    [ACT_BACKUP] = "backup",
    [ACT_REPLACE_POD] = "replace_pod",
    [ACT_DELETE_POD] = "delete_pod",
};

static const char *const outcomes[] = {
    [ACT_DONE] = "done",
    [ACT_ALREADY] = "already",
    [ACT_CONFLICT] = "conflict",
    [ACT_UNKNOWN] = "unknown",
    [ACT_REFUSED] = "refused",
    [ACT_UNREACHED] = "unreached",
};

static const enum act_object objects[ACT_KINDS] = {
    [ACT_HPA_FLOOR] = ON_HPA,
    [ACT_CREATE_SERVICE] = ON_SERVICE,
    [ACT_ADD_SUBSETS] = ON_RULE,
    [ACT_NAME_STABLE] = ON_ROUTE,
    [ACT_CREATE_CANARY] = ON_CANARY,
    [ACT_SCALE_CANARY] = ON_CANARY,
    [ACT_WEIGHT] = ON_ROUTE,
    [ACT_SET_IMAGE] = ON_STABLE,
    [ACT_ROUTE_HOME] = ON_ROUTE,
    [ACT_DELETE_CANARY] = ON_CANARY,
    [ACT_REMOVE_SUBSETS] = ON_RULE,
    [ACT_DELETE_SERVICE] = ON_SERVICE,
    [ACT_POINT_SERVICE] = ON_SERVICE,
    [ACT_FOLLOW_HPA] = ON_HPA,
    [ACT_SCALE_STABLE] = ON_STABLE,
    [ACT_CREATE_BUDGET] = ON_BUDGET,
    [ACT_DELETE_BUDGET] = ON_BUDGET,
    [ACT_ROLL] = ON_STABLE,
    [ACT_REPLACE_POD] = ON_POD,
    [ACT_DELETE_POD] = ON_POD,
};

enum act_object
act_object(enum act_kind kind)
{
	return (unsigned)kind < ACT_KINDS ? objects[kind] : NO_OBJECT;
}

bool
act_creates(enum act_kind kind)
{
	return kind == ACT_CREATE_SERVICE || kind == ACT_ADD_SUBSETS || kind == ACT_CREATE_CANARY ||
	       kind == ACT_BACKUP || kind == ACT_CREATE_BUDGET;
}

bool
act_deletes(enum act_kind kind)
{
	return kind == ACT_DELETE_CANARY || kind == ACT_REMOVE_SUBSETS ||
	       kind == ACT_DELETE_SERVICE || kind == ACT_DELETE_BUDGET;
}

bool
act_removes(enum act_kind kind)
{
	return act_deletes(kind) || kind == ACT_ROUTE_HOME;
}

const char *
act_name(enum act_kind kind)
{
	return (unsigned)kind < ACT_KINDS ? kinds[kind] : kinds[ACT_NONE];
}

enum act_kind
act_kind_of(const char *name)
{
	for (int i = 0; i < ACT_KINDS; i++)
		if (str_equal(name, kinds[i]))
			return (enum act_kind)i;
	return ACT_NONE;
}

const char *
act_outcome_name(enum act_outcome outcome)
{
	return outcomes[outcome];
}

enum act_outcome
act_outcome_of(const char *name)
{
	for (int i = 0; i <= ACT_UNREACHED; i++)
		if (str_equal(name, outcomes[i]))
			return (enum act_outcome)i;
	return ACT_UNKNOWN;
}

static void
weight_text(const struct act *act, const struct app *app, char *to, size_t size)
{
	if (app->traffic.kind == TRAFFIC_SERVICE)
		str_print(to, size, "Service %s/%s: select the pods of %s", app->namespace,
		    app->traffic.service, act->number == 0 ? app->workload : app->canary);
	else if (app->colours)
		str_print(to, size, "%s %s/%s: weight %d for Service %s, %d for %s",
		    app_route_kind(app), app->namespace, app->traffic.route, act->number,
		    app->traffic.canary_service, 100 - act->number, app->traffic.service);
	else
		str_print(to, size, "%s %s/%s: canary weight %d, stable %d", app_route_kind(app),
		    app->namespace, app->traffic.route, act->number, 100 - act->number);
}

/* What goes over to a side of two colours. */
static void
side_text(const struct act *act, const struct app *app, char *to, size_t size)
{
	const char *side = act->number == 0 ? app->workload : app->canary;
	const char *other = act->number == 0 ? app->canary : app->workload;

	if (act->kind == ACT_FOLLOW_HPA && act->text[0] != '\0')
		str_print(
		    to, size, "ScaledObject %s/%s: scale %s", app->namespace, act->text, side);
	else if (act->kind == ACT_FOLLOW_HPA)
		str_print(to, size, "HorizontalPodAutoscaler of %s/%s: scale %s", app->namespace,
		    other, side);
	else
		str_print(to, size, "Service %s/%s: select the pods of %s", app->namespace,
		    app->traffic.canary_service, side);
}

static void
floor_text(const struct act *act, const struct app *app, char *to, size_t size)
{
	if (act->text[0] == '\0')
		str_print(to, size, "HorizontalPodAutoscaler of %s/%s: minReplicas %d",
		    app->namespace, app->workload, act->number);
	else if (act->number == ACT_AS_IT_WAS)
		str_print(to, size, "ScaledObject %s/%s: the bounds of before the rollout",
		    app->namespace, act->text);
	else
		str_print(to, size, "ScaledObject %s/%s: minReplicaCount %d", app->namespace,
		    act->text, act->number);
}

static void
budget_text(const struct act *act, const struct app *app, char *to, size_t size)
{
	const char *side = act->number == 0 ? app->workload : app->canary;
	const char *other = act->number == 0 ? app->canary : app->workload;

	if (act->kind == ACT_DELETE_BUDGET)
		str_print(to, size, "PodDisruptionBudget %s/%s: delete", app->namespace, side);
	else
		str_print(to, size, "PodDisruptionBudget %s/%s: create, cloned from that of %s",
		    app->namespace, side, other);
}

static void
workload_text(const struct act *act, const struct app *app, char *to, size_t size)
{
	bool stable = act_object(act->kind) == ON_STABLE;
	struct str text;

	str_init(&text, size - 1);
	str_addf(&text, "%s %s/%s: ", app_workload_kind(app), app->namespace,
	    stable ? app->workload : app->canary);
	if (act->kind == ACT_CREATE_CANARY)
		str_addf(&text, "create with %d replicas of %s", act->number, act->text);
	else if (act->kind == ACT_ROLL)
		str_addf(&text, "image %s on %d pods", act->text, act->number);
	else if (act->kind == ACT_SET_IMAGE)
		str_addf(
		    &text, "image %s%s", act->text, app->rolls ? ", rolling as it did before" : "");
	else if (act->kind == ACT_DELETE_CANARY)
		str_add(&text, "delete");
	else
		str_addf(&text, "%d replicas", act->number);
	str_copy(to, size, str_text(&text));
	str_done(&text);
}

void
act_text(const struct act *act, const struct app *app, char *to, size_t size)
{
	const char *ns = app->namespace;
	const struct traffic_spec *traffic = &app->traffic;

	switch (act->kind) {
	case ACT_NONE:
	case ACT_KINDS:
		str_print(to, size, "nothing");
		break;
	case ACT_HPA_FLOOR:
		floor_text(act, app, to, size);
		break;
	case ACT_CREATE_SERVICE:
		str_print(to, size, "Service %s/%s: create, cloned from %s", ns,
		    traffic->canary_service, traffic->service);
		break;
	case ACT_ADD_SUBSETS:
		str_print(to, size, "DestinationRule %s/%s: subsets %s and %s", ns,
		    traffic->destination_rule, traffic->stable_subset, traffic->canary_subset);
		break;
	case ACT_NAME_STABLE:
		str_print(to, size, "%s %s/%s: route to subset %s", app_route_kind(app), ns,
		    traffic->route, traffic->stable_subset);
		break;
	case ACT_CREATE_CANARY:
	case ACT_SCALE_CANARY:
	case ACT_SET_IMAGE:
	case ACT_DELETE_CANARY:
	case ACT_SCALE_STABLE:
	case ACT_ROLL:
		workload_text(act, app, to, size);
		break;
	case ACT_WEIGHT:
		weight_text(act, app, to, size);
		break;
	case ACT_ROUTE_HOME:
		str_print(to, size, "%s %s/%s: as it was before the rollout", app_route_kind(app),
		    ns, traffic->route);
		break;
	case ACT_REMOVE_SUBSETS:
		str_print(to, size, "DestinationRule %s/%s: remove what was added", ns,
		    traffic->destination_rule);
		break;
	case ACT_DELETE_SERVICE:
		str_print(to, size, "Service %s/%s: delete", ns, traffic->canary_service);
		break;
	case ACT_BACKUP:
		str_print(
		    to, size, "Job %s/%s: create, of CronJob %s", ns, act->text, app->batch.backup);
		break;
	case ACT_REPLACE_POD:
		str_print(
		    to, size, "Pod %s/%s: delete, so that one of the release comes", ns, act->text);
		break;
	case ACT_DELETE_POD:
		str_print(to, size, "Pod %s/%s: delete, as it is not ready and not of the template",
		    ns, act->text);
		break;
	case ACT_POINT_SERVICE:
	case ACT_FOLLOW_HPA:
		side_text(act, app, to, size);
		break;
	case ACT_CREATE_BUDGET:
	case ACT_DELETE_BUDGET:
		budget_text(act, app, to, size);
		break;
	}
}
