/* Always true: only nodes that take new pods are in the map, each with what it can give less what
 * its pods ask for. A quantity that cannot be read makes all of it unknown, and is named: counted
 * as nothing it would be room that is not there. */
#include "cluster/noderoom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define UNCLEAR 400
#define COUNTED (ROOM_MEMORY + 1) /* of enum podsize_what: pods, cpu, memory */

struct node {
	json_t *labels, *taints; /* owned; NULL: none */
	double left[COUNTED];	 /* below 0: more is asked for than there is */
};

struct noderoom {
	struct map *nodes;     /* name -> struct node */
	char unclear[UNCLEAR]; /* the first thing that is no quantity; "": all are */
};

static const char *const resources[COUNTED] = {
    [ROOM_PODS] = "pods", [ROOM_CPU] = "cpu", [ROOM_MEMORY] = "memory"};

struct noderoom *
noderoom_new(void)
{
	struct noderoom *room = mem_alloc(sizeof(*room));

	*room = (struct noderoom){.nodes = map_new()};
	return room;
}

static void
node_free(void *value)
{
	struct node *node = value;

	json_decref(node->labels);
	json_decref(node->taints);
	free(node);
}

void
noderoom_free(struct noderoom *room)
{
	if (room == NULL)
		return;
	map_free(room->nodes, node_free);
	free(room);
}

static void
note_unclear(struct noderoom *room, const char *kind, const json_t *object, const char *what)
{
	const char *ns = jsonx_text_or(object, "metadata.namespace", "");

	if (room->unclear[0] == '\0')
		str_print(room->unclear, sizeof(room->unclear), "%s of %s %s%s%s is no quantity",
		    what, kind, ns, ns[0] != '\0' ? "/" : "",
		    jsonx_text_or(object, "metadata.name", "?"));
}

/* --- nodes ------------------------------------------------------------------------------------ */

static bool
takes_pods(const json_t *node)
{
	const json_t *condition;
	size_t i;

	if (jsonx_bool(node, "spec.unschedulable", false))
		return false;
	json_array_foreach(jsonx_at(node, "status.conditions"), i, condition)
	{
		if (str_equal(jsonx_text(condition, "type"), "Ready"))
			return str_equal(jsonx_text(condition, "status"), "True");
	}
	return false;
}

/* What a node does not say that it can give, it cannot. */
static void
add_node(struct noderoom *room, const json_t *json)
{
	const json_t *given = jsonx_at(json, "status.allocatable");
	const char *name = jsonx_text(json, "metadata.name");
	struct node *node;

	if (name == NULL || !takes_pods(json))
		return;
	node = mem_alloc(sizeof(*node));
	*node = (struct node){.labels = json_incref(jsonx_at(json, "metadata.labels")),
	    .taints = json_incref(jsonx_at(json, "spec.taints"))};
	for (int i = 0; i < COUNTED; i++) {
		const json_t *quantity = json_object_get(given, resources[i]);

		node->left[i] = quantity == NULL ? 0 : podsize_quantity(quantity);
		if (node->left[i] < 0)
			note_unclear(room, "Node", json, resources[i]);
	}
	node = map_set(room->nodes, name, node);
	if (node != NULL)
		node_free(node);
}

void
noderoom_add_nodes(struct noderoom *room, const json_t *nodes)
{
	const json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) add_node(room, node);
}

static void
add_pod(struct noderoom *room, const json_t *pod)
{
	const char *name = jsonx_text(pod, "spec.nodeName");
	struct node *node = name != NULL ? map_get(room->nodes, name) : NULL;

	if (node == NULL)
		return;
	node->left[ROOM_PODS] -= 1;
	for (int i = ROOM_CPU; i < COUNTED; i++) {
		double size = podsize_of(jsonx_at(pod, "spec"), (enum podsize_what)i);

		if (size < 0)
			note_unclear(room, "Pod", pod, resources[i]);
		node->left[i] -= size;
	}
}

void
noderoom_add_pods(struct noderoom *room, const json_t *pods)
{
	const json_t *pod;
	size_t i;

	json_array_foreach(pods, i, pod) add_pod(room, pod);
}

/* --- where a pod may go ----------------------------------------------------------------------- */

static bool
is_selected(const json_t *labels, const json_t *selector)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)selector, key, value)
	{
		if (!json_equal(json_object_get(labels, key), value))
			return false;
	}
	return true;
}

/* An operator that is not known here may be one that tolerates. */
static bool
tolerates(const json_t *toleration, const json_t *taint)
{
	const char *key = jsonx_text_or(toleration, "key", "");
	const char *effect = jsonx_text_or(toleration, "effect", "");

	if (effect[0] != '\0' && !str_equal(jsonx_text(taint, "effect"), effect))
		return false;
	if (key[0] != '\0' && !str_equal(jsonx_text(taint, "key"), key))
		return false;
	if (strcmp(jsonx_text_or(toleration, "operator", "Equal"), "Equal") != 0)
		return true;
	return strcmp(jsonx_text_or(toleration, "value", ""), jsonx_text_or(taint, "value", "")) ==
	       0;
}

static bool
is_kept_off(const json_t *taint, const json_t *tolerations)
{
	const char *effect = jsonx_text_or(taint, "effect", "");
	const json_t *toleration;
	size_t i;

	if (strcmp(effect, "NoSchedule") != 0 && strcmp(effect, "NoExecute") != 0)
		return false;
	json_array_foreach(tolerations, i, toleration)
	{
		if (tolerates(toleration, taint))
			return false;
	}
	return true;
}

static bool
may_have(const struct node *node, const json_t *spec)
{
	const json_t *tolerations = json_object_get(spec, "tolerations"), *taint;
	size_t i;

	json_array_foreach(node->taints, i, taint)
	{
		if (is_kept_off(taint, tolerations))
			return false;
	}
	return is_selected(node->labels, json_object_get(spec, "nodeSelector"));
}

/* How many of the pods a node has room for; all are alike, so the first that fits is as good as
 * any. */
static int
fits(const struct node *node, const double size[COUNTED], int pods)
{
	double most = pods;

	for (int i = 0; i < COUNTED; i++)
		if (size[i] > 0)
			most = fmin(most, floor(node->left[i] / size[i] + 1e-9));
	return most > 0 ? (int)most : 0;
}

/* --- what is said ----------------------------------------------------------------------------- */

void
noderoom_uncounted(const struct headroom *headroom, const char *why, struct findings *found)
{
	errlist_add(&found->warnings, "",
	    "whether the nodes have room for the %d pods that a rollout of %s adds is not counted, "
	    "and not needed for one: %s",
	    headroom->pods, headroom->workload, why);
}

static void
memory_text(double bytes, char *to, size_t size)
{
	if (bytes >= 0x1p30)
		str_print(to, size, "%.4gGi", bytes / 0x1p30);
	else
		str_print(to, size, "%.4gMi", bytes / 0x1p20);
}

/* " of 2 cpu, 4Gi each" */
static void
size_text(const double size[COUNTED], char *to, size_t room)
{
	bool cpu = size[ROOM_CPU] > 0, memory = size[ROOM_MEMORY] > 0;
	char first[32] = "", second[32] = "";

	if (cpu)
		str_print(first, sizeof(first), "%.4g cpu", size[ROOM_CPU]);
	if (memory)
		memory_text(size[ROOM_MEMORY], second, sizeof(second));
	str_print(to, room, "%s%s%s%s%s", cpu || memory ? " of " : "", first,
	    cpu && memory ? ", " : "", second, cpu || memory ? " each" : "");
}

static void
warn(const struct headroom *headroom, const double size[COUNTED], int nodes, int fit,
    struct findings *found)
{
	char each[80];

	size_text(size, each, sizeof(each));
	errlist_add(&found->warnings, "",
	    "a rollout of %s adds up to %d pods%s, and the nodes that take them, %d now, have room "
	    "for %d (by requests, nodeSelector and taints; not counted: affinity, topology, and "
	    "what an autoscaler of nodes would add): make room, or it waits for room until its "
	    "deadline",
	    headroom->workload, headroom->pods, each, nodes, fit);
}

void
noderoom_judge(const struct noderoom *room, const struct headroom *headroom, struct findings *found)
{
	double size[COUNTED] = {[ROOM_PODS] = 1,
	    [ROOM_CPU] = podsize_of(headroom->spec, ROOM_CPU),
	    [ROOM_MEMORY] = podsize_of(headroom->spec, ROOM_MEMORY)};
	int nodes = 0, fit = 0;
	size_t cursor = 0;
	const char *name;
	void *value;

	if (size[ROOM_CPU] < 0 || size[ROOM_MEMORY] < 0) {
		noderoom_uncounted(
		    headroom, "cpu or memory that its template asks for is no quantity", found);
		return;
	}
	if (room->unclear[0] != '\0') {
		noderoom_uncounted(headroom, room->unclear, found);
		return;
	}
	while (map_next(room->nodes, &cursor, &name, &value)) {
		if (!may_have(value, headroom->spec))
			continue;
		nodes++;
		fit += fits(value, size, headroom->pods - fit);
	}
	if (fit < headroom->pods)
		warn(headroom, size, nodes, fit, found);
}
