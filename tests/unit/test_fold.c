/* The fold: what cannot follow is refused and changes nothing; stages only rise; what was there
 * comes out of the journal again. */
#include "unit.h"

#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/gate.h"
#include "model/rollout.h"
#include "model/strategy.h"

static int64_t clock_ms;

static int
try(struct rollout *r, enum event_kind kind, json_t *data, struct err *e)
{
	struct event event = {.kind = kind, .at_ms = ++clock_ms, .actor = "", .data = data};
	int rc = rollout_fold(r, &event, e);
	json_decref(data);
	return rc;
}

static void
fold(struct rollout *r, enum event_kind kind, json_t *data)
{
	struct err e;
	if (try(r, kind, data, &e) < 0)
		fail_msg("%s", e.text);
}

static json_t *
created(void)
{
	const char *text =
	    "{kind: App, name: web, namespace: shop, workload: {name: web},\n"
	    " traffic: {istio: {virtualService: web}},\n"
	    " strategy: {canary: {weights: [10, 50, 100], drain: 1s}},\n"
	    " gates: [{name: g, prometheus: {query: up, pass: '> 0'}, every: 10s, window: 30s,\n"
	    "   warmup: 5s, failures: 1, measurements: 2}]}";
	struct release release = {.app = "web", .number = 7, .image = "web:2", .who = "ann"};
	json_t *spec;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	return json_pack("{s:o, s:o}", "app", spec, "release", release_json(&release));
}

static struct rollout *
make(int stage)
{
	struct baseline baseline = {.replicas = 4, .hpa_min = -1, .image = "web:1", .uid = "u"};
	struct ladder ladder;
	struct rollout *r = rollout_new("r-test");
	clock_ms = 1000000;
	fold(r, EVENT_CREATED, created());
	fold(r, EVENT_PHASE, json_pack("{s:s}", "to", "progressing"));
	r->app->strategy->compile(r->app, &baseline, &ladder);
	fold(r, EVENT_COMPILED,
	    json_pack("{s:o, s:o}", "baseline", baseline_json(&baseline), "ladder",
		ladder_json(&ladder)));
	for (int i = 1; i <= stage; i++)
		fold(r, EVENT_STAGE, json_pack("{s:i}", "index", i));
	return r;
}

static void
refuse(struct rollout *r, enum event_kind kind, json_t *data, const char *said)
{
	struct rollout before = *r;
	struct err e = {.text = ""};
	assert_int_equal(try(r, kind, data, &e), -1);
	if (strstr(e.text, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, said);
	assert_memory_equal(&before, r, sizeof(before));
}

static void
what_cannot_follow_changes_nothing(void **state) /* I7, F72 */
{
	(void)state;
	struct rollout *r = make(2);
	refuse(r, EVENT_CREATED, created(), "once");
	refuse(r, EVENT_STAGE, json_pack("{s:i}", "index", 2), "cannot enter stage 2");
	refuse(r, EVENT_STAGE, json_pack("{s:i}", "index", 1), "cannot enter stage 1");
	refuse(r, EVENT_STAGE, json_pack("{s:i}", "index", 99), "cannot enter stage 99");
	refuse(r, EVENT_STAGE, json_object(), "cannot enter");
	refuse(r, EVENT_PHASE, json_pack("{s:s}", "to", "queued"), "cannot go from progressing");
	refuse(r, EVENT_PHASE, json_pack("{s:s}", "to", "aborted"), "cannot go from progressing");
	refuse(r, EVENT_PHASE, json_pack("{s:s}", "to", "nonsense"), "nonsense");
	refuse(r, EVENT_PHASE, json_pack("{s:i}", "to", 5), "cannot go");
	refuse(r, EVENT_ACT, json_pack("{s:s}", "act", "nonsense"), "nonsense");
	refuse(r, EVENT_MEASURED, json_pack("{s:s}", "gate", "other"), "no gate");
	refuse(r, EVENT_TAKEN, json_pack("{s:s}", "subject", "nonsense"), "nonsense");
	refuse(r, EVENT_COMPILED, json_object(), "a ladder has");
	rollout_free(r);
}

static void
numbers_out_of_their_range_are_refused(void **state)
{
	static const char *const ladders[] = {"[{\"weight\": 101}]", "[{\"canary\": -1}]",
	    "[{\"hold_ms\": 9223372036854775807}]", "[{\"gates\": 4294967296}]"};
	struct rollout *r = make(2);
	struct event late = {.kind = EVENT_SETTLED, .at_ms = INT64_MAX, .actor = ""};
	struct ladder ladder;
	struct err e;
	json_t *json;
	(void)state;
	refuse(r, EVENT_SEEN, json_pack("{s:i}", "weight", 101), "from 0 to 100");
	refuse(r, EVENT_SEEN, json_pack("{s:s}", "weight", "10"), "no whole number");
	refuse(r, EVENT_READY, json_pack("{s:I}", "count", (json_int_t)1 << 32), "count");
	refuse(r, EVENT_ACT, json_pack("{s:s, s:i}", "act", "weight", "number", 101), "number");
	refuse(
	    r, EVENT_ACT, json_pack("{s:s, s:i}", "act", "scale_canary", "number", -1), "number");
	refuse(r, EVENT_ACTED, json_pack("{s:I}", "retry_ms", (json_int_t)INT64_MAX), "retry_ms");
	refuse(r, EVENT_WAITS, json_pack("{s:I}", "until_ms", (json_int_t)INT64_MAX), "until_ms");
	refuse(r, EVENT_TAKEN,
	    json_pack("{s:s, s:I}", "subject", "weight", "since_ms", (json_int_t)INT64_MAX),
	    "since");
	assert_int_equal(rollout_fold(r, &late, &e), -1);
	rollout_free(r);
	for (size_t i = 0; i < sizeof(ladders) / sizeof(ladders[0]); i++) {
		json =
		    json_pack("{s:o, s:i}", "stages", json_loads(ladders[i], 0, NULL), "full", 0);
		assert_int_equal(ladder_parse(json, &ladder, &e), -1);
		json_decref(json);
	}
	json = json_pack("{s:[{}], s:i}", "stages", "full", 1);
	assert_int_equal(ladder_parse(json, &ladder, &e), -1);
	json_decref(json);
}

static void
a_journal_begins_with_created(void **state)
{
	(void)state;
	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		struct rollout *r = rollout_new("r-test");
		struct err e;
		if (kind != EVENT_CREATED)
			assert_int_equal(try(r, (enum event_kind)kind, json_object(), &e), -1);
		rollout_free(r);
	}
}

static void
nothing_follows_an_end(void **state) /* I7 */
{
	(void)state;
	static const enum phase ends[] = {PHASE_SUCCEEDED, PHASE_ABORTED};
	for (int i = 0; i < 2; i++) {
		struct rollout *r = make(1);
		if (ends[i] == PHASE_ABORTED)
			fold(r, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
		fold(r, EVENT_PHASE, json_pack("{s:s}", "to", phase_name(ends[i])));
		assert_true(r->ended_ms > 0);
		for (int to = 0; to <= PHASE_FAILED; to++)
			refuse(r, EVENT_PHASE, json_pack("{s:s}", "to", phase_name((enum phase)to)),
			    "cannot go");
		rollout_free(r);
	}
}

static void
act(struct rollout *r, int attempt, enum act_kind kind, int number)
{
	fold(r, EVENT_ACT,
	    json_pack("{s:i, s:s, s:i, s:s}", "attempt", attempt, "act", act_name(kind), "number",
		number, "text", kind == ACT_SET_IMAGE ? "web:2" : ""));
}

static void
acted(struct rollout *r, int attempt, enum act_outcome outcome, int retry_ms)
{
	fold(r, EVENT_ACTED,
	    json_pack("{s:i, s:s, s:s, s:i}", "attempt", attempt, "outcome",
		act_outcome_name(outcome), "text", "said", "retry_ms", retry_ms));
}

static void
an_outcome_is_only_of_its_own_attempt(void **state) /* F58 */
{
	(void)state;
	struct rollout *r = make(1);
	act(r, 1, ACT_WEIGHT, 10);
	act(r, 2, ACT_WEIGHT, 0);
	acted(r, 1, ACT_DONE, -1);
	assert_true(r->attempt.pending);
	assert_int_equal(r->weight, 0);
	assert_int_equal(r->seen, 0);
	acted(r, 2, ACT_UNKNOWN, -1);
	assert_false(r->attempt.pending);
	acted(r, 2, ACT_DONE, -1); /* read back */
	assert_int_equal(r->attempt.failures, 0);
	rollout_free(r);
}

static void
others_are(const struct rollout *r, int below, int above)
{
	int is_below, is_above;
	rollout_other_weights(r, &is_below, &is_above);
	assert_int_equal(is_below, below);
	assert_int_equal(is_above, above);
}

static void
weight_taken(struct rollout *r)
{
	fold(r, EVENT_TAKEN,
	    json_pack("{s:s, s:I}", "subject", "weight", "of_ms", (json_int_t)r->seen_ms));
}

/* Until a weight is known to be taken, each one that was written or seen before it may be there. */
static void
what_the_data_plane_may_have_instead(void **state)
{
	(void)state;
	struct rollout *r = make(1);
	others_are(r, -1, -1);
	act(r, 1, ACT_WEIGHT, 10);
	acted(r, 1, ACT_DONE, -1);
	others_are(r, 0, -1);
	act(r, 2, ACT_WEIGHT, 50); /* overtaken: nobody knows what came of it */
	act(r, 3, ACT_WEIGHT, 0);
	acted(r, 3, ACT_DONE, -1);
	others_are(r, -1, 10);
	weight_taken(r);
	others_are(r, -1, -1);
	fold(r, EVENT_SEEN, json_pack("{s:i}", "weight", 70)); /* by others */
	others_are(r, 0, -1);
	act(r, 4, ACT_WEIGHT, 25); /* repaired */
	acted(r, 4, ACT_DONE, -1);
	others_are(r, 0, 70);
	act(r, 5, ACT_WEIGHT, 100);
	acted(r, 5, ACT_DONE, -1);
	others_are(r, 70, -1);
	weight_taken(r);
	act(r, 6, ACT_WEIGHT, 0);
	acted(r, 6, ACT_DONE, -1);
	others_are(r, -1, 100);
	rollout_free(r);
}

static void
failures_back_off_and_effects_forgive(void **state) /* F56, F65, I12 */
{
	(void)state;
	struct rollout *r = make(1);
	int64_t waited = 0;
	for (int i = 1; i <= 20; i++) {
		act(r, i, ACT_SCALE_CANARY, 2);
		acted(r, i, ACT_UNREACHED, -1);
		int64_t wait = r->attempt.retry_ms - clock_ms;
		assert_true(wait >= waited && wait <= 30000);
		waited = wait;
	}
	assert_int_equal(waited, 30000);
	assert_int_equal(r->attempt.failures, 20);
	act(r, 21, ACT_SCALE_CANARY, 3); /* another act is not punished for it */
	acted(r, 21, ACT_CONFLICT, -1);
	assert_int_equal(r->attempt.failures, 1);
	assert_int_equal(r->attempt.retry_ms, 0); /* the first conflict is answered at once */
	act(r, 22, ACT_SCALE_CANARY, 3);
	acted(r, 22, ACT_CONFLICT, -1);
	assert_true(r->attempt.retry_ms > clock_ms);
	act(r, 23, ACT_SCALE_CANARY, 3);
	acted(r, 23, ACT_UNREACHED, 9000);
	assert_int_equal(r->attempt.retry_ms, clock_ms + 9000);
	act(r, 24, ACT_SCALE_CANARY, 3);
	acted(r, 24, ACT_ALREADY, -1);
	assert_int_equal(r->attempt.failures, 0);
	assert_int_equal(r->canary, 3);
	rollout_free(r);
}

/* Nor is a refusal; what was not taken is what is still to be done. */
static void
silence_is_no_effect(void **state) /* F42 */
{
	static const enum act_outcome none[] = {
	    ACT_UNKNOWN, ACT_UNREACHED, ACT_REFUSED, ACT_CONFLICT};
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct rollout *r = make(1);
		act(r, 1, ACT_SCALE_CANARY, 3);
		acted(r, 1, none[i], -1);
		assert_int_equal(r->canary, 0);
		assert_int_equal(r->attempt.failures, 1);
		act(r, 2, ACT_SCALE_CANARY, 3);
		acted(r, 2, ACT_DONE, -1);
		assert_int_equal(r->canary, 3);
		rollout_free(r);
	}
}

/* What it did to the routing has to be taken, too; the act under way goes on. */
static void
an_overtaken_write_may_have_changed_the_routing(void **state) /* F42 */
{
	static const enum act_outcome outcomes[] = {ACT_DONE, ACT_UNKNOWN, ACT_REFUSED};
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct rollout *r = make(1);
		act(r, 1, ACT_NAME_STABLE, 0);
		fold(r, EVENT_PHASE, json_pack("{s:s}", "to", "aborting"));
		act(r, 2, ACT_WEIGHT, 0);
		clock_ms += 7000;
		acted(r, 1, outcomes[i], -1);
		assert_int_equal(r->routing_ms, clock_ms);
		assert_true(r->attempt.pending);
		assert_int_equal(r->attempt.number, 2);
		rollout_free(r);
	}
}

static void
measure(struct rollout *r, const char *verdict)
{
	fold(r, EVENT_MEASURED, json_pack("{s:s, s:s}", "gate", "g", "verdict", verdict));
}

static void
a_weight_change_takes_the_passes_and_keeps_the_failures(void **state) /* F12, F58 */
{
	(void)state;
	struct rollout *r = make(1);
	measure(r, "fail");
	measure(r, "pass");
	measure(r, "pass");
	fold(r, EVENT_SEEN, json_pack("{s:i}", "weight", 10));
	assert_int_equal(r->gates[0].passes, 0);
	assert_int_equal(r->gates[0].failures, 1);
	assert_false(rollout_taken(r, MESH_WEIGHT));
	fold(r, EVENT_TAKEN, /* news of an older change is no news */
	    json_pack("{s:s, s:i}", "subject", "weight", "of_ms", 5));
	assert_false(rollout_taken(r, MESH_WEIGHT));
	fold(r, EVENT_TAKEN,
	    json_pack("{s:s, s:I}", "subject", "weight", "of_ms", (json_int_t)r->seen_ms));
	assert_true(rollout_taken(r, MESH_WEIGHT));
	assert_int_equal(r->taken, 10);
	measure(r, "fail");
	fold(r, EVENT_STAGE, json_pack("{s:i}", "index", 2));
	assert_int_equal(r->records[1].gates[0].failures, 2); /* it stays with the stage */
	assert_int_equal(r->gates[0].count, 0);
	rollout_free(r);
}

static void
a_side_that_comes_and_goes_does_not_put_the_deadline_off(void **state) /* F39 */
{
	(void)state;
	struct rollout *r = make(1);
	for (int i = 0; i < 20; i++) {
		clock_ms += 1000;
		fold(r, EVENT_READY, json_pack("{s:s, s:i}", "side", "canary", "count", i % 2));
	}
	assert_true(r->progress_ms < clock_ms - 17000); /* one was ready once: that was it */
	for (int i = 0; i < 10; i++) {
		clock_ms += 1000;
		fold(r, EVENT_SETTLED, json_object());
		fold(r, EVENT_UNSETTLED, json_object());
	}
	assert_true(r->progress_ms < clock_ms - 5000);
	assert_int_equal(r->relapses, 10);
	rollout_free(r);
}

static void
an_absence_is_noticed_and_silence_is_none(void **state) /* F54 */
{
	(void)state;
	struct rollout *r = make(1);
	assert_int_equal(r->back_ms, 0);
	clock_ms += 50000;
	fold(r, EVENT_SETTLED, json_object());
	assert_int_equal(r->back_ms, 0);
	clock_ms += 70000;
	fold(r, EVENT_UNSETTLED, json_object());
	assert_int_equal(r->back_ms, clock_ms);
	clock_ms -= 500000; /* the times of events may go back: the newest counts */
	int64_t last = r->last_ms;
	fold(r, EVENT_SETTLED, json_object());
	assert_int_equal(r->last_ms, last);
	rollout_free(r);
}

/* An equal app is shared and outlives either holder; another one is not taken. */
static void
an_equal_app_is_shared(void **state)
{
	(void)state;
	struct rollout *r = make(1);
	struct errlist errors;
	errlist_init(&errors);
	struct app *same = app_parse(r->app->spec, &errors);
	json_t *spec = json_deep_copy(r->app->spec);
	json_object_set_new(json_object_get(spec, "workload"), "name", json_string("api"));
	struct app *other = app_parse(spec, &errors);
	const struct app *own = r->app;
	rollout_share_app(r, NULL);
	rollout_share_app(r, other);
	assert_ptr_equal(r->app, own);
	rollout_share_app(r, same);
	assert_ptr_equal(r->app, same);
	rollout_share_app(r, same); /* once is enough */
	app_free(same);
	assert_string_equal(r->app->workload, "web");
	app_free(other);
	rollout_free(r);
	json_decref(spec);
	errlist_done(&errors);
}

/* What needs the ladder cannot come before it; a ladder comes once. */
static void
a_ladder_comes_once_and_first(void **state)
{
	(void)state;
	struct rollout *r = make(1);
	struct ladder ladder;
	r->app->strategy->compile(r->app, &r->baseline, &ladder);
	json_t *again = json_pack(
	    "{s:o, s:o}", "baseline", baseline_json(&r->baseline), "ladder", ladder_json(&ladder));
	refuse(r, EVENT_COMPILED, again, "already");
	rollout_free(r);
	r = rollout_new("r-test");
	fold(r, EVENT_CREATED, created());
	refuse(r, EVENT_SETTLED, NULL, "no ladder");
	refuse(r, EVENT_STAGE, json_pack("{s:i}", "index", 1), "cannot enter");
	rollout_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_equal_app_is_shared),
	    cmocka_unit_test(a_ladder_comes_once_and_first),
	    cmocka_unit_test(what_cannot_follow_changes_nothing),
	    cmocka_unit_test(numbers_out_of_their_range_are_refused),
	    cmocka_unit_test(a_journal_begins_with_created),
	    cmocka_unit_test(nothing_follows_an_end),
	    cmocka_unit_test(an_outcome_is_only_of_its_own_attempt),
	    cmocka_unit_test(what_the_data_plane_may_have_instead),
	    cmocka_unit_test(failures_back_off_and_effects_forgive),
	    cmocka_unit_test(silence_is_no_effect),
	    cmocka_unit_test(an_overtaken_write_may_have_changed_the_routing),
	    cmocka_unit_test(a_weight_change_takes_the_passes_and_keeps_the_failures),
	    cmocka_unit_test(a_side_that_comes_and_goes_does_not_put_the_deadline_off),
	    cmocka_unit_test(an_absence_is_noticed_and_silence_is_none),
	};
	return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
