/* Plans of releases that are not started: the app is followed for a moment, looked at, asked about,
 * and rehearsed. A preflight alone is one that is not rehearsed. */
#include <string.h>
#include "base/str.h"
#include "engine/engine_room.h"

#define PLAN_DEADLINE_MS 10000
#define PLAN_LOOK_MS 100

struct plan_wait {
	struct engine *engine;
	char app[APP_LABEL], image[APP_IMAGE];
	char cluster[APP_LABEL];
	int64_t until_ms;
	struct loop_timer *timer;
	bool follows;
	struct inquiry *inquiry; /* NULL: the app was not seen yet */
	void (*done)(void *ctx, uint64_t request, const struct app *app, const struct plan *plan,
	    const char *why);
	void *ctx;
	uint64_t request;
	struct plan_wait *next;
};

static void
finish(struct plan_wait *wait, const struct app *app, const struct plan *plan, const char *why)
{
	struct engine *engine = wait->engine;
	struct plan_wait **at = &engine->plans;
	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	wait->done(wait->ctx, wait->request, app, plan, why);
	const struct cluster_port *cluster =
	    engine->ports.cluster(engine->ports.ctx, wait->cluster);
	if (wait->follows && cluster != NULL && engine_app_active(engine, wait->app) == NULL)
		cluster->unfollow(cluster->ctx, wait->app);
	loop_timer_free(wait->timer);
	inquiry_free(wait->inquiry);
	free(wait);
}

static void
rehearse(struct plan_wait *wait, const struct app *app, const struct observed *seen,
    const struct findings *found)
{
	struct release release = {.number = 1};
	struct plan plan;
	struct err e;
	if (wait->image[0] == '\0') {
		plan_preflight(app, seen, found, &plan);
		finish(wait, app, &plan, "");
		plan_done(&plan);
		return;
	}
	str_copy(release.app, sizeof(release.app), wait->app);
	str_copy(release.image, sizeof(release.image), wait->image);
	if (plan_make(app, &release, seen, found, engine_now_ms(wait->engine), &plan, &e) < 0) {
		finish(wait, app, NULL, e.text);
		return;
	}
	finish(wait, plan.app != NULL ? plan.app : app, &plan, "");
	plan_done(&plan);
}

static void
on_inquired(void *ctx)
{
	struct plan_wait *wait = ctx;
	loop_timer_set(wait->timer, 0);
}

static void
inquire(struct plan_wait *wait, const struct app *app, const struct observed *seen)
{
	const struct findings *found = inquiry_found(wait->inquiry);
	if (found != NULL) {
		rehearse(wait, app, seen, found);
	} else if (!inquiry_waits(wait->inquiry)) {
		inquiry_free(wait->inquiry);
		wait->inquiry = inquiry_new(wait->engine, app, seen, true, on_inquired, wait);
	}
}

static void
look(void *ctx)
{
	struct plan_wait *wait = ctx;
	struct engine *engine = wait->engine;
	const struct app *app = engine_app(engine, wait->app);
	const struct cluster_port *cluster =
	    engine->ports.cluster(engine->ports.ctx, wait->cluster);
	struct observed seen = {0};
	if (app == NULL || cluster == NULL) {
		finish(wait, app, NULL,
		    app ? "its cluster is not in the settings" : "no app of that name");
		return;
	}
	if (!wait->follows && engine_app_active(engine, wait->app) == NULL)
		cluster->follow(cluster->ctx, app, false);
	wait->follows = true;
	cluster->observe(cluster->ctx, app, wait->image, &seen);
	if (seen.fresh)
		inquire(wait, app, &seen);
	else if (engine_now_ms(engine) >= wait->until_ms)
		finish(wait, app, NULL, seen.stale);
	else
		loop_timer_set(wait->timer, PLAN_LOOK_MS);
}

void
engine_plan(struct engine *engine, const char *app, const char *image,
    void (*done)(void *ctx, uint64_t request, const struct app *app, const struct plan *plan,
	const char *why),
    void *ctx, uint64_t request)
{
	const struct app *known = engine_app(engine, app);
	struct plan_wait *wait = mem_alloc(sizeof(*wait));
	*wait = (struct plan_wait){.engine = engine,
	    .until_ms = engine_now_ms(engine) + PLAN_DEADLINE_MS,
	    .done = done,
	    .ctx = ctx,
	    .request = request,
	    .next = engine->plans};
	str_copy(wait->app, sizeof(wait->app), app);
	str_copy(wait->image, sizeof(wait->image), image);
	str_copy(wait->cluster, sizeof(wait->cluster), known ? known->cluster : "");
	engine->plans = wait;
	wait->timer = loop_timer_new(engine->loop, look, wait);
	loop_timer_set(wait->timer, 0);
}

void
plan_poke(struct engine *engine, const char *app)
{
	for (struct plan_wait *wait = engine->plans; wait != NULL; wait = wait->next)
		if (strcmp(wait->app, app) == 0)
			loop_timer_set(wait->timer, 0);
}

void
plan_free(struct engine *engine)
{
	while (engine->plans != NULL)
		finish(engine->plans, NULL, NULL, "airisd is stopping");
}
