/* Budgets of two colours. A pod's labels are those of its Deployment's template; of a colour that
 * is not there yet, those that its clone would have. */
#include "cluster/budgets.h"

#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/clone.h"
#include "cluster/colours.h"
#include "cluster/workload.h"

/* --- selectors --- */

static bool
is_among(const json_t *values, const char *label)
{
	const json_t *value;
	size_t i;

	json_array_foreach(values, i, value)
	{
		if (str_equal(json_string_value(value), label))
			return true;
	}
	return false;
}

static bool
holds(const json_t *expression, const json_t *labels)
{
	const char *how = jsonx_text_or(expression, "operator", "");
	const char *key = jsonx_text_or(expression, "key", "");
	const char *label = json_string_value(json_object_get(labels, key));
	bool among = label != NULL && is_among(json_object_get(expression, "values"), label);

	if (strcmp(how, "In") == 0)
		return among;
	if (strcmp(how, "NotIn") == 0)
		return !among;
	if (strcmp(how, "Exists") == 0)
		return label != NULL;
	return strcmp(how, "DoesNotExist") == 0 && label == NULL;
}

bool
budgets_selects(const json_t *budget, const json_t *labels)
{
	const json_t *selector = jsonx_at(budget, "spec.selector"), *expression;
	const json_t *match = json_object_get(selector, "matchLabels");
	size_t i;

	if (!json_is_object(selector) || !json_is_object(labels) ||
	    (json_object_size(match) > 0 && !workload_selects(match, labels)))
		return false;
	json_array_foreach(json_object_get(selector, "matchExpressions"), i, expression)
	{
		if (!holds(expression, labels))
			return false;
	}
	return true;
}

/* --- sides --- */

/* A new reference; NULL: nobody knows. */
static json_t *
labels_of(const struct app *app, const struct observe_objects *objects, bool canary)
{
	const json_t *deployment = canary ? objects->canary : objects->stable;
	json_t *labels, *pods;

	if (deployment != NULL)
		return json_incref(jsonx_at(deployment, "spec.template.metadata.labels"));
	labels = canary ? colours_labels(app, objects, NULL) : NULL;
	if (labels == NULL)
		return NULL;
	pods = clone_pod_labels(objects->stable, labels);
	json_decref(labels);
	return pods;
}

static const char *
name_of(const struct app *app, bool canary)
{
	return canary ? app->canary : app->workload;
}

static bool
is_going(const json_t *budget)
{
	return jsonx_at(budget, "metadata.deletionTimestamp") != NULL;
}

static const json_t *
named(const struct app *app, const struct observe_objects *objects, bool canary)
{
	const json_t *budget;
	size_t i;

	json_array_foreach(objects->budgets, i, budget)
	{
		if (str_equal(jsonx_text(budget, "metadata.name"), name_of(app, canary)))
			return budget;
	}
	return NULL;
}

const json_t *
budgets_ours(const struct app *app, const struct observe_objects *objects, bool canary)
{
	const json_t *budget = named(app, objects, canary);

	return budget != NULL && workload_is_ours(budget, app->name) ? budget : NULL;
}

/* Somebody else's that chooses that side's pods. */
static bool
is_guarded(const struct app *app, const struct observe_objects *objects, const json_t *labels)
{
	const json_t *budget;
	size_t i;

	json_array_foreach(objects->budgets, i, budget)
	{
		if (!workload_is_ours(budget, app->name) && !is_going(budget) &&
		    budgets_selects(budget, labels))
			return true;
	}
	return false;
}

void
budgets_look(
    const struct app *app, const struct observe_objects *objects, struct budgets_seen *seen)
{
	json_t *stable, *canary;

	*seen = (struct budgets_seen){false};
	if (!app->colours || json_array_size(objects->budgets) == 0)
		return;
	stable = labels_of(app, objects, false);
	canary = labels_of(app, objects, true);
	seen->stable = is_guarded(app, objects, stable);
	seen->canary = is_guarded(app, objects, canary);
	seen->stable_ours = budgets_ours(app, objects, false) != NULL;
	seen->canary_ours = budgets_ours(app, objects, true) != NULL;
	json_decref(stable);
	json_decref(canary);
}

/* --- cloning --- */

/* The value of this side's pods; false: they have none. */
static bool
ask_for(json_t *match, const json_t *labels, const char *key)
{
	json_t *label = json_object_get(labels, key);

	return json_is_string(label) && json_object_set(match, key, label) == 0;
}

/* Where this side's pods have another value, that one is asked for. NULL: the label, in key. */
static json_t *
selector_for(const json_t *budget, const json_t *labels, const char **key)
{
	const json_t *old = jsonx_at(budget, "spec.selector"), *expression, *value;
	json_t *match = json_object(), *expressions = json_array();
	bool all = true;
	size_t i;

	json_object_foreach(json_object_get(old, "matchLabels"), *key, value)
	{
		all = ask_for(match, labels, *key);
		if (!all)
			break;
	}
	json_array_foreach(json_object_get(old, "matchExpressions"), i, expression)
	{
		if (!all)
			break;
		*key = jsonx_text_or(expression, "key", "");
		if (holds(expression, labels))
			json_array_append_new(expressions, json_deep_copy(expression));
		else
			all = ask_for(match, labels, *key);
	}
	if (all)
		return json_pack(
		    "{s:o, s:o}", "matchLabels", match, "matchExpressions", expressions);
	json_decref(match);
	json_decref(expressions);
	return NULL;
}

static json_t *
body_of(const struct app *app, const char *name, const json_t *budget, json_t *selector)
{
	static const char *const kept[] = {
	    "minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy"};
	json_t *spec = json_pack("{s:o}", "selector", selector);

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const json_t *value = json_object_get(json_object_get(budget, "spec"), kept[i]);

		if (value != NULL)
			json_object_set_new(spec, kept[i], json_deep_copy(value));
	}
	return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "policy/v1", "kind",
	    "PodDisruptionBudget", "metadata", clone_metadata(app, name), "spec", spec);
}

/* That of the other side: of several the first by name. */
static const json_t *
original(const struct observe_objects *objects, const json_t *theirs, const json_t *labels)
{
	const json_t *budget, *found = NULL;
	size_t i;

	json_array_foreach(objects->budgets, i, budget)
	{
		const char *name = jsonx_text_or(budget, "metadata.name", "");

		if (!is_going(budget) && budgets_selects(budget, theirs) &&
		    !budgets_selects(budget, labels) &&
		    (found == NULL || strcmp(name, jsonx_text_or(found, "metadata.name", "")) < 0))
			found = budget;
	}
	return found;
}

static json_t *
clone_for(const struct app *app, const struct observe_objects *objects, bool canary,
    const json_t *labels, struct err *e)
{
	json_t *theirs = labels_of(app, objects, !canary), *selector;
	const json_t *budget = original(objects, theirs, labels);
	const char *key;

	json_decref(theirs);
	if (budget == NULL) {
		err_set(e, "there is no PodDisruptionBudget any more to clone that of %s from",
		    name_of(app, canary));
		return NULL;
	}
	selector = selector_for(budget, labels, &key);
	if (selector != NULL)
		return body_of(app, name_of(app, canary), budget, selector);
	err_set(e,
	    "PodDisruptionBudget %s selects by label %s, which the pods of the other colour do not "
	    "have: add it to their template, or give that colour a budget",
	    jsonx_text_or(budget, "metadata.name", "?"), key);
	return NULL;
}

json_t *
budgets_clone(
    const struct app *app, const struct observe_objects *objects, bool canary, struct err *e)
{
	json_t *labels, *body = NULL;

	if (named(app, objects, canary) != NULL) {
		err_set(e,
		    "PodDisruptionBudget %s exists, was not created by airisd for this app and "
		    "does not select the pods of that colour: rename it, or let it select them",
		    name_of(app, canary));
		return NULL;
	}
	labels = labels_of(app, objects, canary);
	if (labels == NULL)
		err_set(e, "the pods of Deployment %s have no labels", name_of(app, canary));
	else
		body = clone_for(app, objects, canary, labels, e);
	json_decref(labels);
	return body;
}
