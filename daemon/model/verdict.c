/* What a measurement means: comparisons, and the one place where a number becomes a verdict.
 * Always true: only a finite number that was really measured can pass, but for an empty answer
 * where the gate says `empty: pass`. */
#include "model/verdict.h"

#include <math.h>
#include <string.h>
#include "base/str.h"

static const char *const names[] = {
    [VERDICT_PENDING] = "pending",
    [VERDICT_PASS] = "pass",
    [VERDICT_FAIL] = "fail",
    [VERDICT_NO_DATA] = "no_data",
    [VERDICT_ERROR] = "error",
    [VERDICT_TOO_FEW] = "too_few",
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* Longer ones first, so that "<=" is not taken for "<". */
static const struct {
	const char *text;
	enum compare compare;
} comparisons[] = {{"<=", COMPARE_LE}, {">=", COMPARE_GE}, {"==", COMPARE_EQ}, {"!=", COMPARE_NE},
    {"<", COMPARE_LT}, {">", COMPARE_GT}};
enum { COMPARISONS = sizeof(comparisons) / sizeof(comparisons[0]) };

const char *
verdict_name(enum verdict verdict)
{
	return (unsigned)verdict < NAMES ? names[verdict] : names[VERDICT_ERROR];
}

enum verdict
verdict_of(const char *name)
{
	for (int i = 0; i < NAMES; i++) {
		if (str_equal(names[i], name))
			return (enum verdict)i;
	}
	return VERDICT_ERROR;
}

int
condition_parse(const char *text, enum compare *compare, double *limit, struct err *e)
{
	const char *number = text + strspn(text, " ");
	char cut[48];
	double value;

	str_copy(cut, sizeof(cut), text);
	for (int i = 0; i < COMPARISONS; i++) {
		if (!str_starts(number, comparisons[i].text))
			continue;
		number += strlen(comparisons[i].text);
		number += strspn(number, " ");
		if (str_real(number, &value) != 0)
			return err_set(e,
			    "\"%s\": after %s comes a number, such as 0.99 (a share, not a "
			    "percentage)",
			    cut, comparisons[i].text);
		*compare = comparisons[i].compare;
		*limit = value;
		return 0;
	}
	return err_set(
	    e, "\"%s\" is no comparison; write < <= > >= == or != and a number: \">= 0.99\"", cut);
}

void
condition_text(enum compare compare, double limit, char *to, size_t size)
{
	for (int i = 0; i < COMPARISONS; i++) {
		if (comparisons[i].compare == compare)
			str_print(to, size, "%s %.10g", comparisons[i].text, limit);
	}
}

bool
condition_holds(enum compare compare, double value, double limit)
{
	/* "not above the limit" must not be true of something that is no number (F01). */
	if (isnan(value) || isnan(limit))
		return false;
	switch (compare) {
	case COMPARE_LT:
		return value < limit;
	case COMPARE_LE:
		return value <= limit;
	case COMPARE_GT:
		return value > limit;
	case COMPARE_GE:
		return value >= limit;
	case COMPARE_EQ:
		return value == limit;
	case COMPARE_NE:
		return value != limit;
	}
	return false;
}

static void
judge_value(const struct gate_spec *gate, double value, struct gate_sample *sample)
{
	char condition[64];

	condition_text(gate->compare, gate->limit, condition, sizeof(condition));
	sample->has_value = true;
	sample->value = value;
	if (!isfinite(value)) {
		sample->verdict = VERDICT_ERROR;
		str_copy(sample->text, sizeof(sample->text), "the value is not finite");
		sample->has_value = false;
	} else if (condition_holds(gate->compare, value, gate->limit)) {
		sample->verdict = VERDICT_PASS;
		str_print(sample->text, sizeof(sample->text), "%.10g %s", value, condition);
	} else {
		sample->verdict = VERDICT_FAIL;
		str_print(
		    sample->text, sizeof(sample->text), "%.10g, but must be %s", value, condition);
	}
}

/* Whether the samples query lets the value speak; if not, the sample says why. */
static bool
enough_samples(
    const struct gate_spec *gate, const struct reading *samples, struct gate_sample *sample)
{
	if (samples == NULL && gate->samples_query == NULL)
		return true;
	if (samples == NULL || samples->verdict == VERDICT_ERROR ||
	    samples->verdict == VERDICT_PENDING) {
		sample->verdict = VERDICT_ERROR;
		sample->refused = samples != NULL && samples->refused;
		str_print(sample->text, sizeof(sample->text), "samples: %s",
		    samples == NULL ? "were not asked for" : samples->text);
		return false;
	}
	sample->samples = samples->verdict == VERDICT_PASS ? samples->value : 0;
	if (samples->verdict == VERDICT_PASS && samples->value >= gate->samples_min)
		return true;
	sample->verdict = VERDICT_TOO_FEW;
	if (samples->verdict == VERDICT_PASS)
		str_print(sample->text, sizeof(sample->text), "%.10g samples; %.10g are needed",
		    samples->value, gate->samples_min);
	else
		str_print(sample->text, sizeof(sample->text), "no samples (%s); %.10g are needed",
		    samples->text, gate->samples_min);
	return false;
}

void
sample_judge(const struct gate_spec *gate, const struct reading *value,
    const struct reading *samples, struct gate_sample *sample)
{
	*sample = (struct gate_sample){.verdict = VERDICT_ERROR, .samples = -1};
	str_copy(sample->text, sizeof(sample->text), value->text);
	sample->refused = value->refused;
	/* A source that is down is told as such, not as too little traffic. */
	if (value->verdict != VERDICT_PASS && value->verdict != VERDICT_NO_DATA)
		return;
	sample->has_value = value->verdict == VERDICT_PASS;
	sample->value = value->value;
	if (!enough_samples(gate, samples, sample))
		return;
	if (value->verdict == VERDICT_PASS) {
		judge_value(gate, value->value, sample);
	} else if (value->empty && gate->empty_passes) {
		sample->verdict = VERDICT_PASS;
		str_copy(sample->text, sizeof(sample->text), "no series, which passes here");
	} else {
		sample->verdict = VERDICT_NO_DATA;
	}
}
