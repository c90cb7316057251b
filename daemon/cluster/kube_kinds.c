/* The table of cached kinds, what of them is kept, and the keys of their indexes. */
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/kube_kinds.h"

static const struct kube_kept pod_kept[] = {
    {"metadata", {"name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences",
		     "deletionTimestamp"}},
    {"metadata.ownerReferences[]", {"kind", "name", "uid", "controller"}},
    {"spec", {"containers", "initContainers"}},
    {"spec.containers[]", {"name", "image"}},
    {"spec.initContainers[]", {"name", "image"}},
    {"status",
	{"phase", "conditions", "containerStatuses", "initContainerStatuses", "reason", "message"}},
    {"status.conditions[]", {"type", "status", "reason", "message"}},
    {"status.containerStatuses[]", {"name", "ready", "restartCount", "state", "lastState"}},
    {"status.initContainerStatuses[]", {"name", "ready", "restartCount", "state", "lastState"}},
    {NULL, {NULL}},
};

static const struct kube_kept replicaset_kept[] = {
    {"metadata", {"name", "namespace", "uid", "resourceVersion", "ownerReferences", "annotations"}},
    {"metadata.annotations", {"deployment.kubernetes.io/revision"}},
    {"metadata.ownerReferences[]", {"kind", "name", "uid", "controller"}},
    {"spec", {"replicas", "template"}},
    {"spec.template", {"spec"}},
    {"spec.template.spec", {"containers", "initContainers"}},
    {"spec.template.spec.containers[]", {"name", "image"}},
    {"spec.template.spec.initContainers[]", {"name", "image"}},
    {"status", {"replicas", "readyReplicas"}},
    {NULL, {NULL}},
};

static const struct kube_kept job_kept[] = {
    {"metadata", {"name", "namespace", "uid", "resourceVersion", "labels", "annotations",
		     "ownerReferences", "creationTimestamp"}},
    {"metadata.ownerReferences[]", {"kind", "name", "uid", "controller"}},
    {"spec", {NULL}},
    {"status", {"conditions"}},
    {NULL, {NULL}},
};

static const struct kube_kept slice_kept[] = {
    {"metadata", {"name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences"}},
    {"metadata.ownerReferences[]", {"kind", "name", "uid", "controller"}},
    {"endpoints[]", {"addresses", "conditions", "targetRef"}},
    {NULL, {NULL}},
};

static const struct kube_kept budget_kept[] = {
    {"metadata", {"name", "namespace", "uid", "resourceVersion", "labels", "annotations",
		     "deletionTimestamp"}},
    {"spec", {"selector", "minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy"}},
    {"status", {NULL}},
    {NULL, {NULL}},
};

static const struct kube_kept scaledobject_kept[] = {
    {"metadata", {"name", "namespace", "uid", "resourceVersion", "annotations"}},
    {"metadata.annotations", {"autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"}},
    {"spec", {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "idleReplicaCount"}},
    {"status", {NULL}},
    {NULL, {NULL}},
};

static bool
by_controller(const json_t *object, char *to, size_t size)
{
	json_t *owners = jsonx_at(object, "metadata.ownerReferences");
	json_t *owner;
	size_t i;

	json_array_foreach(owners, i, owner)
	{
		const char *uid = jsonx_text(owner, "uid");

		if (uid && jsonx_bool(owner, "controller", false))
			return str_copy(to, size, uid);
	}
	return false;
}

#define SERVICE_LABEL "kubernetes.io/service-name"

static bool
by_service(const json_t *object, char *to, size_t size)
{
	const json_t *labels = jsonx_at(object, "metadata.labels");
	const char *name = json_string_value(json_object_get(labels, SERVICE_LABEL));

	return name && str_copy(to, size, name);
}

static bool
by_target(const json_t *object, char *to, size_t size)
{
	const char *kind = jsonx_text(object, "spec.scaleTargetRef.kind");
	const char *name = jsonx_text(object, "spec.scaleTargetRef.name");

	return kind && name && str_print(to, size, "%s/%s", kind, name);
}

/* KEDA's default kind is the Deployment. */
static bool
by_scaled(const json_t *object, char *to, size_t size)
{
	const char *name = jsonx_text(object, "spec.scaleTargetRef.name");

	return name && str_print(to, size, "%s/%s",
			   jsonx_text_or(object, "spec.scaleTargetRef.kind", "Deployment"), name);
}

#define ISTIO "networking.istio.io"

static const struct kube_kind_info kinds[KUBE_KINDS] = {
    [KUBE_DEPLOYMENTS] = {"Deployment", "deployments", "apps", {"v1"}, true, NULL, NULL, NULL,
	false},
    [KUBE_STATEFULSETS] = {"StatefulSet", "statefulsets", "apps", {"v1"}, true, NULL, NULL, NULL,
	false},
    [KUBE_DAEMONSETS] = {"DaemonSet", "daemonsets", "apps", {"v1"}, true, NULL, NULL, NULL, false},
    [KUBE_REPLICASETS] = {"ReplicaSet", "replicasets", "apps", {"v1"}, false, replicaset_kept,
	by_controller, NULL, false},
    [KUBE_CRONJOBS] = {"CronJob", "cronjobs", "batch", {"v1"}, false, NULL, NULL, NULL, false},
    [KUBE_JOBS] = {"Job", "jobs", "batch", {"v1"}, false, job_kept, by_controller, NULL, false},
    [KUBE_PODS] = {"Pod", "pods", "", {"v1"}, false, pod_kept, by_controller, NULL, false},
    [KUBE_SERVICES] = {"Service", "services", "", {"v1"}, true, NULL, NULL, NULL, false},
    [KUBE_ENDPOINTSLICES] = {"EndpointSlice", "endpointslices", "discovery.k8s.io", {"v1"}, false,
	slice_kept, by_service, SERVICE_LABEL, false},
    [KUBE_HPAS] = {"HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", {"v2"},
	false, NULL, by_target, NULL, false},
    [KUBE_VIRTUALSERVICES] = {"VirtualService", "virtualservices", ISTIO, {"v1", "v1beta1"}, true,
	NULL, NULL, NULL, false},
    [KUBE_DESTINATIONRULES] = {"DestinationRule", "destinationrules", ISTIO, {"v1", "v1beta1"},
	true, NULL, NULL, NULL, false},
    [KUBE_HTTPROUTES] = {"HTTPRoute", "httproutes", "gateway.networking.k8s.io", {"v1", "v1beta1"},
	true, NULL, NULL, NULL, false},
    [KUBE_BUDGETS] = {"PodDisruptionBudget", "poddisruptionbudgets", "policy", {"v1"}, false,
	budget_kept, NULL, NULL, false},
    [KUBE_SCALEDOBJECTS] = {"ScaledObject", "scaledobjects", "keda.sh", {"v1alpha1"}, false,
	scaledobject_kept, by_scaled, NULL, true},
};

const struct kube_kind_info *
kube_kind_info(enum kube_kind kind)
{
	return &kinds[kind];
}

static bool
is_one_of(const char *const *members, const char *name)
{
	for (; *members; members++)
		if (!strcmp(*members, name))
			return true;
	return false;
}

static void
keep_only(json_t *object, const char *const *members)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value)
	{
		if (!is_one_of(members, name))
			json_object_del(object, name);
	}
}

static void
keep(json_t *object, const struct kube_kept *kept)
{
	size_t length = strlen(kept->path);
	char path[64];
	json_t *element;
	size_t i;

	str_copy(path, sizeof path, kept->path);
	if (!str_ends(path, "[]")) {
		keep_only(jsonx_at(object, path), kept->members);
		return;
	}
	path[length - 2] = '\0';
	json_array_foreach(jsonx_at(object, path), i, element) keep_only(element, kept->members);
}

/* fieldsV1 is a tree of hundreds of empty objects: they can all be one, nobody changes them. */
static void
share_empty(json_t *fields)
{
	static json_t *empty;
	void *at;

	if (!empty)
		empty = json_object();
	for (at = json_object_iter(fields); at; at = json_object_iter_next(fields, at)) {
		json_t *value = json_object_iter_value(at);

		if (json_object_size(value))
			share_empty(value);
		else if (json_is_object(value))
			json_object_iter_set(fields, at, empty);
	}
}

/* Who owns an image, a size or routes is asked; the rest of the tree is not. */
static void
slim_owned(json_t *fields)
{
	static const char *const top[] = {"f:spec", NULL}, *const container[] = {"f:image", NULL};
	static const char *const spec[] = {
	    "f:replicas", "f:template", "f:http", "f:rules", "f:subsets", "f:selector", NULL};
	static const char *const pod[] = {"f:containers", NULL};
	json_t *inside;
	const char *name;

	keep_only(fields, top);
	keep_only(jsonx_at(fields, "f:spec"), spec);
	keep_only(jsonx_at(fields, "f:spec.f:template"), top);
	keep_only(jsonx_at(fields, "f:spec.f:template.f:spec"), pod);
	json_object_foreach(jsonx_at(fields, "f:spec.f:template.f:spec.f:containers"), name, inside)
	    keep_only(inside, container);
	share_empty(fields);
}

/* Entries of the status say nothing about who edits the spec, and are the largest. */
static void
slim_managed_fields(json_t *metadata)
{
	static const char *const members[] = {"manager", "operation", "time", "fieldsV1", NULL};
	json_t *entries = json_object_get(metadata, "managedFields");

	for (size_t i = json_array_size(entries); i-- > 0;) {
		json_t *entry = json_array_get(entries, i);

		if (str_equal(jsonx_text(entry, "subresource"), "status"))
			json_array_remove(entries, i);
		else {
			keep_only(entry, members);
			slim_owned(json_object_get(entry, "fieldsV1"));
		}
	}
}

void
kube_slim(enum kube_kind kind, json_t *object)
{
	const struct kube_kind_info *info = &kinds[kind];
	json_t *metadata = json_object_get(object, "metadata");

	json_object_del(object, "apiVersion");
	json_object_del(object, "kind");
	if (info->managed_fields)
		slim_managed_fields(metadata);
	else
		json_object_del(metadata, "managedFields");
	for (const struct kube_kept *kept = info->kept; kept && kept->path; kept++)
		keep(object, kept);
}

static bool
is_number(const char *text)
{
	return text && *text && strspn(text, "0123456789") == strlen(text);
}

bool
kube_older(const char *a, const char *b)
{
	if (!is_number(a) || !is_number(b))
		return false;
	a += strspn(a, "0");
	b += strspn(b, "0");
	if (strlen(a) != strlen(b))
		return strlen(a) < strlen(b);
	return strcmp(a, b) < 0;
}
