/* The audit's rows that come of requests and of acts. Always true: a row that stands alone is in
 * the list until it is durable, the first of them with the journal and the others behind it; what
 * the list and the rate do not take is counted, and the count is a row. */
#include "engine/audit.h"

#include <inttypes.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/engine_room.h"

#define MOST 200       /* rows that wait */
#define BURST 60       /* rows of what was refused at once, */
#define EVERY_MS 10000 /* and one more each */
#define RETRY_MS 2000
#define COUNT_MS 60000 /* what is left out is told so long after the first of it */

struct audit {
	struct engine *engine;
	struct loop_timer *timer;
	struct chain_row *rows[MOST]; /* owned */
	int count, handed;	      /* the first ones are with the journal */
	bool failed;		      /* they came back: tried again by the timer */
	int64_t full_ms;	      /* monotonic: when BURST could be taken at once */
	int64_t left_out, left_ms;    /* since */
};

static int64_t
mono_ms(const struct audit *audit)
{
	return audit->engine->ports.clock.mono_ms(audit->engine->ports.clock.ctx);
}

static void
drop_first(struct audit *audit, int count)
{
	for (int i = 0; i < count; i++)
		free(audit->rows[i]);
	audit->count -= count;
	memmove(audit->rows, audit->rows + count, (size_t)audit->count * sizeof(audit->rows[0]));
}

static void flush(struct audit *audit);

static void
on_done(void *ctx, uint64_t ticket, bool ok, const char *why)
{
	struct audit *audit = ctx;
	int handed = audit->handed;
	(void)ticket;
	(void)why; /* the store has said it */
	audit->handed = 0;
	audit->failed = !ok;
	if (ok) {
		drop_first(audit, handed);
		flush(audit);
	} else {
		loop_timer_set(audit->timer, RETRY_MS);
	}
}

static void
flush(struct audit *audit)
{
	const struct journal_port *journal = &audit->engine->ports.journal;
	struct journal_write writes[MOST];
	if (audit->count == 0 || audit->handed > 0)
		return;
	for (int i = 0; i < audit->count; i++)
		writes[i] = (struct journal_write){.kind = JOURNAL_AUDIT, .audit = audit->rows[i]};
	audit->handed = audit->count;
	journal->append(journal->ctx, writes, audit->count, on_done, audit, 0);
}

static void
leave_out(struct audit *audit)
{
	if (audit->left_out++ > 0)
		return;
	audit->left_ms = mono_ms(audit);
	if (!audit->failed)
		loop_timer_set(audit->timer, COUNT_MS);
}

static void
add(struct audit *audit, const struct chain_row *row)
{
	if (audit->count == MOST) {
		leave_out(audit);
		return;
	}
	audit->rows[audit->count++] = chain_copy(row);
	if (!audit->failed)
		flush(audit);
}

static void
tell_left_out(struct audit *audit)
{
	char detail[96];
	struct chain_row row = {.at_ms = engine_now_ms(audit->engine),
	    .who = "airisd",
	    .what = "left out",
	    .detail = detail,
	    .outcome = "counted"};
	int64_t left_ms = audit->left_ms + COUNT_MS - mono_ms(audit);
	if (audit->left_out == 0)
		return;
	if (left_ms > 0 || audit->failed || audit->count == MOST) {
		loop_timer_set(audit->timer, left_ms > RETRY_MS ? left_ms : RETRY_MS);
		return;
	}
	str_print(
	    detail, sizeof(detail), "%" PRId64 " requests that changed nothing", audit->left_out);
	audit->left_out = 0;
	add(audit, &row);
}

static void
on_timer(void *ctx)
{
	struct audit *audit = ctx;
	audit->failed = false;
	flush(audit);
	tell_left_out(audit);
}

struct audit *
audit_new(struct engine *engine)
{
	struct audit *audit = mem_alloc(sizeof(*audit));
	audit->engine = engine;
	audit->timer = loop_timer_new(engine->loop, on_timer, audit);
	return audit;
}

void
audit_free(struct audit *audit)
{
	if (audit == NULL)
		return;
	int64_t lost = audit->left_out + audit->count - audit->handed;
	if (lost > 0)
		log_warn("engine", "%" PRId64 " requests that changed nothing are not in the audit",
		    lost);
	drop_first(audit, audit->count);
	loop_timer_free(audit->timer);
	free(audit);
}

/* A bucket of BURST, which is full again some time after the last. */
static bool
may_write(struct audit *audit)
{
	int64_t now_ms = mono_ms(audit);
	int64_t full_ms = audit->full_ms > now_ms ? audit->full_ms : now_ms;
	if (full_ms + EVERY_MS > now_ms + (int64_t)BURST * EVERY_MS)
		return false;
	audit->full_ms = full_ms + EVERY_MS;
	return true;
}

static void
add_alone(struct audit *audit, const struct chain_row *row)
{
	if (may_write(audit))
		add(audit, row);
	else
		leave_out(audit);
}

struct chain_row
audit_row(struct engine *engine, const struct engine_note *note, const struct rollout *r,
    const struct app *app)
{
	static const struct actor self = {.name = "airisd"};
	const struct actor *actor = note->actor != NULL ? note->actor : &self;
	if (r != NULL)
		app = r->app;
	return (struct chain_row){.at_ms = engine_now_ms(engine),
	    .who = actor->name,
	    .id = actor->id,
	    .from = actor->from,
	    .what = note->what,
	    .cluster = app != NULL ? app->cluster : NULL,
	    .namespace = app != NULL ? app->namespace : NULL,
	    .app = app != NULL ? app->name : note->app,
	    .rollout = r != NULL ? r->id : note->rollout,
	    .detail = note->detail,
	    .why = note->why,
	    .outcome = note->outcome};
}

void
engine_audit(struct engine *engine, const struct engine_note *note)
{
	const struct app *app = note->app != NULL ? engine_app(engine, note->app) : NULL;
	struct chain_row row = audit_row(engine, note, NULL, app);
	add_alone(engine->audit, &row);
}

void
audit_refused(struct engine *engine, const struct engine_note *note, const struct rollout *r,
    const struct app *app, const char *why)
{
	struct chain_row row = audit_row(engine, note, r, app);
	char outcome[AUDIT_LINE];
	str_print(outcome, sizeof(outcome), "refused: %s", why);
	if (row.outcome == NULL)
		row.outcome = outcome;
	add_alone(engine->audit, &row);
}

void
audit_lost(struct engine *engine)
{
	leave_out(engine->audit);
}

static void
outcome_text(const char *outcome, const char *text, char to[AUDIT_LINE])
{
	str_print(to, AUDIT_LINE, "%s%s%s", outcome, text[0] != '\0' ? ": " : "", text);
}

/* Of an earlier one that is not known any more: ACT_NONE. *told: it has had its row, and now it was
 * seen what came of it. */
static struct act
act_of(const struct rollout *r, uint64_t attempt, bool *told)
{
	struct late_acts late = r->late;
	struct late_act *found = late_find(&late, attempt);
	*told = false;
	if (attempt == r->attempt.number) {
		*told = !r->attempt.pending;
		return r->attempt.act;
	}
	if (attempt == r->overtaken.attempt)
		return rollout_past_act(r, &r->overtaken);
	*told = found != NULL;
	return found != NULL ? rollout_past_act(r, &found->act) : (struct act){.kind = ACT_NONE};
}

void
audit_acted(struct entry *entry, const struct event *event)
{
	const struct rollout *r = entry->rollout;
	char what[64], detail[APP_NAME * 2 + APP_IMAGE] = "", outcome[AUDIT_LINE];
	bool told;
	struct act act = act_of(r, (uint64_t)jsonx_int(event->data, "attempt", 0), &told);
	if (act.kind != ACT_NONE)
		act_text(&act, r->app, detail, sizeof(detail));
	str_print(what, sizeof(what), "%s %s", told ? "seen" : "act", act_name(act.kind));
	outcome_text(jsonx_text_or(event->data, "outcome", ""),
	    jsonx_text_or(event->data, "text", ""), outcome);
	struct engine_note note = {.what = what, .detail = detail, .outcome = outcome};
	struct chain_row row = audit_row(entry->engine, &note, r, NULL);
	row.at_ms = event->at_ms;
	commit_audit(entry, &row);
}
