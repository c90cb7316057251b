/* What the cluster says before a start: that all is allowed, or that it cannot say so; or, while it
 * is away, nothing. No dice: a seed's other fortunes are what they were. */
#include "rooms.h"

#define MOST_LATE_MS 40

static void
answer(struct world *w, int number, int app)
{
	struct ask *asked = w->dead ? NULL : asks_find(w, (uint64_t)number);
	struct findings found = {0};
	if (asked == NULL || world_fault_now(w, app, FAULT_OUTAGE))
		return;
	struct ask ask = *asked;
	*asked = (struct ask){.number = 0};
	if (world_fault_now(w, app, FAULT_THROTTLED))
		findings_add(&found.warnings, "it is not known what may be written");
	world_trace(w, "review app%d: %zu warnings", app, found.warnings.count);
	ask.found(ask.ctx, ask.number, &found);
	findings_done(&found);
}

uint64_t
review_port(void *ctx, const struct app *spec,
    void (*done)(void *done_ctx, uint64_t number, const struct findings *found), void *done_ctx)
{
	struct world *w = ctx;
	int app = spec->name[3] - '0';
	uint64_t number = ++w->numbers;
	struct ask *place = w->dead ? NULL : asks_place(w);
	if (place == NULL)
		return number;
	*place = (struct ask){.number = number, .app = app, .found = done, .ctx = done_ctx};
	event_at(w, w->now_ms + 1 + (int64_t)number % MOST_LATE_MS, answer, (int)number, app, true);
	return number;
}
