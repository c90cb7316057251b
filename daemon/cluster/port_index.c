/* The index: every object that is named by an app under "PLURAL/NAMESPACE/NAME". What belongs to a
 * Deployment or a Service (ReplicaSets, pods, HPAs, ScaledObjects; EndpointSlices) is found under
 * its name. */
#include <string.h>
#include "base/jsonx.h"
#include "cluster/port_app.h"
#include "cluster/route_form.h"
#include "cluster/workload.h"

struct names {
	char (*items)[APP_LABEL];
	size_t count;
};

struct port_index {
	struct map *map; /* key -> struct names */
};

static bool
is_needed(const struct app *app, enum kube_kind kind)
{
	if (kind == KUBE_VIRTUALSERVICES || kind == KUBE_HTTPROUTES)
		return kind == route_form(app)->kind;
	if (kind == KUBE_DEPLOYMENTS || kind == KUBE_STATEFULSETS || kind == KUBE_DAEMONSETS)
		return kind == workload_kind(app);
	if (kind == KUBE_CRONJOBS || kind == KUBE_JOBS)
		return app->batch.backup[0] != '\0';
	if (kind == KUBE_REPLICASETS)
		return app->kind == WORKLOAD_DEPLOYMENT;
	if (kind == KUBE_BUDGETS)
		return app->colours;
	if (kind == KUBE_SCALEDOBJECTS)
		return app->kind != WORKLOAD_DAEMONSET;
	return kind != KUBE_DESTINATIONRULES || app->traffic.mode == TRAFFIC_SUBSET;
}

int
port_kinds(const struct app *app, enum kube_kind kinds[KUBE_KINDS])
{
	int count = 0;

	for (int i = 0; i < KUBE_KINDS; i++)
		if (is_needed(app, (enum kube_kind)i))
			kinds[count++] = (enum kube_kind)i;
	return count;
}

struct port_index *
port_index_new(void)
{
	struct port_index *index = mem_alloc(sizeof(*index));

	index->map = map_new();
	return index;
}

static void
names_free(void *value)
{
	struct names *names = value;

	free(names->items);
	free(names);
}

void
port_index_free(struct port_index *index)
{
	if (index == NULL)
		return;
	map_free(index->map, names_free);
	free(index);
}

static char *
key_of(const char *what, const char *ns, const char *name)
{
	return str_format("%s/%s/%s", what, ns, name);
}

static void
add_name(struct port_index *index, const char *key, const char *app)
{
	struct names *names = map_get(index->map, key);

	if (names == NULL) {
		names = mem_alloc(sizeof(*names));
		map_set(index->map, key, names);
	}
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], app) == 0)
			return;
	names->items = mem_grow(names->items, names->count + 1, sizeof(names->items[0]));
	str_copy(names->items[names->count++], APP_LABEL, app);
}

static void
remove_name(struct port_index *index, const char *key, const char *app)
{
	struct names *names = map_get(index->map, key);

	for (size_t i = 0; names != NULL && i < names->count; i++) {
		if (strcmp(names->items[i], app) != 0)
			continue;
		names->count--;
		memmove(names->items[i], names->items[names->count], APP_LABEL);
		break;
	}
	if (names != NULL && names->count == 0) {
		map_remove(index->map, key);
		names_free(names);
	}
}

static void
each_key(struct port_index *index, const struct app *app,
    void (*apply)(struct port_index *, const char *, const char *))
{
	const struct traffic_spec *traffic = &app->traffic;
	const char *workloads[APP_WORKLOADS];
	int count = app_workloads(app, workloads);
	const struct {
		const char *what, *name;
	} keys[] = {{"services", traffic->service}, {"services", traffic->canary_service},
	    {kube_kind_info(route_form(app)->kind)->plural, traffic->route},
	    {"destinationrules", traffic->destination_rule}, {"cronjobs", app->batch.backup},
	    {"namespace", ""}, {"poddisruptionbudgets", ""}};
	size_t last = sizeof(keys) / sizeof(keys[0]) - !app->colours; /* budgets: of colours */

	for (int i = 0; i < count; i++) {
		char *key = key_of(
		    kube_kind_info(workload_kind(app))->plural, app->namespace, workloads[i]);

		apply(index, key, app->name);
		free(key);
	}
	for (size_t i = 0; i < last; i++) {
		char *key = key_of(keys[i].what, app->namespace, keys[i].name);

		apply(index, key, app->name);
		free(key);
	}
}

void
port_index_add(struct port_index *index, const struct app *app)
{
	each_key(index, app, add_name);
}

void
port_index_remove(struct port_index *index, const struct app *app)
{
	each_key(index, app, remove_name);
}

/* --- finding --- */

struct search {
	const struct port_index *index;
	const struct kube *kube;
	const char *ns;
	void (*each)(void *ctx, const char *app);
	void *ctx;
};

static void
tell(const struct search *s, const char *what, const char *name)
{
	char *key = key_of(what, s->ns, name);
	const struct names *names = map_get(s->index->map, key);

	for (size_t i = 0; names != NULL && i < names->count; i++)
		s->each(s->ctx, names->items[i]);
	free(key);
}

static const char *
controller_name(const json_t *object, const char *kind)
{
	const json_t *owner;
	size_t i;

	json_array_foreach(jsonx_at(object, "metadata.ownerReferences"), i, owner)
	{
		if (jsonx_bool(owner, "controller", false) &&
		    str_equal(jsonx_text(owner, "kind"), kind))
			return jsonx_text(owner, "name");
	}
	return NULL;
}

/* Its StatefulSet or DaemonSet, or the Deployment of a pod: that of its ReplicaSet, or, when that
 * is not known any more, what its name says ("DEPLOYMENT-HASH"). */
static void
tell_pod(const struct search *s, const json_t *pod)
{
	const char *stateful = controller_name(pod, "StatefulSet");
	const char *daemons = controller_name(pod, "DaemonSet");
	const char *set = controller_name(pod, "ReplicaSet");
	const char *deployment, *dash;
	char *name;

	if (stateful != NULL)
		tell(s, "statefulsets", stateful);
	if (daemons != NULL)
		tell(s, "daemonsets", daemons);
	if (set == NULL)
		return;
	deployment = controller_name(kube_get(s->kube, KUBE_REPLICASETS, s->ns, set), "Deployment");
	dash = strrchr(set, '-');
	if (deployment != NULL) {
		tell(s, "deployments", deployment);
	} else if (dash != NULL) {
		name = mem_strndup(set, (size_t)(dash - set));
		tell(s, "deployments", name);
		free(name);
	}
}

static void
tell_scaled(const struct search *s, const json_t *object)
{
	const char *kind = jsonx_text_or(object, "spec.scaleTargetRef.kind", "Deployment");
	const char *name = jsonx_text_or(object, "spec.scaleTargetRef.name", "");

	if (strcmp(kind, "StatefulSet") == 0)
		tell(s, "statefulsets", name);
	else if (strcmp(kind, "Deployment") == 0)
		tell(s, "deployments", name);
}

static void
tell_object(const struct search *s, enum kube_kind kind, const char *name, const json_t *object)
{
	const char *owner = NULL;

	switch (kind) {
	case KUBE_DEPLOYMENTS:
	case KUBE_STATEFULSETS:
	case KUBE_DAEMONSETS:
	case KUBE_CRONJOBS:
	case KUBE_SERVICES:
	case KUBE_VIRTUALSERVICES:
	case KUBE_DESTINATIONRULES:
	case KUBE_HTTPROUTES:
		tell(s, kube_kind_info(kind)->plural, name);
		return;
	case KUBE_REPLICASETS:
		owner = controller_name(object, "Deployment");
		break;
	case KUBE_JOBS:
		owner = controller_name(object, "CronJob");
		if (owner != NULL)
			tell(s, "cronjobs", owner);
		return;
	case KUBE_HPAS:
	case KUBE_SCALEDOBJECTS:
		tell_scaled(s, object);
		return;
	case KUBE_PODS:
		tell_pod(s, object);
		return;
	case KUBE_BUDGETS:
		tell(s, kube_kind_info(kind)->plural, "");
		return;
	case KUBE_ENDPOINTSLICES:
		owner = jsonx_text(object, "metadata.labels.kubernetes\\.io/service-name");
		if (owner != NULL)
			tell(s, "services", owner);
		return;
	}
	if (owner != NULL)
		tell(s, "deployments", owner);
}

/* Whenever a pod gets ready, the status of its budget changes; that of a ScaledObject whenever KEDA
 * looks at its triggers. */
static bool
is_status_only(enum kube_kind kind, const json_t *old, const json_t *now)
{
	const json_t *was = jsonx_at(old, "metadata.annotations");
	const json_t *is = jsonx_at(now, "metadata.annotations");

	return (kind == KUBE_BUDGETS || kind == KUBE_SCALEDOBJECTS) && old != NULL && now != NULL &&
	       json_equal(json_object_get(old, "spec"), json_object_get(now, "spec")) &&
	       (was == is || json_equal(was, is)) &&
	       jsonx_at(now, "metadata.deletionTimestamp") == NULL;
}

void
port_index_find(const struct port_index *index, const struct kube *kube, enum kube_kind kind,
    const char *ns, const char *name, json_t *old, json_t *now,
    void (*each)(void *ctx, const char *app), void *ctx)
{
	const struct search s = {index, kube, ns, each, ctx};

	if (is_status_only(kind, old, now))
		return;
	tell_object(&s, kind, name, now != NULL ? now : old);
	/* What an object pointed to before matters as well. */
	if (old != NULL && now != NULL &&
	    (kind == KUBE_HPAS || kind == KUBE_SCALEDOBJECTS || kind == KUBE_ENDPOINTSLICES))
		tell_object(&s, kind, name, old);
}

void
port_index_namespace(const struct port_index *index, const char *ns,
    void (*each)(void *ctx, const char *app), void *ctx)
{
	const struct search s = {index, NULL, ns, each, ctx};

	tell(&s, "namespace", "");
}
