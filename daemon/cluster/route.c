/* Finding the app's routes in a VirtualService, and reading the weights. Weights are relative: two
 * destinations of 45 and 5 beside a third of 50 are 90 and 10 percent of the pair, and the pair's
 * sum stays what it is (F24). A shape that cannot be proved is refused, never guessed at (F23,
 * F29). */
#include "cluster/route.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/observe_fields.h"

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

enum side { SIDE_NONE, SIDE_STABLE, SIDE_CANARY };

static enum side
side_of(const struct app *app, const json_t *destination)
{
	const struct traffic_spec *traffic = &app->traffic;
	const char *host = jsonx_text(destination, "destination.host");
	const char *subset = jsonx_text_or(destination, "destination.subset", "");

	if (traffic->mode == TRAFFIC_HOST &&
	    route_is_host(host, traffic->canary_service, app->namespace))
		return SIDE_CANARY;
	if (!route_is_host(host, traffic->service, app->namespace))
		return SIDE_NONE;
	if (subset[0] == '\0' || strcmp(subset, traffic->stable_subset) == 0)
		return SIDE_STABLE;
	if (traffic->mode == TRAFFIC_SUBSET && strcmp(subset, traffic->canary_subset) == 0)
		return SIDE_CANARY;
	return SIDE_NONE;
}

/* --- one route --- */

/* For texts: the route's name, or its place. */
static void
route_title(const json_t *http, int index, char *to, size_t size)
{
	const char *name = jsonx_text_or(json_array_get(http, (size_t)index), "name", "");

	if (name[0] != '\0')
		str_print(to, size, "route \"%s\"", name);
	else
		str_print(to, size, "route http[%d]", index);
}

static int
weigh(const json_t *destination, int *weight, struct err *e)
{
	const json_t *value = json_object_get(destination, "weight");

	*weight = 0;
	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > WEIGHT_MAX)
		return err_set(e, "has a weight that is no number from 0 to %d", WEIGHT_MAX);
	*weight = (int)json_integer_value(value);
	return 0;
}

static int
pair_sides(const struct app *app, const json_t *route, struct route_pair *pair, struct err *e)
{
	const json_t *destination;
	size_t i;

	pair->stable = pair->canary = -1;
	pair->destinations = (int)json_array_size(route);
	json_array_foreach(route, i, destination)
	{
		enum side side = side_of(app, destination);
		int *at = side == SIDE_STABLE ? &pair->stable : &pair->canary;

		if (side == SIDE_NONE)
			continue;
		if (*at >= 0)
			return err_set(e, "names the %s side twice: which one is to be weighted?",
			    side == SIDE_STABLE ? "stable" : "canary");
		*at = (int)i;
	}
	if (pair->stable < 0)
		return err_set(e, "has no destination with host %s", app->traffic.service);
	return 0;
}

static int
pair_weights(const json_t *route, struct route_pair *pair, struct err *e)
{
	const json_t *stable = json_array_get(route, (size_t)pair->stable);
	int weight;

	if (weigh(stable, &weight, e) < 0)
		return -1;
	pair->bare = json_object_get(stable, "weight") == NULL;
	pair->subset = jsonx_text_or(stable, "destination.subset", "")[0] != '\0';
	if (pair->canary >= 0 &&
	    weigh(json_array_get(route, (size_t)pair->canary), &pair->part, e) < 0)
		return -1;
	pair->total = weight + pair->part;
	if (pair->destinations == 1 && pair->bare)
		pair->total = 100;
	if (pair->total > 0)
		return 0;
	if (pair->destinations == 1)
		return err_set(e, "has weight 0 on its only destination, which then gets "
				  "everything: remove that weight");
	return err_set(e, "gives weight 0 to both sides: give %s a weight",
	    jsonx_text_or(stable, "destination.host", "the stable side"));
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
			    "VirtualService %s gives the two sides weights that sum to %d: too "
			    "coarse "
			    "for %d %%, make it 100",
			    app->traffic.route, total, weight);
			return true;
		}
	}
	return false;
}

static int
pair_read(
    const struct app *app, const json_t *http, int index, struct route_pair *pair, struct err *e)
{
	const json_t *route = json_object_get(json_array_get(http, (size_t)index), "route");

	*pair = (struct route_pair){.http = index};
	if (pair_sides(app, route, pair, e) < 0)
		return -1;
	return pair_weights(route, pair, e);
}

/* --- which routes --- */

static bool
sends_to_stable(const struct app *app, const json_t *entry)
{
	const json_t *destination;
	size_t i;

	json_array_foreach(json_object_get(entry, "route"), i, destination)
	{
		if (side_of(app, destination) == SIDE_STABLE)
			return true;
	}
	return false;
}

static int
find_only(const struct app *app, const json_t *http, struct err *e)
{
	int found = -1;
	const json_t *entry;
	size_t i;

	json_array_foreach(http, i, entry)
	{
		if (!sends_to_stable(app, entry))
			continue;
		if (found >= 0)
			return err_set(e,
			    "VirtualService %s is ambiguous: several of its http routes go to %s; "
			    "name "
			    "them in traffic.istio.routes",
			    app->traffic.route, app->traffic.service);
		found = (int)i;
	}
	if (found < 0)
		return err_set(e, "VirtualService %s has no http route with a destination %s",
		    app->traffic.route, app->traffic.service);
	return found;
}

static int
find_named(const struct app *app, const json_t *http, const char *name, struct err *e)
{
	int found = -1;
	const json_t *entry;
	size_t i;

	json_array_foreach(http, i, entry)
	{
		if (!str_equal(jsonx_text(entry, "name"), name))
			continue;
		if (found >= 0)
			return err_set(e,
			    "VirtualService %s has several http routes named \"%s\"; names must be "
			    "unique",
			    app->traffic.route, name);
		found = (int)i;
	}
	if (found < 0)
		return err_set(e, "VirtualService %s has no http route named \"%s\"",
		    app->traffic.route, name);
	return found;
}

static int
view_add(
    const struct app *app, const json_t *http, int index, struct route_view *view, struct err *e)
{
	char title[128];

	if (index < 0)
		return -1;
	route_title(http, index, title, sizeof(title));
	if (pair_read(app, http, index, &view->pairs[view->count], e) < 0)
		return err_wrap(e, "VirtualService %s, %s", app->traffic.route, title);
	view->count++;
	return 0;
}

void
route_view(const struct app *app, const json_t *service, struct route_view *view)
{
	const json_t *http = jsonx_at(service, "spec.http");
	struct err e = {""};
	int result = 0;

	memset(view, 0, sizeof(*view));
	if (app->traffic.rule_count == 0)
		result = view_add(app, http, find_only(app, http, &e), view, &e);
	for (int i = 0; result == 0 && i < app->traffic.rule_count; i++)
		result =
		    view_add(app, http, find_named(app, http, app->traffic.rules[i], &e), view, &e);
	view->fits = result == 0;
	if (result < 0) {
		view->count = 0;
		str_copy(view->why_not, sizeof(view->why_not), e.text);
	}
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
route_look(const struct app *app, const json_t *service, int asked, struct route_seen *seen)
{
	static const char *const path[] = {"f:spec", "f:http", NULL};
	struct route_view view;

	if (service == NULL)
		return;
	seen->exists = true;
	str_copy(seen->resource_version, sizeof(seen->resource_version),
	    jsonx_text_or(service, "metadata.resourceVersion", ""));
	observe_editor(
	    service, path, seen->edited_by, sizeof(seen->edited_by), &seen->edited_at_ms);
	route_view(app, service, &view);
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
