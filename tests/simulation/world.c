/* A life of the world: everything that the schedule has, then peace, in which every rollout must
 * come to an end or to a wait that a person can answer (I12); then all go home (I4). */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "disk.h"
#include "rooms.h"

#define MINUTE INT64_C(60000)
#define REST_MS (90 * MINUTE)
#define HOME_MS (30 * MINUTE)
#define STEPS_MAX 400000

/* --- what all its parts use ------------------------------------------------------------------- */

unsigned
world_roll(struct world *w, unsigned sides)
{
	return (unsigned)(schedule_mix(&w->chance) % sides);
}

int64_t
world_between(struct world *w, int64_t from, int64_t to)
{
	return from + (int64_t)(schedule_mix(&w->chance) % (uint64_t)(to - from + 1));
}

void
world_troubled(struct world *w, int64_t until_ms)
{
	if (until_ms > w->trouble_ms)
		w->trouble_ms = until_ms;
	if (until_ms > w->fault_ms)
		w->fault_ms = until_ms;
}

void
world_hit(struct world *w, enum item_kind kind)
{
	w->counters->hits[kind]++;
}

static void
mix_text(struct world *w, const char *text)
{
	for (; *text != '\0'; text++)
		w->hash = (w->hash ^ (unsigned char)*text) * 0x100000001b3u;
}

void
world_trace(struct world *w, const char *format, ...)
{
	char line[2048];
	va_list args;
	va_start(args, format);
	char *text = str_vformat(format, args);
	va_end(args);
	str_print(line, sizeof(line), "%10lld %s", (long long)w->now_ms, text);
	free(text);
	mix_text(w, line);
	if (w->trace != NULL)
		fprintf(w->trace, "%s\n", line);
}

/* The first one counts. */
void
world_violated(struct world *w, const char *law, const char *format, ...)
{
	va_list args;
	if (w->violation.law[0] != '\0')
		return;
	va_start(args, format);
	char *text = str_vformat(format, args);
	va_end(args);
	str_copy(w->violation.law, sizeof(w->violation.law), law);
	str_print(w->violation.text, sizeof(w->violation.text), "at %lld ms: %s",
	    (long long)w->now_ms, text);
	free(text);
	world_trace(w, "VIOLATION %s: %s", w->violation.law, w->violation.text);
}

static int64_t
wall_ms(void *ctx)
{
	const struct world *w = ctx;
	return w->now_ms + w->wall_offset_ms;
}

/* It goes on while the machine sleeps; each life has another boot's. */
static int64_t
mono_ms(void *ctx)
{
	const struct world *w = ctx;
	return w->now_ms + w->life * INT64_C(777777);
}

struct clock_port
clock_port_of(struct world *w)
{
	return (struct clock_port){.ctx = w, .wall_ms = wall_ms, .mono_ms = mono_ms};
}

/* --- time ------------------------------------------------------------------------------------- */

/* The next thing that happens, by itself or in airisd. False: not before until_ms. */
static bool
step(struct world *w, int64_t until_ms)
{
	int64_t event_ms = INT64_MAX, airisd_ms = INT64_MAX;
	if (!event_next(w, &event_ms))
		event_ms = INT64_MAX;
	if (!airisd_next(w, &airisd_ms))
		airisd_ms = INT64_MAX;
	int64_t next_ms = event_ms < airisd_ms ? event_ms : airisd_ms;
	if (next_ms > until_ms) {
		w->now_ms = until_ms > w->now_ms ? until_ms : w->now_ms;
		return false;
	}
	if (next_ms > w->now_ms)
		w->now_ms = next_ms;
	if (event_ms <= airisd_ms)
		event_fire(w);
	airisd_turns(w);
	check_world(w);
	return true;
}

static bool
well(const struct world *w)
{
	return w->violation.law[0] == '\0' && w->engine != NULL;
}

static void
run_until(struct world *w, int64_t until_ms)
{
	int steps = 0;
	while (well(w) && step(w, until_ms))
		if (++steps > STEPS_MAX)
			world_violated(w, "F59", "%d events, and it is only %lld ms", steps,
			    (long long)w->now_ms);
}

/* --- its acts --------------------------------------------------------------------------------- */

static void
run_item(struct world *w, int index, int b)
{
	(void)b;
	world_item(w, &w->plan->items[index]);
}

static void
furnish(struct world *w, int app)
{
	const struct app_plan *plan = &w->plan->apps[app];
	struct app_world *a = &w->apps[app];
	str_print(a->name, sizeof(a->name), "app%d", app);
	a->load = plan->replicas;
	a->image_home = 1;
	a->truth.deployments[OF_STABLE] = (struct deployment){
	    .exists = true, .version = 1, .image = 1, .size = plan->replicas, .uid = ++w->uids};
	nodes_begin(&a->truth.deployments[OF_STABLE]);
	a->truth.route = (struct route){.exists = !plan->rolls,
	    .version = 1,
	    .names_canary = plan->colours && (!plan->weighs || plan->given)};
	a->truth.service.exists = plan->weighs && plan->given;
	a->truth.stable_service.exists = plan->weighs;
	a->truth.rule.exists = plan->subset && plan->own_rule;
	/* Of half of them; a number of its own would make every seed another one. */
	a->truth.budgets.stable = plan->colours && plan->hpa_max % 2 == 0;
	if (plan->hpa) {
		a->truth.hpa =
		    (struct hpa_seen){.exists = true, .min = plan->hpa_min, .max = plan->hpa_max};
		str_copy(a->truth.hpa.name, sizeof(a->truth.hpa.name), a->name);
		/* A ScaledObject holds the bounds of half of these, likewise. */
		a->truth.hpa.keda = a->truth.hpa.idles = (plan->hpa_max + plan->hpa_min) % 2 == 0;
	}
	pods_begin(w, app);
}

static unsigned
roll_for_disk(void *ctx, unsigned sides)
{
	return world_roll(ctx, sides);
}

static void
begin(struct world *w)
{
	w->now_ms = 1000;
	w->wall_offset_ms = INT64_C(1700000000000);
	w->chance = w->plan->seed ^ 0x5eed;
	w->hash = 0xcbf29ce484222325u;
	w->crash = DO_START;
	id_seed(w->plan->seed);
	disk_reset(roll_for_disk, w);
	airisd_begin(w);
	for (int i = 0; i < w->plan->app_count; i++)
		furnish(w, i);
	mesh_begin(w);
	for (int i = 0; i < w->plan->count; i++)
		event_at(w, w->plan->items[i].at_ms, run_item, i, 0,
		    w->plan->items[i].kind >= FIRST_COMMAND);
}

/* A release that does not get ready is no fault that is over some time: a StatefulSet and a
 * DaemonSet have to come home from it. */
static bool
stays_bad(struct world *w, int app)
{
	const struct app_world *a = &w->apps[app];
	const struct rollout_known *r = rollout_active(w, app);
	const struct app_plan *plan = &w->plan->apps[app];
	return (plan->ordinals || plan->nodes) && r != NULL && r->begun &&
	       r->image == a->never_ready && r->image != a->image_home;
}

static void
make_peace(struct world *w)
{
	w->trouble_ms = w->barred_ms = w->suspended_ms > w->now_ms ? w->suspended_ms : w->now_ms;
	w->crash = DO_START;
	for (int kind = 0; kind < ITEM_KINDS; kind++) {
		w->until[kind] = w->until[kind] < w->now_ms ? w->until[kind] : w->now_ms;
		for (int i = 0; i < w->plan->app_count; i++)
			w->apps[i].until[kind] = 0;
	}
	for (int i = 0; i < w->plan->app_count; i++)
		if (!stays_bad(w, i))
			world_fault_ends(w, i, FAULT_NEVER_READY);
}

/* Failed and paused are waits of their own; others must say what a person can do. */
static bool
rests(struct world *w, const char *id)
{
	struct engine_look look;
	struct err e;
	if (engine_look(w->engine, id, &look, &e) < 0) {
		world_violated(w, "I8", "%s", e.text);
		return true;
	}
	enum phase phase = look.rollout->phase;
	bool rests = phase_final(phase) || phase == PHASE_PAUSED ||
		     strcmp(look.waiting.object, "Approval") == 0 ||
		     (phase == PHASE_QUEUED && strcmp(look.waiting.object, "App") == 0) ||
		     strstr(look.waiting.next, "rollout ") != NULL ||
		     strstr(look.waiting.next, "abort") != NULL;
	engine_look_done(&look);
	return rests;
}

static void
say_restless(struct world *w, const char *id)
{
	struct engine_look look;
	struct err e;
	if (engine_look(w->engine, id, &look, &e) < 0)
		return;
	world_violated(w, "I12", "%s is %s in stage %d: %s: %s -> %s", id,
	    phase_name(look.rollout->phase), look.rollout->stage, look.waiting.object,
	    look.waiting.what, look.waiting.next);
	engine_look_done(&look);
}

static void
all_rest(struct world *w)
{
	int64_t until_ms = w->now_ms + REST_MS;
	for (int i = 0; i < w->rollout_count && well(w); i++) {
		bool rest = rests(w, w->rollouts[i].id);
		while (well(w) && !rest && w->now_ms < until_ms) {
			run_until(w, w->now_ms + 20000);
			rest = well(w) && rests(w, w->rollouts[i].id);
		}
		if (well(w) && !rest)
			say_restless(w, w->rollouts[i].id);
	}
}

static bool
is_home(const struct rollout_known *r)
{
	return r->phase == PHASE_SUCCEEDED || r->phase == PHASE_ABORTED;
}

/* From everywhere there is a way. A person may have to say it again where it failed, and see to it
 * that the stable side is as large as it was. */
static void
send_home(struct world *w, int i)
{
	int64_t until_ms = w->now_ms + HOME_MS;
	while (well(w) && !is_home(&w->rollouts[i]) && w->now_ms < until_ms) {
		if (w->rollouts[i].phase == PHASE_FAILED)
			world_give_pods(w, w->rollouts[i].app);
		if (w->rollouts[i].phase != PHASE_ABORTING && w->reply_count < REPLIES)
			people_abort(w, w->rollouts[i].id);
		run_until(w, w->now_ms + MINUTE);
	}
	if (well(w) && !is_home(&w->rollouts[i]))
		say_restless(w, w->rollouts[i].id);
	if (well(w) && !is_home(&w->rollouts[i]))
		world_violated(w, "I4", "%s does not get home", w->rollouts[i].id);
}

static enum strategy_kind
strategy_of(const struct app_plan *plan)
{
	if (plan->colours)
		return plan->weighs ? COLOURS_WEIGHED : COLOURS_SWITCHED;
	if (plan->rolls)
		return plan->nodes	? ROLLS_DAEMONSET
		       : plan->ordinals ? ROLLS_STATEFULSET
					: ROLLS_DEPLOYMENT;
	return plan->subset ? CANARY_SUBSET : CANARY_HOST;
}

static void
count_strategies(const struct world *w)
{
	int apps[STRATEGY_KINDS] = {0};
	for (int i = 0; i < w->plan->app_count; i++) {
		apps[strategy_of(&w->plan->apps[i])]++;
		apps[ROLLS_BACKED_UP] += w->plan->apps[i].backup_ms > 0;
	}
	for (int i = 0; i < STRATEGY_KINDS; i++) {
		w->counters->apps[i] += (uint64_t)apps[i];
		w->counters->schedules[i] += apps[i] > 0;
	}
}

static void
end(struct world *w)
{
	for (int i = 0; i < w->reply_count && well(w); i++)
		if (!w->replies[i].given && w->replies[i].life == w->life)
			world_violated(w, "I8", "request %d, %s, is never answered", i,
			    item_name(w->replies[i].kind));
	if (well(w))
		check_home(w);
	airisd_end(w);
	w->counters->seeds++;
	count_strategies(w);
	w->counters->simulated_ms += (uint64_t)w->now_ms;
	free(w->heap);
}

void
world_run(const struct schedule *plan, FILE *trace, struct counters *counters,
    struct violation *violation, uint64_t *hash)
{
	struct world *w = mem_alloc(sizeof(*w));
	w->plan = plan;
	w->trace = trace;
	w->counters = counters;
	begin(w);
	run_until(w, plan->end_ms);
	if (well(w)) {
		make_peace(w);
		/* What was asked for meanwhile begins. */
		run_until(
		    w, (w->suspended_ms > w->now_ms ? w->suspended_ms : w->now_ms) + MINUTE / 2);
		all_rest(w);
	}
	for (int i = 0; i < w->rollout_count && well(w); i++)
		send_home(w, i);
	if (well(w))
		run_until(w, w->now_ms + MINUTE);
	end(w);
	*violation = w->violation;
	*hash = w->hash;
	free(w);
}
