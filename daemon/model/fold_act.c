/* What acts, their outcomes and commands do to a rollout. */
#include <limits.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "model/fold.h"

#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS 30000
#define RETRY_URGENT_MAX_MS 2000

void
fold_enter_phase(struct rollout *r, enum phase to, const char *reason, int64_t at_ms)
{
	if (r->phase == PHASE_QUEUED && to == PHASE_PROGRESSING)
		r->started_ms = at_ms;
	if (to == PHASE_ABORTING) {
		r->attempt.failures = 0;
		r->attempt.retry_ms = 0;
		r->progress_ms = at_ms;
	}
	r->phase = to;
	r->phase_ms = at_ms;
	str_copy(r->reason, sizeof(r->reason), reason);
	r->ended_ms = phase_final(to) ? at_ms : 0;
	if (phase_final(to))
		r->waiting = (struct waiting){0};
}

/* The data plane may have this weight, until it is known to have a later one. */
static void
fold_maybe(struct rollout *r, int weight)
{
	if (weight >= 0 && weight <= 100)
		r->maybe[weight / 64] |= UINT64_C(1) << (weight % 64);
}

/* Failures stay counted for the stage; passes do not: they were of what was there before. */
void
fold_forget_passes(struct rollout *r)
{
	for (int i = 0; i < r->app->gate_count; i++)
		r->gates[i].passes = 0;
}

void
fold_weight(struct rollout *r, int weight, int64_t at_ms, int64_t sent_ms)
{
	if (weight == r->seen)
		return;
	fold_maybe(r, r->seen);
	r->seen = weight;
	r->seen_ms = at_ms;
	r->sent_ms = sent_ms;
	fold_forget_passes(r);
}

static struct past_act
past(const struct attempt *attempt)
{
	return (struct past_act){.kind = attempt->act.kind,
	    .number = attempt->act.number,
	    .urgent = attempt->act.urgent,
	    .attempt = attempt->number,
	    .sent_ms = attempt->sent_ms};
}

/* Pods that are seen to be ready may be about to go: they count from when they are seen again. */
static void
resize_stable(struct rollout *r, int64_t at_ms)
{
	r->resized = true;
	r->sides[SIDE_STABLE] = (struct side_facts){0, at_ms};
	r->peak = 0;
	r->progress_ms = at_ms;
}

/* An abort does not wait for its answer; what it does comes all the same. */
static void
overtake(struct rollout *r, int64_t at_ms)
{
	r->overtaken = past(&r->attempt);
	if (r->attempt.act.kind == ACT_SCALE_STABLE)
		resize_stable(r, at_ms);
}

int
fold_act(struct rollout *r, const struct event *event, struct err *e)
{
	const char *name = jsonx_text_or(event->data, "act", "");
	struct act act = {
	    .kind = act_kind_of(name),
	    .urgent = jsonx_bool(event->data, "urgent", false),
	};
	int64_t number = 0, count = 0;
	if (act.kind == ACT_NONE)
		return err_set(e, "rollout %s: no act is called \"%s\"", r->id, name);
	if (fold_number(event, "number", act.kind == ACT_HPA_FLOOR ? ACT_AS_IT_WAS : 0,
		act.kind == ACT_WEIGHT ? 100 : INT_MAX, &number, e) < 0 ||
	    fold_number(event, "attempt", 0, INT64_MAX, &count, e) < 0)
		return -1;
	act.number = (int)number;
	if (r->attempt.pending)
		overtake(r, event->at_ms);
	str_copy(act.text, sizeof(act.text), jsonx_text_or(event->data, "text", ""));
	struct attempt *attempt = &r->attempt;
	if (act.kind != attempt->act.kind || act.number != attempt->act.number)
		attempt->failures = 0;
	attempt->act = act;
	attempt->number = (uint64_t)count;
	attempt->sent_ms = event->at_ms;
	attempt->answered_ms = 0;
	attempt->pending = true;
	if (act.kind == ACT_WEIGHT)
		fold_maybe(r, act.number);
	attempt->text[0] = '\0';
	r->drift.repairs += r->drift.what[0] != '\0';
	return 0;
}

/* The act took effect: this is now what we left behind. */
static void
take_effect(struct rollout *r, const struct act *act, int64_t at_ms, int64_t sent_ms)
{
	switch (act->kind) {
	case ACT_WEIGHT:
		r->weight = act->number;
		fold_weight(r, act->number, at_ms, sent_ms);
		break;
	case ACT_CREATE_CANARY:
	case ACT_SCALE_CANARY:
		r->canary = act->number;
		break;
	case ACT_DELETE_CANARY:
		/* Pods that got ready meanwhile may not have been seen; the mesh may know them. */
		r->canary = 0;
		r->sides[SIDE_CANARY] = (struct side_facts){0, at_ms};
		break;
	case ACT_ROLL:
		r->batch = act->number;
		r->stable_new = true;
		r->rolled = true;
		r->peak = r->sides[SIDE_CANARY].ready;
		r->progress_ms = at_ms;
		break;
	case ACT_SET_IMAGE:
		r->batch = 0;
		r->stable_new = strcmp(act->text, r->baseline.image) != 0;
		r->rolled = true;
		r->sides[SIDE_STABLE] = (struct side_facts){0, at_ms};
		r->peak = 0;
		r->progress_ms = at_ms;
		break;
	case ACT_CREATE_SERVICE:
	case ACT_ADD_SUBSETS:
	case ACT_NAME_STABLE:
	case ACT_ROUTE_HOME:
	case ACT_REMOVE_SUBSETS:
	case ACT_DELETE_SERVICE:
	case ACT_POINT_SERVICE:
		r->routing_ms = at_ms;
		break;
	case ACT_SCALE_STABLE:
		r->stable = act->number < r->baseline.replicas ? act->number : 0;
		resize_stable(r, at_ms);
		break;
	case ACT_HPA_FLOOR:
	case ACT_FOLLOW_HPA:
	case ACT_REPLACE_POD:
		r->progress_ms = at_ms; /* one more is waited for */
		break;
	case ACT_BACKUP:
	case ACT_DELETE_POD:
	case ACT_CREATE_BUDGET:
	case ACT_DELETE_BUDGET:
	case ACT_NONE:
	case ACT_KINDS:
		break;
	}
}

static bool
is_routing(enum act_kind kind)
{
	return kind == ACT_CREATE_SERVICE || kind == ACT_ADD_SUBSETS || kind == ACT_NAME_STABLE ||
	       kind == ACT_ROUTE_HOME || kind == ACT_REMOVE_SUBSETS || kind == ACT_DELETE_SERVICE ||
	       kind == ACT_POINT_SERVICE;
}

/* Nobody knows yet; another act may come between, so what waits for its traces begins now. */
static void
may_take_effect(struct rollout *r, const struct act *act, int64_t at_ms)
{
	if (act->kind == ACT_SET_IMAGE || act->kind == ACT_ROLL)
		r->rolled = true;
	if (act->kind == ACT_SCALE_STABLE)
		resize_stable(r, at_ms);
	if (is_routing(act->kind))
		r->routing_ms = at_ms;
}

/* From home: what came of it would be left over, or has traffic. */
static bool
leads_away(const struct rollout *r, const struct past_act *act)
{
	if (act->kind == ACT_HPA_FLOOR)
		return act->number != r->baseline.hpa_min && act->number != ACT_AS_IT_WAS;
	if (act->kind == ACT_SCALE_STABLE)
		return act->number != r->baseline.replicas;
	if (act->kind == ACT_WEIGHT)
		return act->number > r->seen;
	if (act->kind == ACT_BACKUP || act_object(act->kind) == ON_POD)
		return false;
	return !act_removes(act->kind) && !(act->kind == ACT_SET_IMAGE && act->urgent);
}

static void
overtaken_acted(struct rollout *r, uint64_t number, enum act_outcome outcome, int64_t at_ms)
{
	struct past_act act = {.kind = ACT_NONE, .sent_ms = at_ms};
	if (r->overtaken.attempt == number) {
		act = r->overtaken;
		r->overtaken = (struct past_act){.attempt = 0};
	}
	/* What it did to the routing has to be taken, too. */
	r->routing_ms = at_ms;
	if (outcome == ACT_UNKNOWN)
		late_add(&r->late, &act, leads_away(r, &act), at_ms);
}

/* The answer to an earlier act, or it was seen that it came. */
static void
earlier_acted(struct rollout *r, uint64_t number, enum act_outcome outcome, int64_t at_ms)
{
	struct late_act *late = late_find(&r->late, number);
	if (late == NULL || outcome != ACT_DONE) {
		overtaken_acted(r, number, outcome, at_ms);
		return;
	}
	struct act act = rollout_past_act(r, &late->act);
	int64_t sent_ms = late->act.sent_ms;
	*late = (struct late_act){.until_ms = 0};
	take_effect(r, &act, at_ms, sent_ms);
}

static int64_t
retry_after(const struct attempt *attempt, int64_t asked_ms)
{
	int64_t most = attempt->act.urgent ? RETRY_URGENT_MAX_MS : RETRY_MAX_MS;
	int shift = attempt->failures > 8 ? 8 : attempt->failures - 1;
	int64_t wait = (int64_t)RETRY_FIRST_MS << shift;
	if (asked_ms > wait)
		wait = asked_ms;
	return wait > most ? most : wait;
}

int
fold_acted(struct rollout *r, const struct event *event, struct err *e)
{
	struct attempt *attempt = &r->attempt;
	int64_t retry_ms = -1;
	if (fold_number(event, "retry_ms", -1, EVENT_MS_MAX, &retry_ms, e) < 0)
		return -1;
	uint64_t number = (uint64_t)jsonx_int(event->data, "attempt", 0);
	enum act_outcome outcome = act_outcome_of(jsonx_text_or(event->data, "outcome", ""));
	if (number != attempt->number) {
		earlier_acted(r, number, outcome, event->at_ms);
		return 0;
	}
	attempt->outcome = outcome;
	attempt->pending = false;
	attempt->answered_ms = event->at_ms;
	str_copy(attempt->text, sizeof(attempt->text), jsonx_text_or(event->data, "text", ""));
	struct past_act act = past(attempt);
	if (attempt->outcome == ACT_DONE || attempt->outcome == ACT_ALREADY) {
		attempt->failures = 0;
		attempt->retry_ms = 0;
		r->drift.repair = false; /* until then `retry` is not done: it may have met a 409 */
		take_effect(r, &attempt->act, event->at_ms, attempt->sent_ms);
		late_answered(&r->late, &act, attempt->outcome);
		return 0;
	}
	attempt->failures++;
	if (attempt->outcome == ACT_UNKNOWN) {
		may_take_effect(r, &attempt->act, event->at_ms);
		late_add(&r->late, &act, leads_away(r, &act), event->at_ms);
	}
	/* A conflict was read again already: the first is answered at once. */
	bool at_once = attempt->outcome == ACT_CONFLICT && attempt->failures <= 1;
	attempt->retry_ms = at_once ? 0 : event->at_ms + retry_after(attempt, retry_ms);
	return 0;
}

static void
start_waiting_anew(struct rollout *r, int64_t at_ms)
{
	r->resumed_ms = r->progress_ms = at_ms;
	r->attempt.failures = 0;
	r->attempt.retry_ms = 0;
	for (int i = 0; i < r->app->gate_count; i++)
		r->gates[i] = (struct gate_state){.last = r->gates[i].last};
}

int
fold_command(struct rollout *r, const struct event *event, struct err *e)
{
	(void)e;
	const char *name = jsonx_text_or(event->data, "name", "");
	if (strcmp(name, "promote") == 0)
		r->skip = true;
	else if (strcmp(name, "approve") == 0)
		r->approved = true;
	else if (strcmp(name, "resume") == 0)
		start_waiting_anew(r, event->at_ms);
	else if (strcmp(name, "retry") == 0) {
		start_waiting_anew(r, event->at_ms);
		r->drift.repair = r->drift.what[0] != '\0';
		r->drift.repairs = 0;
	}
	return 0;
}
