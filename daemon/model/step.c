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

const char *
step_keda(const struct view *v)
{
	return v->seen->hpa.keda ? v->seen->hpa.name : NULL;
}

bool
step_pods(const struct view *v, struct step *step, enum side side, int need)
{
	const struct app *app = v->rollout->app;
	const struct workload_seen *seen =
	    side == SIDE_CANARY ? &v->seen->canary : &v->seen->stable;
	const struct problem *problem = &seen->problem;
	char object[APP_NAME * 2];
	step_object(object, sizeof(object), app_workload_kind(app), app,
	    side == SIDE_CANARY ? app->canary : app->workload);
	const char *next = v->urgent ? "goes on when they are ready" : "aborts at the deadline";
	int ready = side == SIDE_CANARY ? canary_ready_of(v->rollout, v->seen) : seen->ready;
	if (side == SIDE_STABLE && v->rollout->rolled)
		ready = stable_ready_of(v->rollout, seen, v->target.stable_new);
	const char *what =
	    side == SIDE_STABLE && v->rollout->rolled ? "ready with the wanted image" : "ready";
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
mesh_took(const struct view *v, enum mesh_subject subject, int64_t *until_ms)
{
	const struct rollout *r = v->rollout;
	int64_t from_ms = rollout_takes_from_ms(r, subject);
	if (from_ms < v->back_ms)
		from_ms = v->back_ms;
	*until_ms = mesh_in_route(subject) && !rollout_accepted(r)
			? 0
			: mesh_assumed_ms(v->mesh, subject, from_ms, v->settle_ms);
	return rollout_taken(r, subject);
}

/* The Gateway's controllers come first; what they say is in the route's status. */
static bool
waits_for_controllers(
    const struct view *v, struct step *step, const char *object, const char *next, const char *what)
{
	const struct route_seen *route = &v->seen->route;
	if (rollout_accepted(v->rollout))
		return false;
	step_blocked(step, object, 0, next, "%s; %s", what,
	    route->unaccepted[0] ? route->unaccepted : "its controllers have not accepted it yet");
	step->on_mesh = true;
	return true;
}

bool
step_taken(const struct view *v, struct step *step, enum mesh_subject subject, const char *next,
    const char *what)
{
	const struct app *app = v->rollout->app;
	char object[APP_NAME * 2];
	int64_t until_ms;
	if (mesh_took(v, subject, &until_ms))
		return false;
	step_object(object, sizeof(object), app_route_kind(app), app, app->traffic.route);
	if (mesh_in_route(subject) && waits_for_controllers(v, step, object, next, what))
		return true;
	enum mesh_way way = mesh_way(v->mesh, subject);
	if (way == MESH_TIME)
		return step_blocked(step, object, until_ms, next,
		    "%s; the mesh counts as having taken it after mesh.settle", what);
	const char *asked = v->mesh->text[subject];
	step_blocked(step, object, until_ms, next, "%s; %s%s%s", what,
	    way == MESH_ISTIOD ? "the mesh has not confirmed it yet"
			       : "traffic does not show it yet",
	    asked[0] ? ": " : "", asked);
	step->on_mesh = way == MESH_ISTIOD;
	return true;
}

bool
step_alone(const struct view *v, struct step *step, const char *next)
{
	const struct rollout *r = v->rollout;
	return v->seen->route.exists && r->seen_ms >= r->phase_ms &&
	       step_taken(v, step, MESH_WEIGHT, next, "the abort's weight is written");
}

bool
step_unheard(const struct view *v, struct step *step, const char *next, const char *what)
{
	const struct app *app = v->rollout->app;
	char object[APP_NAME * 2];
	if (mesh_is_heard(v->mesh, v->now_ms))
		return false;
	step_object(object, sizeof(object), "Deployment", app, app->workload);
	const char *said = v->mesh->text[MESH_ROUTING];
	step_blocked(step, object, 0, next, "%s, and %s%s", what,
	    said[0] ? "the mesh does not tell its proxies of pods now: "
		    : "the mesh has not said yet that it tells its proxies of pods",
	    said);
	step->on_mesh = step->asks_mesh = true;
	return true;
}

void
step_weight(const struct view *v, int weight, char *to, size_t size)
{
	const struct app *app = v->rollout->app;
	const char *colour = weight == 0 ? app->workload : app->canary;
	if (app->traffic.kind == TRAFFIC_SERVICE)
		str_print(to, size, "the Service selects %s", colour);
	else if (app->colours)
		str_print(to, size, "all weight for %s is written", colour);
	else
		str_print(to, size, "canary weight %d is written", weight);
}

bool
step_drained(const struct view *v, struct step *step, const char *what_next)
{
	const struct rollout *r = v->rollout;
	const struct mesh_fact *fact = &r->mesh[MESH_WEIGHT];
	char object[APP_NAME * 2], what[APP_NAME + 64];
	step_weight(v, r->seen, what, sizeof(what));
	if (step_taken(v, step, MESH_WEIGHT, "then the side without traffic drains", what))
		return true;
	int64_t from_ms = fact->at_ms > v->back_ms ? fact->at_ms : v->back_ms;
	int64_t end_ms = fact->at_ms == 0 ? 0 : from_ms + r->app->drain_ms;
	if (v->now_ms >= end_ms)
		return false;
	step_object(object, sizeof(object), app_route_kind(r->app), r->app, r->app->traffic.route);
	return step_blocked(step, object, end_ms, what_next,
	    "%s; it is taken, and requests on the side without traffic drain", what);
}

bool
step_routing_known(const struct view *v, struct step *step)
{
	return step_taken(
	    v, step, MESH_ROUTING, "then what depends on it follows", "routing was changed");
}

bool
step_may_be_removed(const struct view *v, struct step *step, bool is_removal(enum act_kind kind))
{
	int64_t until_ms = late_kind_ms(&v->rollout->late, v->now_ms, is_removal);
	if (until_ms == 0)
		return false;
	return step_blocked(step, "Cluster", until_ms, "then the canary gets traffic",
	    "a deletion that the cluster did not answer may still take effect");
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
