/* Requests. A request is always in exactly one list of its lane: waiting (for the budget, a free
 * place, or credentials), running, or sleeping before its next attempt. Only the pump starts them
 * and only loop callbacks end them, so nobody is called back from inside his own call. The urgent
 * and the vital lane have places and connections of their own and take from the budget without
 * waiting for it; so has the spare one, which begins nothing unless half of the budget is left. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/version.h"
#include "cluster/kube_sending.h"

enum { URGENT_PLACES = 4, VITAL_PLACES = 2, SPARE_PLACES = 1, STARTS_A_TURN = 64 };

enum request_state { WAITING, RUNNING, SLEEPING };

struct kube_request {
	struct kube_request *next, *previous;
	struct kube *kube;
	enum request_state state;
	uint64_t number;
	enum kube_lane lane;
	char *method, *path, *content_type, *body;
	const char *verb;
	int64_t deadline_ms, attempt_ms; /* monotonic; a duration */
	int64_t waits_since_ms;
	int64_t sent_ms;    /* wall clock; of the last attempt */
	int64_t backoff_ms; /* 0: none yet */
	bool once, raw, refreshed, paid;
	size_t max_body;
	uint64_t generation; /* of the credentials it was sent with */
	uint64_t http;	     /* httpc's number while running */
	struct loop_timer *timer;
	struct kube_fence fence;
	char barred[256]; /* what the fence said; "": it was open */
	kube_done *done;
	void *ctx;
	struct kube_answer last; /* of the attempt before; body NULL */
	bool has_last;
};

static void
list_remove(struct kube_request_list *list, struct kube_request *request)
{
	if (request->previous)
		request->previous->next = request->next;
	else
		list->first = request->next;
	if (request->next)
		request->next->previous = request->previous;
	else
		list->last = request->previous;
	request->next = request->previous = NULL;
}

static void
list_add_last(struct kube_request_list *list, struct kube_request *request)
{
	request->previous = list->last;
	if (list->last)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

static void
list_add_first(struct kube_request_list *list, struct kube_request *request)
{
	request->next = list->first;
	if (list->first)
		list->first->previous = request;
	else
		list->last = request;
	list->first = request;
}

static struct kube_request_list *
list_of(struct kube_request *request)
{
	struct kube_lane_state *lane = &request->kube->lanes[request->lane];

	switch (request->state) {
	case WAITING:
		return &lane->waiting;
	case RUNNING:
		return &lane->running;
	case SLEEPING:
		break;
	}
	return &lane->sleeping;
}

static void
leave(struct kube_request *request)
{
	list_remove(list_of(request), request);
	if (request->state == RUNNING)
		request->kube->lanes[request->lane].under_way--;
}

/* The only mover. What was sent before goes to the front: it has waited already. */
static void
enter(struct kube_request *request, enum request_state state)
{
	request->state = state;
	if (state == RUNNING)
		request->kube->lanes[request->lane].under_way++;
	if (state == WAITING)
		request->waits_since_ms = clock_mono_ms();
	if (state == WAITING && request->has_last)
		list_add_first(list_of(request), request);
	else
		list_add_last(list_of(request), request);
}

static void
request_free(struct kube_request *request)
{
	loop_timer_free(request->timer);
	free(request->method);
	free(request->path);
	free(request->content_type);
	free(request->body);
	free(request);
}

static void
finish(struct kube_request *request, struct kube_answer *answer)
{
	leave(request);
	kube_send_pump(request->kube);
	answer->number = request->number;
	answer->sent_ms = request->sent_ms;
	if (request->done)
		request->done(request->ctx, answer);
	json_decref(answer->body);
	request_free(request);
}

/* --- the end of an attempt --- */

static bool
may_repeat(const struct kube_request *request, const struct kube_answer *answer)
{
	if (request->once || strcmp(request->method, "GET") != 0 ||
	    !strcmp(answer->reason, "AnswerTooLarge"))
		return false;
	return answer->outcome != KUBE_ANSWERED || answer->status == 429 || answer->status >= 500;
}

static void
sleep_until_next(struct kube_request *request, struct kube_answer *answer)
{
	struct kube *kube = request->kube;
	int64_t pause = kube_backoff(kube->settings.backoff_ms, request->backoff_ms);

	request->backoff_ms = pause;
	if (answer->retry_after_ms > pause)
		pause = answer->retry_after_ms;
	if (clock_mono_ms() + pause >= request->deadline_ms) {
		finish(request, answer);
		return;
	}
	json_decref(answer->body);
	answer->body = NULL;
	request->last = *answer;
	request->has_last = true;
	request->paid = false;
	kube->stats.retries++;
	leave(request);
	enter(request, SLEEPING);
	loop_timer_set(request->timer, pause);
	kube_send_pump(kube);
}

static void
attempt_over(struct kube_request *request, struct kube_answer *answer)
{
	if (may_repeat(request, answer))
		sleep_until_next(request, answer);
	else
		finish(request, answer);
}

static struct kube_request *
running(struct kube *kube, uint64_t http)
{
	struct kube_request *request;

	for (int lane = 0; lane < KUBE_LANES; lane++)
		for (request = kube->lanes[lane].running.first; request; request = request->next)
			if (request->http == http)
				return request;
	return NULL;
}

static void
on_open(void *ctx, uint64_t number, int status, bool http2)
{
	struct kube *kube = ctx;

	(void)number;
	(void)status;
	kube->http2 = http2;
}

static void
on_http_done(void *ctx, const struct httpc_answer *http)
{
	struct kube *kube = ctx;
	struct kube_request *request = running(kube, http->number);
	struct kube_answer answer;

	if (!request)
		return;
	if (!request->barred[0]) {
		kube_count(kube, request->verb, http->outcome == HTTPC_ANSWERED ? http->status : 0);
		histogram_add_ms(&kube->stats.took, &histogram_request, http->took_ms);
	}
	if (http->outcome != HTTPC_ANSWERED && !request->barred[0])
		credentials_doubt(kube->credentials);
	else if (http->outcome == HTTPC_ANSWERED && http->status < 500)
		kube_probe_heard(kube);
	if (http->outcome == HTTPC_ANSWERED && http->status == 401 && !request->refreshed &&
	    credentials_refused(kube->credentials, request->generation)) {
		request->refreshed = true;
		leave(request);
		enter(request, WAITING);
		loop_timer_set(request->timer, request->deadline_ms - clock_mono_ms());
		kube_send_pump(kube);
		return;
	}
	kube_answer_fill(kube, http, request->raw, &answer);
	if (request->barred[0])
		str_copy(answer.message, sizeof answer.message, request->barred);
	attempt_over(request, &answer);
}

/* --- starting --- */

static bool
is_barred(struct kube_request *request)
{
	const struct kube_fence *fence = &request->fence;

	if (!fence->open || fence->open(fence->ctx, request->barred, sizeof request->barred))
		request->barred[0] = '\0';
	else if (!request->barred[0])
		str_copy(request->barred, sizeof request->barred, "not sent");
	return request->barred[0] != '\0';
}

static bool
on_may_send(void *ctx, uint64_t http)
{
	struct kube_request *request = running(ctx, http);

	return request && !is_barred(request);
}

static void
start(struct kube_request *request, const struct credentials_access *access)
{
	struct kube *kube = request->kube;
	const char *headers[KUBE_HEADERS + 1];
	int64_t left = request->deadline_ms - clock_mono_ms();
	struct httpc_request http = {.method = request->method,
	    .body = request->body,
	    .body_length = request->body ? strlen(request->body) : 0,
	    .timeout_ms = request->attempt_ms < left ? request->attempt_ms : left,
	    .max_body = request->max_body,
	    .on_open = on_open,
	    .on_done = on_http_done,
	    .may_send = request->fence.open ? on_may_send : NULL};
	char *url = kube_dress(kube, access, request->path, request->content_type, headers, &http);

	if (http.timeout_ms < 1)
		http.timeout_ms = 1;
	leave(request);
	enter(request, RUNNING);
	loop_timer_clear(request->timer); /* httpc keeps the time now */
	request->generation = access->generation;
	request->sent_ms = clock_wall_ms();
	request->http = httpc_start(kube->lanes[request->lane].pool, &http);
	free(url);
}

static void
fail_for_credentials(struct kube_request *request)
{
	struct kube *kube = request->kube;
	struct kube_answer answer = {.outcome = KUBE_NOT_SENT, .retry_after_ms = -1};

	str_print(answer.message, sizeof answer.message, "no credentials for cluster %s: %s",
	    kube->name, credentials_problem(kube->credentials));
	attempt_over(request, &answer);
}

static void
fail_barred(struct kube_request *request)
{
	struct kube_answer answer = {.outcome = KUBE_NOT_SENT, .retry_after_ms = -1};

	str_copy(answer.message, sizeof answer.message, request->barred);
	finish(request, &answer);
}

/* 0: there is a token (taken); else how long until there is one. */
static int64_t
take_token(struct kube *kube, enum kube_lane which)
{
	struct kube_budget *budget = &kube->budget;
	const struct kube_settings *settings = &kube->settings;
	int64_t now = clock_mono_ms();
	int half = (settings->burst + 1) / 2;
	int needed = which == KUBE_NORMAL ? 1 : which == KUBE_SPARE ? half : 0;

	budget->tokens += (double)(now - budget->filled_ms) * settings->qps / 1000;
	budget->filled_ms = now;
	if (budget->tokens > settings->burst)
		budget->tokens = settings->burst;
	if (budget->tokens < needed)
		return 1 + (int64_t)((needed - budget->tokens) * 1000 / settings->qps);
	budget->tokens = budget->tokens < 1 ? 0 : budget->tokens - 1;
	return 0;
}

static void
count_wait(struct kube_request *request)
{
	int64_t waited = clock_mono_ms() - request->waits_since_ms;

	if (waited < 5)
		return;
	request->kube->stats.throttled++;
	request->kube->stats.throttled_ms += (uint64_t)waited;
}

/* The analyser does not see that a freed request has left its list.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */

/* False: nothing more can start in this lane now. */
static bool
start_next(struct kube *kube, enum kube_lane which)
{
	struct kube_lane_state *lane = &kube->lanes[which];
	struct kube_request *request = lane->waiting.first;
	struct credentials_access access;
	enum credentials_state state;
	int64_t wait;

	if (!request || lane->under_way >= lane->limit ||
	    (which == KUBE_SPARE && kube->lanes[KUBE_NORMAL].waiting.first))
		return false;
	if (is_barred(request)) {
		fail_barred(request);
		return true;
	}
	state = credentials_get(kube->credentials, &access);
	if (state == CREDENTIALS_WAIT)
		return false;
	if (state == CREDENTIALS_FAILED) {
		fail_for_credentials(request);
		return true;
	}
	wait = request->paid ? 0 : take_token(kube, which);
	if (wait) {
		loop_timer_set(kube->pump, wait);
		return false;
	}
	request->paid = true;
	count_wait(request);
	start(request, &access);
	return true;
}

/* NOLINTEND(clang-analyzer-unix.Malloc) */

static void
on_pump(void *ctx)
{
	static const enum kube_lane order[] = {KUBE_VITAL, KUBE_URGENT, KUBE_NORMAL, KUBE_SPARE};
	struct kube *kube = ctx;
	int started = 0;

	for (int i = 0; i < KUBE_LANES; i++)
		while (started < STARTS_A_TURN && start_next(kube, order[i]))
			started++;
	if (started == STARTS_A_TURN)
		kube_send_pump(kube);
}

void
kube_send_pump(struct kube *kube)
{
	loop_timer_set(kube->pump, 0);
}

static void
give_up_waiting(struct kube_request *request)
{
	struct kube *kube = request->kube;
	struct kube_answer answer = {.outcome = KUBE_NOT_SENT, .retry_after_ms = -1};

	if (request->has_last)
		answer = request->last;
	else
		str_print(answer.message, sizeof answer.message,
		    "cluster %s: the request waited in vain for its turn: %d are under way, "
		    "credentials %s",
		    kube->name, kube->lanes[request->lane].under_way,
		    *credentials_problem(kube->credentials) ? credentials_problem(kube->credentials)
							    : "are fine");
	finish(request, &answer);
}

static void
on_timer(void *ctx)
{
	struct kube_request *request = ctx;
	int64_t left = request->deadline_ms - clock_mono_ms();

	if (request->state == SLEEPING && left > 0) {
		leave(request);
		enter(request, WAITING);
		loop_timer_set(request->timer, left);
		kube_send_pump(request->kube);
		return;
	}
	give_up_waiting(request);
}

/* --- the doors --- */

static char *
path_for(const char *method, const char *path)
{
	static const char extra[] = "fieldManager=airisd&fieldValidation=Strict";

	if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0 &&
	    strcmp(method, "PATCH") != 0)
		return mem_strdup(path);
	return str_format("%s%c%s", path, strchr(path, '?') ? '&' : '?', extra);
}

uint64_t
kube_send(struct kube *kube, const struct kube_sending *sending)
{
	const struct kube_call *call = &sending->call;
	struct kube_request *request = mem_alloc(sizeof *request);
	int64_t deadline = call->deadline_ms ? call->deadline_ms : kube->settings.deadline_ms;

	*request = (struct kube_request){
	    .kube = kube,
	    .number = ++kube->last_number,
	    .lane = call->lane,
	    .method = mem_strdup(call->method),
	    .path = path_for(call->method, call->path),
	    .body = mem_strdup(call->body),
	    .verb = sending->verb,
	    .deadline_ms = clock_mono_ms() + deadline,
	    .attempt_ms =
		sending->attempt_ms ? sending->attempt_ms : kube->settings.request_timeout_ms,
	    .once = sending->once,
	    .raw = sending->raw,
	    .max_body = sending->max_body,
	    .fence = call->fence,
	    .done = call->done,
	    .ctx = call->ctx,
	};
	if (!request->verb)
		request->verb = request->method;
	if (call->body)
		request->content_type = str_format("Content-Type: %s",
		    call->content_type ? call->content_type : "application/json");
	request->timer = loop_timer_new(kube->loop, on_timer, request);
	loop_timer_set(request->timer, deadline);
	enter(request, WAITING);
	kube_send_pump(kube);
	return request->number;
}

uint64_t
kube_request(struct kube *kube, const struct kube_call *call)
{
	bool write = strcmp(call->method, "GET") != 0;

	/* A write has one attempt only, which may take all the time it is given. */
	return kube_send(kube,
	    &(struct kube_sending){.call = *call, .attempt_ms = write ? call->deadline_ms : 0});
}

static bool
cancel_in(struct kube *kube, struct kube_request_list *list, uint64_t number)
{
	struct kube_request *request;

	for (request = list->first; request; request = request->next) {
		if (request->number != number)
			continue;
		if (request->state == RUNNING)
			httpc_cancel(kube->lanes[request->lane].pool, request->http);
		leave(request);
		request_free(request);
		kube_send_pump(kube);
		return true;
	}
	return false;
}

void
kube_cancel(struct kube *kube, uint64_t number)
{
	if (kube_read_cancel(kube, number))
		return;
	for (int i = 0; i < KUBE_LANES; i++) {
		struct kube_lane_state *lane = &kube->lanes[i];

		if (cancel_in(kube, &lane->running, number) ||
		    cancel_in(kube, &lane->sleeping, number) ||
		    cancel_in(kube, &lane->waiting, number))
			return;
	}
}

void
kube_send_start(struct kube *kube)
{
	const int limits[KUBE_LANES] = {
	    kube->settings.concurrent, URGENT_PLACES, VITAL_PLACES, SPARE_PLACES};

	for (int i = 0; i < KUBE_LANES; i++) {
		struct kube_lane_state *lane = &kube->lanes[i];

		lane->limit = limits[i];
		/* As many as places: with HTTP/2 there is one all the same. */
		lane->pool = httpc_pool_new(kube->loop, lane->limit);
	}
	kube->budget.tokens = kube->settings.burst;
	kube->budget.filled_ms = clock_mono_ms();
	kube->pump = loop_timer_new(kube->loop, on_pump, kube);
	kube->user_agent = str_format("User-Agent: airisd/%s", version_text());
}

void
kube_send_wake(struct kube *kube)
{
	struct kube_request *request;

	for (int i = 0; i < KUBE_LANES; i++)
		for (request = kube->lanes[i].sleeping.first; request; request = request->next)
			if (request->last.retry_after_ms <= 0)
				loop_timer_set(request->timer, 0);
}

int
kube_send_waiting(const struct kube *kube)
{
	struct kube_request *request;
	int count = 0;

	for (int i = 0; i < KUBE_LANES; i++) {
		for (request = kube->lanes[i].waiting.first; request; request = request->next)
			count++;
		for (request = kube->lanes[i].sleeping.first; request; request = request->next)
			count++;
	}
	return count;
}

static void
drop_all(struct kube_request_list *list)
{
	struct kube_request *request = list->first, *next;

	for (; request; request = next) {
		next = request->next;
		request_free(request);
	}
}

void
kube_send_done(struct kube *kube)
{
	for (int i = 0; i < KUBE_LANES; i++) {
		struct kube_lane_state *lane = &kube->lanes[i];

		httpc_pool_free(lane->pool);
		drop_all(&lane->waiting);
		drop_all(&lane->running);
		drop_all(&lane->sleeping);
	}
	loop_timer_free(kube->pump);
	free(kube->user_agent);
}
