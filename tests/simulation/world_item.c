/* What each item does to the world when its time comes, and when it is over. */
#include "disk.h"
#include "rooms.h"

static const enum item_kind of_all[] = {FAULT_OUTAGE, FAULT_CHURN, FAULT_MESH_SILENT,
    FAULT_MESH_DOWN, FAULT_PROXY_STUCK, FAULT_PROMETHEUS_DOWN, FAULT_DISK_FULL, FAULT_DISK_WRITES,
    FAULT_DISK_SYNCS, FAULT_DISK_SLOW};

static bool
is_of_all(enum item_kind kind)
{
	for (unsigned i = 0; i < sizeof(of_all) / sizeof(of_all[0]); i++)
		if (of_all[i] == kind)
			return true;
	return false;
}

/* Others in the cluster and bad answers of Prometheus keep nobody from acting. */
bool
world_bars(enum item_kind kind)
{
	return kind < FAULT_DELETED || (kind > FAULT_FLAPS && kind < FAULT_GATE_FAILS) ||
	       (kind > FAULT_PROMETHEUS_DOWN && kind < FIRST_COMMAND);
}

bool
world_fault(const struct world *w, int app, enum item_kind kind)
{
	return w->now_ms < (is_of_all(kind) ? w->until[kind] : w->apps[app].until[kind]);
}

bool
world_fault_now(struct world *w, int app, enum item_kind kind)
{
	if (!world_fault(w, app, kind) || world_roll(w, 3) == 0)
		return false;
	world_hit(w, kind);
	world_troubled(w, w->now_ms);
	return true;
}

/* --- others in the cluster -------------------------------------------------------------------- */

static void
remade(struct world *w, int app, int side)
{
	struct app_world *a = &w->apps[app];
	struct deployment *d = &a->truth.deployments[side];
	if (d->exists)
		return;
	*d = (struct deployment){.exists = true,
	    .image = 1,
	    .size = w->plan->apps[app].replicas,
	    .version = d->version + 1,
	    .uid = ++w->uids};
	nodes_begin(d);
	watch_changed(w, app, side == OF_CANARY ? PART_CANARY : PART_STABLE);
	pods_sync(w, app);
	apply_floor(w, app);
}

static void
reapplied(struct world *w, int app, int b)
{
	struct app_world *a = &w->apps[app];
	struct route *route = &a->truth.route;
	(void)b;
	if (route->exists)
		return;
	/* A Service selects what it did, or what is left since. */
	bool kept = colours_rolling(w, app);
	if (!kept)
		route->weight = colours_of(a) && a->ended_well ? 100 : 0;
	*route = (struct route){.exists = true,
	    .version = route->version + 1,
	    .names_canary = colours_of(a) && (switches_of(a) || a->truth.service.exists),
	    .weight = route->weight,
	    .followed = route->weight,
	    .by_others = true};
	watch_changed(w, app, PART_ROUTE);
	mesh_news(w);
}

static void
delete_workload(struct world *w, int app, int side, int64_t for_ms)
{
	struct app_world *a = &w->apps[app];
	struct deployment *d = &a->truth.deployments[side];
	if (!d->exists)
		return;
	d->size_by_others = d->deleting = true;
	d->version++;
	if (side == OF_STABLE || (colours_of(a) && !colours_rolling(w, app))) {
		a->broken = true;
		d->exists = d->deleting = false;
		event_at(w, w->now_ms + for_ms, remade, app, side, false);
	}
	watch_changed(w, app, side == OF_CANARY ? PART_CANARY : PART_STABLE);
	pods_sync(w, app);
	world_hit(w, FAULT_DELETED);
}

static void
delete_routing(struct world *w, int app, int64_t for_ms, int which)
{
	struct truth *t = &w->apps[app].truth;
	bool subset = w->plan->apps[app].subset;
	if (w->plan->apps[app].rolls) {
		backup_deleted(w, app);
		return;
	}
	if (which == 0) {
		t->route.exists = false;
		t->route.version++;
		event_at(w, w->now_ms + for_ms, reapplied, app, 0, false);
		watch_changed(w, app, PART_ROUTE);
	} else if (subset && t->rule.exists && t->rule.ours) {
		t->rule.exists = t->rule.stable = t->rule.canary = t->rule.ours = false;
		t->rule.gone_by_others = true;
		t->rule.version++;
		watch_changed(w, app, PART_RULE);
	} else if (!subset && t->service.exists && !t->stable_service.exists) {
		t->service.exists = false;
		t->service.gone_by_others = true;
		t->service.version++;
		watch_changed(w, app, PART_SERVICE);
	} else
		return;
	mesh_news(w);
	world_hit(w, FAULT_DELETED);
}

static void
delete_object(struct world *w, const struct item *item)
{
	int which = item->arg % 8;
	if (which == 7)
		delete_workload(w, item->app, OF_STABLE, item->for_ms);
	else if (which >= 4)
		delete_workload(w, item->app, OF_CANARY, item->for_ms);
	else
		delete_routing(w, item->app, item->for_ms, which % 3);
}

static void
edit_image(struct world *w, const struct item *item)
{
	struct app_world *a = &w->apps[item->app];
	int side = item->arg % 2 == 0 ? OF_CANARY : OF_STABLE;
	struct deployment *d = &a->truth.deployments[side];
	if (!d->exists || d->deleting || d->image == OTHERS_IMAGE)
		return;
	d->image = OTHERS_IMAGE;
	d->image_by_others = true;
	d->version++;
	a->edits++;
	a->image_by_others |= side == OF_STABLE;
	watch_changed(w, item->app, side == OF_CANARY ? PART_CANARY : PART_STABLE);
	pods_sync(w, item->app);
	world_hit(w, FAULT_IMAGE_EDITED);
}

/* Somebody sizes what airisd has made smaller. */
static void
edit_stable_size(struct world *w, const struct item *item)
{
	struct deployment *d = &w->apps[item->app].truth.deployments[OF_STABLE];
	int size = 1 + item->arg % 8;
	if (!d->exists || d->deleting || d->size >= w->plan->apps[item->app].replicas ||
	    d->size == size)
		return;
	d->size = size;
	d->size_by_others = true;
	d->version++;
	watch_changed(w, item->app, PART_STABLE);
	pods_sync(w, item->app);
	world_hit(w, FAULT_SIZE_EDITED);
}

static void
edit_size(struct world *w, const struct item *item)
{
	struct app_world *a = &w->apps[item->app];
	struct deployment *d = &a->truth.deployments[OF_CANARY];
	int size = item->arg % 8;
	if (w->plan->apps[item->app].shrinks && item->arg >= 32) {
		edit_stable_size(w, item);
		return;
	}
	bool canary = !colours_of(a) || colours_rolling(w, item->app);
	if (!d->exists || d->deleting || d->size == size || !canary)
		return;
	/* Whom an HPA scales, it may leave so. */
	if (colours_of(a) && a->truth.hpa.on_canary && size < a->load)
		a->load = size;
	d->size = size;
	d->size_by_others = true;
	d->mended = false;
	d->version++;
	watch_changed(w, item->app, PART_CANARY);
	pods_sync(w, item->app);
	world_hit(w, FAULT_SIZE_EDITED);
}

/* What an HPA has scaled down that is not there any more, nothing scales up again. */
void
world_give_pods(struct world *w, int app)
{
	struct deployment *d = &w->apps[app].truth.deployments[OF_STABLE];
	int size = w->plan->apps[app].replicas;
	if (!d->exists || d->deleting || d->size >= size || w->apps[app].truth.hpa.exists ||
	    w->plan->apps[app].nodes)
		return;
	d->size = size;
	d->version++;
	watch_changed(w, app, PART_STABLE);
	pods_sync(w, app);
}

/* It scales down only when there is less to do. */
static void
scale(struct world *w, const struct item *item)
{
	struct app_world *a = &w->apps[item->app];
	struct hpa_seen *hpa = &a->truth.hpa;
	bool canary = hpa->on_canary;
	struct deployment *d = &a->truth.deployments[canary ? OF_CANARY : OF_STABLE];
	if (!hpa->exists || !d->exists || d->size == 0)
		return;
	int size = hpa->min + item->arg % (hpa->max - hpa->min + 1);
	if (size == d->size)
		return;
	if (size < a->load)
		a->load = size;
	d->size = size;
	d->sized = false;
	d->version++;
	watch_changed(w, item->app, canary ? PART_CANARY : PART_STABLE);
	pods_sync(w, item->app);
	world_hit(w, FAULT_SCALED);
}

static void
edit_weight(struct world *w, const struct item *item)
{
	struct app_world *a = &w->apps[item->app];
	const struct route *route = &a->truth.route;
	bool both = pods_ready(a, OF_STABLE) > 0 && pods_ready(a, OF_CANARY) > 0;
	bool any = !colours_of(a) || (!switches_of(a) && both);
	int weight = any ? item->arg : item->arg % 2 == 0 ? 0 : 100;
	if (!route->exists || !route->names_canary || route->weight == weight)
		return;
	if (colours_of(a) && pods_ready(a, weight == 0 ? OF_STABLE : OF_CANARY) == 0)
		return; /* nobody would do that */
	world_hit(w, FAULT_WEIGHT_EDITED);
	truth_weight(w, item->app, weight, true);
	a->truth.route.to_going =
	    switches_of(a) && colours_goes(w, item->app, weight == 0 ? OF_STABLE : OF_CANARY);
}

static void
flap(struct world *w, int app, int side)
{
	if (!world_fault(w, app, FAULT_FLAPS))
		return;
	world_hit(w, FAULT_FLAPS);
	world_troubled(w, w->now_ms);
	pods_hurt(w, app, side, 1, world_between(w, 500, 9000));
	event_at(w, w->now_ms + world_between(w, 1000, 12000), flap, app, side, false);
}

static void
hurt_pods(struct world *w, const struct item *item)
{
	int side = item->arg % 3 == 0 ? OF_STABLE : OF_CANARY;
	if (item->kind == FAULT_NEVER_READY) {
		w->apps[item->app].never_ready = 2 + item->arg % 4;
		return;
	}
	if (item->kind == FAULT_FLAPS) {
		flap(w, item->app, side);
		return;
	}
	if (pods_ready(&w->apps[item->app], side) > 0)
		world_hit(w, FAULT_CRASHED);
	pods_hurt(w, item->app, side, 1 + item->arg % 4, item->for_ms);
}

/* --- time, disk, mesh, process ---------------------------------------------------------------- */

static void
jump(struct world *w, int arg)
{
	static const int64_t jumps[] = {3600000, -3600000, 86400000, -86400000};
	w->wall_offset_ms += jumps[arg % 4];
	w->jumped = true;
	world_hit(w, FAULT_CLOCK_JUMPS);
}

static void
suspend(struct world *w)
{
	if (w->now_ms < w->suspended_ms)
		return;
	w->suspended_ms = w->now_ms + 600000;
	w->lag_ms += 600000;
	if (w->flush_ms != 0)
		w->flush_ms = w->suspended_ms;
	world_troubled(w, w->suspended_ms);
	for (int app = 0; app < w->plan->app_count; app++)
		watch_slept(w, app);
	w->barred_ms = w->suspended_ms > w->barred_ms ? w->suspended_ms : w->barred_ms;
	world_hit(w, FAULT_SUSPENDED);
}

static void
set_disk(struct world *w)
{
	disk_trouble(world_fault(w, 0, FAULT_DISK_FULL)	    ? DISK_FULL
		     : world_fault(w, 0, FAULT_DISK_WRITES) ? DISK_WRITES_FAIL
		     : world_fault(w, 0, FAULT_DISK_SYNCS)  ? DISK_SYNCS_FAIL
							    : DISK_WORKS);
}

/* From then on it does not count among those that have taken a weight. */
static void
get_stuck(struct world *w)
{
	world_hit(w, FAULT_PROXY_STUCK);
	for (int i = 0; i < w->plan->app_count; i++)
		mesh_note_weights(w, i);
}

static void
set_mesh(struct world *w)
{
	struct mesh *mesh = &w->mesh;
	bool was_down = mesh->down, was_stuck = mesh->proxies[1].stuck;
	mesh->down = w->plan->asks && world_fault(w, 0, FAULT_MESH_DOWN);
	mesh->silent = w->plan->asks && world_fault(w, 0, FAULT_MESH_SILENT);
	mesh->churn_ms = w->until[FAULT_CHURN];
	mesh->proxies[1].stuck = world_fault(w, 0, FAULT_PROXY_STUCK);
	if (mesh->proxies[1].stuck && !was_stuck)
		get_stuck(w);
	if (mesh->down && !was_down)
		mesh->down_ms = w->now_ms;
	if (was_down && !mesh->down) {
		mesh->up_ms = w->now_ms;
		mesh->open = false;
		mesh_news(w);
	}
	if (!was_stuck || mesh->proxies[1].stuck)
		return;
	/* Connected again it gets all that there is, before it sends anything. */
	for (int i = 0; i < w->plan->app_count; i++)
		mesh_config(w, i, &mesh->proxies[1].has[i]);
	for (int i = 0; i < w->plan->app_count; i++)
		mesh_note_weights(w, i);
	for (int i = 0; i < RESOURCES; i++)
		mesh->proxies[1].coming[i].due_ms = 0;
	mesh_news(w);
}

static void
end_process(struct world *w, const struct item *item)
{
	w->crash_power = item->arg % 2 == 1;
	w->crash = item->kind;
	w->crash_count = 1 + item->arg / 2 % 4;
	if (item->kind != CRASH_NOW)
		return;
	world_hit(w, CRASH_NOW);
	w->crash_due = w->dead = true;
}

static void
over(struct world *w, int app, int kind)
{
	if (world_fault(w, app, (enum item_kind)kind))
		return; /* another one of the kind is still on */
	world_fault_ends(w, app, kind);
}

void
world_fault_ends(struct world *w, int app, int kind)
{
	world_troubled(w, w->now_ms);
	set_disk(w);
	set_mesh(w);
	for (int i = 0; i < w->plan->app_count; i++)
		if (kind == FAULT_OUTAGE || (kind == FAULT_NOT_FRESH && i == app))
			watch_relist(w, i);
	if (kind == FAULT_NEVER_READY) {
		w->apps[app].never_ready = 0;
		pods_may_get_ready(w, app);
	}
}

/* A fault that lasts is on from now on. */
static void
begin(struct world *w, const struct item *item)
{
	int64_t *until =
	    is_of_all(item->kind) ? &w->until[item->kind] : &w->apps[item->app].until[item->kind];
	if (w->now_ms + item->for_ms > *until)
		*until = w->now_ms + item->for_ms;
	event_at(w, *until, over, item->app, (int)item->kind, false);
	world_troubled(w, *until);
	if (world_bars(item->kind) && *until > w->barred_ms)
		w->barred_ms = *until;
	if (item->kind == FAULT_NOT_FRESH)
		world_hit(w, FAULT_NOT_FRESH);
	for (int i = 0; i < w->plan->app_count; i++)
		if (item->kind == FAULT_OUTAGE || (item->kind == FAULT_NOT_FRESH && i == item->app))
			watch_tell(w, i);
}

void
world_item(struct world *w, const struct item *item)
{
	world_trace(w, "* %s app%d for %lld ms, %d", item_name(item->kind), item->app,
	    (long long)item->for_ms, item->arg);
	if (item->kind >= FIRST_COMMAND) {
		people_do(w, item);
		return;
	}
	if (item->kind < FIRST_CRASH) {
		world_troubled(w, w->now_ms);
		begin(w, item);
	}
	if (item->kind == FAULT_DELETED)
		delete_object(w, item);
	else if (item->kind == FAULT_WEIGHT_EDITED)
		edit_weight(w, item);
	else if (item->kind == FAULT_IMAGE_EDITED)
		edit_image(w, item);
	else if (item->kind == FAULT_SIZE_EDITED)
		edit_size(w, item);
	else if (item->kind == FAULT_SCALED)
		scale(w, item);
	else if (item->kind == FAULT_NODE)
		nodes_come_or_go(w, item);
	else if (item->kind == FAULT_POD_DELETED)
		nodes_pod_deleted(w, item);
	else if (item->kind == FAULT_CRASHED || item->kind == FAULT_NEVER_READY ||
		 item->kind == FAULT_FLAPS)
		hurt_pods(w, item);
	else if (item->kind == FAULT_CLOCK_JUMPS)
		jump(w, item->arg);
	else if (item->kind == FAULT_SUSPENDED)
		suspend(w);
	else if (item->kind >= FIRST_CRASH)
		end_process(w, item);
	set_disk(w);
	set_mesh(w);
}
