/* Pipelines without a stored secret: their CI system vouches for them by OpenID Connect. A token of
 * theirs is shown once and exchanged (for a token of our own, by the caller); rules say which of
 * them may what. Loop thread only. */
#ifndef ACCESS_OIDC_H
#define ACCESS_OIDC_H

#include "access/claims.h"
#include "access/issuer.h"
#include "access/principal.h"

#define OIDC_ISSUERS 8
#define OIDC_RULES 128

struct oidc_issuer {
	char name[KEYS_LABEL]; /* for people, and in principals' ids */
	char url[256], keys[256], audience[128];
	char *ca_pem;	 /* owned by whoever made it; NULL: the system's */
	int64_t life_ms; /* of the token of ours that is given in exchange */
};
struct oidc_rule {  /* the first that fits counts */
	int issuer; /* index */
	struct claims_pin pins[CLAIMS_PINS];
	int pin_count;
	struct grant grant;
};
struct oidc_settings {
	struct oidc_issuer issuers[OIDC_ISSUERS];
	struct oidc_rule rules[OIDC_RULES];
	int issuer_count, rule_count;
};

struct oidc;

/* Settings are copied. */
struct oidc *oidc_new(
    struct loop *loop, const struct clock_port *clock, const struct oidc_settings *settings);
/* Takes the place of those before; keys of issuers that are the same are kept. Who waits for one
 * that is gone is told AWAY. */
void oidc_set(struct oidc *oidc, const struct oidc_settings *settings);
void oidc_free(struct oidc *oidc); /* NULL is allowed */

enum oidc_verdict {
	OIDC_GOOD,
	OIDC_BAD,     /* not signed, not for us, not now, or shown before */
	OIDC_NO_RULE, /* good, and nothing is granted to it */
	OIDC_AWAY,    /* nobody can tell now */
	OIDC_BUSY
};
struct oidc_answer {
	enum oidc_verdict verdict;
	const char *why;	 /* of any but GOOD */
	char id[PRINCIPAL_ID];	 /* "oidc:github:repo:shop/web:ref:refs/heads/main" */
	char name[PRINCIPAL_ID]; /* for people: its sub */
	struct grant grant;
	int64_t life_ms;
};
/* done is called once, in a later turn; none after oidc_free. text is copied. */
void oidc_exchange(struct oidc *oidc, const char *token,
    void (*done)(void *ctx, uint64_t number, const struct oidc_answer *answer), void *ctx,
    uint64_t number);

#endif
