/* The bench of those who ask converge about one workload that rolls: an App, its rollout and what
 * is seen, and what the next step must be. */
#ifndef TESTS_UNIT_CONVERGE_BENCH_H
#define TESTS_UNIT_CONVERGE_BENCH_H

#include "model/move.h"
#include "model/step.h"
#include "rolling_bench.h"

static struct app *app;
static struct rollout rollout;
static struct observed seen;

static inline struct app *
parse(const char *text, struct errlist *errors)
{
	json_t *spec = spec_of(text);
	struct app *parsed = app_parse(spec, errors);
	json_decref(spec);
	return parsed;
}

static inline struct app *
app_of(const char *text)
{
	struct errlist errors;
	errlist_init(&errors);
	struct app *parsed = parse(text, &errors);
	if (parsed == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	return parsed;
}

/* It is told at that place, perhaps among others. */
static inline void
expect_mistake(const char *text, const char *path, const char *says)
{
	struct errlist errors;
	bool told = false;
	errlist_init(&errors);
	assert_null(parse(text, &errors));
	for (size_t i = 0; i < errors.count; i++)
		told |= strcmp(errors.items[i].path, path) == 0 &&
			strstr(errors.items[i].text, says) != NULL;
	if (!told)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
}

/* Before a rollout: so many old pods, which the workload replaces at this pace. */
static inline void
begin_with(const char *text, int size, const struct pace *pace)
{
	app = app_of(text);
	see_old(&seen, size);
	if (pace != NULL)
		seen.stable.pace = *pace;
	rollout = (struct rollout){.app = app, .release = release};
	baseline_take(&rollout.baseline, &seen);
}

static inline int
teardown(void **state)
{
	(void)state;
	app_free(app);
	return 0;
}

static inline struct step
look(struct target target, bool urgent)
{
	static struct stage stages[1];
	struct step step;
	struct view view = {.rollout = &rollout,
	    .seen = &seen,
	    .target = target,
	    .now_ms = 10000000,
	    .urgent = urgent};
	rollout.ladder = (struct climb){.stages = stages, .count = 1};
	rollout.compiled = true;
	converge(&view, &step);
	return step;
}

static inline void
expect_act(struct step step, enum act_kind kind, int number, const char *text)
{
	if (step.kind != STEP_ACT)
		fail_msg("%s: %s", step.waiting.object, step.waiting.what);
	assert_string_equal(act_name(step.act.kind), act_name(kind));
	assert_int_equal(step.act.number, number);
	assert_string_equal(step.act.text, text);
}

static inline void
expect_wait(struct step step, const char *says)
{
	char object[APP_NAME * 2];
	assert_int_equal(step.kind, STEP_BLOCKED);
	step_object(object, sizeof(object), app_workload_kind(app), app, app->workload);
	assert_string_equal(step.waiting.object, object);
	if (strstr(step.waiting.what, says) == NULL)
		fail_msg("%s", step.waiting.what);
}

/* Of a deletion that was given up it is not known which pod it was of: what is seen may be it. */
static inline void
expect_given_up_is_not_done(enum act_kind kind)
{
	struct decision out = {.wake_ms = 0};
	struct situation at = {.rollout = &rollout, .seen = &seen, .now_ms = 1000};
	struct move m = {.at = &at, .r = &rollout, .out = &out};
	rollout.attempt.number = 4;
	rollout.late.acts[0] =
	    (struct late_act){.act = {.kind = kind, .attempt = 3}, .until_ms = 1000 + ACT_LATE_MS};
	track(&m, false);
	for (int i = 0; i < out.events.count; i++)
		assert_int_not_equal(out.events.list[i].kind, EVENT_ACTED);
	events_done(&out.events);
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
