/* Cloning. What is left out is what the API server writes, what belongs to one object only, and
 * the marks of the tools that own the original: a clone that carried those would be pruned or
 * reverted by them. */
#include "cluster/clone.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/workload.h"

/* --- metadata --- */

static bool
is_foreign_mark(const char *key)
{
	static const char *const prefixes[] = {"deployment.kubernetes.io/",
	    "kubectl.kubernetes.io/last-applied", "argocd.argoproj.io/", "meta.helm.sh/",
	    "helm.sh/", "helm.toolkit.fluxcd.io/", "kustomize.toolkit.fluxcd.io/",
	    "objectset.rio.cattle.io/", "app.kubernetes.io/instance"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (str_starts(key, prefixes[i]))
			return true;
	return false;
}

static void
copy_unmarked(json_t *to, const json_t *from)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)from, key, value)
	{
		if (!is_foreign_mark(key))
			json_object_set_new(to, key, json_deep_copy(value));
	}
}

json_t *
clone_metadata(const struct app *app, const char *name)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "name", name, "namespace", app->namespace,
	    "labels", WORKLOAD_MANAGED_BY, WORKLOAD_MANAGER, "annotations", WORKLOAD_APP,
	    app->name);
}

static json_t *
metadata_of(const struct app *app, const char *name, const json_t *original, bool annotations)
{
	json_t *metadata = clone_metadata(app, name);
	json_t *labels = json_object(), *notes = json_object();

	copy_unmarked(labels, jsonx_at(original, "metadata.labels"));
	if (annotations)
		copy_unmarked(notes, jsonx_at(original, "metadata.annotations"));
	json_object_update(labels, json_object_get(metadata, "labels"));
	json_object_update(notes, json_object_get(metadata, "annotations"));
	json_object_set_new(metadata, "labels", labels);
	json_object_set_new(metadata, "annotations", notes);
	return metadata;
}

static int
check_name(const char *kind, const char *name, struct err *e)
{
	size_t length = strlen(name);

	if (length <= CLONE_NAME_MAX)
		return 0;
	return err_set(e,
	    "the canary's %s would be named %s: %zu characters, at most %d are allowed", kind, name,
	    length, CLONE_NAME_MAX);
}

/* --- labels --- */

const char *
clone_telling_label(const json_t *selector)
{
	const char *key, *first = NULL;
	json_t *value;

	if (json_object_get(selector, "app") != NULL)
		return "app";
	if (json_object_get(selector, "app.kubernetes.io/name") != NULL)
		return "app.kubernetes.io/name";
	json_object_foreach((json_t *)selector, key, value)
	{
		if (first == NULL || strcmp(key, first) < 0)
			first = key;
	}
	return first;
}

json_t *
clone_host_labels(const json_t *service, const json_t *theirs, struct err *e)
{
	const json_t *selector = jsonx_at(service, "spec.selector");
	const json_t *given = jsonx_at(theirs, "spec.selector");
	const char *name = jsonx_text_or(service, "metadata.name", "?");
	const char *key = clone_telling_label(selector), *value;
	json_t *labels;
	char *changed;

	if (key == NULL) {
		err_set(e, "Service %s has no selector, so it has no pods to tell apart", name);
		return NULL;
	}
	if (theirs != NULL && json_object_size(given) > 0)
		return json_deep_copy(given);
	value = json_string_value(json_object_get(selector, key));
	changed = str_format("%s-canary", value != NULL ? value : "");
	if (strlen(changed) > CLONE_NAME_MAX) {
		err_set(e,
		    "Service %s selects %s=%s: with -canary at its end that label is longer than "
		    "%d",
		    name, key, value, CLONE_NAME_MAX);
		free(changed);
		return NULL;
	}
	labels = json_pack("{s:s}", key, changed);
	free(changed);
	return labels;
}

/* With the mark of the side, if they do not say that themselves. */
static void
add_labels(json_t *to, const json_t *labels)
{
	json_object_set_new(to, CLONE_SIDE, json_string("canary"));
	json_object_update(to, (json_t *)labels);
}

json_t *
clone_pod_labels(const json_t *stable, const json_t *labels)
{
	json_t *all = json_deep_copy(jsonx_at(stable, "spec.template.metadata.labels"));

	if (all == NULL)
		all = json_object();
	add_labels(all, labels);
	return all;
}

/* Expressions on a changed label would not match any more; the label itself is in matchLabels. */
static json_t *
selector_of(const json_t *stable, const json_t *labels)
{
	json_t *selector = json_deep_copy(jsonx_at(stable, "spec.selector"));
	json_t *match, *expressions;

	if (selector == NULL)
		selector = json_object();
	match = json_object_get(selector, "matchLabels");
	if (match == NULL) {
		match = json_object();
		json_object_set_new(selector, "matchLabels", match);
	}
	add_labels(match, labels);
	expressions = json_object_get(selector, "matchExpressions");
	for (size_t i = json_array_size(expressions); i-- > 0;) {
		const char *key = jsonx_text_or(json_array_get(expressions, i), "key", "");

		if (json_object_get(match, key) != NULL)
			json_array_remove(expressions, i);
	}
	if (json_array_size(expressions) == 0)
		json_object_del(selector, "matchExpressions");
	return selector;
}

/* --- objects --- */

json_t *
clone_deployment(const struct app *app, const json_t *stable, const json_t *labels,
    const char *image, int replicas, struct err *e)
{
	int at = workload_container(jsonx_at(stable, "spec.template.spec"), app->container);
	json_t *spec, *template, *container;

	if (check_name("Deployment", app->canary, e) < 0)
		return NULL;
	if (at < 0) {
		err_set(e, "Deployment %s has no container %s", app->workload, app->container);
		return NULL;
	}
	spec = json_deep_copy(json_object_get(stable, "spec"));
	json_object_del(spec, "paused");
	json_object_set_new(spec, "replicas", json_integer(replicas));
	json_object_set_new(spec, "selector", selector_of(stable, labels));
	template = json_object_get(spec, "template");
	container = json_array_get(jsonx_at(template, "spec.containers"), (size_t)at);
	json_object_set_new(container, "image", json_string(image));
	if (json_object_get(template, "metadata") == NULL)
		json_object_set_new(template, "metadata", json_object());
	json_object_set_new(
	    json_object_get(template, "metadata"), "labels", clone_pod_labels(stable, labels));
	return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "apps/v1", "kind", "Deployment",
	    "metadata", metadata_of(app, app->canary, stable, true), "spec", spec);
}

static json_t *
ports_of(const json_t *service)
{
	json_t *ports = json_deep_copy(jsonx_at(service, "spec.ports")), *port;
	size_t i;

	json_array_foreach(ports, i, port) json_object_del(port, "nodePort");
	return ports != NULL ? ports : json_array();
}

/* Annotations stay behind: they register names, load balancers and the like for the one Service. */
json_t *
clone_service(const struct app *app, const json_t *service, const json_t *labels, struct err *e)
{
	static const char *const kept[] = {"sessionAffinity", "sessionAffinityConfig", "ipFamilies",
	    "ipFamilyPolicy", "internalTrafficPolicy", "trafficDistribution",
	    "publishNotReadyAddresses"};
	const char *name = app->traffic.canary_service;
	json_t *spec, *selector;

	if (check_name("Service", name, e) < 0)
		return NULL;
	spec = json_pack("{s:s, s:o}", "type", "ClusterIP", "ports", ports_of(service));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const json_t *value = json_object_get(json_object_get(service, "spec"), kept[i]);

		if (value != NULL)
			json_object_set_new(spec, kept[i], json_deep_copy(value));
	}
	if (str_equal(jsonx_text(service, "spec.clusterIP"), "None"))
		json_object_set_new(spec, "clusterIP", json_string("None"));
	selector = json_deep_copy(jsonx_at(service, "spec.selector"));
	json_object_update(selector, (json_t *)labels);
	json_object_set_new(spec, "selector", selector);
	return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "v1", "kind", "Service", "metadata",
	    metadata_of(app, name, service, false), "spec", spec);
}
