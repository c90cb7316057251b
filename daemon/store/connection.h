/* SQLite connections with this house's settings, and small helpers. One connection is used by one
 * thread at a time. */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

enum store_mode { STORE_CREATE, STORE_WRITE, STORE_READ };

/* vfs NULL: the system's. Closing it does not checkpoint until store_db_accept. */
must_check int store_db_open(
    const char *path, const char *vfs, enum store_mode mode, sqlite3 **db, struct err *e);
void store_db_close(sqlite3 *db); /* every statement is finalized before; NULL is allowed */
/* Turns the checked database into what the writer needs: WAL, synchronous=FULL. */
must_check int store_db_accept(sqlite3 *db, struct err *e);

must_check int store_db_run(sqlite3 *db, const char *sql, struct err *e);
/* The first column of the first row. */
must_check int store_db_number(sqlite3 *db, const char *sql, int64_t *value, struct err *e);
must_check int store_db_text(sqlite3 *db, const char *sql, char *to, size_t size, struct err *e);
must_check int store_db_prepare(
    sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct err *e);
/* What SQLite and the system said last; returns -1. */
int store_db_error(sqlite3 *db, struct err *e);

#endif
