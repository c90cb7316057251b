/* The audit: what others put into it, and reading it. */
#ifndef ENGINE_NOTE_H
#define ENGINE_NOTE_H

#include "model/actor.h"
#include "ports/journal.h"

struct engine;

/* For the audit, what others refuse before the engine is asked, such as a request without the right
 * to it. Its row is written soon, but not more of them than a bound, and then how many were left
 * out. All texts may be NULL; app: if there is one. */
struct engine_note {
	const struct actor *actor; /* NULL: airisd itself */
	const char *what;	   /* "abort", "token create" */
	const char *app, *rollout, *detail;
	const char *why;     /* as they gave it */
	const char *outcome; /* "done", "denied: the role viewer may not abort" */
};
void engine_audit(struct engine *engine, const struct engine_note *note);
must_check int engine_audit_rows(struct engine *engine, const struct journal_audit_filter *filter,
    journal_audit_each *each, void *ctx, struct err *e);
must_check int engine_audit_head(
    const struct engine *engine, struct journal_head *head, struct err *e);

#endif
