/* The YAML door: types, refusals with places, lines, and what is written can be read again. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/yaml.h"

static void
expect_json(const char *yaml, const char *json)
{
	struct err e = {""};
	json_t *value;
	char *text;

	if (yaml_parse(yaml, strlen(yaml), &value, NULL, &e) != 0)
		fail_msg("refused: %s\n%s", e.text, yaml);
	text = jsonx_dump(value);
	assert_string_equal(text, json);
	free(text);
	json_decref(value);
}

static void
expect_refusal_of(const char *yaml, size_t length, const char *part)
{
	struct yaml_lines *lines = NULL;
	struct err e = {""};
	json_t *value = NULL;

	if (yaml_parse(yaml, length, &value, &lines, &e) == 0)
		fail_msg("taken: %.100s", yaml);
	assert_null(value);
	assert_null(lines);
	if (strstr(e.text, part) == NULL)
		fail_msg("\"%s\" does not contain \"%s\"", e.text, part);
}

static void
expect_refusal(const char *yaml, const char *part)
{
	expect_refusal_of(yaml, strlen(yaml), part);
}

static void
test_core_types(void **state)
{
	(void)state;
	expect_json("a: no\nb: on\nc: yes\nd: Off\n",
	    "{\"a\":\"no\",\"b\":\"on\",\"c\":\"yes\",\"d\":\"Off\"}");
	expect_json("[true, False, TRUE, tRUE]", "[true,false,true,\"tRUE\"]");
	expect_json("[null, ~, Null, NULL, nULL]", "[null,null,null,null,\"nULL\"]");
	expect_json("a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}");
	expect_json("[1, -2, +3, 007, 0o17, 0xfF, 0o8, 0x, 1_000]",
	    "[1,-2,3,7,15,255,\"0o8\",\"0x\",\"1_000\"]");
	expect_json("[1.5, -.5, 1., 1e3, 1E-2, 0.1, ., e3, 1e, 1.2.3, '1.5', \"7\"]",
	    "[1.5,-0.5,1.0,1000.0,0.01,0.1,\".\",\"e3\",\"1e\",\"1.2.3\",\"1.5\",\"7\"]");
	expect_json("[2024-01-31, 12:30, 5m, 50%]", "[\"2024-01-31\",\"12:30\",\"5m\",\"50%\"]");
	expect_json("9223372036854775807", "9223372036854775807");
	expect_json("-9223372036854775808", "-9223372036854775808");
	expect_json("1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}");
}

static void
test_numbers_json_cannot_hold(void **state)
{
	(void)state;
	expect_refusal("a: 9223372036854775808", "does not fit into 64 bits");
	expect_refusal("a: 1e999", "too large");
	expect_refusal("a: .inf", "quote it");
	expect_refusal("a: -.Inf", "quote it");
	expect_refusal("x:\n  a: .nan", "line 2, column 6");
	expect_json("a: '99999999999999999999'", "{\"a\":\"99999999999999999999\"}");
}

static void
test_structures(void **state)
{
	(void)state;
	expect_json("kind: App\ntraffic:\n  istio: {mode: host}\nweights:\n- 10\n- [25, {a: b}]\n",
	    "{\"kind\":\"App\",\"traffic\":{\"istio\":{\"mode\":\"host\"}},"
	    "\"weights\":[10,[25,{\"a\":\"b\"}]]}");
	expect_json("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
	expect_json("# only a comment\n[]\n", "[]");
	expect_json("\xef\xbb\xbf"
		    "a: 1",
	    "{\"a\":1}");
	expect_json("q: >-\n  sum(rate(x[5m]))\n  / 2\nt: |\n  one\n\n  two\n",
	    "{\"q\":\"sum(rate(x[5m])) / 2\",\"t\":\"one\\n\\ntwo\\n\"}");
	expect_json(
	    "a: \"x\\ty\\u00e9\"\nb: 'it''s'\n", "{\"a\":\"x\\ty\xc3\xa9\",\"b\":\"it's\"}");
}

static void
test_json_is_taken(void **state)
{
	(void)state;
	expect_json(" {\n\t\"a\":1,\"b\" : [true,null,\"x\\/y\\n\"],\n\t\"c\":{}}\n",
	    "{\"a\":1,\"b\":[true,null,\"x/y\\n\"],\"c\":{}}");
	/* Two escapes for one character, and a backslash that only looks like one. */
	expect_json("{\"a\":\"\\ud83d\\ude00 \\u00e9 \\\\ud83d\"}",
	    "{\"a\":\"\xf0\x9f\x98\x80 \xc3\xa9 \\\\ud83d\"}");
	expect_json("{\"a\":1e5}", "{\"a\":100000.0}");
	expect_refusal("{\"a\":\"\\ud83d\"}", "line 1");
	expect_refusal("{\"a\":\"x\\u0000y\"}", "NUL");
	expect_refusal("{\"a\":1,\"a\":2}", "second time");
	expect_refusal("{\"a\":1", "flow mapping that starts in line 1");
}

static void
test_refusals_say_where(void **state)
{
	(void)state;
	expect_refusal("", "empty");
	expect_refusal("# nothing\n", "empty");
	expect_refusal("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4, column 3: the key \"c\"");
	expect_refusal("a: 1\nb:\n  c: 1\n  c: 2\n", "first in line 3");
	expect_refusal("a: &x 1\n", "line 1, column 4: anchors");
	expect_refusal("a: [&x 1, *x]\n", "anchors");
	expect_refusal("a: *x\n", "aliases");
	expect_refusal("<<: *x\n", "aliases");
	expect_refusal("a: !!str 1\n", "tags");
	expect_refusal("a: !x {}\n", "tags");
	expect_refusal("a: ! []\n", "tags");
	expect_refusal("a: 1\n---\nb: 2\n", "line 2, column 1: a second document");
	expect_refusal("? [a]\n: b\n", "must be a text");
	expect_refusal("{{a: b}: c}", "must be a text");
	expect_refusal("?\n: b\n", "without a key");
	expect_refusal(": b\n", "line 1");
	expect_refusal("a: b: c\n", "line 1");
	expect_refusal("a: 'b\n", "line 2");
	expect_refusal("a:\n\tb: 1\n", "spaces, not tabs");
	expect_refusal("a: \"x\\0y\"\n", "NUL");
	expect_refusal_of("a: x\0y\n", 7, "line 1");
}

static void
test_bad_bytes(void **state)
{
	(void)state;
	expect_refusal("a: 1\nb: caf\xe9\n", "line 2: byte 0xe9");
	expect_refusal("a: \xc0\xaf\n", "UTF-8");
	expect_refusal("a: \xed\xa0\x80\n", "UTF-8");
	expect_refusal("a: \xf5\x80\x80\x80\n", "UTF-8");
	expect_refusal("a: 1\nb: \x01\n", "line 2");
	expect_refusal_of("\xff\xfe\x61\x00", 4, "UTF-8");
}

static char *
repeat(const char *part, size_t count)
{
	struct str s;

	str_init(&s, 0);
	for (size_t i = 0; i < count; i++)
		str_add(&s, part);
	return str_take(&s);
}

static void
test_depth_is_refused_at_once(void **state)
{
	static const char *const parts[] = {"[", "{a: ", "- ", "? "};
	char *text, *open, *close;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		int64_t start = clock_mono_ms();

		text = repeat(parts[i], 100000);
		expect_refusal(text, i == 3 ? "line 1" : "deeper than 64");
		free(text);
		/* Unchecked, libyaml takes 20 seconds and more. */
		assert_true(clock_mono_ms() - start < 2000);
	}
	open = repeat("[", 64);
	close = repeat("]", 64);
	text = str_format("%s%s", open, close);
	expect_json(text, text);
	free(text);
	free(open);
	free(close);
}

static void
test_size_is_bounded(void **state)
{
	char *text = repeat("# 4567\n", 1024 * 1024 / 7 + 1), *long_key;

	(void)state;
	expect_refusal(text, "at most");
	free(text);
	long_key = repeat("long", 300);
	text = str_format("? %s\n: x\n", long_key);
	expect_refusal(text, "more than 1024 bytes");
	free(long_key);
	free(text);
}

static void
test_lines(void **state)
{
	const char *text = "kind: App\n"
			   "strategy:\n"
			   "  canary:\n"
			   "    weights: [10,\n"
			   "      25]\n"
			   "gates:\n"
			   "  - name: a\n"
			   "    app.kubernetes.io/name:\n"
			   "      x\n";
	struct yaml_lines *lines;
	struct errlist list;
	struct err e;
	json_t *value;

	(void)state;
	assert_int_equal(yaml_parse(text, strlen(text), &value, &lines, &e), 0);
	assert_int_equal(yaml_line(lines, ""), 1);
	assert_int_equal(yaml_line(lines, "strategy"), 2);
	assert_int_equal(yaml_line(lines, "strategy.canary.weights"), 4);
	assert_int_equal(yaml_line(lines, "strategy.canary.weights[1]"), 5);
	assert_int_equal(yaml_line(lines, "strategy.canary.hold"), 3);
	assert_int_equal(yaml_line(lines, "gates[0].name"), 7);
	assert_int_equal(yaml_line(lines, "gates[0].app.kubernetes.io/name"), 8);
	assert_int_equal(yaml_line(lines, "gates[7].name"), 6);
	assert_int_equal(yaml_line(lines, "nowhere"), 1);
	assert_int_equal(yaml_line(NULL, "kind"), 0);
	errlist_init(&list);
	errlist_add(&list, "gates[0]", "bad %d", 1);
	errlist_add(&list, "", "worse");
	yaml_locate(lines, &list);
	assert_int_equal(list.items[0].line, 7);
	assert_int_equal(list.items[1].line, 1);
	errlist_done(&list);
	yaml_lines_free(lines);
	json_decref(value);
}

/* A huge key over many children must not make the table of lines huge. */
static void
test_lines_are_bounded(void **state)
{
	char *key = repeat("k", 1000), *items = repeat("1,", 200000);
	char *text = str_format("{%s: [%s]}", key, items);
	struct yaml_lines *lines;
	struct err e;
	json_t *value;

	(void)state;
	assert_int_equal(yaml_parse(text, strlen(text), &value, &lines, &e), 0);
	assert_int_equal(json_array_size(json_object_get(value, key)), 200000);
	assert_int_equal(yaml_line(lines, key), 1);
	yaml_lines_free(lines);
	json_decref(value);
	free(key);
	free(items);
	free(text);
}

static void
test_dump_reads_well(void **state)
{
	json_t *value = json_pack("{s:s, s:{s:[i,i], s:s}, s:[{s:s, s:f}, [s,s]], s:{}, s:[], s:n}",
	    "name", "web", "canary", "weights", 10, 25, "hold", "5m", "gates", "name", "a b",
	    "pass", 0.99, "no", "1.20", "empty", "none", "null");
	char *text = yaml_dump(value);

	(void)state;
	assert_string_equal(text, "name: web\n"
				  "canary:\n"
				  "  weights:\n"
				  "  - 10\n"
				  "  - 25\n"
				  "  hold: 5m\n"
				  "gates:\n"
				  "- name: a b\n"
				  "  pass: 0.99\n"
				  "- - \"no\"\n"
				  "  - \"1.20\"\n"
				  "empty: {}\n"
				  "none: []\n"
				  "\"null\": null\n");
	free(text);
	json_decref(value);
}

static void
expect_round_trip(const json_t *value)
{
	struct err e = {""};
	json_t *again;
	char *text = yaml_dump(value);

	if (yaml_parse(text, strlen(text), &again, NULL, &e) != 0)
		fail_msg("refused: %s\n%s", e.text, text);
	if (!json_equal(value, again))
		fail_msg("changed: %s", text);
	json_decref(again);
	free(text);
}

static void
test_round_trip_of_texts(void **state)
{
	static const char *const texts[] = {"", " ", "a", "no", "Null", "~", "1", "0x1f", "1e3",
	    ".5", "-", "- a", "a: b", "a:", ":a", "a #b", "#a", "[a", "{a", "&a", "*a", "!a", "|",
	    ">", "%a", "@a", "`a", "'", "\"", "a\"b", "\\", "a\\nb", "a\nb", "a\nb\n", "a\n\n",
	    "\na", " a\nb", "a\n  b\n c", "a\n\nb", "a \nb", "a\n \n", "a\tb", "\ta\nb", "a\rb",
	    "a\x7f", "---", "--- a", "...", "a\n---\nb", "caf\xc3\xa9", "\xc2\x85",
	    "a\xe2\x80\xa8"
	    "b",
	    "\xef\xbb\xbf", "\xf0\x9f\x98\x80", "\xef\xbf\xbf", "?", "? a", "a, b", "2024-01-01",
	    "12:30", "1_000", "sum(rate(x{a=\"b\"}[5m])) / 2", "a ", "a  b", "=", "<<", "5m",
	    "50%"};
	const size_t count = sizeof(texts) / sizeof(texts[0]);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		json_t *value = json_pack("[s, {s:s}, {s:[[s]]}]", texts[i],
		    *texts[i] == '\0' ? "x" : texts[i], texts[i], "k", texts[i]);

		assert_non_null(value);
		expect_round_trip(value);
		expect_round_trip(json_array_get(value, 0));
		json_decref(value);
	}
}

static void
test_round_trip_of_long_keys(void **state)
{
	(void)state;
	for (size_t length = 990; length <= 1024; length++) {
		char *key = repeat(length % 2 ? "k" : "\"", length);
		json_t *value =
		    json_pack("[{s:{s:[i,{}]}, s:[s], s:i}]", key, "a", 1, "b", "c", "d", 2);

		json_object_set_new(json_array_get(value, 0), key + 1, json_integer(1));
		json_object_set_new(json_array_get(value, 0), key + 2, json_pack("[s]", "x\ny"));
		expect_round_trip(value);
		json_decref(value);
		free(key);
	}
}

static json_t *
random_value(unsigned *seed, int depth)
{
	static const char marks[] = "ab -:#\n\t\"'{}[],|>&*!%@?~01.e\\";
	int kind = rand_r(seed) % (depth > 4 ? 5 : 7);
	char text[12] = {0};
	json_t *value;

	for (size_t i = 0, n = (size_t)rand_r(seed) % 11; i < n; i++)
		text[i] = marks[(size_t)rand_r(seed) % (sizeof(marks) - 1)];
	if (kind == 0)
		return rand_r(seed) % 2 ? json_null() : json_boolean(rand_r(seed) % 2);
	if (kind == 1)
		return json_integer((json_int_t)rand_r(seed) * rand_r(seed) - rand_r(seed));
	if (kind == 2)
		return json_real((double)rand_r(seed) / (1 + rand_r(seed) % 1000) - 1e6);
	if (kind < 5)
		return json_string(text);
	value = kind == 5 ? json_array() : json_object();
	for (int i = rand_r(seed) % 5; i > 0; i--) {
		if (kind == 5)
			json_array_append_new(value, random_value(seed, depth + 1));
		else
			json_object_set_new(value, text + i, random_value(seed, depth + 1));
	}
	return value;
}

static void
test_round_trip_of_anything(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		unsigned s = seed;
		json_t *value = random_value(&s, 0);

		expect_round_trip(value);
		json_decref(value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_core_types),
	    cmocka_unit_test(test_numbers_json_cannot_hold),
	    cmocka_unit_test(test_structures),
	    cmocka_unit_test(test_json_is_taken),
	    cmocka_unit_test(test_refusals_say_where),
	    cmocka_unit_test(test_bad_bytes),
	    cmocka_unit_test(test_depth_is_refused_at_once),
	    cmocka_unit_test(test_size_is_bounded),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_lines_are_bounded),
	    cmocka_unit_test(test_dump_reads_well),
	    cmocka_unit_test(test_round_trip_of_texts),
	    cmocka_unit_test(test_round_trip_of_long_keys),
	    cmocka_unit_test(test_round_trip_of_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
