/* Subsets. A subset of Istio is a set of labels under a name; what is decisive is that the stable
 * one chooses every stable pod and no canary pod, whoever wrote it. */
#include "cluster/istio_rule.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/clone.h"
#include "cluster/route.h"
#include "cluster/workload.h"

static int
find_subset(const json_t *rule, const char *name)
{
	const json_t *subset;
	size_t i;

	json_array_foreach(jsonx_at(rule, "spec.subsets"), i, subset)
	{
		if (str_equal(jsonx_text(subset, "name"), name))
			return (int)i;
	}
	return -1;
}

bool
istio_rule_has(const json_t *rule, const char *subset)
{
	return find_subset(rule, subset) >= 0;
}

static const json_t *
labels_of(const json_t *rule, const char *name)
{
	int i = find_subset(rule, name);

	if (i < 0)
		return NULL;
	return json_object_get(json_array_get(jsonx_at(rule, "spec.subsets"), (size_t)i), "labels");
}

/* --- labels --- */

static int
new_labels(const struct app *app, const json_t *stable, json_t **stable_labels,
    json_t **canary_labels, struct err *e)
{
	const char *key = app->traffic.label;
	const char *value = json_string_value(
	    json_object_get(jsonx_at(stable, "spec.template.metadata.labels"), key));

	if (value == NULL)
		return err_set(e,
		    "the pods of Deployment %s have no label %s to tell the sides apart: add %s: "
		    "stable to its pod template, or set traffic.istio.label",
		    app->workload, key, key);
	*stable_labels = json_pack("{s:s}", key, value);
	*canary_labels =
	    json_pack("{s:s}", key, strcmp(value, "canary") == 0 ? "canary-canary" : "canary");
	return 0;
}

int
istio_rule_labels(const struct app *app, const json_t *rule, const json_t *stable,
    json_t **stable_labels, json_t **canary_labels, struct err *e)
{
	const json_t *theirs = labels_of(rule, app->traffic.stable_subset);
	const json_t *trial = labels_of(rule, app->traffic.canary_subset);
	json_t *new_stable = NULL, *new_canary = NULL;

	if ((theirs == NULL || trial == NULL) &&
	    new_labels(app, stable, &new_stable, &new_canary, e) < 0)
		return -1;
	*stable_labels = theirs != NULL ? json_deep_copy(theirs) : json_incref(new_stable);
	*canary_labels = trial != NULL ? json_deep_copy(trial) : json_incref(new_canary);
	json_decref(new_stable);
	json_decref(new_canary);
	return 0;
}

/* --- looking --- */

static int
check_pods(const struct app *app, const json_t *labels, const json_t *pods, struct err *e)
{
	const json_t *pod;
	int astray = 0;
	size_t i;

	json_array_foreach(pods, i, pod)
	{
		if (workload_pod_ready(pod) &&
		    !workload_selects(labels, jsonx_at(pod, "metadata.labels")))
			astray++;
	}
	if (astray == 0)
		return 0;
	return err_set(e,
	    "%d pods of Deployment %s are not in subset %s: their labels differ from it", astray,
	    app->workload, app->traffic.stable_subset);
}

static int
check_sides(const struct app *app, const json_t *stable, const json_t *canary,
    const json_t *stable_labels, const json_t *canary_labels, struct err *e)
{
	const json_t *pods = jsonx_at(stable, "spec.template.metadata.labels");
	json_t *trial = canary != NULL
			    ? json_incref(jsonx_at(canary, "spec.template.metadata.labels"))
			    : clone_pod_labels(stable, canary_labels);
	int result = 0;

	if (!workload_selects(stable_labels, pods))
		result = err_set(e,
		    "subset %s of DestinationRule %s does not select the pods of Deployment %s: "
		    "make "
		    "their labels agree",
		    app->traffic.stable_subset, app->traffic.destination_rule, app->workload);
	else if (workload_selects(stable_labels, trial))
		result = err_set(e,
		    "subset %s of DestinationRule %s would select the canary's pods too: set "
		    "traffic.istio.label to a label that this subset has",
		    app->traffic.stable_subset, app->traffic.destination_rule);
	json_decref(trial);
	return result;
}

static int
check_rule(const struct app *app, const json_t *rule, const json_t *stable, const json_t *canary,
    const json_t *pods, struct err *e)
{
	const char *host = jsonx_text(rule, "spec.host");
	json_t *stable_labels = NULL, *canary_labels = NULL;
	int result;

	if (rule != NULL && !route_is_host(host, app->traffic.service, app->namespace))
		return err_set(e, "DestinationRule %s is for host %s, not for %s",
		    app->traffic.destination_rule, host != NULL ? host : "?", app->traffic.service);
	result = istio_rule_labels(app, rule, stable, &stable_labels, &canary_labels, e);
	if (result == 0)
		result = check_sides(app, stable, canary, stable_labels, canary_labels, e);
	if (result == 0)
		result = check_pods(app, stable_labels, pods, e);
	json_decref(stable_labels);
	json_decref(canary_labels);
	return result;
}

void
istio_rule_look(const struct app *app, const json_t *rule, const json_t *stable,
    const json_t *canary, const json_t *pods, struct subsets_seen *seen)
{
	struct err e = {""};

	if (app->traffic.mode != TRAFFIC_SUBSET)
		return;
	seen->exists = rule != NULL;
	seen->ours = rule != NULL && workload_is_ours(rule, app->name);
	seen->stable = istio_rule_has(rule, app->traffic.stable_subset);
	seen->canary = istio_rule_has(rule, app->traffic.canary_subset);
	str_copy(seen->resource_version, sizeof(seen->resource_version),
	    jsonx_text_or(rule, "metadata.resourceVersion", ""));
	if (stable == NULL)
		return;
	seen->stable_fits = check_rule(app, rule, stable, canary, pods, &e) == 0;
	if (!seen->stable_fits)
		str_copy(seen->why_not, sizeof(seen->why_not), e.text);
}

/* --- writing --- */

static json_t *
subset_of(const char *name, const json_t *labels)
{
	return json_pack("{s:s, s:O}", "name", name, "labels", (json_t *)labels);
}

json_t *
istio_rule_new(const struct app *app, const json_t *stable, const char *api_version, struct err *e)
{
	json_t *stable_labels, *canary_labels, *rule;

	if (istio_rule_labels(app, NULL, stable, &stable_labels, &canary_labels, e) < 0)
		return NULL;
	rule = json_pack("{s:s, s:s, s:o, s:{s:s, s:[o, o]}}", "apiVersion",
	    api_version != NULL ? api_version : "networking.istio.io/v1", "kind", "DestinationRule",
	    "metadata", clone_metadata(app, app->traffic.destination_rule), "spec", "host",
	    app->traffic.service, "subsets", subset_of(app->traffic.stable_subset, stable_labels),
	    subset_of(app->traffic.canary_subset, canary_labels));
	json_decref(stable_labels);
	json_decref(canary_labels);
	return rule;
}

json_t *
istio_rule_add_patch(const struct app *app, const json_t *rule, const json_t *stable, struct err *e)
{
	bool has_list = json_is_array(jsonx_at(rule, "spec.subsets"));
	json_t *patch, *labels[2];
	const char *names[2] = {app->traffic.stable_subset, app->traffic.canary_subset};

	if (istio_rule_labels(app, rule, stable, &labels[0], &labels[1], e) < 0)
		return NULL;
	patch = route_patch_of(rule);
	for (int i = 0; i < 2; i++) {
		if (!istio_rule_has(rule, names[i])) {
			if (!has_list)
				route_patch_add(patch, "add", "/spec/subsets", json_array());
			has_list = true;
			route_patch_add(
			    patch, "add", "/spec/subsets/-", subset_of(names[i], labels[i]));
		}
		json_decref(labels[i]);
	}
	return route_patch_end(patch);
}

/* From the last to the first, so that the indexes stay true. A list that was not there before goes
 * with its last subset. */
json_t *
istio_rule_remove_patch(const struct app *app, const json_t *rule, const struct baseline *baseline)
{
	const json_t *subsets = jsonx_at(rule, "spec.subsets");
	size_t left = json_array_size(subsets);
	json_t *patch = route_patch_of(rule);

	for (size_t i = left; i-- > 0;) {
		const char *name = jsonx_text_or(json_array_get(subsets, i), "name", "");
		bool ours =
		    (!baseline->had_stable_subset &&
			strcmp(name, app->traffic.stable_subset) == 0) ||
		    (!baseline->had_canary_subset && strcmp(name, app->traffic.canary_subset) == 0);
		char *path;

		if (!ours)
			continue;
		path = str_format("/spec/subsets/%zu", i);
		route_patch_add(patch, "remove", path, NULL);
		free(path);
		left--;
	}
	if (left == 0 && json_array_size(patch) > 1)
		route_patch_add(patch, "remove", "/spec/subsets", NULL);
	return route_patch_end(patch);
}
