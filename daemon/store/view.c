/* The look from outside. Always true: the connection is read-only. */
#include "store/view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "store/audit.h"
#include "store/backup.h"
#include "store/connection.h"
#include "store/migrations.h"
#include "store/reader.h"
#include "store/schema.h"

#define PAGE_MS (INT64_C(3600) * 1000) /* nobody waits behind it */

struct store_view {
	char *path;
	struct store_reader *reader;
	sqlite3 *db; /* the reader's */
};

/* --- opening ---------------------------------------------------------------------------------- */

static int
check_version(const char *path, int64_t version, struct err *e)
{
	if (version == 0)
		return err_set(e,
		    "the database %s is empty: airisd was stopped while it made it; the next start "
		    "goes on",
		    path);
	if (version < store_migrations_count)
		return err_set(e,
		    "the database %s has version %lld and this airisd reads version %d: start it "
		    "once, it makes a copy and brings the database forward; or use the airisd that "
		    "wrote it",
		    path, (long long)version, store_migrations_count);
	return 0;
}

static int
open_reader(struct store_view *view, struct err *e)
{
	int64_t version;

	if (access(view->path, F_OK) != 0)
		return err_set(e, "there is no database %s", view->path);
	if (store_schema_look(view->path, store_migrations_count, e) != 0)
		return -1;
	if (store_reader_open(view->path, NULL, PAGE_MS, &view->reader, e) != 0)
		return -1;
	view->db = store_reader_db(view->reader);
	if (store_schema_identify(view->db, view->path, store_migrations_count, &version, e) != 0)
		return -1;
	return check_version(view->path, version, e);
}

struct store_view *
store_view_open(const char *path, struct err *e)
{
	struct store_view *view = mem_alloc(sizeof(*view));

	view->path = mem_strdup(path);
	if (open_reader(view, e) == 0)
		return view;
	store_view_close(view);
	return NULL;
}

void
store_view_close(struct store_view *view)
{
	if (view == NULL)
		return;
	store_reader_close(view->reader);
	free(view->path);
	free(view);
}

/* --- copying and reading ---------------------------------------------------------------------- */

int
store_view_copy(struct store_view *view, const char *to, struct err *e)
{
	if (store_backup_allowed(view->path, to, e) != 0)
		return -1;
	/* The database stays read-only by how it was opened; the copy is not. */
	if (store_db_run(view->db, "PRAGMA query_only = OFF", e) != 0 ||
	    store_backup(view->db, to, e) != 0)
		return err_wrap(e, "copying %s to %s", view->path, to);
	return 0;
}

int
store_view_freeze(struct store_view *view, struct err *e)
{
	int64_t count;

	if (store_db_run(view->db, "BEGIN", e) != 0)
		return -1;
	return store_view_events(view, &count, e);
}

int
store_view_events(struct store_view *view, int64_t *count, struct err *e)
{
	return store_db_number(view->db, "SELECT count(*) FROM events", count, e);
}

static int
events(void *ctx, const char *rollout, int64_t after_seq, int limit, journal_each *each,
    void *each_ctx, struct err *e)
{
	struct store_view *view = ctx;

	return store_read_events(view->reader, rollout, after_seq, limit, each, each_ctx, e);
}

static int
rollouts(void *ctx, const struct journal_filter *filter, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct store_view *view = ctx;

	return store_read_rollouts(view->reader, filter, each, each_ctx, e);
}

static int
apps(void *ctx, journal_each *each, void *each_ctx, struct err *e)
{
	struct store_view *view = ctx;

	return store_read_apps(view->reader, each, each_ctx, e);
}

struct journal_port
store_view_port(struct store_view *view)
{
	return (struct journal_port){
	    .ctx = view, .events = events, .rollouts = rollouts, .apps = apps};
}

/* --- checking --------------------------------------------------------------------------------- */

struct checking {
	void (*finding)(void *ctx, const char *text);
	void *ctx;
	int count;
};

static void
find(struct checking *c, const char *about, const char *text)
{
	char *line = str_format("%s%s", about, text);

	for (char *at = line; (at = strchr(at, '\n')) != NULL;)
		*at = ' ';
	c->finding(c->ctx, line);
	c->count++;
	free(line);
}

/* Each row of the answer is a finding, but "ok". */
static void
ask(struct store_view *view, struct checking *c, const char *about, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	const char *text;
	struct err e;
	int code;

	if (store_db_prepare(view->db, sql, &statement, &e) != 0) {
		find(c, about, e.text);
		return;
	}
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(statement, 0);
		if (text == NULL || strcmp(text, "ok") != 0)
			find(c, about, text == NULL ? "?" : text);
	}
	if (code != SQLITE_DONE) {
		store_db_error(view->db, &e);
		find(c, about, e.text);
	}
	sqlite3_finalize(statement);
}

static void
ask_audit(struct store_view *view, struct checking *c)
{
	int64_t last;
	struct err why;

	if (!store_audit_check(view->db, 0, &last, &why))
		find(c, "the audit: ", why.text);
}

int
store_view_check(struct store_view *view, void (*finding)(void *ctx, const char *text), void *ctx)
{
	struct checking c = {.finding = finding, .ctx = ctx};

	ask(view, &c, "the file: ", "PRAGMA integrity_check(20)");
	ask(view, &c, "a row without what it belongs to: table ", "PRAGMA foreign_key_check");
	ask(view, &c, "events of a rollout that is in no list: ",
	    "SELECT DISTINCT rollout FROM events NOT INDEXED WHERE rollout NOT IN"
	    " (SELECT rollout FROM rollouts) LIMIT 20");
	ask(view, &c, "not JSON: release ",
	    "SELECT app || '/' || number FROM releases WHERE NOT json_valid(data) LIMIT 20");
	ask(view, &c, "kept for a rollout that is in no list: Idempotency-Key ",
	    "SELECT key FROM keys WHERE answer NOT IN (SELECT rollout FROM rollouts) LIMIT 20");
	ask_audit(view, &c);
	return c.count;
}
