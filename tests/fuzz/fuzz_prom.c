/* Answers of Prometheus. The first two bytes choose the status and how series are reduced, the
 * rest is the body. Whatever it is: a pass is a finite number, and the text can go into JSON. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/str.h"
#include "model/verdict.h"

#define NOW_MS INT64_C(1795380162080)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_judged(const struct reading *reading)
{
	const struct gate_spec gate = {
	    .compare = COMPARE_LT, .limit = 1, .samples_query = "x", .samples_min = 1};
	struct gate_sample sample;

	sample_judge(&gate, reading, reading, &sample);
	assert(str_utf8_ok(sample.text, strlen(sample.text)));
	/* What passes below 1 cannot at once be enough samples. */
	assert(sample.verdict != VERDICT_PASS && sample.verdict != VERDICT_PENDING);
	assert(!sample.has_value || isfinite(sample.value));
}

static void
count(void *ctx, const json_t *labels, double value)
{
	int *given = ctx;

	assert(json_is_object(labels) && isfinite(value));
	++*given;
}

/* The same answer as several series: all of them or none. */
static void
check_series(const uint8_t *data, size_t size, int status)
{
	struct reading reading;
	int given = 0;

	reading_series((const char *)data, size, status, count, &given, &reading);
	assert(str_utf8_ok(reading.text, strlen(reading.text)));
	assert(given == 0 || reading.verdict == VERDICT_PASS);
	assert(reading.verdict == VERDICT_PASS || reading.text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 200, 200, 204, 400, 422, 503, 0};
	struct reading reading;
	bool odd;

	if (size < 2)
		return 0;
	odd = statuses[data[0] % 8] != 200;
	reading_decode((const char *)data + 2, size - 2, statuses[data[0] % 8],
	    (enum reduce)(data[1] % 5), NOW_MS, 60000, &reading);
	assert(str_utf8_ok(reading.text, strlen(reading.text)));
	assert(reading.verdict == VERDICT_PASS || reading.verdict == VERDICT_NO_DATA ||
	       reading.verdict == VERDICT_ERROR);
	assert(reading.verdict != VERDICT_PASS || isfinite(reading.value));
	assert(reading.verdict == VERDICT_ERROR || !odd || statuses[data[0] % 8] == 204);
	assert(!reading.empty || reading.verdict == VERDICT_NO_DATA);
	assert(reading.text[0] != '\0');
	check_judged(&reading);
	check_series(data + 2, size - 2, statuses[data[0] % 8]);
	return 0;
}
