/* Sentences: where it is, what it waits for and until when, what the gates measured. */
#include <stdlib.h>
#include "base/jsonx.h"
#include "show/events.h"
#include "show/rollout.h"
#include "show/when.h"

enum { LAST_EVENTS = 10 };

struct story {
	const struct paint *paint;
	const json_t *rollout;
	int64_t now_ms;
	struct str *to;
};

static void
sentence(const struct story *story, int indent, const struct str *text)
{
	str_addf(story->to, "%*s", indent, "");
	paint_wrap(story->paint, story->to, indent, indent, str_text(text));
}

static void
tell_where(const struct story *story)
{
	const json_t *r = story->rollout;
	const char *phase = jsonx_text_or(r, "phase", "?"),
		   *reason = jsonx_text_or(r, "reason", "");
	bool ended = jsonx_text(r, "ended") != NULL;
	char name[160], span[WHEN_SIZE];
	int64_t started, until = story->now_ms;
	struct str text;

	rollout_name(r, name, sizeof(name));
	str_init(&text, 0);
	str_addf(&text, "%s (%s) %s %s", name, jsonx_text_or(r, "id", "?"),
	    ended ? "has ended:" : "is", phase);
	when_at(r, "ended", &until);
	if (when_at(r, "started", &started)) {
		when_span(until - started, span);
		str_addf(&text, ended ? " after %s" : ", for %s now", span);
	}
	if (*reason != '\0')
		str_addf(&text, ", because: %s", reason);
	str_add(&text, str_ends(str_text(&text), ".") ? "" : ".");
	if (!ended && jsonx_text(r, "stage.name") != NULL)
		str_addf(&text, " It is in stage %lld of %zu, \"%s\".",
		    (long long)jsonx_int(r, "stage.index", 0),
		    json_array_size(jsonx_at(r, "ladder")) - 1, jsonx_text(r, "stage.name"));
	sentence(story, 0, &text);
	str_done(&text);
}

static void
tell_blocked(const struct story *story)
{
	const json_t *blocked = jsonx_at(story->rollout, "blocked_on");
	const char *object = jsonx_text_or(blocked, "object", "");
	const char *next = jsonx_text_or(blocked, "next", "");
	char clock[WHEN_SIZE], span[WHEN_SIZE];
	struct str text;
	int64_t at;

	if (!json_is_object(blocked))
		return;
	str_init(&text, 0);
	str_addf(&text, "It waits for %s%s%s", object, *object == '\0' ? "" : ": ",
	    jsonx_text_or(blocked, "what", "?"));
	str_add(&text, str_ends(str_text(&text), ".") ? "" : ".");
	if (when_at(blocked, "since", &at)) {
		when_clock(at, story->now_ms, clock);
		when_span(story->now_ms - at, span);
		str_addf(&text, " So it has been since %s UTC, for %s.", clock, span);
	}
	if (when_at(blocked, "until", &at)) {
		when_clock(at, story->now_ms, clock);
		when_span(at - story->now_ms, span);
		str_addf(&text, " It waits until %s UTC, %s more.", clock, span);
	}
	if (*next != '\0')
		str_addf(&text, " Next: %s.", next);
	sentence(story, 0, &text);
	str_done(&text);
}

static void
tell_stage(const struct story *story)
{
	const json_t *r = story->rollout;
	const json_t *step =
	    json_array_get(jsonx_at(r, "ladder"), (size_t)jsonx_int(r, "stage.index", 0));
	struct str text;

	str_init(&text, 0);
	stage_wait(r, step, story->now_ms, &text);
	if (text.length > 0) {
		char *wait = str_take(&text);

		str_addf(&text, "The stage: %s.", wait);
		sentence(story, 0, &text);
		free(wait);
	}
	str_done(&text);
}

static void
tell_stale(const struct story *story, struct str *text)
{
	const char *stale = jsonx_text_or(story->rollout, "stale", "");

	if (*stale == '\0')
		return;
	str_clear(text);
	str_addf(text, "What is known may be old: %s.", stale);
	sentence(story, 0, text);
}

static void
tell_weight(const struct story *story)
{
	const json_t *weight = jsonx_at(story->rollout, "weight");
	struct str text;

	if (!json_is_object(weight))
		return;
	str_init(&text, 0);
	str_addf(&text,
	    "The canary takes %lld%% of the traffic (%s); %lld%% is written, %lld%% wanted. Ready: "
	    "stable %lld of %lld, canary %lld of %lld.",
	    (long long)jsonx_int(weight, "taken", 0), jsonx_text_or(weight, "known", "unknown how"),
	    (long long)jsonx_int(weight, "written", 0), (long long)jsonx_int(weight, "target", 0),
	    (long long)jsonx_int(story->rollout, "stable.ready", 0),
	    (long long)jsonx_int(story->rollout, "stable.size", 0),
	    (long long)jsonx_int(story->rollout, "canary.ready", 0),
	    (long long)jsonx_int(story->rollout, "canary.size", 0));
	sentence(story, 0, &text);
	if (*jsonx_text_or(weight, "missing", "") != '\0') {
		str_clear(&text);
		str_addf(&text, "That weight is only assumed; what did not confirm it: %s.",
		    jsonx_text(weight, "missing"));
		sentence(story, 0, &text);
	}
	tell_stale(story, &text);
	str_done(&text);
}

static void
tell_batch(const struct story *story)
{
	const json_t *batch = jsonx_at(story->rollout, "batch");
	long long allowed = jsonx_int(batch, "allowed", 0);
	struct str text;

	if (!json_is_object(batch))
		return;
	str_init(&text, 0);
	str_addf(&text, "%lld of %lld pods run the release and are ready",
	    (long long)jsonx_int(batch, "ready", 0), (long long)jsonx_int(batch, "size", 0));
	if (allowed > 0)
		str_addf(&text, "; the Deployment is held at %lld", allowed);
	str_add(&text, ".");
	sentence(story, 0, &text);
	tell_stale(story, &text);
	str_done(&text);
}

static void
tell_gate(const struct story *story, const json_t *gate)
{
	const char *why = jsonx_text_or(gate, "text", "");
	char value[32], span[WHEN_SIZE];
	struct str text;
	int64_t at;

	value_text(story->paint, jsonx_at(gate, "value"), value, sizeof(value));
	str_init(&text, 0);
	str_addf(&text, "%s: %s; measured %s, must be %s", jsonx_text_or(gate, "name", "?"),
	    verdict_text(jsonx_text_or(gate, "verdict", "?")), value,
	    jsonx_text_or(gate, "condition", "?"));
	if (when_at(gate, "at", &at)) {
		when_span(story->now_ms - at, span);
		str_addf(&text, ", %s ago", span);
	}
	str_addf(&text, "; passes %lld, failures %lld of %lld",
	    (long long)jsonx_int(gate, "passes", 0), (long long)jsonx_int(gate, "failures", 0),
	    (long long)jsonx_int(gate, "allowed", 0));
	if (*why != '\0')
		str_addf(&text, ": %s", why);
	sentence(story, 2, &text);
	str_done(&text);
}

void
show_explain(const struct paint *paint, const json_t *rollout, const json_t *events, int64_t now_ms,
    struct str *to)
{
	struct story story = {paint, rollout, now_ms, to};
	const json_t *gates = jsonx_at(rollout, "gates"), *gate;
	size_t i, count = json_array_size(events);

	tell_where(&story);
	tell_blocked(&story);
	if (jsonx_text(rollout, "ended") == NULL)
		tell_stage(&story);
	tell_weight(&story);
	tell_batch(&story);
	if (json_array_size(gates) > 0)
		paint_add(paint, to, BOLD, "Gates"), str_add(to, "\n");
	json_array_foreach(gates, i, gate) tell_gate(&story, gate);
	if (count > 0)
		paint_add(paint, to, BOLD, "Last events"), str_add(to, "\n");
	show_events(paint, events, count > LAST_EVENTS ? count - LAST_EVENTS : 0, now_ms, 2, to);
}
