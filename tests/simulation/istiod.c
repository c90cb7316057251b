/* istiod and its proxies, as they were measured: 100 ms of quiet or at most 10 s before a push, one
 * push carries everything, clusters arrive before endpoints before routes, a new cluster warms. */
#include <string.h>
#include "rooms.h"

#define DEBOUNCE_AFTER_MS 100
#define DEBOUNCE_MAX_MS 10000
#define WARMING_MS 15

void
mesh_config(const struct world *w, int app, struct config *config)
{
	const struct app_world *a = &w->apps[app];
	const struct truth *t = &a->truth;
	bool host = a->spec->traffic.mode == TRAFFIC_HOST, route = t->route.exists;
	*config = (struct config){.canary_cluster = switches_of(a) ? true
						    : host	   ? t->service.exists
							   : t->rule.exists && t->rule.canary,
	    .names_stable = route && t->route.names_stable,
	    .by_others = !route || t->route.by_others || colours_given_in_vain(&t->route),
	    .weight = !route	       ? 0
		      : switches_of(a) ? t->route.followed
				       : t->route.weight,
	    .version = t->route.version,
	    .ends = pods_ends(a, OF_STABLE) | pods_ends(a, OF_CANARY)};
}

bool
mesh_keeps(const struct world *w, int app, int pod)
{
	for (int i = 0; i < PROXIES; i++) {
		const struct proxy *proxy = &w->mesh.proxies[i];
		if ((proxy->has[app].ends >> pod & 1) ||
		    (proxy->coming[ENDPOINTS].due_ms != 0 &&
			(proxy->coming[ENDPOINTS].configs[app].ends >> pod & 1)))
			return true;
	}
	return false;
}

/* --- arriving -------------------------------------------------------------------------------- */

static void
take_clusters(struct world *w, struct proxy *proxy, int app, const struct config *config)
{
	struct config *has = &proxy->has[app];
	if (config->canary_cluster && !has->canary_cluster)
		proxy->warm_ms[app] = w->now_ms + world_between(w, 2, WARMING_MS);
	has->canary_cluster = config->canary_cluster;
}

/* What others took away and airisd made again is its own from when every proxy can use it. */
static void
note_mended(struct world *w, int app, int b)
{
	struct truth *t = &w->apps[app].truth;
	bool all = t->service.exists || (t->rule.exists && t->rule.canary);
	(void)b;
	for (int i = 0; i < PROXIES; i++)
		all &= w->mesh.proxies[i].has[app].canary_cluster &&
		       w->now_ms >= w->mesh.proxies[i].warm_ms[app];
	if (all)
		t->service.gone_by_others = t->rule.gone_by_others = false;
}

static void
take_route(struct config *has, const struct config *config)
{
	has->weight = config->weight;
	has->version = config->version;
	has->by_others = config->by_others;
	has->names_stable = config->names_stable;
}

void
mesh_note_weights(struct world *w, int app)
{
	struct app_world *a = &w->apps[app];
	bool none = true, all = true;
	for (int i = 0; i < PROXIES; i++) {
		const struct proxy *proxy = &w->mesh.proxies[i];
		none &= proxy->stuck || proxy->has[app].weight == 0;
		all &= proxy->stuck || proxy->has[app].weight == 100;
	}
	a->no_weight_ms = !none ? 0 : a->no_weight_ms != 0 ? a->no_weight_ms : w->now_ms;
	a->all_weight_ms = !all ? 0 : a->all_weight_ms != 0 ? a->all_weight_ms : w->now_ms;
}

static void
arrive(struct world *w, int number, int resource)
{
	struct proxy *proxy = &w->mesh.proxies[number];
	if (proxy->coming[resource].due_ms == 0 || w->now_ms < proxy->coming[resource].due_ms ||
	    proxy->stuck)
		return;
	proxy->coming[resource].due_ms = 0;
	for (int i = 0; i < w->plan->app_count; i++) {
		const struct config *config = &proxy->coming[resource].configs[i];
		if (resource == CLUSTERS) {
			take_clusters(w, proxy, i, config);
			event_at(w, w->now_ms + WARMING_MS, note_mended, i, 0, false);
		}
		if (resource == ENDPOINTS)
			proxy->has[i].ends = config->ends;
		if (resource == ROUTES)
			take_route(&proxy->has[i], config);
		mesh_note_weights(w, i);
	}
	mesh_answers(w);
}

void
mesh_send(struct world *w, struct proxy *proxy)
{
	int64_t due_ms = w->now_ms;
	for (int i = 0; i < RESOURCES; i++) {
		due_ms += world_between(w, 1, 1 + w->plan->mesh_late_ms / RESOURCES);
		if (due_ms < proxy->coming[i].due_ms)
			due_ms = proxy->coming[i].due_ms;
		proxy->coming[i].due_ms = due_ms;
		for (int app = 0; app < w->plan->app_count; app++)
			mesh_config(w, app, &proxy->coming[i].configs[app]);
		event_at(w, due_ms, arrive, (int)(proxy - w->mesh.proxies), i, false);
	}
}

/* --- debouncing ------------------------------------------------------------------------------ */

static void
push(struct world *w)
{
	w->mesh.pushes++;
	w->mesh.open = false;
	for (int i = 0; i < PROXIES; i++)
		mesh_send(w, &w->mesh.proxies[i]);
}

static void
debounce(struct world *w, int a, int b)
{
	struct mesh *mesh = &w->mesh;
	(void)a, (void)b;
	if (!mesh->open || mesh->down)
		return;
	int64_t most_ms = mesh->first_ms + DEBOUNCE_MAX_MS;
	int64_t quiet_ms = mesh->last_ms + DEBOUNCE_AFTER_MS;
	if (w->now_ms < mesh->churn_ms) {
		quiet_ms = mesh->churn_ms + DEBOUNCE_AFTER_MS;
		world_hit(w, FAULT_CHURN);
	}
	if (w->now_ms >= quiet_ms || w->now_ms >= most_ms)
		push(w);
	else
		event_at(w, quiet_ms < most_ms ? quiet_ms : most_ms, debounce, 0, 0, false);
}

void
mesh_news(struct world *w)
{
	struct mesh *mesh = &w->mesh;
	mesh->last_ms = w->now_ms;
	if (mesh->open)
		return;
	mesh->open = true;
	mesh->first_ms = w->now_ms;
	if (!mesh->down)
		event_at(w, w->now_ms + DEBOUNCE_AFTER_MS, debounce, 0, 0, false);
}

void
mesh_begin(struct world *w)
{
	for (int app = 0; app < w->plan->app_count; app++) {
		for (int i = 0; i < PROXIES; i++)
			mesh_config(w, app, &w->mesh.proxies[i].has[app]);
		w->apps[app].no_weight_ms = -DAY_MS;
	}
}
