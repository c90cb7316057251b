/* Nodes, the pods on them and a pod's spec as strangers may have made them: {"nodes", "pods",
 * "spec"}; the first byte is how many pods are added. Whatever they are, one thing is said at most,
 * and it can be shown; room for more pods is room for fewer. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/noderoom.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

MUTATE_JSON(1)

static size_t
warnings_for(const struct noderoom *room, json_t *spec, int pods)
{
	struct headroom headroom = {.workload = "Deployment web", .pods = pods, .spec = spec};
	struct findings found = {.problems.count = 0};
	size_t count;

	noderoom_judge(room, &headroom, &found);
	count = found.warnings.count;
	assert(found.problems.count == 0 && count <= 1);
	if (count == 1)
		assert(str_utf8_ok(
		    found.warnings.items[0].text, strlen(found.warnings.items[0].text)));
	findings_done(&found);
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct noderoom *room;
	json_t *root;
	struct err e;

	if (size < 1)
		return 0;
	root = jsonx_parse((const char *)data + 1, size - 1, 1 << 20, &e);
	if (root == NULL)
		return 0;
	room = noderoom_new();
	noderoom_add_nodes(room, json_object_get(root, "nodes"));
	noderoom_add_pods(room, json_object_get(root, "pods"));
	json_t *spec = json_object_get(root, "spec");
	size_t all = warnings_for(room, spec, data[0] + 1);
	if (all == 0)
		assert(warnings_for(room, spec, 1) == 0);
	noderoom_free(room);
	json_decref(root);
	return 0;
}
