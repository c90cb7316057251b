/* Foreign edits: noticed, named, and answered by the app's policy (law 5). What somebody else wrote
 * over our weight, the image or the canary is compared with what we left behind. */
#include <string.h>
#include "base/str.h"
#include "model/move.h"
#include "model/pace.h"

#define REPAIRS_MAX 3

struct edit {
	const char *what;
	char found[APP_IMAGE], expected[APP_IMAGE];
	const char *by;
	struct act repair;
	char object[APP_NAME * 2];
};

static bool
weight_edited(const struct move *m, struct edit *edit)
{
	const struct route_seen *route = &m->at->seen->route;
	const struct app *app = m->r->app;
	if (!route->exists || !route->fits || (route->weight == m->r->weight && route->even))
		return false;
	edit->what = "weight";
	str_print(edit->found, sizeof(edit->found), "%d", route->weight);
	str_print(edit->expected, sizeof(edit->expected), "%d", m->r->weight);
	edit->by = route->edited_by;
	edit->repair = (struct act){.kind = ACT_WEIGHT, .number = m->r->weight};
	str_print(edit->object, sizeof(edit->object), "%s %s/%s", app_route_kind(app),
	    app->namespace, app->traffic.route);
	return true;
}

/* Its image as we left it, and where it was held. */
static void
repair_stable(const struct rollout *r, struct edit *edit)
{
	edit->repair =
	    (struct act){.kind = r->batch > 0 ? ACT_ROLL : ACT_SET_IMAGE, .number = r->batch};
	str_copy(edit->repair.text, sizeof(edit->repair.text),
	    r->stable_new ? r->release.image : r->baseline.image);
	str_print(edit->object, sizeof(edit->object), "%s %s/%s", app_workload_kind(r->app),
	    r->app->namespace, r->app->workload);
}

static bool
image_edited(const struct move *m, struct edit *edit)
{
	const struct rollout *r = m->r;
	const char *expected = r->stable_new ? r->release.image : r->baseline.image;
	const struct workload_seen *stable = &m->at->seen->stable;
	if (strcmp(stable->image, expected) == 0)
		return false;
	edit->what = "image";
	str_copy(edit->found, sizeof(edit->found), stable->image);
	str_copy(edit->expected, sizeof(edit->expected), expected);
	edit->by = stable->edited_by;
	repair_stable(r, edit);
	return true;
}

/* What holds it in its batch. */
static bool
pace_is_ours(const struct rollout *r, const struct workload_seen *stable)
{
	const struct pace *pace = &stable->pace;
	struct pace left;

	if (r->batch == 0)
		return pace_same(pace, &r->baseline.pace);
	if (pace->nodes ? pace->by_hand : pace_new(pace, stable->replicas) == r->batch)
		return true;
	left = pace_hold_ordinals(r->batch, r->baseline.replicas); /* its size may be another now */
	return pace->ordinals && pace_same(pace, &left);
}

static bool
pace_edited(const struct move *m, struct edit *edit)
{
	const struct rollout *r = m->r;
	const struct pace *pace = &m->at->seen->stable.pace;
	if (!r->app->rolls || pace_is_ours(r, &m->at->seen->stable))
		return false;
	edit->what = "pace";
	pace_text(pace, edit->found, sizeof(edit->found));
	if (r->batch > 0)
		str_print(edit->expected, sizeof(edit->expected), "it at %d new pods", r->batch);
	else
		pace_text(&r->baseline.pace, edit->expected, sizeof(edit->expected));
	edit->by = m->at->seen->stable.edited_by;
	repair_stable(r, edit);
	return true;
}

static bool
canary_edited(const struct move *m, struct edit *edit)
{
	const struct rollout *r = m->r;
	const struct workload_seen *canary = &m->at->seen->canary;
	bool image = canary->exists && strcmp(canary->image, r->release.image) != 0;
	bool size = canary->replicas == r->canary || m->at->seen->hpa.on_canary;
	if (r->canary == 0 || (canary->exists && size && !image))
		return false;
	edit->what = image ? "canary image" : "canary size";
	str_print(edit->expected, sizeof(edit->expected), "%d", r->canary);
	if (image) {
		str_copy(edit->found, sizeof(edit->found), canary->image);
		str_copy(edit->expected, sizeof(edit->expected), r->release.image);
	} else if (canary->exists)
		str_print(edit->found, sizeof(edit->found), "%d", canary->replicas);
	else
		str_copy(edit->found, sizeof(edit->found), "deleted");
	edit->by = canary->edited_by;
	bool scale = canary->exists && !image;
	edit->repair =
	    (struct act){.kind = scale ? ACT_SCALE_CANARY : ACT_CREATE_CANARY, .number = r->canary};
	str_copy(edit->repair.text, sizeof(edit->repair.text), r->release.image);
	str_print(edit->object, sizeof(edit->object), "Deployment %s/%s", r->app->namespace,
	    r->app->canary);
	return true;
}

/* The stable side is the user's to size, but for what we have made smaller. converge, which keeps
 * to the laws, writes it again; an HPA that came since may have it. */
static bool
size_edited(const struct move *m, struct edit *edit)
{
	const struct rollout *r = m->r;
	const struct workload_seen *stable = &m->at->seen->stable;
	if (r->stable == 0 || r->app->colours || m->at->seen->hpa.exists ||
	    stable->replicas == r->stable)
		return false;
	edit->what = "stable size";
	str_print(edit->found, sizeof(edit->found), "%d", stable->replicas);
	str_print(edit->expected, sizeof(edit->expected), "%d", r->stable);
	edit->by = stable->sized_by;
	str_print(edit->object, sizeof(edit->object), "Deployment %s/%s", r->app->namespace,
	    r->app->workload);
	return true;
}

static void
note(struct move *m, const struct edit *edit)
{
	const struct drift *drift = &m->r->drift;
	if (strcmp(drift->what, edit->what) == 0 && strcmp(drift->found, edit->found) == 0)
		return;
	move_event(m, EVENT_DRIFT,
	    json_pack("{s:s, s:s, s:s, s:s, s:s}", "what", edit->what, "found", edit->found,
		"expected", edit->expected, "by", edit->by, "object", edit->object));
}

static void
hold(struct move *m, const struct edit *edit)
{
	bool fight = m->r->drift.repairs >= REPAIRS_MAX;
	struct waiting *waiting = &m->hold;
	str_copy(waiting->object, sizeof(waiting->object), edit->object);
	str_print(waiting->what, sizeof(waiting->what), "%s is %s, airisd left %s; edited by %s%s",
	    edit->what, edit->found, edit->expected, edit->by[0] ? edit->by : "somebody else",
	    fight ? ", again and again (a second controller or GitOps?)" : "");
	str_copy(waiting->next, sizeof(waiting->next),
	    "put it back, or `rollout retry` to write it again, or `rollout abort`");
}

static bool
find_edit(const struct move *m, struct edit *edit)
{
	return weight_edited(m, edit) || image_edited(m, edit) || pace_edited(m, edit) ||
	       canary_edited(m, edit) || size_edited(m, edit);
}

bool
drift_answer(struct move *m, bool *held)
{
	const struct drift *drift = &m->r->drift;
	struct edit edit = {.what = "", .by = ""};
	if (!find_edit(m, &edit)) {
		if (drift->what[0] != '\0')
			move_event(m, EVENT_DRIFT_OVER, NULL);
		return false;
	}
	note(m, &edit);
	enum edit_policy policy = m->r->app->on_edit;
	if (policy == EDIT_ABORT) {
		move_phase(m, PHASE_ABORTING, "%s: %s is %s instead of %s, edited by %s",
		    edit.object, edit.what, edit.found, edit.expected,
		    edit.by[0] ? edit.by : "somebody else");
		return true;
	}
	/* A weight is written again by converge, which keeps to the laws. */
	if (drift->repair || (policy == EDIT_REPAIR && drift->repairs < REPAIRS_MAX)) {
		m->out->repair = edit.repair;
		return false;
	}
	hold(m, &edit);
	*held = true;
	return false;
}
