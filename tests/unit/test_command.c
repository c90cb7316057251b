/* Every command in every phase: taken, already so, or refused with a text that helps; what is taken
 * folds, and leads to the phase that the table here says. */
#include "unit.h"

#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/command.h"
#include "model/strategy.h"

enum { PHASES = PHASE_FAILED + 1 };

static struct rollout *
make(void)
{
	const char *text = "{kind: App, name: web, namespace: shop, workload: {name: web},\n"
			   " traffic: {istio: {virtualService: web}},\n"
			   " strategy: {canary: {weights: [10, 25, 50, 100], hold: 3s}},\n"
			   " gates: [{name: up, prometheus: {query: up, pass: '> 0'}}]}";
	json_t *spec;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	struct release release = {.app = "web", .number = 1, .image = "web:2"};
	struct event event = {.kind = EVENT_CREATED,
	    .at_ms = 1,
	    .actor = "",
	    .data = json_pack("{s:o, s:o}", "app", spec, "release", release_json(&release))};
	struct rollout *r = rollout_new("r-test");
	if (rollout_fold(r, &event, &e) < 0)
		fail_msg("%s", e.text);
	json_decref(event.data);
	return r;
}

static void
fold(struct rollout *r, enum event_kind kind, json_t *data)
{
	struct event event = {.kind = kind, .at_ms = 2, .actor = "", .data = data};
	struct err e;
	if (rollout_fold(r, &event, &e) < 0)
		fail_msg("%s", e.text);
	json_decref(data);
}

static void
go_to(struct rollout *r, enum phase phase)
{
	fold(r, EVENT_PHASE, json_pack("{s:s}", "to", phase_name(phase)));
}

static void
compile(struct rollout *r)
{
	struct baseline baseline = {.replicas = 4, .hpa_min = -1, .image = "web:1", .uid = "u"};
	struct ladder ladder;
	r->app->strategy->compile(r->app, &baseline, &ladder);
	fold(r, EVENT_COMPILED,
	    json_pack("{s:o, s:o}", "baseline", baseline_json(&baseline), "ladder",
		ladder_json(&ladder)));
	fold(r, EVENT_STAGE, json_pack("{s:i}", "index", 1));
}

/* On the shortest way that the transition table has. */
static struct rollout *
in_phase(enum phase phase)
{
	struct rollout *r = make();
	if (phase == PHASE_QUEUED)
		return r;
	go_to(r, PHASE_PROGRESSING);
	compile(r);
	if (phase == PHASE_ABORTED || phase == PHASE_FAILED)
		go_to(r, PHASE_ABORTING);
	if (phase != PHASE_PROGRESSING)
		go_to(r, phase);
	return r;
}

#define REFUSED (-1)
#define ALREADY (-2)
#define TO(phase) PHASE_##phase
#define SAME TO

/* Rows: commands in their order; columns: phases in theirs; cells: what it is afterwards. */
static const int table[COMMAND_COUNT][PHASES] = {
    [COMMAND_PROMOTE] = {REFUSED, SAME(PROGRESSING), TO(PROGRESSING), ALREADY, REFUSED, REFUSED,
	REFUSED},
    [COMMAND_APPROVE] = {REFUSED, SAME(PROGRESSING), SAME(PAUSED), ALREADY, REFUSED, REFUSED,
	REFUSED},
    [COMMAND_PAUSE] = {REFUSED, TO(PAUSED), ALREADY, REFUSED, REFUSED, REFUSED, REFUSED},
    [COMMAND_RESUME] = {REFUSED, ALREADY, TO(PROGRESSING), REFUSED, REFUSED, REFUSED, REFUSED},
    [COMMAND_RETRY] = {REFUSED, SAME(PROGRESSING), TO(PROGRESSING), REFUSED, SAME(ABORTING),
	REFUSED, TO(ABORTING)},
    [COMMAND_ABORT] = {TO(ABORTING), TO(ABORTING), TO(ABORTING), REFUSED, ALREADY, ALREADY,
	TO(ABORTING)},
};

static void
check_cell(enum command command, enum phase phase)
{
	struct rollout *r = in_phase(phase);
	struct events events = {0};
	struct err why = {.text = ""};
	int wanted = table[command][phase];
	enum command_answer answer = command_give(r, command, false, "", "", 99, &events, &why);
	enum command_answer right = wanted == REFUSED	? COMMAND_REFUSED
				    : wanted == ALREADY ? COMMAND_NOTHING
							: COMMAND_TAKEN;
	if (answer != right)
		fail_msg("%s of a %s rollout: answer %d instead of %d", command_name(command),
		    phase_name(phase), answer, right);
	assert_int_equal(events.count > 0, answer == COMMAND_TAKEN);
	for (int i = 0; i < events.count; i++)
		fold(r, events.list[i].kind, json_incref(events.list[i].data));
	if (answer == COMMAND_TAKEN && (int)r->phase != wanted)
		fail_msg("%s of a %s rollout makes it %s", command_name(command), phase_name(phase),
		    phase_name(r->phase));
	if (answer == COMMAND_REFUSED) {
		assert_non_null(strstr(why.text, phase_name(phase)));
		assert_non_null(strstr(why.text, "r-test"));
		assert_true(strlen(why.text) > 40); /* and what could be done */
	}
	events_done(&events);
	rollout_free(r);
}

static void
each_command_in_each_phase(void **state) /* F43, F46 */
{
	(void)state;
	for (int command = 0; command < COMMAND_COUNT; command++)
		for (int phase = 0; phase < PHASES; phase++)
			check_cell((enum command)command, (enum phase)phase);
}

static void
names_lead_back(void **state)
{
	(void)state;
	for (int i = 0; i < COMMAND_COUNT; i++)
		assert_int_equal(command_of(command_name((enum command)i)), i);
	assert_int_equal(command_of("nonsense"), COMMAND_COUNT);
	for (int i = 0; i < PHASES; i++) {
		enum phase phase;
		assert_true(phase_of(phase_name((enum phase)i), &phase));
		assert_int_equal(phase, i);
	}
	for (int i = 0; i < EVENT_KINDS; i++)
		assert_int_equal(event_of(event_name((enum event_kind)i)), i);
	assert_int_equal(event_of("nonsense"), EVENT_KINDS);
}

static void
give(struct rollout *r, enum command command, bool full, const char *reason)
{
	struct events events = {0};
	struct err why;
	assert_int_equal(
	    command_give(r, command, full, "", reason, 99, &events, &why), COMMAND_TAKEN);
	for (int i = 0; i < events.count; i++)
		fold(r, events.list[i].kind, json_incref(events.list[i].data));
	events_done(&events);
}

static void
promote_full_jumps_to_the_full_stage_once(void **state)
{
	(void)state;
	struct rollout *r = in_phase(PHASE_PROGRESSING);
	give(r, COMMAND_PROMOTE, true, "");
	assert_int_equal(r->stage, r->ladder.full);
	assert_true(r->skip);
	assert_false(r->records[1].skipped); /* it was there */
	for (int i = 2; i < r->ladder.full; i++)
		assert_true(r->records[i].skipped);
	give(r, COMMAND_PROMOTE, true, ""); /* there already: the stage is not entered again */
	assert_int_equal(r->stage, r->ladder.full);
	fold(r, EVENT_STAGE, json_pack("{s:i}", "index", r->stage + 1));
	assert_false(r->skip); /* of one stage only */
	give(r, COMMAND_PROMOTE, true, "");
	assert_int_equal(r->stage, r->ladder.full + 1); /* never back */
	rollout_free(r);
}

static void
nothing_is_promoted_before_its_first_stage(void **state)
{
	(void)state;
	struct rollout *r = make();
	struct events events = {0};
	struct err why;
	go_to(r, PHASE_PROGRESSING);
	assert_int_equal(
	    command_give(r, COMMAND_PROMOTE, true, "", "", 9, &events, &why), COMMAND_REFUSED);
	assert_non_null(strstr(why.text, "not begun"));
	assert_int_equal(events.count, 0);
	rollout_free(r);
}

/* One that ann started, or nobody knows who (starter NULL), in a stage that waits for an approval
 * with another such one before the end. */
static struct rollout *
asking(const char *starter, bool self)
{
	struct rollout *r = in_phase(PHASE_PROGRESSING);
	str_copy(r->starter, sizeof(r->starter), starter ? starter : "");
	r->app->self_approval = self;
	r->ladder.stages[1].approve = r->ladder.stages[2].approve = true;
	return r;
}

static bool
taken(const struct rollout *r, enum command command, bool full, const char *by)
{
	struct events events = {0};
	struct err why = {""};
	enum command_answer answer = command_give(r, command, full, by, "", 99, &events, &why);
	events_done(&events);
	assert_int_not_equal(answer, COMMAND_NOTHING);
	if (answer == COMMAND_REFUSED) {
		assert_non_null(strstr(why.text, "started by the same uid=1"));
		assert_non_null(strstr(why.text, "selfApproval: true"));
	}
	return answer == COMMAND_TAKEN;
}

static void
nobody_approves_what_they_started(void **state)
{
	(void)state;
	struct rollout *r = asking("uid=1", false);
	assert_false(taken(r, COMMAND_APPROVE, false, "uid=1"));
	assert_true(taken(r, COMMAND_APPROVE, false, "uid=12"));
	assert_true(taken(r, COMMAND_APPROVE, false, "token:uid=1"));
	/* Nor is it gone around. */
	assert_false(taken(r, COMMAND_PROMOTE, false, "uid=1"));
	assert_false(taken(r, COMMAND_PROMOTE, true, "uid=1"));
	assert_true(taken(r, COMMAND_PROMOTE, true, "uid=2"));
	/* What is safe is free, and so is what passes no approval. */
	assert_true(taken(r, COMMAND_ABORT, false, "uid=1"));
	assert_true(taken(r, COMMAND_PAUSE, false, "uid=1"));
	assert_true(taken(r, COMMAND_RETRY, false, "uid=1"));
	give(r, COMMAND_APPROVE, false, "");
	assert_true(taken(r, COMMAND_PROMOTE, false, "uid=1"));
	assert_false(taken(r, COMMAND_PROMOTE, true, "uid=1")); /* past the next one */
	r->ladder.stages[2].approve = false;
	assert_true(taken(r, COMMAND_PROMOTE, true, "uid=1"));
	rollout_free(r);
	/* The app allows it; or who started it, or who asks, is not known. */
	r = asking("uid=1", true);
	assert_true(taken(r, COMMAND_APPROVE, false, "uid=1"));
	assert_true(taken(r, COMMAND_PROMOTE, true, "uid=1"));
	rollout_free(r);
	r = asking(NULL, false);
	assert_true(taken(r, COMMAND_APPROVE, false, "uid=1"));
	assert_true(taken(r, COMMAND_APPROVE, false, ""));
	rollout_free(r);
}

static void
what_stands_for_an_approval(void **state)
{
	(void)state;
	struct rollout *r = asking(NULL, false);
	assert_true(command_approves(r, COMMAND_APPROVE, false));
	assert_true(command_approves(r, COMMAND_PROMOTE, false));
	assert_true(command_approves(r, COMMAND_PROMOTE, true));
	assert_false(command_approves(r, COMMAND_RESUME, false));
	assert_false(command_approves(r, COMMAND_ABORT, true));
	r->ladder.stages[1].approve = false;
	assert_false(command_approves(r, COMMAND_PROMOTE, false));
	assert_true(command_approves(r, COMMAND_PROMOTE, true));
	rollout_free(r);
	r = make(); /* not begun: there are no stages yet */
	assert_false(command_approves(r, COMMAND_PROMOTE, true));
	rollout_free(r);
}

static void
reasons_are_kept(void **state)
{
	(void)state;
	struct rollout *r = in_phase(PHASE_PROGRESSING);
	give(r, COMMAND_PAUSE, false, "lunch");
	assert_string_equal(r->reason, "lunch");
	give(r, COMMAND_RESUME, false, "");
	assert_string_equal(r->reason, "");
	give(r, COMMAND_ABORT, false, "");
	assert_string_equal(r->reason, "aborted by command");
	go_to(r, PHASE_FAILED);
	rollout_free(r);
}

static void
resume_and_retry_start_the_wait_anew(void **state) /* F53 */
{
	(void)state;
	struct rollout *r = in_phase(PHASE_PAUSED);
	r->gates[0].passes = 3;
	r->gates[0].failures = 2;
	r->attempt.failures = 5;
	r->attempt.retry_ms = 12345;
	give(r, COMMAND_RESUME, false, "");
	assert_int_equal(r->gates[0].passes, 0);
	assert_int_equal(r->gates[0].failures, 0);
	assert_int_equal(r->attempt.failures, 0);
	assert_int_equal(r->attempt.retry_ms, 0);
	assert_true(r->resumed_ms > 0);
	str_copy(r->drift.what, sizeof(r->drift.what), "weight");
	r->drift.repairs = 3;
	give(r, COMMAND_RETRY, false, "");
	assert_true(r->drift.repair);
	assert_int_equal(r->drift.repairs, 0);
	rollout_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_command_in_each_phase),
	    cmocka_unit_test(names_lead_back),
	    cmocka_unit_test(promote_full_jumps_to_the_full_stage_once),
	    cmocka_unit_test(nothing_is_promoted_before_its_first_stage),
	    cmocka_unit_test(nobody_approves_what_they_started),
	    cmocka_unit_test(what_stands_for_an_approval),
	    cmocka_unit_test(reasons_are_kept),
	    cmocka_unit_test(resume_and_retry_start_the_wait_anew),
	};
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
