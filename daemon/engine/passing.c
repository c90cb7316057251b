/* Always true: nobody is told of a span that is not made, for who hears of one in a traceparent
 * makes spans of his own below it. */
#include "engine/passing.h"

#include "engine/engine_room.h"

void
passing_text(const struct entry *entry, const char *kind, int64_t number, char to[TRACE_PARENT])
{
	const struct trace_port *port = &entry->engine->ports.traces;
	const struct rollout *r = entry->rollout;
	unsigned char span[TRACE_SPAN];
	to[0] = '\0';
	if (port->event != NULL && port->exports(port->ctx) && r->trace.sampled) {
		trace_span(r->id, kind, number, span);
		trace_write(&r->trace, span, to);
	} else if (trace_given(&r->trace))
		trace_write(&r->trace, r->trace.parent, to);
}
