/* Asks each source once a minute by ourselves: so that its health is known before a rollout needs
 * it, and how far its clock is from ours. A source that failed is asked again sooner. */
#include "base/clock.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "gates/gates_room.h"

enum { EVERY_MS = 60000, AGAIN_MS = 5000 };

static void on_timer(void *ctx);

static struct gates_origin *
find_probe(const struct gates *gates, uint64_t number)
{
	for (size_t i = 0; i < gates->count; i++) {
		if (gates->origins[i]->probe == number)
			return gates->origins[i];
	}
	return NULL;
}

static void
wait_for_next(struct gates_origin *origin, bool ok)
{
	/* Spread, so that sources behind one proxy are not asked all at once for ever. */
	loop_timer_set(
	    origin->probe_timer, (int64_t)((ok ? EVERY_MS : AGAIN_MS) * (0.8 + 0.2 * id_random())));
}

/* The time in the answer to a query without one is the source's own now. It was read some time
 * between sending and receiving; only what that cannot explain is a difference. */
static void
note_clock(struct gates_origin *origin, const struct httpc_answer *answer)
{
	json_t *body = jsonx_parse(answer->body, answer->body_length, GATES_BODY, NULL);
	double seconds = jsonx_real(body, "data.result.0.value.0", -1);
	int64_t now = clock_wall_ms(), theirs;

	json_decref(body);
	if (seconds <= 0 || seconds > 1e12)
		return;
	theirs = (int64_t)(seconds * 1000);
	if (theirs > now)
		origin->health.skew_ms = theirs - now;
	else if (theirs < origin->probe_sent_ms)
		origin->health.skew_ms = theirs - origin->probe_sent_ms;
	else
		origin->health.skew_ms = 0;
}

static void
on_done(void *ctx, const struct httpc_answer *answer)
{
	struct gates_origin *origin = find_probe(ctx, answer->number);
	char why[160];
	bool ok;

	if (origin == NULL)
		return;
	origin->probe = 0;
	ok = gates_origin_heard(origin, answer, why, sizeof(why));
	if (ok && answer->outcome == HTTPC_ANSWERED)
		note_clock(origin, answer);
	wait_for_next(origin, ok);
}

static void
on_timer(void *ctx)
{
	struct gates_origin *origin = ctx;
	struct err e;

	origin->probe_sent_ms = clock_wall_ms();
	if (gates_origin_ask(
		origin, "vector(1)", "", 0, origin->timeout_ms, on_done, &origin->probe, &e) == 0)
		return;
	gates_origin_note(origin, false, e.text);
	wait_for_next(origin, false);
}

void
gates_probe_start(struct gates_origin *origin)
{
	gates_probe_stop(origin);
	origin->probe_timer = loop_timer_new(origin->gates->loop, on_timer, origin);
	loop_timer_set(origin->probe_timer, 0);
}

void
gates_probe_stop(struct gates_origin *origin)
{
	loop_timer_free(origin->probe_timer);
	origin->probe_timer = NULL;
	if (origin->probe != 0)
		httpc_cancel(origin->gates->pool, origin->probe);
	origin->probe = 0;
}
