/* From a token of an issuer to what it is granted: whose it is, whether it is good, whether it was
 * shown before, which rule it fits. Always true: an exchange is answered once, and what it was
 * answered with was decided by the settings of that moment. */
#include "access/oidc.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include "base/hex.h"
#include "base/jsonx.h"
#include "base/map.h"
#include "base/str.h"

#define SHOWN_MAX 10000
#define CONNECTIONS 2 /* to an issuer */
#define EXCHANGES_MAX 64

struct exchange {
	struct exchange *next;
	struct oidc *oidc;
	int issuer; /* index; -1: answer is what it is told */
	char *token;
	struct oidc_answer answer;
	struct err why;
	void (*done)(void *ctx, uint64_t number, const struct oidc_answer *answer);
	void *ctx;
	uint64_t number;
};

struct oidc {
	struct loop *loop;
	struct clock_port clock;
	struct httpc_pool *pool;
	struct oidc_settings *settings;
	struct issuer *issuers[OIDC_ISSUERS];
	struct exchange *exchanges;
	int exchange_count;
	struct map *shown; /* digest of what tells a token apart -> its expiry, int64_t, s */
	struct loop_timer *turn;
};

static int64_t
now_s(const struct oidc *oidc)
{
	return oidc->clock.wall_ms(oidc->clock.ctx) / 1000;
}

/* --- exchanges -------------------------------------------------------------------------------- */

static void
exchange_free(struct exchange *exchange)
{
	mem_wipe(exchange->token, strlen(exchange->token));
	free(exchange->token);
	free(exchange);
}

static void
finish(struct exchange *exchange)
{
	struct oidc *oidc = exchange->oidc;
	struct exchange **at = &oidc->exchanges;
	while (*at != exchange)
		at = &(*at)->next;
	*at = exchange->next;
	oidc->exchange_count--;
	exchange->answer.why = exchange->why.text;
	exchange->done(exchange->ctx, exchange->number, &exchange->answer);
	exchange_free(exchange);
}

/* Those that wait for nobody. */
static void
finish_due(void *ctx)
{
	struct oidc *oidc = ctx;
	for (struct exchange *exchange = oidc->exchanges, *next; exchange; exchange = next) {
		next = exchange->next;
		if (exchange->issuer < 0)
			finish(exchange);
	}
}

/* Told in the next turn. */
static void
decide(struct exchange *exchange, enum oidc_verdict verdict)
{
	exchange->answer.verdict = verdict;
	exchange->issuer = -1;
	loop_timer_set(exchange->oidc->turn, 0);
}

/* --- shown once ------------------------------------------------------------------------------- */

/* What tells the token from all others: its issuer and number (jti), or else all that is signed. */
static void
digest_of(const struct jwt *jwt, const char *issuer, char hex[2 * SHA256_DIGEST_LENGTH + 1])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	const char *jti = json_string_value(json_object_get(jwt->claims, "jti"));
	struct str text;
	str_init(&text, 0);
	str_addf(&text, "%zu %s ", strlen(issuer), issuer);
	if (jti != NULL && jti[0] != '\0')
		str_addf(&text, "jti %s", jti);
	else
		str_add_bytes(&text, jwt->covered, jwt->covered_length);
	SHA256((const unsigned char *)text.data, text.length, digest);
	hex_write(digest, sizeof(digest), hex);
	str_done(&text);
}

static void
forget_expired(struct oidc *oidc)
{
	size_t cursor = 0;
	const char *key;
	void *value;
	while (map_next(oidc->shown, &cursor, &key, &value))
		if (*(int64_t *)value + CLAIMS_SKEW_S < now_s(oidc))
			free(map_remove(oidc->shown, key));
}

static enum oidc_verdict
note_shown(struct oidc *oidc, const struct jwt *jwt, const char *issuer, struct err *why)
{
	char key[2 * SHA256_DIGEST_LENGTH + 1];
	digest_of(jwt, issuer, key);
	if (map_get(oidc->shown, key) != NULL) {
		err_set(why, "it was shown before; ask the issuer for a new one for each exchange");
		return OIDC_BAD;
	}
	if (map_count(oidc->shown) >= SHOWN_MAX)
		forget_expired(oidc);
	if (map_count(oidc->shown) >= SHOWN_MAX) {
		err_set(why, "%d tokens were shown lately, which is as many as are remembered",
		    SHOWN_MAX);
		return OIDC_BUSY;
	}
	int64_t *expiry_s = mem_alloc(sizeof(*expiry_s));
	*expiry_s = claims_expiry_s(jwt->claims);
	map_set(oidc->shown, key, expiry_s);
	return OIDC_GOOD;
}

/* --- who it is -------------------------------------------------------------------------------- */

/* Behind a name in logs and lists it must not look like somebody else ("x uid=0"). */
static bool
is_one_word(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c < 0x21 || *c > 0x7e)
			return false;
	return !str_starts(text, "sha256:");
}

/* A subject that is too long, or not one visible word, is told apart by its digest. */
static void
name_principal(const struct oidc_issuer *issuer, const char *sub, struct oidc_answer *answer)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char hex[2 * 16 + 1];
	str_copy(answer->name, sizeof(answer->name), sub);
	if (is_one_word(sub) &&
	    str_print(answer->id, sizeof(answer->id), "oidc:%s:%s", issuer->name, sub))
		return;
	SHA256((const unsigned char *)sub, strlen(sub), digest);
	hex_write(digest, 16, hex);
	str_print(answer->id, sizeof(answer->id), "oidc:%s:sha256:%s", issuer->name, hex);
}

static bool
is_plain(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return text[0] != '\0';
}

/* why: of the rule of this issuer that came nearest to it, the last one. */
static const struct oidc_rule *
find_rule(const struct oidc *oidc, int issuer, const json_t *claims, struct err *why)
{
	err_set(why, "there is no rule for this issuer");
	for (int i = 0; i < oidc->settings->rule_count; i++) {
		const struct oidc_rule *rule = &oidc->settings->rules[i];
		if (rule->issuer == issuer && claims_fit(claims, rule->pins, rule->pin_count, why))
			return rule;
	}
	return NULL;
}

static enum oidc_verdict
judge(struct oidc *oidc, int index, const struct jwt *jwt, struct exchange *exchange)
{
	const struct oidc_issuer *issuer = &oidc->settings->issuers[index];
	const char *sub = json_string_value(json_object_get(jwt->claims, "sub"));
	struct err *why = &exchange->why;
	if (claims_check(jwt->claims, issuer->url, issuer->audience, now_s(oidc), why) < 0)
		return OIDC_BAD;
	if (sub == NULL || !is_plain(sub)) {
		err_set(why, "it says not who it is for (sub)");
		return OIDC_BAD;
	}
	name_principal(issuer, sub, &exchange->answer);
	const struct oidc_rule *rule = find_rule(oidc, index, jwt->claims, why);
	if (rule == NULL)
		return OIDC_NO_RULE;
	exchange->answer.grant = rule->grant;
	exchange->answer.life_ms = issuer->life_ms;
	return note_shown(oidc, jwt, issuer->url, why);
}

static void
on_verified(void *ctx, uint64_t number, enum issuer_verdict verdict, const char *why)
{
	struct exchange *exchange = ctx;
	struct jwt jwt;
	(void)number;
	str_copy(exchange->why.text, sizeof(exchange->why.text), why);
	exchange->answer.verdict = verdict == ISSUER_AWAY ? OIDC_AWAY : OIDC_BAD;
	if (verdict == ISSUER_GOOD) {
		if (jwt_parse(exchange->token, &jwt, &exchange->why) == 0)
			exchange->answer.verdict =
			    judge(exchange->oidc, exchange->issuer, &jwt, exchange);
		jwt_done(&jwt);
	}
	finish(exchange);
}

/* -1: nobody's that is known here. */
static int
find_issuer(const struct oidc *oidc, const char *token, struct err *why)
{
	struct jwt jwt;
	int found = -1;
	if (jwt_parse(token, &jwt, why) == 0) {
		const char *url = json_string_value(json_object_get(jwt.claims, "iss"));
		err_set(why, "its issuer \"%.128s\" is not in the settings", url ? url : "");
		for (int i = 0; i < oidc->settings->issuer_count; i++)
			if (str_equal(url, oidc->settings->issuers[i].url))
				found = i;
	}
	jwt_done(&jwt);
	return found;
}

void
oidc_exchange(struct oidc *oidc, const char *token,
    void (*done)(void *ctx, uint64_t number, const struct oidc_answer *answer), void *ctx,
    uint64_t number)
{
	struct exchange *exchange = mem_alloc(sizeof(*exchange));
	*exchange = (struct exchange){.next = oidc->exchanges,
	    .oidc = oidc,
	    .token = mem_strdup(token),
	    .done = done,
	    .ctx = ctx,
	    .number = number};
	oidc->exchanges = exchange;
	exchange->issuer = find_issuer(oidc, token, &exchange->why);
	if (oidc->exchange_count++ >= EXCHANGES_MAX) {
		err_set(&exchange->why, "%d exchanges are under way", EXCHANGES_MAX);
		decide(exchange, OIDC_BUSY);
	} else if (exchange->issuer < 0) {
		decide(exchange, OIDC_BAD);
	} else if (!issuer_verify(
		       oidc->issuers[exchange->issuer], token, on_verified, exchange, number)) {
		err_set(&exchange->why, "too many wait for the issuer's keys");
		decide(exchange, OIDC_BUSY);
	}
}

/* --- settings --------------------------------------------------------------------------------- */

static struct oidc_settings *
copy_settings(const struct oidc_settings *settings)
{
	struct oidc_settings *copy = mem_alloc(sizeof(*copy));
	*copy = *settings;
	for (int i = 0; i < copy->issuer_count; i++)
		copy->issuers[i].ca_pem = mem_strdup(settings->issuers[i].ca_pem);
	return copy;
}

static void
free_settings(struct oidc_settings *settings)
{
	if (settings == NULL)
		return;
	for (int i = 0; i < settings->issuer_count; i++)
		free(settings->issuers[i].ca_pem);
	free(settings);
}

static bool
is_same(const struct oidc_issuer *a, const struct oidc_issuer *b)
{
	return strcmp(a->url, b->url) == 0 && strcmp(a->keys, b->keys) == 0 &&
	       str_equal(a->ca_pem, b->ca_pem);
}

/* That of the settings before, if it is the same. */
static struct issuer *
keep_issuer(struct oidc *oidc, const struct oidc_issuer *wanted)
{
	for (int i = 0; oidc->settings != NULL && i < oidc->settings->issuer_count; i++) {
		struct issuer *issuer = oidc->issuers[i];
		if (issuer == NULL || !is_same(&oidc->settings->issuers[i], wanted))
			continue;
		oidc->issuers[i] = NULL;
		return issuer;
	}
	struct issuer_settings settings = {.url = wanted->url,
	    .keys = wanted->keys[0] != '\0' ? wanted->keys : NULL,
	    .ca_pem = wanted->ca_pem};
	return issuer_new(oidc->loop, oidc->pool, &oidc->clock, &settings);
}

static void
send_away(struct oidc *oidc)
{
	for (struct exchange *exchange = oidc->exchanges; exchange; exchange = exchange->next) {
		if (exchange->issuer < 0)
			continue;
		issuer_forget(oidc->issuers[exchange->issuer], exchange);
		err_set(&exchange->why, "the settings were read again meanwhile; try again");
		decide(exchange, OIDC_AWAY);
	}
}

void
oidc_set(struct oidc *oidc, const struct oidc_settings *settings)
{
	struct issuer *next[OIDC_ISSUERS] = {NULL};
	send_away(oidc);
	for (int i = 0; i < settings->issuer_count; i++)
		next[i] = keep_issuer(oidc, &settings->issuers[i]);
	for (int i = 0; i < OIDC_ISSUERS; i++) {
		issuer_free(oidc->issuers[i]);
		oidc->issuers[i] = next[i];
	}
	struct oidc_settings *before = oidc->settings;
	oidc->settings = copy_settings(settings);
	free_settings(before);
}

struct oidc *
oidc_new(struct loop *loop, const struct clock_port *clock, const struct oidc_settings *settings)
{
	struct oidc *oidc = mem_alloc(sizeof(*oidc));
	oidc->loop = loop;
	oidc->clock = *clock;
	oidc->pool = httpc_pool_new(loop, CONNECTIONS);
	oidc->shown = map_new();
	oidc->turn = loop_timer_new(loop, finish_due, oidc);
	oidc_set(oidc, settings);
	return oidc;
}

void
oidc_free(struct oidc *oidc)
{
	if (oidc == NULL)
		return;
	for (int i = 0; i < OIDC_ISSUERS; i++)
		issuer_free(oidc->issuers[i]);
	while (oidc->exchanges != NULL) {
		struct exchange *exchange = oidc->exchanges;
		oidc->exchanges = exchange->next;
		exchange_free(exchange);
	}
	loop_timer_free(oidc->turn);
	httpc_pool_free(oidc->pool);
	map_free(oidc->shown, free);
	free_settings(oidc->settings);
	free(oidc);
}
