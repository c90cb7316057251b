/* The keys that an issuer signs with (RFC 7517), and whether a token is signed by one of them.
 * Pure. Keys of other kinds or for other uses are passed over: issuers publish what is not for us.
 */
#ifndef ACCESS_JWKS_H
#define ACCESS_JWKS_H

#include "access/jwt.h"

#define JWKS_KEYS 32
#define JWKS_MAX ((size_t)256 * 1024) /* bytes of the text */

struct jwks;

/* NULL: it is none, or holds no key that can be used. RSA keys have 2048 to 8192 bits, EC keys are
 * on P-256. */
struct jwks *jwks_parse(const char *text, size_t length, struct err *why);
void jwks_free(struct jwks *keys); /* NULL is allowed */
int jwks_count(const struct jwks *keys);

enum jwks_verdict {
	JWKS_GOOD,
	JWKS_NO_KEY, /* none of that kid: the issuer may have a new one */
	JWKS_BAD
};
/* A key is taken by its kid, and only for the algorithm of its own kind, whatever the token says. A
 * token without a kid is held to the one key of its kind, if there is only one. */
enum jwks_verdict jwks_verify(const struct jwks *keys, const struct jwt *jwt, struct err *why);

#endif
