/* Reading workloads: containers, labels and counts. What is wrong with pods: workload_problem.c. */
#include "cluster/workload.h"

#include "base/jsonx.h"
#include "cluster/observe_fields.h"

enum kube_kind
workload_kind(const struct app *app)
{
	static const enum kube_kind kinds[] = {
	    KUBE_DEPLOYMENTS, KUBE_STATEFULSETS, KUBE_DAEMONSETS};

	return kinds[app->kind];
}

bool
workload_is_ours(const json_t *object, const char *app)
{
	const json_t *labels = jsonx_at(object, "metadata.labels");
	const json_t *annotations = jsonx_at(object, "metadata.annotations");

	return str_equal(json_string_value(json_object_get(labels, WORKLOAD_MANAGED_BY)),
		   WORKLOAD_MANAGER) &&
	       str_equal(json_string_value(json_object_get(annotations, WORKLOAD_APP)), app);
}

int
workload_container(const json_t *pod_spec, const char *name)
{
	const json_t *containers = jsonx_at(pod_spec, "containers"), *container;
	size_t i;

	json_array_foreach(containers, i, container)
	{
		if (name[0] == '\0' || str_equal(jsonx_text(container, "name"), name))
			return (int)i;
	}
	return -1;
}

const char *
workload_image(const json_t *pod_spec, const char *name)
{
	int i = workload_container(pod_spec, name);

	if (i < 0)
		return "";
	return jsonx_text_or(
	    json_array_get(jsonx_at(pod_spec, "containers"), (size_t)i), "image", "");
}

bool
workload_selects(const json_t *selector, const json_t *labels)
{
	const char *key;
	json_t *value;

	if (json_object_size(selector) == 0)
		return false;
	json_object_foreach((json_t *)selector, key, value)
	{
		if (!json_equal(value, json_object_get(labels, key)))
			return false;
	}
	return true;
}

static bool
endpoint_ready(const json_t *endpoint)
{
	return jsonx_bool(endpoint, "conditions.ready", true) &&
	       !jsonx_bool(endpoint, "conditions.terminating", false);
}

struct map *
workload_endpoints(const json_t *slices)
{
	static int there;
	struct map *uids = map_new();
	const json_t *slice, *endpoint;
	size_t i, k;

	json_array_foreach(slices, i, slice)
	{
		json_array_foreach(json_object_get(slice, "endpoints"), k, endpoint)
		{
			const char *uid = jsonx_text(endpoint, "targetRef.uid");

			if (uid != NULL && endpoint_ready(endpoint))
				map_set(uids, uid, &there);
		}
	}
	return uids;
}

bool
workload_pod_ready(const json_t *pod)
{
	const json_t *condition;
	size_t i;

	if (jsonx_at(pod, "metadata.deletionTimestamp") != NULL)
		return false;
	json_array_foreach(jsonx_at(pod, "status.conditions"), i, condition)
	{
		if (str_equal(jsonx_text(condition, "type"), "Ready"))
			return str_equal(jsonx_text(condition, "status"), "True");
	}
	return false;
}

static void
each_address(const json_t *endpoint, void (*each)(void *ctx, const char *address), void *ctx)
{
	const json_t *address;
	size_t i;

	json_array_foreach(json_object_get(endpoint, "addresses"), i, address)
	{
		if (json_is_string(address))
			each(ctx, json_string_value(address));
	}
}

void
workload_addresses(const json_t *slices, const json_t *pods,
    void (*each)(void *ctx, const char *address), void *ctx)
{
	static int there;
	struct map *ready = map_new();
	const json_t *slice, *endpoint, *pod;
	size_t i, k;

	json_array_foreach(pods, i, pod)
	{
		const char *uid = jsonx_text(pod, "metadata.uid");

		if (uid != NULL && workload_pod_ready(pod))
			map_set(ready, uid, &there);
	}
	json_array_foreach(slices, i, slice)
	{
		json_array_foreach(json_object_get(slice, "endpoints"), k, endpoint)
		{
			const char *uid = jsonx_text(endpoint, "targetRef.uid");

			if (uid != NULL && endpoint_ready(endpoint) && map_get(ready, uid) != NULL)
				each_address(endpoint, each, ctx);
		}
	}
	map_free(ready, NULL);
}

static void
count_pods(const struct workload_side *side, const struct app *app, const char *new_image,
    struct workload_seen *seen)
{
	const json_t *pod;
	size_t i;

	json_array_foreach(side->pods, i, pod)
	{
		const char *uid = jsonx_text_or(pod, "metadata.uid", "");

		if (jsonx_at(pod, "metadata.deletionTimestamp") != NULL)
			seen->terminating++;
		if (!workload_pod_ready(pod) ||
		    (side->endpoints != NULL && map_get(side->endpoints, uid) == NULL))
			continue;
		seen->ready++;
		if (str_equal(workload_image(jsonx_at(pod, "spec"), app->container), new_image))
			seen->ready_new++;
	}
}

/* Who wrote the released container's image, and who its size; of a canary either. */
static void
look_editor(const json_t *deployment, const struct app *app, struct workload_seen *seen)
{
	const json_t *pod = jsonx_at(deployment, "spec.template.spec");
	int i = workload_container(pod, app->container);
	const char *path[] = {
	    "f:spec", "f:template", "f:spec", "f:containers", NULL, "f:image", NULL};
	static const char *const size_path[] = {"f:spec", "f:replicas", NULL};
	char *key;

	observe_editor(deployment, size_path, seen->sized_by, sizeof(seen->sized_by), NULL);
	if (i < 0)
		return;
	key = str_format("k:{\"name\":\"%s\"}",
	    jsonx_text_or(json_array_get(jsonx_at(pod, "containers"), (size_t)i), "name", ""));
	path[4] = key;
	observe_editor(deployment, path, seen->edited_by, sizeof(seen->edited_by), NULL);
	if (seen->ours && seen->edited_by[0] == '\0')
		str_copy(seen->edited_by, sizeof(seen->edited_by), seen->sized_by);
	free(key);
}

static void
amount(const json_t *value, char *to, size_t size)
{
	if (json_is_integer(value))
		str_print(to, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_string(value))
		str_copy(to, size, json_string_value(value));
}

static void
look_partition(const json_t *stateful, struct pace *pace)
{
	pace->ordinals = !str_equal(jsonx_text(stateful, "spec.updateStrategy.type"), "OnDelete");
	pace->partition = jsonx_count(stateful, "spec.updateStrategy.rollingUpdate.partition", 0);
}

/* Unknown of one that does not roll (Recreate, OnDelete). */
static void
look_pace(const json_t *deployment, struct pace *pace)
{
	const json_t *rolling = jsonx_at(deployment, "spec.strategy.rollingUpdate");

	pace->min_ready_s = jsonx_count(deployment, "spec.minReadySeconds", -1);
	pace->deadline_s = jsonx_count(deployment, "spec.progressDeadlineSeconds", -1);
	amount(json_object_get(rolling, "maxSurge"), pace->surge, sizeof(pace->surge));
	amount(json_object_get(rolling, "maxUnavailable"), pace->unavailable,
	    sizeof(pace->unavailable));
}

static void
look_stateful(const struct workload_side *side, const struct app *app, const char *new_image,
    struct workload_seen *seen)
{
	const json_t *stuck = workload_stuck(side->workload, side->pods);

	look_partition(side->workload, &seen->pace);
	str_copy(seen->stuck, sizeof(seen->stuck), jsonx_text_or(stuck, "metadata.name", ""));
	seen->broken_last =
	    workload_broken_last(side->workload, side->pods, app->container, new_image);
}

void
workload_look(const struct workload_side *side, const struct app *app, const char *new_image,
    struct workload_seen *seen)
{
	const json_t *d = side->workload;

	seen->replicas = -1;
	if (d == NULL)
		return;
	seen->exists = true;
	seen->deleting = jsonx_at(d, "metadata.deletionTimestamp") != NULL;
	seen->ours = workload_is_ours(d, app->name);
	seen->observed =
	    jsonx_int(d, "status.observedGeneration", 0) >= jsonx_int(d, "metadata.generation", 0);
	str_copy(seen->uid, sizeof(seen->uid), jsonx_text_or(d, "metadata.uid", ""));
	str_copy(seen->image, sizeof(seen->image),
	    workload_image(jsonx_at(d, "spec.template.spec"), app->container));
	seen->replicas = jsonx_count(d, "spec.replicas", -1);
	seen->pods = jsonx_count(d, "status.replicas", 0);
	seen->updated = jsonx_count(d, "status.updatedReplicas", 0);
	if (app->kind == WORKLOAD_DAEMONSET)
		workload_look_nodes(side->workload, side->pods, app->container, seen);
	else if (app->kind == WORKLOAD_STATEFULSET)
		look_stateful(side, app, new_image, seen);
	else
		look_pace(d, &seen->pace);
	count_pods(side, app, new_image, seen);
	look_editor(d, app, seen);
	workload_problem(side, app, &seen->problem);
}
