/* Rolling: preflight, one stage a batch (so many pods run the release, judged while they serve),
 * finish (the workload rolls by itself again, as it did before). There is one side only. */
#include "base/str.h"
#include "model/pace.h"
#include "model/strategy.h"

static struct stage *
add_batch(struct ladder *ladder, const struct stage_spec *spec, uint32_t all)
{
	struct target target = {.batch = spec->weight, .percent = !spec->pods, .stable_new = true};
	struct stage *stage = ladder_append(ladder, "", target);
	const char *unit = !spec->pods ? "%" : spec->weight == 1 ? " pod" : " pods";

	str_print(stage->name, sizeof(stage->name), "batch %d%s", spec->weight, unit);
	stage->hold_ms = spec->hold_ms;
	stage->approve = spec->approve;
	stage->gates = spec->gates;
	stage->watch = all;
	stage->serves = true;
	return stage;
}

/* Two batches may be the same pods of a small workload: each keeps its own conditions. */
static void
compile(const struct app *app, const struct baseline *baseline, struct ladder *ladder)
{
	const struct canary_spec *plan = &app->plan;
	const struct stage_spec *last = &plan->stages[plan->stage_count - 1];
	uint32_t all = app->gate_count == 0 ? 0 : UINT32_MAX >> (32 - app->gate_count);

	*ladder = (struct ladder){0};
	ladder_append(ladder, "preflight", (struct target){.home = true});
	for (int i = 0; i < plan->stage_count; i++)
		add_batch(ladder, &plan->stages[i], all);
	if (last->weight < (last->pods ? baseline->replicas : 100)) {
		struct stage_spec rest = {.weight = 100};
		struct stage *stage = add_batch(ladder, &rest, all);

		str_copy(stage->name, sizeof(stage->name), "all");
	}
	ladder->full = ladder->count - 1;
	ladder_append(ladder, "finish", (struct target){.stable_new = true, .home = true});
}

static void
check_pace(const struct app *app, const struct workload_seen *seen, struct errlist *problems)
{
	if (!pace_is_known(&seen->pace))
		errlist_add(problems, "workload",
		    "Deployment %s/%s has no strategy RollingUpdate, so it cannot go in batches: "
		    "set "
		    "spec.strategy.type",
		    app->namespace, app->workload);
	else if (seen->pace.min_ready_s == PACE_HELD_S)
		errlist_add(problems, "workload",
		    "Deployment %s/%s is still held in a batch of an earlier rollout "
		    "(minReadySeconds %d): set minReadySeconds, progressDeadlineSeconds and "
		    "strategy.rollingUpdate as they should be first",
		    app->namespace, app->workload, PACE_HELD_S);
}

static void
preflight(const struct app *app, const struct observed *seen, struct errlist *problems)
{
	const struct workload_seen *stable = &seen->stable;

	if (!stable->exists)
		errlist_add(problems, "workload", "Deployment %s/%s does not exist; apply it first",
		    app->namespace, app->workload);
	else if (stable->replicas == 0)
		errlist_add(problems, "workload",
		    "Deployment %s/%s has 0 replicas: there is no pod to judge; scale it to 1 or "
		    "more first",
		    app->namespace, app->workload);
	else
		check_pace(app, stable, problems);
	if (app->traffic.service[0] != '\0' && !seen->service)
		errlist_add(problems, "traffic.service.name", "Service %s/%s does not exist",
		    app->namespace, app->traffic.service);
}

const struct strategy strategy_rolling = {
    .name = "rolling", .compile = compile, .preflight = preflight};
