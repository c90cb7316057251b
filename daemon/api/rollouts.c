/* Rollouts: looked at, listed, started, and told what to do. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "api/ask.h"
#include "api/render.h"
#include "api/routes.h"
#include "api/wait.h"
#include "base/clock.h"
#include "base/failpoint.h"

#define LIVE_MAX 10000

bool
api_id_ok(struct call *call)
{
	if (id_ok(call->arg, "r-"))
		return true;
	api_problem(call->api, call->number, CODE_NOT_FOUND,
	    "\"%s\" cannot be a rollout's id: that is r- and 26 letters and digits; GET "
	    "/v1/rollouts?app=NAME&limit=1 gives an app's newest",
	    call->arg);
	return false;
}

static bool
note_found(void *ctx, const struct journal_row *row)
{
	(void)row;
	*(bool *)ctx = true;
	return false;
}

int
api_look(struct api *api, uint64_t number, const char *id, struct engine_look *look)
{
	struct err e, why;
	bool found = false;
	if (engine_look(api->engine, id, look, &why) == 0)
		return 0;
	if (engine_events(api->engine, id, 0, 1, note_found, &found, &e) < 0 || found)
		api_problem(
		    api, number, CODE_INTERNAL, "rollout %s cannot be read: %s", id, why.text);
	else
		api_problem(api, number, CODE_NOT_FOUND, "there is no rollout %s", id);
	return -1;
}

void
api_get_rollout(struct call *call)
{
	struct api_wish wish = {.after = -1};
	struct api_stand stand;
	struct engine_look look;
	int64_t wait_ms;
	if (!api_id_ok(call) || !api_ask_wait(call, &wait_ms) ||
	    !api_ask_number(call, "after", &wish.after) ||
	    api_look(call->api, call->number, call->arg, &look) < 0)
		return;
	api_stand(&look, &stand);
	bool waits = wait_ms > 0 && !api_stand_fits(&stand, wish.after);
	if (!waits)
		api_answer(call->api, call->number, 200, api_rollout_json(&look));
	engine_look_done(&look);
	if (!waits || !api_place_take(call))
		return;
	struct api_mark who;
	api_mark(call, &who);
	wish.who = &who;
	wish.until_ms = clock_mono_ms() + wait_ms;
	api_wait(call->api, call->number, call->arg, &wish);
}

/* --- lists ------------------------------------------------------------------------------------ */

#define LOOKED_MAX 2000

struct list {
	struct call *call;
	json_t *items;
	size_t most;	    /* of them */
	bool all;	    /* who asks sees everything */
	int looked;	    /* rows, also those that may not be seen; */
	int look_max;	    /* not more than that */
	char last[ID_SIZE]; /* of them */
};

/* The rollout's own app says who sees it, as it was at its start. */
static bool
add_summary(void *ctx, const struct journal_row *row)
{
	struct list *list = ctx;
	json_t *item = api_row_json(row);
	const char *namespace = json_string_value(json_object_get(item, "namespace"));
	if (list->all || api_sees(list->call, namespace, row->app))
		json_array_append_new(list->items, item);
	else
		json_decref(item);
	list->looked++;
	str_copy(list->last, sizeof(list->last), row->key);
	return json_array_size(list->items) < list->most && list->looked < list->look_max;
}

static bool
ask_filter(struct call *call, struct journal_filter *filter)
{
	enum phase phase;
	filter->app = httpd_query(call->request, "app");
	filter->phase = httpd_query(call->request, "phase");
	filter->cluster = httpd_query(call->request, "cluster");
	filter->before = httpd_query(call->request, "before");
	if (filter->phase != NULL && !phase_of(filter->phase, &phase)) {
		api_problem(call->api, call->number, CODE_BAD_REQUEST,
		    "phase is \"%.64s\"; allowed: queued, progressing, paused, succeeded, "
		    "aborting, "
		    "aborted, failed",
		    filter->phase);
		return false;
	}
	if (filter->before != NULL && !id_ok(filter->before, "r-")) {
		api_problem(call->api, call->number, CODE_BAD_REQUEST,
		    "before is \"%.64s\"; allowed: a rollout's id, such as `next` of the page "
		    "before",
		    filter->before);
		return false;
	}
	return api_ask_limit(call, &filter->limit) && api_ask_flag(call, "live", &filter->live);
}

/* The journal gives live ones oldest first and all of them; a page is newest first as others are.
 */
static json_t *
newest_of(json_t *rows, int limit)
{
	json_t *items = json_array();
	size_t count = json_array_size(rows);
	for (size_t i = 0; i < count && i < (size_t)limit; i++)
		json_array_append(items, json_array_get(rows, count - 1 - i));
	json_decref(rows);
	return items;
}

/* Of those who do not see everything a page may be short, or empty, and go on all the same: only so
 * many rows are looked at for one. */
static json_t *
next_of(const struct list *list, int limit)
{
	if (json_array_size(list->items) > (size_t)limit) {
		json_array_remove(list->items, (size_t)limit);
		return json_incref(
		    json_object_get(json_array_get(list->items, (size_t)limit - 1), "id"));
	}
	return list->looked == list->look_max ? json_string(list->last) : json_null();
}

void
api_list_rollouts(struct call *call)
{
	struct journal_filter filter = {.limit = API_LIMIT};
	struct list list = {.call = call, .all = api_sees_all(call)};
	struct err e;
	if (!ask_filter(call, &filter))
		return;
	int limit = filter.limit;
	list.most = filter.live ? LIVE_MAX : (size_t)limit + 1;
	list.look_max = list.all || filter.live ? INT_MAX : LOOKED_MAX;
	filter.limit = list.all || filter.live ? (int)list.most : 0;
	list.items = json_array();
	if (engine_rollouts(call->api->engine, &filter, add_summary, &list, &e) < 0) {
		api_problem(call->api, call->number, CODE_INTERNAL, "%s", e.text);
		json_decref(list.items);
		return;
	}
	if (filter.live)
		list.items = newest_of(list.items, limit + 1);
	json_t *next = next_of(&list, limit);
	api_answer(call->api, call->number, 200, api_page_json(list.items, next));
}

/* --- start ------------------------------------------------------------------------------------ */

struct start_body {
	char app[APP_LABEL], image[APP_IMAGE], why[API_TEXT], commit[API_COMMIT];
	bool undo;
	int to;
};

const struct key api_start_keys[] = {
    {.name = "app",
	.type = &keys_label,
	.help = "the app",
	.offset = offsetof(struct start_body, app),
	.required = true},
    {.name = "image",
	.type = &api_key_image,
	.help = "what to release",
	.offset = offsetof(struct start_body, image)},
    {.name = "why",
	.type = &api_key_free,
	.help = "for people",
	.offset = offsetof(struct start_body, why),
	.max = API_TEXT},
    {.name = "commit",
	.type = &api_key_free,
	.help = "what it was built from",
	.offset = offsetof(struct start_body, commit),
	.max = API_COMMIT},
    {.name = "undo",
	.type = &keys_bool,
	.help = "go back to what ran before",
	.offset = offsetof(struct start_body, undo)},
    {.name = "to",
	.type = &keys_int,
	.help = "undo: the number of the release to go back to",
	.offset = offsetof(struct start_body, to),
	.min = 1,
	.max = INT32_MAX},
    {.name = NULL},
};

static bool
check_start(struct call *call, const struct start_body *body)
{
	struct errlist errors;
	errlist_init(&errors);
	if (body->undo && body->image[0] != '\0')
		errlist_add(&errors, "image",
		    "undo takes the image of an earlier release: leave image out, or undo");
	else if (!body->undo && body->image[0] == '\0')
		errlist_add(&errors, "image",
		    "is missing: name the image to release, or ask for \"undo\": true");
	if (!body->undo && body->to != 0)
		errlist_add(&errors, "to", "is only for undo: leave it out, or add \"undo\": true");
	bool good = errors.count == 0;
	if (!good)
		api_problem_list(call->api, call->number,
		    "the body has mistakes: see errors; nothing was started", &errors);
	errlist_done(&errors);
	return good;
}

static bool
ask_key(struct call *call, const char **key)
{
	*key = httpd_header(call->request, "Idempotency-Key");
	size_t length = *key == NULL ? 0 : strlen(*key);
	bool good = *key == NULL || (length >= 1 && length <= API_KEY);
	for (size_t i = 0; good && i < length; i++)
		good = (*key)[i] >= 0x21 && (*key)[i] <= 0x7e;
	if (!good)
		api_problem(call->api, call->number, CODE_BAD_REQUEST,
		    "the header Idempotency-Key must be 1 to %d visible ASCII characters", API_KEY);
	return good;
}

void
api_start_rollout(struct call *call)
{
	struct start_body body = {0};
	const char *key;
	int64_t wait_ms;
	if (!ask_key(call, &key) || !api_ask_wait(call, &wait_ms) || !api_ask_body(call, &body) ||
	    !check_start(call, &body) || !api_may_app(call, RIGHT_RELEASE, body.app))
		return;
	struct engine_start start = {.app = body.app,
	    .image = body.undo ? NULL : body.image,
	    .why = body.why,
	    .commit = body.commit,
	    .actor = call->actor,
	    .key = key,
	    .traceparent = httpd_header(call->request, "traceparent"),
	    .undo = body.undo,
	    .to = body.to};
	failpoint("request:start");
	if (wait_ms > 0 && !api_place_take(call))
		return;
	struct engine_reply reply = api_reply_wait(call, wait_ms);
	engine_start(call->api->engine, &start, &reply);
}

/* --- commands --------------------------------------------------------------------------------- */

struct command_body {
	bool full;
	char reason[API_TEXT];
};

#define REASON_KEY                                                                                 \
	{                                                                                          \
		.name = "reason", .type = &api_key_free, .help = "for people",                     \
		.offset = offsetof(struct command_body, reason), .max = API_TEXT                   \
	}

const struct key api_command_keys[] = {REASON_KEY, {.name = NULL}};
const struct key api_promote_keys[] = {REASON_KEY,
    {.name = "full",
	.type = &keys_bool,
	.help = "to all of the traffic, past every stage",
	.offset = offsetof(struct command_body, full)},
    {.name = NULL}};

void
api_give_command(struct call *call)
{
	struct command_body body = {0};
	enum command command = command_of(strrchr(httpd_path(call->request), '/') + 1);
	int64_t wait_ms;
	if (!api_id_ok(call) || !api_ask_wait(call, &wait_ms) || !api_ask_body(call, &body) ||
	    !api_may_command(call, command, body.full))
		return;
	failpoint("request:command");
	if (wait_ms > 0 && !api_place_take(call))
		return;
	struct engine_reply reply = api_reply_wait(call, wait_ms);
	engine_command(
	    call->api->engine, call->arg, command, body.full, body.reason, &call->actor, &reply);
}
