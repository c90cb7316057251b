/* The audit in the database: rows are chained as they are put, and checked as they are read. One
 * connection, one thread at a time. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <sqlite3.h>
#include "ports/journal.h"

#define STORE_AUDIT_COLUMNS                                                                        \
	"seq, at_ms, who, id, origin, what, cluster, namespace, app, rollout, detail, why, "       \
	"outcome, hash"
#define STORE_AUDIT_INSERT                                                                         \
	"INSERT INTO audit (" STORE_AUDIT_COLUMNS ")"                                              \
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"

struct audit_head { /* the last row; seq 0: there is none, and hash is what the first is chained to
		     */
	int64_t seq;
	unsigned char hash[CHAIN_HASH];
};

struct store_audit;

/* NULL: it cannot be read. */
struct store_audit *store_audit_open(sqlite3 *db, struct audit_head *head, struct err *e);
void store_audit_close(struct store_audit *audit); /* NULL is allowed */

/* Puts a row after the tip and moves it, if it is taken; before the first of all one that says
 * where the chain begins. SQLITE_OK or an error code. statement: of STORE_AUDIT_INSERT. */
must_check int store_audit_put(struct store_audit *audit, sqlite3_stmt *statement,
    const struct chain_row *row, struct audit_head *tip);

/* The row that a statement of STORE_AUDIT_COLUMNS, from column `first` on, stands at. */
void store_audit_row(sqlite3_stmt *statement, int first, struct journal_audit *row);

/* Walks the chain after row `after` (0: all of it), whose own hash is taken as it stands: one text
 * for the first row that is not what was written, and no more, for what comes after it cannot be
 * told. True: it holds; *last: the last row that does. */
bool store_audit_check(sqlite3 *db, int64_t after, int64_t *last, struct err *why);

struct store_reader;
/* As in ports/journal.h; a limit of 1 to STORE_AUDIT_MOST. */
#define STORE_AUDIT_MOST 1000
int store_read_audit(struct store_reader *reader, const struct journal_audit_filter *filter,
    journal_audit_each *each, void *each_ctx, struct err *e);
int store_read_audit_head(struct store_reader *reader, struct journal_head *head, struct err *e);

#endif
