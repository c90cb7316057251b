/* Events: what the journal keeps of a rollout, and all that its state is made of. An event has a
 * kind, a time, who caused it, and a small JSON object. The kinds and their fields:
 *
 *   created     app (its spec), release{…}, starter, traceparent         by a person or program
 *   compiled    baseline, ladder                                         what was seen at the start
 *   phase       to, reason
 *   stage       index, skipped (stages jumped over by promote --full)
 *   settled / unsettled   the stage's target was reached / is no longer met
 *   ready       side, count                                              ready endpoints that count
 *   seen        weight, by                                               the route's weight changed
 *   accepted    of_ms                         an HTTPRoute's controllers took that change up
 *   taken       subject, of_ms, since_ms, known, missing                 the data plane has it
 *   act         attempt, act, number, text                               intent, before it is sent
 *   acted       attempt, outcome, text, retry_ms                         what came of it
 *   measured    gate, verdict, value, samples, text
 *   drift / drift_over   what, found, expected, by
 *   fenced / fence_over  why               another airisd may write, so this one does not
 *   waits       object, what, reason, until_ms, next                           why it is not moving
 *   command     name, full, reason                                       by a person or program
 *   superseded  by_rollout
 */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include <jansson.h>
#include <stdint.h>

enum event_kind {
	EVENT_CREATED,
	EVENT_COMPILED,
	EVENT_PHASE,
	EVENT_STAGE,
	EVENT_SETTLED,
	EVENT_UNSETTLED,
	EVENT_READY,
	EVENT_SEEN,
	EVENT_ACCEPTED,
	EVENT_TAKEN,
	EVENT_ACT,
	EVENT_ACTED,
	EVENT_MEASURED,
	EVENT_DRIFT,
	EVENT_DRIFT_OVER,
	EVENT_FENCED,
	EVENT_FENCE_OVER,
	EVENT_WAITS,
	EVENT_COMMAND,
	EVENT_SUPERSEDED,
	EVENT_KINDS
};

/* Times of events, and all times and durations in them, are from 0 to this: the year 9999. So no
 * sum of a few overflows. */
#define EVENT_MS_MAX INT64_C(253402300799999)

struct event {
	enum event_kind kind;
	int64_t at_ms;
	const char *actor; /* borrowed; "" : airisd itself */
	json_t *data;	   /* owned by the event's holder */
};

const char *event_name(enum event_kind kind);
enum event_kind event_of(const char *name); /* EVENT_KINDS: no such */

/* A short list of events that one decision makes. */
#define EVENTS_MAX 16
struct events {
	struct event list[EVENTS_MAX];
	int count;
};
/* Takes data (may be NULL: an empty object). More than EVENTS_MAX is a bug. */
void events_add(struct events *events, enum event_kind kind, int64_t at_ms, json_t *data);
void events_done(struct events *events);

#endif
