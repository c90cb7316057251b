/* What is kept of a token: what it may, until when, and a digest, never the secret itself. */
#ifndef ACCESS_TOKEN_H
#define ACCESS_TOKEN_H

#include <stdint.h>
#include "access/principal.h"
#include "access/secret.h"

#define TOKEN_NOTE 128
#define TOKEN_DAY_MS (INT64_C(24) * 3600 * 1000)
#define TOKEN_LIFE_MS (90 * TOKEN_DAY_MS)      /* unless another one is asked for */
#define TOKEN_LIFE_MAX_MS (366 * TOKEN_DAY_MS) /* a secret that never ends is never looked at */
#define TOKEN_LIFE_MIN_MS (INT64_C(60) * 1000)

struct token {
	char id[SECRET_ID];
	unsigned char digest[SECRET_DIGEST];
	char note[TOKEN_NOTE];	   /* for people; may be "" */
	char by[PRINCIPAL_ID];	   /* who made it */
	char holder[PRINCIPAL_ID]; /* who it was given to in exchange for another proof; "" : the
				      token stands for itself */
	struct grant grant;
	int64_t created_ms, expires_ms;
};

/* The digest, in hexadecimal, is in it: for the journal, not for answers. New reference. */
json_t *token_json(const struct token *token);
must_check int token_read(const char *id, const json_t *json, struct token *token, struct err *e);

/* Is this secret the token's, and is it still good? Both are looked at, whatever the first says. */
bool token_fits(const struct token *token, const char *secret, int64_t now_ms);
/* Who shows it; points into nothing but itself, so it must not be copied. */
void token_principal(const struct token *token, struct principal *who);

#endif
