/* Two colours. The world keeps its places by sides: the stable side of the last rollout and the
 * other one. When a rollout begins, what is served then is its stable side, so they may change
 * places, with all that was known of them, and what is still on its way to them. */
#include <string.h>
#include "base/str.h"
#include "rooms.h"

bool
colours_of(const struct app_world *a)
{
	return a->spec != NULL && a->spec->colours;
}

bool
switches_of(const struct app_world *a)
{
	return a->spec != NULL && a->spec->traffic.kind == TRAFFIC_SERVICE;
}

const char *
colours_name(const struct app_world *a, int side, char *to, size_t size)
{
	bool green = colours_of(a) && (side == OF_CANARY) != a->turned;
	str_print(to, size, "%s%s", a->name,
	    green				  ? "-green"
	    : side == OF_CANARY && !colours_of(a) ? "-canary"
						  : "");
	return to;
}

bool
colours_turned(const struct app_world *a, const struct app *spec)
{
	char stable[APP_NAME];
	if (!colours_of(a))
		return false;
	if (!spec->sided)
		return a->cached.truth.route.exists && a->cached.truth.route.weight == 100;
	return strcmp(spec->workload, colours_name(a, OF_STABLE, stable, sizeof(stable))) != 0;
}

int
colours_serving(const struct app_world *a)
{
	return colours_of(a) && a->truth.route.weight == 100 ? OF_CANARY : OF_STABLE;
}

bool
colours_rolling(struct world *w, int app)
{
	const struct rollout_known *r = rollout_active(w, app);
	return colours_of(&w->apps[app]) && r != NULL && r->begun;
}

/* --- changing places -------------------------------------------------------------------------- */

#define SWAP(type, one, two)                                                                       \
	do {                                                                                       \
		type kept = (one);                                                                 \
		(one) = (two);                                                                     \
		(two) = kept;                                                                      \
	} while (0)

void
colours_turn_budgets(struct budgets_seen *budgets)
{
	SWAP(bool, budgets->stable, budgets->canary);
	SWAP(bool, budgets->stable_ours, budgets->canary_ours);
}

static void
turn_truth(struct truth *t)
{
	SWAP(struct deployment, t->deployments[OF_STABLE], t->deployments[OF_CANARY]);
	t->route.weight = 100 - t->route.weight;
	t->route.followed = 100 - t->route.followed;
	t->service.on_canary = !t->service.on_canary;
	if (t->stable_service.exists)
		SWAP(struct service, t->service, t->stable_service);
	t->hpa.on_canary = !t->hpa.on_canary;
	colours_turn_budgets(&t->budgets);
}

static void
turn_records(struct app_world *a)
{
	for (int i = 0; i < PODS; i++)
		a->pods[i].canary = !a->pods[i].canary;
	for (int i = 0; i < 8; i++)
		SWAP(int64_t, a->victims[OF_STABLE][i], a->victims[OF_CANARY][i]);
	for (int i = 0; i < 16; i++)
		SWAP(int, a->history[i].ready[OF_STABLE], a->history[i].ready[OF_CANARY]);
	SWAP(int64_t, a->no_weight_ms, a->all_weight_ms);
	SWAP(struct counts, a->cached.sides[OF_STABLE], a->cached.sides[OF_CANARY]);
	a->cached.dirty[PART_STABLE] = a->cached.dirty[PART_CANARY] = false;
	a->own_weight = 100 - a->own_weight;
}

/* The side that served was known, so what is the canary now is. */
static void
turn_config(struct config *config)
{
	config->weight = 100 - config->weight;
	config->canary_cluster = true;
}

static void
turn_proxies(struct world *w, int app)
{
	for (int i = 0; i < PROXIES; i++) {
		struct proxy *proxy = &w->mesh.proxies[i];
		turn_config(&proxy->has[app]);
		for (int n = 0; n < RESOURCES; n++)
			turn_config(&proxy->coming[n].configs[app]);
	}
}

void
colours_take_sides(struct world *w, int app, const char *stable)
{
	struct app_world *a = &w->apps[app];
	char name[APP_NAME];
	if (strcmp(stable, colours_name(a, OF_STABLE, name, sizeof(name))) != 0) {
		turn_truth(&a->truth);
		turn_truth(&a->cached.truth);
		turn_records(a);
		turn_proxies(w, app);
		a->turned = !a->turned;
		for (int i = 0; i < ACTS; i++)
			w->acts[i].turned ^= w->acts[i].app == app;
		watch_changed(w, app, PART_STABLE);
		watch_changed(w, app, PART_CANARY);
	}
	a->image_home = a->truth.deployments[OF_STABLE].image;
	a->rest = a->truth.deployments[OF_CANARY];
	a->rest_service = a->truth.service.exists;
}

/* --- a Service's endpoints -------------------------------------------------------------------- */

bool
colours_goes(const struct world *w, int app, int side)
{
	bool goes = w->apps[app].truth.deployments[side].deleting;
	enum part part = side == OF_CANARY ? PART_CANARY : PART_STABLE;
	for (int i = 0; i < ACTS; i++) {
		const struct act_sent *x = &w->acts[i];
		goes |= x->number != 0 && x->app == app && !x->happened &&
			x->act.kind == ACT_DELETE_CANARY &&
			apply_part(x->act.kind, x->turned) == part;
	}
	return goes;
}

bool
colours_given_in_vain(const struct route *route)
{
	return route->to_going && route->followed != route->weight;
}

static void
follow(struct world *w, int app, int b)
{
	struct route *route = &w->apps[app].truth.route;
	(void)b;
	route->to_going &= route->by_others;
	if (route->followed == route->weight)
		return;
	route->followed = route->weight;
	watch_changed(w, app, PART_ROUTE);
	mesh_news(w);
}

void
colours_followed(struct world *w, int app)
{
	if (switches_of(&w->apps[app]))
		event_at(w, w->now_ms + world_between(w, 20, 900), follow, app, 0, false);
}
