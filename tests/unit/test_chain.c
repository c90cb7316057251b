/* The audit's chain and the lines that tell of its head. The hashes below are of Python's hashlib:
 * SHA-256 of what base/chain.h describes. */
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include "base/seal.h"
#include "base/str.h"

#define CHAIN "0123456789abcdef0123456789abcdef"

static const struct chain_row start = {.seq = 1,
    .at_ms = INT64_C(1767355203120),
    .who = "alice uid=1000",
    .id = "uid=1000",
    .from = "uid=1000 pid=7",
    .what = "start",
    .cluster = "lab",
    .namespace = "shop",
    .app = "cart",
    .rollout = "r-1",
    .detail = "release 3, registry.local/cart:2.0",
    .why = "überfällig",
    .outcome = "taken"};

static void
expect_hash(const unsigned char hash[CHAIN_HASH], const char *expected)
{
	char hex[CHAIN_HEX];
	chain_hex(hash, hex);
	assert_string_equal(hex, expected);
}

static void
test_hashes_of_another_program(void **state)
{
	struct chain *chain = chain_new();
	struct chain_row empty = {.seq = 2};
	unsigned char hash[CHAIN_HASH];
	(void)state;
	chain_begin(chain, CHAIN, hash);
	expect_hash(hash, "5e5e15d48e7fb8cb7e5b785d3000c7badcabd5573d1508efb5afbaa4dbc1dec5");
	chain_next(chain, hash, &start, hash);
	expect_hash(hash, "a7c47506d619e4ca8b60b420a795739e1d94d98fc48bb1398e272391c0f9da8c");
	chain_next(chain, hash, &empty, hash);
	expect_hash(hash, "2432f2912d4924c9f0ad9c3c3c658b92618ec0ce3ecddfd62624756ac9af2b4f");
	chain_free(chain);
}

/* Whichever field is another, the hash is; also when a text moves to its neighbour. */
static void
test_every_field_counts(void **state)
{
	struct chain *chain = chain_new();
	unsigned char zero[CHAIN_HASH] = {0}, right[CHAIN_HASH], other[CHAIN_HASH];
	(void)state;
	chain_next(chain, zero, &start, right);
	for (int i = 0; i < 13; i++) {
		struct chain_row row = start;
		const char **texts[] = {&row.who, &row.id, &row.from, &row.what, &row.cluster,
		    &row.namespace, &row.app, &row.rollout, &row.detail, &row.why, &row.outcome};
		if (i < 11)
			*texts[i] = "x";
		else
			*(i == 11 ? &row.seq : &row.at_ms) += 1;
		chain_next(chain, zero, &row, other);
		assert_memory_not_equal(right, other, CHAIN_HASH);
		if (i >= 10)
			continue;
		row = start;
		char *joined = str_format("%s%s", *texts[i], *texts[i + 1]);
		*texts[i] = joined;
		*texts[i + 1] = "";
		chain_next(chain, zero, &row, other);
		assert_memory_not_equal(right, other, CHAIN_HASH);
		free(joined);
	}
	zero[31] = 1;
	chain_next(chain, zero, &start, other);
	assert_memory_not_equal(right, other, CHAIN_HASH);
	chain_free(chain);
}

static void
test_copies_are_clean(void **state)
{
	char longest[CHAIN_TEXT + 8];
	struct chain_row row = {.seq = 4, .who = "a\xff\xc3z", .why = longest}, *copy;
	(void)state;
	memset(longest, 'x', sizeof(longest));
	str_copy(longest + CHAIN_TEXT - 1, 4, "ü");
	copy = chain_copy(&row);
	assert_int_equal(copy->seq, 4);
	assert_string_equal(copy->who, "a??z");
	assert_string_equal(copy->id, "");
	assert_int_equal(strlen(copy->why), CHAIN_TEXT - 1); /* not half a character */
	free(copy);
}

/* --- lines ------------------------------------------------------------------------------------ */

static struct seal_key *private_key, *public_key;

static struct seal_key *
key_of(EVP_PKEY *key, bool is_private)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	struct err e;
	if (is_private)
		assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	else
		assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	long length = BIO_get_mem_data(bio, &text);
	struct seal_key *made = seal_key_read(text, (size_t)length, is_private, "key.pem", &e);
	assert_non_null(made);
	assert_null(seal_key_read(text, (size_t)length, !is_private, "key.pem", &e));
	BIO_free(bio);
	return made;
}

static int
make_keys(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	(void)state;
	private_key = key_of(key, true);
	public_key = key_of(key, false);
	EVP_PKEY_free(key);
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	seal_key_free(private_key);
	seal_key_free(public_key);
	return 0;
}

static void
test_signed_lines(void **state)
{
	struct seal seal = {.seq = 42, .at_ms = 1000, .hash = {1, 2, 3}, .chain = CHAIN}, found;
	char line[SEAL_LINE], logged[SEAL_LINE + 64], wrong[SEAL_LINE + 64];
	struct err e;
	(void)state;
	seal_write(&seal, private_key, line);
	str_print(logged, sizeof(logged), "Nov 29 10:00:00 host airisd[7]: %s", line);
	assert_int_equal(seal_read(logged, public_key, &found, &e), 0);
	assert_int_equal(found.seq, 42);
	assert_string_equal(found.chain, CHAIN);
	assert_memory_equal(found.hash, seal.hash, CHAIN_HASH);
	/* Whatever is changed of it, the number, the time or the signature, it is not signed. */
	static const char *const parts[] = {"seq=4", "hash=", "at=", "chain=", "sig="};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		str_copy(wrong, sizeof(wrong), logged);
		char *at = strstr(wrong, parts[i]) + strlen(parts[i]);
		*at = *at == '7' ? '8' : '7';
		assert_int_equal(seal_read(wrong, public_key, &found, &e), -1);
		assert_non_null(strstr(e.text, "signature"));
	}
	seal_write(&seal, NULL, line);
	assert_int_equal(seal_read(line, NULL, &found, &e), 0);
	assert_int_equal(seal_read(line, public_key, &found, &e), -1);
	assert_non_null(strstr(e.text, "not signed"));
	assert_int_equal(seal_read("airis-audit seq=x", NULL, &found, &e), -1);
	assert_int_equal(seal_read("", NULL, &found, &e), -1);
}

static void
test_keys(void **state)
{
	static const char none[] = "-----BEGIN PRIVATE KEY-----\nnothing\n";
	struct err e;
	(void)state;
	assert_null(seal_key_read(none, sizeof(none) - 1, true, "/etc/key.pem", &e));
	assert_non_null(strstr(e.text, "/etc/key.pem has no private Ed25519 key"));
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	long length = BIO_get_mem_data(bio, &text);
	assert_null(seal_key_read(text, (size_t)length, false, "p256.pem", &e));
	BIO_free(bio);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hashes_of_another_program),
	    cmocka_unit_test(test_every_field_counts),
	    cmocka_unit_test(test_copies_are_clean),
	    cmocka_unit_test(test_signed_lines),
	    cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
