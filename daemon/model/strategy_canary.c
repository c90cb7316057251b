/* Canary: preflight, one stage a weight, full, promote (the stable workload takes the new image
 * while it serves nothing), return (the traffic goes back to it), clean. */
#include "base/str.h"
#include "model/strategy.h"

static void
add_weight(struct ladder *ladder, const struct app *app, int i, uint32_t all)
{
	const struct stage_spec *spec = &app->plan.stages[i];
	int keeps = app_keeps(app, spec->weight);
	struct target target = {
	    .weight = spec->weight, .canary = spec->size, .stable = keeps < 100 ? keeps : 0};
	struct stage *stage = ladder_append(ladder, "", target);
	str_print(stage->name, sizeof(stage->name), "canary %d%%", spec->weight);
	stage->hold_ms = spec->hold_ms;
	stage->approve = spec->approve;
	stage->gates = spec->gates;
	stage->watch = all;
	stage->serves = true;
}

static void
compile(const struct app *app, const struct baseline *baseline, struct ladder *ladder)
{
	(void)baseline;
	const struct canary_spec *plan = &app->plan;
	uint32_t all = app->gate_count == 0 ? 0 : UINT32_MAX >> (32 - app->gate_count);
	*ladder = (struct ladder){0};
	ladder_append(ladder, "preflight", (struct target){.home = true});
	for (int i = 0; i < plan->stage_count; i++)
		add_weight(ladder, app, i, all);
	struct target full = {.weight = 100, .canary = 100};
	/* It grows again with the new image. */
	full.stable = ladder->stages[ladder->count - 1].target.stable;
	if (plan->stages[plan->stage_count - 1].weight != 100)
		ladder_append(ladder, "full", full)->watch = all;
	ladder->full = ladder->count - 1;
	full.stable_new = true;
	full.stable = 0;
	ladder_append(ladder, "promote", full)->watch = all;
	full.weight = 0;
	ladder_append(ladder, "return", full)->watch = all;
	ladder_append(ladder, "clean", (struct target){.stable_new = true, .home = true});
}

static void
check_workload(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	const struct workload_seen *stable = &seen->stable;
	if (!stable->exists) {
		errlist_add(problems, "workload", "Deployment %s/%s does not exist; apply it first",
		    app->namespace, app->workload);
		return;
	}
	if (stable->replicas == 0)
		errlist_add(problems, "workload",
		    "Deployment %s/%s has 0 replicas: there is nothing to compare with and no side "
		    "to go home to; scale it to 1 or more first",
		    app->namespace, app->workload);
	else if (stable->ready == 0)
		errlist_add(problems, "workload",
		    "Deployment %s/%s has no ready endpoint in Service %s: it could not carry the "
		    "traffic that stays; see kubectl get pods",
		    app->namespace, app->workload, app->traffic.service);
	if (seen->canary.exists && !seen->canary.ours)
		errlist_add(problems, "workload",
		    "Deployment %s/%s exists and airisd did not make it; rename or delete it",
		    app->namespace, app->canary);
}

static void
check_traffic(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	const struct route_seen *route = &seen->route;
	const char *kind = app_route_kind(app);
	char key[64], service_key[64], whole[64];
	app_traffic_key(app, "", whole, sizeof(whole));
	app_traffic_key(app, NULL, key, sizeof(key));
	app_traffic_key(app, "service", service_key, sizeof(service_key));
	if (!seen->service)
		errlist_add(problems, service_key, "Service %s/%s does not exist", app->namespace,
		    app->traffic.service);
	if (!route->exists)
		errlist_add(problems, key, "%s %s/%s does not exist", kind, app->namespace,
		    app->traffic.route);
	else if (!route->fits)
		errlist_add(problems, whole, "%s", route->why_not);
	else if (route->weight != 0)
		errlist_add(problems, key,
		    "%s %s/%s already gives the canary %d percent; set it to 0 first", kind,
		    app->namespace, app->traffic.route, route->weight);
	else if (app->traffic.kind == TRAFFIC_GATEWAY && !route->accepted)
		errlist_add(problems, key, "%s %s/%s: %s", kind, app->namespace, app->traffic.route,
		    route->unaccepted);
	if (app->traffic.mode == TRAFFIC_SUBSET && seen->subsets.why_not[0] != '\0')
		errlist_add(problems, whole, "%s", seen->subsets.why_not);
}

static void
check_shrink(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	if (app->plan.shrink && seen->hpa.exists)
		errlist_add(problems, "strategy.canary.shrinkStable",
		    "%s %s/%s sizes Deployment %s/%s, and airisd never writes the replicas of what "
		    "an autoscaler owns; leave shrinkStable out: its floor is held at the size of "
		    "the start, and is set back at the end",
		    seen->hpa.keda ? "ScaledObject" : "HorizontalPodAutoscaler", app->namespace,
		    seen->hpa.name, app->namespace, app->workload);
}

static void
preflight(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	check_workload(app, seen, problems);
	check_shrink(app, seen, problems);
	check_traffic(app, seen, problems);
}

const struct strategy strategy_canary = {
    .name = "canary", .compile = compile, .preflight = preflight};
