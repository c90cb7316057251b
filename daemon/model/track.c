/* What is newly seen becomes events, so that "since when" survives a restart. */
#include <string.h>
#include "base/str.h"
#include "model/move.h"
#include "model/pace.h"

static bool
track_weight(struct move *m)
{
	const struct route_seen *route = &m->at->seen->route;
	int weight = route->exists ? route->weight : 0;
	if (route->exists && !route->fits)
		return false;
	if (weight == m->r->seen)
		return false;
	char deleted[32];
	str_print(deleted, sizeof(deleted), "%s deleted", app_route_kind(m->r->app));
	move_event(m, EVENT_SEEN,
	    json_pack(
		"{s:i, s:s}", "weight", weight, "by", route->exists ? route->edited_by : deleted));
	return true;
}

/* A route that is gone is nobody's to accept. */
static bool
track_accepted(struct move *m)
{
	const struct route_seen *route = &m->at->seen->route;
	if (rollout_accepted(m->r) || (route->exists && !route->accepted))
		return false;
	move_event(
	    m, EVENT_ACCEPTED, json_pack("{s:I}", "of_ms", (json_int_t)rollout_route_ms(m->r)));
	return true;
}

/* Why time had to do although traffic was looked at. */
static const char *
unseen(const struct mesh_asking *asking, enum mesh_subject subject)
{
	if (mesh_way(asking, subject) != MESH_TRAFFIC)
		return NULL;
	return asking->text[subject][0] ? asking->text[subject] : "nothing was seen in time";
}

/* Where the mesh cannot be asked, and traffic does not tell, time is the answer, and is written
 * down as such. */
static bool
track_taken(struct move *m, enum mesh_subject subject)
{
	const struct situation *at = m->at;
	if (rollout_taken(m->r, subject) || mesh_way(at->mesh, subject) == MESH_ISTIOD ||
	    (mesh_in_route(subject) && !rollout_accepted(m->r)))
		return false;
	int64_t of_ms = rollout_changed_ms(m->r, subject), from_ms = move_back_ms(m);
	if (rollout_takes_from_ms(m->r, subject) > from_ms)
		from_ms = rollout_takes_from_ms(m->r, subject);
	int64_t due_ms = mesh_assumed_ms(at->mesh, subject, from_ms, at->settle_ms);
	if (at->now_ms < due_ms) {
		move_wake(m, due_ms);
		return false;
	}
	const char *missing = unseen(at->mesh, subject);
	json_t *data = json_pack("{s:s, s:I, s:I, s:s}", "subject", mesh_subject_name(subject),
	    "of_ms", (json_int_t)of_ms, "since_ms", (json_int_t)due_ms, "known", "assumed");
	if (missing != NULL)
		json_object_set_new(data, "missing", json_string(missing));
	move_event(m, EVENT_TAKEN, data);
	return true;
}

static bool
canary_is(const struct workload_seen *canary, const struct act *act)
{
	if (!canary->exists || canary->deleting || canary->replicas != act->number)
		return false;
	return act->kind == ACT_SCALE_CANARY || strcmp(canary->image, act->text) == 0;
}

static bool
has_budget(const struct budgets_seen *seen, const struct act *act)
{
	return act->number == 0 ? seen->stable_ours : seen->canary_ours;
}

static bool
has_floor(const struct hpa_seen *hpa, const struct act *act, const struct baseline *baseline)
{
	if (act->number == ACT_AS_IT_WAS)
		return baseline_bounds(baseline, hpa);
	return hpa->exists && hpa->min == act->number && !hpa->idles;
}

static bool
has_effect(const struct act *act, const struct observed *seen, const struct baseline *baseline)
{
	const struct route_seen *route = &seen->route;
	switch (act->kind) {
	case ACT_WEIGHT:
		return route->exists && route->fits && route->even && route->weight == act->number;
	case ACT_SET_IMAGE:
		return seen->stable.exists && strcmp(seen->stable.image, act->text) == 0 &&
		       !pace_is_held(&seen->stable.pace);
	case ACT_ROLL:
		return seen->stable.exists && strcmp(seen->stable.image, act->text) == 0 &&
		       (seen->stable.pace.nodes ? seen->stable.pace.by_hand
						: pace_new(&seen->stable.pace,
						      seen->stable.replicas) == act->number);
	case ACT_BACKUP:
		return backup_seen_of(seen, act->text) != NULL;
	case ACT_DELETE_POD:
		return act->text[0] != '\0' && strcmp(seen->stable.stuck, act->text) != 0;
	case ACT_CREATE_CANARY:
	case ACT_SCALE_CANARY:
		return canary_is(&seen->canary, act);
	case ACT_DELETE_CANARY:
		return !seen->canary.exists || seen->canary.deleting;
	case ACT_CREATE_SERVICE:
		return seen->canary_service;
	case ACT_DELETE_SERVICE:
		return !seen->canary_service;
	case ACT_ADD_SUBSETS:
		return seen->subsets.stable && seen->subsets.canary;
	case ACT_NAME_STABLE:
		return route->exists && route->names_stable_subset;
	case ACT_ROUTE_HOME:
		return route->exists && route->names_canary == baseline->had_canary_destination &&
		       route->names_stable_subset == baseline->had_stable_subset_named;
	case ACT_HPA_FLOOR:
		return has_floor(&seen->hpa, act, baseline);
	case ACT_POINT_SERVICE:
		return seen->preview == (act->number == 0 ? PREVIEW_STABLE : PREVIEW_CANARY);
	case ACT_FOLLOW_HPA:
		return seen->hpa.exists && seen->hpa.on_canary == (act->number != 0);
	case ACT_SCALE_STABLE:
		return seen->stable.exists && seen->stable.replicas == act->number;
	case ACT_CREATE_BUDGET:
		return has_budget(&seen->budgets, act);
	case ACT_DELETE_BUDGET:
		return !has_budget(&seen->budgets, act);
	case ACT_REPLACE_POD: /* another may be the next one for other reasons */
	case ACT_REMOVE_SUBSETS:
	case ACT_NONE:
	case ACT_KINDS:
		break;
	}
	return false;
}

/* The write whose answer was lost: what it wanted is there, so it was taken (F66). A conflict can
 * be with our own write that was sent again. */
static bool
track_lost_answer(struct move *m)
{
	const struct attempt *attempt = &m->r->attempt;
	bool lost = attempt->outcome == ACT_UNKNOWN || attempt->outcome == ACT_CONFLICT;
	if (attempt->pending || attempt->failures == 0 || !lost ||
	    !has_effect(&attempt->act, m->at->seen, &m->r->baseline))
		return false;
	move_event(m, EVENT_ACTED,
	    json_pack("{s:I, s:s, s:s}", "attempt", (json_int_t)attempt->number, "outcome",
		act_outcome_name(ACT_DONE), "text", "read back: it took effect"));
	return true;
}

/* A write that was given up has come after all, when others were tried already. What may be of one
 * that is under way is left to its answer. */
static bool
track_late(struct move *m)
{
	const struct rollout *r = m->r;
	for (int i = 0; i < LATE_ACTS; i++) {
		const struct late_act *late = &r->late.acts[i];
		struct act act = rollout_past_act(r, &late->act);
		if (r->attempt.pending && r->attempt.act.kind == act.kind)
			continue;
		if (late->until_ms == 0 || act.kind == ACT_NONE || late->act.attempt == 0 ||
		    late->act.attempt == r->attempt.number ||
		    !has_effect(&act, m->at->seen, &r->baseline))
			continue;
		move_event(m, EVENT_ACTED,
		    json_pack("{s:I, s:s, s:s}", "attempt", (json_int_t)late->act.attempt,
			"outcome", act_outcome_name(ACT_DONE), "text", "it came late"));
		return true;
	}
	return false;
}

/* Counts above what is needed are of no interest; every loss is. */
static bool
track_side(struct move *m, enum side side, int ready, int need)
{
	const struct side_facts *facts = &m->r->sides[side];
	bool gained = ready > facts->ready && facts->ready < need;
	bool lost = ready < facts->ready;
	if (!gained && !lost)
		return false;
	move_event(m, EVENT_READY,
	    json_pack("{s:s, s:i}", "side", side == SIDE_CANARY ? "canary" : "stable", "count",
		gained && ready > need ? need : ready));
	return true;
}

/* After we changed its image only the pods that run it count: the others are about to go. */
static int
stable_ready(const struct move *m)
{
	const struct workload_seen *stable = &m->at->seen->stable;
	if (!m->r->rolled || m->r->app->rolls)
		return stable->ready;
	return stable_ready_of(m->r, stable, m->r->stable_new);
}

/* Pods that come and go are noted while a write is not answered, too: what was ready in between is
 * known to the mesh. Whose a new weight is shows the answer. */
bool
track(struct move *m, bool waits)
{
	if (!waits && track_lost_answer(m))
		return true;
	if (track_late(m))
		return true;
	struct view view = {.rollout = m->r, .seen = m->at->seen};
	int full = full_size(&view);
	bool any = !waits && track_weight(m);
	any |= track_accepted(m);
	for (int i = 0; i < MESH_SUBJECTS; i++)
		any |= track_taken(m, (enum mesh_subject)i);
	any |= track_side(m, SIDE_CANARY, canary_ready_of(m->r, m->at->seen), full);
	any |= track_side(m, SIDE_STABLE, stable_ready(m), full);
	return any;
}
