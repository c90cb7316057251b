/* The only door to the outside: acts are sent, gates are asked, objects are read. Answers carry
 * numbers; an answer that nobody waits for any more is dropped. */
#include <inttypes.h>
#include <string.h>
#include "base/failpoint.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/count.h"
#include "engine/engine_room.h"
#include "engine/passing.h"
#include "model/gate.h"

#define VERIFY_EVERY_MS 1000
#define ANSWERED_MS 120000 /* the slowest source is faster, unless the machine slept */

static void
act_key(char *to, size_t size, const char *cluster, uint64_t number)
{
	str_print(to, size, "%s/%" PRIu64, cluster, number);
}

static int64_t
mono_ms(const struct engine *engine)
{
	return engine->ports.clock.mono_ms(engine->ports.clock.ctx);
}

static void
note_abort(struct entry *entry)
{
	struct engine *engine = entry->engine;
	if (entry->abort_ms == 0 || entry->sending.kind != ACT_WEIGHT || !entry->sending.urgent)
		return;
	int64_t took = mono_ms(engine) - entry->abort_ms;
	entry->abort_ms = 0;
	histogram_add_ms(&engine->stats.aborts, &histogram_request, took);
	log_line(LOG_INFO, "engine", entry->rollout->id, entry->app->name,
	    "abort: the weight was sent %" PRId64 " ms after the command", took);
}

static void
note_outcome(struct entry *entry, uint64_t attempt, enum act_outcome outcome, const char *text,
    int64_t retry_ms)
{
	struct event event = {.kind = EVENT_ACTED,
	    .at_ms = engine_now_ms(entry->engine),
	    .actor = "",
	    .data = json_pack("{s:I, s:s, s:s, s:I}", "attempt", (json_int_t)attempt, "outcome",
		act_outcome_name(outcome), "text", text, "retry_ms", (json_int_t)retry_ms)};
	if (event.data == NULL)
		event.data = json_pack("{s:I, s:s}", "attempt", (json_int_t)attempt, "outcome",
		    act_outcome_name(outcome));
	commit_event(entry, &event, "");
	json_decref(event.data);
	engine_mark(entry);
}

void
effects_drop(struct entry *entry, enum act_outcome outcome, const char *why)
{
	if (entry->sending.kind == ACT_NONE)
		return;
	entry->sending = (struct act){.kind = ACT_NONE};
	note_outcome(entry, entry->rollout->attempt.number, outcome, why, -1);
}

/* The journal took a moment: what the act was chosen for may be gone, or not be seen any more. */
static bool
still_safe(struct entry *entry)
{
	struct observed seen;
	struct view view = {.rollout = entry->rollout, .seen = &seen};
	const struct act *act = &entry->sending;
	engine_observe(entry, &seen);
	bool raises = act->kind == ACT_WEIGHT && act->number > seen.route.weight;
	if (seen.fresh ? act_is_safe(&view, act) : !raises)
		return true;
	effects_drop(entry, seen.fresh ? ACT_CONFLICT : ACT_UNREACHED,
	    seen.fresh ? "not sent: what it rests on has changed while it was written down"
		       : "not sent: the cluster is out of sight since it was chosen");
	return false;
}

void
effects_send(struct entry *entry)
{
	const struct cluster_port *cluster = engine_cluster(entry);
	char key[APP_LABEL + 24];
	if (cluster == NULL || entry->sending.kind == ACT_NONE || !still_safe(entry))
		return;
	note_abort(entry);
	failpoint_of("act:handed", act_name(entry->sending.kind));
	if (entry->act_number != 0) {
		entry->overtaken++;
		entry->overtaken_attempt = entry->act_attempt;
	}
	entry->act_attempt = entry->rollout->attempt.number;
	entry->act_sent_ms = mono_ms(entry->engine);
	entry->act_number = cluster->act(
	    cluster->ctx, entry->rollout->app, &entry->rollout->baseline, &entry->sending);
	failpoint_soon_of("act:sent", act_name(entry->sending.kind));
	entry->sending = (struct act){.kind = ACT_NONE};
	act_key(key, sizeof(key), entry->rollout->app->cluster, entry->act_number);
	map_set(entry->engine->acts, key, mem_strdup(entry->rollout->id));
}

void
effects_unwritten(struct entry *entry)
{
	struct observed seen;
	if (entry->sending.kind == ACT_NONE || !entry->sending.urgent)
		return;
	engine_observe(entry, &seen);
	if (act_goes_unwritten(&seen, &entry->sending))
		effects_send(entry);
	else
		effects_drop(entry, ACT_UNREACHED, "not sent: it could not be written down");
}

void
engine_acted(struct engine *engine, const char *cluster, uint64_t number, enum act_outcome outcome,
    const char *text, int64_t retry_after_ms)
{
	char key[APP_LABEL + 24];
	act_key(key, sizeof(key), cluster, number);
	char *id = map_remove(engine->acts, key);
	struct entry *entry = id == NULL ? NULL : engine_entry(engine, id);
	free(id);
	if (entry == NULL || entry->doomed)
		return;
	if (entry->act_number != number) {
		const struct past_act *past = &entry->rollout->overtaken;
		if (past->attempt == entry->overtaken_attempt)
			engine->stats.acts[past->kind][outcome]++;
		entry->overtaken--;
		note_outcome(entry, entry->overtaken_attempt, outcome, text, retry_after_ms);
		return;
	}
	failpoint_of("act:answered", act_name(entry->rollout->attempt.act.kind));
	entry->act_number = 0;
	count_act(engine, entry->rollout->attempt.act.kind, outcome,
	    mono_ms(engine) - entry->act_sent_ms);
	note_outcome(entry, entry->act_attempt, outcome, text, retry_after_ms);
}

static json_t *
sample_json(const struct gate_spec *spec, const struct gate_sample *sample)
{
	json_t *data = json_pack("{s:s, s:s, s:s}", "gate", spec->name, "verdict",
	    verdict_name(sample->verdict), "text", sample->text);
	if (data == NULL)
		data = json_pack("{s:s, s:s, s:s}", "gate", spec->name, "verdict",
		    verdict_name(sample->verdict), "text", "(not UTF-8)");
	json_object_set_new(
	    data, "value", sample->has_value ? json_real(sample->value) : json_null());
	if (sample->samples >= 0)
		json_object_set_new(data, "samples", json_real(sample->samples));
	return data;
}

/* A verdict on one weight is never counted for another (F58), nor one of long ago for now. */
static bool
still_asked(const struct entry *entry, const struct ask *ask)
{
	const struct rollout *r = entry->rollout;
	bool old = engine_now_ms(entry->engine) > ask->asked_ms + ANSWERED_MS;
	return !entry->doomed && !old && r->stage == ask->stage &&
	       gate_change_ms(r) == ask->seen_ms && phase_forward(r->phase);
}

/* What cannot be written down waits in memory, so only what may end the rollout is kept. */
static void
note_sample(struct entry *entry, int gate, const struct gate_sample *sample)
{
	struct engine *engine = entry->engine;
	engine->stats.measures[sample->verdict]++;
	if (entry->unwritten && sample->verdict != VERDICT_FAIL) {
		entry->unsaid_ms[gate] = engine_now_ms(engine);
		return;
	}
	struct event event = {.kind = EVENT_MEASURED,
	    .at_ms = engine_now_ms(engine),
	    .actor = "",
	    .data = sample_json(&entry->rollout->app->gates[gate], sample)};
	commit_event(entry, &event, "");
	json_decref(event.data);
}

static void
on_sample(void *ctx, uint64_t number, const struct gate_sample *sample)
{
	struct engine *engine = ctx;
	failpoint("gate:answered");
	struct ask *ask = map_remove_number(engine->asks, number);
	struct entry *entry = ask == NULL ? NULL : engine_entry(engine, ask->rollout);
	if (entry != NULL && entry->asks[ask->gate] == number) {
		entry->asks[ask->gate] = 0;
		if (still_asked(entry, ask))
			note_sample(entry, ask->gate, sample);
		engine_mark(entry);
	}
	free(ask);
}

static void
ask_gate(struct entry *entry, int i, int64_t now_ms)
{
	struct engine *engine = entry->engine;
	const struct rollout *r = entry->rollout;
	const struct gate_port *gates = &engine->ports.gates;
	struct gate_question question = {.gate = &r->app->gates[i],
	    .app = r->app->name,
	    .namespace = r->app->namespace,
	    .stable = r->app->workload,
	    .canary = r->app->rolls ? r->app->workload : r->app->canary,
	    .window_ms = gate_window_ms(r, i, now_ms),
	    .since_weight_ms = now_ms - gate_from_ms(r)};
	struct ask *ask = mem_alloc(sizeof(*ask));
	char traceparent[TRACE_PARENT];
	passing_text(entry, "stage", r->stage, traceparent);
	question.traceparent = traceparent;
	*ask = (struct ask){
	    .gate = i, .stage = r->stage, .seen_ms = gate_change_ms(r), .asked_ms = now_ms};
	str_copy(ask->rollout, sizeof(ask->rollout), r->id);
	entry->asks[i] = gates->measure(gates->ctx, &question, on_sample, engine);
	map_set_number(engine->asks, entry->asks[i], ask);
	failpoint("gate:asked");
}

static int64_t
due_of(const struct entry *entry, int i)
{
	int64_t due_ms = gate_due_ms(entry->rollout, i);
	int64_t next_ms = entry->unsaid_ms[i] + entry->rollout->app->gates[i].every_ms;
	return due_ms != 0 && entry->unsaid_ms[i] != 0 && next_ms > due_ms ? next_ms : due_ms;
}

/* Asks what is due; a measurement that is still under way is not asked again (F15). */
void
effects_gates(struct entry *entry)
{
	int64_t now_ms = engine_now_ms(entry->engine), next_ms = 0;
	if (entry->doomed)
		return;
	for (int i = 0; i < entry->rollout->app->gate_count; i++) {
		int64_t due_ms = due_of(entry, i);
		if (due_ms == 0 || entry->asks[i] != 0)
			continue;
		if (due_ms <= now_ms)
			ask_gate(entry, i, now_ms);
		else if (next_ms == 0 || due_ms < next_ms)
			next_ms = due_ms;
	}
	engine_wake(entry, next_ms);
}

/* It has ended: nobody waits for the answers any more. */
void
effects_gates_cancel(struct entry *entry)
{
	const struct gate_port *gates = &entry->engine->ports.gates;
	for (int i = 0; i < APP_GATES; i++) {
		if (entry->asks[i] == 0)
			continue;
		gates->cancel(gates->ctx, entry->asks[i]);
		free(map_remove_number(entry->engine->asks, entry->asks[i]));
		entry->asks[i] = 0;
	}
}

void
effects_verify(struct entry *entry)
{
	const struct cluster_port *cluster = engine_cluster(entry);
	int64_t now_ms = engine_now_ms(entry->engine);
	if (cluster == NULL || now_ms < entry->verify_ms + VERIFY_EVERY_MS)
		return;
	entry->verify_ms = now_ms;
	cluster->verify(cluster->ctx, entry->rollout->app);
}

void
effects_follow(struct entry *entry, bool follow)
{
	const struct cluster_port *cluster = engine_cluster(entry);
	if (cluster == NULL || follow == entry->followed)
		return;
	entry->followed = follow;
	if (follow)
		cluster->follow(cluster->ctx, entry->rollout->app, true);
	else
		cluster->unfollow(cluster->ctx, entry->rollout->app->name);
}

void
effects_free(struct engine *engine)
{
	size_t cursor = 0;
	const char *key;
	void *value;
	while (map_next(engine->asks, &cursor, &key, &value)) {
		int64_t number;
		if (str_number(key, 0, INT64_MAX, &number) == 0)
			engine->ports.gates.cancel(engine->ports.gates.ctx, (uint64_t)number);
	}
	map_free(engine->asks, free);
	map_free(engine->acts, free);
}
