/* A disk that fails on demand: an SQLite VFS on top of the system's. The write, read or sync that
 * the test names returns an error, and the power can be cut: then the files become what was
 * durable, which is what was synced, and of what was written since then all is lost or some of it,
 * torn. */
#ifndef TESTS_UNIT_FAULT_VFS_H
#define TESTS_UNIT_FAULT_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#define FAULT_VFS "airis-fault"

/* The store's threads read what the test sets. Counters: this many more work, then one fails; -1:
 * all work. */
struct fault {
	atomic_int writes_left, syncs_left, reads_left;
	atomic_int code;     /* what the failing one returns: SQLITE_FULL, SQLITE_IOERR_WRITE … */
	atomic_bool lasting; /* all after it fail too */
	atomic_bool half;    /* the failing write writes the first half of its bytes */
	atomic_bool cuts;    /* the failing one is the moment when the power is cut */
	atomic_int hits;
	atomic_bool hang;     /* a sync does not come back while this is set */
	atomic_int hanging;   /* one is being kept */
	atomic_int log_syncs; /* of the -wal file, that worked */
	atomic_bool lazy; /* syncs are not passed on: faster, and the same while the machine runs */
	atomic_bool lies; /* syncs work and make nothing durable */
};
extern struct fault fault;

void fault_register(void); /* before the first store; may be called again */
void fault_none(void);	   /* nothing fails from now on */

/* From now on what is durable is remembered, for files opened later; what they have then is. */
void fault_remember(void);
/* The power is cut: nothing reaches a file any more, everything that writes gets an error. */
void fault_cut(void);

enum fault_rest {
	FAULT_LOST, /* what was not synced is gone */
	FAULT_TORN  /* of each write since then: nothing, all, or one half; by chance */
};
/* After everything is closed: the files are what was durable, and the power is back. What was
 * remembered is forgotten. */
void fault_restore(enum fault_rest rest, unsigned seed);

#endif
