/* The mesh's socket: airisd asks whether a change is taken. A change is confirmed when every proxy
 * has it and nothing newer is to come; after fifteen seconds those that have not are named. */
#include <string.h>
#include "rooms.h"

#define PATIENCE_MS 15000

static bool
has_ends(const struct world *w, const struct proxy *proxy, int app, int side)
{
	uint64_t side_pods = 0;
	for (int i = 0; i < PODS; i++)
		if (w->apps[app].pods[i].canary == (side == OF_CANARY))
			side_pods |= UINT64_C(1) << i;
	return (proxy->has[app].ends & side_pods) == pods_ends(&w->apps[app], side);
}

static bool
proxy_has(const struct world *w, const struct proxy *proxy, int app, enum mesh_subject subject)
{
	const struct config *has = &proxy->has[app];
	struct config want;
	mesh_config(w, app, &want);
	bool cluster = has->canary_cluster == want.canary_cluster &&
		       w->now_ms >= proxy->warm_ms[app] && proxy->coming[CLUSTERS].due_ms == 0;
	switch (subject) {
	case MESH_WEIGHT:
		return has->version == want.version && proxy->coming[ROUTES].due_ms == 0;
	case MESH_ROUTING:
		return cluster && has->version == want.version && proxy->coming[ROUTES].due_ms == 0;
	case MESH_CANARY:
		return has_ends(w, proxy, app, OF_CANARY) && (!want.canary_cluster || cluster);
	case MESH_STABLE:
		return has_ends(w, proxy, app, OF_STABLE);
	case MESH_SUBJECTS:
		break;
	}
	return false;
}

static bool
all_have(const struct world *w, const struct ask *ask)
{
	for (int i = 0; i < PROXIES; i++)
		if (w->mesh.proxies[i].stuck ||
		    !proxy_has(w, &w->mesh.proxies[i], ask->app, ask->subject))
			return false;
	return true;
}

struct ask *
asks_find(struct world *w, uint64_t number)
{
	for (int i = 0; i < ASKS; i++)
		if (w->asks[i].number == number)
			return &w->asks[i];
	return NULL;
}

struct ask *
asks_place(struct world *w)
{
	struct ask *place = asks_find(w, 0);
	if (place == NULL)
		world_violated(w, "F15", "%d questions are under way", ASKS);
	return place;
}

void
asks_cancel(void *ctx, uint64_t number)
{
	struct ask *ask = asks_find(ctx, number);
	if (ask != NULL)
		*ask = (struct ask){.number = 0};
}

static void
tell(struct world *w, struct ask *ask, enum mesh_outcome outcome, const char *text)
{
	struct ask told = *ask;
	struct mesh_answer answer = {
	    .outcome = outcome, .at_ms = w->now_ms + w->wall_offset_ms, .text = text};
	*ask = (struct ask){.number = 0};
	told.taken(told.ctx, told.number, &answer);
}

static void
confirm(struct world *w, int number, int b)
{
	struct ask *ask = asks_find(w, (uint64_t)number);
	(void)b;
	if (ask == NULL || ask->known_ms == 0 || w->now_ms < ask->known_ms || w->dead)
		return;
	ask->known_ms = 0;
	if (w->mesh.silent || w->mesh.down)
		tell(w, ask, MESH_UNREACHABLE, "istiod does not answer: a fault");
	else if (all_have(w, ask))
		tell(w, ask, MESH_CONFIRMED, "");
}

void
mesh_answers(struct world *w)
{
	for (int i = 0; i < ASKS; i++) {
		struct ask *ask = &w->asks[i];
		if (ask->number == 0 || ask->taken == NULL || ask->known_ms != 0 ||
		    !all_have(w, ask))
			continue;
		ask->known_ms = w->now_ms + world_between(w, 40, 250);
		event_at(w, ask->known_ms, confirm, (int)ask->number, 0, true);
	}
}

/* What the asker looks at again while it waits, and when it has waited long enough. */
static void
poll(struct world *w, int number, int b)
{
	struct ask *ask = asks_find(w, (uint64_t)number);
	(void)b;
	if (ask == NULL || w->dead)
		return;
	if (w->mesh.silent || w->mesh.down) {
		world_hit(w, w->mesh.down ? FAULT_MESH_DOWN : FAULT_MESH_SILENT);
		tell(w, ask, MESH_UNREACHABLE, "istiod does not answer: a fault");
	} else if (w->now_ms < ask->asked_ms + PATIENCE_MS) {
		mesh_answers(w);
		event_at(w, w->now_ms + 1500, poll, number, 0, true);
	} else
		tell(w, ask, MESH_ASSUMED, "proxy-1 has not acknowledged it");
}

static uint64_t
ask(void *ctx, const struct mesh_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct mesh_answer *answer), void *done_ctx)
{
	struct world *w = ctx;
	uint64_t number = ++w->numbers;
	struct ask *place = w->dead ? NULL : asks_place(w);
	if (place == NULL)
		return number;
	*place = (struct ask){.number = number,
	    .app = question->app->name[3] - '0',
	    .subject = question->subject,
	    .asked_ms = w->now_ms,
	    .taken = done,
	    .ctx = done_ctx};
	event_at(w, w->now_ms + world_between(w, 20, 120), poll, (int)number, 0, true);
	return number;
}

static enum mesh_way
way(void *ctx, const char *cluster, enum mesh_subject subject)
{
	const struct world *w = ctx;
	(void)cluster;
	(void)subject;
	return w->plan->asks ? MESH_ISTIOD : MESH_TIME;
}

void
mesh_drop(struct world *w)
{
	memset(w->asks, 0, sizeof(w->asks));
}

struct mesh_port
mesh_port_of(struct world *w)
{
	return (struct mesh_port){.ctx = w, .way = way, .ask = ask, .cancel = asks_cancel};
}
