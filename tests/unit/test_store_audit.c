/* The audit in the database: the chain holds whatever fails, and shows what was done to it. */
#include "test_store.h"
#include "fault_vfs.h"

#include "store/audit.h"

static const struct store_settings plain = {.vfs = NULL};
static const struct store_settings failing = {.vfs = FAULT_VFS, .probe_ms = 1};

static struct journal_write
audit(const struct chain_row *row)
{
	return (struct journal_write){.kind = JOURNAL_AUDIT, .audit = row};
}

static bool
put_row(struct bench *b, const char *what)
{
	struct chain_row row = {.at_ms = 7000, .who = "ann", .what = what, .app = "web"};
	struct journal_write writes[] = {event("r-1", what), audit(&row)};

	return bench_write(b, writes, 2);
}

/* As another program sees it. The number of rows, or -1 and why. */
static int64_t
check(struct bench *b, struct err *why)
{
	sqlite3 *db;
	int64_t last;
	bool holds;

	assert_int_equal(sqlite3_open_v2(b->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	holds = store_audit_check(db, 0, &last, why);
	sqlite3_close(db);
	return holds ? last : -1;
}

static void
expect_rows(struct bench *b, int64_t rows)
{
	struct err why;
	int64_t found = check(b, &why);

	if (found < 0)
		fail_msg("%s", why.text);
	assert_int_equal(found, rows);
	assert_int_equal(file_number(b->path, "SELECT count(*) FROM audit"), rows);
}

static void
tamper(struct bench *b, const char *sql)
{
	assert_int_equal(file_run(b->path, "DROP TRIGGER audit_no_update;"
					   "DROP TRIGGER audit_no_delete"),
	    SQLITE_OK);
	assert_int_equal(file_run(b->path, sql), SQLITE_OK);
}

static void
expect_broken(struct bench *b, const char *text)
{
	struct err why;

	assert_int_equal(check(b, &why), -1);
	if (strstr(why.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, text);
}

struct found {
	struct str text;
	int count;
};

static bool
add_row(void *ctx, const struct journal_audit *row)
{
	struct found *found = ctx;

	str_addf(&found->text, "%lld:%s ", (long long)row->row.seq, row->row.what);
	found->count++;
	return true;
}

static void
expect_read(struct bench *b, const struct journal_audit_filter *filter, const char *expected)
{
	struct found found = {.count = 0};
	struct err e;

	if (b->port.audit(b->port.ctx, filter, add_row, &found, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(str_text(&found.text), expected);
	str_done(&found.text);
}

static void
test_chain(void **state)
{
	struct bench *b = *state;
	struct journal_head head;
	struct err e;

	bench_must_open(b, plain);
	assert_int_equal(b->port.audit_head(b->port.ctx, &head, &e), 0);
	assert_int_equal(head.seq, 0);
	assert_true(put_row(b, "start"));
	assert_true(put_row(b, "abort"));
	expect_rows(b, 3);
	expect_read(b, &(struct journal_audit_filter){.limit = 10}, "1:begin 2:start 3:abort ");
	assert_int_equal(b->port.audit_head(b->port.ctx, &head, &e), 0);
	assert_int_equal(head.seq, 3);
	bench_close(b);
	bench_must_open(b, plain); /* it goes on where it was */
	assert_true(put_row(b, "start"));
	expect_rows(b, 4);
	assert_int_equal(file_run(b->path, "UPDATE audit SET why = 'x'"), SQLITE_CONSTRAINT);
	assert_int_equal(file_run(b->path, "DELETE FROM audit"), SQLITE_CONSTRAINT);
}

static void
test_filters(void **state)
{
	static const char *const apps[] = {"web", "api"}, *const people[] = {"ann", "airisd"};
	struct bench *b = *state;
	char what[2] = "a";

	bench_must_open(b, plain);
	for (int i = 0; i < 8; i++, what[0]++) {
		struct chain_row row = {.who = people[i / 4],
		    .what = what,
		    .app = apps[i % 2],
		    .rollout = i == 3 || i == 5 ? "r-1" : ""};
		struct journal_write write = audit(&row);
		assert_true(bench_write(b, &write, 1));
	}
#define READ(expected, ...) expect_read(b, &(struct journal_audit_filter){__VA_ARGS__}, expected)
	READ("2:a 4:c 6:e 8:g ", .app = "web", .limit = 20);
	READ("8:g 6:e ", .app = "web", .before = 9, .limit = 2);
	READ("6:e 8:g ", .app = "web", .after = 4, .limit = 20);
	READ("5:d 7:f ", .rollout = "r-1", .limit = 20);
	READ("5:d ", .rollout = "r-1", .who = "ann", .limit = 20);
	READ("7:f ", .rollout = "r-1", .who = "airisd", .app = "api", .limit = 20);
	READ("2:a 3:b 4:c 5:d ", .who = "ann", .limit = 20);
	READ("9:h 8:g 7:f 6:e 1:begin ", .who = "airisd", .before = INT64_MAX, .limit = 20);
	READ("", .who = "nobody", .limit = 20);
	assert_int_equal(b->port.audit(b->port.ctx, &(struct journal_audit_filter){.limit = 0},
			     add_row, NULL, &(struct err){0}),
	    -1);
}

/* A batch that fails alone takes its rows back, and those around it are chained to each other. */
static void
test_a_batch_that_fails_alone(void **state)
{
	struct bench *b = *state;
	struct chain_row row = {.who = "ann", .what = "x"};
	struct journal_write good[] = {audit(&row), release("web", 1, "{}")};
	struct journal_write bad[] = {audit(&row), audit(&row), release("web", 1, "{}")};
	struct journal_write last[] = {audit(&row), audit(&row)};

	bench_must_open(b, plain);
	bench_put(b, good, 2, 0);
	bench_put(b, bad, 3, 1);
	bench_put(b, last, 2, 2);
	bench_run_until(b, 3);
	assert_int_equal(b->failed, 1);
	expect_rows(b, 4);
}

/* The first of all that fails takes the beginning back, too. */
static void
test_the_first_batch_fails(void **state)
{
	struct bench *b = *state;
	struct chain_row row = {.who = "ann", .what = "x"};
	struct journal_write bad[] = {audit(&row), {.kind = JOURNAL_RELEASE, .key = "web"}};

	bench_must_open(b, plain);
	assert_false(bench_write(b, bad, 2));
	expect_rows(b, 0);
	assert_true(put_row(b, "start"));
	expect_rows(b, 2);
}

/* Whichever write or sync fails, and however often: what is there is a chain. */
static void
test_a_disk_that_fails(void **state)
{
	struct bench *b = *state;
	int written = 0;

	bench_must_open(b, failing);
	assert_true(put_row(b, "first"));
	for (int k = 0; k < 24; k++) {
		fault.hits = 0;
		fault.code = k % 3 == 0 ? SQLITE_FULL : SQLITE_IOERR;
		fault.lasting = k % 2 == 0;
		*(k % 4 < 2 ? &fault.writes_left : &fault.syncs_left) = k / 8;
		for (int i = 0; i < 4; i++)
			written += put_row(b, "e");
		fault_none();
		while (!put_row(b, "back")) {
			/* until the next probe */
		}
		written++;
		expect_rows(b, 2 + written);
	}
	bench_close(b);
	bench_must_open(b, failing);
	assert_true(put_row(b, "last"));
	expect_rows(b, 3 + written);
}

/* A database from before there was an audit. */
static void
test_upgrade(void **state)
{
	struct bench *b = *state;
	struct err e;
	int before = store_migrations_count;

	while (before > 0 && strstr(store_migrations[before - 1].sql, "TABLE audit") == NULL)
		before--;
	assert_true(before > 0);
	assert_false(bench_open(b,
	    (struct store_settings){.migrations = store_migrations, .migration_count = before - 1},
	    &e));
	assert_int_equal(file_run(b->path, "INSERT INTO events (seq, rollout, at_ms, kind, data)"
					   " VALUES (41, 'r-1', 1, 'created', '{}')"),
	    SQLITE_OK);
	bench_must_open(b, plain);
	assert_true(put_row(b, "abort"));
	expect_rows(b, 2);
	assert_int_equal(file_number(b->path,
			     "SELECT count(*) FROM audit WHERE seq = 1 AND what = 'begin'"
			     " AND who = 'airisd' AND detail LIKE 'events up to 41 are from %'"),
	    1);
}

/* Who computes the chain elsewhere gets every row that there is. */
static void
expect_all_told(struct bench *b)
{
	const struct journal_audit_filter all = {.limit = 1000};
	struct found found = {.count = 0};
	struct err e;

	str_init(&found.text, 0);
	assert_int_equal(b->port.audit(b->port.ctx, &all, add_row, &found, &e), 0);
	str_done(&found.text);
	assert_int_equal(found.count, file_number(b->path, "SELECT count(*) FROM audit"));
}

static void
test_tampering(void **state)
{
	static const struct {
		const char *sql, *found;
	} cases[] = {
	    {"UPDATE audit SET who = 'bob' WHERE seq = 5", "row 5 was changed"},
	    {"UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 2", "row 2 was changed"},
	    {"UPDATE audit SET hash = zeroblob(32) WHERE seq = 9", "row 9 was changed"},
	    {"DELETE FROM audit WHERE seq = 4", "row 4 is missing"},
	    {"DELETE FROM audit WHERE seq = 1", "row 1 is missing"},
	    {"UPDATE audit SET seq = 100 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 7;"
	     "UPDATE audit SET seq = 7 WHERE seq = 100",
		"row 6 was changed"},
	    {"INSERT INTO audit SELECT 10, at_ms, 'eve', id, origin, what, cluster, namespace, app,"
	     " rollout, detail, why, outcome, hash FROM audit WHERE seq = 9",
		"row 10 was changed"},
	    {"INSERT INTO audit SELECT 0, at_ms, 'eve', id, origin, what, cluster, namespace, app,"
	     " rollout, detail, why, outcome, hash FROM audit WHERE seq = 9",
		"after row 0 comes 0"},
	    {"INSERT INTO audit SELECT -7, at_ms, 'eve', id, origin, what, cluster, namespace, app,"
	     " rollout, detail, why, outcome, hash FROM audit WHERE seq = 9",
		"after row 0 comes -7"},
	    {"UPDATE identity SET value = '0123456789abcdef0123456789abcdef'", "row 1 was changed"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *own = NULL;
		bench_setup(&own);
		struct bench *b = own;
		bench_must_open(b, plain);
		for (int k = 0; k < 8; k++)
			assert_true(put_row(b, "e"));
		bench_close(b);
		expect_rows(b, 9);
		assert_int_equal(file_run(b->path, "DROP TRIGGER identity_no_update"), SQLITE_OK);
		tamper(b, cases[i].sql);
		expect_broken(b, cases[i].found);
		/* airisd goes on all the same: traffic is not left alone for this. */
		bench_must_open(b, plain);
		expect_all_told(b);
		assert_true(put_row(b, "e"));
		expect_broken(b, cases[i].found);
		bench_teardown(&own);
	}
}

/* The last row goes while airisd runs: the next one is not chained to what is left. */
static void
test_tampering_while_it_runs(void **state)
{
	struct bench *b = *state;

	bench_must_open(b, plain);
	assert_true(put_row(b, "a") && put_row(b, "b"));
	tamper(b, "DELETE FROM audit WHERE seq = 3");
	assert_true(put_row(b, "c"));
	expect_broken(b, "row 3 is missing");
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_bench(test_chain),
	    with_bench(test_filters),
	    with_bench(test_a_batch_that_fails_alone),
	    with_bench(test_the_first_batch_fails),
	    with_bench(test_a_disk_that_fails),
	    with_bench(test_upgrade),
	    cmocka_unit_test(test_tampering),
	    with_bench(test_tampering_while_it_runs),
	};

	fault_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
