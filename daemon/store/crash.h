/* What of the store has failpoints that are found out from what is written (base/failpoint.h). In a
 * build without CRASH=1 nothing of it is there. */
#ifndef STORE_CRASH_H
#define STORE_CRASH_H

#include <sqlite3.h>
#include "base/failpoint.h"
#include "store/batch.h"

#ifdef AIRIS_CRASH

/* The point "PLACE:WHAT" for everything that is in the batches. */
void store_crash_commit(const char *place, const struct store_batch *first);
/* From now on, or no more, each statement is a point. */
void store_crash_statements(sqlite3 *db, bool on);
/* Checkpoints come more often, and are points. */
void store_crash_checkpoints(sqlite3 *db);

#else
#define store_crash_commit(place, first) ((void)0)
#define store_crash_statements(db, on) ((void)0)
#define store_crash_checkpoints(db) ((void)0)
#endif

#endif
