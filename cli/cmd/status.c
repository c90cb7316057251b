/* rollout status, explain, history: what is known about one rollout. */
#include <stdlib.h>
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/events.h"
#include "show/rollout.h"

/* The rollout that the first operand means. */
static int
fetch(struct cli *cli, struct answer *answer)
{
	char *id = NULL, *path;
	int code = cmd_find(cli, cli->args->words[0], &id);

	if (code != CODE_OK)
		return code;
	path = path_format("/v1/rollouts/%", id);
	code = cmd_get(cli, path, answer);
	free(path);
	free(id);
	return code;
}

static int
fetch_events(struct cli *cli, const char *id, json_t **events)
{
	char *path = path_format("/v1/rollouts/%/events", id);
	int code = cmd_pages(cli, path, "after", 0, events);

	free(path);
	return code;
}

static int
run_status(struct cli *cli)
{
	struct answer answer;
	struct str text;
	int code = fetch(cli, &answer);

	if (code != CODE_OK)
		return code;
	if (!cmd_print_answer(cli, &answer)) {
		struct page page = {.paint = &cli->paint,
		    .rollout = answer.json,
		    .now_ms = client_now_ms(cli->client),
		    .full = true};

		str_init(&text, 0);
		page_add(&page, &text);
		out_str(&text);
		str_done(&text);
	}
	answer_done(&answer);
	return CODE_OK;
}

static int
run_explain(struct cli *cli)
{
	struct answer answer;
	json_t *events, *both;
	struct str text;
	int code = fetch(cli, &answer);

	if (code != CODE_OK)
		return code;
	code = fetch_events(cli, jsonx_text_or(answer.json, "id", ""), &events);
	if (code == CODE_OK) {
		both = json_pack("{s:O, s:O}", "rollout", answer.json, "events",
		    json_object_get(events, "items"));
		if (!cmd_print(cli, both)) {
			str_init(&text, 0);
			show_explain(&cli->paint, answer.json, json_object_get(events, "items"),
			    client_now_ms(cli->client), &text);
			out_str(&text);
			str_done(&text);
		}
		json_decref(both);
		json_decref(events);
	}
	answer_done(&answer);
	return code;
}

static int
run_history(struct cli *cli)
{
	char *id = NULL;
	json_t *events;
	struct str text;
	int code = cmd_find(cli, cli->args->words[0], &id);

	if (code == CODE_OK)
		code = fetch_events(cli, id, &events);
	free(id);
	if (code != CODE_OK)
		return code;
	if (!cmd_print(cli, events)) {
		str_init(&text, 0);
		show_events(&cli->paint, json_object_get(events, "items"), 0,
		    client_now_ms(cli->client), 0, &text);
		out_str(&text);
		str_done(&text);
	}
	json_decref(events);
	return CODE_OK;
}

const struct command cmd_rollout_status = {.group = "rollout",
    .name = "status",
    .operands = "ROLLOUT|APP",
    .summary = "show all about a rollout on one page",
    .text = "The ladder with the numbers of its stages and what each has measured, the weights "
	    "wanted, written and taken, both sides, each gate's last value, and what the rollout "
	    "waits for. The exit code is 0 whatever its phase; see --wait and watch for others.",
    .run = run_status};

const struct command cmd_rollout_explain = {.group = "rollout",
    .name = "explain",
    .operands = "ROLLOUT|APP",
    .summary = "say in sentences why it is not moving",
    .text = "Which object it waits for, since when, until when, what happens next; what the gates "
	    "measured; the last ten events.",
    .run = run_explain};

const struct command cmd_rollout_history = {.group = "rollout",
    .name = "history",
    .operands = "ROLLOUT|APP",
    .summary = "list all that has happened in a rollout",
    .run = run_history};
