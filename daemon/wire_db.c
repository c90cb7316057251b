/* Copying and checking a database. */
#include "wire_db.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "engine/verify.h"
#include "store/keep.h"
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
	void (*say)(const char *line); /* NULL: into the list */
	json_t *list;
	int said;
	int64_t rollouts, events;
};

/* Names of files and what a damaged database holds may be any bytes. */
static json_t *
text_json(const char *text)
{
	char *plain = mem_strdup(text);
	if (!str_utf8_ok(plain, strlen(plain))) {
		for (char *at = plain; *at != '\0'; at++)
			*at = (unsigned char)*at >= 0x80 ? '?' : *at;
	}
	json_t *json = json_string(plain);
	free(plain);
	return json;
}

static void
on_finding(void *ctx, const char *text)
{
	struct verifying *v = ctx;
	if (v->said++ >= MOST_LINES)
		return;
	if (v->say != NULL)
		v->say(text);
	else
		json_array_append_new(v->list, text_json(text));
}

static void
sum_up(const struct verifying *v, const char *database)
{
	char line[1024], advice[STORE_ADVICE];
	store_schema_advice(database, advice, sizeof(advice));
	if (v->said > MOST_LINES) {
		str_print(line, sizeof(line), "… and %d more", v->said - MOST_LINES);
		v->say(line);
	}
	str_print(line, sizeof(line), "%s: %d finding%s. To restore a backup: %s", database,
	    v->said, v->said == 1 ? "" : "s", advice);
	v->say(line);
}

/* To its last row; -1: there were findings. */
static int
go_through(struct store_view *view, struct verifying *v)
{
	struct journal_port journal = store_view_port(view);
	struct err e;
	if (store_view_freeze(view, &e) < 0 || store_view_events(view, &v->events, &e) < 0)
		on_finding(v, e.text);
	store_view_check(view, on_finding, v);
	engine_verify(&journal, on_finding, v, &v->rollouts);
	return v->said > 0 ? -1 : 0;
}

static void
say_ok(const struct verifying *v)
{
	char line[128];
	str_print(line, sizeof(line), "ok: %" PRId64 " rollouts, %" PRId64 " events", v->rollouts,
	    v->events);
	v->say(line);
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
	int result = go_through(view, &v);
	if (result < 0)
		sum_up(&v, database);
	else
		say_ok(&v);
	store_view_close(view);
	return result;
}

json_t *
wire_verify_json(const char *database, bool *ok)
{
	struct verifying v = {.list = json_array()};
	struct err e;
	struct store_view *view = store_view_open(database, &e);
	json_t *all = json_pack("{s:o}", "file", text_json(database));
	*ok = view != NULL && go_through(view, &v) == 0;
	json_object_set_new(all, "ok", json_boolean(*ok));
	if (view == NULL)
		json_object_set_new(all, "error", text_json(e.text));
	else
		json_object_update_new(
		    all, json_pack("{s:I, s:I, s:i, s:O}", "rollouts", (json_int_t)v.rollouts,
			     "events", (json_int_t)v.events, "found", v.said, "findings", v.list));
	json_decref(v.list);
	store_view_close(view);
	return all;
}

/* --- copies of which the newest are kept ------------------------------------------------------ */

static int
check_copy(const char *copy, void (*say)(const char *line), struct err *e)
{
	struct verifying v = {.say = say};
	struct store_view *view = store_view_open(copy, e);
	if (view == NULL)
		return -1;
	int result = go_through(view, &v);
	store_view_close(view);
	if (result == 0)
		return say_ok(&v), 0;
	return err_set(e, "the copy %s has what was found in it, and so has the database", copy);
}

static int
copy_and_keep(struct store_keep *keep, const char *database, int count,
    void (*say)(const char *line), struct err *e)
{
	const char *fresh = store_keep_unverified(keep), *named = NULL;
	if (wire_backup(database, fresh, e) == 0 && check_copy(fresh, say, e) == 0)
		named = store_keep_name(keep, clock_wall_ms(), e);
	if (named == NULL)
		return err_wrap(e, "there is no new backup, and no older one was removed");
	char *line = str_format("%s: a copy of %s", named, database);
	say(line);
	free(line);
	return store_keep_prune(keep, count, say, e);
}

int
wire_backup_keep(const char *database, const char *folder, int count, void (*say)(const char *line),
    struct err *e)
{
	struct store_keep *keep = store_keep_open(folder, database, e);
	int result = keep == NULL ? -1 : copy_and_keep(keep, database, count, say, e);
	store_keep_close(keep);
	return result;
}
