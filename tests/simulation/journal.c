/* The journal's socket is the store's own, but that every batch passes here on its way in, where
 * the process may end; and what became durable is noted, for it is what must hold from then on. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "disk.h"
#include "rooms.h"
#include "turns.h"

#define RETRY_MS 250 /* how long the second failure in a row makes it wait, at least */

static struct world *current; /* the store's functions are given the store */

static bool
crashes_here(struct world *w, enum item_kind where)
{
	if (w->crash != where || --w->crash_count > 0)
		return false;
	world_hit(w, where);
	w->crash_due = true;
	return true;
}

static void
append(void *ctx, struct journal_write *writes, int count,
    void (*done)(void *done_ctx, uint64_t ticket, bool ok, const char *why), void *done_ctx,
    uint64_t ticket)
{
	struct world *w = current;
	struct journal_port port = store_port(w->store);
	(void)ctx;
	if (w->dead)
		return;
	if (crashes_here(w, CRASH_BEFORE_COMMIT)) {
		w->dead = true;
		return;
	}
	int64_t late_ms = world_between(w, 1, 4);
	if (world_fault_now(w, 0, FAULT_DISK_SLOW))
		late_ms = world_between(w, 200, 6000);
	if (w->flush_ms == 0)
		w->flush_ms = w->now_ms + late_ms;
	port.append(port.ctx, writes, count, done, done_ctx, ticket);
}

/* While the disk fails the writer tries it again by itself, by the clock. */
static void
probe(struct world *w, int life, int b)
{
	(void)b;
	if (life != w->life || w->dead || store_healthy(w->store, NULL))
		return;
	turns_give();
	event_at(w, w->now_ms + 1000, probe, life, 0, true);
}

void
journal_flush(struct world *w)
{
	w->flush_ms = 0;
	w->counters->commits++;
	int troubles = disk_troubles();
	if (crashes_here(w, CRASH_IN_COMMIT)) {
		w->dead = true;
		disk_stop_after((int)world_roll(w, 12));
	} else if (crashes_here(w, CRASH_AFTER_COMMIT))
		w->dead = true;
	store_flush(w->store);
	if (disk_troubles() > troubles) {
		static const enum item_kind kinds[] = {
		    FAULT_DISK_FULL, FAULT_DISK_WRITES, FAULT_DISK_SYNCS};
		world_troubled(w, w->now_ms);
		for (int i = 0; i < 3; i++)
			if (world_fault(w, 0, kinds[i]))
				world_hit(w, kinds[i]);
	}
	if (!w->dead && !store_healthy(w->store, NULL))
		event_at(w, w->now_ms + 1000, probe, w->life, 0, true);
}

struct journal_port
journal_port_of(struct world *w)
{
	struct journal_port port = store_port(w->store);
	current = w;
	port.append = append;
	return port;
}

/* --- I13: what is sent was written down before ------------------------------------------------ */

static bool
count_intent(void *ctx, const struct journal_row *row)
{
	struct world *w = ctx;
	w->checked_seq = row->seq;
	w->acts_written += strcmp(row->name, "act") == 0;
	return true;
}

/* What an abort may do though it cannot be written down: less for the canary, and the old image for
 * a side that has no requests. */
static bool
brings_home(const struct world *w, int app, const struct act *act)
{
	const struct route *route = &w->apps[app].cached.truth.route;
	bool lowers = act->kind == ACT_WEIGHT && act->number <= route->weight;
	bool idle = route->exists && route->weight == 100;
	return act->urgent && (lowers || (act->kind == ACT_SET_IMAGE && idle));
}

void
journal_check_intent(struct world *w, int app, const struct act *act)
{
	struct journal_port port = store_port(w->store);
	struct err e;
	w->acts_sent++;
	if (brings_home(w, app, act) &&
	    (!store_healthy(w->store, NULL) || engine_degraded(w->engine, &(const char *){NULL}))) {
		w->acts_exempt++; /* what reduces risk goes out also when it cannot be written */
		w->apps[app].unwritten = true;
		return;
	}
	if (port.events(port.ctx, NULL, w->checked_seq, 0, count_intent, w, &e) < 0)
		world_violated(w, "I14", "the journal cannot be read: %s", e.text);
	else if (w->acts_written + w->acts_exempt < w->acts_sent)
		world_violated(w, "I13", "%s %d was sent and is not in the journal",
		    act_name(act->kind), act->number);
}

/* --- what is durable -------------------------------------------------------------------------- */

struct rollout_known *
rollout_find(struct world *w, const char *id)
{
	for (int i = 0; i < w->rollout_count; i++)
		if (strcmp(w->rollouts[i].id, id) == 0)
			return &w->rollouts[i];
	return NULL;
}

struct rollout_known *
rollout_active(struct world *w, int app)
{
	for (int i = 0; i < w->rollout_count; i++)
		if (w->rollouts[i].app == app &&
		    (phase_forward(w->rollouts[i].phase) || w->rollouts[i].phase == PHASE_ABORTING))
			return &w->rollouts[i];
	return NULL;
}

static struct rollout_known *
created(struct world *w, const struct journal_row *row, const json_t *data)
{
	if (w->rollout_count == ROLLOUTS) {
		world_violated(w, "harness", "more than %d rollouts", ROLLOUTS);
		return NULL;
	}
	struct rollout_known *r = &w->rollouts[w->rollout_count++];
	*r = (struct rollout_known){.phase = PHASE_QUEUED};
	str_copy(r->id, sizeof(r->id), row->key);
	r->app = jsonx_text_or(data, "app.name", "app0")[3] - '0';
	r->image = image_of(jsonx_text_or(data, "release.image", ""));
	return r;
}

static void
begin(struct world *w, struct rollout_known *r)
{
	struct app_world *a = &w->apps[r->app];
	a->promotions = a->most_ready = 0;
	a->image_home = a->truth.deployments[OF_STABLE].image;
	r->begun = true;
}

/* Two colours: what serves now is its stable side. */
static void
compiled(struct world *w, struct rollout_known *r, const json_t *data)
{
	w->apps[r->app].ladder_size = (int)jsonx_int(data, "baseline.replicas", 0);
	if (!colours_of(&w->apps[r->app]))
		return;
	colours_take_sides(w, r->app, jsonx_text_or(data, "baseline.sides.stable", ""));
	begin(w, r);
}

static void
enter_phase(struct world *w, struct rollout_known *r, const json_t *data)
{
	struct app_world *a = &w->apps[r->app];
	enum phase old = r->phase;
	if (!phase_of(jsonx_text_or(data, "to", ""), &r->phase) || !phase_may(old, r->phase))
		world_violated(w, "I7", "%s goes from %s to %s", r->id, phase_name(old),
		    jsonx_text_or(data, "to", ""));
	if (old == PHASE_QUEUED && r->phase == PHASE_PROGRESSING && !colours_of(a))
		begin(w, r);
	r->tried.failures = 0;
	if (r->begun && phase_final(r->phase))
		a->ended_well = r->phase == PHASE_SUCCEEDED;
	if (r->begun && phase_final(r->phase))
		a->image_end = r->phase == PHASE_SUCCEEDED ? r->image : a->image_home;
	bool each = w->plan->apps[r->app].ordinals || w->plan->apps[r->app].nodes;
	if (r->phase == PHASE_ABORTED && r->begun && each)
		ordinals_check_home(w, r->app);
	r->paused |= r->phase == PHASE_PAUSED;
	if (r->phase == PHASE_ABORTING)
		r->aborting_ms = w->now_ms;
	if (phase_final(r->phase))
		w->counters->phases[r->phase]++;
	r->breach_ms = 0;
}

static void
enter_stage(struct world *w, struct rollout_known *r, const json_t *data, int64_t at_ms)
{
	int index = (int)jsonx_int(data, "index", -1);
	check_stage(w, r, r->stage, index, at_ms);
	r->stage = index;
	r->entered_ms = w->now_ms;
	w->apps[r->app].nodes_changed = false;
	r->fails[0] = r->fails[1] = 0;
	r->skips = r->approved = r->paused = r->late = false;
	r->settled_ms = r->still_ms = 0;
	r->outgrown = false;
}

static void
commanded(struct rollout_known *r, const json_t *data)
{
	const char *name = jsonx_text_or(data, "name", "");
	r->skips |= strcmp(name, "promote") == 0;
	r->approved |= strcmp(name, "approve") == 0;
	if (strcmp(name, "resume") == 0 || strcmp(name, "retry") == 0)
		r->fails[0] = r->fails[1] = r->tried.failures = 0;
}

/* I12: what was not taken twice in a row is not sent again at once. Faults that come by chance
 * hardly ever come often enough to show it by the number of writes (check_rate). */
static void
intended(
    struct world *w, struct rollout_known *r, const struct journal_row *row, const json_t *data)
{
	char what[64];
	str_print(what, sizeof(what), "%s %d", jsonx_text_or(data, "act", ""),
	    (int)jsonx_int(data, "number", 0));
	if (strcmp(what, r->tried.what) != 0)
		r->tried.failures = 0;
	if (r->tried.failures > 1 && row->at_ms < r->tried.at_ms + RETRY_MS)
		world_violated(w, "I12", "app%d: %s was not taken %d times and is sent %lld ms on",
		    r->app, what, r->tried.failures, (long long)(row->at_ms - r->tried.at_ms));
	str_copy(r->tried.what, sizeof(r->tried.what), what);
	r->tried.attempt = (int)jsonx_int(data, "attempt", 0);
}

static void
answered(struct rollout_known *r, const struct journal_row *row, const json_t *data)
{
	const char *outcome = jsonx_text_or(data, "outcome", "");
	if (jsonx_int(data, "attempt", 0) != r->tried.attempt)
		return;
	bool taken = strcmp(outcome, "done") == 0 || strcmp(outcome, "already") == 0;
	r->tried.failures = taken ? 0 : r->tried.failures + 1;
	r->tried.at_ms = row->at_ms;
}

bool
journal_was_ill(const struct world *w, int64_t ms)
{
	for (int kind = FAULT_DISK_FULL; kind <= FAULT_DISK_SLOW; kind++)
		if (w->until[kind] != 0 && w->now_ms < w->until[kind] + w->lag_ms + ms)
			return true;
	return false;
}

static void
measured(struct world *w, struct rollout_known *r, const json_t *data)
{
	int gate = jsonx_text_or(data, "gate", "g0")[1] - '0';
	w->apps[r->app].gates[gate].open = false;
	if (strcmp(jsonx_text_or(data, "verdict", ""), "fail") != 0)
		return;
	if (++r->fails[gate] > w->plan->apps[r->app].failures && r->breach_ms == 0 &&
	    phase_forward(r->phase))
		r->breach_ms = w->now_ms;
}

/* I9 */
static void
check_alone(struct world *w, int app)
{
	int active = 0;
	for (int i = 0; i < w->rollout_count; i++)
		active += w->rollouts[i].app == app && phase_forward(w->rollouts[i].phase);
	if (active > 1)
		world_violated(w, "I9", "%d rollouts of app%d are under way", active, app);
}

static uint64_t
row_sum(const struct journal_row *row)
{
	uint64_t sum = (uint64_t)row->seq;
	for (const char *at = row->text; *at != '\0'; at++)
		sum = (sum ^ (unsigned char)*at) * 0x100000001b3u;
	return sum;
}

/* After a crash, each row in order. */
bool
journal_kept(void *ctx, const struct journal_row *row)
{
	struct world *w = ctx;
	if (row->seq <= w->told_seq)
		w->kept_sum += row_sum(row);
	else
		journal_durable(w, row);
	return true;
}

static void
settled(struct world *w, struct rollout_known *r, int64_t at_ms)
{
	int weight = w->apps[r->app].truth.route.weight;
	if (!r->outgrown || r->still_weight != weight)
		r->still_ms = w->now_ms;
	r->still_weight = weight;
	r->outgrown = false;
	/* Or it slept before it was written down. */
	r->late = journal_was_ill(w, 30000) || at_ms < w->now_ms + w->wall_offset_ms - 1000;
	r->late_first = r->settled_ms ? r->late_first : r->late;
	r->settled_ms = r->settled_ms ? r->settled_ms : w->now_ms;
}

/* Most events are only counted: their data need not be read. */
static json_t *
data_of(const struct journal_row *row, enum event_kind kind)
{
	struct err e;
	if (kind != EVENT_CREATED && kind != EVENT_COMPILED && kind != EVENT_PHASE &&
	    kind != EVENT_STAGE && kind != EVENT_COMMAND && kind != EVENT_MEASURED &&
	    kind != EVENT_ACT && kind != EVENT_ACTED && kind != EVENT_UNSETTLED)
		return NULL;
	return jsonx_parse(row->text, strlen(row->text), 1 << 20, &e);
}

void
journal_durable(void *ctx, const struct journal_row *row)
{
	struct world *w = ctx;
	enum event_kind kind = event_of(row->name);
	if (w->dead)
		return;
	world_trace(w, "event %s %s %s", row->key + 20, row->name, row->text);
	if (row->seq > w->told_seq)
		w->told_seq = row->seq;
	w->told_sum += row_sum(row);
	json_t *data = data_of(row, kind);
	struct rollout_known *r = rollout_find(w, row->key);
	switch (kind) {
	case EVENT_CREATED:
		if (r != NULL)
			world_violated(w, "I8", "%s is created twice", row->key);
		else
			r = created(w, row, data);
		break;
	case EVENT_COMPILED:
		compiled(w, r, data);
		break;
	case EVENT_PHASE:
		enter_phase(w, r, data);
		break;
	case EVENT_STAGE:
		enter_stage(w, r, data, row->at_ms);
		break;
	case EVENT_UNSETTLED:
		r->outgrown = jsonx_bool(data, "outgrown", false);
		break;
	case EVENT_SETTLED:
		settled(w, r, row->at_ms);
		break;
	case EVENT_ACT:
		w->apps[r->app].unwritten = false;
		intended(w, r, row, data);
		break;
	case EVENT_ACTED:
		answered(r, row, data);
		break;
	case EVENT_COMMAND:
		commanded(r, data);
		break;
	case EVENT_MEASURED:
		measured(w, r, data);
		break;
	default:
		break;
	}
	json_decref(data);
	if (r != NULL)
		check_alone(w, r->app);
}
