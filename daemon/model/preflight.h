/* Preflight, stage zero of every ladder: all that can be known before the first write to go wrong
 * later, at once. Pure: what the strategy sees in the observed, what the cluster room found in the
 * objects while it looked, and what was found by asking. */
#ifndef MODEL_PREFLIGHT_H
#define MODEL_PREFLIGHT_H

#include "base/err.h"
#include "model/app.h"
#include "model/findings.h"
#include "model/observed.h"

/* Adds what forbids a start, each thing once. found NULL: nothing was asked. */
void preflight_find(const struct app *app, const struct observed *seen,
    const struct findings *found, struct errlist *problems);
/* Adds what does not, but should be known before one. */
void preflight_warn(
    const struct observed *seen, const struct findings *found, struct errlist *warnings);
/* All of them in one text; how many did not fit is said. */
void preflight_reason(const struct errlist *problems, char *to, size_t size);

#endif
