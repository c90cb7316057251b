/* The socket for gates: ask a data source once. The answer is one sample with a verdict of its own;
 * what a row of samples means is model/gate.h. */
#ifndef PORTS_GATE_H
#define PORTS_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include "model/app.h"
#include "model/verdict.h"

struct gate_question {
	const struct gate_spec *gate;
	const char *app, *namespace, *stable, *canary; /* workloads' names */
	int64_t window_ms;	 /* already shortened to what may be looked at */
	int64_t since_weight_ms; /* since the last weight change was taken */
	const char *traceparent; /* passed on to the source; NULL or "": none */
	bool trial;		 /* before a start: is the query taken at all? (model/trial.h) */
};

struct gate_port {
	void *ctx;
	/* Never calls back before it returned; done comes once, within the source's timeout. */
	uint64_t (*measure)(void *ctx, const struct gate_question *question,
	    void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample),
	    void *done_ctx);
	void (*cancel)(void *ctx, uint64_t number);
	bool (*has_source)(void *ctx, const char *name);
};

#endif
