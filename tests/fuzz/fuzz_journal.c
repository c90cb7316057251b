/* A rollout's journal, as a damaged disk or a strange hand may leave it: [{"kind": …, "at": …,
 * "data": …}, …]. An event that cannot follow changes nothing; from any state that can be reached,
 * the rollout can be shown, takes every command, and what is decided next can be written down. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/render.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "model/command.h"
#include "model/decide.h"
#include "model/told.h"
#include "mutate.h"
#include "traces/spans.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

MUTATE_JSON(1)

#define NEVER_ENDS 64

static void
show(const struct rollout *r, const struct observed *seen)
{
	struct engine_look look = {.rollout = r, .waiting = r->waiting, .live = true};
	json_t *json, *key;
	const char *name;

	look.seen = *seen;
	json = api_rollout_json(&look);
	assert(json_object_size(json) == 21);
	json_object_foreach(json, name, key)
	{
		assert(key != NULL);
	}
	json_decref(json);
	for (int i = 0; i < NOTICES; i++) {
		char text[TOLD_TEXT];
		told_text(r, (enum notice)i, "", text);
		assert(text[0] != '\0' && str_utf8_ok(text, strlen(text)));
	}
}

static struct spans *spans;

/* It has all that a receiver wants, whatever the journal says. */
static void
take_span(void *ctx, json_t *span)
{
	(void)ctx;
	assert(strlen(jsonx_text(span, "traceId")) == 32);
	assert(strlen(jsonx_text(span, "spanId")) == 16);
	assert(jsonx_text(span, "name") != NULL);
	json_decref(span);
}

/* A row as the store gives it. */
static void
show_row(const struct event *event)
{
	char *text = jsonx_dump(event->data);
	struct journal_row row = {.seq = 1,
	    .at_ms = event->at_ms,
	    .key = "r-x",
	    .name = event_name(event->kind),
	    .text = text,
	    .actor = event->actor};
	json_t *json = api_event_json(&row);

	assert(json_object_size(json) == 5);
	json_decref(json);
	free(text);
}

static void
fold_strange(struct rollout *r, const json_t *item, unsigned *shown)
{
	struct event event = {.kind = event_of(jsonx_text_or(item, "kind", "")),
	    .at_ms = jsonx_int(item, "at", 0),
	    .actor = jsonx_text_or(item, "actor", ""),
	    .data = json_object_get(item, "data")};
	struct err e = {""};
	struct rollout before;

	if (event.kind == EVENT_KINDS)
		return;
	if (!(*shown >> event.kind & 1))
		show_row(&event);
	*shown |= 1U << event.kind;
	memcpy(&before, r, sizeof(before));
	if (rollout_fold(r, &event, &e) < 0)
		assert(e.text[0] != '\0' && memcmp(&before, r, sizeof(before)) == 0);
	else
		spans_event(spans, r, &event, take_span, NULL);
}

/* What the daemon makes itself always fits. */
static int
fold_own(struct rollout *r, struct events *events)
{
	int count = events->count;
	struct err e = {""};

	for (int i = 0; i < count; i++) {
		if (rollout_fold(r, &events->list[i], &e) < 0)
			log_fatal("%s: %s", event_name(events->list[i].kind), e.text);
		spans_event(spans, r, &events->list[i], take_span, NULL);
	}
	events_done(events);
	return count;
}

static void
go_on(struct rollout *r, const struct observed *seen, int64_t now_ms)
{
	struct situation at = {.rollout = r, .seen = seen, .now_ms = now_ms, .settle_ms = 10000};
	struct decision decision;
	int turns = 0;

	do {
		decide(&at, &decision);
		assert(str_utf8_ok(decision.waiting.what, strlen(decision.waiting.what)));
		if (++turns > NEVER_ENDS)
			log_fatal("it decides without an end");
	} while (fold_own(r, &decision.events) > 0);
}

static void
command_all(struct rollout *r, const struct observed *seen, int64_t now_ms)
{
	static const enum command commands[] = {COMMAND_PAUSE, COMMAND_APPROVE, COMMAND_RETRY,
	    COMMAND_PROMOTE, COMMAND_RESUME, COMMAND_ABORT, COMMAND_RETRY};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct events events = {.count = 0};
		struct err why = {""};
		enum command_answer answer =
		    command_give(r, commands[i], true, "", "why", now_ms, &events, &why);

		assert((answer == COMMAND_REFUSED) == (why.text[0] != '\0'));
		assert((answer == COMMAND_TAKEN) == (events.count > 0));
		(void)fold_own(r, &events);
		go_on(r, seen, now_ms + (int64_t)i);
	}
}

static void
see(unsigned bits, struct observed *seen)
{
	int ready = (int)(bits >> 5) + 1;

	*seen = (struct observed){.fresh = (bits & 1) == 0,
	    .service = true,
	    .stable = {.exists = (bits & 2) == 0,
		.observed = true,
		.replicas = 3,
		.pods = 3,
		.updated = 3,
		.ready = ready},
	    .canary = {.exists = (bits & 4) != 0,
		.ours = (bits & 8) == 0,
		.observed = true,
		.replicas = 1,
		.ready = 1,
		.ready_new = 1},
	    .route = {.exists = true, .fits = true, .even = true, .accepted = true}};
	seen->route.weight = (bits & 16) != 0 ? 10 : 0;
	seen->route.names_canary = seen->route.weight > 0;
	str_copy(seen->stable.image, sizeof(seen->stable.image), "web:1");
	str_copy(seen->canary.image, sizeof(seen->canary.image), "web:2");
	str_copy(seen->stable.uid, sizeof(seen->stable.uid), "u1");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct observed seen;
	struct rollout *r;
	json_t *list, *item;
	unsigned shown = 0; /* kinds of which a row was shown */
	size_t i;

	if (size < 2)
		return 0;
	list = jsonx_parse((const char *)data + 1, size - 1, size, NULL);
	if (list == NULL)
		return 0;
	see(data[0], &seen);
	r = rollout_new("r-00000000000000000000000000");
	spans = spans_new();
	json_array_foreach(list, i, item)
	{
		fold_strange(r, item, &shown);
	}
	if (r->app != NULL) {
		int64_t now_ms = r->last_ms + data[0] * 1000;

		show(r, &seen);
		go_on(r, &seen, now_ms);
		command_all(r, &seen, now_ms);
		show(r, &seen);
	}
	spans_free(spans);
	rollout_free(r);
	json_decref(list);
	return 0;
}
