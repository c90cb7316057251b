/* An act under way is in one of three waits: for the answer of the write, for the object read back,
 * or for the next turn, in which what needed no request is answered. Its timer bounds them all. */
#include "cluster/act_run.h"

#include <string.h>
#include "base/jsonx.h"
#include "base/map.h"
#include "cluster/workload.h"

struct act_runs {
	struct loop *loop;
	struct kube *kube;
	struct kube_fence fence;
	struct cluster_events events;
	struct map *live;  /* number -> struct run */
	struct run *ended; /* freed in a later turn, never in its own callback */
	struct loop_timer *reaper;
	uint64_t last;
};

struct run {
	struct act_runs *runs;
	struct run *next;
	uint64_t number;
	char app[APP_LABEL], namespace[APP_LABEL];
	enum kube_lane lane;
	struct act_plan plan;
	struct act_judgement judgement; /* what is told in the end */
	int64_t retry_after_ms;
	uint64_t request; /* of the kube; 0: none under way */
	bool wrote;	  /* the write was answered or given up */
	struct loop_timer *timer;
};

static void
run_free(struct run *run)
{
	act_plan_done(&run->plan);
	loop_timer_free(run->timer);
	free(run);
}

static void
reap(void *ctx)
{
	struct act_runs *runs = ctx;

	while (runs->ended != NULL) {
		struct run *run = runs->ended;

		runs->ended = run->next;
		run_free(run);
	}
}

static void
finish(struct run *run)
{
	struct act_runs *runs = run->runs;

	map_remove_number(runs->live, run->number);
	loop_timer_clear(run->timer);
	if (run->request != 0)
		kube_cancel(runs->kube, run->request);
	run->next = runs->ended;
	runs->ended = run;
	loop_timer_set(runs->reaper, 0);
	runs->events.acted(runs->events.ctx, run->number, run->judgement.outcome,
	    run->judgement.text, run->retry_after_ms);
}

/* --- reading back --- */

static void
judge_existing(struct run *run, const json_t *object)
{
	struct act_judgement *j = &run->judgement;

	if (object != NULL && workload_is_ours(object, run->app) &&
	    jsonx_at(object, "metadata.deletionTimestamp") == NULL) {
		j->outcome = ACT_ALREADY;
		j->text[0] = '\0';
	} else if (object == NULL || workload_is_ours(object, run->app)) {
		j->outcome = ACT_CONFLICT; /* it went, or is going: decide anew */
	}
}

static void
on_read(void *ctx, const struct kube_answer *answer)
{
	struct run *run = ctx;
	bool found = answer->outcome == KUBE_ANSWERED && answer->status == 200;

	run->request = 0;
	if (run->judgement.exists && (found || answer->status == 404))
		judge_existing(run, found ? answer->body : NULL);
	finish(run);
}

static void
read_back(struct run *run)
{
	run->request = kube_read(run->runs->kube, run->lane, run->plan.kind, run->namespace,
	    run->plan.name, on_read, run);
}

/* --- writing --- */

/* The caches get what the write answered. A deletion that is in the foreground answers with the
 * object, which stays until what it owns is gone; so does a pod in its grace period. */
static void
show(struct run *run, json_t *body)
{
	struct kube *kube = run->runs->kube;
	const char *uid = run->plan.uid[0] != '\0' ? run->plan.uid : NULL;
	bool stays = jsonx_at(body, "metadata.deletionTimestamp") != NULL &&
		     (json_array_size(jsonx_at(body, "metadata.finalizers")) > 0 ||
			 jsonx_int(body, "metadata.deletionGracePeriodSeconds", 0) > 0);

	if (run->judgement.gone || (run->plan.verb == ACT_DELETE && !stays))
		kube_forget(kube, run->plan.kind, run->namespace, run->plan.name, uid);
	else if (jsonx_text(body, "metadata.resourceVersion") != NULL)
		kube_put(kube, run->plan.kind, body);
}

static enum act_sent
sent_of(enum kube_outcome outcome)
{
	switch (outcome) {
	case KUBE_ANSWERED:
		return ACT_SENT_ANSWERED;
	case KUBE_NOT_SENT:
		return ACT_SENT_NOT;
	case KUBE_UNKNOWN:
		return ACT_SENT_UNKNOWN;
	}
	return ACT_SENT_UNKNOWN;
}

static void
on_written(void *ctx, const struct kube_answer *answer)
{
	struct run *run = ctx;
	struct act_answer given = {.sent = sent_of(answer->outcome),
	    .status = answer->status,
	    .reason = answer->reason,
	    .message = answer->message};

	run->request = 0;
	run->wrote = true;
	run->retry_after_ms = answer->retry_after_ms;
	act_judge(&run->plan, &given, &run->judgement);
	if (run->judgement.outcome == ACT_DONE)
		show(run, answer->body);
	if (run->judgement.read)
		read_back(run);
	else
		finish(run);
}

static void
send_write(struct run *run)
{
	struct kube *kube = run->runs->kube;
	bool post = run->plan.verb == ACT_POST;
	char *name = kube_path(kube, run->plan.kind, run->namespace, post ? NULL : run->plan.name);
	char *path = str_format("%s?timeout=%ds", name, ACT_SERVER_MS / 1000);
	char *body = jsonx_dump(run->plan.body);
	struct kube_call call = {.lane = run->lane,
	    .method = act_verb_method(run->plan.verb),
	    .path = path,
	    .content_type = act_verb_content_type(run->plan.verb),
	    .body = body,
	    .deadline_ms = ACT_WRITE_MS,
	    .fence = run->runs->fence,
	    .done = on_written,
	    .ctx = run};

	run->request = kube_request(kube, &call);
	free(body);
	free(path);
	free(name);
}

/* --- the whole --- */

/* The next turn, for what needed no request; else the deadline. */
static void
on_timer(void *ctx)
{
	struct run *run = ctx;

	if (run->plan.send && !run->wrote) {
		run->judgement.outcome = ACT_UNKNOWN;
		str_print(run->judgement.text, sizeof(run->judgement.text), "no answer within %d s",
		    ACT_DEADLINE_MS / 1000);
	}
	finish(run);
}

static void
start(struct run *run)
{
	int64_t wait_ms = ACT_DEADLINE_MS;

	if (run->plan.send) {
		send_write(run);
	} else {
		run->judgement.outcome = run->plan.outcome;
		str_copy(run->judgement.text, sizeof(run->judgement.text), run->plan.text);
		if (run->plan.outcome == ACT_CONFLICT)
			read_back(run);
		else
			wait_ms = 0;
	}
	loop_timer_set(run->timer, wait_ms);
}

uint64_t
act_run(struct act_runs *runs, const struct app *app, bool urgent, struct act_plan *plan)
{
	struct run *run = mem_alloc(sizeof(*run));

	run->runs = runs;
	run->number = ++runs->last;
	str_copy(run->app, sizeof(run->app), app->name);
	str_copy(run->namespace, sizeof(run->namespace), app->namespace);
	run->lane = urgent ? KUBE_URGENT : KUBE_NORMAL;
	run->plan = *plan;
	plan->body = NULL;
	run->retry_after_ms = -1;
	run->timer = loop_timer_new(runs->loop, on_timer, run);
	map_set_number(runs->live, run->number, run);
	start(run);
	return run->number;
}

bool
act_runs_busy(const struct act_runs *runs)
{
	return map_count(runs->live) > 0;
}

struct act_runs *
act_runs_new(struct loop *loop, struct kube *kube, const struct kube_fence *fence,
    const struct cluster_events *events)
{
	struct act_runs *runs = mem_alloc(sizeof(*runs));

	runs->loop = loop;
	runs->kube = kube;
	runs->fence = *fence;
	runs->events = *events;
	runs->live = map_new();
	runs->reaper = loop_timer_new(loop, reap, runs);
	return runs;
}

void
act_runs_free(struct act_runs *runs)
{
	size_t cursor = 0;
	void *value;

	if (runs == NULL)
		return;
	while (map_next(runs->live, &cursor, NULL, &value)) {
		struct run *run = value;

		if (run->request != 0)
			kube_cancel(runs->kube, run->request);
		run_free(run);
	}
	map_free(runs->live, NULL);
	reap(runs);
	loop_timer_free(runs->reaper);
	free(runs);
}
