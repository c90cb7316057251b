/* Copies of the database: before a migration, and when they are asked for. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include <sqlite3.h>
#include "base/err.h"

/* Writes the whole database, as of one moment, to a file of mode 0600: durable, checked and
 * complete, or not there at all. An older file of that name is replaced. It is TO.tmp meanwhile.
 * Others may write to the database; the connection must not be in a transaction. */
must_check int store_backup(sqlite3 *db, const char *to, struct err *e);

/* The file keeps its name through a power cut. */
must_check int store_backup_sync(const char *file, struct err *e);

/* Is it harmless to write a copy of the database to this name? Not over the database itself or what
 * belongs to it, nor over what is not a copy of one. */
must_check int store_backup_allowed(const char *database, const char *to, struct err *e);

#endif
