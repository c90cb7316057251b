/* The made-up cluster, and the plan that comes out of it. */
#include <string.h>
#include "base/str.h"
#include "model/gate.h"
#include "model/pace.h"
#include "model/preflight.h"
#include "model/rehearse.h"
#include "model/strategy.h"

#define TURNS_MAX 2000
#define SETTLE_MS 1000

static void
resize(struct workload_seen *canary, int size)
{
	canary->replicas = canary->pods = canary->updated = size;
	canary->ready = canary->ready_new = size;
}

static void
size_canary(struct observed *seen, const struct act *act)
{
	struct workload_seen *canary = &seen->canary;
	canary->ours |= !canary->exists;
	canary->exists = canary->observed = true;
	resize(canary, act->number);
	str_copy(canary->image, sizeof(canary->image), act->text);
}

static void
size_stable(struct observed *seen, int replicas)
{
	struct workload_seen *stable = &seen->stable;
	bool all_new = stable->ready_new > 0 && stable->ready_new == stable->ready;
	stable->replicas = stable->pods = stable->updated = stable->ready = replicas;
	stable->ready_new = all_new ? replicas : 0;
}

/* Its pods come one by one. */
static void
hold_nodes(struct workload_seen *stable, bool first)
{
	stable->pace = pace_hold_nodes();
	if (!first)
		return;
	stable->updated = stable->ready_new = 0;
	str_print(stable->next, sizeof(stable->next), "%s-…", stable->name);
}

static void
replace_pod(struct workload_seen *stable)
{
	stable->updated++;
	stable->ready_new++;
	if (stable->updated < stable->pods)
		str_print(stable->next, sizeof(stable->next), "%s-…", stable->name);
	else
		stable->next[0] = '\0';
}

static void
roll(struct observed *seen, const struct rollout *r, const struct act *act)
{
	struct workload_seen *stable = &seen->stable;
	bool first = strcmp(stable->image, act->text) != 0;
	str_copy(stable->image, sizeof(stable->image), act->text);
	if (stable->pace.nodes) {
		hold_nodes(stable, first);
		return;
	}
	stable->pace =
	    stable->pace.ordinals
		? pace_hold_ordinals(act->number, stable->replicas)
		: pace_hold(act->number, pace_share(&r->app->batch.surge, stable->replicas));
	stable->updated = stable->ready_new = act->number;
	stable->pods = stable->ready =
	    stable->replicas - pace_gone(&stable->pace, stable->replicas) + act->number;
}

static void
set_image(struct observed *seen, const struct rollout *r, const struct act *act)
{
	struct workload_seen *stable = &seen->stable;
	str_copy(stable->image, sizeof(stable->image), act->text);
	stable->ready = stable->pods = stable->updated = stable->replicas;
	stable->ready_new = strcmp(act->text, r->release.image) == 0 ? stable->replicas : 0;
	stable->pace = r->baseline.pace;
}

static void
route_home(struct observed *seen, const struct baseline *baseline)
{
	seen->route.names_canary = baseline->had_canary_destination;
	seen->route.names_stable_subset = baseline->had_stable_subset_named;
}

static void
subsets_home(struct observed *seen, const struct baseline *baseline)
{
	seen->subsets.exists = baseline->had_destination_rule;
	seen->subsets.canary = baseline->had_canary_subset;
	seen->subsets.stable = baseline->had_stable_subset;
}

static void
weigh(struct route_seen *route, int weight)
{
	route->weight = weight;
	route->names_canary = true;
}

static void
add_subsets(struct subsets_seen *subsets)
{
	subsets->ours = !subsets->exists;
	subsets->exists = subsets->stable = subsets->canary = true;
}

static void
set_budget(struct budgets_seen *budgets, const struct act *act)
{
	bool *ours = act->number == 0 ? &budgets->stable_ours : &budgets->canary_ours;
	*ours = act->kind == ACT_CREATE_BUDGET;
}

static void
set_floor(struct hpa_seen *hpa, const struct baseline *baseline, int number)
{
	bool home = number == ACT_AS_IT_WAS;
	hpa->min = home ? baseline->hpa_min : number;
	hpa->bare = home && baseline->keda_bare;
	hpa->idles = home && baseline->keda_idles;
	hpa->idle = hpa->idles ? baseline->keda_idle : 0;
}

void
rehearse_act(struct observed *seen, const struct rollout *r, const struct act *act)
{
	switch (act->kind) {
	case ACT_HPA_FLOOR:
		set_floor(&seen->hpa, &r->baseline, act->number);
		break;
	case ACT_CREATE_SERVICE:
		seen->canary_service = seen->canary_service_ours = true;
		seen->preview = PREVIEW_CANARY;
		break;
	case ACT_ADD_SUBSETS:
		add_subsets(&seen->subsets);
		break;
	case ACT_NAME_STABLE:
		seen->route.names_stable_subset = true;
		break;
	case ACT_CREATE_CANARY:
		size_canary(seen, act);
		break;
	case ACT_SCALE_CANARY:
		resize(&seen->canary, act->number);
		break;
	case ACT_WEIGHT:
		weigh(&seen->route, act->number);
		break;
	case ACT_SET_IMAGE:
		set_image(seen, r, act);
		break;
	case ACT_ROUTE_HOME:
		route_home(seen, &r->baseline);
		break;
	case ACT_DELETE_CANARY:
		seen->canary = (struct workload_seen){0};
		break;
	case ACT_REMOVE_SUBSETS:
		subsets_home(seen, &r->baseline);
		break;
	case ACT_DELETE_SERVICE:
		seen->canary_service = seen->canary_service_ours = false;
		break;
	case ACT_POINT_SERVICE:
		seen->preview = act->number == 0 ? PREVIEW_STABLE : PREVIEW_CANARY;
		break;
	case ACT_FOLLOW_HPA:
		seen->hpa.on_canary = act->number != 0;
		break;
	case ACT_SCALE_STABLE:
		size_stable(seen, act->number);
		break;
	case ACT_CREATE_BUDGET:
	case ACT_DELETE_BUDGET:
		set_budget(&seen->budgets, act);
		break;
	case ACT_ROLL:
		roll(seen, r, act);
		break;
	case ACT_BACKUP:
		str_copy(seen->backups[0].job, sizeof(seen->backups[0].job), act->text);
		seen->backups[0].state = JOB_SUCCEEDED;
		break;
	case ACT_REPLACE_POD:
		replace_pod(&seen->stable);
		break;
	case ACT_DELETE_POD:
		seen->stable.stuck[0] = '\0';
		break;
	case ACT_NONE:
	case ACT_KINDS:
		break;
	}
}

static void
note_step(struct plan *plan, int stage, const struct act *act)
{
	plan->steps = mem_grow(plan->steps, (size_t)plan->count + 1, sizeof(*plan->steps));
	plan->steps[plan->count++] = (struct plan_step){.stage = stage, .act = *act};
}

static int
fold_one(struct rollout *r, enum event_kind kind, int64_t now_ms, json_t *data, struct err *e)
{
	struct event event = {.kind = kind, .at_ms = now_ms, .actor = "", .data = data};
	int rc = rollout_fold(r, &event, e);
	json_decref(data);
	return rc;
}

static int
fold_all(struct rollout *r, struct events *events, struct err *e)
{
	int rc = 0;
	for (int i = 0; i < events->count && rc == 0; i++)
		rc = rollout_fold(r, &events->list[i], e);
	return rc;
}

/* Every gate passes, every approval is given. */
static int
be_kind(struct rollout *r, int64_t now_ms, struct err *e)
{
	int rc = 0;
	if (!r->approved)
		rc = fold_one(r, EVENT_COMMAND, now_ms, json_pack("{s:s}", "name", "approve"), e);
	for (int i = 0; i < r->app->gate_count && rc == 0; i++)
		if (gate_due_ms(r, i) != 0 && gate_due_ms(r, i) <= now_ms)
			rc = fold_one(r, EVENT_MEASURED, now_ms,
			    json_pack(
				"{s:s, s:s}", "gate", r->app->gates[i].name, "verdict", "pass"),
			    e);
	return rc;
}

struct rehearsal {
	struct rollout *r;
	struct observed seen;
	int64_t now_ms;
	struct plan *plan;
};

static int
act_now(struct rehearsal *x, const struct act *act, struct err *e)
{
	rehearse_act(&x->seen, x->r, act);
	note_step(x->plan, x->r->stage, act);
	return fold_one(x->r, EVENT_ACTED, x->now_ms,
	    json_pack("{s:I, s:s}", "attempt", (json_int_t)x->r->attempt.number, "outcome",
		act_outcome_name(ACT_DONE)),
	    e);
}

static void
let_time_pass(struct rehearsal *x, int64_t wake_ms)
{
	int64_t next = wake_ms > x->now_ms ? wake_ms : x->now_ms + 1000;
	/* A hold has a known end; what gates say before it changes nothing here. */
	bool holds = strcmp(x->r->waiting.object, "Stage") == 0;
	for (int i = 0; !holds && i < x->r->app->gate_count; i++) {
		int64_t due = gate_due_ms(x->r, i);
		if (due > x->now_ms && due < next)
			next = due;
	}
	x->now_ms = next;
}

static int
turn(struct rehearsal *x, struct err *e)
{
	struct decision decision;
	x->seen.verified_ms = x->now_ms;
	decide(
	    &(struct situation){
		.rollout = x->r, .seen = &x->seen, .now_ms = x->now_ms, .settle_ms = SETTLE_MS},
	    &decision);
	int rc = fold_all(x->r, &decision.events, e);
	if (rc == 0 && decision.act.kind != ACT_NONE)
		rc = act_now(x, &decision.act, e);
	else if (rc == 0 && decision.events.count == 0)
		let_time_pass(x, decision.wake_ms);
	events_done(&decision.events);
	return rc == 0 && x->r->compiled ? be_kind(x->r, x->now_ms, e) : rc;
}

static int
start(struct rehearsal *x, const struct app *app, const struct release *release, struct err *e)
{
	x->r = rollout_new("r-rehearsal");
	return fold_one(x->r, EVENT_CREATED, x->now_ms,
	    json_pack("{s:O, s:o}", "app", app->spec, "release", release_json(release)), e);
}

void
plan_preflight(const struct app *app, const struct observed *seen, const struct findings *found,
    struct plan *plan)
{
	*plan = (struct plan){0};
	errlist_init(&plan->problems);
	errlist_init(&plan->warnings);
	preflight_find(app, seen, found, &plan->problems);
	preflight_warn(seen, found, &plan->warnings);
}

int
plan_make(const struct app *app, const struct release *release, const struct observed *seen,
    const struct findings *found, int64_t now_ms, struct plan *plan, struct err *e)
{
	struct rehearsal x = {.seen = *seen, .now_ms = now_ms, .plan = plan};
	plan_preflight(app, seen, found, plan);
	if (plan->problems.count > 0)
		return 0;
	x.seen.fresh = true;
	/* Nothing is written: it does not matter who may. */
	x.seen.fence = (struct fence_seen){.other = false};
	int rc = start(&x, app, release, e);
	for (int i = 0; rc == 0 && i < TURNS_MAX && !phase_final(x.r->phase); i++)
		rc = turn(&x, e);
	plan->ladder = (struct ladder){.count = x.r->ladder.count, .full = x.r->ladder.full};
	for (int i = 0; i < plan->ladder.count; i++)
		plan->ladder.stages[i] = x.r->ladder.stages[i];
	plan->app = app_share(x.r->app != NULL ? x.r->app : app);
	if (rc == 0 && x.r->phase != PHASE_SUCCEEDED)
		rc = err_set(e, "the rehearsal did not succeed: %s: %s %s", phase_name(x.r->phase),
		    x.r->waiting.object, x.r->waiting.what);
	rollout_free(x.r);
	if (rc < 0)
		plan_done(plan);
	return rc;
}

void
plan_done(struct plan *plan)
{
	app_free(plan->app);
	free(plan->steps);
	errlist_done(&plan->problems);
	errlist_done(&plan->warnings);
	*plan = (struct plan){0};
}
