/* The audit's head leaves the host: a line of base/seal.h to syslog and to the log, signed if there
 * is a key. What rests on one host alone can be written anew by whoever owns it; rows up to a line
 * that is kept elsewhere cannot. */
#ifndef TELEMETRY_WITNESS_H
#define TELEMETRY_WITNESS_H

#include "base/seal.h"
#include "loop/loop.h"

struct witness;
struct witness_settings {
	const char *key_file; /* copied; NULL: the line is not signed and goes to the log alone */
	int64_t every_ms;
	const char *syslog; /* path of its socket; NULL: /dev/log */
};

/* head: -1: it cannot be read now, seq 0: there is none; then nothing is said. The first line comes
 * in a later turn. NULL: the key cannot be used. The key is read again for each line. */
struct witness *witness_new(struct loop *loop, const struct witness_settings *settings,
    int (*head)(void *ctx, struct seal *seal, struct err *e), void *ctx, struct err *e);
void witness_free(struct witness *witness); /* NULL is allowed */

#endif
