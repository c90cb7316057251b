/* The abstraction of the rollout. decide reads a rollout in few ways, and only what it can read
 * that way is kept; everything else (texts, names, counters for people) is left out.
 *
 * Time. Every step happens at NOW_MS. A time is read in three ways only:
 *   is a wait that began then over?   kept as one bit for each wait: hold, drain, steady, deadline,
 *                                     the backup's, the carrier's minute, back-off, mesh.settle of
 * each subject is it the time of this change?    (rollout_taken) kept as one bit for each subject
 *   is it in this phase?              (restore_image: seen_ms against phase_ms) one bit
 * A wait that is not over has begun a moment ago, one that is over long ago; so restored, decide
 * gives the same answers. That a wait ends is a step of its own, at any time and in any order:
 * more orders than real clocks allow, so what holds here holds there (an over-approximation).
 * A write that was given up comes late or not at all before its wait is over.
 * What is assumed by time (mesh.settle, the drain) ends only when the mesh has done what the time
 * stands for: that is the promise of these settings, and the one thing that is believed.
 *
 * Counters. `peak` and `relapses` only put the deadline off, and it may end at any time anyway;
 * failures count up to two, repairs to three, as no rule looks further. Numbers of attempts only
 * tell whether an answer belongs to the last one; the engine drops the others.
 *
 * Restoring and reducing again must give the same form; that is checked for every state.
 *
 * Not covered, so nothing is proved about it:
 *   absence for more than a minute and jumps of the clock (back_ms);
 *   a stale cache under a live watch (verified_ms): every look is true, unless there is an outage;
 *   pods that die and come back while airisd is down or the API server is away: what the mesh knows
 *     of them is not checked then (checks.blind), as airisd cannot know it either;
 *   edits that come and go unseen (checks.unseen), and what is lost by an edit alone;
 *   several pushes of a mesh on their way;
 *   more than one rollout of an app (a newer one that supersedes is there);
 *   a gate's deadline and freshness, approvals, preflight, a stable Deployment that is deleted, an
 *     image that is neither the old nor the new one, a canary's image that is edited;
 *   that weights sum to 100 in the VirtualService (I1): there is one number here, 0 to 100; the
 *     rest is made in daemon/cluster.
 * The random worlds of tests/unit have most of these. */
#include "reduce.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "nodes.h"

#define MOMENT 1
#define LONG_AGO INT64_C(100000000)
#define NOT_STEADY_MS 1	     /* under steady */
#define STEADY_AGO_MS 5000   /* over steady, under SETTLE_MS */
#define SETTLED_AGO_MS 20000 /* over SETTLE_MS, under the carrier's minute */
#define FOUND_IMAGE 200	     /* + enum image; a number below is itself */
#define FOUND_DELETED 210
#define CARRIER_MS 60000
#define BACKUP_STAGE 1
#define LATE_ATTEMPT 77 /* no other has it */

static const char *const drifts[] = {
    "", "weight", "image", "pace", "canary image", "canary size", "stable size"};

enum image
reduce_image(const char *text)
{
	return strcmp(text, "web:2") == 0 ? IMAGE_NEW : IMAGE_OLD;
}

const char *
image_text(enum image image)
{
	return image == IMAGE_NEW ? "web:2" : "web:1";
}

/* A pod by its ordinal, else an image. */
uint8_t
reduce_text(const struct act *act)
{
	return (uint8_t)(act_object(act->kind) == ON_POD ? act->text[strlen("web-")] - '0'
							 : (int)reduce_image(act->text));
}

void
restore_text(struct act *act, uint8_t text)
{
	if (act_object(act->kind) == ON_POD)
		str_print(act->text, sizeof(act->text), "web-%d", text);
	else if (act->kind == ACT_BACKUP)
		str_copy(act->text, sizeof(act->text), BACKUP_JOB);
	else
		str_copy(act->text, sizeof(act->text), image_text((enum image)text));
}

static bool
over(int64_t from_ms, int64_t length_ms)
{
	return NOW_MS >= from_ms + length_ms;
}

static void
reduce_taken(const struct config *config, const struct rollout *r, struct reduced *to)
{
	for (int i = 0; i < MESH_SUBJECTS; i++) {
		enum mesh_subject subject = (enum mesh_subject)i;
		to->taken[i] = rollout_taken(r, subject);
		to->settled_mesh[i] = !config->asks && !to->taken[i] &&
				      over(rollout_changed_ms(r, subject), SETTLE_MS);
	}
}

static void
reduce_waits(const struct rollout *r, struct reduced *to)
{
	const struct stage *stage = rollout_stage(r);
	int64_t settled_ms = r->records[r->stage].settled_ms;
	bool aborting = r->phase == PHASE_ABORTING;
	if (settled_ms != 0 && !aborting)
		to->hold = over(settled_ms, stage->hold_ms) ? WAIT_OVER : WAIT_RUNS;
	if (to->taken[MESH_WEIGHT])
		to->drain = r->mesh[MESH_WEIGHT].at_ms == 0 ||
				    over(r->mesh[MESH_WEIGHT].at_ms, r->app->drain_ms)
				? WAIT_OVER
				: WAIT_RUNS;
	to->steady = r->sides[SIDE_CANARY].ready > 0 &&
		     over(r->sides[SIDE_CANARY].since_ms, r->app->steady_ms);
	to->late = over(r->progress_ms, r->app->deadline_ms);
	if (r->app->batch.backup[0] != '\0' && !r->rolled) {
		to->backup_late = over(r->records[r->stage].entered_ms, r->app->batch.backup_ms);
		to->backed_up = r->stage > BACKUP_STAGE && r->records[BACKUP_STAGE].settled_ms != 0;
	}
	to->seen_in_phase = aborting && r->seen_ms >= r->phase_ms;
	to->phase_late = aborting && over(r->phase_ms, CARRIER_MS);
}

/* An act that is answered and did not fail is not looked at again. */
static void
reduce_attempt(const struct attempt *attempt, struct reduced *to)
{
	to->acted = attempt->number > 0;
	if (!attempt->pending && attempt->failures == 0)
		return;
	to->act = (uint8_t)attempt->act.kind;
	to->number = (uint8_t)attempt->act.number;
	to->text = reduce_text(&attempt->act);
	to->urgent = attempt->act.urgent;
	to->pending = attempt->pending;
	to->failures = (uint8_t)(attempt->failures > 2 ? 2 : attempt->failures);
	to->outcome = (uint8_t)attempt->outcome;
	to->backoff = attempt->retry_ms > NOW_MS;
}

static void
reduce_drift(const struct drift *drift, struct reduced *to)
{
	while (strcmp(drifts[to->drift], drift->what) != 0)
		to->drift++;
	if (to->drift != 0 && strcmp(drift->found, "deleted") == 0)
		to->found = FOUND_DELETED;
	else if (strchr(drift->found, ':') != NULL)
		to->found = (uint8_t)(FOUND_IMAGE + reduce_image(drift->found));
	else if (to->drift != 0)
		to->found = (uint8_t)strtoul(drift->found, NULL, 10);
	to->repairs = (uint8_t)(drift->repairs > 3 ? 3 : drift->repairs);
	to->repair = drift->repair;
}

static int
compare_late(const void *a, const void *b)
{
	return memcmp(b, a, sizeof(struct reduced_late));
}

/* In which place which is means nothing. */
static void
reduce_late(const struct rollout *r, struct reduced *to)
{
	for (int i = 0; i < LATE_ACTS; i++) {
		const struct late_act *late = &r->late.acts[i];
		bool may = late->until_ms > NOW_MS;
		if (late->until_ms == 0 || (!may && late->act.kind == ACT_NONE))
			continue;
		to->late_acts[i] = (struct reduced_late){.there = 1,
		    .may = may,
		    .act = (uint8_t)late->act.kind,
		    .number = (uint8_t)late->act.number,
		    .urgent = late->act.urgent,
		    .away = may && late->away,
		    .whose = late->act.attempt == 0		      ? WHO_KNOWS
			     : late->act.attempt == r->attempt.number ? THE_LAST
								      : EARLIER};
	}
	qsort(to->late_acts, LATE_ACTS, sizeof(to->late_acts[0]), compare_late);
}

void
reduce(const struct config *config, const struct rollout *r, struct reduced *to)
{
	*to = (struct reduced){.phase = (uint8_t)r->phase,
	    .stage = (uint8_t)r->stage,
	    .skip = r->skip,
	    .weight = (uint8_t)r->weight,
	    .stable_new = r->stable_new,
	    .rolled = r->rolled,
	    .resized = r->resized,
	    .canary = (uint8_t)r->canary,
	    .stable = (uint8_t)r->stable,
	    .batch = (uint8_t)r->batch,
	    .seen = (uint8_t)r->seen,
	    .had_weight = r->taken > 0,
	    .ready = {(uint8_t)r->sides[0].ready, (uint8_t)r->sides[1].ready}};
	reduce_taken(config, r, to);
	reduce_waits(r, to);
	reduce_attempt(&r->attempt, to);
	reduce_drift(&r->drift, to);
	reduce_late(r, to);
	if (r->app->gate_count > 0) {
		to->measured = r->gates[0].count > 0;
		to->failed = r->gates[0].failures > 0;
		to->passed = r->gates[0].passes > 0;
	}
}

/* Earlier than the phase or in it, so long ago as mesh.settle has it, and the phase so old as the
 * carrier's minute has it. */
static void
restore_seen(const struct reduced *from, struct rollout *r)
{
	bool settled = from->settled_mesh[MESH_WEIGHT];
	r->phase_ms = NOW_MS - (from->phase_late ? 100000 : settled ? 30000 : 4000);
	if (!from->seen_in_phase)
		r->seen_ms = settled ? NOW_MS - 200000 : r->phase_ms - MOMENT;
	else
		r->seen_ms = NOW_MS - (settled ? SETTLED_AGO_MS : MOMENT);
	r->sent_ms = r->seen_ms;
}

static void
restore_taken(const struct reduced *from, struct rollout *r)
{
	const uint8_t *settled = from->settled_mesh;
	int64_t canary_ms = settled[MESH_CANARY] ? SETTLED_AGO_MS
			    : from->steady	 ? STEADY_AGO_MS
						 : NOT_STEADY_MS;
	restore_seen(from, r);
	r->routing_ms = NOW_MS - (settled[MESH_ROUTING] ? SETTLED_AGO_MS : MOMENT);
	r->sides[SIDE_STABLE] = (struct side_facts){
	    from->ready[0], NOW_MS - (settled[MESH_STABLE] ? SETTLED_AGO_MS : MOMENT)};
	r->sides[SIDE_CANARY] = (struct side_facts){from->ready[1], NOW_MS - canary_ms};
	for (int i = 0; i < MESH_SUBJECTS; i++)
		r->mesh[i].of_ms =
		    rollout_changed_ms(r, (enum mesh_subject)i) - (from->taken[i] ? 0 : MOMENT);
	r->mesh[MESH_WEIGHT].at_ms = NOW_MS - (from->drain == WAIT_OVER ? LONG_AGO : MOMENT);
	r->taken = from->had_weight ? 1 : 0;
}

static void
restore_attempt(const struct reduced *from, struct rollout *r)
{
	struct attempt *attempt = &r->attempt;
	attempt->act = (struct act){
	    .kind = (enum act_kind)from->act, .number = from->number, .urgent = from->urgent};
	restore_text(&attempt->act, from->text);
	attempt->number = from->acted;
	attempt->sent_ms = attempt->answered_ms = NOW_MS - MOMENT;
	attempt->pending = from->pending;
	attempt->failures = from->failures;
	attempt->outcome = (enum act_outcome)from->outcome;
	attempt->retry_ms = from->backoff ? NOW_MS + MOMENT : 0;
	attempt->text[0] = '\0';
}

static void
restore_drift(const struct reduced *from, struct rollout *r)
{
	struct drift *drift = &r->drift;
	str_copy(drift->what, sizeof(drift->what), drifts[from->drift]);
	if (from->drift == 0)
		drift->found[0] = '\0';
	else if (from->found == FOUND_DELETED)
		str_copy(drift->found, sizeof(drift->found), "deleted");
	else if (from->found >= FOUND_IMAGE)
		str_copy(drift->found, sizeof(drift->found),
		    image_text((enum image)(from->found - FOUND_IMAGE)));
	else
		str_print(drift->found, sizeof(drift->found), "%d", from->found);
	drift->repairs = from->repairs;
	drift->repair = from->repair;
}

static void
restore_gate(const struct reduced *from, struct rollout *r)
{
	if (r->app->gate_count == 0)
		return;
	r->gates[0].count = from->measured;
	r->gates[0].failures = from->failed;
	r->gates[0].passes = from->passed;
	r->gates[0].last = (struct gate_sample){
	    .verdict = from->passed ? VERDICT_PASS : VERDICT_FAIL, .at_ms = NOW_MS - MOMENT};
}

static void
restore_late(const struct reduced *from, struct rollout *r)
{
	for (int i = 0; i < LATE_ACTS; i++) {
		const struct reduced_late *late = &from->late_acts[i];
		uint64_t attempts[] = {0, from->acted, LATE_ATTEMPT + (uint64_t)i};
		r->late.acts[i] = (struct late_act){.until_ms = !late->there ? 0
								: late->may  ? NOW_MS + MOMENT
									     : NOW_MS - MOMENT,
		    .away = late->away,
		    .act = {.kind = (enum act_kind)late->act,
			.number = late->number,
			.urgent = late->urgent,
			.attempt = attempts[late->whose],
			.sent_ms = NOW_MS - MOMENT}};
	}
	r->overtaken = (struct past_act){.attempt = 0};
}

void
restore(const struct config *config, const struct reduced *from, struct rollout *r)
{
	(void)config;
	r->phase = (enum phase)from->phase;
	r->reason[0] = r->superseded_by[0] = '\0';
	r->stage = from->stage;
	r->skip = from->skip;
	r->weight = from->weight;
	r->stable_new = from->stable_new;
	r->rolled = from->rolled;
	r->resized = from->resized;
	r->canary = from->canary;
	r->stable = from->stable;
	r->batch = from->batch;
	r->seen = from->seen;
	for (int i = 0; i < r->ladder.count; i++)
		r->records[i].settled_ms = 0;
	if (from->backed_up)
		r->records[BACKUP_STAGE].settled_ms = NOW_MS - LONG_AGO;
	r->records[r->stage].entered_ms = NOW_MS - (from->backup_late ? LONG_AGO : MOMENT);
	if (from->hold != WAIT_NONE)
		r->records[r->stage].settled_ms =
		    NOW_MS - (from->hold == WAIT_OVER ? LONG_AGO : MOMENT);
	r->progress_ms = NOW_MS - (from->late ? LONG_AGO : MOMENT);
	r->peak = r->relapses = 0;
	r->waiting.object[0] = '\0';
	r->last_ms = NOW_MS - MOMENT;
	r->back_ms = 0;
	restore_late(from, r);
	restore_taken(from, r);
	restore_attempt(from, r);
	restore_drift(from, r);
	restore_gate(from, r);
	r->accepted_of_ms = rollout_route_ms(r); /* endpoints follow a selector at once here, */
	r->accepted_ms = 0;			 /* so it counts from the change itself */
}
