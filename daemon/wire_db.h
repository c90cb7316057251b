/* The roof's work on a database that is not a daemon's run: copying and checking. */
#ifndef WIRE_DB_H
#define WIRE_DB_H

#include <jansson.h>
#include <stdbool.h>
#include "base/err.h"

/* Of the databases that this program writes; it reads older ones and refuses newer ones. */
int wire_database_version(void);

/* Copies the database to a file, also while its daemon runs. */
must_check int wire_backup(const char *database, const char *to, struct err *e);

/* Copies it to a file in the folder that has the time as its name, checks that to its last row, and
 * removes older copies of the same database so that `count` are left. -1: nothing was removed, or
 * not all that should be; what is not good has not got such a name. */
must_check int wire_backup_keep(const char *database, const char *folder, int count,
    void (*say)(const char *line), struct err *e);

/* Checks all of it, also while its daemon runs; say gets a line for each finding, and one at the
 * end that sums up. -1: there were findings. */
must_check int wire_verify(const char *database, void (*say)(const char *line));
/* The same for programs, owned by the caller: {"file", "ok", "rollouts", "events", "found", and the
 * first of the "findings"}, or {"file", "ok": false, "error"} if it cannot be looked at. */
json_t *wire_verify_json(const char *database, bool *ok);

#endif
