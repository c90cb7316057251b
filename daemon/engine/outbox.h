/* outbox.c: what is to be told, in the same batch as the events that it is about. The roof may use
 * engine_outbox_drop alone. */
#ifndef ENGINE_OUTBOX_H
#define ENGINE_OUTBOX_H

#include "engine/engine.h"

struct engine_note;
struct entry;

/* What the app's cluster is told when the event is durable. In memory alone. */
struct telling {
	struct engine *engine;
	struct app *app; /* shared */
	char rollout[ID_SIZE];
	enum notice notice;
	bool bad;
	char text[TOLD_TEXT];
	int write; /* the event's place in its batch */
	struct telling *next;
};

/* After the event was folded; actor "" : airisd itself. */
void outbox_note(struct entry *entry, enum event_kind kind, int64_t at_ms,
    const struct notice_mark *before, const char *actor);
/* Of an event that was folded; NULL: there is nothing to tell. */
struct telling *outbox_telling(struct engine *engine, const struct rollout *rollout,
    enum event_kind kind, const struct notice_mark *before, const char *actor);
/* They and those after them; NULL is allowed. The batch's writes have become durable. */
void outbox_tell(const struct telling *tellings, const struct journal_write *writes);
void outbox_tellings_free(struct telling *tellings);
/* Rows of the outbox that were delivered, or were not and have a note about that;
 * ENGINE_DEGRADED: they are still there, and the audit has nothing of it. */
void engine_outbox_drop(struct engine *engine, const int64_t *seqs, int count,
    const struct engine_note *note, const struct engine_reply *reply);
/* The row became durable, or is gone. */
void outbox_written(struct engine *engine, const struct journal_write *write);

#endif
