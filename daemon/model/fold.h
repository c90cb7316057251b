/* Inside of the fold: what its files share. Not for others. */
#ifndef MODEL_FOLD_H
#define MODEL_FOLD_H

#include "model/rollout.h"

void fold_enter_phase(struct rollout *r, enum phase to, const char *reason, int64_t at_ms);
/* The route has this weight since then: gates start anew, the data plane has yet to take it.
 * sent_ms: when we sent it; 0: others did. */
void fold_forget_passes(struct rollout *r);
void fold_weight(struct rollout *r, int weight, int64_t at_ms, int64_t sent_ms);
/* The event's number of this name goes to *to; absent, *to stays. -1: it is none from min to max.
 */
must_check int fold_number(const struct event *event, const char *name, int64_t min, int64_t max,
    int64_t *to, struct err *e);
int fold_act(struct rollout *r, const struct event *event, struct err *e);
int fold_acted(struct rollout *r, const struct event *event, struct err *e);
int fold_command(struct rollout *r, const struct event *event, struct err *e);

#endif
