/* One measurement: the value query, maybe a samples query for the same instant, a verdict. Always
 * true: it is in `measurements` until its answer is given or it is cancelled; its one timer is its
 * deadline, and set to 0 once the sample stands, so that the answer comes in a turn of its own.
 *
 *   WAITING -> RUNNING -> SETTLED -> answered        (deadline: WAITING, RUNNING -> answered)
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "gates/gates_room.h"

enum state { WAITING, RUNNING, SETTLED };
enum { VALUE, SAMPLES, PARTS, MAX_AGE_MS = 60000 };

struct part { /* one of the queries */
	struct gates_measurement *of;
	char *query;	    /* NULL: not asked */
	uint64_t request;   /* 0: none under way */
	bool retried, done; /* done: reading stands */
	struct loop_timer *retry;
	struct reading reading;
};

struct gates_measurement {
	struct gates *gates;
	struct gates_origin *origin;		   /* NULL when settled */
	struct gates_measurement *next, *previous; /* in the row of those that wait */
	struct gate_spec gate;			   /* its texts are not used, they may be gone */
	char traceparent[TRACE_PARENT];		   /* "" : none */
	struct part parts[PARTS];
	struct gate_sample sample;
	struct loop_timer *timer;
	enum state state;
	uint64_t number;
	int64_t deadline_ms; /* monotonic */
	int64_t at_ms;	     /* wall clock */
	void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample);
	void *done_ctx;
};

/* --- the row of those that wait -------------------------------------------------------------- */

static void
line_up(struct gates_measurement *m)
{
	struct gates_origin *origin = m->origin;

	m->previous = origin->last;
	if (origin->last != NULL)
		origin->last->next = m;
	else
		origin->first = m;
	origin->last = m;
	origin->health.waiting++;
}

static void
leave_line(struct gates_measurement *m)
{
	struct gates_origin *origin = m->origin;

	if (m->previous != NULL)
		m->previous->next = m->next;
	else
		origin->first = m->next;
	if (m->next != NULL)
		m->next->previous = m->previous;
	else
		origin->last = m->previous;
	m->next = m->previous = NULL;
	origin->health.waiting--;
}

/* --- endings --------------------------------------------------------------------------------- */

static void
drop_request(struct part *part)
{

	loop_timer_free(part->retry);
	part->retry = NULL;
	if (part->request == 0)
		return;
	map_remove_number(part->of->gates->parts, part->request);
	httpc_cancel(part->of->gates->pool, part->request);
	part->request = 0;
}

/* Nothing of it is under way afterwards, and the source has its place back. */
static void
release(struct gates_measurement *m)
{
	struct gates_origin *origin = m->origin;

	for (int i = 0; i < PARTS; i++)
		drop_request(&m->parts[i]);
	if (m->state == WAITING)
		leave_line(m);
	else if (m->state == RUNNING)
		origin->health.running--;
	m->state = SETTLED;
	m->origin = NULL;
	if (origin != NULL)
		gates_run_next(origin);
}

static void
free_measurement(struct gates_measurement *m)
{
	for (int i = 0; i < PARTS; i++) {
		loop_timer_free(m->parts[i].retry);
		free(m->parts[i].query);
	}
	loop_timer_free(m->timer);
	free(m);
}

static void
set_error(struct gates_measurement *m, const char *what, const char *why)
{
	m->sample =
	    (struct gate_sample){.verdict = VERDICT_ERROR, .samples = -1, .source_ill = true};
	str_print(m->sample.text, sizeof(m->sample.text), "data source %s: %s", what, why);
}

/* The sample stands; it is given out in a later turn. */
static void
settle(struct gates_measurement *m)
{
	release(m);
	m->sample.at_ms = m->at_ms;
	loop_timer_set(m->timer, 0);
}

static void
fail(struct gates_measurement *m, const char *why)
{
	set_error(m, m->origin->name, why);
	settle(m);
}

static void
answer(struct gates_measurement *m)
{

	map_remove_number(m->gates->measurements, m->number);
	m->done(m->done_ctx, m->number, &m->sample);
	free_measurement(m);
}

static void
on_timer(void *ctx)
{
	struct gates_measurement *m = ctx;
	char why[64], took[32];

	if (m->state != SETTLED) {
		str_duration_text(m->origin->timeout_ms, took, sizeof(took));
		str_print(why, sizeof(why), "no answer within %s", took);
		if (m->state == RUNNING)
			gates_origin_note(m->origin, false, why);
		set_error(m, m->origin->name,
		    m->state == RUNNING ? why : "too many questions: no turn in time");
		m->sample.at_ms = m->at_ms;
		release(m);
	}
	answer(m);
}

/* --- running --------------------------------------------------------------------------------- */

static void on_part(void *ctx, const struct httpc_answer *http);

/* The clocks' difference moves the window to before the last change of the weight (F16). */
static bool
clock_is_off(struct gates_measurement *m)
{
	int64_t skew = m->origin->health.skew_ms;
	char off[32];

	if (skew >= -GATES_SKEW_MS && skew <= GATES_SKEW_MS)
		return false;
	m->sample =
	    (struct gate_sample){.verdict = VERDICT_NO_DATA, .samples = -1, .source_ill = true};
	str_duration_text(skew < 0 ? -skew : skew, off, sizeof(off));
	str_print(m->sample.text, sizeof(m->sample.text),
	    "data source %s: its clock is %s %s ours; set the clocks right", m->origin->name, off,
	    skew < 0 ? "behind" : "ahead of");
	return true;
}

/* All readings are there: what do they say together? */
static void
judge(struct gates_measurement *m)
{
	const struct reading *samples = NULL;

	if (m->parts[SAMPLES].query != NULL)
		samples = &m->parts[SAMPLES].reading;
	m->gate.samples_query = m->parts[SAMPLES].query;
	if (!clock_is_off(m))
		sample_judge(&m->gate, &m->parts[VALUE].reading, samples, &m->sample);
	settle(m);
}

/* false: the measurement has ended. */
static bool
send_part(struct part *part)
{
	struct gates_measurement *m = part->of;
	int64_t left = m->deadline_ms - clock_mono_ms();
	struct err e;

	if (gates_origin_ask(m->origin, part->query, m->traceparent, m->at_ms, left < 1 ? 1 : left,
		on_part, &part->request, &e) != 0) {
		gates_origin_note(m->origin, false, e.text);
		fail(m, e.text);
		return false;
	}
	map_set_number(m->gates->parts, part->request, part);
	return true;
}

static void
on_retry(void *ctx)
{
	send_part(ctx);
}

static void
start_running(struct gates_measurement *m)
{
	m->state = RUNNING;
	m->origin->health.running++;
	for (int i = 0; i < PARTS; i++) {
		if (m->parts[i].query != NULL && !send_part(&m->parts[i]))
			return;
	}
}

void
gates_run_next(struct gates_origin *origin)
{
	/* One that fails at once comes back here: the loop below goes on, not a deeper one. */
	if (origin->starting)
		return;
	origin->starting = true;
	while (origin->first != NULL && origin->health.running < GATES_RUNNING) {
		struct gates_measurement *m = origin->first;

		/* With hardly any time left, asking would only be load on a slow source. */
		if (m->deadline_ms - clock_mono_ms() < origin->timeout_ms / 10) {
			fail(m, "too many questions: no turn in time");
			continue;
		}
		leave_line(m);
		start_running(m);
	}
	origin->starting = false;
}

/* No answer at all: once more, if there is time. A query changes nothing, so that is safe. */
static bool
retry(struct part *part, const struct httpc_answer *http)
{
	struct gates_measurement *m = part->of;

	if (part->retried || (http->outcome != HTTPC_NOT_SENT && http->outcome != HTTPC_UNKNOWN) ||
	    clock_mono_ms() + 2 * GATES_RETRY_MS >= m->deadline_ms)
		return false;
	part->retried = true;
	part->retry = loop_timer_new(m->gates->loop, on_retry, part);
	loop_timer_set(part->retry, GATES_RETRY_MS);
	return true;
}

static void
on_part(void *ctx, const struct httpc_answer *http)
{
	struct gates *gates = ctx;
	char why[160];
	struct part *part = map_remove_number(gates->parts, http->number);
	struct gates_measurement *m;

	if (part == NULL)
		return;
	m = part->of;
	part->request = 0;
	(void)gates_origin_heard(m->origin, http, why, sizeof(why));
	if (retry(part, http))
		return;
	if (http->outcome != HTTPC_ANSWERED) {
		fail(m, why);
		return;
	}
	reading_decode(http->body, http->body_length, http->status, m->gate.reduce, m->at_ms,
	    MAX_AGE_MS, &part->reading);
	part->done = true;
	if (m->parts[VALUE].done && (m->parts[SAMPLES].query == NULL || m->parts[SAMPLES].done))
		judge(m);
}

/* --- the port -------------------------------------------------------------------------------- */

static int
expand(struct gates_measurement *m, const struct gate_question *question, struct err *e)
{
	const struct query_vars vars = {.app = question->app,
	    .namespace = question->namespace,
	    .stable = question->stable,
	    .canary = question->canary,
	    .window_ms = question->window_ms,
	    .since_weight_ms = question->since_weight_ms};

	if (query_expand(question->gate->query, &vars, &m->parts[VALUE].query, e) != 0)
		return err_wrap(e, "query");
	if (question->gate->samples_query != NULL &&
	    query_expand(question->gate->samples_query, &vars, &m->parts[SAMPLES].query, e) != 0)
		return err_wrap(e, "samples query");
	return 0;
}

/* Puts it in its row, or ends it at once. */
static void
admit(struct gates_measurement *m, const struct gate_question *question)
{
	struct gates_origin *origin = gates_find(m->gates, question->gate->source);
	struct err e;

	m->state = SETTLED;
	if (origin == NULL) {
		set_error(m, question->gate->source, "is not in the daemon's settings");
		settle(m);
	} else if (expand(m, question, &e) != 0) {
		set_error(m, origin->name, e.text);
		settle(m);
	} else if (origin->health.waiting >= GATES_WAITING) {
		set_error(m, origin->name, "too many questions are waiting for it");
		settle(m);
	} else {
		m->origin = origin;
		m->state = WAITING;
		m->deadline_ms = clock_mono_ms() + origin->timeout_ms;
		loop_timer_set(m->timer, origin->timeout_ms);
		line_up(m);
		gates_run_next(origin);
	}
}

uint64_t
gates_measure(void *ctx, const struct gate_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample), void *done_ctx)
{
	struct gates *gates = ctx;
	struct gates_measurement *m = mem_alloc(sizeof(*m));

	m->gates = gates;
	m->gate = *question->gate;
	m->gate.query = m->gate.samples_query = NULL;
	m->done = done;
	m->done_ctx = done_ctx;
	if (question->traceparent != NULL)
		str_copy(m->traceparent, sizeof(m->traceparent), question->traceparent);
	m->number = ++gates->last_number;
	m->at_ms = clock_wall_ms();
	m->timer = loop_timer_new(gates->loop, on_timer, m);
	for (int i = 0; i < PARTS; i++)
		m->parts[i].of = m;
	map_set_number(gates->measurements, m->number, m);
	admit(m, question);
	return m->number;
}

void
gates_cancel(void *ctx, uint64_t number)
{
	struct gates *gates = ctx;
	struct gates_measurement *m = map_remove_number(gates->measurements, number);

	if (m == NULL)
		return;
	release(m);
	free_measurement(m);
}

void
gates_measurements_end(struct gates_origin *origin, const char *why)
{
	size_t cursor = 0;
	void *value;

	/* Those that wait first: they must not start when others give their places back. */
	while (origin->first != NULL)
		fail(origin->first, why);
	while (map_next(origin->gates->measurements, &cursor, NULL, &value)) {
		struct gates_measurement *m = value;

		if (m->origin == origin)
			fail(m, why);
	}
}

void
gates_measurements_free(struct gates *gates)
{
	size_t cursor = 0;
	void *value;

	while (map_next(gates->measurements, &cursor, NULL, &value)) {
		struct gates_measurement *m = value;

		for (int i = 0; i < PARTS; i++)
			drop_request(&m->parts[i]);
		free_measurement(m);
	}
}
