/* See say.h. */
#include "hooks/say.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"

#define DATA_MAX ((size_t)1 << 20)
/* An alert without an end is over for Alertmanager after five minutes without a word; nobody may
 * wait for a person longer than this without being looked at by other means. */
#define FIRES_MS (INT64_C(7) * 24 * 3600 * 1000)
/* What is over was over some minutes ago: an end that is still to come by Alertmanager's clock
 * would count for less than the one a week ahead that it was told before, and the alert would go
 * on. */
#define OVER_MS (INT64_C(5) * 60 * 1000)

/* What Slack gives a meaning to, and lines. */
static void
add_plain(struct str *to, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			str_add(to, "&amp;");
		else if (*text == '<')
			str_add(to, "&lt;");
		else if (*text == '>')
			str_add(to, "&gt;");
		else
			str_addf(to, "%c", (unsigned char)*text < ' ' ? ' ' : *text);
	}
}

static const char *
text_of(const json_t *data, const char *key)
{
	return jsonx_text_or(data, key, "");
}

static void
add_what(struct str *to, enum notice notice, const json_t *data)
{
	static const struct {
		const char *text;
		bool stage, reason; /* follow */
	} words[NOTICES + 1] = {
	    [NOTICE_STARTED] = {"started", false, false},
	    [NOTICE_STAGE] = {"is at stage", true, false},
	    [NOTICE_PAUSED] = {"is paused at", true, true},
	    [NOTICE_APPROVAL] = {"waits for an approval at", true, false},
	    [NOTICE_RESUMED] = {"goes on at", true, false},
	    [NOTICE_ABORTING] = {"is being aborted at", true, true},
	    [NOTICE_ABORTED] = {"was aborted, all is as before", false, true},
	    [NOTICE_SUCCEEDED] = {"succeeded", false, false},
	    [NOTICE_FAILED] = {"has FAILED and needs a person", false, true},
	    [NOTICES] = {"has news", false, false},
	};
	const json_t *rollout = jsonx_at(data, "rollout");
	const char *stage = text_of(rollout, "stage"), *reason = text_of(rollout, "reason");
	str_add(to, words[notice].text);
	if (words[notice].stage) {
		str_add(to, " ");
		add_plain(to, stage[0] != '\0' ? stage : "the start");
	}
	if (words[notice].reason && reason[0] != '\0') {
		str_add(to, ": ");
		add_plain(to, reason);
	}
}

static void
add_sentence(struct str *to, enum notice notice, const json_t *data)
{
	const json_t *rollout = jsonx_at(data, "rollout");
	const char *by = text_of(data, "by");
	add_plain(to, text_of(rollout, "namespace"));
	str_add(to, "/");
	add_plain(to, text_of(rollout, "app"));
	str_addf(to, " release %lld (", (long long)jsonx_int(rollout, "release", 0));
	add_plain(to, text_of(rollout, "image"));
	str_add(to, ") on ");
	add_plain(to, text_of(rollout, "cluster"));
	str_add(to, " ");
	add_what(to, notice, data);
	if (by[0] != '\0') {
		str_add(to, " (by ");
		add_plain(to, by);
		str_add(to, ")");
	}
}

static json_t *
slack_json(enum notice notice, const json_t *data)
{
	struct str text;
	str_init(&text, 0);
	add_sentence(&text, notice, data);
	json_t *json = json_pack("{s:s}", "text", str_text(&text));
	str_done(&text);
	return json;
}

static json_t *
alert_json(const char *name, const char *severity, bool fires, const struct say_row *row,
    const json_t *data)
{
	const json_t *rollout = jsonx_at(data, "rollout");
	int64_t begin_ms = fires ? row->at_ms : row->at_ms - OVER_MS;
	struct str text;
	str_init(&text, 0);
	add_sentence(&text, notice_of_name(row->event), data);
	json_t *json = json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:{s:s}, s:o, s:o}", "labels",
	    "alertname", name, "severity", severity, "app", text_of(rollout, "app"), "namespace",
	    text_of(rollout, "namespace"), "cluster", text_of(rollout, "cluster"), "rollout",
	    text_of(rollout, "id"), "annotations", "summary", str_text(&text), "startsAt",
	    jsonx_time(begin_ms), "endsAt", jsonx_time(begin_ms + (fires ? FIRES_MS : 0)));
	str_done(&text);
	return json;
}

/* Both alerts each time: what does not fire now is over. */
static json_t *
alerts_json(enum notice notice, const struct say_row *row, const json_t *data)
{
	bool waits = notice == NOTICE_PAUSED || notice == NOTICE_APPROVAL;
	json_t *list = json_array();
	json_array_append_new(list, alert_json("AirisRolloutWaits", "warning", waits, row, data));
	json_array_append_new(
	    list, alert_json("AirisRolloutFailed", "critical", notice == NOTICE_FAILED, row, data));
	return list;
}

static json_t *
generic_json(const struct say_row *row, const json_t *data)
{
	json_t *json = json_pack(
	    "{s:s, s:o, s:s}", "id", row->id, "time", jsonx_time(row->at_ms), "event", row->event);
	json_object_update_missing(json, (json_t *)data);
	return json;
}

static json_t *
body_json(enum say_format format, const struct say_row *row, const json_t *data)
{
	enum notice notice = notice_of_name(row->event);
	switch (format) {
	case SAY_GENERIC:
		return generic_json(row, data);
	case SAY_SLACK:
		return slack_json(notice, data);
	case SAY_ALERTMANAGER:
		return alerts_json(notice, row, data);
	}
	return NULL;
}

static char *
dump(json_t *json)
{
	char *text = json == NULL ? str_format("{}") : jsonx_dump(json);
	json_decref(json);
	return text;
}

void
say_traceparent(const struct say_row *row, char to[TRACE_PARENT])
{
	struct err e;
	struct trace trace;
	json_t *data = jsonx_parse(row->data, strlen(row->data), DATA_MAX, &e);
	to[0] = '\0';
	if (trace_read(jsonx_text(data, "traceparent"), &trace))
		trace_write(&trace, trace.parent, to);
	json_decref(data);
}

char *
say_body(enum say_format format, const struct say_row *row)
{
	struct err e;
	json_t *data = jsonx_parse(row->data, strlen(row->data), DATA_MAX, &e);
	if (data == NULL)
		data = json_object();
	char *text = dump(body_json(format, row, data));
	json_decref(data);
	return text;
}

char *
say_sum(const int counts[NOTICES])
{
	struct str text;
	int sum = 0;
	str_init(&text, 0);
	for (int i = 0; i < NOTICES; i++)
		sum += counts[i];
	str_addf(&text, "%d notices of rollouts in a burst:", sum);
	for (int i = 0; i < NOTICES; i++)
		if (counts[i] > 0)
			str_addf(&text, " %d %s,", counts[i], notice_name((enum notice)i));
	str_add(&text, " see airisctl rollout list");
	char *body = dump(json_pack("{s:s}", "text", str_text(&text)));
	str_done(&text);
	return body;
}
