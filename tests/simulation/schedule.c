/* Schedules out of seeds. */
#include "schedule.h"
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

static const int weights[][6] = {
    {50, 100, 0}, {10, 25, 50, 100, 0}, {5, 50, 0}, {100, 0}, {20, 60, 90, 0}, {1, 10, 100, 0}};

uint64_t
schedule_mix(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

const int *
schedule_weights(const struct schedule *s, int app)
{
	return weights[s->apps[app].weights];
}

bool
schedule_each_ordinal(const struct app_plan *plan)
{
	return (plan->ordinals || plan->nodes) && !plan->hpa && !plan->approve &&
	       plan->weights % 2 == 0;
}

int
schedule_batch(const struct app_plan *plan, int stage)
{
	int first = plan->backup_ms > 0 ? 2 : 1;
	return stage < first ? 0 : stage - first + 1;
}

struct making {
	struct schedule *s;
	uint64_t state;
	bool off[ITEM_KINDS]; /* each seed goes without a random half of what can go wrong */
};

static int
pick(struct making *m, int sides)
{
	return (int)(schedule_mix(&m->state) % (uint64_t)sides);
}

static int64_t
between(struct making *m, int64_t from, int64_t to)
{
	return from + (int64_t)(schedule_mix(&m->state) % (uint64_t)(to - from + 1));
}

static void
make_app(struct making *m, struct app_plan *app)
{
	static const int64_t backups[] = {2 * MINUTE, 20 * MINUTE};
	static const int64_t holds[] = {0, 10 * SECOND, 45 * SECOND, 2 * MINUTE, 5 * MINUTE};
	app->subset = pick(m, 3) == 0;
	app->own_rule = pick(m, 2) == 0;
	app->hpa = pick(m, 3) == 0;
	app->approve = pick(m, 6) == 0;
	app->replicas = 1 + pick(m, 6);
	app->hpa_min = 1 + pick(m, app->replicas);
	app->hpa_max = app->replicas + pick(m, 4);
	app->weights = pick(m, (int)(sizeof(weights) / sizeof(weights[0])));
	app->hold_ms = holds[pick(m, 5)];
	app->deadline_ms = pick(m, 2) == 0 ? 10 * MINUTE : 2 * MINUTE;
	app->drain_ms = pick(m, 2) == 0 ? 30 * SECOND : 5 * SECOND;
	app->on_edit = pick(m, 3);
	app->on_start = pick(m, 3);
	app->gates = pick(m, 3);
	app->failures = pick(m, 3);
	app->measurements = 1 + pick(m, 3);
	app->on_deadline = pick(m, 2);
	app->every_ms = (20 + 10 * pick(m, 3)) * SECOND;
	app->gate_deadline_ms = (1 + pick(m, 4)) * MINUTE;
	app->weighs = pick(m, 2) == 0;
	app->given = pick(m, 2) == 0;
	/* Nobody can be asked what a Service's clients have taken. */
	app->colours = pick(m, 2) == 0 && (app->weighs || !m->s->asks);
	app->weighs &= app->colours;
	app->judged = pick(m, 2) == 0;
	app->keep = pick(m, 2) == 0;
	app->rolls = pick(m, 3) == 0 && !m->s->asks && !app->colours;
	app->subset &= !app->colours && !app->rolls;
	app->ordinals = app->rolls && pick(m, 3) == 0;
	app->parallel = app->ordinals && pick(m, 3) == 0;
	app->nodes = app->rolls && !app->ordinals && pick(m, 2) == 0;
	app->unavailable = app->nodes && pick(m, 3) == 0 ? 2 : 0;
	app->backup_ms = app->rolls && pick(m, 3) == 0 ? backups[pick(m, 2)] : 0;
	app->hpa &= !app->nodes;
	bool canary = !app->colours && !app->rolls;
	app->dark = pick(m, 5) == 0 && canary;
	app->larger = pick(m, 4) == 0 && canary;
	app->shrinks = pick(m, 2) == 0 && canary && !app->hpa;
	app->tight = pick(m, 3) == 0 && app->shrinks;
}

static void
add(struct making *m, enum item_kind kind, int app, int64_t at_ms, int64_t for_ms, int arg)
{
	struct schedule *s = m->s;
	if (s->count == SCHEDULE_ITEMS)
		return;
	int i = s->count++;
	while (i > 0 && s->items[i - 1].at_ms > at_ms) {
		s->items[i] = s->items[i - 1];
		i--;
	}
	s->items[i] = (struct item){kind, app, at_ms, for_ms, arg};
}

/* Most faults come while something is under way: not long after a start. */
static int64_t
some_moment(struct making *m)
{
	const struct schedule *s = m->s;
	int64_t most = s->end_ms - MINUTE;
	if (pick(m, 3) == 0)
		return between(m, SECOND, most);
	const struct item *near = &s->items[pick(m, s->count)];
	int64_t at_ms = near->at_ms + between(m, 0, 6 * MINUTE);
	return at_ms > most ? most : at_ms;
}

static void
add_starts(struct making *m)
{
	struct schedule *s = m->s;
	for (int i = 0; i < s->app_count; i++) {
		int64_t at_ms = between(m, 2 * SECOND, 5 * MINUTE);
		for (int n = 1 + (pick(m, 3) == 0); n > 0; n--) {
			add(m, DO_START, i, at_ms, 0, 2 + pick(m, 4));
			at_ms += between(m, 10 * SECOND, s->end_ms / 2);
		}
	}
}

static void
add_commands(struct making *m)
{
	static const enum item_kind often[] = {DO_ABORT, DO_PROMOTE, DO_PROMOTE_FULL, DO_PAUSE,
	    DO_RESUME, DO_RETRY, DO_APPROVE, DO_START, DO_START_AGAIN, DO_UNDO, DO_ABORT, DO_RESUME,
	    DO_APPROVE};
	int count = 1 + pick(m, 6);
	for (int i = 0; i < count; i++) {
		enum item_kind kind = often[pick(m, (int)(sizeof(often) / sizeof(often[0])))];
		add(m, kind, pick(m, m->s->app_count), some_moment(m), 0, 2 + pick(m, 4));
	}
}

static void
add_faults(struct making *m)
{
	int count = 3 + pick(m, 6);
	for (int i = 0; i < count; i++) {
		enum item_kind kind = (enum item_kind)pick(m, FIRST_COMMAND);
		for (int n = 0; m->off[kind] && n < 100; n++)
			kind = (enum item_kind)pick(m, FIRST_COMMAND);
		int64_t for_ms = pick(m, 4) == 0 ? between(m, SECOND, 10 * MINUTE)
						 : between(m, SECOND, 90 * SECOND);
		int64_t at_ms = some_moment(m);
		if (kind >= FAULT_GATE_FAILS && kind <= FAULT_PROMETHEUS_DOWN)
			for_ms = between(m, 30 * SECOND, 10 * MINUTE); /* gates are asked rarely */
		if (at_ms + for_ms > m->s->end_ms)
			for_ms = m->s->end_ms - at_ms;
		add(m, kind, pick(m, m->s->app_count), at_ms, for_ms, pick(m, 64));
	}
}

/* What a StatefulSet's controller cannot cope with alone: a release that does not get ready and is
 * aborted, and pods that are away when others should follow. */
static void
add_bad_pods(struct making *m, int app)
{
	struct schedule *s = m->s;
	int count = s->count;
	for (int i = 0; i < count; i++) {
		const struct item start = s->items[i];
		int64_t at_ms = start.at_ms + between(m, 0, 3 * MINUTE);
		int64_t for_ms = between(m, 20 * SECOND, 10 * MINUTE);
		int64_t most_ms = s->end_ms - MINUTE;
		if (start.kind != DO_START || start.app != app || at_ms + for_ms > most_ms)
			continue;
		if (pick(m, 2) == 0) {
			add(m, FAULT_NEVER_READY, app, at_ms, for_ms, start.arg - 2);
			if (pick(m, 2) == 0)
				add(m, DO_ABORT, app, at_ms + between(m, 0, for_ms), 0, 0);
			return;
		}
		add(m, FAULT_CRASHED, app, at_ms, for_ms, 3 * pick(m, 8));
		return;
	}
}

/* Nodes and pods come and go while it rolls. */
static void
add_nodes(struct making *m, int app)
{
	static const enum item_kind kinds[] = {FAULT_NODE, FAULT_NODE, FAULT_POD_DELETED};
	int64_t most_ms = m->s->end_ms - MINUTE;
	for (int n = pick(m, 5); n > 0; n--) {
		int64_t at_ms = some_moment(m);
		add(m, kinds[pick(m, 3)], app, at_ms > most_ms ? most_ms : at_ms, SECOND,
		    pick(m, 64));
	}
}

/* A Job runs for a minute or so after a start: then it fails or hangs, others delete it, and people
 * do not wait for it. */
static void
add_bad_backups(struct making *m, int app)
{
	static const enum item_kind kinds[] = {FAULT_BACKUP_FAILS, FAULT_BACKUP_HANGS,
	    FAULT_DELETED, FAULT_LATE_EFFECT, FAULT_ANSWER_LOST, DO_PROMOTE_FULL, DO_PROMOTE,
	    DO_ABORT, DO_PAUSE};
	struct schedule *s = m->s;
	int count = s->count;
	for (int i = 0; i < count; i++) {
		const struct item start = s->items[i];
		int64_t at_ms = start.at_ms + between(m, 0, MINUTE);
		int64_t for_ms = between(m, 20 * SECOND, 5 * MINUTE);
		if (start.kind != DO_START || start.app != app || pick(m, 2) == 0 ||
		    at_ms + for_ms > s->end_ms - MINUTE)
			continue;
		add(m, kinds[pick(m, (int)(sizeof(kinds) / sizeof(kinds[0])))], app, at_ms, for_ms,
		    4 * pick(m, 8));
	}
}

void
schedule_make(uint64_t seed, struct schedule *s)
{
	struct making m = {.s = s, .state = seed};
	memset(s, 0, sizeof(*s));
	s->seed = seed;
	s->end_ms = between(&m, 30 * MINUTE, 90 * MINUTE);
	s->pods_late_ms = between(&m, 500, 20 * SECOND);
	s->mesh_late_ms = between(&m, 5, 400);
	s->asks = pick(&m, 2) == 0;
	s->app_count = 1 + (pick(&m, 3) == 0 ? pick(&m, SCHEDULE_APPS) : 0);
	for (int i = 0; i < s->app_count; i++)
		make_app(&m, &s->apps[i]);
	for (int i = 0; i < ITEM_KINDS; i++)
		m.off[i] = pick(&m, 2) == 0;
	add_starts(&m);
	add_commands(&m);
	add_faults(&m);
	for (int i = 0; i < s->app_count; i++) {
		if (s->apps[i].ordinals || s->apps[i].nodes)
			add_bad_pods(&m, i);
		if (s->apps[i].nodes)
			add_nodes(&m, i);
		if (s->apps[i].backup_ms > 0)
			add_bad_backups(&m, i);
	}
}

/* --- the App --------------------------------------------------------------------------------- */

static void
add_colours(struct str *to, const struct app_plan *app)
{
	static const char *const names[] = {"[]", "[g0]", "[g0, g1]"};
	str_addf(to,
	    "strategy: {blueGreen: {approve: %s, gates: %s, hold: %ldms, watch: %ldms, keep: %ldms,"
	    " deadline: %ldms, drain: %ldms}}\n",
	    app->approve ? "true" : "false", names[app->judged ? app->gates : 0],
	    (long)app->hold_ms, (long)app->hold_ms, app->keep ? (long)app->hold_ms : 0L,
	    (long)app->deadline_ms, (long)app->drain_ms);
}

static void
add_traffic(struct str *to, const struct app_plan *app, int i)
{
	if (app->weighs)
		str_addf(to, "traffic: {istio: {virtualService: app%d}}\n", i);
	else if (app->colours || app->rolls)
		str_addf(to, "traffic: {service: {name: app%d}}\n", i);
	else
		str_addf(to, "traffic: {istio: {virtualService: app%d, mode: %s}}\n", i,
		    app->subset ? "subset" : "host");
}

/* More pods than the weight needs, with head room or without. */
static void
add_size(struct str *to, const struct app_plan *app, int weight)
{
	int size = weight + 30 > 100 ? 100 : weight + 30;
	if (app->larger && weight < 100)
		str_addf(to, ", size: %d", size);
}

static void
add_stages(struct str *to, const struct schedule *s, int app)
{
	const int *list = schedule_weights(s, app);
	const struct app_plan *plan = &s->apps[app];
	bool rolls = plan->rolls, each = schedule_each_ordinal(plan);
	const char *approve = plan->approve ? ", approve: true" : "";
	str_addf(to, "strategy: {%s: {%s", rolls ? "rolling" : "canary", each ? "" : "stages: [");
	if (plan->dark)
		str_addf(to, "{weight: 0, size: 1%s}, ", approve);
	for (int i = 0; list[i] != 0 && !each; i++) {
		str_addf(to, rolls ? "%s{pods: '%d%%'%s" : "%s{weight: %d%s", i > 0 ? ", " : "",
		    list[i], i == 0 && !plan->dark ? approve : "");
		add_size(to, plan, list[i]);
		str_add(to, "}");
	}
	str_addf(to, "%shold: %ldms, deadline: %ldms", each ? "" : "], ", (long)plan->hold_ms,
	    (long)plan->deadline_ms);
	if (plan->unavailable > 0)
		str_addf(to, ", unavailable: %d", plan->unavailable);
	if (plan->backup_ms > 0)
		str_addf(to, ", backup: {cronJob: app%d-backup, deadline: %ldms}", app,
		    (long)plan->backup_ms);
	if (!rolls)
		str_addf(to, ", drain: %ldms", (long)plan->drain_ms);
	if (plan->shrinks)
		str_addf(to, ", shrinkStable: true, headroom: %d", plan->tight ? 0 : 20);
	str_add(to, "}}\n");
}

static void
add_gate(struct str *to, const struct app_plan *app, int i)
{
	str_addf(to,
	    "- {name: g%d, prometheus: {query: up, pass: '>= 0.99'%s}, every: %ldms, "
	    "failures: %d, measurements: %d, deadline: %ldms, onDeadline: %s}\n",
	    i, i == 0 ? ", samples: {query: up, min: 10}" : "", (long)app->every_ms, app->failures,
	    app->measurements, (long)app->gate_deadline_ms, app->on_deadline ? "abort" : "pause");
}

char *
schedule_app_text(const struct schedule *s, int i)
{
	static const char *const edits[] = {"hold", "repair", "abort"};
	static const char *const starts[] = {"queue", "refuse", "supersede"};
	const struct app_plan *app = &s->apps[i];
	struct str text;
	str_init(&text, 0);
	str_addf(&text,
	    "kind: App\nname: app%d\nnamespace: shop\nworkload: {kind: %s, name: app%d}\n"
	    "onEdit: %s\nonStart: %s\n",
	    i,
	    app->nodes	    ? "DaemonSet"
	    : app->ordinals ? "StatefulSet"
			    : "Deployment",
	    i, edits[app->on_edit], starts[app->on_start]);
	add_traffic(&text, app, i);
	if (app->colours)
		add_colours(&text, app);
	else
		add_stages(&text, s, i);
	if (app->gates > 0)
		str_add(&text, "gates:\n");
	for (int n = 0; n < app->gates; n++)
		add_gate(&text, app, n);
	return str_take(&text);
}
