/* One owner for one database: an flock on a file beside it that says who has it. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "base/err.h"

/* The descriptor that holds the lock (close it to give the lock back), or -1. The lock goes with
 * the process, however it ends; the file stays. */
must_check int store_lock(const char *database, struct err *e);

#endif
