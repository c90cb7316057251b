/* The small world's DaemonSet and backup. */
#include "nodes.h"

#include <string.h>
#include "base/str.h"
#include "model/pace.h"
#include "ordinals.h"
#include "reduce.h"
#include "world.h"

/* --- the DaemonSet ---------------------------------------------------------------------------- */

static bool
is_old(const struct cluster *c, int i)
{
	return c->seats[i] != 0 && !ordinals_is_of(c, i, (enum image)c->image);
}

/* By itself it replaces what is old and not ready, and one of the others when none is missing. */
static bool
renew(struct state *s)
{
	const struct cluster *c = &s->c;
	int next = -1;
	bool missing = false;
	for (int i = 0; i < c->stable_size; i++)
		missing |= !is_old(c, i) && !ordinals_is_ready(c, i);
	for (int i = c->stable_size - 1; i >= 0; i--)
		if (is_old(c, i) && !missing && (next < 0 || ordinals_is_ready(c, next)))
			next = i;
	for (int i = 0; i < c->stable_size; i++)
		if (is_old(c, i) && !ordinals_is_ready(c, i))
			next = i;
	if (next >= 0)
		ordinals_set(s, next, 0);
	return next >= 0;
}

bool
nodes_step(struct state *s)
{
	const struct cluster *c = &s->c;
	for (int i = 0; i < c->stable_size; i++)
		if (c->seats[i] == 0) {
			ordinals_set(s, i, ordinals_seat((enum image)c->image));
			return true;
		}
	return !c->by_hand && renew(s);
}

static int
next_of(const struct cluster *c)
{
	int next = -1;
	for (int i = c->stable_size - 1; i >= 0; i--)
		if (is_old(c, i) &&
		    (next < 0 || !ordinals_is_ready(c, i) || ordinals_is_ready(c, next)))
			next = i;
	return next;
}

void
nodes_see(const struct cluster *c, struct workload_seen *seen)
{
	int next = next_of(c);
	seen->pace = (struct pace){.nodes = true, .by_hand = c->by_hand};
	seen->next_ready = next >= 0 && ordinals_is_ready(c, next);
	if (next >= 0)
		str_print(seen->next, sizeof(seen->next), "web-%d", next);
}

/* Of that pod and no other: what took its place has another uid. */
enum act_outcome
nodes_replace(struct state *s, const struct act *act)
{
	int i = act->text[strlen("web-")] - '0';
	if (!ordinals_is_of(&s->c, i, IMAGE_OLD))
		return ACT_DONE;
	ordinals_set(s, i, 0);
	return ACT_DONE;
}

/* --- the backup ------------------------------------------------------------------------------- */

enum act_outcome
backup_make(struct cluster *c)
{
	if (c->job != JOB_NONE)
		return ACT_ALREADY;
	c->job = JOB_RUNS;
	return ACT_DONE;
}

void
backup_see(const struct cluster *c, struct observed *seen)
{
	if (c->job == JOB_NONE)
		return;
	seen->backups[0].state = (enum job_state)c->job;
	str_copy(seen->backups[0].job, sizeof(seen->backups[0].job), BACKUP_JOB);
}

bool
backup_ends(struct lab *lab, struct state *s, int job_state)
{
	(void)lab;
	if (s->c.job != JOB_RUNS)
		return false;
	s->c.job = (uint8_t)job_state;
	s->k.backed_up |= job_state == JOB_SUCCEEDED;
	return true;
}

bool
backup_is_deleted(struct lab *lab, struct state *s, int argument)
{
	(void)lab;
	(void)argument;
	if (s->c.job == JOB_NONE)
		return false;
	s->c.job = JOB_NONE;
	return true;
}

bool
backup_is_late(struct lab *lab, struct state *s, int argument)
{
	(void)argument;
	if (!lab->config->backup || s->r.backup_late)
		return false;
	s->r.backup_late = 1;
	return true;
}

/* --- the laws --------------------------------------------------------------------------------- */

static void
check_replace(struct lab *lab, const struct cluster *c, const struct act *act, int most)
{
	int i = reduce_text(act), missing = c->stable_size - c->old_ready - c->new_ready;
	if (!is_old(c, i))
		lab_bad(lab, "I2: pod %d is deleted and has the template", i);
	else if (c->stable_size - c->old_pods + 1 > most)
		lab_bad(lab, "I7: pod %d goes, and %d of %d old ones are there for a batch of %d",
		    i, c->old_pods, c->stable_size, most);
	else if (ordinals_is_ready(c, i) && missing > 0)
		lab_bad(lab, "I2: pod %d goes, and %d are missing", i, missing);
	else if (!c->by_hand)
		lab_bad(lab, "I7: pod %d goes, and its controller replaces them", i);
}

bool
nodes_check(struct lab *lab, const struct state *s, const struct act *act, int most)
{
	const struct cluster *c = s->outage ? &s->seen : &s->c;
	bool home = !phase_forward(lab->r->phase);
	if (act->kind == ACT_REPLACE_POD && home)
		lab_bad(lab, "I4: an abort deletes a pod");
	else if (act->kind == ACT_REPLACE_POD)
		check_replace(lab, c, act, most);
	else if (act->kind == ACT_ROLL && act->number > most && act->number != lab->r->batch)
		lab_bad(lab, "I7: %d pods in stage %d", act->number, lab->r->stage);
	return act->kind == ACT_REPLACE_POD || (act->kind == ACT_ROLL && !home);
}

bool
backup_check(struct lab *lab, const struct state *s, const struct act *act)
{
	bool home = !phase_forward(lab->r->phase);
	if (!lab->config->backup)
		return false;
	if (act->kind == ACT_BACKUP && home)
		lab_bad(lab, "I4: an abort makes a backup");
	else if (act->kind != ACT_BACKUP && !home && !s->k.backed_up)
		lab_bad(lab, "I7: %s before the backup has succeeded", act_name(act->kind));
	return act->kind == ACT_BACKUP;
}

/* Nobody else deletes its pods here. */
void
nodes_check_state(struct lab *lab, const struct state *s, int most)
{
	const struct cluster *c = &s->c;
	bool edits = s->left[EDITS] < lab->config->budget[EDITS];
	if (lab->config->backup && c->new_pods > 0 && !s->k.backed_up)
		lab_bad(lab, "I7: pods of the release before the backup has succeeded");
	if (c->nodes && c->by_hand && !edits && phase_forward(lab->r->phase) && c->new_pods > most)
		lab_bad(lab, "I7: %d pods run the release, %d are allowed", c->new_pods, most);
}
