/* API tokens, as the engine keeps them: durable, and by the same door into the journal as all else.
 */
#ifndef ENGINE_TOKENS_H
#define ENGINE_TOKENS_H

#include "engine/engine.h"

/* API tokens: kept here as the text that the api gives, which is not looked at. A new id; at most
 * ENGINE_TOKENS of them. Dropped means that nobody is let in by it from the answer on. */
#define ENGINE_TOKENS 1000
void engine_token_put(struct engine *engine, const char *id, const char *text, const char *detail,
    const struct actor *actor, const struct engine_reply *reply); /* detail: for the audit */
/* reply NULL: it is tidied up, and left for later while the journal cannot be written. */
void engine_token_drop(struct engine *engine, const char *id, const struct actor *actor,
    const struct engine_reply *reply);
/* It was shown now. Written down once an hour, so after a restart it may be known of an earlier
 * time only. */
void engine_token_used(struct engine *engine, const char *id);
struct engine_token {
	const char *id, *text;
	int64_t used_ms; /* 0: never */
};
/* Durable ones, of that id, or the one after the cursor, which begins with 0. False: none. */
bool engine_token(const struct engine *engine, const char *id, struct engine_token *token);
int engine_token_count(const struct engine *engine);
bool engine_token_next(const struct engine *engine, size_t *cursor, struct engine_token *token);

/* For the engine's own files. */
must_check int tokens_load(struct engine *engine, struct err *e);
void tokens_apply(struct engine *engine, const struct journal_write *write); /* it is durable */
void tokens_free(struct engine *engine);

#endif
