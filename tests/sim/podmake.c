/* podmake: see podmake.h. */
#include "podmake.h"

#include "ends.h"
#include "jx.h"
#include "pods.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

json_t *
pod_of(const struct obj *owner, const json_t *template, const char *name)
{
	char suffix[6], *made;
	json_t *meta;

	rnd_suffix(suffix, 5);
	made = name != NULL ? xdup(name) : xfmt("%s-%s", owner->name, suffix);
	meta = world_metadata(owner->ns, made);
	free(made);
	json_object_set_new(meta, "generateName", json_sprintf("%s-", owner->name));
	json_object_set(meta, "labels", jx_at(template, "metadata.labels"));
	if (jx_at(template, "metadata.annotations") != NULL)
		json_object_set(meta, "annotations", jx_at(template, "metadata.annotations"));
	json_object_set_new(meta, "ownerReferences", world_owned_by(owner));
	return json_pack("{s:s, s:s, s:o, s:O, s:{s:s, s:s}}", "kind", "Pod", "apiVersion", "v1",
	    "metadata", meta, "spec", json_object_get(template, "spec"), "status", "phase",
	    "Pending", "qosClass", "BestEffort");
}

const char *
pod_node(const struct obj *pod)
{
	const char *name = jx_str(pod->json, "spec.nodeName");
	json_t *term, *field;

	if (name != NULL)
		return name;
	term = json_array_get(jx_at(pod->json, "spec.affinity.nodeAffinity."
					       "requiredDuringSchedulingIgnoredDuringExecution."
					       "nodeSelectorTerms"),
	    0);
	field = json_array_get(json_object_get(term, "matchFields"), 0);
	return json_string_value(json_array_get(json_object_get(field, "values"), 0));
}

bool
pod_going(const struct obj *pod)
{
	return jx_str(pod->json, "metadata.deletionTimestamp") != NULL;
}

bool
pod_ended(const struct obj *pod)
{
	const char *phase = jx_str(pod->json, "status.phase");

	return phase != NULL && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
}

bool
pod_available(struct obj *pod, int64_t min_s, uint64_t *next_ms)
{
	uint64_t at = pods_ext(pod)->ready_ms + (uint64_t)min_s * 1000, now = now_ms();

	if (!ends_pod_ready(pod->json))
		return false;
	if (at <= now)
		return true;
	if (*next_ms == 0 || at - now < *next_ms)
		*next_ms = at - now;
	return false;
}
