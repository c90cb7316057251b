/* rollout start and rollout undo. The POST carries an Idempotency-Key, so it is sent again when its
 * answer got lost: the server starts one rollout for one key, however often it is asked. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "show/rollout.h"

#define TRY_FOR_MS 30000
#define LAST_PAUSE_MS 4000

static int
give_up(enum call call, const struct err *e, const char *key)
{
	int code = cmd_unanswered(call, e);

	if (call != CALL_UNREACHED)
		complain("it may have been started; the same command with --key %s is safe: it "
			 "starts nothing twice",
		    key);
	return code;
}

/* A daemon that is about to stop has done nothing, and another one will be there soon. */
static bool
is_stopping(const struct answer *answer)
{
	return answer->status == 503 && str_equal(jsonx_text(answer->json, "code"), "stopping");
}

static int
post(struct cli *cli, const struct request *request, struct answer *answer)
{
	int64_t end = clock_mono_ms() + TRY_FOR_MS, pause = 250;
	bool lost = false; /* an earlier try got through, maybe */
	enum call call;
	struct err e;

	if (cli->settings->timeout_ms > 0 && cli->settings->timeout_ms < TRY_FOR_MS)
		end = clock_mono_ms() + cli->settings->timeout_ms;
	for (;;) {
		call = client_call(cli->client, request, answer, &e);
		if (call == CALL_ANSWERED && !is_stopping(answer))
			return CODE_OK;
		if (call == CALL_ANSWERED)
			err_set(&e, "%s", jsonx_text_or(answer->json, "detail", "airisd stops"));
		answer_done(answer);
		if (call == CALL_UNREACHED && !lost)
			return give_up(call, &e, request->key);
		lost = true;
		if (call == CALL_INTERRUPTED || clock_mono_ms() + pause >= end)
			return give_up(call == CALL_UNREACHED ? CALL_LOST : call, &e, request->key);
		complain("%s; trying again with the same key", e.text);
		client_sleep(cli->client, pause);
		pause = pause * 2 > LAST_PAUSE_MS ? LAST_PAUSE_MS : pause * 2;
	}
}

static int
tell(struct cli *cli, const struct answer *answer)
{
	const char *phase = jsonx_text_or(answer->json, "phase", "?");
	const char *id = jsonx_text_or(answer->json, "id", "?");
	const char *image = jsonx_text_or(answer->json, "release.image", "?");
	char name[160], *what, *next;
	int code;

	rollout_name(answer->json, name, sizeof(name));
	if (answer->status == 201)
		what = str_format("%s is %s as %s: %s", name,
		    str_equal(phase, "queued") ? "queued" : "started", id, image);
	else
		what = str_format("%s was started with this key before, as %s; it is %s: %s", name,
		    id, phase, image);
	next = str_format(
	    "follow it: airisctl rollout watch %s; stop it: airisctl rollout abort %s", id, id);
	code = cmd_after(cli, answer, what, next);
	free(what);
	free(next);
	return code;
}

/* That of the pipeline in which this runs; NULL: none. A later version may have anything at its
 * end, which is not for a header. */
static const char *
trace_here(char to[TRACE_PARENT])
{
	struct trace trace;

	if (!trace_read(getenv("TRACEPARENT"), &trace))
		return NULL;
	trace_write(&trace, trace.parent, to);
	return to;
}

/* body: a new reference, taken. */
static int
start(struct cli *cli, json_t *body)
{
	char *text = jsonx_dump(body), *key;
	struct request request = {.method = "POST", .path = "/v1/rollouts", .body = text};
	struct answer answer;
	char random[ID_SIZE], traceparent[TRACE_PARENT];
	int code;

	id_new(random, "k-", clock_wall_ms());
	key = mem_strdup(args_given(cli->args, FLAG_KEY) ? cli->args->values[FLAG_KEY] : random);
	request.length = strlen(text);
	request.key = key;
	request.trace = trace_here(traceparent);
	json_decref(body);
	code = post(cli, &request, &answer);
	if (code == CODE_OK) {
		if ((answer.status == 200 || answer.status == 201) && answer.json != NULL)
			code = tell(cli, &answer);
		else
			code = cmd_refuse(cli, &answer, NULL);
		answer_done(&answer);
	}
	free(key);
	free(text);
	return code;
}

static void
set_text(json_t *body, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(body, key, json_string(value));
}

static int
run_start(struct cli *cli)
{
	json_t *body = json_object();

	set_text(body, "app", cli->args->words[0]);
	set_text(body, "image", cli->args->values[FLAG_IMAGE]);
	set_text(body, "why", cli->args->values[FLAG_WHY]);
	set_text(body, "commit", cli->args->values[FLAG_COMMIT]);
	return start(cli, body);
}

static int
run_undo(struct cli *cli)
{
	json_t *body = json_object();
	int64_t number;

	set_text(body, "app", cli->args->words[0]);
	json_object_set_new(body, "undo", json_true());
	if (str_number(cli->args->values[FLAG_TO], 1, INT32_MAX, &number) == 0)
		json_object_set_new(body, "to", json_integer(number));
	return start(cli, body);
}

const struct command cmd_rollout_start = {.group = "rollout",
    .name = "start",
    .operands = "APP",
    .flags = FLAG(IMAGE) | FLAG(WHY) | FLAG(COMMIT) | FLAG(KEY) | FLAG(WAIT),
    .needs = FLAG(IMAGE),
    .summary = "release an image of an app",
    .text =
	"Makes a new release of the app and starts its rollout. The request carries an "
	"Idempotency-Key, random unless --key gives one, so it is safe to repeat: the same key "
	"never starts a second rollout, and airisctl itself asks again when the connection is "
	"lost.\n\nWith --wait it follows the rollout until it has succeeded, or is paused, or has "
	"reached a stage, and its exit code says how it ended. Ctrl-C ends the waiting, not the "
	"rollout.",
    .run = run_start};

const struct command cmd_rollout_undo = {.group = "rollout",
    .name = "undo",
    .operands = "APP",
    .flags = FLAG(TO) | FLAG(KEY) | FLAG(WAIT),
    .summary = "release an earlier release of an app again",
    .text = "Starts a rollout to the release before the one that runs, or to the one that --to "
	    "names; `airisctl app get APP` lists them. It goes by the app's own strategy; one that "
	    "was good within the app's rollbackWindow is not held, and its gates are measured but "
	    "not waited for.",
    .run = run_undo};
