/* ordinals: a StatefulSet's pods, which keep their names and claims, and its status. */
#include "ends.h"
#include "gc.h"
#include "jx.h"
#include "plan.h"
#include "podmake.h"
#include "revisions.h"
#include "select.h"
#include "statefuls.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

int64_t
stateful_ordinal(const struct obj *set, const char *name)
{
	size_t n = strlen(set->name);
	char *end;
	int64_t ordinal;

	if (strncmp(name, set->name, n) != 0 || name[n] != '-' || name[n + 1] < '0' ||
	    name[n + 1] > '9')
		return -1;
	ordinal = strtoll(name + n + 1, &end, 10);
	return *end == '\0' ? ordinal : -1;
}

/* The claims of a pod, made where there are none, as volumes. They outlive the pod and the set. */
static json_t *
claims(const struct obj *set, const char *pod)
{
	json_t *volumes = json_array(), *template, *meta, *json;
	size_t i;

	json_array_foreach(jx_at(set->json, "spec.volumeClaimTemplates"), i, template)
	{
		const char *what = jx_str(template, "metadata.name");
		char *name = xfmt("%s-%s", what, pod);

		json_array_append_new(volumes, json_pack("{s:s, s:{s:s}}", "name", what,
						   "persistentVolumeClaim", "claimName", name));
		if (store_get(&kinds[K_CLAIM], set->ns, name) == NULL) {
			meta = world_metadata(set->ns, name);
			json_object_set(
			    meta, "labels", jx_at(set->json, "spec.selector.matchLabels"));
			json = json_pack("{s:s, s:s, s:o, s:O, s:{s:s}}", "kind",
			    "PersistentVolumeClaim", "apiVersion", "v1", "metadata", meta, "spec",
			    json_object_get(template, "spec"), "status", "phase", "Pending");
			store_put(&kinds[K_CLAIM], NULL, json);
		}
		free(name);
	}
	return volumes;
}

static void
add_volumes(json_t *spec, json_t *volumes)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(spec, "volumes"), i, v) json_array_append(volumes, v);
	if (json_array_size(volumes) > 0)
		json_object_set(spec, "volumes", volumes);
	json_decref(volumes);
}

/* Below the partition it is the current revision's pod. */
static json_t *
pod_at(const struct turn *t, int64_t ordinal, const char *name)
{
	int64_t least = jx_int(t->set->json, "spec.updateStrategy.rollingUpdate.partition", 0);
	const struct obj *revision = ordinal < t->start + least ? t->current : t->update;
	json_t *pod = pod_of(t->set, revision_template(revision), name), *labels, *spec;
	char *index = xfmt("%lld", (long long)ordinal);
	const char *service = jx_str(t->set->json, "spec.serviceName");

	labels = jx_own_path(pod, "metadata.labels");
	jx_set_str(labels, REVISION_LABEL, revision->name);
	jx_set_str(labels, "statefulset.kubernetes.io/pod-name", name);
	jx_set_str(labels, "apps.kubernetes.io/pod-index", index);
	free(index);
	spec = jx_own(pod, "spec");
	jx_set_str(spec, "hostname", name);
	if (service != NULL)
		jx_set_str(spec, "subdomain", service);
	add_volumes(spec, claims(t->set, name));
	return pod;
}

/* One that nobody owns and that fits is taken over. */
static bool
adopt(const struct turn *t, struct obj *pod)
{
	json_t *next;

	if (pod->owner[0] != '\0' || !labels_match(jx_at(t->set->json, "spec.selector.matchLabels"),
					 jx_at(pod->json, "metadata.labels")))
		return false;
	next = json_copy(pod->json);
	json_object_set_new(jx_own(next, "metadata"), "ownerReferences", world_owned_by(t->set));
	store_put(pod->kind, pod, next);
	return true;
}

static void
tell(const struct turn *t, const char *reason, const char *verb, const char *pod)
{
	char *text = xfmt("%s Pod %s in StatefulSet %s successful", verb, pod, t->set->name);

	world_event(t->set, "Normal", reason, "statefulset-controller", text);
	free(text);
}

bool
stateful_make(struct turn *t, int64_t ordinal)
{
	char *name = xfmt("%s-%lld", t->set->name, (long long)ordinal), *why = NULL;
	struct obj *have = store_get(&kinds[K_POD], t->set->ns, name);
	bool made = false;

	if (have != NULL) {
		made = adopt(t, have);
	} else if (world_quota(t->set->ns, &why)) {
		store_put(&kinds[K_POD], NULL, pod_at(t, ordinal, name));
		tell(t, "SuccessfulCreate", "create", name);
		made = true;
	} else {
		world_event(t->set, "Warning", "FailedCreate", "statefulset-controller", why);
	}
	if (!made)
		plan_task(t->set, T_STEP, 1000);
	free(name);
	free(why);
	return made;
}

void
stateful_delete(struct turn *t, struct obj *pod)
{
	tell(t, "SuccessfulDelete", "delete", pod->name);
	gc_delete(pod, BACKGROUND, -1);
}

static void
count_pod(const struct turn *t, struct obj *pod, json_t *status)
{
	uint64_t next_ms = 0;
	const char *phase = jx_str(pod->json, "status.phase"), *revision = revision_of_pod(pod);
	bool here = !pod_going(pod), ready = ends_pod_ready(pod->json);
	struct {
		const char *key;
		bool yes;
	} counts[] = {{"replicas", true}, {"readyReplicas", ready && strcmp(phase, "Running") == 0},
	    {"availableReplicas", pod_available(pod, t->min_s, &next_ms)},
	    {"currentReplicas", here && strcmp(revision, t->current->name) == 0},
	    {"updatedReplicas", here && strcmp(revision, t->update->name) == 0}};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].yes)
			jx_set_int(status, counts[i].key, jx_int(status, counts[i].key, 0) + 1);
}

/* The new revision becomes the current one when every pod is of it and ready. */
static void
complete(const struct turn *t, json_t *status)
{
	const char *type = jx_str(t->set->json, "spec.updateStrategy.type");

	if (type == NULL || strcmp(type, "RollingUpdate") != 0 ||
	    jx_int(status, "updatedReplicas", 0) != t->n ||
	    jx_int(status, "readyReplicas", 0) != t->n || jx_int(status, "replicas", 0) != t->n)
		return;
	jx_set_count(status, "currentReplicas", t->n);
	jx_set_str(status, "currentRevision", t->update->name);
}

void
stateful_status(const struct turn *t)
{
	struct obj *set = t->set;
	json_t *next = json_copy(set->json), *status;

	status = json_pack("{s:I, s:i, s:i, s:s, s:s, s:i}", "observedGeneration",
	    (json_int_t)jx_int(set->json, "metadata.generation", 1), "replicas", 0,
	    "availableReplicas", 0, "currentRevision", t->current->name, "updateRevision",
	    t->update->name, "collisionCount", 0);
	for (int64_t i = 0; i < t->n; i++)
		if (t->at[i] != NULL)
			count_pod(t, t->at[i], status);
	for (size_t i = 0; i < t->nextra; i++)
		count_pod(t, t->extra[i], status);
	complete(t, status);
	json_object_set_new(next, "status", status);
	if (json_equal(status, json_object_get(set->json, "status")))
		json_decref(next);
	else
		store_put(set->kind, set, next);
}
