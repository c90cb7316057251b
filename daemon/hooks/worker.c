/* One hook: one request at a time, and the row leaves the outbox before the next one goes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/secret_file.h"
#include "base/str.h"
#include "base/version.h"
#include "hooks/hooks_room.h"
#include "hooks/sign.h"
#include "http/httpc_ca.h"

#define SECRET_MAX 4096
#define ANSWER_MAX ((size_t)1024 * 1024)
#define AGAIN_MS 2000
#define TURN_MS 0

int64_t
worker_now_ms(const struct worker *worker)
{
	const struct clock_port *clock = &worker->hooks->ports.clock;
	return clock->mono_ms(clock->ctx);
}

static int64_t
wall_ms(const struct worker *worker)
{
	const struct clock_port *clock = &worker->hooks->ports.clock;
	return clock->wall_ms(clock->ctx);
}

/* As the engine has it, which gives the rows their time: a clock of the wall that is set meanwhile
 * makes none of them old. */
static int64_t
row_now_ms(const struct worker *worker)
{
	const struct hooks *hooks = worker->hooks;
	return hooks->wall_base_ms + worker_now_ms(worker) - hooks->mono_base_ms;
}

/* --- done with ---------------------------------------------------------------------------------
 */

void
worker_dropped(struct worker *worker, bool gone)
{
	if (!worker->dropping)
		return;
	if (gone)
		worker->dropped += worker->asked;
	if (gone && worker->given_up_why != NULL)
		worker->given_up += (uint64_t)worker->asked;
	worker->drop_again = !gone || worker->dropped < worker->drop_count;
	if (!worker->drop_again) {
		worker->dropping = false;
		free(worker->drops);
		worker->drops = NULL;
	}
	loop_timer_set(worker->timer, gone ? TURN_MS : AGAIN_MS);
}

static void
ask_drop(struct worker *worker)
{
	const struct hooks_ports *ports = &worker->hooks->ports;
	int left = worker->drop_count - worker->dropped;
	worker->drop_again = false;
	worker->asked = left < DROP_MOST ? left : DROP_MOST;
	ports->drop(ports->ctx, worker->drops + worker->dropped, worker->asked, worker->number,
	    worker->name, worker->given_up_why);
}

/* Takes the job's rows. given_up: a literal; NULL: they were taken. */
static void
drop(struct worker *worker, struct job *job, const char *given_up)
{
	worker->given_up_why = given_up;
	worker->drops = job->seqs;
	worker->drop_count = job->count;
	worker->dropped = 0;
	worker->dropping = true;
	job->seqs = NULL;
	job_done(job);
	ask_drop(worker);
}

static void
give_up(struct worker *worker, struct job *job, const char *why)
{
	log_error("hooks", "%s: %d notices are given up: %s", worker->name, job->count, why);
	drop(worker, job, why);
}

/* Not more than are read at once; the next turn goes on, however long it is until the next try. */
static void
give_up_old(struct worker *worker)
{
	struct job old = {0};
	int result = pick_old(worker, row_now_ms(worker) - PACE_GIVE_UP_MS, &old);
	worker->more_old = result == 0 && old.count == SUM_MOST;
	if (result == 0 && old.count > 0)
		give_up(worker, &old, "not taken for a day");
	else
		job_done(&old);
}

/* --- what came of it ---------------------------------------------------------------------------
 */

static void
taken(struct worker *worker)
{
	if (worker->failing_ms != 0)
		log_info("hooks", "%s takes what it is told again", worker->name);
	worker->failures = 0;
	worker->failing_ms = 0;
	worker->not_before_ms = 0;
	worker->error[0] = '\0';
	worker->last_ok_ms = wall_ms(worker);
	worker->delivered += (uint64_t)worker->job.count;
	pick_said(worker);
	drop(worker, &worker->job, NULL);
}

/* status 0: there was no answer. One that refuses just this is there for others: they do not wait.
 */
static void
failed(struct worker *worker, int status, int64_t retry_after_ms, const char *why)
{
	bool first = worker->failures == 0;
	bool alone = pick_failed(worker) && pace_is_choosy(status);
	worker->failures = alone ? 1 : worker->failures + 1;
	int64_t delay_ms = pace_delay_ms(worker->failures, retry_after_ms, id_random());
	log_line(first ? LOG_WARN : LOG_DEBUG, "hooks", worker->job.rollout, NULL,
	    "%s: %s %s is not delivered: %s; again in %" PRId64 " ms", worker->name,
	    worker->job.event, worker->job.id, why, delay_ms);
	worker->failed++;
	if (worker->failing_ms == 0)
		worker->failing_ms = wall_ms(worker);
	str_copy(worker->error, sizeof(worker->error), why);
	worker->not_before_ms = worker_now_ms(worker) + delay_ms;
	job_done(&worker->job);
	give_up_old(worker);
	loop_timer_set(worker->timer, delay_ms);
}

static void
has_gone(struct worker *worker)
{
	worker->gone = true;
	worker->failing_ms = worker->failing_ms != 0 ? worker->failing_ms : wall_ms(worker);
	worker->failed++;
	str_copy(worker->error, sizeof(worker->error),
	    "it answered 410 Gone: it is told nothing any more, until the settings are read again");
	log_error("hooks", "%s: %s", worker->name, worker->error);
	job_done(&worker->job);
	loop_timer_set(worker->timer, TURN_MS);
}

static void
on_answer(void *ctx, const struct httpc_answer *answer)
{
	struct worker *worker = ctx;
	bool whole = answer->outcome == HTTPC_ANSWERED || answer->outcome == HTTPC_TOO_BIG;
	char why[256];
	worker->request = 0;
	str_print(why, sizeof(why), "it answered with status %d", answer->status);
	if (!whole)
		str_copy(why, sizeof(why), answer->error);
	switch (pace_verdict(whole ? answer->status : 0)) {
	case PACE_TAKEN:
		taken(worker);
		return;
	case PACE_GONE:
		has_gone(worker);
		return;
	case PACE_AGAIN:
		failed(
		    worker, whole ? answer->status : 0, whole ? answer->retry_after_ms : -1, why);
	}
}

/* --- sending -----------------------------------------------------------------------------------
 */

struct lines { /* of a request */
	const char *list[HEADERS + 9];
	int count;
	char event[64], delivery[64], time[64], signature[128], agent[96], trace[96];
};

static void
add_lines(const struct worker *worker, struct lines *lines, int64_t now_s)
{
	for (int i = 0; i < worker->header_count; i++)
		lines->list[lines->count++] = worker->headers[i];
	str_print(lines->event, sizeof(lines->event), "Airis-Event: %s",
	    worker->job.count > 1 ? "sum" : worker->job.event);
	str_print(lines->delivery, sizeof(lines->delivery), "Airis-Delivery: %s", worker->job.id);
	str_print(lines->time, sizeof(lines->time), "Airis-Timestamp: %" PRId64, now_s);
	str_print(lines->agent, sizeof(lines->agent), "User-Agent: airisd/%s", version_text());
	lines->list[lines->count++] = "Content-Type: application/json";
	lines->list[lines->count++] = lines->event;
	lines->list[lines->count++] = lines->delivery;
	lines->list[lines->count++] = lines->time;
	lines->list[lines->count++] = lines->agent;
}

static void
add_trace(const struct worker *worker, const struct say_row *row, struct lines *lines)
{
	char text[TRACE_PARENT] = "";
	if (worker->job.count == 1)
		say_traceparent(row, text);
	if (text[0] == '\0')
		return;
	str_print(lines->trace, sizeof(lines->trace), "traceparent: %s", text);
	lines->list[lines->count++] = lines->trace;
}

/* -1: there is no key to do it with. */
static int
add_signature(const struct worker *worker, struct lines *lines, int64_t now_s, const char *body)
{
	char secret[SECRET_MAX], text[SIGN_TEXT];
	if (worker->secret_file == NULL)
		return 0;
	ssize_t length = secret_file_read(worker->secret_file, secret, sizeof(secret));
	if (length < 0)
		return -1;
	sign_text(secret, (size_t)length, now_s, body, text);
	mem_wipe(secret, sizeof(secret));
	str_print(lines->signature, sizeof(lines->signature), "Airis-Signature: %s", text);
	lines->list[lines->count++] = lines->signature;
	return 0;
}

static void
start(struct worker *worker, const struct lines *lines, const char *body)
{
	struct httpc_request request = {.method = "POST",
	    .url = worker->url,
	    .headers = lines->list,
	    .body = body,
	    .body_length = strlen(body),
	    .tls = {.ca_pem = worker->ca_pem},
	    .timeout_ms = worker->timeout_ms,
	    .max_body = ANSWER_MAX,
	    .on_done = on_answer,
	    .ctx = worker};
	worker->request = httpc_start(worker->hooks->pool, &request);
}

static void
send_job(struct worker *worker)
{
	const struct job *job = &worker->job;
	const struct say_row row = {
	    .id = job->id, .event = job->event, .data = job->data, .at_ms = job->at_ms};
	struct lines lines = {.count = 0};
	int64_t now_s = wall_ms(worker) / 1000;
	char *body = job->count > 1 ? say_sum(job->counts) : say_body(worker->format, &row);
	add_lines(worker, &lines, now_s);
	add_trace(worker, &row, &lines);
	if (add_signature(worker, &lines, now_s, body) == 0)
		start(worker, &lines, body);
	else
		failed(worker, 0, -1, "its secretFile cannot be read, or is empty");
	free(body);
}

/* Nothing is kept for who wants nothing. */
static void
empty(struct worker *worker)
{
	struct job old = {0};
	int result = pick_old(worker, 0, &old);
	if (result == 0 && old.count > 0) {
		give_up(worker, &old, "it answered 410 Gone");
		return;
	}
	job_done(&old);
	if (result < 0)
		loop_timer_set(worker->timer, AGAIN_MS);
}

static void
look(struct worker *worker)
{
	int64_t now_ms = worker_now_ms(worker), when_ms = now_ms;
	switch (pick_next(worker, &when_ms)) {
	case PICK_JOB:
	case PICK_SUM:
		send_job(worker);
		return;
	case PICK_SKIP:
		drop(worker, &worker->job, NULL);
		return;
	case PICK_LATER:
		loop_timer_set(worker->timer, when_ms > now_ms ? when_ms - now_ms : TURN_MS);
		return;
	case PICK_UNREADABLE:
		loop_timer_set(worker->timer, AGAIN_MS);
		return;
	case PICK_NOTHING:
		return;
	}
}

static void
on_turn(void *ctx)
{
	struct worker *worker = ctx;
	int64_t wait_ms = worker->not_before_ms - worker_now_ms(worker);
	if (worker->dropping && worker->drop_again)
		ask_drop(worker);
	if (worker->request != 0 || worker->dropping)
		return;
	if (worker->more_old && wait_ms > 0 && !worker->gone) {
		give_up_old(worker);
		if (worker->dropping)
			return;
	}
	if (worker->gone)
		empty(worker);
	else if (wait_ms > 0)
		loop_timer_set(worker->timer, wait_ms);
	else
		look(worker);
}

void
worker_poke(struct worker *worker)
{
	for (int i = worker->hold_count - 1; i >= 0; i--)
		if (worker->holds[i].flap)
			worker->holds[i] = worker->holds[--worker->hold_count];
	if (worker->request == 0 && !worker->dropping)
		loop_timer_set(worker->timer, TURN_MS);
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void
forget_settings(struct worker *worker)
{
	for (int i = 0; i < worker->header_count; i++)
		free(worker->headers[i]);
	worker->header_count = 0;
	free(worker->url);
	free(worker->secret_file);
	free(worker->ca_pem);
}

void
worker_set(struct worker *worker, const struct hooks_hook *from)
{
	forget_settings(worker);
	worker->url = mem_strdup(from->url);
	worker->secret_file = mem_strdup(from->secret_file);
	worker->ca_pem = httpc_ca_read(from->ca_file, worker->name);
	while (from->headers != NULL && worker->header_count < HEADERS &&
	       from->headers[worker->header_count] != NULL) {
		worker->headers[worker->header_count] =
		    mem_strdup(from->headers[worker->header_count]);
		worker->header_count++;
	}
	worker->format = from->format;
	worker->events = from->events;
	worker->namespaces = from->namespaces;
	worker->apps = from->apps;
	worker->timeout_ms = from->timeout_ms;
	worker->gone = false;
	worker->failures = worker->hold_count = 0;
	worker->not_before_ms = 0;
	worker->more_old = false;
	worker_poke(worker);
}

struct worker *
worker_new(struct hooks *hooks, const struct hooks_hook *from)
{
	struct worker *worker = mem_alloc(sizeof(*worker));
	worker->hooks = hooks;
	worker->number = ++hooks->number;
	worker->name = mem_strdup(from->name);
	worker->timer = loop_timer_new(hooks->loop, on_turn, worker);
	worker_set(worker, from);
	return worker;
}

void
worker_free(struct worker *worker)
{
	if (worker->request != 0)
		httpc_cancel(worker->hooks->pool, worker->request);
	loop_timer_free(worker->timer);
	job_done(&worker->job);
	free(worker->drops);
	forget_settings(worker);
	free(worker->name);
	free(worker);
}
