/* What the store's tests share: a folder of its own for each, a loop, and appending that waits. */
#ifndef TESTS_UNIT_TEST_STORE_H
#define TESTS_UNIT_TEST_STORE_H

#include "unit.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "store/store.h"

struct bench {
	char folder[64], path[80];
	struct loop *loop;
	struct store *store;
	struct journal_port port;
	int reported, failed; /* batches */
	uint64_t order[64];   /* tickets of the first reports */
	char why[1024];	      /* of the last failure */
	int stop_at;	      /* reports that end loop_run */
};

__attribute__((unused)) static void
bench_path(struct bench *b, const char *suffix, char *to, size_t size)
{
	assert_true(str_print(to, size, "%s%s", b->path, suffix));
}

__attribute__((unused)) static bool
bench_open(struct bench *b, struct store_settings settings, struct err *e)
{
	settings.path = b->path;
	b->store = store_open(&settings, b->loop, e);
	if (b->store != NULL)
		b->port = store_port(b->store);
	return b->store != NULL;
}

__attribute__((unused)) static void
bench_must_open(struct bench *b, struct store_settings settings)
{
	struct err e;

	if (!bench_open(b, settings, &e))
		fail_msg("%s", e.text);
}

__attribute__((unused)) static void
bench_close(struct bench *b)
{
	store_close(b->store);
	b->store = NULL;
}

__attribute__((unused)) static int
bench_setup(void **state)
{
	struct bench *b = mem_alloc(sizeof(*b));

	str_copy(b->folder, sizeof(b->folder), "/tmp/airis-store-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	str_print(b->path, sizeof(b->path), "%s/db", b->folder);
	b->loop = loop_new();
	*state = b;
	return 0;
}

__attribute__((unused)) static int
bench_teardown(void **state)
{
	struct bench *b = *state;
	DIR *folder = opendir(b->folder);
	struct dirent *entry;

	store_close(b->store);
	loop_free(b->loop);
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(b->folder);
	free(b);
	return 0;
}

__attribute__((unused)) static void
bench_done(void *ctx, uint64_t ticket, bool ok, const char *why)
{
	struct bench *b = ctx;

	if (b->reported < (int)(sizeof(b->order) / sizeof(b->order[0])))
		b->order[b->reported] = ticket;
	b->reported++;
	if (!ok) {
		b->failed++;
		assert_non_null(why);
		str_copy(b->why, sizeof(b->why), why);
	}
	if (b->reported == b->stop_at)
		loop_stop(b->loop);
}

__attribute__((unused)) static void
bench_put(struct bench *b, struct journal_write *writes, int count, uint64_t ticket)
{
	b->port.append(b->port.ctx, writes, count, bench_done, b, ticket);
}

/* Runs the loop until that many batches are reported in all. */
__attribute__((unused)) static void
bench_run_until(struct bench *b, int reported)
{
	b->stop_at = reported;
	if (b->reported < reported)
		loop_run(b->loop);
	assert_int_equal(b->reported, reported);
}

/* Appends one batch and waits for its report. */
__attribute__((unused)) static bool
bench_write(struct bench *b, struct journal_write *writes, int count)
{
	int failed = b->failed;

	bench_put(b, writes, count, 0);
	bench_run_until(b, b->reported + 1);
	return b->failed == failed;
}

__attribute__((unused)) static struct journal_write
event(const char *rollout, const char *kind)
{
	return (struct journal_write){.kind = JOURNAL_EVENT,
	    .key = rollout,
	    .name = kind,
	    .text = "{\"a\":1}",
	    .actor = "ann",
	    .at_ms = 1000};
}

__attribute__((unused)) static struct journal_write
release(const char *app, int number, const char *text)
{
	return (struct journal_write){
	    .kind = JOURNAL_RELEASE, .key = app, .number = number, .text = text, .at_ms = 5};
}

/* Reading into a list of lines, one per row. */
struct rows {
	struct str text;
	int count, enough; /* enough: stop after so many; 0: never */
	int64_t last;	   /* seq or number of the last */
};

__attribute__((unused)) static bool
rows_each(void *ctx, const struct journal_row *row)
{
	struct rows *rows = ctx;

	str_addf(&rows->text, "%s|%lld|%lld|%s|%s|%s|%s|%s|%d\n", row->key, (long long)row->at_ms,
	    (long long)row->number, row->app ? row->app : "-", row->cluster ? row->cluster : "-",
	    row->name ? row->name : "-", row->text, row->actor ? row->actor : "-", row->final);
	rows->last = row->seq != 0 ? row->seq : row->number;
	return ++rows->count != rows->enough;
}

/* One number from the file, read by a connection of the test's own. */
__attribute__((unused)) static int64_t
file_number(const char *path, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t value;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

/* Runs SQL in the file from outside; the result code. */
__attribute__((unused)) static int
file_run(const char *path, const char *sql)
{
	sqlite3 *db;
	int code;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return code;
}

#endif
