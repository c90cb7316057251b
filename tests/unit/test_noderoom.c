/* Room on the nodes for the pods that a rollout adds. */
#include "cluster_objects.h"

#include "cluster/noderoom.h"

static struct observe_objects o;
static struct headroom headroom;
static struct noderoom *room;
static struct findings found;

#define READY "'conditions': [{'type': 'Ready', 'status': 'True'}]"

/* A node that is ready: 4 cpu, 8 Gi, 10 pods. */
static void
add_node(const char *name, const char *spec, const char *status)
{
	char *text = str_format(
	    "[{'metadata': {'name': '%s', 'labels': {'disk': '%s'}}, 'spec': {%s}, "
	    "'status': {%s}}]",
	    name, name, spec,
	    status != NULL ? status
			   : READY ", 'allocatable': {'cpu': '4', 'memory': '8Gi', 'pods': '10'}");
	json_t *list = J(text);

	noderoom_add_nodes(room, list);
	json_decref(list);
	free(text);
}

static void
add_pod(const char *node, const char *cpu, const char *memory)
{
	char *text =
	    str_format("[{'metadata': {'name': 'p', 'namespace': 'n'}, 'spec': {'nodeName': "
		       "'%s', 'containers': [{'resources': {'requests': {'cpu': '%s', "
		       "'memory': '%s'}}}]}}]",
		node, cpu, memory);
	json_t *list = J(text);

	noderoom_add_pods(room, list);
	json_decref(list);
	free(text);
}

/* Of an app whose rollout adds three pods of 2 cpu and 2 Gi; more: of their spec. */
static void
wants(const char *more)
{
	struct app app = app_of(TRAFFIC_HOST);
	char *text =
	    str_format("{'spec': {'replicas': 3, 'template': {'spec': {'containers': "
		       "[{'resources': {'requests': {'cpu': '2', 'memory': '2Gi'}}}]%s}}}}",
		more);

	observe_init(&o);
	o.stable = J(text);
	free(text);
	headroom_of(&app, &o, &headroom);
	observe_done(&o);
	room = noderoom_new();
}

/* The one warning, or NULL; then all is as before. */
static const char *
judged(void)
{
	static char text[1024];

	noderoom_judge(room, &headroom, &found);
	assert_int_equal(found.problems.count, 0);
	assert_true(found.warnings.count <= 1);
	if (found.warnings.count > 0)
		str_copy(text, sizeof(text), found.warnings.items[0].text);
	else
		text[0] = '\0';
	findings_done(&found);
	headroom_done(&headroom);
	noderoom_free(room);
	return text[0] != '\0' ? text : NULL;
}

static void
enough_room_is_not_spoken_of(void **state)
{
	(void)state;
	wants("");
	add_node("a", "", NULL);
	add_node("b", "", NULL);
	add_pod("b", "2", "1Gi");
	assert_null(judged()); /* two on a, one on b: to the last cpu */
}

static void
too_little_room_is_counted(void **state)
{
	(void)state;
	wants("");
	add_node("a", "", NULL);
	add_node("b", "", NULL);
	add_pod("a", "500m", "1Gi");
	add_pod("b", "2100m", "1Gi");
	add_pod("gone", "9", "9Gi"); /* of a node that is not there */
	assert_string_equal(judged(),
	    "a rollout of Deployment web adds up to 3 pods of 2 cpu, 2Gi each, and the nodes that "
	    "take them, 2 now, have room for 1 (by requests, nodeSelector and taints; not counted: "
	    "affinity, topology, and what an autoscaler of nodes would add): make room, or it "
	    "waits "
	    "for room until its deadline");
}

static void
each_resource_may_be_what_is_short(void **state)
{
	static const struct {
		const char *allocatable, *has;
	} cases[] = {{"'cpu': '64', 'memory': '5Gi', 'pods': '10'", "room for 2 "},
	    {"'cpu': '64', 'memory': '64Gi', 'pods': '1'", "room for 1 "},
	    {"'cpu': '1', 'memory': '64Gi', 'pods': '10'", "room for 0 "},
	    {"'cpu': '64', 'memory': '64Gi'", "room for 0 "}};
	char status[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wants("");
		str_print(
		    status, sizeof(status), READY ", 'allocatable': {%s}", cases[i].allocatable);
		add_node("a", "", status);
		assert_non_null(strstr(judged(), cases[i].has));
	}
	wants("");
	add_node("a", "", READY ", 'allocatable': {'cpu': 8, 'memory': '8Gi', 'pods': 3}");
	add_pod("a", "0", "0"); /* asks for nothing and takes a place */
	assert_non_null(strstr(judged(), "room for 2 "));
	wants("");
	add_node("a", "", READY ", 'allocatable': {'cpu': 1, 'memory': '8Gi', 'pods': 9}");
	add_pod("a", "5", "0"); /* more than there is: no room, but none less than none */
	add_node("b", "", NULL);
	assert_non_null(strstr(judged(), "room for 2 "));
}

static void
not_every_node_takes_them(void **state)
{
	static const char *const taint = "'taints': [{'key': 'gpu', 'value': 'a', 'effect': "
					 "'NoSchedule'}]";
	static const struct {
		const char *pod, *node, *status, *has; /* NULL: there is room */
	} cases[] = {
	    {"", "'unschedulable': true", NULL, "2 now"},
	    {"", "", "'allocatable': {'cpu': 9, 'memory': '99Gi', 'pods': 9}", "2 now"},
	    {"", "", "'conditions': [{'type': 'Ready', 'status': 'Unknown'}]", "2 now"},
	    {"", "'taints': [{'key': 'gpu', 'effect': 'PreferNoSchedule'}]", NULL, NULL},
	    {"", "'taints': [{'key': 'gpu', 'effect': 'NoExecute'}]", NULL, "2 now"},
	    {"", taint, NULL, "2 now"},
	    {", 'tolerations': [{'operator': 'Exists'}]", taint, NULL, NULL},
	    {", 'tolerations': [{'key': 'gpu', 'operator': 'Exists'}]", taint, NULL, NULL},
	    {", 'tolerations': [{'key': 'gpu', 'value': 'a', 'effect': 'NoSchedule'}]", taint, NULL,
		NULL},
	    {", 'tolerations': [{'key': 'gpu', 'value': 'b'}]", taint, NULL, "2 now"},
	    {", 'tolerations': [{'key': 'cpu', 'operator': 'Exists'}]", taint, NULL, "2 now"},
	    {", 'tolerations': [{'operator': 'Exists', 'effect': 'NoExecute'}]", taint, NULL,
		"2 now"},
	    {", 'nodeSelector': {'disk': 'c'}", "", NULL, "1 now, have room for 2 "},
	    {", 'nodeSelector': {'disk': 'c', 'zone': 'x'}", "", NULL, "0 now, have room for 0 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *said;

		wants(cases[i].pod);
		add_node("a", "", READY ", 'allocatable': {'cpu': 2, 'memory': '8Gi', 'pods': 9}");
		add_node("b", "", READY ", 'allocatable': {'cpu': 1, 'memory': '8Gi', 'pods': 9}");
		add_node("c", cases[i].node, cases[i].status);
		said = judged();
		if (cases[i].has == NULL ? said != NULL
					 : said == NULL || strstr(said, cases[i].has) == NULL)
			fail_msg("%zu: %s", i, said != NULL ? said : "nothing was said");
	}
}

/* What cannot be read is not counted as nothing: the sum is not known then. */
static void
no_quantity_is_not_nothing(void **state)
{
	(void)state;
	wants("");
	add_node("a", "", READY ", 'allocatable': {'cpu': 'many', 'memory': '8Gi', 'pods': '10'}");
	assert_string_equal(judged(),
	    "whether the nodes have room for the 3 pods that a rollout of Deployment web adds is "
	    "not "
	    "counted, and not needed for one: cpu of Node a is no quantity");
	wants("");
	add_node("a", "", READY ", 'allocatable': {'cpu': '99', 'memory': '99Gi', 'pods': '99'}");
	add_pod("a", "1", "1Qi");
	assert_non_null(strstr(judged(), ": memory of Pod n/p is no quantity"));
	wants(", 'overhead': {'cpu': 'x'}");
	add_node("a", "", NULL);
	assert_non_null(strstr(judged(), ": cpu or memory that its template asks for is no"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(enough_room_is_not_spoken_of),
	    cmocka_unit_test(too_little_room_is_counted),
	    cmocka_unit_test(each_resource_may_be_what_is_short),
	    cmocka_unit_test(not_every_node_takes_them),
	    cmocka_unit_test(no_quantity_is_not_nothing),
	};
	return cmocka_run_group_tests_name("noderoom", tests, NULL, NULL);
}
