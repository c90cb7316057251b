/* Puts batches into the database: the statements of the writing connection. Used by one thread. */
#ifndef STORE_PUT_H
#define STORE_PUT_H

#include <sqlite3.h>
#include "base/err.h"
#include "store/batch.h"

struct store_put;

must_check int store_put_new(sqlite3 *db, struct store_put **put, struct err *e);
void store_put_free(struct store_put *put); /* NULL is allowed */

/* One transaction for all of them. Each gets its ok, or its reason. 0: committed (also if some of
 * the batches broke a rule and are not in it); -1: the database could not be written, nothing is
 * there, all batches have the reason. */
must_check int store_put_group(struct store_put *put, struct store_batch *first, struct err *e);
/* The same with the urgent ones; the others are not touched. */
must_check int store_put_urgent(struct store_put *put, struct store_batch *first, struct err *e);

/* Writes 64 KiB to see whether the database takes writes. */
must_check int store_put_probe(struct store_put *put, struct err *e);

/* Takes what is in the log into the file, as far as there is space, so that the log's space can be
 * used again. */
void store_put_checkpoint(struct store_put *put);

/* The last failure was for want of space. */
bool store_put_full(const struct store_put *put);
/* The file turned out to be damaged: no later success makes up for that. */
bool store_put_damaged(const struct store_put *put);

#endif
