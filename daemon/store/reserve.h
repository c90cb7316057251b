/* Disk space kept for a day without any: a file beside the database that is given up so that aborts
 * can be written down. Used by one thread at a time. */
#ifndef STORE_RESERVE_H
#define STORE_RESERVE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct store_reserve;

/* DATABASE.reserve of so many bytes; 0: none is kept. When there is hardly any space left, what an
 * earlier run has kept is given up right away, so that the database can be opened at all. */
struct store_reserve *store_reserve_new(const char *database, int64_t bytes);
/* The file stays, with what it keeps. NULL is allowed. */
void store_reserve_free(struct store_reserve *reserve);

bool store_reserve_wanted(const struct store_reserve *reserve);
enum reserve_state {
	RESERVE_NONE, /* it is not wanted, or cannot be had; the log says so once */
	RESERVE_HELD,
	RESERVE_SHORT /* no space for it, or just for it: the next write may be the last */
};
/* Takes the space, all of it or nothing, and finds out whether there is some more; why says what is
 * missing when it is short. */
enum reserve_state store_reserve_take(struct store_reserve *reserve, struct err *why);
/* Gives it up. Half of it goes to the database's log at once, so that no other program gets it
 * first; the rest is for the database itself, which grows when the log is taken into it. */
void store_reserve_give(struct store_reserve *reserve);
int64_t store_reserve_held(const struct store_reserve *reserve); /* bytes */

#endif
