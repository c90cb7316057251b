/* Backups of which the newest stay: what goes, and that nothing goes for a bad one. */
#include "test_store.h"

#include "store/view.h"
#include "wire_db.h"

static const struct store_settings plain;
static char said[4096];

static void
note(const char *line)
{
	size_t length = strlen(said);

	str_print(said + length, sizeof(said) - length, "%s\n", line);
}

static void
name_of(struct bench *b, int day, char *to, size_t size)
{
	assert_true(str_print(to, size, "%s/airis-200101%02dT000000Z.db", b->folder, day));
}

static bool
is_there(struct bench *b, int day)
{
	char path[128];

	name_of(b, day, path, sizeof(path));
	return access(path, F_OK) == 0;
}

/* Copies of a database as they were made on the first days of a January. */
static void
make_copies(struct bench *b, const char *database, int from, int to)
{
	char path[128];
	struct err e;

	for (int day = from; day <= to; day++) {
		name_of(b, day, path, sizeof(path));
		assert_int_equal(wire_backup(database, path, &e), 0);
	}
}

static int
keep(struct bench *b, int count, struct err *e)
{
	said[0] = '\0';
	return wire_backup_keep(b->path, b->folder, count, note, e);
}

static void
make_database(struct bench *b)
{
	bench_must_open(b, plain);
	bench_close(b);
}

static void
test_the_newest_stay(void **state)
{
	struct bench *b = *state;
	struct err e;

	make_database(b);
	make_copies(b, b->path, 1, 5);
	assert_int_equal(keep(b, 6, &e), 0);
	for (int day = 1; day <= 5; day++)
		assert_true(is_there(b, day));
	make_copies(b, b->path, 6, 7);
	/* The one of just now is there too, or took the same name. */
	assert_int_equal(keep(b, 4, &e), 0);
	assert_false(is_there(b, 1));
	assert_false(is_there(b, 4));
	assert_true(is_there(b, 7));
	assert_int_equal(keep(b, 1, &e), 0);
	assert_false(is_there(b, 7));
	assert_non_null(strstr(said, "a copy of"));
}

static void
test_those_of_another_database_stay(void **state)
{
	struct bench *b = *state;
	char other[96];
	struct err e;

	make_database(b);
	str_print(other, sizeof(other), "%s/other", b->folder);
	assert_int_equal(rename(b->path, other), 0);
	make_database(b);
	make_copies(b, other, 1, 2);
	make_copies(b, b->path, 3, 4);
	assert_int_equal(keep(b, 1, &e), 0);
	assert_true(is_there(b, 1) && is_there(b, 2));
	assert_false(is_there(b, 3) || is_there(b, 4));
	assert_non_null(strstr(said, "it is of another database"));
}

static void
test_a_bad_one_pushes_nothing_out(void **state)
{
	struct bench *b = *state;
	struct err e;

	make_database(b);
	make_copies(b, b->path, 1, 3);
	assert_int_equal(file_run(b->path, "INSERT INTO events (rollout, at_ms, kind, data)"
					   " VALUES ('r-1', 1, 'x', '{}')"),
	    SQLITE_OK);
	assert_int_equal(keep(b, 1, &e), -1);
	assert_non_null(strstr(e.text, "no older one was removed"));
	assert_non_null(strstr(said, "events of a rollout that is in no list: r-1"));
	for (int day = 1; day <= 3; day++)
		assert_true(is_there(b, day));
}

int
main(void)
{
#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
	    with_bench(test_the_newest_stay),
	    with_bench(test_those_of_another_database_stay),
	    with_bench(test_a_bad_one_pushes_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
