/* Findings: what only asking tells before a start. The cluster tells whether airisd may write what
 * a rollout writes, the data sources whether the gates' queries mean anything to them. Pure; who
 * asks is the engine (engine/inquiry.c), through ports/. */
#ifndef MODEL_FINDINGS_H
#define MODEL_FINDINGS_H

#include "base/err.h"

struct findings {		 /* zeroed: nothing was found */
	struct errlist problems; /* what forbids a start */
	struct errlist warnings; /* what does not */
};

/* Frees the lists; what is left has nothing in it. */
void findings_done(struct findings *findings);
/* Adds to `to` what `from` has and it has not, in other words than its own; from is borrowed. */
void findings_take(struct errlist *to, const struct errlist *from);
/* The same for one line. */
void findings_add(struct errlist *to, const char *line);

#endif
