/* rollout plan: of a rollout that is under way, or of one that is not. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/events.h"

static int
fetch_new(struct cli *cli, struct answer *answer)
{
	json_t *body = json_pack(
	    "{s:s, s:s}", "app", cli->args->words[0], "image", cli->args->values[FLAG_IMAGE]);
	char *text = jsonx_dump(body);
	struct request request = {
	    .method = "POST", .path = "/v1/plan", .body = text, .length = strlen(text)};
	int code = cmd_call(cli, &request, answer);

	json_decref(body);
	free(text);
	return code;
}

static int
fetch_old(struct cli *cli, struct answer *answer)
{
	char *id = NULL, *path;
	int code = cmd_find(cli, cli->args->words[0], &id);

	if (code != CODE_OK)
		return code;
	path = path_format("/v1/rollouts/%/plan", id);
	code = cmd_get(cli, path, answer);
	free(path);
	free(id);
	return code;
}

static int
run(struct cli *cli)
{
	bool fresh = args_given(cli->args, FLAG_IMAGE);
	struct answer answer;
	struct str text;
	int code = fresh ? fetch_new(cli, &answer) : fetch_old(cli, &answer);

	if (code != CODE_OK)
		return code;
	if (!cmd_print_answer(cli, &answer)) {
		str_init(&text, 0);
		show_plan(&cli->paint, answer.json, &text);
		out_str(&text);
		str_done(&text);
	}
	if (fresh && json_array_size(jsonx_at(answer.json, "preflight")) > 0)
		code = CODE_REFUSED;
	answer_done(&answer);
	return code;
}

const struct command cmd_rollout_plan = {.group = "rollout",
    .name = "plan",
    .operands = "ROLLOUT|APP",
    .flags = FLAG(IMAGE),
    .summary = "print every change of an object, stage by stage, before it happens",
    .text = "With --image IMAGE the plan of a rollout of this image of APP, which is not started: "
	    "nothing is written anywhere. Without it the plan of a rollout that exists. The exit "
	    "code is 6 when the new rollout would be refused now, with the reasons.",
    .run = run};
