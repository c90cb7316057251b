/* Finding the app's rules in a VirtualService or an HTTPRoute, and reading the weights. Weights are
 * relative: two destinations of 45 and 5 beside a third of 50 are 90 and 10 percent of the pair,
 * and the pair's sum stays what it is (F24). A shape that cannot be proved is refused, never
 * guessed at (F23, F29). */
#include "cluster/route.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/observe_fields.h"
#include "cluster/route_form.h"

#define WEIGHT_MAX 1000000 /* Istio's own is an int32; this keeps the sums in one */

bool
route_is_host(const char *host, const char *service, const char *ns)
{
	char *dotted;
	size_t length;
	bool is;

	if (host == NULL)
		return false;
	dotted = str_format("%s.%s", service, ns);
	length = strlen(dotted);
	is = strcmp(host, service) == 0 ||
	     (strncmp(host, dotted, length) == 0 &&
		 (host[length] == '\0' || strcmp(host + length, ".svc") == 0 ||
		     strcmp(host + length, ".svc.cluster.local") == 0));
	free(dotted);
	return is;
}

const struct route_form route_form_service = {.kind = KUBE_SERVICES};

const struct route_form *
route_form(const struct app *app)
{
	static const struct route_form *const forms[] = {[TRAFFIC_ISTIO] = &route_form_istio,
	    [TRAFFIC_GATEWAY] = &route_form_gateway,
	    [TRAFFIC_SERVICE] = &route_form_service,
	    [TRAFFIC_NONE] = &route_form_service};

	return forms[app->traffic.kind];
}

static const json_t *
backends_of(const struct route_form *form, const json_t *rules, int index)
{
	return json_object_get(json_array_get(rules, (size_t)index), form->backends);
}

/* --- one rule --- */

/* For texts: the rule's name, or its place. */
static void
rule_title(const struct route_form *form, const json_t *rules, int index, char *to, size_t size)
{
	const char *name = jsonx_text_or(json_array_get(rules, (size_t)index), "name", "");

	if (name[0] != '\0')
		str_print(to, size, "%s \"%s\"", form->rule, name);
	else
		str_print(to, size, "%s %s[%d]", form->rule, form->list, index);
}

static int
weigh(const struct route_form *form, const json_t *backend, int *weight, struct err *e)
{
	const json_t *value = json_object_get(backend, "weight");

	*weight = form->missing;
	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > WEIGHT_MAX)
		return err_set(e, "has a weight that is no number from 0 to %d", WEIGHT_MAX);
	*weight = (int)json_integer_value(value);
	return 0;
}

static int
pair_sides(const struct app *app, const json_t *backends, struct route_pair *pair, struct err *e)
{
	const struct route_form *form = route_form(app);
	const json_t *backend;
	size_t i;

	pair->stable = pair->canary = -1;
	pair->backends = (int)json_array_size(backends);
	json_array_foreach(backends, i, backend)
	{
		enum route_side side = form->side(app, backend);
		int *at = side == ROUTE_STABLE ? &pair->stable : &pair->canary;

		if (side == ROUTE_OTHER)
			continue;
		if (*at >= 0)
			return err_set(e, "names the %s side twice: which one is to be weighted?",
			    side == ROUTE_STABLE ? "stable" : "canary");
		*at = (int)i;
	}
	if (pair->stable < 0)
		return err_set(e, "has no %s %s", form->backend, app->traffic.service);
	return 0;
}

/* Alone it gets everything, whatever its weight is; one that was not given is what it would be. */
static bool
is_bare(const struct route_form *form, const struct route_pair *pair, const json_t *stable)
{
	const json_t *weight = json_object_get(stable, "weight");

	return weight == NULL || (pair->backends == 1 && form->missing > 0 &&
				     json_integer_value(weight) == form->missing);
}

static int
pair_weights(
    const struct route_form *form, const json_t *backends, struct route_pair *pair, struct err *e)
{
	const json_t *stable = json_array_get(backends, (size_t)pair->stable);
	int weight;

	if (weigh(form, stable, &weight, e) < 0)
		return -1;
	pair->bare = is_bare(form, pair, stable);
	pair->subset = jsonx_text_or(stable, "destination.subset", "")[0] != '\0';
	if (pair->canary >= 0 &&
	    weigh(form, json_array_get(backends, (size_t)pair->canary), &pair->part, e) < 0)
		return -1;
	pair->total = weight + pair->part;
	if (pair->backends == 1 && pair->bare)
		pair->total = 100;
	if (pair->total > WEIGHT_MAX) /* the stable side gets all of it at home */
		return err_set(e, "has weights that sum to more than %d", WEIGHT_MAX);
	if (pair->total > 0)
		return 0;
	if (pair->backends == 1)
		return err_set(e, "has weight 0 on its only destination, which then gets "
				  "everything: remove that weight");
	return err_set(e, "gives weight 0 to both sides: give %s a weight", form->name(stable));
}

int
route_part(int total, int weight)
{
	int part = (int)(((int64_t)total * weight + 50) / 100);

	/* A share is neither nothing nor everything, however coarse the total is. */
	if (weight > 0 && weight < 100 && total > 1)
		part = part == 0 ? 1 : part == total ? total - 1 : part;
	return part;
}

bool
route_too_coarse(const struct app *app, const struct route_view *view, char *to, size_t size)
{
	for (int i = 0; i < view->count; i++) {
		int total = view->pairs[i].total;

		for (int k = 0; k < app->plan.stage_count; k++) {
			int weight = app->plan.stages[k].weight;
			int exact = (int)(((int64_t)total * weight + 50) / 100);

			if (weight == 0 || weight == 100 || (exact > 0 && exact < total))
				continue;
			str_print(to, size,
			    "%s %s gives the two sides weights that sum to %d: too coarse for "
			    "%d %%, make it 100",
			    app_route_kind(app), app->traffic.route, total, weight);
			return true;
		}
	}
	return false;
}

static int
pair_read(
    const struct app *app, const json_t *rules, int index, struct route_pair *pair, struct err *e)
{
	const json_t *backends = backends_of(route_form(app), rules, index);

	*pair = (struct route_pair){.rule = index};
	if (pair_sides(app, backends, pair, e) < 0)
		return -1;
	return pair_weights(route_form(app), backends, pair, e);
}

/* --- which rules --- */

static bool
leads_to_stable(const struct app *app, const json_t *rules, int index)
{
	const struct route_form *form = route_form(app);
	const json_t *backend;
	size_t i;

	json_array_foreach(backends_of(form, rules, index), i, backend)
	{
		if (form->side(app, backend) == ROUTE_STABLE)
			return true;
	}
	return false;
}

static int
find_only(const struct app *app, const json_t *rules, struct err *e)
{
	const struct route_form *form = route_form(app);
	const char *kind = app_route_kind(app), *route = app->traffic.route;
	int found = -1;

	for (int i = 0; i < (int)json_array_size(rules); i++) {
		if (!leads_to_stable(app, rules, i))
			continue;
		if (found >= 0)
			return err_set(e,
			    "%s %s is ambiguous: several of its %ss go to %s; name them in %s",
			    kind, route, form->rule, app->traffic.service, form->names);
		found = i;
	}
	if (found < 0)
		return err_set(e, "%s %s has no %s that leads to %s", kind, route, form->rule,
		    app->traffic.service);
	return found;
}

static int
find_named(const struct app *app, const json_t *rules, const char *name, struct err *e)
{
	const struct route_form *form = route_form(app);
	const char *kind = app_route_kind(app), *route = app->traffic.route;
	const json_t *rule;
	int found = -1;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		if (!str_equal(jsonx_text(rule, "name"), name))
			continue;
		if (found >= 0)
			return err_set(e,
			    "%s %s has several %ss named \"%s\"; names must be unique", kind, route,
			    form->rule, name);
		found = (int)i;
	}
	if (found < 0)
		return err_set(e, "%s %s has no %s named \"%s\"", kind, route, form->rule, name);
	return found;
}

static int
view_add(
    const struct app *app, const json_t *rules, int index, struct route_view *view, struct err *e)
{
	char title[128];

	if (index < 0)
		return -1;
	rule_title(route_form(app), rules, index, title, sizeof(title));
	if (pair_read(app, rules, index, &view->pairs[view->count], e) < 0)
		return err_wrap(e, "%s %s, %s", app_route_kind(app), app->traffic.route, title);
	view->count++;
	return 0;
}

void
route_view(const struct app *app, const json_t *route, struct route_view *view)
{
	const json_t *rules = jsonx_at(route, route_form(app)->rules);
	struct err e = {""};
	int result = 0;

	memset(view, 0, sizeof(*view));
	if (app->traffic.rule_count == 0)
		result = view_add(app, rules, find_only(app, rules, &e), view, &e);
	for (int i = 0; result == 0 && i < app->traffic.rule_count; i++)
		result = view_add(
		    app, rules, find_named(app, rules, app->traffic.rules[i], &e), view, &e);
	view->fits = result == 0;
	if (result < 0) {
		view->count = 0;
		str_copy(view->why_not, sizeof(view->why_not), e.text);
	}
}

static bool
has_rule(const struct route_view *view, int index)
{
	for (int i = 0; i < view->count; i++)
		if (view->pairs[i].rule == index)
			return true;
	return false;
}

static const char *
side_named(const struct app *app, const json_t *rules, int index)
{
	const struct route_form *form = route_form(app);
	const json_t *backend;
	size_t i;

	json_array_foreach(backends_of(form, rules, index), i, backend)
	{
		if (form->side(app, backend) != ROUTE_OTHER)
			return form->name(backend);
	}
	return NULL;
}

bool
route_leaves_out(const struct app *app, const json_t *route, const struct route_view *view,
    char *to, size_t size)
{
	const struct route_form *form = route_form(app);
	const json_t *rules = jsonx_at(route, form->rules);
	char title[128];

	for (int i = 0; i < (int)json_array_size(rules); i++) {
		const char *name = has_rule(view, i) ? NULL : side_named(app, rules, i);

		if (name == NULL)
			continue;
		rule_title(form, rules, i, title, sizeof(title));
		str_print(to, size,
		    "%s %s, %s leads to %s too, and its requests would be lost when that colour "
		    "rests: name it in %s",
		    app_route_kind(app), app->traffic.route, title, name, form->names);
		return true;
	}
	return false;
}

/* --- what is seen --- */

static int
percent_of(const struct app *app, const struct route_pair *pair, int asked)
{
	if (asked >= 0 && route_part(pair->total, asked) == pair->part)
		return asked;
	if (pair->part == 0 || pair->part == pair->total)
		return pair->part == 0 ? 0 : 100;
	for (int i = 0; i < app->plan.stage_count; i++)
		if (route_part(pair->total, app->plan.stages[i].weight) == pair->part)
			return app->plan.stages[i].weight;
	return (int)(((int64_t)pair->part * 200 + pair->total) / (2 * (int64_t)pair->total));
}

void
route_look(const struct app *app, const json_t *route, int asked, struct route_seen *seen)
{
	struct route_view view;

	if (route == NULL)
		return;
	seen->exists = true;
	str_copy(seen->resource_version, sizeof(seen->resource_version),
	    jsonx_text_or(route, "metadata.resourceVersion", ""));
	observe_editor(route, route_form(app)->rules_field, seen->edited_by,
	    sizeof(seen->edited_by), &seen->edited_at_ms);
	if (app->traffic.kind == TRAFFIC_GATEWAY)
		seen->accepted = route_accepted(route, seen->unaccepted, sizeof(seen->unaccepted));
	route_view(app, route, &view);
	seen->fits = view.fits;
	str_copy(seen->why_not, sizeof(seen->why_not), view.why_not);
	seen->even = seen->names_stable_subset = view.fits;
	for (int i = 0; i < view.count; i++) {
		const struct route_pair *pair = &view.pairs[i];
		int weight = percent_of(app, pair, asked);
		uint32_t bit = 1U << i;

		seen->even &= i == 0 || weight == seen->weight;
		seen->weight = weight > seen->weight ? weight : seen->weight;
		seen->names_canary |= pair->canary >= 0;
		seen->names_stable_subset &= pair->subset;
		seen->bare |= pair->bare ? bit : 0;
		seen->with_canary |= pair->canary >= 0 ? bit : 0;
		seen->with_subset |= pair->subset ? bit : 0;
	}
}
