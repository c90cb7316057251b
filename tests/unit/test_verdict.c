/* Readings of Prometheus and what they mean, failure mode by failure mode (F numbers: the list of
 * failures that this system must survive). The law behind all: only a real number passes. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "model/verdict.h"

#define NOW_MS INT64_C(1795380162080)
#define AGE_MS 60000

#define VECTOR(series)                                                                             \
	"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" series "]}}"
#define ONE(value) "{\"metric\":{},\"value\":[1795380162.080,\"" value "\"]}"
#define SCALAR(value)                                                                              \
	"{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":"                  \
	"[1795380162.051,\"" value "\"]}}"

static struct reading
read_status(const char *body, int status, enum reduce reduce)
{
	struct reading reading;

	reading_decode(body, strlen(body), status, reduce, NOW_MS, AGE_MS, &reading);
	assert_true(str_utf8_ok(reading.text, strlen(reading.text)));
	return reading;
}

static struct reading
read_one(const char *body)
{
	return read_status(body, 200, REDUCE_NONE);
}

static void
expect(const char *body, enum verdict verdict, const char *says)
{
	struct reading reading = read_one(body);

	if (reading.verdict != verdict || strstr(reading.text, says) == NULL)
		fail_msg("%.200s: %s: %s", body, verdict_name(reading.verdict), reading.text);
}

/* The six recorded answers of a real Prometheus 2.42. */
static void
test_recorded_answers(void **state)
{
	struct reading reading;

	(void)state;
	reading = read_one(VECTOR(ONE("1")));
	assert_int_equal(reading.verdict, VERDICT_PASS);
	assert_true(reading.value == 1);
	reading = read_one(SCALAR("0.25"));
	assert_int_equal(reading.verdict, VERDICT_PASS);
	assert_true(reading.value == 0.25);
	expect(VECTOR(ONE("NaN")), VERDICT_NO_DATA, "NaN");
	expect(SCALAR("+Inf"), VERDICT_ERROR, "+Inf");
	expect(VECTOR(""), VERDICT_NO_DATA, "no series");
	expect("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
	       "{\"metric\":{\"__name__\":\"up\"},\"values\":[[1795380132,\"1\"]]}]}}",
	    VERDICT_ERROR, "range of values");
	reading =
	    read_status("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid "
			"parameter \\\"query\\\": 1:12: parse error\"}",
		400, REDUCE_NONE);
	assert_int_equal(reading.verdict, VERDICT_ERROR);
	assert_string_equal(
	    reading.text, "HTTP 400, bad_data: invalid parameter \"query\": 1:12: parse error");
}

/* F01: NaN is no data, and is never compared. */
static void
test_f01_nan(void **state)
{
	(void)state;
	expect(VECTOR(ONE("NaN")), VERDICT_NO_DATA, "NaN");
	expect(SCALAR("NaN"), VERDICT_NO_DATA, "NaN");
	for (int compare = COMPARE_LT; compare <= COMPARE_NE; compare++) {
		assert_false(condition_holds((enum compare)compare, NAN, 1));
		assert_false(condition_holds((enum compare)compare, 1, NAN));
	}
}

/* F02: an infinity passes no threshold, not even "<". */
static void
test_f02_infinities(void **state)
{
	static const char *const values[] = {"+Inf", "-Inf", "Inf", "1e999", "-1e999"};
	const struct gate_spec gate = {.compare = COMPARE_LT, .limit = 10};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *body = str_format("{\"status\":\"success\",\"data\":{\"resultType\":"
					"\"scalar\",\"result\":[1795380162,\"%s\"]}}",
		    values[i]);
		struct reading reading = read_one(body);
		struct gate_sample sample;

		assert_int_equal(reading.verdict, VERDICT_ERROR);
		sample_judge(&gate, &reading, NULL, &sample);
		assert_int_equal(sample.verdict, VERDICT_ERROR);
		assert_false(sample.has_value);
		free(body);
	}
	/* Even if a reading came from elsewhere with one. */
	for (int sign = -1; sign <= 1; sign += 2) {
		struct reading odd = {.verdict = VERDICT_PASS, .value = sign * (double)INFINITY};
		struct gate_sample sample;

		sample_judge(&gate, &odd, NULL, &sample);
		assert_int_equal(sample.verdict, VERDICT_ERROR);
	}
}

static enum verdict
judged(const struct gate_spec *gate, const char *body)
{
	struct reading reading = read_one(body);
	struct gate_sample sample;

	sample_judge(gate, &reading, NULL, &sample);
	return sample.verdict;
}

/* F03: an empty vector is no data; only an explicit `empty: pass` changes that, and only for it. */
static void
test_f03_empty(void **state)
{
	struct gate_spec gate = {.compare = COMPARE_GE, .limit = 0};

	(void)state;
	assert_int_equal(judged(&gate, VECTOR("")), VERDICT_NO_DATA);
	gate.empty_passes = true;
	assert_int_equal(judged(&gate, VECTOR("")), VERDICT_PASS);
	assert_int_equal(judged(&gate, VECTOR(ONE("NaN"))), VERDICT_NO_DATA);
	assert_int_equal(judged(&gate, SCALAR("NaN")), VERDICT_NO_DATA);
	assert_int_equal(judged(&gate, VECTOR("{\"value\":[1,\"1\"]}")), VERDICT_NO_DATA);
	assert_int_equal(judged(&gate, VECTOR(ONE("x"))), VERDICT_ERROR);
}

/* F04: several series are ambiguous, unless the gate says how to make one number of them. */
static void
test_f04_several_series(void **state)
{
	static const char body[] = VECTOR(ONE("1") "," ONE("4") "," ONE("1"));
	static const char with_nan[] = VECTOR(ONE("1") "," ONE("NaN"));
	static const char too_much[] = VECTOR(ONE("1.5e308") "," ONE("1.5e308"));

	(void)state;
	expect(body, VERDICT_ERROR, "ambiguous: 3 series");
	assert_true(read_status(body, 200, REDUCE_MIN).value == 1);
	assert_true(read_status(body, 200, REDUCE_MAX).value == 4);
	assert_true(read_status(body, 200, REDUCE_SUM).value == 6);
	assert_true(read_status(body, 200, REDUCE_AVG).value == 2);
	for (int reduce = REDUCE_MIN; reduce <= REDUCE_AVG; reduce++) {
		assert_int_equal(
		    read_status(with_nan, 200, (enum reduce)reduce).verdict, VERDICT_NO_DATA);
		assert_int_equal(
		    read_status(VECTOR(""), 200, (enum reduce)reduce).verdict, VERDICT_NO_DATA);
	}
	assert_int_equal(read_status(too_much, 200, REDUCE_SUM).verdict, VERDICT_ERROR);
}

/* F05: ranges, texts and histograms are no number. */
static void
test_f05_other_types(void **state)
{
	(void)state;
	expect("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}",
	    VERDICT_ERROR, "range");
	expect("{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":"
	       "[1795380162,\"1\"]}}",
	    VERDICT_ERROR, "text");
	expect("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[]}}",
	    VERDICT_ERROR, "unknown resultType: streams");
	expect(VECTOR("{\"metric\":{},\"histogram\":[1795380162,{}]}"), VERDICT_ERROR,
	    "not a time and a number");
}

/* F06: partial data is an error, in whatever shape the warning comes; infos are not warnings. */
static void
test_f06_warnings(void **state)
{
	static const char data[] =
	    "\"data\":{\"resultType\":\"scalar\",\"result\":[1795380162,\"1\"]}";
	static const struct {
		const char *extra;
		enum verdict verdict;
	} cases[] = {
	    {"\"warnings\":[\"store gateway timed out\"]", VERDICT_ERROR},
	    {"\"warnings\":\"partial\"", VERDICT_ERROR},
	    {"\"warnings\":{\"a\":1}", VERDICT_ERROR},
	    {"\"warnings\":[7]", VERDICT_ERROR},
	    {"\"warnings\":[]", VERDICT_PASS},
	    {"\"warnings\":null", VERDICT_PASS},
	    {"\"infos\":[\"metric might not be a counter\"]", VERDICT_PASS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *body = str_format("{\"status\":\"success\",%s,%s}", cases[i].extra, data);

		expect(body, cases[i].verdict, cases[i].verdict == VERDICT_PASS ? "1" : "partial");
		free(body);
	}
	expect("{\"status\":\"success\",\"warnings\":[\"store x is away\"],\"data\":null}",
	    VERDICT_ERROR, "store x is away");
}

/* F07, F08, F09: refusals and outages are errors, whatever is in the body; none is ever a pass. */
static void
test_f07_f08_f09_refusals(void **state)
{
	static const int statuses[] = {
	    100, 204, 301, 302, 400, 401, 403, 404, 422, 429, 500, 502, 503, 504, 0, -1};
	static const char *const bodies[] = {
	    "", "<html>busy</html>", VECTOR(ONE("1")), "null", "[]"};
	struct gate_spec gate = {.compare = COMPARE_GE, .limit = 0, .empty_passes = true};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		for (size_t k = 0; k < sizeof(bodies) / sizeof(bodies[0]); k++) {
			struct reading reading = read_status(bodies[k], statuses[i], REDUCE_MAX);
			struct gate_sample sample;

			if (statuses[i] == 204 && k == 2)
				continue; /* a good answer with an odd status of success */
			sample_judge(&gate, &reading, NULL, &sample);
			assert_int_equal(sample.verdict, VERDICT_ERROR);
			assert_true(strlen(sample.text) > 0);
		}
	}
	assert_non_null(strstr(read_status("", 503, REDUCE_NONE).text, "HTTP 503"));
	assert_non_null(strstr(read_status("", 401, REDUCE_NONE).text, "password or token"));
	expect("{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"many-to-many\"}",
	    VERDICT_ERROR, "execution: many-to-many");
}

/* F11: too few samples wait, whatever the value is; errors are told as errors. */
static void
test_f11_too_few(void **state)
{
	const struct gate_spec gate = {.compare = COMPARE_GE,
	    .limit = 0.99,
	    .samples_query = "x",
	    .samples_min = 50,
	    .empty_passes = true};
	const struct reading good = {.verdict = VERDICT_PASS, .value = 1},
			     bad = {.verdict = VERDICT_PASS, .value = 0},
			     empty = {.verdict = VERDICT_NO_DATA, .empty = true, .text = "none"},
			     broken = {.verdict = VERDICT_ERROR, .text = "down"},
			     few = {.verdict = VERDICT_PASS, .value = 49.9},
			     enough = {.verdict = VERDICT_PASS, .value = 50};
	const struct {
		const struct reading *value, *samples;
		enum verdict verdict;
		double count;
	} cases[] = {
	    {&good, &enough, VERDICT_PASS, 50},
	    {&bad, &enough, VERDICT_FAIL, 50},
	    {&good, &few, VERDICT_TOO_FEW, 49.9},
	    {&bad, &few, VERDICT_TOO_FEW, 49.9},
	    {&good, &empty, VERDICT_TOO_FEW, 0},
	    {&empty, &empty, VERDICT_TOO_FEW, 0},
	    {&empty, &enough, VERDICT_PASS, 50},
	    {&good, &broken, VERDICT_ERROR, -1},
	    {&broken, &few, VERDICT_ERROR, -1},
	    {&broken, &enough, VERDICT_ERROR, -1},
	    {&good, NULL, VERDICT_ERROR, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gate_sample sample;

		sample_judge(&gate, cases[i].value, cases[i].samples, &sample);
		if (sample.verdict != cases[i].verdict || sample.samples != cases[i].count)
			fail_msg("case %zu: %s, %g samples: %s", i, verdict_name(sample.verdict),
			    sample.samples, sample.text);
	}
}

/* F14: a metric that does not exist gives an empty vector, as one without traffic does. */
static void
test_f14_absent_metric(void **state)
{
	const struct gate_spec gate = {.compare = COMPARE_LT, .limit = 1};

	(void)state;
	assert_int_equal(judged(&gate, VECTOR("")), VERDICT_NO_DATA);
}

/* F16: stale samples and samples from the future are no data. */
static void
test_f16_times(void **state)
{
	static const struct {
		const char *time;
		enum verdict verdict;
	} cases[] = {{"1795380162.08", VERDICT_PASS}, {"1795380102.08", VERDICT_PASS},
	    {"1795380163.08", VERDICT_PASS}, {"1795380102.07", VERDICT_NO_DATA},
	    {"1795380163.09", VERDICT_NO_DATA}, {"0", VERDICT_NO_DATA}, {"-1", VERDICT_NO_DATA},
	    {"1e300", VERDICT_NO_DATA}, {"-1e308", VERDICT_NO_DATA},
	    {"\"1795380162\"", VERDICT_ERROR}, {"null", VERDICT_ERROR}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *body = str_format("{\"status\":\"success\",\"data\":{\"resultType\":"
					"\"vector\",\"result\":[{\"value\":[%s,\"1\"]}]}}",
		    cases[i].time);

		if (read_one(body).verdict != cases[i].verdict)
			fail_msg("%s: %s", cases[i].time, read_one(body).text);
		free(body);
	}
}

/* F18: bodies that are too big, cut, not JSON, or too deep: a bounded error. */
static void
test_f18_bad_bodies(void **state)
{
	static const char whole[] = VECTOR(ONE("1"));
	struct reading reading;
	struct str body;

	(void)state;
	for (size_t cut = 0; cut < strlen(whole); cut++) {
		reading_decode(whole, cut, 200, REDUCE_NONE, NOW_MS, AGE_MS, &reading);
		assert_int_equal(reading.verdict, VERDICT_ERROR);
	}
	str_init(&body, 0);
	for (int i = 0; i < 100000; i++)
		str_add(&body, "[");
	assert_int_equal(read_one(str_text(&body)).verdict, VERDICT_ERROR);
	str_clear(&body);
	str_add(&body, "{\"status\":\"success\",\"pad\":\"");
	while (body.length < 5 * 1024 * 1024)
		str_add(&body, "0123456789012345678901234567890123456789");
	str_add(&body, "\",\"data\":{\"resultType\":\"scalar\",\"result\":[1795380162,\"1\"]}}");
	assert_int_equal(read_one(str_text(&body)).verdict, VERDICT_ERROR);
	str_done(&body);
	expect("{\"status\":\"success\"}", VERDICT_ERROR, "");
	expect("{\"status\":7,\"data\":{}}", VERDICT_ERROR, "success");
	expect(VECTOR("{\"value\":[1795380162,1]}"), VERDICT_ERROR, "not a time and a number");
	expect(VECTOR("{\"value\":[1795380162,\"1\",2]}"), VERDICT_ERROR, "not a time");
	expect(VECTOR("7"), VERDICT_ERROR, "not a time");
	expect(VECTOR(ONE("0x10")), VERDICT_ERROR, "finite number");
	expect(VECTOR(ONE(" 1")), VERDICT_ERROR, "finite number");
	expect(VECTOR(ONE("")), VERDICT_ERROR, "finite number");
}

/* What the peer says is quoted short, in one line and as UTF-8. */
static void
test_quotes_are_bounded(void **state)
{
	struct str body;
	struct reading reading;

	(void)state;
	str_init(&body, 0);
	str_add(&body, "{\"status\":\"error\",\"errorType\":\"ex한\",\"error\":\"a\\n\\u0007b");
	for (int i = 0; i < 1000; i++)
		str_add(&body, "한");
	str_add(&body, "\"}");
	reading = read_status(str_text(&body), 422, REDUCE_NONE);
	assert_true(str_starts(reading.text, "HTTP 422, ex한: a  b한"));
	assert_in_range(strlen(reading.text), 100, 255);
	str_done(&body);
	/* Found by fuzzing: the JSON parser quotes bytes that are no UTF-8. */
	expect(
	    "{\"{\\\\\\\\\\\\\\\\\\\\\\\\\\\326\243\243\243\243\243\243\237\\\\\303\\\\\\\\\\\\\\",
	    VERDICT_ERROR, "not valid JSON");
}

static void
test_conditions(void **state)
{
	static const struct {
		const char *text;
		enum compare compare;
		double limit;
		const char *again;
	} good[] = {{">= 0.99", COMPARE_GE, 0.99, ">= 0.99"}, {"<0.5", COMPARE_LT, 0.5, "< 0.5"},
	    {" <=  -3", COMPARE_LE, -3, "<= -3"}, {">1e3", COMPARE_GT, 1000, "> 1000"},
	    {"== 0", COMPARE_EQ, 0, "== 0"}, {"!= 1", COMPARE_NE, 1, "!= 1"}};
	static const char *const bad[] = {"", " ", "0.99", ">", ">=", "=> 1", "= 1", "< 1%", "< x",
	    "< nan", "< inf", "< 0x1", "<< 1", "> 1 ", "> 1 2", "<>1", ">= 1e999", "한"};
	enum compare compare = COMPARE_EQ;
	double limit = 7;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(condition_parse(bad[i], &compare, &limit, &e), -1);
		assert_int_equal(compare, COMPARE_EQ);
		assert_true(limit == 7);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[64];

		assert_int_equal(condition_parse(good[i].text, &compare, &limit, &e), 0);
		assert_int_equal(compare, good[i].compare);
		assert_true(limit == good[i].limit);
		condition_text(compare, limit, text, sizeof(text));
		assert_string_equal(text, good[i].again);
	}
}

static void
test_condition_holds(void **state)
{
	static const struct {
		enum compare compare;
		bool below, equal, above;
	} truth[] = {{COMPARE_LT, true, false, false}, {COMPARE_LE, true, true, false},
	    {COMPARE_GT, false, false, true}, {COMPARE_GE, false, true, true},
	    {COMPARE_EQ, false, true, false}, {COMPARE_NE, true, false, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(truth) / sizeof(truth[0]); i++) {
		assert_int_equal(condition_holds(truth[i].compare, 1, 2), truth[i].below);
		assert_int_equal(condition_holds(truth[i].compare, 2, 2), truth[i].equal);
		assert_int_equal(condition_holds(truth[i].compare, 3, 2), truth[i].above);
	}
}

static void
test_judged_samples(void **state)
{
	const struct gate_spec gate = {.compare = COMPARE_GE, .limit = 0.99};
	struct reading reading = read_one(VECTOR(ONE("0.953")));
	struct gate_sample sample;

	(void)state;
	sample_judge(&gate, &reading, NULL, &sample);
	assert_int_equal(sample.verdict, VERDICT_FAIL);
	assert_true(sample.has_value && sample.value == 0.953);
	assert_true(sample.samples == -1);
	assert_string_equal(sample.text, "0.953, but must be >= 0.99");
	assert_int_equal(judged(&gate, SCALAR("0.99")), VERDICT_PASS);
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = VERDICT_PENDING; i <= VERDICT_TOO_FEW; i++)
		assert_int_equal(verdict_of(verdict_name((enum verdict)i)), i);
	assert_string_equal(verdict_name(VERDICT_TOO_FEW), "too_few");
	assert_int_equal(verdict_of("passed"), VERDICT_ERROR);
	assert_int_equal(verdict_of(NULL), VERDICT_ERROR);
	assert_string_equal(verdict_name((enum verdict)99), "error");
}

struct given {
	int count;
	double sum;
	char names[32];
};

static void
give(void *ctx, const json_t *labels, double value)
{
	struct given *given = ctx;

	given->count++;
	given->sum += value;
	assert_true(json_is_object(labels));
	str_print(given->names + strlen(given->names), 8, "%s",
	    json_string_value(json_object_get(labels, "a")));
}

static struct given
expect_series(const char *body, enum verdict verdict, const char *says)
{
	struct given given = {0};
	struct reading reading;

	reading_series(body, strlen(body), 200, give, &given, &reading);
	if (reading.verdict != verdict || strstr(reading.text, says) == NULL)
		fail_msg("%s: %s", verdict_name(reading.verdict), reading.text);
	return given;
}

#define SERIES(name, time, value)                                                                  \
	"{\"metric\":{\"a\":\"" name "\"},\"value\":[" time ",\"" value "\"]}"

/* All of them, or none. */
static void
test_series(void **state)
{
	struct given given = expect_series(
	    VECTOR(SERIES("x", "5.1", "3") "," SERIES("y", "5.1", "0.5")), VERDICT_PASS, "");

	(void)state;
	assert_int_equal(given.count, 2);
	assert_true(given.sum == 3.5);
	assert_string_equal(given.names, "xy");
	given = expect_series(VECTOR(""), VERDICT_PASS, "");
	assert_int_equal(given.count, 0);
	given = expect_series(VECTOR(SERIES("x", "5.1", "3") "," SERIES("y", "5.2", "1")),
	    VERDICT_ERROR, "different times");
	assert_int_equal(given.count, 0);
	given = expect_series(
	    VECTOR(SERIES("x", "5.1", "3") "," SERIES("y", "5.1", "NaN")), VERDICT_NO_DATA, "NaN");
	assert_int_equal(given.count, 0);
	given = expect_series(VECTOR(SERIES("x", "5.1", "3") "," SERIES("y", "5.1", "+Inf")),
	    VERDICT_ERROR, "finite");
	assert_int_equal(given.count, 0);
	expect_series(VECTOR("{\"value\":[1,\"2\"]}"), VERDICT_ERROR, "no labels");
	expect_series(VECTOR("{\"metric\":{},\"value\":[\"1\",\"2\"]}"), VERDICT_ERROR, "no time");
	expect_series(SCALAR("1"), VERDICT_ERROR, "no vector");
	expect_series("{\"status\":\"success\"}", VERDICT_ERROR, "no vector");
	expect_series("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\"}}",
	    VERDICT_ERROR, "no vector");
	expect_series("{\"status\":\"success\",\"warnings\":[\"half\"],\"data\":{\"resultType\":"
		      "\"vector\",\"result\":[]}}",
	    VERDICT_ERROR, "half");
	expect_series("nonsense", VERDICT_ERROR, "not an answer of Prometheus");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_series),
	    cmocka_unit_test(test_recorded_answers),
	    cmocka_unit_test(test_f01_nan),
	    cmocka_unit_test(test_f02_infinities),
	    cmocka_unit_test(test_f03_empty),
	    cmocka_unit_test(test_f04_several_series),
	    cmocka_unit_test(test_f05_other_types),
	    cmocka_unit_test(test_f06_warnings),
	    cmocka_unit_test(test_f07_f08_f09_refusals),
	    cmocka_unit_test(test_f11_too_few),
	    cmocka_unit_test(test_f14_absent_metric),
	    cmocka_unit_test(test_f16_times),
	    cmocka_unit_test(test_f18_bad_bodies),
	    cmocka_unit_test(test_quotes_are_bounded),
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_condition_holds),
	    cmocka_unit_test(test_judged_samples),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
