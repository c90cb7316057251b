/* The store: SQLite behind the socket ports/journal.h. One thread writes, everything that waits in
 * one transaction (group commit); small reads are done in the loop thread on a read-only
 * connection. Only this process has the database open for writing: PATH.lock is held with flock.
 *
 * Always true: a batch is reported ok only after it is on the disk (synchronous=FULL), and reading
 * sees it from then on. A batch reported as failed is not there, with one exception that no
 * database can rule out: if the disk failed while it was asked to make the batch durable and the
 * process died before the next successful commit, it may be there after the restart.
 *
 * All functions are for the loop thread. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/histogram.h"
#include "loop/loop.h"
#include "ports/journal.h"
#include "store/migrations.h"

struct store;

struct store_settings {	  /* 0 or NULL in any but path: the default */
	const char *path; /* copied */
	const struct store_migration
	    *migrations; /* default: those embedded; must outlive the store */
	int migration_count;
	const char *vfs;     /* tests: the name of an SQLite VFS that fails on demand; copied */
	int queue_limit;     /* writes not yet reported; more are refused; 10000 */
	int64_t queue_bytes; /* the same for their text; 64 MiB */
	int group_limit;     /* writes in one transaction, unless one batch has more; 1000 */
	int64_t probe_ms;    /* after a failure to write, how often it is tried again; 2000 */
	int64_t stall_ms;    /* a transaction that takes longer makes the store unhealthy; 10000 */
	int64_t read_ms;     /* SQLite's own time for one page of a read; 250 */
	int64_t reserve_bytes; /* kept in PATH.reserve for what is urgent; 0: none */
};

/* Takes the lock, checks the file (magic, application, version, integrity_check), backs it up and
 * migrates it when it is of an older version, and starts the writer. NULL: refused, the error
 * says what to do, and an existing database was not changed. */
struct store *store_open(const struct store_settings *settings, struct loop *loop, struct err *e);

/* The socket; valid until store_close. What it does beyond journal.h:
 * - append with more than the queue takes is reported as failed in a later turn, and may be
 *   reported before older batches that are still waiting. All else is reported in order.
 * - While the disk is full, what is urgent is written into the space kept for it, and everything
 *   else fails until that has its space back.
 * - A batch that breaks a rule (a release or key that is there already, a missing field) fails
 *   alone; when the disk fails all batches of the transaction do, and so does everything that
 *   comes until a probe could be written.
 * - Reads with limit 0 give everything, page by page. Reading within each is allowed. */
struct journal_port store_port(struct store *store);

#define STORE_IDENTITY 40
/* The random text that the database was made with; copies of it have the same. */
must_check int store_identity(struct store *store, char to[STORE_IDENTITY], struct err *e);

/* Waits until everything appended so far is on the disk or failed, and reports it. Not from done.
 */
void store_flush(struct store *store);

/* Commits everything appended, reports nothing any more, and closes. NULL is allowed. */
void store_close(struct store *store);

/* False while the database cannot be written or a write hangs; why (or NULL) says what happened and
 * what to do. */
bool store_healthy(struct store *store, struct err *why);

struct store_stats {
	uint64_t commits, failed_commits; /* transactions */
	uint64_t writes;		  /* journal writes in commits */
	uint64_t failed_batches;	  /* also those refused because the queue was full */
	struct histogram commit_took;
	int64_t commit_max_us;
	int waiting_writes; /* appended, not yet reported */
	int64_t waiting_bytes;
	int64_t db_bytes, wal_bytes; /* sizes of the files */
	int64_t reserve_bytes;	     /* held; 0: given up, or none is wanted */
};
void store_stats(struct store *store, struct store_stats *stats);

#endif
