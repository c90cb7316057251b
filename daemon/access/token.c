/* What is kept of a token. */
#include "access/token.h"

#include <string.h>
#include "base/hex.h"
#include "base/jsonx.h"

json_t *
token_json(const struct token *token)
{
	char digest[2 * SECRET_DIGEST + 1];
	hex_write(token->digest, SECRET_DIGEST, digest);
	json_t *json = grant_json(&token->grant);
	json_object_set_new(json, "sha256", json_string(digest));
	json_object_set_new(json, "note", json_string(token->note));
	json_object_set_new(json, "by", json_string(token->by));
	if (token->holder[0] != '\0')
		json_object_set_new(json, "holder", json_string(token->holder));
	json_object_set_new(json, "created", json_integer(token->created_ms));
	json_object_set_new(json, "expires", json_integer(token->expires_ms));
	return json;
}

static bool
read_globs(const json_t *list, struct globs *globs)
{
	size_t count = json_array_size(list);
	if (count == 0 || count > GLOBS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text == NULL || !glob_ok(text))
			return false;
		str_copy(globs->items[globs->count++], KEYS_LABEL, text);
	}
	return true;
}

int
token_read(const char *id, const json_t *json, struct token *token, struct err *e)
{
	*token = (struct token){.grant.role = role_of(jsonx_text_or(json, "role", ""))};
	bool good = secret_id_ok(id) && token->grant.role != ROLE_COUNT &&
		    read_globs(json_object_get(json, "namespaces"), &token->grant.namespaces) &&
		    read_globs(json_object_get(json, "apps"), &token->grant.apps) &&
		    hex_read(jsonx_text(json, "sha256"), token->digest, SECRET_DIGEST);
	token->created_ms = jsonx_int(json, "created", 0);
	token->expires_ms = jsonx_int(json, "expires", 0);
	str_copy(token->id, sizeof(token->id), id);
	str_copy(token->note, sizeof(token->note), jsonx_text_or(json, "note", ""));
	str_copy(token->by, sizeof(token->by), jsonx_text_or(json, "by", ""));
	str_copy(token->holder, sizeof(token->holder), jsonx_text_or(json, "holder", ""));
	return good ? 0 : err_set(e, "token %.16s in the database is damaged: it is not taken", id);
}

bool
token_fits(const struct token *token, const char *secret, int64_t now_ms)
{
	unsigned char digest[SECRET_DIGEST];
	secret_digest(secret, digest);
	bool same = secret_same(digest, token->digest);
	return same && now_ms < token->expires_ms;
}

void
token_principal(const struct token *token, struct principal *who)
{
	*who = (struct principal){.kind = PRINCIPAL_TOKEN, .own = token->grant};
	str_copy(who->token, sizeof(who->token), token->id);
	if (token->holder[0] != '\0') {
		who->kind = PRINCIPAL_OIDC;
		str_copy(who->id, sizeof(who->id), token->holder);
	} else {
		str_print(who->id, sizeof(who->id), "token:%s", token->id);
	}
	str_copy(who->name, sizeof(who->name), token->note);
	principal_grant(who, &who->own);
}
