/* Following a rollout, and the sentence at the end that says how it went and what to do next. */
#include <stdlib.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/rollout.h"
#include "show/views.h"
#include "show/when.h"

#define WAIT_MS (INT64_C(30) * 60000)

struct ending {
	struct cli *cli;
	const struct follow *follow;
	char name[160];
	const char *phase, *reason, *id;
};

static void
say_stopped(const struct ending *end, const char *how)
{
	complain("%s; %s goes on. Follow it: airisctl rollout watch %s; stop it: airisctl rollout "
		 "abort %s",
	    how, end->name, end->id, end->id);
}

static void
say_timed_out(const struct ending *end)
{
	const char *object = jsonx_text_or(end->follow->rollout, "blocked_on.object", "");
	const char *what = jsonx_text_or(end->follow->rollout, "blocked_on.what", "");
	const char *stage = jsonx_text_or(end->follow->rollout, "stage.name", "");
	char limit[WHEN_SIZE];
	struct str text;

	str_duration_text(end->follow->timeout_ms, limit, sizeof(limit));
	str_init(&text, 0);
	str_addf(&text, "timed out after %s", limit);
	if (*end->phase != '\0')
		str_addf(&text, ": %s is %s%s%s%s", end->name, end->phase,
		    *stage == '\0' ? "" : " in stage \"", stage, *stage == '\0' ? "" : "\"");
	if (*what != '\0')
		str_addf(&text, " and waits for %s%s%s", object, *object == '\0' ? "" : ": ", what);
	if (end->follow->why.text[0] != '\0')
		str_addf(&text, "; there is no connection: %s", end->follow->why.text);
	say_stopped(end, str_text(&text));
	str_done(&text);
}

static void
say_paused(const struct ending *end)
{
	complain("%s is paused%s%s. Go on: airisctl rollout resume %s (or approve, promote); give "
		 "up: airisctl rollout abort %s",
	    end->name, *end->reason == '\0' ? "" : ": ", end->reason, end->id, end->id);
}

static void
say_why(const struct ending *end)
{
	char *line = str_format("  why: airisctl rollout explain %s", end->id);

	complain_line(line);
	free(line);
}

static void
say_aborted(const struct ending *end)
{
	const char *by = jsonx_text(end->follow->rollout, "superseded_by");

	if (by != NULL)
		complain("%s was superseded by %s", end->name, by);
	else
		complain(
		    "%s was aborted%s%s", end->name, *end->reason == '\0' ? "" : ": ", end->reason);
	say_why(end);
}

static void
say_ok(const struct ending *end)
{
	const json_t *r = end->follow->rollout;
	const struct paint *paint = &end->cli->paint;
	int64_t started, ended = client_now_ms(end->cli->client);
	char span[WHEN_SIZE] = "";
	struct str text;

	if (end->cli->settings->output != OUTPUT_TABLE)
		return;
	when_at(r, "ended", &ended);
	if (when_at(r, "started", &started))
		when_span(ended - started, span);
	str_init(&text, 0);
	paint_addf(
	    paint, &text, phase_style(end->phase), "%s", paint_mark(paint, phase_mark(end->phase)));
	paint_addf(paint, &text, PLAIN, " %s: %s after %s", end->name, end->phase, span);
	if (!json_is_string(jsonx_at(r, "ended")) && jsonx_text(r, "stage.name") != NULL)
		paint_addf(paint, &text, PLAIN, ", in stage %lld, %s",
		    (long long)jsonx_int(r, "stage.index", 0), jsonx_text(r, "stage.name"));
	str_add(&text, "\n");
	out_str(&text);
	str_done(&text);
}

static void
say_ending(const struct ending *end, int code)
{
	switch ((enum code)code) {
	case CODE_OK:
		say_ok(end);
		break;
	case CODE_FAILED:
		complain("%s %s%s%s", end->name,
		    str_equal(end->phase, "failed") ? "has failed and needs a person" : end->phase,
		    *end->reason == '\0' ? "" : ": ", end->reason);
		say_why(end);
		break;
	case CODE_ABORTED:
		say_aborted(end);
		break;
	case CODE_PAUSED:
		say_paused(end);
		break;
	case CODE_TIMED_OUT:
		say_timed_out(end);
		break;
	case CODE_REFUSED:
		cmd_refuse(end->cli, &end->follow->no, NULL);
		break;
	case CODE_INTERRUPTED:
		say_stopped(end, "interrupted");
		break;
	case CODE_USAGE:
	case CODE_UNREACHABLE:
		break;
	}
}

static int
run_view(struct cli *cli, struct follow *follow)
{
	bool json = cli->settings->output != OUTPUT_TABLE;
	struct lines *lines;
	struct live *live;
	int code;

	if (json && follow->goal.kind == GOAL_END) {
		follow->view = &json_view;
		follow->ctx = cli;
		return follow_run(follow);
	}
	if (!json && cli->paint.terminal) {
		live = live_open(cli);
		follow->view = &live_view;
		follow->ctx = live;
		code = follow_run(follow);
		live_close(live);
		return code;
	}
	lines = lines_open(cli, json ? STDERR_FILENO : STDOUT_FILENO);
	follow->view = &lines_view;
	follow->ctx = lines;
	code = follow_run(follow);
	lines_close(lines);
	return code;
}

int
cmd_follow(struct cli *cli, const char *id, struct goal goal, int64_t timeout_ms)
{
	struct follow follow = {
	    .client = cli->client, .id = id, .goal = goal, .timeout_ms = timeout_ms};
	struct ending end = {.cli = cli, .follow = &follow, .id = id};
	int code = run_view(cli, &follow);

	rollout_name(follow.rollout, end.name, sizeof(end.name));
	if (follow.rollout == NULL)
		str_copy(end.name, sizeof(end.name), id);
	end.phase = jsonx_text_or(follow.rollout, "phase", "");
	end.reason = jsonx_text_or(follow.rollout, "reason", "");
	if (goal.kind != GOAL_END && follow.rollout != NULL)
		cmd_print(cli, follow.rollout);
	say_ending(&end, code);
	json_decref(follow.rollout);
	answer_done(&follow.no);
	return code;
}

int
cmd_after(struct cli *cli, const struct answer *answer, const char *what, const char *next)
{
	const char *id = jsonx_text_or(answer->json, "id", "?"), *wanted;
	struct goal goal = {.kind = GOAL_SUCCEEDED};
	int64_t timeout_ms = cli->settings->timeout_ms < 0 ? WAIT_MS : cli->settings->timeout_ms;
	struct str text;

	str_init(&text, 0);
	paint_add(&cli->paint, &text, PLAIN, what);
	str_add(&text, "\n");
	if (!args_given(cli->args, FLAG_WAIT)) {
		paint_add(&cli->paint, &text, DIM, next);
		str_add(&text, "\n");
	}
	if (cli->settings->output == OUTPUT_TABLE)
		out_str(&text);
	str_done(&text);
	if (!args_given(cli->args, FLAG_WAIT)) {
		cmd_print_answer(cli, answer);
		return CODE_OK;
	}
	wanted = cli->args->values[FLAG_WAIT];
	if (*wanted == '\0')
		wanted = cli->args->command->goal;
	if (wanted != NULL && goal_parse(wanted, &goal, NULL) < 0)
		goal = (struct goal){.kind = GOAL_SUCCEEDED};
	return cmd_follow(cli, id, goal, timeout_ms);
}
