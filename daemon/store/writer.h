/* The thread that writes: takes everything that waits, commits it in one transaction, hands it back
 * and rings. While the database cannot be written, everything fails at once with the reason, and a
 * probe is written from time to time. While the disk is full, what is urgent is written into the
 * reserve, and it is not well again before that has its space back. All functions are for the loop
 * thread. */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <sqlite3.h>
#include <stdbool.h>
#include "base/err.h"
#include "store/batch.h"
#include "store/reserve.h"
#include "store/store.h"

struct store_writer;

struct store_writer_settings {
	sqlite3 *db;	  /* the thread's own from now on; closed by the owner after _stop */
	const char *path; /* for messages; must outlive the writer */
	int bell;	  /* an eventfd, rung when there is something to take */
	struct store_reserve *reserve; /* the thread's own from now on, as db is */
	int group_limit;
	int64_t probe_ms, stall_ms; /* as in struct store_settings */
};

/* NULL: failed. */
struct store_writer *store_writer_start(
    const struct store_writer_settings *settings, struct err *e);
/* Commits what waits, ends the thread, frees everything that was not taken. */
void store_writer_stop(struct store_writer *writer);

void store_writer_give(struct store_writer *writer, struct store_batch *batch);
/* Straight to what can be taken; it failed. */
void store_writer_refuse(struct store_writer *writer, struct store_batch *batch);
/* What is finished, in order; the caller's from now on. */
void store_writer_take(struct store_writer *writer, struct store_list *finished);
/* Waits until everything given so far is finished. */
void store_writer_wait(struct store_writer *writer);

bool store_writer_healthy(struct store_writer *writer, struct err *why);
void store_writer_stats(struct store_writer *writer, struct store_stats *stats);

#endif
