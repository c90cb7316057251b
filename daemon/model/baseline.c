/* Baseline: taken once, written once, read back after a crash. Every field goes through the one
 * table of each type below, so that writing and reading cannot differ. */
#include "model/baseline.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include "base/jsonx.h"
#include "model/pace.h"

static void
take_floor(struct baseline *baseline, const struct hpa_seen *hpa)
{
	baseline->hpa_min = hpa->exists ? hpa->min : -1;
	baseline->keda = hpa->exists && hpa->keda;
	baseline->keda_bare = baseline->keda && hpa->bare;
	baseline->keda_idles = baseline->keda && hpa->idles;
	baseline->keda_idle = baseline->keda_idles ? hpa->idle : 0;
}

bool
baseline_scaler(const struct baseline *baseline, const struct hpa_seen *hpa)
{
	return hpa->exists && baseline->hpa_min >= 0 && hpa->keda == baseline->keda;
}

bool
baseline_bounds(const struct baseline *baseline, const struct hpa_seen *hpa)
{
	if (!baseline_scaler(baseline, hpa) || hpa->min != baseline->hpa_min)
		return false;
	return !hpa->keda ||
	       (hpa->bare == baseline->keda_bare && hpa->idles == baseline->keda_idles &&
		   (!hpa->idles || hpa->idle == baseline->keda_idle));
}

void
baseline_take(struct baseline *baseline, const struct observed *seen)
{
	const struct workload_seen *stable = &seen->stable;

	memset(baseline, 0, sizeof(*baseline));
	str_copy(baseline->image, sizeof(baseline->image), stable->image);
	str_copy(baseline->uid, sizeof(baseline->uid), stable->uid);
	/* Absent is not 1 (F35): then what runs is the size. */
	baseline->replicas = stable->replicas >= 0 ? stable->replicas : stable->pods;
	baseline->pace = stable->pace;
	take_floor(baseline, &seen->hpa);
	baseline->had_canary_destination = seen->route.names_canary;
	baseline->had_stable_subset_named = seen->route.names_stable_subset;
	baseline->had_destination_rule = seen->subsets.exists && !seen->subsets.ours;
	baseline->had_canary_subset = baseline->had_destination_rule && seen->subsets.canary;
	baseline->had_stable_subset = baseline->had_destination_rule && seen->subsets.stable;
	baseline->had_canary_service = seen->canary_service && !seen->canary_service_ours;
	baseline->bare = seen->route.bare;
	baseline->with_canary = seen->route.with_canary;
	baseline->with_subset = seen->route.with_subset;
}

void
baseline_take_sides(struct baseline *baseline, const struct app *app, const struct observed *seen)
{
	const struct workload_seen *canary = &seen->canary;

	str_copy(baseline->stable, sizeof(baseline->stable), seen->stable.name);
	str_copy(baseline->canary, sizeof(baseline->canary), canary->name);
	baseline->had_canary = canary->exists;
	baseline->budgets = seen->budgets;
	/* By weights it stays, whoever made it: it serves every other release. */
	if (app->traffic.kind != TRAFFIC_SERVICE)
		baseline->had_canary_service = seen->canary_service;
	str_copy(baseline->canary_image, sizeof(baseline->canary_image), canary->image);
	baseline->canary_replicas = canary->replicas >= 0 ? canary->replicas : canary->pods;
}

struct field {
	const char *name;
	size_t offset;
};
#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct baseline, name)                                             \
	}

static const struct field flags[] = {FIELD(had_canary_destination), FIELD(had_stable_subset_named),
    FIELD(had_canary_subset), FIELD(had_stable_subset), FIELD(had_destination_rule),
    FIELD(had_canary_service)};
static const struct field masks[] = {FIELD(bare), FIELD(with_canary), FIELD(with_subset)};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static json_t *
budgets_json(const struct budgets_seen *budgets)
{
	return json_pack("{s:b, s:b, s:b, s:b}", "stable", budgets->stable, "canary",
	    budgets->canary, "stable_ours", budgets->stable_ours, "canary_ours",
	    budgets->canary_ours);
}

static json_t *
sides_json(const struct baseline *baseline)
{
	return json_pack("{s:s, s:s, s:b, s:s, s:i, s:o}", "stable", baseline->stable, "canary",
	    baseline->canary, "had_canary", baseline->had_canary, "canary_image",
	    baseline->canary_image, "canary_replicas", baseline->canary_replicas, "budgets",
	    budgets_json(&baseline->budgets));
}

static json_t *
keda_json(const struct baseline *baseline)
{
	json_t *json = json_pack("{s:b}", "bare", baseline->keda_bare);

	if (baseline->keda_idles)
		json_object_set_new(json, "idle", json_integer(baseline->keda_idle));
	return json;
}

static json_t *
pace_json(const struct pace *pace)
{
	if (pace->nodes)
		return json_pack("{s:b}", "by_hand", pace->by_hand);
	if (pace->ordinals)
		return json_pack("{s:i}", "partition", pace->partition);
	return json_pack("{s:s, s:s, s:i, s:i}", "surge", pace->surge, "unavailable",
	    pace->unavailable, "min_ready_s", pace->min_ready_s, "deadline_s", pace->deadline_s);
}

json_t *
baseline_json(const struct baseline *baseline)
{
	json_t *json = json_object();

	json_object_set_new(json, "image", json_string(baseline->image));
	json_object_set_new(json, "uid", json_string(baseline->uid));
	json_object_set_new(json, "replicas", json_integer(baseline->replicas));
	json_object_set_new(json, "hpa_min", json_integer(baseline->hpa_min));
	for (size_t i = 0; i < COUNT(flags); i++) {
		const bool *flag = (const void *)((const char *)baseline + flags[i].offset);

		json_object_set_new(json, flags[i].name, json_boolean(*flag));
	}
	for (size_t i = 0; i < COUNT(masks); i++) {
		const uint32_t *mask = (const void *)((const char *)baseline + masks[i].offset);

		json_object_set_new(json, masks[i].name, json_integer(*mask));
	}
	if (baseline->keda)
		json_object_set_new(json, "keda", keda_json(baseline));
	if (pace_is_known(&baseline->pace))
		json_object_set_new(json, "pace", pace_json(&baseline->pace));
	if (baseline->stable[0] != '\0')
		json_object_set_new(json, "sides", sides_json(baseline));
	return json;
}

static int
read_text(const json_t *json, const char *name, char *to, size_t size, struct err *e)
{
	const char *text = json_string_value(json_object_get(json, name));

	if (text == NULL)
		return err_set(e, "baseline.%s is missing or no text", name);
	if (!str_copy(to, size, text))
		return err_set(e, "baseline.%s is longer than %zu bytes", name, size - 1);
	return 0;
}

static int
read_int(const json_t *json, const char *name, int64_t min, int64_t max, int64_t *to, struct err *e)
{
	const json_t *value = json_object_get(json, name);
	int64_t number;

	if (!json_is_integer(value))
		return err_set(e, "baseline.%s is missing or no whole number", name);
	number = json_integer_value(value);
	if (number < min || number > max)
		return err_set(e, "baseline.%s is %lld: allowed are %lld to %lld", name,
		    (long long)number, (long long)min, (long long)max);
	*to = number;
	return 0;
}

static int
read_tables(const json_t *json, struct baseline *to, struct err *e)
{
	for (size_t i = 0; i < COUNT(flags); i++) {
		const json_t *value = json_object_get(json, flags[i].name);

		if (!json_is_boolean(value))
			return err_set(
			    e, "baseline.%s is missing or not true or false", flags[i].name);
		*(bool *)(void *)((char *)to + flags[i].offset) = json_is_true(value);
	}
	for (size_t i = 0; i < COUNT(masks); i++) {
		int64_t mask;

		if (read_int(json, masks[i].name, 0, UINT32_MAX, &mask, e) < 0)
			return -1;
		*(uint32_t *)(void *)((char *)to + masks[i].offset) = (uint32_t)mask;
	}
	return 0;
}

static int
read_sides(const json_t *json, struct baseline *to, struct err *e)
{
	int64_t replicas;

	if (json == NULL)
		return 0;
	if (read_text(json, "stable", to->stable, sizeof(to->stable), e) < 0 ||
	    read_text(json, "canary", to->canary, sizeof(to->canary), e) < 0 ||
	    read_text(json, "canary_image", to->canary_image, sizeof(to->canary_image), e) < 0 ||
	    read_int(json, "canary_replicas", 0, INT_MAX, &replicas, e) < 0)
		return -1;
	to->had_canary = jsonx_bool(json, "had_canary", false);
	to->budgets = (struct budgets_seen){
	    .stable = jsonx_bool(json, "budgets.stable", false),
	    .canary = jsonx_bool(json, "budgets.canary", false),
	    .stable_ours = jsonx_bool(json, "budgets.stable_ours", false),
	    .canary_ours = jsonx_bool(json, "budgets.canary_ours", false),
	};
	to->canary_replicas = (int)replicas;
	return 0;
}

static int
read_partition(const json_t *json, struct pace *to, struct err *e)
{
	int64_t partition;

	if (read_int(json, "partition", 0, INT_MAX, &partition, e) < 0)
		return -1;
	to->ordinals = true;
	to->partition = (int)partition;
	return 0;
}

/* Journals of before there was one have none. */
static int
read_pace(const json_t *json, struct pace *to, struct err *e)
{
	int64_t min_ready, deadline;

	if (json == NULL)
		return 0;
	to->nodes = json_object_get(json, "by_hand") != NULL;
	to->by_hand = jsonx_bool(json, "by_hand", false);
	if (to->nodes)
		return 0;
	if (json_object_get(json, "partition") != NULL)
		return read_partition(json, to, e);
	if (read_text(json, "surge", to->surge, sizeof(to->surge), e) < 0 ||
	    read_text(json, "unavailable", to->unavailable, sizeof(to->unavailable), e) < 0 ||
	    read_int(json, "min_ready_s", -1, INT_MAX, &min_ready, e) < 0 ||
	    read_int(json, "deadline_s", -1, INT_MAX, &deadline, e) < 0)
		return -1;
	to->min_ready_s = (int)min_ready;
	to->deadline_s = (int)deadline;
	return 0;
}

/* Journals of before it was known have none. */
static int
read_keda(const json_t *json, struct baseline *to, struct err *e)
{
	int64_t idle = 0;

	to->keda = json != NULL;
	to->keda_bare = jsonx_bool(json, "bare", false);
	to->keda_idles = json_object_get(json, "idle") != NULL;
	if (to->keda_idles && read_int(json, "idle", 0, INT_MAX, &idle, e) < 0)
		return -1;
	to->keda_idle = (int)idle;
	return 0;
}

int
baseline_parse(const json_t *json, struct baseline *baseline, struct err *e)
{
	struct baseline read = {0};
	int64_t replicas, hpa_min;

	if (!json_is_object(json))
		return err_set(e, "the baseline is no JSON object");
	if (read_text(json, "image", read.image, sizeof(read.image), e) < 0 ||
	    read_text(json, "uid", read.uid, sizeof(read.uid), e) < 0 ||
	    read_int(json, "replicas", 0, INT_MAX, &replicas, e) < 0 ||
	    read_int(json, "hpa_min", -1, INT_MAX, &hpa_min, e) < 0 ||
	    read_tables(json, &read, e) < 0 ||
	    read_keda(json_object_get(json, "keda"), &read, e) < 0 ||
	    read_pace(json_object_get(json, "pace"), &read.pace, e) < 0 ||
	    read_sides(json_object_get(json, "sides"), &read, e) < 0)
		return -1;
	read.replicas = (int)replicas;
	read.hpa_min = (int)hpa_min;
	*baseline = read;
	return 0;
}
