/* What happened to a rollout, a page at a time; whoever accepts text/event-stream is followed by
 * stream.c instead. */
#include <string.h>
#include "api/ask.h"
#include "api/render.h"
#include "api/routes.h"

struct page {
	json_t *items;
	int64_t next;
};

static bool
add_event(void *ctx, const struct journal_row *row)
{
	struct page *page = ctx;
	json_array_append_new(page->items, api_event_json(row));
	page->next = row->seq;
	return true;
}

static bool
note_found(void *ctx, const struct journal_row *row)
{
	(void)row;
	*(bool *)ctx = true;
	return false;
}

static bool
is_known(struct call *call)
{
	struct err e;
	bool found = false;
	if (engine_events(call->api->engine, call->arg, 0, 1, note_found, &found, &e) < 0)
		api_problem(call->api, call->number, CODE_INTERNAL, "%s", e.text);
	else if (!found)
		api_problem(
		    call->api, call->number, CODE_NOT_FOUND, "there is no rollout %s", call->arg);
	return found;
}

static bool
wants_stream(const struct call *call)
{
	const char *accept = httpd_header(call->request, "Accept");
	return accept != NULL && strstr(accept, "text/event-stream") != NULL;
}

/* Last-Event-ID wins: a browser that comes back sends it along with its first query. */
static bool
ask_after(struct call *call, int64_t *after)
{
	const char *last = httpd_header(call->request, "Last-Event-ID");
	if (!api_ask_number(call, "after", after))
		return false;
	if (last == NULL || last[0] == '\0')
		return true;
	if (str_number(last, 0, INT64_MAX, after) == 0)
		return true;
	api_problem(call->api, call->number, CODE_BAD_REQUEST,
	    "Last-Event-ID is \"%.64s\"; allowed: the id of an event, a whole number", last);
	return false;
}

void
api_get_events(struct call *call)
{
	struct page page = {.next = 0};
	int limit = API_LIMIT;
	struct err e;
	if (!api_id_ok(call) || !ask_after(call, &page.next) || !api_ask_limit(call, &limit) ||
	    !is_known(call))
		return;
	if (wants_stream(call)) {
		api_stream_open(call, page.next);
		return;
	}
	page.items = json_array();
	if (engine_events(call->api->engine, call->arg, page.next, limit, add_event, &page, &e) <
	    0) {
		api_problem(call->api, call->number, CODE_INTERNAL, "%s", e.text);
		json_decref(page.items);
		return;
	}
	api_answer(
	    call->api, call->number, 200, api_page_json(page.items, json_integer(page.next)));
}
