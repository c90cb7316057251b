/* An issuer of tokens (a CI system, by OpenID Connect): its keys, as it publishes them. They are
 * fetched when they are first needed, again after an hour, and when a token names one that is not
 * there, but never more than once a minute, whatever is sent to us (after a failure: after two
 * seconds, then less and less often). If it cannot be reached, what was fetched within a day still
 * counts. Loop thread only. */
#ifndef ACCESS_ISSUER_H
#define ACCESS_ISSUER_H

#include "access/jwks.h"
#include "http/httpc.h"
#include "ports/clock.h"

struct issuer;

struct issuer_settings {    /* copied */
	const char *url;    /* as tokens have it in iss: https, to the letter */
	const char *keys;   /* URL of its JWKS; NULL: found by OpenID Connect Discovery 1.0 */
	const char *ca_pem; /* NULL: the system's */
};

must_check int issuer_check(const struct issuer_settings *settings, struct err *e);
struct issuer *issuer_new(struct loop *loop, struct httpc_pool *pool,
    const struct clock_port *clock, const struct issuer_settings *settings);
void issuer_free(struct issuer *issuer); /* nothing comes any more; NULL is allowed */
const char *issuer_url(const struct issuer *issuer);

enum issuer_verdict {
	ISSUER_GOOD,
	ISSUER_BAD,
	ISSUER_AWAY /* its keys cannot be had: nobody can tell */
};
/* Whether the token is signed by it; text is copied. done is called once, in a later turn, unless
 * the issuer is freed before. False: as many wait as may, and done is not called. */
must_check bool issuer_verify(struct issuer *issuer, const char *token,
    void (*done)(void *ctx, uint64_t number, enum issuer_verdict verdict, const char *why),
    void *ctx, uint64_t number);
void issuer_forget(struct issuer *issuer, const void *ctx); /* done is not called any more for it */

#endif
