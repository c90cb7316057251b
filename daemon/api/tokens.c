/* API tokens: made, listed, revoked. The secret is in the answer that made it and nowhere else. */
#include <stdlib.h>
#include <string.h>
#include "access/token.h"
#include "api/ask.h"
#include "api/render.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "engine/tokens.h"

struct token_body {
	int role;
	struct globs namespaces, apps;
	char note[TOKEN_NOTE];
	int64_t life_ms;
};

const struct key api_token_keys[] = {
    {.name = "role",
	.type = &keys_choice,
	.help = "what it may",
	.offset = offsetof(struct token_body, role),
	.choices = role_names,
	.required = true},
    {.name = "namespaces",
	.type = &keys_globs,
	.help = "where",
	.offset = offsetof(struct token_body, namespaces),
	.required = true},
    {.name = "apps",
	.type = &keys_globs,
	.otherwise = "[\"*\"]",
	.help = "with which apps there",
	.offset = offsetof(struct token_body, apps)},
    {.name = "note",
	.type = &api_key_free,
	.help = "for people",
	.offset = offsetof(struct token_body, note),
	.max = TOKEN_NOTE},
    {.name = "expires",
	.type = &keys_duration,
	.otherwise = "90d",
	.help = "after how long",
	.offset = offsetof(struct token_body, life_ms),
	.min = TOKEN_LIFE_MIN_MS,
	.max = TOKEN_LIFE_MAX_MS},
    {.name = NULL},
};

/* What may be shown to an admin: all but the digest. */
static json_t *
render(const struct token *token, int64_t used_ms)
{
	json_t *json = json_pack("{s:s}", "id", token->id), *grant = grant_json(&token->grant);
	json_object_update(json, grant);
	json_decref(grant);
	json_object_set_new(json, "note", api_text_json(token->note));
	json_object_set_new(json, "by", api_text_json(token->by));
	json_object_set_new(
	    json, "holder", token->holder[0] != '\0' ? api_text_json(token->holder) : json_null());
	json_object_set_new(json, "created", jsonx_time(token->created_ms));
	json_object_set_new(json, "expires", jsonx_time(token->expires_ms));
	json_object_set_new(json, "used", jsonx_time(used_ms));
	return json;
}

static void
answer_made(struct api *api, uint64_t number, const char *id, const char *secret)
{
	char location[64];
	struct token token;
	if (!api_token_find(api, id, &token)) {
		api_problem(api, number, CODE_CONFLICT, "token %s was revoked meanwhile", id);
		return;
	}
	json_t *json = render(&token, 0);
	json_object_set_new(json, "token", json_string(secret));
	str_print(location, sizeof(location), "/v1/tokens/%s", id);
	api_answer_at(api, number, 201, location, json);
}

static void
on_token(void *ctx, uint64_t number, enum engine_result result, const char *id, const char *why)
{
	struct api *api = ctx;
	struct pending *pending = api_pended(api, number);
	if (pending == NULL)
		return;
	if (result == ENGINE_CREATED)
		answer_made(api, number, id, pending->secret);
	else if (result == ENGINE_OK)
		api_answer_nothing(api, number);
	else if (result == ENGINE_NOT_FOUND)
		api_problem(api, number, CODE_NOT_FOUND, "there is no token \"%s\"", id);
	else
		api_problem(api, number, result == ENGINE_REFUSED ? CODE_CONFLICT : CODE_DEGRADED,
		    "%s", why);
	api_pending_free(pending);
}

static bool
check_note(struct call *call, const char *note)
{
	if (note[strcspn(note, "\r\n\t")] == '\0')
		return true;
	api_problem(call->api, call->number, CODE_BAD_REQUEST,
	    "the note has several lines; allowed: one line of text");
	return false;
}

/* "ab12cd34: deployer over namespaces shop, apps web-*, until 2027-…"; owned. */
static char *
audit_detail(const struct token *token)
{
	struct str text;
	char until[40];
	const struct globs *lists[] = {&token->grant.namespaces, &token->grant.apps};
	str_init(&text, 512);
	str_addf(&text, "%s: %s", token->id, role_name(token->grant.role));
	for (int i = 0; i < 2; i++) {
		str_add(&text, i == 0 ? " over namespaces" : ", apps");
		for (int n = 0; n < lists[i]->count; n++)
			str_addf(&text, " %s", lists[i]->items[n]);
	}
	str_time_text(token->expires_ms, until, sizeof(until));
	str_addf(&text, ", until %s", until);
	return str_take(&text);
}

void
api_issue_token(struct api *api, uint64_t number, struct token *token, const struct actor *actor)
{
	struct pending *pending = api_pend(api, number, PENDING_TOKEN);
	struct engine_reply reply = {.done = on_token, .ctx = api, .request = number};
	secret_make(pending->secret);
	(void)secret_read(pending->secret, token->id);
	secret_digest(pending->secret, token->digest);
	json_t *json = token_json(token);
	char *text = jsonx_dump(json);
	char *detail = audit_detail(token);
	log_info("api", "token %s, made by %s", detail, actor->name);
	engine_token_put(api->engine, token->id, text, detail, actor, &reply);
	free(detail);
	free(text);
	json_decref(json);
}

void
api_make_token(struct call *call)
{
	struct token_body body = {.role = ROLE_VIEWER};
	if (!api_ask_body(call, &body) || !check_note(call, body.note))
		return;
	int64_t now_ms = engine_now_ms(call->api->engine);
	struct token token = {.created_ms = now_ms,
	    .expires_ms = now_ms + body.life_ms,
	    .grant = {
		.role = (enum role)body.role, .namespaces = body.namespaces, .apps = body.apps}};
	str_copy(token.note, sizeof(token.note), body.note);
	str_copy(token.by, sizeof(token.by), call->actor.name);
	api_issue_token(call->api, call->number, &token, &call->actor);
}

/* All of them: there are at most ENGINE_TOKENS. */
void
api_list_tokens(struct call *call)
{
	struct api *api = call->api;
	json_t *items = json_array();
	struct engine_token kept;
	struct token token;
	size_t cursor = 0;
	while (engine_token_next(api->engine, &cursor, &kept))
		if (api_token_find(api, kept.id, &token))
			json_array_append_new(items, render(&token, kept.used_ms));
	api_answer(api, call->number, 200, api_page_json(items, json_null()));
}

void
api_drop_token(struct call *call)
{
	struct api *api = call->api;
	struct engine_reply reply = {.done = on_token, .ctx = api, .request = call->number};
	(void)api_pend(api, call->number, PENDING_TOKEN);
	log_info("api", "token %.16s: revoked by %s", call->arg, call->actor.name);
	engine_token_drop(api->engine, call->arg, &call->actor, &reply);
}
