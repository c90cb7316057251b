/* JSON of others: paths into it, limits on it, and the writer. */
#include "unit.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"

static const char sample[] =
    "{\"spec\":{\"replicas\":3,\"paused\":true,\"ratio\":0.5,\"big\":1e300,\"many\":2147483648,"
    "\"less\":-1,\"whole\":4.0,"
    "\"containers\":[{\"image\":\"web:1\"},{\"image\":null}]},"
    "\"labels\":{\"app.kubernetes.io/name\":\"web\",\"a\\\\b\":\"c\",\"\":1,\"0\":\"zero\"}}";

static void
test_getters(void **state)
{
	json_t *root = jsonx_parse(sample, strlen(sample), 1000, NULL);

	(void)state;
	assert_non_null(root);
	assert_string_equal(jsonx_text(root, "spec.containers.0.image"), "web:1");
	assert_null(jsonx_text(root, "spec.containers.1.image"));
	assert_null(jsonx_text(root, "spec.containers.2.image"));
	assert_null(jsonx_text(root, "spec.containers.-1.image"));
	assert_null(jsonx_text(root, "spec.containers.x.image"));
	assert_null(jsonx_text(root, "spec.replicas.0"));
	assert_null(jsonx_text(root, "spec.replicas"));
	assert_string_equal(jsonx_text_or(root, "spec.none", "else"), "else");
	assert_string_equal(jsonx_text(root, "labels.app\\.kubernetes\\.io/name"), "web");
	assert_string_equal(jsonx_text(root, "labels.a\\\\b"), "c");
	assert_string_equal(jsonx_text(root, "labels.0"), "zero");
	assert_int_equal(jsonx_int(root, "spec.replicas", -1), 3);
	assert_int_equal(jsonx_int(root, "spec.whole", -1), 4);
	assert_int_equal(jsonx_int(root, "spec.ratio", -1), -1);
	assert_int_equal(jsonx_int(root, "spec.big", -1), -1);
	assert_int_equal(jsonx_int(root, "spec.paused", -1), -1);
	assert_int_equal(jsonx_count(root, "spec.replicas", -1), 3);
	assert_int_equal(jsonx_count(root, "spec.whole", -1), 4);
	assert_int_equal(jsonx_count(root, "spec.many", -1), -1);
	assert_int_equal(jsonx_count(root, "spec.less", 7), 7);
	assert_int_equal(jsonx_count(root, "spec.none", 7), 7);
	assert_true(jsonx_real(root, "spec.ratio", 9) == 0.5);
	assert_true(jsonx_real(root, "spec.replicas", 9) == 3);
	assert_true(jsonx_real(root, "spec.none", 9) == 9);
	assert_true(jsonx_bool(root, "spec.paused", false));
	assert_true(jsonx_bool(root, "spec.none", true));
	assert_false(jsonx_bool(root, "spec.replicas", false));
	assert_ptr_equal(jsonx_at(root, ""), root);
	assert_null(jsonx_at(NULL, "a"));
	assert_null(jsonx_at(NULL, ""));
	json_decref(root);
}

static void
test_long_path_is_not_there(void **state)
{
	json_t *root = json_object();
	char path[2000];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	json_object_set_new(root, path, json_true());
	assert_null(jsonx_at(root, path));
	json_decref(root);
}

static void
expect_refusal(const char *text, size_t limit, const char *part)
{
	struct err e = {""};

	assert_null(jsonx_parse(text, strlen(text), limit, &e));
	if (strstr(e.text, part) == NULL)
		fail_msg("\"%s\" does not contain \"%s\"", e.text, part);
}

static void
test_parse_limits(void **state)
{
	char deep[131] = {0};
	json_t *value;

	(void)state;
	expect_refusal("", 10, "found nothing");
	expect_refusal("[1,2,3,4,5]", 10, "at most 10");
	expect_refusal("{\"a\":1,\"a\":2}", 100, "line 1");
	expect_refusal("[1]\n x", 100, "line 2");
	expect_refusal("[1", 100, "not valid JSON");
	expect_refusal("[1e999]", 100, "not valid JSON");
	expect_refusal("\"\\u0000\"", 100, "not valid JSON");
	expect_refusal("[\"\xff\"]", 100, "not valid JSON");
	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	expect_refusal(deep, 1000, "64 levels");
	deep[129] = '\0';
	value = jsonx_parse(deep + 1, 128, 1000, NULL);
	assert_non_null(value);
	json_decref(value);
	/* Brackets in texts are no levels. */
	memset(deep, '[', 130);
	deep[0] = deep[129] = '"';
	memcpy(deep + 1, "\\\"", 2);
	value = jsonx_parse(deep, 130, 1000, NULL);
	assert_non_null(value);
	json_decref(value);
}

static void
test_dump(void **state)
{
	json_t *root = json_pack("{s:[i,b,b,n], s:{}, s:[], s:s, s:f}", "z", -5, 1, 0, "a", "b",
	    "t", "\"\\/\n\t\r\x01\x7f\xc3\xa9", "r", 0.1);
	char *text = jsonx_dump(root);

	(void)state;
	assert_string_equal(text, "{\"z\":[-5,true,false,null],\"a\":{},\"b\":[],"
				  "\"t\":\"\\\"\\\\/\\n\\t\\r\\u0001\\u007f\xc3\xa9\",\"r\":0.1}");
	free(text);
	json_decref(root);
	text = jsonx_dump(NULL);
	assert_string_equal(text, "null");
	free(text);
}

static void
expect_same_real(double value)
{
	struct err e;
	struct str s;
	json_t *again;

	str_init(&s, 0);
	jsonx_add_real(&s, value);
	again = jsonx_parse(str_text(&s), s.length, 100, &e);
	if (!json_is_real(again) || json_real_value(again) != value)
		fail_msg("%s", str_text(&s));
	json_decref(again);
	str_done(&s);
}

static void
test_reals_are_exact(void **state)
{
	static const double values[] = {0, -0.0, 1, 0.1, 0.995, 1.0 / 3, 1e21, 123456789012345678.0,
	    DBL_MAX, DBL_MIN, 5e-324, -2.5};
	unsigned seed = 3;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		expect_same_real(values[i]);
	for (int i = 0; i < 10000; i++)
		expect_same_real((double)rand_r(&seed) / (1.0 + rand_r(&seed)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_getters),
	    cmocka_unit_test(test_long_path_is_not_there),
	    cmocka_unit_test(test_parse_limits),
	    cmocka_unit_test(test_dump),
	    cmocka_unit_test(test_reals_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
