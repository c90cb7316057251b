/* Variables in queries (F12, F13): known ones are put in, and no value can ever be more than text
 * inside of a string of the query. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "model/verdict.h"

static const struct query_vars vars = {.app = "web",
    .namespace = "shop",
    .stable = "web",
    .canary = "web-canary",
    .window_ms = 30000,
    .since_weight_ms = 12345};

static void
test_expands(void **state)
{
	static const struct {
		const char *query, *expanded;
	} cases[] = {
	    {"", ""},
	    {"vector(1)", "vector(1)"},
	    {"x{a=\"{{app}}\",n='{{namespace}}',s=`{{stable}}`,c=\"p-{{ canary }}-s\"}[{{window}}]",
		"x{a=\"web\",n='shop',s=`web`,c=\"p-web-canary-s\"}[30s]"},
	    {"x[{{since_weight}}s] > {{since_weight}}", "x[12s] > 12"},
	    {"x{a=\"{\\\"{{app}}\"} # {{nothing}} \"\n + y{b=\"{{app}}\"}",
		"x{a=\"{\\\"web\"} # {{nothing}} \"\n + y{b=\"web\"}"},
	    {"x{a=\"#{{app}}\"}", "x{a=\"#web\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *expanded = NULL;
		struct err e;

		if (query_expand(cases[i].query, &vars, &expanded, &e) != 0)
			fail_msg("%s: %s", cases[i].query, e.text);
		assert_string_equal(expanded, cases[i].expanded);
		assert_int_equal(query_check(cases[i].query, &e), 0);
		free(expanded);
	}
}

/* F13: what is not known, not closed, or where it must not be is refused before any start. */
static void
test_f13_refuses(void **state)
{
	static const struct {
		const char *query, *says;
	} cases[] = {
	    {"x{a=\"{{canari}}\"}", "did you mean {{canary}}?"},
	    {"x{a=\"{{zzzzzzzz}}\"}", "there are app, namespace"},
	    {"x{a=\"{{}}\"}", "begins a variable"},
	    {"x{a=\"{{canary\"}", "begins a variable"},
	    {"x{a=\"{{canary}\"}", "begins a variable"},
	    {"x{a=\"{{can ary}}\"}", "begins a variable"},
	    {"{{", "begins a variable"},
	    {"x{a={{canary}}}", "inside quotes"},
	    {"{{app}}", "inside quotes"},
	    {"x{a=\"{{app}}}", "a \" is missing"},
	    {"x{a='", "a ' is missing"},
	    {"x{a=\"{{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}\"}", "begins"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *expanded = (char *)1;
		struct err e;

		assert_int_equal(query_check(cases[i].query, &e), -1);
		if (strstr(e.text, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].query, e.text);
		assert_int_equal(query_expand(cases[i].query, &vars, &expanded, &e), -1);
		assert_ptr_equal(expanded, (char *)1);
	}
}

/* F13: a variable that resolves to nothing is an error, not an empty matcher. */
static void
test_f13_empty_values(void **state)
{
	struct query_vars empty = vars;
	char *expanded;
	struct err e;

	(void)state;
	empty.canary = "";
	assert_int_equal(query_expand("x{a=\"{{canary}}\"}", &empty, &expanded, &e), -1);
	assert_non_null(strstr(e.text, "{{canary}} is empty"));
	empty.canary = NULL;
	assert_int_equal(query_expand("x{a=\"{{canary}}\"}", &empty, &expanded, &e), -1);
	assert_int_equal(query_expand("x{a=\"{{stable}}\"}", &empty, &expanded, &e), 0);
	free(expanded);
}

/* F12: the window is what the engine allows, to the millisecond, and never empty. */
static void
test_f12_windows(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{1000, "[1s]"}, {1500, "[1500ms]"}, {90000, "[90s]"}, {3600000, "[3600s]"},
	    {1, "[1ms]"}, {0, NULL}, {-5, NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct query_vars some = vars;
		char *expanded = NULL;
		struct err e;
		int result;

		some.window_ms = cases[i].ms;
		result = query_expand("[{{window}}]", &some, &expanded, &e);
		assert_int_equal(result, cases[i].text == NULL ? -1 : 0);
		if (result == 0)
			assert_string_equal(expanded, cases[i].text);
		free(expanded);
	}
}

static void
test_escapes(void **state)
{
	static const struct {
		const char *query, *value, *expanded; /* NULL: refused */
	} cases[] = {
	    {"x{a=\"{{app}}\"}", "a\"b", "x{a=\"a\\\"b\"}"},
	    {"x{a=\"{{app}}\"}", "a\\b", "x{a=\"a\\\\b\"}"},
	    {"x{a='{{app}}'}", "a\"'b", "x{a='a\"\\'b'}"},
	    {"x{a=`{{app}}`}", "a\\\"b", "x{a=`a\\\"b`}"},
	    {"x{a=`{{app}}`}", "a`b", NULL},
	    {"x{a=\"{{app}}\"}", "a\nb", NULL},
	    {"x{a=\"{{app}}\"}", "a.b", "x{a=\"a.b\"}"},
	    {"x{a=~\"{{app}}\"}", "a.b", "x{a=~\"a\\\\.b\"}"},
	    {"x{a =~ \"{{app}}-.*\"}", "a.b", "x{a =~ \"a\\\\.b-.*\"}"},
	    {"x{a!~'{{app}}'}", "a.b", "x{a!~'a\\\\.b'}"},
	    {"x{a=~`{{app}}`}", "a.b", "x{a=~`a\\.b`}"},
	    {"x{b=~\"y\",a=\"{{app}}\"}", "a.b", "x{b=~\"y\",a=\"a.b\"}"},
	    {"x{a=~\"{{app}}\"}", "a|.*", "x{a=~\"a\\\\|\\\\.\\\\*\"}"},
	    {"x{a=\"{{app}}\"}", "{{canary}}", "x{a=\"{{canary}}\"}"},
	    {"x{a=\"{{app}}\"}", "서비스", "x{a=\"서비스\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct query_vars some = vars;
		char *expanded = NULL;
		struct err e;
		int result;

		some.app = cases[i].value;
		result = query_expand(cases[i].query, &some, &expanded, &e);
		assert_int_equal(result, cases[i].expanded == NULL ? -1 : 0);
		if (result == 0)
			assert_string_equal(expanded, cases[i].expanded);
		free(expanded);
	}
}

/* Reads a quoted PromQL string as Prometheus does; the end, or NULL if it does not end. */
static const char *
unquote(const char *from, char quote, struct str *to)
{
	for (; *from != '\0'; from++) {
		if (*from == quote)
			return from + 1;
		if (*from == '\\' && quote != '`' && *++from == '\0')
			return NULL;
		str_add_bytes(to, from, 1);
	}
	return NULL;
}

/* For any value and any quote: either refused, or the string that Prometheus reads is the value,
 * and behind it the query goes on as it was written. */
static void
test_no_value_leaves_its_string(void **state)
{
	static const char letters[] = "ab.-\"'`\\{}[]()#,=~|*+?^$\n\t 7";
	static const char quotes[] = "\"'`";
	unsigned seed = 5;
	int taken = 0;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		char value[12] = "", query[64], quote = quotes[i % 3];
		struct query_vars some = vars;
		char *expanded;
		struct str read;
		const char *rest;

		for (int k = 0; k < 1 + rand_r(&seed) % 10; k++)
			value[k] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
		some.canary = value;
		str_print(query, sizeof(query), "x{a=%c{{canary}}%c}[{{window}}]", quote, quote);
		if (query_expand(query, &some, &expanded, NULL) != 0) {
			assert_non_null(strpbrk(value, "\n\t`"));
			continue;
		}
		taken++;
		str_init(&read, 0);
		rest = unquote(expanded + 5, quote, &read);
		assert_non_null(rest);
		assert_string_equal(rest, "}[30s]");
		assert_string_equal(str_text(&read), value);
		str_done(&read);
		free(expanded);
	}
	assert_in_range(taken, 20000, 49000);
}

/* Whatever the query is: no crash, and check and expand agree. */
static void
test_any_query(void **state)
{
	static const char *const pieces[] = {"{{", "}}", "{", "app", "canary", "window", " ", "\"",
	    "'", "`", "\\", "#", "\n", "=~", "x", "{{app}}", "{{window}}", "\"{{canary}}\""};
	unsigned seed = 3;
	int good = 0;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct str query;
		char *expanded = NULL;
		struct err e;
		int result;

		str_init(&query, 0);
		for (int k = rand_r(&seed) % 8; k >= 0; k--)
			str_add(&query, pieces[(size_t)rand_r(&seed) % 18]);
		result = query_expand(str_text(&query), &vars, &expanded, &e);
		assert_int_equal(query_check(str_text(&query), &e), result);
		good += result == 0;
		free(expanded);
		str_done(&query);
	}
	assert_in_range(good, 5000, 45000);
}

static void
test_too_long(void **state)
{
	struct str query;
	char *expanded;
	struct err e;

	(void)state;
	str_init(&query, 0);
	for (int i = 0; i < 2000; i++)
		str_add(&query, "\"{{namespace}}\",12345678901234567890");
	assert_int_equal(query_expand(str_text(&query), &vars, &expanded, &e), -1);
	assert_non_null(strstr(e.text, "32768"));
	str_done(&query);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expands),
	    cmocka_unit_test(test_f13_refuses),
	    cmocka_unit_test(test_f13_empty_values),
	    cmocka_unit_test(test_f12_windows),
	    cmocka_unit_test(test_escapes),
	    cmocka_unit_test(test_no_value_leaves_its_string),
	    cmocka_unit_test(test_any_query),
	    cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
