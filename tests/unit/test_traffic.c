/* Weights that are looked for in traffic, with a data source that is made up here: which windows
 * are asked for, and what comes of it. */
#include "test_http_lab.h"
#include <stdio.h>
#include <stdlib.h>
#include "mesh/mesh.h"
#include "traffic_answers.h"

static const int64_t windows[] = {2000, 5000, 10000, 30000, 60000};
#define WINDOWS 5

static struct queried {
	struct counted of[WINDOWS][REPORTERS]; /* what it answers to each */
	int64_t windows[16];		       /* that were asked for */
	int count, cancelled;
	bool silent;
	int status; /* 0: 200 */
	const char *error;
	void (*done)(void *ctx, uint64_t number, const struct mesh_page *page);
	void *ctx;
	uint64_t number;
	struct loop_timer *timer;
} asked;

static struct answered {
	int count;
	enum mesh_outcome outcome;
	int64_t at_ms;
	char text[300];
} answered;

static struct mesh *mesh;

static int
window_of(const char *query)
{
	char text[24];
	for (int i = 0; i < WINDOWS; i++) {
		str_print(text, sizeof(text), " offset %ds)", (int)(windows[i] / 1000));
		if (strstr(query, text) != NULL)
			return i;
	}
	fail_msg("no window in %s", query);
	return 0;
}

static void
reply(void *ctx)
{
	(void)ctx;
	int window = 0;
	while (windows[window] != asked.windows[asked.count - 1])
		window++;
	char *body = body_of(asked.of[window]);
	struct mesh_page page = {.status = asked.status ? asked.status : 200,
	    .body = body,
	    .length = strlen(body),
	    .error = asked.error};
	asked.done(asked.ctx, asked.number, &page);
	free(body);
}

static uint64_t
query(void *ctx, const char *source, const char *text,
    void (*done)(void *done_ctx, uint64_t number, const struct mesh_page *page), void *done_ctx)
{
	(void)ctx;
	assert_string_equal(source, "main");
	assert_true(asked.count < 16);
	asked.windows[asked.count++] = windows[window_of(text)];
	asked.done = done;
	asked.ctx = done_ctx;
	if (!asked.silent)
		loop_timer_set(asked.timer, 1);
	return ++asked.number;
}

static void
cancel_query(void *ctx, uint64_t number)
{
	(void)ctx;
	assert_true(number == asked.number);
	asked.cancelled++;
	loop_timer_clear(asked.timer);
}

static void
done(void *ctx, uint64_t number, const struct mesh_answer *answer)
{
	(void)ctx;
	(void)number;
	answered.count++;
	answered.outcome = answer->outcome;
	answered.at_ms = answer->at_ms;
	str_copy(answered.text, sizeof(answered.text), answer->text);
}

static bool
is_answered(void *ctx)
{
	(void)ctx;
	return answered.count > 0;
}

static int
setup(void **state)
{
	struct mesh_needs needs = {.query = query, .cancel_query = cancel_query};
	struct mesh_cluster cluster = {.name = "default", .source = "main", .patience_ms = 300};
	(void)state;
	lab_open();
	name_app();
	asked = (struct queried){0};
	answered = (struct answered){0};
	asked.timer = loop_timer_new(lab.loop, reply, NULL);
	mesh = mesh_new(lab.loop, &cluster, 1, &needs);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mesh_free(mesh);
	loop_timer_free(asked.timer);
	lab_close();
	return 0;
}

/* 10 % is wanted, 50 % was; sent so long ago. */
static uint64_t
look(int64_t ago_ms)
{
	struct mesh_question question = {.app = &app,
	    .subject = MESH_WEIGHT,
	    .since_ms = clock_wall_ms() - ago_ms,
	    .resource_version = "",
	    .rule_version = "",
	    .wish = {10, -1, 50}};
	struct mesh_port port = mesh_port(mesh);
	answered.count = 0;
	asked.count = 0;
	return port.ask(port.ctx, &question, done, NULL);
}

static void
must_answer(enum mesh_outcome outcome, const char *part)
{
	assert_true(lab_until(is_answered, NULL));
	assert_int_equal(answered.outcome, outcome);
	if (strstr(answered.text, part) == NULL)
		fail_msg("no \"%s\" in \"%s\"", part, answered.text);
}

static void
say(int window, double stable, double canary)
{
	asked.of[window][SOURCE] = counted(windows[window], stable, canary);
}

static void
test_only_weights(void **state)
{
	struct mesh_port port = mesh_port(mesh);
	(void)state;
	for (int i = 0; i < MESH_SUBJECTS; i++)
		assert_int_equal(port.way(port.ctx, "default", (enum mesh_subject)i),
		    i == MESH_WEIGHT ? MESH_TRAFFIC : MESH_TIME);
	assert_int_equal(port.way(port.ctx, "other", MESH_WEIGHT), MESH_TIME);
}

static void
test_observed(void **state)
{
	(void)state;
	say(2, 900, 100);
	int64_t before_ms = clock_wall_ms();
	look(12000); /* 10 s fit behind it, 30 s do not */
	must_answer(MESH_OBSERVED, "100 of 1000");
	assert_int_equal(asked.count, 1);
	assert_int_equal(asked.windows[0], 10000);
	assert_true(answered.at_ms >= before_ms); /* now, not when it was sent */
	json_t *status = mesh_status(mesh, "default");
	assert_string_equal(jsonx_text(status, "traffic.source"), "main");
	assert_string_equal(jsonx_text(status, "traffic.verdict"), "taken");
	assert_string_equal(jsonx_text(status, "traffic.seen"),
	    "shop/web: 100 of 1000 requests went to the canary, 10 % expected");
	assert_true(jsonx_int(status, "traffic.looked_ms", 0) >= before_ms);
	json_decref(status);
}

/* The longest window began before the mesh took the weight; a shorter one did not. */
static void
test_mixture(void **state)
{
	(void)state;
	say(2, 700, 300);
	say(1, 450, 60);
	look(12000);
	must_answer(MESH_OBSERVED, "60 of 510");
	assert_int_equal(asked.count, 2);
	assert_int_equal(asked.windows[1], 5000);
}

static void
test_contradicted(void **state)
{
	(void)state;
	say(2, 500, 500);
	say(1, 250, 250);
	say(0, 100, 100);
	look(12000);
	must_answer(MESH_DIFFERS, "100 of 200");
	assert_int_equal(asked.count, 3);
	/* A short window that cannot tell does not take that back. */
	say(0, 3, 0);
	look(12000);
	must_answer(MESH_DIFFERS, "250 of 500");
}

static void
test_too_few(void **state)
{
	(void)state;
	say(2, 9, 1);
	look(12000);
	must_answer(
	    MESH_UNREACHABLE, "1 of 10 requests went to the canary, 10 % expected: too few");
	assert_int_equal(asked.count, 1); /* shorter ones have even less */
	look(12000);
	must_answer(MESH_UNREACHABLE, "too few");
}

/* Scraped every second, but the oldest sample of the longest window is of before. */
static void
test_only_what_is_later_counts(void **state)
{
	(void)state;
	say(2, 900, 100);
	asked.of[2][SOURCE].age = 12.5;
	say(1, 450, 50);
	look(12000);
	must_answer(MESH_OBSERVED, "50 of 500");
	for (int i = 0; i < WINDOWS; i++) {
		say(i, 900, 100);
		asked.of[i][SOURCE].age = 400;
	}
	look(70000);
	must_answer(MESH_UNREACHABLE, "from after the change");
	assert_int_equal(asked.count, WINDOWS);
	assert_int_equal(asked.windows[0], 60000);
}

/* No window fits behind a change of just now. */
static void
test_not_too_early(void **state)
{
	struct mesh_port port = mesh_port(mesh);
	(void)state;
	say(0, 900, 100);
	asked.of[0][SOURCE].age = 2;
	uint64_t number = look(0);
	lab_for(400);
	assert_int_equal(asked.count, 0);
	port.cancel(port.ctx, number);
	look(1900);
	must_answer(MESH_OBSERVED, "100 of 1000");
	assert_int_equal(asked.windows[0], 2000);
}

/* Others wrote it: then when it was seen counts, for it was not written later. */
static void
test_of_others(void **state)
{
	struct mesh_question question = {.app = &app,
	    .subject = MESH_WEIGHT,
	    .resource_version = "",
	    .rule_version = "",
	    .changed_ms = clock_wall_ms() - 6000,
	    .wish = {10, -1, 50}};
	struct mesh_port port = mesh_port(mesh);
	(void)state;
	say(1, 900, 100);
	port.ask(port.ctx, &question, done, NULL);
	must_answer(MESH_OBSERVED, "100 of 1000");
	assert_int_equal(asked.windows[0], 5000);
}

static void
test_source_is_away(void **state)
{
	(void)state;
	say(2, 900, 100);
	asked.error = "data source main: connection refused";
	look(12000);
	must_answer(MESH_UNREACHABLE, "connection refused");
	assert_int_equal(asked.count, 1);
	asked.error = NULL;
	asked.status = 503;
	look(12000);
	must_answer(MESH_UNREACHABLE, "503");
	assert_int_equal(asked.count, 1);
	asked.silent = true;
	int64_t begun_ms = clock_mono_ms();
	look(12000);
	must_answer(MESH_UNREACHABLE, "data source main does not answer");
	assert_true(clock_mono_ms() - begun_ms < 2000);
	lab_for(20);
	assert_int_equal(asked.cancelled, 1);
}

/* What the source said before it went away is not known any more. */
static void
test_a_contradiction_must_be_fresh(void **state)
{
	(void)state;
	say(2, 500, 500);
	asked.of[1][SOURCE] = (struct counted){0};
	look(12000);
	must_answer(MESH_DIFFERS, "500 of 1000");
	asked.error = "data source main: gone";
	look(12000);
	must_answer(MESH_UNREACHABLE, "gone");
}

static void
test_cancel(void **state)
{
	struct mesh_port port = mesh_port(mesh);
	(void)state;
	asked.silent = true;
	uint64_t number = look(12000);
	lab_for(150);
	assert_int_equal(asked.count, 1);
	port.cancel(port.ctx, number);
	lab_for(400);
	assert_int_equal(asked.cancelled, 1);
	assert_int_equal(answered.count, 0);
	look(12000); /* ends with the mesh */
	lab_for(150);
}

int
main(void)
{
#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    WITH_LAB(test_only_weights),
	    WITH_LAB(test_observed),
	    WITH_LAB(test_mixture),
	    WITH_LAB(test_contradicted),
	    WITH_LAB(test_too_few),
	    WITH_LAB(test_only_what_is_later_counts),
	    WITH_LAB(test_not_too_early),
	    WITH_LAB(test_of_others),
	    WITH_LAB(test_source_is_away),
	    WITH_LAB(test_a_contradiction_must_be_fresh),
	    WITH_LAB(test_cancel),
	};
	return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
