/* Plans: what a release would do, before anything is done. That of a rollout which has begun is
 * rehearsed from what was there at its beginning, so it stays the same until its end. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "api/ask.h"
#include "api/render.h"
#include "api/routes.h"

static void
on_plan(void *ctx, uint64_t number, const struct app *app, const struct plan *plan, const char *why)
{
	struct api *api = ctx;
	struct pending *pending = api_pended(api, number);
	if (pending == NULL)
		return;
	if (plan != NULL && pending->image[0] == '\0')
		api_answer(api, number, 200,
		    api_preflight_json(app, engine_app_active(api->engine, app->name), plan));
	else if (plan != NULL)
		api_answer(api, number, 200, api_plan_json(app, pending->image, plan));
	else if (app == NULL)
		api_problem(api, number, CODE_NOT_FOUND, "no plan can be made: %s", why);
	else
		api_problem(api, number, CODE_CONFLICT,
		    "no plan can be made now: %s; try again when that is over",
		    why[0] ? why : "the cluster was not read in time");
	free(pending);
}

static void
plan_release(struct call *call, const char *app, const char *image)
{
	struct api *api = call->api;
	if (engine_app(api->engine, app) == NULL) {
		api_problem(api, call->number, CODE_NOT_FOUND, "there is no app \"%s\"", app);
		return;
	}
	if (api->plans >= API_PLANS_MAX) {
		api_problem(api, call->number, CODE_THROTTLED,
		    "%d plans are being made, which is as many as there may be; try again soon",
		    api->plans);
		return;
	}
	struct pending *pending = api_pend(api, call->number, PENDING_PLAN);
	str_copy(pending->image, sizeof(pending->image), image);
	engine_plan(api->engine, app, image, on_plan, api, call->number);
}

struct plan_body {
	char app[APP_LABEL], image[APP_IMAGE];
};

const struct key api_plan_keys[] = {
    {.name = "app",
	.type = &keys_label,
	.help = "the app",
	.offset = offsetof(struct plan_body, app),
	.required = true},
    {.name = "image",
	.type = &api_key_image,
	.help = "what would be released",
	.offset = offsetof(struct plan_body, image),
	.required = true},
    {.name = NULL},
};

void
api_make_plan(struct call *call)
{
	struct plan_body body = {0};
	if (api_ask_body(call, &body) && api_may_app(call, RIGHT_RELEASE, body.app))
		plan_release(call, body.app, body.image);
}

const struct key api_preflight_keys[] = {{.name = NULL}};

void
api_make_preflight(struct call *call)
{
	int nothing;
	if (api_ask_body(call, &nothing))
		plan_release(call, call->arg, "");
}

/* --- of a rollout ----------------------------------------------------------------------------- */

static void
sides_at_start(const struct baseline *b, struct observed *seen)
{
	struct workload_seen *canary = &seen->canary;
	*canary = (struct workload_seen){.exists = b->had_canary,
	    .observed = true,
	    .replicas = b->canary_replicas,
	    .pods = b->canary_replicas};
	str_copy(canary->image, sizeof(canary->image), b->canary_image);
	str_copy(canary->name, sizeof(canary->name), b->canary);
	str_copy(seen->stable.name, sizeof(seen->stable.name), b->stable);
	seen->preview = PREVIEW_CANARY;
	seen->budgets = b->budgets;
}

/* What the baseline was taken from, as far as it matters to a plan. */
static void
seen_at_start(const struct rollout *r, struct observed *seen)
{
	const struct baseline *b = &r->baseline;
	*seen = (struct observed){.fresh = true,
	    .service = true,
	    .canary_service = b->had_canary_service,
	    .stable = {.exists = true,
		.observed = true,
		.replicas = b->replicas,
		.pods = b->replicas,
		.updated = b->replicas,
		.ready = b->replicas},
	    .route = {.exists = true,
		.fits = true,
		.even = true,
		.accepted = true,
		.names_canary = b->had_canary_destination,
		.names_stable_subset = b->had_stable_subset_named,
		.bare = b->bare,
		.with_canary = b->with_canary,
		.with_subset = b->with_subset},
	    .subsets = {.exists = b->had_destination_rule,
		.stable = b->had_stable_subset,
		.canary = b->had_canary_subset,
		.stable_fits = true},
	    .hpa = {.exists = b->hpa_min >= 0, .min = b->hpa_min, .max = INT_MAX}};
	seen->stable.pace = b->pace;
	seen->stable.observed = true;
	if (r->app->colours)
		sides_at_start(b, seen);
	str_copy(seen->stable.uid, sizeof(seen->stable.uid), b->uid);
	str_copy(seen->stable.image, sizeof(seen->stable.image), b->image);
}

static void
plan_begun(struct call *call, const struct rollout *r)
{
	struct observed seen;
	struct plan plan;
	struct err e;
	seen_at_start(r, &seen);
	if (plan_make(r->app, &r->release, &seen, NULL, engine_now_ms(call->api->engine), &plan,
		&e) < 0) {
		api_problem(call->api, call->number, CODE_INTERNAL,
		    "the plan of rollout %s cannot be made: %s", r->id, e.text);
		return;
	}
	api_answer(call->api, call->number, 200, api_plan_json(r->app, r->release.image, &plan));
	plan_done(&plan);
}

/* The plan of one that has not begun is of the app as it is now, which may have moved to where who
 * asks sees nothing. False: answered. */
static bool
sees_app_of(struct call *call, const struct rollout *r)
{
	const struct app *now = engine_app(call->api->engine, r->app->name);
	if (now == NULL || api_sees(call, now->namespace, now->name))
		return true;
	api_problem(
	    call->api, call->number, CODE_NOT_FOUND, "there is no app \"%s\"", r->app->name);
	return false;
}

void
api_get_plan(struct call *call)
{
	struct engine_look look;
	if (!api_id_ok(call) || api_look(call->api, call->number, call->arg, &look) < 0)
		return;
	const struct rollout *rollout = look.rollout;
	if (rollout->compiled)
		plan_begun(call, rollout);
	else if (sees_app_of(call, rollout))
		plan_release(call, rollout->app->name, rollout->release.image);
	engine_look_done(&look);
}
