/* The page. Every part prints nothing when there is nothing to say. */
#include "show/rollout.h"

#include <string.h>
#include "base/jsonx.h"
#include "show/ladder.h"
#include "show/table.h"
#include "show/when.h"

enum { LABEL = 12 }; /* columns of "  waits for ", the longest */

enum style
phase_style(const char *phase)
{
	if (str_equal(phase, "succeeded"))
		return GREEN;
	if (str_equal(phase, "progressing"))
		return CYAN;
	if (str_equal(phase, "paused") || str_equal(phase, "queued"))
		return YELLOW;
	return RED;
}

enum mark
phase_mark(const char *phase)
{
	if (str_equal(phase, "succeeded"))
		return MARK_DONE;
	if (str_equal(phase, "progressing"))
		return MARK_CURRENT;
	if (str_equal(phase, "paused"))
		return MARK_WAIT;
	if (str_equal(phase, "queued"))
		return MARK_AHEAD;
	return MARK_FAIL;
}

void
rollout_name(const json_t *rollout, char *to, size_t size)
{
	long long number = jsonx_int(rollout, "release.number", jsonx_int(rollout, "release", 0));
	const char *app = jsonx_text_or(rollout, "app", "?");

	if (number > 0)
		str_print(to, size, "%s/%lld", app, number);
	else
		str_print(to, size, "%s", app);
}

/* " · text", if there is one. */
static void
add_fact(const struct page *page, struct str *to, const char *before, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	paint_addf(page->paint, to, DIM, " %s ", paint_mark(page->paint, MARK_DOT));
	paint_addf(page->paint, to, PLAIN, "%s%s", before, text);
}

static void
add_phase(const struct page *page, struct str *to)
{
	const struct paint *paint = page->paint;
	const char *phase = jsonx_text_or(page->rollout, "phase", "?");
	int64_t started, ended = page->now_ms;
	char span[WHEN_SIZE];

	paint_addf(
	    paint, to, phase_style(phase), "%s %s", paint_mark(paint, phase_mark(phase)), phase);
	when_at(page->rollout, "ended", &ended);
	if (when_at(page->rollout, "started", &started)) {
		when_span(ended - started, span);
		paint_addf(paint, to, PLAIN, " %s %s",
		    jsonx_text(page->rollout, "ended") == NULL ? "for" : "after", span);
	}
}

static void
add_head(const struct page *page, struct str *to)
{
	const json_t *r = page->rollout;
	const struct paint *paint = page->paint;
	const char *cluster = jsonx_text_or(r, "cluster", "");
	char name[160];
	struct str by;

	rollout_name(r, name, sizeof(name));
	paint_add(paint, to, BOLD, name);
	paint_addf(paint, to, DIM, " %s ", paint_mark(paint, MARK_TO));
	paint_add(paint, to, PLAIN, jsonx_text_or(r, "release.image", "?"));
	str_add(to, "\n");
	add_phase(page, to);
	str_init(&by, 0);
	str_addf(&by, "%s%s%s", jsonx_text_or(r, "namespace", ""), *cluster == '\0' ? "" : " on ",
	    cluster);
	add_fact(page, to, "", str_text(&by));
	str_done(&by);
	add_fact(page, to, "", jsonx_text(r, "id"));
	add_fact(page, to, "by ", jsonx_text(r, "release.who"));
	if (jsonx_bool(r, "release.known_good", false))
		add_fact(page, to, "", "known good: no holds");
	str_add(to, "\n");
}

static void
add_label(const struct page *page, struct str *to, enum style style, const char *label)
{
	int pad = LABEL - 2 - text_columns(label);

	str_add(to, "  ");
	paint_add(page->paint, to, style, label);
	str_addf(to, "%*s", pad > 1 ? pad : 1, "");
}

static void
add_sentence(
    const struct page *page, struct str *to, enum style style, const char *label, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	add_label(page, to, style, label);
	paint_wrap(page->paint, to, LABEL, LABEL, text);
}

static void
add_notes(const struct page *page, struct str *to)
{
	const json_t *r = page->rollout;
	const char *phase = jsonx_text_or(r, "phase", "?");

	add_sentence(page, to, phase_style(phase), phase, jsonx_text(r, "reason"));
	add_sentence(page, to, DIM, "why", jsonx_text(r, "release.why"));
	add_sentence(page, to, DIM, "commit", jsonx_text(r, "release.commit"));
	add_sentence(page, to, YELLOW, "superseded", jsonx_text(r, "superseded_by"));
	add_sentence(page, to, YELLOW, "stale", jsonx_text(r, "stale"));
}

static void
add_bar(const struct page *page, struct str *to, int64_t taken, int64_t written)
{
	/* 40 and 20 show 10, 25, 50 and 75 percent as they are. */
	int cells = page->paint->width > 0 && page->paint->width < 100 ? 20 : 40;
	int64_t low = taken < written ? taken : written, high = taken < written ? written : taken;
	struct str parts[3];

	for (int i = 0; i < 3; i++)
		str_init(&parts[i], 0);
	for (int i = 0; i < cells; i++) {
		int64_t at = (i * 100 + 50) / cells;
		int part = at < low ? 0 : at < high ? 1 : 2;
		static const enum mark bars[] = {MARK_BAR_TAKEN, MARK_BAR_WRITTEN, MARK_BAR_REST};

		str_add(&parts[part], paint_mark(page->paint, bars[part]));
	}
	paint_add(page->paint, to, GREEN, str_text(&parts[0]));
	paint_add(page->paint, to, YELLOW, str_text(&parts[1]));
	paint_add(page->paint, to, DIM, str_text(&parts[2]));
	for (int i = 0; i < 3; i++)
		str_done(&parts[i]);
}

static void
add_weight(const struct page *page, struct str *to)
{
	const json_t *weight = jsonx_at(page->rollout, "weight");
	long long target = jsonx_int(weight, "target", 0),
		  written = jsonx_int(weight, "written", 0);
	long long taken = jsonx_int(weight, "taken", 0);
	const char *known = jsonx_text_or(weight, "known", "");
	char span[WHEN_SIZE];
	int64_t since;

	if (!json_is_object(weight))
		return;
	add_label(page, to, DIM, "weight");
	add_bar(page, to, taken, written);
	paint_addf(page->paint, to, BOLD, "  %lld%%", taken);
	str_add(to, " canary");
	if (written != taken)
		paint_addf(page->paint, to, YELLOW, ", %lld%% written", written);
	if (target != written)
		paint_addf(page->paint, to, YELLOW, ", %lld%% wanted", target);
	if (*known != '\0')
		add_fact(page, to, "", known);
	if (when_at(weight, "since", &since)) {
		when_span(page->now_ms - since, span);
		paint_addf(page->paint, to, DIM, ", %s ago", span);
	}
	str_add(to, "\n");
}

/* One workload that rolls. */
static void
add_batch(const struct page *page, struct str *to)
{
	const json_t *batch = jsonx_at(page->rollout, "batch");
	long long allowed = jsonx_int(batch, "allowed", 0), ready = jsonx_int(batch, "ready", 0);
	long long size = jsonx_int(batch, "size", 0);

	if (!json_is_object(batch))
		return;
	add_label(page, to, DIM, "release");
	if (size > 0)
		add_bar(page, to, 100 * ready / size, 100 * allowed / size);
	paint_addf(page->paint, to, BOLD, "  %lld of %lld", ready, size);
	str_add(to, " pods ready");
	if (allowed > 0)
		paint_addf(page->paint, to, DIM, ", held at %lld", allowed);
	str_add(to, "\n");
}

static void
add_side(const struct page *page, struct str *to, const char *name)
{
	const json_t *side = jsonx_at(page->rollout, name);
	long long size = jsonx_int(side, "size", 0), ready = jsonx_int(side, "ready", 0);

	if (!json_is_object(side))
		return;
	add_label(page, to, DIM, name);
	if (size == 0 && ready == 0)
		paint_add(page->paint, to, DIM, "no pods");
	else {
		paint_addf(
		    page->paint, to, ready < size ? YELLOW : PLAIN, "%lld/%lld ready", ready, size);
		add_fact(page, to, "", jsonx_text(side, "image"));
	}
	str_add(to, "\n");
}

void
value_text(const struct paint *paint, const json_t *value, char *to, size_t size)
{
	if (json_is_number(value))
		str_print(to, size, "%.6g", json_number_value(value));
	else
		str_print(to, size, "%s", paint_mark(paint, MARK_NONE));
}

const char *
verdict_text(const char *verdict)
{
	if (str_equal(verdict, "no_data"))
		return "no data";
	return str_equal(verdict, "too_few") ? "too few" : verdict;
}

enum style
verdict_style(const char *verdict)
{
	if (str_equal(verdict, "pass"))
		return GREEN;
	if (str_equal(verdict, "fail"))
		return RED;
	return str_equal(verdict, "pending") ? DIM : YELLOW;
}

static enum mark
verdict_mark(const char *verdict)
{
	if (str_equal(verdict, "pass"))
		return MARK_PASS;
	if (str_equal(verdict, "fail"))
		return MARK_FAIL;
	return str_equal(verdict, "pending") ? MARK_AHEAD : MARK_UNKNOWN;
}

static void
add_gate(const struct page *page, struct table *table, const json_t *gate)
{
	const char *verdict = jsonx_text_or(gate, "verdict", "?");
	long long failures = jsonx_int(gate, "failures", 0),
		  allowed = jsonx_int(gate, "allowed", 0);
	char value[32], span[WHEN_SIZE] = "";
	int64_t at;

	value_text(page->paint, jsonx_at(gate, "value"), value, sizeof(value));
	table_add(table, verdict_style(verdict), paint_mark(page->paint, verdict_mark(verdict)));
	table_add(table, PLAIN, jsonx_text_or(gate, "name", "?"));
	table_add(table, BOLD, value);
	table_add(table, DIM, jsonx_text_or(gate, "condition", ""));
	table_add(table, verdict_style(verdict), verdict_text(verdict));
	if (failures > 0)
		table_addf(table, failures > allowed ? RED : YELLOW, "%lld of %lld failures",
		    failures, allowed);
	else
		table_add(table, PLAIN, "");
	if (when_at(gate, "at", &at))
		when_span(page->now_ms - at, span);
	table_addf(table, DIM, "%s%s", span, *span == '\0' ? "" : " ago");
}

/* Each gate a line; what it says about itself is below. */
static void
add_gates(const struct page *page, struct str *to)
{
	const json_t *gates = jsonx_at(page->rollout, "gates"), *gate;
	struct table *table;
	struct str lines;
	const char *line;
	size_t i;

	if (json_array_size(gates) == 0)
		return;
	table = table_new(page->paint, 7);
	table_right(table, 2);
	json_array_foreach(gates, i, gate) add_gate(page, table, gate);
	str_init(&lines, 0);
	table_print(table, 2, &lines);
	table_free(table);
	str_add(to, "\n");
	line = str_text(&lines);
	json_array_foreach(gates, i, gate)
	{
		size_t length = strcspn(line, "\n") + 1;
		const char *text = jsonx_text_or(gate, "text", "");

		str_add_bytes(to, line, length);
		line += length;
		if (*text != '\0') {
			str_add(to, "     ");
			paint_wrap(page->paint, to, 5, 5, text);
		}
	}
	str_done(&lines);
}

void
blocked_when(const json_t *blocked, int64_t now_ms, struct str *to)
{
	const char *next = jsonx_text_or(blocked, "next", "");
	char text[WHEN_SIZE];
	int64_t at;

	if (when_at(blocked, "since", &at)) {
		when_span(now_ms - at, text);
		str_addf(to, "for %s", text);
	}
	if (when_at(blocked, "until", &at)) {
		when_clock(at, now_ms, text);
		str_addf(to, "%suntil %s", to->length == 0 ? "" : ", ", text);
		when_span(at - now_ms, text);
		str_addf(to, " (%s left)", text);
	}
	if (*next != '\0')
		str_addf(to, "%snext: %s", to->length == 0 ? "" : "; ", next);
}

static void
add_blocked(const struct page *page, struct str *to)
{
	const json_t *blocked = jsonx_at(page->rollout, "blocked_on");
	const char *object = jsonx_text_or(blocked, "object", "");
	const char *what = jsonx_text_or(blocked, "what", "");
	struct str text;

	if (!json_is_object(blocked))
		return;
	str_add(to, "\n");
	str_init(&text, 0);
	str_addf(&text, "%s%s%s", object, *object == '\0' || *what == '\0' ? "" : ": ", what);
	add_sentence(page, to, YELLOW, "waits for", str_text(&text));
	str_clear(&text);
	blocked_when(blocked, page->now_ms, &text);
	add_sentence(page, to, PLAIN, "", str_text(&text));
	str_done(&text);
}

void
page_add(const struct page *page, struct str *to)
{
	add_head(page, to);
	add_notes(page, to);
	str_add(to, "\n");
	if (json_array_size(jsonx_at(page->rollout, "ladder")) > 0) {
		ladder_add(page, to);
		str_add(to, "\n");
	}
	add_weight(page, to);
	add_batch(page, to);
	add_side(page, to, "stable");
	add_side(page, to, "canary");
	add_gates(page, to);
	add_blocked(page, to);
}
