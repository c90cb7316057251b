/* Inside of decide: what its files share. */
#ifndef MODEL_MOVE_H
#define MODEL_MOVE_H

#include "model/decide.h"

struct move {
	const struct situation *at;
	const struct rollout *r;
	struct decision *out;
	struct waiting hold; /* what a foreign edit makes it wait for, if nothing else is done */
};

void move_event(struct move *m, enum event_kind kind, json_t *data);
void move_phase(struct move *m, enum phase to, const char *format, ...) printf_like(3, 4);
int64_t move_back_ms(const struct move *m); /* nothing is assumed by time from before */
void move_wake(struct move *m, int64_t at_ms);
/* It waits; written when the object or the kind of reason changes, so that it has a "since". */
void move_waits(struct move *m, const struct waiting *waiting);
void move_wait(
    struct move *m, int64_t until_ms, const char *object, const char *what, const char *next);

/* track.c: events for what is newly seen; waits: for an answer of the cluster. True if any was
 * added (then decide again). */
bool track(struct move *m, bool waits);
/* drift.c: true if a foreign edit decided the move. held: only rescue is allowed, else it waits for
 * what is in hold. */
bool drift_answer(struct move *m, bool *held);
/* leave.c: the stage is reached: hold, approval, gates, the next stage. */
void leave(struct move *m);

#endif
