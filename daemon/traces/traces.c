/* Who is followed, and from where on. */
#include "traces/traces.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/map.h"
#include "http/httpc_url.h"
#include "traces/sender.h"
#include "traces/spans.h"

#define PAGE 500
#define DATA_MAX ((size_t)1 << 20)

struct traces {
	struct journal_port journal;
	struct sender *sender;
	struct map *followed; /* id of a rollout -> spans */
	bool on;
};

int
traces_check(const struct traces_place *place, struct err *e)
{
	return httpc_url_guarded(place->url, e);
}

const char *
traces_loss_name(enum traces_loss loss)
{
	static const char *const names[TRACES_LOSSES] = {
	    [TRACES_FULL] = "full", [TRACES_REFUSED] = "refused", [TRACES_OFF] = "off"};
	return names[loss];
}

/* --- events ------------------------------------------------------------------------------------
 */

static void
send_span(void *ctx, json_t *span)
{
	struct traces *traces = ctx;
	char *text = jsonx_dump(span);
	sender_add(traces->sender, text);
	free(text);
	json_decref(span);
}

/* It was sent when it ended, by this airisd or the one before. */
static void
drop_span(void *ctx, json_t *span)
{
	(void)ctx;
	json_decref(span);
}

static void
take(struct spans *spans, const struct rollout *r, const struct journal_row *row,
    void (*give)(void *ctx, json_t *span), void *ctx)
{
	struct event event = {
	    .kind = event_of(row->name), .at_ms = row->at_ms, .actor = row->actor};
	struct err e;
	bool data;
	if (!spans_want(event.kind, &data))
		return;
	if (data)
		event.data = jsonx_parse(row->text, strlen(row->text), DATA_MAX, &e);
	spans_event(spans, r, &event, give, ctx);
	json_decref(event.data);
}

struct catching {
	struct spans *spans;
	const struct rollout *rollout;
	int64_t last, until; /* sequence numbers */
	int count;
};

static bool
each_row(void *ctx, const struct journal_row *row)
{
	struct catching *catching = ctx;
	if (row->seq >= catching->until)
		return false;
	take(catching->spans, catching->rollout, row, drop_span, NULL);
	catching->last = row->seq;
	catching->count++;
	return true;
}

/* What happened before this event. NULL: it cannot be read now. */
static struct spans *
read_back(struct traces *traces, const struct rollout *r, int64_t until)
{
	const struct journal_port *journal = &traces->journal;
	struct catching catching = {.spans = spans_new(), .rollout = r, .until = until};
	struct err e;
	do {
		catching.count = 0;
		if (journal->events(
			journal->ctx, r->id, catching.last, PAGE, each_row, &catching, &e) < 0) {
			log_debug("traces", "rollout %s cannot be read: %s", r->id, e.text);
			spans_free(catching.spans);
			return NULL;
		}
	} while (catching.count == PAGE);
	return catching.spans;
}

static struct spans *
follow(struct traces *traces, const struct rollout *r, const struct journal_row *row)
{
	struct spans *spans = map_get(traces->followed, r->id);
	if (spans != NULL)
		return spans;
	spans = event_of(row->name) == EVENT_CREATED ? spans_new() : read_back(traces, r, row->seq);
	if (spans != NULL)
		map_set(traces->followed, r->id, spans);
	return spans;
}

static bool
is_end(const struct journal_row *row)
{
	struct err e;
	enum phase phase = PHASE_QUEUED;
	if (event_of(row->name) != EVENT_PHASE)
		return false;
	json_t *data = jsonx_parse(row->text, strlen(row->text), DATA_MAX, &e);
	bool known = phase_of(jsonx_text_or(data, "to", ""), &phase);
	json_decref(data);
	return known && phase_final(phase) && phase != PHASE_FAILED;
}

static void
on_event(void *ctx, const struct rollout *rollout, const struct journal_row *row)
{
	struct traces *traces = ctx;
	enum event_kind kind = event_of(row->name);
	bool data;
	if (!traces->on || !rollout->trace.sampled ||
	    (kind != EVENT_CREATED && !spans_want(kind, &data)))
		return;
	struct spans *spans = follow(traces, rollout, row);
	if (spans == NULL)
		return;
	take(spans, rollout, row, send_span, traces);
	if (is_end(row))
		spans_free(map_remove(traces->followed, rollout->id));
}

static bool
exports(void *ctx)
{
	const struct traces *traces = ctx;
	return traces->on;
}

struct trace_port
traces_port(struct traces *traces)
{
	return (struct trace_port){.ctx = traces, .exports = exports, .event = on_event};
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void
free_spans(void *spans)
{
	spans_free(spans);
}

struct traces *
traces_new(struct loop *loop, const struct clock_port *clock, const struct journal_port *journal)
{
	struct traces *traces = mem_alloc(sizeof(*traces));
	traces->journal = *journal;
	traces->sender = sender_new(loop, clock);
	traces->followed = map_new();
	return traces;
}

void
traces_free(struct traces *traces)
{
	if (traces == NULL)
		return;
	map_free(traces->followed, free_spans);
	sender_free(traces->sender);
	free(traces);
}

void
traces_set(struct traces *traces, const struct traces_place *place)
{
	traces->on = place->url != NULL;
	if (!traces->on) {
		map_free(traces->followed, free_spans);
		traces->followed = map_new();
	}
	sender_set(traces->sender, place);
}

void
traces_status(const struct traces *traces, struct traces_status *status)
{
	sender_status(traces->sender, status);
}
