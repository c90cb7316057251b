/* Objects of a Kubernetes cluster as strangers may have made them: {"stable": …, "route": …, …}, as
 * in struct observe_objects. The first byte chooses the app, the second is the number of the acts.
 * Whatever they are, they can be looked at, and what is seen fits into the journal; an act that
 * sends something changes just what it says, once. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/yaml.h"
#include "cluster/act_plan.h"
#include "cluster/autoscaler.h"
#include "cluster/budgets.h"
#include "cluster/route.h"
#include "cluster/route_form.h"
#include "cluster/workload.h"
#include "model/pace.h"
#include "mutate.h"
#include "objects.h"
#include "patch.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

MUTATE_JSON(2)

#define APP_OF(traffic)                                                                            \
	"{kind: App, name: shop, namespace: prod, workload: {name: web}, traffic: {" traffic "},"  \
	" strategy: {canary: {weights: [1, 10, 50, 100]}}}"

static const char *const texts[] = {
    APP_OF("istio: {virtualService: web}"),
    APP_OF("istio: {virtualService: web, routes: [main, beta]}"),
    APP_OF("istio: {virtualService: web, mode: subset}"),
    APP_OF("gateway: {httpRoute: web}"),
    APP_OF("gateway: {httpRoute: web, rules: [main, beta]}"),
    "{kind: App, name: shop, namespace: prod, workload: {name: web}, traffic: {service: {}},"
    " strategy: {blueGreen: {}}}",
    "{kind: App, name: shop, namespace: prod, workload: {name: web}, traffic: {service: {name: "
    "web}}, strategy: {rolling: {batches: [1, 50%]}}}",
    "{kind: App, name: shop, namespace: prod, workload: {name: web},"
    " strategy: {rolling: {batches: [1, 50%], surge: 0, unavailable: 2}}}",
    "{kind: App, name: shop, namespace: prod, workload: {kind: StatefulSet, name: web},"
    " strategy: {rolling: {hold: 1s}}}",
};
#define APPS (sizeof(texts) / sizeof(texts[0]))

static struct app *apps[APPS];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < APPS; i++) {
		struct errlist errors;
		struct err e;
		json_t *spec;

		errlist_init(&errors);
		if (yaml_parse(texts[i], strlen(texts[i]), &spec, NULL, &e) != 0)
			abort();
		apps[i] = app_parse(spec, &errors);
		assert(apps[i] != NULL);
		errlist_done(&errors);
		json_decref(spec);
	}
	return 0;
}

/* --- what is seen ----------------------------------------------------------------------------- */

static void
check_text(const char *text)
{
	assert(str_utf8_ok(text, strlen(text)));
}

static void
check_side(const struct workload_seen *side)
{
	assert(side->replicas >= -1 && side->pods >= 0 && side->updated >= 0);
	assert(side->ready_new >= 0 && side->ready_new <= side->ready);
	check_text(side->image);
	check_text(side->uid);
	check_text(side->edited_by);
	check_text(side->problem.object);
	check_text(side->problem.reason);
	check_text(side->problem.message);
	check_text(side->stuck);
	assert(side->broken_last >= 0);
}

static void
check_route(const struct route_seen *route)
{
	assert(route->weight >= 0 && route->weight <= 100);
	assert(route->fits || (!route->even && !route->names_canary && route->weight == 0));
	assert(!route->exists || route->fits == (route->why_not[0] == '\0'));
	check_text(route->why_not);
	check_text(route->resource_version);
	check_text(route->edited_by);
	check_text(route->unaccepted);
}

/* What a rollout begins with is read back after a crash. */
static void
check_baseline(const struct observed *seen, struct baseline *baseline)
{
	struct baseline again;
	json_t *json;
	struct err e;

	baseline_take(baseline, seen);
	json = baseline_json(baseline);
	if (baseline_parse(json, &again, &e) != 0)
		__builtin_trap();
	assert(memcmp(&again.bare, &baseline->bare, sizeof(again.bare)) == 0 &&
	       again.replicas == baseline->replicas && again.hpa_min == baseline->hpa_min &&
	       baseline_bounds(&again, &seen->hpa) == seen->hpa.exists &&
	       strcmp(again.image, baseline->image) == 0);
	json_decref(json);
}

/* --- what is done ----------------------------------------------------------------------------- */

struct done {
	const struct app *app;
	const struct baseline *baseline;
	const struct observed *seen;
	struct act act;
	struct act_plan plan;
	const struct observe_objects *before;
};

/* The object that a plan is about; NULL: it is not there. */
static json_t **
subject_of(const struct done *d, struct observe_objects *o)
{
	switch (d->act.kind) {
	case ACT_HPA_FLOOR:
	case ACT_FOLLOW_HPA:
	case ACT_CREATE_BUDGET:
	case ACT_DELETE_BUDGET:
		return NULL;
	case ACT_CREATE_SERVICE:
	case ACT_DELETE_SERVICE:
	case ACT_POINT_SERVICE:
		return &o->canary_service;
	case ACT_ADD_SUBSETS:
	case ACT_REMOVE_SUBSETS:
		return &o->rule;
	case ACT_NAME_STABLE:
	case ACT_WEIGHT:
	case ACT_ROUTE_HOME:
		return d->app->colours ? &o->service : &o->route;
	case ACT_CREATE_CANARY:
	case ACT_SCALE_CANARY:
	case ACT_DELETE_CANARY:
		return &o->canary;
	case ACT_SET_IMAGE:
	case ACT_SCALE_STABLE:
	case ACT_ROLL:
		return &o->stable;
	case ACT_BACKUP:
	case ACT_REPLACE_POD:
	case ACT_DELETE_POD: /* see check_pod */
	case ACT_NONE:
	case ACT_KINDS:
		break;
	}
	return NULL;
}

static bool
is_one_of(const char *path, const char *const *prefixes)
{
	for (size_t i = 0; prefixes[i] != NULL; i++)
		if (str_starts(path, prefixes[i]))
			return true;
	return false;
}

/* Law 5: a patch reaches only what is ours to change, and only in what was looked at. */
static void
check_patch(const struct done *d, const json_t *object)
{
	static const char *const allowed[] = {"/spec/http/", "/spec/rules/", "/spec/subsets",
	    "/spec/replicas", "/spec/minReplicas", "/spec/minReplicaCount",
	    "/spec/idleReplicaCount", "/spec/template/spec/containers/", NULL};
	static const char *const of_colours[] = {
	    "/spec/selector", "/spec/scaleTargetRef/name", NULL};
	static const char *const of_rolling[] = {
	    "/spec/minReadySeconds", "/spec/progressDeadlineSeconds", "/spec/strategy", NULL};
	static const char *const of_ordinals[] = {"/spec/updateStrategy", NULL};
	const json_t *step;
	size_t i;

	assert(json_array_size(d->plan.body) >= 2);
	json_array_foreach(d->plan.body, i, step)
	{
		const char *path = jsonx_text(step, "path");

		if (i > 0) {
			assert(
			    is_one_of(path, allowed) ||
			    (d->app->colours && is_one_of(path, of_colours)) ||
			    (d->app->rolls && is_one_of(path, d->app->kind == WORKLOAD_STATEFULSET
								  ? of_ordinals
								  : of_rolling)));
			continue;
		}
		assert(strcmp(path, "/metadata/resourceVersion") == 0);
		assert(strcmp(jsonx_text(step, "value"),
			   jsonx_text_or(object, "metadata.resourceVersion", "0")) == 0);
	}
}

static void
strip_backends(const struct app *app, json_t *rule)
{
	const struct route_form *form = route_form(app);
	json_t *backends = json_object_get(rule, form->backends);

	for (size_t i = json_array_size(backends); i-- > 0;) {
		json_t *backend = json_array_get(backends, i);
		enum route_side side = form->side(app, backend);

		if (side == ROUTE_CANARY)
			json_array_remove(backends, i);
		else if (side == ROUTE_STABLE) {
			json_object_del(backend, "weight");
			json_object_del(json_object_get(backend, "destination"), "subset");
		}
	}
}

/* The route without what is ours: the weights, the canary, the stable subset's name. */
static json_t *
stripped(const struct app *app, const json_t *route, const struct route_view *view)
{
	json_t *copy = json_deep_copy(route);
	json_t *rules = jsonx_at(copy, route_form(app)->rules);

	for (int i = 0; i < view->count; i++)
		strip_backends(app, json_array_get(rules, (size_t)view->pairs[i].rule));
	json_object_set_new(json_object_get(copy, "metadata"), "resourceVersion", json_string("0"));
	return copy;
}

static void
check_same_but_ours(const struct app *app, const json_t *route, const json_t *after)
{
	struct route_view before_view, after_view;
	json_t *one, *two;

	route_view(app, route, &before_view);
	route_view(app, after, &after_view);
	assert(before_view.fits && after_view.fits && before_view.count == after_view.count);
	for (int i = 0; i < before_view.count; i++)
		assert(before_view.pairs[i].total == after_view.pairs[i].total &&
		       before_view.pairs[i].rule == after_view.pairs[i].rule);
	one = stripped(app, route, &before_view);
	two = stripped(app, after, &after_view);
	assert(json_equal(one, two));
	json_decref(one);
	json_decref(two);
}

static void
check_route_after(const struct done *d, const struct observed *after, const json_t *object)
{
	assert(d->seen->route.fits && after->route.fits);
	if (d->app->colours) {
		assert(after->route.weight == (d->act.number == 0 ? 0 : 100));
		return;
	}
	check_same_but_ours(d->app, d->before->route, object);
	if (d->act.kind == ACT_WEIGHT) {
		assert(after->route.weight == d->act.number && after->route.even);
		assert(after->route.names_canary || d->act.number == 0);
	} else if (d->act.kind == ACT_ROUTE_HOME) {
		assert(after->route.weight == 0);
		assert(after->route.with_canary ==
		       (d->baseline->with_canary & after->route.with_canary));
	}
}

/* A StatefulSet cannot have more pods than its size. */
static void
check_held(const struct done *d, const struct pace *pace, const json_t *object)
{
	int size = jsonx_count(object, "spec.replicas", 1);
	int most = pace->ordinals && d->act.number > size ? size : d->act.number;

	assert(pace->ordinals == (d->app->kind == WORKLOAD_STATEFULSET));
	assert(pace_new(pace, size) == most);
}

static void
check_after(const struct done *d, const struct observed *after, const json_t *object)
{
	switch (d->act.kind) {
	case ACT_WEIGHT:
	case ACT_ROUTE_HOME:
	case ACT_NAME_STABLE:
		check_route_after(d, after, object);
		break;
	case ACT_POINT_SERVICE:
		/* Where both are there, and the selector tells them apart. */
		assert(!d->seen->route.fits || d->before->canary == NULL ||
		       after->preview == (d->act.number == 0 ? PREVIEW_STABLE : PREVIEW_CANARY));
		break;
	case ACT_SCALE_STABLE:
		assert(after->stable.replicas == d->act.number);
		break;
	case ACT_SCALE_CANARY:
	case ACT_CREATE_CANARY:
		assert(after->canary.replicas == d->act.number && after->canary.ours);
		break;
	case ACT_SET_IMAGE:
		assert(strcmp(after->stable.image, d->act.text) == 0);
		assert(!d->app->rolls || !pace_is_known(&d->baseline->pace) ||
		       pace_same(&after->stable.pace, &d->baseline->pace));
		break;
	case ACT_ROLL:
		assert(strcmp(after->stable.image, d->act.text) == 0);
		check_held(d, &after->stable.pace, object);
		break;
	case ACT_ADD_SUBSETS:
		assert(after->subsets.stable && after->subsets.canary);
		break;
	case ACT_CREATE_SERVICE:
		assert(after->canary_service && after->canary_service_ours);
		break;
	default:
		break;
	}
}

/* The same act again has nothing to do. */
static void
check_again(const struct done *d, json_t *object)
{
	struct observe_objects o = *d->before;
	struct observed after;
	struct act_plan plan;
	json_t **slot = subject_of(d, &o);

	if (slot == NULL)
		return;
	*slot = object;
	observe_look(d->app, "web:2", &o, d->act.kind == ACT_WEIGHT ? d->act.number : -1, &after);
	check_after(d, &after, object);
	act_plan(d->app, d->baseline, &d->act, &o, &plan);
	assert(!plan.send && plan.outcome == ACT_ALREADY);
	act_plan_done(&plan);
}

static bool
marked_ours(const json_t *object)
{
	return str_equal(jsonx_text(object, "metadata.labels.app\\.kubernetes\\.io/managed-by"),
		   "airisd") &&
	       str_equal(jsonx_text(object, "metadata.annotations.airis\\.io/app"), "shop");
}

static bool
selects_its_own(const json_t *deployment)
{
	return workload_selects(jsonx_at(deployment, "spec.selector.matchLabels"),
	    jsonx_at(deployment, "spec.template.metadata.labels"));
}

static void
check_new(const struct done *d)
{
	json_t *body = d->plan.body;

	assert(str_equal(jsonx_text(body, "metadata.name"), d->plan.name) && marked_ours(body));
	assert(str_equal(jsonx_text(body, "metadata.namespace"), d->app->namespace));
	/* No pod gets a second one. */
	if (d->act.kind == ACT_CREATE_BUDGET)
		assert(d->act.number == 0 ||
		       !budgets_selects(
			   body, jsonx_at(d->before->stable, "spec.template.metadata.labels")));
	if (d->act.kind == ACT_CREATE_CANARY) {
		const json_t *labels = jsonx_at(body, "spec.template.metadata.labels");

		assert(!selects_its_own(d->before->stable) || selects_its_own(body));
		assert(d->app->traffic.mode == TRAFFIC_SUBSET ||
		       d->before->canary_service != NULL ||
		       !workload_selects(jsonx_at(d->before->service, "spec.selector"), labels));
	}
	check_again(d, body);
}

static bool
is_wrong_and_unready(const struct done *d, const json_t *pod)
{
	const json_t *guard = json_object_get(d->plan.body, "preconditions");

	return str_equal(jsonx_text(pod, "metadata.name"), d->act.text) &&
	       !workload_pod_ready(pod) &&
	       !str_equal(jsonx_text(pod, "metadata.labels.controller-revision-hash"),
		   jsonx_text_or(d->before->stable, "status.updateRevision", "")) &&
	       str_equal(jsonx_text(guard, "uid"), jsonx_text_or(pod, "metadata.uid", "")) &&
	       str_equal(jsonx_text(guard, "resourceVersion"),
		   jsonx_text_or(pod, "metadata.resourceVersion", ""));
}

/* Only what blocks its own replacement, and just as it was seen. */
static void
check_pod(const struct done *d)
{
	const json_t *pod;
	bool found = false;
	size_t i;

	assert(d->plan.verb == ACT_DELETE && d->plan.kind == KUBE_PODS);
	assert(str_equal(jsonx_text(d->plan.body, "kind"), "DeleteOptions"));
	json_array_foreach(d->before->stable_pods, i, pod)
	{
		found |= is_wrong_and_unready(d, pod);
	}
	assert(found);
}

static const json_t *
scaler_of(const struct observe_objects *o)
{
	struct autoscaler found;

	autoscaler_find(o, &found);
	return found.object;
}

/* Written to who holds the bounds, never to an HPA of KEDA's; and once. */
static void
check_scaler(const struct done *d, json_t *object)
{
	struct observe_objects o = *d->before;
	struct act_plan plan;

	assert(d->plan.kind == KUBE_SCALEDOBJECTS || autoscaler_owner(object) == NULL);
	if (d->plan.kind == KUBE_SCALEDOBJECTS)
		o.scaled = json_pack("[O]", object);
	else
		o.hpas = json_pack("[O]", object);
	act_plan(d->app, d->baseline, &d->act, &o, &plan);
	assert(!plan.send && plan.outcome == ACT_ALREADY);
	act_plan_done(&plan);
	json_decref(d->plan.kind == KUBE_SCALEDOBJECTS ? o.scaled : o.hpas);
}

static void
check_sent(struct done *d)
{
	struct observe_objects o = *d->before;
	json_t **slot = subject_of(d, &o), *after;
	const json_t *object = slot != NULL ? *slot : scaler_of(&o);

	if (act_object(d->act.kind) == ON_BUDGET)
		object = budgets_ours(d->app, &o, d->act.number != 0);
	assert(d->plan.body != NULL);
	if (d->act.kind == ACT_DELETE_POD) {
		check_pod(d);
		return;
	}
	if (d->plan.verb == ACT_POST) {
		assert(object == NULL);
		check_new(d);
		return;
	}
	assert(object != NULL);
	if (d->plan.verb == ACT_DELETE) {
		assert(marked_ours(object));
		return;
	}
	check_patch(d, object);
	after = patch_apply(object, d->plan.body);
	if (after == NULL) {
		fprintf(stderr, "%s: %s\n", act_name(d->act.kind), jsonx_dump(d->plan.body));
		abort();
	}
	if (act_object(d->act.kind) == ON_HPA)
		check_scaler(d, after);
	check_again(d, after);
	json_decref(after);
}

/* Each mode has acts of its own. */
static bool
is_of_mode(const struct app *app, enum act_kind kind)
{
	bool host = app->traffic.mode == TRAFFIC_HOST;

	if (app->rolls)
		return kind == ACT_ROLL || kind == ACT_SET_IMAGE || kind == ACT_HPA_FLOOR ||
		       (kind == ACT_DELETE_POD && app->kind == WORKLOAD_STATEFULSET);
	if (kind == ACT_DELETE_POD)
		return false;
	if (kind == ACT_ROLL)
		return false;
	if (kind == ACT_CREATE_SERVICE || kind == ACT_DELETE_SERVICE)
		return host;
	if (kind == ACT_ADD_SUBSETS || kind == ACT_REMOVE_SUBSETS || kind == ACT_NAME_STABLE)
		return !host;
	if (app->colours && kind == ACT_ROUTE_HOME)
		return false; /* nothing is added to a Service */
	if (kind == ACT_POINT_SERVICE || kind == ACT_FOLLOW_HPA || kind == ACT_SCALE_STABLE)
		return app->colours;
	if (act_object(kind) == ON_BUDGET)
		return app->colours;
	return true;
}

static void
check_act(const struct app *app, const struct baseline *baseline, const struct observed *seen,
    const struct observe_objects *objects, struct act act)
{
	struct done d = {
	    .app = app, .baseline = baseline, .seen = seen, .act = act, .before = objects};

	if (!is_of_mode(app, act.kind))
		return;
	/* An autoscaler is found by what it scales. */
	if (act.kind == ACT_FOLLOW_HPA &&
	    jsonx_text(scaler_of(objects), "spec.scaleTargetRef.name") == NULL)
		return;
	act_plan(app, baseline, &act, objects, &d.plan);
	check_text(d.plan.text);
	if (d.plan.send)
		check_sent(&d);
	else
		assert(d.plan.body == NULL);
	act_plan_done(&d.plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct app *app;
	struct observe_objects objects;
	struct observed seen;
	struct baseline baseline;
	json_t *root;

	if (size < 3)
		return 0;
	root = jsonx_parse((const char *)data + 2, size - 2, size, NULL);
	if (root == NULL)
		return 0;
	app = apps[data[0] % APPS];
	objects_take(root, &objects);
	memset(&seen, 7, sizeof(seen));
	observe_look(app, "web:2", &objects, data[1] % 2 ? data[1] % 101 : -1, &seen);
	check_side(&seen.stable);
	check_side(&seen.canary);
	check_route(&seen.route);
	check_text(seen.preflight);
	check_text(seen.subsets.why_not);
	check_baseline(&seen, &baseline);
	for (int kind = ACT_NONE + 1; kind < ACT_KINDS; kind++) {
		struct act act = {.kind = (enum act_kind)kind, .number = data[1] % 101};

		if (act.kind == ACT_ROLL && act.number == 0)
			act.number = 1;
		if (act.kind == ACT_HPA_FLOOR && act.number == 100 && seen.hpa.keda)
			act.number = ACT_AS_IT_WAS;
		str_copy(act.text, sizeof(act.text),
		    act.kind == ACT_DELETE_POD ? seen.stable.stuck : "web:2");
		check_act(app, &baseline, &seen, &objects, act);
	}
	observe_done(&objects);
	json_decref(root);
	return 0;
}
