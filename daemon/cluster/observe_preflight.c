/* What forbids a start. Looked for on every observation, because it is cheap and the plan wants it
 * too; only a start asks. Everything found is told at once; what the strategy says of the same in
 * the same words is told once (model/preflight.h). */
#include "cluster/observe.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/autoscaler.h"
#include "cluster/clone.h"
#include "cluster/colours.h"
#include "cluster/observe_checks.h"
#include "cluster/route.h"
#include "cluster/workload.h"
#include "model/pace.h"

struct check {
	const struct app *app;
	const struct observe_objects *objects;
	const struct observed *seen;
};
typedef int check_one(const struct check *c, struct err *e); /* -1: e says what forbids a start */

static int
check_workload(const struct check *c, struct err *e)
{
	const struct app *app = c->app;
	const json_t *stable = c->objects->stable;

	if (stable == NULL)
		return err_set(e, "%s %s/%s does not exist", app_workload_kind(app), app->namespace,
		    app->workload);
	if (c->seen->stable.deleting)
		return err_set(e, "%s %s is being deleted", app_workload_kind(app), app->workload);
	if (workload_container(jsonx_at(stable, "spec.template.spec"), app->container) < 0)
		return err_set(e, "%s %s has no container %s: set workload.container",
		    app_workload_kind(app), app->workload, app->container);
	if (jsonx_bool(stable, "spec.paused", false))
		return err_set(
		    e, "Deployment %s is paused (spec.paused): resume it first", app->workload);
	if (workload_is_ours(stable, app->name) && !app->colours)
		return err_set(e,
		    "Deployment %s was created by airisd as a canary: the workload must be the "
		    "user's",
		    app->workload);
	return 0;
}

static int
check_hpas(const struct check *c, struct err *e)
{
	return autoscaler_check(c->app, c->objects, c->seen, e);
}

static int
check_service(const struct check *c, struct err *e)
{
	const struct app *app = c->app;
	const json_t *service = c->objects->service;
	const json_t *labels = jsonx_at(c->objects->stable, "spec.template.metadata.labels");
	bool switches = app->traffic.kind == TRAFFIC_SERVICE;
	const char *by = app->colours ? "services" : "service";
	char key[64];

	app_traffic_key(app, switches ? NULL : by, key, sizeof(key));
	if (service == NULL)
		return err_set(e, "Service %s/%s does not exist: set %s", app->namespace,
		    app->traffic.service, key);
	if (str_equal(jsonx_text(service, "spec.type"), "ExternalName"))
		return err_set(e, "Service %s is an ExternalName, which has no pods to weight",
		    app->traffic.service);
	if (c->objects->stable != NULL &&
	    !workload_selects(jsonx_at(service, "spec.selector"), labels))
		return err_set(e, "Service %s does not select the pods of %s %s",
		    app->traffic.service, app_workload_kind(app), app->workload);
	return 0;
}

static int
check_canary(const struct check *c, struct err *e)
{
	const struct app *app = c->app;

	if (c->objects->canary == NULL || c->seen->canary.ours)
		return 0;
	return err_set(e, "Deployment %s/%s exists and airisd did not make it; rename or delete it",
	    app->namespace, app->canary);
}

/* Can the clones be made at all? Says so before anything is written; once the canary is there it
 * is not asked any more, for it costs a copy of the Deployment. */
static int
check_clones(const struct check *c, struct err *e)
{
	const struct observe_objects *objects = c->objects;
	json_t *labels, *deployment = NULL, *service = NULL;
	int result = -1;

	if (objects->canary != NULL)
		return 0;
	labels = observe_canary_labels(c->app, objects, e);
	if (labels == NULL)
		return -1;
	deployment = clone_deployment(c->app, objects->stable, labels, "image", 1, e);
	if (deployment == NULL)
		goto out;
	if (c->app->traffic.mode == TRAFFIC_HOST && objects->canary_service == NULL) {
		service = clone_service(c->app, objects->service, labels, e);
		if (service == NULL)
			goto out;
	}
	result = 0;
out:
	json_decref(service);
	json_decref(deployment);
	json_decref(labels);
	return result;
}

static int
check_selection(const struct check *c, struct err *e)
{
	const struct app *app = c->app;
	const json_t *selector = jsonx_at(c->objects->service, "spec.selector");
	json_t *labels, *pods;
	bool selects;

	if (app->traffic.mode == TRAFFIC_HOST) {
		if (!c->seen->service_selects_canary)
			return 0;
		return err_set(e,
		    "Service %s would select the canary's pods too: its selector and that of %s "
		    "must "
		    "differ in a label",
		    app->traffic.service, app->traffic.canary_service);
	}
	labels = observe_canary_labels(app, c->objects, e);
	if (labels == NULL)
		return -1;
	pods = clone_pod_labels(c->objects->stable, labels);
	selects = workload_selects(selector, pods);
	json_decref(pods);
	json_decref(labels);
	if (selects)
		return 0;
	return err_set(e,
	    "Service %s selects by a label that the canary's pods have another value of: in subset "
	    "mode it must select both sides",
	    app->traffic.service);
}

static int
check_colours(const struct check *c, struct err *e)
{
	const struct route_seen *route = &c->seen->route;

	if (jsonx_bool(c->objects->canary, "spec.paused", false))
		return err_set(
		    e, "Deployment %s is paused (spec.paused): resume it first", c->app->canary);
	if (c->app->traffic.kind != TRAFFIC_SERVICE)
		return colours_check_services(c->app, c->objects, e);
	return route->fits ? 0 : err_set(e, "%s", route->why_not);
}

static int
check_route(const struct check *c, struct err *e)
{
	const struct route_seen *route = &c->seen->route;
	const char *kind = app_route_kind(c->app), *name = c->app->traffic.route;
	struct route_view view;
	char text[OBSERVED_TEXT];

	if (!route->exists)
		return err_set(e, "%s %s/%s does not exist", kind, c->app->namespace, name);
	if (!route->fits)
		return err_set(e, "%s", route->why_not);
	if (route->weight > 0 && c->app->colours)
		return err_set(e,
		    "%s %s/%s gives weight to both Services, %s and %s: give one of them all", kind,
		    c->app->namespace, name, c->app->traffic.service,
		    c->app->traffic.canary_service);
	if (route->weight > 0)
		return err_set(e, "%s %s/%s already gives the canary %d percent; set it to 0 first",
		    kind, c->app->namespace, name, route->weight);
	route_view(c->app, c->objects->route, &view);
	if (c->app->colours &&
	    route_leaves_out(c->app, c->objects->route, &view, text, sizeof(text)))
		return err_set(e, "%s", text);
	if (route_too_coarse(c->app, &view, text, sizeof(text)))
		return err_set(e, "%s", text);
	return 0;
}

static int
check_subsets(const struct check *c, struct err *e)
{
	if (c->app->traffic.mode != TRAFFIC_SUBSET || c->seen->subsets.stable_fits)
		return 0;
	return err_set(e, "%s", c->seen->subsets.why_not);
}

static int
check_backup(const struct check *c, struct err *e)
{
	if (c->app->batch.backup[0] == '\0' || c->objects->cronjob != NULL)
		return 0;
	return err_set(e,
	    "CronJob %s/%s does not exist: set strategy.rolling.backup.cronJob, or take backup "
	    "away",
	    c->app->namespace, c->app->batch.backup);
}

/* Whose endpoints count, if they do. */
static int
check_endpoints(const struct check *c, struct err *e)
{
	return c->app->traffic.service[0] == '\0' ? 0 : check_service(c, e);
}

/* The one start after which no batch could ever be replaced: nothing is ready, and nothing may be
 * added or missing. */
static int
check_size(const struct check *c, struct err *e)
{
	const struct app *app = c->app;
	int size = c->seen->stable.replicas;

	if (pace_share(&app->batch.surge, size) + pace_share(&app->batch.unavailable, size) > 0)
		return 0;
	return err_set(
	    e, "with surge and unavailable no pod of %d can be replaced: give one of them", size);
}

static int
check_ports(const struct check *c, struct err *e)
{
	return observe_check_ports(c->app, c->objects, e);
}

static int
check_hosts(const struct check *c, struct err *e)
{
	return observe_check_hosts(c->app, c->objects, true, e);
}

/* --- what to know before one --- */

static int
warn_hosts(const struct check *c, struct err *e)
{
	return observe_check_hosts(c->app, c->objects, false, e);
}

/* Two would size one Deployment. */
static int
warn_canary_hpa(const struct check *c, struct err *e)
{
	return autoscaler_warn_canary(c->app, c->objects, e);
}

/* Its floor is held at the size that runs, which cannot be above its ceiling. */
static int
warn_hpa(const struct check *c, struct err *e)
{
	return autoscaler_warn(c->app, c->seen, e);
}

/* Replaced in place, a pod is away before its successor is there. */
static int
warn_alone(const struct check *c, struct err *e)
{
	const struct app *app = c->app;
	int size = c->seen->stable.replicas, away = pace_share(&app->batch.unavailable, size);

	if (app->kind == WORKLOAD_DEPLOYMENT || size == 0 || size > away)
		return 0;
	return err_set(e,
	    "%s %s has %d pods, and %d may be missing: none may be ready while they are "
	    "replaced",
	    app_workload_kind(app), app->workload, size, away);
}

/* What keeps those that are there from a node may keep the rollout's too. */
static int
warn_unschedulable(const struct check *c, struct err *e)
{
	const char *first = "", *message = "";
	int count = workload_unschedulable(c->objects->stable_pods, &first, &message);

	if (count == 0)
		return 0;
	return err_set(e, "no node takes %d of the pods of %s %s: Pod %s is Unschedulable: %.300s",
	    count, app_workload_kind(c->app), c->app->workload, first, message);
}

/* In this order: a step that builds on the others is asked only if none before found anything, or
 * it would say the same again in other words. */
struct check_step {
	check_one *check;
	bool builds;
};

static const struct check_step checks[] = {{check_workload, false}, {check_service, false},
    {check_subsets, false}, {check_clones, true}, {check_selection, true}, {check_hpas, false},
    {check_ports, false}, {check_hosts, false}, {check_canary, false}, {check_route, false},
    {NULL, false}};
static const struct check_step colours[] = {{check_workload, false}, {check_service, false},
    {check_clones, true}, {check_hpas, false}, {check_ports, false}, {check_colours, false},
    {NULL, false}};

static const struct check_step weighed[] = {{check_workload, false}, {check_service, false},
    {check_clones, true}, {check_hpas, false}, {check_ports, false}, {check_hosts, false},
    {check_colours, false}, {check_route, false}, {NULL, false}};
static const struct check_step rolling[] = {{check_workload, false}, {check_endpoints, false},
    {check_hpas, false}, {check_ports, false}, {check_size, false}, {check_backup, false},
    {NULL, false}};

static const struct check_step *
steps_of(const struct app *app)
{
	if (app->rolls)
		return rolling;
	if (!app->colours)
		return checks;
	return app->traffic.kind == TRAFFIC_SERVICE ? colours : weighed;
}

static const struct check_step warnings[] = {{warn_hosts, false}, {warn_canary_hpa, false},
    {warn_hpa, false}, {warn_alone, false}, {warn_unschedulable, false}, {NULL, false}};

/* A whole line, or none: half of one may say the opposite. */
static void
add_line(const char *line, char *to, size_t size)
{
	size_t length = strlen(to);

	if (length + strlen(line) + 2 <= size)
		str_print(to + length, size - length, "%s%s", length > 0 ? "\n" : "", line);
}

static void
run(const struct check_step *step, const struct check *c, char *to, size_t size)
{
	struct err e = {""};

	to[0] = '\0';
	for (; step->check != NULL; step++)
		if (!(step->builds && to[0] != '\0') && step->check(c, &e) < 0)
			add_line(e.text, to, size);
}

void
observe_preflight(
    const struct app *app, const struct observe_objects *objects, struct observed *seen)
{
	const struct check c = {app, objects, seen};

	run(steps_of(app), &c, seen->preflight, sizeof(seen->preflight));
	run(warnings, &c, seen->warnings, sizeof(seen->warnings));
}
