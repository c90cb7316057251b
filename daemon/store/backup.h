/* A copy of the database before it is migrated. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include <sqlite3.h>
#include "base/err.h"

/* Writes the whole database to a file beside it, durable and complete or not there at all. An older
 * file of that name is replaced. */
must_check int store_backup(sqlite3 *db, const char *to, struct err *e);

#endif
