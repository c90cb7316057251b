/* Trace context and spans, the pure parts: what a traceparent is, which ids there are, and which
 * spans a list of events makes. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include "base/hex.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "base/trace.h"
#include "base/yaml.h"
#include "engine/engine_room.h"
#include "engine/passing.h"
#include "hooks/say.h"
#include "model/strategy.h"
#include "traces/otlp.h"
#include "traces/spans.h"

#define GIVEN "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define OWN "061370d435614a752bc4c18ef177e83d" /* printf r-test | sha256sum */
#define STAGE_2 "30b08c26c4da8c46"	       /* printf 'r-test stage 2' | sha256sum */
#define ID "4bf92f3577b34da6a3ce929d0e0e4736"

/* --- traceparent -------------------------------------------------------------------------------
 */

static void
a_traceparent_is_this_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		bool good, sampled;
	} cases[] = {{GIVEN, true, true}, {"00-" ID "-00f067aa0ba902b7-00", true, false},
	    {"00-" ID "-00f067aa0ba902b7-03", true, true},
	    {"00-" ID "-00f067aa0ba902b7-fe", true, false},
	    {"cc-" ID "-00f067aa0ba902b7-01", true, true},
	    {"cc-" ID "-00f067aa0ba902b7-01-more of it", true, true},
	    {"cc-" ID "-00f067aa0ba902b7-01.more", false, false},
	    {"00-" ID "-00f067aa0ba902b7-01-more", false, false},
	    {"ff-" ID "-00f067aa0ba902b7-01", false, false},
	    {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", false, false},
	    {"00-" ID "-0000000000000000-01", false, false},
	    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false, false},
	    {"00-" ID "-00f067aa0ba902b7-1", false, false},
	    {"00-" ID "-00f067aa0ba902b7", false, false},
	    {"00-" ID "-00f067aa0ba902b7-0x", false, false},
	    {"0-0" ID "-00f067aa0ba902b7-01", false, false},
	    {"00_" ID "-00f067aa0ba902b7-01", false, false},
	    {"00-" ID "_00f067aa0ba902b7-01", false, false},
	    {"00-" ID "-00f067aa0ba902b7_01", false, false}, {" " GIVEN, false, false},
	    {"", false, false}, {NULL, false, false}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trace trace = {.parent = {9}};
		char back[TRACE_PARENT];
		if (trace_read(cases[i].text, &trace) != cases[i].good)
			fail_msg("%s", cases[i].text ? cases[i].text : "NULL");
		if (!cases[i].good) {
			assert_int_equal(trace.parent[0], 9);
			continue;
		}
		assert_int_equal(trace.sampled, cases[i].sampled);
		assert_true(trace_given(&trace));
		trace_write(&trace, trace.parent, back);
		assert_memory_equal(back + 3, GIVEN + 3, 50);
		assert_string_equal(back + 53, cases[i].sampled ? "01" : "00");
	}
}

static void
ids_are_made_of_the_rollouts(void **state)
{
	struct trace trace, again, other;
	unsigned char span[TRACE_SPAN], same[TRACE_SPAN];
	char id[TRACE_ID_HEX], text[TRACE_SPAN_HEX];
	(void)state;
	trace_of("r-test", &trace);
	trace_of("r-test", &again);
	trace_of("r-tesu", &other);
	hex_write(trace.id, TRACE_ID, id);
	assert_string_equal(id, OWN);
	assert_memory_equal(&trace, &again, sizeof(trace));
	assert_memory_not_equal(trace.id, other.id, TRACE_ID);
	assert_true(trace.sampled && !trace_given(&trace));
	trace_span("r-test", "stage", 2, span);
	hex_write(span, TRACE_SPAN, text);
	assert_string_equal(text, STAGE_2);
	trace_span("r-test", "stage", 12, same);
	assert_memory_not_equal(span, same, TRACE_SPAN);
	trace_span("r-test", "act", 2, same);
	assert_memory_not_equal(span, same, TRACE_SPAN);
}

/* --- spans -------------------------------------------------------------------------------------
 */

#define SPANS 400

static struct {
	struct rollout *r;
	struct spans *spans;
	json_t *got[SPANS];
	int count;
	int64_t now_ms;
} world;

static void
keep(void *ctx, json_t *span)
{
	(void)ctx;
	assert_true(world.count < SPANS);
	world.got[world.count++] = span;
}

/* What the journal has, a second later. */
static void
happens(enum event_kind kind, json_t *data)
{
	struct event event = {
	    .kind = kind, .at_ms = world.now_ms += 1000, .actor = "ann", .data = data};
	spans_event(world.spans, world.r, &event, keep, NULL);
	json_decref(data);
}

static void
fold(enum event_kind kind, json_t *data)
{
	struct event event = {
	    .kind = kind, .at_ms = world.now_ms += 1000, .actor = "ann", .data = data};
	struct err e;
	if (rollout_fold(world.r, &event, &e) < 0)
		fail_msg("%s", e.text);
	spans_event(world.spans, world.r, &event, keep, NULL);
	json_decref(data);
}

static void
begin(const char *traceparent)
{
	const char *text = "{kind: App, name: web, namespace: shop, workload: {name: web},\n"
			   " traffic: {istio: {virtualService: web}},\n"
			   " strategy: {canary: {weights: [10, 100], drain: 1s}},\n"
			   " gates: [{name: g, prometheus: {query: up, pass: '> 0'}, every: 10s, "
			   "window: 30s}]}";
	struct release release = {.app = "web", .number = 7, .image = "web:2", .who = "ann"};
	struct baseline baseline = {.replicas = 4, .hpa_min = -1, .image = "web:1", .uid = "u"};
	struct ladder ladder;
	json_t *spec, *data;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	memset(&world, 0, sizeof(world));
	world.r = rollout_new("r-test");
	world.spans = spans_new();
	world.now_ms = INT64_C(1764457200123);
	data = json_pack("{s:o, s:o}", "app", spec, "release", release_json(&release));
	if (traceparent != NULL)
		json_object_set_new(data, "traceparent", json_string(traceparent));
	fold(EVENT_CREATED, data);
	fold(EVENT_PHASE, json_pack("{s:s}", "to", "progressing"));
	world.r->app->strategy->compile(world.r->app, &baseline, &ladder);
	fold(EVENT_COMPILED, json_pack("{s:o, s:o}", "baseline", baseline_json(&baseline), "ladder",
				 ladder_json(&ladder)));
}

static void
finish(void)
{
	for (int i = 0; i < world.count; i++)
		json_decref(world.got[i]);
	spans_free(world.spans);
	rollout_free(world.r);
}

static void
stage(int index)
{
	happens(EVENT_STAGE, json_pack("{s:i}", "index", index));
}

static void
phase(const char *to, const char *reason)
{
	happens(EVENT_PHASE, json_pack("{s:s, s:s}", "to", to, "reason", reason));
}

static void
act(int attempt, const char *name, int number)
{
	happens(EVENT_ACT, json_pack("{s:i, s:s, s:i, s:s}", "attempt", attempt, "act", name,
			       "number", number, "text", ""));
}

static void
acted(int attempt, const char *outcome, const char *text)
{
	happens(EVENT_ACTED,
	    json_pack("{s:i, s:s, s:s}", "attempt", attempt, "outcome", outcome, "text", text));
}

static void
measured(const char *verdict)
{
	happens(EVENT_MEASURED,
	    json_pack("{s:s, s:s, s:s}", "gate", "g", "verdict", verdict, "text", "1 of 3"));
}

static const char *
text_of(const json_t *span, const char *path)
{
	return jsonx_text_or(span, path, "");
}

/* By its key; NULL: it has none of that. */
static const char *
attribute(const json_t *of, const char *key)
{
	const json_t *list = jsonx_at(of, "attributes");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *text = jsonx_text(one, "value.stringValue");
		if (strcmp(text_of(one, "key"), key) == 0)
			return text != NULL ? text : jsonx_text(one, "value.intValue");
	}
	return NULL;
}

static json_t *
span_called(const char *name)
{
	for (int i = 0; i < world.count; i++)
		if (strcmp(text_of(world.got[i], "name"), name) == 0)
			return world.got[i];
	fail_msg("no span %s", name);
	return NULL;
}

static void
assert_inside(const json_t *span, const json_t *parent)
{
	assert_string_equal(text_of(span, "parentSpanId"), text_of(parent, "spanId"));
	assert_string_equal(text_of(span, "traceId"), text_of(parent, "traceId"));
	assert_true(
	    strcmp(text_of(span, "startTimeUnixNano"), text_of(parent, "startTimeUnixNano")) >= 0);
	assert_true(
	    strcmp(text_of(span, "endTimeUnixNano"), text_of(parent, "endTimeUnixNano")) <= 0);
}

static void
a_rollout_is_a_tree(void **state)
{
	(void)state;
	begin(NULL);
	stage(1);
	act(1, "create_canary", 1);
	acted(1, "done", "");
	act(2, "weight", 10);
	assert_int_equal(world.count, 1); /* preflight; effects go with their stage */
	acted(2, "refused", "the webhook says no");
	act(3, "weight", 10);
	acted(3, "done", "");
	measured("pending");
	measured("pass");
	measured("pass");
	happens(EVENT_COMMAND, json_pack("{s:s, s:s}", "name", "promote", "reason", "now"));
	stage(2);
	assert_int_equal(world.count, 5);
	measured("pass"); /* said again: it is another stage */
	phase("succeeded", "");
	assert_int_equal(world.count, 7);
	json_t *root = span_called("rollout web"), *ten = span_called("canary 10%");
	assert_null(jsonx_at(root, "parentSpanId"));
	assert_null(jsonx_at(root, "status"));
	assert_string_equal(text_of(root, "traceId"), OWN);
	assert_string_equal(text_of(root, "startTimeUnixNano"), "1764457201123000000");
	assert_string_equal(attribute(root, "airis.release"), "7");
	assert_string_equal(attribute(root, "airis.phase"), "succeeded");
	assert_string_equal(attribute(root, "k8s.namespace.name"), "shop");
	assert_null(attribute(root, "airis.commit"));
	assert_int_equal(jsonx_int(root, "kind", 0), 1);
	assert_inside(span_called("preflight"), root);
	assert_inside(ten, root);
	assert_inside(span_called("canary 100%"), root);
	assert_string_equal(attribute(ten, "airis.weight"), "10");
	assert_string_equal(text_of(span_called("preflight"), "endTimeUnixNano"),
	    text_of(ten, "startTimeUnixNano"));
	for (int i = 0; i < 3; i++)
		assert_inside(world.got[2 + i], ten);
	json_t *refused = world.got[3];
	assert_string_equal(text_of(refused, "name"), "weight");
	assert_string_equal(attribute(refused, "airis.effect"),
	    "VirtualService shop/web: canary weight 10, stable 90");
	assert_string_equal(attribute(refused, "airis.outcome"), "refused");
	assert_string_equal(text_of(refused, "status.message"), "the webhook says no");
	assert_int_equal(jsonx_int(refused, "status.code", 0), 2);
	assert_int_equal(jsonx_int(refused, "kind", 0), 3);
	assert_null(jsonx_at(world.got[4], "status"));
	json_t *marks = jsonx_at(ten, "events");
	assert_int_equal(json_array_size(marks), 3);
	assert_string_equal(attribute(json_array_get(marks, 1), "airis.verdict"), "pass");
	assert_string_equal(attribute(json_array_get(marks, 2), "airis.command"), "promote");
	assert_string_equal(attribute(json_array_get(marks, 2), "airis.by"), "ann");
	finish();
}

/* An effect that the abort overtook stays that of its stage. What is superseded on its way home
 * went there for another reason. */
static void
an_abort_is_an_error_if_nobody_wanted_it(void **state)
{
	(void)state;
	begin(GIVEN);
	stage(1);
	act(1, "weight", 10);
	measured("fail");
	phase("aborting", "gate g failed");
	act(2, "weight", 0);
	acted(1, "unknown", "no answer");
	happens(EVENT_SUPERSEDED, json_pack("{s:s}", "by_rollout", "r-next"));
	phase("aborted", "gate g failed");
	json_t *root = span_called("rollout web"), *ten = span_called("canary 10%");
	json_t *home = span_called("abort");
	assert_string_equal(text_of(root, "traceId"), ID);
	assert_string_equal(text_of(root, "parentSpanId"), "00f067aa0ba902b7");
	assert_string_equal(text_of(root, "status.message"), "gate g failed");
	assert_string_equal(text_of(ten, "status.message"), "gate g failed");
	assert_inside(home, root);
	assert_null(jsonx_at(home, "status"));
	assert_string_equal(text_of(ten, "endTimeUnixNano"), text_of(home, "startTimeUnixNano"));
	assert_int_equal(world.count, 6);
	assert_string_equal(text_of(span_called("weight"), "parentSpanId"), text_of(ten, "spanId"));
	/* Sent, and not answered before the end. */
	json_t *last = world.got[world.count - 2];
	assert_string_equal(text_of(last, "parentSpanId"), text_of(home, "spanId"));
	assert_string_equal(attribute(last, "airis.outcome"), "unknown");
	finish();

	begin(NULL);
	stage(1);
	happens(EVENT_COMMAND, json_pack("{s:s}", "name", "abort"));
	phase("aborting", "aborted by command");
	phase("aborted", "aborted by command");
	assert_null(jsonx_at(span_called("rollout web"), "status"));
	assert_null(jsonx_at(span_called("canary 10%"), "status"));
	finish();
}

/* Home is tried again: the whole has ended once, and what follows has ids of its own. */
static void
a_failure_is_told_once(void **state)
{
	char first[TRACE_SPAN_HEX];
	(void)state;
	begin(NULL);
	happens(EVENT_COMMAND, json_pack("{s:s}", "name", "abort"));
	phase("aborting", "aborted by command");
	phase("failed", "home is not reached");
	json_t *root = span_called("rollout web"), *home = span_called("abort");
	assert_string_equal(text_of(root, "status.message"), "home is not reached");
	assert_string_equal(text_of(home, "status.message"), "home is not reached");
	str_copy(first, sizeof(first), text_of(home, "spanId"));
	assert_int_equal(world.count, 3);
	phase("aborting", "again");
	phase("aborted", "again");
	assert_int_equal(world.count, 4);
	assert_string_equal(text_of(world.got[3], "name"), "abort");
	assert_string_not_equal(text_of(world.got[3], "spanId"), first);
	assert_string_equal(text_of(world.got[3], "parentSpanId"), text_of(root, "spanId"));
	finish();
}

static void
nothing_grows_without_end(void **state)
{
	(void)state;
	begin(NULL);
	for (int i = 0; i < 100; i++)
		measured(i % 2 == 0 ? "fail" : "pass");
	for (int i = 1; i <= 300; i++) {
		act(i, "scale_canary", i);
		acted(i, "done", "");
	}
	assert_int_equal(world.count, 256); /* they do not wait for the stage any more */
	for (int i = 301; i <= 310; i++)
		act(i, "scale_canary", i);
	acted(17, "done", ""); /* of long ago */
	stage(1);
	json_t *first = span_called("preflight");
	assert_int_equal(json_array_size(jsonx_at(first, "events")), 64);
	assert_int_equal(jsonx_int(first, "droppedEventsCount", 0), 36);
	assert_int_equal(world.count, 307);
	finish();
}

/* --- passing it on -----------------------------------------------------------------------------
 */

static bool exporting;

static bool
exports(void *ctx)
{
	(void)ctx;
	return exporting;
}

static void
hears(void *ctx, const struct rollout *r, const struct journal_row *row)
{
	(void)ctx, (void)r, (void)row;
}

static void
nobody_hears_of_a_span_that_is_not_there(void **state)
{
	static struct engine engine;
	static struct entry entry;
	char text[TRACE_PARENT];
	(void)state;
	begin(NULL);
	entry.engine = &engine;
	entry.rollout = world.r;
	passing_text(&entry, "rollout", 0, text);
	assert_string_equal(text, "");
	engine.ports.traces.exports = exports;
	engine.ports.traces.event = hears;
	exporting = false;
	passing_text(&entry, "rollout", 0, text);
	assert_string_equal(text, "");
	exporting = true;
	passing_text(&entry, "stage", 2, text);
	assert_string_equal(text, "00-" OWN "-" STAGE_2 "-01");
	assert_true(trace_read(GIVEN, &world.r->trace));
	passing_text(&entry, "stage", 2, text);
	assert_string_equal(text, "00-" ID "-" STAGE_2 "-01");
	exporting = false;
	passing_text(&entry, "stage", 2, text);
	assert_string_equal(text, GIVEN);
	exporting = true;
	world.r->trace.sampled = false;
	passing_text(&entry, "stage", 2, text);
	assert_string_equal(text, "00-" ID "-00f067aa0ba902b7-00");
	finish();
}

static void
a_webhook_is_told_of_the_trace(void **state)
{
	struct say_row row = {.data = "{\"traceparent\": \"" GIVEN "\"}"};
	char text[TRACE_PARENT];
	(void)state;
	say_traceparent(&row, text);
	assert_string_equal(text, GIVEN);
	row.data = "{\"traceparent\": \"00-1-2-3\"}";
	say_traceparent(&row, text);
	assert_string_equal(text, "");
	row.data = "no JSON";
	say_traceparent(&row, text);
	assert_string_equal(text, "");
}

static void
an_answer_may_refuse_some(void **state)
{
	static const struct {
		const char *body;
		int64_t count;
		const char *why;
	} cases[] = {
	    {"", 0, ""},
	    {"{}", 0, ""},
	    {"[1", 0, ""},
	    {"{\"partialSuccess\": {}}", 0, ""},
	    {"{\"partialSuccess\": {\"rejectedSpans\": \"3\", \"errorMessage\": \"old\"}}", 3,
		"old"},
	    {"{\"partialSuccess\": {\"rejectedSpans\": 2}}", 2, ""},
	    {"{\"partialSuccess\": {\"rejectedSpans\": \"-2\"}}", 0, ""},
	    {"{\"partialSuccess\": {\"rejectedSpans\": -2}}", 0, ""},
	    {"{\"partialSuccess\": {\"rejectedSpans\": \"0\", \"errorMessage\": \"mind\"}}", 0,
		"mind"},
	};
	char why[64];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    otlp_rejected(cases[i].body, strlen(cases[i].body), why, sizeof(why)),
		    cases[i].count);
		assert_string_equal(why, cases[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_traceparent_is_this_and_nothing_else),
	    cmocka_unit_test(ids_are_made_of_the_rollouts),
	    cmocka_unit_test(a_rollout_is_a_tree),
	    cmocka_unit_test(an_abort_is_an_error_if_nobody_wanted_it),
	    cmocka_unit_test(a_failure_is_told_once),
	    cmocka_unit_test(nothing_grows_without_end),
	    cmocka_unit_test(nobody_hears_of_a_span_that_is_not_there),
	    cmocka_unit_test(a_webhook_is_told_of_the_trace),
	    cmocka_unit_test(an_answer_may_refuse_some),
	};
	mem_json_hook();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
