/* The map: what goes in comes out, in the order of insertion, also after removals. */
#include "unit.h"

#include <stdlib.h>
#include "base/map.h"
#include "base/str.h"

static void
test_set_get_remove(void **state)
{
	struct map *map = map_new();
	int a = 1, b = 2;

	(void)state;
	assert_null(map_get(map, "x"));
	assert_null(map_remove(map, "x"));
	assert_null(map_set(map, "x", &a));
	assert_ptr_equal(map_get(map, "x"), &a);
	assert_ptr_equal(map_set(map, "x", &b), &a);
	assert_int_equal(map_count(map), 1);
	assert_ptr_equal(map_remove(map, "x"), &b);
	assert_null(map_get(map, "x"));
	assert_int_equal(map_count(map), 0);
	map_free(map, NULL);
}

static void
test_key_is_copied(void **state)
{
	struct map *map = map_new();
	char key[] = "abc";

	(void)state;
	map_set(map, key, key);
	key[0] = 'z';
	assert_ptr_equal(map_get(map, "abc"), key);
	assert_null(map_get(map, "zbc"));
	map_free(map, NULL);
}

/* Against a plain array as the model: 200 keys of many lengths, 20,000 random steps. */
static void
test_like_a_model(void **state)
{
	struct map *map = map_new();
	intptr_t model[200] = {0};
	size_t live = 0;
	unsigned seed = 7;

	(void)state;
	for (int step = 1; step <= 20000; step++) {
		int i = rand_r(&seed) % 200;
		char *key = str_format("%0*d", 1 + i % 30, i);
		void *old;

		if (rand_r(&seed) % 3 > 0) {
			old = map_set(map, key, (void *)(intptr_t)step);
			live += model[i] == 0;
			assert_int_equal((intptr_t)old, model[i]);
			model[i] = step;
		} else {
			old = map_remove(map, key);
			live -= model[i] != 0;
			assert_int_equal((intptr_t)old, model[i]);
			model[i] = 0;
		}
		assert_int_equal((intptr_t)map_get(map, key), model[i]);
		assert_int_equal(map_count(map), live);
		free(key);
	}
	map_free(map, NULL);
}

static void
test_next_keeps_order_and_allows_removal(void **state)
{
	struct map *map = map_new();
	size_t cursor = 0;
	const char *key;
	void *value;
	int seen = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		char *text = str_format("key-%d", i);

		map_set(map, text, mem_strdup(text));
		free(text);
	}
	while (map_next(map, &cursor, &key, &value)) {
		char *expected = str_format("key-%d", seen++);

		assert_string_equal(key, expected);
		assert_string_equal(value, expected);
		free(expected);
		if (seen % 2 == 0)
			free(map_remove(map, key));
	}
	assert_int_equal(seen, 100);
	assert_int_equal(map_count(map), 50);
	cursor = 0;
	seen = 0;
	while (map_next(map, &cursor, NULL, NULL))
		seen++;
	assert_int_equal(seen, 50);
	map_free(map, free);
}

static void
test_numbers_are_keys(void **state)
{
	struct map *map = map_new();
	int a, b;

	(void)state;
	assert_null(map_set_number(map, 7, &a));
	assert_null(map_set_number(map, UINT64_MAX, &b));
	assert_ptr_equal(map_get(map, "7"), &a);
	assert_ptr_equal(map_remove_number(map, UINT64_MAX), &b);
	assert_null(map_remove_number(map, UINT64_MAX));
	assert_null(map_remove_number(map, 70));
	assert_ptr_equal(map_set_number(map, 7, &b), &a);
	assert_int_equal(map_count(map), 1);
	map_free(map, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set_get_remove),
	    cmocka_unit_test(test_key_is_copied),
	    cmocka_unit_test(test_like_a_model),
	    cmocka_unit_test(test_numbers_are_keys),
	    cmocka_unit_test(test_next_keeps_order_and_allows_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
