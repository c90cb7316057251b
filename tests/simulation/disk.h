/* A disk for the store, in memory: an SQLite VFS whose files have two states, what was written and
 * what is safe. A sync makes safe what was written; a power cut leaves what is safe and, of the
 * rest, some blocks, some of them torn. A killed process loses nothing that it wrote. */
#ifndef TESTS_SIMULATION_DISK_H
#define TESTS_SIMULATION_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_VFS "airis-disk"
/* In every process the same: errors name it, and a trace must not depend on who ran it. */
#define DISK_DATABASE "/simulated/airis.db"

/* Call once, before the first store. */
void disk_register(void);
/* An empty disk that works; roll gives a number under its argument, for what is torn. */
void disk_reset(unsigned (*roll)(void *ctx, unsigned sides), void *ctx);

enum disk_trouble { DISK_WORKS, DISK_FULL, DISK_WRITES_FAIL, DISK_SYNCS_FAIL };
void disk_trouble(enum disk_trouble trouble);
int disk_troubles(void); /* how many writes and syncs have failed */

/* After so many more writes and syncs the process is dead: nothing reaches the disk any more. */
void disk_stop_after(int operations);
/* The process is gone (all files must be closed). power: the machine too. */
void disk_crash(bool power);
int disk_lost(void); /* blocks lost or torn by the last crash */

/* The disk as it is now becomes what disk_reset gives: a database that is migrated already. */
void disk_keep(void);

#endif
