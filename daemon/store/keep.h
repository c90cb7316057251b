/* A folder of copies of one database, named by their time, of which the newest are kept. What is
 * not one of them is never touched. */
#ifndef STORE_KEEP_H
#define STORE_KEEP_H

#include <stdint.h>
#include "base/err.h"

#define STORE_KEEP_MOST 10000

struct store_keep;

/* For copies of this database. The folder is locked: nobody else adds or removes copies until
 * _close. NULL: it is not there, may not be written to, somebody else has it, or this is root in a
 * folder of another user. */
struct store_keep *store_keep_open(const char *folder, const char *database, struct err *e);
void store_keep_close(struct store_keep *keep); /* NULL is allowed */

/* Where the new copy is to be written; what an earlier one left there is of no use. */
const char *store_keep_unverified(const struct store_keep *keep);
/* It was found to be good: from now on it is FOLDER/airis-YYYYMMDDTHHMMSSZ.db, durably. Its path,
 * or NULL. */
const char *store_keep_name(struct store_keep *keep, int64_t wall_ms, struct err *e);
/* After _name. Removes the oldest, so that `count` of this database are left with the new one; says
 * a line for each that goes, and for each with such a name that is none of them and stays. -1: one
 * could not be removed, or the folder not be read. */
must_check int store_keep_prune(
    struct store_keep *keep, int count, void (*say)(const char *line), struct err *e);

#endif
