/* The Apps that come with us (the YAML files in config/apps) are taken as they are; and an error in
 * one is found at its line. */
#include "unit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/app.h"
#include "model/strategy.h"

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char piece[4096];
	struct str text;
	size_t got;

	assert_non_null(file);
	str_init(&text, 0);
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		str_add_bytes(&text, piece, got);
	fclose(file);
	return str_take(&text);
}

static struct app *
parse(const char *text, struct errlist *errors)
{
	struct yaml_lines *lines;
	struct app *app;
	json_t *spec;
	struct err e;

	if (yaml_parse(text, strlen(text), &spec, &lines, &e) != 0)
		fail_msg("%s", e.text);
	app = app_parse(spec, errors);
	yaml_locate(lines, errors);
	yaml_lines_free(lines);
	json_decref(spec);
	return app;
}

static void
check_stateless(const struct app *app)
{
	if (app->colours)
		assert_int_equal(app->pair.watch, 3);
	else
		assert_int_equal(app->plan.stages[app->plan.stage_count - 1].weight, 100);
	assert_int_equal(app->gate_count, 2);
	assert_non_null(app->gates[0].samples_query);
}

static void
test_apps_of_config(void **state)
{
	struct errlist errors;
	glob_t files;

	(void)state;
	errlist_init(&errors);
	assert_int_equal(glob("config/apps/*.yaml", 0, NULL, &files), 0);
	assert_int_equal(files.gl_pathc, 11);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		char *text = read_file(files.gl_pathv[i]), *file;
		struct app *app = parse(text, &errors);

		if (app == NULL)
			fail_msg("%s:%d: %s: %s", files.gl_pathv[i], errors.items[0].line,
			    errors.items[0].path, errors.items[0].text);
		file = str_format("config/apps/%s.yaml", app->name);
		assert_string_equal(files.gl_pathv[i], file);
		assert_string_equal(app->workload, app->name);
		assert_string_equal(app->namespace, "airis-mon");
		if (app->kind == WORKLOAD_STATEFULSET) {
			assert_int_equal(app->plan.stage_count, 0); /* ordinal by ordinal */
			assert_int_not_equal(app->gate_count, 0);
		} else {
			check_stateless(app);
		}
		free(file);
		app_free(app);
		free(text);
	}
	globfree(&files);
	errlist_done(&errors);
}

/* Stages are counted by what kind they are: each that a strategy compiles has its own. */
static void
check_stages(const struct app *app)
{
	struct baseline baseline = {.replicas = 3};
	struct ladder ladder = {.count = 0};

	app->strategy->compile(app, &baseline, &ladder);
	assert_true(ladder.count > 2);
	for (int i = 0; i < ladder.count; i++)
		if (stage_word(&ladder.stages[i]) == STAGE_OTHER)
			fail_msg("%s: \"%s\" has no word", app->name, ladder.stages[i].name);
	assert_string_equal(stage_word_name(stage_word(&ladder.stages[0])), "preflight");
}

static void
test_stages_are_of_few_kinds(void **state)
{
	static const struct {
		const char *name;
		const char *word;
	} cases[] = {{"canary 25%", "canary"}, {"ordinal 11", "ordinal"}, {"retire", "retire"},
	    {"all", "all"}, {"canary-25", "other"}, {"retired", "other"}, {"", "other"}};
	struct errlist errors;
	glob_t files;

	(void)state;
	errlist_init(&errors);
	assert_int_equal(glob("config/apps/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		char *text = read_file(files.gl_pathv[i]);
		struct app *app = parse(text, &errors);

		check_stages(app);
		app_free(app);
		free(text);
	}
	globfree(&files);
	errlist_done(&errors);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stage stage = {.name = ""};

		str_copy(stage.name, sizeof(stage.name), cases[i].name);
		assert_string_equal(stage_word_name(stage_word(&stage)), cases[i].word);
	}
}

static void
test_errors_have_lines(void **state)
{
	static const char text[] = "kind: App\n"
				   "name: web\n"
				   "namespace: shop\n"
				   "workload: {name: web}\n"
				   "traffic:\n"
				   "  istio:\n"
				   "    virtualservice: web\n"
				   "strategy:\n"
				   "  canary:\n"
				   "    weights:\n"
				   "      - 50\n"
				   "      - 20\n"
				   "gates:\n"
				   "  - name: errors\n"
				   "    prometheus: {query: x, pass: '1'}\n"
				   "    every: no\n";
	static const struct {
		const char *path;
		int line;
	} expected[] = {{"traffic.istio.virtualservice", 7}, {"traffic.istio.virtualService", 6},
	    {"strategy.canary.weights[1]", 12}, {"gates[0].prometheus.pass", 15},
	    {"gates[0].every", 16}};
	struct errlist errors;

	(void)state;
	errlist_init(&errors);
	assert_null(parse(text, &errors));
	assert_int_equal(errors.count, 5);
	for (size_t i = 0; i < 5; i++) {
		size_t at = 0;

		while (at < errors.count && strcmp(errors.items[at].path, expected[i].path) != 0)
			at++;
		if (at == errors.count || errors.items[at].line != expected[i].line)
			fail_msg("%s: not at line %d", expected[i].path, expected[i].line);
	}
	errlist_done(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_apps_of_config),
	    cmocka_unit_test(test_stages_are_of_few_kinds),
	    cmocka_unit_test(test_errors_have_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
