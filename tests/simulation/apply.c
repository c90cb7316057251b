/* What a write does, as the API server and act_plan have it: a patch is of one resourceVersion, a
 * deletion of one uid and resourceVersion, a creation of what is not there. */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "model/pace.h"
#include "rooms.h"

int
image_of(const char *text)
{
	const char *colon = strchr(text, ':');
	return colon == NULL ? 0 : (int)strtol(colon + 1, NULL, 10);
}

void
image_text(int image, char *to, size_t size)
{
	str_print(to, size, "web:%d", image);
}

static const enum part parts[] = {
    [NO_OBJECT] = PART_ROUTE,
    [ON_ROUTE] = PART_ROUTE,
    [ON_RULE] = PART_RULE,
    [ON_SERVICE] = PART_SERVICE,
    [ON_CANARY] = PART_CANARY,
    [ON_STABLE] = PART_STABLE,
    [ON_HPA] = PART_HPA,
    [ON_POD] = PART_STABLE,
    [ON_BUDGET] = PART_BUDGETS,
};

enum part
apply_part(enum act_kind kind, bool turned)
{
	enum part part = kind == ACT_BACKUP ? PART_JOBS : parts[act_object(kind)];
	if (turned && part == PART_STABLE)
		return PART_CANARY;
	return turned && part == PART_CANARY ? PART_STABLE : part;
}

/* The deployment that a write of airisd's is about. */
static struct deployment *
deployment_of(struct world *w, const struct act_sent *x)
{
	enum part part = apply_part(x->act.kind, x->turned);
	return &w->apps[x->app].truth.deployments[part == PART_STABLE ? OF_STABLE : OF_CANARY];
}

static void
deployment_changed(struct world *w, const struct act_sent *x)
{
	enum part part = apply_part(x->act.kind, x->turned);
	watch_changed(w, x->app, part);
	mesh_news(w);
	pods_sync(w, x->app);
}

int
apply_version(const struct truth *t, enum part part)
{
	switch (part) {
	case PART_STABLE:
		return t->deployments[OF_STABLE].version;
	case PART_CANARY:
		return t->deployments[OF_CANARY].version;
	case PART_SERVICE:
		return t->service.version;
	case PART_ROUTE:
		return t->route.version;
	case PART_RULE:
		return t->rule.version;
	case PART_BUDGETS:
		return t->budgets_version;
	case PART_JOBS: /* they are only created */
	case PART_HPA:
	case PARTS:
		break;
	}
	return t->hpa_version;
}

static void
changed(struct world *w, int app, enum part part)
{
	watch_changed(w, app, part);
	mesh_news(w);
	pods_sync(w, app);
}

void
truth_weight(struct world *w, int app, int weight, bool by_others)
{
	struct app_world *a = &w->apps[app];
	struct route *route = &a->truth.route;
	if (route->by_others)
		a->others_weight_ms = w->now_ms;
	if (route->weight != weight)
		a->weight_ms = w->now_ms;
	/* As much as can be taken back of what others gave the canary. */
	bool theirs =
	    by_others || (route->by_others && weight < route->weight && weight > a->own_weight);
	if (!theirs)
		a->own_weight = weight;
	route->weight = weight;
	route->names_canary = true;
	route->by_others = theirs;
	route->version++;
	if (by_others)
		a->others_weight_ms = w->now_ms;
	changed(w, app, PART_ROUTE);
	colours_followed(w, app);
}

static enum act_outcome
weight(struct world *w, struct act_sent *x)
{
	struct truth *t = &w->apps[x->app].truth;
	if (!t->route.exists)
		return ACT_CONFLICT;
	bool subset = w->apps[x->app].spec->traffic.mode == TRAFFIC_SUBSET;
	t->route.names_stable |= subset && t->rule.stable;
	truth_weight(w, x->app, x->turned ? 100 - x->act.number : x->act.number, false);
	return ACT_DONE;
}

static enum act_outcome
create_canary(struct world *w, struct act_sent *x)
{
	struct app_world *a = &w->apps[x->app];
	struct deployment *d = deployment_of(w, x);
	if (d->exists)
		return !d->ours ? ACT_REFUSED : d->deleting ? ACT_CONFLICT : ACT_ALREADY;
	/* Requests of one before are not this one's. */
	if (a->no_weight_ms != 0)
		a->no_weight_ms = -DAY_MS;
	/* Where others deleted it, its pods are missing because of them until it is whole again. */
	*d = (struct deployment){.exists = true,
	    .ours = true,
	    .size_by_others = d->size_by_others,
	    .mended = d->size_by_others,
	    .version = d->version + 1,
	    .image = image_of(x->act.text),
	    .size = x->act.number,
	    .uid = ++w->uids};
	deployment_changed(w, x);
	return ACT_DONE;
}

static enum act_outcome
patch_canary(struct world *w, struct act_sent *x)
{
	struct deployment *d = deployment_of(w, x);
	if (!d->exists || d->deleting)
		return ACT_CONFLICT;
	d->mended = d->size_by_others; /* what it takes back of others is theirs until it is done */
	d->size = x->act.number;
	if (x->act.kind == ACT_CREATE_CANARY && d->image != image_of(x->act.text)) {
		d->image = image_of(x->act.text);
		/* its pods change because others had changed it */
		d->image_by_others |= !colours_of(&w->apps[x->app]);
	}
	d->version++;
	deployment_changed(w, x);
	return ACT_DONE;
}

static enum act_outcome
delete_canary(struct world *w, struct act_sent *x)
{
	struct deployment *d = deployment_of(w, x);
	if (!d->exists)
		return ACT_DONE;
	if (d->uid != x->uid)
		return ACT_CONFLICT;
	d->deleting = true;
	d->size_by_others = false;
	d->version++;
	deployment_changed(w, x);
	return ACT_DONE;
}

static enum act_outcome
set_image(struct world *w, struct act_sent *x)
{
	struct deployment *d = deployment_of(w, x);
	if (!d->exists)
		return ACT_CONFLICT;
	if (d->image == image_of(x->act.text) && d->held == 0 && d->partition == 0 && !d->by_hand)
		return ACT_ALREADY;
	d->held = d->partition = 0;
	d->by_hand = false;
	/* What takes back a change of others rolls because of them. */
	d->image_by_others = d->image_by_others && d->image == OTHERS_IMAGE;
	d->image = image_of(x->act.text);
	d->version++;
	deployment_changed(w, x);
	return ACT_DONE;
}

static enum act_outcome
roll(struct world *w, struct act_sent *x)
{
	struct deployment *d = deployment_of(w, x);
	const struct share_spec *surge = &w->apps[x->app].spec->batch.surge;
	enum act_outcome outcome;
	if (!d->exists)
		return ACT_CONFLICT;
	outcome = set_image(w, x);
	if (w->plan->apps[x->app].nodes) {
		d->by_hand = true;
	} else if (w->plan->apps[x->app].ordinals) {
		d->partition = d->size > x->act.number ? d->size - x->act.number : 0;
	} else {
		d->held = x->act.number;
		d->surge = pace_share(surge, d->size);
	}
	deployment_changed(w, x);
	return outcome == ACT_ALREADY ? ACT_DONE : outcome;
}

static enum act_outcome
scale_stable(struct world *w, struct act_sent *x)
{
	struct deployment *d = deployment_of(w, x);
	if (!d->exists || d->deleting)
		return ACT_CONFLICT;
	d->size = x->act.number;
	d->sized = true;
	d->version++;
	deployment_changed(w, x);
	return ACT_DONE;
}

static enum act_outcome
name_route(struct world *w, struct act_sent *x)
{
	struct app_world *a = &w->apps[x->app];
	struct route *route = &a->truth.route;
	if (!route->exists)
		return ACT_CONFLICT;
	if (x->act.kind == ACT_NAME_STABLE)
		route->names_stable = true;
	else {
		route->names_stable = route->names_canary = false;
		route->weight = 0;
	}
	route->version++;
	changed(w, x->app, PART_ROUTE);
	return ACT_DONE;
}

static enum act_outcome
service(struct world *w, struct act_sent *x, bool create)
{
	struct truth *t = &w->apps[x->app].truth;
	bool other = x->turned && t->stable_service.exists;
	struct service *s = other ? &t->stable_service : &t->service;
	if (s->exists == create)
		return create ? ACT_ALREADY : ACT_DONE;
	s->exists = s->ours = create;
	s->on_canary = !x->turned;
	s->version++;
	changed(w, x->app, PART_SERVICE);
	return ACT_DONE;
}

static enum act_outcome
point_service(struct world *w, struct act_sent *x)
{
	struct service *s = &w->apps[x->app].truth.service;
	if (!s->exists)
		return ACT_CONFLICT;
	s->on_canary = (x->act.number != 0) != x->turned;
	s->version++;
	changed(w, x->app, PART_SERVICE);
	return ACT_DONE;
}

static enum act_outcome
subsets(struct world *w, struct act_sent *x, bool add)
{
	struct rule *rule = &w->apps[x->app].truth.rule;
	bool own = w->plan->apps[x->app].own_rule;
	if (!add && !rule->exists)
		return ACT_ALREADY;
	if (add && !rule->exists)
		rule->ours = true;
	rule->exists = add || (own && !rule->ours);
	rule->ours = rule->exists && rule->ours;
	rule->canary = rule->stable = add;
	rule->version++;
	changed(w, x->app, PART_RULE);
	return ACT_DONE;
}

/* The HPA keeps to its floor. */
static void
keep_floor(struct world *w, int app, int b)
{
	struct truth *t = &w->apps[app].truth;
	struct deployment *d = &t->deployments[t->hpa.on_canary ? OF_CANARY : OF_STABLE];
	(void)b;
	/* One that was scaled to nothing is left alone. */
	if (!t->hpa.exists || !d->exists || d->size >= t->hpa.min || d->size == 0)
		return;
	d->size = t->hpa.min;
	d->version++;
	changed(w, app, t->hpa.on_canary ? PART_CANARY : PART_STABLE);
}

void
apply_floor(struct world *w, int app)
{
	event_at(w, w->now_ms + world_between(w, 100, 15000), keep_floor, app, 0, false);
}

static enum act_outcome
floor_of(struct world *w, struct act_sent *x)
{
	struct truth *t = &w->apps[x->app].truth;
	if (!t->hpa.exists)
		return ACT_CONFLICT;
	bool home = x->act.number == ACT_AS_IT_WAS;
	t->hpa.min = home ? w->plan->apps[x->app].hpa_min : x->act.number;
	t->hpa.idles = home && t->hpa.keda;
	t->hpa_version++;
	apply_floor(w, x->app);
	changed(w, x->app, PART_HPA);
	return ACT_DONE;
}

static enum act_outcome
follow_hpa(struct world *w, struct act_sent *x)
{
	struct truth *t = &w->apps[x->app].truth;
	if (!t->hpa.exists)
		return ACT_ALREADY;
	t->hpa.on_canary = (x->act.number != 0) != x->turned;
	t->hpa_version++;
	apply_floor(w, x->app);
	changed(w, x->app, PART_HPA);
	return ACT_DONE;
}

static bool *
budget_of(struct truth *t, const struct act_sent *x)
{
	bool canary = (x->act.number != 0) != x->turned;
	return canary ? &t->budgets.canary_ours : &t->budgets.stable_ours;
}

static enum act_outcome
budget(struct world *w, struct act_sent *x)
{
	struct truth *t = &w->apps[x->app].truth;
	bool *ours = budget_of(t, x), creates = x->act.kind == ACT_CREATE_BUDGET;
	if (*ours == creates)
		return ACT_ALREADY;
	*ours = creates;
	t->budgets_version++;
	changed(w, x->app, PART_BUDGETS);
	return ACT_DONE;
}

/* Creations have no precondition but that it is not there. */
static bool
is_stale(const struct world *w, const struct act_sent *x)
{
	enum part part = apply_part(x->act.kind, x->turned);
	return act_object(x->act.kind) != ON_POD && x->version >= 0 &&
	       x->version != apply_version(&w->apps[x->app].truth, part);
}

enum act_outcome
apply_act(struct world *w, struct act_sent *x)
{
	if (is_stale(w, x))
		return ACT_CONFLICT;
	switch (x->act.kind) {
	case ACT_WEIGHT:
		return weight(w, x);
	case ACT_CREATE_CANARY:
		return x->version < 0 ? create_canary(w, x) : patch_canary(w, x);
	case ACT_SCALE_CANARY:
		return patch_canary(w, x);
	case ACT_DELETE_CANARY:
		return delete_canary(w, x);
	case ACT_SET_IMAGE:
		return set_image(w, x);
	case ACT_NAME_STABLE:
	case ACT_ROUTE_HOME:
		return name_route(w, x);
	case ACT_CREATE_SERVICE:
	case ACT_DELETE_SERVICE:
		return service(w, x, x->act.kind == ACT_CREATE_SERVICE);
	case ACT_ADD_SUBSETS:
	case ACT_REMOVE_SUBSETS:
		return subsets(w, x, x->act.kind == ACT_ADD_SUBSETS);
	case ACT_HPA_FLOOR:
		return floor_of(w, x);
	case ACT_POINT_SERVICE:
		return point_service(w, x);
	case ACT_FOLLOW_HPA:
		return follow_hpa(w, x);
	case ACT_SCALE_STABLE:
		return scale_stable(w, x);
	case ACT_CREATE_BUDGET:
	case ACT_DELETE_BUDGET:
		return budget(w, x);
	case ACT_ROLL:
		return roll(w, x);
	case ACT_DELETE_POD:
		return ordinals_delete(w, x);
	case ACT_BACKUP:
		return backup_make(w, x);
	case ACT_REPLACE_POD:
		return nodes_replace(w, x);
	case ACT_NONE:
	case ACT_KINDS:
		break;
	}
	return ACT_REFUSED;
}
