/* One cluster behind its socket. Changes are gathered and told once per app in the next turn, so
 * that a burst of events is one look, and nothing is told from within a call. */
#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "cluster/act_run.h"
#include "cluster/colours.h"
#include "cluster/cluster.h"
#include "cluster/observe.h"
#include "cluster/port_app.h"
#include "cluster/port_review.h"
#include "cluster/route_form.h"
#include "cluster/workload.h"

struct cluster {
	struct loop *loop;
	struct kube *kube;
	struct cluster_events events;
	struct map *apps; /* name -> struct port_app */
	struct port_index *index;
	struct map *dirty; /* names of apps to be told of a change */
	struct loop_timer *teller;
	struct act_runs *acts;
	struct port_turns turns;
	struct bulletins *bulletins;	    /* NULL: none are written */
	struct lease *lease;		    /* NULL: none is needed */
	char lease_name[APP_LABEL * 2 + 8]; /* "Lease airis/airisd" */
	int writers;			    /* apps that are followed to be acted on */
	bool retiring;
	struct loop_timer *retire; /* looks whether the end is reached */
	void (*retired)(void *ctx);
	void *retired_ctx;
};

struct kube *
cluster_kube(struct cluster *cluster)
{
	return cluster->kube;
}

const struct lease *
cluster_lease(const struct cluster *cluster)
{
	return cluster->lease;
}

const struct bulletins *
cluster_bulletins(const struct cluster *cluster)
{
	return cluster->bulletins;
}

struct loop *
cluster_loop(struct cluster *cluster)
{
	return cluster->loop;
}

struct port_turns *
cluster_turns(struct cluster *cluster)
{
	return &cluster->turns;
}

/* --- changes --- */

void
port_changed(struct cluster *cluster, const char *app)
{
	map_set(cluster->dirty, app, cluster);
	loop_timer_set(cluster->teller, 0);
}

static void
tell_changes(void *ctx)
{
	struct cluster *cluster = ctx;
	struct map *batch = cluster->dirty;
	const char *name;
	size_t cursor = 0;

	cluster->dirty = map_new();
	while (map_next(batch, &cursor, &name, NULL))
		cluster->events.changed(cluster->events.ctx, name);
	map_free(batch, NULL);
}

static void
mark_changed(void *ctx, const char *app)
{
	port_changed(ctx, app);
}

static void
on_object(
    void *ctx, enum kube_kind kind, const char *ns, const char *name, json_t *old, json_t *now)
{
	struct cluster *cluster = ctx;

	port_index_find(
	    cluster->index, cluster->kube, kind, ns, name, old, now, mark_changed, cluster);
}

static void
on_freshness(void *ctx, enum kube_kind kind, const char *ns)
{
	struct cluster *cluster = ctx;

	(void)kind;
	port_index_namespace(cluster->index, ns, mark_changed, cluster);
}

/* --- the right to write --- */

static bool
may_write(const struct cluster *cluster)
{
	return !cluster->retiring && (cluster->lease == NULL || lease_held(cluster->lease));
}

static void
why_not_write(const struct cluster *cluster, char *why, size_t size)
{
	if (cluster->retiring)
		str_copy(why, size, "airisd is stopping");
	else
		lease_why(cluster->lease, why, size);
}

static bool
fence_open(void *ctx, char *why, size_t size)
{
	const struct cluster *cluster = ctx;

	if (may_write(cluster))
		return true;
	why_not_write(cluster, why, size);
	return false;
}

/* It is given back only when nothing of ours is on its way any more. */
static void
want_lease(struct cluster *cluster)
{
	bool busy = act_runs_busy(cluster->acts);

	if (cluster->retiring)
		loop_timer_set(cluster->retire, 0);
	if (cluster->lease == NULL)
		return;
	if (cluster->retiring && !busy)
		lease_drop(cluster->lease);
	else
		lease_want(cluster->lease, busy || cluster->writers > 0);
}

/* Another held it: what is known of every app may be old, and nothing is built on it. */
static void
on_lease(void *ctx, bool other)
{
	struct cluster *cluster = ctx;
	size_t cursor = 0;
	const char *name;
	void *value;

	if (cluster->retiring)
		loop_timer_set(cluster->retire, 0);
	bulletins_poke(cluster->bulletins);
	while (map_next(cluster->apps, &cursor, &name, &value)) {
		struct port_app *app = value;

		if (other && app->to_act) {
			app->must_verify = true;
			app->verify.covers = false;
			port_verify(app);
		}
		port_changed(cluster, name);
	}
}

static void
look_retired(void *ctx)
{
	struct cluster *cluster = ctx;
	void (*retired)(void *ctx) = cluster->retired;

	if (retired == NULL || act_runs_busy(cluster->acts) ||
	    (cluster->lease != NULL && !lease_is_idle(cluster->lease)))
		return;
	cluster->retired = NULL;
	retired(cluster->retired_ctx);
}

void
cluster_retire(struct cluster *cluster, void (*done)(void *ctx), void *ctx)
{
	cluster->retiring = true;
	cluster->retired = done;
	cluster->retired_ctx = ctx;
	want_lease(cluster);
}

/* --- following --- */

static void
let_go(struct cluster *cluster, struct port_app *app)
{
	enum kube_kind kinds[KUBE_KINDS];
	int count = port_kinds(app->app, kinds);

	cluster->writers -= app->to_act;
	port_verify_cancel(app);
	port_index_remove(cluster->index, app->app);
	for (int i = 0; i < count; i++)
		kube_unwatch(cluster->kube, kinds[i], app->app->namespace);
	app_free(app->app);
	free(app);
}

static void
port_follow(void *ctx, const struct app *app, bool to_act)
{
	struct cluster *cluster = ctx;
	struct port_app *followed = mem_alloc(sizeof(*followed)), *old;
	enum kube_kind kinds[KUBE_KINDS];
	int count = port_kinds(app, kinds);

	followed->cluster = cluster;
	followed->app = app_share(app);
	followed->asked = -1;
	followed->to_act = to_act;
	cluster->writers += to_act;
	for (int i = 0; i < count; i++)
		kube_watch(cluster->kube, kinds[i], app->namespace);
	old = map_set(cluster->apps, app->name, followed);
	if (old != NULL)
		let_go(cluster, old);
	port_index_add(cluster->index, followed->app);
	port_changed(cluster, app->name);
	want_lease(cluster);
}

static void
port_unfollow(void *ctx, const char *app)
{
	struct cluster *cluster = ctx;
	struct port_app *followed = map_remove(cluster->apps, app);

	map_remove(cluster->dirty, app);
	if (followed != NULL)
		let_go(cluster, followed);
	want_lease(cluster);
}

/* --- observing --- */

/* A Role of before they were looked at does not keep anybody from going home. */
static bool
budgets_refused(const struct cluster *cluster, enum kube_kind kind, const struct app *app,
    struct observed *seen)
{
	if (kind != KUBE_BUDGETS || !kube_refused(cluster->kube, kind, app->namespace))
		return false;
	str_copy(seen->budgets_unknown, sizeof(seen->budgets_unknown), seen->stale);
	seen->stale[0] = '\0';
	return true;
}

/* The first kind that is not fresh is told. */
static void
look_freshness(const struct cluster *cluster, const struct app *app,
    const struct port_app *followed, struct observed *seen)
{
	enum kube_kind kinds[KUBE_KINDS];
	int count = port_kinds(app, kinds);

	seen->fresh = true;
	for (int i = 0; i < count && seen->fresh; i++)
		seen->fresh = kube_fresh(cluster->kube, kinds[i], app->namespace, seen->stale,
				  sizeof(seen->stale), &seen->stale_since_ms) ||
			      budgets_refused(cluster, kinds[i], app, seen);
	if (followed == NULL)
		return;
	seen->verified_ms = followed->verified_ms;
	if (seen->fresh && followed->must_verify) {
		seen->fresh = false;
		str_copy(seen->stale, sizeof(seen->stale),
		    "another airisd has written here: its objects are being read anew");
		seen->stale_since_ms = clock_wall_ms();
	}
	if (seen->fresh && followed->unanswered[0] != '\0') {
		seen->fresh = false;
		str_copy(seen->stale, sizeof(seen->stale), followed->unanswered);
		seen->stale_since_ms = followed->unanswered_since_ms;
	}
}

static void
look_fence(const struct cluster *cluster, struct fence_seen *fence)
{
	if (may_write(cluster))
		return;
	why_not_write(cluster, fence->why, sizeof(fence->why));
	str_copy(fence->object, sizeof(fence->object),
	    cluster->retiring ? "airisd" : cluster->lease_name);
	fence->other = cluster->lease != NULL && lease_in_other_hands(cluster->lease);
	if (cluster->lease != NULL && !cluster->retiring)
		lease_poke(cluster->lease); /* time may have passed unseen */
}

static void
port_observe(void *ctx, const struct app *app, const char *new_image, struct observed *seen)
{
	struct cluster *cluster = ctx;
	const struct port_app *followed = map_get(cluster->apps, app->name);
	struct observe_objects objects;
	struct app room;

	app = port_gather(cluster->kube, app, &room, &objects);
	/* Only a start asks, and there may be hundreds. */
	if (app->traffic.kind == TRAFFIC_ISTIO && (followed == NULL || followed->asked < 0))
		port_find_all(
		    cluster->kube, KUBE_VIRTUALSERVICES, app, objects.route, objects.routes);
	observe_look(app, new_image, &objects, followed != NULL ? followed->asked : -1, seen);
	observe_done(&objects);
	look_freshness(cluster, app, followed, seen);
	look_fence(cluster, &seen->fence);
}

bool
cluster_addresses(struct cluster *cluster, const struct app *app, bool canary,
    void (*each)(void *ctx, const char *address), void *ctx)
{
	const struct port_app *followed = map_get(cluster->apps, app->name);
	struct observe_objects o;
	struct observed seen = {.fresh = false};
	bool own = canary && app->traffic.mode == TRAFFIC_HOST;

	look_freshness(cluster, app, followed, &seen);
	if (!seen.fresh)
		return false;
	port_gather(cluster->kube, app, NULL, &o);
	workload_addresses(
	    own ? o.canary_slices : o.slices, canary ? o.canary_pods : o.stable_pods, each, ctx);
	observe_done(&o);
	return true;
}

static void
port_verify_app(void *ctx, const struct app *app)
{
	struct cluster *cluster = ctx;
	struct port_app *followed = map_get(cluster->apps, app->name);

	if (followed != NULL)
		port_verify(followed);
}

/* --- acting --- */

/* "Nothing to do" must not rest on a cache that does not know: absent is only what a fresh list
 * does not have (F57). */
static void
doubt(const struct cluster *cluster, const struct app *app, struct act_plan *plan)
{
	char why[OBSERVED_TEXT];

	if (plan->send || plan->outcome != ACT_ALREADY ||
	    kube_fresh(cluster->kube, plan->kind, app->namespace, why, sizeof(why), NULL))
		return;
	plan->outcome = ACT_UNREACHED;
	str_copy(plan->text, sizeof(plan->text), why);
}

/* What is there already must not be believed either: the other one may be about to change it. */
static void
refuse(const struct cluster *cluster, struct act_plan *plan)
{
	if (may_write(cluster))
		return;
	plan->send = false;
	plan->outcome = ACT_UNREACHED;
	why_not_write(cluster, plan->text, sizeof(plan->text));
}

static uint64_t
port_act(void *ctx, const struct app *app, const struct baseline *baseline, const struct act *act)
{
	struct cluster *cluster = ctx;
	struct port_app *followed = map_get(cluster->apps, app->name);
	struct observe_objects objects;
	struct act_plan plan;

	if (followed != NULL && act->kind == ACT_WEIGHT && may_write(cluster))
		followed->asked = act->number;
	port_gather(cluster->kube, app, NULL, &objects);
	act_plan(app, baseline, act, &objects, &plan);
	observe_done(&objects);
	doubt(cluster, app, &plan);
	refuse(cluster, &plan);
	return act_run(cluster->acts, app, act->urgent, &plan);
}

/* --- telling --- */

static void
port_tell(void *ctx, const struct app *app, const struct told *told)
{
	struct cluster *cluster = ctx;

	if (cluster->bulletins != NULL)
		bulletins_put(cluster->bulletins, app, told);
}

void
cluster_tell_set(struct cluster *cluster, bool on)
{
	struct kube_fence fence = {.open = fence_open, .ctx = cluster};

	if (on == (cluster->bulletins != NULL))
		return;
	bulletins_free(cluster->bulletins);
	cluster->bulletins = on ? bulletins_new(cluster->loop, cluster->kube, &fence) : NULL;
}

struct cluster_port
cluster_port(struct cluster *cluster)
{
	return (struct cluster_port){.ctx = cluster,
	    .follow = port_follow,
	    .unfollow = port_unfollow,
	    .observe = port_observe,
	    .verify = port_verify_app,
	    .act = port_act,
	    .review = port_review,
	    .review_cancel = port_review_cancel,
	    .tell = port_tell};
}

/* --- life --- */

static void
on_acted(
    void *ctx, uint64_t number, enum act_outcome outcome, const char *text, int64_t retry_after_ms)
{
	struct cluster *cluster = ctx;

	cluster->events.acted(cluster->events.ctx, number, outcome, text, retry_after_ms);
	want_lease(cluster);
}

static void
add_lease(struct cluster *cluster, const struct lease_settings *settings)
{
	struct lease_events events = {.ctx = cluster, .changed = on_lease};

	str_print(cluster->lease_name, sizeof(cluster->lease_name), "Lease %s/%s",
	    settings->namespace, settings->name);
	cluster->lease = lease_new(cluster->loop, cluster->kube, settings, &events);
}

struct cluster *
cluster_new(struct loop *loop, const struct kube_settings *settings,
    const struct lease_settings *lease, const struct cluster_events *events, struct err *e)
{
	struct cluster *cluster = mem_alloc(sizeof(*cluster));
	struct kube_events kube_events = {
	    .ctx = cluster, .changed = on_object, .freshness = on_freshness};
	struct kube_fence fence = {.open = fence_open, .ctx = cluster};
	struct cluster_events acts = {.ctx = cluster, .acted = on_acted};

	cluster->kube = kube_new(loop, settings, &kube_events, e);
	if (cluster->kube == NULL) {
		free(cluster);
		return NULL;
	}
	cluster->loop = loop;
	cluster->events = *events;
	cluster->apps = map_new();
	cluster->index = port_index_new();
	cluster->dirty = map_new();
	cluster->teller = loop_timer_new(loop, tell_changes, cluster);
	cluster->acts = act_runs_new(loop, cluster->kube, &fence, &acts);
	cluster->turns.reviews = reviews_new(cluster->kube);
	cluster->retire = loop_timer_new(loop, look_retired, cluster);
	if (lease != NULL)
		add_lease(cluster, lease);
	return cluster;
}

void
cluster_free(struct cluster *cluster)
{
	size_t cursor = 0;
	void *value;

	if (cluster == NULL)
		return;
	while (map_next(cluster->apps, &cursor, NULL, &value))
		let_go(cluster, value);
	map_free(cluster->apps, NULL);
	act_runs_free(cluster->acts);
	reviews_free(cluster->turns.reviews);
	bulletins_free(cluster->bulletins);
	lease_free(cluster->lease);
	kube_free(cluster->kube);
	port_index_free(cluster->index);
	map_free(cluster->dirty, NULL);
	loop_timer_free(cluster->teller);
	loop_timer_free(cluster->retire);
	free(cluster);
}
