/* passing.c: the trace of a rollout, passed on to those who are asked for it. */
#ifndef ENGINE_PASSING_H
#define ENGINE_PASSING_H

#include "base/trace.h"

struct entry;

/* A traceparent with the rollout's span of that kind and number, if there are spans; else the one
 * that the rollout was given; "" : none. */
void passing_text(
    const struct entry *entry, const char *kind, int64_t number, char to[TRACE_PARENT]);

#endif
