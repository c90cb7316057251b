/* How converge's rules answer, and the waits that several of them share. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "model/step.h"

bool
step_act(struct step *step, enum act_kind kind, int number, const char *text)
{
	*step = (struct step){.kind = STEP_ACT, .act = {.kind = kind, .number = number}};
	str_copy(step->act.text, sizeof(step->act.text), text ? text : "");
	return true;
}

bool
step_blocked(struct step *step, const char *object, int64_t until_ms, const char *next,
    const char *format, ...)
{
	va_list args;
	*step = (struct step){.kind = STEP_BLOCKED};
	str_copy(step->waiting.object, sizeof(step->waiting.object), object);
	str_copy(step->waiting.next, sizeof(step->waiting.next), next);
	step->waiting.until_ms = until_ms;
	char *what;
	va_start(args, format);
	what = str_vformat(format, args);
	va_end(args);
	str_copy(step->waiting.what, sizeof(step->waiting.what), what);
	free(what);
	return true;
}

void
step_object(char *to, size_t size, const char *kind, const struct app *app, const char *name)
{
	str_print(to, size, "%s %s/%s", kind, app->namespace, name);
}

bool
step_pods(const struct view *v, struct step *step, enum side side, int need)
{
	const struct app *app = v->rollout->app;
	const struct workload_seen *seen =
	    side == SIDE_CANARY ? &v->seen->canary : &v->seen->stable;
	const struct problem *problem = &seen->problem;
	char object[APP_NAME * 2];
	step_object(object, sizeof(object), "Deployment", app,
	    side == SIDE_CANARY ? app->canary : app->workload);
	const char *next = v->urgent ? "goes on when they are ready" : "aborts at the deadline";
	int ready = seen->ready;
	if (side == SIDE_STABLE && v->rollout->rolled)
		ready = v->target.stable_new ? seen->ready_new : seen->ready - seen->ready_new;
	const char *what = side == SIDE_STABLE && v->rollout->rolled ? "ready with the wanted image"
								      : "ready";
	if (problem->reason[0] != '\0')
		step_blocked(step, object, 0, next, "%d of %d endpoints ready; %s: %s: %s",
		    seen->ready, need, problem->object, problem->reason, problem->message);
	else
		step_blocked(step, object, 0, next, "%d of %d endpoints %s", ready, need, what);
	step->on_pods = true;
	str_copy(step->waiting.reason, sizeof(step->waiting.reason), problem->reason);
	return true;
}

bool
mesh_knows(const struct view *v, int64_t since_ms, int64_t *at_ms)
{
	*at_ms = since_ms == 0 ? 0 : since_ms + v->settle_ms;
	return v->now_ms >= *at_ms;
}

bool
mesh_taken(const struct view *v, int64_t *at_ms)
{
	const struct rollout *r = v->rollout;
	if (r->confirmed) {
		*at_ms = r->taken_ms;
		return true;
	}
	return mesh_knows(v, r->seen_ms, at_ms);
}

bool
step_drained(const struct view *v, struct step *step, const char *what_next)
{
	const struct rollout *r = v->rollout;
	char object[APP_NAME * 2];
	int64_t taken_ms;
	step_object(
	    object, sizeof(object), "VirtualService", r->app, r->app->istio.virtual_service);
	if (!mesh_taken(v, &taken_ms))
		return step_blocked(step, object, taken_ms, "then the old side drains",
		    "canary weight %d is written; the mesh counts as having taken it after "
		    "mesh.settle",
		    r->seen);
	int64_t end_ms = taken_ms == 0 ? 0 : taken_ms + r->app->drain_ms;
	if (v->now_ms < end_ms)
		return step_blocked(step, object, end_ms, what_next,
		    "canary weight %d is taken; requests on the side without traffic drain",
		    r->seen);
	return false;
}

bool
step_routing_known(const struct view *v, struct step *step)
{
	const struct app *app = v->rollout->app;
	char object[APP_NAME * 2];
	int64_t at_ms;
	if (mesh_knows(v, v->rollout->routing_ms, &at_ms))
		return false;
	step_object(object, sizeof(object), "VirtualService", app, app->istio.virtual_service);
	return step_blocked(step, object, at_ms, "then what depends on it follows",
	    "routing was changed; the mesh counts as knowing it after mesh.settle");
}

const char *
wanted_image(const struct view *v)
{
	const struct rollout *r = v->rollout;
	return v->target.stable_new ? r->release.image : r->baseline.image;
}

bool
stable_has_image(const struct view *v)
{
	return v->adopt || strcmp(v->seen->stable.image, wanted_image(v)) == 0;
}

bool
stable_complete(const struct view *v)
{
	const struct workload_seen *stable = &v->seen->stable;
	if (!stable->observed || stable->pods > stable->updated)
		return false;
	return stable->ready >= stable->replicas || stable->ready >= full_size(v);
}
