/* app get, list, delete. */
#include <stdlib.h>
#include "base/jsonx.h"
#include "base/yaml.h"
#include "cmd/cmd.h"
#include "show/table.h"
#include "show/when.h"

enum { LAST_RELEASES = 5 };

/* "Deployment web", or the text as it is. */
static void
workload_text(const json_t *app, char *to, size_t size)
{
	const json_t *workload = json_object_get(app, "workload");

	if (json_is_object(workload))
		str_print(to, size, "%s %s", jsonx_text_or(workload, "kind", "?"),
		    jsonx_text_or(workload, "name", "?"));
	else
		str_copy(to, size, json_is_string(workload) ? json_string_value(workload) : "");
}

static void
add_releases(struct cli *cli, const json_t *list, struct str *to)
{
	const json_t *items = json_object_get(list, "items"), *one;
	struct table *table = table_new(&cli->paint, 5);
	char age[WHEN_SIZE];
	int64_t at;
	size_t i;

	json_array_foreach(items, i, one)
	{
		age[0] = '\0';
		if (when_at(one, "at", &at))
			when_span(client_now_ms(cli->client) - at, age);
		table_addf(table, BOLD, "%lld", (long long)jsonx_int(one, "number", 0));
		table_addf(table, DIM, "%s%s", age, *age == '\0' ? "" : " ago");
		table_add(table, PLAIN, jsonx_text_or(one, "image", ""));
		table_add(table, PLAIN, jsonx_text_or(one, "who", ""));
		table_add(table, DIM, jsonx_text_or(one, "why", ""));
	}
	table_right(table, 0);
	paint_add(&cli->paint, to, DIM, "releases");
	str_add(to, "\n");
	table_print(table, 2, to);
	table_free(table);
}

static void
add_app(const struct cli *cli, const json_t *app, struct str *to)
{
	const char *cluster = jsonx_text_or(app, "cluster", ""),
		   *active = jsonx_text(app, "active");
	char *spec = yaml_dump(json_object_get(app, "spec"));

	paint_add(&cli->paint, to, BOLD, jsonx_text_or(app, "name", "?"));
	str_add(to, " in ");
	paint_add(&cli->paint, to, PLAIN, jsonx_text_or(app, "namespace", "?"));
	paint_addf(&cli->paint, to, PLAIN, "%s%s", *cluster == '\0' ? "" : " on ", cluster);
	if (active != NULL)
		paint_addf(&cli->paint, to, CYAN, ", rollout %s is under way", active);
	str_add(to, "\n\n");
	str_add(to, spec);
	free(spec);
}

static int
run_get(struct cli *cli)
{
	char *path = path_format("/v1/apps/%", cli->args->words[0]);
	char *releases = path_format("/v1/apps/%/releases", cli->args->words[0]);
	struct answer answer;
	json_t *list;
	struct str text;
	int code = cmd_get(cli, path, &answer);

	free(path);
	if (code == CODE_OK && !cmd_print_answer(cli, &answer)) {
		code = cmd_pages(cli, releases, "before", LAST_RELEASES, &list);
		if (code == CODE_OK) {
			str_init(&text, 0);
			add_app(cli, answer.json, &text);
			if (json_array_size(json_object_get(list, "items")) > 0) {
				str_add(&text, "\n");
				add_releases(cli, list, &text);
			}
			out_str(&text);
			str_done(&text);
			json_decref(list);
		}
		answer_done(&answer);
	} else if (code == CODE_OK)
		answer_done(&answer);
	free(releases);
	return code;
}

static void
print_list(const struct cli *cli, const json_t *items)
{
	static const char *const heads[] = {
	    "APP", "NAMESPACE", "CLUSTER", "STRATEGY", "WORKLOAD", "ACTIVE ROLLOUT"};
	struct table *table = table_new(&cli->paint, 6);
	const json_t *one;
	char workload[300];
	size_t i;

	for (i = 0; i < 6; i++)
		table_add(table, DIM, heads[i]);
	json_array_foreach(items, i, one)
	{
		workload_text(one, workload, sizeof(workload));
		table_add(table, BOLD, jsonx_text_or(one, "name", "?"));
		table_add(table, PLAIN, jsonx_text_or(one, "namespace", ""));
		table_add(table, PLAIN, jsonx_text_or(one, "cluster", ""));
		table_add(table, PLAIN, jsonx_text_or(one, "strategy", ""));
		table_add(table, PLAIN, workload);
		table_add(table, CYAN, jsonx_text_or(one, "active", ""));
	}
	out_table(&cli->paint, table);
	table_free(table);
}

static int
run_list(struct cli *cli)
{
	json_t *list;
	int code = cmd_pages(cli, "/v1/apps", "after", 0, &list);

	if (code != CODE_OK)
		return code;
	if (!cmd_print(cli, list)) {
		if (json_array_size(json_object_get(list, "items")) == 0)
			out_text("no apps; add one with: airisctl app apply -f FILE\n");
		else
			print_list(cli, json_object_get(list, "items"));
	}
	json_decref(list);
	return CODE_OK;
}

static int
run_delete(struct cli *cli)
{
	const char *name = cli->args->words[0];
	char *path = path_format("/v1/apps/%", name);
	struct request request = {.method = "DELETE", .path = path};
	struct answer answer;
	struct str text;
	int code = cmd_call(cli, &request, &answer);

	free(path);
	if (code != CODE_OK)
		return code;
	if (cli->settings->output == OUTPUT_TABLE) {
		str_init(&text, 0);
		paint_addf(&cli->paint, &text, PLAIN,
		    "app %s is deleted; what runs in the cluster stays as it is", name);
		str_add(&text, "\n");
		out_str(&text);
		str_done(&text);
	}
	answer_done(&answer);
	return CODE_OK;
}

const struct command cmd_app_get = {.group = "app",
    .name = "get",
    .operands = "NAME",
    .summary = "show an app as airisd has it, and its last releases",
    .run = run_get};

const struct command cmd_app_list = {
    .group = "app", .name = "list", .operands = "", .summary = "list the apps", .run = run_list};

const struct command cmd_app_delete = {.group = "app",
    .name = "delete",
    .operands = "NAME",
    .summary = "forget an app; the cluster is not touched",
    .text = "Refused while a rollout of the app is under way.",
    .run = run_delete};
