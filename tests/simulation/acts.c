/* The writes on their way: what is sent from what is cached, what the network and the API do to it,
 * and what is answered. */
#include <assert.h>
#include <string.h>
#include "base/str.h"
#include "rooms.h"

static const struct {
	enum item_kind kind;
	enum act_outcome outcome;
	bool effect;
	const char *text;
} troubles[] = {
    {FAULT_REFUSED, ACT_REFUSED, false, "HTTP 422 Invalid: a fault"},
    {FAULT_CONFLICT, ACT_CONFLICT, false, "HTTP 409 Conflict: a fault"},
    {FAULT_THROTTLED, ACT_UNREACHED, false, "HTTP 429 TooManyRequests: a fault"},
    {FAULT_SERVER_ERROR, ACT_UNREACHED, false, "HTTP 503: a fault"},
    {FAULT_UNREACHABLE, ACT_UNREACHED, false, "connection refused: a fault"},
    {FAULT_ANSWER_LOST, ACT_UNKNOWN, true, "connection reset: a fault"},
    {FAULT_REQUEST_LOST, ACT_UNKNOWN, false, "timeout: a fault"},
    {FAULT_LATE_EFFECT, ACT_UNKNOWN, true, "timeout: a fault"},
};
#define TROUBLES ((int)(sizeof(troubles) / sizeof(troubles[0])))

static const char *
text_of(const struct act_sent *x)
{
	for (int i = 0; i < TROUBLES; i++)
		if (troubles[i].outcome == x->outcome)
			return troubles[i].text;
	return "";
}

static struct act_sent *
find(struct world *w, int number)
{
	for (int i = 0; i < ACTS; i++)
		if (w->acts[i].number == (uint64_t)number)
			return &w->acts[i];
	return NULL;
}

static void
answer(struct world *w, int number, int again)
{
	struct act_sent *x = find(w, number);
	if (x == NULL)
		return;
	struct act_sent told = *x;
	bool waits = x->twice && !again;
	if (waits)
		event_at(w, w->now_ms + world_between(w, 0, 3000), answer, number, 1, true);
	else if (!x->late || x->happened)
		*x = (struct act_sent){.number = 0};
	else
		x->answered = true;
	if (told.life != w->life || w->dead)
		return;
	/* It was answered, or read back: the caches show it. */
	if (!again && told.outcome != ACT_UNREACHED && told.outcome != ACT_REFUSED &&
	    !world_fault(w, told.app, FAULT_OUTAGE))
		watch_take(w, told.app, apply_part(told.act.kind, told.turned));
	world_trace(
	    w, "answer %d: %s%s", number, act_outcome_name(told.outcome), again ? " (again)" : "");
	engine_acted(
	    w->engine, "default", told.number, told.outcome, text_of(&told), told.retry_ms);
	if (w->crash == CRASH_ACT_ANSWERED && --w->crash_count <= 0) {
		world_hit(w, CRASH_ACT_ANSWERED);
		w->dead = w->crash_due = true;
	}
}

/* The release's image, or less of the stable side, comes when it had been given up: a weight that
 * had to move did not wait. */
static bool
comes_too_late(const struct world *w, const struct act_sent *x)
{
	bool given_up = x->life != w->life || (x->outcome == ACT_UNKNOWN && x->answered);
	bool forth = x->act.kind == ACT_ROLL || x->act.kind == ACT_REPLACE_POD || x->shrinks ||
		     (x->act.kind == ACT_SET_IMAGE && !x->act.urgent);
	return forth && given_up;
}

static void
take_effect(struct world *w, int number, int b)
{
	struct act_sent *x = find(w, number);
	(void)b;
	if (x == NULL)
		return;
	x->happened = true;
	int life = x->life;
	enum act_outcome outcome = apply_act(w, x);
	world_trace(w, "effect %d: app%d %s %d %s: %s", number, x->app, act_name(x->act.kind),
	    x->act.number, x->act.text, act_outcome_name(outcome));
	if (outcome == ACT_DONE && !comes_too_late(w, x))
		check_effect(w, x);
	if (x->outcome == ACT_DONE)
		x->outcome = outcome;
	if (x->answered)
		*x = (struct act_sent){.number = 0};
	if (w->crash == CRASH_ACT_APPLIED && life == w->life && --w->crash_count <= 0) {
		world_hit(w, CRASH_ACT_APPLIED);
		w->dead = w->crash_due = true;
	}
}

static bool
is_held(const struct world *w, int app, int number)
{
	const struct deployment *d = &w->apps[app].cached.truth.deployments[OF_STABLE];
	if (w->plan->apps[app].nodes)
		return d->by_hand;
	return w->plan->apps[app].ordinals ? ordinals_is_held(d, number) : d->held == number;
}

/* A floor that is held leaves a ScaledObject no idle count. */
static bool
has_bounds(const struct world *w, int app, int number)
{
	const struct hpa_seen *hpa = &w->apps[app].cached.truth.hpa;
	bool home = number == ACT_AS_IT_WAS;
	return !hpa->exists || (hpa->min == (home ? w->plan->apps[app].hpa_min : number) &&
				   hpa->idles == (home && hpa->keda));
}

/* What the port answers without asking anybody; ACT_KINDS... none: it is sent. */
static bool
is_answered_here(const struct world *w, int app, const struct act *act, enum act_outcome *outcome)
{
	const struct truth *seen = &w->apps[app].cached.truth;
	const struct deployment *canary = &seen->deployments[OF_CANARY];
	bool host = w->apps[app].spec->traffic.mode == TRAFFIC_HOST;
	bool named = host ? seen->service.exists : seen->rule.stable && seen->rule.canary;
	enum part part = apply_part(act->kind, false);
	const struct counts *sides = w->apps[app].cached.sides;
	bool switches = switches_of(&w->apps[app]);
	*outcome = ACT_CONFLICT;
	if (part == PART_ROUTE && !seen->route.exists)
		return true;
	if (act->kind == ACT_WEIGHT && act->number > 0 && !named && !switches)
		return true;
	if (act->kind == ACT_WEIGHT && switches &&
	    sides[act->number == 0 ? OF_STABLE : OF_CANARY].ready == 0)
		return true;
	if (act->kind == ACT_SCALE_CANARY && !canary->exists)
		return true;
	if ((act->kind == ACT_CREATE_CANARY || act->kind == ACT_SCALE_CANARY) && canary->exists &&
	    canary->deleting)
		return true;
	*outcome = watch_fresh(w, app) ? ACT_ALREADY : ACT_UNREACHED;
	return (act->kind == ACT_WEIGHT && seen->route.weight == act->number &&
		   seen->route.names_canary) ||
	       (act->kind == ACT_DELETE_CANARY && (!canary->exists || canary->deleting)) ||
	       (act->kind == ACT_SET_IMAGE && seen->deployments[OF_STABLE].held == 0 &&
		   seen->deployments[OF_STABLE].partition == 0 &&
		   !seen->deployments[OF_STABLE].by_hand &&
		   seen->deployments[OF_STABLE].image == image_of(act->text)) ||
	       (act->kind == ACT_ROLL && is_held(w, app, act->number) &&
		   seen->deployments[OF_STABLE].image == image_of(act->text)) ||
	       (act->kind == ACT_DELETE_POD &&
		   ordinals_named(act) != ordinals_stuck(&seen->deployments[OF_STABLE],
					      &w->apps[app].cached.sides[OF_STABLE])) ||
	       (act->kind == ACT_REPLACE_POD && nodes_named(&w->apps[app].cached, act) == NULL) ||
	       (act->kind == ACT_BACKUP && backup_is_made(seen, act)) ||
	       (act->kind == ACT_POINT_SERVICE && seen->service.exists &&
		   seen->service.on_canary == (act->number != 0)) ||
	       (act->kind == ACT_FOLLOW_HPA &&
		   (!seen->hpa.exists || seen->hpa.on_canary == (act->number != 0))) ||
	       (act->kind == ACT_SCALE_STABLE &&
		   seen->deployments[OF_STABLE].size == act->number) ||
	       (act->kind == ACT_HPA_FLOOR && has_bounds(w, app, act->number)) ||
	       ((act->kind == ACT_CREATE_BUDGET || act->kind == ACT_DELETE_BUDGET) &&
		   (act->number == 0 ? seen->budgets.stable_ours : seen->budgets.canary_ours) ==
		       (act->kind == ACT_CREATE_BUDGET)) ||
	       (act->kind == ACT_CREATE_SERVICE && seen->service.exists) ||
	       (act->kind == ACT_DELETE_SERVICE && !seen->service.exists) ||
	       (act->kind == ACT_REMOVE_SUBSETS && !seen->rule.exists);
}

static void
suffer(struct world *w, struct act_sent *x, int64_t *late_ms)
{
	enum part part = apply_part(x->act.kind, x->turned);
	bool routing = part == PART_ROUTE || part == PART_RULE;
	bool webhook = world_fault(w, x->app, FAULT_WEBHOOK) || w->mesh.down;
	if (world_fault(w, x->app, FAULT_OUTAGE) || (webhook && routing)) {
		bool outage = world_fault(w, x->app, FAULT_OUTAGE);
		x->outcome = outage ? ACT_UNREACHED : ACT_REFUSED;
		x->effect = false;
		world_hit(w, outage	    ? FAULT_OUTAGE
			     : w->mesh.down ? FAULT_MESH_DOWN
					    : FAULT_WEBHOOK);
		return;
	}
	for (int i = 0; i < TROUBLES; i++) {
		if (!world_fault_now(w, x->app, troubles[i].kind))
			continue;
		x->outcome = troubles[i].outcome;
		x->effect = troubles[i].effect;
		x->late = troubles[i].kind == FAULT_LATE_EFFECT;
		if (troubles[i].kind == FAULT_THROTTLED)
			x->retry_ms = world_between(w, 0, 20000);
		if (x->outcome == ACT_UNKNOWN)
			*late_ms = world_between(w, 1000, 12000);
		return;
	}
	if (world_fault_now(w, x->app, FAULT_OVERTAKEN))
		*late_ms = world_between(w, 2000, 9000);
	x->twice = world_fault_now(w, x->app, FAULT_TWICE);
}

/* The pod that a deletion is made of; NULL: it is of none. */
static const struct seat *
seat_of(const struct world *w, const struct act_sent *x)
{
	const struct cached *cached = &w->apps[x->app].cached;
	if (x->act.kind == ACT_REPLACE_POD)
		return nodes_named(cached, &x->act);
	return x->act.kind == ACT_DELETE_POD
		   ? &cached->sides[OF_STABLE].seats[ordinals_named(&x->act)]
		   : NULL;
}

/* The object's version that a patch or a deletion is made of; -1: a creation. */
static int
version_of(const struct world *w, const struct act_sent *x)
{
	const struct truth *seen = &w->apps[x->app].cached.truth;
	const struct seat *seat = seat_of(w, x);
	bool creates = x->act.kind == ACT_CREATE_SERVICE || x->act.kind == ACT_CREATE_BUDGET ||
		       x->act.kind == ACT_BACKUP ||
		       (x->act.kind == ACT_ADD_SUBSETS && !seen->rule.exists) ||
		       (x->act.kind == ACT_CREATE_CANARY && !seen->deployments[OF_CANARY].exists);
	if (seat != NULL)
		return seat->version;
	return creates ? -1 : apply_version(seen, apply_part(x->act.kind, x->turned));
}

static void
send(struct world *w, struct act_sent *x)
{
	const struct cached *cached = &w->apps[x->app].cached;
	const struct seat *seat = seat_of(w, x);
	int64_t late_ms = world_between(w, 4, 120), effect_ms = late_ms / 2;
	x->outcome = ACT_DONE;
	x->effect = true;
	x->version = version_of(w, x);
	x->uid = seat != NULL ? seat->uid : cached->truth.deployments[OF_CANARY].uid;
	nodes_note(w, x);
	suffer(w, x, &late_ms);
	if (w->crash == CRASH_ACT_SENT && --w->crash_count <= 0) {
		world_hit(w, CRASH_ACT_SENT);
		w->crash_due = w->dead = true;
		x->effect = x->late = world_roll(w, 2) == 0; /* it may still be on its way */
		late_ms = 1;
	}
	if (x->late)
		effect_ms = late_ms + world_between(w, 1, ACT_SERVER_MS);
	else if (x->outcome == ACT_UNKNOWN)
		effect_ms = world_between(w, 1, late_ms);
	if (x->effect)
		event_at(w, w->now_ms + effect_ms, take_effect, (int)x->number, 0, false);
	event_at(w, w->now_ms + late_ms + 1, answer, (int)x->number, 0, true);
}

uint64_t
acts_port(void *ctx, const struct app *spec, const struct baseline *baseline, const struct act *act)
{
	struct world *w = ctx;
	int app = spec->name[3] - '0', i = 0;
	uint64_t number = ++w->numbers;
	(void)baseline;
	if (w->dead)
		return number;
	if (colours_turned(&w->apps[app], spec)) /* of a rollout whose first write this is */
		colours_take_sides(w, app, spec->workload);
	world_trace(w, "send %d: app%d %s %d %s%s", (int)number, app, act_name(act->kind),
	    act->number, act->text, act->urgent ? " urgent" : "");
	w->counters->acts++;
	journal_check_intent(w, app, act);
	check_send(w, app, act);
	if (spec->kind == WORKLOAD_STATEFULSET)
		ordinals_check_send(w, app, act);
	if (spec->kind == WORKLOAD_DAEMONSET)
		nodes_check_send(w, app, act);
	if (act->kind == ACT_BACKUP)
		backup_check_send(w, app, act);
	while (i < ACTS && w->acts[i].number != 0)
		i++;
	if (i == ACTS) {
		world_violated(w, "F15", "%d writes are under way", ACTS);
		return number;
	}
	struct act_sent *x = &w->acts[i];
	*x = (struct act_sent){
	    .number = number, .app = app, .life = w->life, .act = *act, .retry_ms = -1};
	x->shrinks = laws_shrinks(&w->apps[app], act);
	if (is_answered_here(w, app, act, &x->outcome))
		event_at(w, w->now_ms + 1, answer, (int)number, 0, true);
	else
		send(w, x);
	return number;
}
