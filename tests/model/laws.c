/* The laws of the design, from outside.
 *
 * Where they are read more narrowly than they are written: after the promotion has begun an abort
 * may first set the old image back, while a canary that still serves keeps its weight (law 4 says
 * weight first; but the stable pods are about to be the release, too); an image that somebody else
 * changed before the promotion is set back in place (law 3); and only what was promoted must be
 * whole before the canary goes (I5): otherwise the canary serves nothing and is nobody's rescue.
 * With two colours: once the old one was told to go, an abort waits for its endpoints (law 4). */
#include "laws.h"

#include <string.h>
#include "base/str.h"
#include "nodes.h"
#include "ordinals.h"
#include "reduce.h"
#include "world.h"

/* A Service is switched, which is no preview and in no route. */
static bool
switches(const struct lab *lab)
{
	return lab->config->colours && !lab->config->weighs;
}

/* What airisd can know when it chooses: the cluster as it sees it. */
static const struct cluster *
in_view(const struct state *s)
{
	return s->outage ? &s->seen : &s->c;
}

static int
pods_for(const struct lab *lab, int percent)
{
	return (lab->config->full * percent + 99) / 100;
}

static bool
going_home(const struct lab *lab)
{
	return !phase_forward(lab->r->phase);
}

static bool
edited(const struct lab *lab, const struct state *s)
{
	return s->left[EDITS] < lab->config->budget[EDITS];
}

/* Pods died or somebody edited: what is lost by that alone is not airisd's doing. */
static bool
hurt(const struct lab *lab, const struct state *s)
{
	return edited(lab, s) || s->left[FLIPS] < lab->config->budget[FLIPS];
}

/* What the stable side carries: in an abort half of its size carries everything. */
static int
stable_carries(const struct lab *lab, const struct cluster *c)
{
	int whole = going_home(lab) ? lab->config->full * 50 : lab->config->full * 100;
	int percent = world_stable_ready(c) * 100 * 100 / whole;
	return percent > 100 ? 100 : percent;
}

/* --- I7: stages -------------------------------------------------------------------------------
 */

static int
rung_weight(const struct lab *lab, int rung)
{
	return rung < lab->r->ladder.count ? lab->r->ladder.stages[rung].target.weight : -1;
}

void
laws_event(struct lab *lab, struct state *s, const struct event *event)
{
	/* "Read back: it took effect", whoever did it: airisd counts it as its own. */
	enum act_kind kind = lab->r->attempt.act.kind;
	if (event->kind == EVENT_ACTED && (kind == ACT_SET_IMAGE || kind == ACT_ROLL))
		s->k.rolled = 1;
	if (event->kind != EVENT_STAGE)
		return;
	int to = (int)json_integer_value(json_object_get(event->data, "index"));
	bool jumps = s->k.jump && to == lab->r->ladder.full;
	if (to != lab->r->stage + 1 && !jumps)
		lab_bad(lab, "I7: from stage %d to stage %d", lab->r->stage, to);
}

/* A rung is reached when the mesh has its weight, and left when its hold and gate are over. */
static void
climb(struct lab *lab, struct state *s)
{
	int next = s->k.rung + 1;
	if (!phase_forward(lab->r->phase) || s->m.weight != s->c.weight)
		return;
	if (s->k.cleared == CLEARED_ALL && s->m.weight == rung_weight(lab, next) &&
	    s->m.weight > 0 && next <= lab->r->ladder.full) {
		s->k.rung = (uint8_t)next;
		s->k.cleared = s->k.pass ? CLEARED_ALL : lab->config->gate ? 0 : CLEARED_GATE;
		s->k.pass = 0;
	}
	if (s->k.jump && s->m.weight == 100) {
		s->k.rung = (uint8_t)lab->r->ladder.full;
		s->k.cleared = CLEARED_ALL;
		s->k.jump = 0;
	}
}

static void
check_rung(struct lab *lab, const struct state *s, int weight)
{
	bool again = weight == rung_weight(lab, s->k.rung);
	bool next = s->k.cleared == CLEARED_ALL && weight == rung_weight(lab, s->k.rung + 1);
	bool jump = s->k.jump && weight == 100;
	if (!again && !next && !jump && !edited(lab, s))
		lab_bad(lab,
		    "I7: weight %d is written, but stage %d (weight %d) was not held to "
		    "its end",
		    weight, s->k.rung, rung_weight(lab, s->k.rung));
}

/* --- traffic ----------------------------------------------------------------------------------
 */

static void
check_raise(struct lab *lab, const struct state *s, int weight)
{
	const struct cluster *c = in_view(s);
	int need = pods_for(lab, weight);
	/* A selector names nothing that could be missing. */
	bool routed = lab->config->subset ? s->m.subsets && s->m.names_stable
		      : switches(lab)	  ? true
					  : s->m.service;
	if (c->canary != THERE || c->canary_ready < need)
		lab_bad(lab, "law 1, I2: weight %d with %d ready endpoints of %d", weight,
		    c->canary_ready, need);
	else if (s->m.canary_ends < need && !s->k.blind)
		lab_bad(lab, "law 1, I2: weight %d, and the mesh knows %d endpoints of %d", weight,
		    s->m.canary_ends, need);
	else if (!routed && !edited(lab, s))
		lab_bad(lab, "law 2, I3: weight %d, and the mesh does not know where to", weight);
	else if (lab->config->hpa && c->hpa_min < lab->config->full)
		lab_bad(lab,
		    "law 1: weight %d while the HPA may still shrink the stable side to %d", weight,
		    c->hpa_min);
	if (!going_home(lab))
		check_rung(lab, s, weight);
}

static void
check_lower(struct lab *lab, const struct state *s, int weight)
{
	const struct cluster *c = in_view(s);
	int need = pods_for(lab, 100 - weight);
	bool named = lab->config->subset ? c->subsets : c->service;
	bool rescue = !named || c->canary_ready < pods_for(lab, c->weight);
	if (world_stable_ready(c) == 0 && c->canary_ready > 0)
		lab_bad(lab, "I5: weight %d to a stable side without a ready endpoint", weight);
	else if (named && c->canary_ready > 0 && stable_carries(lab, c) < 100 - weight)
		lab_bad(lab, "law 1, I2: weight %d, the stable side carries only %d percent",
		    weight, stable_carries(lab, c));
	else if (!going_home(lab) && !rescue && !s->k.blind && s->m.old_ends + s->m.new_ends < need)
		lab_bad(lab, "law 1, I2: weight %d, and the mesh knows %d stable endpoints of %d",
		    weight, s->m.old_ends + s->m.new_ends, need);
	else if (lab->config->colours && weight != 0)
		lab_bad(lab, "law 1: a selector moves all or nothing, not %d", weight);
	else if (lab->config->colours && c->canary_ready > 0 && s->m.old_ends * 2 < need &&
		 !s->k.blind && !hurt(lab, s))
		lab_bad(lab, "law 1: switched back, and the mesh knows %d endpoints of %d",
		    s->m.old_ends, need);
}

static void
check_weight(struct lab *lab, const struct state *s, const struct act *act)
{
	int now = in_view(s)->weight;
	if (act->number < 0 || act->number > 100)
		lab_bad(lab, "I1: weight %d", act->number);
	else if (act->number > now)
		check_raise(lab, s, act->number);
	else if (act->number < now)
		check_lower(lab, s, act->number);
}

/* --- the sides --------------------------------------------------------------------------------
 */

/* The image changes under a side that serves nothing; in an abort also in place, if the canary
 * cannot carry the traffic meanwhile. */
static void
check_image(struct lab *lab, const struct state *s, const struct act *act)
{
	const struct cluster *c = in_view(s);
	bool serves = c->weight < 100 || s->m.weight < 100 || s->m.stable_busy;
	/* The act before this one: the canary was told to go, or may have been. */
	bool leaving = s->r.act == ACT_DELETE_CANARY || s->overtaken.act == ACT_DELETE_CANARY;
	for (int i = 0; i < LATE_ACTS; i++)
		leaving |= s->r.late_acts[i].may && (s->r.late_acts[i].act == ACT_DELETE_CANARY ||
							s->r.late_acts[i].act == ACT_NONE);
	bool carries = c->canary == THERE && c->canary_ready >= lab->config->full && !leaving;
	bool promoted = s->k.rolled && s->k.rung == lab->r->ladder.full;
	bool may_carry = !s->r.phase_late && !lab->config->fatal && !leaving;
	if (!going_home(lab)) {
		if (!edited(lab, s) &&
		    (s->k.rung != lab->r->ladder.full || s->k.cleared != CLEARED_ALL))
			lab_bad(lab, "I7: promoted in stage %d before its end", s->k.rung);
		if (!edited(lab, s) && serves)
			lab_bad(lab, "law 3: the stable image changes while it serves");
		return;
	}
	if (reduce_image(act->text) != IMAGE_OLD)
		lab_bad(lab, "I4: an abort sets the new image");
	else if (c->route && serves && promoted && !s->k.unseen && (carries || may_carry))
		lab_bad(lab, "law 3, I5: the stable side is rolled back while it serves");
}

/* The old colour keeps its size until it is retired, and has it again when it went in vain. */
static void
check_retire(struct lab *lab, const struct state *s, const struct act *act)
{
	const struct cluster *c = in_view(s);
	int last = lab->r->ladder.count - 1;
	bool serves = c->weight < 100 || s->m.weight < 100 || s->m.stable_busy;
	if (going_home(lab)) {
		if (act->number != lab->config->full)
			lab_bad(lab, "I4: an abort scales the old colour to %d", act->number);
	} else if (act->number != 0 || lab->r->stage != last) {
		lab_bad(lab, "law 3: the old colour is scaled to %d in stage %d", act->number,
		    lab->r->stage);
	} else if (!edited(lab, s) && serves) {
		lab_bad(lab, "law 3: the old colour goes while it serves");
	}
}

/* What it gives up the canary has taken over, and half is left, which carries everything in an
 * abort. What it had it gets back, and no more. */
static void
check_shrink(struct lab *lab, const struct state *s, const struct act *act)
{
	const struct cluster *c = in_view(s);
	int full = lab->config->full, weight = s->m.weight < c->weight ? s->m.weight : c->weight;
	if (act->number > full || act->number * 2 < full)
		lab_bad(lab, "law 4: the stable side gets %d pods of %d", act->number, full);
	if (act->number >= c->stable_size)
		return;
	if (going_home(lab))
		lab_bad(lab, "I4: an abort shrinks the stable side to %d", act->number);
	else if (!edited(lab, s) && act->number < pods_for(lab, 100 - weight))
		lab_bad(
		    lab, "law 3: the stable side shrinks to %d at weight %d", act->number, weight);
	else if (c->canary_ready < pods_for(lab, c->weight))
		lab_bad(lab, "law 1: the stable side shrinks, and %d canary pods have weight %d",
		    c->canary_ready, c->weight);
}

static void
check_size(struct lab *lab, const struct state *s, const struct act *act)
{
	const struct cluster *c = in_view(s);
	int weight = s->m.weight > c->weight && !edited(lab, s) ? s->m.weight : c->weight;
	if (c->canary == THERE && act->number < c->canary_size &&
	    act->number < pods_for(lab, weight))
		lab_bad(lab, "law 3: the canary shrinks to %d at weight %d", act->number, weight);
	if (lab->config->subset && !edited(lab, s) && !(s->m.subsets && s->m.names_stable))
		lab_bad(lab, "law 2: canary pods before the mesh keeps them apart");
}

static void
check_delete(struct lab *lab, const struct state *s)
{
	const struct cluster *c = in_view(s);
	bool stands = c->image == IMAGE_NEW ? c->old_pods == 0 : c->new_pods == 0;
	if (s->k.unseen)
		return;
	if (c->weight > 0 || s->m.weight > 0)
		lab_bad(lab, "law 3: the canary is deleted at weight %d, the mesh has %d",
		    c->weight, s->m.weight);
	else if (s->m.canary_busy)
		lab_bad(lab, "law 3: the canary is deleted before its requests are over");
	else if (lab->config->shrinks && c->stable_size < lab->config->full)
		lab_bad(lab, "I5: the canary is deleted before the stable side has its size");
	else if (s->k.rolled && going_home(lab) &&
		 (!stands || world_stable_ready(c) < lab->config->full))
		lab_bad(lab, "I5: the canary is deleted before the stable side is whole");
	else if (s->k.rolled && c->canary_ready > 0 && world_stable_ready(c) == 0)
		lab_bad(lab, "I5: the only healthy side is deleted");
}

/* --- routing ----------------------------------------------------------------------------------
 */

static void
check_removal(struct lab *lab, const struct state *s, enum act_kind kind)
{
	const struct cluster *c = in_view(s);
	/* Subset mode: the plain host, to which the route goes back, has the canary's pods too. */
	bool known =
	    lab->config->subset && !s->k.blind && (s->m.canary_ends > 0 || s->m.canary_dead);
	bool pods = c->canary != GONE || known;
	bool named = c->names_canary || s->m.names_canary || s->m.weight > 0;
	if (edited(lab, s) || switches(lab)) /* the preview is in no route */
		return;
	if (kind == ACT_ROUTE_HOME && (c->weight > 0 || s->m.weight > 0 || pods))
		lab_bad(lab, "law 3: the route goes home before traffic and pods are gone");
	else if (kind == ACT_DELETE_SERVICE && named)
		lab_bad(lab, "law 2: the Service goes while the mesh names it");
	else if (kind == ACT_REMOVE_SUBSETS && (named || c->names_stable || s->m.names_stable))
		lab_bad(lab, "law 2: subsets go while the mesh names them");
}

/* --- law 4 ------------------------------------------------------------------------------------
 */

/* The weight that an abort can reach at once; the present one if it cannot do better. */
static int
lowest_at_once(const struct lab *lab, const struct state *s)
{
	const struct cluster *c = in_view(s);
	/* The stable pods run the release too, or are about to: a canary that still serves may
	 * keep its share until the old image is back. */
	bool ours = s->k.rolled || (edited(lab, s) && s->k.rung == lab->r->ladder.full);
	bool mixed = ours && (c->image == IMAGE_NEW || c->new_ready > 0) && c->canary_ready > 0;
	int lowest = 100 - stable_carries(lab, c);
	if (lab->config->colours && lowest > 0)
		lowest = 100;
	if (c->canary_ready == 0 && world_stable_ready(c) > 0)
		lowest = 0;
	/* The old colour was told to go, or may have been: its endpoints count anew. */
	if (lab->config->colours && lab->r->resized && c->canary_ready > 0)
		return c->weight;
	if (!c->route || mixed || world_stable_ready(c) == 0 || lowest > c->weight)
		return c->weight;
	return lowest;
}

static void
check_abort(struct lab *lab, const struct state *s, const struct act *act)
{
	const struct cluster *c = in_view(s);
	bool more = act->kind == ACT_WEIGHT && act->number < c->weight;
	int lowest = lowest_at_once(lab, s);
	if (s->k.fresh_abort && lowest < c->weight &&
	    (act->kind != ACT_WEIGHT || act->number != lowest))
		lab_bad(lab, "law 4: an abort's first act is %s %d; weight %d was possible",
		    act_name(act->kind), act->number, lowest);
	if (s->k.alone && !more)
		lab_bad(lab, "law 4: %s %d follows an abort's weight that is not taken",
		    act_name(act->kind), act->number);
	if (!act->urgent)
		lab_bad(lab, "law 4: an act of an abort without its own lane");
}

/* An abort that could act acts in the same look. */
void
laws_after_look(struct lab *lab, struct state *s)
{
	const struct cluster *c = in_view(s);
	if (s->down || lab->r->phase != PHASE_ABORTING || !s->k.fresh_abort)
		return;
	const struct attempt *attempt = &lab->r->attempt;
	bool back = attempt->pending && attempt->act.kind == ACT_SET_IMAGE;
	if (lab->config->rolls && c->image == IMAGE_NEW && !back && !edited(lab, s) &&
	    attempt->retry_ms <= NOW_MS && !phase_final(lab->r->phase) &&
	    !(attempt->pending && attempt->act.urgent))
		lab_bad(lab, "law 4: an abort waits (%s: %s) instead of going back",
		    lab->waiting.object, lab->waiting.what);
	bool answer = attempt->pending &&
		      (attempt->act.urgent || attempt->act.kind == ACT_SET_IMAGE ||
			  (attempt->act.kind == ACT_SCALE_STABLE && lab->config->colours));
	/* Refused just now: the first back-off is short. */
	if (lowest_at_once(lab, s) < c->weight && !answer && attempt->retry_ms <= NOW_MS)
		lab_bad(lab, "law 4: an abort waits (%s: %s) instead of moving traffic to %d",
		    lab->waiting.object, lab->waiting.what, lowest_at_once(lab, s));
}

/* --- batches ---------------------------------------------------------------------------------
 */

/* A StatefulSet's pod that serves goes only when all others do. */
static void
check_ordinals(struct lab *lab, const struct cluster *c, const struct act *act)
{
	int missing, taken = ordinals_taken(c, act->number, &missing);
	if (act->kind == ACT_DELETE_POD && ordinals_stuck(c) != reduce_text(act))
		lab_bad(lab, "I2: pod %d is deleted, and nothing waits for it", reduce_text(act));
	else if (act->kind == ACT_ROLL && taken > 0 && taken + missing > 1)
		lab_bad(lab, "I2: %d pods go and %d are missing", taken, missing);
}

static int
batch_of(const struct lab *lab)
{
	const struct target *target = &rollout_stage(lab->r)->target;
	if (target->batch == 0)
		return target->stable_new ? lab->config->full : 0;
	return target->percent ? pods_for(lab, target->batch) : target->batch;
}

/* No more pods of the release than the stage says, and each that follows the first is made up for
 * by one that is ready. Back it goes in one act. */
static void
check_roll(struct lab *lab, const struct state *s, const struct act *act)
{
	const struct cluster *c = in_view(s);
	int most = batch_of(lab);
	int ready = c->image == IMAGE_NEW ? c->new_ready : 0;
	if (backup_check(lab, s, act) || (c->nodes && nodes_check(lab, s, act, most)))
		return;
	if (c->ordinals)
		check_ordinals(lab, c, act);
	if (act->kind == ACT_DELETE_POD && c->ordinals)
		return;
	if (act->kind == ACT_SET_IMAGE && going_home(lab)) {
		if (reduce_image(act->text) != IMAGE_OLD)
			lab_bad(lab, "I4: an abort sets the new image");
	} else if (act->kind == ACT_SET_IMAGE) {
		bool held = c->held >= lab->config->full || c->by_hand;
		bool all = held && c->new_ready >= lab->config->full;
		if (!all && !edited(lab, s) && !hurt(lab, s))
			lab_bad(lab, "I7: it rolls by itself at %d of %d pods", c->held,
			    lab->config->full);
	} else if (act->kind != ACT_ROLL || going_home(lab)) {
		lab_bad(lab, "%s in an app that rolls", act_name(act->kind));
	} else if (act->number > most && act->number != lab->r->batch) {
		lab_bad(lab, "I7: %d pods in stage %d", act->number, lab->r->stage);
	} else if (act->number > ready + 1 && !edited(lab, s)) {
		lab_bad(lab, "law 1: %d pods of the release, %d are ready", act->number, ready);
	}
}

/* Never more than its batch, never fewer ready than its size. */
static void
check_batch(struct lab *lab, const struct state *s)
{
	const struct cluster *c = &s->c;
	int most = c->held > 0 ? c->held : lab->config->full;
	/* Of these one is replaced at a time. A DaemonSet's controller takes what is not ready
	 * besides, when it goes back. */
	int least = lab->config->full - c->ordinals - c->nodes * (1 + going_home(lab));
	nodes_check_state(lab, s, batch_of(lab));
	if (edited(lab, s))
		return;
	if (c->held > 0 && c->new_pods > most)
		lab_bad(lab, "I7: %d pods run the release, %d are allowed", c->new_pods, most);
	if (!hurt(lab, s) && world_stable_ready(c) < least)
		lab_bad(
		    lab, "I2: %d of %d pods are ready", world_stable_ready(c), lab->config->full);
}

/* --- where they are called --------------------------------------------------------------------
 */

void
laws_choice(struct lab *lab, struct state *s, const struct act *act)
{
	if (lab->r->phase == PHASE_ABORTING)
		check_abort(lab, s, act);
	if (lab->config->rolls)
		check_roll(lab, s, act);
	else if (act->kind == ACT_WEIGHT)
		check_weight(lab, s, act);
	else if (act->kind == ACT_SET_IMAGE)
		check_image(lab, s, act);
	else if (act->kind == ACT_SCALE_STABLE && lab->config->shrinks)
		check_shrink(lab, s, act);
	else if (act->kind == ACT_SCALE_STABLE)
		check_retire(lab, s, act);
	else if (act->kind == ACT_CREATE_CANARY || act->kind == ACT_SCALE_CANARY)
		check_size(lab, s, act);
	else if (act->kind == ACT_DELETE_CANARY)
		check_delete(lab, s);
	else if (act->kind == ACT_NAME_STABLE && !s->m.subsets && !edited(lab, s))
		lab_bad(lab, "law 2: the route names a subset that the mesh does not know");
	else
		check_removal(lab, s, act->kind);
}

/* Endpoints may have gone while it was written down. */
void
laws_send(struct lab *lab, const struct state *s, const struct act *act)
{
	const struct cluster *c = &s->c;
	if (s->outage || act->kind != ACT_WEIGHT)
		return;
	if (act->number > c->weight && c->canary_ready < pods_for(lab, act->number))
		lab_bad(lab, "law 1, I2: weight %d is sent with %d ready endpoints", act->number,
		    c->canary_ready);
	if (act->number < c->weight && world_stable_ready(c) == 0 && c->canary_ready > 0)
		lab_bad(lab, "I5: weight %d is sent to a side without endpoints", act->number);
}

void
laws_landed(struct state *s, const struct act *act, int weight_before, enum act_outcome outcome)
{
	/* Also if somebody set the same image a moment before: airisd counts it as its own then. */
	bool sets = act->kind == ACT_SET_IMAGE || act->kind == ACT_ROLL;
	if (sets && s->c.image == reduce_image(act->text))
		s->k.rolled = 1;
	if (outcome == ACT_DONE && act->kind == ACT_WEIGHT && act->urgent &&
	    act->number != weight_before)
		s->k.alone = 1;
}

/* By weights the second colour's Service stays where it serves; a preview never does. */
static bool
routed_at_rest(const struct lab *lab, const struct cluster *c, bool turned)
{
	if (switches(lab))
		return !c->service;
	return turned ? c->service && c->names_canary : !c->service && !c->names_canary;
}

/* Turned, or as it was before the first colour had a second one. */
static bool
at_rest(const struct lab *lab, const struct state *s, bool turned)
{
	const struct cluster *c = &s->c;
	int full = lab->config->full;
	if (edited(lab, s))
		return !switches(lab) || !c->service;
	if (!routed_at_rest(lab, c, turned))
		return false;
	if (turned)
		return c->weight == 100 && c->canary == THERE && c->canary_size == full &&
		       c->stable_size == 0 && c->old_pods == 0;
	return c->weight == 0 && c->canary == GONE && c->stable_size == full;
}

static bool
at_home(const struct lab *lab, const struct state *s, enum image image)
{
	const struct cluster *c = &s->c;
	bool wrong = image == IMAGE_OLD ? c->new_pods > 0 : c->old_pods > 0;
	bool routed = c->route && (c->weight > 0 || c->names_canary || c->names_stable);
	if (lab->config->colours)
		return at_rest(lab, s, image == IMAGE_NEW);
	if ((c->held > 0 || c->by_hand) && !edited(lab, s))
		return false;
	if (c->canary != GONE || c->service || c->subsets || routed)
		return false;
	if (lab->config->hpa && c->hpa_min != 1)
		return false;
	if (lab->config->shrinks && !edited(lab, s) && c->stable_size != lab->config->full)
		return false;
	return edited(lab, s) || (c->image == image && !(s->k.rolled && wrong));
}

static void
check_traffic(struct lab *lab, const struct state *s)
{
	const struct data_plane *m = &s->m;
	bool known = lab->config->subset ? m->subsets : m->service || switches(lab);
	if (m->weight > 0 && !known)
		lab_bad(lab, "requests are lost: the mesh sends to what it does not know (law 2)");
	else if (m->names_stable && !m->subsets)
		lab_bad(lab, "requests are lost: the stable subset is not known (law 2)");
	else if (lab->config->subset && !m->names_stable && (m->canary_ends > 0 || m->canary_dead))
		lab_bad(lab, "canary pods get requests without a weight (law 2)");
	if (hurt(lab, s))
		return;
	if (m->weight > 0 && m->canary_ends == 0)
		lab_bad(lab, "requests are lost: weight %d and no canary endpoint (laws 1, 3)",
		    m->weight);
	if (m->weight < 100 && m->old_ends + m->new_ends == 0 && !(going_home(lab) && s->k.rolled))
		lab_bad(lab, "requests are lost: weight %d and no stable endpoint (laws 1, 3)",
		    m->weight);
}

/* Before airisd looks: what the world's part of the step has changed. */
void
laws_before_look(struct lab *lab, struct state *s)
{
	world_settle(s);
	climb(lab, s);
	/* Taken; or somebody deleted the route, and with it what was written. */
	if (s->m.weight == s->c.weight || !s->c.route)
		s->k.alone = 0;
}

void
laws_state(struct lab *lab, struct state *s)
{
	if (!edited(lab, s))
		check_traffic(lab, s);
	if (lab->config->rolls)
		check_batch(lab, s);
	struct state later = *s;
	if (phase_final(lab->r->phase) && later.adrift.act != ACT_NONE)
		lab_adrift_lands(lab, &later);
	s = &later;
	if (lab->r->phase == PHASE_ABORTED && !at_home(lab, s, IMAGE_OLD))
		lab_bad(lab, "I4: aborted, but not at home");
	if (lab->r->phase == PHASE_SUCCEEDED && !at_home(lab, s, IMAGE_NEW))
		lab_bad(lab, "I7: succeeded, but something is left over");
}
