/* Backups: the Job that is made before the first batch, what becomes of it, and the laws about it.
 * A Job ends well or badly, hangs, or is deleted by others; some of the ended ones go by
 * themselves, as a CronJob's history limits have it. */
#include <string.h>
#include "base/str.h"
#include "rooms.h"

#define SECOND_MS 1000
#define LONGEST_MS 90000
#define BACKUP_STAGE 1 /* after the preflight */

static struct job *
job_named(struct truth *t, const char *name)
{
	for (int i = 0; i < JOBS; i++)
		if (t->jobs[i].made != 0 && strcmp(t->jobs[i].name, name) == 0)
			return &t->jobs[i];
	return NULL;
}

static const struct job *
newest(const struct truth *t)
{
	const struct job *found = NULL;
	for (int i = 0; i < JOBS; i++)
		if (t->jobs[i].made != 0 && (found == NULL || t->jobs[i].made > found->made))
			found = &t->jobs[i];
	return found;
}

/* A Job's name ends as its rollout's id does. */
static bool
is_of(const struct job *job, const struct rollout_known *r)
{
	const char *tail = strrchr(job->name, '-');
	size_t length = tail == NULL ? 0 : strlen(++tail), id = strlen(r->id);
	return length > 0 && length <= id && strcmp(r->id + id - length, tail) == 0;
}

/* --- what becomes of it ----------------------------------------------------------------------- */

static void
succeeded(struct world *w, int app, const struct job *job)
{
	for (int i = 0; i < w->rollout_count; i++)
		if (w->rollouts[i].app == app && is_of(job, &w->rollouts[i]))
			w->rollouts[i].backed_up = true;
}

static void
ends(struct world *w, int app, int made)
{
	struct job *job = NULL;
	for (int i = 0; i < JOBS; i++)
		if (w->apps[app].truth.jobs[i].made == made)
			job = &w->apps[app].truth.jobs[i];
	if (job == NULL)
		return; /* it was deleted */
	if (world_fault(w, app, FAULT_BACKUP_HANGS)) {
		world_hit(w, FAULT_BACKUP_HANGS);
		event_at(w, w->now_ms + 5 * SECOND_MS, ends, app, made, false);
		return;
	}
	bool fails = world_fault_now(w, app, FAULT_BACKUP_FAILS);
	job->state = fails ? JOB_FAILED : JOB_SUCCEEDED;
	w->counters->backups[fails]++;
	if (!fails)
		succeeded(w, app, job);
	world_trace(w, "Job %s has %s", job->name, fails ? "failed" : "succeeded");
	watch_changed(w, app, PART_JOBS);
}

/* The oldest one makes room. */
enum act_outcome
backup_make(struct world *w, const struct act_sent *x)
{
	struct truth *t = &w->apps[x->app].truth;
	struct job *job = &t->jobs[0];
	if (job_named(t, x->act.text) != NULL)
		return ACT_ALREADY;
	for (int i = 1; i < JOBS; i++)
		if (t->jobs[i].made < job->made)
			job = &t->jobs[i];
	*job = (struct job){.state = JOB_RUNS, .made = (int)++w->uids};
	str_copy(job->name, sizeof(job->name), x->act.text);
	event_at(
	    w, w->now_ms + world_between(w, SECOND_MS, LONGEST_MS), ends, x->app, job->made, false);
	watch_changed(w, x->app, PART_JOBS);
	return ACT_DONE;
}

void
backup_deleted(struct world *w, int app)
{
	struct truth *t = &w->apps[app].truth;
	const struct job *last = newest(t);
	for (int i = 0; i < JOBS && last != NULL; i++)
		if (&t->jobs[i] == last) {
			t->jobs[i].made = 0;
			watch_changed(w, app, PART_JOBS);
			world_hit(w, FAULT_DELETED);
			return;
		}
}

/* --- what is seen ----------------------------------------------------------------------------- */

bool
backup_is_made(const struct truth *seen, const struct act *act)
{
	return job_named((struct truth *)seen, act->text) != NULL;
}

void
backup_see(const struct app_world *a, struct backup_seen seen[BACKUPS_SEEN])
{
	struct truth left = a->cached.truth;
	const struct job *job;
	for (int i = 0; i < BACKUPS_SEEN && (job = newest(&left)) != NULL; i++) {
		str_copy(seen[i].job, sizeof(seen[i].job), job->name);
		seen[i].state = job->state;
		if (job->state == JOB_FAILED)
			str_copy(
			    seen[i].why, sizeof(seen[i].why), "BackoffLimitExceeded: it failed");
		left.jobs[job - left.jobs].made = 0;
	}
}

/* --- the laws --------------------------------------------------------------------------------- */

static bool
owes_one(const struct app_world *a, const struct rollout_known *r)
{
	return r != NULL && r->begun && phase_forward(r->phase) && !r->backed_up &&
	       r->image != a->image_home && !a->image_by_others;
}

/* In each state: no pod of the release, and no template, before the backup has succeeded. */
void
backup_check(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct deployment *d = &a->truth.deployments[OF_STABLE];
	const struct rollout_known *r = rollout_active(w, app);
	if (!owes_one(a, r))
		return;
	bool has = d->exists && d->image == r->image;
	for (int i = 0; i < PODS; i++)
		has |= a->pods[i].there && a->pods[i].gone_ms == 0 && a->pods[i].image == r->image;
	if (has)
		world_violated(
		    w, "I7", "app%d: the release is there, and no backup has succeeded", app);
}

/* Only for the rollout that is under way. */
void
backup_check_send(struct world *w, int app, const struct act *act)
{
	const struct rollout_known *r = rollout_active(w, app);
	struct job job = {.made = 0};
	str_copy(job.name, sizeof(job.name), act->text);
	if (r == NULL || !phase_forward(r->phase) || !is_of(&job, r))
		world_violated(
		    w, "I9", "app%d: Job %s is of no rollout that goes on", app, job.name);
}

const char *
backup_stands(const struct world *w, int app, const struct rollout_known *r)
{
	const struct app_world *a = &w->apps[app];
	const struct job *job = newest(&a->truth);
	int64_t end_ms = r->entered_ms + w->plan->apps[app].backup_ms;
	if (!owes_one(a, r) || r->stage != BACKUP_STAGE)
		return NULL;
	if (job != NULL && job->state == JOB_FAILED && is_of(job, r))
		return "a failed backup does not end it";
	return w->now_ms > end_ms && !w->jumped ? "a backup that is too late does not end it"
						: NULL;
}
