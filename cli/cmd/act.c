/* promote, abort, pause, resume, retry, approve: one POST each. Which of them a rollout takes is
 * the server's table. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/rollout.h"

#define TRY_FOR_MS 30000

static int
tell(struct cli *cli, const struct answer *answer)
{
	const json_t *r = answer->json;
	const char *phase = jsonx_text_or(r, "phase", "?"), *id = jsonx_text_or(r, "id", "?");
	const char *stage = jsonx_text(r, "stage.name"), *verb = cli->args->command->name;
	bool paused = str_equal(phase, "paused");
	char name[160], *what, *next;
	int code;

	rollout_name(r, name, sizeof(name));
	what = str_format("%s: %s is taken; it is %s%s%s%s", name, verb, phase,
	    stage == NULL ? "" : " in stage \"", stage == NULL ? "" : stage,
	    stage == NULL ? "" : "\"");
	next = str_format("%s: airisctl rollout %s %s", paused ? "go on with it" : "follow it",
	    paused ? "resume" : "watch", id);
	code = cmd_after(cli, answer, what, next);
	free(what);
	free(next);
	return code;
}

/* Only an abort may be sent twice: a second promote would promote the next stage. */
static int
post(struct cli *cli, const struct request *request, bool again, struct answer *answer)
{
	int64_t end = clock_mono_ms() + TRY_FOR_MS;
	enum call call;
	struct err e;
	int code;

	call = client_call(cli->client, request, answer, &e);
	while (again && (call == CALL_LOST || call == CALL_TIMED_OUT) && clock_mono_ms() < end) {
		complain("%s; trying again", e.text);
		client_sleep(cli->client, 250);
		call = client_call(cli->client, request, answer, &e);
		if (call == CALL_UNREACHED)
			call = CALL_LOST;
	}
	if (call != CALL_ANSWERED) {
		code = cmd_unanswered(call, &e);
		if (call != CALL_UNREACHED)
			complain("it may have been taken; see airisctl rollout status before you "
				 "repeat it");
		return code;
	}
	if (answer->status == 200 && answer->json != NULL)
		return CODE_OK;
	return cmd_refuse(cli, answer, NULL);
}

static int
run(struct cli *cli)
{
	const char *verb = cli->args->command->name, *reason = cli->args->values[FLAG_REASON];
	json_t *body = json_object();
	struct request request = {.method = "POST"};
	char *id = NULL, *path, *text;
	struct answer answer;
	int code = cmd_find(cli, cli->args->words[0], &id);

	if (args_given(cli->args, FLAG_FULL))
		json_object_set_new(body, "full", json_true());
	if (reason != NULL)
		json_object_set_new(body, "reason", json_string(reason));
	text = jsonx_dump(body);
	json_decref(body);
	if (code == CODE_OK) {
		path = path_format("/v1/rollouts/%/%", id, verb);
		request.path = path;
		request.body = text;
		request.length = strlen(text);
		code = post(cli, &request, str_equal(verb, "abort"), &answer);
		free(path);
		if (code == CODE_OK)
			code = tell(cli, &answer);
		answer_done(&answer);
	}
	free(id);
	free(text);
	return code;
}

/* Designated initializers that all six share. */
#define ACT(verb) .group = "rollout", .name = #verb, .operands = "ROLLOUT|APP", .run = run

const struct command cmd_rollout_promote = {
    ACT(promote),
    .flags = FLAG(REASON) | FLAG(WAIT) | FLAG(FULL),
    .summary = "go to the next stage now",
    .text = "Leaves the current stage without waiting for its hold time. With --full it "
	    "skips all stages that are left and goes to the release of everything. Going past an "
	    "approval is approving, and is for those who may.",
};

const struct command cmd_rollout_abort = {
    ACT(abort),
    .flags = FLAG(REASON) | FLAG(WAIT),
    .summary = "stop and go home",
    .text = "Moves the traffic back to the stable side at once and then cleans up. Aborting "
	    "what is already aborting or aborted is no error. With --wait it waits until "
	    "home is reached, and that is exit code 0 here, as it is what was asked for.",
    .goal = "aborted",
};

const struct command cmd_rollout_pause = {
    ACT(pause),
    .flags = FLAG(REASON) | FLAG(WAIT),
    .summary = "hold where it is",
    .text = "The weights stay as they are; gates go on measuring and can still abort. With "
	    "--wait it waits until it is paused.",
    .goal = "paused",
};

const struct command cmd_rollout_resume = {
    ACT(resume),
    .flags = FLAG(REASON) | FLAG(WAIT),
    .summary = "go on after a pause",
};

const struct command cmd_rollout_retry = {
    ACT(retry),
    .flags = FLAG(REASON) | FLAG(WAIT),
    .summary = "try again what has failed",
    .text = "For a rollout that has failed or is stuck at something that has been repaired "
	    "meanwhile.",
};

const struct command cmd_rollout_approve = {
    ACT(approve),
    .flags = FLAG(REASON) | FLAG(WAIT),
    .summary = "give the approval that the current stage waits for",
    .text =
	"Whoever started a rollout does not approve it, unless its app says selfApproval: true: "
	"another user of the host does, or another token.",
};
