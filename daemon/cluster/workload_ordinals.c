/* The pods of a StatefulSet, which have an ordinal each: NAME-0, NAME-1, … */
#include <string.h>
#include "base/jsonx.h"
#include "cluster/workload.h"

static const json_t *
pod_of(const json_t *stateful, const json_t *pods, int64_t ordinal)
{
	char *name =
	    str_format("%s-%lld", jsonx_text_or(stateful, "metadata.name", ""), (long long)ordinal);
	const json_t *pod, *found = NULL;
	size_t i;

	json_array_foreach(pods, i, pod)
	{
		if (str_equal(jsonx_text(pod, "metadata.name"), name))
			found = pod;
	}
	free(name);
	return found;
}

static int64_t
first_ordinal(const json_t *stateful)
{
	return jsonx_count(stateful, "spec.ordinals.start", 0);
}

/* By the hash of its template, which is the name of its revision. */
static bool
is_stuck(const json_t *stateful, const json_t *pod)
{
	const char *hash = jsonx_text(pod, "metadata.labels.controller-revision-hash");
	const char *wanted = jsonx_text(stateful, "status.updateRevision");

	return pod != NULL && hash != NULL && wanted != NULL && strcmp(hash, wanted) != 0 &&
	       jsonx_at(pod, "metadata.deletionTimestamp") == NULL && !workload_pod_ready(pod);
}

/* -1: it is no name of one. */
static int64_t
ordinal_of(const json_t *stateful, const json_t *pod)
{
	const char *name = jsonx_text_or(pod, "metadata.name", "");
	const char *base = jsonx_text_or(stateful, "metadata.name", "");
	size_t length = strlen(base);
	int64_t ordinal;

	if (strncmp(name, base, length) != 0 || name[length] != '-' ||
	    str_number(name + length + 1, 0, INT32_MAX, &ordinal) < 0)
		return -1;
	return ordinal;
}

/* What its status says must be of the template it has now, or the right pod would look wrong. */
const json_t *
workload_stuck(const json_t *stateful, const json_t *pods)
{
	int64_t worst = first_ordinal(stateful) +
			jsonx_count(stateful, "spec.updateStrategy.rollingUpdate.partition", 0) - 1;
	const json_t *pod, *stuck = NULL;
	size_t i;

	if (jsonx_int(stateful, "status.observedGeneration", 0) <
	    jsonx_int(stateful, "metadata.generation", 0))
		return NULL;
	json_array_foreach(pods, i, pod)
	{
		int64_t ordinal = ordinal_of(stateful, pod);

		if (ordinal > worst && is_stuck(stateful, pod)) {
			stuck = pod;
			worst = ordinal;
		}
	}
	return stuck;
}

int
workload_broken_last(
    const json_t *stateful, const json_t *pods, const char *container, const char *new_image)
{
	int64_t first = first_ordinal(stateful);
	int broken = 0, most = (int)json_array_size(pods) + 1;

	for (int64_t i = first + jsonx_count(stateful, "spec.replicas", 1) - 1;
	     i >= first && broken < most; i--) {
		const json_t *pod = pod_of(stateful, pods, i);

		if (pod != NULL &&
		    str_equal(workload_image(jsonx_at(pod, "spec"), container), new_image))
			continue;
		if (pod != NULL && workload_pod_ready(pod))
			break;
		broken++;
	}
	return broken;
}
