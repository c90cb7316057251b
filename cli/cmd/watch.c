/* rollout watch: the live display; with --wait, waiting for a goal that was not asked for at the
 * start. */
#include <stdlib.h>
#include "cmd/cmd.h"

#define WAIT_MS (INT64_C(30) * 60000)

static int
run(struct cli *cli)
{
	const char *wanted = cli->args->values[FLAG_WAIT];
	int64_t timeout_ms = cli->settings->timeout_ms;
	struct goal goal = {.kind = GOAL_END};
	char *id = NULL;
	int code = cmd_find(cli, cli->args->words[0], &id);

	if (code != CODE_OK)
		return code;
	if (wanted != NULL &&
	    goal_parse(*wanted == '\0' ? "succeeded" : wanted, &goal, NULL) == 0 && timeout_ms < 0)
		timeout_ms = WAIT_MS;
	code = cmd_follow(cli, id, goal, timeout_ms);
	free(id);
	return code;
}

const struct command cmd_rollout_watch = {.group = "rollout",
    .name = "watch",
    .operands = "ROLLOUT|APP",
    .flags = FLAG(WAIT),
    .summary = "show a rollout live until it ends",
    .text = "On a terminal a display that is painted in place; elsewhere a line for each change. "
	    "With -o json or yaml each state and event as the server sends it, one a line (or "
	    "document). A restart of airisd does not end it. The exit code says how the rollout "
	    "ended. With --wait it ends at the goal, as in `rollout start --wait`.",
    .run = run};
