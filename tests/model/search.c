/* Exploring, and liveness on the graph of what happens by itself (GOOD steps): from every state
 * some way must lead to a good end, and from every state of an abort one home. As the graph is
 * finite and this holds for every state on the way as well, whatever happens in fair turns gets
 * there. */
#include "search.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "reduce.h"
#include "steps.h"
#include "store.h"
#include "tell.h"

#define NEVER UINT32_MAX

struct graph {
	struct store *store;
	struct lab lab;
	FILE *to;
	struct found *found;
	uint8_t *rest, *phase; /* of each state */
	uint32_t room;
	uint32_t *edges; /* targets of GOOD steps, state after state */
	uint64_t *first; /* of each state; one more at the end */
	uint64_t edge_count, edge_room;
};

static void
note(struct graph *g, uint32_t number, const struct state *s, enum rest rest)
{
	if (number >= g->room) {
		g->room = number + number / 2 + 1024;
		g->rest = mem_grow(g->rest, g->room, 1);
		g->phase = mem_grow(g->phase, g->room, 1);
		g->first = mem_grow(g->first, g->room + 1, sizeof(g->first[0]));
	}
	g->rest[number] = (uint8_t)rest;
	g->phase[number] = s->r.phase;
}

static void
note_edge(struct graph *g, uint32_t to)
{
	if (g->edge_count == g->edge_room) {
		g->edge_room += g->edge_room / 2 + 65536;
		g->edges = mem_grow(g->edges, g->edge_room, sizeof(g->edges[0]));
	}
	g->edges[g->edge_count++] = to;
}

/* The model's own law: what is restored from a reduced form is reduced to the same. */
static bool
is_same(struct graph *g, uint32_t number, const struct state *s)
{
	struct reduced again;
	lab_open(&g->lab, s);
	reduce(g->lab.config, g->lab.r, &again);
	if (memcmp(&again, &s->r, sizeof(again)) == 0)
		return true;
	str_copy(g->lab.bad, sizeof(g->lab.bad), "the model's reduced form is not stable");
	tell_way(&g->lab, g->store, number, -1, g->to);
	return false;
}

/* All that can happen in one state; false: a law is broken. */
static bool
expand(struct graph *g, uint32_t number)
{
	struct state from, to;
	store_get(g->store, number, &from);
	g->first[number] = g->edge_count;
	if (!is_same(g, number, &from))
		return false;
	for (int step = 0; step < steps_count(); step++) {
		enum rest rest;
		bool is_new;
		if (!steps_take(&g->lab, &from, step, &to, &rest))
			continue;
		g->found->transitions++;
		if (g->lab.bad[0] != '\0') {
			tell_way(&g->lab, g->store, number, step, g->to);
			return false;
		}
		uint32_t target = store_add(g->store, &to, number, step, &is_new);
		if (is_new)
			note(g, target, &to, rest);
		if (steps_kind(step)->nature == GOOD && target != number)
			note_edge(g, target);
	}
	return true;
}

/* --- liveness ---------------------------------------------------------------------------------
 */

struct backward {
	uint32_t *sources; /* of each state's incoming GOOD steps */
	uint64_t *first;
	uint32_t *queue, *far; /* far: steps to the nearest wanted end */
};

static void
turn_around(const struct graph *g, uint32_t count, struct backward *b)
{
	b->first = mem_array((size_t)count + 2, sizeof(b->first[0]));
	b->sources = mem_array((size_t)g->edge_count + 1, sizeof(b->sources[0]));
	b->queue = mem_array(count, sizeof(b->queue[0]));
	b->far = mem_array(count, sizeof(b->far[0]));
	for (uint64_t e = 0; e < g->edge_count; e++)
		b->first[g->edges[e] + 2]++;
	for (uint32_t i = 0; i < count; i++)
		b->first[i + 2] += b->first[i + 1];
	for (uint32_t i = 0; i < count; i++)
		for (uint64_t e = g->first[i]; e < g->first[i + 1]; e++)
			b->sources[b->first[g->edges[e] + 1]++] = i;
}

static void
measure(const struct graph *g, uint32_t count, struct backward *b, unsigned wanted)
{
	uint32_t head = 0, tail = 0;
	for (uint32_t i = 0; i < count; i++) {
		bool is_end = wanted >> g->rest[i] & 1;
		b->far[i] = is_end ? 0 : NEVER;
		if (is_end)
			b->queue[tail++] = i;
	}
	while (head < tail) {
		uint32_t at = b->queue[head++];
		for (uint64_t e = b->first[at]; e < b->first[at + 1]; e++) {
			uint32_t source = b->sources[e];
			if (b->far[source] != NEVER)
				continue;
			b->far[source] = b->far[at] + 1;
			b->queue[tail++] = source;
		}
	}
}

/* The first state, in order of discovery, from which no way leads there. */
static void
check_ways(struct graph *g, uint32_t count, const struct backward *b, bool home)
{
	for (uint32_t i = 0; i < count && !g->found->bad; i++) {
		bool aborts = g->phase[i] == PHASE_ABORTING || g->phase[i] == PHASE_FAILED;
		if (home && !aborts)
			continue;
		if (b->far[i] == NEVER) {
			str_copy(g->lab.bad, sizeof(g->lab.bad),
			    home ? "I4: from here no way leads home"
				 : "I12: from here no way leads to an end or an explicit wait");
			tell_way(&g->lab, g->store, i, -1, g->to);
			g->found->bad = true;
		} else if (home && b->far[i] > g->found->longest)
			g->found->longest = b->far[i];
	}
}

static void
check_liveness(struct graph *g)
{
	uint32_t count = store_count(g->store);
	struct backward b;
	g->first[count] = g->edge_count;
	turn_around(g, count, &b);
	measure(g, count, &b, 1U << AT_HOME);
	check_ways(g, count, &b, true);
	measure(
	    g, count, &b, 1U << AT_HOME | 1U << SUCCEEDED | 1U << HAS_FAILED | 1U << EXPLICIT_WAIT);
	check_ways(g, count, &b, false);
	g->found->bytes =
	    store_bytes(g->store) + g->room * 10 + g->edge_count * 8 + (size_t)count * 16;
	free(b.sources);
	free(b.first);
	free(b.queue);
	free(b.far);
}

void
search(const struct config *config, uint32_t most, FILE *to, struct found *found)
{
	struct graph g = {.store = store_new(), .to = to, .found = found};
	struct state first;
	bool is_new;
	*found = (struct found){.whole = true};
	lab_begin(&g.lab, config, &first);
	note(&g, store_add(g.store, &first, 0, 0, &is_new), &first, MOVING);
	for (uint32_t i = 0; i < store_count(g.store) && found->whole && !found->bad; i++) {
		found->bad = !expand(&g, i);
		found->whole = store_count(g.store) <= most;
	}
	if (!found->bad && found->whole)
		check_liveness(&g);
	found->states = store_count(g.store);
	lab_end(&g.lab);
	store_free(g.store);
	free(g.rest);
	free(g.phase);
	free(g.first);
	free(g.edges);
}
