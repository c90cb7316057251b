/* Requests that wait for the engine: known by their number, so that an answer for a client that
 * has gone finds nothing and is dropped. */
#include <stdlib.h>
#include <string.h>
#include "api/pending.h"
#include "api/render.h"
#include "api/wait.h"
#include "base/clock.h"
#include "base/failpoint.h"

struct pending *
api_pend(struct api *api, uint64_t number, enum pending_kind kind)
{
	struct pending *pending = mem_alloc(sizeof(*pending));
	pending->kind = kind;
	free(map_set_number(api->pending, number, pending));
	api->plans += kind == PENDING_PLAN;
	return pending;
}

void
api_pending_free(void *pending)
{
	if (pending != NULL)
		mem_wipe(((struct pending *)pending)->secret, SECRET_TEXT);
	free(pending);
}

struct pending *
api_pended(struct api *api, uint64_t number)
{
	struct pending *pending = map_remove_number(api->pending, number);
	if (pending != NULL)
		api->plans -= pending->kind == PENDING_PLAN;
	return pending;
}

static enum api_code
code_of(enum engine_result result)
{
	switch (result) {
	case ENGINE_NOT_FOUND:
		return CODE_NOT_FOUND;
	case ENGINE_REFUSED:
		return CODE_CONFLICT;
	case ENGINE_KEY_REUSED:
		return CODE_KEY_REUSED;
	case ENGINE_DEGRADED:
		return CODE_DEGRADED;
	case ENGINE_CHANGED:
		return CODE_PRECONDITION_FAILED;
	case ENGINE_OK:
	case ENGINE_CREATED:
		break;
	}
	return CODE_INTERNAL;
}

void
api_pending_gone(struct api *api, uint64_t number)
{
	struct pending *pending = api_pended(api, number);
	if (pending != NULL && pending->until_ms > 0)
		api_place_free(api);
	api_pending_free(pending);
}

void
api_answer_rollout(struct api *api, uint64_t number, bool created, const char *id)
{
	struct engine_look look;
	char location[64];
	if (api_look(api, number, id, &look) < 0)
		return;
	json_t *body = api_rollout_json(&look);
	engine_look_done(&look);
	str_print(location, sizeof(location), "/v1/rollouts/%s", id);
	if (created)
		api_answer_at(api, number, 201, location, body);
	else
		api_answer(api, number, 200, body);
}

static void
answer_app(struct api *api, uint64_t number, bool created, const char *name, const char *why)
{
	const struct app *app = engine_app(api->engine, name);
	if (app == NULL) {
		api_problem(api, number, CODE_CONFLICT,
		    "app %s was written and deleted again by another request", name);
		return;
	}
	json_t *body = json_pack("{s:s, s:s, s:s, s:O, s:b}", "name", app->name, "namespace",
	    app->namespace, "cluster", app->cluster, "spec", app->spec, "changed",
	    !str_equal(why, "unchanged"));
	api_answer_app(api, number, app, created, body);
}

/* Who waits takes the place along. */
static void
wait_or_answer(struct api *api, uint64_t number, bool created, const char *id,
    const struct api_mark *who, int64_t *until_ms)
{
	struct api_wish wish = {.after = -1, .until_ms = *until_ms, .who = who, .created = created};
	if (*until_ms == 0 || api->httpd == NULL) {
		api_answer_rollout(api, number, created, id);
		return;
	}
	*until_ms = 0;
	api_wait(api, number, id, &wish);
}

/* A key leads to the rollout that was started with it, also where the app has moved since. */
static bool
sees_what_it_got(const struct api *api, const char *id, const struct api_mark *who)
{
	struct engine_look look;
	struct api_mark there = *who;
	struct err e;
	if (api->httpd == NULL || who->app[0] == '\0' ||
	    engine_look(api->engine, id, &look, &e) < 0)
		return true;
	str_copy(there.namespace, sizeof(there.namespace), look.rollout->app->namespace);
	engine_look_done(&look);
	return strcmp(there.namespace, who->namespace) == 0 || api_still_sees(api, &there);
}

/* The name of its failpoint. */
#ifdef AIRIS_CRASH
static const char *
crash_name(enum pending_kind kind, enum engine_result result)
{
	if (kind == PENDING_ROLLOUT)
		return result == ENGINE_CREATED ? "start" : "command";
	return kind == PENDING_APP ? "app" : "app.deleted";
}
#endif

static void
on_reply(void *ctx, uint64_t number, enum engine_result result, const char *id, const char *why)
{
	struct api *api = ctx;
	struct pending *pending = api_pended(api, number);
	if (pending == NULL)
		return;
	enum pending_kind kind = pending->kind;
	int64_t until_ms = pending->until_ms;
	struct api_mark who = pending->who;
	api_pending_free(pending);
	failpoint_of("answer:before", crash_name(kind, result));
	if (result == ENGINE_CHANGED)
		api_problem_changed(api, number, engine_app(api->engine, id), why);
	else if (result != ENGINE_OK && result != ENGINE_CREATED)
		api_problem(api, number, code_of(result), "%s", why);
	else if (kind == PENDING_ROLLOUT && result == ENGINE_OK && !sees_what_it_got(api, id, &who))
		api_problem(api, number, CODE_KEY_REUSED,
		    "this Idempotency-Key was used for another request: take a new one");
	else if (kind == PENDING_ROLLOUT)
		wait_or_answer(api, number, result == ENGINE_CREATED, id, &who, &until_ms);
	else if (kind == PENDING_APP)
		answer_app(api, number, result == ENGINE_CREATED, id, why);
	else
		api_answer_nothing(api, number);
	if (until_ms > 0)
		api_place_free(api);
	failpoint_soon_of("answer:after", crash_name(kind, result));
}

struct engine_reply
api_reply(struct call *call, enum pending_kind kind)
{
	api_pend(call->api, call->number, kind);
	return (struct engine_reply){.done = on_reply, .ctx = call->api, .request = call->number};
}

struct engine_reply
api_reply_wait(struct call *call, int64_t wait_ms)
{
	struct pending *pending = api_pend(call->api, call->number, PENDING_ROLLOUT);
	pending->until_ms = wait_ms > 0 ? clock_mono_ms() + wait_ms : 0;
	api_mark(call, &pending->who);
	return (struct engine_reply){.done = on_reply, .ctx = call->api, .request = call->number};
}
