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

/* No batches are named: one ordinal after the other, the last first, or one node; of very many
 * several at once. */
static void
add_each(struct ladder *ladder, const struct app *app, int replicas, uint32_t all)
{
	struct stage_spec each = app->batch.each;
	int step = (replicas + APP_STAGES - 1) / APP_STAGES;

	for (int done = step; done < replicas + step; done += step) {
		int last = replicas - done;
		struct stage *stage;

		each.weight = done < replicas ? done : replicas;
		stage = add_batch(ladder, &each, all);
		if (app->kind == WORKLOAD_STATEFULSET)
			str_print(
			    stage->name, sizeof(stage->name), "ordinal %d", last > 0 ? last : 0);
	}
}

/* Up to the end, whatever the list says. */
static void
add_rest(struct ladder *ladder, const struct stage_spec *last, int replicas, uint32_t all)
{
	struct stage_spec rest = {.weight = 100};

	if (last->weight < (last->pods ? replicas : 100))
		str_copy(
		    add_batch(ladder, &rest, all)->name, sizeof(ladder->stages[0].name), "all");
}

/* Two batches may be the same pods of a small workload: each keeps its own conditions. */
static void
compile(const struct app *app, const struct baseline *baseline, struct ladder *ladder)
{
	const struct canary_spec *plan = &app->plan;
	uint32_t all = app->gate_count == 0 ? 0 : UINT32_MAX >> (32 - app->gate_count);

	*ladder = (struct ladder){0};
	ladder_append(ladder, "preflight", (struct target){.home = true});
	if (app->batch.backup[0] != '\0')
		ladder_append(ladder, "backup", (struct target){.home = true, .backup = true});
	for (int i = 0; i < plan->stage_count; i++)
		add_batch(ladder, &plan->stages[i], all);
	if (plan->stage_count == 0)
		add_each(ladder, app, baseline->replicas, all);
	else
		add_rest(ladder, &plan->stages[plan->stage_count - 1], baseline->replicas, all);
	ladder->full = ladder->count - 1;
	ladder_append(ladder, "finish", (struct target){.stable_new = true, .home = true});
}

static void
check_partition(const struct app *app, const struct pace *pace, struct errlist *problems)
{
	const char *ns = app->namespace, *name = app->workload;

	if (!pace_is_known(pace))
		errlist_add(problems, "workload",
		    "StatefulSet %s/%s has updateStrategy OnDelete, with which nobody but you "
		    "replaces its pods: set spec.updateStrategy.type to RollingUpdate",
		    ns, name);
	else if (pace->partition > 0)
		errlist_add(problems, "workload",
		    "StatefulSet %s/%s has partition %d, which keeps the ordinals below it from "
		    "any "
		    "release, or is left over from an earlier rollout: set "
		    "spec.updateStrategy.rollingUpdate.partition to 0 first",
		    ns, name, pace->partition);
}

static void
check_by_hand(const struct app *app, const struct pace *pace, struct errlist *problems)
{
	if (pace->by_hand)
		errlist_add(problems, "workload",
		    "DaemonSet %s/%s has updateStrategy OnDelete, or is left over from an earlier "
		    "rollout: set spec.updateStrategy.type to RollingUpdate first",
		    app->namespace, app->workload);
}

static void
check_pace(const struct app *app, const struct workload_seen *seen, struct errlist *problems)
{
	if (app->kind == WORKLOAD_STATEFULSET)
		check_partition(app, &seen->pace, problems);
	else if (app->kind == WORKLOAD_DAEMONSET)
		check_by_hand(app, &seen->pace, problems);
	else if (!pace_is_known(&seen->pace))
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
		errlist_add(problems, "workload", "%s %s/%s does not exist; apply it first",
		    app_workload_kind(app), app->namespace, app->workload);
	else if (stable->replicas == 0)
		errlist_add(problems, "workload",
		    "%s %s/%s has 0 replicas: there is no pod to judge; scale it to 1 or more "
		    "first",
		    app_workload_kind(app), app->namespace, app->workload);
	else
		check_pace(app, stable, problems);
	if (app->traffic.service[0] != '\0' && !seen->service)
		errlist_add(problems, "traffic.service.name", "Service %s/%s does not exist",
		    app->namespace, app->traffic.service);
}

const struct strategy strategy_rolling = {
    .name = "rolling", .compile = compile, .preflight = preflight};
