/* The App: what follows from keys that were not given, and the checks that need more than one key.
 * Always true: an app that app_parse gives out has every name, query and limit checked, so that
 * nothing after it has to ask again. Its keys: app_table.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "model/app_draft.h"
#include "model/strategy.h"

/* --- finishing ------------------------------------------------------------------------------- */

static void
error_at(struct keys_at *at, const char *path, const char *text)
{
	str_copy(at->path, sizeof(at->path), path);
	keys_error(at, "%s", text);
	at->path[0] = '\0';
}

static const struct {
	const char *key, *route_key, *route;
} kinds[] = {[TRAFFIC_ISTIO] = {"istio", "virtualService", "VirtualService"},
    [TRAFFIC_GATEWAY] = {"gateway", "httpRoute", "HTTPRoute"},
    [TRAFFIC_SERVICE] = {"service", "name", "Service"},
    [TRAFFIC_NONE] = {"service", "name", "Service"}};
#define KINDS TRAFFIC_NONE /* that are told apart by their keys */

const char *
app_workload_kind(const struct app *app)
{
	static const char *const names[] = {"Deployment", "StatefulSet", "DaemonSet"};

	return names[app->kind];
}

const char *
app_route_kind(const struct app *app)
{
	return kinds[app->traffic.kind].route;
}

void
app_traffic_key(const struct app *app, const char *name, char *to, size_t size)
{
	if (name == NULL)
		name = kinds[app->traffic.kind].route_key;
	str_print(to, size, "traffic.%s%s%s", kinds[app->traffic.kind].key,
	    name[0] == '\0' ? "" : ".", name);
}

/* By one of them, and only one. */
static void
finish_kind(const json_t *spec, struct app *app, struct keys_at *at)
{
	const json_t *traffic = json_object_get(spec, "traffic");
	char path[64];
	int given = 0;

	app->rolls = json_object_get(json_object_get(spec, "strategy"), "rolling") != NULL;
	for (size_t i = 0; i < KINDS; i++) {
		if (json_object_get(traffic, kinds[i].key) == NULL)
			continue;
		app->traffic.kind = (enum traffic_kind)i;
		given++;
	}
	if (app->rolls && (given == 0 || app->traffic.kind == TRAFFIC_SERVICE)) {
		app->traffic.kind = TRAFFIC_NONE;
		return;
	}
	if (traffic == NULL)
		error_at(at, "traffic", "is missing: give istio, gateway or service");
	if (!json_is_object(traffic) || given == 1)
		return;
	app_traffic_key(app, "", path, sizeof(path));
	error_at(at, path,
	    given > 1 ? "give either istio, gateway or service, not several"
		      : "is missing: give istio, gateway or service");
}

static void
traffic_error(const struct app *app, const char *name, struct keys_at *at, const char *text)
{
	char path[64];

	app_traffic_key(app, name, path, sizeof(path));
	error_at(at, path, text);
}

static void
finish_service(const struct app *app, const char *key, const char *given, const char *workload,
    char *service, struct keys_at *at)
{
	str_copy(service, APP_NAME, given[0] != '\0' ? given : workload);
	if (service[0] != '\0' && !str_is_dns_label(service))
		traffic_error(app, key, at,
		    "is missing: the Deployment's name is no name for a Service (63 characters, no "
		    "dots); name the Service here");
}

/* By weights each colour has a Service of its own, which stays. */
static void
finish_services(struct app *app, struct keys_at *at)
{
	static const char one[] =
	    "is for a canary: blueGreen has a Service per colour, give services: {blue, green}";
	const struct colours_spec *pair = &app->pair;
	struct traffic_spec *traffic = &app->traffic;

	if (traffic->mode == TRAFFIC_SUBSET)
		traffic_error(app, "mode", at,
		    "blueGreen moves the weights of two Services, one per colour: mode must be "
		    "host");
	if (traffic->service[0] != '\0')
		traffic_error(app, "service", at, one);
	if (traffic->canary_service[0] != '\0')
		traffic_error(app, "canaryService", at, one);
	finish_service(app, "services.blue", pair->first_service,
	    pair->named ? pair->first : app->workload, traffic->service, at);
	finish_service(
	    app, "services.green", pair->second_service, pair->second, traffic->canary_service, at);
}

/* Names that follow from others. */
static void
finish_names(struct app *app, struct keys_at *at)
{
	struct traffic_spec *traffic = &app->traffic;
	bool switches = traffic->kind == TRAFFIC_SERVICE;
	struct str name;

	if (app->rolls)
		return;
	if (app->colours && !switches) {
		finish_services(app, at);
		return;
	}
	if (!app->colours)
		str_print(app->canary, sizeof(app->canary), "%s-canary", app->workload);
	if (traffic->service[0] == '\0')
		str_copy(traffic->service, sizeof(traffic->service), app->workload);
	if (traffic->destination_rule[0] == '\0')
		str_copy(
		    traffic->destination_rule, sizeof(traffic->destination_rule), traffic->service);
	str_init(&name, APP_NAME - 1);
	str_addf(&name, "%s-%s", traffic->service, switches ? "preview" : "canary");
	if (traffic->canary_service[0] == '\0')
		str_copy(traffic->canary_service, sizeof(traffic->canary_service), str_text(&name));
	str_done(&name);
	if (switches)
		str_copy(traffic->route, sizeof(traffic->route), traffic->service);
	if (traffic->service[0] != '\0' && !str_is_dns_label(traffic->service))
		traffic_error(app, switches ? "name" : "service", at,
		    "is missing: the workload's name is no name for a Service (63 characters, no "
		    "dots); name the Service here");
	else if (traffic->mode == TRAFFIC_HOST && traffic->service[0] != '\0' &&
		 !str_is_dns_label(traffic->canary_service))
		traffic_error(app, switches ? "preview" : "canaryService", at,
		    switches
			? "is missing: NAME-preview would have over 63 characters; name it here"
			: "is missing: SERVICE-canary would have over 63 characters; name it here");
}

static void
finish_sides(const struct app *app, struct keys_at *at)
{
	const struct traffic_spec *traffic = &app->traffic;

	bool same = traffic->mode == TRAFFIC_HOST && traffic->service[0] != '\0' &&
		    strcmp(traffic->service, traffic->canary_service) == 0;

	if (app->rolls)
		return;
	if (same && app->colours && traffic->kind != TRAFFIC_SERVICE)
		traffic_error(app, "services.green", at,
		    "is the other colour's Service; each colour needs its own");
	else if (same)
		traffic_error(app, traffic->kind == TRAFFIC_SERVICE ? "preview" : "canaryService",
		    at,
		    traffic->kind == TRAFFIC_SERVICE
			? "is the Service that is switched; the preview needs its own"
			: "is the stable side's Service; each side needs its own");
	if (traffic->mode == TRAFFIC_SUBSET && traffic->stable_subset[0] != '\0' &&
	    strcmp(traffic->stable_subset, traffic->canary_subset) == 0)
		error_at(at, "traffic.istio.subsets.canary",
		    "is the stable side's subset; each side needs its own");
}

static int
gate_index(const struct app *app, const char *name)
{
	for (int i = 0; i < app->gate_count; i++) {
		if (str_equal(app->gates[i].name, name))
			return i;
	}
	return -1;
}

static void
check_gates(const struct app *app, struct keys_at *at)
{
	for (int i = 0; i < app->gate_count; i++) {
		const char *name = app->gates[i].name;

		if (name[0] == '\0' || gate_index(app, name) == i)
			continue;
		str_print(at->path, sizeof(at->path), "gates[%d].name", i);
		keys_error(
		    at, "there is a gate \"%s\" already: gates[%d]", name, gate_index(app, name));
		at->path[0] = '\0';
	}
}

static void
no_such_gate(const struct app *app, const char *name, struct keys_at *at)
{
	const char *names[APP_GATES], *nearest;
	char cut[APP_LABEL];

	str_copy(cut, sizeof(cut), name);
	for (int i = 0; i < app->gate_count; i++)
		names[i] = app->gates[i].name;
	nearest = keys_nearest(name, names, (size_t)app->gate_count);
	if (nearest != NULL)
		keys_error(at, "there is no gate \"%s\"; did you mean \"%s\"?", cut, nearest);
	else
		keys_error(at, "there is no gate \"%s\"; name one of `gates`", cut);
}

static uint32_t
stage_gates(const struct app *app, const json_t *names, struct keys_at *at)
{
	uint32_t gates = 0;

	if (names == NULL)
		return app->gate_count == 32 ? UINT32_MAX : (UINT32_C(1) << app->gate_count) - 1;
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		size_t mark = keys_enter_item(at, i);
		int gate = name == NULL ? -1 : gate_index(app, name);

		if (name == NULL)
			keys_error(at, "expected: the name of a gate, as text");
		else if (gate < 0)
			no_such_gate(app, name, at);
		else
			gates |= UINT32_C(1) << gate;
		keys_leave(at, mark);
	}
	return gates;
}

static void
stage_path(const struct draft *draft, int stage, const char *key, struct keys_at *at)
{
	bool rolls = draft->app.rolls;
	const char *list = !draft->short_form ? "stages" : rolls ? "batches" : "weights";

	str_print(at->path, sizeof(at->path), "strategy.%s.%s[%d]%s%s",
	    rolls ? "rolling" : "canary", list, stage, draft->short_form ? "" : ".",
	    draft->short_form ? "" : key);
}

/* Pods and percents can only be compared when the workload's size is known. */
static void
check_rise(const struct draft *draft, int i, struct keys_at *at)
{
	const struct stage_spec *stage = &draft->stages[i].spec;
	const char *unit = !draft->app.rolls ? "" : stage->pods ? " pods" : "%";
	int before = DRAFT_UNSET;

	for (int k = 0; k < i; k++) {
		const struct stage_spec *other = &draft->stages[k].spec;

		if (other->pods == stage->pods && other->weight > before)
			before = other->weight;
	}
	if (stage->weight != DRAFT_UNSET && stage->weight <= before)
		keys_error(at, "%s must rise, but %d%s comes after %d%s",
		    draft->app.rolls ? "batches" : "weights", stage->weight, unit, before, unit);
}

static void
finish_stages(struct draft *draft, struct keys_at *at)
{
	struct canary_spec *plan = &draft->app.plan;

	plan->stages = mem_array((size_t)draft->stage_count, sizeof(plan->stages[0]));
	for (int i = 0; i < draft->stage_count; i++) {
		struct stage_spec *stage = &draft->stages[i].spec;

		stage_path(draft, i, "gates", at);
		stage->gates = stage_gates(&draft->app, draft->stages[i].gates, at);
		stage_path(draft, i, draft->app.rolls ? "pods" : "weight", at);
		check_rise(draft, i, at);
		if (stage->hold_ms == DRAFT_UNSET)
			stage->hold_ms = draft->hold_ms;
		plan->stages[i] = *stage;
	}
	plan->stage_count = draft->stage_count;
	draft->app.batch.each = (struct stage_spec){.pods = true, .hold_ms = draft->hold_ms};
	draft->app.batch.each.gates = stage_gates(&draft->app, NULL, at);
	at->path[0] = '\0';
}

/* A list of stages in one of its two forms. */
static void
check_stages(const json_t *spec, const char *strategy, const char *list, const char *example,
    bool may_miss, struct keys_at *at)
{
	const json_t *inside = json_object_get(json_object_get(spec, "strategy"), strategy);
	const json_t *short_form = json_object_get(inside, list);
	const json_t *stages = json_object_get(inside, "stages");
	bool empty = json_is_array(stages) && json_array_size(stages) == 0;

	if (may_miss && short_form == NULL && stages == NULL)
		return;
	if (!json_is_object(inside) || ((short_form == NULL) != (stages == NULL) && !empty))
		return;
	str_print(at->path, sizeof(at->path), "strategy.%s.%s", strategy,
	    short_form == NULL && empty ? "stages" : list);
	if (short_form != NULL)
		keys_error(at, "give either %s or stages, not both", list);
	else if (empty)
		keys_error(at, "needs at least one stage");
	else
		keys_error(at, "is missing: give %s, such as %s, or stages", list, example);
	at->path[0] = '\0';
}

/* --- batches --------------------------------------------------------------------------------- */

/* Its controller replaces in place: a pod is away before its successor is there. */
static void
finish_in_place(const json_t *spec, struct app *app, struct keys_at *at)
{
	const json_t *rolling = jsonx_at(spec, "strategy.rolling");
	struct rolling_spec *batch = &app->batch;

	if (json_object_get(rolling, "surge") != NULL && batch->surge.number > 0)
		error_at(at, "strategy.rolling.surge",
		    "its pods are replaced where they are, none is above its size; leave it out, "
		    "and say with unavailable how many may be missing");
	batch->surge = (struct share_spec){0, false};
	if (json_object_get(rolling, "unavailable") == NULL)
		batch->unavailable = (struct share_spec){1, false};
}

static void
check_batches(const json_t *spec, struct app *app, struct keys_at *at)
{
	if (!json_is_object(jsonx_at(spec, "strategy.rolling")))
		return;
	app->abort_capacity = 100;
	if (app->kind != WORKLOAD_DEPLOYMENT)
		finish_in_place(spec, app, at);
	if (app->batch.surge.number == 0 && app->batch.unavailable.number == 0)
		error_at(at, "strategy.rolling.unavailable",
		    "is 0, and surge too: then no pod could ever be replaced; give one of them");
}

/* --- colours --------------------------------------------------------------------------------- */

/* The workload's name is what the colours' are made from. */
static void
finish_colours(const json_t *spec, struct app *app, struct keys_at *at)
{
	struct colours_spec *pair = &app->pair;
	bool first = pair->first[0] != '\0', second = pair->second[0] != '\0';

	app->colours = json_object_get(json_object_get(spec, "strategy"), "blueGreen") != NULL;
	if (!app->colours || app->workload[0] == '\0')
		return;
	pair->named = first && second;
	if (first != second)
		error_at(at,
		    first ? "strategy.blueGreen.colours.green" : "strategy.blueGreen.colours.blue",
		    "is missing: name both Deployments, or none of them");
	if (pair->named && strcmp(pair->first, pair->second) == 0)
		error_at(at, "strategy.blueGreen.colours.green",
		    "is the other colour's Deployment; each colour needs its own");
	if (!first)
		str_print(pair->first, sizeof(pair->first), "%s-blue", app->workload);
	if (!second)
		str_print(pair->second, sizeof(pair->second), "%s-green", app->workload);
	str_copy(app->canary, sizeof(app->canary), pair->second);
}

static void
finish_judging(struct draft *draft, struct keys_at *at)
{
	struct app *app = &draft->app;

	if (!app->colours)
		return;
	str_copy(at->path, sizeof(at->path), "strategy.blueGreen.gates");
	if (draft->judge_gates != NULL)
		app->pair.judge.gates = stage_gates(app, draft->judge_gates, at);
	str_copy(at->path, sizeof(at->path), "strategy.blueGreen.postGates");
	app->pair.watch = stage_gates(app, draft->watch_gates, at);
	at->path[0] = '\0';
}

int
app_workloads(const struct app *app, const char *names[APP_WORKLOADS])
{
	const char *all[] = {app->workload, app->canary, app->pair.first};
	int count = app->rolls ? 1 : app->colours && !app->sided ? 3 : 2;
	int first = count == 3 && app->pair.named; /* the written name is no Deployment then */

	for (int i = first; i < count; i++)
		names[i - first] = all[i];
	return count - first;
}

void
app_take_sides(struct app *app, const char *stable, const char *canary)
{
	struct traffic_spec *traffic = &app->traffic;
	bool second = strcmp(stable, app->pair.second) == 0;
	char name[APP_NAME];

	str_copy(app->workload, sizeof(app->workload), stable);
	str_copy(app->canary, sizeof(app->canary), canary);
	app->sided = true;
	if (!second || traffic->kind == TRAFFIC_SERVICE)
		return;
	str_copy(name, sizeof(name), traffic->service);
	str_copy(traffic->service, sizeof(traffic->service), traffic->canary_service);
	str_copy(traffic->canary_service, sizeof(traffic->canary_service), name);
}

struct app *
app_with_sides(const struct app *app, const char *stable, const char *canary)
{
	struct errlist errors;
	struct app *sided;

	if (app->sided && strcmp(app->workload, stable) == 0)
		return app_share(app);
	errlist_init(&errors);
	sided = app_parse(app->spec, &errors);
	errlist_done(&errors);
	assert(sided != NULL); /* it was parsed from this before */
	app_take_sides(sided, stable, canary);
	return sided;
}

/* --- the strategy ---------------------------------------------------------------------------- */

/* One of them; and what it needs of the traffic. */
static void
finish_strategy(const json_t *spec, struct app *app, struct keys_at *at)
{
	const json_t *strategy = json_object_get(spec, "strategy");
	bool canary = json_object_get(strategy, "canary") != NULL;
	bool switches = app->traffic.kind == TRAFFIC_SERVICE;
	bool services = app->pair.first_service[0] != '\0' || app->pair.second_service[0] != '\0';

	app->strategy = strategy_find(app->rolls     ? "rolling"
				      : app->colours ? "blueGreen"
						     : "canary");
	if (!json_is_object(strategy))
		return;
	if (app->kind != WORKLOAD_DEPLOYMENT && !app->rolls)
		error_at(at, app->colours ? "strategy.blueGreen" : "strategy.canary",
		    "each pod of a StatefulSet or DaemonSet has a place of its own: give rolling, "
		    "which replaces them where they are");
	else if (canary + app->colours + app->rolls > 1)
		error_at(at, app->colours ? "strategy.blueGreen" : "strategy.rolling",
		    "give either canary, blueGreen or rolling, not several");
	else if (!canary && !app->colours && !app->rolls)
		error_at(at, "strategy.canary", "is missing: give canary, blueGreen or rolling");
	else if (app->rolls && app->traffic.kind != TRAFFIC_NONE)
		error_at(at, "traffic",
		    "a rolling release steers no traffic: give traffic.service, or no traffic");
	else if (app->rolls && app->traffic.canary_service[0] != '\0')
		error_at(at, "traffic.service.preview", "a rolling release has no preview");
	else if (canary && switches)
		error_at(at, "traffic.service",
		    "a Service has no weights; a canary needs traffic.istio or traffic.gateway");
	else if (canary && services)
		traffic_error(app, "services", at,
		    "is for blueGreen, of which each colour has a Service; a canary has service "
		    "and canaryService");
}

/* --- the door -------------------------------------------------------------------------------- */

static void
free_inside(struct app *app)
{
	for (int i = 0; i < app->gate_count; i++) {
		free(app->gates[i].query);
		free(app->gates[i].samples_query);
	}
	free(app->gates);
	free(app->plan.stages);
	free(app->traffic.rules);
	json_decref(app->spec);
}

struct app *
app_parse(const json_t *spec, struct errlist *errors)
{
	struct draft *draft;
	struct keys_at at = {.errors = errors};
	size_t errors_before = errors->count;
	struct app *app = NULL;
	bool in_place;

	if (!json_is_object(spec)) {
		errlist_add(
		    errors, "", "an App is an object with the keys kind, name, namespace, …");
		return NULL;
	}
	draft = mem_alloc(sizeof(*draft));
	keys_read(app_keys, spec, draft, &at);
	finish_kind(spec, &draft->app, &at);
	finish_colours(spec, &draft->app, &at);
	finish_names(&draft->app, &at);
	finish_sides(&draft->app, &at);
	check_gates(&draft->app, &at);
	in_place = draft->app.kind != WORKLOAD_DEPLOYMENT;
	check_stages(spec, "canary", "weights", "[10, 25, 50, 100]", false, &at);
	check_stages(spec, "rolling", "batches", "[1, 25%, 50%, 100%]", in_place, &at);
	check_batches(spec, &draft->app, &at);
	app_finish_sizes(spec, draft, &at);
	finish_stages(draft, &at);
	finish_judging(draft, &at);
	finish_strategy(spec, &draft->app, &at);
	if (errors->count == errors_before) {
		draft->app.spec = json_deep_copy(spec);
		app = mem_alloc(sizeof(*app));
		*app = draft->app;
	} else {
		free_inside(&draft->app);
	}
	free(draft);
	return app;
}

struct app *
app_share(const struct app *app)
{
	struct app *shared = (struct app *)app; /* only the count changes */

	shared->shares++;
	return shared;
}

void
app_free(struct app *app)
{
	if (app == NULL || app->shares-- > 0)
		return;
	free_inside(app);
	free(app);
}
