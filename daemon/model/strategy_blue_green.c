/* Blue-green: preflight, preview (the idle colour gets the release and nothing of the traffic),
 * switch (it gets all of it, and is watched), keep (the old colour waits at full size), retire (it
 * goes to rest). Of the two sides the stable one is the colour that is active at the start, the
 * canary the idle one; the next rollout begins with them the other way round. */
#include "model/strategy.h"

static void
compile(const struct app *app, const struct baseline *baseline, struct ladder *ladder)
{
	(void)baseline;
	const struct colours_spec *pair = &app->pair;
	struct target target = {.canary = pair->preview};
	*ladder = (struct ladder){0};
	ladder_append(ladder, "preflight", (struct target){.home = true});
	struct stage *preview = ladder_append(ladder, "preview", target);
	preview->hold_ms = pair->judge.hold_ms;
	preview->approve = pair->judge.approve;
	preview->gates = preview->watch = pair->judge.gates;
	preview->serves = true;
	target = (struct target){.weight = 100, .canary = 100};
	struct stage *after = ladder_append(ladder, "switch", target);
	after->hold_ms = pair->watch_ms;
	after->gates = after->watch = pair->watch;
	after->serves = true;
	ladder->full = ladder->count - 1;
	if (pair->keep_ms > 0) {
		struct stage *keep = ladder_append(ladder, "keep", target);
		keep->hold_ms = pair->keep_ms;
		keep->watch = pair->watch;
	}
	target.retired = true;
	ladder_append(ladder, "retire", target);
}

static void
check_active(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	const struct workload_seen *active = &seen->stable;
	bool switches = app->traffic.kind == TRAFFIC_SERVICE;
	if (!active->exists)
		errlist_add(problems, "workload", "Deployment %s/%s does not exist; apply it first",
		    app->namespace, active->name);
	else if (active->replicas == 0)
		errlist_add(problems, "workload",
		    "Deployment %s/%s has 0 replicas, and %s %s %s it: there is no colour to go "
		    "home to; scale it to 1 or more first",
		    app->namespace, active->name, app_route_kind(app), app->traffic.route,
		    switches ? "selects" : "sends to");
	else if (active->ready == 0)
		errlist_add(problems, "workload",
		    "Deployment %s/%s has no ready pod that Service %s selects; see kubectl get "
		    "pods",
		    app->namespace, active->name, app->traffic.service);
}

/* What the preview shows must never be what serves. */
static void
check_preview(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	if (!seen->canary_service || seen->canary_service_ours || seen->preview == PREVIEW_CANARY)
		return;
	errlist_add(problems, "traffic.service.preview",
	    "Service %s/%s does not select the idle colour, Deployment %s: make its selector that "
	    "of Service %s, but with the idle colour's labels",
	    app->namespace, app->traffic.canary_service, seen->canary.name, app->traffic.service);
}

static void
preflight(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	const struct route_seen *route = &seen->route;
	char key[64];
	app_traffic_key(app, NULL, key, sizeof(key));
	check_active(app, seen, problems);
	if (!route->exists)
		errlist_add(problems, key, "%s %s/%s does not exist", app_route_kind(app),
		    app->namespace, app->traffic.route);
	else if (!route->fits)
		errlist_add(problems, "traffic", "%s", route->why_not);
	else if (app->traffic.kind == TRAFFIC_SERVICE)
		check_preview(app, seen, problems);
	else if (route->weight > 0)
		errlist_add(problems, key,
		    "%s %s/%s gives weight to both Services, %s and %s: give one of them all",
		    app_route_kind(app), app->namespace, app->traffic.route, app->traffic.service,
		    app->traffic.canary_service);
	else if (app->traffic.kind == TRAFFIC_GATEWAY && !route->accepted)
		errlist_add(problems, key, "%s %s/%s: %s", app_route_kind(app), app->namespace,
		    app->traffic.route, route->unaccepted);
}

const struct strategy strategy_blue_green = {
    .name = "blueGreen", .compile = compile, .preflight = preflight};
