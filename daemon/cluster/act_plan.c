/* The requests. A patch sets the resourceVersion it was made from, a deletion demands uid and
 * resourceVersion, a creation demands that there is none: so each is applied to what was looked at
 * or not at all. */
#include "cluster/act_plan.h"

#include "cluster/act_pace.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "cluster/autoscaler.h"
#include "cluster/backup.h"
#include "cluster/budgets.h"
#include "cluster/clone.h"
#include "cluster/colours.h"
#include "cluster/route.h"
#include "cluster/route_form.h"
#include "cluster/istio_rule.h"
#include "cluster/workload.h"

struct wish { /* what every planner is given */
	const struct app *app;
	const struct baseline *baseline;
	const struct act *act;
	const struct observe_objects *objects;
};

void
act_plan_done(struct act_plan *plan)
{
	json_decref(plan->body);
	plan->body = NULL;
}

/* --- endings --- */

static void
answer(struct act_plan *plan, enum act_outcome outcome, const char *text)
{
	plan->outcome = outcome;
	str_copy(plan->text, sizeof(plan->text), text);
}

static void
about(struct act_plan *plan, enum kube_kind kind, const char *name)
{
	plan->kind = kind;
	str_copy(plan->name, sizeof(plan->name), name);
}

static void
send_body(struct act_plan *plan, enum act_verb verb, const json_t *object, json_t *body)
{
	plan->send = true;
	plan->verb = verb;
	plan->body = body;
	str_copy(plan->uid, sizeof(plan->uid), jsonx_text_or(object, "metadata.uid", ""));
}

/* body: what a builder gave: NULL with its error, json_null for nothing to do, or the body. */
static void
send_built(struct act_plan *plan, enum act_verb verb, const json_t *object, json_t *body,
    const struct err *e)
{
	if (body == NULL)
		answer(plan, ACT_REFUSED, e != NULL ? e->text : "");
	else if (json_is_null(body))
		answer(plan, ACT_ALREADY, "");
	else
		send_body(plan, verb, object, body);
}

static void
not_there(struct act_plan *plan)
{
	plan->outcome = ACT_CONFLICT;
	str_print(plan->text, sizeof(plan->text), "%s %s does not exist",
	    kube_kind_info(plan->kind)->name, plan->name);
}

/* Of what was looked at and nothing else; policy NULL: that of its kind. */
static void
send_deletion(struct act_plan *plan, const json_t *object, const char *policy)
{
	send_body(plan, ACT_DELETE, object,
	    json_pack("{s:s, s:s, s:s*, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
		"propagationPolicy", policy, "preconditions", "uid",
		jsonx_text_or(object, "metadata.uid", ""), "resourceVersion",
		jsonx_text_or(object, "metadata.resourceVersion", "")));
}

/* In the foreground a Deployment is there until its last pod is gone, so its end can be observed.
 * What owns nothing would wait for the garbage collector, which can take a minute. */
static void
send_delete(struct act_plan *plan, const struct wish *w, const json_t *object)
{
	if (object == NULL || jsonx_at(object, "metadata.deletionTimestamp") != NULL) {
		answer(plan, ACT_ALREADY, "");
		return;
	}
	if (!workload_is_ours(object, w->app->name)) {
		plan->outcome = ACT_REFUSED;
		str_print(plan->text, sizeof(plan->text),
		    "%s %s was not created by airisd for app %s: it is left alone",
		    kube_kind_info(plan->kind)->name, plan->name, w->app->name);
		return;
	}
	send_deletion(plan, object, plan->kind == KUBE_DEPLOYMENTS ? "Foreground" : "Background");
}

/* --- workloads --- */

static bool
same_stable(struct act_plan *plan, const struct wish *w)
{
	const json_t *stable = w->objects->stable;
	const char *uid = jsonx_text_or(stable, "metadata.uid", "");

	if (stable == NULL) {
		not_there(plan);
		return false;
	}
	if (w->baseline->uid[0] == '\0' || strcmp(uid, w->baseline->uid) == 0)
		return true;
	plan->outcome = ACT_REFUSED;
	str_print(plan->text, sizeof(plan->text),
	    "%s %s is not the one this rollout began with: it was deleted and created again",
	    app_workload_kind(w->app), w->app->workload);
	return false;
}

static void
set_image(json_t *patch, const struct wish *w, const json_t *deployment)
{
	const json_t *pod = jsonx_at(deployment, "spec.template.spec");
	int at = workload_container(pod, w->app->container);
	char *path;

	if (at < 0 || strcmp(workload_image(pod, w->app->container), w->act->text) == 0)
		return;
	path = str_format("/spec/template/spec/containers/%d/image", at);
	route_patch_add(patch, "replace", path, json_string(w->act->text));
	free(path);
}

static void
set_replicas(json_t *patch, const struct wish *w, const json_t *deployment)
{
	if (jsonx_int(deployment, "spec.replicas", -1) != w->act->number)
		route_patch_add(patch, "add", "/spec/replicas", json_integer(w->act->number));
}

static bool
has_container(struct act_plan *plan, const struct wish *w)
{
	const json_t *pod = jsonx_at(w->objects->stable, "spec.template.spec");

	if (workload_container(pod, w->app->container) >= 0)
		return true;
	answer(plan, ACT_REFUSED, "the workload has no container of that name any more");
	return false;
}

static bool
rolls(struct act_plan *plan, const struct wish *w)
{
	if (act_pace_can(w->app, w->objects->stable))
		return true;
	plan->outcome = ACT_REFUSED;
	str_print(plan->text, sizeof(plan->text), "the %s has no strategy RollingUpdate any more",
	    app_workload_kind(w->app));
	return false;
}

static void
plan_roll(struct act_plan *plan, const struct wish *w)
{
	const json_t *stable = w->objects->stable;
	struct pace pace = act_pace_held(w->app, stable, w->act->number);
	json_t *patch;

	about(plan, workload_kind(w->app), w->app->workload);
	if (!same_stable(plan, w) || !has_container(plan, w) || !rolls(plan, w))
		return;
	if (str_equal(w->act->text, w->baseline->image)) {
		answer(plan, ACT_REFUSED, "the pods run this image already: nothing would roll");
		return;
	}
	patch = route_patch_of(stable);
	set_image(patch, w, stable);
	act_pace_set(patch, stable, &pace);
	send_built(plan, ACT_PATCH, stable, route_patch_end(patch), NULL);
}

static void
plan_set_image(struct act_plan *plan, const struct wish *w)
{
	const json_t *stable = w->objects->stable;
	json_t *patch;

	about(plan, workload_kind(w->app), w->app->workload);
	if (!same_stable(plan, w) || !has_container(plan, w))
		return;
	patch = route_patch_of(stable);
	set_image(patch, w, stable);
	if (w->app->rolls && pace_is_known(&w->baseline->pace))
		act_pace_set(patch, stable, &w->baseline->pace);
	send_built(plan, ACT_PATCH, stable, route_patch_end(patch), NULL);
}

/* The canary exists already: ours and complete, or it is brought to what is asked for. */
static void
plan_same_canary(struct act_plan *plan, const struct wish *w, bool image)
{
	const json_t *canary = w->objects->canary;
	json_t *patch;

	if (!workload_is_ours(canary, w->app->name) && !w->baseline->had_canary) {
		answer(plan, ACT_REFUSED,
		    "the canary's Deployment exists and was not created by airisd for this app");
		return;
	}
	if (jsonx_at(canary, "metadata.deletionTimestamp") != NULL) {
		answer(plan, ACT_CONFLICT, "the canary's Deployment is being deleted");
		return;
	}
	patch = route_patch_of(canary);
	if (image)
		set_image(patch, w, canary);
	set_replicas(patch, w, canary);
	send_built(plan, ACT_PATCH, canary, route_patch_end(patch), NULL);
}

static void
plan_create_canary(struct act_plan *plan, const struct wish *w)
{
	json_t *labels, *body = NULL;
	struct err e;

	about(plan, KUBE_DEPLOYMENTS, w->app->canary);
	if (w->objects->canary != NULL) {
		plan_same_canary(plan, w, true);
		return;
	}
	if (!same_stable(plan, w))
		return;
	labels = observe_canary_labels(w->app, w->objects, &e);
	if (labels != NULL)
		body = clone_deployment(
		    w->app, w->objects->stable, labels, w->act->text, w->act->number, &e);
	json_decref(labels);
	send_built(plan, ACT_POST, NULL, body, &e);
}

static void
plan_scale_canary(struct act_plan *plan, const struct wish *w)
{
	about(plan, KUBE_DEPLOYMENTS, w->app->canary);
	if (w->objects->canary != NULL)
		plan_same_canary(plan, w, false);
	else if (w->act->number == 0)
		answer(plan, ACT_ALREADY, "");
	else
		not_there(plan);
}

static void
plan_delete_canary(struct act_plan *plan, const struct wish *w)
{
	about(plan, KUBE_DEPLOYMENTS, w->app->canary);
	send_delete(plan, w, w->objects->canary);
}

static void
plan_scale_stable(struct act_plan *plan, const struct wish *w)
{
	json_t *patch;

	about(plan, workload_kind(w->app), w->app->workload);
	if (!same_stable(plan, w))
		return;
	patch = route_patch_of(w->objects->stable);
	set_replicas(patch, w, w->objects->stable);
	send_built(plan, ACT_PATCH, w->objects->stable, route_patch_end(patch), NULL);
}

static void
plan_backup(struct act_plan *plan, const struct wish *w)
{
	const json_t *cronjob = w->objects->cronjob, *job;
	size_t i;

	about(plan, KUBE_JOBS, w->act->text);
	json_array_foreach(w->objects->jobs, i, job)
	{
		if (str_equal(jsonx_text(job, "metadata.name"), w->act->text))
			return; /* it is made already */
	}
	if (cronjob != NULL) {
		send_body(plan, ACT_POST, NULL, backup_job(w->app, cronjob, w->act->text));
		return;
	}
	about(plan, KUBE_CRONJOBS, w->app->batch.backup);
	not_there(plan);
}

/* Asked again with what is sent: one that got ready, or is going, is left alone. */
static void
plan_delete_pod(struct act_plan *plan, const struct wish *w)
{
	const char *name = w->act->text;
	const json_t *pod = workload_stuck(w->objects->stable, w->objects->stable_pods);

	about(plan, KUBE_PODS, name);
	if (!same_stable(plan, w))
		about(plan, KUBE_STATEFULSETS, w->app->workload);
	else if (str_equal(jsonx_text(pod, "metadata.name"), name))
		send_deletion(plan, pod, NULL);
}

/* One that has the template by now, or is going, is left alone. */
static void
plan_replace_pod(struct act_plan *plan, const struct wish *w)
{
	const json_t *pod = workload_outdated(
	    w->objects->stable, w->objects->stable_pods, w->app->container, w->act->text);

	about(plan, KUBE_PODS, w->act->text);
	if (!same_stable(plan, w))
		about(plan, KUBE_DAEMONSETS, w->app->workload);
	else if (pod != NULL)
		send_deletion(plan, pod, NULL);
}

/* One that is gone has no floor to keep, and follows nobody. */
static void
plan_autoscaler(struct act_plan *plan, const struct wish *w)
{
	const char *side = w->act->number == 0 ? w->app->workload : w->app->canary;
	struct autoscaler found;

	autoscaler_find(w->objects, &found);
	about(plan, found.kind, found.name != NULL ? found.name : w->app->workload);
	if (found.name == NULL)
		answer(plan, ACT_ALREADY, "");
	else if (found.object == NULL)
		not_there(plan);
	else if (w->act->kind == ACT_FOLLOW_HPA)
		send_built(
		    plan, ACT_PATCH, found.object, autoscaler_follow_patch(&found, side), NULL);
	else
		send_built(plan, ACT_PATCH, found.object,
		    autoscaler_floor_patch(&found, w->baseline, w->act), NULL);
}

static void
plan_budget(struct act_plan *plan, const struct wish *w)
{
	bool canary = w->act->number != 0;
	const json_t *ours = budgets_ours(w->app, w->objects, canary);
	struct err e = {""};

	about(plan, KUBE_BUDGETS, canary ? w->app->canary : w->app->workload);
	if (w->act->kind == ACT_DELETE_BUDGET)
		send_delete(plan, w, ours);
	else if (ours != NULL)
		answer(plan, ACT_ALREADY, "");
	else
		send_built(plan, ACT_POST, NULL, budgets_clone(w->app, w->objects, canary, &e), &e);
}

/* --- Services --- */

static void
plan_create_service(struct act_plan *plan, const struct wish *w)
{
	const struct observe_objects *objects = w->objects;
	json_t *labels, *body = NULL;
	struct err e;

	about(plan, KUBE_SERVICES, w->app->traffic.canary_service);
	if (objects->canary_service != NULL) {
		bool ours = workload_is_ours(objects->canary_service, w->app->name);
		bool going =
		    jsonx_at(objects->canary_service, "metadata.deletionTimestamp") != NULL;

		if (going)
			answer(plan, ACT_CONFLICT, "the canary's Service is being deleted");
		else if (ours || w->baseline->had_canary_service)
			answer(plan, ACT_ALREADY, "");
		else
			answer(plan, ACT_REFUSED,
			    "the canary's Service exists and was not created by airisd for this "
			    "app");
		return;
	}
	if (objects->service == NULL) {
		about(plan, KUBE_SERVICES, w->app->traffic.service);
		not_there(plan);
		return;
	}
	labels = w->app->colours ? colours_selector(w->app, objects, true, &e)
				 : observe_canary_labels(w->app, objects, &e);
	if (labels != NULL)
		body = clone_service(w->app, objects->service, labels, &e);
	json_decref(labels);
	send_built(plan, ACT_POST, NULL, body, &e);
}

static void
plan_delete_service(struct act_plan *plan, const struct wish *w)
{
	about(plan, KUBE_SERVICES, w->app->traffic.canary_service);
	if (w->baseline->had_canary_service)
		answer(plan, ACT_ALREADY, "");
	else
		send_delete(plan, w, w->objects->canary_service);
}

static void
plan_point_service(struct act_plan *plan, const struct wish *w)
{
	const json_t *service = w->objects->canary_service;
	struct err e = {""};

	about(plan, KUBE_SERVICES, w->app->traffic.canary_service);
	if (service == NULL)
		not_there(plan);
	else
		send_built(plan, ACT_PATCH, service,
		    colours_select_patch(w->app, w->objects, service, w->act->number != 0, &e), &e);
}

/* --- routing --- */

/* A selector that chooses nobody is an outage at once: asked again with what is sent. */
static void
plan_switch(struct act_plan *plan, const struct wish *w)
{
	bool canary = w->act->number != 0;
	struct map *ready = colours_endpoints(w->app, w->objects, canary);
	struct route_seen seen = {.exists = false};
	struct err e = {""};

	colours_look(w->app, w->objects, &seen);
	if (!seen.fits) {
		answer(plan, ACT_REFUSED, seen.why_not);
	} else if (map_count(ready) > 0) {
		send_built(plan, ACT_PATCH, w->objects->service,
		    colours_select_patch(w->app, w->objects, w->objects->service, canary, &e), &e);
	} else {
		plan->outcome = ACT_CONFLICT;
		str_print(plan->text, sizeof(plan->text),
		    "Deployment %s has no ready pod for Service %s to select",
		    canary ? w->app->canary : w->app->workload, w->app->traffic.service);
	}
	map_free(ready, NULL);
}

/* Make before break: no weight to a name that is not there (law 2), also when it went since. */
static bool
canary_is_named(struct act_plan *plan, const struct wish *w)
{
	const struct traffic_spec *traffic = &w->app->traffic;
	bool host = traffic->mode == TRAFFIC_HOST;

	if (w->act->kind != ACT_WEIGHT || w->act->number == 0 ||
	    (host ? w->objects->canary_service != NULL
		  : istio_rule_has(w->objects->rule, traffic->stable_subset) &&
			istio_rule_has(w->objects->rule, traffic->canary_subset)))
		return true;
	plan->outcome = ACT_CONFLICT;
	str_print(plan->text, sizeof(plan->text), "no weight to the canary: %s %s %s",
	    host ? "Service" : "DestinationRule",
	    host ? traffic->canary_service : traffic->destination_rule,
	    host ? "does not exist" : "has not both subsets");
	return false;
}

static void
plan_route(struct act_plan *plan, const struct wish *w)
{
	const struct app *app = w->app;
	const json_t *route = w->objects->route;
	json_t *body = NULL;
	struct err e = {""};

	about(plan, route_form(app)->kind, app->traffic.route);
	if (route == NULL) {
		not_there(plan);
		return;
	}
	if (app->traffic.kind == TRAFFIC_SERVICE) {
		plan_switch(plan, w);
		return;
	}
	if (!canary_is_named(plan, w))
		return;
	if (w->act->kind == ACT_WEIGHT)
		body = route_weight_patch(app, route, w->act->number,
		    istio_rule_has(w->objects->rule, app->traffic.stable_subset), &e);
	else if (w->act->kind == ACT_NAME_STABLE)
		body = route_name_patch(app, route, &e);
	else
		body = route_home_patch(app, route, w->baseline, &e);
	send_built(plan, ACT_PATCH, route, body, &e);
}

static void
plan_add_subsets(struct act_plan *plan, const struct wish *w)
{
	const struct app *app = w->app;
	const json_t *rule = w->objects->rule;
	const char *version = jsonx_text(w->objects->route, "apiVersion");
	json_t *body;
	struct err e = {""};

	about(plan, KUBE_DESTINATIONRULES, app->traffic.destination_rule);
	if (rule == NULL)
		body = istio_rule_new(app, w->objects->stable, version, &e);
	else
		body = istio_rule_add_patch(app, rule, w->objects->stable, &e);
	send_built(plan, rule == NULL ? ACT_POST : ACT_PATCH, rule, body, &e);
}

static void
plan_remove_subsets(struct act_plan *plan, const struct wish *w)
{
	const json_t *rule = w->objects->rule;

	about(plan, KUBE_DESTINATIONRULES, w->app->traffic.destination_rule);
	if (rule == NULL)
		answer(plan, ACT_ALREADY, "");
	else if (!w->baseline->had_destination_rule && workload_is_ours(rule, w->app->name))
		send_delete(plan, w, rule);
	else
		send_built(plan, ACT_PATCH, rule,
		    istio_rule_remove_patch(w->app, rule, w->baseline), NULL);
}

void
act_plan(const struct app *app, const struct baseline *baseline, const struct act *act,
    const struct observe_objects *objects, struct act_plan *plan)
{
	static void (*const planners[ACT_KINDS])(struct act_plan *, const struct wish *) = {
	    [ACT_HPA_FLOOR] = plan_autoscaler,
	    [ACT_CREATE_SERVICE] = plan_create_service,
	    [ACT_ADD_SUBSETS] = plan_add_subsets,
	    [ACT_NAME_STABLE] = plan_route,
	    [ACT_CREATE_CANARY] = plan_create_canary,
	    [ACT_SCALE_CANARY] = plan_scale_canary,
	    [ACT_WEIGHT] = plan_route,
	    [ACT_SET_IMAGE] = plan_set_image,
	    [ACT_ROUTE_HOME] = plan_route,
	    [ACT_DELETE_CANARY] = plan_delete_canary,
	    [ACT_REMOVE_SUBSETS] = plan_remove_subsets,
	    [ACT_DELETE_SERVICE] = plan_delete_service,
	    [ACT_POINT_SERVICE] = plan_point_service,
	    [ACT_FOLLOW_HPA] = plan_autoscaler,
	    [ACT_SCALE_STABLE] = plan_scale_stable,
	    [ACT_ROLL] = plan_roll,
	    [ACT_BACKUP] = plan_backup,
	    [ACT_REPLACE_POD] = plan_replace_pod,
	    [ACT_DELETE_POD] = plan_delete_pod,
	    [ACT_CREATE_BUDGET] = plan_budget,
	    [ACT_DELETE_BUDGET] = plan_budget,
	};
	const struct wish w = {app, baseline, act, objects};

	memset(plan, 0, sizeof(*plan));
	plan->outcome = ACT_ALREADY;
	if (planners[act->kind] != NULL)
		planners[act->kind](plan, &w);
}
