/* The chain of the audit: each row's hash is over the hash of the row before and all of its own
 * fields, so that whoever has kept one hash can tell whether anything before it was changed. The
 * daemon computes it when it writes, airisctl when it checks. */
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#define CHAIN_HASH 32
#define CHAIN_HEX 65 /* of a hash, and a NUL */

struct chain_row { /* texts: "" where there is nothing; NULL is "" */
	int64_t seq, at_ms;
	const char *who, *id, *from, *what, *cluster, *namespace, *app, *rollout, *detail, *why,
	    *outcome;
};

/* The one order of its texts, for all who hash, store, show or read them: their names in JSON, and
 * where they are in a row. */
#define CHAIN_TEXTS 11
extern const char *const chain_fields[CHAIN_TEXTS];
void chain_texts(struct chain_row *row, const char **texts[CHAIN_TEXTS]);

#define CHAIN_TEXT 1024 /* bytes of a text; what is longer is cut */
/* One block, owned by the caller; texts are cut, and what is no UTF-8 in them becomes '?', so that
 * they are the same bytes wherever the row goes. */
struct chain_row *chain_copy(const struct chain_row *row);

struct chain; /* what is needed to compute, made once; for one thread at a time */
struct chain *chain_new(void);
void chain_free(struct chain *chain); /* NULL is allowed */

/* What the first row is chained to: SHA-256 of the texts "airis audit 1" and the database's
 * identity, each with its length before it. */
void chain_begin(struct chain *chain, const char *identity, unsigned char hash[CHAIN_HASH]);
/* SHA-256 of: before; seq and at_ms, 8 bytes each; every text in the order of chain_fields, its
 * length in 4 bytes before it. Numbers are big-endian. before and hash may be the same. */
void chain_next(struct chain *chain, const unsigned char before[CHAIN_HASH],
    const struct chain_row *row, unsigned char hash[CHAIN_HASH]);

void chain_hex(const unsigned char hash[CHAIN_HASH], char to[CHAIN_HEX]);
bool chain_unhex(const char *hex, unsigned char hash[CHAIN_HASH]); /* false: not 64 hex digits */

#endif
