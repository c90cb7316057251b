/* Small reads in the loop thread, on a read-only connection. Long results are read in pages, each
 * its own short read transaction of bounded time, so that no reader pins the log. */
#ifndef STORE_READER_H
#define STORE_READER_H

#include <sqlite3.h>
#include "base/err.h"
#include "ports/journal.h"

struct store_reader;

/* page_ms: SQLite's own time for one page; what takes longer is given up with an error. */
must_check int store_reader_open(const char *path, const char *vfs, int64_t page_ms,
    struct store_reader **reader, struct err *e);
void store_reader_close(struct store_reader *reader); /* NULL is allowed */
/* The reader's own, for reads that are none of these. */
sqlite3 *store_reader_db(struct store_reader *reader);
void store_reader_begin(struct store_reader *reader); /* the time of one page begins */
int store_reader_error(struct store_reader *reader, int code, struct err *e); /* returns -1 */

/* As in ports/journal.h. Within each, reading is allowed. */
int store_read_events(struct store_reader *reader, const char *rollout, int64_t after_seq,
    int limit, journal_each *each, void *each_ctx, struct err *e);
int store_read_rollouts(struct store_reader *reader, const struct journal_filter *filter,
    journal_each *each, void *each_ctx, struct err *e);
int store_read_apps(struct store_reader *reader, journal_each *each, void *each_ctx, struct err *e);
int store_read_releases(struct store_reader *reader, const char *app, int before, int limit,
    journal_each *each, void *each_ctx, struct err *e);
int store_read_key(struct store_reader *reader, const char *key, journal_each *each, void *each_ctx,
    struct err *e);
int store_read_tokens(
    struct store_reader *reader, journal_each *each, void *each_ctx, struct err *e);
int store_read_outbox(struct store_reader *reader, const char *hook, int64_t after, int limit,
    journal_each *each, void *each_ctx, struct err *e);
int store_read_outbox_next(struct store_reader *reader, const char *hook, journal_each *each,
    void *each_ctx, struct err *e);
must_check int store_read_outbox_count(
    struct store_reader *reader, const char *hook, int64_t *count, struct err *e);
must_check int store_read_identity(
    struct store_reader *reader, char *to, size_t size, struct err *e);
must_check int store_read_last_seq(struct store_reader *reader, int64_t *seq, struct err *e);

#endif
