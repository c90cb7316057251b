/* A CI system's token for one of ours: whoever shows it needs nothing else, so this route is open,
 * and the token in its body is the proof. What a caller is told of it is about its own token, never
 * about the settings. */
#include <string.h>
#include "access/oidc.h"
#include "access/token.h"
#include "api/ask.h"
#include "api/limit.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "engine/tokens.h"

#define CLEAN_MS (INT64_C(60) * 1000)
#define CLEAN_MOST 100 /* at once */
#define KEPT 100

struct exchange_body {
	char token[JWT_MAX + 1];
};

const struct key api_exchange_keys[] = {
    {.name = "token",
	.type = &keys_text,
	.help = "of the CI system, with the audience of airisd's settings",
	.offset = offsetof(struct exchange_body, token),
	.max = sizeof(((struct exchange_body *)NULL)->token),
	.required = true},
    {.name = NULL},
};

/* Exchanged tokens are many and short-lived; those that nobody can use any more make room. */
static void
clean(struct api *api)
{
	char ids[CLEAN_MOST][SECRET_ID];
	struct actor actor = {.name = "airisd", .id = "airisd", .from = ""};
	struct engine_token kept;
	struct token token;
	size_t cursor = 0;
	int count = 0;
	int64_t now_ms = engine_now_ms(api->engine);
	if (now_ms < api->cleaned_ms + CLEAN_MS)
		return;
	api->cleaned_ms = now_ms;
	while (count < CLEAN_MOST && engine_token_next(api->engine, &cursor, &kept))
		if (api_token_find(api, kept.id, &token) && token.holder[0] != '\0' &&
		    token.expires_ms <= now_ms)
			str_copy(ids[count++], SECRET_ID, kept.id);
	for (int i = 0; i < count; i++)
		engine_token_drop(api->engine, ids[i], &actor, NULL);
}

/* What pipelines get must not keep people from making one. False: answered. */
static bool
is_room(struct call *call)
{
	int count = engine_token_count(call->api->engine);
	if (count < ENGINE_TOKENS - KEPT)
		return true;
	api_problem(call->api, call->number, CODE_THROTTLED,
	    "there are %d tokens, and the last %d are kept for those that are made by people: try "
	    "again when some have expired, or have those revoked that are not needed",
	    count, KEPT);
	return false;
}

static void
give_token(struct api *api, uint64_t number, const struct oidc_answer *answer, const char *from)
{
	int64_t now_ms = engine_now_ms(api->engine);
	struct token token = {
	    .created_ms = now_ms, .expires_ms = now_ms + answer->life_ms, .grant = answer->grant};
	struct actor actor = {.name = answer->id, .id = answer->id, .from = from};
	str_copy(token.note, sizeof(token.note), answer->name);
	str_copy(token.by, sizeof(token.by), answer->id);
	str_copy(token.holder, sizeof(token.holder), answer->id);
	api_issue_token(api, number, &token, &actor);
}

static void
refuse(struct api *api, uint64_t number, const struct oidc_answer *answer, const char *address)
{
	switch (answer->verdict) {
	case OIDC_NO_RULE:
		api_problem(api, number, CODE_FORBIDDEN,
		    "the token is good, and no rule of the daemon's settings (oidc) fits what it "
		    "claims; the daemon's log says which claim is another");
		break;
	case OIDC_AWAY:
		api_problem(api, number, CODE_ISSUER_AWAY, "%s; try again soon", answer->why);
		break;
	case OIDC_BUSY:
		api_problem(api, number, CODE_THROTTLED, "%s; try again soon", answer->why);
		break;
	case OIDC_BAD:
	case OIDC_GOOD:
		api->stats.unauthorized++;
		if (address[0] != '\0')
			api_limit_failed(api, address);
		api_problem(
		    api, number, CODE_UNAUTHORIZED, "the token is not taken: %s", answer->why);
		break;
	}
}

static void
on_exchanged(void *ctx, uint64_t number, const struct oidc_answer *answer)
{
	struct api *api = ctx;
	struct pending *pending = api_pended(api, number);
	if (answer->verdict != OIDC_GOOD)
		log_info("api", "%s: a token of %s was not exchanged: %s",
		    pending == NULL ? "gone" : pending->from,
		    answer->id[0] != '\0' ? answer->id : "a CI system", answer->why);
	if (pending == NULL)
		return;
	if (answer->verdict == OIDC_GOOD)
		give_token(api, number, answer, pending->from);
	else
		refuse(api, number, answer, pending->address);
	api_pending_free(pending);
}

void
api_exchange_token(struct call *call)
{
	struct exchange_body body = {.token = ""};
	char address[API_WHO];
	api_who_address(httpd_address(call->request), address);
	if (!httpd_is_local(call->request) &&
	    (!api_limit_logins(call, address) || !api_limit_rate(call, address)))
		return;
	if (!api_ask_body(call, &body))
		return;
	if (call->api->ports.oidc == NULL) {
		api_problem(call->api, call->number, CODE_UNAUTHORIZED,
		    "the token is not taken: no CI system is in the daemon's settings (oidc)");
		return;
	}
	clean(call->api);
	if (!is_room(call))
		return;
	struct pending *pending = api_pend(call->api, call->number, PENDING_EXCHANGE);
	str_copy(pending->from, sizeof(pending->from), httpd_peer(call->request));
	if (!httpd_is_local(call->request))
		str_copy(pending->address, sizeof(pending->address), address);
	oidc_exchange(call->api->ports.oidc, body.token, on_exchanged, call->api, call->number);
	mem_wipe(&body, sizeof(body));
}
