/* What the first answer to a gate means before a start. */
#include "unit.h"
#include <string.h>
#include "base/str.h"
#include "model/trial.h"

static struct gate_spec gate = {.name = "rate", .source = "main"};
static struct app app;

/* The only finding, or NULL; it is a problem or a warning. */
static const char *
judge(struct findings *found, const struct gate_sample *sample, bool problem)
{
	const struct errlist *list = problem ? &found->problems : &found->warnings;

	findings_done(found);
	trial_judge(&app, &gate, sample, found);
	if (found->problems.count + found->warnings.count == 0)
		return NULL;
	assert_int_equal(found->problems.count + found->warnings.count, 1);
	assert_int_equal(list->count, 1);
	return list->items[0].text;
}

/* As the gates room reads it. */
static struct gate_sample
answered(int status, const char *body)
{
	struct reading reading;
	struct gate_sample sample;

	reading_decode(body, strlen(body), status, REDUCE_NONE, 1000, 60000, &reading);
	sample_judge(&gate, &reading, NULL, &sample);
	return sample;
}

#define REFUSED(type) "{\"status\":\"error\",\"errorType\":\"" type "\",\"error\":\"parse error\"}"
#define RESULT(type) "{\"status\":\"success\",\"data\":{\"resultType\":\"" type "\",\"result\":[]}}"

static void
a_query_that_is_not_taken_is_a_problem(void **state)
{
	struct findings found = {0};
	struct gate_sample sample = answered(400, REFUSED("bad_data"));

	(void)state;
	assert_string_equal(judge(&found, &sample, true),
	    "gate rate: data source main does not take its query: HTTP 400, bad_data: parse error; "
	    "correct it in the App");
	sample = answered(200, RESULT("matrix"));
	assert_non_null(strstr(judge(&found, &sample, true), "range of values"));
	sample = answered(200, RESULT("string"));
	assert_non_null(strstr(judge(&found, &sample, true), "gives a text"));
	findings_done(&found);
}

/* 400 of a proxy, 422 of an execution, 5xx: tomorrow it may be another. */
static void
what_may_pass_by_itself_is_a_warning(void **state)
{
	static const struct {
		int status;
		const char *body;
	} answers[] = {{400, "<html>"}, {400, "{}"}, {422, REFUSED("execution")},
	    {422, REFUSED("bad_data")}, {503, REFUSED("bad_data")}, {503, ""}, {401, ""},
	    {200, "no JSON"}};
	struct findings found = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct gate_sample sample = answered(answers[i].status, answers[i].body);

		assert_non_null(
		    strstr(judge(&found, &sample, false), "gate rate: data source main: "));
	}
	findings_done(&found);
}

static void
no_verdict_is_no_finding(void **state)
{
	struct findings found = {0};

	(void)state;
	for (int v = VERDICT_PENDING; v <= VERDICT_TOO_FEW; v++) {
		struct gate_sample sample = {.verdict = (enum verdict)v};

		if (v != VERDICT_ERROR)
			assert_null(judge(&found, &sample, false));
	}
}

static void
no_data_matters_where_there_should_be_some(void **state)
{
	struct gate_sample sample = {.verdict = VERDICT_NO_DATA, .text = "no series"};
	struct findings found = {0};

	(void)state;
	app.rolls = true;
	assert_null(judge(&found, &sample, false)); /* it would only pause */
	gate.on_deadline = DEADLINE_ABORT;
	assert_non_null(strstr(judge(&found, &sample, false), "the rollout is aborted"));
	app.rolls = false;
	assert_null(judge(&found, &sample, false)); /* a canary has had no traffic yet */
	gate.on_deadline = DEADLINE_PAUSE;
	findings_done(&found);
}

static void
a_source_is_said_once_for_all_its_gates(void **state)
{
	struct gate_sample sample = {.verdict = VERDICT_ERROR,
	    .source_ill = true,
	    .text = "data source main: connection refused"};
	struct findings found = {0};

	(void)state;
	trial_judge(&app, &gate, &sample, &found);
	str_copy(gate.name, sizeof(gate.name), "other");
	trial_judge(&app, &gate, &sample, &found);
	assert_int_equal(found.warnings.count, 1);
	trial_unanswered(&gate, 5, &found);
	trial_unanswered(&gate, 5, &found);
	assert_int_equal(found.warnings.count, 2);
	assert_non_null(
	    strstr(found.warnings.items[1].text, "data source main: no answer within 5 s: as"));
	assert_int_equal(found.problems.count, 0);
	findings_done(&found);
}

static void
the_samples_query_counts_too(void **state)
{
	struct gate_spec with = {
	    .name = "rate", .source = "main", .samples_query = "count", .samples_min = 5};
	struct reading value = {.verdict = VERDICT_PASS, .value = 1}, samples;
	const char *body = REFUSED("bad_data");
	struct gate_sample sample;

	(void)state;
	reading_decode(body, strlen(body), 400, REDUCE_NONE, 1000, 60000, &samples);
	sample_judge(&with, &value, &samples, &sample);
	assert_true(sample.refused);
	assert_non_null(strstr(sample.text, "samples: HTTP 400"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_query_that_is_not_taken_is_a_problem),
	    cmocka_unit_test(what_may_pass_by_itself_is_a_warning),
	    cmocka_unit_test(no_verdict_is_no_finding),
	    cmocka_unit_test(no_data_matters_where_there_should_be_some),
	    cmocka_unit_test(a_source_is_said_once_for_all_its_gates),
	    cmocka_unit_test(the_samples_query_counts_too),
	};
	return cmocka_run_group_tests_name("trial", tests, NULL, NULL);
}
