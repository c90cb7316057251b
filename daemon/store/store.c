/* The store's front: opening and closing, the queue's bound, sequence numbers, reporting. Always
 * true: a sequence number is given once in the life of the process, in the order of append; what
 * waits is bounded; every batch is reported exactly once unless the store is closed before. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/failpoint.h"
#include "base/log.h"
#include "base/str.h"
#include "store/audit.h"
#include "store/batch.h"
#include "store/connection.h"
#include "store/lock.h"
#include "store/reader.h"
#include "store/reserve.h"
#include "store/schema.h"
#include "store/writer.h"

#define REPORTS_A_TURN 256
#define AUDIT_TAIL 1000 /* rows that are looked at when it is opened */

struct store {
	struct store_settings settings;
	char *path, *vfs;
	int lock, bell;
	sqlite3 *db; /* the writer's, as is: */
	struct store_reserve *reserve;
	struct store_writer *writer;
	struct store_reader *reader;
	struct loop_fd *watch;
	struct store_list finished; /* taken from the writer, not yet reported */
	int64_t next_seq, last_seq;
	int waiting_writes;
	int64_t waiting_bytes;
	bool reporting;
};

/* --- reporting -------------------------------------------------------------------------------- */

static void
report_one(struct store *store, struct store_batch *batch)
{
	store->waiting_writes -= batch->count;
	store->waiting_bytes -= batch->bytes;
	if (batch->ok && batch->newest_seq > store->last_seq)
		store->last_seq = batch->newest_seq;
	if (batch->done != NULL)
		batch->done(batch->done_ctx, batch->ticket, batch->ok, batch->why);
	store_batch_free(batch);
}

/* False: there is more. */
static bool
report(struct store *store, int most)
{
	struct store_batch *batch;

	assert(!store->reporting);
	store->reporting = true;
	store_writer_take(store->writer, &store->finished);
	while (most-- > 0 && (batch = store_list_take(&store->finished)) != NULL)
		report_one(store, batch);
	store->reporting = false;
	return store->finished.first == NULL;
}

static void
on_bell(void *ctx, int what)
{
	struct store *store = ctx;
	uint64_t rings, one = 1;
	ssize_t count = read(store->bell, &rings, sizeof(rings));

	(void)what;
	if (!report(store, REPORTS_A_TURN))
		count = write(store->bell, &one, sizeof(one));
	(void)count;
}

/* --- the socket ------------------------------------------------------------------------------- */

static void
number_events(struct store *store, struct journal_write *writes, int count)
{
	for (int i = 0; i < count; i++)
		if (writes[i].kind == JOURNAL_EVENT)
			writes[i].number = store->next_seq++;
}

static bool
has_room(const struct store *store, const struct store_batch *batch)
{
	return store->waiting_writes + batch->count <= store->settings.queue_limit &&
	       store->waiting_bytes + batch->bytes <= store->settings.queue_bytes;
}

static void
append(void *ctx, struct journal_write *writes, int count,
    void (*done)(void *done_ctx, uint64_t ticket, bool ok, const char *why), void *done_ctx,
    uint64_t ticket)
{
	struct store *store = ctx;
	struct store_batch *batch;
	bool room;

	number_events(store, writes, count);
	batch = store_batch_new(writes, count);
	batch->done = done;
	batch->done_ctx = done_ctx;
	batch->ticket = ticket;
	room = has_room(store, batch);
	store->waiting_writes += batch->count;
	store->waiting_bytes += batch->bytes;
	if (room) {
		store_writer_give(store->writer, batch);
		return;
	}
	store_batch_fail(batch,
	    "too much is waiting to be written to the database: the disk is slow or stands still; "
	    "try again");
	store_writer_refuse(store->writer, batch);
}

static int
events(void *ctx, const char *rollout, int64_t after_seq, int limit, journal_each *each,
    void *each_ctx, struct err *e)
{
	struct store *store = ctx;

	return store_read_events(store->reader, rollout, after_seq, limit, each, each_ctx, e);
}

static int
rollouts(void *ctx, const struct journal_filter *filter, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct store *store = ctx;

	return store_read_rollouts(store->reader, filter, each, each_ctx, e);
}

static int
apps(void *ctx, journal_each *each, void *each_ctx, struct err *e)
{
	struct store *store = ctx;

	return store_read_apps(store->reader, each, each_ctx, e);
}

static int
releases(void *ctx, const char *app, int before, int limit, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct store *store = ctx;

	return store_read_releases(store->reader, app, before, limit, each, each_ctx, e);
}

static int
key(void *ctx, const char *text, journal_each *each, void *each_ctx, struct err *e)
{
	struct store *store = ctx;

	return store_read_key(store->reader, text, each, each_ctx, e);
}

static int
tokens(void *ctx, journal_each *each, void *each_ctx, struct err *e)
{
	struct store *store = ctx;

	return store_read_tokens(store->reader, each, each_ctx, e);
}

static int64_t
last_seq(void *ctx)
{
	const struct store *store = ctx;

	return store->last_seq;
}

static int
outbox(void *ctx, const char *hook, int64_t after, int limit, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct store *store = ctx;

	return store_read_outbox(store->reader, hook, after, limit, each, each_ctx, e);
}

static int
outbox_next(void *ctx, const char *hook, journal_each *each, void *each_ctx, struct err *e)
{
	struct store *store = ctx;

	return store_read_outbox_next(store->reader, hook, each, each_ctx, e);
}

static int64_t
outbox_count(void *ctx, const char *hook)
{
	struct store *store = ctx;
	int64_t count;
	struct err e;

	return store_read_outbox_count(store->reader, hook, &count, &e) == 0 ? count : -1;
}

static int
audit(void *ctx, const struct journal_audit_filter *filter, journal_audit_each *each,
    void *each_ctx, struct err *e)
{
	struct store *store = ctx;

	return store_read_audit(store->reader, filter, each, each_ctx, e);
}

static int
audit_head(void *ctx, struct journal_head *head, struct err *e)
{
	struct store *store = ctx;

	return store_read_audit_head(store->reader, head, e);
}

struct journal_port
store_port(struct store *store)
{
	return (struct journal_port){
	    .ctx = store,
	    .append = append,
	    .events = events,
	    .rollouts = rollouts,
	    .apps = apps,
	    .releases = releases,
	    .key = key,
	    .tokens = tokens,
	    .outbox = outbox,
	    .outbox_next = outbox_next,
	    .outbox_count = outbox_count,
	    .last_seq = last_seq,
	    .audit = audit,
	    .audit_head = audit_head,
	};
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void
keep_settings(struct store *store, const struct store_settings *given)
{
	struct store_settings *s = &store->settings;

	*s = *given;
	/* One database, one lock, by whatever name it is reached. */
	store->path = realpath(given->path, NULL);
	if (store->path == NULL)
		store->path = mem_strdup(given->path);
	s->path = store->path;
	s->vfs = store->vfs = mem_strdup(given->vfs);
	if (s->migrations == NULL) {
		s->migrations = store_migrations;
		s->migration_count = store_migrations_count;
	}
	s->queue_limit = s->queue_limit > 0 ? s->queue_limit : 10000;
	s->queue_bytes = s->queue_bytes > 0 ? s->queue_bytes : 64 << 20;
	s->group_limit = s->group_limit > 0 ? s->group_limit : 1000;
	s->probe_ms = s->probe_ms > 0 ? s->probe_ms : 2000;
	s->stall_ms = s->stall_ms > 0 ? s->stall_ms : 10000;
	s->read_ms = s->read_ms > 0 ? s->read_ms : 250;
}

/* What was changed behind our back is told, and no reason to leave traffic alone. All of it is
 * looked at by --verify-db and airisctl audit verify. */
static int
look_at_audit(struct store *store, struct err *e)
{
	int64_t last, newest;
	struct err why;

	if (store_db_number(store->db, "SELECT coalesce(max(seq), 0) FROM audit", &newest, e) != 0)
		return err_wrap(e, "the database %s", store->path);
	if (!store_audit_check(
		store->db, newest > AUDIT_TAIL ? newest - AUDIT_TAIL : 0, &last, &why))
		log_error("store",
		    "the audit in %s does not hold: %s. Somebody has written to the database; see "
		    "all of it with airisctl audit verify",
		    store->path, why.text);
	return 0;
}

static int
open_database(struct store *store, struct err *e)
{
	const struct store_settings *s = &store->settings;

	store->lock = store_lock(s->path, e);
	if (store->lock < 0)
		return -1;
	store->reserve = store_reserve_new(s->path, s->reserve_bytes);
	if (store_schema_open(s->path, s->vfs, s->migrations, s->migration_count, &store->db, e) !=
		0 ||
	    store_reader_open(s->path, s->vfs, s->read_ms, &store->reader, e) != 0)
		return -1;
	if (store_read_last_seq(store->reader, &store->last_seq, e) != 0)
		return err_wrap(e, "the database %s", s->path);
	store->next_seq = store->last_seq + 1;
	return look_at_audit(store, e);
}

static int
start_writer(struct store *store, struct err *e)
{
	store->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store->bell < 0)
		return err_set(e, "eventfd: %s", strerror(errno));
	store->writer = store_writer_start(
	    &(struct store_writer_settings){
		.db = store->db,
		.path = store->path,
		.bell = store->bell,
		.reserve = store->reserve,
		.group_limit = store->settings.group_limit,
		.probe_ms = store->settings.probe_ms,
		.stall_ms = store->settings.stall_ms,
	    },
	    e);
	return store->writer == NULL ? -1 : 0;
}

struct store *
store_open(const struct store_settings *settings, struct loop *loop, struct err *e)
{
	struct store *store = mem_alloc(sizeof(*store));
	mode_t before = umask(077); /* SQLite gives the log the mode of the database */
	int result;

	store->lock = store->bell = -1;
	keep_settings(store, settings);
	result = open_database(store, e) == 0 ? start_writer(store, e) : -1;
	umask(before);
	if (result != 0) {
		store_close(store);
		return NULL;
	}
	store->watch = loop_fd_new(loop, store->bell, LOOP_READ, on_bell, store);
	return store;
}

void
store_flush(struct store *store)
{
	store_writer_wait(store->writer);
	report(store, INT_MAX);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
store_close(struct store *store)
{
	struct store_batch *batch;

	if (store == NULL)
		return;
	assert(!store->reporting);
	loop_fd_free(store->watch);
	if (store->writer != NULL)
		store_writer_stop(store->writer);
	failpoint("stop:writer");
	while ((batch = store_list_take(&store->finished)) != NULL)
		store_batch_free(batch);
	store_reader_close(store->reader);
	store_reserve_free(store->reserve);
	store_db_close(store->db); /* last: it takes the log into the file and removes it */
	failpoint("stop:closed");
	close_fd(store->bell);
	close_fd(store->lock);
	free(store->path);
	free(store->vfs);
	free(store);
}

int
store_identity(struct store *store, char to[STORE_IDENTITY], struct err *e)
{
	if (store_read_identity(store->reader, to, STORE_IDENTITY, e) != 0)
		return err_wrap(e, "the database %s", store->path);
	return 0;
}

/* --- how it is -------------------------------------------------------------------------------- */

bool
store_healthy(struct store *store, struct err *why)
{
	return store_writer_healthy(store->writer, why);
}

static int64_t
size_of(const struct store *store, const char *suffix)
{
	char *name = str_format("%s%s", store->path, suffix);
	struct stat st;
	int64_t size = stat(name, &st) == 0 ? st.st_size : 0;

	free(name);
	return size;
}

void
store_stats(struct store *store, struct store_stats *stats)
{
	store_writer_stats(store->writer, stats);
	stats->waiting_writes = store->waiting_writes;
	stats->waiting_bytes = store->waiting_bytes;
	stats->db_bytes = size_of(store, "");
	stats->wal_bytes = size_of(store, "-wal");
}
