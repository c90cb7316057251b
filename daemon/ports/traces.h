/* The socket for who makes spans of rollouts. */
#ifndef PORTS_TRACES_H
#define PORTS_TRACES_H

#include "model/rollout.h"
#include "ports/journal.h"

struct trace_port { /* event NULL: nobody does */
	void *ctx;
	bool (*exports)(void *ctx); /* now: what is asked for a rollout names a span of it */
	/* An event became durable. Of the rollout only what no event changes may be looked at: it
	 * may be further. Borrowed until the call's end. */
	void (*event)(void *ctx, const struct rollout *rollout, const struct journal_row *row);
};

#endif
