/* Rehearse: a rollout against a made-up cluster where every act works at once and every gate
 * passes. Pure: it is decide and fold in compressed time, so the plan that it prints is the plan
 * that runs. */
#ifndef MODEL_REHEARSE_H
#define MODEL_REHEARSE_H

#include "model/decide.h"
#include "model/findings.h"

/* What an act does to what is observed; pods get ready at once. */
void rehearse_act(struct observed *seen, const struct rollout *rollout, const struct act *act);

struct plan_step {
	int stage;
	struct act act;
};
struct plan {
	struct app *app; /* with its sides as they would be; NULL if nothing was rehearsed */
	struct ladder ladder;
	struct plan_step *steps;
	int count;
	struct errlist problems; /* what forbids the start; then there are no steps */
	struct errlist warnings; /* what does not */
};
/* 0, or -1 if the rehearsal does not end (a bug, or an app that cannot be released). */
must_check int plan_make(const struct app *app, const struct release *release,
    const struct observed *seen, const struct findings *found, int64_t now_ms, struct plan *plan,
    struct err *e);
/* What forbids a start, and nothing of the rest: no release is asked for. found, in both: what was
 * asked before; NULL: nothing. */
void plan_preflight(const struct app *app, const struct observed *seen,
    const struct findings *found, struct plan *plan);
void plan_done(struct plan *plan);

#endif
