/* rollstatus: a Deployment's status: counts, and the conditions Available, Progressing and
 * ReplicaFailure, with the progress deadline. */
#include "deploys.h"
#include "jx.h"
#include "plan.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counts {
	int64_t replicas, updated, ready, available, going;
};

static json_t *
find(const json_t *status, const char *type)
{
	json_t *c;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i,
	    c) if (strcmp(jx_str(c, "type"), type) == 0) return c;
	return NULL;
}

static void
drop(json_t *conditions, const char *type)
{
	json_t *c;
	size_t i;

	json_array_foreach(conditions, i, c) if (strcmp(jx_str(c, "type"), type) == 0)
	{
		json_array_remove(conditions, i);
		return;
	}
}

/* Sets a condition; as in Kubernetes nothing happens where status and reason are the same,
 * unless touched says that lastUpdateTime moves anyway. */
static void
set(json_t *status, const char *type, const char *value, const char *reason, const char *message,
    bool touched)
{
	json_t *conditions = json_object_get(status, "conditions"), *old = find(status, type), *c;
	const char *since = NULL;
	char now[32];

	if (old != NULL && strcmp(jx_str(old, "status"), value) == 0) {
		if (strcmp(jx_str(old, "reason"), reason) == 0 && !touched)
			return;
		since = jx_str(old, "lastTransitionTime");
	}
	wall_text(now, sizeof(now));
	c = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status", value,
	    "lastUpdateTime", now, "lastTransitionTime", since != NULL ? since : now, "reason",
	    reason, "message", message);
	drop(conditions, type);
	json_array_append_new(conditions, c);
}

static void
count(const struct roll *r, struct counts *c)
{
	*c = (struct counts){0};
	for (size_t i = 0; i < r->n; i++) {
		c->replicas += jx_int(r->sets[i]->json, "status.replicas", 0);
		c->ready += jx_int(r->sets[i]->json, "status.readyReplicas", 0);
		c->available += set_available(r->sets[i]);
		c->going += jx_int(r->sets[i]->json, "status.terminatingReplicas", 0);
	}
	if (r->fresh != NULL)
		c->updated = jx_int(r->fresh->json, "status.replicas", 0);
}

static bool
progressed(const json_t *old, const struct counts *c)
{
	int64_t updated = jx_int(old, "updatedReplicas", 0);

	return c->updated > updated ||
	       c->replicas - c->updated < jx_int(old, "replicas", 0) - updated ||
	       c->ready > jx_int(old, "readyReplicas", 0) ||
	       c->available > jx_int(old, "availableReplicas", 0);
}

/* The largest number of seconds stands for no deadline, and then nothing is said of progress. */
static bool
has_deadline(const json_t *d)
{
	return jx_int(d, "spec.progressDeadlineSeconds", INT32_MAX) != INT32_MAX;
}

static int64_t
seconds_left(const struct roll *r, const json_t *progressing)
{
	return wall_parse(jx_str(progressing, "lastUpdateTime")) +
	       jx_int(r->d->json, "spec.progressDeadlineSeconds", 600) - wall_now();
}

static bool
reason_is(const json_t *condition, const char *reason)
{
	return condition != NULL && strcmp(jx_str(condition, "reason"), reason) == 0;
}

static void
set_progress(const struct roll *r, json_t *status, const struct counts *c)
{
	const json_t *old = json_object_get(r->d->json, "status");
	json_t *now = find(status, "Progressing");
	const char *name = r->fresh != NULL ? r->fresh->name : r->d->name;
	bool complete = c->updated == r->replicas && c->replicas == r->replicas &&
			c->available == r->replicas && r->fresh != NULL;
	char text[400];

	if (now != NULL && c->replicas == c->updated && reason_is(now, "NewReplicaSetAvailable") &&
	    strstr(jx_str(now, "message"), name) != NULL)
		return;
	if (complete) {
		snprintf(
		    text, sizeof(text), "ReplicaSet \"%.200s\" has successfully progressed.", name);
		set(status, "Progressing", "True", "NewReplicaSetAvailable", text, false);
	} else if (now == NULL || reason_is(now, "DeploymentResumed") ||
		   (reason_is(now, "NewReplicaSetAvailable") && c->updated == 0)) {
		snprintf(text, sizeof(text), "Created new replica set \"%.200s\"", name);
		set(status, "Progressing", "True", "NewReplicaSetCreated", text, true);
	} else if (progressed(old, c)) {
		snprintf(text, sizeof(text), "ReplicaSet \"%.200s\" is progressing.", name);
		set(status, "Progressing", "True", "ReplicaSetUpdated", text, true);
	} else if (!reason_is(now, "NewReplicaSetAvailable") && seconds_left(r, now) < 0) {
		snprintf(
		    text, sizeof(text), "ReplicaSet \"%.200s\" has timed out progressing.", name);
		set(status, "Progressing", "False", "ProgressDeadlineExceeded", text, false);
	}
}

static void
progress(const struct roll *r, json_t *status, const struct counts *c)
{
	json_t *now = find(status, "Progressing");

	if (!has_deadline(r->d->json)) {
		drop(json_object_get(status, "conditions"), "Progressing");
		return;
	}
	if (jx_bool(r->d->json, "spec.paused")) {
		if (!reason_is(now, "ProgressDeadlineExceeded"))
			set(status, "Progressing", "Unknown", "DeploymentPaused",
			    "Deployment is paused", false);
		return;
	}
	if (reason_is(now, "DeploymentPaused"))
		set(status, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed",
		    false);
	set_progress(r, status, c);
}

/* A ReplicaSet that cannot create its pods makes the Deployment say so. */
static void
set_failure(const struct roll *r, json_t *status)
{
	json_t *failure = NULL;

	for (size_t i = 0; i < r->n; i++) {
		json_t *c = find(json_object_get(r->sets[i]->json, "status"), "ReplicaFailure");

		if (c != NULL && (failure == NULL || r->sets[i] == r->fresh))
			failure = c;
	}
	if (failure == NULL)
		drop(json_object_get(status, "conditions"), "ReplicaFailure");
	else
		set(status, "ReplicaFailure", "True", jx_str(failure, "reason"),
		    jx_str(failure, "message"), false);
}

static void
set_counts(const struct roll *r, json_t *status, const struct counts *c)
{
	int64_t missing = roll_total(r) - c->available;

	jx_set_int(status, "observedGeneration", jx_int(r->d->json, "metadata.generation", 1));
	jx_set_count(status, "replicas", c->replicas);
	jx_set_count(status, "updatedReplicas", c->updated);
	jx_set_count(status, "readyReplicas", c->ready);
	jx_set_count(status, "availableReplicas", c->available);
	jx_set_int(status, "terminatingReplicas", c->going);
	jx_set_count(status, "unavailableReplicas", missing > 0 ? missing : 0);
}

/* The entry of managedFields that says that the controller writes the status; shared by all. */
static json_t *
controller_entry(void)
{
	static json_t *entry;
	char now[32];

	if (entry == NULL) {
		wall_text(now, sizeof(now));
		entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:{s:{s:{s:{}, s:{}}}, s:{s:{}, "
				  "s:{}, s:{}, s:{}, s:{}, s:{}, s:{}}}}",
		    "manager", "kube-controller-manager", "operation", "Update", "apiVersion",
		    "apps/v1", "subresource", "status", "time", now, "fieldsType", "FieldsV1",
		    "fieldsV1", "f:metadata", "f:annotations", ".",
		    "f:deployment.kubernetes.io/revision", "f:status", "f:availableReplicas",
		    "f:conditions", "f:observedGeneration", "f:readyReplicas", "f:replicas",
		    "f:unavailableReplicas", "f:updatedReplicas");
	}
	return entry;
}

static void
claim(json_t *next)
{
	json_t *list = jx_at(next, "metadata.managedFields"), *e;
	size_t i;

	json_array_foreach(
	    list, i, e) if (strcmp(jx_str(e, "manager"), "kube-controller-manager") == 0 &&
			    json_equal(json_object_get(e, "subresource"),
				json_object_get(controller_entry(), "subresource"))) return;
	list = json_is_array(list) ? json_copy(list) : json_array();
	json_array_append(list, controller_entry());
	json_object_set_new(jx_own(next, "metadata"), "managedFields", list);
}

void
roll_status(struct roll *r)
{
	json_t *next = json_copy(r->d->json), *status = jx_own(next, "status"), *now;
	json_t *list = json_object_get(status, "conditions");
	int64_t left;
	struct counts c;

	json_object_set_new(status, "conditions", list != NULL ? json_copy(list) : json_array());
	count(r, &c);
	set_counts(r, status, &c);
	if (c.available >= r->replicas - r->unavailable)
		set(status, "Available", "True", "MinimumReplicasAvailable",
		    "Deployment has minimum availability.", false);
	else
		set(status, "Available", "False", "MinimumReplicasUnavailable",
		    "Deployment does not have minimum availability.", false);
	progress(r, status, &c);
	set_failure(r, status);
	now = find(status, "Progressing");
	if (now != NULL && strcmp(jx_str(now, "status"), "True") == 0 &&
	    !reason_is(now, "NewReplicaSetAvailable")) {
		left = seconds_left(r, now);
		plan_task(r->d, T_STEP, left > 0 ? (uint64_t)left * 1000 + 1000 : 1000);
	}
	if (json_equal(status, json_object_get(r->d->json, "status"))) {
		json_decref(next);
		return;
	}
	claim(next);
	store_put(r->d->kind, r->d, next);
}
