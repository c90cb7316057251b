/* The only door into the journal. What happens to a rollout in one turn is one batch: folded at
 * once, handed over together, and only when it is durable are its acts sent and its answers given.
 * One batch of a rollout is with the journal at a time, so that whatever fails, what is written is
 * always a beginning of what happened. A batch that cannot be written is kept and tried again;
 * meanwhile nothing is built on it, except that an abort goes on reaching the cluster. A rollout
 * whose creation cannot be written was never there. */
#include <assert.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/count.h"
#include "engine/engine_room.h"
#include "engine/outbox.h"

#define RETRY_MS 2000

static void on_done(void *ctx, uint64_t ticket, bool ok, const char *why);

struct answer {
	struct engine_reply reply;
	enum engine_result result;
	char id[APP_LABEL];
	char why[512];
	struct answer *next;
};

struct batch {
	struct engine *engine;
	char rollout[ID_SIZE];	      /* "" : none */
	struct journal_write *writes; /* strings owned */
	int count;
	struct answer *answers;
	struct telling *tellings;
	bool urgent; /* it was handed over as that */
	bool sends;  /* an act waits for it: */
	uint64_t attempt;
	bool is_token;	    /* the write is a token */
	bool is_app;	    /* the write is an app: */
	struct app *app;    /* owned until it is durable; NULL: deleted */
	struct batch *next; /* in the rollout's queue */
};

static struct batch *
batch_new(struct engine *engine, const char *rollout)
{
	struct batch *batch = mem_alloc(sizeof(*batch));
	batch->engine = engine;
	str_copy(batch->rollout, sizeof(batch->rollout), rollout);
	return batch;
}

static void
batch_free(struct batch *batch)
{
	for (int i = 0; i < batch->count; i++) {
		struct journal_write *write = &batch->writes[i];
		free((void *)write->key);
		free((void *)write->app);
		free((void *)write->cluster);
		free((void *)write->name);
		free((void *)write->text);
		free((void *)write->actor);
		free((void *)write->audit);
	}
	while (batch->answers != NULL) {
		struct answer *answer = batch->answers;
		batch->answers = answer->next;
		free(answer);
	}
	outbox_tellings_free(batch->tellings);
	app_free(batch->app);
	free(batch->writes);
	free(batch);
}

static void
batch_add(struct batch *batch, const struct journal_write *write)
{
	batch->writes = mem_grow(batch->writes, (size_t)batch->count + 1, sizeof(*write));
	struct journal_write *copy = &batch->writes[batch->count++];
	*copy = *write;
	copy->key = mem_strdup(write->key);
	copy->app = mem_strdup(write->app);
	copy->cluster = mem_strdup(write->cluster);
	copy->name = mem_strdup(write->name);
	copy->text = mem_strdup(write->text);
	copy->actor = mem_strdup(write->actor);
	copy->audit = write->audit == NULL ? NULL : chain_copy(write->audit);
}

void
commit_reply_with(struct batch *batch, const struct engine_reply *reply, enum engine_result result,
    const char *id, const char *why)
{
	struct answer *answer = mem_alloc(sizeof(*answer));
	answer->reply = *reply;
	answer->result = result;
	str_copy(answer->id, sizeof(answer->id), id);
	str_copy(answer->why, sizeof(answer->why), why ? why : "");
	answer->next = batch->answers;
	batch->answers = answer;
}

struct batch *
commit_open(struct entry *entry)
{
	if (entry->open == NULL)
		entry->open = batch_new(entry->engine, entry->rollout->id);
	return entry->open;
}

void
commit_write(struct entry *entry, const struct journal_write *write)
{
	batch_add(commit_open(entry), write);
}

void
commit_telling(struct entry *entry, struct telling *telling)
{
	struct batch *batch = commit_open(entry);
	struct telling **at = &batch->tellings;
	while (*at != NULL)
		at = &(*at)->next;
	*at = telling;
	telling->write = batch->count - 1;
	assert(batch->writes[telling->write].kind == JOURNAL_EVENT);
}

void
commit_audit(struct entry *entry, const struct chain_row *row)
{
	commit_write(entry, &(struct journal_write){.kind = JOURNAL_AUDIT, .audit = row});
}

void
commit_reply(struct entry *entry, const struct engine_reply *reply, enum engine_result result,
    const char *id, const char *why)
{
	commit_reply_with(commit_open(entry), reply, result, id, why);
}

static void
log_event(const struct rollout *r, const struct event *event, const char *text)
{
	bool loud = event->kind == EVENT_PHASE || event->kind == EVENT_STAGE ||
		    event->kind == EVENT_ACT || event->kind == EVENT_COMMAND ||
		    event->kind == EVENT_DRIFT;
	log_line(loud ? LOG_INFO : LOG_DEBUG, "engine", r->id, r->app ? r->app->name : NULL,
	    "%s %s", event_name(event->kind), text);
}

void
commit_event(struct entry *entry, const struct event *event, const char *actor)
{
	struct rollout *r = entry->rollout;
	struct count_mark before = count_mark(r);
	struct notice_mark mark = notice_mark(r);
	struct err e;
	if (event->kind == EVENT_ACTED)
		audit_acted(entry, event);
	if (rollout_fold(r, event, &e) < 0)
		log_fatal("a decision does not fold: %s", e.text);
	count_event(entry, event, &before);
	char *text = jsonx_dump(event->data);
	struct journal_write write = {.kind = JOURNAL_EVENT,
	    .key = r->id,
	    .app = r->app->name,
	    .name = event_name(event->kind),
	    .text = text,
	    .actor = actor,
	    .at_ms = event->at_ms};
	commit_write(entry, &write);
	outbox_note(entry, event->kind, event->at_ms, &mark, actor);
	log_event(r, event, event->kind == EVENT_CREATED ? r->release.image : text);
	free(text);
}

void
commit_events(struct entry *entry, const struct events *events, const char *actor)
{
	for (int i = 0; i < events->count; i++)
		commit_event(entry, &events->list[i], actor);
}

/* The row by which lists find it; derived from the state, so written with its events. */
static void
add_summary(struct entry *entry)
{
	const struct rollout *r = entry->rollout;
	char *text = summary_text(r);
	struct journal_write write = {.kind = JOURNAL_ROLLOUT,
	    .key = r->id,
	    .app = r->app->name,
	    .cluster = r->app->cluster,
	    .name = phase_name(r->phase),
	    .text = text,
	    .number = r->release.number,
	    .at_ms = r->created_ms,
	    .final = rollout_ended(r)};
	commit_write(entry, &write);
	free(text);
}

static void
tell_event(struct engine *engine, const struct entry *entry, const struct journal_row *row)
{
	const struct trace_port *traces = &engine->ports.traces;
	engine->ports.event(engine->ports.ctx, row);
	if (entry != NULL && traces->event != NULL)
		traces->event(traces->ctx, entry->rollout, row);
}

static void
tell(struct engine *engine, struct batch *batch)
{
	const struct entry *entry = engine_entry(engine, batch->rollout);
	for (int i = 0; i < batch->count; i++) {
		const struct journal_write *write = &batch->writes[i];
		if (write->kind == JOURNAL_OUTBOX)
			outbox_written(engine, write);
		if (write->kind != JOURNAL_EVENT)
			continue;
		struct journal_row row = {.seq = write->number,
		    .at_ms = write->at_ms,
		    .key = write->key,
		    .app = write->app,
		    .name = write->name,
		    .text = write->text,
		    .actor = write->actor};
		tell_event(engine, entry, &row);
	}
	outbox_tell(batch->tellings, batch->writes);
}

static void
give_answers(struct batch *batch, bool ok, const char *why)
{
	for (struct answer *answer = batch->answers; answer != NULL; answer = answer->next)
		answer->reply.done(answer->reply.ctx, answer->reply.request,
		    ok ? answer->result : ENGINE_DEGRADED, answer->id, ok ? answer->why : why);
	while (batch->answers != NULL) {
		struct answer *answer = batch->answers;
		batch->answers = answer->next;
		free(answer);
	}
}

static void
forget_keys(struct engine *engine, const struct batch *batch)
{
	for (int i = 0; i < batch->count; i++)
		if (batch->writes[i].kind == JOURNAL_KEY)
			free(map_remove(engine->keys, batch->writes[i].key));
}

static void
hand_over(struct engine *engine, struct batch *batch)
{
	uint64_t ticket = ++engine->ticket;
	for (int i = 0; i < batch->count; i++)
		batch->writes[i].urgent = batch->urgent;
	map_set_number(engine->batches, ticket, batch);
	engine->ports.journal.append(
	    engine->ports.journal.ctx, batch->writes, batch->count, on_done, engine, ticket);
}

/* Its events may be written into the space that is kept for aborts, those before the abort too. */
static bool
goes_home(const struct entry *entry)
{
	enum phase phase = entry->rollout->phase;
	return phase == PHASE_ABORTING || phase == PHASE_ABORTED || phase == PHASE_FAILED;
}

static void
hand_next(struct entry *entry)
{
	struct batch *batch = entry->queue;
	if (batch == NULL || entry->handed)
		return;
	entry->queue = batch->next;
	batch->next = NULL;
	batch->urgent = goes_home(entry);
	entry->handed = true;
	hand_over(entry->engine, batch);
}

static void
arrive(struct app_entry *entry, const struct batch *batch)
{
	if (entry->coming == batch)
		entry->coming = NULL;
}

static void
apply_app(struct engine *engine, struct batch *batch)
{
	struct app_entry *entry = engine_app_entry(engine, batch->writes[0].key);
	arrive(entry, batch);
	engine->stats.apps += (batch->app != NULL) - (entry->app != NULL);
	entry->leaving -= batch->app == NULL;
	app_free(entry->app);
	entry->app = batch->app;
	batch->app = NULL;
}

/* Those before it may be superseded by it. */
static void
become_known(struct entry *entry)
{
	if (entry->known)
		return;
	entry->known = true;
	count_started(entry);
	for (struct entry *other = entry->app->rollouts; other; other = other->next_of_app)
		engine_mark(other);
}

static void
durable_rollout(struct entry *entry, const struct batch *batch)
{
	entry->handed = false;
	entry->unsaved--;
	become_known(entry);
	for (int i = 0; i < batch->count; i++)
		if (batch->writes[i].kind == JOURNAL_EVENT)
			entry->rollout->last_seq = batch->writes[i].number;
	if (batch->sends && batch->attempt == entry->rollout->attempt.number)
		effects_send(entry);
	hand_next(entry);
	if (entry->doomed || entry->unwritten)
		engine_mark(entry);
	entry->unwritten = entry->unwritten && entry->handed;
}

static void
all_is_well(struct engine *engine)
{
	if (engine->degraded_said)
		log_info("engine", "the journal can be written again");
	engine->degraded = engine->degraded_said = false;
}

static void
durable(struct engine *engine, struct batch *batch)
{
	struct entry *entry = engine_entry(engine, batch->rollout);
	if (!batch->urgent)
		all_is_well(engine);
	if (entry != NULL)
		durable_rollout(entry, batch);
	if (batch->is_app)
		apply_app(engine, batch);
	if (batch->is_token)
		tokens_apply(engine, &batch->writes[0]);
	forget_keys(engine, batch);
	tell(engine, batch);
	give_answers(batch, true, "");
	batch_free(batch);
}

static void
app_not_durable(struct engine *engine, const struct batch *batch)
{
	struct app_entry *entry = engine_app_entry(engine, batch->writes[0].key);
	arrive(entry, batch);
	entry->leaving -= batch->app == NULL;
}

/* Nothing waits behind the batch that would have created it. */
static void
forget_rollout(struct entry *entry)
{
	entry->unsaved = 0;
	engine_doom(entry);
	engine_mark(entry);
}

/* Said once, however often it is tried. */
static void
degrade(struct engine *engine, const char *why)
{
	if (!engine->degraded_said)
		log_error("engine", "the journal cannot be written: %s", why);
	if (!engine->degraded)
		engine->degraded_ms = engine_now_ms(engine);
	engine->degraded = engine->degraded_said = true;
	str_copy(engine->degraded_why, sizeof(engine->degraded_why), why);
	loop_timer_set(engine->retry, RETRY_MS);
}

static void
put_back(struct entry *entry, struct batch *batch)
{
	entry->handed = false;
	entry->unwritten = true;
	batch->next = entry->queue;
	entry->queue = batch;
}

static void
not_durable(struct engine *engine, struct batch *batch, const char *why)
{
	struct entry *entry = engine_entry(engine, batch->rollout);
	degrade(engine, why);
	/* The abort came while it was on its way: now it may be written. */
	if (entry != NULL && entry->known && goes_home(entry) && !batch->urgent) {
		put_back(entry, batch);
		hand_next(entry);
		return;
	}
	give_answers(batch, false, why);
	if (entry == NULL || !entry->known) {
		if (batch->is_app)
			app_not_durable(engine, batch);
		forget_keys(engine, batch);
		if (entry != NULL)
			forget_rollout(entry);
		batch_free(batch);
		return;
	}
	put_back(entry, batch);
	for (batch = entry->queue; batch != NULL; batch = batch->next)
		give_answers(batch, false, why);
	effects_unwritten(entry);
}

static void
on_done(void *ctx, uint64_t ticket, bool ok, const char *why)
{
	struct engine *engine = ctx;
	struct batch *batch = map_remove_number(engine->batches, ticket);
	if (batch == NULL)
		return;
	if (ok)
		durable(engine, batch);
	else
		not_durable(engine, batch, why);
}

void
commit_close(struct entry *entry)
{
	struct batch *batch = entry->open;
	if (batch == NULL)
		return;
	add_summary(entry);
	entry->open = NULL;
	batch->sends = entry->sending.kind != ACT_NONE;
	batch->attempt = entry->rollout->attempt.number;
	entry->unsaved++;
	struct batch **at = &entry->queue;
	while (*at != NULL)
		at = &(*at)->next;
	*at = batch;
	if (!entry->unwritten || goes_home(entry)) {
		hand_next(entry);
		return;
	}
	give_answers(batch, false, entry->engine->degraded_why);
}

void
commit_app(struct engine *engine, const struct journal_write *write, const struct chain_row *row,
    struct app *app, const struct engine_reply *reply, enum engine_result result)
{
	struct batch *batch = batch_new(engine, "");
	batch->is_app = true;
	batch->app = app;
	batch_add(batch, write);
	batch_add(batch, &(struct journal_write){.kind = JOURNAL_AUDIT, .audit = row});
	commit_reply_with(batch, reply, result, write->key, "");
	engine_app_entry(engine, write->key)->coming = batch;
	hand_over(engine, batch);
}

void
commit_token(struct engine *engine, const struct journal_write *write, const struct chain_row *row,
    const struct engine_reply *reply, enum engine_result result)
{
	struct batch *batch = batch_new(engine, "");
	batch->is_token = true;
	/* A full disk must not keep anybody from shutting somebody out. What nobody waits for is
	 * tidying up, which has no right to the space for aborts. */
	batch->urgent = write->text == NULL && write->number == 0 && reply != NULL;
	batch_add(batch, write);
	if (row != NULL)
		batch_add(batch, &(struct journal_write){.kind = JOURNAL_AUDIT, .audit = row});
	if (reply != NULL)
		commit_reply_with(batch, reply, result, write->key, "");
	hand_over(engine, batch);
}

void
commit_outbox(struct engine *engine, const struct journal_write *writes, int count,
    const struct chain_row *row, const struct engine_reply *reply)
{
	struct batch *batch = batch_new(engine, "");
	for (int i = 0; i < count; i++)
		batch_add(batch, &writes[i]);
	if (row != NULL)
		batch_add(batch, &(struct journal_write){.kind = JOURNAL_AUDIT, .audit = row});
	commit_reply_with(batch, reply, ENGINE_OK, "", "");
	hand_over(engine, batch);
}

const struct app *
commit_coming(const struct app_entry *entry)
{
	return entry->coming != NULL ? entry->coming->app : entry->app;
}

void
commit_app_reply(struct engine *engine, const struct app_entry *entry,
    const struct engine_reply *reply, enum engine_result result, const char *why)
{
	if (entry->coming != NULL)
		commit_reply_with(entry->coming, reply, result, entry->name, why);
	else
		reply_later(engine, reply, result, entry->name, why);
}

/* With nothing to be tried again, the next request finds out whether it can be written. */
void
commit_retry(struct engine *engine)
{
	size_t cursor = 0;
	const char *id;
	void *value;
	bool any = false;
	while (map_next(engine->live, &cursor, &id, &value)) {
		struct entry *entry = value;
		if (!entry->unwritten)
			continue;
		any = true;
		hand_next(entry);
	}
	if (any)
		loop_timer_set(engine->retry, RETRY_MS);
	else
		engine->degraded = false;
}

struct late {
	struct engine_reply reply;
	enum engine_result result;
	char id[APP_LABEL], why[1024];
};

static void
on_late(void *ctx)
{
	struct late *late = ctx;
	late->reply.done(late->reply.ctx, late->reply.request, late->result, late->id, late->why);
	free(late);
}

void
reply_later(struct engine *engine, const struct engine_reply *reply, enum engine_result result,
    const char *id, const char *why)
{
	struct late *late = mem_alloc(sizeof(*late));
	late->reply = *reply;
	late->result = result;
	str_copy(late->id, sizeof(late->id), id);
	str_copy(late->why, sizeof(late->why), why ? why : "");
	loop_defer(engine->loop, on_late, late);
}

static void
free_batch(void *value)
{
	batch_free(value);
}

void
commit_free(struct engine *engine)
{
	size_t cursor = 0;
	const char *id;
	void *value;
	while (map_next(engine->live, &cursor, &id, &value)) {
		struct entry *entry = value;
		while (entry->queue != NULL) {
			struct batch *batch = entry->queue;
			entry->queue = batch->next;
			batch_free(batch);
		}
		if (entry->open != NULL)
			batch_free(entry->open);
	}
	map_free(engine->batches, free_batch);
}
