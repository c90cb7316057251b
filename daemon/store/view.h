/* A look at a database from outside of its daemon, which may be running: no lock is taken from it
 * and nothing in the database is changed. For programs that look and end: as long as it is looked
 * at, the log grows. */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include <stdint.h>
#include "base/err.h"
#include "ports/journal.h"

struct store_view;

/* NULL: it cannot be looked at: not there, not ours, newer or older than this program, no right to
 * read it. The error says which and what to do. */
struct store_view *store_view_open(const char *path, struct err *e);
void store_view_close(struct store_view *view); /* NULL is allowed */

/* Writes a copy as store_backup does, after asking store_backup_allowed. Not after _freeze. */
must_check int store_view_copy(struct store_view *view, const char *to, struct err *e);

/* From now on everything is read as it is now. */
must_check int store_view_freeze(struct store_view *view, struct err *e);
/* Events, rollouts and apps can be read; the other members are NULL. */
struct journal_port store_view_port(struct store_view *view);
/* How many events there are. */
must_check int store_view_events(struct store_view *view, int64_t *count, struct err *e);

/* Whatever is wrong with the file and its rows, without knowing what the rows mean: one text each.
 * The number of findings. */
int store_view_check(
    struct store_view *view, void (*finding)(void *ctx, const char *text), void *ctx);

#endif
