/* Apps and their releases. */
#include <string.h>
#include "api/ask.h"
#include "api/render.h"
#include "api/routes.h"
#include "api/tags.h"
#include "base/failpoint.h"
#include "base/jsonx.h"

static bool
name_ok(struct call *call)
{
	if (str_is_dns_label(call->arg))
		return true;
	api_problem(call->api, call->number, CODE_NOT_FOUND,
	    "\"%s\" cannot be an app's name: that is lower-case letters, digits and '-', at most "
	    "63",
	    call->arg);
	return false;
}

/* What the file says, and that it says it about the app of the path. */
static struct app *
check_app(struct call *call, const json_t *document, struct errlist *errors)
{
	const struct api_ports *ports = &call->api->ports;
	struct app *app = app_parse(document, errors);
	if (app == NULL)
		return NULL;
	if (strcmp(app->name, call->arg) != 0)
		errlist_add(errors, "name",
		    "the body is app \"%s\" and the path names \"%s\": they must be the same",
		    app->name, call->arg);
	if (ports->check_app != NULL)
		ports->check_app(ports->ctx, app, errors);
	if (errors->count == 0)
		return app;
	app_free(app);
	return NULL;
}

void
api_put_app(struct call *call)
{
	json_t *document;
	struct yaml_lines *lines = NULL;
	struct errlist errors;
	struct app_condition condition;
	if (!api_ask_condition(call, true, &condition) ||
	    !api_ask_document(call, &document, &lines))
		return;
	errlist_init(&errors);
	struct app *app = check_app(call, document, &errors);
	if (app != NULL && !api_may_put(call, app)) {
		app_free(app);
	} else if (app != NULL) {
		failpoint("request:app");
		struct engine_reply reply = api_reply(call, PENDING_APP);
		engine_app_put(call->api->engine, app, &condition, &call->actor, &reply);
	} else {
		if (lines != NULL)
			yaml_locate(lines, &errors);
		api_problem_list(call->api, call->number,
		    "the app has mistakes: see errors; nothing was changed", &errors);
	}
	errlist_done(&errors);
	yaml_lines_free(lines);
	json_decref(document);
}

void
api_list_apps(struct call *call)
{
	const char *after = httpd_query(call->request, "after");
	int limit = API_LIMIT;
	if (!api_ask_limit(call, &limit))
		return;
	json_t *items = json_array(), *next = json_null();
	const struct app *last = NULL, *app = engine_app_next(call->api->engine, after);
	for (; app != NULL && limit > 0; app = engine_app_next(call->api->engine, app->name)) {
		if (!api_sees(call, app->namespace, app->name))
			continue;
		json_array_append_new(items, api_app_json(call->api->engine, app));
		last = app;
		limit--;
	}
	while (app != NULL && !api_sees(call, app->namespace, app->name))
		app = engine_app_next(call->api->engine, app->name);
	if (app != NULL)
		next = json_string(last->name);
	api_answer(call->api, call->number, 200, api_page_json(items, next));
}

void
api_get_app(struct call *call)
{
	const struct app *app = engine_app(call->api->engine, call->arg);
	char tag[APP_TAG];
	bool seen;
	if (!name_ok(call))
		return;
	if (app == NULL) {
		api_problem(call->api, call->number, CODE_NOT_FOUND,
		    "there is no app \"%s\"; GET /v1/apps lists those there are", call->arg);
		return;
	}
	app_tag(app, tag);
	if (!api_ask_seen(call, tag, &seen))
		return;
	if (seen)
		api_answer_seen(call->api, call->number, app);
	else
		api_answer_app(
		    call->api, call->number, app, false, api_app_json(call->api->engine, app));
}

void
api_delete_app(struct call *call)
{
	struct app_condition condition;
	if (!name_ok(call) || !api_ask_condition(call, false, &condition))
		return;
	failpoint("request:app.deleted");
	struct engine_reply reply = api_reply(call, PENDING_DELETE);
	engine_app_delete(call->api->engine, call->arg, &condition, &call->actor, &reply);
}

struct page {
	json_t *items;
	int limit;
	int64_t last;
	bool more;
};

static bool
add_release(void *ctx, const struct journal_row *row)
{
	struct page *page = ctx;
	if (json_array_size(page->items) == (size_t)page->limit) {
		page->more = true;
		return false;
	}
	json_t *item = api_row_json(row);
	int64_t at_ms = json_integer_value(json_object_get(item, "at_ms"));
	json_object_del(item, "at_ms");
	json_object_set_new(item, "at", jsonx_time(at_ms != 0 ? at_ms : row->at_ms));
	json_array_append_new(page->items, item);
	page->last = row->number;
	return true;
}

/* Releases outlive their app. */
void
api_list_releases(struct call *call)
{
	struct page page = {.limit = API_LIMIT};
	int64_t before = 0;
	struct err e;
	if (!name_ok(call) || !api_ask_limit(call, &page.limit) ||
	    !api_ask_number(call, "before", &before))
		return;
	page.items = json_array();
	int rc = engine_releases(call->api->engine, call->arg,
	    before > INT32_MAX ? INT32_MAX : (int)before, page.limit + 1, add_release, &page, &e);
	if (rc < 0)
		api_problem(call->api, call->number, CODE_INTERNAL, "%s", e.text);
	else if (json_array_size(page.items) == 0 && before == 0 &&
		 engine_app(call->api->engine, call->arg) == NULL)
		api_problem(
		    call->api, call->number, CODE_NOT_FOUND, "there is no app \"%s\"", call->arg);
	else
		api_answer(call->api, call->number, 200,
		    api_page_json(json_incref(page.items),
			page.more ? json_integer(page.last) : json_null()));
	json_decref(page.items);
}
