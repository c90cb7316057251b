/* Strings: growth, bounds, and cuts that never tear a character. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"

static void
test_grows(void **state)
{
	struct str s;
	char *text;

	(void)state;
	str_init(&s, 0);
	assert_string_equal(str_text(&s), "");
	for (int i = 0; i < 1000; i++)
		str_addf(&s, "%03d,", i);
	assert_int_equal(s.length, 4000);
	assert_memory_equal(str_text(&s) + 3996, "999,", 5);
	text = str_take(&s);
	assert_int_equal(strlen(text), 4000);
	free(text);
	text = str_take(&s);
	assert_string_equal(text, "");
	free(text);
	str_add_bytes(&s, "a\0b", 3);
	assert_int_equal(s.length, 3);
	str_clear(&s);
	assert_string_equal(str_text(&s), "");
	str_add(&s, "x");
	assert_string_equal(str_text(&s), "x");
	str_done(&s);
}

static void
test_long_format(void **state)
{
	struct str s;
	char *text = str_format("%0500d", 7);

	(void)state;
	assert_int_equal(strlen(text), 500);
	str_init(&s, 0);
	str_addf(&s, "%s%s", text, text);
	assert_int_equal(s.length, 1000);
	str_done(&s);
	free(text);
}

static void
test_bound(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 5);
	str_add(&s, "abc");
	assert_false(s.full);
	str_add(&s, "d\xc3\xa9"); /* the character would need a sixth byte */
	assert_true(s.full);
	assert_string_equal(str_text(&s), "abcd");
	str_add(&s, "e"); /* would fit, but would hide the gap */
	assert_string_equal(str_text(&s), "abcd");
	str_clear(&s);
	str_add_bytes(&s, "123456789", 9);
	assert_int_equal(s.length, 5);
	assert_true(s.full);
	str_clear(&s);
	str_addf(&s, "%d", 12345);
	assert_false(s.full);
	str_done(&s);
}

static void
test_copy_and_print(void **state)
{
	char room[6];

	(void)state;
	assert_true(str_copy(room, sizeof(room), "12345"));
	assert_false(str_copy(room, sizeof(room), "123456"));
	assert_string_equal(room, "12345");
	assert_false(str_copy(room, sizeof(room), "123\xe2\x82\xac")); /* three bytes */
	assert_string_equal(room, "123");
	assert_true(str_print(room, sizeof(room), "%d", 12345));
	assert_string_equal(room, "12345");
	assert_false(str_print(room, sizeof(room), "1234%s", "\xc3\xa9"));
	assert_string_equal(room, "1234");
	assert_false(str_print(room, sizeof(room), "123%s", "\xc3\xa9z"));
	assert_string_equal(room, "123\xc3\xa9");
	assert_false(str_print(room, sizeof(room), "12345%s", "\xc3\xa9"));
	assert_string_equal(room, "12345");
	assert_false(str_copy(room, 0, "x"));
}

static void
test_compare(void **state)
{
	(void)state;
	assert_true(str_equal("a", "a"));
	assert_true(str_equal(NULL, NULL));
	assert_false(str_equal("a", NULL));
	assert_false(str_equal("a", "b"));
	assert_true(str_starts("abc", "ab"));
	assert_false(str_starts("a", "ab"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("c", "bc"));
}

static void
test_utf8(void **state)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
	    "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9z"};
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3z",
	    "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80", "\xff", "a\xc3\xa9\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(str_utf8_ok(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(str_utf8_ok(bad[i], strlen(bad[i])));
	assert_true(str_utf8_ok("a\0b", 3));
	assert_int_equal(str_utf8_char("\xc3\xa9", 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grows),
	    cmocka_unit_test(test_long_format),
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_copy_and_print),
	    cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
