/* The engine's lives: with the store on its disk, from start to crash to start. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "base/yaml.h"
#include "disk.h"
#include "rooms.h"
#include "store/lock.h"
#include "engine/stats.h"
#include "turns.h"
#include "virtual_time.h"

#define TURNS_MAX 500

/* In place of the archive's: nobody else can reach the simulated disk. */
int
store_lock(const char *database, struct err *e)
{
	(void)database, (void)e;
	return dup(STDERR_FILENO);
}

static void
give_up(struct world *w, const char *law, const char *text)
{
	world_violated(w, law, "%s", text);
	w->dead = true;
}

static void
open_all(struct world *w)
{
	struct store_settings settings = {
	    .path = DISK_DATABASE, .vfs = DISK_VFS, .probe_ms = 2000, .read_ms = 60000};
	struct engine_settings engine = {.settle_ms = SETTLE_MS};
	struct engine_ports ports = {.ctx = w, .cluster = watch_port, .event = journal_durable};
	struct err e;
	w->life++;
	turns_clock(w->now_ms - w->lag_ms);
	w->store = store_open(&settings, w->loop, &e);
	if (w->store == NULL) {
		give_up(w, "I14", e.text);
		return;
	}
	ports.journal = journal_port_of(w);
	ports.gates = gate_port_of(w);
	ports.mesh = mesh_port_of(w);
	ports.clock = clock_port_of(w);
	w->engine = engine_new(w->loop, &ports, &engine, &e);
	if (w->engine == NULL)
		give_up(w, "I8", e.text);
}

static void
close_all(struct world *w)
{
	w->dead = true;
	if (w->engine != NULL)
		engine_free(w->engine);
	w->engine = NULL;
	virtual_loop_drop(w->loop);
	if (w->store != NULL)
		store_close(w->store);
	w->store = NULL;
	w->flush_ms = 0;
	mesh_drop(w);
	watch_drop(w);
}

/* What airisd has done and does not know of any more is as if others had. */
static void
forget_unwritten(struct world *w)
{
	for (int app = 0; app < w->plan->app_count; app++) {
		struct app_world *a = &w->apps[app];
		if (!a->unwritten)
			continue;
		a->unwritten = false;
		a->truth.deployments[OF_STABLE].image_by_others = a->image_by_others = true;
		a->truth.deployments[OF_CANARY].size_by_others = true;
		a->truth.route.by_others = true;
		a->others_weight_ms = w->now_ms;
		a->edits++;
		a->forgotten = true;
	}
}

/* What was sent may still take effect; all else of this life is gone. */
void
airisd_crash(struct world *w)
{
	bool power = w->crash_power;
	w->counters->crashes++;
	disk_stop_after(0);
	close_all(w);
	disk_crash(power);
	w->crash = DO_START;
	w->crash_due = w->dead = false;
	int64_t fault_ms = w->fault_ms;
	world_troubled(w, w->now_ms);
	w->fault_ms = fault_ms;
	w->barred_ms = w->now_ms > w->barred_ms ? w->now_ms : w->barred_ms;
	world_trace(w, "airisd has crashed%s, %d blocks were lost",
	    power ? " with its machine" : "", disk_lost());
	for (int kind = FAULT_DISK_FULL; kind <= FAULT_DISK_SYNCS; kind++)
		w->until[kind] = w->until[kind] < w->now_ms ? w->until[kind] : w->now_ms;
	forget_unwritten(w);
	open_all(w);
	if (w->engine != NULL)
		people_check_after_crash(w);
	gates_drop(w);
}

static struct app *
parse_app(const struct schedule *plan, int i)
{
	char *text = schedule_app_text(plan, i);
	struct errlist errors;
	struct app *app = NULL;
	json_t *spec;
	struct err e;
	errlist_init(&errors);
	if (yaml_parse(text, strlen(text), &spec, NULL, &e) == 0) {
		app = app_parse(spec, &errors);
		json_decref(spec);
	}
	if (app == NULL)
		fprintf(stderr, "%s: %s: %s\n", text, errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	free(text);
	return app;
}

static void
put_done(void *ctx, uint64_t request, enum engine_result result, const char *id, const char *why)
{
	struct world *w = ctx;
	(void)request;
	if (result != ENGINE_CREATED)
		world_violated(w, "harness", "%s was not put: %s", id, why);
}

void
airisd_begin(struct world *w)
{
	struct engine_reply reply = {.done = put_done, .ctx = w};
	w->loop = loop_new();
	open_all(w);
	for (int i = 0; i < w->plan->app_count && w->engine != NULL; i++) {
		struct app_world *a = &w->apps[i];
		a->spec = parse_app(w->plan, i);
		if (a->spec == NULL)
			abort();
		engine_app_put(
		    w->engine, app_share(a->spec), NULL, &(struct actor){.name = "ann"}, &reply);
	}
}

void
airisd_end(struct world *w)
{
	if (w->engine != NULL)
		w->counters->decisions += engine_stats(w->engine)->decisions;
	close_all(w);
	loop_free(w->loop);
	for (int i = 0; i < w->plan->app_count; i++)
		app_free(w->apps[i].spec);
}

/* --- its turns -------------------------------------------------------------------------------- */

static void
crash_if_due(struct world *w)
{
	if (w->crash_due && w->violation.law[0] == '\0')
		airisd_crash(w);
}

bool
airisd_next(const struct world *w, int64_t *at_ms)
{
	int64_t timer_ms = virtual_loop_next(w->loop);
	bool any = timer_ms >= 0 || w->flush_ms != 0;
	*at_ms = timer_ms >= 0 ? timer_ms + w->lag_ms : w->flush_ms;
	if (w->flush_ms != 0 && w->flush_ms < *at_ms)
		*at_ms = w->flush_ms;
	if (*at_ms < w->suspended_ms)
		*at_ms = w->suspended_ms;
	return any;
}

/* While the process does not run, neither do its clocks. */
static bool
follow_time(struct world *w)
{
	if (w->now_ms < w->suspended_ms)
		return false;
	int64_t behind_ms = w->now_ms - w->lag_ms - virtual_loop_now(w->loop);
	if (behind_ms > 0)
		virtual_loop_advance(w->loop, behind_ms);
	turns_clock(w->now_ms - w->lag_ms);
	return true;
}

void
airisd_turns(struct world *w)
{
	if (!follow_time(w))
		return;
	for (int i = 0; w->violation.law[0] == '\0'; i++) {
		bool any = virtual_loop_turn(w->loop);
		crash_if_due(w);
		if (w->flush_ms != 0 && w->now_ms >= w->flush_ms && !w->dead) {
			journal_flush(w);
			any = true;
		}
		crash_if_due(w);
		if (!any)
			return;
		if (i > TURNS_MAX)
			world_violated(w, "F59", "the loop does not come to rest");
	}
}
