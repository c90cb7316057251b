/* commit.c: the engine's only door into the journal. */
#ifndef ENGINE_COMMIT_H
#define ENGINE_COMMIT_H

#include "engine/engine.h"

struct app_entry;
struct batch;
struct entry;
struct telling;

void commit_event(struct entry *entry, const struct event *event, const char *actor);
void commit_events(struct entry *entry, const struct events *events, const char *actor);
void commit_write(struct entry *entry, const struct journal_write *write);
/* Of the event that was written last; taken. */
void commit_telling(struct entry *entry, struct telling *telling);
void commit_audit(struct entry *entry, const struct chain_row *row);
void commit_reply(struct entry *entry, const struct engine_reply *reply, enum engine_result result,
    const char *id, const char *why);
void commit_close(struct entry *entry); /* hands the open batch to the journal */
/* Answered together with the open batch of a rollout that is just created, later too. */
struct batch *commit_open(struct entry *entry);
void commit_reply_with(struct batch *batch, const struct engine_reply *reply,
    enum engine_result result, const char *id, const char *why);
/* A batch without a rollout: an app is put (app is taken) or deleted (NULL), when it is durable. */
void commit_app(struct engine *engine, const struct journal_write *write,
    const struct chain_row *row, struct app *app, const struct engine_reply *reply,
    enum engine_result result);
/* The same of a token: put (text), revoked, or used. row and reply may be NULL. */
void commit_token(struct engine *engine, const struct journal_write *write,
    const struct chain_row *row, const struct engine_reply *reply, enum engine_result result);
/* Rows of the outbox that are done with. row: what there is to say of that; NULL: nothing. */
void commit_outbox(struct engine *engine, const struct journal_write *writes, int count,
    const struct chain_row *row, const struct engine_reply *reply);
/* The app as it is when all that was handed over of it is durable; NULL: there is none then. */
const struct app *commit_coming(const struct app_entry *entry);
/* An answer that rests on that: given when it is durable, later if it is. */
void commit_app_reply(struct engine *engine, const struct app_entry *entry,
    const struct engine_reply *reply, enum engine_result result, const char *why);
void commit_retry(struct engine *engine);
void commit_free(struct engine *engine);
void reply_later(struct engine *engine, const struct engine_reply *reply, enum engine_result result,
    const char *id, const char *why);

#endif
