/* Acts: the one request of each, guarded by what was read; and what its answer means. */
#include "cluster_objects.h"

#include "cluster/act_plan.h"

struct scene {
	struct app app;
	struct baseline baseline;
	struct observe_objects objects;
	struct act_plan plan;
};

static struct scene *
scene(enum traffic_mode mode)
{
	struct scene *s = mem_alloc(sizeof(*s));

	s->app = app_of(mode);
	str_copy(s->baseline.uid, sizeof(s->baseline.uid), "d-web");
	observe_init(&s->objects);
	s->objects.stable = web_deployment();
	s->objects.service = web_service();
	s->objects.route = web_routes("[{'route': [{'destination': {'host': 'web'}}]}]");
	return s;
}

static void
scene_end(struct scene *s)
{
	act_plan_done(&s->plan);
	observe_done(&s->objects);
	free(s);
}

static void
plan(struct scene *s, enum act_kind kind, int number, const char *text)
{
	struct act act = {.kind = kind, .number = number};

	str_copy(act.text, sizeof(act.text), text);
	act_plan_done(&s->plan);
	act_plan(&s->app, &s->baseline, &act, &s->objects, &s->plan);
}

static void
assert_not_sent(const struct scene *s, enum act_outcome outcome, const char *text)
{
	assert_false(s->plan.send);
	assert_null(s->plan.body);
	assert_int_equal(s->plan.outcome, outcome);
	if (strstr(s->plan.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", s->plan.text, text);
}

static void
assert_sent(const struct scene *s, enum act_verb verb, enum kube_kind kind, const char *name)
{
	assert_true(s->plan.send);
	assert_int_equal(s->plan.verb, verb);
	assert_int_equal(s->plan.kind, kind);
	assert_string_equal(s->plan.name, name);
}

static void
assert_sends_patch(struct scene *s, enum kube_kind kind, const char *name, const char *version,
    const char *expected)
{
	assert_sent(s, ACT_PATCH, kind, name);
	assert_patch(json_incref(s->plan.body), version, expected);
}

static json_t *
ours(const char *name, const char *spec)
{
	char *text =
	    str_format("{'metadata': {'name': '%s', 'uid': 'u-%s', 'resourceVersion': '9', " OURS
		       "}, 'spec': %s}",
		name, name, spec);
	json_t *object = J(text);

	free(text);
	return object;
}

#define CANARY_SPEC                                                                                \
	"{'replicas': 1, 'template': {'spec': {'containers': [{'name': 'c', 'image': "             \
	"'web:v2'}]}}}"

static void
test_set_image(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	plan(s, ACT_SET_IMAGE, 0, "web:v2");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web", "831",
	    "[{'op': 'replace', 'path': '/spec/template/spec/containers/0/image', 'value': "
	    "'web:v2'}]");
	plan(s, ACT_SET_IMAGE, 0, "web:v1");
	assert_not_sent(s, ACT_ALREADY, "");
	str_copy(s->app.container, sizeof(s->app.container), "log");
	plan(s, ACT_SET_IMAGE, 0, "log:2");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web", "831",
	    "[{'op': 'replace', 'path': '/spec/template/spec/containers/1/image', 'value': "
	    "'log:2'}]");
	str_copy(s->app.container, sizeof(s->app.container), "gone");
	plan(s, ACT_SET_IMAGE, 0, "log:2");
	assert_not_sent(s, ACT_REFUSED, "no container");
	scene_end(s);
}

/* A scene whose app rolls; its Deployment has a pace of its own, without minReadySeconds. */
static struct scene *
rolling_scene(void)
{
	struct scene *s = scene(TRAFFIC_HOST);
	json_t *spec = json_object_get(s->objects.stable, "spec");

	s->app.rolls = true;
	s->app.batch.surge = (struct share_spec){1, false};
	str_copy(s->baseline.image, sizeof(s->baseline.image), "web:v1");
	s->baseline.pace = (struct pace){"25%", "1", -1, 600, false, 0, false, false};
	json_object_del(spec, "minReadySeconds");
	json_object_set_new(spec, "progressDeadlineSeconds", json_integer(600));
	json_object_set_new(spec, "strategy",
	    J("{'type': 'RollingUpdate', 'rollingUpdate': {'maxSurge': '25%', 'maxUnavailable': "
	      "1}}"));
	return s;
}

/* What was sent is what there is now. */
static void
hold_at(struct scene *s, const char *image, const char *pace)
{
	json_t *spec = json_object_get(s->objects.stable, "spec");
	json_t *containers = jsonx_at(s->objects.stable, "spec.template.spec.containers"), *more;

	json_object_set_new(json_array_get(containers, 0), "image", json_string(image));
	more = J(pace);
	json_object_update(spec, more);
	json_decref(more);
}

#define HELD                                                                                       \
	"{'minReadySeconds': 2147483646, 'progressDeadlineSeconds': 2147483647,"                   \
	" 'strategy': {'type': 'RollingUpdate', 'rollingUpdate': {'maxSurge': 1, "                 \
	"'maxUnavailable': 1}}}"
#define IMAGE(image)                                                                               \
	"{'op': 'replace', 'path': '/spec/template/spec/containers/0/image', 'value': '" image "'" \
	"}"

/* Image and pace in one write; then the pace alone. */
static void
test_roll(void **state)
{
	struct scene *s = rolling_scene();

	(void)state;
	plan(s, ACT_ROLL, 1, "web:v2");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web", "831",
	    "[" IMAGE(
		"web:v2") ","
			  " {'op': 'add', 'path': '/spec/minReadySeconds', 'value': 2147483646},"
			  " {'op': 'add', 'path': '/spec/progressDeadlineSeconds', 'value': "
			  "2147483647},"
			  " {'op': 'add', 'path': '/spec/strategy/rollingUpdate/maxSurge', "
			  "'value': 1},"
			  " {'op': 'add', 'path': '/spec/strategy/rollingUpdate/maxUnavailable', "
			  "'value': 0}]");
	hold_at(s, "web:v2", HELD);
	plan(s, ACT_ROLL, 3, "web:v2");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web", "831",
	    "[{'op': 'add', 'path': '/spec/strategy/rollingUpdate/maxUnavailable', 'value': 2}]");
	plan(s, ACT_ROLL, 2, "web:v2");
	assert_not_sent(s, ACT_ALREADY, "");
	scene_end(s);
}

static void
test_roll_is_refused(void **state)
{
	struct scene *s = rolling_scene();

	(void)state;
	plan(s, ACT_ROLL, 1, "web:v1");
	assert_not_sent(s, ACT_REFUSED, "run this image already");
	hold_at(s, "web:v1", "{'strategy': {'type': 'Recreate'}}");
	plan(s, ACT_ROLL, 1, "web:v2");
	assert_not_sent(s, ACT_REFUSED, "no strategy RollingUpdate");
	hold_at(s, "web:v1", HELD);
	json_array_clear(jsonx_at(s->objects.stable, "spec.template.spec.containers"));
	plan(s, ACT_ROLL, 1, "web:v2"); /* its pace alone would be no release */
	assert_not_sent(s, ACT_REFUSED, "no container of that name");
	str_copy(s->baseline.uid, sizeof(s->baseline.uid), "d-old");
	plan(s, ACT_ROLL, 1, "web:v2");
	assert_not_sent(s, ACT_REFUSED, "not the one this rollout began with");
	json_decref(s->objects.stable);
	s->objects.stable = NULL;
	plan(s, ACT_ROLL, 1, "web:v2");
	assert_not_sent(s, ACT_CONFLICT, "Deployment web does not exist");
	scene_end(s);
}

/* Back from a batch: what was absent is absent again. */
static void
test_set_image_restores_the_pace(void **state)
{
	struct scene *s = rolling_scene();

	(void)state;
	plan(s, ACT_SET_IMAGE, 0, "web:v1");
	assert_not_sent(s, ACT_ALREADY, "");
	hold_at(s, "web:v2", HELD);
	plan(s, ACT_SET_IMAGE, 0, "web:v1");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web", "831",
	    "[" IMAGE(
		"web:v1") ","
			  " {'op': 'remove', 'path': '/spec/minReadySeconds'},"
			  " {'op': 'add', 'path': '/spec/progressDeadlineSeconds', 'value': 600},"
			  " {'op': 'add', 'path': '/spec/strategy/rollingUpdate/maxSurge', "
			  "'value': '25%'}]");
	hold_at(s, "web:v1", "{'strategy': {'type': 'Recreate'}}");
	plan(s, ACT_SET_IMAGE, 0, "web:v1");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web", "831",
	    "[{'op': 'remove', 'path': '/spec/minReadySeconds'},"
	    " {'op': 'add', 'path': '/spec/progressDeadlineSeconds', 'value': 600},"
	    " {'op': 'add', 'path': '/spec/strategy', 'value': {'type': 'RollingUpdate',"
	    "  'rollingUpdate': {'maxSurge': '25%', 'maxUnavailable': 1}}}]");
	scene_end(s);
}

/* F67: a Deployment of the same name with another uid is another one. */
static void
test_F67_another_workload(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	str_copy(s->baseline.uid, sizeof(s->baseline.uid), "d-old");
	plan(s, ACT_SET_IMAGE, 0, "web:v2");
	assert_not_sent(s, ACT_REFUSED, "not the one this rollout began with");
	plan(s, ACT_CREATE_CANARY, 1, "web:v2");
	assert_not_sent(s, ACT_REFUSED, "not the one this rollout began with");
	json_decref(s->objects.stable);
	s->objects.stable = NULL;
	plan(s, ACT_SET_IMAGE, 0, "web:v2");
	assert_not_sent(s, ACT_CONFLICT, "Deployment web does not exist");
	scene_end(s);
}

static void
test_create_canary(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	plan(s, ACT_CREATE_CANARY, 2, "web:v2");
	assert_sent(s, ACT_POST, KUBE_DEPLOYMENTS, "web-canary");
	assert_int_equal(jsonx_int(s->plan.body, "spec.replicas", -1), 2);
	assert_string_equal(
	    jsonx_text_or(s->plan.body, "spec.template.metadata.labels.app", ""), "web-canary");
	assert_string_equal(
	    jsonx_text_or(s->plan.body, "spec.template.spec.containers.0.image", ""), "web:v2");
	s->objects.canary = ours("web-canary", CANARY_SPEC);
	plan(s, ACT_CREATE_CANARY, 1, "web:v2");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_CREATE_CANARY, 3, "web:v3");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web-canary", "9",
	    "[{'op': 'replace', 'path': '/spec/template/spec/containers/0/image', 'value': "
	    "'web:v3'},"
	    " {'op': 'add', 'path': '/spec/replicas', 'value': 3}]");
	json_object_set_new(json_object_get(s->objects.canary, "metadata"), "deletionTimestamp",
	    json_string("2026-11-22T20:09:22Z"));
	plan(s, ACT_CREATE_CANARY, 1, "web:v2");
	assert_not_sent(s, ACT_CONFLICT, "being deleted");
	scene_end(s);
}

static void
test_subset_canary_has_its_labels(void **state)
{
	struct scene *s = scene(TRAFFIC_SUBSET);

	(void)state;
	plan(s, ACT_CREATE_CANARY, 2, "web:v2");
	assert_sent(s, ACT_POST, KUBE_DEPLOYMENTS, "web-canary");
	assert_json(jsonx_at(s->plan.body, "spec.template.metadata.labels"),
	    "{'app': 'web', 'track': 'canary', 'airis.io/side': 'canary'}");
	assert_json(jsonx_at(s->plan.body, "spec.selector.matchLabels"),
	    "{'app': 'web', 'track': 'canary', 'airis.io/side': 'canary'}");
	scene_end(s);
}

/* I11: what is not ours is neither written nor deleted. */
static void
test_I11_foreign_objects(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	s->objects.canary = web_deployment();
	s->objects.canary_service = web_service();
	plan(s, ACT_CREATE_CANARY, 1, "web:v2");
	assert_not_sent(s, ACT_REFUSED, "not created by airisd");
	plan(s, ACT_SCALE_CANARY, 1, "");
	assert_not_sent(s, ACT_REFUSED, "not created by airisd");
	plan(s, ACT_DELETE_CANARY, 0, "");
	assert_not_sent(s, ACT_REFUSED, "left alone");
	plan(s, ACT_DELETE_SERVICE, 0, "");
	assert_not_sent(s, ACT_REFUSED, "left alone");
	plan(s, ACT_CREATE_SERVICE, 0, "");
	assert_not_sent(s, ACT_REFUSED, "not created by airisd");
	s->baseline.had_canary_service = true;
	plan(s, ACT_CREATE_SERVICE, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_DELETE_SERVICE, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	scene_end(s);
}

static void
test_scale_and_delete_canary(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	plan(s, ACT_SCALE_CANARY, 2, "");
	assert_not_sent(s, ACT_CONFLICT, "Deployment web-canary does not exist");
	plan(s, ACT_SCALE_CANARY, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_DELETE_CANARY, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	s->objects.canary = ours("web-canary", CANARY_SPEC);
	plan(s, ACT_SCALE_CANARY, 4, "");
	assert_sends_patch(s, KUBE_DEPLOYMENTS, "web-canary", "9",
	    "[{'op': 'add', 'path': '/spec/replicas', 'value': 4}]");
	plan(s, ACT_SCALE_CANARY, 1, "");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_DELETE_CANARY, 0, "");
	assert_sent(s, ACT_DELETE, KUBE_DEPLOYMENTS, "web-canary");
	assert_string_equal(s->plan.uid, "u-web-canary");
	assert_json(s->plan.body,
	    "{'apiVersion': 'v1', 'kind': 'DeleteOptions', 'propagationPolicy': 'Foreground',"
	    " 'preconditions': {'uid': 'u-web-canary', 'resourceVersion': '9'}}");
	scene_end(s);
}

static void
test_services(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	plan(s, ACT_CREATE_SERVICE, 0, "");
	assert_sent(s, ACT_POST, KUBE_SERVICES, "web-canary");
	assert_json(jsonx_at(s->plan.body, "spec.selector"), "{'app': 'web-canary'}");
	plan(s, ACT_DELETE_SERVICE, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	s->objects.canary_service = ours("web-canary", "{}");
	plan(s, ACT_CREATE_SERVICE, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_DELETE_SERVICE, 0, "");
	assert_sent(s, ACT_DELETE, KUBE_SERVICES, "web-canary");
	assert_string_equal(jsonx_text(s->plan.body, "propagationPolicy"), "Background");
	json_decref(s->objects.canary_service);
	json_decref(s->objects.service);
	s->objects.canary_service = s->objects.service = NULL;
	plan(s, ACT_CREATE_SERVICE, 0, "");
	assert_not_sent(s, ACT_CONFLICT, "Service web does not exist");
	scene_end(s);
}

static void
test_hpa_floor(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	plan(s, ACT_HPA_FLOOR, 3, "");
	assert_not_sent(s, ACT_ALREADY, "");
	json_array_append_new(s->objects.hpas,
	    J("{'metadata': {'name': 'h', 'resourceVersion': '4'}, 'spec': {'maxReplicas': 9}}"));
	plan(s, ACT_HPA_FLOOR, 1, "");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_HPA_FLOOR, 3, "");
	assert_sends_patch(
	    s, KUBE_HPAS, "h", "4", "[{'op': 'add', 'path': '/spec/minReplicas', 'value': 3}]");
	scene_end(s);
}

/* F22, law 2: no weight to a name that is not there, whatever was decided before. */
static void
test_F22_weight_needs_its_destination(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	plan(s, ACT_WEIGHT, 10, "");
	assert_not_sent(s, ACT_CONFLICT, "Service web-canary does not exist");
	plan(s, ACT_WEIGHT, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	s->objects.canary_service = ours("web-canary", "{}");
	plan(s, ACT_WEIGHT, 10, "");
	assert_sent(s, ACT_PATCH, KUBE_VIRTUALSERVICES, "web");
	scene_end(s);
	s = scene(TRAFFIC_SUBSET);
	plan(s, ACT_WEIGHT, 10, "");
	assert_not_sent(s, ACT_CONFLICT, "DestinationRule web has not both subsets");
	s->objects.rule =
	    J("{'metadata': {'resourceVersion': '3'}, 'spec': {'host': 'web', 'subsets':"
	      " [{'name': 'stable'}, {'name': 'canary'}]}}");
	plan(s, ACT_WEIGHT, 10, "");
	assert_sends_patch(s, KUBE_VIRTUALSERVICES, "web", "868",
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/destination/subset', 'value': 'stable'},"
	    " {'op': 'add', 'path': '/spec/http/0/route/0/weight', 'value': 90},"
	    " {'op': 'add', 'path': '/spec/http/0/route/-', 'value':"
	    "  {'destination': {'host': 'web', 'subset': 'canary'}, 'weight': 10}}]");
	scene_end(s);
}

/* F30: a VirtualService that went is not made again. */
static void
test_F30_route_gone_or_unfit(void **state)
{
	struct scene *s = scene(TRAFFIC_HOST);

	(void)state;
	json_decref(s->objects.route);
	s->objects.route = web_routes("[]");
	plan(s, ACT_WEIGHT, 0, "");
	assert_not_sent(s, ACT_REFUSED, "no http route");
	json_decref(s->objects.route);
	s->objects.route = NULL;
	plan(s, ACT_WEIGHT, 0, "");
	assert_not_sent(s, ACT_CONFLICT, "VirtualService web does not exist");
	plan(s, ACT_ROUTE_HOME, 0, "");
	assert_not_sent(s, ACT_CONFLICT, "VirtualService web does not exist");
	scene_end(s);
}

static void
test_subsets(void **state)
{
	struct scene *s = scene(TRAFFIC_SUBSET);

	(void)state;
	plan(s, ACT_REMOVE_SUBSETS, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_ADD_SUBSETS, 0, "");
	assert_sent(s, ACT_POST, KUBE_DESTINATIONRULES, "web");
	s->objects.rule = json_incref(s->plan.body);
	json_object_set_new(json_object_get(s->objects.rule, "metadata"), "uid", json_string("dr"));
	plan(s, ACT_ADD_SUBSETS, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	plan(s, ACT_REMOVE_SUBSETS, 0, "");
	assert_sent(s, ACT_DELETE, KUBE_DESTINATIONRULES, "web");
	s->baseline.had_destination_rule = true;
	plan(s, ACT_REMOVE_SUBSETS, 0, "");
	assert_sent(s, ACT_PATCH, KUBE_DESTINATIONRULES, "web");
	plan(s, ACT_NAME_STABLE, 0, "");
	assert_sends_patch(s, KUBE_VIRTUALSERVICES, "web", "868",
	    "[{'op': 'add', 'path': '/spec/http/0/route/0/destination/subset', 'value': "
	    "'stable'}]");
	s->baseline.bare = 1;
	plan(s, ACT_ROUTE_HOME, 0, "");
	assert_not_sent(s, ACT_ALREADY, "");
	scene_end(s);
}

/* --- answers --- */

static struct act_judgement
judge(enum act_verb verb, enum act_sent sent, int status, const char *reason, const char *message)
{
	struct act_plan p = {
	    .send = true, .verb = verb, .kind = KUBE_VIRTUALSERVICES, .name = "web"};
	struct act_answer answer = {sent, status, reason, message};
	struct act_judgement j;

	act_judge(&p, &answer, &j);
	return j;
}

#define JUDGE(verb, status, reason, message) judge(verb, ACT_SENT_ANSWERED, status, reason, message)

static void
test_F56_conflicts_are_read_again(void **state)
{
	struct act_judgement j = JUDGE(ACT_PATCH, 409, "Conflict", "the object has been modified");

	(void)state;
	assert_int_equal(j.outcome, ACT_CONFLICT);
	assert_true(j.read);
	assert_string_equal(
	    j.text, "PATCH VirtualService web: HTTP 409 Conflict: the object has been modified");
	j = JUDGE(ACT_DELETE, 409, "Conflict", "Precondition failed");
	assert_true(j.outcome == ACT_CONFLICT && j.read);
	j = JUDGE(ACT_PATCH, 404, "NotFound", "");
	assert_true(j.outcome == ACT_CONFLICT && j.read);
	j = JUDGE(ACT_POST, 409, "AlreadyExists", "");
	assert_true(j.read && j.exists);
}

/* F66: no answer is no answer, also when the server gives up waiting. */
static void
test_F66_unknown_is_read_back(void **state)
{
	struct act_judgement j = judge(ACT_PATCH, ACT_SENT_UNKNOWN, 0, "", "connection reset");

	(void)state;
	assert_true(j.outcome == ACT_UNKNOWN && j.read);
	assert_string_equal(j.text, "connection reset");
	j = JUDGE(ACT_PATCH, 504, "Timeout", "");
	assert_true(j.outcome == ACT_UNKNOWN && j.read);
	j = judge(ACT_PATCH, ACT_SENT_NOT, 0, "", "refused");
	assert_true(j.outcome == ACT_UNREACHED && !j.read);
}

/* F27: a webhook that says no, and one that cannot be asked. */
static void
test_F27_refusals(void **state)
{
	struct act_judgement j =
	    JUDGE(ACT_PATCH, 400, "BadRequest", "admission webhook \"v\" denied the request: bad");

	(void)state;
	assert_int_equal(j.outcome, ACT_REFUSED);
	assert_non_null(strstr(j.text, "denied the request: bad"));
	assert_false(j.read);
	j = JUDGE(
	    ACT_PATCH, 500, "InternalError", "failed calling webhook \"validation.istio.io\"");
	assert_int_equal(j.outcome, ACT_REFUSED);
	assert_int_equal(JUDGE(ACT_PATCH, 403, "Forbidden", "").outcome, ACT_REFUSED);
	assert_int_equal(JUDGE(ACT_PATCH, 422, "Invalid", "").outcome, ACT_REFUSED);
	assert_int_equal(JUDGE(ACT_POST, 404, "NotFound", "").outcome, ACT_REFUSED);
	assert_int_equal(JUDGE(ACT_PATCH, 429, "TooManyRequests", "").outcome, ACT_UNREACHED);
	j = JUDGE(ACT_PATCH, 503, "ServiceUnavailable", "");
	assert_true(j.outcome == ACT_UNREACHED && !j.read);
	/* It may have got there: etcd was slow, or a proxy lost its answer. */
	j = JUDGE(ACT_PATCH, 500, "InternalError", "etcdserver: request timed out");
	assert_true(j.outcome == ACT_UNKNOWN && j.read);
	j = JUDGE(ACT_PATCH, 502, "", "");
	assert_true(j.outcome == ACT_UNKNOWN && j.read);
	j = JUDGE(ACT_PATCH, 503, "", "");
	assert_true(j.outcome == ACT_UNKNOWN && j.read);
}

static void
test_success(void **state)
{
	struct act_judgement j = JUDGE(ACT_PATCH, 200, "", "");

	(void)state;
	assert_int_equal(j.outcome, ACT_DONE);
	assert_false(j.read || j.gone);
	assert_int_equal(JUDGE(ACT_POST, 201, "", "").outcome, ACT_DONE);
	j = JUDGE(ACT_DELETE, 404, "NotFound", "not found");
	assert_int_equal(j.outcome, ACT_DONE);
	assert_true(j.gone);
	assert_string_equal(j.text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set_image),
	    cmocka_unit_test(test_roll),
	    cmocka_unit_test(test_roll_is_refused),
	    cmocka_unit_test(test_set_image_restores_the_pace),
	    cmocka_unit_test(test_F67_another_workload),
	    cmocka_unit_test(test_create_canary),
	    cmocka_unit_test(test_subset_canary_has_its_labels),
	    cmocka_unit_test(test_I11_foreign_objects),
	    cmocka_unit_test(test_scale_and_delete_canary),
	    cmocka_unit_test(test_services),
	    cmocka_unit_test(test_hpa_floor),
	    cmocka_unit_test(test_F22_weight_needs_its_destination),
	    cmocka_unit_test(test_F30_route_gone_or_unfit),
	    cmocka_unit_test(test_subsets),
	    cmocka_unit_test(test_F56_conflicts_are_read_again),
	    cmocka_unit_test(test_F66_unknown_is_read_back),
	    cmocka_unit_test(test_F27_refusals),
	    cmocka_unit_test(test_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
