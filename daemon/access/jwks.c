/* Keys by OpenSSL 3. */
#include "access/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"

#define RSA_BITS_MIN 2048
#define NUMBER_MAX 1024 /* bytes: 8192 bits */
#define POINT 32	/* bytes of a coordinate on P-256 */

struct jwks {
	struct jwks_key {
		char kid[JWT_KID];
		enum jwt_algorithm algorithm;
		EVP_PKEY *key;
	} list[JWKS_KEYS];
	int count;
};

/* --- reading ---------------------------------------------------------------------------------- */

static long
read_number(const json_t *json, const char *name, unsigned char *to, size_t room)
{
	const char *text = jsonx_text(json, name);
	return text == NULL ? -1 : jwt_decode64(text, strlen(text), to, room);
}

static EVP_PKEY *
make_key(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;
	if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) <= 0 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	return key;
}

/* NULL: not one that is taken here. */
static EVP_PKEY *
read_rsa(const json_t *json)
{
	unsigned char n[NUMBER_MAX], e[NUMBER_MAX];
	long n_length = read_number(json, "n", n, sizeof(n));
	long e_length = read_number(json, "e", e, sizeof(e));
	if (n_length < RSA_BITS_MIN / 8 || e_length < 1 || e_length > 8)
		return NULL;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = BN_bin2bn(n, (int)n_length, NULL);
	BIGNUM *exponent = BN_bin2bn(e, (int)e_length, NULL);
	EVP_PKEY *key = NULL;
	/* An exponent of 1 would let every text be its own signature. */
	if (build != NULL && modulus != NULL && exponent != NULL &&
	    BN_num_bits(modulus) >= RSA_BITS_MIN && BN_is_odd(exponent) &&
	    BN_num_bits(exponent) > 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) > 0 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) > 0)
		key = make_key("RSA", build);
	BN_free(modulus);
	BN_free(exponent);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *
read_ec(const json_t *json)
{
	unsigned char point[1 + 2 * POINT] = {POINT_CONVERSION_UNCOMPRESSED};
	if (!str_equal(jsonx_text(json, "crv"), "P-256") ||
	    read_number(json, "x", point + 1, POINT) != POINT ||
	    read_number(json, "y", point + 1 + POINT, POINT) != POINT)
		return NULL;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (build != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) >
		0 &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) >
		0)
		key = make_key("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

/* What the key itself says that it is for; what it does not say is allowed. */
static bool
is_for_us(const json_t *json, enum jwt_algorithm algorithm)
{
	const char *use = jsonx_text_or(json, "use", "sig");
	const char *name = jsonx_text_or(json, "alg", jwt_algorithm_name(algorithm));
	return strcmp(use, "sig") == 0 && strcmp(name, jwt_algorithm_name(algorithm)) == 0;
}

static void
read_key(struct jwks *keys, const json_t *json)
{
	bool rsa = str_equal(jsonx_text(json, "kty"), "RSA");
	bool ec = str_equal(jsonx_text(json, "kty"), "EC");
	struct jwks_key *key = &keys->list[keys->count];
	if ((!rsa && !ec) || keys->count == JWKS_KEYS)
		return;
	*key = (struct jwks_key){.algorithm = rsa ? JWT_RS256 : JWT_ES256};
	if (!is_for_us(json, key->algorithm) ||
	    !str_copy(key->kid, sizeof(key->kid), jsonx_text_or(json, "kid", "")))
		return;
	key->key = rsa ? read_rsa(json) : read_ec(json);
	keys->count += key->key != NULL;
}

struct jwks *
jwks_parse(const char *text, size_t length, struct err *why)
{
	json_t *root = jsonx_parse(text, length, JWKS_MAX, why), *item;
	size_t index;
	if (root == NULL)
		return NULL;
	struct jwks *keys = mem_alloc(sizeof(*keys));
	json_array_foreach(json_object_get(root, "keys"), index, item) read_key(keys, item);
	json_decref(root);
	if (keys->count > 0)
		return keys;
	err_set(why, "it holds no key for RS256 (2048 bits or more) or ES256");
	jwks_free(keys);
	return NULL;
}

void
jwks_free(struct jwks *keys)
{
	if (keys == NULL)
		return;
	for (int i = 0; i < keys->count; i++)
		EVP_PKEY_free(keys->list[i].key);
	free(keys);
}

int
jwks_count(const struct jwks *keys)
{
	return keys->count;
}

/* --- verifying -------------------------------------------------------------------------------- */

/* NULL: none, or more than one that it could be. */
static const struct jwks_key *
find_key(const struct jwks *keys, const struct jwt *jwt)
{
	const struct jwks_key *found = NULL;
	int count = 0;
	for (int i = 0; i < keys->count; i++) {
		const struct jwks_key *key = &keys->list[i];
		if (key->algorithm != jwt->algorithm ||
		    (jwt->kid[0] != '\0' && strcmp(key->kid, jwt->kid) != 0))
			continue;
		found = key;
		count++;
	}
	return count == 1 ? found : NULL;
}

/* OpenSSL wants r and s of ECDSA in DER, a token has them side by side (RFC 7518 3.4). The length,
 * or -1. */
static int
signature_der(const struct jwt *jwt, unsigned char **der)
{
	if (jwt->signature_length != 2 * POINT)
		return -1;
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(jwt->signature, POINT, NULL);
	BIGNUM *s = BN_bin2bn(jwt->signature + POINT, POINT, NULL);
	int length = -1;
	if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) > 0) {
		r = s = NULL; /* the signature has them */
		length = i2d_ECDSA_SIG(signature, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(signature);
	return length;
}

static bool
is_signed(EVP_PKEY *key, const struct jwt *jwt, const unsigned char *signature, size_t length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL &&
		    EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) > 0 &&
		    EVP_DigestVerify(context, signature, length,
			(const unsigned char *)jwt->covered, jwt->covered_length) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

static bool
verify_with(const struct jwks_key *key, const struct jwt *jwt)
{
	unsigned char *der = NULL;
	if (key->algorithm == JWT_RS256)
		return is_signed(key->key, jwt, jwt->signature, jwt->signature_length);
	int length = signature_der(jwt, &der);
	bool good = length > 0 && is_signed(key->key, jwt, der, (size_t)length);
	OPENSSL_free(der);
	return good;
}

enum jwks_verdict
jwks_verify(const struct jwks *keys, const struct jwt *jwt, struct err *why)
{
	const struct jwks_key *key = find_key(keys, jwt);
	if (key == NULL) {
		err_set(why, "its issuer has no %s key \"%.64s\"",
		    jwt_algorithm_name(jwt->algorithm), jwt->kid);
		return JWKS_NO_KEY;
	}
	if (verify_with(key, jwt))
		return JWKS_GOOD;
	err_set(why, "its signature is not of its issuer's key \"%.64s\"", key->kid);
	return JWKS_BAD;
}
