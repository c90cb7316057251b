/* Why pods do not get ready. The worst finding is told; of equals the first by name, so that the
 * same trouble reads the same at every look, whatever the order of the pods. */
#include "cluster/workload.h"

#include <string.h>
#include "base/jsonx.h"

enum rank {
	RANK_NONE,
	RANK_NOT_READY,
	RANK_RESTARTED,
	RANK_UNSCHEDULABLE,
	RANK_NOT_CREATED,
	RANK_WAITING
};

struct finding {
	enum rank rank;
	struct problem problem;
};

struct trouble {
	enum rank rank;
	const char *kind, *name, *reason, *message;
	bool fatal;
};

static void
note(struct finding *worst, const struct trouble *t)
{
	struct problem *p = &worst->problem;
	char object[sizeof(p->object)];

	str_print(object, sizeof(object), "%s %s", t->kind, t->name);
	if (t->rank < worst->rank || (t->rank == worst->rank && strcmp(object, p->object) >= 0))
		return;
	worst->rank = t->rank;
	str_copy(p->object, sizeof(p->object), object);
	str_copy(p->reason, sizeof(p->reason), t->reason);
	str_copy(p->message, sizeof(p->message), t->message);
	p->fatal = t->fatal;
}

/* Reasons of a waiting container that do not go away by waiting. */
static bool
waits_in_vain(const char *reason)
{
	static const char *const reasons[] = {"ImagePullBackOff", "ErrImagePull",
	    "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable",
	    "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError",
	    "RunContainerError", "PreCreateHookError", "PostStartHookError"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(reason, reasons[i]) == 0)
			return true;
	return false;
}

/* A container that starts over and over is not always caught waiting: between two starts it runs,
 * unready (F39). */
static void
note_container(struct finding *worst, const char *pod, const json_t *status)
{
	const char *waiting = jsonx_text_or(status, "state.waiting.reason", "");
	const char *name = jsonx_text_or(status, "name", "?");
	int64_t restarts = jsonx_int(status, "restartCount", 0);
	char text[OBSERVED_TEXT];
	struct trouble t = {.kind = "Pod", .name = pod};

	if (waits_in_vain(waiting)) {
		str_print(text, sizeof(text), "container %s: %s", name,
		    jsonx_text_or(status, "state.waiting.message", waiting));
		t.rank = RANK_WAITING;
		t.reason = waiting;
		t.fatal = true;
	} else if (restarts > 0 && !jsonx_bool(status, "ready", false)) {
		str_print(text, sizeof(text),
		    "container %s: restarted %lld times, last exit code %lld", name,
		    (long long)restarts,
		    (long long)jsonx_int(status, "lastState.terminated.exitCode", -1));
		t.rank = RANK_RESTARTED;
		t.reason = jsonx_text_or(status, "lastState.terminated.reason", "Restarted");
		t.fatal = restarts >= 2;
	} else {
		return;
	}
	t.message = text;
	note(worst, &t);
}

static void
note_conditions(struct finding *worst, const char *name, const json_t *pod)
{
	bool runs = str_equal(jsonx_text(pod, "status.phase"), "Running");
	const json_t *condition;
	size_t i;

	json_array_foreach(jsonx_at(pod, "status.conditions"), i, condition)
	{
		const char *type = jsonx_text_or(condition, "type", "");
		struct trouble t = {.kind = "Pod",
		    .name = name,
		    .reason = jsonx_text_or(condition, "reason", ""),
		    .message = jsonx_text_or(condition, "message", "")};

		if (!str_equal(jsonx_text(condition, "status"), "False"))
			continue;
		if (strcmp(type, "PodScheduled") == 0) {
			t.rank = RANK_UNSCHEDULABLE;
			if (t.reason[0] == '\0')
				t.reason = "Unschedulable";
		} else if (strcmp(type, "Ready") == 0 && runs) {
			t.rank = RANK_NOT_READY;
			if (t.reason[0] == '\0')
				t.reason = "NotReady";
			if (t.message[0] == '\0')
				t.message = "it runs, but its readiness probe has not passed";
		} else {
			continue;
		}
		note(worst, &t);
	}
}

static void
note_pod(struct finding *worst, const json_t *pod)
{
	const char *name = jsonx_text_or(pod, "metadata.name", "?");
	static const char *const lists[] = {
	    "status.initContainerStatuses", "status.containerStatuses"};

	if (jsonx_at(pod, "metadata.deletionTimestamp") != NULL)
		return;
	for (size_t k = 0; k < 2; k++) {
		const json_t *status;
		size_t i;

		json_array_foreach(jsonx_at(pod, lists[k]), i, status)
		    note_container(worst, name, status);
	}
	note_conditions(worst, name, pod);
}

/* Pods that cannot be created at all: quota, a webhook, pod security (F38). */
static void
note_deployment(struct finding *worst, const json_t *deployment)
{
	const json_t *condition;
	size_t i;

	json_array_foreach(jsonx_at(deployment, "status.conditions"), i, condition)
	{
		struct trouble t = {.rank = RANK_NOT_CREATED,
		    .kind = "Deployment", /* a StatefulSet has no such condition */
		    .name = jsonx_text_or(deployment, "metadata.name", "?"),
		    .reason = jsonx_text_or(condition, "reason", "FailedCreate"),
		    .message = jsonx_text_or(condition, "message", ""),
		    .fatal = true};

		if (str_equal(jsonx_text(condition, "type"), "ReplicaFailure") &&
		    str_equal(jsonx_text(condition, "status"), "True"))
			note(worst, &t);
	}
}

static int64_t
revision(const json_t *set)
{
	const json_t *annotations = jsonx_at(set, "metadata.annotations");
	const char *text =
	    json_string_value(json_object_get(annotations, "deployment.kubernetes.io/revision"));
	int64_t number;

	if (text == NULL || str_number(text, 0, INT64_MAX, &number) < 0)
		return 0;
	return number;
}

/* The ReplicaSet of the template that the Deployment has now; NULL: not created yet. */
static const json_t *
newest_set(const struct workload_side *side, const struct app *app)
{
	const json_t *newest = NULL, *set;
	size_t i;

	json_array_foreach(side->sets, i, set)
	{
		if (newest == NULL || revision(set) > revision(newest))
			newest = set;
	}
	if (newest == NULL ||
	    !str_equal(workload_image(jsonx_at(newest, "spec.template.spec"), app->container),
		workload_image(jsonx_at(side->workload, "spec.template.spec"), app->container)))
		return NULL;
	return newest;
}

static bool
controlled_by(const json_t *object, const char *uid)
{
	const json_t *owner;
	size_t i;

	json_array_foreach(jsonx_at(object, "metadata.ownerReferences"), i, owner)
	{
		if (jsonx_bool(owner, "controller", false))
			return str_equal(jsonx_text(owner, "uid"), uid);
	}
	return false;
}

/* By its image, where there is no ReplicaSet in between. */
static bool
has_template(const struct workload_side *side, const struct app *app, const json_t *pod)
{
	return str_equal(workload_image(jsonx_at(pod, "spec"), app->container),
	    workload_image(jsonx_at(side->workload, "spec.template.spec"), app->container));
}

void
workload_problem(const struct workload_side *side, const struct app *app, struct problem *problem)
{
	struct finding worst = {.rank = RANK_NONE};
	const json_t *set, *pod;
	size_t i;

	if (side->workload == NULL)
		return;
	note_deployment(&worst, side->workload);
	set = newest_set(side, app);
	json_array_foreach(side->pods, i, pod)
	{
		if (app->kind != WORKLOAD_DEPLOYMENT
			? has_template(side, app, pod)
			: set != NULL && controlled_by(pod, jsonx_text_or(set, "metadata.uid", "")))
			note_pod(&worst, pod);
	}
	*problem = worst.problem;
}

/* NULL: it is not so. */
static const char *
unschedulable(const json_t *pod)
{
	const json_t *condition;
	size_t i;

	if (!str_equal(jsonx_text(pod, "status.phase"), "Pending") ||
	    jsonx_at(pod, "metadata.deletionTimestamp") != NULL)
		return NULL;
	json_array_foreach(jsonx_at(pod, "status.conditions"), i, condition)
	{
		if (str_equal(jsonx_text(condition, "type"), "PodScheduled") &&
		    str_equal(jsonx_text(condition, "status"), "False") &&
		    str_equal(jsonx_text(condition, "reason"), "Unschedulable"))
			return jsonx_text_or(condition, "message", "");
	}
	return NULL;
}

int
workload_unschedulable(const json_t *pods, const char **first, const char **message)
{
	const json_t *pod;
	int count = 0;
	size_t i;

	json_array_foreach(pods, i, pod)
	{
		const char *name = jsonx_text_or(pod, "metadata.name", "?");
		const char *why = unschedulable(pod);

		if (why == NULL)
			continue;
		if (count++ == 0 || strcmp(name, *first) < 0) {
			*first = name;
			*message = why;
		}
	}
	return count;
}
