/* The audit's head as one line that can be kept elsewhere, and its signature (Ed25519):
 *
 *   airis-audit seq=42 hash=HEX at=2026-01-02T12:00:03.120Z chain=ID sig=BASE64
 *
 * The signature is over all that stands before " sig=". Whoever has kept a line can tell whether
 * the rows up to it are still the same; who has the public key, whether airisd has written it. */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include <stddef.h>
#include "base/chain.h"
#include "base/err.h"

#define SEAL_LINE 400

struct seal {
	int64_t seq, at_ms; /* at_ms: of the line, not of the row; not read back */
	unsigned char hash[CHAIN_HASH];
	char chain[40];
};

struct seal_key;
/* An Ed25519 key in PEM, the private or the public one. NULL: it is none. file: for the error. */
struct seal_key *seal_key_read(
    const char *text, size_t length, bool is_private, const char *file, struct err *e);
void seal_key_free(struct seal_key *key); /* NULL is allowed */

/* key: a private one; NULL: the line is not signed. */
void seal_write(const struct seal *seal, const struct seal_key *key, char to[SEAL_LINE]);
/* Anything may stand before the line, as syslog puts it. key: a public one; NULL: the signature is
 * not looked at. -1: it is no such line, or the key's owner has not signed it. */
int seal_read(const char *line, const struct seal_key *key, struct seal *seal, struct err *e);

#endif
