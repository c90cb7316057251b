/* Making what an issuer makes: key sets and signed tokens. */
#ifndef TESTS_UNIT_JWT_MAKER_H
#define TESTS_UNIT_JWT_MAKER_H

#include "unit.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include "access/jwks.h"
#include "base/str.h"

static inline void
jwt_encode64(const void *bytes, size_t count, struct str *to)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *at = bytes;
	unsigned bits = 0;
	int held = 0;
	for (size_t i = 0; i < count; i++) {
		bits = bits << 8 | at[i];
		for (held += 8; held >= 6; held -= 6)
			str_addf(to, "%c", digits[bits >> (held - 6) & 63]);
		bits &= 63;
	}
	if (held > 0)
		str_addf(to, "%c", digits[bits << (6 - held) & 63]);
}

static inline void
jwt_encode_text(const char *text, struct str *to)
{
	jwt_encode64(text, strlen(text), to);
}

static inline void
jwt_add_number(EVP_PKEY *key, const char *param, const char *name, struct str *to)
{
	BIGNUM *number = NULL;
	unsigned char bytes[1024];
	assert_int_equal(EVP_PKEY_get_bn_param(key, param, &number), 1);
	int size = strcmp(name, "x") == 0 || strcmp(name, "y") == 0 ? 32 : BN_num_bytes(number);
	assert_int_equal(BN_bn2binpad(number, bytes, size), size);
	BN_free(number);
	str_addf(to, ", \"%s\": \"", name);
	jwt_encode64(bytes, (size_t)size, to);
	str_add(to, "\"");
}

static inline void
jwt_add_rsa(EVP_PKEY *key, const char *kid, const char *more, struct str *to)
{
	str_addf(
	    to, "%s{\"kty\": \"RSA\", \"kid\": \"%s\"%s", to->length > 10 ? ", " : "", kid, more);
	jwt_add_number(key, OSSL_PKEY_PARAM_RSA_N, "n", to);
	jwt_add_number(key, OSSL_PKEY_PARAM_RSA_E, "e", to);
	str_add(to, "}");
}

static inline void
jwt_add_ec(EVP_PKEY *key, const char *kid, struct str *to)
{
	str_addf(to, "%s{\"kty\": \"EC\", \"crv\": \"P-256\", \"kid\": \"%s\"",
	    to->length > 10 ? ", " : "", kid);
	jwt_add_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", to);
	jwt_add_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", to);
	str_add(to, "}");
}

static inline struct jwks *
jwt_keys_of(struct str *text, struct err *why)
{
	str_add(text, "]}");
	struct jwks *keys = jwks_parse(str_text(text), text->length, why);
	str_done(text);
	return keys;
}

static inline void
jwt_keys_begin(struct str *text)
{
	str_init(text, 0);
	str_add(text, "{\"keys\": [");
}

/* As a token has it. */
static inline void
jwt_add_signature(EVP_PKEY *key, struct str *token)
{
	unsigned char signature[1024], sides[64];
	size_t length = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &length,
			     (const unsigned char *)str_text(token), token->length),
	    1);
	EVP_MD_CTX_free(context);
	if (EVP_PKEY_is_a(key, "EC")) {
		const unsigned char *at = signature;
		ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)length);
		BN_bn2binpad(ECDSA_SIG_get0_r(parts), sides, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(parts), sides + 32, 32);
		ECDSA_SIG_free(parts);
		memcpy(signature, sides, sizeof(sides));
		length = sizeof(sides);
	}
	str_add(token, ".");
	jwt_encode64(signature, length, token);
}

static inline char *
jwt_sign(EVP_PKEY *key, const char *header, const char *claims)
{
	struct str token;
	str_init(&token, 0);
	jwt_encode_text(header, &token);
	str_add(&token, ".");
	jwt_encode_text(claims, &token);
	jwt_add_signature(key, &token);
	return str_take(&token);
}

#endif
