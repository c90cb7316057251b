/* One query for another room. Always true: it is in `queries` until its answer is given or it is
 * cancelled; its timer is 0 when it failed before it was sent, so that the answer comes later. It
 * takes one of its source's places, like a measurement, but does not wait for one: who asks often
 * is better off with the next time. */
#include <stdlib.h>
#include "base/str.h"
#include "gates/gates_room.h"

struct gates_query {
	struct gates *gates;
	struct gates_origin *origin; /* NULL: it failed, or the source is gone */
	uint64_t number, request;
	struct loop_timer *timer;
	char why[200];
	void (*done)(void *done_ctx, uint64_t number, const struct gates_answer *answer);
	void *done_ctx;
};

/* Nothing of it is under way afterwards. */
static void
release(struct gates_query *query)
{
	struct gates_origin *origin = query->origin;

	if (query->request != 0) {
		map_remove_number(query->gates->requests, query->request);
		httpc_cancel(query->gates->pool, query->request);
	}
	query->request = 0;
	query->origin = NULL;
	if (origin == NULL)
		return;
	origin->health.running--;
	gates_run_next(origin);
}

static void
free_query(struct gates_query *query)
{
	loop_timer_free(query->timer);
	free(query);
}

static void
fail(struct gates_query *query, const char *source, const char *why)
{
	str_print(query->why, sizeof(query->why), "data source %s: %s", source, why);
	release(query);
	loop_timer_set(query->timer, 0);
}

static void
answer(struct gates_query *query, const struct gates_answer *given)
{

	map_remove_number(query->gates->queries, query->number);
	query->done(query->done_ctx, query->number, given);
	free_query(query);
}

static void
on_failed(void *ctx)
{
	struct gates_query *query = ctx;
	struct gates_answer given = {.error = query->why};

	answer(query, &given);
}

static void
on_done(void *ctx, const struct httpc_answer *http)
{
	struct gates *gates = ctx;
	char why[160];
	struct gates_query *query = map_remove_number(gates->requests, http->number);

	if (query == NULL)
		return;
	query->request = 0;
	(void)gates_origin_heard(query->origin, http, why, sizeof(why));
	if (http->outcome != HTTPC_ANSWERED) {
		fail(query, query->origin->name, why);
		return;
	}
	release(query);
	answer(query, &(struct gates_answer){
			  .status = http->status, .body = http->body, .length = http->body_length});
}

static void
send(struct gates_query *query, struct gates_origin *origin, const char *text, int64_t timeout_ms)
{
	int64_t bound = timeout_ms < origin->timeout_ms ? timeout_ms : origin->timeout_ms;
	struct err e;

	query->origin = origin;
	origin->health.running++;
	if (gates_origin_ask(origin, text, "", 0, bound, on_done, &query->request, &e) != 0) {
		gates_origin_note(origin, false, e.text);
		fail(query, origin->name, e.text);
		return;
	}
	map_set_number(query->gates->requests, query->request, query);
}

uint64_t
gates_query(struct gates *gates, const char *source, const char *text, int64_t timeout_ms,
    void (*done)(void *done_ctx, uint64_t number, const struct gates_answer *answer),
    void *done_ctx)
{
	struct gates_origin *origin = gates_find(gates, source);
	struct gates_query *query = mem_alloc(sizeof(*query));

	*query = (struct gates_query){
	    .gates = gates, .done = done, .done_ctx = done_ctx, .number = ++gates->last_number};
	query->timer = loop_timer_new(gates->loop, on_failed, query);
	map_set_number(gates->queries, query->number, query);
	if (origin == NULL)
		fail(query, source, "is not in the daemon's settings");
	else if (origin->health.running >= GATES_RUNNING)
		fail(query, source, "too many questions are under way");
	else
		send(query, origin, text, timeout_ms);
	return query->number;
}

void
gates_query_cancel(struct gates *gates, uint64_t number)
{
	struct gates_query *query = map_remove_number(gates->queries, number);

	if (query == NULL)
		return;
	release(query);
	free_query(query);
}

void
gates_queries_end(struct gates_origin *origin, const char *why)
{
	size_t cursor = 0;
	void *value;

	while (map_next(origin->gates->queries, &cursor, NULL, &value)) {
		struct gates_query *query = value;

		if (query->origin == origin)
			fail(query, origin->name, why);
	}
}

void
gates_queries_free(struct gates *gates)
{
	size_t cursor = 0;
	void *value;

	while (map_next(gates->queries, &cursor, NULL, &value)) {
		struct gates_query *query = value;

		if (query->request != 0)
			httpc_cancel(gates->pool, query->request);
		free_query(query);
	}
}
