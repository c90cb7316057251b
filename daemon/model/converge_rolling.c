/* One workload that takes the release in batches while it serves. What must hold on the way: no
 * more pods of the release than the batch says, and so many ready ones as the app demands: the old
 * pods that go are replaced by new ones that are ready already. */
#include <string.h>
#include "base/str.h"
#include "model/pace.h"
#include "model/step.h"

static bool
same_image(const struct rollout *r)
{
	return strcmp(r->release.image, r->baseline.image) == 0;
}

static bool
has_release(const struct view *v)
{
	return strcmp(v->seen->stable.image, v->rollout->release.image) == 0;
}

/* Of the size that it has now: an HPA may have changed it. */
static int
size_now(const struct view *v)
{
	int replicas = v->seen->stable.replicas;

	return replicas > 0 ? replicas : full_size(v);
}

static int
wanted_pods(const struct view *v)
{
	struct share_spec share = {v->target.batch, v->target.percent};
	int size = size_now(v), pods = pace_share(&share, size);

	return pods > size ? size : pods;
}

static int
allowed_now(const struct view *v)
{
	const struct pace *pace = &v->seen->stable.pace;

	if (!has_release(v))
		return 0;
	return pace->nodes ? v->rollout->batch : pace_new(pace, size_now(v));
}

/* Each pod that goes is made up for by one that is ready, or may be missing. */
int
roll_limit(const struct view *v)
{
	const struct rolling_spec *spec = &v->rollout->app->batch;
	int size = size_now(v);
	int now = has_release(v) ? v->seen->stable.ready_new : 0;

	return now + pace_share(&spec->surge, size) + pace_share(&spec->unavailable, size);
}

/* Old pods that are not ready, as far as they are the next to be replaced: a Deployment's are, a
 * StatefulSet's only from the last ordinal on. */
static int
broken_next(const struct view *v)
{
	const struct workload_seen *stable = &v->seen->stable;
	int fresh = has_release(v) ? stable->ready_new : 0;
	int old = stable->pods - (has_release(v) ? stable->updated : 0);
	int broken = old - (stable->ready - fresh);

	if (stable->pace.nodes)
		return stable->next[0] != '\0' && !stable->next_ready;
	if (stable->pace.ordinals)
		return stable->broken_last;
	return broken > 0 ? broken : 0;
}

/* Old pods that are gone, or may go at any time. */
static int
gone_now(const struct view *v)
{
	const struct workload_seen *stable = &v->seen->stable;

	if (!has_release(v))
		return 0;
	return stable->pace.nodes ? size_now(v) - (stable->pods - stable->updated)
				  : pace_gone(&stable->pace, size_now(v));
}

/* Nothing is lost with the broken ones. */
static bool
may_lose(const struct view *v, int next)
{
	const struct workload_seen *stable = &v->seen->stable;
	const struct rolling_spec *spec = &v->rollout->app->batch;
	int size = size_now(v), surge = pace_share(&spec->surge, size);
	int gone = next > surge ? next - surge : 0;
	int more = gone - gone_now(v);
	int spare = stable->ready - (size - pace_share(&spec->unavailable, size));

	return more <= 0 || more <= spare + broken_next(v);
}

static bool
wait_for(const struct view *v, struct step *step, int need, const char *of)
{
	const struct app *app = v->rollout->app;
	const struct workload_seen *stable = &v->seen->stable;
	const struct problem *problem = &stable->problem;
	char object[APP_NAME * 2];
	int ready = canary_ready_of(v->rollout, v->seen);

	step_object(object, sizeof(object), app_workload_kind(app), app, app->workload);
	if (problem->reason[0] != '\0')
		step_blocked(step, object, 0, "aborts at the deadline",
		    "%d of %d pods of the %s ready; %s: %s: %s", ready, need, of, problem->object,
		    problem->reason, problem->message);
	else
		step_blocked(step, object, 0, "aborts at the deadline",
		    "%d of %d pods of the %s ready", ready, need, of);
	step->on_pods = true;
	str_copy(step->waiting.reason, sizeof(step->waiting.reason), problem->reason);
	return true;
}

static bool
was_at_rest(const struct view *v)
{
	const struct rollout *r = v->rollout;

	return r->records != NULL && r->records[r->stage].settled_ms != 0;
}

/* The controller has done what it was allowed to, and these pods are ready. An HPA may have made
 * the workload smaller than the batch. It may move all the time: what it does to the old pods
 * takes nothing back, or no hold would ever end (F34). */
static bool
at_rest(const struct view *v, int allowed)
{
	const struct workload_seen *stable = &v->seen->stable;
	int size = size_now(v), wanted = wanted_pods(v);
	int left = size - (stable->pace.nodes ? allowed : pace_gone(&stable->pace, size));

	if (was_at_rest(v))
		return stable->ready_new >= (allowed < wanted ? allowed : wanted);
	return stable->observed && stable->ready_new >= (allowed < size ? allowed : size) &&
	       stable->pods - stable->updated <= (left > 0 ? left : 0);
}

/* Pods that crash after a moment were ready too; and until it is known who has the requests, the
 * old pods do. */
static bool
not_steady(const struct view *v, struct step *step, const char *next)
{
	const struct rollout *r = v->rollout;
	int64_t until_ms = r->sides[SIDE_CANARY].since_ms + r->app->steady_ms, taken_ms = 0;
	bool taken = mesh_took(v, MESH_CANARY, &taken_ms);
	char object[APP_NAME * 2];

	if (taken && v->now_ms >= until_ms)
		return false;
	step_object(object, sizeof(object), app_workload_kind(r->app), r->app, r->app->workload);
	if (v->now_ms < until_ms)
		return step_blocked(step, object, until_ms, next,
		    "the release's pods are ready; they must stay so for a moment (steady)");
	return step_blocked(step, object, taken_ms, next,
	    "the release's pods are ready; they count as known to those who send requests after "
	    "mesh.settle");
}

/* Old or new: the next one that goes must not be one too many. */
static bool
wait_for_others(const struct view *v, struct step *step)
{
	const struct app *app = v->rollout->app;
	const struct workload_seen *stable = &v->seen->stable;
	int size = size_now(v), may_miss = pace_share(&app->batch.unavailable, size);
	char object[APP_NAME * 2];

	step_object(object, sizeof(object), app_workload_kind(app), app, app->workload);
	step_blocked(step, object, 0, "aborts at the deadline",
	    "%d of %d pods ready; %d may be missing once the next one goes", stable->ready, size,
	    may_miss);
	step->on_pods = true;
	return true;
}

static bool
go_further(const struct view *v, struct step *step, int allowed, int wanted)
{
	int next = roll_limit(v);

	if (next > wanted)
		next = wanted;
	if (allowed > 0 && not_steady(v, step, "then the next pods follow"))
		return true;
	if (v->seen->stable.pace.nodes) /* the write moves nothing yet */
		return step_act(step, ACT_ROLL, wanted, v->rollout->release.image);
	if (next <= allowed || !may_lose(v, next))
		return wait_for_others(v, step);
	return step_act(step, ACT_ROLL, next, v->rollout->release.image);
}

bool
roll_is_safe(const struct view *v, const struct act *act)
{
	int allowed = allowed_now(v);

	/* One may have gone by others since that was decided. */
	if (act->kind == ACT_REPLACE_POD)
		return gone_now(v) < allowed && may_lose(v, gone_now(v) + 1);
	return act->number <= allowed || v->seen->stable.pace.nodes ||
	       (act->number <= roll_limit(v) && may_lose(v, act->number));
}

/* A StatefulSet's controller waits for each pod it has made, also for one that it would replace: as
 * that pod is not ready, nothing is lost with it. */
static bool
rule_stuck(const struct view *v, struct step *step)
{
	const struct workload_seen *stable = &v->seen->stable;

	return stable->observed && stable->stuck[0] != '\0' &&
	       step_act(step, ACT_DELETE_POD, 0, stable->stuck);
}

static bool
is_replacement(enum act_kind kind)
{
	return kind == ACT_REPLACE_POD;
}

/* A deletion that was given up may still come: meanwhile no other pod goes, or it would be one too
 * many. The same one may be asked for again. */
static bool
wait_for_late(const struct view *v, struct step *step)
{
	const struct rollout *r = v->rollout;
	const struct act *last = &r->attempt.act;
	int64_t until_ms = late_kind_ms(&r->late, v->now_ms, is_replacement);
	char object[APP_NAME * 2];

	if (until_ms == 0 ||
	    (is_replacement(last->kind) && strcmp(last->text, v->seen->stable.next) == 0))
		return false;
	step_object(object, sizeof(object), app_workload_kind(r->app), r->app, r->app->workload);
	return step_blocked(step, object, until_ms, "then the next pod follows",
	    "a deletion of a pod that the cluster did not answer may still take effect");
}

/* A DaemonSet goes no further than it is taken: pod by pod, up to what the batch allows. */
static bool
rule_replace(const struct view *v, struct step *step, int allowed)
{
	const struct workload_seen *stable = &v->seen->stable;
	int gone = gone_now(v);

	if (!stable->pace.nodes || gone >= allowed || stable->next[0] == '\0')
		return false;
	if (stable->ready_new < stable->updated)
		return wait_for(v, step, stable->updated, "batch");
	if (gone > 0 && not_steady(v, step, "then the next pods follow"))
		return true;
	if (!may_lose(v, gone + 1))
		return wait_for_others(v, step);
	return wait_for_late(v, step) || step_act(step, ACT_REPLACE_POD, 0, stable->next);
}

static bool
rule_batch(const struct view *v, struct step *step)
{
	int wanted = wanted_pods(v), allowed = allowed_now(v);

	if (same_image(v->rollout)) /* each pod has it already */
		return false;
	if (rule_hpa_floor(v, step) || (allowed > 0 && rule_stuck(v, step)))
		return true;
	if (rule_replace(v, step, allowed < wanted ? allowed : wanted))
		return true;
	if (allowed > 0 && !at_rest(v, allowed))
		return wait_for(v, step, allowed < wanted ? allowed : wanted, "batch");
	if (allowed == 0 && rule_keda_lags(v, step, "then the first pods follow"))
		return true;
	return allowed < wanted && go_further(v, step, allowed, wanted);
}

/* It rolls by itself again, or rolls back. */
static bool
rule_own_pace(const struct view *v, struct step *step)
{
	const struct pace *pace = &v->seen->stable.pace;

	if (stable_has_image(v) && pace_same(pace, &v->rollout->baseline.pace))
		return false;
	if (!v->urgent && not_steady(v, step, "then the last old pods go"))
		return true;
	return step_act(step, ACT_SET_IMAGE, 0, wanted_image(v));
}

/* By the images of the pods, too: the Deployment's numbers may be newer than what is known of its
 * pods, and one that is about to go would count. */
static bool
rule_all_ready(const struct view *v, struct step *step)
{
	int right = stable_ready_of(v->rollout, &v->seen->stable, v->target.stable_new);

	if (stable_complete(v) && right >= v->seen->stable.replicas)
		return false;
	return step_pods(v, step, SIDE_STABLE, size_now(v));
}

bool
rule_rolling(const struct view *v, struct step *step)
{
	const struct rollout *r = v->rollout;

	if (v->target.backup)
		return rule_backup(v, step);
	if (v->target.batch > 0)
		return rule_backup(v, step) || rule_batch(v, step);
	if (v->seen->stable.exists && !v->adopt &&
	    (rule_own_pace(v, step) ||
		(r->rolled && (rule_stuck(v, step) || rule_all_ready(v, step)))))
		return true;
	return rule_clean(v, step);
}
