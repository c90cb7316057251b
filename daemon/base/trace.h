/* W3C trace context (traceparent): which trace something belongs to, and the ids of its spans. What
 * was not given is made of the rollout's id, so that it is the same whenever it is asked for, and
 * nothing of it has to be kept. */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_ID 16
#define TRACE_SPAN 8
#define TRACE_ID_HEX 33	  /* of an id, and a NUL */
#define TRACE_SPAN_HEX 17 /* the same of a span's */
#define TRACE_PARENT 56	  /* a traceparent, and a NUL */

struct trace {
	unsigned char id[TRACE_ID];
	unsigned char parent[TRACE_SPAN]; /* the span it goes on from; zeros: it begins here */
	bool sampled;			  /* false: who gave it wants no spans */
};

/* A traceparent of this version or a later one; false: it is none (text may be NULL), and *trace
 * is as it was. */
bool trace_read(const char *text, struct trace *trace);
void trace_of(const char *rollout, struct trace *trace); /* one that begins with it */
bool trace_given(const struct trace *trace);
/* The id of the rollout's span of that kind and number. */
void trace_span(
    const char *rollout, const char *kind, int64_t number, unsigned char span[TRACE_SPAN]);
/* What is sent to others: they go on from that span. */
void trace_write(
    const struct trace *trace, const unsigned char span[TRACE_SPAN], char to[TRACE_PARENT]);

#endif
