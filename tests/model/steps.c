/* The steps. What happens by itself is GOOD; faults use up their budget; commands are people's. */
#include "steps.h"

#include <string.h>
#include "laws.h"
#include "model/gate.h"
#include "nodes.h"
#include "world.h"

/* --- the cluster and the mesh -----------------------------------------------------------------
 */

static bool
rolls(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	return world_roll(lab->config, s);
}

static bool
gets_ready(struct lab *lab, struct state *s, int argument)
{
	return world_ready(lab->config, s, argument == 2, (enum image)(argument % 2));
}

enum { THE_LAST_POD = 4 }; /* of the old image */

static bool
gets_unready(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	s->k.blind = s->k.blind || s->down || s->outage;
	if (argument == THE_LAST_POD && !s->c.ordinals && !s->c.nodes)
		return false;
	return world_unready(
	    s, argument == 2, (enum image)(argument % 2), argument == THE_LAST_POD);
}

static bool
is_gone(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	return world_gone(s);
}

static bool
takes_route(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	return world_take_route(s);
}

static bool
takes_clusters(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	return world_take_clusters(s);
}

static bool
takes_ends(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	return world_take_ends(s, argument);
}

/* --- time and the mesh's word -----------------------------------------------------------------
 */

static bool
confirms(struct lab *lab, struct state *s, int argument)
{
	enum mesh_subject subject = (enum mesh_subject)argument;
	if (!lab->config->asks || s->down || s->r.taken[argument] || !world_has_taken(s, subject))
		return false;
	lab_taken(lab, subject);
	return true;
}

static bool
ends(uint8_t *wait, uint8_t to)
{
	if (*wait == to)
		return false;
	*wait = to;
	return true;
}

static bool
settle_ends(struct lab *lab, struct state *s, int argument)
{
	if (lab->config->asks || s->r.taken[argument] ||
	    !world_has_taken(s, (enum mesh_subject)argument))
		return false;
	return ends(&s->r.settled_mesh[argument], 1);
}

static bool
steady_ends(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	return s->r.ready[SIDE_CANARY] > 0 && ends(&s->r.steady, 1);
}

static bool
hold_ends(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	if (s->r.hold != WAIT_RUNS)
		return false;
	if (s->m.weight == lab->r->ladder.stages[s->k.rung].target.weight)
		s->k.cleared |= CLEARED_HOLD;
	return ends(&s->r.hold, WAIT_OVER);
}

/* Requests on the side without traffic are over when the drain is. Who has some waits for it, too,
 * before it shrinks. */
static bool
drain_ends(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	bool one = s->m.weight == 0 || s->m.weight == 100;
	if (s->r.drain != WAIT_RUNS || s->m.weight != s->c.weight || !(one || lab->config->shrinks))
		return false;
	if (one)
		*(s->m.weight == 0 ? &s->m.canary_busy : &s->m.stable_busy) = 0;
	return ends(&s->r.drain, WAIT_OVER);
}

static bool
deadline_ends(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	return ends(&s->r.late, 1);
}

/* A minute: mesh.settle of what was written before is over then too (reduce.c). */
static bool
minute_ends(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	bool open = !lab->config->asks && !s->r.taken[MESH_WEIGHT] && !s->r.seen_in_phase;
	if (s->r.phase != PHASE_ABORTING || (open && !s->r.settled_mesh[MESH_WEIGHT]))
		return false;
	return ends(&s->r.phase_late, 1);
}

static bool
backoff_ends(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	return ends(&s->r.backoff, 0);
}

/* --- acts -------------------------------------------------------------------------------------
 */

static bool
sends(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	if (s->flight != WRITTEN || s->down)
		return false;
	lab_send(lab, s);
	return true;
}

#define IN_SECRET ACT_KINDS /* carried out, and nobody says so */
#define LATE (ACT_KINDS + 1)

static bool
answers(struct lab *lab, struct state *s, int argument)
{
	bool applied = argument == ACT_DONE || argument == IN_SECRET;
	if (s->flight != ON_WAY || (argument == LATE && s->adrift.act != ACT_NONE))
		return false;
	if (argument == LATE)
		lab_drifts(lab, s);
	lab_answer(
	    lab, s, applied, argument >= ACT_KINDS ? ACT_UNKNOWN : (enum act_outcome)argument);
	return true;
}

/* In an outage writes fail without being counted as one more fault. */
static bool
is_not_reached(struct lab *lab, struct state *s, int argument)
{
	return s->outage && answers(lab, s, argument);
}

static bool
overtaken_ends(struct lab *lab, struct state *s, int argument)
{
	if (s->overtaken.act == ACT_NONE)
		return false;
	if (argument)
		lab_overtaken_lands(lab, s);
	else {
		s->overtaken = (struct act_on_way){0};
		lab_overtaken_answer(lab, ACT_UNREACHED);
	}
	return true;
}

static bool
adrift_ends(struct lab *lab, struct state *s, int argument)
{
	if (s->adrift.act == ACT_NONE)
		return false;
	if (argument)
		lab_adrift_lands(lab, s);
	s->adrift = (struct act_on_way){0};
	return true;
}

static bool
late_ends(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	bool any = false;
	for (int i = 0; i < LATE_ACTS && s->adrift.act == ACT_NONE; i++) {
		any |= ends(&s->r.late_acts[i].may, 0);
		s->r.late_acts[i].away = 0;
	}
	return any;
}

/* --- crashes and outages ----------------------------------------------------------------------
 */

static bool
crashes(struct lab *lab, struct state *s, int argument)
{
	if (s->down || (argument && s->flight != ON_WAY) ||
	    (argument == LATE && s->adrift.act != ACT_NONE))
		return false;
	if (argument == LATE)
		lab_drifts(lab, s);
	lab_crash(lab, s, argument == IN_SECRET);
	return true;
}

/* late: every wait that may be over by then is over at the first look. */
static bool
restarts(struct lab *lab, struct state *s, int argument)
{
	if (!s->down)
		return false;
	for (int i = 0; argument && i < MESH_SUBJECTS; i++)
		settle_ends(lab, s, i);
	if (argument) {
		steady_ends(lab, s, 0);
		hold_ends(lab, s, 0);
		drain_ends(lab, s, 0);
		minute_ends(lab, s, 0);
		backoff_ends(lab, s, 0);
		late_ends(lab, s, 0);
		s->r.late = 1;
		struct state kept = *s;
		lab_open(lab, &kept);
	}
	lab_restart(lab, s);
	return true;
}

static bool
goes_out(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	if (s->outage || s->down)
		return false;
	s->outage = STALE;
	s->seen = s->c;
	return true;
}

static bool
comes_back(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	return ends(&s->outage, SEES);
}

/* --- foreign edits ----------------------------------------------------------------------------
 */

static void
edit(struct state *s, enum act_object object)
{
	world_touch(s, object);
	s->k.unseen = s->k.unseen || s->down || s->outage || s->flight != LANDED;
}

static bool
edits_weight(struct lab *lab, struct state *s, int argument)
{
	if (!s->c.route || !s->c.names_canary || s->c.weight == argument)
		return false;
	(void)lab;
	s->c.weight = (uint8_t)argument;
	edit(s, ON_ROUTE);
	return true;
}

static bool
edits_image(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	s->c.image = s->c.image == IMAGE_OLD ? IMAGE_NEW : IMAGE_OLD;
	edit(s, ON_STABLE);
	return true;
}

static bool
edits_pace(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	if (s->c.held == 0 && !s->c.by_hand)
		return false;
	s->c.held = s->c.by_hand = 0;
	edit(s, ON_STABLE);
	return true;
}

static bool
edits_size(struct lab *lab, struct state *s, int argument)
{
	int size = s->c.canary_size + argument;
	if (s->c.canary != THERE || size < 0 || size > lab->config->full)
		return false;
	world_resize_canary(s, size);
	edit(s, ON_CANARY);
	return true;
}

static bool
deletes_canary(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	if (s->c.canary != THERE)
		return false;
	world_apply(lab->config, s, &(struct act){.kind = ACT_DELETE_CANARY});
	edit(s, ON_CANARY);
	return true;
}

static bool
deletes_route(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	if (!s->c.route)
		return false;
	s->c.route = s->c.weight = s->c.names_canary = s->c.names_stable = 0;
	edit(s, ON_ROUTE);
	return true;
}

static bool
deletes_service(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	if (!s->c.service)
		return false;
	s->c.service = 0;
	edit(s, ON_SERVICE);
	return true;
}

/* --- people and gates -------------------------------------------------------------------------
 */

enum { FULL = 100 }; /* promote --full */

static bool
commands(struct lab *lab, struct state *s, int argument)
{
	enum command command = argument == FULL ? COMMAND_PROMOTE : (enum command)argument;
	if (s->down || (command != COMMAND_ABORT && !lab->config->commands))
		return false;
	if (command == COMMAND_PROMOTE) {
		if (lab->r->stage == s->k.rung)
			s->k.cleared = CLEARED_ALL;
		else
			s->k.pass = 1;
		s->k.jump = argument == FULL || s->k.jump;
	}
	return lab_command(lab, s, command, argument == FULL);
}

/* Of what has failed: the wait for a person is over. */
static bool
retries(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	return !s->down && lab->r->phase == PHASE_FAILED &&
	       lab_command(lab, s, COMMAND_RETRY, false);
}

static bool
supersedes(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	if (!lab->config->commands || s->down || !phase_forward(lab->r->phase))
		return false;
	lab_supersede(lab, s);
	return true;
}

static bool
measures(struct lab *lab, struct state *s, int argument)
{
	if (s->down || !lab->config->gate || gate_due_ms(lab->r, 0) == 0 ||
	    (argument && s->r.passed))
		return false;
	if (argument && s->m.weight == lab->r->ladder.stages[s->k.rung].target.weight)
		s->k.cleared |= CLEARED_GATE;
	lab_measure(lab, argument);
	return true;
}

static const struct happening steps[] = {
    {"the stable Deployment rolls on", GOOD, BUDGETS, 0, rolls, NO_WAIT},
    {"a stable pod of the old image gets ready", GOOD, BUDGETS, IMAGE_OLD, gets_ready, NO_WAIT},
    {"a stable pod of the new image gets ready", GOOD, BUDGETS, IMAGE_NEW, gets_ready, NO_WAIT},
    {"a canary pod gets ready", GOOD, BUDGETS, 2, gets_ready, NO_WAIT},
    {"the canary's pods are gone", GOOD, BUDGETS, 0, is_gone, NO_WAIT},
    {"the mesh takes the route", GOOD, BUDGETS, 0, takes_route, NO_WAIT},
    {"the mesh takes Services and subsets", GOOD, BUDGETS, 0, takes_clusters, NO_WAIT},
    {"the mesh takes the canary's endpoints", GOOD, BUDGETS, 1, takes_ends, NO_WAIT},
    {"the mesh takes the stable endpoints", GOOD, BUDGETS, 0, takes_ends, NO_WAIT},
    {"the mesh confirms the weight", GOOD, BUDGETS, MESH_WEIGHT, confirms, NO_WAIT},
    {"the mesh confirms the routing", GOOD, BUDGETS, MESH_ROUTING, confirms, NO_WAIT},
    {"the mesh confirms the canary's endpoints", GOOD, BUDGETS, MESH_CANARY, confirms, NO_WAIT},
    {"the mesh confirms the stable endpoints", GOOD, BUDGETS, MESH_STABLE, confirms, NO_WAIT},
    {"mesh.settle is over: weight", GOOD, BUDGETS, MESH_WEIGHT, settle_ends, A_WAIT},
    {"mesh.settle is over: routing", GOOD, BUDGETS, MESH_ROUTING, settle_ends, A_WAIT},
    {"mesh.settle is over: the canary's endpoints", GOOD, BUDGETS, MESH_CANARY, settle_ends,
	A_WAIT},
    {"mesh.settle is over: the stable endpoints", GOOD, BUDGETS, MESH_STABLE, settle_ends, A_WAIT},
    {"the canary has been steady", GOOD, BUDGETS, 0, steady_ends, A_WAIT},
    {"the hold is over", GOOD, BUDGETS, 0, hold_ends, A_WAIT},
    {"the drain is over", GOOD, BUDGETS, 0, drain_ends, A_WAIT},
    {"the deadline is over", GOOD, BUDGETS, 0, deadline_ends, A_LIMIT},
    {"the abort is a minute old", GOOD, BUDGETS, 0, minute_ends, A_LIMIT},
    {"the back-off is over", GOOD, BUDGETS, 0, backoff_ends, A_WAIT},
    {"the act is sent", GOOD, BUDGETS, 0, sends, NO_WAIT},
    {"the API server answers", GOOD, BUDGETS, ACT_DONE, answers, NO_WAIT},
    {"the overtaken act lands", GOOD, BUDGETS, 1, overtaken_ends, NO_WAIT},
    {"the overtaken act fails", GOOD, BUDGETS, 0, overtaken_ends, NO_WAIT},
    {"the late write lands", GOOD, BUDGETS, 1, adrift_ends, NO_WAIT},
    {"the late write is lost", GOOD, BUDGETS, 0, adrift_ends, NO_WAIT},
    {"no write can come late any more", GOOD, BUDGETS, 0, late_ends, A_WAIT},
    {"airisd starts again", GOOD, BUDGETS, 0, restarts, NO_WAIT},
    {"airisd starts again, much later", GOOD, BUDGETS, 1, restarts, NO_WAIT},
    {"the API server is back", GOOD, BUDGETS, 0, comes_back, NO_WAIT},
    {"the backup succeeds", GOOD, BUDGETS, JOB_SUCCEEDED, backup_ends, NO_WAIT},
    {"the backup's deadline is over", GOOD, BUDGETS, 0, backup_is_late, A_LIMIT},
    {"the gate passes", GOOD, BUDGETS, 1, measures, NO_WAIT},
    {"command: retry what has failed", GOOD, BUDGETS, 0, retries, NO_WAIT},
    {"FAULT: in the outage the act does not get there", FAULT, BUDGETS, ACT_UNREACHED,
	is_not_reached, NO_WAIT},
    {"FAULT: the write conflicts", FAULT, ANSWERS, ACT_CONFLICT, answers, NO_WAIT},
    {"FAULT: the write is refused", FAULT, ANSWERS, ACT_REFUSED, answers, NO_WAIT},
    {"FAULT: the write does not get there", FAULT, ANSWERS, ACT_UNREACHED, answers, NO_WAIT},
    {"FAULT: the write and its answer are lost", FAULT, ANSWERS, ACT_UNKNOWN, answers, NO_WAIT},
    {"FAULT: it is carried out, the answer is lost", FAULT, ANSWERS, IN_SECRET, answers, NO_WAIT},
    {"FAULT: it is given up, and still on its way", FAULT, ANSWERS, LATE, answers, NO_WAIT},
    {"FAULT: airisd is killed", FAULT, CRASHES, 0, crashes, NO_WAIT},
    {"FAULT: the act lands, airisd is killed before the answer", FAULT, CRASHES, IN_SECRET, crashes,
	NO_WAIT},
    {"FAULT: airisd is killed, the act is still on its way", FAULT, CRASHES, LATE, crashes,
	NO_WAIT},
    {"FAULT: a stable pod of the old image dies", FAULT, FLIPS, IMAGE_OLD, gets_unready, NO_WAIT},
    {"FAULT: the last pod of the old image dies", FAULT, FLIPS, THE_LAST_POD, gets_unready,
	NO_WAIT},
    {"FAULT: a stable pod of the new image dies", FAULT, FLIPS, IMAGE_NEW, gets_unready, NO_WAIT},
    {"FAULT: a canary pod dies", FAULT, FLIPS, 2, gets_unready, NO_WAIT},
    {"FAULT: the API server does not answer", FAULT, OUTAGES, 0, goes_out, NO_WAIT},
    {"FAULT: somebody sets weight 0", FAULT, EDITS, 0, edits_weight, NO_WAIT},
    {"FAULT: somebody sets weight 50", FAULT, EDITS, 50, edits_weight, NO_WAIT},
    {"FAULT: somebody sets weight 100", FAULT, EDITS, 100, edits_weight, NO_WAIT},
    {"FAULT: somebody changes the stable image", FAULT, EDITS, 0, edits_image, NO_WAIT},
    {"FAULT: somebody lets it roll by itself", FAULT, EDITS, 0, edits_pace, NO_WAIT},
    {"FAULT: somebody makes the canary larger", FAULT, EDITS, 1, edits_size, NO_WAIT},
    {"FAULT: somebody makes the canary smaller", FAULT, EDITS, -1, edits_size, NO_WAIT},
    {"FAULT: somebody deletes the canary", FAULT, EDITS, 0, deletes_canary, NO_WAIT},
    {"FAULT: somebody deletes the route", FAULT, EDITS, 0, deletes_route, NO_WAIT},
    {"FAULT: somebody deletes the canary's Service", FAULT, EDITS, 0, deletes_service, NO_WAIT},
    {"FAULT: the backup fails", FAULT, FLIPS, JOB_FAILED, backup_ends, NO_WAIT},
    {"FAULT: somebody deletes the Job", FAULT, FLIPS, 0, backup_is_deleted, NO_WAIT},
    {"FAULT: the gate fails", FAULT, BUDGETS, 0, measures, NO_WAIT},
    {"command: abort", COMMAND, BUDGETS, COMMAND_ABORT, commands, NO_WAIT},
    {"command: superseded", COMMAND, BUDGETS, 0, supersedes, NO_WAIT},
    {"command: pause", COMMAND, COMMANDS, COMMAND_PAUSE, commands, NO_WAIT},
    {"command: resume", COMMAND, BUDGETS, COMMAND_RESUME, commands, NO_WAIT},
    {"command: promote", COMMAND, COMMANDS, COMMAND_PROMOTE, commands, NO_WAIT},
    {"command: promote --full", COMMAND, COMMANDS, FULL, commands, NO_WAIT},
    {"command: retry", COMMAND, COMMANDS, COMMAND_RETRY, commands, NO_WAIT},
};

int
steps_count(void)
{
	return (int)(sizeof(steps) / sizeof(steps[0]));
}

const struct happening *
steps_kind(int step)
{
	return &steps[step];
}

/* The end of a wait is in the reduced form: there it is written, and taken over from there. */
static bool
happens(struct lab *lab, struct state *s, const struct happening *step)
{
	lab_open(lab, s);
	if (!step->happens(lab, s, step->argument))
		return false;
	if (step->in_time != NO_WAIT) {
		struct state kept = *s;
		lab_open(lab, &kept);
	}
	return true;
}

static bool
is_broken_gate(const struct happening *step)
{
	return step->happens == measures && step->argument == 0;
}

bool
steps_take(struct lab *lab, const struct state *from, int number, struct state *to, enum rest *rest)
{
	const struct happening *step = &steps[number];
	*to = *from;
	if (step->budget < BUDGETS) {
		if (to->left[step->budget] == 0)
			return false;
		to->left[step->budget]--;
	}
	if (phase_final((enum phase)from->r.phase) && step->happens != retries)
		return false;
	if (!happens(lab, to, step))
		return false;
	struct state before = *to;
	lab_think(lab, to);
	laws_state(lab, to);
	if (is_broken_gate(step) && lab->r->phase != PHASE_ABORTING)
		lab_bad(lab, "I6: a gate is broken and nothing happens");
	*rest = lab_rest(lab, to);
	lab_close(lab, to);
	/* Nothing can tell that it is over yet: it is taken later, when something can. */
	return step->in_time != A_LIMIT || lab->bad[0] != '\0' ||
	       memcmp(&before, to, sizeof(before)) != 0;
}
