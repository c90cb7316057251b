/* The stage is reached: hold, approval, gates, and then the next one. */
#include "base/str.h"
#include "model/gate.h"
#include "model/move.h"

static int64_t
held_until(const struct rollout *r)
{
	return r->records[r->stage].settled_ms + rollout_stage(r)->hold_ms;
}

static bool
in_hold(struct move *m)
{
	const struct rollout *r = m->r;
	const struct target *target = &rollout_stage(r)->target;
	char what[APP_NAME + 64];
	int64_t until_ms = held_until(r);
	if (m->at->now_ms >= until_ms)
		return false;
	if (r->app->rolls)
		str_print(what, sizeof(what), "held: %d pods run the release", r->batch);
	else if (!r->app->colours)
		str_print(what, sizeof(what), "held at canary weight %d", target->weight);
	else
		str_print(what, sizeof(what), "held: %s %s", r->app->canary,
		    target->weight != 0			      ? "has the traffic"
		    : r->app->traffic.kind == TRAFFIC_SERVICE ? "is shown by the preview"
							      : "is reached by its own Service");
	move_wait(
	    m, until_ms, "Stage", what, "then its gates decide; `rollout promote` skips the hold");
	return true;
}

static bool
not_approved(struct move *m)
{
	if (!rollout_stage(m->r)->approve || m->r->approved)
		return false;
	move_wait(m, 0, "Approval", "a person must approve the next stage",
	    "`rollout approve` goes on, `rollout abort` goes home");
	return true;
}

static void
gate_deadline(struct move *m, int gate, const char *why)
{
	const struct gate_spec *spec = &m->r->app->gates[gate];
	char after[32];
	str_duration_text(spec->deadline_ms, after, sizeof(after));
	if (spec->on_deadline == DEADLINE_ABORT)
		move_phase(m, PHASE_ABORTING, "gate %s did not pass within %s: %s", spec->name,
		    after, why);
	else
		move_phase(
		    m, PHASE_PAUSED, "gate %s did not pass within %s: %s", spec->name, after, why);
}

static bool
gates_wait(struct move *m)
{
	const struct rollout *r = m->r;
	int gate = gate_waited_for(r, m->at->now_ms);
	if (gate < 0)
		return false;
	const struct gate_spec *spec = &r->app->gates[gate];
	const struct gate_sample *last = &r->gates[gate].last;
	char object[96], what[400];
	str_print(object, sizeof(object), "Gate %s", spec->name);
	str_print(what, sizeof(what), "%s%s%s",
	    r->gates[gate].count == 0 ? "not measured yet" : verdict_name(last->verdict),
	    last->text[0] ? ": " : "", last->text);
	int64_t from_ms = held_until(r);
	if (r->resumed_ms > from_ms)
		from_ms = r->resumed_ms;
	if (r->gates[gate].again_ms > from_ms)
		from_ms = r->gates[gate].again_ms;
	int64_t until_ms = from_ms + spec->deadline_ms;
	/* Nobody is sent home by a gate that was not asked: airisd may have been down. */
	if (m->at->now_ms >= until_ms && gate_is_fresh(r, gate, m->at->now_ms))
		gate_deadline(m, gate, what);
	else
		move_wait(m, until_ms, object, what,
		    spec->on_deadline == DEADLINE_ABORT ? "aborts at the deadline"
							: "pauses at the deadline");
	return true;
}

static void
next_stage(struct move *m)
{
	const struct rollout *r = m->r;
	if (r->stage + 1 < r->ladder.count)
		move_event(m, EVENT_STAGE, json_pack("{s:i}", "index", r->stage + 1));
	else
		move_phase(m, PHASE_SUCCEEDED, "%s", "");
}

void
leave(struct move *m)
{
	const struct rollout *r = m->r;
	const struct stage_record *record = &r->records[r->stage];
	if (record->settled_ms == 0 || record->outgrown) {
		move_event(m, EVENT_SETTLED, NULL);
		return;
	}
	if (r->phase == PHASE_PAUSED) {
		move_wait(m, 0, "Rollout", r->reason[0] ? r->reason : "paused",
		    "`rollout resume` goes on, `rollout abort` goes home");
		return;
	}
	if (!r->skip && (in_hold(m) || not_approved(m) || gates_wait(m)))
		return;
	next_stage(m);
}
