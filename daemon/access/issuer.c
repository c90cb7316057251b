/* Always true: keys are replaced as a whole, by what was read whole; who waits is told once.
 *
 * An issuer says where its keys are, and what it says comes over the net: it must be https and of
 * its own host, or be named in the settings, so that nobody can send us elsewhere. */
#include "access/issuer.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "http/httpc_url.h"

#define DISCOVERY "/.well-known/openid-configuration"
#define FRESH_MS (INT64_C(3600) * 1000)
#define STALE_MS (INT64_C(24) * 3600 * 1000)
#define AGAIN_MS (INT64_C(60) * 1000)
#define TIMEOUT_MS 5000
#define WAITING_MAX 64

struct waiting {
	struct waiting *next;
	char *token;
	void (*done)(void *ctx, uint64_t number, enum issuer_verdict verdict, const char *why);
	void *ctx;
	uint64_t number;
};

struct issuer {
	struct loop *loop;
	struct httpc_pool *pool;
	struct clock_port clock;
	char *url, *keys_url, *ca_pem;
	struct jwks *keys;
	int64_t fetched_ms; /* of keys */
	int64_t again_ms;   /* not before is it asked */
	int failures;	    /* in a row */
	uint64_t request;   /* under way; 0: none */
	bool discovering;
	char why[512]; /* what was wrong with the last try; "" : nothing */
	struct waiting *waiting, **last;
	int count;
	struct loop_timer *turn;
};

/* --- settings --------------------------------------------------------------------------------- */

/* "https://host:port" of a URL, owned; NULL: not https, or with a user, a query or a fragment. */
static char *
origin_of(const char *text)
{
	struct httpc_url url;
	if (!httpc_url_read(text, &url) || strcmp(url.scheme, "https") != 0 || url.user ||
	    url.query || url.fragment)
		return NULL;
	return str_format("https://%s:%s", url.host, url.port);
}

static int
check_url(const char *what, const char *url, struct err *e)
{
	char *origin = origin_of(url);
	bool good = origin != NULL;
	free(origin);
	if (good)
		return 0;
	return err_set(e,
	    "%s is \"%.200s\"; allowed is an https:// URL without user, query and fragment, such "
	    "as https://token.actions.githubusercontent.com",
	    what, url);
}

int
issuer_check(const struct issuer_settings *settings, struct err *e)
{
	if (check_url("issuer", settings->url, e) < 0)
		return -1;
	return settings->keys == NULL ? 0 : check_url("keys", settings->keys, e);
}

/* --- who waits -------------------------------------------------------------------------------- */

static void
waiting_free(struct waiting *waiting)
{
	mem_wipe(waiting->token, strlen(waiting->token));
	free(waiting->token);
	free(waiting);
}

static void
tell(struct waiting *waiting, enum issuer_verdict verdict, const char *why)
{
	waiting->done(waiting->ctx, waiting->number, verdict, why);
	waiting_free(waiting);
}

static int64_t
now_ms(const struct issuer *issuer)
{
	return issuer->clock.mono_ms(issuer->clock.ctx);
}

static bool
keys_younger(const struct issuer *issuer, int64_t age_ms)
{
	return issuer->keys != NULL && now_ms(issuer) < issuer->fetched_ms + age_ms;
}

/* Are newer keys on their way, or can they be asked for? */
static bool
may_wait(const struct issuer *issuer)
{
	return issuer->request != 0 || now_ms(issuer) >= issuer->again_ms;
}

/* JWKS_NO_KEY: newer ones may have it. */
static enum jwks_verdict
judge(const struct issuer *issuer, const char *token, struct err *why)
{
	struct jwt jwt;
	enum jwks_verdict verdict = JWKS_BAD;
	if (jwt_parse(token, &jwt, why) == 0)
		verdict = jwks_verify(issuer->keys, &jwt, why);
	jwt_done(&jwt);
	return verdict;
}

/* False: it is to wait for newer keys. */
static bool
answer(const struct issuer *issuer, struct waiting *waiting)
{
	struct err why = {.text = ""};
	if (!keys_younger(issuer, may_wait(issuer) ? FRESH_MS : STALE_MS)) {
		if (may_wait(issuer))
			return false;
		err_set(&why, "the keys of %s cannot be had: %s", issuer->url,
		    issuer->why[0] ? issuer->why : "not asked yet");
		tell(waiting, ISSUER_AWAY, why.text);
		return true;
	}
	enum jwks_verdict verdict = judge(issuer, waiting->token, &why);
	if (verdict == JWKS_NO_KEY && may_wait(issuer))
		return false;
	tell(waiting, verdict == JWKS_GOOD ? ISSUER_GOOD : ISSUER_BAD, why.text);
	return true;
}

static void ask(struct issuer *issuer);

/* All that can be answered are; the rest waits for what is asked for now. */
static void
serve(void *ctx)
{
	struct issuer *issuer = ctx;
	struct waiting *rest = issuer->waiting;
	issuer->waiting = NULL;
	issuer->last = &issuer->waiting;
	issuer->count = 0;
	while (rest != NULL) {
		struct waiting *waiting = rest;
		rest = waiting->next;
		waiting->next = NULL;
		if (answer(issuer, waiting))
			continue;
		*issuer->last = waiting;
		issuer->last = &waiting->next;
		issuer->count++;
	}
	if (issuer->waiting != NULL && issuer->request == 0)
		ask(issuer);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void
end_ask(struct issuer *issuer, const struct err *why)
{
	bool failed = why->text[0] != '\0';
	int64_t wait_ms = AGAIN_MS;
	for (int i = issuer->failures; failed && i < 5; i++)
		wait_ms /= 2;
	issuer->failures = failed ? issuer->failures + 1 : 0;
	issuer->again_ms = now_ms(issuer) + wait_ms;
	str_copy(issuer->why, sizeof(issuer->why), why->text);
	if (failed)
		log_warn("access", "issuer %s: %s; not asked again before %lld s are over",
		    issuer->url, why->text, (long long)(wait_ms / 1000));
	serve(issuer);
}

static void send_request(struct issuer *issuer, const char *url);

static int
take_keys(struct issuer *issuer, const struct httpc_answer *answer, struct err *why)
{
	struct jwks *keys = jwks_parse(answer->body, answer->body_length, why);
	if (keys == NULL)
		return err_wrap(why, "its keys");
	jwks_free(issuer->keys);
	issuer->keys = keys;
	issuer->fetched_ms = now_ms(issuer);
	log_info("access", "issuer %s: %d keys", issuer->url, jwks_count(keys));
	return 0;
}

/* OpenID Connect Discovery 1.0, 4.3: what it says of itself must be the very URL that was asked. */
static char *
read_discovery(const struct issuer *issuer, const struct httpc_answer *answer, struct err *why)
{
	json_t *root = jsonx_parse(answer->body, answer->body_length, JWKS_MAX, why);
	if (root == NULL) {
		err_wrap(why, "its configuration");
		return NULL;
	}
	const char *name = jsonx_text_or(root, "issuer", ""), *keys = jsonx_text(root, "jwks_uri");
	char *there = keys == NULL ? NULL : origin_of(keys), *here = origin_of(issuer->url);
	char *url = NULL;
	if (strcmp(name, issuer->url) != 0)
		err_set(why, "it calls itself \"%.128s\"; the settings must have the same", name);
	else if (there == NULL || !str_equal(there, here))
		err_set(why,
		    "its keys are at \"%.200s\", not at its own host: name that URL as keys in the "
		    "settings if it is right",
		    keys ? keys : "");
	else
		url = mem_strdup(keys);
	free(there);
	free(here);
	json_decref(root);
	return url;
}

static void
on_answer(void *ctx, const struct httpc_answer *answer)
{
	struct issuer *issuer = ctx;
	struct err why = {.text = ""};
	char *url = NULL;
	issuer->request = 0;
	if (answer->outcome != HTTPC_ANSWERED)
		err_set(&why, "%s", answer->error);
	else if (answer->status != 200)
		err_set(&why, "it answered with status %d", answer->status);
	else if (issuer->discovering)
		url = read_discovery(issuer, answer, &why);
	else if (take_keys(issuer, answer, &why) == 0)
		why.text[0] = '\0';
	issuer->discovering = false;
	if (url != NULL)
		send_request(issuer, url);
	else
		end_ask(issuer, &why);
	free(url);
}

static void
send_request(struct issuer *issuer, const char *url)
{
	static const char *const headers[] = {"Accept: application/json", NULL};
	struct httpc_request request = {.method = "GET",
	    .url = url,
	    .headers = headers,
	    .tls = {.ca_pem = issuer->ca_pem},
	    .timeout_ms = TIMEOUT_MS,
	    .max_body = JWKS_MAX,
	    .on_done = on_answer,
	    .ctx = issuer};
	issuer->request = httpc_start(issuer->pool, &request);
}

static void
ask(struct issuer *issuer)
{
	issuer->discovering = issuer->keys_url == NULL;
	if (!issuer->discovering) {
		send_request(issuer, issuer->keys_url);
		return;
	}
	size_t length = strlen(issuer->url);
	bool slash = length > 0 && issuer->url[length - 1] == '/';
	char *url = str_format("%.*s%s", (int)(length - slash), issuer->url, DISCOVERY);
	send_request(issuer, url);
	free(url);
}

/* --- the doors -------------------------------------------------------------------------------- */

struct issuer *
issuer_new(struct loop *loop, struct httpc_pool *pool, const struct clock_port *clock,
    const struct issuer_settings *settings)
{
	struct issuer *issuer = mem_alloc(sizeof(*issuer));
	issuer->loop = loop;
	issuer->pool = pool;
	issuer->url = mem_strdup(settings->url);
	issuer->keys_url = mem_strdup(settings->keys);
	issuer->ca_pem = mem_strdup(settings->ca_pem);
	issuer->clock = *clock;
	issuer->last = &issuer->waiting;
	issuer->turn = loop_timer_new(loop, serve, issuer);
	return issuer;
}

void
issuer_free(struct issuer *issuer)
{
	if (issuer == NULL)
		return;
	if (issuer->request != 0)
		httpc_cancel(issuer->pool, issuer->request);
	while (issuer->waiting != NULL) {
		struct waiting *waiting = issuer->waiting;
		issuer->waiting = waiting->next;
		waiting_free(waiting);
	}
	loop_timer_free(issuer->turn);
	jwks_free(issuer->keys);
	free(issuer->url);
	free(issuer->keys_url);
	free(issuer->ca_pem);
	free(issuer);
}

const char *
issuer_url(const struct issuer *issuer)
{
	return issuer->url;
}

bool
issuer_verify(struct issuer *issuer, const char *token,
    void (*done)(void *ctx, uint64_t number, enum issuer_verdict verdict, const char *why),
    void *ctx, uint64_t number)
{
	if (issuer->count == WAITING_MAX)
		return false;
	struct waiting *waiting = mem_alloc(sizeof(*waiting));
	*waiting = (struct waiting){
	    .token = mem_strdup(token), .done = done, .ctx = ctx, .number = number};
	*issuer->last = waiting;
	issuer->last = &waiting->next;
	issuer->count++;
	loop_timer_set(issuer->turn, 0);
	return true;
}

void
issuer_forget(struct issuer *issuer, const void *ctx)
{
	struct waiting **at = &issuer->waiting;
	while (*at != NULL) {
		struct waiting *waiting = *at;
		if (waiting->ctx != ctx) {
			at = &waiting->next;
			continue;
		}
		*at = waiting->next;
		issuer->count--;
		waiting_free(waiting);
	}
	issuer->last = at;
}
