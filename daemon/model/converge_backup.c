/* The backup before the first batch: a Job of the user's own making, asked for once a rollout. Its
 * pods are the Job controller's; here it is made, waited for, and believed. */
#include <string.h>
#include "base/str.h"
#include "model/step.h"

#define CRONJOB_MAX 52 /* as Kubernetes has it: a Job's name is that and eleven more */
#define ID_TAIL 10     /* the random part of the rollout's id */

/* One name for each rollout, so that it can be asked for again. */
static void
job_name(const struct rollout *r, char *to, size_t size)
{
	size_t length = strlen(r->id);
	const char *tail = r->id + (length > ID_TAIL ? length - ID_TAIL : 0);

	str_print(to, size, "%.*s-%s", CRONJOB_MAX, r->app->batch.backup, tail);
}

static int64_t
end_of(const struct rollout *r)
{
	return r->records[r->stage].entered_ms + r->app->batch.backup_ms;
}

const struct backup_seen *
backup_seen_of(const struct observed *seen, const char *job)
{
	for (int i = 0; i < BACKUPS_SEEN; i++)
		if (seen->backups[i].state != JOB_NONE && strcmp(seen->backups[i].job, job) == 0)
			return &seen->backups[i];
	return NULL;
}

static bool
give_up(const struct backup_seen *seen, struct step *step, const char *object)
{
	if (seen != NULL && seen->state == JOB_FAILED)
		step_blocked(step, object, 0, "aborts", "the backup failed: %s", seen->why);
	else
		step_blocked(step, object, 0, "aborts",
		    "the backup has not succeeded within its deadline; the Job is left to itself");
	step->hopeless = true;
	return true;
}

/* Its stage may have been passed by: whoever promotes to the end skips what judges the release, not
 * what brings the data back. */
static bool
is_owed(const struct rollout *r)
{
	int i = 0;

	while (i < r->stage && !r->ladder.stages[i].target.backup)
		i++;
	return i < r->stage && r->records[i].settled_ms == 0 && !r->rolled;
}

bool
rule_backup(const struct view *v, struct step *step)
{
	const struct rollout *r = v->rollout;
	const struct backup_seen *seen;
	char name[APP_LABEL], object[APP_NAME * 2];

	if (!v->target.backup && !is_owed(r))
		return false;
	job_name(r, name, sizeof(name));
	step_object(object, sizeof(object), "Job", r->app, name);
	seen = backup_seen_of(v->seen, name);
	if (seen != NULL && seen->state == JOB_SUCCEEDED)
		return false;
	if ((seen != NULL && seen->state == JOB_FAILED) || v->now_ms >= end_of(r))
		return give_up(seen, step, object);
	if (seen == NULL)
		return step_act(step, ACT_BACKUP, 0, name);
	return step_blocked(step, object, end_of(r), "then the first batch",
	    "the backup runs; it must succeed before the first pod is replaced");
}
