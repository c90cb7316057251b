/* What of the input the API server would have let in. */
#include "objects.h"

#include <stdint.h>
#include <string.h>
#include "base/jsonx.h"

struct slot {
	const char *name;
	json_t **at;
	bool list;
};

/* 3 or "25%", or it is not there. */
static bool
is_amount(const json_t *value)
{
	const char *text = json_string_value(value), *end = text;

	if (value == NULL || text == NULL)
		return value == NULL || (json_is_integer(value) && json_integer_value(value) >= 0 &&
					    json_integer_value(value) <= INT32_MAX);
	while (*end >= '0' && *end <= '9')
		end++;
	return end > text && end - text <= 3 && strcmp(end, "%") == 0;
}

static bool
is_strategy(const json_t *spec)
{
	const json_t *strategy = json_object_get(spec, "strategy");
	const json_t *rolling = json_object_get(strategy, "rollingUpdate");

	return (strategy == NULL || json_is_object(strategy)) &&
	       (rolling == NULL || json_is_object(rolling)) &&
	       is_amount(json_object_get(rolling, "maxSurge")) &&
	       is_amount(json_object_get(rolling, "maxUnavailable"));
}

static bool
is_update_strategy(const json_t *spec)
{
	const json_t *strategy = json_object_get(spec, "updateStrategy");
	const json_t *rolling = json_object_get(strategy, "rollingUpdate");

	return (strategy == NULL || json_is_object(strategy)) &&
	       (rolling == NULL || json_is_object(rolling)) &&
	       is_amount(json_object_get(rolling, "partition"));
}

/* The API server lets nothing in without these. */
static bool
is_stored(const json_t *value)
{
	const json_t *containers = jsonx_at(value, "spec.template.spec.containers"), *container;
	size_t i;

	json_array_foreach(containers, i, container)
	{
		if (jsonx_text(container, "image") == NULL)
			return false;
	}
	return json_is_object(json_object_get(value, "metadata")) &&
	       json_is_object(json_object_get(value, "spec")) &&
	       is_strategy(json_object_get(value, "spec")) &&
	       is_update_strategy(json_object_get(value, "spec"));
}

static json_t *
stored_of(const json_t *list, bool written)
{
	json_t *result = json_array(), *value;
	size_t i;

	json_array_foreach(list, i, value)
	{
		if (json_is_object(value) && (!written || is_stored(value)))
			json_array_append(result, value);
	}
	return result;
}

void
objects_take(const json_t *root, struct observe_objects *o)
{
	const struct slot slots[] = {{"stable", &o->stable, false}, {"canary", &o->canary, false},
	    {"service", &o->service, false}, {"canary_service", &o->canary_service, false},
	    {"route", &o->route, false}, {"rule", &o->rule, false}, {"hpas", &o->hpas, true},
	    {"scaled", &o->scaled, true}, {"stable_sets", &o->stable_sets, true},
	    {"stable_pods", &o->stable_pods, true}, {"canary_sets", &o->canary_sets, true},
	    {"canary_pods", &o->canary_pods, true}, {"slices", &o->slices, true},
	    {"canary_slices", &o->canary_slices, true}, {"budgets", &o->budgets, true}};

	observe_init(o);
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		json_t *value = json_object_get(root, slots[i].name);

		if (slots[i].list) {
			json_decref(*slots[i].at);
			*slots[i].at =
			    stored_of(value, slots[i].at == &o->hpas || slots[i].at == &o->scaled ||
						 slots[i].at == &o->budgets);
		} else if (is_stored(value)) {
			*slots[i].at = json_incref(value);
		}
	}
}
