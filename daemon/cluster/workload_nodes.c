/* The pods of a DaemonSet, one on each node. */
#include <string.h>
#include "base/jsonx.h"
#include "cluster/workload.h"

static bool
has_template(const json_t *daemons, const json_t *pod, const char *container)
{
	return str_equal(workload_image(jsonx_at(pod, "spec"), container),
	    workload_image(jsonx_at(daemons, "spec.template.spec"), container));
}

static bool
stands(const json_t *pod)
{
	return jsonx_at(pod, "metadata.deletionTimestamp") == NULL;
}

/* With an unready one nothing is lost. */
static bool
goes_before(const json_t *pod, const json_t *than)
{
	bool ready = workload_pod_ready(pod);

	if (than == NULL || ready != workload_pod_ready(than))
		return than == NULL || !ready;
	return strcmp(jsonx_text_or(pod, "metadata.name", ""),
		   jsonx_text_or(than, "metadata.name", "")) < 0;
}

const json_t *
workload_outdated(
    const json_t *daemons, const json_t *pods, const char *container, const char *name)
{
	const json_t *pod, *first = NULL;
	size_t i;

	json_array_foreach(pods, i, pod)
	{
		if (!stands(pod) || has_template(daemons, pod, container) ||
		    (name != NULL && !str_equal(jsonx_text(pod, "metadata.name"), name)))
			continue;
		if (goes_before(pod, first))
			first = pod;
	}
	return first;
}

void
workload_look_nodes(
    const json_t *daemons, const json_t *pods, const char *container, struct workload_seen *seen)
{
	const json_t *next = workload_outdated(daemons, pods, container, NULL), *pod;
	size_t i;

	seen->pace.nodes = true;
	seen->pace.by_hand = str_equal(jsonx_text(daemons, "spec.updateStrategy.type"), "OnDelete");
	seen->replicas = jsonx_count(daemons, "status.desiredNumberScheduled", 0);
	seen->pods = seen->updated = 0;
	json_array_foreach(pods, i, pod)
	{
		seen->pods += stands(pod);
		seen->updated += stands(pod) && has_template(daemons, pod, container);
	}
	str_copy(seen->next, sizeof(seen->next), jsonx_text_or(next, "metadata.name", ""));
	seen->next_ready = next != NULL && workload_pod_ready(next);
}
