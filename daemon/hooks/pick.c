/* What is next for a hook. Always true: of one rollout the oldest row goes first; a rollout whose
 * row failed lets those of others go on. */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "hooks/hooks_room.h"

void
job_done(struct job *job)
{
	free(job->seqs);
	free(job->data);
	*job = (struct job){0};
}

static void
job_add(struct job *job, const struct journal_row *row)
{
	enum notice notice = notice_of_name(row->name);
	if (job->seqs == NULL)
		job->seqs = mem_array(SUM_MOST, sizeof(*job->seqs));
	if (job->count == 0) {
		job->at_ms = row->at_ms;
		str_copy(job->rollout, sizeof(job->rollout), row->key);
		str_copy(job->id, sizeof(job->id), row->actor);
		str_copy(job->event, sizeof(job->event), row->name);
		job->data = mem_strdup(row->text);
	}
	if (notice != NOTICES)
		job->counts[notice]++;
	job->seqs[job->count++] = row->seq;
}

static struct hold *
hold_of(struct worker *worker, const char *rollout)
{
	for (int i = 0; i < worker->hold_count; i++)
		if (strcmp(worker->holds[i].rollout, rollout) == 0)
			return &worker->holds[i];
	return NULL;
}

static void
release(struct worker *worker, struct hold *hold)
{
	if (hold != NULL)
		*hold = worker->holds[--worker->hold_count];
}

static struct hold *
hold(struct worker *worker, const char *rollout)
{
	struct hold *found = hold_of(worker, rollout);
	if (found != NULL || worker->hold_count == HOLDS)
		return found;
	found = &worker->holds[worker->hold_count++];
	*found = (struct hold){0};
	str_copy(found->rollout, sizeof(found->rollout), rollout);
	return found;
}

struct scan {
	struct worker *worker;
	const char *only; /* rows of this rollout; NULL: of those that are not held */
	struct job *job;
	int64_t until_ms; /* at most: of wall time; 0: any */
	int most;
};

static bool
each(void *ctx, const struct journal_row *row)
{
	struct scan *scan = ctx;
	if (scan->until_ms != 0 && row->at_ms > scan->until_ms)
		return false;
	if (scan->only != NULL ? strcmp(scan->only, row->key) != 0
			       : hold_of(scan->worker, row->key) != NULL)
		return true;
	job_add(scan->job, row);
	return scan->job->count < scan->most;
}

static int
read_rows(struct scan *scan, int64_t after)
{
	const struct journal_port *journal = &scan->worker->hooks->ports.journal;
	struct err e;
	if (journal->outbox(journal->ctx, scan->worker->name, after, SUM_MOST, each, scan, &e) == 0)
		return 0;
	log_warn("hooks", "what waits for %s cannot be read: %s", scan->worker->name, e.text);
	return -1;
}

int
pick_old(struct worker *worker, int64_t until_ms, struct job *job)
{
	/* Of all, held or not. */
	int holds = worker->hold_count;
	worker->hold_count = 0;
	int result = read_rows(
	    &(struct scan){.worker = worker, .job = job, .until_ms = until_ms, .most = SUM_MOST},
	    0);
	worker->hold_count = holds;
	return result;
}

/* The one that waits until the earliest time; NULL: none. */
static struct hold *
earliest(struct worker *worker)
{
	struct hold *first = NULL;
	for (int i = 0; i < worker->hold_count; i++)
		if (first == NULL || worker->holds[i].next_ms < first->next_ms)
			first = &worker->holds[i];
	return first;
}

static bool
is_flap(const char *event)
{
	return strcmp(event, "paused") == 0 || strcmp(event, "resumed") == 0;
}

static int64_t
said_ms(const struct worker *worker, const char *rollout)
{
	int64_t at_ms = -1;
	for (int i = 0; i < HOLDS; i++)
		if (strcmp(worker->said[i].rollout, rollout) == 0 && worker->said[i].at_ms > at_ms)
			at_ms = worker->said[i].at_ms;
	return at_ms;
}

/* People are told of a rollout that goes to and fro once a minute. */
static enum pick
judge_flap(struct worker *worker)
{
	struct job next = {0};
	struct scan scan = {.worker = worker, .only = worker->job.rollout, .job = &next, .most = 1};
	int64_t now_ms = worker_now_ms(worker), last_ms = said_ms(worker, worker->job.rollout);
	if (read_rows(&scan, worker->job.seqs[0]) < 0)
		return PICK_UNREADABLE;
	bool another = next.count > 0 && is_flap(next.event), more = next.count > 0;
	enum pace_flap flap = pace_flap(more ? -1 : last_ms, another, now_ms);
	job_done(&next);
	if (flap != PACE_HOLD)
		return flap == PACE_SKIP ? PICK_SKIP : PICK_JOB;
	struct hold *held = hold(worker, worker->job.rollout);
	if (held == NULL)
		return PICK_JOB;
	held->next_ms = last_ms + PACE_FLAP_MS;
	held->flap = true;
	return PICK_LATER;
}

static enum pick
judge(struct worker *worker, int64_t *when_ms)
{
	if (worker->format != SAY_SLACK)
		return PICK_JOB;
	if (is_flap(worker->job.event)) {
		enum pick pick = judge_flap(worker);
		*when_ms = worker_now_ms(worker); /* look again: there may be others */
		if (pick != PICK_JOB)
			return pick;
	}
	switch (pace_turn(&worker->minute, worker_now_ms(worker))) {
	case PACE_ONE:
		return PICK_JOB;
	case PACE_WAIT:
		*when_ms = worker->minute.since_ms + PACE_FLAP_MS;
		return PICK_LATER;
	case PACE_SUM:
		break;
	}
	job_done(&worker->job);
	return pick_old(worker, 0, &worker->job) == 0 ? PICK_SUM : PICK_UNREADABLE;
}

/* One of those that wait, if its time has come. */
static enum pick
pick_held(struct worker *worker, int64_t *when_ms)
{
	struct hold *first;
	while ((first = earliest(worker)) != NULL) {
		struct scan scan = {
		    .worker = worker, .only = first->rollout, .job = &worker->job, .most = 1};
		*when_ms = first->next_ms;
		if (first->next_ms > worker_now_ms(worker))
			return PICK_LATER;
		if (read_rows(&scan, 0) < 0)
			return PICK_UNREADABLE;
		if (worker->job.count > 0)
			return PICK_JOB;
		release(worker, first); /* nothing of it is there any more */
	}
	return PICK_NOTHING;
}

enum pick
pick_next(struct worker *worker, int64_t *when_ms)
{
	struct scan scan = {.worker = worker, .job = &worker->job, .most = 1};
	job_done(&worker->job);
	if (worker->hold_count < HOLDS && read_rows(&scan, 0) < 0)
		return PICK_UNREADABLE;
	if (worker->job.count == 0) {
		enum pick pick = pick_held(worker, when_ms);
		if (pick != PICK_JOB)
			return pick;
	}
	return judge(worker, when_ms);
}

bool
pick_failed(struct worker *worker)
{
	struct hold *held = worker->job.count == 1 ? hold(worker, worker->job.rollout) : NULL;
	if (held == NULL)
		return false;
	held->attempts++;
	held->flap = false;
	held->next_ms = worker_now_ms(worker) + pace_delay_ms(held->attempts, -1, id_random());
	return true;
}

void
pick_said(struct worker *worker)
{
	release(worker, hold_of(worker, worker->job.rollout));
	worker->minute.count++;
	if (!is_flap(worker->job.event))
		return;
	int at = worker->said_next++ % HOLDS;
	str_copy(worker->said[at].rollout, sizeof(worker->said[at].rollout), worker->job.rollout);
	worker->said[at].at_ms = worker_now_ms(worker);
}
