/* The objects of one app, from the caches. */
#include <stdlib.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/autoscaler.h"
#include "cluster/colours.h"
#include "cluster/observe.h"
#include "cluster/port_app.h"
#include "cluster/route_form.h"
#include "cluster/workload.h"

static json_t *
get(const struct kube *kube, enum kube_kind kind, const struct app *app, const char *name)
{
	return json_incref(kube_get(kube, kind, app->namespace, name));
}

static void
find(const struct kube *kube, enum kube_kind kind, const struct app *app, const char *key,
    json_t *to)
{
	struct kube_found found = kube_find(kube, kind, app->namespace, key);

	for (size_t i = 0; i < found.count; i++)
		json_array_append(to, found.objects[i]);
}

static void
find_owned(const struct kube *kube, const struct app *app, const json_t *deployment, json_t *sets,
    json_t *pods)
{
	const char *uid = jsonx_text(deployment, "metadata.uid");
	const json_t *set;
	size_t i;

	if (uid == NULL)
		return;
	if (app->kind != WORKLOAD_DEPLOYMENT)
		find(kube, KUBE_PODS, app, uid, pods);
	else
		find(kube, KUBE_REPLICASETS, app, uid, sets);
	json_array_foreach(sets, i, set)
	    find(kube, KUBE_PODS, app, jsonx_text_or(set, "metadata.uid", ""), pods);
}

/* One that is only held by somebody's finalizer is as good as gone. */
static json_t *
get_lasting(const struct kube *kube, enum kube_kind kind, const struct app *app, const char *name)
{
	json_t *object = get(kube, kind, app, name);

	if (jsonx_at(object, "metadata.deletionTimestamp") == NULL)
		return object;
	json_decref(object);
	return NULL;
}

static void
find_scaling(const struct kube *kube, enum kube_kind kind, const struct app *app,
    const char *workload, json_t *to)
{
	char *target = str_format("%s/%s", app_workload_kind(app), workload);

	find(kube, kind, app, target, to);
	free(target);
}

/* KEDA's HPA is behind a ScaledObject that has gone to another workload. */
static void
drop_left(const struct kube *kube, const struct app *app, struct observe_objects *o)
{
	for (size_t i = json_array_size(o->hpas); i-- > 0;) {
		const char *owner = autoscaler_owner(json_array_get(o->hpas, i));
		const json_t *scaled =
		    owner == NULL ? NULL
				  : kube_get(kube, KUBE_SCALEDOBJECTS, app->namespace, owner);
		bool ours = scaled == NULL;
		const json_t *one;
		size_t j;

		json_array_foreach(o->scaled, j, one) ours |= one == scaled;
		if (!ours)
			json_array_remove(o->hpas, i);
	}
}

static void
find_autoscalers(const struct kube *kube, const struct app *app, struct observe_objects *o)
{
	find_scaling(kube, KUBE_HPAS, app, app->workload, o->hpas);
	find_scaling(kube, KUBE_HPAS, app, app->canary, app->colours ? o->hpas : o->canary_hpas);
	find_scaling(kube, KUBE_SCALEDOBJECTS, app, app->workload, o->scaled);
	if (app->colours)
		find_scaling(kube, KUBE_SCALEDOBJECTS, app, app->canary, o->scaled);
	drop_left(kube, app, o);
}

struct named { /* for colours_take_sides */
	const struct kube *kube;
	const struct app *app;
};

static const json_t *
get_deployment(void *ctx, const char *name)
{
	const struct named *in = ctx;

	return kube_get(in->kube, KUBE_DEPLOYMENTS, in->app->namespace, name);
}

/* The app itself, or in room what its sides are now. */
static const struct app *
with_sides(const struct kube *kube, const struct app *app, struct app *room)
{
	struct named in = {kube, app};
	const json_t *route;

	if (!app->colours || app->sided)
		return app;
	*room = *app;
	route = kube_get(kube, route_form(app)->kind, app->namespace, app->traffic.route);
	colours_take_sides(room, route, get_deployment, &in);
	return room;
}

void
port_find_all(const struct kube *kube, enum kube_kind kind, const struct app *app,
    const json_t *but, json_t *to)
{
	size_t cursor = 0;
	json_t *object;

	while ((object = kube_next(kube, kind, app->namespace, &cursor)) != NULL)
		if (object != but)
			json_array_append(to, object);
}

const struct app *
port_gather(
    const struct kube *kube, const struct app *app, struct app *room, struct observe_objects *o)
{
	const struct traffic_spec *traffic;

	app = room == NULL ? app : with_sides(kube, app, room);
	traffic = &app->traffic;
	observe_init(o);
	o->stable = get(kube, workload_kind(app), app, app->workload);
	o->canary = get(kube, KUBE_DEPLOYMENTS, app, app->canary);
	o->service = get(kube, KUBE_SERVICES, app, traffic->service);
	o->route = get(kube, route_form(app)->kind, app, traffic->route);
	if (traffic->mode == TRAFFIC_HOST) {
		o->canary_service = get_lasting(kube, KUBE_SERVICES, app, traffic->canary_service);
		find(kube, KUBE_ENDPOINTSLICES, app, traffic->canary_service, o->canary_slices);
	} else {
		o->rule = get_lasting(kube, KUBE_DESTINATIONRULES, app, traffic->destination_rule);
	}
	find(kube, KUBE_ENDPOINTSLICES, app, traffic->service, o->slices);
	if (app->batch.backup[0] != '\0') {
		o->cronjob = get(kube, KUBE_CRONJOBS, app, app->batch.backup);
		find(kube, KUBE_JOBS, app, jsonx_text_or(o->cronjob, "metadata.uid", ""), o->jobs);
	}
	find_autoscalers(kube, app, o);
	if (app->colours)
		port_find_all(kube, KUBE_BUDGETS, app, NULL, o->budgets);
	find_owned(kube, app, o->stable, o->stable_sets, o->stable_pods);
	find_owned(kube, app, o->canary, o->canary_sets, o->canary_pods);
	return app;
}
