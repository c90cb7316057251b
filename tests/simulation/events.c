/* What is to come, in order of time; at the same time in the order in which it was put in. */
#include <assert.h>
#include <stdlib.h>
#include "rooms.h"

#define MOST 4096

struct timed {
	int64_t at_ms;
	uint64_t order;
	event_run *run;
	int a, b;
	bool to_airisd;
};

static bool
before(const struct timed *a, const struct timed *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void
event_at(struct world *w, int64_t at_ms, event_run *run, int a, int b, bool to_airisd)
{
	struct timed new = {
	    at_ms > w->now_ms ? at_ms : w->now_ms, w->order++, run, a, b, to_airisd};
	if (w->heap == NULL)
		w->heap = mem_array(MOST, sizeof(w->heap[0]));
	assert(w->heap_count < MOST);
	int i = w->heap_count++;
	while (i > 0 && before(&new, &w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = new;
}

bool
event_next(const struct world *w, int64_t *at_ms)
{
	if (w->heap_count > 0)
		*at_ms = w->heap[0].at_ms;
	return w->heap_count > 0;
}

static struct timed
take_first(struct world *w)
{
	struct timed first = w->heap[0], last = w->heap[--w->heap_count];
	int i = 0;
	for (;;) {
		int child = 2 * i + 1;
		if (child + 1 < w->heap_count && before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (child >= w->heap_count || !before(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

void
event_fire(struct world *w)
{
	struct timed first = take_first(w);
	if (first.to_airisd && w->now_ms < w->suspended_ms) {
		event_at(w, w->suspended_ms, first.run, first.a, first.b, true);
		return;
	}
	w->counters->events++;
	first.run(w, first.a, first.b);
}
