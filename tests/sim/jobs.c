/* jobs: the Job controller: pods until enough of them have succeeded, or too many have failed. A
 * pod that is going or gone before it ended counts as failed. */
#include "ends.h"
#include "gc.h"
#include "jx.h"
#include "plan.h"
#include "podmake.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BACKOFF_MS = 10000, LAST_BACKOFF_MS = 600000 };

/* What is known of pods that are gone. */
struct jobx {
	int64_t succeeded, failed;
	int64_t seen;	    /* failures of all pods so far */
	uint64_t failed_ms; /* when the last one was seen */
};

struct tally {
	int64_t active, ready, going, succeeded, failed;
};

static struct jobx *
jobs_ext(struct obj *job)
{
	if (job->ext == NULL)
		job->ext = xalloc(sizeof(struct jobx));
	return job->ext;
}

static bool
is_phase(const struct obj *pod, const char *phase)
{
	const char *have = jx_str(pod->json, "status.phase");

	return have != NULL && strcmp(have, phase) == 0;
}

static void
count(struct obj *job, struct tally *t)
{
	struct jobx *x = jobs_ext(job);

	*t = (struct tally){.succeeded = x->succeeded, .failed = x->failed};
	for (size_t i = 0; i < job->nkids; i++) {
		struct obj *pod = job->kids[i];

		if (pod->kind->id != K_POD)
			continue;
		if (is_phase(pod, "Succeeded")) {
			t->succeeded++;
		} else if (is_phase(pod, "Failed") || pod_going(pod)) {
			t->failed++;
		} else {
			t->active++;
			t->ready += ends_pod_ready(pod->json);
		}
		t->going += pod_going(pod) && !pod_ended(pod);
	}
	if (t->failed > x->seen)
		x->failed_ms = now_ms();
	x->seen = t->failed;
}

static bool
has(const json_t *status, const char *type)
{
	json_t *c;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i,
	    c) if (strcmp(jx_str(c, "type"), type) == 0) return true;
	return false;
}

static void
say(json_t *status, const char *type, const char *reason, const char *message)
{
	json_t *list = json_object_get(status, "conditions");
	char now[32];

	if (has(status, type))
		return;
	wall_text(now, sizeof(now));
	list = list != NULL ? json_copy(list) : json_array();
	json_array_append_new(
	    list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status", "True",
		      "lastProbeTime", now, "lastTransitionTime", now, "reason", reason, "message",
		      message));
	json_object_set_new(status, "conditions", list);
}

static void
take_active(struct obj *job)
{
	for (size_t i = job->nkids; i > 0; i--)
		if (i <= job->nkids && job->kids[i - 1]->kind->id == K_POD &&
		    !pod_ended(job->kids[i - 1]) && !pod_going(job->kids[i - 1]))
			gc_delete(job->kids[i - 1], BACKGROUND, -1);
}

/* Why it has failed, or NULL; plans the look at its deadline. */
static const char *
failure(struct obj *job, const struct tally *t)
{
	int64_t most = jx_int(job->json, "spec.activeDeadlineSeconds", -1), left;
	const char *since = jx_str(job->json, "status.startTime");

	if (t->failed > jx_int(job->json, "spec.backoffLimit", 6))
		return "BackoffLimitExceeded";
	if (most < 0)
		return NULL;
	left = since != NULL ? wall_parse(since) + most - wall_now() : most;
	if (left <= 0)
		return "DeadlineExceeded";
	plan_task(job, T_STEP, (uint64_t)left * 1000);
	return NULL;
}

/* The next pod after a failure waits, each time longer. */
static bool
may_make(struct obj *job, const struct tally *t)
{
	uint64_t wait = FIRST_BACKOFF_MS, now = now_ms();

	for (int64_t i = 1; i < t->failed && wait < LAST_BACKOFF_MS; i++)
		wait *= 2;
	if (t->failed == 0 || jobs_ext(job)->failed_ms + wait <= now)
		return true;
	plan_task(job, T_STEP, jobs_ext(job)->failed_ms + wait - now);
	return false;
}

static void
make_pods(struct obj *job, const struct tally *t)
{
	int64_t want = jx_int(job->json, "spec.completions", 1) - t->succeeded;
	int64_t most = jx_int(job->json, "spec.parallelism", 1);
	char *why = NULL;

	if (want > most)
		want = most;
	if (want <= t->active || !may_make(job, t))
		return;
	for (int64_t i = t->active; i < want && why == NULL; i++) {
		if (world_quota(job->ns, &why))
			store_put(&kinds[K_POD], NULL,
			    pod_of(job, jx_at(job->json, "spec.template"), NULL));
	}
	if (why != NULL) {
		world_event(job, "Warning", "FailedCreate", "job-controller", why);
		plan_task(job, T_STEP, 1000);
	}
	free(why);
}

/* What the pods make of the job; its end is said when no pod of it runs any more. */
static void
judge(struct obj *job, json_t *status, const struct tally *t, const char *reason)
{
	const char *text = "Reached expected number of succeeded pods";
	char now[32];

	if (reason != NULL) {
		text = strcmp(reason, "DeadlineExceeded") == 0
			   ? "Job was active longer than specified deadline"
			   : "Job has reached the specified backoff limit";
		say(status, "FailureTarget", reason, text);
		if (t->active == 0 && t->going == 0)
			say(status, "Failed", reason, text);
	} else if (t->succeeded >= jx_int(job->json, "spec.completions", 1) && t->active == 0) {
		wall_text(now, sizeof(now));
		say(status, "SuccessCriteriaMet", "CompletionsReached", text);
		say(status, "Complete", "CompletionsReached", text);
		jx_set_str(status, "completionTime", now);
	}
}

static void
write_status(struct obj *job, const struct tally *t, const char *reason)
{
	json_t *next = json_copy(job->json), *status = jx_own(next, "status");
	char now[32];

	wall_text(now, sizeof(now));
	if (json_object_get(status, "startTime") == NULL)
		jx_set_str(status, "startTime", now);
	jx_set_count(status, "active", t->active);
	jx_set_count(status, "succeeded", t->succeeded);
	jx_set_count(status, "failed", t->failed);
	jx_set_int(status, "ready", t->ready);
	jx_set_int(status, "terminating", t->going);
	jx_own(status, "uncountedTerminatedPods");
	judge(job, status, t, reason);
	if (json_equal(status, json_object_get(job->json, "status")))
		json_decref(next);
	else
		store_put(job->kind, job, next);
}

static void
sync_job(struct obj *job)
{
	json_t *status = json_object_get(job->json, "status");
	struct tally t;
	const char *reason;

	if (jx_str(job->json, "metadata.deletionTimestamp") != NULL || has(status, "Complete") ||
	    has(status, "Failed"))
		return;
	obj_ref(job);
	count(job, &t);
	reason = has(status, "FailureTarget")
		     ? jx_str(json_array_get(json_object_get(status, "conditions"), 0), "reason")
		     : failure(job, &t);
	if (reason != NULL || jx_bool(job->json, "spec.suspend"))
		take_active(job);
	else
		make_pods(job, &t);
	count(job, &t);
	write_status(job, &t, reason);
	obj_unref(job);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *owner = o->kind->id == K_POD ? store_owner(o) : NULL;

	(void)before;
	if (o->kind->id == K_JOB && change != DELETED)
		plan_task(o, T_SYNC, 10);
	if (owner == NULL || owner->kind->id != K_JOB)
		return;
	if (change == DELETED && is_phase(o, "Succeeded"))
		jobs_ext(owner)->succeeded++;
	else if (change == DELETED)
		jobs_ext(owner)->failed++;
	plan_task(owner, T_SYNC, 5);
}

void
jobs_init(void)
{
	store_listen(changed);
	plan_register(K_JOB, T_SYNC, sync_job);
	plan_register(K_JOB, T_STEP, sync_job);
}
