/* The fold: the only code that changes a rollout. What an act's outcome does to it is in
 * fold_act.c. */
#include <limits.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "model/fold.h"
#include "model/gate.h"

#define RELAPSES_FORGIVEN 3
#define AWAY_MS 60000
#define UNASKED_MS 120000 /* airisd was down, the slowest source is faster */

typedef int fold_event(struct rollout *r, const struct event *event, struct err *e);

struct rollout *
rollout_new(const char *id)
{
	struct rollout *r = mem_alloc(sizeof(*r));
	str_copy(r->id, sizeof(r->id), id);
	return r;
}

void
rollout_free(struct rollout *r)
{
	if (r == NULL)
		return;
	app_free(r->app);
	for (int i = 0; i < r->ladder.count; i++)
		free(r->records[i].gates);
	free(r->ladder.stages);
	free(r->records);
	free(r->gates);
	free(r);
}

void
rollout_share_app(struct rollout *r, const struct app *app)
{
	if (app == NULL || app == r->app || r->app->sided || !json_equal(app->spec, r->app->spec))
		return;
	app_free(r->app);
	r->app = app_share(app);
}

struct act
rollout_past_act(const struct rollout *r, const struct past_act *past)
{
	struct act act = {.kind = past->kind, .number = past->number, .urgent = past->urgent};
	bool back = past->urgent && past->kind == ACT_SET_IMAGE;
	/* Which pod was to go is not kept. */
	if (act_object(past->kind) != ON_POD)
		str_copy(act.text, sizeof(act.text), back ? r->baseline.image : r->release.image);
	return act;
}

const struct stage *
rollout_stage(const struct rollout *r)
{
	return r->compiled ? &r->ladder.stages[r->stage] : NULL;
}

bool
rollout_was_away(const struct rollout *r, int64_t now_ms)
{
	return now_ms > r->last_ms + r->app->drain_ms + AWAY_MS;
}

int64_t
rollout_changed_ms(const struct rollout *r, enum mesh_subject subject)
{
	switch (subject) {
	case MESH_WEIGHT:
		return r->seen_ms;
	case MESH_ROUTING:
		return r->routing_ms;
	case MESH_CANARY:
		return r->sides[SIDE_CANARY].since_ms;
	case MESH_STABLE:
		return r->sides[SIDE_STABLE].since_ms;
	case MESH_SUBJECTS:
		break;
	}
	return 0;
}

int64_t
rollout_route_ms(const struct rollout *r)
{
	return r->seen_ms > r->routing_ms ? r->seen_ms : r->routing_ms;
}

bool
rollout_accepted(const struct rollout *r)
{
	return r->app->traffic.kind == TRAFFIC_ISTIO || r->accepted_of_ms == rollout_route_ms(r);
}

int64_t
rollout_takes_from_ms(const struct rollout *r, enum mesh_subject subject)
{
	int64_t of_ms = rollout_changed_ms(r, subject);
	return mesh_in_route(subject) && r->accepted_ms > of_ms ? r->accepted_ms : of_ms;
}

bool
rollout_taken(const struct rollout *r, enum mesh_subject subject)
{
	return r->mesh[subject].of_ms == rollout_changed_ms(r, subject);
}

static bool
may_have(const struct rollout *r, int weight)
{
	if (weight < 0 || weight > 100)
		return false;
	return (r->maybe[weight / 64] >> (weight % 64) & 1) != 0;
}

void
rollout_other_weights(const struct rollout *r, int *below, int *above)
{
	*below = *above = -1;
	for (int weight = 0; weight <= 100; weight++) {
		if (!may_have(r, weight))
			continue;
		if (weight < r->seen)
			*below = weight;
		else if (weight > r->seen && *above < 0)
			*above = weight;
	}
}

int
fold_number(const struct event *event, const char *name, int64_t min, int64_t max, int64_t *to,
    struct err *e)
{
	const json_t *value = json_object_get(event->data, name);
	int64_t number = jsonx_int(value, "", min - 1);
	if (value == NULL)
		return 0;
	if (number < min || number > max)
		return err_set(e, "\"%s\" of an event \"%s\" is no whole number from %lld to %lld",
		    name, event_name(event->kind), (long long)min, (long long)max);
	*to = number;
	return 0;
}

static int
fold_created(struct rollout *r, const struct event *event, struct err *e)
{
	struct errlist errors;
	errlist_init(&errors);
	struct app *app = app_parse(jsonx_at(event->data, "app"), &errors);
	int rc = 0;
	if (app == NULL)
		rc = err_set(e, "the app in the journal is not valid: %s",
		    errors.count > 0 ? errors.items[0].text : "unknown");
	errlist_done(&errors);
	if (rc == 0)
		rc = release_parse(jsonx_at(event->data, "release"), &r->release, e);
	if (rc < 0) {
		app_free(app);
		return -1;
	}
	r->app = app;
	str_copy(r->starter, sizeof(r->starter), jsonx_text_or(event->data, "starter", ""));
	if (!trace_read(jsonx_text(event->data, "traceparent"), &r->trace))
		trace_of(r->id, &r->trace);
	r->gates = mem_array((size_t)app->gate_count, sizeof(r->gates[0]));
	r->created_ms = r->phase_ms = event->at_ms;
	r->phase = PHASE_QUEUED;
	return 0;
}

/* What is kept of a ladder: as many stages as there are, and a record for each. */
static void
keep_ladder(struct rollout *r, const struct ladder *ladder)
{
	size_t count = (size_t)ladder->count;
	r->ladder = (struct climb){.stages = mem_array(count, sizeof(struct stage)),
	    .count = ladder->count,
	    .full = ladder->full};
	memcpy(r->ladder.stages, ladder->stages, count * sizeof(struct stage));
	r->records = mem_array(count, sizeof(r->records[0]));
}

/* Which of two colours is which is known from here on. */
static void
take_sides(struct rollout *r, const struct baseline *baseline)
{
	struct app *sided;
	if (!r->app->colours || baseline->stable[0] == '\0')
		return;
	sided = app_with_sides(r->app, baseline->stable, baseline->canary);
	app_free(r->app);
	r->app = sided;
}

static int
fold_compiled(struct rollout *r, const struct event *event, struct err *e)
{
	struct ladder ladder;
	struct baseline baseline;
	if (ladder_parse(jsonx_at(event->data, "ladder"), &ladder, e) < 0 ||
	    baseline_parse(jsonx_at(event->data, "baseline"), &baseline, e) < 0)
		return -1;
	if (r->compiled)
		return err_set(e, "rollout %s is compiled already", r->id);
	keep_ladder(r, &ladder);
	take_sides(r, &baseline);
	r->baseline = baseline;
	r->compiled = true;
	r->stage = 0;
	r->records[0].entered_ms = r->progress_ms = event->at_ms;
	r->sides[SIDE_STABLE] = (struct side_facts){.ready = baseline.replicas};
	return 0;
}

static int
fold_phase(struct rollout *r, const struct event *event, struct err *e)
{
	enum phase to;
	const char *name = jsonx_text_or(event->data, "to", "");
	if (!phase_of(name, &to) || !phase_may(r->phase, to))
		return err_set(
		    e, "rollout %s cannot go from %s to \"%s\"", r->id, phase_name(r->phase), name);
	fold_enter_phase(r, to, jsonx_text_or(event->data, "reason", ""), event->at_ms);
	return 0;
}

static void
keep_gates(struct rollout *r, struct stage_record *record)
{
	if (r->app->gate_count == 0)
		return;
	size_t size = (size_t)r->app->gate_count * sizeof(r->gates[0]);
	free(record->gates);
	record->gates = mem_alloc(size);
	memcpy(record->gates, r->gates, size);
}

/* Leaves the stage that it is in: what its gates measured stays with it. */
static void
leave_stage(struct rollout *r, int64_t at_ms)
{
	struct stage_record *record = &r->records[r->stage];
	record->left_ms = at_ms;
	keep_gates(r, record);
	memset(r->gates, 0, (size_t)r->app->gate_count * sizeof(r->gates[0]));
	r->skip = r->approved = false;
	r->peak = r->relapses = 0;
	r->drift.repairs = 0;
}

static int
fold_stage(struct rollout *r, const struct event *event, struct err *e)
{
	int64_t index = jsonx_int(event->data, "index", -1);
	if (!r->compiled || index <= r->stage || index >= r->ladder.count)
		return err_set(e, "rollout %s is in stage %d and cannot enter stage %lld", r->id,
		    r->stage, (long long)index);
	leave_stage(r, event->at_ms);
	for (int i = r->stage + 1; i < index; i++)
		r->records[i].skipped = true;
	r->stage = (int)index;
	r->records[index].entered_ms = r->progress_ms = event->at_ms;
	return 0;
}

static int
fold_settled(struct rollout *r, const struct event *event, struct err *e)
{
	struct stage_record *record;
	if (!r->compiled)
		return err_set(e, "rollout %s has no ladder yet", r->id);
	record = &r->records[r->stage];
	if (record->settled_ms == 0)
		record->settled_ms = event->at_ms;
	record->outgrown = false;
	record->ready = r->sides[SIDE_CANARY].ready;
	return 0;
}

static int
fold_unsettled(struct rollout *r, const struct event *event, struct err *e)
{
	struct stage_record *record;
	if (!r->compiled)
		return err_set(e, "rollout %s has no ladder yet", r->id);
	record = &r->records[r->stage];
	record->outgrown = jsonx_bool(event->data, "outgrown", false);
	if (!record->outgrown)
		record->settled_ms = 0;
	/* A side that comes and goes must not put the deadline off for ever. */
	if (record->outgrown || ++r->relapses <= RELAPSES_FORGIVEN)
		r->progress_ms = event->at_ms;
	return 0;
}

static int
fold_ready(struct rollout *r, const struct event *event, struct err *e)
{
	bool canary = str_equal(jsonx_text(event->data, "side"), "canary");
	struct side_facts *facts = &r->sides[canary ? SIDE_CANARY : SIDE_STABLE];
	int64_t number = 0;
	if (fold_number(event, "count", 0, INT_MAX, &number, e) < 0)
		return -1;
	int count = (int)number;
	if (count > facts->ready || count == 0)
		facts->since_ms = event->at_ms;
	/* Another batch of a workload that rolls is what a change of the weight is to a canary. */
	if (r->app->rolls && canary && count > facts->ready)
		fold_forget_passes(r);
	facts->ready = count;
	if (count > r->peak) {
		r->peak = count;
		r->progress_ms = event->at_ms;
	}
	return 0;
}

static int
fold_seen(struct rollout *r, const struct event *event, struct err *e)
{
	int64_t weight = 0;
	if (fold_number(event, "weight", 0, 100, &weight, e) < 0)
		return -1;
	/* A write whose answer was lost took effect. */
	const struct attempt *attempt = &r->attempt;
	bool ours = attempt->act.kind == ACT_WEIGHT && attempt->act.number == weight &&
		    attempt->failures > 0;
	fold_weight(r, (int)weight, event->at_ms, ours ? attempt->sent_ms : 0);
	return 0;
}

/* News of an older change is no news. */
static int
fold_accepted(struct rollout *r, const struct event *event, struct err *e)
{
	int64_t of_ms = 0;
	if (fold_number(event, "of_ms", 0, EVENT_MS_MAX, &of_ms, e) < 0)
		return -1;
	if (of_ms != rollout_route_ms(r))
		return 0;
	r->accepted_of_ms = of_ms;
	r->accepted_ms = event->at_ms;
	return 0;
}

/* The same. */
static int
fold_taken(struct rollout *r, const struct event *event, struct err *e)
{
	const char *name = jsonx_text_or(event->data, "subject", "");
	enum mesh_subject subject = mesh_subject_of(name);
	if (subject == MESH_SUBJECTS)
		return err_set(e, "rollout %s: the mesh takes no \"%s\"", r->id, name);
	struct mesh_fact *fact = &r->mesh[subject];
	int64_t of_ms = 0, since_ms = event->at_ms;
	if (fold_number(event, "of_ms", 0, EVENT_MS_MAX, &of_ms, e) < 0 ||
	    fold_number(event, "since_ms", 0, EVENT_MS_MAX, &since_ms, e) < 0)
		return -1;
	if (of_ms != rollout_changed_ms(r, subject))
		return 0;
	fact->of_ms = of_ms;
	fact->at_ms = since_ms;
	str_copy(fact->known, sizeof(fact->known), jsonx_text_or(event->data, "known", "assumed"));
	str_copy(fact->missing, sizeof(fact->missing), jsonx_text_or(event->data, "missing", ""));
	if (subject == MESH_WEIGHT) {
		r->taken = r->seen;
		memset(r->maybe, 0, sizeof(r->maybe));
	}
	/* However long an abort waited for the mesh, what comes next gets its own time. */
	if (r->phase == PHASE_ABORTING && (subject == MESH_WEIGHT || subject == MESH_ROUTING))
		r->progress_ms = event->at_ms;
	return 0;
}

static int
fold_measured(struct rollout *r, const struct event *event, struct err *e)
{
	const char *name = jsonx_text_or(event->data, "gate", "");
	int i = 0;
	while (i < r->app->gate_count && strcmp(r->app->gates[i].name, name) != 0)
		i++;
	if (i == r->app->gate_count)
		return err_set(e, "rollout %s has no gate \"%s\"", r->id, name);
	struct gate_state *gate = &r->gates[i];
	int64_t due_ms = gate_due_ms(r, i);
	if (due_ms != 0 && event->at_ms > due_ms + r->app->gates[i].every_ms + UNASKED_MS) {
		gate->again_ms = event->at_ms;
		gate->passes = 0; /* a silence is no part of a row */
	}
	const json_t *value = jsonx_at(event->data, "value");
	gate->last = (struct gate_sample){
	    .verdict = verdict_of(jsonx_text_or(event->data, "verdict", "error")),
	    .has_value = json_is_number(value),
	    .value = json_number_value(value),
	    .samples = jsonx_real(event->data, "samples", -1),
	    .at_ms = event->at_ms,
	};
	str_copy(gate->last.text, sizeof(gate->last.text), jsonx_text_or(event->data, "text", ""));
	gate->count++;
	gate->failures += gate->last.verdict == VERDICT_FAIL;
	gate->passes = gate->last.verdict == VERDICT_PASS ? gate->passes + 1 : 0;
	return 0;
}

static int
fold_drift(struct rollout *r, const struct event *event, struct err *e)
{
	(void)e;
	struct drift *drift = &r->drift;
	int repairs = drift->repairs;
	*drift = (struct drift){.repairs = repairs, .since_ms = event->at_ms};
	if (event->kind == EVENT_DRIFT_OVER)
		return 0;
	str_copy(drift->what, sizeof(drift->what), jsonx_text_or(event->data, "what", ""));
	str_copy(drift->found, sizeof(drift->found), jsonx_text_or(event->data, "found", ""));
	str_copy(
	    drift->expected, sizeof(drift->expected), jsonx_text_or(event->data, "expected", ""));
	str_copy(drift->by, sizeof(drift->by), jsonx_text_or(event->data, "by", ""));
	return 0;
}

/* Afterwards nothing is assumed by time from before, and deadlines begin anew. */
static int
fold_fence(struct rollout *r, const struct event *event, struct err *e)
{
	(void)e;
	r->fenced = event->kind == EVENT_FENCED;
	if (!r->fenced)
		r->back_ms = event->at_ms;
	return 0;
}

static int
fold_waits(struct rollout *r, const struct event *event, struct err *e)
{
	struct waiting *waiting = &r->waiting;
	int64_t until_ms = 0;
	if (fold_number(event, "until_ms", 0, EVENT_MS_MAX, &until_ms, e) < 0)
		return -1;
	bool same = strcmp(waiting->object, jsonx_text_or(event->data, "object", "")) == 0;
	str_copy(
	    waiting->object, sizeof(waiting->object), jsonx_text_or(event->data, "object", ""));
	str_copy(waiting->what, sizeof(waiting->what), jsonx_text_or(event->data, "what", ""));
	str_copy(waiting->next, sizeof(waiting->next), jsonx_text_or(event->data, "next", ""));
	str_copy(
	    waiting->reason, sizeof(waiting->reason), jsonx_text_or(event->data, "reason", ""));
	if (!same)
		waiting->since_ms = event->at_ms;
	waiting->until_ms = until_ms;
	return 0;
}

static int
fold_superseded(struct rollout *r, const struct event *event, struct err *e)
{
	(void)e;
	str_copy(r->superseded_by, sizeof(r->superseded_by),
	    jsonx_text_or(event->data, "by_rollout", ""));
	return 0;
}

static fold_event *const folds[EVENT_KINDS] = {
    [EVENT_CREATED] = fold_created,
    [EVENT_COMPILED] = fold_compiled,
    [EVENT_PHASE] = fold_phase,
    [EVENT_STAGE] = fold_stage,
    [EVENT_SETTLED] = fold_settled,
    [EVENT_UNSETTLED] = fold_unsettled,
    [EVENT_READY] = fold_ready,
    [EVENT_SEEN] = fold_seen,
    [EVENT_ACCEPTED] = fold_accepted,
    [EVENT_TAKEN] = fold_taken,
    [EVENT_ACT] = fold_act,
    [EVENT_ACTED] = fold_acted,
    [EVENT_MEASURED] = fold_measured,
    [EVENT_DRIFT] = fold_drift,
    [EVENT_DRIFT_OVER] = fold_drift,
    [EVENT_FENCED] = fold_fence,
    [EVENT_FENCE_OVER] = fold_fence,
    [EVENT_WAITS] = fold_waits,
    [EVENT_COMMAND] = fold_command,
    [EVENT_SUPERSEDED] = fold_superseded,
};

int
rollout_fold(struct rollout *r, const struct event *event, struct err *e)
{
	if ((event->kind == EVENT_CREATED) != (r->app == NULL))
		return err_set(e, "the journal of rollout %s begins with \"created\", once", r->id);
	if (event->at_ms < 0 || event->at_ms > EVENT_MS_MAX)
		return err_set(e, "an event of rollout %s is of no time: %lld ms", r->id,
		    (long long)event->at_ms);
	bool away = r->app != NULL && rollout_was_away(r, event->at_ms);
	if (folds[event->kind](r, event, e) < 0)
		return -1;
	if (away)
		r->back_ms = event->at_ms;
	if (event->at_ms > r->last_ms)
		r->last_ms = event->at_ms;
	return 0;
}
