/* App files, from YAML to the checked app. Whatever they hold: an app or errors, never both, and
 * an app that is given out is one that the rest can rely on. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/app.h"
#include "model/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_gate(const struct app *app, const struct gate_spec *gate)
{
	const struct query_vars vars = {.app = app->name,
	    .namespace = app->namespace,
	    .stable = app->workload,
	    .canary = app->canary,
	    .window_ms = gate->window_ms,
	    .since_weight_ms = 1000};
	char *expanded;

	assert(str_is_dns_label(gate->name) && str_is_dns_label(gate->source));
	assert(gate->measurements >= 1 && gate->failures >= 0 && gate->every_ms >= 100);
	/* Only too long a query can still be refused. */
	if (query_expand(gate->query, &vars, &expanded, NULL) == 0)
		free(expanded);
	else
		assert(strlen(gate->query) > 1000);
}

static void
check_app(const struct app *app)
{
	assert(str_is_dns_label(app->name) && str_is_dns_label(app->namespace));
	assert(str_is_dns_name(app->workload) && str_is_dns_name(app->canary));
	assert(app->strategy != NULL && app->spec != NULL);
	assert(app->plan.stage_count >= 1 && app->plan.stage_count <= APP_STAGES);
	for (int i = 0; i < app->plan.stage_count; i++) {
		const struct stage_spec *stage = &app->plan.stages[i];

		assert(stage->weight >= 1 && stage->weight <= 100 && stage->hold_ms >= 0);
		assert(i == 0 || stage->weight > stage[-1].weight);
		assert(app->gate_count == 32 || stage->gates >> app->gate_count == 0);
	}
	for (int i = 0; i < app->gate_count; i++)
		check_gate(app, &app->gates[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_lines *lines;
	struct errlist errors;
	struct app *app;
	struct err e;
	json_t *spec;

	if (yaml_parse((const char *)data, size, &spec, &lines, &e) != 0)
		return 0;
	errlist_init(&errors);
	app = app_parse(spec, &errors);
	assert((app == NULL) == (errors.count > 0));
	if (app != NULL)
		check_app(app);
	yaml_locate(lines, &errors);
	for (size_t i = 0; i < errors.count; i++) {
		assert(str_utf8_ok(errors.items[i].text, strlen(errors.items[i].text)));
		assert(str_utf8_ok(errors.items[i].path, strlen(errors.items[i].path)));
	}
	errlist_done(&errors);
	app_free(app);
	yaml_lines_free(lines);
	json_decref(spec);
	return 0;
}
