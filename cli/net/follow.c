/* Always true: a state is read after each connect and before its stream, and the stream starts at
 * that state's cursor or at the last event seen, so nothing is missed and nothing told twice. */
#include "net/follow.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "cli.h"
#include "net/easy.h"
#include "net/stream.h"
#include "signals.h"

#define FIRST_RETRY_MS 100
#define LAST_RETRY_MS 5000
#define STABLE_MS 2000 /* a stream that lives so long was no failure: the back-off starts anew */
#define GET_MS 10000
#define MESSAGE_BYTES ((size_t)4 << 20)

struct run {
	struct follow *follow;
	struct stream *stream;
	int64_t deadline_ms; /* monotonic; INT64_MAX: none */
	int64_t retry_ms;    /* the next back-off */
	int64_t try_at_ms;
	int64_t opened_ms;
	int64_t seen; /* the last event's number; -1: none yet */
	bool down;    /* and the view knows it */
	bool resync;
	int code; /* -1: go on */
};

static bool
at_stage(const struct goal *goal, const json_t *rollout)
{
	return goal->kind == GOAL_STAGE && jsonx_int(rollout, "stage.index", -1) >= goal->stage;
}

/* The exit code that this state means; -1: go on. */
static int
judge(const struct goal *goal, const json_t *rollout)
{
	const char *phase = jsonx_text_or(rollout, "phase", "");

	if (str_equal(phase, "succeeded"))
		return goal->kind == GOAL_ABORTED ? CODE_FAILED : CODE_OK;
	if (str_equal(phase, "aborted"))
		return goal->kind == GOAL_ABORTED ? CODE_OK : CODE_ABORTED;
	if (str_equal(phase, "failed"))
		return CODE_FAILED;
	if (str_equal(phase, "progressing"))
		return at_stage(goal, rollout) ? CODE_OK : -1;
	if (!str_equal(phase, "paused") || goal->kind == GOAL_END || goal->kind == GOAL_ABORTED)
		return -1;
	return goal->kind == GOAL_PAUSED || at_stage(goal, rollout) ? CODE_OK : CODE_PAUSED;
}

static void
take_state(struct run *run, json_t *rollout)
{
	struct follow *follow = run->follow;
	bool same;

	if (jsonx_text(rollout, "phase") == NULL) {
		json_decref(rollout);
		return;
	}
	same = follow->rollout != NULL && json_equal(follow->rollout, rollout) != 0;
	json_decref(follow->rollout);
	follow->rollout = rollout;
	if (!same && follow->view->state != NULL)
		follow->view->state(follow->ctx, rollout);
	run->code = judge(&follow->goal, rollout);
}

static void
take_event(struct run *run, const char *id, const json_t *item)
{
	int64_t number;

	if (str_number(id, 0, INT64_MAX, &number) < 0 || number <= run->seen)
		return;
	run->seen = number;
	if (run->follow->view->event != NULL)
		run->follow->view->event(run->follow->ctx, item);
}

static void
on_message(void *ctx, const char *event, const char *id, const char *data)
{
	struct run *run = ctx;
	json_t *json;

	if (run->code >= 0 || run->resync)
		return;
	if (clock_mono_ms() - run->opened_ms > STABLE_MS)
		run->retry_ms = FIRST_RETRY_MS;
	if (str_equal(event, "resync")) {
		run->resync = true;
		run->seen = -1;
		return;
	}
	json = jsonx_parse(data, strlen(data), MESSAGE_BYTES, NULL);
	if (json == NULL)
		return;
	if (str_equal(event, "state")) {
		take_state(run, json);
		return;
	}
	take_event(run, id, json);
	json_decref(json);
}

static void
retry_later(struct run *run)
{
	int64_t jitter = (int64_t)((double)run->retry_ms * 0.5 * id_random());

	stream_close(run->stream);
	run->stream = NULL;
	run->try_at_ms = clock_mono_ms() + run->retry_ms / 2 + jitter;
	run->retry_ms = run->retry_ms * 2 > LAST_RETRY_MS ? LAST_RETRY_MS : run->retry_ms * 2;
}

static void
tell_link(struct run *run, bool up, const char *text)
{
	struct follow *follow = run->follow;
	bool tell = run->down == up;

	run->down = !up;
	if (tell && follow->view->link != NULL)
		follow->view->link(follow->ctx, up, text);
}

static void
open_stream(struct run *run)
{
	struct follow *follow = run->follow;
	char *path = path_format("/v1/rollouts/%/events", follow->id);
	char id[32];

	if (run->seen < 0)
		run->seen = jsonx_int(follow->rollout, "cursor", 0);
	str_print(id, sizeof(id), "%lld", (long long)run->seen);
	run->resync = false;
	run->opened_ms = clock_mono_ms();
	run->stream = stream_open(follow->client, path, id, on_message, run);
	free(path);
}

/* An answer that another try would not change. */
static bool
is_refusal(const struct answer *answer)
{
	return answer->status >= 400 && answer->status < 500 && answer->status != 408 &&
	       answer->status != 429;
}

static void
take_answer(struct run *run, struct answer *answer)
{
	struct follow *follow = run->follow;

	if (answer->status == 200 && jsonx_text(answer->json, "phase") != NULL) {
		tell_link(run, true, "");
		take_state(run, json_incref(answer->json));
		if (run->code < 0)
			open_stream(run);
	} else if (is_refusal(answer)) {
		follow->no = *answer;
		*answer = (struct answer){0};
		run->code = CODE_REFUSED;
	} else {
		err_set(&follow->why, "%s answers with status %d: %s",
		    client_server(follow->client), answer->status,
		    jsonx_text_or(answer->json, "detail", "no reason given"));
		tell_link(run, false, follow->why.text);
		retry_later(run);
	}
}

static void
try_connect(struct run *run)
{
	struct follow *follow = run->follow;
	char *path = path_format("/v1/rollouts/%", follow->id);
	struct request request = {.method = "GET", .path = path, .timeout_ms = GET_MS};
	int64_t left = run->deadline_ms - clock_mono_ms();
	struct answer answer;
	enum call call;

	if (left < GET_MS)
		request.timeout_ms = left;
	call = client_call(follow->client, &request, &answer, &follow->why);
	free(path);
	if (call == CALL_ANSWERED)
		take_answer(run, &answer);
	else if (call != CALL_INTERRUPTED) {
		tell_link(run, false, follow->why.text);
		retry_later(run);
	}
	answer_done(&answer);
}

static void
turn(struct run *run)
{
	int64_t now = clock_mono_ms(), silence = run->follow->client->settings->silence_ms;

	if (run->stream != NULL) {
		bool alive = stream_turn(run->stream, run->deadline_ms - now);

		if (alive && !run->resync && stream_quiet_ms(run->stream) < silence)
			return;
		if (run->code < 0)
			retry_later(run);
	} else if (now >= run->try_at_ms)
		try_connect(run);
	else
		easy_turn(run->follow->client,
		    (run->try_at_ms < run->deadline_ms ? run->try_at_ms : run->deadline_ms) - now);
}

int
follow_run(struct follow *follow)
{
	struct run run = {.follow = follow,
	    .code = -1,
	    .seen = -1,
	    .retry_ms = FIRST_RETRY_MS,
	    .deadline_ms = INT64_MAX};

	if (follow->timeout_ms >= 0)
		run.deadline_ms = clock_mono_ms() + follow->timeout_ms;
	client_on_idle(follow->client, follow->view->tick, follow->ctx);
	while (run.code < 0) {
		turn(&run);
		if (run.code < 0 && signals_interrupted())
			run.code = CODE_INTERRUPTED;
		else if (run.code < 0 && clock_mono_ms() >= run.deadline_ms)
			run.code = CODE_TIMED_OUT;
	}
	client_on_idle(follow->client, NULL, NULL);
	stream_close(run.stream);
	if (!run.down)
		follow->why.text[0] = '\0';
	return run.code;
}
