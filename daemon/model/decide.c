/* The next move. */
#include <stdarg.h>
#include <string.h>
#include "base/str.h"
#include "model/gate.h"
#include "model/move.h"
#include "model/preflight.h"
#include "model/strategy.h"

#define VERIFIED_FOR_MS 3000
#define VERIFY_AGAIN_MS 2000
#define UNANSWERED_MS 1500

void
move_event(struct move *m, enum event_kind kind, json_t *data)
{
	events_add(&m->out->events, kind, m->at->now_ms, data);
}

void
move_phase(struct move *m, enum phase to, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *reason = str_vformat(format, args);
	va_end(args);
	move_event(m, EVENT_PHASE, json_pack("{s:s, s:s}", "to", phase_name(to), "reason", reason));
	free(reason);
}

void
move_wake(struct move *m, int64_t at_ms)
{
	/* In the past: it has been looked at since, and looking again would change nothing (F59).
	 */
	if (at_ms > m->at->now_ms && (m->out->wake_ms == 0 || at_ms < m->out->wake_ms))
		m->out->wake_ms = at_ms;
}

int64_t
move_back_ms(const struct move *m)
{
	return m->at->back_ms > m->r->back_ms ? m->at->back_ms : m->r->back_ms;
}

void
move_waits(struct move *m, const struct waiting *waiting)
{
	const struct waiting *old = &m->r->waiting;
	bool same = strcmp(old->object, waiting->object) == 0;
	bool news = waiting->reason[0] != '\0' && strcmp(old->reason, waiting->reason) != 0;
	m->out->waiting = *waiting;
	m->out->waiting.since_ms = same ? old->since_ms : m->at->now_ms;
	move_wake(m, waiting->until_ms);
	if (!same || news || strcmp(old->next, waiting->next) != 0)
		move_event(m, EVENT_WAITS,
		    json_pack("{s:s, s:s, s:s, s:s, s:I}", "object", waiting->object, "what",
			waiting->what, "reason", waiting->reason, "next", waiting->next, "until_ms",
			(json_int_t)waiting->until_ms));
}

void
move_wait(struct move *m, int64_t until_ms, const char *object, const char *what, const char *next)
{
	struct waiting waiting = {.until_ms = until_ms};
	str_copy(waiting.object, sizeof(waiting.object), object);
	str_copy(waiting.what, sizeof(waiting.what), what);
	str_copy(waiting.next, sizeof(waiting.next), next);
	move_waits(m, &waiting);
}

/* What was true before the first act, and the ladder that follows from it. */
static void
compile(struct move *m)
{
	const struct app *app = m->r->app;
	struct baseline baseline;
	struct ladder ladder;
	baseline_take(&baseline, m->at->seen);
	if (app->colours)
		baseline_take_sides(&baseline, app, m->at->seen);
	app->strategy->compile(app, &baseline, &ladder);
	if (m->r->release.known_good)
		ladder_hasten(&ladder);
	move_event(m, EVENT_COMPILED,
	    json_pack("{s:o, s:o}", "baseline", baseline_json(&baseline), "ladder",
		ladder_json(&ladder)));
}

/* Two may not write. Not even traffic is taken off the canary: the other one may have moved it. */
static bool
fenced(struct move *m)
{
	const struct fence_seen *fence = &m->at->seen->fence;
	bool closed = fence->why[0] != '\0';
	if (closed && fence->other && !m->r->fenced)
		move_event(m, EVENT_FENCED, json_pack("{s:s}", "why", fence->why));
	if (closed)
		move_wait(m, 0, fence->object, fence->why,
		    "goes on from there when this airisd may write; until then it changes nothing");
	else if (m->r->fenced)
		move_event(m, EVENT_FENCE_OVER, NULL);
	return closed || m->r->fenced;
}

/* It is answered in a moment, which is not worth a line in the journal. */
static void
inquire(struct move *m)
{
	struct waiting *waiting = &m->out->waiting;
	m->out->inquire = true;
	*waiting = (struct waiting){.since_ms = m->r->phase_ms};
	str_copy(waiting->object, sizeof(waiting->object), "Preflight");
	str_copy(waiting->what, sizeof(waiting->what),
	    "the cluster is asked what airisd may write, the data sources what the gates ask");
	str_copy(waiting->next, sizeof(waiting->next), "then it begins");
}

static void
begin(struct move *m)
{
	struct errlist problems;
	char reason[sizeof(m->r->reason) - 16];
	if (!m->at->seen->fresh) {
		move_wait(m, 0, "Cluster", m->at->seen->stale, "then it begins");
		return;
	}
	if (fenced(m))
		return;
	if (m->at->unasked) {
		inquire(m);
		return;
	}
	errlist_init(&problems);
	preflight_find(m->r->app, m->at->seen, m->at->found, &problems);
	if (problems.count > 0) {
		preflight_reason(&problems, reason, sizeof(reason));
		move_phase(m, PHASE_ABORTING, "preflight: %s", reason);
	} else
		compile(m);
	errlist_done(&problems);
}

static void
queued(struct move *m)
{
	if (m->at->before != NULL) {
		char what[96];
		str_print(
		    what, sizeof(what), "rollout %s of the same app goes first", m->at->before);
		move_wait(m, 0, "App", what, "then it begins");
		return;
	}
	move_phase(m, PHASE_PROGRESSING, "%s", "");
}

/* Acts that cannot be taken back in a moment are not built on a watch that may have gone quiet.
 * Going home only a deletion is looked at before: it is no hurry, and somebody may have sent
 * traffic to what goes. */
static bool
needs_verifying(const struct move *m, const struct act *act)
{
	bool hurries = act->urgent && act->kind != ACT_DELETE_CANARY;
	if (hurries || m->at->seen->verified_ms + VERIFIED_FOR_MS >= m->at->now_ms)
		return false;
	return act->kind == ACT_WEIGHT || act->kind == ACT_SET_IMAGE ||
	       act->kind == ACT_DELETE_CANARY || act->kind == ACT_SCALE_STABLE ||
	       act->kind == ACT_ROLL || act_object(act->kind) == ON_POD;
}

static void
send(struct move *m, const struct act *act)
{
	const struct attempt *attempt = &m->r->attempt;
	bool again = attempt->act.kind == act->kind && attempt->act.number == act->number;
	if (again && attempt->retry_ms > m->at->now_ms) {
		char what[640], object[APP_NAME * 2];
		act_text(act, m->r->app, object, sizeof(object));
		str_print(what, sizeof(what), "the write was not taken (%s, %d in a row): %s",
		    act_outcome_name(attempt->outcome), attempt->failures, attempt->text);
		move_wait(m, attempt->retry_ms, object, what, "tried again until it is taken");
		return;
	}
	if (needs_verifying(m, act)) {
		m->out->verify = true;
		move_wake(m, m->at->now_ms + VERIFY_AGAIN_MS);
		return;
	}
	m->out->act = *act;
	move_event(m, EVENT_ACT,
	    json_pack("{s:I, s:s, s:i, s:s, s:b}", "attempt", (json_int_t)(attempt->number + 1),
		"act", act_name(act->kind), "number", act->number, "text", act->text, "urgent",
		act->urgent));
}

static int64_t
deadline_of(const struct move *m)
{
	int64_t back_ms = move_back_ms(m), from_ms = m->r->progress_ms;
	return (back_ms > from_ms ? back_ms : from_ms) + m->r->app->deadline_ms;
}

/* The stage's deadline runs while pods are waited for or writes are refused. */
static bool
past_deadline(struct move *m, const struct step *step)
{
	const struct rollout *r = m->r;
	bool refused =
	    step->kind == STEP_ACT && r->attempt.failures > 0 && r->attempt.outcome == ACT_REFUSED;
	if (r->phase == PHASE_PAUSED || !(step->on_pods || refused))
		return false;
	int64_t end_ms = deadline_of(m);
	if (m->at->now_ms < end_ms) {
		move_wake(m, end_ms);
		return false;
	}
	char after[32];
	str_duration_text(r->app->deadline_ms, after, sizeof(after));
	move_phase(m, PHASE_ABORTING, "no progress in stage \"%s\" within %s: %s: %s",
	    rollout_stage(r)->name, after, step->on_pods ? step->waiting.object : "write",
	    step->on_pods ? step->waiting.what : r->attempt.text);
	return true;
}

static void
blocked(struct move *m, struct step *step)
{
	const struct rollout *r = m->r;
	if (step->on_pods && !step->waiting.until_ms && r->phase == PHASE_PROGRESSING)
		step->waiting.until_ms = deadline_of(m);
	move_waits(m, &step->waiting);
}

static void
view_of(const struct move *m, bool held, struct view *view)
{
	const struct rollout *r = m->r;
	bool home = r->phase == PHASE_ABORTING;
	*view = (struct view){.rollout = r,
	    .seen = m->at->seen,
	    .target = home ? target_home() : rollout_stage(r)->target,
	    .now_ms = m->at->now_ms,
	    .settle_ms = m->at->settle_ms,
	    .back_ms = move_back_ms(m),
	    .mesh = m->at->mesh,
	    .urgent = home,
	    .held = held,
	    .adopt = home && strcmp(m->at->seen->stable.uid, r->baseline.uid) != 0};
}

/* Others made the stable side larger, so that more of the canary is wanted: it serves its share
 * with as many as before, and its hold does not begin anew (F34). */
static bool
is_outgrown(const struct move *m, const struct step *step)
{
	const struct rollout *r = m->r;
	const struct route_seen *route = &m->at->seen->route;
	const struct target *target = &rollout_stage(r)->target;
	enum act_kind act = step->act.kind;
	bool sizes =
	    act == ACT_NONE ? step->on_pods : act == ACT_SCALE_CANARY || act == ACT_HPA_FLOOR;
	return sizes && !r->app->rolls && !target->stable_new && route->exists &&
	       route->weight == target->weight &&
	       canary_ready_of(r, m->at->seen) >= r->records[r->stage].ready;
}

/* A stage that had been reached and is not any more has to be reached again. True: just now. */
static bool
unsettle(struct move *m, const struct step *step)
{
	const struct stage_record *record = &m->r->records[m->r->stage];
	bool outgrown = is_outgrown(m, step);
	if (record->settled_ms == 0 || (outgrown && record->outgrown))
		return false;
	move_event(m, EVENT_UNSETTLED, outgrown ? json_pack("{s:b}", "outgrown", 1) : NULL);
	return true;
}

/* To switch to it again and again would be worse than to go back once. */
static void
collapse(struct move *m)
{
	const struct rollout *r = m->r;
	const struct workload_seen *canary = &m->at->seen->canary;
	move_phase(m, PHASE_ABORTING,
	    "Deployment %s/%s has the traffic and %d ready pods in stage \"%s\"%s%s",
	    r->app->namespace, r->app->canary, canary_ready_of(r, m->at->seen),
	    rollout_stage(r)->name, canary->problem.reason[0] ? ": " : "", canary->problem.reason);
}

static void
go_on(struct move *m, bool held)
{
	struct view view;
	struct step step;
	view_of(m, held, &view);
	converge(&view, &step);
	m->out->ask_mesh = step.asks_mesh;
	if (step.collapsed) {
		collapse(m);
		return;
	}
	if (step.hopeless) {
		move_phase(m, PHASE_ABORTING, "%s: %s", step.waiting.object, step.waiting.what);
		return;
	}
	if (step.kind != STEP_SETTLED) {
		/* Its deadline begins with this; the last progress was before the hold (F40). */
		if (!unsettle(m, &step) && past_deadline(m, &step))
			return;
	}
	if (step.kind == STEP_ACT)
		send(m, &step.act);
	else if (step.kind == STEP_BLOCKED)
		blocked(m, &step);
	else if (held)
		move_waits(m, &m->hold);
	else
		leave(m);
}

/* A breach acts in every waiting state (I6), as a person's abort does: also while a write is not
 * answered, or the cluster is not seen. */
static bool
broken(struct move *m)
{
	const struct rollout *r = m->r;
	int gate = gate_first_broken(r);
	if (gate >= 0)
		move_phase(m, PHASE_ABORTING, "gate %s failed %d times in stage \"%s\": %s",
		    r->app->gates[gate].name, r->gates[gate].failures, rollout_stage(r)->name,
		    r->gates[gate].last.text);
	return gate >= 0;
}

static void
forward(struct move *m)
{
	const struct rollout *r = m->r;
	bool held = false;
	if (strcmp(m->at->seen->stable.uid, r->baseline.uid) != 0) {
		move_phase(m, PHASE_ABORTING, "%s %s/%s was deleted%s", app_workload_kind(r->app),
		    r->app->namespace, r->app->workload,
		    m->at->seen->stable.exists ? " and made anew" : "");
		return;
	}
	if (drift_answer(m, &held))
		return;
	if (m->out->repair.kind != ACT_NONE && m->out->repair.kind != ACT_WEIGHT)
		send(m, &m->out->repair);
	else
		go_on(m, held);
}

/* Nothing was done yet, so nothing has to be undone. */
static bool
untouched(const struct rollout *r)
{
	return !r->compiled || r->attempt.number == 0;
}

/* Traffic leaves the canary at once, on what was last seen and past an act under way: its
 * resourceVersion guards the write. Unless that act gives the stable side another image, or of two
 * colours another size: then it is about to change its pods. And what was last seen of a colour
 * that was resized since is not what there is. (A canary's stable side that shrinks keeps what
 * carries everything.) */
static bool
is_rescue(const struct move *m, const struct step *step)
{
	const struct attempt *attempt = &m->r->attempt;
	bool colours = m->r->app->colours;
	bool stable = attempt->act.kind == ACT_SET_IMAGE ||
		      (colours && attempt->act.kind == ACT_SCALE_STABLE);
	if (colours && m->r->resized && !m->at->seen->fresh)
		return false;
	/* There is no other side: the old image is what reduces the risk. */
	if (m->r->app->rolls)
		return step->kind == STEP_ACT && step->act.kind == ACT_SET_IMAGE;
	return step->kind == STEP_ACT && step->act.kind == ACT_WEIGHT &&
	       step->act.number <= m->at->seen->route.weight && !(attempt->pending && stable);
}

/* Everything else waits until what is there is known. */
static bool
is_unsure(struct move *m, const struct step *step)
{
	const struct attempt *attempt = &m->r->attempt;
	char what[640], text[512];
	if (is_rescue(m, step))
		return false;
	if (!m->at->seen->fresh) {
		move_wait(m, 0, "Cluster", m->at->seen->stale,
		    "goes on from there when it answers; nothing is torn down");
		return true;
	}
	if (!m->at->under_way)
		return false;
	act_text(&attempt->act, m->r->app, text, sizeof(text));
	str_print(what, sizeof(what), "no answer yet to a write from before the abort%s%s",
	    attempt->pending ? ": " : "", attempt->pending ? text : "");
	move_wait(m, 0, "Cluster", what, "then what it did is taken back");
	return true;
}

/* The traffic gets home without it; what is torn down after that can wait. */
static bool
waits_for_journal(struct move *m, const struct act *act)
{
	if (m->at->unwritten == NULL || act_goes_unwritten(m->at->seen, act))
		return false;
	move_wait(m, 0, "Database", m->at->unwritten, "goes on home when it can be written");
	return true;
}

/* Home is reached when a direct look after our last write says so: a write of unknown outcome may
 * have left something that no watch has told of yet. */
static void
arrived(struct move *m)
{
	if (m->at->seen->verified_ms >= m->r->attempt.answered_ms) {
		move_phase(m, PHASE_ABORTED, "%s", m->r->reason);
		return;
	}
	m->out->verify = true;
	move_wake(m, m->at->now_ms + VERIFY_AGAIN_MS);
}

static void
home(struct move *m)
{
	struct view view;
	struct step step;
	if (untouched(m->r)) {
		move_phase(m, PHASE_ABORTED, "%s", m->r->reason);
		return;
	}
	view_of(m, false, &view);
	converge(&view, &step);
	int64_t end_ms = deadline_of(m);
	m->out->ask_mesh = step.asks_mesh;
	if (is_unsure(m, &step) || (step.kind == STEP_ACT && waits_for_journal(m, &step.act)))
		return;
	if (step.kind == STEP_ACT)
		send(m, &step.act);
	else if (step.kind == STEP_SETTLED)
		arrived(m);
	else if (step.waiting.until_ms == 0 && !step.on_mesh && m->at->now_ms >= end_ms)
		move_phase(m, PHASE_FAILED, "%s; home is not reached: %s: %s", m->r->reason,
		    step.waiting.object, step.waiting.what);
	else {
		move_wake(m, end_ms);
		move_waits(m, &step.waiting);
	}
}

/* A webhook that hangs keeps a write for ten seconds; meanwhile what it said last time stands. */
static void
say_unanswered(struct move *m)
{
	const struct attempt *attempt = &m->r->attempt;
	const struct waiting *last = &m->r->waiting;
	char object[APP_NAME * 2 + APP_IMAGE];
	act_text(&attempt->act, m->r->app, object, sizeof(object));
	object[sizeof(last->object) - 1] = '\0';
	if (attempt->failures > 0 && strcmp(last->object, object) == 0)
		m->out->waiting = *last;
	else if (m->at->now_ms >= attempt->sent_ms + UNANSWERED_MS)
		move_wait(m, 0, object, "the cluster has not answered this write yet",
		    "goes on with what it answers");
	else
		move_wake(m, attempt->sent_ms + UNANSWERED_MS);
}

/* An abort overtakes an act that is under way; everything else waits for its answer. */
static bool
waits_for_answer(const struct rollout *r)
{
	return r->attempt.pending && (r->phase != PHASE_ABORTING || r->attempt.act.urgent);
}

static bool
stale(struct move *m)
{
	const struct observed *seen = m->at->seen;
	bool known = m->r->app->rolls ? seen->stable.exists : seen->route.exists;
	if (seen->fresh || (m->r->phase == PHASE_ABORTING && known))
		return false;
	move_wait(m, 0, "Cluster", seen->stale,
	    "goes on from there when it answers; nothing is torn down");
	return true;
}

/* A newer release takes its place: it goes home first. */
static bool
superseded(struct move *m)
{
	const char *by = m->at->superseded_by;
	bool ended = m->r->phase == PHASE_SUCCEEDED || m->r->phase == PHASE_ABORTED;
	if (by == NULL || ended || m->r->superseded_by[0] != '\0')
		return false;
	move_event(m, EVENT_SUPERSEDED, json_pack("{s:s}", "by_rollout", by));
	if (m->r->phase != PHASE_ABORTING)
		move_phase(m, PHASE_ABORTING, "superseded by rollout %s", by);
	return true;
}

void
decide(const struct situation *at, struct decision *out)
{
	struct move m = {.at = at, .r = at->rollout, .out = out};
	*out = (struct decision){0};
	if (superseded(&m) || phase_final(m.r->phase))
		return;
	if (m.r->phase == PHASE_QUEUED)
		queued(&m);
	else if (m.r->phase == PHASE_ABORTING && untouched(m.r))
		home(&m);
	else if (!m.r->compiled)
		begin(&m);
	else if (broken(&m) || stale(&m) || fenced(&m) || track(&m, waits_for_answer(m.r)))
		return;
	else if (waits_for_answer(m.r))
		say_unanswered(&m);
	else if (m.r->phase == PHASE_ABORTING)
		home(&m);
	else
		forward(&m);
}

void
decide_unwritten(const struct situation *at, struct decision *out)
{
	struct move m = {.at = at, .r = at->rollout, .out = out};
	*out = (struct decision){0};
	if (phase_forward(m.r->phase) && m.r->compiled)
		broken(&m);
}
