/* The App's table of keys: the one place that says what may stand in an app. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "model/app_draft.h"
#include "model/verdict.h"

#define SECONDS INT64_C(1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)

enum { QUERY_MAX = 8192, SHARE_MAX = 10000 };

/* --- types of this file's own ---------------------------------------------------------------- */

static void
parse_query(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const char *text = json_string_value(value);
	struct err e;

	if (text == NULL || *text == '\0' || strlen(text) > QUERY_MAX)
		keys_wrong(at, key, value);
	else if (query_check(text, &e) != 0)
		keys_error(at, "%s", e.text);
	else
		*(char **)slot = mem_strdup(text);
}

/* slot: the gate */
static void
parse_condition(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	struct gate_spec *gate = slot;
	struct err e;

	if (!json_is_string(value))
		keys_wrong(at, key, value);
	else if (condition_parse(json_string_value(value), &gate->compare, &gate->limit, &e) != 0)
		keys_error(at, "%s", e.text);
}

static bool
is_label_key_char(char c, bool end)
{
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

	return letter || (!end && (c == '-' || c == '_' || c == '.'));
}

/* [PREFIX/]NAME as Kubernetes has it for labels. */
static bool
is_label_key(const char *text)
{
	const char *slash = strchr(text, '/'), *name = slash == NULL ? text : slash + 1;
	size_t length = strlen(name);
	char prefix[APP_NAME];

	if (slash != NULL) {
		str_print(prefix, sizeof(prefix), "%.*s", (int)(slash - text), text);
		if (!str_is_dns_name(prefix))
			return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (!is_label_key_char(name[i], i == 0 || i + 1 == length))
			return false;
	}
	return length > 0 && length <= 63;
}

static void
parse_label_key(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const char *text = json_string_value(value);

	if (text == NULL || strlen(text) >= APP_NAME || !is_label_key(text))
		keys_wrong(at, key, value);
	else
		str_copy(slot, APP_NAME, text);
}

static bool
is_list_for(const struct key *key, const json_t *value, struct keys_at *at)
{
	if (json_is_array(value) && json_array_size(value) > 0 &&
	    json_array_size(value) <= (size_t)key->max)
		return true;
	keys_wrong(at, key, value);
	return false;
}

/* slot: the traffic_spec */
static void
parse_routes(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	struct traffic_spec *traffic = slot;
	const struct key item = {.type = &keys_text, .max = APP_LABEL};

	if (!is_list_for(key, value, at))
		return;
	free(traffic->rules); /* both istio and gateway were given: an error, told later */
	traffic->rules = mem_array(json_array_size(value), sizeof(traffic->rules[0]));
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t mark = keys_enter_item(at, i);

		keys_text.parse(&item, json_array_get(value, i), traffic->rules[i], at);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(traffic->rules[i], traffic->rules[k]) == 0)
				keys_error(
				    at, "the route \"%s\" is named twice", traffic->rules[i]);
		}
		keys_leave(at, mark);
	}
	traffic->rule_count = (int)json_array_size(value);
}

static void *
add_stage(void *record)
{
	struct draft *draft = record;
	struct stage_draft *stage;

	if (draft->stage_count == APP_STAGES)
		return NULL;
	stage = &draft->stages[draft->stage_count++];
	stage->spec.hold_ms = stage->spec.weight = stage->spec.size = DRAFT_UNSET;
	return stage;
}

/* slot: the draft */
static void
parse_weights(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const struct key item = {.type = &keys_int, .min = 1, .max = 100};
	struct draft *draft = slot;

	draft->short_form = true;
	if (!is_list_for(key, value, at))
		return;
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct stage_draft *stage = add_stage(draft);
		size_t mark = keys_enter_item(at, i);

		if (stage != NULL)
			keys_int.parse(&item, json_array_get(value, i), &stage->spec.weight, at);
		keys_leave(at, mark);
	}
}

/* slot: the stage's `gates`. The names are looked up when all gates are known. */
static void
parse_gate_names(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	if (!json_is_array(value) || json_array_size(value) > APP_GATES)
		keys_wrong(at, key, value);
	else
		*(const json_t **)slot = value;
}

static void *
add_gate(void *record)
{
	struct app *app = &((struct draft *)record)->app;
	struct gate_spec *gate;

	if (app->gate_count == APP_GATES)
		return NULL;
	app->gates = mem_grow(app->gates, (size_t)app->gate_count + 1, sizeof(app->gates[0]));
	gate = &app->gates[app->gate_count++];
	*gate = (struct gate_spec){0};
	return gate;
}

/* "25%" or 3; false: it is neither, or out of its range. */
static bool
read_share(const json_t *value, int least, struct share_spec *to)
{
	const char *text = json_string_value(value);
	char *end;
	long number =
	    text != NULL && text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : -1;

	*to = (struct share_spec){.percent = text != NULL};
	if (text != NULL && (number < 0 || strcmp(end, "%") != 0 || number > 100))
		return false;
	if (json_is_integer(value) && json_integer_value(value) <= SHARE_MAX)
		number = (long)json_integer_value(value);
	to->number = (int)number;
	return number >= least;
}

/* slot: the share_spec */
static void
parse_share(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	if (!read_share(value, 0, slot))
		keys_wrong(at, key, value);
}

/* slot: the stage_spec */
static void
parse_pods(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	struct stage_spec *stage = slot;
	struct share_spec share;

	if (!read_share(value, 1, &share)) {
		keys_wrong(at, key, value);
		return;
	}
	stage->weight = share.number;
	stage->pods = !share.percent;
}

static const struct key_type type_share = {.name = "number of pods, or percent such as \"25%\"",
    .bare = true,
    .schema = SHARE_SCHEMA("0"),
    .parse = parse_share};
static const struct key_type type_pods = {
    .name = "number of pods from 1, or percent such as \"25%\"",
    .bare = true,
    .schema = SHARE_SCHEMA("1"),
    .parse = parse_pods};

/* slot: the draft */
static void
parse_batches(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const struct key item = {.type = &type_pods};
	struct draft *draft = slot;

	draft->short_form = true;
	if (!is_list_for(key, value, at))
		return;
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct stage_draft *stage = add_stage(draft);
		size_t mark = keys_enter_item(at, i);

		if (stage != NULL)
			parse_pods(&item, json_array_get(value, i), &stage->spec, at);
		keys_leave(at, mark);
	}
}

static const struct key_type type_query = {.name = "PromQL of at most 8192 bytes",
    .schema = "{\"type\": \"string\", \"maxLength\": 8192, \"pattern\": \"^[^\\\\x00]+$\"}",
    .parse = parse_query};
static const struct key_type type_condition = {
    .name = "text such as \">= 0.99\" (< <= > >= == != and a number)",
    .schema = "{\"type\": \"string\", \"pattern\": \"^ *([<>]=?|[=!]=) *[^ \\\\x00][^\\\\x00]*$\"}",
    .parse = parse_condition};
static const struct key_type type_label_key = {
    .name = "key of a label, such as track or example.com/track",
    .schema = "{\"type\": \"string\", \"pattern\": "
	      "\"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$\"}",
    .parse = parse_label_key};
static const struct key_type type_routes = {.name = "list of 1 to 16 names of http routes",
    .bare = true,
    .schema = NAMES_SCHEMA,
    .parse = parse_routes};
static const struct key_type type_rules = {.name = "list of 1 to 16 names of rules",
    .bare = true,
    .schema = NAMES_SCHEMA,
    .parse = parse_routes};
static const struct key_type type_weights = {.name = "list of 1 to 32 whole numbers from 1 to 100",
    .bare = true,
    .schema = "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 32, \"items\": {\"type\": "
	      "\"integer\", \"minimum\": 1, \"maximum\": 100}}",
    .parse = parse_weights};
static const struct key_type type_batches = {
    .name = "list of 1 to 32 numbers of pods, or percents such as \"25%\"",
    .bare = true,
    .schema = "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 32, \"items\": " SHARE_SCHEMA(
	"1") "}",
    .parse = parse_batches};
static const struct key_type type_gate_names = {.name = "list of names of gates",
    .bare = true,
    .schema = GATES_SCHEMA,
    .parse = parse_gate_names};

/* --- the tables ------------------------------------------------------------------------------ */

#define IN_APP(member) .offset = offsetof(struct draft, app.member)
#define IN_STAGE(member) .offset = offsetof(struct stage_draft, member)
#define IN_GATE(member) .offset = offsetof(struct gate_spec, member)
#define CHOICES(...)                                                                               \
	.choices = (const char *const[])                                                           \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct key samples_keys[] = {
    {"query", &type_query, NULL, "PromQL that counts what the value was made from",
	IN_GATE(samples_query), .required = true},
    {"min", &keys_real, NULL, "below this count the verdict is too_few, whatever the value is",
	IN_GATE(samples_min), .required = true},
    END};

static const struct key prometheus_keys[] = {
    {"source", &keys_label, "default", "a data source of the daemon's settings, by name",
	IN_GATE(source)},
    {"query", &type_query, NULL,
	"one number; {{app}} {{namespace}} {{stable}} {{canary}} {{window}} {{since_weight}} are "
	"put in",
	IN_GATE(query), .required = true},
    {"pass", &type_condition, NULL, "passes when the number is so", .required = true},
    {"samples", &keys_object, NULL, "how much traffic a verdict needs", .inside = samples_keys},
    {"empty", &keys_either, "no_data", "what an empty answer means; only pass lets it advance",
	IN_GATE(empty_passes), CHOICES("no_data", "pass")},
    {"reduce", &keys_choice, "none", "makes one number of several series; none: they are an error",
	IN_GATE(reduce), CHOICES("none", "min", "max", "sum", "avg")},
    END};

static const struct key gate_keys[] = {
    {"name", &keys_label, NULL, "the gate's name, one of its kind in the app", IN_GATE(name),
	.required = true},
    {"prometheus", &keys_object, NULL, "what is asked, and when it is good enough",
	.inside = prometheus_keys, .required = true},
    {"every", &keys_duration, "30s", "from one measurement to the next", IN_GATE(every_ms),
	.min = 100, .max = HOURS},
    {"window", &keys_duration, "1m",
	"how far a query looks back; never further than the last change of the weight and warmup",
	IN_GATE(window_ms), .min = SECONDS, .max = DAYS},
    {"warmup", &keys_duration, "0s", "after a change of the weight: looked at by nobody",
	IN_GATE(warmup_ms), .max = DAYS},
    {"failures", &keys_int, "2", "measurements that may fail in a stage; one more aborts",
	IN_GATE(failures), .max = 1000},
    {"measurements", &keys_int, "1", "that must pass in a row before a stage is left",
	IN_GATE(measurements), .min = 1, .max = 1000},
    {"deadline", &keys_duration, "10m", "after the hold: how long to wait for a pass",
	IN_GATE(deadline_ms), .max = 30 * DAYS},
    {"onDeadline", &keys_choice, "pause", "what happens then", IN_GATE(on_deadline),
	CHOICES("pause", "abort")},
    END};

static const struct key stage_keys[] = {
    {"weight", &keys_int, NULL, "percent of the traffic for the canary", IN_STAGE(spec.weight),
	.max = 100, .required = true},
    {"size", &keys_int, NULL,
	"the canary's size in percent of the stable side's, at least its weight; when not given: "
	"the weight, and what was before",
	IN_STAGE(spec.size), .min = 1, .max = 100},
    {"hold", &keys_duration, NULL, "how long at least; when not given: the strategy's hold",
	IN_STAGE(spec.hold_ms), .max = 30 * DAYS},
    {"approve", &keys_bool, "false", "a person must approve before the next stage",
	IN_STAGE(spec.approve)},
    {"gates", &type_gate_names, NULL, "that must pass to leave; when not given: all",
	IN_STAGE(gates)},
    END};

static const struct key canary_keys[] = {
    {"weights", &type_weights, NULL, "the canary's percents, rising; short for stages",
	.max = APP_STAGES},
    {"stages", &keys_list, NULL, "one for each weight, with conditions of its own",
	.max = APP_STAGES, .inside = stage_keys, .add = add_stage},
    {"hold", &keys_duration, "0s", "how long a stage lasts at least",
	offsetof(struct draft, hold_ms), .max = 30 * DAYS},
    {"deadline", &keys_duration, "10m", "a stage that makes no progress for so long aborts",
	IN_APP(deadline_ms), .min = SECONDS, .max = 30 * DAYS},
    {"steady", &keys_duration, "3s",
	"the canary's pods must have been ready for so long before they get traffic",
	IN_APP(steady_ms), .max = HOURS},
    {"drain", &keys_duration, "30s",
	"from weight 0 to the end of the pods, at least the longest request", IN_APP(drain_ms),
	.max = DAYS},
    {"abortCapacity", &keys_int, "50",
	"percent of the stable side's size that carries all traffic in an abort",
	IN_APP(abort_capacity), .min = 1, .max = 100},
    {"shrinkStable", &keys_bool, "false",
	"the stable side gives up what the canary has taken over; it keeps its share and headroom, "
	"and at least abortCapacity",
	IN_APP(plan.shrink)},
    {"headroom", &keys_int, "20",
	"with shrinkStable: percent of the stable side's size that either side has above its share",
	IN_APP(plan.headroom), .max = 100},
    END};

static const struct key colour_keys[] = {
    {"blue", &keys_name, NULL,
	"the first Deployment; when not given: the workload, if it exists, else WORKLOAD-blue",
	IN_APP(pair.first), .max = APP_NAME},
    {"green", &keys_name, NULL, "the second Deployment; when not given: WORKLOAD-green",
	IN_APP(pair.second), .max = APP_NAME},
    END};

static const struct key blue_green_keys[] = {
    {"colours", &keys_object, NULL, "the two Deployments; give both or none",
	.inside = colour_keys},
    {"label", &type_label_key, NULL,
	"the pod label that tells them apart; when not given: app, or another of the Service's",
	IN_APP(pair.label)},
    {"previewSize", &keys_int, "100",
	"the idle colour's size in percent of the active one's, until the switch",
	IN_APP(pair.preview), .min = 1, .max = 100},
    {"hold", &keys_duration, "0s", "how long the preview lasts at least",
	IN_APP(pair.judge.hold_ms), .max = 30 * DAYS},
    {"approve", &keys_bool, "false", "a person must approve the switch",
	IN_APP(pair.judge.approve)},
    {"gates", &type_gate_names, NULL,
	"that must pass before the switch; when not given: none, as a preview has little traffic",
	.offset = offsetof(struct draft, judge_gates)},
    {"watch", &keys_duration, "5m",
	"after the switch: how long a failing gate switches back at once", IN_APP(pair.watch_ms),
	.max = 30 * DAYS},
    {"postGates", &type_gate_names, NULL, "that judge in the watch; when not given: all",
	.offset = offsetof(struct draft, watch_gates)},
    {"keep", &keys_duration, "0s", "after the watch: how long the old colour stays at full size",
	IN_APP(pair.keep_ms), .max = 30 * DAYS},
    {"deadline", &keys_duration, "10m", "a stage that makes no progress for so long aborts",
	IN_APP(deadline_ms), .min = SECONDS, .max = 30 * DAYS},
    {"steady", &keys_duration, "3s",
	"the new colour's pods must have been ready for so long before the switch",
	IN_APP(steady_ms), .max = HOURS},
    {"drain", &keys_duration, "30s",
	"from the switch to the end of the old pods, at least the longest request",
	IN_APP(drain_ms), .max = DAYS},
    {"abortCapacity", &keys_int, "50",
	"percent of its size with which a colour carries all traffic in need",
	IN_APP(abort_capacity), .min = 1, .max = 100},
    END};

static const struct key batch_keys[] = {
    {"pods", &type_pods, NULL, "pods that run the release after it, as a number or in percent",
	IN_STAGE(spec), .required = true},
    {"hold", &keys_duration, NULL, "how long at least; when not given: the strategy's hold",
	IN_STAGE(spec.hold_ms), .max = 30 * DAYS},
    {"approve", &keys_bool, "false", "a person must approve before the next batch",
	IN_STAGE(spec.approve)},
    {"gates", &type_gate_names, NULL, "that must pass to leave; when not given: all",
	IN_STAGE(gates)},
    END};

static const struct key backup_keys[] = {
    {"cronJob", &keys_label, NULL,
	"the CronJob whose Job it is, suspended or not; the Job is one of its own",
	IN_APP(batch.backup), .required = true},
    {"deadline", &keys_duration, "1h", "what takes longer aborts", IN_APP(batch.backup_ms),
	.min = SECONDS, .max = 30 * DAYS},
    END};

static const struct key rolling_keys[] = {
    {"batches", &type_batches, NULL,
	"pods that run the release after each batch, rising; short for stages; without a "
	"StatefulSet goes ordinal by ordinal, a DaemonSet node by node",
	.max = APP_STAGES},
    {"stages", &keys_list, NULL, "one for each batch, with conditions of its own",
	.max = APP_STAGES, .inside = batch_keys, .add = add_stage},
    {"hold", &keys_duration, "0s", "how long a batch lasts at least",
	offsetof(struct draft, hold_ms), .max = 30 * DAYS},
    {"surge", &type_share, "\"25%\"",
	"pods above the workload's size, at most; only a Deployment has them", IN_APP(batch.surge)},
    {"unavailable", &type_share, "0",
	"pods of its size that may be missing, at most; but for a Deployment 1: all others are "
	"ready before the next one goes",
	IN_APP(batch.unavailable)},
    {"backup", &keys_object, NULL, "a Job before the first batch, which must succeed",
	.inside = backup_keys},
    {"deadline", &keys_duration, "10m", "a stage that makes no progress for so long aborts",
	IN_APP(deadline_ms), .min = SECONDS, .max = 30 * DAYS},
    {"steady", &keys_duration, "3s",
	"the release's pods must have been ready for so long before others follow",
	IN_APP(steady_ms), .max = HOURS},
    END};

static const struct key strategy_keys[] = {
    {"canary", &keys_object, NULL, "a few pods take a growing share of the traffic",
	.inside = canary_keys},
    {"blueGreen", &keys_object, NULL, "a second set of pods takes all of the traffic at once",
	.inside = blue_green_keys},
    {"rolling", &keys_object, NULL, "the pods of one workload are replaced, batch by batch",
	.inside = rolling_keys},
    END};

static const struct key subset_keys[] = {
    {"stable", &keys_label, "stable", "the subset of the stable side",
	IN_APP(traffic.stable_subset)},
    {"canary", &keys_label, "canary", "the subset of the canary", IN_APP(traffic.canary_subset)},
    END};

static const struct key colour_service_keys[] = {
    {"blue", &keys_label, NULL,
	"the first Deployment's Service; when not given: colours.blue, else the workload's name",
	IN_APP(pair.first_service)},
    {"green", &keys_label, NULL,
	"the second Deployment's, made if there is none; when not given: that Deployment's name",
	IN_APP(pair.second_service)},
    END};

static const struct key istio_keys[] = {
    {"virtualService", &keys_name, NULL, "the VirtualService whose weights are set",
	IN_APP(traffic.route), .max = APP_NAME, .required = true},
    {"routes", &type_routes, NULL,
	"names of its http routes; when not given: the only one that leads to the service",
	IN_APP(traffic), .max = APP_ROUTES},
    {"mode", &keys_choice, "host", "host: a Service per side; subset: one host, two subsets",
	IN_APP(traffic.mode), CHOICES("host", "subset")},
    {"service", &keys_label, NULL, "the stable side's Service; when not given: the workload's name",
	IN_APP(traffic.service)},
    {"canaryService", &keys_label, NULL,
	"host mode: the canary's Service; when not given: SERVICE-canary",
	IN_APP(traffic.canary_service)},
    {"services", &keys_object, NULL, "for blueGreen: a Service per colour; both stay",
	.inside = colour_service_keys},
    {"destinationRule", &keys_name, NULL, "subset mode: when not given: the service's name",
	IN_APP(traffic.destination_rule), .max = APP_NAME},
    {"subsets", &keys_object, "{}", "subset mode: names of the subsets", .inside = subset_keys},
    {"label", &type_label_key, "track",
	"subset mode: the pod label, with a subset's name as value, that tells the sides apart",
	IN_APP(traffic.label)},
    END};

static const struct key gateway_keys[] = {
    {"httpRoute", &keys_name, NULL, "the HTTPRoute whose weights are set", IN_APP(traffic.route),
	.max = APP_NAME, .required = true},
    {"rules", &type_rules, NULL,
	"names of its rules; when not given: the only one that leads to the service",
	IN_APP(traffic), .max = APP_ROUTES},
    {"service", &keys_label, NULL, "the stable side's Service; when not given: the workload's name",
	IN_APP(traffic.service)},
    {"canaryService", &keys_label, NULL, "the canary's Service; when not given: SERVICE-canary",
	IN_APP(traffic.canary_service)},
    {"services", &keys_object, NULL, "for blueGreen: a Service per colour; both stay",
	.inside = colour_service_keys},
    END};

static const struct key service_keys[] = {
    {"name", &keys_label, NULL,
	"the Service whose selector is switched; when not given: the workload's name",
	IN_APP(traffic.service)},
    {"preview", &keys_label, NULL,
	"a Service for the idle colour, made if there is none; when not given: NAME-preview",
	IN_APP(traffic.canary_service)},
    END};

static const struct key traffic_keys[] = {
    {"istio", &keys_object, NULL, "weights in a VirtualService", .inside = istio_keys},
    {"gateway", &keys_object, NULL, "weights in an HTTPRoute of the Gateway API",
	.inside = gateway_keys},
    {"service", &keys_object, NULL,
	"the selector of a Service, for blueGreen; for rolling: the Service whose endpoints count",
	.inside = service_keys},
    END};

static const struct key workload_keys[] = {
    {"kind", &keys_choice, "Deployment", "the kind of the workload", IN_APP(kind),
	CHOICES("Deployment", "StatefulSet", "DaemonSet")},
    {"name", &keys_name, NULL, "the workload that serves today", IN_APP(workload),
	.max = APP_NAME - sizeof("canary"), .required = true},
    {"container", &keys_label, NULL,
	"the container whose image is released; when not given: the first", IN_APP(container)},
    END};

const struct key app_keys[] = {{"kind", &keys_choice, "App", "what this file describes",
				   offsetof(struct draft, kind), CHOICES("App")},
    {"name", &keys_label, NULL, "the app's name", IN_APP(name), .required = true},
    {"namespace", &keys_label, NULL, "where its objects are", IN_APP(namespace), .required = true},
    {"cluster", &keys_label, "default", "a cluster of the daemon's settings, by name",
	IN_APP(cluster)},
    {"workload", &keys_object, NULL, "what is released", .inside = workload_keys, .required = true},
    {"traffic", &keys_object, NULL, "how requests get to it; rolling needs none",
	.inside = traffic_keys},
    {"strategy", &keys_object, NULL, "the way from the old version to the new one",
	.inside = strategy_keys, .required = true},
    {"gates", &keys_list, NULL, "what must be true to go on", .max = APP_GATES, .inside = gate_keys,
	.add = add_gate},
    {"onEdit", &keys_choice, "hold", "somebody else changed weights, image or canary",
	IN_APP(on_edit), CHOICES("hold", "repair", "abort")},
    {"onStart", &keys_choice, "queue", "a second start comes while a rollout is under way",
	IN_APP(on_start), CHOICES("queue", "refuse", "supersede")},
    {"selfApproval", &keys_bool, "false",
	"whoever started a rollout may approve it, too; false: that takes another one, who is told "
	"apart by user of the host, token or certificate",
	IN_APP(self_approval)},
    {"rollbackWindow", &keys_duration, "0s",
	"undo to a release that was good within this time skips holds, approvals and the wait for "
	"gates, not the safety; 0s: never",
	IN_APP(rollback_ms), .max = 365 * DAYS},
    END};

const struct key *
app_table(void)
{
	return app_keys;
}

char *
app_reference(void)
{
	struct str text;

	str_init(&text, 0);
	keys_reference(app_keys, "", &text);
	return str_take(&text);
}
