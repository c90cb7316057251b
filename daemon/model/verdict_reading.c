/* Answers of Prometheus. Always true: whatever the bytes are, the result is one finite number or
 * a verdict that holds, with a text that is short, printable and says why. */
#include "model/verdict.h"

#include <math.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"

enum {
	BODY_MAX = 4 * 1024 * 1024,
	SERIES_MAX = 10000,
	FUTURE_MS = 1000, /* rounding, not clocks: the time of the query is ours */
	QUOTE_MAX = 160
};

static void
say(struct reading *reading, enum verdict verdict, const char *text)
{
	reading->verdict = verdict;
	str_copy(reading->text, sizeof(reading->text), text);
	for (char *c = reading->text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
}

static void
wrong(struct reading *reading, const char *text)
{
	say(reading, VERDICT_ERROR, text);
}

/* Quotes what the peer said, cut to a bound. */
static void
wrong_quote(struct reading *reading, const char *what, const char *quote)
{
	char text[sizeof(reading->text)], cut[QUOTE_MAX];

	str_copy(cut, sizeof(cut), quote);
	str_print(text, sizeof(text), "%s%s", what, cut);
	wrong(reading, text);
}

/* A sample's age in ms, judged; false and said if it is too old or from the future (F16). */
static bool
time_ok(const json_t *at, int64_t now_ms, int64_t max_age_ms, struct reading *reading)
{
	double seconds = json_number_value(at), age;
	char text[96];

	if (!json_is_number(at)) {
		wrong(reading, "the answer's sample has no time");
		return false;
	}
	age = (double)now_ms - seconds * 1000;
	if (age >= -FUTURE_MS && age <= (double)max_age_ms)
		return true;
	if (age < 0)
		str_print(
		    text, sizeof(text), "the sample is from the future, by %.3g s", -age / 1000);
	else
		str_print(text, sizeof(text), "the sample is stale: %.3g s old", age / 1000);
	say(reading, VERDICT_NO_DATA, text);
	return false;
}

/* [time, "number"]; the time is not looked at. */
static bool
decode_number(const json_t *pair, struct reading *reading)
{
	const char *number = json_string_value(json_array_get(pair, 1));
	double value;

	if (json_array_size(pair) != 2 || number == NULL) {
		wrong(reading, "the answer's sample is not a time and a number");
		return false;
	}
	if (strcmp(number, "NaN") == 0) {
		say(reading, VERDICT_NO_DATA, "the value is NaN (such as 0/0: no traffic)");
		return false;
	}
	if (str_real(number, &value) != 0) {
		wrong_quote(reading, "the value is not a finite number: ", number);
		return false;
	}
	reading->verdict = VERDICT_PASS;
	reading->value = value;
	return true;
}

static bool
decode_pair(const json_t *pair, int64_t now_ms, int64_t max_age_ms, struct reading *reading)
{
	if (!decode_number(pair, reading))
		return false;
	if (!time_ok(json_array_get(pair, 0), now_ms, max_age_ms, reading))
		return false;
	return true;
}

static double
combine(enum reduce reduce, double so_far, double value)
{
	switch (reduce) {
	case REDUCE_NONE:
		break;
	case REDUCE_MIN:
		return value < so_far ? value : so_far;
	case REDUCE_MAX:
		return value > so_far ? value : so_far;
	case REDUCE_SUM:
	case REDUCE_AVG:
		return so_far + value;
	}
	return value;
}

/* One bad series spoils all: a maximum without it would be a guess. */
static void
decode_vector(const json_t *result, enum reduce reduce, int64_t now_ms, int64_t max_age_ms,
    struct reading *reading)
{
	size_t count = json_array_size(result);
	double total = 0;
	char text[160];

	for (size_t i = 0; i < count; i++) {
		const json_t *pair = json_object_get(json_array_get(result, i), "value");

		if (!decode_pair(pair, now_ms, max_age_ms, reading))
			return;
		total = i == 0 ? reading->value : combine(reduce, total, reading->value);
	}
	if (reduce == REDUCE_AVG)
		total /= (double)count;
	if (!isfinite(total)) {
		wrong(reading, "the series together are no finite number");
		return;
	}
	reading->value = total;
	str_print(text, sizeof(text), "%.10g", total);
	say(reading, VERDICT_PASS, text);
}

static void
decode_series(const json_t *result, enum reduce reduce, int64_t now_ms, int64_t max_age_ms,
    struct reading *reading)
{
	size_t count = json_array_size(result);
	char text[160];

	if (!json_is_array(result)) {
		wrong(reading, "the answer has no list of series");
	} else if (count == 0) {
		say(reading, VERDICT_NO_DATA, "no series: the metric is absent or had no traffic");
		reading->empty = true;
	} else if (count > 1 && reduce == REDUCE_NONE) {
		str_print(text, sizeof(text),
		    "ambiguous: %zu series where one is expected; use sum(), or reduce: in the "
		    "gate",
		    count);
		wrong(reading, text);
	} else if (count > SERIES_MAX) {
		str_print(
		    text, sizeof(text), "%zu series; at most %d are reduced", count, SERIES_MAX);
		wrong(reading, text);
	} else {
		decode_vector(result, reduce, now_ms, max_age_ms, reading);
	}
}

static void
decode_data(const json_t *data, enum reduce reduce, int64_t now_ms, int64_t max_age_ms,
    struct reading *reading)
{
	const char *type = jsonx_text_or(data, "resultType", "");
	const json_t *result = json_object_get(data, "result");
	char text[48];

	if (strcmp(type, "vector") == 0) {
		decode_series(result, reduce, now_ms, max_age_ms, reading);
	} else if (strcmp(type, "scalar") == 0) {
		if (!decode_pair(result, now_ms, max_age_ms, reading))
			return;
		str_print(text, sizeof(text), "%.10g", reading->value);
		say(reading, VERDICT_PASS, text);
	} else if (strcmp(type, "matrix") == 0) {
		wrong(reading, "the query gives a range of values; wrap it in rate() or the like");
		reading->refused = true;
	} else if (strcmp(type, "string") == 0) {
		wrong(reading, "the query gives a text where a number is expected");
		reading->refused = true;
	} else {
		wrong_quote(reading, "the answer has an unknown resultType: ", type);
	}
}

/* Anything but an absent, null or empty list counts: partial data is not data (F06). */
static bool
has_warnings(const json_t *answer, struct reading *reading)
{
	const json_t *warnings = json_object_get(answer, "warnings");

	if (warnings == NULL || json_is_null(warnings) ||
	    (json_is_array(warnings) && json_array_size(warnings) == 0))
		return false;
	wrong_quote(reading, "the answer may be partial: ",
	    jsonx_text_or(warnings, json_is_array(warnings) ? "0" : "", "there are warnings"));
	return true;
}

static void
decode_refusal(const json_t *answer, int http_status, struct reading *reading)
{
	const char *type = jsonx_text(answer, "errorType");
	char text[96], cut[40];

	str_copy(cut, sizeof(cut), type == NULL ? "" : type);
	if (type != NULL)
		str_print(text, sizeof(text), "HTTP %d, %s: ", http_status, cut);
	else if (http_status == 401 || http_status == 403)
		str_print(text, sizeof(text), "HTTP %d: check the source's password or token",
		    http_status);
	else
		str_print(text, sizeof(text), "HTTP %d", http_status);
	wrong_quote(reading, text, type == NULL ? "" : jsonx_text_or(answer, "error", ""));
	/* Its parser's words. HTTP 400 alone may be a proxy's, and 422 may be about today's data.
	 */
	reading->refused = http_status == 400 && str_equal(type, "bad_data");
}

/* The answer's data, if it is a good one; else NULL and said. *parsed is the caller's to free. */
static const json_t *
open_answer(
    const char *body, size_t length, int http_status, json_t **parsed, struct reading *reading)
{
	struct err e;
	json_t *answer = *parsed = jsonx_parse(body, length, BODY_MAX, &e);

	*reading = (struct reading){.verdict = VERDICT_ERROR};
	if (http_status < 200 || http_status > 299 ||
	    str_equal(jsonx_text(answer, "status"), "error"))
		decode_refusal(answer, http_status, reading);
	else if (answer == NULL)
		wrong_quote(reading, "not an answer of Prometheus: ", e.text);
	else if (!str_equal(jsonx_text(answer, "status"), "success"))
		wrong(reading, "not an answer of Prometheus: no \"status\": \"success\"");
	else if (!has_warnings(answer, reading)) {
		reading->verdict = VERDICT_PASS;
		return jsonx_at(answer, "data");
	}
	return NULL;
}

void
reading_decode(const char *body, size_t length, int http_status, enum reduce reduce, int64_t now_ms,
    int64_t max_age_ms, struct reading *reading)
{
	json_t *answer;
	const json_t *data = open_answer(body, length, http_status, &answer, reading);

	if (reading->verdict == VERDICT_PASS)
		decode_data(data, reduce, now_ms, max_age_ms, reading);
	if (reading->verdict != VERDICT_PASS)
		reading->value = 0;
	json_decref(answer);
}

/* All that a series must have before any is given out. */
static bool
check_series(const json_t *series, double *at, struct reading *reading)
{
	const json_t *pair = json_object_get(series, "value");
	const json_t *time = json_array_get(pair, 0);

	if (!decode_number(pair, reading))
		return false;
	if (!json_is_object(json_object_get(series, "metric")) || !json_is_number(time)) {
		wrong(reading, "the answer's series has no labels or no time");
		return false;
	}
	if (*at != 0 && json_number_value(time) != *at) {
		wrong(reading, "the answer's series are of different times");
		return false;
	}
	*at = json_number_value(time);
	return true;
}

void
reading_series(const char *body, size_t length, int http_status,
    void (*each)(void *ctx, const json_t *labels, double value), void *ctx, struct reading *reading)
{
	json_t *answer;
	const json_t *data = open_answer(body, length, http_status, &answer, reading);
	const json_t *list = json_object_get(data, "result");
	size_t count = json_array_size(list);
	double at = 0;

	if (reading->verdict == VERDICT_PASS &&
	    (!str_equal(jsonx_text(data, "resultType"), "vector") || !json_is_array(list)))
		wrong(reading, "the answer is no vector of series");
	if (count > SERIES_MAX)
		wrong(reading, "the answer has too many series");
	for (size_t i = 0; i < count && reading->verdict == VERDICT_PASS; i++)
		check_series(json_array_get(list, i), &at, reading);
	for (size_t i = 0; i < count && reading->verdict == VERDICT_PASS; i++) {
		const json_t *series = json_array_get(list, i);

		decode_number(json_object_get(series, "value"), reading);
		each(ctx, json_object_get(series, "metric"), reading->value);
	}
	json_decref(answer);
}
