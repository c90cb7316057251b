/* The power is cut at every write and at every sync of the store's life: made, written to, closed,
 * opened again. What was answered with ok is there afterwards, nothing is there by half, and the
 * file is whole. On a disk that lies the file is whole or refused. */
#include "test_store.h"
#include "fault_vfs.h"

#include "base/log.h"

#define BATCHES 8
#define CLOSED_AFTER 4 /* batches; then it is opened again */

static const struct store_settings failing = {.vfs = FAULT_VFS, .probe_ms = 1};

struct life {
	bool ok[BATCHES]; /* the batch was answered so */
	bool opened;	  /* at least once */
};

/* Two events and a release that only make sense together, some of them of several pages. */
static void
put_batch(struct bench *b, struct life *life, int number)
{
	static char padding[9000];
	struct journal_write writes[3];
	char id[16];

	memset(padding, 'x', sizeof(padding) - 1);
	str_print(id, sizeof(id), "r-%d", number);
	writes[0] = event(id, "first");
	writes[0].text = padding + (number % 3) * 4000;
	writes[1] = event(id, "second");
	writes[2] = release("web", number + 1, "{}");
	life->ok[number] = bench_write(b, writes, 3);
}

static bool
open_and_put(struct bench *b, struct life *life, int from, int to)
{
	struct err e;

	if (!bench_open(b, failing, &e))
		return false;
	life->opened = true;
	for (int i = from; i < to; i++)
		put_batch(b, life, i);
	return true;
}

/* From nothing to the end; with close, the last log is taken into the file. */
static void
live(struct bench *b, struct life *life, bool close)
{
	if (open_and_put(b, life, 0, CLOSED_AFTER)) {
		bench_close(b);
		open_and_put(b, life, CLOSED_AFTER, BATCHES);
	}
	if (close)
		bench_close(b);
}

static int64_t
count_of(const char *path, const char *table, const char *where, int number)
{
	char sql[128];

	str_print(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE %s = '%s%d'", table, where,
	    table[0] == 'e' ? "r-" : "", number);
	return file_number(path, sql);
}

static void
check_batch(struct bench *b, const struct life *life, int number)
{
	int64_t events = count_of(b->path, "events", "rollout", number);
	int64_t releases = count_of(b->path, "releases", "number", number + 1);

	if (events != 2 * releases || releases > 1)
		fail_msg("batch %d is there by half: %d events, %d releases", number, (int)events,
		    (int)releases);
	if (life->ok[number] && releases == 0)
		fail_msg("batch %d was answered with ok and is not there", number);
}

/* An own look, and then the store's, which goes on writing. */
static void
check_life(struct bench *b, const struct life *life)
{
	struct life next = {0};
	struct err e;

	if (!bench_open(b, failing, &e))
		fail_msg("not opened after the crash: %s", e.text);
	assert_int_equal(file_number(b->path, "SELECT count(*) FROM pragma_integrity_check"
					      " WHERE integrity_check = 'ok'"),
	    1);
	for (int i = 0; i < BATCHES; i++)
		check_batch(b, life, i);
	if (count_of(b->path, "releases", "number", BATCHES) == 0) {
		put_batch(b, &next, BATCHES - 1);
		assert_true(next.ok[BATCHES - 1]);
	}
	bench_close(b);
}

static void
remove_database(struct bench *b)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char path[128];

	for (int i = 0; i < 4; i++) {
		bench_path(b, suffixes[i], path, sizeof(path));
		unlink(path);
	}
}

struct plan {
	atomic_int *left;
	int code;
	bool cuts, half;
	enum fault_rest rest;
};

/* False: the k-th was not reached any more. */
static bool
crash_at(struct bench *b, const struct plan *plan, int k)
{
	struct life life = {0};
	bool hit;

	remove_database(b);
	fault_none();
	fault_remember();
	fault.lazy = true;
	fault.hits = 0;
	fault.code = plan->code;
	fault.cuts = plan->cuts;
	fault.half = plan->half;
	*plan->left = k;
	live(b, &life, plan->cuts);
	hit = fault.hits > 0;
	fault_cut();
	bench_close(b);
	fault_none();
	fault_restore(plan->rest, (unsigned)k);
	check_life(b, &life);
	return hit;
}

static int
crash_everywhere(struct bench *b, const struct plan *plan)
{
	int k = 0;

	while (crash_at(b, plan, k))
		k++;
	return k;
}

static void
test_power_cut_at_every_write(void **state)
{
	struct bench *b = *state;
	struct plan plan = {.left = &fault.writes_left, .code = SQLITE_IOERR_WRITE, .cuts = true};
	int writes;

	writes = crash_everywhere(b, &plan);
	assert_true(writes > 150);
	plan.rest = FAULT_TORN;
	plan.half = true;
	assert_int_equal(crash_everywhere(b, &plan), writes);
}

static void
test_power_cut_at_every_sync(void **state)
{
	struct bench *b = *state;
	struct plan plan = {.left = &fault.syncs_left, .code = SQLITE_IOERR_FSYNC, .cuts = true};
	int syncs;

	syncs = crash_everywhere(b, &plan);
	assert_true(syncs > 15);
	plan.rest = FAULT_TORN;
	assert_int_equal(crash_everywhere(b, &plan), syncs);
}

/* One failure first, after which it goes on; the power is cut at the end, before it is closed. */
static void
test_a_failure_and_then_a_power_cut(void **state)
{
	struct bench *b = *state;
	struct plan plan = {
	    .left = &fault.writes_left, .code = SQLITE_FULL, .half = true, .rest = FAULT_TORN};

	assert_true(crash_everywhere(b, &plan) > 100);
	plan = (struct plan){
	    .left = &fault.syncs_left, .code = SQLITE_IOERR_FSYNC, .rest = FAULT_TORN};
	assert_true(crash_everywhere(b, &plan) > 10);
}

/* What the store cannot know it cannot keep; but it never goes on from a file that is not whole. */
static void
test_a_disk_that_lies(void **state)
{
	struct bench *b = *state;
	int refused = 0, lost = 0;

	for (unsigned seed = 0; seed < 150; seed++) {
		struct life life = {0};
		struct err e;

		remove_database(b);
		fault_none();
		fault.lazy = true;
		bench_must_open(b, failing); /* it was made on a better day */
		bench_close(b);
		fault_remember();
		fault.lies = true;
		open_and_put(b, &life, 0, BATCHES);
		if (seed % 2 == 0) {
			bench_close(b);
			assert_true(bench_open(b, failing, &e));
		}
		fault_cut();
		bench_close(b);
		fault_none();
		fault_restore(FAULT_TORN, seed);
		if (!bench_open(b, failing, &e)) {
			refused++;
			if (strstr(e.text, "is damaged (") == NULL &&
			    strstr(e.text, "its first bytes are damaged") == NULL &&
			    strstr(e.text, "is missing or empty, but its log") == NULL)
				fail_msg("refused, and it does not say why: %s", e.text);
			continue;
		}
		assert_int_equal(file_number(b->path, "SELECT count(*) FROM pragma_integrity_check"
						      " WHERE integrity_check = 'ok'"),
		    1);
		lost += file_number(b->path, "SELECT count(*) FROM releases") < BATCHES;
		bench_close(b);
	}
	assert_true(refused > 20);
	assert_true(lost > 20);
}

/* A disk that cannot be read is no damage, and what was read before is not believed to be all. */
static void
test_every_read_fails_once(void **state)
{
	struct bench *b = *state;
	struct life life = {0};
	struct err e;
	int k = 0, refused = 0;

	fault.lazy = true;
	assert_true(open_and_put(b, &life, 0, BATCHES));
	do {
		struct rows rows = {0};

		bench_close(b);
		fault_none();
		fault.hits = 0;
		fault.code = SQLITE_IOERR_READ;
		fault.reads_left = k++;
		if (!bench_open(b, failing, &e)) {
			refused++;
			if (strstr(e.text, "is damaged") != NULL ||
			    (strstr(e.text, "cannot read") == NULL &&
				strstr(e.text, "disk I/O error") == NULL))
				fail_msg("read %d: %s", k - 1, e.text);
			continue;
		}
		if (b->port.events(b->port.ctx, NULL, 0, 0, rows_each, &rows, &e) == 0)
			assert_int_equal(rows.count, 2 * BATCHES);
		else
			assert_non_null(strstr(e.text, "disk I/O error"));
		str_done(&rows.text);
	} while (fault.hits > 0);
	assert_true(k > 20);
	assert_true(refused > 5);
	bench_close(b);
	fault_none();
	check_life(b, &life);
}

static int
setup_once(void **state)
{
	(void)state;
	fault_register();
	return 0;
}

static int
setup(void **state)
{
	fault_none();
	log_setup(LOG_ERROR + 1, LOG_TEXT, "test"); /* each failure is said */
	return bench_setup(state);
}

static int
teardown(void **state)
{
	fault_none();
	fault.lazy = false;
	return bench_teardown(state);
}

int
main(void)
{
#define with_bench(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    with_bench(test_power_cut_at_every_write),
	    with_bench(test_power_cut_at_every_sync),
	    with_bench(test_a_failure_and_then_a_power_cut),
	    with_bench(test_a_disk_that_lies),
	    with_bench(test_every_read_fails_once),
	};

	return cmocka_run_group_tests(tests, setup_once, NULL);
}
