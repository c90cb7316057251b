/* Whether who asks may do it. What somebody may not even look at is answered as if it were not
 * there, with the same words, so nobody learns by asking what others have; what they may look at
 * and not do is refused with the role that it takes. */
#include <string.h>
#include "api/render.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "engine/note.h"

static void
say_refused(const struct call *call, const struct err *why)
{
	log_info("api", "refused: %s %s by %s: %s", httpd_method(call->request),
	    httpd_path(call->request), call->actor.name, why->text);
}

/* Who tried what they may not: not of what only looks. */
static void
audit_denied(const struct call *call, const char *why)
{
	char outcome[640];
	struct engine_note note = {.actor = &call->actor,
	    .what = call->route->acts,
	    .rollout = call->route->about == ABOUT_ROLLOUT ? call->arg : NULL,
	    .app = call->app,
	    .outcome = outcome};
	if (call->route->acts == NULL)
		return;
	str_print(outcome, sizeof(outcome), "denied: %s", why);
	engine_audit(call->api->engine, &note);
}

static bool
refuse(struct call *call, const struct err *why)
{
	say_refused(call, why);
	audit_denied(call, why->text);
	api_problem(call->api, call->number, CODE_FORBIDDEN, "%s", why->text);
	return false;
}

static bool
may(struct call *call, enum right right, const struct subject *subject, const char *missing)
{
	const struct principal *who = &call->principal;
	struct err why;
	if (authorise(who, right, subject, &why))
		return true;
	/* Who has no role at all is told so, whatever it is about. */
	if (who->grant_count == 0 || authorise(who, RIGHT_READ, subject, NULL))
		return refuse(call, &why);
	say_refused(call, &why);
	audit_denied(call, why.text);
	api_problem(call->api, call->number, CODE_NOT_FOUND, "%s", missing);
	return false;
}

static bool
may_with(struct call *call, enum right right, enum reach reach)
{
	struct subject subject = {.reach = reach};
	struct err why;
	return authorise(&call->principal, right, &subject, &why) || refuse(call, &why);
}

bool
api_sees(const struct call *call, const char *namespace, const char *app)
{
	struct subject subject = {.reach = REACH_ONE, .namespace = namespace, .app = app};
	return authorise(&call->principal, RIGHT_READ, &subject, NULL);
}

bool
api_sees_all(const struct call *call)
{
	struct subject subject = {.reach = REACH_ALL};
	return authorise(&call->principal, RIGHT_READ, &subject, NULL);
}

bool
api_may(struct call *call, enum right right, const struct app *app)
{
	struct subject subject = {
	    .reach = REACH_ONE, .namespace = app->namespace, .app = app->name};
	struct err why;
	return authorise(&call->principal, right, &subject, &why) || refuse(call, &why);
}

/* One that is not there (any more) has no namespace that is known. */
bool
api_may_app(struct call *call, enum right right, const char *name)
{
	const struct app *app = engine_app(call->api->engine, name);
	const struct app *coming = engine_app_coming(call->api->engine, name);
	struct subject subject = {
	    .reach = REACH_ONE, .namespace = app == NULL ? NULL : app->namespace, .app = name};
	str_copy(call->namespace, sizeof(call->namespace), app == NULL ? "" : app->namespace);
	str_copy(call->app, sizeof(call->app), name);
	char missing[320];
	str_print(missing, sizeof(missing),
	    "there is no app \"%s\"; GET /v1/apps lists those there are", name);
	if (!may(call, right, &subject, missing))
		return false;
	/* It is on its way to another namespace: what acts on it must be allowed there, too. */
	return right == RIGHT_READ || coming == NULL || coming == app ||
	       api_may(call, right, coming);
}

struct former {
	bool found;
	char namespace[APP_LABEL]; /* "" : not known */
};

static bool
note_former(void *ctx, const struct journal_row *row)
{
	struct former *former = ctx;
	json_t *json = api_row_json(row);
	former->found = true;
	str_copy(
	    former->namespace, sizeof(former->namespace), jsonx_text_or(json, "namespace", ""));
	json_decref(json);
	return false;
}

/* Releases outlive their app, and are found by its name: it is taken again only by who might look
 * at the one that had it last. */
static bool
may_take_name(struct call *call, const char *name)
{
	struct journal_filter filter = {.app = name, .limit = 1};
	struct former former = {0};
	struct err e;
	if (engine_rollouts(call->api->engine, &filter, note_former, &former, &e) < 0) {
		api_problem(call->api, call->number, CODE_INTERNAL, "%s", e.text);
		return false;
	}
	const char *namespace = former.namespace[0] != '\0' ? former.namespace : NULL;
	if (!former.found || api_sees(call, namespace, name))
		return true;
	audit_denied(call, "the name was that of an app that may not be seen");
	api_problem(call->api, call->number, CODE_FORBIDDEN,
	    "the name \"%s\" was that of an app that %s may not see, and its releases are kept: "
	    "take another one",
	    name, call->principal.id);
	return false;
}

bool
api_may_put(struct call *call, const struct app *next)
{
	struct engine *engine = call->api->engine;
	const struct app *is[] = {
	    engine_app(engine, next->name), engine_app_coming(engine, next->name)};
	if (!api_may(call, RIGHT_APPS, next))
		return false;
	if (is[0] == NULL && is[1] == NULL)
		return may_take_name(call, next->name);
	for (size_t i = 0; i < 2; i++) {
		if (is[i] == NULL)
			continue;
		if (api_sees(call, is[i]->namespace, is[i]->name)) {
			if (!api_may(call, RIGHT_APPS, is[i]))
				return false;
			continue;
		}
		audit_denied(call, "the name is taken by an app that may not be seen");
		api_problem(call->api, call->number, CODE_FORBIDDEN,
		    "the name \"%s\" is taken by an app that %s may not see: take another one",
		    next->name, call->principal.id);
		return false;
	}
	return true;
}

static bool
may_rollout(struct call *call, enum right right)
{
	struct subject subject = {.reach = REACH_ALL};
	struct engine_look look;
	struct err why;
	char missing[96];
	/* Who may do it everywhere need not know where it is. */
	if (authorise(&call->principal, right, &subject, &why))
		return true;
	if (call->principal.grant_count == 0)
		return refuse(call, &why);
	if (!api_id_ok(call) || api_look(call->api, call->number, call->arg, &look) < 0)
		return false;
	const struct app *app = look.rollout->app;
	subject =
	    (struct subject){.reach = REACH_ONE, .namespace = app->namespace, .app = app->name};
	str_copy(call->namespace, sizeof(call->namespace), app->namespace);
	str_copy(call->app, sizeof(call->app), app->name);
	str_print(missing, sizeof(missing), "there is no rollout %s", call->arg);
	bool good = may(call, right, &subject, missing);
	engine_look_done(&look);
	return good;
}

/* Going past an approval is approving. */
bool
api_may_command(struct call *call, enum command command, bool full)
{
	struct engine_look look;
	struct err e;
	if (command != COMMAND_PROMOTE || engine_look(call->api->engine, call->arg, &look, &e) < 0)
		return true;
	bool good = !look.live || !command_approves(look.rollout, command, full) ||
		    api_may(call, RIGHT_APPROVE, look.rollout->app);
	engine_look_done(&look);
	return good;
}

bool
api_may_route(struct call *call, const struct api_route *route)
{
	switch (route->about) {
	case ABOUT_BODY:
		str_copy(call->app, sizeof(call->app), call->arg); /* of PUT; "" otherwise */
		return may_with(call, route->right, REACH_ANY);
	case ABOUT_ANY:
		return may_with(call, route->right, REACH_ANY);
	case ABOUT_ALL:
		return may_with(call, route->right, REACH_ALL);
	case ABOUT_APP:
		return api_may_app(call, route->right, call->arg);
	case ABOUT_ROLLOUT:
		return may_rollout(call, route->right);
	}
	return false;
}
