/* Reading. Always true: every statement has a LIMIT and follows an index; one that is at work is
 * not used a second time (a read within a read of the same kind prepares its own). */
#include "store/reader.h"

#include <stdlib.h>
#include <time.h>
#include "base/mem.h"
#include "base/str.h"
#include "store/connection.h"

#define PAGE 1000			  /* rows in one read transaction */
#define STEPS_BETWEEN_LOOKS 1000	  /* of SQLite's machine; some 10 us */
#define AFTER_ALL_TEXT "\xf4\x8f\xbf\xbf" /* U+10FFFF, larger than any key */

enum ask { EVENTS_OF_ALL, EVENTS, APPS, RELEASES, KEY, TOKENS, OUTBOX, OUTBOX_NEXT, ROLLOUTS };
enum {
	BY_APP = 1,
	BY_PHASE = 2,
	BY_CLUSTER = 4,
	LIVE = 8,
	FILTERS = 16,
	ASKS = ROLLOUTS + FILTERS
};

/* Columns, the same for all: the cursor, then those of struct journal_row. Places: 1 the cursor,
 * 2 the limit, 3 and more what is asked for. */
static const char *const texts[ROLLOUTS] = {
    [EVENTS_OF_ALL] = "SELECT seq, seq, at_ms, 0, rollout, NULL, NULL, kind, data, actor, 0"
		      " FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [EVENTS] = "SELECT seq, seq, at_ms, 0, rollout, NULL, NULL, kind, data, actor, 0"
	       " FROM events WHERE rollout = ?3 AND seq > ?1 ORDER BY seq LIMIT ?2",
    [APPS] = "SELECT app, 0, at_ms, 0, app, NULL, NULL, NULL, data, actor, 0"
	     " FROM apps WHERE app > ?1 ORDER BY app LIMIT ?2",
    [RELEASES] = "SELECT number, 0, at_ms, number, app, NULL, NULL, NULL, data, actor, 0"
		 " FROM releases WHERE app = ?3 AND number < ?1 ORDER BY number DESC LIMIT ?2",
    [KEY] = "SELECT key, 0, at_ms, 0, key, NULL, NULL, request, answer, NULL, 0"
	    " FROM keys WHERE key = ?1 LIMIT ?2",
    [TOKENS] = "SELECT token, 0, at_ms, used_ms, token, NULL, NULL, NULL, data, actor, 0"
	       " FROM tokens WHERE token > ?1 ORDER BY token LIMIT ?2",
    [OUTBOX] = "SELECT seq, seq, at_ms, 0, rollout, hook, NULL, event, data, delivery, 0"
	       " FROM outbox WHERE hook = ?3 AND seq > ?1 ORDER BY seq LIMIT ?2",
    [OUTBOX_NEXT] = "SELECT hook, seq, at_ms, 0, rollout, hook, NULL, event, data, delivery, 0"
		    " FROM outbox WHERE hook > ?1 ORDER BY hook, seq LIMIT ?2",
};

struct store_reader {
	sqlite3 *db;
	int64_t page_us;
	int64_t deadline_us; /* of the step at work, on the monotonic clock */
	sqlite3_stmt *statements[ASKS];
};

struct question {
	int ask;
	const char *text_cursor; /* NULL: number_cursor is it */
	int64_t number_cursor;
	const char *values[4]; /* places 3 to 6; NULL: none */
	int limit;	       /* 0: all */
	journal_each *each;
	void *ctx;
};

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
is_late(void *ctx)
{
	struct store_reader *reader = ctx;

	return now_us() > reader->deadline_us;
}

int
store_reader_open(
    const char *path, const char *vfs, int64_t page_ms, struct store_reader **reader, struct err *e)
{
	struct store_reader *made = mem_alloc(sizeof(*made));

	made->page_us = page_ms * 1000;
	made->deadline_us = INT64_MAX;
	if (store_db_open(path, vfs, STORE_READ, &made->db, e) != 0) {
		free(made);
		return err_wrap(e, "cannot open the database %s for reading", path);
	}
	sqlite3_progress_handler(made->db, STEPS_BETWEEN_LOOKS, is_late, made);
	*reader = made;
	return 0;
}

void
store_reader_close(struct store_reader *reader)
{
	if (reader == NULL)
		return;
	for (int i = 0; i < ASKS; i++)
		sqlite3_finalize(reader->statements[i]);
	store_db_close(reader->db);
	free(reader);
}

sqlite3 *
store_reader_db(struct store_reader *reader)
{
	return reader->db;
}

void
store_reader_begin(struct store_reader *reader)
{
	reader->deadline_us = now_us() + reader->page_us;
}

/* A plus sign keeps SQLite from using that column's index: the first filter that is there, from the
 * narrowest on, chooses the index; the others only look at what it gives. */
static char *
rollouts_text(int filters)
{
	bool indexed = (filters & LIVE) != 0;
	struct str sql;

	str_init(&sql, 0);
	str_add(&sql, "SELECT rollout, 0, at_ms, release, rollout, app, cluster, phase, data, NULL,"
		      " final FROM rollouts WHERE rollout < ?6");
	str_add(&sql, filters & LIVE ? " AND final = 0 AND rollout > ?1" : " AND rollout < ?1");
	if (filters & BY_APP)
		str_addf(&sql, " AND %sapp = ?3", indexed ? "+" : "");
	indexed = indexed || filters & BY_APP;
	if (filters & BY_PHASE)
		str_addf(&sql, " AND %sphase = ?4", indexed ? "+" : "");
	indexed = indexed || filters & BY_PHASE;
	if (filters & BY_CLUSTER)
		str_addf(&sql, " AND %scluster = ?5", indexed ? "+" : "");
	str_add(&sql,
	    filters & LIVE ? " ORDER BY rollout LIMIT ?2" : " ORDER BY rollout DESC LIMIT ?2");
	return str_take(&sql);
}

static int
prepare(struct store_reader *reader, int ask, sqlite3_stmt **statement, struct err *e)
{
	char *sql = ask < ROLLOUTS ? mem_strdup(texts[ask]) : rollouts_text(ask - ROLLOUTS);
	int result = store_db_prepare(reader->db, sql, statement, e);

	free(sql);
	return result;
}

/* The kept statement, or one of its own if that is at work. Given back with give_back. */
static int
borrow(struct store_reader *reader, int ask, sqlite3_stmt **statement, struct err *e)
{
	sqlite3_stmt **kept = &reader->statements[ask];

	if (*kept == NULL && prepare(reader, ask, kept, e) != 0)
		return -1;
	if (sqlite3_stmt_busy(*kept))
		return prepare(reader, ask, statement, e);
	*statement = *kept;
	return 0;
}

static void
give_back(struct store_reader *reader, int ask, sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	if (statement != reader->statements[ask])
		sqlite3_finalize(statement);
}

static const char *
column(sqlite3_stmt *statement, int at)
{
	return (const char *)sqlite3_column_text(statement, at);
}

static struct journal_row
row_of(sqlite3_stmt *s)
{
	return (struct journal_row){
	    .seq = sqlite3_column_int64(s, 1),
	    .at_ms = sqlite3_column_int64(s, 2),
	    .number = sqlite3_column_int64(s, 3),
	    .key = column(s, 4),
	    .app = column(s, 5),
	    .cluster = column(s, 6),
	    .name = column(s, 7),
	    .text = column(s, 8),
	    .actor = column(s, 9),
	    .final = sqlite3_column_int(s, 10) != 0,
	};
}

/* One step; its time is taken from what is left for the page. What is called between the steps may
 * read too, with time of its own. */
static int
timed_step(struct store_reader *reader, sqlite3_stmt *statement, int64_t *left_us)
{
	int64_t started = now_us();
	int code;

	reader->deadline_us = started + *left_us;
	code = sqlite3_step(statement);
	*left_us -= now_us() - started;
	return code;
}

int
store_reader_error(struct store_reader *reader, int code, struct err *e)
{
	if ((code & 0xff) == SQLITE_INTERRUPT)
		return err_set(e,
		    "reading took more than %lld ms and was given up; ask for less (a smaller "
		    "limit, "
		    "or another filter)",
		    (long long)(reader->page_us / 1000));
	store_db_error(reader->db, e);
	return err_wrap(e, "reading the database");
}

struct page {
	int limit, rows;
	bool enough;	       /* each said so */
	sqlite3_value *cursor; /* of the last row, when the page is full; owned */
};

static int
read_page(struct store_reader *reader, const struct question *q, sqlite3_stmt *statement,
    struct page *page, struct err *e)
{
	int64_t left_us = reader->page_us;
	struct journal_row row;
	int code = SQLITE_ROW;

	while (!page->enough && page->rows < page->limit) {
		code = timed_step(reader, statement, &left_us);
		if (code != SQLITE_ROW)
			break;
		row = row_of(statement);
		if (++page->rows == page->limit)
			page->cursor = sqlite3_value_dup(sqlite3_column_value(statement, 0));
		page->enough = !q->each(q->ctx, &row);
	}
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : store_reader_error(reader, code, e);
}

static int
bind_question(const struct question *q, sqlite3_stmt *statement)
{
	int places = sqlite3_bind_parameter_count(statement);
	int code = q->text_cursor == NULL
		       ? sqlite3_bind_int64(statement, 1, q->number_cursor)
		       : sqlite3_bind_text(statement, 1, q->text_cursor, -1, SQLITE_STATIC);

	for (int place = 3; code == SQLITE_OK && place <= places; place++)
		code = sqlite3_bind_text(statement, place, q->values[place - 3], -1, SQLITE_STATIC);
	return code;
}

static int
read_pages(
    struct store_reader *reader, const struct question *q, sqlite3_stmt *statement, struct err *e)
{
	int left = q->limit, result = 0;
	struct page page = {0};

	do {
		page.limit = q->limit == 0 || left > PAGE ? PAGE : left;
		page.rows = 0;
		sqlite3_bind_int(statement, 2, page.limit);
		if (page.cursor != NULL) {
			sqlite3_bind_value(statement, 1, page.cursor);
			sqlite3_value_free(page.cursor);
			page.cursor = NULL;
		}
		result = read_page(reader, q, statement, &page, e);
		sqlite3_reset(statement);
		left -= page.rows;
	} while (result == 0 && !page.enough && page.cursor != NULL && (q->limit == 0 || left > 0));
	sqlite3_value_free(page.cursor);
	return result;
}

static int
answer(struct store_reader *reader, const struct question *q, struct err *e)
{
	sqlite3_stmt *statement;
	int code, result;

	if (q->limit < 0)
		return err_set(e, "a limit of %d: must be 0 (all) or more", q->limit);
	if (borrow(reader, q->ask, &statement, e) != 0)
		return -1;
	code = bind_question(q, statement);
	result = code == SQLITE_OK ? read_pages(reader, q, statement, e)
				   : store_reader_error(reader, code, e);
	give_back(reader, q->ask, statement);
	return result;
}

int
store_read_events(struct store_reader *reader, const char *rollout, int64_t after_seq, int limit,
    journal_each *each, void *each_ctx, struct err *e)
{
	struct question q = {.ask = rollout == NULL ? EVENTS_OF_ALL : EVENTS,
	    .number_cursor = after_seq,
	    .values = {rollout},
	    .limit = limit,
	    .each = each,
	    .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_rollouts(struct store_reader *reader, const struct journal_filter *filter,
    journal_each *each, void *each_ctx, struct err *e)
{
	int filters = (filter->app != NULL ? BY_APP : 0) | (filter->phase != NULL ? BY_PHASE : 0) |
		      (filter->cluster != NULL ? BY_CLUSTER : 0) | (filter->live ? LIVE : 0);
	struct question q = {.ask = ROLLOUTS + filters,
	    .text_cursor = filter->live ? "" : AFTER_ALL_TEXT,
	    .values = {filter->app, filter->phase, filter->cluster,
		filter->before != NULL ? filter->before : AFTER_ALL_TEXT},
	    .limit = filter->limit,
	    .each = each,
	    .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_apps(struct store_reader *reader, journal_each *each, void *each_ctx, struct err *e)
{
	struct question q = {.ask = APPS, .text_cursor = "", .each = each, .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_releases(struct store_reader *reader, const char *app, int before, int limit,
    journal_each *each, void *each_ctx, struct err *e)
{
	struct question q = {.ask = RELEASES,
	    .number_cursor = before > 0 ? before : INT64_MAX,
	    .values = {app},
	    .limit = limit,
	    .each = each,
	    .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_key(
    struct store_reader *reader, const char *key, journal_each *each, void *each_ctx, struct err *e)
{
	struct question q = {
	    .ask = KEY, .text_cursor = key, .limit = 1, .each = each, .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_tokens(struct store_reader *reader, journal_each *each, void *each_ctx, struct err *e)
{
	struct question q = {.ask = TOKENS, .text_cursor = "", .each = each, .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_outbox(struct store_reader *reader, const char *hook, int64_t after, int limit,
    journal_each *each, void *each_ctx, struct err *e)
{
	struct question q = {.ask = OUTBOX,
	    .number_cursor = after,
	    .values = {hook},
	    .limit = limit,
	    .each = each,
	    .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_outbox_next(struct store_reader *reader, const char *hook, journal_each *each,
    void *each_ctx, struct err *e)
{
	struct question q = {
	    .ask = OUTBOX_NEXT, .text_cursor = hook, .limit = 1, .each = each, .ctx = each_ctx};

	return answer(reader, &q, e);
}

int
store_read_outbox_count(
    struct store_reader *reader, const char *hook, int64_t *count, struct err *e)
{
	sqlite3_stmt *statement;
	int code;

	if (store_db_prepare(reader->db,
		"SELECT count(*) FROM (SELECT 1 FROM outbox WHERE hook = ?1 LIMIT ?2)", &statement,
		e) != 0)
		return -1;
	sqlite3_bind_text(statement, 1, hook, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 2, JOURNAL_OUTBOX_COUNT);
	store_reader_begin(reader);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*count = sqlite3_column_int64(statement, 0);
	else
		store_reader_error(reader, code, e);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : -1;
}

int
store_read_last_seq(struct store_reader *reader, int64_t *seq, struct err *e)
{
	store_reader_begin(reader);
	return store_db_number(reader->db, "SELECT coalesce(max(seq), 0) FROM events", seq, e);
}

int
store_read_identity(struct store_reader *reader, char *to, size_t size, struct err *e)
{
	store_reader_begin(reader);
	return store_db_text(reader->db, "SELECT value FROM identity WHERE id = 1", to, size, e);
}
