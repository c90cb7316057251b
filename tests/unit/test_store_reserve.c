/* The space that is kept for aborts: taken whole or not at all, given up when an urgent batch finds
 * no space, for urgent batches only, and taken back before the store is well again. */
#include "test_store.h"
#include "fault_vfs.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "store/reserve.h"

#define BYTES (1 << 20)
#define NEVER_MS (3600 * 1000)

static const struct store_settings kept = {
    .vfs = FAULT_VFS, .probe_ms = NEVER_MS, .reserve_bytes = BYTES};

static void
disk_full(bool lasting)
{
	fault.code = SQLITE_FULL;
	fault.lasting = lasting;
	fault.writes_left = 0;
}

static int64_t
file_of(struct bench *b, int64_t *blocks)
{
	struct stat st;
	char path[128];

	bench_path(b, ".reserve", path, sizeof(path));
	if (stat(path, &st) != 0)
		return -1;
	*blocks = st.st_blocks * 512;
	return st.st_size;
}

static void
assert_kept(struct bench *b, int64_t bytes)
{
	int64_t blocks;

	assert_int_equal(file_of(b, &blocks), bytes);
	assert_true(bytes == 0 ? blocks == 0 : blocks >= bytes);
}

static struct journal_write
urgent(const char *rollout)
{
	struct journal_write write = event(rollout, "abort");

	write.urgent = true;
	return write;
}

static int
count_events(struct bench *b)
{
	struct rows rows = {0};

	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, rows_each, &rows, NULL), 0);
	str_done(&rows.text);
	return rows.count;
}

static void
assert_said(struct bench *b, const char *words)
{
	struct err why;

	assert_false(store_healthy(b->store, &why));
	if (strstr(why.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, why.text);
}

static void
test_it_is_taken_at_the_start(void **state)
{
	struct bench *b = *state;
	struct store_stats stats;
	int64_t blocks;

	bench_must_open(b, kept);
	assert_kept(b, BYTES);
	store_stats(b->store, &stats);
	assert_int_equal(stats.reserve_bytes, BYTES);
	bench_close(b);
	assert_kept(b, BYTES); /* also while it does not run */
	bench_must_open(b, (struct store_settings){.reserve_bytes = 2 * BYTES});
	assert_kept(b, 2 * BYTES);
	bench_close(b);
	bench_must_open(b, kept);
	assert_kept(b, BYTES);
	bench_close(b);
	bench_must_open(b, (struct store_settings){0});
	assert_true(file_of(b, &blocks) <= 0);
}

static void
test_it_is_for_what_is_urgent(void **state)
{
	struct bench *b = *state;
	struct journal_write plain = event("r-1", "e"),
			     home[2] = {event("r-2", "e"), urgent("r-2")};
	struct store_stats stats;

	bench_must_open(b, kept);
	disk_full(true);
	assert_false(bench_write(b, &plain, 1));
	assert_kept(b, BYTES);
	assert_said(b, "aborts are done and written down");
	fault_none();
	bench_put(b, &plain, 1, 1);
	bench_put(b, home, 2, 2);
	bench_put(b, &plain, 1, 3);
	bench_run_until(b, 4);
	assert_int_equal(b->order[2], 2);
	assert_int_equal(b->failed, 3);
	assert_int_equal(count_events(b), 2); /* the batch is whole */
	assert_kept(b, 0);
	store_stats(b->store, &stats);
	assert_int_equal(stats.reserve_bytes, 0);
	assert_false(bench_write(b, &plain, 1));
	assert_true(bench_write(b, home, 2));
	assert_int_equal(count_events(b), 4);
	assert_said(b, "aborts are done and written down");
}

static void
pile_up(struct bench *b, struct journal_write *first, struct journal_write *writes, int count)
{
	fault.hang = true;
	bench_put(b, first, 1, 100);
	while (fault.hanging == 0) {
		/* until its sync hangs */
	}
	for (int i = 0; i < count; i++)
		bench_put(b, &writes[i], 1, (uint64_t)i);
}

/* They are in one transaction when it finds no space: it is tried again with the urgent ones. */
static void
test_one_transaction_of_both_kinds(void **state)
{
	struct bench *b = *state;
	struct journal_write writes[] = {
	    event("r-1", "e"), urgent("r-2"), event("r-3", "e"), urgent("r-4")};

	bench_must_open(b, kept);
	pile_up(b, &writes[0], writes, 4);
	fault.code = SQLITE_FULL;
	fault.lasting = false;
	fault.writes_left = 0; /* the next transaction's first */
	fault.hang = false;
	bench_run_until(b, 5);
	assert_int_equal(b->failed, 2);
	assert_int_equal(count_events(b), 3);
	assert_kept(b, 0);
}

static void
test_it_is_taken_back_before_all_is_well(void **state)
{
	struct bench *b = *state;
	struct journal_write plain = event("r-1", "e"), home = urgent("r-2");
	struct store_settings settings = kept;

	settings.probe_ms = 1;
	bench_must_open(b, settings);
	disk_full(false);
	assert_true(bench_write(b, &home, 1));
	while (!bench_write(b, &plain, 1)) {
		/* until the next probe */
	}
	assert_kept(b, BYTES);
	assert_true(store_healthy(b->store, NULL));
}

static void
test_it_is_used_up(void **state)
{
	struct bench *b = *state;
	struct journal_write home = urgent("r-2");

	bench_must_open(b, kept);
	disk_full(true);
	assert_false(bench_write(b, &home, 1));
	assert_non_null(strstr(b->why, "disk is full"));
	assert_kept(b, 0);
	assert_said(b, "not written down: the space kept for them is used up");
}

/* Other faults of a disk are not mended with space. */
static void
test_it_is_not_for_a_disk_that_fails(void **state)
{
	struct bench *b = *state;
	struct journal_write home = urgent("r-2");

	bench_must_open(b, kept);
	fault.code = SQLITE_IOERR_FSYNC;
	fault.lasting = false;
	fault.syncs_left = 0;
	assert_false(bench_write(b, &home, 1));
	assert_false(bench_write(b, &home, 1));
	assert_kept(b, BYTES);
	assert_said(b, "mend the disk");
}

static void
test_without_it(void **state)
{
	struct bench *b = *state;
	struct journal_write home = urgent("r-2");
	struct store_settings settings = kept;
	int64_t blocks;

	settings.reserve_bytes = 0;
	bench_must_open(b, settings);
	assert_int_equal(file_of(b, &blocks), -1);
	disk_full(false);
	assert_false(bench_write(b, &home, 1));
	assert_false(bench_write(b, &home, 1));
	assert_said(b, "Nothing new is started until it can be written");
}

/* A limit on the size of files stands in for a file system that does not give the space. */
static void
test_where_it_cannot_be_had(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");
	struct rlimit before, small;
	int64_t blocks;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = BYTES / 2;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	bench_must_open(b, kept);
	assert_int_equal(file_of(b, &blocks), 0);
	assert_int_equal(blocks, 0);
	assert_true(bench_write(b, &write, 1)); /* it is of use without */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
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
	fault.hits = 0;
	return bench_setup(state);
}

static int
teardown(void **state)
{
	fault_none();
	return bench_teardown(state);
}

int
main(void)
{
#define with_bench(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    with_bench(test_it_is_taken_at_the_start),
	    with_bench(test_it_is_for_what_is_urgent),
	    with_bench(test_one_transaction_of_both_kinds),
	    with_bench(test_it_is_taken_back_before_all_is_well),
	    with_bench(test_it_is_used_up),
	    with_bench(test_it_is_not_for_a_disk_that_fails),
	    with_bench(test_without_it),
	    with_bench(test_where_it_cannot_be_had),
	};

	return cmocka_run_group_tests(tests, setup_once, NULL);
}
