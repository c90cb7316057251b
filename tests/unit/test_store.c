/* The store through its socket: what goes in comes out, in order, whole or not at all. */
#include "test_store.h"

#include <time.h>

static const struct store_settings plain;

static void
test_events_come_back(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[] = {
	    event("r-1", "started"), event("r-2", "started"), event("r-1", "weight")};
	struct rows rows = {0};

	bench_must_open(b, plain);
	assert_int_equal(b->port.last_seq(b->port.ctx), 0);
	writes[2].actor = NULL;
	assert_true(bench_write(b, writes, 3));
	assert_int_equal(writes[0].number, 1);
	assert_int_equal(writes[2].number, 3);
	assert_int_equal(b->port.last_seq(b->port.ctx), 3);

	assert_int_equal(b->port.events(b->port.ctx, "r-1", 0, 0, rows_each, &rows, NULL), 0);
	assert_string_equal(str_text(&rows.text),
	    "r-1|1000|0|-|-|started|{\"a\":1}|ann|0\nr-1|1000|0|-|-|weight|{\"a\":1}|-|0\n");
	assert_int_equal(rows.last, 3);
	rows.count = 0;
	assert_int_equal(b->port.events(b->port.ctx, NULL, 1, 0, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 2);
	rows.count = 0;
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 1, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 1);
	assert_int_equal(rows.last, 1);
	str_done(&rows.text);
}

/* The numbers go on after a restart, and what was written is there. */
static void
test_reopen(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "started");
	struct store_stats stats;

	bench_must_open(b, plain);
	assert_true(bench_write(b, &write, 1));
	store_stats(b->store, &stats);
	assert_true(stats.wal_bytes > 0 && stats.db_bytes > 0);
	bench_close(b);
	bench_must_open(b, plain);
	assert_int_equal(b->port.last_seq(b->port.ctx), 1);
	assert_true(bench_write(b, &write, 1));
	assert_int_equal(write.number, 2);
}

/* The texts belong to the store from append on, and the report comes in a later turn. */
static void
test_append_copies_and_is_asynchronous(void **state)
{
	struct bench *b = *state;
	char key[] = "r-1";
	struct journal_write write = event(key, "started");
	struct rows rows = {0};

	bench_must_open(b, plain);
	bench_put(b, &write, 1, 7);
	key[0] = 'x';
	assert_int_equal(b->reported, 0);
	bench_run_until(b, 1);
	assert_int_equal(b->order[0], 7);
	assert_int_equal(b->port.events(b->port.ctx, "r-1", 0, 0, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 1);
	str_done(&rows.text);
}

static struct journal_write
rollout(const char *id, const char *app, const char *phase, bool final)
{
	return (struct journal_write){.kind = JOURNAL_ROLLOUT,
	    .key = id,
	    .app = app,
	    .cluster = "c1",
	    .name = phase,
	    .text = "{}",
	    .number = 4,
	    .at_ms = 9,
	    .final = final};
}

static const char *
listed(struct bench *b, struct journal_filter filter, struct rows *rows)
{
	str_done(&rows->text);
	*rows = (struct rows){0};
	assert_int_equal(b->port.rollouts(b->port.ctx, &filter, rows_each, rows, NULL), 0);
	return str_text(&rows->text);
}

static void
test_rollouts(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[] = {rollout("r-1", "web", "stepping", false),
	    rollout("r-2", "api", "stepping", false), rollout("r-3", "web", "held", false),
	    rollout("r-2", "api", "succeeded", true)};
	struct rows rows = {0};

	bench_must_open(b, plain);
	assert_true(bench_write(b, writes, 4));
	assert_string_equal(listed(b, (struct journal_filter){.limit = 2}, &rows),
	    "r-3|9|4|web|c1|held|{}|-|0\nr-2|9|4|api|c1|succeeded|{}|-|1\n");
	assert_string_equal(listed(b, (struct journal_filter){.before = "r-2"}, &rows),
	    "r-1|9|4|web|c1|stepping|{}|-|0\n");
	assert_string_equal(
	    listed(b, (struct journal_filter){.app = "web", .phase = "stepping"}, &rows),
	    "r-1|9|4|web|c1|stepping|{}|-|0\n");
	assert_string_equal(listed(b, (struct journal_filter){.live = true}, &rows),
	    "r-1|9|4|web|c1|stepping|{}|-|0\nr-3|9|4|web|c1|held|{}|-|0\n");
	assert_string_equal(
	    listed(b, (struct journal_filter){.live = true, .app = "web", .limit = 1}, &rows),
	    "r-1|9|4|web|c1|stepping|{}|-|0\n");
	assert_string_equal(listed(b, (struct journal_filter){.cluster = "c2"}, &rows), "");
	listed(b, (struct journal_filter){.cluster = "c1", .phase = "held"}, &rows);
	assert_int_equal(rows.count, 1);
	str_done(&rows.text);
}

static void
test_apps_and_releases(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[] = {{.kind = JOURNAL_APP, .key = "web", .text = "{1}"},
	    {.kind = JOURNAL_APP, .key = "api", .text = "{2}", .actor = "ann"},
	    release("web", 1, "{a}"), release("web", 2, "{b}"), release("api", 1, "{c}"),
	    {.kind = JOURNAL_APP, .key = "web", .text = "{3}"}};
	struct journal_write gone = {.kind = JOURNAL_APP, .key = "api"};
	struct rows rows = {0};

	bench_must_open(b, plain);
	assert_true(bench_write(b, writes, 6));
	assert_int_equal(b->port.apps(b->port.ctx, rows_each, &rows, NULL), 0);
	assert_string_equal(
	    str_text(&rows.text), "api|0|0|-|-|-|{2}|ann|0\nweb|0|0|-|-|-|{3}|-|0\n");
	assert_true(bench_write(b, &gone, 1));
	str_clear(&rows.text);
	assert_int_equal(b->port.apps(b->port.ctx, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 3);
	str_clear(&rows.text);
	assert_int_equal(b->port.releases(b->port.ctx, "web", 0, 0, rows_each, &rows, NULL), 0);
	assert_string_equal(str_text(&rows.text), "web|5|2|-|-|-|{b}|-|0\nweb|5|1|-|-|-|{a}|-|0\n");
	str_clear(&rows.text);
	assert_int_equal(b->port.releases(b->port.ctx, "web", 2, 5, rows_each, &rows, NULL), 0);
	assert_string_equal(str_text(&rows.text), "web|5|1|-|-|-|{a}|-|0\n");
	str_done(&rows.text);
}

/* They come back, a use makes none of none, and a revoked one stays gone. */
static void
test_tokens(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[] = {
	    {.kind = JOURNAL_TOKEN, .key = "bbbbbbbb", .text = "{1}", .actor = "ann", .at_ms = 1},
	    {.kind = JOURNAL_TOKEN, .key = "aaaaaaaa", .text = "{2}", .at_ms = 2},
	    {.kind = JOURNAL_TOKEN, .key = "aaaaaaaa", .number = 77},
	    {.kind = JOURNAL_TOKEN, .key = "bbbbbbbb"},
	    {.kind = JOURNAL_TOKEN, .key = "bbbbbbbb", .number = 78}};
	struct rows rows = {0};

	bench_must_open(b, plain);
	assert_true(bench_write(b, writes, 3));
	bench_close(b);
	bench_must_open(b, plain);
	assert_int_equal(b->port.tokens(b->port.ctx, rows_each, &rows, NULL), 0);
	assert_string_equal(
	    str_text(&rows.text), "aaaaaaaa|2|77|-|-|-|{2}|-|0\nbbbbbbbb|1|0|-|-|-|{1}|ann|0\n");
	/* The same id again is refused, and nothing of the batch is there. */
	assert_false(bench_write(b, writes, 1));
	assert_true(bench_write(b, writes + 3, 2));
	str_clear(&rows.text);
	assert_int_equal(b->port.tokens(b->port.ctx, rows_each, &rows, NULL), 0);
	assert_string_equal(str_text(&rows.text), "aaaaaaaa|2|77|-|-|-|{2}|-|0\n");
	str_done(&rows.text);
}

/* A release is never changed, and the batch that tries is not there, not even its first write. */
static void
test_a_failing_batch_fails_alone(void **state)
{
	struct bench *b = *state;
	struct journal_write first = release("web", 1, "{a}");
	struct journal_write bad[] = {event("r-1", "bad"), release("web", 1, "{b}")};
	struct journal_write good = event("r-2", "good"), nameless = event("r-1", NULL);
	struct rows rows = {0};

	bench_must_open(b, plain);
	assert_true(bench_write(b, &first, 1));
	bench_put(b, bad, 2, 1);
	bench_put(b, &good, 1, 2);
	bench_run_until(b, 3);
	assert_int_equal(b->failed, 1);
	assert_non_null(strstr(b->why, "release 1 of app web is there already"));
	assert_true(store_healthy(b->store, NULL));
	assert_false(bench_write(b, &nameless, 1));
	assert_non_null(strstr(b->why, "NOT NULL"));
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, rows_each, &rows, NULL), 0);
	assert_string_equal(str_text(&rows.text), "r-2|1000|0|-|-|good|{\"a\":1}|ann|0\n");
	assert_int_equal(rows.last, good.number); /* the bad one's number was not given again */
	assert_int_equal(good.number, 2);
	str_done(&rows.text);
}

static bool
store_answer(void *ctx, const struct journal_row *row)
{
	str_addf(ctx, "%s %s %s %lld", row->key, row->name, row->text, (long long)row->at_ms);
	return true;
}

/* I8: of two batches with the same Idempotency-Key one has an effect; a day later it may be new. */
static void
test_keys(void **state)
{
	struct bench *b = *state;
	const int64_t hour = 3600 * 1000;
	struct journal_write first[] = {
	    {.kind = JOURNAL_KEY, .key = "k1", .name = "hash", .text = "r-1", .at_ms = hour},
	    event("r-1", "started")};
	struct journal_write again[] = {first[0], event("r-2", "started")};
	struct journal_write later = first[0];
	struct str text = {0};

	bench_must_open(b, plain);
	bench_put(b, first, 2, 1);
	bench_put(b, again, 2, 2);
	bench_run_until(b, 2);
	assert_int_equal(b->failed, 1);
	assert_int_equal(file_number(b->path, "SELECT count(*) FROM events"), 1);
	assert_int_equal(b->port.key(b->port.ctx, "k1", store_answer, &text, NULL), 0);
	assert_string_equal(str_text(&text), "k1 hash r-1 3600000");
	later.key = "k2";
	later.at_ms = 25 * hour;
	assert_true(bench_write(b, &later, 1));
	str_clear(&text);
	assert_int_equal(b->port.key(b->port.ctx, "k1", store_answer, &text, NULL), 0);
	assert_true(text.length > 0);
	later.key = "k3";
	later.at_ms = 26 * hour + 1;
	assert_true(bench_write(b, &later, 1));
	str_clear(&text);
	assert_int_equal(b->port.key(b->port.ctx, "k1", store_answer, &text, NULL), 0);
	assert_int_equal(text.length, 0);
	/* One that is a day old gives its place away; one that is younger does not. */
	later = (struct journal_write){
	    .kind = JOURNAL_KEY, .key = "k3", .name = "other", .text = "r-1"};
	later.at_ms = 50 * hour;
	assert_false(bench_write(b, &later, 1));
	later.at_ms++;
	assert_true(bench_write(b, &later, 1));
	str_clear(&text);
	assert_int_equal(b->port.key(b->port.ctx, "k3", store_answer, &text, NULL), 0);
	assert_string_equal(str_text(&text), "k3 other r-1 180000001");
	str_done(&text);
}

/* Everything that waits goes into few transactions, and is reported in order. */
static void
test_group_commit(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");
	struct store_stats stats;

	bench_must_open(b, (struct store_settings){.group_limit = 300});
	for (int i = 0; i < 3000; i++)
		bench_put(b, &write, 1, (uint64_t)i);
	bench_run_until(b, 3000);
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(b->order[i], i);
	store_stats(b->store, &stats);
	assert_int_equal(stats.writes, 3000);
	assert_true(stats.commits >= 10);
	assert_true(stats.commits < 1500);
	assert_int_equal(histogram_count(&stats.commit_took), stats.commits);
	assert_true(stats.commit_max_us > 0);
	assert_true(stats.commit_took.sum_us >= stats.commit_max_us);
	assert_int_equal(stats.waiting_writes, 0);
	assert_int_equal(stats.waiting_bytes, 0);
}

static void
test_queue_is_bounded(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[11];
	struct store_stats stats;

	for (int i = 0; i < 11; i++)
		writes[i] = event("r-1", "e");
	bench_must_open(b, (struct store_settings){.queue_limit = 10});
	bench_put(b, writes, 11, 1);
	assert_int_equal(b->reported, 0);
	bench_run_until(b, 1);
	assert_int_equal(b->failed, 1);
	assert_non_null(strstr(b->why, "too much is waiting"));
	assert_true(bench_write(b, writes, 10));
	assert_int_equal(writes[0].number, 12);
	store_stats(b->store, &stats);
	assert_int_equal(stats.failed_batches, 1);
	bench_close(b);
	bench_must_open(b, (struct store_settings){.queue_bytes = 20});
	assert_false(bench_write(b, writes, 10));
	assert_true(bench_write(b, writes, 1));
}

static void
test_flush_and_close_lose_nothing(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");

	bench_must_open(b, plain);
	for (int i = 0; i < 500; i++)
		bench_put(b, &write, 1, 0);
	store_flush(b->store);
	assert_int_equal(b->reported, 500);
	assert_int_equal(b->failed, 0);
	for (int i = 0; i < 500; i++)
		bench_put(b, &write, 1, 0);
	bench_close(b);
	assert_int_equal(b->reported, 500);
	assert_int_equal(file_number(b->path, "SELECT count(*) FROM events"), 1000);
}

static void
test_events_and_releases_are_immutable(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[] = {event("r-1", "e"), release("web", 1, "{}")};

	bench_must_open(b, plain);
	assert_true(bench_write(b, writes, 2));
	bench_close(b);
	assert_int_equal(
	    file_run(b->path, "UPDATE events SET data = '' WHERE seq = 1"), SQLITE_CONSTRAINT);
	assert_int_equal(file_run(b->path, "DELETE FROM events"), SQLITE_CONSTRAINT);
	assert_int_equal(file_run(b->path, "UPDATE releases SET data = ''"), SQLITE_CONSTRAINT);
	assert_int_equal(file_run(b->path, "DELETE FROM releases"), SQLITE_CONSTRAINT);
	assert_int_equal(file_run(b->path, "INSERT INTO events VALUES (2, 'r', 'x', 'k', 0, '')"),
	    SQLITE_CONSTRAINT); /* STRICT */
}

struct nested {
	struct bench *b;
	int outer, inner, deepest;
};

static bool
count_deepest(void *ctx, const struct journal_row *row)
{
	struct nested *n = ctx;

	assert_true(row->seq > 0);
	n->deepest++;
	return true;
}

static bool
read_inside(void *ctx, const struct journal_row *row)
{
	struct nested *n = ctx;
	char key[16];

	n->inner++;
	str_copy(key, sizeof(key), row->key);
	assert_int_equal(
	    n->b->port.events(n->b->port.ctx, row->key, 0, 0, count_deepest, n, NULL), 0);
	assert_string_equal(row->key, key);
	return true;
}

static bool
read_again(void *ctx, const struct journal_row *row)
{
	struct nested *n = ctx;

	(void)row;
	n->outer++;
	assert_int_equal(n->b->port.events(n->b->port.ctx, NULL, 0, 0, read_inside, n, NULL), 0);
	return true;
}

/* Reading within each, also of the same kind. */
static void
test_nested_reads(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[] = {event("r-1", "a"), event("r-2", "b"), event("r-1", "c")};
	struct nested n = {.b = b};

	bench_must_open(b, plain);
	assert_true(bench_write(b, writes, 3));
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, read_again, &n, NULL), 0);
	assert_int_equal(n.outer, 3);
	assert_int_equal(n.inner, 9);
	assert_int_equal(n.deepest, 15);
}

static int64_t
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
fill(struct bench *b, int events, int rollouts)
{
	struct journal_write writes[100];
	char keys[100][32];
	int batches = 0;

	for (int i = 0; i < events; i += 100, batches++) {
		for (int j = 0; j < 100; j++) {
			str_print(keys[j], 32, "r-%08d", (i + j) % rollouts);
			writes[j] = event(keys[j], "weight");
			if (i + j < rollouts)
				writes[j] = rollout(keys[j], j % 2 ? "web" : "api", "done", j != 0);
		}
		bench_put(b, writes, 100, 0);
		if (batches % 50 == 49)
			bench_run_until(b, batches + 1);
	}
	bench_run_until(b, batches);
	assert_int_equal(b->failed, 0);
}

/* F73: with 100,000 rows a page is still read at once, at whatever place it is. */
static void
test_paging_through_much(void **state)
{
	struct bench *b = *state;
	struct rows rows = {.text = {.limit = 1}};
	int64_t seq = 0, started;
	int total = 0;

	bench_must_open(b, plain);
	fill(b, 110000, 10000);
	started = cpu_ms();
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    b->port.events(b->port.ctx, NULL, i * 1000, 50, rows_each, &rows, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    b->port.events(b->port.ctx, "r-00000042", i * 1000, 5, rows_each, &rows, NULL),
		    0);
	assert_true(cpu_ms() - started < 1000); /* 200 pages; a scan takes longer than that */
	do {
		rows.count = 0;
		assert_int_equal(
		    b->port.events(b->port.ctx, NULL, seq, 3000, rows_each, &rows, NULL), 0);
		seq = rows.last;
		total += rows.count;
	} while (rows.count == 3000);
	assert_int_equal(total, 100000);
	rows.count = 0;
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 100000);
	rows.count = 0;
	rows.enough = 1500;
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 1500);
	str_done(&rows.text);
}

static void
test_lists_through_much(void **state)
{
	struct bench *b = *state;
	struct journal_filter filters[] = {{.limit = 50}, {.app = "web", .limit = 50},
	    {.phase = "done", .limit = 50, .before = "r-00005000"}, {.live = true, .limit = 50},
	    {.app = "web", .phase = "done", .cluster = "c1", .limit = 50}};
	struct rows rows = {.text = {.limit = 1}};
	int64_t started;

	bench_must_open(b, plain);
	fill(b, 10000, 10000);
	started = cpu_ms();
	for (int i = 0; i < 20; i++)
		for (int j = 0; j < 5; j++) {
			rows.count = 0;
			assert_int_equal(
			    b->port.rollouts(b->port.ctx, &filters[j], rows_each, &rows, NULL), 0);
			assert_int_equal(rows.count, 50);
		}
	assert_true(cpu_ms() - started < 1000);
	rows.count = 0;
	assert_int_equal(b->port.rollouts(b->port.ctx, &(struct journal_filter){.live = true},
			     rows_each, &rows, NULL),
	    0);
	assert_int_equal(rows.count, 100);
	rows.count = 0;
	assert_int_equal(b->port.rollouts(b->port.ctx, &(struct journal_filter){.app = "web"},
			     rows_each, &rows, NULL),
	    0);
	assert_int_equal(rows.count, 5000);
	str_done(&rows.text);
}

/* F70: what would take too long is given up, so that no reader stops the loop or pins the log. */
static void
test_a_long_read_is_given_up(void **state)
{
	struct bench *b = *state;
	struct journal_filter nothing = {.app = "web", .phase = "nowhere"};
	struct rows rows = {0};
	struct err e;

	bench_must_open(b, (struct store_settings){.read_ms = 1});
	fill(b, 40000, 40000);
	assert_int_equal(b->port.rollouts(b->port.ctx, &nothing, rows_each, &rows, &e), -1);
	assert_non_null(strstr(e.text, "given up"));
	assert_int_equal(rows.count, 0);
	rows.count = 0;
	assert_int_equal(b->port.events(b->port.ctx, "r-x", 0, 5, rows_each, &rows, &e), 0);
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, -1, rows_each, &rows, &e), -1);
}

/* F71 and the like: a file that lost its name is not written on. */
/* It is asked for in the loop, for each hook: a receiver that is away must not make that longer. */
static void
test_what_waits_is_counted_to_a_bound(void **state)
{
	struct bench *b = *state;

	bench_must_open(b, (struct store_settings){0});
	assert_int_equal(file_run(b->path,
			     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
			     " WHERE i < 10101) INSERT INTO outbox (at_ms, hook, rollout, event,"
			     " delivery, data) SELECT i, iif(i > 100, 'a', 'b'), 'r', 'stage', 'd',"
			     " '{}' FROM n"),
	    SQLITE_OK);
	assert_int_equal(b->port.outbox_count(b->port.ctx, "b"), 100);
	assert_int_equal(b->port.outbox_count(b->port.ctx, "a"), JOURNAL_OUTBOX_COUNT);
}

static void
test_moved_file_is_noticed(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");
	char away[128];
	struct err why;

	bench_must_open(b, (struct store_settings){.probe_ms = 1});
	assert_true(bench_write(b, &write, 1));
	bench_path(b, ".away", away, sizeof(away));
	assert_int_equal(rename(b->path, away), 0);
	assert_false(bench_write(b, &write, 1));
	assert_false(store_healthy(b->store, &why));
	assert_non_null(strstr(why.text, "moved or deleted"));
	assert_int_equal(rename(away, b->path), 0);
	while (!bench_write(b, &write, 1)) {
		/* until the next probe */
	}
	assert_true(store_healthy(b->store, &why));
	assert_int_equal(b->port.last_seq(b->port.ctx), write.number);
}

int
main(void)
{
#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    with_bench(test_events_come_back),
	    with_bench(test_reopen),
	    with_bench(test_append_copies_and_is_asynchronous),
	    with_bench(test_rollouts),
	    with_bench(test_apps_and_releases),
	    with_bench(test_tokens),
	    with_bench(test_a_failing_batch_fails_alone),
	    with_bench(test_keys),
	    with_bench(test_group_commit),
	    with_bench(test_queue_is_bounded),
	    with_bench(test_flush_and_close_lose_nothing),
	    with_bench(test_events_and_releases_are_immutable),
	    with_bench(test_nested_reads),
	    with_bench(test_paging_through_much),
	    with_bench(test_lists_through_much),
	    with_bench(test_a_long_read_is_given_up),
	    with_bench(test_what_waits_is_counted_to_a_bound),
	    with_bench(test_moved_file_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
