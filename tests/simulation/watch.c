/* The cluster's socket but its writes. airisd sees what its watches were told: each object a little
 * late, in an outage nothing, after a direct read all of it. */
#include <string.h>
#include "base/str.h"
#include "model/pace.h"
#include "rooms.h"

static int
app_of(const struct world *w, const char *name)
{
	int i = 0;
	while (i < w->plan->app_count && strcmp(w->apps[i].name, name) != 0)
		i++;
	return i;
}

void
watch_take(struct world *w, int app, enum part part)
{
	struct app_world *a = &w->apps[app];
	struct truth *to = &a->cached.truth;
	const struct truth *from = &a->truth;
	a->cached.dirty[part] = false;
	if (part == PART_STABLE || part == PART_CANARY) {
		int side = part == PART_CANARY ? OF_CANARY : OF_STABLE;
		to->deployments[side] = from->deployments[side];
		pods_count(a, side, &a->cached.sides[side]);
	} else if (part == PART_SERVICE)
		to->service = from->service, to->stable_service = from->stable_service;
	else if (part == PART_ROUTE)
		to->route = from->route;
	else if (part == PART_RULE)
		to->rule = from->rule;
	else if (part == PART_BUDGETS) {
		to->budgets = from->budgets;
		to->budgets_version = from->budgets_version;
	} else if (part == PART_JOBS)
		memcpy(to->jobs, from->jobs, sizeof(to->jobs));
	else {
		to->hpa = from->hpa;
		to->hpa_version = from->hpa_version;
	}
}

void
watch_take_all(struct world *w, int app)
{
	for (int i = 0; i < PARTS; i++)
		watch_take(w, app, (enum part)i);
}

static bool
api_answers(const struct world *w, int app)
{
	return !world_fault(w, app, FAULT_OUTAGE);
}

bool
watch_fresh(const struct world *w, int app)
{
	const struct cached *cached = &w->apps[app].cached;
	return cached->followed && w->now_ms >= cached->fresh_ms && !cached->unanswered &&
	       api_answers(w, app) && !world_fault(w, app, FAULT_NOT_FRESH);
}

static void
tell_later(struct world *w, int app, int b)
{
	(void)b;
	if (w->apps[app].cached.followed && !w->dead)
		engine_changed(w->engine, w->apps[app].name);
}

void
watch_tell(struct world *w, int app)
{
	event_at(w, w->now_ms, tell_later, app, 0, true);
}

static void
tell(struct world *w, int app)
{
	tell_later(w, app, 0);
}

static void
deliver(struct world *w, int app, int part)
{
	struct cached *cached = &w->apps[app].cached;
	if (!cached->dirty[part] || !cached->followed)
		return;
	if (world_fault(w, app, FAULT_NOT_TOLD) || !api_answers(w, app)) {
		world_hit(w, api_answers(w, app) ? FAULT_NOT_TOLD : FAULT_OUTAGE);
		event_at(w, w->now_ms + 1000, deliver, app, part, true);
		return;
	}
	watch_take(w, app, (enum part)part);
	tell(w, app);
}

void
watch_changed(struct world *w, int app, enum part part)
{
	struct cached *cached = &w->apps[app].cached;
	int64_t late_ms = world_between(w, 5, 80);
	if (!cached->followed || cached->dirty[part])
		return;
	cached->dirty[part] = true;
	if (world_fault_now(w, app, FAULT_TOLD_LATE))
		late_ms = world_between(w, 500, 20000);
	event_at(w, w->now_ms + late_ms, deliver, app, (int)part, true);
}

/* --- following ------------------------------------------------------------------------------- */

static void
listed(struct world *w, int app, int b)
{
	(void)b;
	if (!w->apps[app].cached.followed)
		return;
	if (!api_answers(w, app)) {
		w->apps[app].cached.fresh_ms = w->now_ms + 1000;
		event_at(w, w->now_ms + 1000, listed, app, 0, true);
		return;
	}
	watch_take_all(w, app);
	tell(w, app);
}

/* The watches live again: they begin with a list. */
void
watch_relist(struct world *w, int app)
{
	if (w->apps[app].cached.followed)
		event_at(w, w->now_ms + world_between(w, 10, 1500), listed, app, 0, true);
}

/* What was told before a sleep is not fresh after it, until the watches live again. */
void
watch_slept(struct world *w, int app)
{
	struct cached *cached = &w->apps[app].cached;
	if (!cached->followed)
		return;
	cached->fresh_ms = w->suspended_ms + world_between(w, 10, 1500);
	event_at(w, cached->fresh_ms, listed, app, 0, true);
}

static void
follow(void *ctx, const struct app *spec, bool to_act)
{
	struct world *w = ctx;
	int app = app_of(w, spec->name);
	(void)to_act; /* nobody else writes here */
	struct cached *cached = &w->apps[app].cached;
	if (w->dead)
		return;
	*cached = (struct cached){.followed = true};
	cached->fresh_ms = w->now_ms + world_between(w, 50, 400);
	event_at(w, cached->fresh_ms, listed, app, 0, true);
}

static void
unfollow(void *ctx, const char *name)
{
	struct world *w = ctx;
	if (!w->dead)
		w->apps[app_of(w, name)].cached = (struct cached){.followed = false};
}

void
watch_drop(struct world *w)
{
	for (int i = 0; i < w->plan->app_count; i++)
		w->apps[i].cached = (struct cached){.followed = false};
}

/* --- observing ------------------------------------------------------------------------------- */

static void
see_side(const struct app_world *a, int side, int image, struct workload_seen *seen)
{
	const struct deployment *d = &a->cached.truth.deployments[side];
	const struct counts *counts = &a->cached.sides[side];
	if (!d->exists)
		return;
	*seen = (struct workload_seen){.exists = true,
	    .deleting = d->deleting,
	    .ours = d->ours,
	    .observed = true,
	    .replicas = d->size,
	    .pods = counts->pods,
	    .updated = counts->updated,
	    .ready = counts->ready,
	    .ready_new = counts->ready_of[image],
	    .terminating = counts->going};
	str_print(seen->uid, sizeof(seen->uid), "u%u", d->uid);
	seen->pace = (struct pace){"25%", "25%", -1, 600, false, 0, false, false};
	if (d->held > 0)
		seen->pace = pace_hold(d->held, d->surge);
	if (a->spec->kind == WORKLOAD_STATEFULSET)
		ordinals_see(a, image, seen);
	if (a->spec->kind == WORKLOAD_DAEMONSET)
		nodes_see(a, seen);
	image_text(d->image, seen->image, sizeof(seen->image));
	if (d->image_by_others || (side == OF_CANARY && d->size_by_others))
		str_copy(seen->edited_by, sizeof(seen->edited_by), "kubectl");
	if (!counts->never || counts->ready >= d->size)
		return;
	str_copy(seen->problem.object, sizeof(seen->problem.object), "Pod x");
	str_copy(seen->problem.reason, sizeof(seen->problem.reason), "ImagePullBackOff");
	seen->problem.fatal = true;
}

static void
see_routing(const struct app_world *a, bool turned, struct observed *seen)
{
	const struct truth *t = &a->cached.truth;
	bool subset = a->spec->traffic.mode == TRAFFIC_SUBSET;
	seen->service = true;
	const struct service *service =
	    turned && !switches_of(a) ? &t->stable_service : &t->service;
	seen->canary_service = service->exists;
	seen->canary_service_ours = service->exists && service->ours;
	if (colours_of(a) && !switches_of(a))
		seen->preview = PREVIEW_CANARY;
	else if (colours_of(a) && t->service.exists)
		seen->preview = t->service.on_canary != turned ? PREVIEW_CANARY : PREVIEW_STABLE;
	seen->route = (struct route_seen){.exists = t->route.exists,
	    .fits = t->route.exists,
	    .even = t->route.exists,
	    .names_stable_subset = t->route.exists && t->route.names_stable,
	    .names_canary = t->route.exists && t->route.names_canary,
	    .accepted = t->route.followed == t->route.weight,
	    .weight = !t->route.exists ? 0
		      : turned	       ? 100 - t->route.weight
				       : t->route.weight};
	str_print(seen->route.resource_version, sizeof(seen->route.resource_version), "%d",
	    t->route.version);
	str_copy(seen->route.edited_by, sizeof(seen->route.edited_by),
	    t->route.by_others ? "kubectl" : "");
	if (!subset || !t->rule.exists)
		return;
	seen->subsets = (struct subsets_seen){.exists = true,
	    .ours = t->rule.ours,
	    .stable = t->rule.stable,
	    .canary = t->rule.canary,
	    .stable_fits = true};
	str_print(seen->subsets.resource_version, sizeof(seen->subsets.resource_version), "%d",
	    t->rule.version);
}

static void
observe(void *ctx, const struct app *spec, const char *new_image, struct observed *seen)
{
	struct world *w = ctx;
	int app = app_of(w, spec->name);
	const struct app_world *a = &w->apps[app];
	memset(seen, 0, sizeof(*seen));
	seen->fresh = watch_fresh(w, app);
	if (!seen->fresh)
		str_copy(seen->stale, sizeof(seen->stale), "the lists are not read yet");
	seen->verified_ms = a->cached.verified_ms;
	bool turned = colours_turned(a, spec);
	int stable = turned ? OF_CANARY : OF_STABLE, canary = turned ? OF_STABLE : OF_CANARY;
	see_side(a, stable, image_of(new_image), &seen->stable);
	see_side(a, canary, image_of(new_image), &seen->canary);
	colours_name(a, stable, seen->stable.name, sizeof(seen->stable.name));
	colours_name(a, canary, seen->canary.name, sizeof(seen->canary.name));
	see_routing(a, turned, seen);
	seen->hpa = a->cached.truth.hpa;
	seen->hpa.on_canary = seen->hpa.exists && seen->hpa.on_canary != turned;
	seen->budgets = a->cached.truth.budgets;
	backup_see(a, seen->backups);
	if (turned)
		colours_turn_budgets(&seen->budgets);
}

/* --- reading directly ------------------------------------------------------------------------ */

static void ask_again(struct world *w, int app, int tries);

static void
verified(struct world *w, int app, int life_and_tries)
{
	struct cached *cached = &w->apps[app].cached;
	if (life_and_tries / 100 != w->life || !cached->followed || w->dead)
		return;
	if (!api_answers(w, app)) {
		cached->unanswered = true;
		world_hit(w, FAULT_OUTAGE);
		int tries = life_and_tries % 100, wait = tries < 5 ? 1000 << tries : 30000;
		event_at(w, w->now_ms + wait, ask_again, app,
		    w->life * 100 + (tries < 90 ? tries + 1 : tries), true);
		tell(w, app);
		return;
	}
	cached->unanswered = cached->verifying = false;
	watch_take_all(w, app);
	cached->verified_ms = w->apps[app].rv_ms;
	tell(w, app);
}

static void
ask_again(struct world *w, int app, int life_and_tries)
{
	w->apps[app].rv_ms = w->now_ms + w->wall_offset_ms;
	event_at(w, w->now_ms + world_between(w, 5, 80), verified, app, life_and_tries, true);
}

static void
verify(void *ctx, const struct app *spec)
{
	struct world *w = ctx;
	int app = app_of(w, spec->name);
	struct cached *cached = &w->apps[app].cached;
	if (w->dead || cached->verifying || !cached->followed)
		return;
	cached->verifying = true;
	ask_again(w, app, w->life * 100);
}

const struct cluster_port *
watch_port(void *ctx, const char *name)
{
	static struct cluster_port port;
	port = (struct cluster_port){.ctx = ctx,
	    .follow = follow,
	    .unfollow = unfollow,
	    .observe = observe,
	    .verify = verify,
	    .act = acts_port,
	    .review = review_port,
	    .review_cancel = asks_cancel};
	return strcmp(name, "default") == 0 ? &port : NULL;
}
