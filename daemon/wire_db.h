/* The roof's work on a database that is not a daemon's run: copying and checking. */
#ifndef WIRE_DB_H
#define WIRE_DB_H

#include "base/err.h"

/* Of the databases that this program writes; it reads older ones and refuses newer ones. */
int wire_database_version(void);

/* Copies the database to a file, also while its daemon runs. */
must_check int wire_backup(const char *database, const char *to, struct err *e);

/* Checks all of it, also while its daemon runs; say gets a line for each finding, and one at the
 * end that sums up. -1: there were findings. */
must_check int wire_verify(const char *database, void (*say)(const char *line));

#endif
