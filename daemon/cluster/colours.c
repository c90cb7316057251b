/* Colours. Nothing is guessed: a selector that chooses both colours or none is refused, and a pod
 * counts for a side only if the side's whole selector chooses it. */
#include "cluster/colours.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/clone.h"
#include "cluster/observe_fields.h"
#include "cluster/route.h"
#include "cluster/workload.h"

static const json_t *
selector_of(const json_t *service)
{
	return jsonx_at(service, "spec.selector");
}

static const json_t *
labels_of(const json_t *deployment)
{
	return jsonx_at(deployment, "spec.template.metadata.labels");
}

static bool
selector_is_second(const json_t *service, const json_t *first, const json_t *second)
{
	return workload_selects(selector_of(service), labels_of(second)) &&
	       !workload_selects(selector_of(service), labels_of(first));
}

/* With these sides: is the stable one all that has weight? */
static bool
stable_has_all(const struct app *app, const json_t *route)
{
	struct route_seen seen = {.exists = false};

	route_look(app, route, -1, &seen);
	return seen.fits && seen.even && seen.weight == 0;
}

/* One that is neither's is refused before a start; until then it counts as the first's. */
static bool
weights_are_second(const struct app *app, const char *first, const json_t *route)
{
	struct app turned = *app;

	app_take_sides(&turned, app->pair.second, first);
	return !stable_has_all(app, route) && stable_has_all(&turned, route);
}

void
colours_take_sides(struct app *app, const json_t *route,
    const json_t *(*get)(void *ctx, const char *name), void *ctx)
{
	const char *second = app->pair.second;
	bool adopted = !app->pair.named && get(ctx, app->workload) != NULL;
	char first[APP_NAME];
	bool turned;

	str_copy(first, sizeof(first), adopted ? app->workload : app->pair.first);
	turned = app->traffic.kind == TRAFFIC_SERVICE
		     ? selector_is_second(route, get(ctx, first), get(ctx, second))
		     : weights_are_second(app, first, route);
	app_take_sides(app, turned ? second : first, turned ? first : second);
}

/* --- labels --- */

/* The label whose value tells the colours apart, if one is to be cloned from the other. */
static const char *
telling_key(const struct app *app, const json_t *selector, struct err *e)
{
	const char *key = app->pair.label, *telling = clone_telling_label(selector);

	if (telling == NULL) {
		err_set(e, "Service %s has no selector, so there is nothing to switch",
		    app->traffic.service);
		return NULL;
	}
	if (key[0] == '\0')
		return telling;
	if (json_object_get(selector, key) != NULL)
		return key;
	err_set(e,
	    "Service %s does not select by label %s, which is to tell the colours apart: add %s to "
	    "its selector, or give another strategy.blueGreen.label",
	    app->traffic.service, key, key);
	return NULL;
}

/* "blue" and "green" are each other's; of another value the colour is at the end. */
static char *
other_value(const char *value, bool second)
{
	const char *to = second ? "green" : "blue", *from = second ? "blue" : "green";
	char *end = str_format("-%s", from), *changed;
	bool ends = str_ends(value, end);

	if (strcmp(value, from) == 0)
		changed = mem_strdup(to);
	else
		changed = str_format(
		    "%.*s-%s", (int)(strlen(value) - (ends ? strlen(end) : 0)), value, to);
	free(end);
	return changed;
}

json_t *
colours_labels(const struct app *app, const struct observe_objects *objects, struct err *e)
{
	const json_t *selector = selector_of(objects->service), *theirs = objects->canary_service;
	bool second = strcmp(app->canary, app->pair.second) == 0;
	const char *key = telling_key(app, selector, e);
	const char *value;
	json_t *labels = NULL;
	char *changed;

	if (key == NULL)
		return NULL;
	value = json_string_value(json_object_get(selector, key));
	changed = other_value(value != NULL ? value : "", second);
	/* By weights that Service stays, whoever made it. */
	bool given = theirs != NULL &&
		     (app->traffic.kind != TRAFFIC_SERVICE || !workload_is_ours(theirs, app->name));
	if (given && json_object_size(selector_of(theirs)) == 0)
		err_set(e, "Service %s has no selector that could choose the idle colour",
		    app->traffic.canary_service);
	else if (given)
		labels = json_deep_copy(selector_of(theirs));
	else if (strlen(changed) <= CLONE_NAME_MAX)
		labels = json_pack("{s:s}", key, changed);
	else
		err_set(e, "label %s=%s would be longer than %d characters", key, changed,
		    CLONE_NAME_MAX);
	if (labels != NULL)
		json_object_set_new(labels, CLONE_SIDE, json_string(second ? "green" : "blue"));
	free(changed);
	return labels;
}

/* --- selectors --- */

static json_t *
select_by(const struct app *app, const json_t *selector, const json_t *labels, const char *name,
    struct err *e)
{
	json_t *made = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)selector, key, value)
	{
		json_t *label = json_object_get(labels, key);

		if (label == NULL) {
			json_decref(made);
			err_set(e,
			    "the pods of Deployment %s have no label %s, by which Service %s "
			    "selects: add it to its pod template",
			    name, key, app->traffic.service);
			return NULL;
		}
		json_object_set(made, key, label);
	}
	return made;
}

/* Of a colour that is not there yet: that of its clone. */
static json_t *
selector_of_clone(const struct app *app, const struct observe_objects *objects, struct err *e)
{
	json_t *labels = colours_labels(app, objects, e), *pods, *made;

	if (labels == NULL)
		return NULL;
	pods = clone_pod_labels(objects->stable, labels);
	made = select_by(app, selector_of(objects->service), pods, app->canary, e);
	json_decref(pods);
	json_decref(labels);
	return made;
}

json_t *
colours_selector(
    const struct app *app, const struct observe_objects *objects, bool canary, struct err *e)
{
	const json_t *deployment = canary ? objects->canary : objects->stable;

	if (canary && deployment == NULL)
		return selector_of_clone(app, objects, e);
	return select_by(app, selector_of(objects->service), labels_of(deployment),
	    canary ? app->canary : app->workload, e);
}

/* Between two Services that weights choose from. */
static int
check_pair(const struct app *app, const struct observe_objects *objects, const json_t *theirs,
    const json_t *pods, struct err *e)
{
	const struct traffic_spec *traffic = &app->traffic;

	if (workload_selects(selector_of(objects->service), pods))
		return err_set(e,
		    "Service %s would select the pods of Deployment %s too: add a label to its "
		    "selector that tells the colours apart",
		    traffic->service, app->canary);
	if (!workload_selects(theirs, pods))
		return err_set(e, "Service %s does not select the pods of Deployment %s",
		    traffic->canary_service, app->canary);
	if (workload_selects(theirs, labels_of(objects->stable)))
		return err_set(e,
		    "Service %s selects the pods of Deployment %s too: add a label to its "
		    "selector that tells the colours apart",
		    traffic->canary_service, app->workload);
	return 0;
}

int
colours_check_services(const struct app *app, const struct observe_objects *objects, struct err *e)
{
	json_t *theirs = json_incref((json_t *)selector_of(objects->canary_service));
	json_t *pods = json_incref((json_t *)labels_of(objects->canary)), *labels = NULL;
	int result = -1;

	if (objects->canary == NULL) {
		labels = colours_labels(app, objects, e);
		if (labels == NULL)
			goto out;
		pods = clone_pod_labels(objects->stable, labels);
	}
	if (objects->canary_service == NULL) {
		theirs = colours_selector(app, objects, true, e);
		if (theirs == NULL)
			goto out;
	}
	result = check_pair(app, objects, theirs, pods, e);
out:
	json_decref(labels);
	json_decref(pods);
	json_decref(theirs);
	return result;
}

/* --- looking --- */

static int
weigh(const struct app *app, const struct observe_objects *objects, int *weight, struct err *e)
{
	const json_t *now = selector_of(objects->service);
	json_t *stable = colours_selector(app, objects, false, e), *canary = NULL;
	int result = -1;

	if (stable != NULL)
		canary = colours_selector(app, objects, true, e);
	*weight = canary != NULL && json_equal(now, canary) ? 100 : 0;
	if (canary == NULL)
		;
	else if (json_equal(stable, canary))
		err_set(e,
		    "Service %s selects the pods of Deployments %s and %s alike: add a label to "
		    "its selector that tells them apart",
		    app->traffic.service, app->workload, app->canary);
	else if (*weight == 0 && !json_equal(now, stable))
		err_set(e,
		    "Service %s selects the pods of neither Deployment %s nor %s: mend its "
		    "selector",
		    app->traffic.service, app->workload, app->canary);
	else
		result = 0;
	json_decref(stable);
	json_decref(canary);
	return result;
}

static bool
is_of(const json_t *pods, const char *uid)
{
	const json_t *pod;
	size_t i;

	json_array_foreach(pods, i, pod)
	{
		if (str_equal(jsonx_text(pod, "metadata.uid"), uid))
			return true;
	}
	return false;
}

/* The endpoints have followed the selector: none of the other side's is left, and there is one, if
 * a pod is ready. */
static void
look_endpoints(
    const struct app *app, const struct observe_objects *objects, struct route_seen *seen)
{
	bool canary = seen->weight > 0;
	struct map *now = workload_endpoints(objects->slices);
	struct map *ready = colours_endpoints(app, objects, canary);
	const json_t *others = canary ? objects->stable_pods : objects->canary_pods;
	const char *uid;
	size_t cursor = 0;
	int astray = 0, right = 0;

	while (map_next(now, &cursor, &uid, NULL)) {
		astray += is_of(others, uid);
		right += map_get(ready, uid) != NULL;
	}
	seen->accepted = astray == 0 && (right > 0 || map_count(ready) == 0);
	if (!seen->accepted)
		str_print(seen->unaccepted, sizeof(seen->unaccepted),
		    "its endpoints are not those of its selector yet: %d of the other colour, %d "
		    "of "
		    "%zu ready ones of its own",
		    astray, right, map_count(ready));
	map_free(now, NULL);
	map_free(ready, NULL);
}

void
colours_look(const struct app *app, const struct observe_objects *objects, struct route_seen *seen)
{
	static const char *const field[] = {"f:spec", "f:selector", NULL};
	const json_t *service = objects->service;
	struct err e = {""};

	if (service == NULL)
		return;
	seen->exists = true;
	str_copy(seen->resource_version, sizeof(seen->resource_version),
	    jsonx_text_or(service, "metadata.resourceVersion", ""));
	observe_editor(
	    service, field, seen->edited_by, sizeof(seen->edited_by), &seen->edited_at_ms);
	seen->fits = weigh(app, objects, &seen->weight, &e) == 0;
	seen->even = seen->names_canary = seen->fits;
	if (!seen->fits)
		seen->weight = 0;
	str_copy(seen->why_not, sizeof(seen->why_not), seen->fits ? "" : e.text);
	look_endpoints(app, objects, seen);
}

enum preview_seen
colours_preview(const struct app *app, const struct observe_objects *objects)
{
	const json_t *now = selector_of(objects->canary_service);
	enum preview_seen seen = PREVIEW_OTHER;

	for (int i = 0; now != NULL && i < 2; i++) {
		json_t *selector = colours_selector(app, objects, i == 1, NULL);

		if (selector != NULL && json_equal(now, selector))
			seen = i == 1 ? PREVIEW_CANARY : PREVIEW_STABLE;
		json_decref(selector);
	}
	return seen;
}

struct map *
colours_endpoints(const struct app *app, const struct observe_objects *objects, bool canary)
{
	static int there;
	const json_t *pods = canary ? objects->canary_pods : objects->stable_pods, *pod;
	json_t *selector = colours_selector(app, objects, canary, NULL);
	struct map *uids = map_new();
	size_t i;

	json_array_foreach(pods, i, pod)
	{
		const char *uid = jsonx_text(pod, "metadata.uid");

		if (uid != NULL && workload_pod_ready(pod) &&
		    workload_selects(selector, jsonx_at(pod, "metadata.labels")))
			map_set(uids, uid, &there);
	}
	json_decref(selector);
	return uids;
}

/* --- writing --- */

/* As a JSON Pointer has it: a label's key may have a slash. */
static char *
selector_path(const char *key)
{
	struct str path;

	str_init(&path, 0);
	str_add(&path, "/spec/selector/");
	for (; *key != '\0'; key++) {
		if (*key == '/')
			str_add(&path, "~1");
		else
			str_addf(&path, "%c", *key);
	}
	return str_take(&path);
}

/* Somebody may have edited a preview of ours. */
static bool
same_keys(const json_t *now, const json_t *wanted)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)wanted, key, value)
	{
		if (json_object_get(now, key) == NULL)
			return false;
	}
	return json_object_size(now) == json_object_size(wanted);
}

/* Only what differs is written. */
json_t *
colours_select_patch(const struct app *app, const struct observe_objects *objects,
    const json_t *service, bool canary, struct err *e)
{
	json_t *wanted = colours_selector(app, objects, canary, e), *patch, *value;
	const char *key;

	if (wanted == NULL)
		return NULL;
	patch = route_patch_of(service);
	if (!same_keys(selector_of(service), wanted)) {
		route_patch_add(patch, "add", "/spec/selector", wanted);
		return route_patch_end(patch);
	}
	json_object_foreach(wanted, key, value)
	{
		char *path;

		if (json_equal(value, json_object_get(selector_of(service), key)))
			continue;
		path = selector_path(key);
		route_patch_add(patch, "add", path, json_incref(value));
		free(path);
	}
	json_decref(wanted);
	return route_patch_end(patch);
}
