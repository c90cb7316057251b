/* Apps, releases, events, plans and pages as JSON. */
#include <string.h>
#include "api/render.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "model/strategy.h"

#define ROW_BYTES ((size_t)1 << 20)

json_t *
api_text_json(const char *text)
{
	size_t length = strlen(text);
	if (str_utf8_ok(text, length))
		return json_string(text);
	struct str clean;
	str_init(&clean, 0);
	for (size_t i = 0; i < length;) {
		size_t size = str_utf8_char(text + i, length - i);
		str_add_bytes(&clean, size > 0 ? text + i : "?", size > 0 ? size : 1);
		i += size > 0 ? size : 1;
	}
	json_t *json = json_string(str_text(&clean));
	str_done(&clean);
	return json;
}

json_t *
api_hold_json(int64_t ms)
{
	char text[32];
	str_duration_text(ms, text, sizeof(text));
	return json_string(text);
}

json_t *
api_page_json(json_t *items, json_t *next)
{
	return json_pack("{s:o, s:o}", "items", items, "next", next);
}

json_t *
api_app_json(const struct engine *engine, const struct app *app)
{
	const char *active = engine_app_active(engine, app->name);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:O}", "name", app->name, "namespace",
	    app->namespace, "cluster", app->cluster, "strategy", app->strategy->name, "workload",
	    app->workload, "active", active ? json_string(active) : json_null(), "spec", app->spec);
}

json_t *
api_row_json(const struct journal_row *row)
{
	struct err e;
	json_t *json = jsonx_parse(row->text, strlen(row->text), ROW_BYTES, &e);
	if (json == NULL) {
		log_error("api", "a row of %s in the journal is damaged: %s", row->key, e.text);
		json = json_object();
	}
	return json;
}

json_t *
api_event_json(const struct journal_row *row)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o}", "seq", (json_int_t)row->seq, "at",
	    jsonx_time(row->at_ms), "kind", api_text_json(row->name), "actor",
	    api_text_json(row->actor ? row->actor : ""), "data", api_row_json(row));
}

json_t *
api_gates_json(const struct app *app, uint32_t gates)
{
	json_t *names = json_array();
	for (int i = 0; i < app->gate_count; i++)
		if (gates >> i & 1)
			json_array_append_new(names, json_string(app->gates[i].name));
	return names;
}

static json_t *
acts_json(const struct app *app, const struct plan *plan, int stage)
{
	json_t *acts = json_array();
	char text[APP_NAME * 2 + APP_IMAGE];
	for (int i = 0; i < plan->count; i++) {
		const struct act *act = &plan->steps[i].act;
		if (plan->steps[i].stage != stage)
			continue;
		act_text(act, app, text, sizeof(text));
		json_array_append_new(acts, json_pack("{s:s, s:o}", "act", act_name(act->kind),
						"text", api_text_json(text)));
	}
	return acts;
}

static void
add_finding(json_t *to, const char *severity, const char *text)
{
	json_array_append_new(
	    to, json_pack("{s:s, s:o}", "severity", severity, "text", api_text_json(text)));
}

json_t *
api_preflight_json(const struct app *app, const char *active, const struct plan *plan)
{
	json_t *findings = json_array();
	bool ok = plan->problems.count == 0;
	char text[ID_SIZE + 128];
	for (size_t i = 0; i < plan->problems.count; i++)
		add_finding(findings, "blocks", plan->problems.items[i].text);
	for (size_t i = 0; i < plan->warnings.count; i++)
		add_finding(findings, "warns", plan->warnings.items[i].text);
	if (active != NULL) {
		str_print(text, sizeof(text),
		    "rollout %s is under way: what it has changed is found here too", active);
		add_finding(findings, "warns", text);
	}
	return json_pack("{s:s, s:b, s:o}", "app", app->name, "ok", ok, "findings", findings);
}

json_t *
api_weight_json(const struct app *app, const struct target *target)
{
	return app->rolls ? json_null() : json_integer(target->weight);
}

json_t *
api_batch_json(const struct target *target)
{
	char text[24];
	if (target->batch == 0)
		return json_null();
	str_print(text, sizeof(text), "%d%s", target->batch, target->percent ? "%" : "");
	return json_string(text);
}

json_t *
api_plan_json(const struct app *app, const char *image, const struct plan *plan)
{
	json_t *stages = json_array(), *problems = json_array(), *warnings = json_array();
	for (int i = 0; i < plan->ladder.count; i++) {
		const struct stage *stage = &plan->ladder.stages[i];
		json_array_append_new(stages,
		    json_pack("{s:s, s:o, s:o, s:o, s:b, s:o, s:o}", "name", stage->name, "weight",
			api_weight_json(app, &stage->target), "batch",
			api_batch_json(&stage->target), "hold", api_hold_json(stage->hold_ms),
			"approve", stage->approve, "gates", api_gates_json(app, stage->gates),
			"acts", acts_json(app, plan, i)));
	}
	for (size_t i = 0; i < plan->problems.count; i++)
		json_array_append_new(problems, api_text_json(plan->problems.items[i].text));
	for (size_t i = 0; i < plan->warnings.count; i++)
		json_array_append_new(warnings, api_text_json(plan->warnings.items[i].text));
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "app", app->name, "image",
	    api_text_json(image), "stages", stages, "preflight", problems, "warnings", warnings);
}
