/* The engine's tables: apps, live rollouts, and the turn that looks at those that changed. */
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "engine/engine_room.h"

int64_t
engine_now_ms(const struct engine *engine)
{
	const struct clock_port *clock = &engine->ports.clock;
	return engine->wall_base_ms + clock->mono_ms(clock->ctx) - engine->mono_base_ms;
}

struct entry *
engine_entry(const struct engine *engine, const char *id)
{
	return map_get(engine->live, id);
}

struct app_entry *
engine_app_entry(struct engine *engine, const char *name)
{
	struct app_entry *app = map_get(engine->apps, name);
	if (app == NULL) {
		app = mem_alloc(sizeof(*app));
		str_copy(app->name, sizeof(app->name), name);
		map_set(engine->apps, name, app);
	}
	return app;
}

const struct cluster_port *
engine_cluster(const struct entry *entry)
{
	const struct engine_ports *ports = &entry->engine->ports;
	return ports->cluster(ports->ctx, entry->rollout->app->cluster);
}

static void
entry_free(struct entry *entry)
{
	loop_timer_free(entry->timer);
	inquiry_free(entry->inquiry);
	rollout_free(entry->rollout);
	free(entry);
}

static void
unlink_from_app(struct entry *entry)
{
	struct entry **at = &entry->app->rollouts;
	while (*at != NULL && *at != entry)
		at = &(*at)->next_of_app;
	if (*at != NULL)
		*at = entry->next_of_app;
	for (struct entry *other = entry->app->rollouts; other; other = other->next_of_app)
		engine_mark(other);
}

/* It has ended and all of it is durable: the journal has it from now on. */
static void
reap(struct engine *engine)
{
	struct entry **at = &engine->doomed;
	while (*at != NULL) {
		struct entry *entry = *at;
		if (entry->unsaved > 0 || entry->dirty) {
			at = &entry->next_doomed;
			continue;
		}
		*at = entry->next_doomed;
		unlink_from_app(entry);
		effects_follow(entry, false);
		effects_gates_cancel(entry);
		effects_mesh_cancel(entry);
		map_remove(engine->live, entry->rollout->id);
		entry_free(entry);
		engine->stats.live--;
	}
}

void
engine_doom(struct entry *entry)
{
	if (entry->doomed)
		return;
	entry->doomed = true;
	entry->next_doomed = entry->engine->doomed;
	entry->engine->doomed = entry;
}

static void
doom_ended(struct entry *entry)
{
	if (entry->doomed || !rollout_ended(entry->rollout))
		return;
	engine_doom(entry);
}

static void
turn(void *ctx)
{
	struct engine *engine = ctx;
	engine->turn_due = false;
	struct entry *list = engine->dirty;
	engine->dirty = NULL;
	while (list != NULL) {
		struct entry *entry = list;
		list = entry->next_dirty;
		entry->next_dirty = NULL;
		entry->dirty = false;
		engine_advance(entry);
		if (!entry->dirty)
			doom_ended(entry);
	}
	reap(engine);
}

void
engine_mark(struct entry *entry)
{
	struct engine *engine = entry->engine;
	if (!entry->dirty && !entry->doomed) {
		entry->dirty = true;
		entry->next_dirty = engine->dirty;
		engine->dirty = entry;
	}
	if (!engine->turn_due) {
		engine->turn_due = true;
		loop_defer(engine->loop, turn, engine);
	}
}

static void
on_timer(void *ctx)
{
	engine_mark(ctx);
}

struct entry *
engine_entry_new(struct engine *engine, struct rollout *rollout)
{
	struct entry *entry = mem_alloc(sizeof(*entry));
	entry->engine = engine;
	entry->rollout = rollout;
	entry->app = engine_app_entry(engine, rollout->app->name);
	rollout_share_app(rollout, entry->app->app);
	entry->timer = loop_timer_new(engine->loop, on_timer, entry);
	struct entry **at = &entry->app->rollouts;
	while (*at != NULL && (*at)->rollout->release.number < rollout->release.number)
		at = &(*at)->next_of_app;
	entry->next_of_app = *at;
	*at = entry;
	map_set(engine->live, rollout->id, entry);
	engine->stats.live++;
	return entry;
}

void
engine_changed(struct engine *engine, const char *app)
{
	struct app_entry *entry = map_get(engine->apps, app);
	if (entry != NULL && entry->rollouts != NULL)
		engine_mark(entry->rollouts);
	plan_poke(engine, app);
}

static void
on_retry(void *ctx)
{
	commit_retry(ctx);
}

static void
free_app_entry(void *value)
{
	struct app_entry *entry = value;
	app_free(entry->app);
	free(entry);
}

static void
free_entry(void *value)
{
	entry_free(value);
}

struct engine *
engine_new(struct loop *loop, const struct engine_ports *ports,
    const struct engine_settings *settings, struct err *e)
{
	struct engine *engine = mem_alloc(sizeof(*engine));
	engine->loop = loop;
	engine->ports = *ports;
	engine->settings = *settings;
	engine->apps = map_new();
	engine->live = map_new();
	engine->acts = map_new();
	engine->asks = map_new();
	engine->mesh_asks = map_new();
	engine->tokens = map_new();
	engine->keys = map_new();
	engine->batches = map_new();
	engine->retry = loop_timer_new(loop, on_retry, engine);
	engine->audit = audit_new(engine);
	engine->wall_base_ms = ports->clock.wall_ms(ports->clock.ctx);
	engine->mono_base_ms = ports->clock.mono_ms(ports->clock.ctx);
	if (recover(engine, e) < 0) {
		engine_free(engine);
		return NULL;
	}
	return engine;
}

void
engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	loop_timer_free(engine->retry);
	audit_free(engine->audit);
	plan_free(engine);
	effects_mesh_free(engine);
	effects_free(engine);
	commit_free(engine);
	map_free(engine->live, free_entry);
	map_free(engine->apps, free_app_entry);
	tokens_free(engine);
	map_free(engine->keys, free);
	free(engine);
}

void
engine_settle_set(struct engine *engine, int64_t settle_ms)
{
	engine->settings.settle_ms = settle_ms;
}

bool
engine_degraded(const struct engine *engine, const char **why)
{
	*why = engine->degraded_why;
	return engine->degraded;
}
