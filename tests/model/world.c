/* The small world; world.h says what it is like. */
#include "world.h"

#include <string.h>
#include "base/str.h"
#include "model/pace.h"
#include "nodes.h"
#include "ordinals.h"
#include "reduce.h"

void
world_begin(const struct config *config, struct state *s)
{
	uint8_t full = (uint8_t)config->full;
	*s = (struct state){0};
	s->c = (struct cluster){.old_pods = full, .old_ready = full, .stable_size = full};
	s->c.route = !config->rolls;
	s->c.names_canary = s->m.names_canary = config->colours && !config->weighs;
	s->c.hpa_min = config->hpa ? 1 : 0;
	s->m.old_ends = full;
	s->c.ordinals = config->ordinals;
	s->c.nodes = config->nodes;
	if (config->ordinals || config->nodes)
		ordinals_begin(&s->c, full);
	memcpy(s->left, config->budget, sizeof(s->left));
	world_settle(s);
}

int
world_stable_ready(const struct cluster *c)
{
	return c->old_ready + c->new_ready;
}

static void
look_canary(const struct config *config, const struct cluster *c, struct workload_seen *canary)
{
	bool going = c->canary == GOING;
	*canary = (struct workload_seen){.exists = c->canary != GONE,
	    .deleting = going,
	    .ours = c->canary != GONE,
	    .observed = true,
	    .replicas = c->canary_size,
	    .pods = c->canary_pods,
	    .updated = c->canary_pods,
	    .ready = c->canary_ready,
	    .ready_new = c->canary_ready,
	    .terminating = going ? c->canary_pods : 0};
	canary->problem.fatal = config->fatal && c->canary_ready < c->canary_pods;
	str_copy(canary->image, APP_IMAGE, image_text(IMAGE_NEW));
	str_copy(canary->name, sizeof(canary->name), "web-green");
}

void
world_look(const struct config *config, const struct cluster *c, bool fresh, struct observed *seen)
{
	*seen = (struct observed){.fresh = fresh, .service = true, .verified_ms = NOW_MS};
	str_copy(seen->stale, sizeof(seen->stale), fresh ? "" : "no answer");
	seen->stable = (struct workload_seen){.exists = true,
	    .observed = true,
	    .uid = "u1",
	    .name = "web",
	    .replicas = c->stable_size,
	    .pods = c->old_pods + c->new_pods,
	    .updated = c->image == IMAGE_NEW ? c->new_pods : c->old_pods,
	    .ready = world_stable_ready(c),
	    .ready_new = c->new_ready};
	seen->stable.pace = (struct pace){"25%", "25%", -1, 600, false, 0, false, false};
	if (c->held > 0)
		seen->stable.pace = pace_hold(c->held, 1);
	if (c->ordinals)
		ordinals_see(c, &seen->stable);
	if (c->nodes)
		nodes_see(c, &seen->stable);
	backup_see(c, seen);
	str_copy(seen->stable.image, APP_IMAGE, image_text((enum image)c->image));
	look_canary(config, c, &seen->canary);
	seen->canary_service = seen->canary_service_ours = c->service;
	seen->subsets = (struct subsets_seen){.exists = c->subsets,
	    .ours = c->subsets,
	    .stable = c->subsets,
	    .canary = c->subsets,
	    .stable_fits = true};
	seen->route.exists = seen->route.fits = c->route;
	seen->route.even = seen->route.accepted = c->route;
	seen->preview = c->service ? PREVIEW_CANARY : PREVIEW_OTHER;
	seen->route.weight = c->weight;
	seen->route.names_canary = c->names_canary;
	seen->route.names_stable_subset = c->names_stable;
	seen->hpa = (struct hpa_seen){.exists = c->hpa_min > 0, .min = c->hpa_min, .max = 9};
}

void
world_touch(struct state *s, enum act_object object)
{
	if (s->flight == ON_WAY && act_object((enum act_kind)s->r.act) == object)
		s->fresh = 0;
	if (act_object((enum act_kind)s->overtaken.act) == object)
		s->overtaken.fresh = 0;
	if (act_object((enum act_kind)s->adrift.act) == object && s->adrift.fresh != A_CREATION)
		s->adrift.fresh = 0;
}

/* The known ones go first: the worst that can happen. */
static void
lose_end(uint8_t *ends)
{
	*ends -= *ends > 0;
}

void
world_resize_canary(struct state *s, int size)
{
	struct cluster *c = &s->c;
	c->canary_size = (uint8_t)size;
	while (c->canary_pods > size) {
		if (c->canary_ready == c->canary_pods) {
			c->canary_ready--;
			lose_end(&s->m.canary_ends);
			s->m.canary_dead = 1;
		}
		c->canary_pods--;
	}
	c->canary_pods = (uint8_t)size;
}

static enum act_outcome
change(uint8_t *field, int to)
{
	if (*field == to)
		return ACT_ALREADY;
	*field = (uint8_t)to;
	return ACT_DONE;
}

/* Of the old image: colours are not rolled. */
static enum act_outcome
resize_stable(struct state *s, int size)
{
	struct cluster *c = &s->c;
	bool same = c->stable_size == size;
	c->stable_size = (uint8_t)size;
	for (; c->old_pods > size; c->old_pods--)
		if (c->old_ready == c->old_pods) {
			c->old_ready--;
			lose_end(&s->m.old_ends);
		}
	return same ? ACT_ALREADY : ACT_DONE;
}

static enum act_outcome
apply_canary(struct state *s, const struct act *act)
{
	struct cluster *c = &s->c;
	if (c->canary == GOING)
		return act->kind == ACT_DELETE_CANARY ? ACT_ALREADY : ACT_CONFLICT;
	if (act->kind == ACT_DELETE_CANARY) {
		if (c->canary == GONE)
			return ACT_ALREADY;
		c->canary = GOING;
		s->m.canary_dead = s->m.canary_dead || s->m.canary_ends > 0;
		s->m.canary_ends = c->canary_ready = 0;
		return ACT_DONE;
	}
	if (c->canary == GONE && act->kind == ACT_SCALE_CANARY)
		return ACT_CONFLICT;
	bool same = c->canary == THERE && c->canary_size == act->number;
	c->canary = THERE;
	world_resize_canary(s, act->number);
	return same ? ACT_ALREADY : ACT_DONE;
}

static enum act_outcome
apply_route(struct state *s, const struct act *act)
{
	struct cluster before = s->c, *c = &s->c;
	if (!c->route)
		return ACT_CONFLICT;
	if (act->kind == ACT_WEIGHT) {
		c->weight = (uint8_t)act->number;
		c->names_canary = 1;
	} else if (act->kind == ACT_NAME_STABLE)
		c->names_stable = 1;
	else
		c->names_canary = c->names_stable = c->weight = 0;
	return memcmp(&before, c, sizeof(before)) == 0 ? ACT_ALREADY : ACT_DONE;
}

static enum act_outcome
apply_image(struct state *s, const struct act *act)
{
	/* The last batch of a StatefulSet is its own pace. */
	bool last = s->c.ordinals && act->number >= s->c.stable_size;
	int held = act->kind == ACT_ROLL && !last ? act->number : 0;
	bool same = s->c.nodes ? change(&s->c.by_hand, act->kind == ACT_ROLL) == ACT_ALREADY
			       : change(&s->c.held, held) == ACT_ALREADY;
	enum act_outcome outcome = change(&s->c.image, reduce_image(act->text));
	return same ? outcome : ACT_DONE;
}

enum act_outcome
world_apply(const struct config *config, struct state *s, const struct act *act)
{
	struct cluster *c = &s->c;
	(void)config;
	switch (act_object(act->kind)) {
	case ON_ROUTE:
		return apply_route(s, act);
	case ON_CANARY:
		return apply_canary(s, act);
	case ON_RULE:
		return change(&c->subsets, act->kind == ACT_ADD_SUBSETS);
	case ON_SERVICE:
		return change(&c->service, act->kind == ACT_CREATE_SERVICE);
	case ON_STABLE:
		if (act->kind == ACT_SCALE_STABLE)
			return resize_stable(s, act->number);
		return apply_image(s, act);
	case ON_HPA:
		return c->hpa_min == 0 ? ACT_ALREADY : change(&c->hpa_min, act->number);
	case ON_POD:
		return c->nodes ? nodes_replace(s, act) : ordinals_delete(s, act);
	case NO_OBJECT:
		return act->kind == ACT_BACKUP ? backup_make(c) : ACT_CONFLICT;
	case ON_BUDGET: /* none is there */
		break;
	}
	return ACT_CONFLICT;
}

/* One pod of the template more, or one of another template less. */
bool
world_roll(const struct config *config, struct state *s)
{
	struct cluster *c = &s->c;
	bool new = c->image == IMAGE_NEW;
	uint8_t *right = new ? &c->new_pods : &c->old_pods;
	uint8_t *wrong = new ? &c->old_pods : &c->new_pods;
	uint8_t *wrong_ready = new ? &c->old_ready : &c->new_ready;
	uint8_t *wrong_ends = new ? &s->m.old_ends : &s->m.new_ends;
	int full = c->stable_size, ready = world_stable_ready(c);
	if (c->ordinals)
		return ordinals_step(s);
	if (c->nodes)
		return nodes_step(s);
	int above = c->held == 0 ? *wrong > 0 : 1, left = full - (c->held > 0 ? c->held - 1 : 0);
	(void)config;
	/* New pods never count as available there: all but so many of the old ones stay. */
	if (c->held > 0 && *wrong <= left && *right + *wrong >= full + above)
		return false;
	if (c->held > 0 && *wrong > left)
		ready = full + 1;
	if (*right < full && *right + *wrong < full + above) {
		++*right;
		return true;
	}
	if (*wrong == 0 || (c->held > 0 && *wrong <= left) ||
	    (*wrong == *wrong_ready && ready <= full))
		return false;
	if (*wrong == *wrong_ready) {
		--*wrong_ready;
		lose_end(wrong_ends);
	}
	--*wrong;
	return true;
}

bool
world_ready(const struct config *config, struct state *s, bool canary, enum image image)
{
	struct cluster *c = &s->c;
	bool new = image == IMAGE_NEW;
	uint8_t *pods = canary ? &c->canary_pods : new ? &c->new_pods : &c->old_pods;
	uint8_t *ready = canary ? &c->canary_ready : new ? &c->new_ready : &c->old_ready;
	if ((c->ordinals || c->nodes) && !(image == IMAGE_NEW && config->never_stable))
		return !canary && ordinals_turns(s, image, false, true);
	if (*ready >= *pods || (canary && (config->never_canary || c->canary != THERE)) ||
	    (!canary && new && config->never_stable))
		return false;
	++*ready;
	return true;
}

bool
world_unready(struct state *s, bool canary, enum image image, bool last)
{
	struct cluster *c = &s->c;
	uint8_t *ready = canary		      ? &c->canary_ready
			 : image == IMAGE_NEW ? &c->new_ready
					      : &c->old_ready;
	if (c->ordinals || c->nodes)
		return !canary && ordinals_turns(s, image, last, false);
	if (*ready == 0)
		return false;
	--*ready;
	lose_end(canary ? &s->m.canary_ends : image == IMAGE_NEW ? &s->m.new_ends : &s->m.old_ends);
	if (canary)
		s->m.canary_dead = 1;
	return true;
}

bool
world_gone(struct state *s)
{
	if (s->c.canary != GOING)
		return false;
	s->c.canary = GONE;
	s->c.canary_pods = s->c.canary_size = 0;
	return true;
}

static bool
route_is_taken(const struct state *s)
{
	return s->m.weight == s->c.weight && s->m.names_canary == s->c.names_canary &&
	       s->m.names_stable == s->c.names_stable;
}

bool
world_take_route(struct state *s)
{
	if (route_is_taken(s))
		return false;
	s->m.weight = s->c.weight;
	s->m.names_canary = s->c.names_canary;
	s->m.names_stable = s->c.names_stable;
	return true;
}

bool
world_take_clusters(struct state *s)
{
	if (s->m.service == s->c.service && s->m.subsets == s->c.subsets)
		return false;
	s->m.service = s->c.service;
	s->m.subsets = s->c.subsets;
	return true;
}

/* The release's pods are those of the stable side. */
static bool
is_rolling(const struct state *s)
{
	return s->c.held > 0 || s->c.ordinals || s->c.nodes;
}

bool
world_take_ends(struct state *s, bool canary)
{
	enum mesh_subject subject = canary ? MESH_CANARY : MESH_STABLE;
	if (world_has_taken(s, subject))
		return false;
	if (canary && !is_rolling(s)) {
		s->m.canary_ends = s->c.canary_ready;
		s->m.canary_dead = 0;
	} else {
		s->m.old_ends = s->c.old_ready;
		s->m.new_ends = s->c.new_ready;
	}
	return true;
}

bool
world_has_taken(const struct state *s, enum mesh_subject subject)
{
	switch (subject) {
	case MESH_WEIGHT:
		return route_is_taken(s);
	case MESH_ROUTING:
		return route_is_taken(s) && s->m.service == s->c.service &&
		       s->m.subsets == s->c.subsets;
	case MESH_CANARY: /* the release's pods, where it rolls */
		if (is_rolling(s))
			return s->m.new_ends == s->c.new_ready;
		return s->m.canary_ends == s->c.canary_ready && !s->m.canary_dead;
	case MESH_STABLE:
		return s->m.old_ends == s->c.old_ready && s->m.new_ends == s->c.new_ready;
	case MESH_SUBJECTS:
		break;
	}
	return false;
}

void
world_settle(struct state *s)
{
	if (s->m.weight > 0)
		s->m.canary_busy = 1;
	if (s->m.weight < 100)
		s->m.stable_busy = 1;
}
