/* Starting: a release and a rollout of it, once per Idempotency-Key, by the app's policy for a
 * second start. Undo is a start with the image that ran before. */
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/engine_room.h"
#include "engine/outbox.h"

struct pending_key {
	struct batch *batch; /* it is freed only after the key is forgotten */
	char rollout[ID_SIZE];
	char hash[1200];
};

struct known_key {
	char rollout[ID_SIZE];
	bool found, same;
	const char *hash;
	int64_t now_ms;
};

static struct engine_note
note_of(const struct engine_start *start)
{
	return (struct engine_note){.actor = &start->actor,
	    .what = start->undo ? "undo" : "start",
	    .app = start->app,
	    .detail = start->image,
	    .why = start->why};
}

static void
refuse(struct engine *engine, const struct engine_start *start, const struct engine_reply *reply,
    enum engine_result result, const char *why)
{
	const struct app *app = engine_app(engine, start->app);
	struct engine_note note = note_of(start);
	if (result == ENGINE_DEGRADED)
		audit_lost(engine);
	else
		audit_refused(engine, &note, NULL, app, why);
	reply_later(engine, reply, result, start->app, why);
}

static void
write_audit(struct entry *entry, const struct engine_start *start)
{
	const struct release *release = &entry->rollout->release;
	struct engine_note note = note_of(start);
	char detail[APP_IMAGE + sizeof(release->commit) + 64];
	str_print(detail, sizeof(detail), "release %d, image %s%s%s", release->number,
	    release->image, release->commit[0] != '\0' ? ", commit " : "", release->commit);
	note.detail = detail;
	note.outcome = "created";
	struct chain_row row = audit_row(entry->engine, &note, entry->rollout, NULL);
	row.at_ms = release->at_ms;
	commit_audit(entry, &row);
}

/* What a request asks for, as text: the same key with another text is another request. Why it is
 * asked for makes no other one. */
static void
request_text(const struct engine_start *start, char *to, size_t size)
{
	str_print(to, size, "%s|%s|%s|%d|%d", start->app, start->image ? start->image : "",
	    start->commit ? start->commit : "", start->undo, start->to);
}

static bool
on_key(void *ctx, const struct journal_row *row)
{
	struct known_key *known = ctx;
	known->found = known->now_ms - row->at_ms < JOURNAL_KEY_MS;
	known->same = str_equal(row->name, known->hash);
	str_copy(known->rollout, sizeof(known->rollout), row->text);
	return false;
}

/* True if the key was used before: then it was answered. */
static bool
key_was_used(struct engine *engine, const struct engine_start *start, const char *hash,
    const struct engine_reply *reply)
{
	const struct journal_port *journal = &engine->ports.journal;
	struct known_key known = {.hash = hash, .now_ms = engine_now_ms(engine)};
	struct err e;
	struct pending_key *pending = map_get(engine->keys, start->key);
	if (pending != NULL && strcmp(pending->hash, hash) == 0) {
		commit_reply_with(pending->batch, reply, ENGINE_OK, pending->rollout, "");
		return true;
	}
	if (pending != NULL)
		known.found = true;
	else if (journal->key(journal->ctx, start->key, on_key, &known, &e) < 0) {
		reply_later(engine, reply, ENGINE_DEGRADED, start->app, e.text);
		return true;
	}
	if (!known.found)
		return false;
	struct engine_note note = note_of(start);
	if (!known.same)
		audit_refused(engine, &note, NULL, engine_app(engine, start->app),
		    "the Idempotency-Key was used for another request");
	reply_later(engine, reply, known.same ? ENGINE_OK : ENGINE_KEY_REUSED, known.rollout,
	    known.same ? "" : "this Idempotency-Key was used for another request: take a new one");
	return true;
}

static void
write_key(struct entry *entry, const char *key, const char *hash)
{
	struct journal_write write = {.kind = JOURNAL_KEY,
	    .key = key,
	    .name = hash,
	    .text = entry->rollout->id,
	    .at_ms = entry->rollout->created_ms};
	struct pending_key *pending = mem_alloc(sizeof(*pending));
	str_copy(pending->rollout, sizeof(pending->rollout), entry->rollout->id);
	str_copy(pending->hash, sizeof(pending->hash), hash);
	free(map_set(entry->engine->keys, key, pending));
	commit_write(entry, &write);
	pending->batch = commit_open(entry);
}

static void
write_release(struct entry *entry)
{
	const struct release *release = &entry->rollout->release;
	json_t *json = release_json(release);
	char *text = jsonx_dump(json);
	struct journal_write write = {.kind = JOURNAL_RELEASE,
	    .key = release->app,
	    .app = release->app,
	    .number = release->number,
	    .text = text,
	    .actor = release->who,
	    .at_ms = release->at_ms};
	commit_write(entry, &write);
	free(text);
	json_decref(json);
}

static void
fill_release(const struct engine_start *start, int number, int64_t now_ms, struct release *release)
{
	*release =
	    (struct release){.number = number, .at_ms = now_ms, .known_good = start->known_good};
	str_copy(release->app, sizeof(release->app), start->app);
	str_copy(release->image, sizeof(release->image), start->image);
	str_copy(release->who, sizeof(release->who), start->actor.name ? start->actor.name : "");
	str_copy(release->why, sizeof(release->why), start->why ? start->why : "");
	str_copy(release->commit, sizeof(release->commit), start->commit ? start->commit : "");
}

static void
set_trace(json_t *data, const char *traceparent)
{
	struct trace trace;
	char text[TRACE_PARENT];
	if (!trace_read(traceparent, &trace))
		return;
	trace_write(&trace, trace.parent, text);
	json_object_set_new(data, "traceparent", json_string(text));
}

static struct rollout *
make_rollout(struct engine *engine, const struct app_entry *app, const struct release *release,
    const struct engine_start *start, json_t **data)
{
	char id[ID_SIZE];
	struct err e;
	/* Ids sort by age, also of two in the same ms. */
	engine->id_ms = release->at_ms > engine->id_ms ? release->at_ms : engine->id_ms + 1;
	id_new(id, "r-", engine->id_ms);
	struct rollout *rollout = rollout_new(id);
	*data = json_pack("{s:O, s:o}", "app", app->app->spec, "release", release_json(release));
	if (start->actor.id != NULL && start->actor.id[0] != '\0')
		json_object_set_new(*data, "starter", json_string(start->actor.id));
	set_trace(*data, start->traceparent);
	struct event event = {
	    .kind = EVENT_CREATED, .at_ms = release->at_ms, .actor = release->who, .data = *data};
	if (rollout_fold(rollout, &event, &e) < 0)
		log_fatal("a new rollout does not fold: %s", e.text);
	return rollout;
}

static void
write_created(struct entry *entry, json_t *data)
{
	const struct rollout *r = entry->rollout;
	char *text = jsonx_dump(data);
	struct journal_write write = {.kind = JOURNAL_EVENT,
	    .key = r->id,
	    .app = r->app->name,
	    .name = event_name(EVENT_CREATED),
	    .text = text,
	    .actor = r->release.who,
	    .at_ms = r->created_ms};
	struct notice_mark before = {.phase = PHASE_QUEUED};
	commit_write(entry, &write);
	outbox_note(entry, EVENT_CREATED, r->created_ms, &before, r->release.who);
	log_line(LOG_INFO, "engine", r->id, r->app->name, "created: release %d, image %s, by %s",
	    r->release.number, r->release.image, r->release.who);
	free(text);
}

static bool
note_number(void *ctx, const struct journal_row *row)
{
	*(int *)ctx = (int)row->number;
	return false;
}

/* Numbers are never given twice, even if the app was deleted meanwhile. */
static int
next_number(struct engine *engine, struct app_entry *app, int *number, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	if (app->releases == 0 &&
	    journal->releases(journal->ctx, app->name, 0, 1, note_number, &app->releases, e) < 0)
		return -1;
	*number = ++app->releases;
	return 0;
}

static void
start_now(struct engine *engine, struct app_entry *app, const struct engine_start *start,
    const char *hash, const struct engine_reply *reply)
{
	struct release release;
	json_t *data;
	int number;
	struct err e;
	if (next_number(engine, app, &number, &e) < 0) {
		refuse(engine, start, reply, ENGINE_DEGRADED, e.text);
		return;
	}
	fill_release(start, number, engine_now_ms(engine), &release);
	struct rollout *rollout = make_rollout(engine, app, &release, start, &data);
	struct entry *entry = engine_entry_new(engine, rollout);
	write_release(entry);
	write_created(entry, data);
	json_decref(data);
	if (start->key != NULL)
		write_key(entry, start->key, hash);
	write_audit(entry, start);
	commit_reply(entry, reply, ENGINE_CREATED, rollout->id, "");
	engine_mark(entry);
}

struct undoing {
	char last[ID_SIZE];
	int release;
	char image[APP_IMAGE];
	bool found;
};

static bool
note_last(void *ctx, const struct journal_row *row)
{
	struct undoing *u = ctx;
	if (u->release != 0 && row->number != u->release)
		return true;
	str_copy(u->last, sizeof(u->last), row->key);
	u->found = true;
	return false;
}

/* The image to go back to: of a release that succeeded, or the one that ran before the last; and
 * when that was, at the latest. */
static int
find_image(struct engine *engine, const struct engine_start *start, char image[APP_IMAGE],
    int64_t *good_ms, struct err *e)
{
	const struct journal_port *journal = &engine->ports.journal;
	struct journal_filter filter = {.app = start->app, .phase = "succeeded", .limit = 500};
	struct undoing u = {.release = start->to};
	struct rollout *last;
	if (journal->rollouts(journal->ctx, &filter, note_last, &u, e) < 0)
		return -1;
	if (!u.found && start->to != 0)
		return err_set(e,
		    "release %d of %s never succeeded: undo goes only to one that did", start->to,
		    start->app);
	if (!u.found)
		return err_set(
		    e, "no rollout of %s has succeeded yet: there is nothing to undo", start->app);
	if (recover_rollout(&engine->ports.journal, u.last, &last, e) < 0)
		return -1;
	str_copy(image, APP_IMAGE, start->to ? last->release.image : last->baseline.image);
	*good_ms = last->ended_ms;
	rollout_free(last);
	return 0;
}

static void
undo(struct engine *engine, struct app_entry *app, const struct engine_start *start,
    const char *hash, const struct engine_reply *reply)
{
	char image[APP_IMAGE], why[160];
	struct err e;
	struct engine_start with_image = *start;
	int64_t good_ms = 0;
	if (find_image(engine, start, image, &good_ms, &e) < 0) {
		refuse(engine, start, reply, ENGINE_REFUSED, e.text);
		return;
	}
	with_image.image = image;
	/* Where the clock has gone back nobody knows how long ago it was. */
	int64_t ago_ms = engine_now_ms(engine) - good_ms;
	with_image.known_good = ago_ms >= 0 && ago_ms < app->app->rollback_ms;
	if (start->why == NULL || start->why[0] == '\0') {
		str_print(why, sizeof(why), "undo to %s",
		    start->to ? "an earlier release" : "the image before");
		with_image.why = why;
	}
	start_now(engine, app, &with_image, hash, reply);
}

void
engine_start(
    struct engine *engine, const struct engine_start *start, const struct engine_reply *reply)
{
	char hash[1200];
	request_text(start, hash, sizeof(hash));
	if (start->key != NULL && key_was_used(engine, start, hash, reply))
		return;
	struct app_entry *app = map_get(engine->apps, start->app);
	if (app == NULL || app->app == NULL || app->leaving > 0) {
		refuse(engine, start, reply, ENGINE_NOT_FOUND, "no app of that name");
		return;
	}
	if (engine->degraded) {
		refuse(engine, start, reply, ENGINE_DEGRADED, engine->degraded_why);
		return;
	}
	if (app->rollouts != NULL && (app->app->on_start == START_REFUSE || start->undo)) {
		char why[256];
		str_print(why, sizeof(why),
		    "rollout %s of %s is %s: abort it or wait for its end%s",
		    app->rollouts->rollout->id, start->app,
		    phase_name(app->rollouts->rollout->phase),
		    start->undo ? "; abort goes back to what ran before" : " (onStart: refuse)");
		refuse(engine, start, reply, ENGINE_REFUSED, why);
		return;
	}
	if (start->undo)
		undo(engine, app, start, hash, reply);
	else
		start_now(engine, app, start, hash, reply);
}
