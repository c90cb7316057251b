/* A batch on its way to the writer and back, and lists of them. The texts are its own. */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "ports/journal.h"

struct store_batch {
	struct store_batch *next;
	struct journal_write *writes;
	int count;
	int64_t bytes;	    /* of its texts */
	int64_t newest_seq; /* of its events; 0: it has none */
	bool urgent;
	void (*done)(void *done_ctx, uint64_t ticket, bool ok, const char *why);
	void *done_ctx;
	uint64_t ticket;
	bool ok;
	char *why; /* owned; set when it failed */
};

struct store_batch *store_batch_new(const struct journal_write *writes, int count);
void store_batch_free(struct store_batch *batch);
/* The first reason stays. */
void store_batch_fail(struct store_batch *batch, const char *why);
/* As if it had not been tried. */
void store_batch_forgive(struct store_batch *batch);

struct store_list {
	struct store_batch *first, *last;
};
void store_list_put(struct store_list *list, struct store_batch *batch);
struct store_batch *store_list_take(struct store_list *list);	      /* NULL: empty */
void store_list_move(struct store_list *from, struct store_list *to); /* all, to the end */

#endif
