/* Decide with an app that rolls: foreign edits, what gates have said, and deadlines. */
#include "model/gate.h"
#include "model/pace.h"
#include "model/rehearse.h"
#include "rolling_bench.h"

static void
start(struct bench *b, const char *text)
{
	*b = (struct bench){.r = rollout_new("r-test")};
	see_old(&b->seen, 4);
	b->at = (struct situation){
	    .rollout = b->r, .seen = &b->seen, .now_ms = 1000000, .settle_ms = 1000};
	fold(b, EVENT_CREATED,
	    json_pack("{s:o, s:o}", "app", spec_of(text), "release", release_json(&release)));
}

static void
answered(struct bench *b, const char *outcome)
{
	fold(b, EVENT_ACTED,
	    json_pack(
		"{s:I, s:s}", "attempt", (json_int_t)b->r->attempt.number, "outcome", outcome));
}

static void
acted(struct bench *b)
{
	rehearse_act(&b->seen, b->r, &b->out.act);
	answered(b, "done");
}

static void
pass(struct bench *b, int64_t ms)
{
	b->at.now_ms += ms;
	b->seen.verified_ms = b->at.now_ms;
	move(b);
}

/* With news all the while: a silence would mean that airisd was away, and then no deadline runs. */
static void
live(struct bench *b, int64_t ms)
{
	for (int64_t end_ms = b->at.now_ms + ms; b->at.now_ms < end_ms;) {
		fold(b, EVENT_MEASURED,
		    json_pack("{s:s, s:s}", "gate", "errors", "verdict", "pass"));
		pass(b, 5000);
	}
}

/* In its first batch of one pod, settled and held for long. */
#define HELD(more) APP("", "batches: [1, 100%], surge: 1, steady: 2s, deadline: 1m, hold: 1h") more

static void
be_held(struct bench *b, const char *text)
{
	start(b, text);
	move(b);
	assert_int_equal(b->out.act.kind, ACT_ROLL);
	assert_int_equal(b->out.act.number, 1);
	acted(b);
	move(b);
	assert_non_null(strstr(b->out.waiting.what, "held: 1 pods run the release"));
}

static void
foreign_edits_are_held(void **state)
{
	struct bench b;
	(void)state;
	be_held(&b, HELD(""));
	str_copy(b.seen.stable.image, APP_IMAGE, "web:9");
	pass(&b, 1000);
	assert_non_null(strstr(b.out.waiting.what, "image is web:9, airisd left web:2"));
	str_copy(b.seen.stable.image, APP_IMAGE, "web:2");
	b.seen.stable.pace = (struct pace){"25%", "25%", 0, 600, false, 0, false, false};
	pass(&b, 1000);
	assert_non_null(strstr(b.out.waiting.what, "pace is maxSurge 25%, maxUnavailable 25%"));
	assert_int_equal(b.out.act.kind, ACT_NONE);
	fold(&b, EVENT_COMMAND, json_pack("{s:s}", "name", "retry"));
	pass(&b, 1000);
	assert_int_equal(b.out.act.kind, ACT_ROLL);
	assert_int_equal(b.out.act.number, 1);
	/* Somebody's status was written in between: it is sent again, nobody has to ask again. */
	answered(&b, "conflict");
	pass(&b, 1000);
	assert_int_equal(b.out.act.kind, ACT_ROLL);
	assert_int_equal(b.out.act.number, 1);
	/* Done once, it is asked for no more. */
	acted(&b);
	b.seen.stable.pace = (struct pace){"25%", "25%", 0, 600, false, 0, false, false};
	pass(&b, 1000);
	assert_int_equal(b.out.act.kind, ACT_NONE);
	assert_non_null(strstr(b.out.waiting.what, "pace is maxSurge 25%, maxUnavailable 25%"));
	end(&b);
}

static char *
with_policy(const char *policy)
{
	const char *text = HELD("");
	return str_format("%.*s, onEdit: %s}", (int)strlen(text) - 1, text, policy);
}

static void
foreign_edits_are_repaired_or_abort(void **state)
{
	struct bench b;
	char *repair = with_policy("repair"), *abort = with_policy("abort");
	(void)state;
	be_held(&b, repair);
	b.seen.stable.pace = b.r->baseline.pace;
	pass(&b, 1000);
	assert_int_equal(b.out.act.kind, ACT_ROLL);
	assert_string_equal(b.out.act.text, "web:2");
	end(&b);
	be_held(&b, abort);
	b.seen.stable.pace = pace_hold(2, 1);
	pass(&b, 1000);
	assert_int_equal(b.r->phase, PHASE_ABORTING);
	assert_non_null(strstr(b.r->reason, "pace is"));
	assert_int_equal(b.out.act.kind, ACT_SET_IMAGE);
	assert_string_equal(b.out.act.text, "web:1");
	end(&b);
	free(repair);
	free(abort);
}

static void
ready(struct bench *b, int count)
{
	fold(b, EVENT_READY, json_pack("{s:s, s:i}", "side", "canary", "count", count));
}

/* More pods of the release are what a higher weight is to a canary. */
static void
passes_are_of_these_pods(void **state)
{
	struct bench b;
	(void)state;
	be_held(&b, HELD(""));
	fold(&b, EVENT_MEASURED, json_pack("{s:s, s:s}", "gate", "errors", "verdict", "pass"));
	assert_int_equal(b.r->gates[0].passes, 1);
	int64_t before = gate_change_ms(b.r);
	b.at.now_ms += 1000;
	ready(&b, 0);
	assert_int_equal(b.r->gates[0].passes, 1);
	b.at.now_ms += 1000;
	ready(&b, 1);
	assert_int_equal(b.r->gates[0].passes, 0);
	assert_int_equal(gate_change_ms(b.r), b.at.now_ms);
	assert_true(gate_change_ms(b.r) > before);
	end(&b);
}

/* F40: nobody's release fails because a node was drained, or the HPA wanted more. */
static void
F40_a_settled_batch_has_its_whole_deadline_again(void **state)
{
	struct bench b;
	(void)state;
	be_held(&b, HELD(""));
	live(&b, 600000);
	b.seen.stable.ready = 4; /* the new pod's node is drained */
	b.seen.stable.ready_new = 0;
	live(&b, 1000);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	live(&b, 50000);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	b.seen.stable.ready = 5;
	b.seen.stable.ready_new = 1;
	live(&b, 1000);
	live(&b, 600000);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	b.seen.stable.replicas = 6; /* its old pods are on their way */
	live(&b, 1000);
	live(&b, 600000);
	assert_int_equal(b.r->phase, PHASE_PROGRESSING);
	end(&b);
}

static void
pods_that_never_come_abort_at_the_deadline(void **state)
{
	struct bench b;
	(void)state;
	be_held(&b, HELD(""));
	b.seen.stable.ready = 4;
	b.seen.stable.ready_new = 0;
	live(&b, 1000);
	live(&b, 61000);
	assert_int_equal(b.r->phase, PHASE_ABORTING);
	assert_non_null(strstr(b.r->reason, "no progress"));
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(foreign_edits_are_held),
	    cmocka_unit_test(foreign_edits_are_repaired_or_abort),
	    cmocka_unit_test(passes_are_of_these_pods),
	    cmocka_unit_test(F40_a_settled_batch_has_its_whole_deadline_again),
	    cmocka_unit_test(pods_that_never_come_abort_at_the_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
