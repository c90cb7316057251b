/* audit.c: who did what, and what came of it, for the journal's audit. What changes something has
 * its row in the batch of its events (commit_audit), so one is there if the other is. What changes
 * nothing has one of its own, written soon after, and not more of them than a bound: engine_audit.
 */
#ifndef ENGINE_AUDIT_H
#define ENGINE_AUDIT_H

#include "engine/engine.h"
#include "engine/note.h"

#define AUDIT_LINE 640

struct entry;
struct audit;

struct audit *audit_new(struct engine *engine);
void audit_free(struct audit *audit); /* what waits is lost, and said */

/* The row of a note about a rollout's app (r) or an app, either NULL; borrows all of them. */
struct chain_row audit_row(struct engine *engine, const struct engine_note *note,
    const struct rollout *r, const struct app *app);
/* A command on a rollout that was not taken: what is wrong, or what is so already. */
void audit_refused(struct engine *engine, const struct engine_note *note, const struct rollout *r,
    const struct app *app, const char *why);
/* Nothing can be written down now; they are counted, and the number is, when it can. */
void audit_lost(struct engine *engine);
/* An outcome is about to be folded: the row goes with it. */
void audit_acted(struct entry *entry, const struct event *event);
/* The row of an act that is sent, as far as it is known; one block, owned by the caller. */
struct chain_row *audit_sent(const struct entry *entry, const struct act *act);
/* Its answer came when its rollout was over and gone. */
void audit_late(struct engine *engine, const struct chain_row *sent, enum act_outcome outcome,
    const char *text);

#endif
