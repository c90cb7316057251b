/* inquiry.c: what only asking tells before a start, asked of the cluster and of the data sources at
 * once and together within a few seconds. */
#ifndef ENGINE_INQUIRY_H
#define ENGINE_INQUIRY_H

#include "engine/engine.h"

struct inquiry;

/* Asks; done comes once, in a later turn, unless it is freed before. The app is shared; seen has
 * the names of its sides. gates: also whether their queries are taken. */
struct inquiry *inquiry_new(struct engine *engine, const struct app *app,
    const struct observed *seen, bool gates, void (*done)(void *ctx), void *ctx);
void inquiry_free(struct inquiry *inquiry); /* withdraws what is unanswered; NULL is allowed */
/* What was found, while that is young enough to start on; NULL: not answered yet, or too old, or
 * there is no inquiry. Borrowed. */
const struct findings *inquiry_found(const struct inquiry *inquiry);
bool inquiry_waits(const struct inquiry *inquiry); /* an answer is still to come */

#endif
