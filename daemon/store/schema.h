/* Is this file our database, whole, and of a version we know? And bringing it to ours. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdint.h>
#include "base/err.h"
#include "store/migrations.h"

#define STORE_APPLICATION_ID 0x61697273 /* "airs", in the file's header */

/* Looks without SQLite, which would create and recover: 0 also when there is no file yet. */
must_check int store_schema_look(const char *path, int newest, struct err *e);

/* SQLite's own view, which sees what is still in the log: ours, and of which version? */
must_check int store_schema_identify(
    sqlite3 *db, const char *path, int newest, int64_t *version, struct err *e);

#define STORE_ADVICE 768 /* bytes that it may take */

/* The shell's commands that put a backup in the place of a database that is damaged. */
void store_schema_advice(const char *path, char *to, size_t size);

/* Opens the database for writing, creating, checking, backing up and migrating it as needed. On
 * failure an existing database is as it was: each migration is there whole or not at all. */
must_check int store_schema_open(const char *path, const char *vfs,
    const struct store_migration *migrations, int count, sqlite3 **db, struct err *e);

#endif
