/* A ladder as JSON for the journal, and back. */
#include <limits.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "model/event.h"
#include "model/ladder.h"

struct target
target_home(void)
{
	return (struct target){.home = true};
}

struct stage *
ladder_append(struct ladder *ladder, const char *name, struct target target)
{
	struct stage *stage = &ladder->stages[ladder->count++];
	*stage = (struct stage){.target = target};
	str_copy(stage->name, sizeof(stage->name), name);
	return stage;
}

void
ladder_hasten(struct ladder *ladder)
{
	for (int i = 0; i < ladder->count; i++) {
		struct stage *stage = &ladder->stages[i];
		stage->watch |= stage->gates;
		stage->gates = 0;
		stage->hold_ms = 0;
		stage->approve = false;
	}
}

static json_t *
stage_json(const struct stage *stage)
{
	const struct target *target = &stage->target;
	json_t *json = json_pack("{s:s, s:i, s:i, s:b, s:b, s:I, s:b, s:I, s:I, s:b}", "name",
	    stage->name, "weight", target->weight, "canary", target->canary, "stable_new",
	    target->stable_new, "home", target->home, "hold_ms", (json_int_t)stage->hold_ms,
	    "approve", stage->approve, "gates", (json_int_t)stage->gates, "watch",
	    (json_int_t)stage->watch, "serves", stage->serves);
	if (target->stable > 0)
		json_object_set_new(json, "stable", json_integer(target->stable));
	if (target->retired)
		json_object_set_new(json, "retired", json_true());
	if (target->backup)
		json_object_set_new(json, "backup", json_true());
	if (target->batch > 0) {
		json_object_set_new(json, "batch", json_integer(target->batch));
		json_object_set_new(json, "percent", json_boolean(target->percent));
	}
	return json;
}

json_t *
ladder_json(const struct ladder *ladder)
{
	json_t *stages = json_array();
	for (int i = 0; i < ladder->count; i++)
		json_array_append_new(stages, stage_json(&ladder->stages[i]));
	return json_pack("{s:o, s:i}", "stages", stages, "full", ladder->full);
}

static bool
is_between(int64_t number, int64_t min, int64_t max)
{
	return number >= min && number <= max;
}

static int
stage_parse(const json_t *json, struct stage *stage, struct err *e)
{
	int64_t weight = jsonx_int(json, "weight", 0), canary = jsonx_int(json, "canary", 0);
	int64_t gates = jsonx_int(json, "gates", 0), watch = jsonx_int(json, "watch", 0);
	int64_t batch = jsonx_int(json, "batch", 0), stable = jsonx_int(json, "stable", 0);
	bool percent = jsonx_bool(json, "percent", false);
	const char *name = jsonx_text_or(json, "name", "");
	*stage = (struct stage){
	    .target = {.weight = (int)weight,
		.canary = (int)canary,
		.stable = (int)stable,
		.stable_new = jsonx_bool(json, "stable_new", false),
		.home = jsonx_bool(json, "home", false),
		.batch = (int)batch,
		.percent = percent,
		.backup = jsonx_bool(json, "backup", false),
		.retired = jsonx_bool(json, "retired", false)},
	    .hold_ms = jsonx_int(json, "hold_ms", 0),
	    .approve = jsonx_bool(json, "approve", false),
	    .gates = (uint32_t)gates,
	    .watch = (uint32_t)watch,
	    .serves = jsonx_bool(json, "serves", false),
	};
	if (!str_copy(stage->name, sizeof(stage->name), name) || !is_between(weight, 0, 100) ||
	    !is_between(canary, 0, 100) || !is_between(stable, 0, 100) ||
	    !is_between(batch, 0, percent ? 100 : INT_MAX) ||
	    !is_between(stage->hold_ms, 0, EVENT_MS_MAX) || !is_between(gates, 0, UINT32_MAX) ||
	    !is_between(watch, 0, UINT32_MAX))
		return err_set(
		    e, "stage \"%.60s\" of a ladder has a number out of its range", name);
	return 0;
}

int
ladder_parse(const json_t *json, struct ladder *ladder, struct err *e)
{
	const json_t *stages = jsonx_at(json, "stages");
	size_t count = json_array_size(stages);
	if (count == 0 || count > LADDER_STAGES)
		return err_set(
		    e, "a ladder has 1 to %d stages, this one has %zu", LADDER_STAGES, count);
	*ladder = (struct ladder){.count = (int)count, .full = jsonx_count(json, "full", 0)};
	if (ladder->full >= ladder->count)
		return err_set(e, "a ladder of %zu stages has no stage %d", count, ladder->full);
	for (size_t i = 0; i < count; i++)
		if (stage_parse(json_array_get(stages, i), &ladder->stages[i], e) < 0)
			return -1;
	return 0;
}

static const char *const stage_words[STAGE_WORDS] = {"preflight", "canary", "full", "promote",
    "return", "clean", "preview", "switch", "keep", "retire", "backup", "batch", "ordinal", "all",
    "finish", [STAGE_OTHER] = "other"};

int
stage_word(const struct stage *stage)
{
	size_t length = strcspn(stage->name, " ");
	for (int word = 0; word < STAGE_OTHER; word++)
		if (strlen(stage_words[word]) == length &&
		    strncmp(stage_words[word], stage->name, length) == 0)
			return word;
	return STAGE_OTHER;
}

const char *
stage_word_name(int word)
{
	return stage_words[word];
}
