/* Who asks. On the Unix socket the peer's user is known by the kernel; elsewhere a bearer token
 * or a client certificate says it, and one of airisd's own tokens does so on the socket, too, for
 * it was sent on purpose. There is one function for each kind of proof, and what it finds is a
 * principal; nothing else decides.
 *
 * A caller learns only that a token is not good; whether it is mistyped, unknown, revoked or
 * expired is for the log. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "access/token.h"
#include "api/who.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "engine/tokens.h"

/* The bearer token of the request; NULL: none. */
static const char *
bearer(const struct httpd_request *request)
{
	static const char scheme[] = "Bearer ";
	const char *text = httpd_header(request, "Authorization");
	if (text == NULL || strncasecmp(text, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	text += sizeof(scheme) - 1;
	return text + strspn(text, " ");
}

/* "uid=1000 pid=123" */
static bool
peer_uid(const char *peer, uid_t *uid)
{
	char text[16];
	int64_t number;
	if (!str_starts(peer, "uid="))
		return false;
	str_print(text, sizeof(text), "%.*s", (int)strcspn(peer + 4, " "), peer + 4);
	if (str_number(text, 0, UINT32_MAX, &number) < 0)
		return false;
	*uid = (uid_t)number;
	return true;
}

bool
api_token_find(const struct api *api, const char *id, struct token *token)
{
	struct engine_token kept;
	struct err e;
	if (!engine_token(api->engine, id, &kept))
		return false;
	json_t *json = jsonx_parse(kept.text, strlen(kept.text), strlen(kept.text), &e);
	int rc = json == NULL ? -1 : token_read(id, json, token, &e);
	json_decref(json);
	if (rc < 0)
		log_error("api", "%s", e.text);
	return rc == 0;
}

/* False: it is not good, and why is logged. */
static bool
show_token(struct api *api, const char *secret, const char *peer, struct principal *who)
{
	char id[SECRET_ID];
	struct token token;
	enum secret_form form = secret_read(secret, id);
	if (form != SECRET_GOOD) {
		log_debug("api", "%s: %s", peer,
		    form == SECRET_MISTYPED ? "a token that is mistyped or cut off"
					    : "a token that is not ours");
		return false;
	}
	if (!api_token_find(api, id, &token)) {
		log_debug("api", "%s: token %s is not known, or was revoked", peer, id);
		return false;
	}
	if (!token_fits(&token, secret, engine_now_ms(api->engine))) {
		/* Only who has the secret can fill the log with it. */
		bool late = token_fits(&token, secret, INT64_MIN);
		log_line(late ? LOG_INFO : LOG_DEBUG, "api", NULL, NULL, "%s: token %s %s", peer,
		    id, late ? "has expired" : "has another secret");
		return false;
	}
	token_principal(&token, who);
	engine_token_used(api->engine, id);
	return true;
}

/* One that is wrong may be newer than what was read last: it is no guess. */
static bool
fits_file(struct api *api, const char *secret)
{
	api_token_check(&api->token, false);
	if (api_token_fits(&api->token, secret))
		return true;
	api_token_check(&api->token, true);
	return api_token_fits(&api->token, secret);
}

static bool
show_file(struct api *api, const char *secret, struct principal *who)
{
	if (!fits_file(api, secret))
		return false;
	*who = (struct principal){.kind = PRINCIPAL_FILE, .id = "token"};
	principal_grant(who, &grant_everything);
	return true;
}

/* One of each kind of bearer token; one more kind is one more line, and one in find_again. */
static bool
show_bearer(struct call *call, const char *secret)
{
	struct principal *who = &call->principal;
	return show_file(call->api, secret, who) ||
	       show_token(call->api, secret, httpd_peer(call->request), who);
}

bool
api_who(struct call *call)
{
	const char *secret = bearer(call->request), *peer = httpd_peer(call->request);
	char id[SECRET_ID];
	uid_t uid;
	bool local = httpd_is_local(call->request);
	call->principal = (struct principal){.kind = PRINCIPAL_NOBODY};
	if (secret != NULL && (!local || secret_read(secret, id) != SECRET_FOREIGN))
		return show_bearer(call, secret);
	const char *certificate = httpd_certificate(call->request);
	if (certificate != NULL)
		policy_certificate(&call->api->policy, certificate, &call->principal);
	else if (local && peer_uid(peer, &uid))
		policy_user(&call->api->policy, uid, &call->principal);
	return call->principal.kind != PRINCIPAL_NOBODY;
}

void
api_mark(const struct call *call, struct api_mark *mark)
{
	mark->kind = call->principal.kind;
	str_copy(mark->id, sizeof(mark->id), call->principal.id);
	str_copy(mark->token, sizeof(mark->token), call->principal.token);
	str_copy(mark->namespace, sizeof(mark->namespace), call->namespace);
	str_copy(mark->app, sizeof(mark->app), call->app);
	mark->number = call->number;
	mark->version = call->api->token.version;
}

/* The same one, as it would be found now; false: it is none any more. */
static bool
find_again(const struct api *api, const struct api_mark *mark, struct principal *who)
{
	const char *name;
	struct token token;
	uid_t uid;
	*who = (struct principal){.kind = PRINCIPAL_NOBODY};
	if (mark->kind == PRINCIPAL_USER && peer_uid(mark->id, &uid)) {
		policy_user(&api->policy, uid, who);
	} else if (mark->kind == PRINCIPAL_FILE && api->token.known &&
		   api->token.version == mark->version) {
		*who = (struct principal){.kind = PRINCIPAL_FILE, .id = "token"};
		principal_grant(who, &grant_everything);
	} else if (mark->kind == PRINCIPAL_CERTIFICATE) {
		name = httpd_certificate_now(api->httpd, mark->number);
		if (name != NULL)
			policy_certificate(&api->policy, name, who);
	} else if (mark->token[0] != '\0' && api_token_find(api, mark->token, &token) &&
		   engine_now_ms(api->engine) < token.expires_ms) {
		token_principal(&token, who);
	}
	return who->kind != PRINCIPAL_NOBODY;
}

bool
api_still_sees(const struct api *api, const struct api_mark *mark)
{
	struct principal who;
	struct subject subject = {.reach = mark->app[0] != '\0' ? REACH_ONE : REACH_ALL,
	    .namespace = mark->namespace,
	    .app = mark->app};
	return find_again(api, mark, &who) && authorise(&who, RIGHT_READ, &subject, NULL);
}

static bool
is_printable(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return str_utf8_ok(text, strlen(text));
}

/* "alice uid=1000": the id is known for certain, the name is what it says, or its token's note. */
static void
name_actor(struct call *call, const char *name)
{
	const struct principal *who = &call->principal;
	const char *certain = who->kind == PRINCIPAL_FILE ? "" : who->id;
	size_t taken = strlen(certain) + 2;
	struct str text;
	if (name[0] == '\0' || taken >= sizeof(call->name)) {
		str_copy(call->name, sizeof(call->name),
		    certain[0] != '\0' ? certain : httpd_peer(call->request));
		return;
	}
	str_init(&text, sizeof(call->name) - taken);
	str_add(&text, name);
	str_print(call->name, sizeof(call->name), "%s%s%s", str_text(&text),
	    certain[0] != '\0' ? " " : "", certain);
	str_done(&text);
}

bool
api_actor(struct call *call)
{
	const char *name = httpd_header(call->request, "X-Airis-Actor");
	if (name != NULL && (strlen(name) > API_ACTOR || !is_printable(name))) {
		api_problem(call->api, call->number, CODE_BAD_REQUEST,
		    "the header X-Airis-Actor must be at most %d bytes of printable UTF-8",
		    API_ACTOR);
		return false;
	}
	name_actor(call, name != NULL && name[0] != '\0' ? name : call->principal.name);
	call->actor = (struct actor){
	    .name = call->name, .id = call->principal.id, .from = httpd_peer(call->request)};
	return true;
}
