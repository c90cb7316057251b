/* From a CronJob's template to a Job, and from a Job's conditions to what became of it. */
#include "cluster/backup.h"

#include <string.h>
#include "base/jsonx.h"
#include "cluster/clone.h"
#include "cluster/workload.h"

/* Times of the API are of one form, so their order is that of the text. */
static bool
is_newer(const json_t *job, const json_t *than)
{
	return than == NULL || strcmp(jsonx_text_or(job, "metadata.creationTimestamp", ""),
				   jsonx_text_or(than, "metadata.creationTimestamp", "")) > 0;
}

/* Among those found so far, the newest first. */
static void
put_in(const json_t *job, const json_t *newest[BACKUPS_SEEN])
{
	for (int i = 0; i < BACKUPS_SEEN && job != NULL; i++)
		if (is_newer(job, newest[i])) {
			const json_t *older = newest[i];

			newest[i] = job;
			job = older;
		}
}

static void
look_condition(const json_t *condition, struct backup_seen *seen)
{
	const char *type = jsonx_text_or(condition, "type", "");

	if (!str_equal(jsonx_text(condition, "status"), "True"))
		return;
	if (strcmp(type, "Complete") == 0) {
		seen->state = JOB_SUCCEEDED;
	} else if (strcmp(type, "Failed") == 0) {
		seen->state = JOB_FAILED;
		str_print(seen->why, sizeof(seen->why), "%s: %s",
		    jsonx_text_or(condition, "reason", "Failed"),
		    jsonx_text_or(condition, "message", ""));
	}
}

static void
look_job(const json_t *job, struct backup_seen *seen)
{
	const json_t *condition;
	size_t i;

	str_copy(seen->job, sizeof(seen->job), jsonx_text_or(job, "metadata.name", ""));
	seen->state = JOB_RUNS;
	json_array_foreach(jsonx_at(job, "status.conditions"), i, condition)
	    look_condition(condition, seen);
}

void
backup_look(const struct app *app, const struct observe_objects *objects,
    struct backup_seen seen[BACKUPS_SEEN])
{
	const json_t *newest[BACKUPS_SEEN] = {NULL}, *job;
	size_t i;

	json_array_foreach(objects->jobs, i, job)
	{
		if (workload_is_ours(job, app->name))
			put_in(job, newest);
	}
	for (i = 0; i < BACKUPS_SEEN && newest[i] != NULL; i++)
		look_job(newest[i], &seen[i]);
}

static json_t *
owner(const json_t *cronjob)
{
	return json_pack("[{s:s, s:s, s:s, s:s, s:b}]", "apiVersion", "batch/v1", "kind", "CronJob",
	    "name", jsonx_text_or(cronjob, "metadata.name", ""), "uid",
	    jsonx_text_or(cronjob, "metadata.uid", ""), "controller", 1);
}

json_t *
backup_job(const struct app *app, const json_t *cronjob, const char *name)
{
	const json_t *template = jsonx_at(cronjob, "spec.jobTemplate");
	json_t *metadata = clone_metadata(app, name), *spec;
	json_t *labels = json_object_get(metadata, "labels");
	json_t *notes = json_object_get(metadata, "annotations");

	json_object_update_missing(labels, jsonx_at(template, "metadata.labels"));
	json_object_update_missing(notes, jsonx_at(template, "metadata.annotations"));
	json_object_set_new(notes, "cronjob.kubernetes.io/instantiate", json_string("manual"));
	json_object_set_new(metadata, "ownerReferences", owner(cronjob));
	spec = json_deep_copy(json_object_get(template, "spec"));
	return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", "batch/v1", "kind", "Job",
	    "metadata", metadata, "spec", spec != NULL ? spec : json_object());
}
