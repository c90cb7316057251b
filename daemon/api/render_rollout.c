/* A rollout as JSON: its state from the fold, what the cluster looks like now if it is live, and
 * why it is not moving. */
#include <math.h>
#include "api/render.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "base/str.h"

static json_t *
real_json(bool has, double value)
{
	return has && isfinite(value) ? json_real(value) : json_null();
}

static json_t *
maybe_text(const char *text)
{
	return text[0] == '\0' ? json_null() : api_text_json(text);
}

/* Down again, or down from the start. */
static bool
goes_home(enum phase phase)
{
	return phase == PHASE_ABORTING || phase == PHASE_ABORTED || phase == PHASE_FAILED;
}

static json_t *
release_part(const struct release *release)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:b}", "number", release->number, "image",
	    api_text_json(release->image), "who", api_text_json(release->who), "why",
	    api_text_json(release->why), "commit", api_text_json(release->commit), "at",
	    jsonx_time(release->at_ms), "known_good", release->known_good);
}

static json_t *
stage_part(const struct rollout *r)
{
	const struct stage *stage = rollout_stage(r);
	if (stage == NULL)
		return json_null();
	const struct stage_record *record = &r->records[r->stage];
	bool holds = record->settled_ms != 0 && stage->hold_ms > 0;
	return json_pack("{s:i, s:s, s:o, s:o, s:o}", "index", r->stage, "name", stage->name,
	    "entered", jsonx_time(record->entered_ms), "settled", jsonx_time(record->settled_ms),
	    "hold_until", jsonx_time(holds ? record->settled_ms + stage->hold_ms : 0));
}

static const char *
stage_state(const struct rollout *r, int i)
{
	if (r->records[i].skipped)
		return "skipped";
	if (i < r->stage || (i == r->stage && r->phase == PHASE_SUCCEEDED))
		return "done";
	return i == r->stage ? "current" : "ahead";
}

static json_t *
measured_part(const struct rollout *r, int i)
{
	json_t *list = json_array();
	const struct gate_state *gates = i == r->stage ? r->gates : r->records[i].gates;
	for (int g = 0; gates != NULL && g < r->app->gate_count; g++) {
		const struct gate_state *gate = &gates[g];
		if (gate->count == 0)
			continue;
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:o, s:o, s:i, s:i}", "gate", r->app->gates[g].name,
			      "verdict", verdict_name(gate->last.verdict), "value",
			      real_json(gate->last.has_value, gate->last.value), "at",
			      jsonx_time(gate->last.at_ms), "count", gate->count, "failures",
			      gate->failures));
	}
	return list;
}

static json_t *
ladder_part(const struct rollout *r)
{
	json_t *list = json_array();
	for (int i = 0; r->compiled && i < r->ladder.count; i++) {
		const struct stage *stage = &r->ladder.stages[i];
		const struct stage_record *record = &r->records[i];
		bool end = i == r->stage && r->phase == PHASE_SUCCEEDED;
		json_array_append_new(list,
		    json_pack("{s:i, s:s, s:o, s:o, s:o, s:b, s:o, s:s, s:o, s:o, s:o}", "index", i,
			"name", stage->name, "weight", api_weight_json(r->app, &stage->target),
			"batch", api_batch_json(&stage->target), "hold",
			api_hold_json(stage->hold_ms), "approve", stage->approve, "gates",
			api_gates_json(r->app, stage->gates), "state", stage_state(r, i), "entered",
			jsonx_time(record->entered_ms), "left",
			jsonx_time(end ? r->ended_ms : record->left_ms), "measured",
			measured_part(r, i)));
	}
	return list;
}

static json_t *
weight_part(const struct rollout *r)
{
	const struct stage *stage = rollout_stage(r);
	int target = stage == NULL || goes_home(r->phase) ? 0 : stage->target.weight;
	const struct mesh_fact *fact = &r->mesh[MESH_WEIGHT];
	if (r->app->rolls)
		return json_null();
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o}", "target", target, "written", r->weight,
	    "taken", r->taken, "known", api_text_json(fact->known), "since",
	    jsonx_time(fact->at_ms), "missing", api_text_json(fact->missing));
}

struct side_part {
	const char *image;
	int size, ready;
};

static json_t *
side_json(const struct side_part *side)
{
	return json_pack("{s:o, s:i, s:i}", "image", api_text_json(side->image), "size", side->size,
	    "ready", side->ready);
}

static struct side_part
side_seen(const struct workload_seen *seen)
{
	return (struct side_part){.image = seen->image,
	    .size = seen->replicas >= 0 ? seen->replicas : seen->pods,
	    .ready = seen->ready};
}

/* As it is seen; before anything was seen and after the end, as it was left. */
static json_t *
stable_part(const struct engine_look *look)
{
	const struct rollout *r = look->rollout;
	struct side_part side = {.image = r->stable_new ? r->release.image : r->baseline.image,
	    .size = r->stable > 0 ? r->stable
		    : r->compiled ? r->baseline.replicas
				  : 0,
	    .ready = r->sides[SIDE_STABLE].ready};
	if (look->seen.fresh || look->seen.stable.exists)
		side = side_seen(&look->seen.stable);
	return side_json(&side);
}

/* One workload that rolls: on how many of its pods the release may be now, and is ready. */
static json_t *
batch_part(const struct engine_look *look)
{
	const struct rollout *r = look->rollout;
	bool seen = look->seen.fresh || look->seen.stable.exists;
	if (!r->app->rolls)
		return json_null();
	return json_pack("{s:i, s:i, s:i}", "allowed", r->batch, "ready",
	    seen ? look->seen.stable.ready_new : r->sides[SIDE_CANARY].ready, "size",
	    seen && look->seen.stable.replicas >= 0 ? look->seen.stable.replicas
						    : r->baseline.replicas);
}

static json_t *
canary_part(const struct engine_look *look)
{
	const struct rollout *r = look->rollout;
	if (r->app->rolls)
		return json_null();
	struct side_part side = {.image = r->canary > 0 ? r->release.image : "",
	    .size = r->canary,
	    .ready = r->canary > 0 ? r->sides[SIDE_CANARY].ready : 0};
	if (look->seen.fresh || look->seen.canary.exists)
		side = side_seen(&look->seen.canary);
	return side_json(&side);
}

/* Those that this stage measures, and any that was measured in it. */
static json_t *
gates_part(const struct rollout *r)
{
	const struct stage *stage = rollout_stage(r);
	uint32_t here = stage == NULL ? 0 : stage->gates | stage->watch;
	json_t *list = json_array();
	for (int i = 0; i < r->app->gate_count; i++) {
		const struct gate_spec *spec = &r->app->gates[i];
		const struct gate_state *gate = &r->gates[i];
		bool measured = gate->last.at_ms != 0;
		char condition[64];
		if (!(here >> i & 1) && !measured)
			continue;
		condition_text(spec->compare, spec->limit, condition, sizeof(condition));
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:i, s:i, s:i}", "name", spec->name,
			"verdict", verdict_name(measured ? gate->last.verdict : VERDICT_PENDING),
			"value", real_json(measured && gate->last.has_value, gate->last.value),
			"condition", condition, "text", api_text_json(gate->last.text), "at",
			jsonx_time(gate->last.at_ms), "failures", gate->failures, "allowed",
			spec->failures, "passes", gate->passes));
	}
	return list;
}

static json_t *
blocked_part(const struct waiting *waiting)
{
	if (waiting->object[0] == '\0')
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "object", api_text_json(waiting->object),
	    "what", api_text_json(waiting->what), "since", jsonx_time(waiting->since_ms), "until",
	    jsonx_time(waiting->until_ms), "next", api_text_json(waiting->next));
}

static json_t *
trace_part(const struct trace *trace)
{
	char id[TRACE_ID_HEX];
	hex_write(trace->id, TRACE_ID, id);
	return json_string(id);
}

json_t *
api_rollout_json(const struct engine_look *look)
{
	const struct rollout *r = look->rollout;
	json_t *json = json_object();
	json_object_set_new(json, "id", json_string(r->id));
	json_object_set_new(json, "app", json_string(r->app->name));
	json_object_set_new(json, "namespace", json_string(r->app->namespace));
	json_object_set_new(json, "cluster", json_string(r->app->cluster));
	json_object_set_new(json, "phase", json_string(phase_name(look->phase)));
	json_object_set_new(json, "reason", api_text_json(r->reason));
	json_object_set_new(json, "release", release_part(&r->release));
	json_object_set_new(json, "stage", stage_part(r));
	json_object_set_new(json, "ladder", ladder_part(r));
	json_object_set_new(json, "weight", weight_part(r));
	json_object_set_new(json, "stable", stable_part(look));
	json_object_set_new(json, "canary", canary_part(look));
	json_object_set_new(json, "batch", batch_part(look));
	json_object_set_new(json, "gates", gates_part(r));
	json_object_set_new(json, "blocked_on", blocked_part(&look->waiting));
	json_object_set_new(json, "started", jsonx_time(r->created_ms));
	json_object_set_new(json, "ended", jsonx_time(phase_final(look->phase) ? r->ended_ms : 0));
	json_object_set_new(json, "superseded_by", maybe_text(r->superseded_by));
	json_object_set_new(json, "trace", trace_part(&r->trace));
	json_object_set_new(json, "cursor", json_integer(r->last_seq));
	json_object_set_new(json, "stale", api_text_json(look->seen.fresh ? "" : look->seen.stale));
	return json;
}
