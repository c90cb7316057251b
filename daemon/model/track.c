/* What is newly seen becomes events, so that "since when" survives a restart. */
#include "base/str.h"
#include "model/move.h"

static bool
track_weight(struct move *m)
{
	const struct route_seen *route = &m->at->seen->route;
	int weight = route->exists ? route->weight : 0;
	if (route->exists && !route->fits)
		return false;
	if (weight == m->r->seen)
		return false;
	move_event(m, EVENT_SEEN,
	    json_pack("{s:i, s:s}", "weight", weight, "by",
		route->exists ? route->edited_by : "VirtualService deleted"));
	return true;
}

/* Where the mesh cannot be asked, time is the answer, and is written down as such. */
static bool
track_taken(struct move *m, enum mesh_subject subject)
{
	const struct situation *at = m->at;
	if (rollout_taken(m->r, subject) || (at->mesh != NULL && at->mesh->asks))
		return false;
	int64_t of_ms = rollout_changed_ms(m->r, subject);
	if (at->now_ms < of_ms + at->settle_ms) {
		move_wake(m, of_ms + at->settle_ms);
		return false;
	}
	move_event(m, EVENT_TAKEN,
	    json_pack("{s:s, s:I, s:I, s:s}", "subject", mesh_subject_name(subject), "of_ms",
		(json_int_t)of_ms, "since_ms", (json_int_t)(of_ms + at->settle_ms), "known",
		"assumed"));
	return true;
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
	if (!m->r->rolled)
		return stable->ready;
	return m->r->stable_new ? stable->ready_new : stable->ready - stable->ready_new;
}

bool
track(struct move *m)
{
	struct view view = {.rollout = m->r, .seen = m->at->seen};
	int full = full_size(&view);
	bool any = track_weight(m);
	for (int i = 0; i < MESH_SUBJECTS; i++)
		any |= track_taken(m, (enum mesh_subject)i);
	any |= track_side(m, SIDE_CANARY, m->at->seen->canary.ready, full);
	any |= track_side(m, SIDE_STABLE, stable_ready(m), full);
	return any;
}
