/* The spans of one rollout, from its events. Always true: the same events make the same spans with
 * the same ids, so what was made before a crash is not made as something else after it. A span is
 * given out when it has ended, effects with the stage that they are in. Pure.
 *
 *   rollout APP              created .. succeeded, aborted, or failed for the first time
 *     STAGE                  entered .. left; its marks: gates' verdicts, pauses, commands
 *       EFFECT               intent written down .. outcome
 *     abort                  the way home, in the place of a stage
 */
#ifndef TRACES_SPANS_H
#define TRACES_SPANS_H

#include <jansson.h>
#include "model/rollout.h"

struct spans;

struct spans *spans_new(void);
void spans_free(struct spans *spans); /* NULL is allowed */
/* Of the rollout only what no event changes is used. span: takes what it is given. */
void spans_event(struct spans *spans, const struct rollout *rollout, const struct event *event,
    void (*span)(void *ctx, json_t *span), void *ctx);
bool spans_want(
    enum event_kind kind, bool *data); /* others change nothing; data: it is looked at */

#endif
