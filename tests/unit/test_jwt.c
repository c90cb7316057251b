/* Tokens of CI systems: what is taken apart, what is refused, and whose signature it is. */
#include "unit.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include "access/jwks.h"
#include "base/str.h"

static EVP_PKEY *rsa, *small_rsa, *ec, *other_ec;

static void
encode64(const void *bytes, size_t count, struct str *to)
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

static void
encode_text(const char *text, struct str *to)
{
	encode64(text, strlen(text), to);
}

static void
add_number(EVP_PKEY *key, const char *param, const char *name, struct str *to)
{
	BIGNUM *number = NULL;
	unsigned char bytes[1024];
	assert_int_equal(EVP_PKEY_get_bn_param(key, param, &number), 1);
	int size = strcmp(name, "x") == 0 || strcmp(name, "y") == 0 ? 32 : BN_num_bytes(number);
	assert_int_equal(BN_bn2binpad(number, bytes, size), size);
	BN_free(number);
	str_addf(to, ", \"%s\": \"", name);
	encode64(bytes, (size_t)size, to);
	str_add(to, "\"");
}

static void
add_rsa(EVP_PKEY *key, const char *kid, const char *more, struct str *to)
{
	str_addf(
	    to, "%s{\"kty\": \"RSA\", \"kid\": \"%s\"%s", to->length > 10 ? ", " : "", kid, more);
	add_number(key, OSSL_PKEY_PARAM_RSA_N, "n", to);
	add_number(key, OSSL_PKEY_PARAM_RSA_E, "e", to);
	str_add(to, "}");
}

static void
add_ec(EVP_PKEY *key, const char *kid, struct str *to)
{
	str_addf(to, "%s{\"kty\": \"EC\", \"crv\": \"P-256\", \"kid\": \"%s\"",
	    to->length > 10 ? ", " : "", kid);
	add_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", to);
	add_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", to);
	str_add(to, "}");
}

static struct jwks *
keys_of(struct str *text, struct err *why)
{
	str_add(text, "]}");
	struct jwks *keys = jwks_parse(str_text(text), text->length, why);
	str_done(text);
	return keys;
}

static void
begin(struct str *text)
{
	str_init(text, 0);
	str_add(text, "{\"keys\": [");
}

static struct jwks *
both_keys(void)
{
	struct str text;
	struct err why;
	begin(&text);
	add_rsa(rsa, "r", ", \"use\": \"sig\", \"alg\": \"RS256\"", &text);
	add_ec(ec, "e", &text);
	struct jwks *keys = keys_of(&text, &why);
	assert_non_null(keys);
	assert_int_equal(jwks_count(keys), 2);
	return keys;
}

/* As a token has it. */
static void
add_signature(EVP_PKEY *key, struct str *token)
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
	encode64(signature, length, token);
}

static char *
sign(EVP_PKEY *key, const char *header, const char *claims)
{
	struct str token;
	str_init(&token, 0);
	encode_text(header, &token);
	str_add(&token, ".");
	encode_text(claims, &token);
	add_signature(key, &token);
	return str_take(&token);
}

static enum jwks_verdict
verify(const struct jwks *keys, const char *token, struct err *why)
{
	struct jwt jwt;
	assert_int_equal(jwt_parse(token, &jwt, why), 0);
	enum jwks_verdict verdict = jwks_verify(keys, &jwt, why);
	jwt_done(&jwt);
	return verdict;
}

static void
verdict_is(const struct jwks *keys, EVP_PKEY *key, const char *header, enum jwks_verdict expected)
{
	struct err why;
	char *token = sign(key, header, "{\"sub\": \"me\"}");
	assert_int_equal(verify(keys, token, &why), expected);
	free(token);
}

#define RS "{\"alg\": \"RS256\", \"kid\": \"r\"}"
#define ES "{\"alg\": \"ES256\", \"kid\": \"e\"}"

static void
test_signatures(void **state)
{
	struct jwks *keys = both_keys();
	(void)state;
	verdict_is(keys, rsa, RS, JWKS_GOOD);
	verdict_is(keys, ec, ES, JWKS_GOOD);
	verdict_is(keys, rsa, "{\"alg\": \"RS256\"}", JWKS_GOOD);
	verdict_is(keys, other_ec, ES, JWKS_BAD);
	verdict_is(keys, small_rsa, RS, JWKS_BAD);
	verdict_is(keys, rsa, "{\"alg\": \"RS256\", \"kid\": \"new\"}", JWKS_NO_KEY);
	verdict_is(keys, rsa, "{\"alg\": \"RS256\", \"kid\": \"../../r\"}", JWKS_NO_KEY);
	/* The key is there, of another kind. */
	verdict_is(keys, ec, "{\"alg\": \"ES256\", \"kid\": \"r\"}", JWKS_NO_KEY);
	verdict_is(keys, rsa, "{\"alg\": \"ES256\", \"kid\": \"e\"}", JWKS_BAD);
	jwks_free(keys);
}

/* Each byte of a token counts. */
static void
test_every_change_is_found(void **state)
{
	struct jwks *keys = both_keys();
	(void)state;
	EVP_PKEY *const signers[] = {rsa, ec};
	const char *const headers[] = {RS, ES};
	for (int i = 0; i < 2; i++) {
		char *token = sign(signers[i], headers[i], "{\"sub\": \"me\", \"n\": [1, 2, 3]}");
		for (char *at = token; *at != '\0'; at++) {
			struct jwt jwt;
			struct err why;
			char before = *at;
			*at = before == 'A' ? 'B' : 'A';
			assert_false(jwt_parse(token, &jwt, &why) == 0 &&
				     jwks_verify(keys, &jwt, &why) == JWKS_GOOD);
			jwt_done(&jwt);
			*at = before;
		}
		free(token);
	}
	jwks_free(keys);
}

/* RFC 7515, appendix A.3. */
static void
test_of_the_standard(void **state)
{
	static const char set[] = "{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", "
				  "\"x\": \"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\", "
				  "\"y\": \"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
	static const char token[] =
	    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
	    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5dj"
	    "xLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	struct err why;
	(void)state;
	struct jwks *keys = jwks_parse(set, sizeof(set) - 1, &why);
	assert_non_null(keys);
	assert_int_equal(verify(keys, token, &why), JWKS_GOOD);
	jwks_free(keys);
}

static void
refused(const char *token, const char *expected)
{
	struct jwt jwt;
	struct err why;
	assert_int_equal(jwt_parse(token, &jwt, &why), -1);
	if (strstr(why.text, expected) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", why.text, expected);
	jwt_done(&jwt);
}

static void
header_refused(const char *header, const char *expected)
{
	char *token = sign(rsa, header, "{}");
	refused(token, expected);
	free(token);
}

static void
test_headers(void **state)
{
	(void)state;
	header_refused("{\"alg\": \"none\"}", "\"none\"; allowed: RS256, ES256");
	header_refused("{\"alg\": \"HS256\"}", "\"HS256\"");
	header_refused("{\"alg\": \"rs256\"}", "\"rs256\"");
	header_refused("{\"alg\": 1}", "\"\"");
	header_refused("{}", "allowed: RS256");
	header_refused("{\"alg\": \"RS256\", \"crit\": [\"b64\"], \"b64\": false}", "crit");
	header_refused("{\"alg\": \"RS256\", \"kid\": 7}", "kid");
	header_refused("{\"alg\": \"RS256\", \"alg\": \"none\"}", "duplicate");
	header_refused("[\"RS256\"]", "not a JSON object");
	header_refused("{\"alg\": \"RS256\"", "header");
}

/* HMAC under the public key, as if the algorithm were the token's choice. */
static void
test_no_hmac_under_a_public_key(void **state)
{
	struct str token;
	unsigned char *der = NULL, mac[32];
	unsigned size = sizeof(mac);
	(void)state;
	int length = i2d_PUBKEY(rsa, &der);
	str_init(&token, 0);
	encode_text("{\"alg\": \"HS256\", \"kid\": \"r\"}", &token);
	str_add(&token, ".e30");
	HMAC(EVP_sha256(), der, length, (const unsigned char *)str_text(&token), token.length, mac,
	    &size);
	str_add(&token, ".");
	encode64(mac, size, &token);
	refused(str_text(&token), "HS256");
	str_done(&token);
	OPENSSL_free(der);
}

static void
test_forms(void **state)
{
	struct jwt jwt;
	struct err why;
	(void)state;
	refused("", "three parts");
	refused("a.b", "three parts");
	refused("a.b.c.d", "three parts");
	refused("e30.e30.", "allowed: RS256");
	refused("eyJhbGciOiJSUzI1NiJ9.e30.", "signature is empty");
	refused("eyJhbGciOiJSUzI1NiJ9.e30.AA=", "signature is empty, too long or not");
	refused("eyJhbGciOiJSUzI1NiJ9.e30.AB", "not in base64url"); /* bits are left over */
	refused("eyJhbGciOiJSUzI1NiJ9.e31.AA", "not in base64url");
	refused("eyJhbGciOiJSUzI1NiJ9.W10.AA", "not a JSON object");
	refused("eyJhbGciOiJSUzI1NiJ9.\n30.AA", "not in base64url");
	/* {"a":1,"a":2} */
	refused("eyJhbGciOiJSUzI1NiJ9.eyJhIjoxLCJhIjoyfQ.AA", "duplicate");
	assert_int_equal(jwt_parse("eyJhbGciOiJSUzI1NiJ9.e30.AA", &jwt, &why), 0);
	assert_int_equal(jwt.signature_length, 1);
	assert_string_equal(jwt.kid, "");
	jwt_done(&jwt);
}

static void
test_sizes(void **state)
{
	struct str token;
	(void)state;
	str_init(&token, 0);
	while (token.length < (size_t)64 * 1024)
		str_add(&token, "e30.");
	refused(str_text(&token), "at most 16384");
	str_clear(&token);
	str_add(&token, "eyJhbGciOiJSUzI1NiJ9.e30.");
	for (int i = 0; i < 1400; i++)
		str_add(&token, "A");
	refused(str_text(&token), "too long");
	str_done(&token);
}

static void
no_keys(const char *text, const char *expected)
{
	struct err why;
	assert_null(jwks_parse(text, strlen(text), &why));
	if (strstr(why.text, expected) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", why.text, expected);
}

static void
test_keys_that_are_not_taken(void **state)
{
	struct str text;
	struct err why;
	(void)state;
	no_keys("{\"keys\": []}", "no key");
	no_keys("{\"keys\": {}}", "no key");
	no_keys("[]", "no key");
	no_keys("{", "'}'"); /* jansson's own words */
	no_keys("{\"keys\": [7, {}, {\"kty\": \"oct\", \"k\": \"AAAA\"}]}", "no key");
	no_keys("{\"keys\": [{\"kty\": \"RSA\", \"n\": \"AQAB\", \"e\": \"AQAB\"}]}", "no key");
	begin(&text);
	add_rsa(small_rsa, "s", "", &text);
	assert_null(keys_of(&text, &why));
	begin(&text);
	add_rsa(rsa, "r", ", \"use\": \"enc\"", &text);
	add_rsa(rsa, "r", ", \"alg\": \"RS512\"", &text);
	assert_null(keys_of(&text, &why));
}

/* Not a point of the curve. */
static void
test_a_point_elsewhere(void **state)
{
	(void)state;
	no_keys("{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", "
		"\"x\": \"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\", "
		"\"y\": \"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
	    "no key");
}

static void
test_more_keys_than_there_is_room(void **state)
{
	struct str text;
	struct err why;
	(void)state;
	begin(&text);
	for (int i = 0; i < JWKS_KEYS + 5; i++) {
		char kid[16];
		str_print(kid, sizeof(kid), "k%d", i);
		add_ec(ec, kid, &text);
	}
	struct jwks *keys = keys_of(&text, &why);
	assert_int_equal(jwks_count(keys), JWKS_KEYS);
	verdict_is(keys, ec, "{\"alg\": \"ES256\", \"kid\": \"k3\"}", JWKS_GOOD);
	/* Which of them is it? */
	verdict_is(keys, ec, "{\"alg\": \"ES256\"}", JWKS_NO_KEY);
	jwks_free(keys);
}

static int
make_keys(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	small_rsa = EVP_RSA_gen(1024);
	ec = EVP_EC_gen("P-256");
	other_ec = EVP_EC_gen("P-256");
	return rsa && small_rsa && ec && other_ec ? 0 : -1;
}

static int
free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(small_rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(other_ec);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signatures),
	    cmocka_unit_test(test_every_change_is_found),
	    cmocka_unit_test(test_of_the_standard),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_no_hmac_under_a_public_key),
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_keys_that_are_not_taken),
	    cmocka_unit_test(test_a_point_elsewhere),
	    cmocka_unit_test(test_more_keys_than_there_is_room),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
