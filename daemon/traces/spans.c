/* See spans.h. */
#include "traces/spans.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "model/command.h"
#include "model/strategy.h"
#include "traces/otlp.h"

#define MARKS 64 /* of a span */
#define MARK_TEXT 512
#define ACTS 4	 /* under way: one, and one that an abort overtook */
#define HELD 256 /* effects that wait for the end of their stage */
#define UNSEEN (-1)

enum inside { IN_NOTHING, IN_STAGE, IN_HOME };

struct span_act {
	struct act act;
	int64_t attempt, begin_ms;
	unsigned char parent[TRACE_SPAN];
};

struct spans {
	enum inside inside;
	int number;		 /* of the stage, or of the abort */
	int aborts;		 /* begun */
	int64_t begin_ms;	 /* of what it is inside of */
	bool asked;		 /* it goes home since somebody wants that */
	bool told;		 /* the whole has ended once */
	json_t *marks;		 /* owned */
	int left_out;		 /* of them */
	int verdicts[APP_GATES]; /* the last one in this stage */
	struct span_act acts[ACTS];
	int act_count;
	json_t *effects; /* owned; spans that have ended */
};

struct turn { /* what one event is seen with */
	struct spans *spans;
	const struct rollout *r;
	const struct event *event;
	void (*give)(void *ctx, json_t *span);
	void *ctx;
};

struct spans *
spans_new(void)
{
	struct spans *spans = mem_alloc(sizeof(*spans));
	spans->marks = json_array();
	spans->effects = json_array();
	return spans;
}

void
spans_free(struct spans *spans)
{
	if (spans == NULL)
		return;
	json_decref(spans->marks);
	json_decref(spans->effects);
	free(spans);
}

bool
spans_want(enum event_kind kind, bool *data)
{
	*data = kind != EVENT_COMPILED;
	return kind == EVENT_COMPILED || kind == EVENT_PHASE || kind == EVENT_STAGE ||
	       kind == EVENT_ACT || kind == EVENT_ACTED || kind == EVENT_MEASURED ||
	       kind == EVENT_DRIFT || kind == EVENT_COMMAND || kind == EVENT_SUPERSEDED;
}

static void
root_id(const struct rollout *r, unsigned char id[TRACE_SPAN])
{
	trace_span(r->id, "rollout", 0, id);
}

/* Of what it is inside of. */
static void
inside_id(const struct turn *turn, unsigned char id[TRACE_SPAN])
{
	const struct spans *spans = turn->spans;
	if (spans->inside == IN_NOTHING)
		root_id(turn->r, id);
	else
		trace_span(
		    turn->r->id, spans->inside == IN_STAGE ? "stage" : "abort", spans->number, id);
}

/* --- effects -----------------------------------------------------------------------------------
 */

static void
give_effects(struct turn *turn)
{
	json_t *effects = turn->spans->effects;
	for (size_t i = 0; i < json_array_size(effects); i++)
		turn->give(turn->ctx, json_incref(json_array_get(effects, i)));
	json_array_clear(effects);
}

/* error NULL: it did what it should. */
static void
end_act(struct turn *turn, const struct span_act *begun, const char *outcome, const char *error)
{
	const struct rollout *r = turn->r;
	char what[MARK_TEXT];
	struct otlp_span span = {.trace = &r->trace,
	    .name = act_name(begun->act.kind),
	    .kind = OTLP_CLIENT,
	    .begin_ms = begun->begin_ms,
	    .end_ms = turn->event->at_ms,
	    .error = error,
	    .attributes = json_array()};
	act_text(&begun->act, r->app, what, sizeof(what));
	otlp_text(span.attributes, "airis.effect", what);
	otlp_text(span.attributes, "airis.outcome", outcome);
	otlp_number(span.attributes, "airis.attempt", begun->attempt);
	trace_span(r->id, "act", begun->attempt, span.id);
	memcpy(span.parent, begun->parent, TRACE_SPAN);
	json_array_append_new(turn->spans->effects, otlp_span(&span));
	if (json_array_size(turn->spans->effects) >= HELD)
		give_effects(turn);
}

static void
forget_act(struct spans *spans, int i)
{
	spans->act_count--;
	memmove(&spans->acts[i], &spans->acts[i + 1],
	    (size_t)(spans->act_count - i) * sizeof(spans->acts[0]));
}

static void
end_unanswered(struct turn *turn)
{
	end_act(turn, &turn->spans->acts[0], act_outcome_name(ACT_UNKNOWN), "no answer");
	forget_act(turn->spans, 0);
}

static void
begin_act(struct turn *turn)
{
	struct spans *spans = turn->spans;
	const json_t *data = turn->event->data;
	if (spans->act_count == ACTS)
		end_unanswered(turn);
	struct span_act *begun = &spans->acts[spans->act_count++];
	*begun = (struct span_act){.act = {.kind = act_kind_of(jsonx_text_or(data, "act", "")),
				       .number = (int)jsonx_int(data, "number", 0),
				       .urgent = jsonx_bool(data, "urgent", false)},
	    .attempt = jsonx_int(data, "attempt", 0),
	    .begin_ms = turn->event->at_ms};
	str_copy(begun->act.text, sizeof(begun->act.text), jsonx_text_or(data, "text", ""));
	inside_id(turn, begun->parent);
}

static void
on_acted(struct turn *turn)
{
	struct spans *spans = turn->spans;
	const json_t *data = turn->event->data;
	const char *name = jsonx_text_or(data, "outcome", "");
	enum act_outcome outcome = act_outcome_of(name);
	bool good = outcome == ACT_DONE || outcome == ACT_ALREADY;
	int64_t attempt = jsonx_int(data, "attempt", -1);
	int i = 0;
	while (i < spans->act_count && spans->acts[i].attempt != attempt)
		i++;
	if (i == spans->act_count)
		return;
	end_act(turn, &spans->acts[i], name, good ? NULL : jsonx_text_or(data, "text", ""));
	forget_act(spans, i);
}

/* --- marks -------------------------------------------------------------------------------------
 */

/* attributes are taken. */
static void
add_mark(struct turn *turn, const char *name, json_t *attributes)
{
	struct spans *spans = turn->spans;
	if (spans->inside == IN_NOTHING || json_array_size(spans->marks) == MARKS) {
		spans->left_out += spans->inside != IN_NOTHING;
		json_decref(attributes);
		return;
	}
	otlp_mark(spans->marks, name, turn->event->at_ms, attributes);
}

static void
add_part(const struct turn *turn, json_t *attributes, const char *key, const char *part)
{
	char text[MARK_TEXT];
	str_copy(text, sizeof(text), jsonx_text_or(turn->event->data, part, ""));
	otlp_text(attributes, key, text);
}

/* Each time that it says something else than before. */
static void
on_measured(struct turn *turn)
{
	const struct app *app = turn->r->app;
	const json_t *data = turn->event->data;
	const char *name = jsonx_text_or(data, "gate", "");
	int verdict = (int)verdict_of(jsonx_text_or(data, "verdict", "error"));
	int i = 0;
	while (i < app->gate_count && strcmp(app->gates[i].name, name) != 0)
		i++;
	if (i == app->gate_count || turn->spans->verdicts[i] == verdict)
		return;
	turn->spans->verdicts[i] = verdict;
	json_t *attributes = json_array();
	add_part(turn, attributes, "airis.gate", "gate");
	add_part(turn, attributes, "airis.verdict", "verdict");
	add_part(turn, attributes, "airis.text", "text");
	add_mark(turn, "gate", attributes);
}

/* What is on its way already has another reason. */
static void
ask_home(struct spans *spans)
{
	spans->asked = spans->asked || spans->inside != IN_HOME;
}

static void
on_command(struct turn *turn)
{
	json_t *attributes = json_array();
	if (str_equal(jsonx_text(turn->event->data, "name"), command_name(COMMAND_ABORT)))
		ask_home(turn->spans);
	add_part(turn, attributes, "airis.command", "name");
	add_part(turn, attributes, "airis.reason", "reason");
	otlp_text(attributes, "airis.by", turn->event->actor != NULL ? turn->event->actor : "");
	add_mark(turn, "command", attributes);
}

static void
on_drift(struct turn *turn)
{
	json_t *attributes = json_array();
	add_part(turn, attributes, "airis.what", "what");
	add_part(turn, attributes, "airis.found", "found");
	add_part(turn, attributes, "airis.by", "by");
	add_mark(turn, "foreign edit", attributes);
}

static void
on_superseded(struct turn *turn)
{
	json_t *attributes = json_array();
	ask_home(turn->spans);
	add_part(turn, attributes, "airis.by_rollout", "by_rollout");
	add_mark(turn, "superseded", attributes);
}

/* --- stages, and the whole ---------------------------------------------------------------------
 */

static void
begin(struct turn *turn, enum inside inside, int number)
{
	struct spans *spans = turn->spans;
	spans->inside = inside;
	spans->number = number;
	spans->begin_ms = turn->event->at_ms;
	spans->left_out = 0;
	for (int i = 0; i < APP_GATES; i++)
		spans->verdicts[i] = UNSEEN;
}

static void
describe(const struct turn *turn, struct otlp_span *span)
{
	const struct spans *spans = turn->spans;
	if (spans->inside == IN_HOME || spans->number >= turn->r->ladder.count) {
		span->name = "abort";
		return;
	}
	const struct stage *stage = &turn->r->ladder.stages[spans->number];
	span->name = stage->name;
	otlp_number(span->attributes, "airis.stage", spans->number);
	if (!turn->r->app->rolls)
		otlp_number(span->attributes, "airis.weight", stage->target.weight);
}

/* What it is inside of has ended, and all that was done in it. error NULL: as it should. */
static void
end(struct turn *turn, const char *error)
{
	struct spans *spans = turn->spans;
	if (spans->inside != IN_NOTHING) {
		struct otlp_span span = {.trace = &turn->r->trace,
		    .kind = OTLP_INTERNAL,
		    .begin_ms = spans->begin_ms,
		    .end_ms = turn->event->at_ms,
		    .error = error,
		    .attributes = json_array(),
		    .marks = spans->marks,
		    .marks_left_out = spans->left_out};
		describe(turn, &span);
		inside_id(turn, span.id);
		root_id(turn->r, span.parent);
		spans->marks = json_array();
		turn->give(turn->ctx, otlp_span(&span));
	}
	give_effects(turn);
	spans->inside = IN_NOTHING;
}

static json_t *
root_attributes(const struct rollout *r, const char *phase)
{
	json_t *list = json_array();
	otlp_text(list, "airis.rollout", r->id);
	otlp_text(list, "airis.app", r->app->name);
	otlp_text(list, "k8s.namespace.name", r->app->namespace);
	otlp_text(list, "k8s.cluster.name", r->app->cluster);
	otlp_text(list, "airis.strategy", r->app->strategy->name);
	otlp_number(list, "airis.release", r->release.number);
	otlp_text(list, "airis.image", r->release.image);
	otlp_text(list, "airis.commit", r->release.commit);
	otlp_text(list, "airis.by", r->release.who);
	otlp_text(list, "airis.phase", phase);
	return list;
}

static void
end_whole(struct turn *turn, const char *phase, const char *error)
{
	const struct rollout *r = turn->r;
	char name[sizeof("rollout ") + APP_LABEL];
	while (turn->spans->act_count > 0)
		end_unanswered(turn);
	end(turn, str_equal(phase, phase_name(PHASE_FAILED)) ? error : NULL);
	if (turn->spans->told)
		return;
	turn->spans->told = true;
	str_print(name, sizeof(name), "rollout %s", r->app->name);
	struct otlp_span span = {.trace = &r->trace,
	    .name = name,
	    .kind = OTLP_INTERNAL,
	    .begin_ms = r->created_ms,
	    .end_ms = turn->event->at_ms,
	    .error = error,
	    .attributes = root_attributes(r, phase)};
	root_id(r, span.id);
	memcpy(span.parent, r->trace.parent, TRACE_SPAN);
	turn->give(turn->ctx, otlp_span(&span));
}

static void
on_phase(struct turn *turn)
{
	struct spans *spans = turn->spans;
	const char *name = jsonx_text_or(turn->event->data, "to", "");
	const char *reason = jsonx_text_or(turn->event->data, "reason", "");
	enum phase to;
	if (!phase_of(name, &to))
		return;
	json_t *attributes = json_array();
	add_part(turn, attributes, "airis.reason", "reason");
	add_mark(turn, name, attributes);
	if (to == PHASE_ABORTING) {
		end(turn, spans->asked ? NULL : reason);
		begin(turn, IN_HOME, spans->aborts++);
	} else if (phase_final(to)) {
		bool wanted = to == PHASE_SUCCEEDED || (to == PHASE_ABORTED && spans->asked);
		end_whole(turn, name, wanted ? NULL : reason);
	}
}

static void
on_stage(struct turn *turn)
{
	int64_t index = jsonx_int(turn->event->data, "index", 0);
	end(turn, NULL);
	begin(turn, IN_STAGE, (int)index);
}

void
spans_event(struct spans *spans, const struct rollout *rollout, const struct event *event,
    void (*span)(void *ctx, json_t *span), void *ctx)
{
	struct turn turn = {spans, rollout, event, span, ctx};
	bool data;
	if (!spans_want(event->kind, &data))
		return;
	if (event->kind == EVENT_COMPILED)
		begin(&turn, IN_STAGE, 0);
	else if (event->kind == EVENT_STAGE)
		on_stage(&turn);
	else if (event->kind == EVENT_PHASE)
		on_phase(&turn);
	else if (event->kind == EVENT_ACT)
		begin_act(&turn);
	else if (event->kind == EVENT_ACTED)
		on_acted(&turn);
	else if (event->kind == EVENT_MEASURED)
		on_measured(&turn);
	else if (event->kind == EVENT_COMMAND)
		on_command(&turn);
	else if (event->kind == EVENT_DRIFT)
		on_drift(&turn);
	else if (event->kind == EVENT_SUPERSEDED)
		on_superseded(&turn);
}
