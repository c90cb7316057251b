/* The audit's chain. Always true: two rows that differ in any field, or in what belongs to which
 * field, are hashed as different bytes. */
#include "base/chain.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "base/hex.h"
#include "base/log.h"
#include "base/str.h"

struct chain {
	EVP_MD *digest;
	EVP_MD_CTX *context;
};

const char *const chain_fields[CHAIN_TEXTS] = {"who", "id", "from", "what", "cluster", "namespace",
    "app", "rollout", "detail", "why", "outcome"};

void
chain_texts(struct chain_row *row, const char **texts[CHAIN_TEXTS])
{
	const char **const all[CHAIN_TEXTS] = {&row->who, &row->id, &row->from, &row->what,
	    &row->cluster, &row->namespace, &row->app, &row->rollout, &row->detail, &row->why,
	    &row->outcome};
	memcpy(texts, all, sizeof(all));
}

static size_t
bytes_of(const char *text)
{
	size_t length = text == NULL ? 0 : strlen(text);
	return length < CHAIN_TEXT ? length : CHAIN_TEXT;
}

/* Returns the place after the copy and its NUL. */
static char *
copy_text(char *to, const char *text)
{
	size_t length = text == NULL ? 0 : strlen(text), at = 0;
	while (at < length) {
		size_t size = str_utf8_char(text + at, length - at);
		size_t step = size == 0 ? 1 : size;
		if (at + step > CHAIN_TEXT)
			break;
		memcpy(to + at, size == 0 ? "?" : text + at, step);
		at += step;
	}
	to[at] = '\0';
	return to + at + 1;
}

struct chain_row *
chain_copy(const struct chain_row *row)
{
	struct chain_row from = *row, *copy;
	const char **old[CHAIN_TEXTS], **new[CHAIN_TEXTS];
	size_t size = sizeof(*copy);
	chain_texts(&from, old);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		size += bytes_of(*old[i]) + 1;
	copy = mem_alloc(size);
	*copy = from;
	chain_texts(copy, new);
	char *to = (char *)(copy + 1);
	for (int i = 0; i < CHAIN_TEXTS; i++) {
		*new[i] = to;
		to = copy_text(to, *old[i]);
	}
	return copy;
}

struct chain *
chain_new(void)
{
	struct chain *chain = mem_alloc(sizeof(*chain));
	chain->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
	chain->context = EVP_MD_CTX_new();
	if (chain->digest == NULL || chain->context == NULL)
		log_fatal("OpenSSL has no SHA-256");
	return chain;
}

void
chain_free(struct chain *chain)
{
	if (chain == NULL)
		return;
	EVP_MD_CTX_free(chain->context);
	EVP_MD_free(chain->digest);
	free(chain);
}

static void
begin(struct chain *chain)
{
	if (EVP_DigestInit_ex(chain->context, chain->digest, NULL) != 1)
		log_fatal("SHA-256 cannot be begun");
}

static void
add(struct chain *chain, const void *bytes, size_t count)
{
	if (EVP_DigestUpdate(chain->context, bytes, count) != 1)
		log_fatal("SHA-256 cannot go on");
}

static void
end(struct chain *chain, unsigned char hash[CHAIN_HASH])
{
	if (EVP_DigestFinal_ex(chain->context, hash, NULL) != 1)
		log_fatal("SHA-256 cannot be ended");
}

static void
add_number(struct chain *chain, uint64_t number, int size)
{
	unsigned char bytes[8];
	for (int i = 0; i < size; i++)
		bytes[i] = (unsigned char)(number >> 8 * (size - 1 - i));
	add(chain, bytes, (size_t)size);
}

static void
add_text(struct chain *chain, const char *text)
{
	size_t length = text == NULL ? 0 : strlen(text);
	add_number(chain, length, 4);
	add(chain, text == NULL ? "" : text, length);
}

void
chain_begin(struct chain *chain, const char *identity, unsigned char hash[CHAIN_HASH])
{
	begin(chain);
	add_text(chain, "airis audit 1");
	add_text(chain, identity);
	end(chain, hash);
}

void
chain_next(struct chain *chain, const unsigned char before[CHAIN_HASH], const struct chain_row *row,
    unsigned char hash[CHAIN_HASH])
{
	struct chain_row fields = *row;
	const char **texts[CHAIN_TEXTS];
	chain_texts(&fields, texts);
	begin(chain);
	add(chain, before, CHAIN_HASH);
	add_number(chain, (uint64_t)row->seq, 8);
	add_number(chain, (uint64_t)row->at_ms, 8);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		add_text(chain, *texts[i]);
	end(chain, hash);
}

void
chain_hex(const unsigned char hash[CHAIN_HASH], char to[CHAIN_HEX])
{
	hex_write(hash, CHAIN_HASH, to);
}

bool
chain_unhex(const char *hex, unsigned char hash[CHAIN_HASH])
{
	return hex_read(hex, hash, CHAIN_HASH);
}
