/* An HTTPRoute of the Gateway API: rules with backendRefs. A weight that is not given is 1, and the
 * API server writes that into the object; and, unlike a VirtualService, it has a status in which
 * the controllers of its parents say whether they have accepted it as it is now. */
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/route.h"
#include "cluster/route_form.h"

static enum route_side
side_of(const struct app *app, const json_t *backend)
{
	const char *name = jsonx_text_or(backend, "name", "");

	if (!str_equal(jsonx_text_or(backend, "kind", "Service"), "Service") ||
	    jsonx_text_or(backend, "group", "")[0] != '\0' ||
	    !str_equal(jsonx_text_or(backend, "namespace", app->namespace), app->namespace))
		return ROUTE_OTHER;
	if (strcmp(name, app->traffic.canary_service) == 0)
		return ROUTE_CANARY;
	return strcmp(name, app->traffic.service) == 0 ? ROUTE_STABLE : ROUTE_OTHER;
}

static const char *
name_of(const json_t *backend)
{
	return jsonx_text_or(backend, "name", "");
}

static json_t *
canary_of(const struct app *app, const json_t *stable)
{
	json_t *copy = json_deep_copy(stable);

	json_object_set_new(copy, "name", json_string(app->traffic.canary_service));
	return copy;
}

const struct route_form route_form_gateway = {
    .kind = KUBE_HTTPROUTES,
    .rules = "spec.rules",
    .rules_at = "/spec/rules",
    .rules_field = {"f:spec", "f:rules"},
    .backends = "backendRefs",
    .rule = "rule",
    .list = "rules",
    .backend = "backendRef to Service",
    .names = "traffic.gateway.rules",
    .missing = 1,
    .side = side_of,
    .name = name_of,
    .canary = canary_of,
};

/* --- accepted? ---------------------------------------------------------------------------------
 */

/* One condition of one parent; false: who says what is in why. */
static bool
holds(const json_t *parent, const char *type, int64_t generation, struct err *why)
{
	const char *controller = jsonx_text_or(parent, "controllerName", "a controller");
	const json_t *condition;
	size_t i;

	json_array_foreach(json_object_get(parent, "conditions"), i, condition)
	{
		if (!str_equal(jsonx_text(condition, "type"), type))
			continue;
		if (jsonx_int(condition, "observedGeneration", 0) < generation)
			break;
		if (str_equal(jsonx_text(condition, "status"), "True"))
			return true;
		err_set(why, "%s says %s is %s: %s: %s", controller, type,
		    jsonx_text_or(condition, "status", "?"),
		    jsonx_text_or(condition, "reason", "no reason"),
		    jsonx_text_or(condition, "message", ""));
		return false;
	}
	err_set(why, "%s has not looked at it as it is now (generation %lld, %s)", controller,
	    (long long)generation, type);
	return false;
}

/* Fields of a parentRef that are not given have defaults, which the API server writes. */
static bool
same_parent(const json_t *a, const json_t *b)
{
	static const char *const fields[][2] = {{"group", "gateway.networking.k8s.io"},
	    {"kind", "Gateway"}, {"namespace", ""}, {"name", ""}, {"sectionName", ""}};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(jsonx_text_or(a, fields[i][0], fields[i][1]),
			jsonx_text_or(b, fields[i][0], fields[i][1])) != 0)
			return false;
	return jsonx_int(a, "port", 0) == jsonx_int(b, "port", 0);
}

/* Every controller that answers for the parent; there is one at least. */
static bool
parent_accepts(const json_t *route, const json_t *ref, int64_t generation, struct err *why)
{
	const json_t *parent;
	bool any = false;
	size_t i;

	json_array_foreach(jsonx_at(route, "status.parents"), i, parent)
	{
		if (!same_parent(json_object_get(parent, "parentRef"), ref))
			continue;
		if (!holds(parent, "Accepted", generation, why) ||
		    !holds(parent, "ResolvedRefs", generation, why))
			return false;
		any = true;
	}
	if (!any)
		err_set(why, "no controller has answered for its parent %s %s",
		    jsonx_text_or(ref, "kind", "Gateway"), jsonx_text_or(ref, "name", "?"));
	return any;
}

bool
route_accepted(const json_t *route, char *why, size_t size)
{
	int64_t generation = jsonx_int(route, "metadata.generation", 0);
	const json_t *refs = jsonx_at(route, "spec.parentRefs"), *ref;
	struct err e = {"it has no parentRefs, so nothing follows it"};
	bool accepted = json_array_size(refs) > 0;
	size_t i;

	json_array_foreach(refs, i, ref)
	{
		accepted = accepted && parent_accepts(route, ref, generation, &e);
	}
	str_copy(why, size, accepted ? "" : e.text);
	return accepted;
}
