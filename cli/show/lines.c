/* For logs of CI: what is different from the state before, one line each, with the time (UTC). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "show/rollout.h"
#include "show/views.h"
#include "show/when.h"

struct lines {
	const struct client *client;
	int fd;
	struct paint paint;
	json_t *last; /* NULL: nothing seen yet */
	char *waits;  /* what was said last about waiting; NULL: nothing */
};

struct lines *
lines_open(struct cli *cli, int fd)
{
	struct lines *lines = mem_alloc(sizeof(*lines));

	lines->client = cli->client;
	lines->fd = fd;
	paint_init(&lines->paint, fd, true);
	return lines;
}

void
lines_close(struct lines *lines)
{
	json_decref(lines->last);
	free(lines->waits);
	free(lines);
}

static void say(const struct lines *lines, const char *format, ...) printf_like(2, 3);

static void
say(const struct lines *lines, const char *format, ...)
{
	char at[WHEN_SIZE], *text = NULL;
	struct str line;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		log_fatal("no text can be made of \"%s\"", format);
	str_time_text(client_now_ms(lines->client), at, sizeof(at));
	at[19] = '\0'; /* without ms */
	str_init(&line, 0);
	str_addf(&line, "%sZ  ", at);
	paint_add(&lines->paint, &line, PLAIN, text);
	str_add(&line, "\n");
	out_to(lines->fd, &line);
	str_done(&line);
	free(text);
}

static bool
changed(const struct lines *lines, const json_t *r, const char *path)
{
	const json_t *was = jsonx_at(lines->last, path), *is = jsonx_at(r, path);

	if (was == NULL || is == NULL)
		return was != is;
	return json_equal(was, is) == 0;
}

static void
say_who(const struct lines *lines, const json_t *r)
{
	char name[160];

	rollout_name(r, name, sizeof(name));
	say(lines, "%s (%s) %s %s", name, jsonx_text_or(r, "id", "?"),
	    paint_mark(&lines->paint, MARK_TO), jsonx_text_or(r, "release.image", "?"));
}

static void
say_phase(const struct lines *lines, const json_t *r)
{
	const char *phase = jsonx_text_or(r, "phase", "?"),
		   *reason = jsonx_text_or(r, "reason", "");

	if (changed(lines, r, "phase") || (changed(lines, r, "reason") && *reason != '\0'))
		say(lines, "%s%s%s", phase, *reason == '\0' ? "" : ": ", reason);
	if (changed(lines, r, "superseded_by") && jsonx_text(r, "superseded_by") != NULL)
		say(lines, "superseded by %s", jsonx_text(r, "superseded_by"));
}

static void
say_stage(const struct lines *lines, const json_t *r)
{
	const json_t *ladder = jsonx_at(r, "ladder"), *step;
	int64_t index = jsonx_int(r, "stage.index", -1), until;
	struct str wait;
	char at[WHEN_SIZE];

	if (changed(lines, r, "stage.index") && index >= 0) {
		step = json_array_get(ladder, (size_t)index);
		str_init(&wait, 0);
		if (jsonx_bool(step, "approve", false))
			str_add(&wait, ", needs approval");
		if (json_array_size(jsonx_at(step, "gates")) > 0) {
			str_add(&wait, ", gates ");
			names_add(jsonx_at(step, "gates"), &wait);
		}
		say(lines, "stage %lld of %zu: %s, hold %s%s", (long long)index,
		    json_array_size(ladder) - 1, jsonx_text_or(r, "stage.name", "?"),
		    jsonx_text_or(step, "hold", "0s"), str_text(&wait));
		str_done(&wait);
	}
	if (changed(lines, r, "stage.settled") && jsonx_text(r, "stage.settled") != NULL) {
		if (when_at(r, "stage.hold_until", &until)) {
			when_clock(until, client_now_ms(lines->client), at);
			say(lines, "settled, holds until %sZ", at);
		} else
			say(lines, "settled");
	}
}

/* Nothing yet is no change. */
static bool
moved(const struct lines *lines, const json_t *r, const char *path)
{
	return changed(lines, r, path) && (lines->last != NULL || jsonx_int(r, path, 0) != 0);
}

static void
say_batch(const struct lines *lines, const json_t *r)
{
	if (!json_is_object(jsonx_at(r, "batch")))
		return;
	if (moved(lines, r, "batch.allowed"))
		say(lines, "held at %lld pods of the release",
		    (long long)jsonx_int(r, "batch.allowed", 0));
	if (changed(lines, r, "batch.ready") || changed(lines, r, "stable.ready"))
		say(lines, "ready: %lld/%lld of the release, %lld in all",
		    (long long)jsonx_int(r, "batch.ready", 0),
		    (long long)jsonx_int(r, "batch.size", 0),
		    (long long)jsonx_int(r, "stable.ready", 0));
}

static void
say_weight(const struct lines *lines, const json_t *r)
{
	const char *known = jsonx_text_or(r, "weight.known", "");
	long long written = jsonx_int(r, "weight.written", 0),
		  taken = jsonx_int(r, "weight.taken", 0);

	if (!json_is_object(jsonx_at(r, "weight")))
		return;
	if (moved(lines, r, "weight.written"))
		say(lines, "canary weight %lld%% written", written);
	if (moved(lines, r, "weight.taken"))
		say(lines, "canary weight %lld%% taken%s%s%s", taken, *known == '\0' ? "" : " (",
		    known, *known == '\0' ? "" : ")");
	if (changed(lines, r, "stable.ready") || changed(lines, r, "stable.size") ||
	    changed(lines, r, "canary.ready") || changed(lines, r, "canary.size"))
		say(lines, "ready: stable %lld/%lld, canary %lld/%lld",
		    (long long)jsonx_int(r, "stable.ready", 0),
		    (long long)jsonx_int(r, "stable.size", 0),
		    (long long)jsonx_int(r, "canary.ready", 0),
		    (long long)jsonx_int(r, "canary.size", 0));
}

static const json_t *
gate_named(const json_t *r, const char *name)
{
	const json_t *gates = jsonx_at(r, "gates"), *gate;
	size_t i;

	json_array_foreach(gates, i, gate)
	{
		if (str_equal(jsonx_text(gate, "name"), name))
			return gate;
	}
	return NULL;
}

static void
say_gates(const struct lines *lines, const json_t *r)
{
	const json_t *gates = jsonx_at(r, "gates"), *gate;
	size_t i;

	json_array_foreach(gates, i, gate)
	{
		const char *name = jsonx_text_or(gate, "name", "?");
		const char *verdict = jsonx_text_or(gate, "verdict", "?");
		const char *text = jsonx_text_or(gate, "text", "");
		const json_t *before = gate_named(lines->last, name);
		int64_t failures = jsonx_int(gate, "failures", 0);
		char value[32];

		if (str_equal(jsonx_text_or(before, "verdict", "pending"), verdict) &&
		    jsonx_int(before, "failures", 0) == failures)
			continue;
		value_text(&lines->paint, jsonx_at(gate, "value"), value, sizeof(value));
		say(lines, "gate %s: %s, value %s, condition %s, failures %lld of %lld%s%s", name,
		    verdict_text(verdict), value, jsonx_text_or(gate, "condition", "?"),
		    (long long)failures, (long long)jsonx_int(gate, "allowed", 0),
		    *text == '\0' ? "" : ": ", text);
	}
}

static void
say_blocked(struct lines *lines, const json_t *r)
{
	const char *object = jsonx_text_or(r, "blocked_on.object", "");
	const char *next = jsonx_text_or(r, "blocked_on.next", "");
	char *text;

	if (json_is_object(jsonx_at(r, "blocked_on"))) {
		text = str_format("waits for %s%s%s%s%s", object, *object == '\0' ? "" : ": ",
		    jsonx_text_or(r, "blocked_on.what", ""), *next == '\0' ? "" : "; next: ", next);
		if (!str_equal(text, lines->waits))
			say(lines, "%s", text);
		free(lines->waits);
		lines->waits = text;
	}
	if (changed(lines, r, "stale") && *jsonx_text_or(r, "stale", "") != '\0')
		say(lines, "stale: %s", jsonx_text(r, "stale"));
}

static void
on_state(void *ctx, const json_t *rollout)
{
	struct lines *lines = ctx;
	bool ended = jsonx_text(rollout, "ended") != NULL;

	if (lines->last == NULL)
		say_who(lines, rollout);
	if (!ended)
		say_phase(lines, rollout);
	say_stage(lines, rollout);
	say_weight(lines, rollout);
	say_batch(lines, rollout);
	say_gates(lines, rollout);
	say_blocked(lines, rollout);
	if (ended)
		say_phase(lines, rollout);
	json_decref(lines->last);
	lines->last = json_incref((json_t *)rollout);
}

static void
on_link(void *ctx, bool up, const char *text)
{
	struct lines *lines = ctx;

	if (up)
		say(lines, "connected again");
	else
		say(lines, "no connection, trying again: %s", text);
}

const struct view lines_view = {.state = on_state, .link = on_link};
