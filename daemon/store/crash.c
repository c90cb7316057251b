/* Failpoints of the store. Empty but in a build with CRASH=1. */
#include "store/crash.h"

#ifdef AIRIS_CRASH

#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"

#define PAGES 40 /* in the log before a checkpoint */

/* The field by which events of one kind differ; NULL: they do not. */
static const char *
field_of(const char *event)
{
	if (strcmp(event, "phase") == 0)
		return "to";
	if (strcmp(event, "act") == 0)
		return "act";
	return strcmp(event, "command") == 0 ? "name" : NULL;
}

static void
event_point(const char *place, const struct journal_write *write)
{
	const char *field = field_of(write->name);
	struct err e;
	json_t *data = jsonx_parse(write->text, strlen(write->text), 1 << 20, &e);
	char what[64];

	str_print(what, sizeof(what), "%s%s%s", write->name, field ? "." : "",
	    field ? jsonx_text(data, field) : "");
	json_decref(data);
	failpoint_of(place, what);
}

static void
write_point(const char *place, const struct journal_write *write)
{
	switch (write->kind) {
	case JOURNAL_EVENT:
		event_point(place, write);
		return;
	case JOURNAL_ROLLOUT:
	case JOURNAL_OUTBOX:
	case JOURNAL_AUDIT:
		return; /* follows from what is beside it */
	case JOURNAL_APP:
		failpoint_of(place, write->text == NULL ? "app.deleted" : "app");
		return;
	case JOURNAL_RELEASE:
		failpoint_of(place, "release");
		return;
	case JOURNAL_KEY:
		failpoint_of(place, "key");
		return;
	case JOURNAL_TOKEN:
		return; /* one row on its own, as that of an app */
	}
}

void
store_crash_commit(const char *place, const struct store_batch *first)
{
	for (const struct store_batch *b = first; b != NULL; b = b->next)
		for (int i = 0; i < b->count; i++)
			write_point(place, &b->writes[i]);
}

static int
on_statement(unsigned what, void *ctx, void *statement, void *text)
{
	(void)what;
	(void)ctx;
	(void)statement;
	(void)text;
	failpoint("migrate:statement");
	return 0;
}

void
store_crash_statements(sqlite3 *db, bool on)
{
	sqlite3_trace_v2(db, on ? SQLITE_TRACE_STMT : 0, on ? on_statement : NULL, NULL);
}

static int
on_log(void *ctx, sqlite3 *db, const char *name, int pages)
{
	(void)ctx;
	if (pages < PAGES)
		return SQLITE_OK;
	failpoint("checkpoint:before");
	failpoint_soon("checkpoint:inside");
	sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	failpoint("checkpoint:after");
	return SQLITE_OK;
}

void
store_crash_checkpoints(sqlite3 *db)
{
	sqlite3_wal_hook(db, on_log, NULL);
}

#endif
