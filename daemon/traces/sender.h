/* Spans on their way to the receiver. Always true: they are in a queue with a bound, from which the
 * oldest go first when it is full; one request is under way at a time; nobody waits for any of it.
 * What is in the queue is lost in a crash. */
#ifndef TRACES_SENDER_H
#define TRACES_SENDER_H

#include "traces/traces.h"

struct sender;

struct sender *sender_new(struct loop *loop, const struct clock_port *clock);
void sender_free(struct sender *sender);
/* From now on there; url NULL: nowhere, and what waits is dropped. */
void sender_set(struct sender *sender, const struct traces_place *place);
void sender_add(struct sender *sender, const char *span); /* JSON; copied */
void sender_status(const struct sender *sender, struct traces_status *status);

#endif
