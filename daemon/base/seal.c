/* Signed heads of the audit. */
#include "base/seal.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"

#define MARK "airis-audit seq="
#define SIGNATURE 64
#define BASE64 89 /* of it, and a NUL */

struct seal_key {
	EVP_PKEY *key;
};

/* A key with a passphrase is not asked for one. */
static int
no_passphrase(char *buffer, int size, int writing, void *ctx)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)ctx;
	return 0;
}

struct seal_key *
seal_key_read(const char *text, size_t length, bool is_private, const char *file, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(text, (int)length);
	EVP_PKEY *key = NULL;
	if (bio != NULL && is_private)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	else if (bio != NULL)
		key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		err_set(e,
		    "%s has no %s Ed25519 key in PEM without a passphrase; make one: openssl "
		    "genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout "
		    "-out "
		    "public.pem",
		    file, is_private ? "private" : "public");
		return NULL;
	}
	struct seal_key *made = mem_alloc(sizeof(*made));
	made->key = key;
	return made;
}

void
seal_key_free(struct seal_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

static void
sign(const struct seal_key *key, const char *text, char to[BASE64])
{
	unsigned char signature[SIGNATURE];
	size_t size = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	if (context == NULL || EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) != 1 ||
	    EVP_DigestSign(context, signature, &size, (const unsigned char *)text, strlen(text)) !=
		1)
		log_fatal("a text cannot be signed");
	EVP_MD_CTX_free(context);
	EVP_EncodeBlock((unsigned char *)to, signature, (int)size);
}

void
seal_write(const struct seal *seal, const struct seal_key *key, char to[SEAL_LINE])
{
	char hash[CHAIN_HEX], at[40], signature[BASE64];
	chain_hex(seal->hash, hash);
	str_time_text(seal->at_ms, at, sizeof(at));
	str_print(to, SEAL_LINE, MARK "%" PRId64 " hash=%s at=%s chain=%s", seal->seq, hash, at,
	    seal->chain);
	if (key == NULL)
		return;
	sign(key, to, signature);
	size_t length = strlen(to);
	str_print(to + length, SEAL_LINE - length, " sig=%s", signature);
}

static bool
is_signed(const struct seal_key *key, const char *text, size_t length, const char *base64)
{
	unsigned char signature[SIGNATURE + 2]; /* the padding is decoded, too */
	char exact[BASE64];
	str_print(exact, sizeof(exact), "%.*s",
	    (int)strspn(base64, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"abcdefghijklmnopqrstuvwxyz0123456789+/="),
	    base64);
	if (strlen(exact) != BASE64 - 1 ||
	    EVP_DecodeBlock(signature, (const unsigned char *)exact, BASE64 - 1) != SIGNATURE + 2)
		return false;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context != NULL &&
		    EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->key) == 1 &&
		    EVP_DigestVerify(
			context, signature, SIGNATURE, (const unsigned char *)text, length) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

static bool
read_fields(const char *line, struct seal *seal)
{
	char seq[24], hash[CHAIN_HEX];
	if (sscanf(line, MARK "%23[0-9] hash=%64[0-9a-f] at=%*39[0-9TZ:.-] chain=%39[0-9a-f]", seq,
		hash, seal->chain) != 3)
		return false;
	return str_number(seq, 0, INT64_MAX, &seal->seq) == 0 && chain_unhex(hash, seal->hash);
}

int
seal_read(const char *line, const struct seal_key *key, struct seal *seal, struct err *e)
{
	const char *start = strstr(line, MARK), *signature;
	*seal = (struct seal){.seq = 0};
	if (start == NULL || !read_fields(start, seal))
		return err_set(
		    e, "it is no line of a head, which begins with \"" MARK "NUMBER hash=\"");
	if (key == NULL)
		return 0;
	signature = strstr(start, " sig=");
	if (signature == NULL)
		return err_set(e, "the line is not signed: it has no sig=");
	if (!is_signed(key, start, (size_t)(signature - start), signature + strlen(" sig=")))
		return err_set(e,
		    "the signature is not of this line by this key: the line was changed, or "
		    "another "
		    "key has signed it");
	return 0;
}
