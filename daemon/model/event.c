/* Names of events, and lists of them. */
#include <assert.h>
#include <string.h>
#include "model/event.h"

static const char *const names[EVENT_KINDS] = {
    [EVENT_CREATED] = "created",
    [EVENT_COMPILED] = "compiled",
    [EVENT_PHASE] = "phase",
    [EVENT_STAGE] = "stage",
    [EVENT_SETTLED] = "settled",
    [EVENT_UNSETTLED] = "unsettled",
    [EVENT_READY] = "ready",
    [EVENT_SEEN] = "seen",
    [EVENT_ACCEPTED] = "accepted",
    [EVENT_TAKEN] = "taken",
    [EVENT_ACT] = "act",
    [EVENT_ACTED] = "acted",
    [EVENT_MEASURED] = "measured",
    [EVENT_DRIFT] = "drift",
    [EVENT_DRIFT_OVER] = "drift_over",
    [EVENT_FENCED] = "fenced",
    [EVENT_FENCE_OVER] = "fence_over",
    [EVENT_WAITS] = "waits",
    [EVENT_COMMAND] = "command",
    [EVENT_SUPERSEDED] = "superseded",
};

const char *
event_name(enum event_kind kind)
{
	return names[kind];
}

enum event_kind
event_of(const char *name)
{
	for (int i = 0; i < EVENT_KINDS; i++)
		if (strcmp(names[i], name) == 0)
			return (enum event_kind)i;
	return EVENT_KINDS;
}

void
events_add(struct events *events, enum event_kind kind, int64_t at_ms, json_t *data)
{
	assert(events->count < EVENTS_MAX);
	events->list[events->count++] = (struct event){
	    .kind = kind, .at_ms = at_ms, .actor = "", .data = data ? data : json_object()};
}

void
events_done(struct events *events)
{
	for (int i = 0; i < events->count; i++)
		json_decref(events->list[i].data);
	events->count = 0;
}
