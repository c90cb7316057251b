/* What is to be told. Always true: a row is in the batch of its event, so a crash loses neither or
 * both; who is told is who was subscribed at that moment. */
#include "engine/outbox.h"

#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/engine_room.h"
#include "engine/passing.h"

#define SUMMARY_MAX ((size_t)1 << 20)

static char *
data_text(const struct entry *entry, const char *actor)
{
	const struct rollout *r = entry->rollout;
	char traceparent[TRACE_PARENT];
	struct err e;
	char *summary = summary_text(r);
	json_t *json = json_object();
	/* What is no text in UTF-8 is left out. */
	json_object_set_new(
	    json, "rollout", jsonx_parse(summary, strlen(summary), SUMMARY_MAX, &e));
	json_object_set_new(json, "by", json_string(actor ? actor : ""));
	json_object_set_new(
	    json, "waits_for", json_string(r->waiting.object[0] ? r->waiting.what : ""));
	passing_text(entry, "rollout", 0, traceparent);
	if (traceparent[0] != '\0')
		json_object_set_new(json, "traceparent", json_string(traceparent));
	char *text = jsonx_dump(json);
	json_decref(json);
	free(summary);
	return text;
}

void
outbox_note(struct entry *entry, enum event_kind kind, int64_t at_ms,
    const struct notice_mark *before, const char *actor)
{
	const struct notice_port *port = &entry->engine->ports.notices;
	const struct rollout *r = entry->rollout;
	const char *hooks[NOTICE_HOOKS];
	enum notice notice = notice_of(r, kind, before);
	if (port->hooks == NULL || notice == NOTICES)
		return;
	int count = port->hooks(port->ctx, r->app, notice, hooks);
	char *text = count > 0 ? data_text(entry, actor) : NULL;
	for (int i = 0; i < count; i++) {
		char id[ID_SIZE];
		id_new(id, "d-", at_ms);
		commit_write(entry, &(struct journal_write){.kind = JOURNAL_OUTBOX,
					.key = r->id,
					.app = hooks[i],
					.name = notice_name(notice),
					.text = text,
					.actor = id,
					.at_ms = at_ms});
	}
	free(text);
}

void
outbox_written(struct engine *engine, const struct journal_write *write)
{
	const struct notice_port *port = &engine->ports.notices;
	if (write->text != NULL && port->written != NULL)
		port->written(port->ctx, write->app);
}

void
engine_outbox_drop(struct engine *engine, const int64_t *seqs, int count,
    const struct engine_note *note, const struct engine_reply *reply)
{
	struct journal_write *writes = mem_array((size_t)count, sizeof(*writes));
	struct chain_row row;
	for (int i = 0; i < count; i++)
		writes[i] = (struct journal_write){.kind = JOURNAL_OUTBOX, .number = seqs[i]};
	if (note != NULL)
		row = audit_row(engine, note, NULL, NULL);
	commit_outbox(engine, writes, count, note != NULL ? &row : NULL, reply);
	free(writes);
}
