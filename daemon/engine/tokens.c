/* API tokens. Always true: what is in the table is durable, so a token is good only after its
 * creation is on the disk, and no longer once its end is. */
#include <string.h>
#include "base/str.h"
#include "engine/audit.h"
#include "engine/engine_room.h"

#define USED_MS (INT64_C(3600) * 1000)

struct token_entry {
	char *text;
	int64_t used_ms;
	int64_t written_ms; /* of used_ms, what the journal was given */
};

static void
free_entry(void *value)
{
	struct token_entry *entry = value;
	if (entry == NULL)
		return;
	free(entry->text);
	free(entry);
}

static bool
load(void *ctx, const struct journal_row *row)
{
	struct engine *engine = ctx;
	struct token_entry *entry = mem_alloc(sizeof(*entry));
	entry->text = mem_strdup(row->text);
	entry->used_ms = entry->written_ms = row->number;
	free_entry(map_set(engine->tokens, row->key, entry));
	return true;
}

int
tokens_load(struct engine *engine, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	return journal->tokens == NULL ? 0 : journal->tokens(journal->ctx, load, engine, e);
}

void
tokens_apply(struct engine *engine, const struct journal_write *write)
{
	if (write->text != NULL) {
		struct token_entry *entry = mem_alloc(sizeof(*entry));
		entry->text = mem_strdup(write->text);
		free_entry(map_set(engine->tokens, write->key, entry));
	} else if (write->number == 0) {
		free_entry(map_remove(engine->tokens, write->key));
	}
}

void
tokens_free(struct engine *engine)
{
	map_free(engine->tokens, free_entry);
}

void
engine_token_put(struct engine *engine, const char *id, const char *text, const char *detail,
    const struct actor *actor, const struct engine_reply *reply)
{
	struct engine_note note = {
	    .actor = actor, .what = "token create", .detail = detail, .outcome = "created"};
	struct journal_write write = {.kind = JOURNAL_TOKEN,
	    .key = id,
	    .text = text,
	    .actor = actor->name,
	    .at_ms = engine_now_ms(engine)};
	char why[128];
	if (engine->degraded) {
		audit_lost(engine);
		reply_later(engine, reply, ENGINE_DEGRADED, id, engine->degraded_why);
	} else if (engine_token_count(engine) >= ENGINE_TOKENS) {
		str_print(why, sizeof(why),
		    "there are %d tokens, which is as many as there may be: revoke those that are "
		    "not needed",
		    ENGINE_TOKENS);
		note.outcome = NULL;
		audit_refused(engine, &note, NULL, NULL, why);
		reply_later(engine, reply, ENGINE_REFUSED, id, why);
	} else {
		struct chain_row row = audit_row(engine, &note, NULL, NULL);
		commit_token(engine, &write, &row, reply, ENGINE_CREATED);
	}
}

void
engine_token_drop(struct engine *engine, const char *id, const struct actor *actor,
    const struct engine_reply *reply)
{
	const char *missing = "there is no such token";
	struct engine_note note = {.actor = actor, .what = "token revoke", .detail = id};
	if (map_get(engine->tokens, id) == NULL) {
		if (reply == NULL)
			return;
		audit_refused(engine, &note, NULL, NULL, missing);
		reply_later(engine, reply, ENGINE_NOT_FOUND, id, missing);
		return;
	}
	note.outcome = "revoked";
	struct journal_write write = {
	    .kind = JOURNAL_TOKEN, .key = id, .actor = actor->name, .at_ms = engine_now_ms(engine)};
	struct chain_row row = audit_row(engine, &note, NULL, NULL);
	if (reply != NULL || !engine->degraded)
		commit_token(engine, &write, &row, reply, ENGINE_OK);
}

void
engine_token_used(struct engine *engine, const char *id)
{
	struct token_entry *entry = map_get(engine->tokens, id);
	if (entry == NULL)
		return;
	entry->used_ms = engine_now_ms(engine);
	if (engine->degraded || entry->used_ms < entry->written_ms + USED_MS)
		return;
	entry->written_ms = entry->used_ms;
	struct journal_write write = {
	    .kind = JOURNAL_TOKEN, .key = id, .number = entry->used_ms, .at_ms = entry->used_ms};
	commit_token(engine, &write, NULL, NULL, ENGINE_OK);
}

bool
engine_token(const struct engine *engine, const char *id, struct engine_token *token)
{
	const struct token_entry *entry = map_get(engine->tokens, id);
	if (entry != NULL)
		*token =
		    (struct engine_token){.id = id, .text = entry->text, .used_ms = entry->used_ms};
	return entry != NULL;
}

int
engine_token_count(const struct engine *engine)
{
	return (int)map_count(engine->tokens);
}

bool
engine_token_next(const struct engine *engine, size_t *cursor, struct engine_token *token)
{
	const char *id;
	void *value;
	if (!map_next(engine->tokens, cursor, &id, &value))
		return false;
	return engine_token(engine, id, token);
}
