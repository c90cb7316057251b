/* What a delivery says, in the form that the receiver reads. Pure: the same row gives the same
 * body, however often it is sent. */
#ifndef HOOKS_SAY_H
#define HOOKS_SAY_H

#include <stdint.h>
#include "base/trace.h"
#include "model/notice.h"

enum say_format { SAY_GENERIC, SAY_SLACK, SAY_ALERTMANAGER };

struct say_row {
	const char *id;	   /* of the delivery */
	const char *event; /* name of a notice */
	const char *data;  /* {"rollout": …, "by": …, "waits_for": …} */
	int64_t at_ms;
};
/* Owned by the caller. */
char *say_body(enum say_format format, const struct say_row *row);
/* The trace that the row is of; "" : none. */
void say_traceparent(const struct say_row *row, char to[TRACE_PARENT]);
/* One message for many: how often each notice was there. */
char *say_sum(const int counts[NOTICES]);

#endif
