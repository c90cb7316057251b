/* webhook list: who is told of what happens, and how that goes. */
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/table.h"

static void
add_hook(struct table *table, const json_t *hook)
{
	const char *state = jsonx_text_or(hook, "state", "?");
	const char *error = jsonx_text_or(hook, "error", "");

	table_add(table, BOLD, jsonx_text_or(hook, "name", "?"));
	table_add(table, PLAIN, jsonx_text_or(hook, "format", "?"));
	table_add(table, PLAIN, jsonx_text_or(hook, "url", "?"));
	table_add(table, str_equal(state, "ok") ? GREEN : RED, state);
	table_addf(table, PLAIN, "%lld", (long long)jsonx_int(hook, "waiting", 0));
	table_add(table, PLAIN, jsonx_text_or(hook, "last_success", "never"));
	table_add(table, PLAIN, jsonx_text_or(hook, "failing_since", ""));
	table_add(table, *error != '\0' ? RED : PLAIN, error);
}

static void
print_list(const struct cli *cli, const json_t *hooks)
{
	static const char *const heads[] = {"WEBHOOK", "FORMAT", "WHERE", "STATE", "WAITING",
	    "LAST TAKEN", "FAILING SINCE", "ERROR"};
	struct table *table = table_new(&cli->paint, 8);
	const json_t *hook;
	size_t i;

	for (i = 0; i < 8; i++)
		table_add(table, DIM, heads[i]);
	json_array_foreach(hooks, i, hook) add_hook(table, hook);
	out_table(&cli->paint, table);
	table_free(table);
}

static int
run_list(struct cli *cli)
{
	struct answer answer;
	int code = cmd_get(cli, "/v1/webhooks", &answer);

	if (code != CODE_OK)
		return code;
	if (!cmd_print_answer(cli, &answer)) {
		if (json_array_size(json_object_get(answer.json, "webhooks")) == 0)
			out_text("no webhooks are in airisd's settings\n");
		else
			print_list(cli, json_object_get(answer.json, "webhooks"));
	}
	answer_done(&answer);
	return CODE_OK;
}

const struct command cmd_webhook_list = {.group = "webhook",
    .name = "list",
    .operands = "",
    .summary = "show who is told of what happens, and how that goes",
    .text = "For each of webhooks in airisd's settings: where it is, how much waits for it, when "
	    "it last took something, and since when and why it does not. One that answered 410 "
	    "Gone is told nothing any more until airisd reads its settings again (SIGHUP).",
    .run = run_list};
