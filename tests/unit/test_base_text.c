/* Durations, numbers, names, times: what is taken and what is refused. */
#include "unit.h"

#include <string.h>
#include "base/str.h"

static void
test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"250ms", 250}, {"10s", 10000}, {"5m", 300000}, {"1h30m", 5400000},
	    {"2d", 172800000}, {"0s", 0}, {"1d2h3m4s5ms", 93784005}, {"90m", 5400000},
	    {"007s", 7000}, {"36525d", INT64_C(36525) * 86400000}};
	static const char *const bad[] = {"", "5", "0", "m", "5 m", " 5m", "5m ", "-5m", "+5m",
	    "1.5h", "5x", "30m1h", "1m1m", "5min", "5M", "36526d", "36525d1ms", "9999999999999999s",
	    "99999999999999999999d", "1h5", "m5"};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(str_duration(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	ms = 77;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (str_duration(bad[i], &ms) == 0)
			fail_msg("taken: \"%s\"", bad[i]);
	}
	assert_int_equal(str_duration(NULL, &ms), -1);
	assert_int_equal(ms, 77);
}

static void
test_duration_text(void **state)
{
	static const int64_t values[] = {0, 1, 999, 1000, 1500, 5400000, 86400000, 93784005};
	static const char *const texts[] = {
	    "0s", "1ms", "999ms", "1s", "1s500ms", "1h30m", "1d", "1d2h3m4s5ms"};
	char text[64];
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		str_duration_text(values[i], text, sizeof(text));
		assert_string_equal(text, texts[i]);
		assert_int_equal(str_duration(text, &ms), 0);
		assert_int_equal(ms, values[i]);
	}
	str_duration_text(-1000, text, sizeof(text));
	assert_string_equal(text, "-1s");
	str_duration_text(INT64_MIN, text, sizeof(text));
	assert_string_equal(text, "-106751991167d7h12m55s808ms");
	str_duration_text(5400000, text, 3);
	assert_string_equal(text, "1h");
}

static void
test_numbers(void **state)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1x", "0x10", "--1",
	    "9223372036854775808", "11", "-11", "1.0"};
	int64_t value;

	(void)state;
	assert_int_equal(str_number("9223372036854775807", INT64_MIN, INT64_MAX, &value), 0);
	assert_int_equal(value, INT64_MAX);
	assert_int_equal(str_number("-10", -10, 10, &value), 0);
	assert_int_equal(value, -10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (str_number(bad[i], -10, 10, &value) == 0)
			fail_msg("taken: \"%s\"", bad[i]);
	}
	assert_int_equal(str_number(NULL, 0, 1, &value), -1);
	assert_int_equal(value, -10);
}

static void
test_reals(void **state)
{
	static const char *const bad[] = {
	    "", "NaN", "+Inf", "inf", "0x1p3", " 1", "1 ", "1e", "1e999", "1,5", ".", "1.2.3"};
	double value;

	(void)state;
	assert_int_equal(str_real("0.995", &value), 0);
	assert_true(value == 0.995);
	assert_int_equal(str_real("-1e-3", &value), 0);
	assert_true(value == -0.001);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (str_real(bad[i], &value) == 0)
			fail_msg("taken: \"%s\"", bad[i]);
	}
	assert_int_equal(str_real(NULL, &value), -1);
	assert_true(value == -0.001);
}

static void
test_names(void **state)
{
	static const char *const labels[] = {"a", "web", "web-1", "0a"};
	static const char *const not_labels[] = {
	    "", "-a", "a-", "A", "a_b", "a.b", "a b", "a\n", "caf\xc3\xa9"};
	static const char *const not_names[] = {"", ".", "a.", ".a", "a..b", "a.-b", "a-.b", "a/b"};
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
		assert_true(str_is_dns_label(labels[i]) && str_is_dns_name(labels[i]));
	for (size_t i = 0; i < sizeof(not_labels) / sizeof(*not_labels); i++)
		assert_false(str_is_dns_label(not_labels[i]));
	for (size_t i = 0; i < sizeof(not_names) / sizeof(*not_names); i++)
		assert_false(str_is_dns_name(not_names[i]));
	assert_true(str_is_dns_name("a.b-c.d0"));
	assert_false(str_is_dns_label(NULL) || str_is_dns_name(NULL));
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	assert_true(str_is_dns_label(text));
	text[63] = 'a';
	text[64] = '\0';
	assert_false(str_is_dns_label(text));
	text[64] = 'a';
	text[253] = '\0';
	assert_true(str_is_dns_name(text));
	text[253] = 'a';
	text[254] = '\0';
	assert_false(str_is_dns_name(text));
}

static void
test_time_text(void **state)
{
	char text[40];

	(void)state;
	str_time_text(0, text, sizeof(text));
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	str_time_text(INT64_C(1767323045678), text, sizeof(text));
	assert_string_equal(text, "2026-01-02T03:04:05.678Z");
	str_time_text(-1, text, sizeof(text));
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_duration_text),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_reals),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_time_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
