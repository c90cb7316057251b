/* app preflight: what would forbid a start, without starting. */
#include <stdlib.h>
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/events.h"

static int
run(struct cli *cli)
{
	char *path = path_format("/v1/apps/%/preflight", cli->args->words[0]);
	struct request request = {.method = "POST", .path = path};
	struct answer answer;
	struct str text;
	int code = cmd_call(cli, &request, &answer);

	free(path);
	if (code != CODE_OK)
		return code;
	if (!cmd_print_answer(cli, &answer)) {
		str_init(&text, 0);
		show_preflight(&cli->paint, answer.json, &text);
		out_str(&text);
		str_done(&text);
	}
	if (!jsonx_bool(answer.json, "ok", false))
		code = CODE_REFUSED;
	answer_done(&answer);
	return code;
}

const struct command cmd_app_preflight = {.group = "app",
    .name = "preflight",
    .operands = "NAME",
    .summary = "say everything that forbids a release now, without starting one",
    .text = "What every rollout looks at before its first act, all at once: nothing is written "
	    "anywhere. Also asks the API server whether airisd may make each write of the rollout "
	    "and whether quotas and nodes leave room for its pods, and each gate's data source "
	    "whether it "
	    "takes the query. The exit code is 6 when a rollout would be refused now; what is only "
	    "a warning leaves it 0.",
    .run = run};
