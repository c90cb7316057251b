/* The Job that saves data before the first batch: made of the App's CronJob, as `kubectl create job
 * --from` does, and looked at. Pure. */
#ifndef CLUSTER_BACKUP_H
#define CLUSTER_BACKUP_H

#include <jansson.h>
#include "cluster/observe.h"

/* The Jobs with the app's mark, the newest first; as many as there are places, all zero where there
 * is none. */
void backup_look(const struct app *app, const struct observe_objects *objects,
    struct backup_seen seen[BACKUPS_SEEN]);
/* A new reference. It is the CronJob's own, and goes with its history (successfulJobsHistoryLimit).
 */
json_t *backup_job(const struct app *app, const json_t *cronjob, const char *name);

#endif
