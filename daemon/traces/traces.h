/* Traces: of each rollout a trace, sent as OTLP/HTTP JSON to where the settings say. The spans are
 * made of the events of the journal when these are durable (spans.h): a rollout that this airisd
 * has not seen from its start is read from there first. Telemetry: no rollout waits for it, and
 * what was not sent yet is lost in a crash. Loop thread only. */
#ifndef TRACES_TRACES_H
#define TRACES_TRACES_H

#include "loop/loop.h"
#include "ports/clock.h"
#include "ports/journal.h"
#include "ports/traces.h"

struct traces;

struct traces_place {		/* texts are copied */
	const char *url;	/* NULL: nowhere */
	const char *token_file; /* a bearer token, read at each request; NULL: none */
	const char *ca_file;	/* NULL: the system's */
	const char *const *headers;
	int64_t timeout_ms;
};

/* journal: for reading. */
struct traces *traces_new(
    struct loop *loop, const struct clock_port *clock, const struct journal_port *journal);
void traces_free(struct traces *traces); /* NULL is allowed */
/* Is there something wrong with its URL? */
must_check int traces_check(const struct traces_place *place, struct err *e);
/* From now on there; what rests after a failure is tried at once. */
void traces_set(struct traces *traces, const struct traces_place *place);
struct trace_port traces_port(struct traces *traces);

enum traces_loss {
	TRACES_FULL,	/* the queue was: the receiver is away, or too slow */
	TRACES_REFUSED, /* by the receiver */
	TRACES_OFF,	/* by the settings */
	TRACES_LOSSES
};
const char *traces_loss_name(enum traces_loss loss);
struct traces_status { /* of spans */
	uint64_t exported, dropped[TRACES_LOSSES];
	int waiting;
};
void traces_status(const struct traces *traces, struct traces_status *status);

#endif
