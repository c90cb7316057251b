/* Copying and checking a database. */
#include "wire_db.h"

#include <inttypes.h>
#include "base/str.h"
#include "engine/verify.h"
#include "store/schema.h"
#include "store/view.h"

#define MOST_LINES 100 /* of a damaged database; the rest is counted */

int
wire_database_version(void)
{
	return store_migrations_count;
}

int
wire_backup(const char *database, const char *to, struct err *e)
{
	struct store_view *view = store_view_open(database, e);
	int result = view == NULL ? -1 : store_view_copy(view, to, e);
	store_view_close(view);
	return result;
}

struct verifying {
	void (*say)(const char *line);
	int said;
};

static void
on_finding(void *ctx, const char *text)
{
	struct verifying *v = ctx;
	if (v->said++ < MOST_LINES)
		v->say(text);
}

static void
sum_up(const struct verifying *v, const char *database)
{
	char line[1024], advice[640];
	store_schema_advice(database, advice, sizeof(advice));
	if (v->said > MOST_LINES) {
		str_print(line, sizeof(line), "… and %d more", v->said - MOST_LINES);
		v->say(line);
	}
	str_print(line, sizeof(line), "%s: %d finding%s. To restore a backup: %s", database,
	    v->said, v->said == 1 ? "" : "s", advice);
	v->say(line);
}

static int
verify(struct store_view *view, struct verifying *v, const char *database)
{
	struct journal_port journal = store_view_port(view);
	int64_t rollouts, events = 0;
	char line[128];
	struct err e;
	if (store_view_freeze(view, &e) < 0 || store_view_events(view, &events, &e) < 0)
		on_finding(v, e.text);
	if (store_view_check(view, on_finding, v) +
		    engine_verify(&journal, on_finding, v, &rollouts) >
		0 ||
	    v->said > 0) {
		sum_up(v, database);
		return -1;
	}
	str_print(
	    line, sizeof(line), "ok: %" PRId64 " rollouts, %" PRId64 " events", rollouts, events);
	v->say(line);
	return 0;
}

int
wire_verify(const char *database, void (*say)(const char *line))
{
	struct verifying v = {.say = say};
	struct err e;
	struct store_view *view = store_view_open(database, &e);
	if (view == NULL) {
		say(e.text);
		return -1;
	}
	int result = verify(view, &v, database);
	store_view_close(view);
	return result;
}
