/* Workloads: who counts as ready, what is told when pods do not get ready, who edited the image. */
#include "cluster_objects.h"

#include "cluster/observe_fields.h"
#include "cluster/workload.h"
#include "model/pace.h"

#define OWNED(uid)                                                                                 \
	"'ownerReferences': [{'kind': 'ReplicaSet', 'uid': '" uid "', 'controller': true}]"
#define READY "'conditions': [{'type': 'Ready', 'status': 'True'}]"
#define UNREADY "'conditions': [{'type': 'Ready', 'status': 'False'}]"

static json_t *
pod(const char *name, const char *image, const char *status)
{
	char *text = str_format("{'metadata': {'name': '%s', 'uid': 'p-%s', " OWNED(
				    "r-new") "}, 'spec': {'containers': [{'name': 'c', 'image': "
					     "'%s'}]}, 'status': {%s}}",
	    name, name, image, status);
	json_t *json = J(text);

	free(text);
	return json;
}

static json_t *
sets(void)
{
	return J(
	    "[{'metadata': {'name': 'web-old', 'uid': 'r-old', 'annotations':"
	    "   {'deployment.kubernetes.io/revision': '9'}},"
	    "  'spec': {'template': {'spec': {'containers': [{'name': 'c', 'image': 'web:v0'}]}}}},"
	    " {'metadata': {'name': 'web-new', 'uid': 'r-new', 'annotations':"
	    "   {'deployment.kubernetes.io/revision': '10'}},"
	    "  'spec': {'template': {'spec': {'containers': [{'name': 'c', 'image': "
	    "'web:v1'}]}}}}]");
}

static struct workload_seen
look(json_t *deployment, json_t *pods, const char *slices)
{
	struct app app = app_of(TRAFFIC_HOST);
	json_t *slice_list = J(slices), *set_list = sets();
	struct map *endpoints = workload_endpoints(slice_list);
	struct workload_side side = {deployment, set_list, pods, endpoints};
	struct workload_seen seen = {0};

	workload_look(&side, &app, "web:v2", &seen);
	map_free(endpoints, NULL);
	json_decref(slice_list);
	json_decref(set_list);
	json_decref(pods);
	json_decref(deployment);
	return seen;
}

static void
test_container_and_labels(void **state)
{
	json_t *spec =
	    J("{'containers': [{'name': 'a', 'image': 'x'}, {'name': 'b', 'image': 'y'}]}");
	json_t *labels = J("{'app': 'web', 'track': 'main'}");
	json_t *selector = J("{'app': 'web'}"), *other = J("{'app': 'web', 'track': 'x'}");
	json_t *none = J("{}");

	(void)state;
	assert_string_equal(workload_image(spec, ""), "x");
	assert_string_equal(workload_image(spec, "b"), "y");
	assert_string_equal(workload_image(spec, "c"), "");
	assert_int_equal(workload_container(spec, "c"), -1);
	assert_int_equal(workload_container(NULL, ""), -1);
	assert_true(workload_selects(selector, labels));
	assert_false(workload_selects(other, labels));
	assert_false(workload_selects(none, labels));
	assert_false(workload_selects(NULL, labels));
	json_decref(spec);
	json_decref(labels);
	json_decref(selector);
	json_decref(other);
	json_decref(none);
}

static void
test_counts(void **state)
{
	json_t *pods = json_array();
	struct workload_seen seen;

	(void)state;
	json_array_append_new(pods, pod("1", "web:v1", READY));
	json_array_append_new(pods, pod("2", "web:v2", READY));
	json_array_append_new(pods, pod("3", "web:v2", READY)); /* its endpoint is not ready */
	json_array_append_new(pods, pod("4", "web:v2", UNREADY));
	json_array_append_new(pods, pod("5", "web:v2", READY)); /* has no endpoint */
	json_array_append_new(pods, pod("6", "web:v2", READY)); /* terminating endpoint */
	json_array_append_new(pods, pod("7", "web:v2", READY));
	json_object_set_new(json_object_get(json_array_get(pods, 6), "metadata"),
	    "deletionTimestamp", json_string("2026-11-22T20:09:22Z"));
	seen = look(web_deployment(), pods,
	    "[{'endpoints': null}, {},"
	    " {'endpoints': [{'targetRef': {'uid': 'p-1'}, 'conditions': {'ready': true}},"
	    "  {'targetRef': {'uid': 'p-3'}, 'conditions': {'ready': false}},"
	    "  {'targetRef': {'uid': 'p-6'}, 'conditions': {'ready': true, 'terminating': true}},"
	    "  {'conditions': {'ready': true}}]},"
	    " {'endpoints': [{'targetRef': {'uid': 'p-2'}}, {'targetRef': {'uid': 'p-4'}},"
	    "  {'targetRef': {'uid': 'p-7'}}, {'targetRef': {'uid': 'p-foreign'}}]}]");
	assert_true(seen.exists && seen.observed);
	assert_false(seen.ours || seen.deleting);
	assert_int_equal(seen.ready, 2);
	assert_int_equal(seen.ready_new, 1);
	assert_int_equal(seen.terminating, 1);
	assert_int_equal(seen.replicas, 3);
	assert_int_equal(seen.pods, 3);
	assert_int_equal(seen.updated, 3);
	assert_string_equal(seen.image, "web:v1");
	assert_string_equal(seen.uid, "d-web");
	assert_string_equal(seen.edited_by, "helm");
	assert_string_equal(seen.problem.reason, "");
}

/* How it rolls by itself, as it is written. */
static struct pace
pace_of(const char *spec)
{
	json_t *deployment = web_deployment(), *more = J(spec);

	json_object_del(json_object_get(deployment, "spec"), "minReadySeconds");
	json_object_update(json_object_get(deployment, "spec"), more);
	json_decref(more);
	return look(deployment, json_array(), "[]").pace;
}

static void
test_pace(void **state)
{
	struct pace pace = pace_of("{}");

	(void)state;
	assert_false(pace_is_known(&pace));
	assert_true(pace.min_ready_s == -1 && pace.deadline_s == -1);
	pace = pace_of("{'strategy': {'type': 'Recreate'}, 'minReadySeconds': 5}");
	assert_false(pace_is_known(&pace));
	assert_int_equal(pace.min_ready_s, 5);
	pace = pace_of("{'progressDeadlineSeconds': 600, 'minReadySeconds': 2147483646, 'strategy':"
		       " {'rollingUpdate': {'maxSurge': '25%', 'maxUnavailable': 2}}}");
	assert_string_equal(pace.surge, "25%");
	assert_string_equal(pace.unavailable, "2");
	assert_int_equal(pace.deadline_s, 600);
	assert_false(pace_is_held(&pace));
	pace = pace_of("{'minReadySeconds': 2147483646, 'strategy': {'rollingUpdate': {'maxSurge':"
		       " 1, 'maxUnavailable': 2}}}");
	assert_true(pace_is_held(&pace));
	assert_int_equal(pace_new(&pace, 4), 3);
}

/* An app that steers nothing need not have a Service. */
static void
test_ready_pods_without_a_service(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	json_t *deployment = web_deployment(), *set_list = sets(), *pods = json_array();
	struct workload_side side = {deployment, set_list, pods, NULL};
	struct workload_seen seen = {0};

	(void)state;
	json_array_append_new(pods, pod("1", "web:v1", READY));
	json_array_append_new(pods, pod("2", "web:v2", READY));
	json_array_append_new(pods, pod("3", "web:v2", UNREADY));
	workload_look(&side, &app, "web:v2", &seen);
	assert_int_equal(seen.ready, 2);
	assert_int_equal(seen.ready_new, 1);
	json_decref(deployment);
	json_decref(set_list);
	json_decref(pods);
}

/* Counts that no cluster has are as good as none: they never become other numbers. */
static void
test_odd_counts(void **state)
{
	json_t *deployment = web_deployment();
	struct workload_seen seen;

	(void)state;
	json_object_set_new(json_object_get(deployment, "spec"), "replicas", json_integer(-5));
	json_object_set_new(json_object_get(deployment, "status"), "replicas",
	    json_integer((json_int_t)3 << 32 | 3));
	json_object_set_new(
	    json_object_get(deployment, "status"), "updatedReplicas", json_integer(-1));
	seen = look(deployment, json_array(), "[]");
	assert_int_equal(seen.replicas, -1);
	assert_int_equal(seen.pods, 0);
	assert_int_equal(seen.updated, 0);
}

/* F35, F60: absent replicas are not 1; the status of an older generation is not believed. */
static void
test_F60_old_status(void **state)
{
	json_t *deployment = web_deployment();
	struct workload_seen seen;

	(void)state;
	json_object_set_new(
	    json_object_get(deployment, "status"), "observedGeneration", json_integer(11));
	json_object_del(json_object_get(deployment, "spec"), "replicas");
	seen = look(deployment, json_array(), "[]");
	assert_false(seen.observed);
	assert_int_equal(seen.replicas, -1);
	seen = look(NULL, json_array(), "[]");
	assert_false(seen.exists);
}

static struct problem
trouble(const char *first, const char *second)
{
	json_t *pods = json_array();

	json_array_append_new(pods, pod("b", "web:v1", first));
	if (second != NULL)
		json_array_append_new(pods, pod("a", "web:v1", second));
	return look(web_deployment(), pods, "[]").problem;
}

#define WAITING(reason)                                                                            \
	UNREADY ", 'containerStatuses': [{'name': 'c', 'ready': false, 'restartCount': 0,"         \
		" 'state': {'waiting': {'reason': '" reason "', 'message': 'no such tag'}}}]"

static void
test_problem_of_pods(void **state)
{
	struct problem p = trouble(WAITING("ImagePullBackOff"), UNREADY ", 'phase': 'Running'");

	(void)state;
	assert_string_equal(p.object, "Pod b");
	assert_string_equal(p.reason, "ImagePullBackOff");
	assert_string_equal(p.message, "container c: no such tag");
	assert_true(p.fatal);
	p = trouble(WAITING("ContainerCreating"), NULL);
	assert_string_equal(p.reason, "");
	p = trouble(WAITING("CrashLoopBackOff"), WAITING("CrashLoopBackOff"));
	assert_string_equal(p.object, "Pod a"); /* the first by name, whatever the order */
	p = trouble(UNREADY ", 'phase': 'Running'", NULL);
	assert_string_equal(p.reason, "NotReady");
	assert_false(p.fatal);
	p = trouble("'phase': 'Pending', 'conditions': [{'type': 'PodScheduled', 'status': 'False',"
		    " 'reason': 'Unschedulable', 'message': '0/3 nodes'}]",
	    NULL);
	assert_string_equal(p.reason, "Unschedulable");
	assert_string_equal(p.message, "0/3 nodes");
	assert_false(p.fatal);
	p = trouble(READY
	    ", 'phase': 'Running', 'containerStatuses': [{'name': 'c', 'ready': true}]",
	    NULL);
	assert_string_equal(p.reason, "");
}

/* Those that are going, or were bound meanwhile, do not count; the first by its name is told. */
static void
pods_that_no_node_takes_are_counted(void **state)
{
#define NO_NODE(name, more)                                                                        \
	"{'metadata': {'name': '" name "'" more                                                    \
	"}, 'status': {'phase': 'Pending', 'conditions': [{'type': 'PodScheduled', 'status': "     \
	"'False', 'reason': 'Unschedulable', 'message': 'of " name "'}]}}"
	const char *first = "", *message = "";
	json_t *pods = J("[" NO_NODE("c", "") ", " NO_NODE("b", "") ", " NO_NODE(
	    "a", ", 'deletionTimestamp': 'x'") ", {'metadata': {'name': '0'}, 'status': {'phase': "
					       "'Pending'}}]");

	(void)state;
	assert_int_equal(workload_unschedulable(pods, &first, &message), 2);
	assert_string_equal(first, "b");
	assert_string_equal(message, "of b");
	assert_int_equal(workload_unschedulable(NULL, &first, &message), 0);
	json_decref(pods);
}

/* F39: between two crashes the pod runs; that is no recovery. */
static void
test_F39_crash_loop_between_starts(void **state)
{
	struct problem p = trouble(UNREADY ", 'phase': 'Running', 'containerStatuses':"
					   " [{'name': 'c', 'ready': false, 'restartCount': 3,"
					   " 'state': {'running': {}}, 'lastState': {'terminated':"
					   " {'reason': 'OOMKilled', 'exitCode': 137}}}]",
	    UNREADY ", 'phase': 'Running'");

	(void)state;
	assert_string_equal(p.reason, "OOMKilled");
	assert_string_equal(p.message, "container c: restarted 3 times, last exit code 137");
	assert_true(p.fatal);
}

/* F38: quota, webhook, pod security. */
static void
test_F38_pods_cannot_be_created(void **state)
{
	json_t *deployment = web_deployment();
	struct workload_seen seen;

	(void)state;
	json_object_set_new(json_object_get(deployment, "status"), "conditions",
	    J("[{'type': 'Available', 'status': 'True'}, {'type': 'ReplicaFailure', 'status': "
	      "'True',"
	      " 'reason': 'FailedCreate', 'message': 'exceeded quota: q'}]"));
	seen = look(deployment, json_array(), "[]");
	assert_string_equal(seen.problem.object, "Deployment web");
	assert_string_equal(seen.problem.reason, "FailedCreate");
	assert_string_equal(seen.problem.message, "exceeded quota: q");
	assert_true(seen.problem.fatal);
}

/* Pods of an older template are not what a release waits for. */
static void
test_only_the_newest_pods_are_trouble(void **state)
{
	json_t *pods = json_array(), *deployment;
	json_t *old = pod("x", "web:v0", WAITING("ImagePullBackOff"));
	struct workload_seen seen;

	(void)state;
	json_object_set_new(json_object_get(old, "metadata"), "ownerReferences",
	    J("[{'kind': 'ReplicaSet', 'uid': 'r-old', 'controller': true}]"));
	json_array_append_new(pods, old);
	seen = look(web_deployment(), pods, "[]");
	assert_string_equal(seen.problem.reason, "");
	/* The template is newer than every ReplicaSet: nothing is known of its pods yet. */
	deployment = web_deployment();
	json_object_set_new(
	    json_array_get(jsonx_at(deployment, "spec.template.spec.containers"), 0), "image",
	    json_string("web:v3"));
	pods = json_array();
	json_array_append_new(pods, pod("y", "web:v1", WAITING("ImagePullBackOff")));
	seen = look(deployment, pods, "[]");
	assert_string_equal(seen.problem.reason, "");
}

static void
test_ours(void **state)
{
	json_t *ours = J("{'metadata': {" OURS "}}");
	json_t *foreign = J("{'metadata': {'labels': {'app.kubernetes.io/managed-by': 'Helm'},"
			    " 'annotations': {'airis.io/app': 'shop'}}}");

	(void)state;
	assert_true(workload_is_ours(ours, "shop"));
	assert_false(workload_is_ours(ours, "other"));
	assert_false(workload_is_ours(foreign, "shop"));
	assert_false(workload_is_ours(NULL, "shop"));
	json_decref(ours);
	json_decref(foreign);
}

static void
assert_editor(const char *entries, const char *manager)
{
	static const char *const path[] = {"f:spec", "f:http", NULL};
	char *text = str_format("{'metadata': {'managedFields': %s}}", entries);
	json_t *object = J(text);
	char name[64];

	observe_editor(object, path, name, sizeof(name), NULL);
	assert_string_equal(name, manager);
	json_decref(object);
	free(text);
}

#define ENTRY(manager, time, fields)                                                               \
	"{'manager': '" manager "', 'time': '" time "', 'fieldsV1': {'f:spec': {" fields "}}}"

/* F28: the one who owns the field now, if that is not us. */
static void
test_F28_editor(void **state)
{
	(void)state;
	assert_editor("[]", "");
	assert_editor("[" ENTRY("kubectl", "2026-11-22T20:00:00Z", "'f:http': {}") "]", "kubectl");
	assert_editor("[" ENTRY("kubectl", "2026-11-22T20:00:00Z", "'f:hosts': {}") "]", "");
	assert_editor("[" ENTRY("new", "2026-11-22T20:00:09Z", "'f:http': {}") "," ENTRY(
			  "old", "2026-11-22T20:00:00Z", "'f:http': {}") "]",
	    "new");
	assert_editor("[" ENTRY("argo", "2026-11-22T20:00:09Z", "'f:http': {}") "," ENTRY(
			  "airisd", "2026-11-22T20:00:00Z", "'f:http': {}") "]",
	    "");
	assert_true(observe_time_ms("2026-11-22T20:15:59Z") == 1795378559000);
	assert_true(observe_time_ms("2026-11-22T20:15:59.123456Z") == 1795378559000);
	assert_true(observe_time_ms("yesterday") == 0);
	assert_true(observe_time_ms(NULL) == 0);
}

/* F28: of a canary, its size is ours as well. */
static void
test_F28_canary_scaled_by_hand(void **state)
{
	json_t *canary = J(
	    "{'metadata': {'name': 'web-canary', " OURS
	    ", 'managedFields': [{'manager': 'airisd', 'time': '2026-11-22T20:00:00Z', 'fieldsV1':"
	    "  {'f:spec': {'f:template': {'f:spec': {'f:containers': {'k:{\\'name\\':\\'c\\'}':"
	    "   {'f:image': {}}}}}}}},"
	    " {'manager': 'kubectl', 'subresource': 'scale', 'time': '2026-11-22T20:01:00Z',"
	    "  'fieldsV1': {'f:spec': {'f:replicas': {}}}}]},"
	    " 'spec': {'replicas': 9, 'template': {'spec': {'containers': [{'name': 'c'}]}}}}");

	(void)state;
	assert_string_equal(look(canary, json_array(), "[]").edited_by, "kubectl");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_container_and_labels),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_pace),
	    cmocka_unit_test(test_ready_pods_without_a_service),
	    cmocka_unit_test(test_odd_counts),
	    cmocka_unit_test(test_F60_old_status),
	    cmocka_unit_test(test_problem_of_pods),
	    cmocka_unit_test(pods_that_no_node_takes_are_counted),
	    cmocka_unit_test(test_F39_crash_loop_between_starts),
	    cmocka_unit_test(test_F38_pods_cannot_be_created),
	    cmocka_unit_test(test_only_the_newest_pods_are_trouble),
	    cmocka_unit_test(test_ours),
	    cmocka_unit_test(test_F28_editor),
	    cmocka_unit_test(test_F28_canary_scaled_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
