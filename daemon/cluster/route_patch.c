/* The JSON Patches of a route. Each names places by index, which is safe because it also
 * sets the resourceVersion that the indexes were read from: anything newer is a conflict. */
#include "cluster/route.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/route_form.h"

/* --- building --- */

void
route_patch_add(json_t *patch, const char *op, const char *path, json_t *value)
{
	json_t *step = json_pack("{s:s, s:s}", "op", op, "path", path);

	if (value != NULL)
		json_object_set_new(step, "value", value);
	json_array_append_new(patch, step);
}

json_t *
route_patch_of(const json_t *object)
{
	json_t *patch = json_array();

	route_patch_add(patch, "add", "/metadata/resourceVersion",
	    json_string(jsonx_text_or(object, "metadata.resourceVersion", "0")));
	return patch;
}

json_t *
route_patch_end(json_t *patch)
{
	if (json_array_size(patch) > 1)
		return patch;
	json_decref(patch);
	return json_null();
}

/* --- a route --- */

struct place { /* one backend of one rule */
	const struct route_form *form;
	const json_t *route;
	int rule, backend;
};

static json_t *
at_place(struct place place)
{
	const json_t *rules = jsonx_at(place.route, place.form->rules);
	const json_t *rule = json_array_get(rules, (size_t)place.rule);

	return json_array_get(json_object_get(rule, place.form->backends), (size_t)place.backend);
}

static void
step(json_t *patch, struct place place, const char *op, const char *member, json_t *value)
{
	char *path = str_format("%s/%d/%s/%d%s", place.form->rules_at, place.rule,
	    place.form->backends, place.backend, member);

	route_patch_add(patch, op, path, value);
	free(path);
}

/* Always explicit, 0 too: a missing weight means something else (F23). */
static void
set_weight(json_t *patch, struct place place, int weight)
{
	const json_t *old = json_object_get(at_place(place), "weight");

	if (!json_is_integer(old) || json_integer_value(old) != weight)
		step(patch, place, "add", "/weight", json_integer(weight));
}

static void
set_stable_subset(
    json_t *patch, struct place place, const struct app *app, const struct route_pair *pair)
{
	if (app->traffic.mode == TRAFFIC_SUBSET && !pair->subset)
		step(patch, place, "add", "/destination/subset",
		    json_string(app->traffic.stable_subset));
}

static void
add_canary(json_t *patch, const struct app *app, struct place stable, int weight)
{
	char *path =
	    str_format("%s/%d/%s/-", stable.form->rules_at, stable.rule, stable.form->backends);
	json_t *canary = stable.form->canary(app, at_place(stable));

	json_object_set_new(canary, "weight", json_integer(weight));
	route_patch_add(patch, "add", path, canary);
	free(path);
}

static int
view_or_err(const struct app *app, const json_t *route, struct route_view *view, struct err *e)
{
	route_view(app, route, view);
	return view->fits ? 0 : err_set(e, "%s", view->why_not);
}

json_t *
route_weight_patch(
    const struct app *app, const json_t *route, int weight, bool has_stable_subset, struct err *e)
{
	const struct route_form *form = route_form(app);
	struct route_view view;
	json_t *patch;

	if (view_or_err(app, route, &view, e) < 0)
		return NULL;
	patch = route_patch_of(route);
	for (int i = 0; i < view.count; i++) {
		const struct route_pair *pair = &view.pairs[i];
		struct place stable = {form, route, pair->rule, pair->stable};
		struct place canary = {form, route, pair->rule, pair->canary};
		int part = route_part(pair->total, weight);

		if (has_stable_subset)
			set_stable_subset(patch, stable, app, pair);
		/* Nothing is sent to a side that is not named: weight 0 needs no destination. */
		if (pair->canary < 0 && part == 0)
			continue;
		set_weight(patch, stable, pair->total - part);
		if (pair->canary >= 0)
			set_weight(patch, canary, part);
		else
			add_canary(patch, app, stable, part);
	}
	return route_patch_end(patch);
}

json_t *
route_name_patch(const struct app *app, const json_t *route, struct err *e)
{
	struct route_view view;
	json_t *patch;

	if (view_or_err(app, route, &view, e) < 0)
		return NULL;
	patch = route_patch_of(route);
	for (int i = 0; i < view.count; i++) {
		struct place stable = {
		    route_form(app), route, view.pairs[i].rule, view.pairs[i].stable};

		set_stable_subset(patch, stable, app, &view.pairs[i]);
	}
	return route_patch_end(patch);
}

/* The removal comes last: it moves the indexes behind it. */
static void
pair_home(json_t *patch, const struct app *app, const json_t *route, const struct route_pair *pair,
    const struct baseline *baseline, uint32_t bit)
{
	const struct route_form *form = route_form(app);
	struct place stable = {form, route, pair->rule, pair->stable};
	struct place canary = {form, route, pair->rule, pair->canary};
	bool drop = pair->canary >= 0 && !(baseline->with_canary & bit);
	bool alone = pair->backends - (drop ? 1 : 0) == 1;

	if (app->traffic.mode == TRAFFIC_SUBSET && pair->subset && !(baseline->with_subset & bit))
		step(patch, stable, "remove", "/destination/subset", NULL);
	if (!(baseline->bare & bit) || !alone)
		set_weight(patch, stable, pair->total);
	else if (!pair->bare)
		step(patch, stable, "remove", "/weight", NULL);
	if (drop)
		step(patch, canary, "remove", "", NULL);
	else if (pair->canary >= 0)
		set_weight(patch, canary, 0);
}

json_t *
route_home_patch(
    const struct app *app, const json_t *route, const struct baseline *baseline, struct err *e)
{
	struct route_view view;
	json_t *patch;

	if (view_or_err(app, route, &view, e) < 0)
		return NULL;
	patch = route_patch_of(route);
	for (int i = 0; i < view.count; i++)
		pair_home(patch, app, route, &view.pairs[i], baseline, 1U << i);
	return route_patch_end(patch);
}
