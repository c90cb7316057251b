/* Opening the store: what is refused is left as it was, byte for byte, and the text says what to
 * do; what is older is copied and brought forward. */
#include "test_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct store_settings plain;

static const struct store_migration versions[] = {
    {1, "first", "CREATE TABLE events (seq INTEGER PRIMARY KEY, old TEXT) STRICT;"},
    {2, "second",
	"ALTER TABLE events ADD COLUMN fresh TEXT; UPDATE events SET fresh = old || '!';"},
    {3, "broken", "CREATE TABLE half (a INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"},
};

/* The version that every real statement fits, with two more steps. */
#define REAL 8
static struct store_migration extended[REAL + 2];

static void
extend(const char *sql)
{
	int count = store_migrations_count;

	assert_in_range(count, 1, REAL);
	memcpy(extended, store_migrations, (size_t)count * sizeof(extended[0]));
	extended[count] = (struct store_migration){count + 1, "extra", sql};
	extended[count + 1] =
	    (struct store_migration){count + 2, "more", "CREATE TABLE more (a INTEGER) STRICT"};
}

static struct store_settings
with_more(int more)
{
	return (struct store_settings){
	    .migrations = extended, .migration_count = store_migrations_count + more};
}

struct bytes {
	char *data;
	long size;
};

static struct bytes
slurp(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct bytes bytes;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	bytes.size = ftell(file);
	rewind(file);
	bytes.data = mem_alloc((size_t)bytes.size + 1);
	assert_int_equal(fread(bytes.data, 1, (size_t)bytes.size, file), bytes.size);
	fclose(file);
	return bytes;
}

static void
spill(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

/* The store must say no with these words, and the file must be the same afterwards. */
static void
assert_refused(struct bench *b, struct store_settings settings, const char *words)
{
	struct bytes before = slurp(b->path), after;
	struct err e;

	assert_false(bench_open(b, settings, &e));
	if (strstr(e.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, e.text);
	after = slurp(b->path);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.data, after.data, (size_t)before.size);
	free(before.data);
	free(after.data);
}

/* A database with some rows in it, closed. */
static void
make_database(struct bench *b, int events)
{
	struct journal_write write = event("r-1", "e");

	bench_must_open(b, plain);
	for (int i = 0; i < events; i++)
		bench_put(b, &write, 1, 0);
	store_flush(b->store);
	assert_int_equal(b->failed, 0);
	bench_close(b);
}

static void
test_a_fresh_database(void **state)
{
	struct bench *b = *state;
	char log[128], lock[128], copy[128];
	struct stat st;

	bench_must_open(b, plain);
	assert_int_equal(file_number(b->path, "PRAGMA application_id"), 0x61697273);
	assert_int_equal(
	    file_number(b->path, "PRAGMA user_version"), (int64_t)store_migrations_count);
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	bench_path(b, "-wal", log, sizeof(log));
	assert_int_equal(stat(log, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	bench_path(b, ".lock", lock, sizeof(lock));
	assert_int_equal(stat(lock, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	bench_path(b, ".before-0001", copy, sizeof(copy));
	assert_int_equal(stat(copy, &st), -1); /* there was nothing to copy */
	bench_close(b);
	assert_int_equal(stat(log, &st), -1); /* a clean stop leaves one file */
	assert_int_equal(file_number(b->path, "SELECT count(*) FROM sqlite_schema WHERE"
					      " type = 'table' AND name NOT LIKE 'sqlite%' AND"
					      " sql NOT LIKE '%STRICT'"),
	    0);
}

/* F55 */
static void
test_a_second_daemon_is_refused(void **state)
{
	struct bench *b = *state;
	struct store_settings settings = {.path = b->path};
	char mine[32], lock[128], link[128];
	struct bytes owner;
	struct err e;

	bench_must_open(b, plain);
	assert_null(store_open(&settings, b->loop, &e));
	str_print(mine, sizeof(mine), "(pid %ld)", (long)getpid());
	assert_non_null(strstr(e.text, mine));
	assert_non_null(strstr(e.text, "in use by another airisd"));
	bench_path(b, ".lock", lock, sizeof(lock));
	owner = slurp(lock);
	assert_int_equal(strtol(owner.data, NULL, 10), getpid());
	free(owner.data);
	/* By another name it is the same database. */
	bench_path(b, ".link", link, sizeof(link));
	assert_int_equal(symlink(b->path, link), 0);
	settings.path = link;
	assert_null(store_open(&settings, b->loop, &e));
	assert_non_null(strstr(e.text, mine));
	bench_close(b);
	bench_must_open(b, plain);
}

static void
test_no_folder(void **state)
{
	struct bench *b = *state;
	struct store_settings settings = {.path = "/nowhere/at/all/db"};
	struct err e;

	assert_null(store_open(&settings, b->loop, &e));
	assert_non_null(strstr(e.text, "directory must exist"));
	settings.path = b->folder;
	assert_null(store_open(&settings, b->loop, &e));
	assert_non_null(strstr(e.text, "is not a file"));
	str_print(b->why, sizeof(b->why), "%s.lock", b->folder);
	unlink(b->why);
}

/* F72 */
static void
test_newer_is_refused(void **state)
{
	struct bench *b = *state;

	make_database(b, 1);
	assert_int_equal(file_run(b->path, "PRAGMA user_version = 99"), SQLITE_OK);
	assert_refused(b, plain, "has version 99, written by a newer airisd");
	assert_refused(b, plain, "put a backup that this one has made in its place");
}

/* The newer version is in the log only: another program stopped without a checkpoint. */
static void
test_newer_in_the_log_is_refused(void **state)
{
	struct bench *b = *state;
	sqlite3 *db;

	make_database(b, 1);
	assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_refused(b, plain, "has version 99");
	assert_int_equal(file_number(b->path, "PRAGMA user_version"), 99);
}

static void
test_foreign_is_refused(void **state)
{
	static const char text[] = "this is a letter, and quite a long one; it must be longer than "
				   "a hundred bytes so that it could have a header of that size.";
	struct bench *b = *state;
	char journal[128];

	spill(b->path, text, sizeof(text));
	assert_refused(b, plain, "is not a database of airisd");
	spill(b->path, text, 10);
	assert_refused(b, plain, "is not a database of airisd");
	unlink(b->path);
	assert_int_equal(file_run(b->path, "CREATE TABLE photos (a)"), SQLITE_OK);
	assert_refused(b, plain, "is not a database of airisd");
	assert_int_equal(file_run(b->path, "PRAGMA application_id = 7"), SQLITE_OK);
	assert_refused(b, plain, "move the file away");
	/* With a journal beside it, which SQLite looks at first. */
	bench_path(b, "-journal", journal, sizeof(journal));
	spill(journal, (char[512]){0}, 512);
	assert_refused(b, plain, "is not a database of airisd");
}

static void
test_log_without_database_is_refused(void **state)
{
	struct bench *b = *state;
	char log[128];
	struct bytes kept;
	struct err e;

	bench_path(b, "-wal", log, sizeof(log));
	spill(log, "precious", 8);
	assert_false(bench_open(b, plain, &e));
	assert_non_null(strstr(e.text, "put the database back"));
	kept = slurp(log);
	assert_int_equal(kept.size, 8);
	free(kept.data);
}

/* F72, I14: wherever it is damaged, it is refused or it is whole; and it is never changed. */
static void
test_damaged_is_refused(void **state)
{
	struct bench *b = *state;
	struct bytes whole;
	struct err e;
	int refused = 0;

	make_database(b, 2000);
	whole = slurp(b->path);
	for (long at = 4096; at < whole.size; at += 4096) {
		struct bytes broken = {mem_alloc((size_t)whole.size), whole.size}, after;

		memcpy(broken.data, whole.data, (size_t)whole.size);
		memset(broken.data + at, 0x5a, 64);
		spill(b->path, broken.data, (size_t)broken.size);
		if (!bench_open(b, plain, &e)) {
			refused++;
			assert_non_null(strstr(e.text, "is damaged"));
			assert_non_null(strstr(e.text, "To restore a backup: systemctl stop"));
			after = slurp(b->path);
			assert_int_equal(after.size, broken.size);
			assert_memory_equal(after.data, broken.data, (size_t)broken.size);
			free(after.data);
		}
		bench_close(b);
		free(broken.data);
	}
	assert_true(refused > 10);
	spill(b->path, whole.data, (size_t)whole.size - 4096 * 3);
	assert_refused(b, plain, "is damaged");
	free(whole.data);
}

/* Pages that are well-formed each for itself: an index that says something else than its table
 * hides events, and a rollout would be folded without them. */
static void
test_an_index_that_lies_is_refused(void **state)
{
	struct bench *b = *state;

	make_database(b, 50);
	assert_int_equal(file_run(b->path, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET"
					   " sql = 'CREATE INDEX events_rollout ON events (kind)'"
					   " WHERE name = 'events_rollout'"),
	    SQLITE_OK);
	assert_int_equal(
	    file_run(b->path, "INSERT INTO events VALUES (51, 'r-1', 1, 'x', NULL, '{}')"),
	    SQLITE_OK);
	assert_int_equal(
	    file_run(b->path, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET"
			      " sql = 'CREATE INDEX events_rollout ON events (rollout)'"
			      " WHERE name = 'events_rollout'"),
	    SQLITE_OK);
	assert_refused(b, plain, "is damaged (row 51 missing from index events_rollout)");
}

static void
test_migration_keeps_a_copy(void **state)
{
	struct bench *b = *state;
	struct journal_write write = event("r-1", "later");
	char copy[128], suffix[32], needed[96];
	struct stat st;

	make_database(b, 3);
	extend("ALTER TABLE apps ADD COLUMN note TEXT; CREATE TABLE notes (seq INTEGER) STRICT;"
	       " INSERT INTO notes SELECT seq FROM events;");
	str_print(suffix, sizeof(suffix), ".before-%04d", store_migrations_count + 1);
	bench_path(b, suffix, copy, sizeof(copy));
	spill(copy, "an older copy", 13);
	bench_must_open(b, with_more(2));
	assert_int_equal(file_number(b->path, "PRAGMA user_version"), store_migrations_count + 2);
	assert_int_equal(file_number(b->path, "SELECT count(*) FROM notes"), 3);
	assert_int_equal(file_number(copy, "PRAGMA user_version"), store_migrations_count);
	assert_int_equal(file_number(copy, "PRAGMA application_id"), 0x61697273);
	assert_int_equal(file_number(copy, "SELECT count(*) FROM events"), 3);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(bench_write(b, &write, 1));
	assert_int_equal(write.number, 4);
	bench_close(b);
	/* The older program names what it can go on from. */
	assert_refused(b, plain, copy);
	str_print(needed, sizeof(needed),
	    "needs an airisd whose --version says \"database version %d\"",
	    store_migrations_count + 2);
	assert_refused(b, plain, needed);
	/* The copy is a whole database that an older program opens. */
	assert_int_equal(rename(copy, b->path), 0);
	bench_must_open(b, plain);
	assert_int_equal(b->port.last_seq(b->port.ctx), 3);
	bench_close(b);
	/* No copy where there is nothing to lose or to do. */
	assert_int_equal(access(copy, F_OK), -1);
	bench_must_open(b, plain);
	assert_int_equal(access(copy, F_OK), -1);
}

static void
test_a_failing_migration_is_undone(void **state)
{
	struct bench *b = *state;
	struct err e;

	make_database(b, 3);
	extend("CREATE TABLE half (a INTEGER) STRICT; INSERT INTO nowhere VALUES (1);");
	assert_false(bench_open(b, with_more(1), &e));
	assert_non_null(strstr(e.text, "_extra failed and was undone"));
	assert_non_null(strstr(e.text, "nowhere"));
	assert_int_equal(file_number(b->path, "PRAGMA user_version"), store_migrations_count);
	assert_int_equal(
	    file_number(b->path, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
	bench_must_open(b, plain);
	assert_int_equal(b->port.last_seq(b->port.ctx), 3);
}

/* Of several steps those before the failing one stay; the next start goes on from there. */
static void
test_migrations_go_one_by_one(void **state)
{
	struct bench *b = *state;
	struct store_settings settings = {.migrations = versions, .migration_count = 3};
	struct err e;

	assert_false(bench_open(b, settings, &e));
	assert_non_null(strstr(e.text, "0003_broken"));
	assert_int_equal(file_number(b->path, "PRAGMA user_version"), 2);
	assert_int_equal(file_number(b->path, "SELECT count(fresh) FROM events"), 0);
}

static void
test_identity(void **state)
{
	struct bench *b = *state;
	char first[STORE_IDENTITY], again[STORE_IDENTITY];
	struct err e;

	bench_must_open(b, plain);
	assert_int_equal(store_identity(b->store, first, &e), 0);
	assert_int_equal(strlen(first), 32);
	assert_int_equal(strspn(first, "0123456789abcdef"), 32);
	bench_close(b);
	bench_must_open(b, plain);
	assert_int_equal(store_identity(b->store, again, &e), 0);
	assert_string_equal(first, again);
	bench_close(b);
	/* One that was made before there was an identity gets one, and another database another. */
	assert_int_equal(unlink(b->path), 0);
	assert_false(bench_open(
	    b, (struct store_settings){.migrations = store_migrations, .migration_count = 1}, &e));
	bench_must_open(b, plain);
	assert_int_equal(store_identity(b->store, again, &e), 0);
	assert_int_equal(strlen(again), 32);
	assert_string_not_equal(first, again);
	assert_int_equal(
	    file_run(b->path, "UPDATE identity SET value = lower(hex(randomblob(16)))"),
	    SQLITE_CONSTRAINT);
}

/* Killed at any moment of its first start, the database is opened by the next. */
static void
test_killed_while_created(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 40; i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			struct store_settings settings = {.path = b->path};
			struct err e;

			store_open(&settings, b->loop, &e);
			_exit(0);
		}
		for (volatile int spin = 0; spin < i * 60000; spin++) {
		}
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		bench_must_open(b, plain);
		bench_close(b);
		unlink(b->path);
	}
}

int
main(void)
{
#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    with_bench(test_a_fresh_database),
	    with_bench(test_a_second_daemon_is_refused),
	    with_bench(test_no_folder),
	    with_bench(test_newer_is_refused),
	    with_bench(test_newer_in_the_log_is_refused),
	    with_bench(test_foreign_is_refused),
	    with_bench(test_log_without_database_is_refused),
	    with_bench(test_damaged_is_refused),
	    with_bench(test_an_index_that_lies_is_refused),
	    with_bench(test_migration_keeps_a_copy),
	    with_bench(test_a_failing_migration_is_undone),
	    with_bench(test_migrations_go_one_by_one),
	    with_bench(test_identity),
	    with_bench(test_killed_while_created),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
