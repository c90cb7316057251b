/* A JSON Web Token as CI systems issue them (RFC 7519 and 7515, compact form), taken apart and held
 * to its signature. What it claims is believed by nobody before jwks_verify said good; pure. */
#ifndef ACCESS_JWT_H
#define ACCESS_JWT_H

#include <jansson.h>
#include <stddef.h>
#include "base/err.h"

#define JWT_MAX ((size_t)16 * 1024) /* bytes of the whole text */
#define JWT_KID 256
#define JWT_SIGNATURE 1024 /* RSA keys up to 8192 bits */

/* The only ones: "none" is no algorithm, and where the signer's public key is known to all, an HMAC
 * under it is worth nothing (RFC 8725 2.1). */
enum jwt_algorithm { JWT_RS256, JWT_ES256 };

struct jwt {
	enum jwt_algorithm algorithm;
	char kid[JWT_KID];   /* of the signer's key; "" if it names none */
	json_t *claims;	     /* an object; owned */
	const char *covered; /* what the signature covers: in the caller's text */
	size_t covered_length;
	unsigned char signature[JWT_SIGNATURE];
	size_t signature_length;
};

/* Refuses what is not in strict base64url or JSON, duplicate keys, other algorithms and critical
 * extensions (crit). The text must outlive the jwt; jwt_done also after -1. */
must_check int jwt_parse(const char *text, struct jwt *jwt, struct err *why);
void jwt_done(struct jwt *jwt);

const char *jwt_algorithm_name(enum jwt_algorithm algorithm);

/* base64url without padding (RFC 4648 5): the bytes' count, or -1 if it is none or has no room.
 * Bits that are left over must be 0, so each value has one text. */
long jwt_decode64(const char *text, size_t length, unsigned char *to, size_t room);

#endif
