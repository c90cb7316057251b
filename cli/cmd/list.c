/* rollout list. */
#include <stdlib.h>
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/rollout.h"
#include "show/table.h"
#include "show/when.h"

enum { DEFAULT_LIMIT = 50 };

static char *
list_path(const struct args *args)
{
	static const enum flag_id filters[] = {FLAG_APP, FLAG_PHASE, FLAG_CLUSTER};
	struct str path;
	char *value;

	str_init(&path, 0);
	str_add(&path, "/v1/rollouts");
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!args_given(args, filters[i]))
			continue;
		value = path_format("%", args->values[filters[i]]);
		str_addf(
		    &path, "%s%s=%s", path.length == 12 ? "?" : "&", flags[filters[i]].name, value);
		free(value);
	}
	if (args_given(args, FLAG_LIVE))
		str_addf(&path, "%slive=true", path.length == 12 ? "?" : "&");
	return str_take(&path);
}

static void
add_row(struct table *table, const json_t *one, int64_t now_ms)
{
	const char *phase = jsonx_text_or(one, "phase", "?"),
		   *reason = jsonx_text_or(one, "reason", "");
	char name[160], age[WHEN_SIZE] = "", took[WHEN_SIZE] = "";
	int64_t started, ended = now_ms;

	rollout_name(one, name, sizeof(name));
	when_at(one, "ended", &ended);
	if (when_at(one, "started", &started)) {
		when_span(now_ms - started, age);
		when_span(ended - started, took);
	}
	table_add(table, BOLD, name);
	table_add(table, phase_style(phase), phase);
	table_add(table, PLAIN, jsonx_text_or(one, "stage", ""));
	if (json_is_integer(jsonx_at(one, "weight")))
		table_addf(table, PLAIN, "%lld%%", (long long)jsonx_int(one, "weight", 0));
	else
		table_add(table, DIM, "-"); /* it rolls: no traffic is steered */
	table_addf(table, DIM, "%s%s", age, *age == '\0' ? "" : " ago");
	table_add(table, DIM, took);
	table_add(table, PLAIN, jsonx_text_or(one, "id", "?"));
	table_add(table, PLAIN, jsonx_text_or(one, "image", ""));
	table_add(table, PLAIN, reason);
}

static void
print(const struct cli *cli, const json_t *list)
{
	static const char *const heads[] = {
	    "RELEASE", "PHASE", "STAGE", "WEIGHT", "STARTED", "TOOK", "ROLLOUT", "IMAGE", "REASON"};
	const json_t *items = json_object_get(list, "items"), *one;
	struct table *table = table_new(&cli->paint, 9);
	size_t i;

	for (i = 0; i < 9; i++)
		table_add(table, DIM, heads[i]);
	table_right(table, 3);
	json_array_foreach(items, i, one) add_row(table, one, client_now_ms(cli->client));
	out_table(&cli->paint, table);
	table_free(table);
	if (!json_is_null(json_object_get(list, "next")))
		out_text("there are more; see --limit\n");
}

static int
run(struct cli *cli)
{
	char *path = list_path(cli->args);
	int64_t limit = DEFAULT_LIMIT;
	json_t *list;
	int code;

	if (args_given(cli->args, FLAG_LIMIT) &&
	    str_number(cli->args->values[FLAG_LIMIT], 1, INT32_MAX, &limit) < 0)
		limit = DEFAULT_LIMIT;
	code = cmd_pages(cli, path, "before", limit, &list);
	free(path);
	if (code != CODE_OK)
		return code;
	if (!cmd_print(cli, list)) {
		if (json_array_size(json_object_get(list, "items")) == 0)
			out_text("no rollouts\n");
		else
			print(cli, list);
	}
	json_decref(list);
	return CODE_OK;
}

const struct command cmd_rollout_list = {.group = "rollout",
    .name = "list",
    .operands = "",
    .flags = FLAG(APP) | FLAG(PHASE) | FLAG(CLUSTER) | FLAG(LIVE) | FLAG(LIMIT),
    .summary = "list rollouts, the newest first",
    .run = run};
