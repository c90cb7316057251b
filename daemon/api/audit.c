/* The audit, a page at a time, with all that is needed to compute its chain again. */
#include "api/ask.h"
#include "api/render.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "engine/note.h"

struct page {
	json_t *items;
	int limit;
	int64_t last;
	bool more;
};

static void
set_text(json_t *to, const char *name, const char *text)
{
	json_object_set_new(to, name, api_text_json(text));
}

static json_t *
row_json(const struct journal_audit *audit)
{
	struct chain_row row = audit->row;
	const char **texts[CHAIN_TEXTS];
	char hash[CHAIN_HEX];
	json_t *json =
	    json_pack("{s:I, s:o}", "seq", (json_int_t)row.seq, "at", jsonx_time(row.at_ms));
	chain_texts(&row, texts);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		set_text(json, chain_fields[i], *texts[i]);
	chain_hex(audit->hash, hash);
	set_text(json, "hash", hash);
	return json;
}

static bool
add_row(void *ctx, const struct journal_audit *audit)
{
	struct page *page = ctx;
	if (json_array_size(page->items) == (size_t)page->limit) {
		page->more = true;
		return false;
	}
	json_array_append_new(page->items, row_json(audit));
	page->last = audit->row.seq;
	return true;
}

static bool
ask_filter(struct call *call, struct journal_audit_filter *filter)
{
	filter->app = httpd_query(call->request, "app");
	filter->rollout = httpd_query(call->request, "rollout");
	filter->who = httpd_query(call->request, "who");
	filter->limit = API_LIMIT;
	if (!api_ask_limit(call, &filter->limit) ||
	    !api_ask_number(call, "after", &filter->after) ||
	    !api_ask_number(call, "before", &filter->before))
		return false;
	if (filter->before == 0 || httpd_query(call->request, "after") == NULL)
		return true;
	api_problem(call->api, call->number, CODE_BAD_REQUEST,
	    "after and before are both given; after: the oldest first, before: the newest first");
	return false;
}

static json_t *
head_json(const struct journal_head *head)
{
	char hash[CHAIN_HEX];
	chain_hex(head->hash, hash);
	return json_pack("{s:I, s:s}", "seq", (json_int_t)head->seq, "hash", hash);
}

void
api_get_audit(struct call *call)
{
	struct journal_audit_filter filter = {.limit = API_LIMIT};
	struct journal_head head;
	struct err e;
	if (!ask_filter(call, &filter))
		return;
	struct page page = {.items = json_array(), .limit = filter.limit++};
	if (engine_audit_head(call->api->engine, &head, &e) < 0 ||
	    engine_audit_rows(call->api->engine, &filter, add_row, &page, &e) < 0) {
		api_problem(call->api, call->number, CODE_INTERNAL, "%s", e.text);
		json_decref(page.items);
		return;
	}
	json_t *body = api_page_json(page.items, page.more ? json_integer(page.last) : json_null());
	set_text(body, "chain", head.chain);
	json_object_set_new(body, "head", head_json(&head));
	api_answer(call->api, call->number, 200, body);
}
