/* The store when things break: the disk is full or fails at any write, the process is killed, other
 * programs hold the lock. What was reported durable is there, what was reported failed is not. */
#include "test_store.h"
#include "fault_vfs.h"

#include <signal.h>
#include <sys/wait.h>

static const struct store_settings failing = {.vfs = FAULT_VFS, .probe_ms = 1};

static void
break_writes(int left, int code, bool lasting)
{
	fault.hits = 0;
	fault.code = code;
	fault.lasting = lasting;
	fault.writes_left = left;
}

static void
break_syncs(int left, int code, bool lasting)
{
	fault.hits = 0;
	fault.code = code;
	fault.lasting = lasting;
	fault.syncs_left = left;
}

/* F71 */
static void
test_disk_full_and_back(void **state)
{
	struct bench *b = *state;
	struct journal_write lost[] = {event("r-1", "lost"), event("r-1", "lost")};
	struct journal_write kept = event("r-1", "kept");
	struct rows rows = {0};
	struct store_stats stats;
	struct err why;

	bench_must_open(b, failing);
	assert_true(bench_write(b, &kept, 1));
	break_writes(0, SQLITE_FULL, true);
	for (int i = 0; i < 3; i++)
		bench_put(b, lost, 2, 0);
	bench_run_until(b, 4);
	assert_int_equal(b->failed, 3);
	assert_non_null(strstr(b->why, "disk is full"));
	assert_false(store_healthy(b->store, &why));
	assert_non_null(strstr(why.text, b->path));
	assert_non_null(strstr(why.text, "free space"));
	assert_int_equal(b->port.last_seq(b->port.ctx), 1);
	/* Reading goes on. */
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 1);

	fault_none();
	while (!bench_write(b, &kept, 1)) {
		/* until the next probe */
	}
	assert_true(store_healthy(b->store, &why));
	assert_true(kept.number > 7);
	assert_int_equal(b->port.last_seq(b->port.ctx), kept.number);
	bench_close(b);
	bench_must_open(b, failing);
	rows.count = 0;
	assert_int_equal(b->port.events(b->port.ctx, NULL, 1, 0, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, 1);
	assert_int_equal(rows.last, kept.number);
	store_stats(b->store, &stats);
	assert_int_equal(stats.failed_commits, 0);
	str_done(&rows.text);
}

/* A failed batch is told with the reason at once while it is known that nothing can be written. */
static void
test_sick_fails_fast(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");
	struct store_stats stats;

	bench_must_open(b, (struct store_settings){.vfs = FAULT_VFS, .probe_ms = 3600 * 1000});
	break_syncs(0, SQLITE_IOERR_FSYNC, false);
	assert_false(bench_write(b, &write, 1));
	assert_non_null(strstr(b->why, "disk I/O error"));
	assert_false(bench_write(b, &write, 1));
	assert_non_null(strstr(b->why, "cannot write the database"));
	assert_int_equal(fault.hits, 1);
	store_stats(b->store, &stats);
	assert_int_equal(stats.failed_commits, 1);
	assert_int_equal(stats.failed_batches, 2);
}

/* I14: damage is not healed by a write that works. */
static void
test_damage_while_running(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");
	struct err why;

	bench_must_open(b, failing);
	break_writes(0, SQLITE_CORRUPT, false);
	assert_false(bench_write(b, &write, 1));
	for (int i = 0; i < 20; i++)
		assert_false(bench_write(b, &write, 1));
	assert_false(store_healthy(b->store, &why));
	assert_non_null(strstr(why.text, "restore a backup"));
}

/* A disk that does not answer at all: the loop goes on and can say so. */
static void
test_hanging_disk(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");
	struct err why;

	bench_must_open(b, (struct store_settings){.vfs = FAULT_VFS, .stall_ms = 1});
	fault.hang = true;
	bench_put(b, &write, 1, 0);
	while (store_healthy(b->store, &why)) {
		/* until the time is over */
	}
	assert_non_null(strstr(why.text, "has not come back"));
	assert_int_equal(b->reported, 0);
	fault.hang = false;
	bench_run_until(b, 1);
	assert_int_equal(b->failed, 0);
	assert_true(store_healthy(b->store, &why));
}

/* synchronous=FULL: between append and the report the log was synced. */
static void
test_synced_before_reported(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");

	bench_must_open(b, failing);
	for (int i = 0; i < 50; i++) {
		int before = fault.log_syncs;

		assert_true(bench_write(b, &write, 1));
		assert_true(fault.log_syncs > before);
	}
}

/* --- the k-th write or sync fails, for every k ------------------------------------------------ */

#define BATCHES 6

/* Writes batches one by one; the second event's number of each that was reported ok. */
static int
work(struct bench *b, int64_t kept[BATCHES])
{
	char id[16], padding[6000];
	struct journal_write writes[3];
	int count = 0;

	memset(padding, 'x', sizeof(padding) - 1);
	padding[sizeof(padding) - 1] = '\0';
	for (int i = 0; i < BATCHES; i++) {
		str_print(id, sizeof(id), "r-%d", i);
		writes[0] = event(id, "first");
		writes[0].text = padding;
		writes[1] = event(id, "second");
		writes[2] = release("web", i + 1, "{}");
		if (bench_write(b, writes, 3))
			kept[count++] = writes[1].number;
	}
	return count;
}

struct found {
	int64_t *kept;
	int count, rows;
};

static bool
is_next_kept(void *ctx, const struct journal_row *row)
{
	struct found *found = ctx;
	int at = found->rows / 2;

	assert_true(at < found->count);
	assert_int_equal(row->seq, found->kept[at] - (found->rows % 2 == 0));
	found->rows++;
	return true;
}

static void
check_kept(struct bench *b, int64_t *kept, int count)
{
	struct found found = {.kept = kept, .count = count};
	struct rows rows = {0};

	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, is_next_kept, &found, NULL), 0);
	assert_int_equal(found.rows, 2 * count);
	assert_int_equal(b->port.releases(b->port.ctx, "web", 0, 0, rows_each, &rows, NULL), 0);
	assert_int_equal(rows.count, count);
	str_done(&rows.text);
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

/* One round; false when the fault was not reached any more. */
static bool
round_of_faults(struct bench *b, void (*breaks)(int left, int code, bool lasting), int k, int code)
{
	int64_t kept[BATCHES];
	int count = 0;
	bool hit;
	struct err e;

	breaks(k, code, false);
	if (bench_open(b, failing, &e)) {
		count = work(b, kept);
		hit = fault.hits > 0;
		fault_none();
		check_kept(b, kept, count);
		bench_close(b);
	} else
		hit = true;
	fault_none();
	bench_must_open(b, failing); /* whatever happened, it is whole */
	check_kept(b, kept, count);
	bench_close(b);
	remove_database(b);
	return hit;
}

static int
rounds(struct bench *b, void (*breaks)(int left, int code, bool lasting), int code)
{
	int k = 0;

	while (round_of_faults(b, breaks, k, code))
		k++;
	return k;
}

static void
test_every_write_fails_once(void **state)
{
	struct bench *b = *state;

	assert_true(rounds(b, break_writes, SQLITE_FULL) > 50);
	assert_true(rounds(b, break_writes, SQLITE_IOERR_WRITE) > 50);
}

static void
test_every_sync_fails_once(void **state)
{
	struct bench *b = *state;

	assert_true(rounds(b, break_syncs, SQLITE_IOERR_FSYNC) > 8);
}

/* The copy before it and each of its steps: refused and as it was, or done. */
static void
test_every_write_of_a_migration_fails_once(void **state)
{
	struct bench *b = *state;
	int last = store_migrations_count;
	struct store_migration steps[8] = {{0}};
	struct store_settings older = failing, newer = failing;
	int64_t kept[BATCHES];
	int refused = 0, k = 0, count;
	char copy[128], unfinished[128], suffix[32];
	struct err e;

	assert_true(last < 8);
	memcpy(steps, store_migrations, (size_t)last * sizeof(steps[0]));
	steps[last] = (struct store_migration){last + 1, "extra",
	    "CREATE TABLE notes (seq INTEGER) STRICT;"
	    " INSERT INTO notes SELECT seq FROM events;"};
	older.migrations = newer.migrations = steps;
	older.migration_count = last;
	newer.migration_count = last + 1;
	str_print(suffix, sizeof(suffix), ".before-%04d", last + 1);
	bench_path(b, suffix, copy, sizeof(copy));
	str_print(suffix, sizeof(suffix), ".before-%04d.tmp", last + 1);
	bench_path(b, suffix, unfinished, sizeof(unfinished));
	bench_must_open(b, older);
	count = work(b, kept);
	bench_close(b);
	for (;; k++) {
		break_writes(k, SQLITE_FULL, false);
		if (bench_open(b, newer, &e))
			break;
		refused++;
		fault_none();
		assert_non_null(strstr(e.text, "disk is full"));
		assert_int_equal(access(unfinished, F_OK), -1);
		assert_int_equal(file_number(b->path, "PRAGMA user_version"), last);
		bench_must_open(b, older);
		check_kept(b, kept, count);
		bench_close(b);
	}
	fault_none();
	assert_true(refused > 10);
	check_kept(b, kept, count);
	assert_int_equal(file_number(b->path, "SELECT count(*) FROM notes"), 2 * count);
	assert_int_equal(file_number(copy, "SELECT count(*) FROM events"), 2 * count);
	assert_int_equal(file_number(copy, "PRAGMA user_version"), last);
}

/* --- other programs, and kill -9 -------------------------------------------------------------- */

static void
let_go(void *ctx)
{
	assert_int_equal(sqlite3_exec(ctx, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

/* F69: another program holds the write lock for a moment; nothing is lost. */
static void
test_another_program_holds_the_lock(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "e");
	struct loop_timer *timer;
	sqlite3 *other;

	bench_must_open(b, (struct store_settings){0});
	assert_int_equal(sqlite3_open(b->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	timer = loop_timer_new(b->loop, let_go, other);
	loop_timer_set(timer, 30);
	assert_true(bench_write(b, &write, 1));
	assert_int_equal(b->failed, 0);
	loop_timer_free(timer);
	sqlite3_close(other);
}

struct load {
	struct bench *b;
	int pipe;
	int next;
};

static void put_pair(struct load *load);

static void
pair_done(void *ctx, uint64_t ticket, bool ok, const char *why)
{
	struct load *load = ctx;

	(void)why;
	if (!ok || write(load->pipe, &ticket, sizeof(ticket)) != sizeof(ticket))
		_exit(1);
	put_pair(load);
}

/* Two events that only make sense together, about rollout "r-NUMBER"; the ticket is the number. */
static void
put_pair(struct load *load)
{
	struct journal_port *port = &load->b->port;
	struct journal_write writes[2];
	char id[32];

	str_print(id, sizeof(id), "r-%d", load->next);
	writes[0] = event(id, "intent");
	writes[1] = event(id, "state");
	port->append(port->ctx, writes, 2, pair_done, load, (uint64_t)load->next++);
}

static void
child_works(struct bench *b, int first, int to)
{
	struct load load = {.b = b, .pipe = to, .next = first};
	struct err e;

	if (!bench_open(b, (struct store_settings){0}, &e))
		_exit(1);
	for (int i = 0; i < 32; i++)
		put_pair(&load);
	loop_run(b->loop);
	_exit(1);
}

#define MOST_PAIRS 100000

/* Counts events by the number of their rollout. */
static bool
count_event(void *ctx, const struct journal_row *row)
{
	unsigned char *counts = ctx;
	long number = strtol(row->key + 2, NULL, 10);

	assert_true(number >= 0 && number < MOST_PAIRS);
	counts[number]++;
	return true;
}

/* Reads reports until there were that many, kills the child, and reads what it said before. */
static int
collect_and_kill(pid_t child, int from, int enough, bool *reported)
{
	uint64_t ticket;
	int count = 0, status;

	while (read(from, &ticket, sizeof(ticket)) == sizeof(ticket)) {
		assert_true(ticket < MOST_PAIRS);
		reported[ticket] = true;
		if (++count == enough)
			kill(child, SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return count;
}

static void
check_pairs(struct bench *b, const bool *reported)
{
	unsigned char *counts = mem_array(MOST_PAIRS, 1);

	bench_must_open(b, (struct store_settings){0});
	assert_int_equal(b->port.events(b->port.ctx, NULL, 0, 0, count_event, counts, NULL), 0);
	bench_close(b);
	for (int i = 0; i < MOST_PAIRS; i++) {
		assert_true(counts[i] == 0 || counts[i] == 2);
		assert_true(counts[i] == 2 || !reported[i]);
	}
	free(counts);
}

/* I8: everything that was reported before kill -9 is there, and nothing is there by half. */
static void
test_kill_9_under_load(void **state)
{
	struct bench *b = *state;
	bool *reported = mem_array(MOST_PAIRS, sizeof(*reported));
	int ends[2], count, all = 0;

	for (int i = 0; i < 8; i++) {
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(ends[0]);
			child_works(b, i * 10000, ends[1]);
		}
		close(ends[1]);
		count = collect_and_kill(child, ends[0], 1 + i * 97, reported);
		close(ends[0]);
		assert_true(count > i * 97);
		all += count;
		check_pairs(b, reported);
	}
	assert_true(all > 2000);
	free(reported);
}

static int
setup_once(void **state)
{
	(void)state;
	fault_register();
	return 0;
}

int
main(void)
{
#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    with_bench(test_disk_full_and_back),
	    with_bench(test_sick_fails_fast),
	    with_bench(test_damage_while_running),
	    with_bench(test_hanging_disk),
	    with_bench(test_synced_before_reported),
	    with_bench(test_every_write_fails_once),
	    with_bench(test_every_sync_fails_once),
	    with_bench(test_every_write_of_a_migration_fails_once),
	    with_bench(test_another_program_holds_the_lock),
	    with_bench(test_kill_9_under_load),
	};

	return cmocka_run_group_tests(tests, setup_once, NULL);
}
