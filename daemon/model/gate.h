/* What a row of samples means for a stage: which gates are due, which pass, which end the rollout.
 * Pure; the asking is done through ports/gate.h. */
#ifndef MODEL_GATE_H
#define MODEL_GATE_H

#include "model/rollout.h"

/* Since when what the stage's gates judge is there: the weight is taken, or a preview's pods are
 * known; 0: it is not. */
int64_t gate_from_ms(const struct rollout *rollout);
/* When what it judges changed last: an answer to a question from before is of no use. */
int64_t gate_change_ms(const struct rollout *rollout);
/* Wall time at which gate i is to be asked next; 0: not now (nothing to be judged, not in this
 * stage). */
int64_t gate_due_ms(const struct rollout *rollout, int gate);
/* How far back it may look then: never before gate_from_ms plus the warm-up. */
int64_t gate_window_ms(const struct rollout *rollout, int gate, int64_t now_ms);
/* More failures than it allows. */
bool gate_broken(const struct rollout *rollout, int gate);
/* Enough passes in a row, the last one recent enough to be believed after a pause or an outage. */
bool gate_passes(const struct rollout *rollout, int gate, int64_t now_ms);
/* Its last sample is young enough to be believed. */
bool gate_is_fresh(const struct rollout *rollout, int gate, int64_t now_ms);
/* The first gate that the stage waits for; -1: none. */
int gate_waited_for(const struct rollout *rollout, int64_t now_ms);
int gate_first_broken(const struct rollout *rollout); /* -1: none */

#endif
