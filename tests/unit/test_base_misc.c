/* Memory, errors, clocks, identifiers, the version. */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <jansson.h>
#include "base/hex.h"
#include "base/host.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "base/version.h"

static void
test_memory(void **state)
{
	char *text = mem_alloc(3);
	int *numbers = mem_array(4, sizeof(int));

	(void)state;
	assert_int_equal(text[0] | text[1] | text[2], 0);
	assert_int_equal(numbers[3], 0);
	numbers = mem_grow(numbers, 1000, sizeof(int));
	numbers[999] = 1;
	free(text);
	free(numbers);
	assert_null(mem_strdup(NULL));
	assert_null(mem_strndup(NULL, 3));
	text = mem_strndup("abc", 10);
	assert_string_equal(text, "abc");
	mem_wipe(text, 3);
	assert_int_equal(text[0] | text[1] | text[2], 0);
	mem_wipe(NULL, 3);
	free(text);
	free(mem_alloc(0));
	free(mem_grow(NULL, 0, 8));
}

static void
test_overflow_gives_up(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		close(STDERR_FILENO);
		free(mem_grow(NULL, SIZE_MAX / 2, 4));
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
test_json_hook(void **state)
{
	json_malloc_t allocate;
	json_free_t release;

	(void)state;
	mem_json_hook();
	json_get_alloc_funcs(&allocate, &release);
	assert_true(allocate != malloc && release == free);
	json_decref(json_pack("{s:[i]}", "a", 1));
}

static void
test_errors(void **state)
{
	struct err e;
	char text[2000];

	(void)state;
	assert_int_equal(err_set(&e, "status %d", 503), -1);
	assert_int_equal(err_wrap(&e, "reading %s", "web"), -1);
	assert_string_equal(e.text, "reading web: status 503");
	assert_int_equal(err_set(&e, "%s; try again", e.text), -1);
	assert_string_equal(e.text, "reading web: status 503; try again");
	assert_int_equal(err_set(NULL, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text + sizeof(e.text) - 2, "\xc3\xa9", 2); /* across the end of the room */
	err_set(&e, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 2);
}

static void
test_error_list(void **state)
{
	struct errlist list;

	(void)state;
	errlist_init(&list);
	errlist_add(&list, "a.b[2]", "found %d", 7);
	errlist_add(&list, NULL, "whole");
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].path, "a.b[2]");
	assert_string_equal(list.items[0].text, "found 7");
	assert_int_equal(list.items[0].line, 0);
	assert_string_equal(list.items[1].path, "");
	errlist_done(&list);
	assert_int_equal(list.count, 0);
}

static void
test_clocks(void **state)
{
	int64_t wall = clock_wall_ms(), mono = clock_mono_ms();

	(void)state;
	assert_true(wall > INT64_C(1700000000000));
	/* time() may be a tick behind. */
	assert_true(wall / 1000 - time(NULL) <= 1 && time(NULL) - wall / 1000 <= 2);
	assert_true(clock_mono_ms() >= mono && mono > 0);
}

/* What airisd reckons with when it says how old something is: a machine that slept did not stop the
 * world. */
static void
test_clock_counts_sleep(void **state)
{
	struct timespec boot;
	int64_t before = clock_boot_ms();

	(void)state;
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boot), 0);
	int64_t now = (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000;
	assert_in_range(now, before, before + 1000);
	assert_true(clock_boot_ms() >= before && before >= clock_mono_ms() - 1000);
}

static void
test_ids(void **state)
{
	char a[ID_SIZE], b[ID_SIZE], c[ID_SIZE];

	(void)state;
	id_new(a, "r-", 1767323045678);
	id_new(b, "r-", 1767323045679);
	id_new(c, "r-", 1767323045679);
	assert_int_equal(strlen(a), 28);
	assert_memory_equal(a, "r-01kdyak3se", 12);
	assert_true(strcmp(a, b) < 0);
	assert_string_not_equal(b, c);
	assert_true(id_ok(a, "r-"));
	assert_false(id_ok(a, "t-"));
	assert_false(id_ok(NULL, "r-"));
	assert_false(id_ok("r-", "r-"));
	a[27] = 'u'; /* not in the alphabet */
	assert_false(id_ok(a, "r-"));
	assert_false(id_ok("r-81kdyf11eezzzzzzzzzzzzzzzz", "r-"));
	assert_false(id_ok("r-01kdyak3sezzzzzzzzzzzzzzzzz", "r-"));
	assert_true(id_ok("01kdyak3sezzzzzzzzzzzzzzzz", ""));
}

static void
test_random(void **state)
{
	char first[ID_SIZE], second[ID_SIZE];
	double sum = 0, r;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		r = id_random();
		assert_true(r >= 0 && r < 1);
		sum += r;
	}
	assert_true(sum > 4700 && sum < 5300);
	id_seed(42);
	id_new(first, "", 0);
	r = id_random();
	id_seed(42);
	id_new(second, "", 0);
	assert_string_equal(first, second);
	assert_true(r == id_random());
}

static void
test_version(void **state)
{
	(void)state;
	assert_true(version_text()[0] >= '0' && version_text()[0] <= '9');
	assert_null(strstr(version_text(), "unknown"));
}

static void
test_hex(void **state)
{
	const unsigned char bytes[] = {0x00, 0x9f, 0xa0, 0xff};
	unsigned char again[4] = {1, 2, 3, 4};
	char text[9];

	(void)state;
	hex_write(bytes, sizeof(bytes), text);
	assert_string_equal(text, "009fa0ff");
	assert_true(hex_read(text, again, sizeof(again)));
	assert_memory_equal(again, bytes, sizeof(bytes));
	assert_false(hex_read(NULL, again, 4));
	assert_false(hex_read("009fa0f", again, 4));
	assert_false(hex_read("009fa0ff0", again, 4));
	assert_false(hex_read("009FA0FF", again, 4));
	assert_false(hex_read("009fa0fg", again, 4));
}

static void
test_loopback(void **state)
{
	static const char *const here[] = {"127.0.0.1", "127.255.0.9", "[::1]"};
	static const char *const elsewhere[] = {"", "127", "127.1", "128.0.0.1",
	    "127.0.0.1.invalid", "localhost", "::1", "[::]", "[::2]", "[::ffff:127.0.0.1]", "[::1",
	    "[127.0.0.1]", "0127.0.0.1"};

	(void)state;
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		assert_true(host_is_loopback(here[i], strlen(here[i])));
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		assert_false(host_is_loopback(elsewhere[i], strlen(elsewhere[i])));
	assert_true(host_is_loopback("127.0.0.1:80", strlen("127.0.0.1")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hex),
	    cmocka_unit_test(test_loopback),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_overflow_gives_up),
	    cmocka_unit_test(test_json_hook),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_error_list),
	    cmocka_unit_test(test_clocks),
	    cmocka_unit_test(test_clock_counts_sleep),
	    cmocka_unit_test(test_ids),
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
