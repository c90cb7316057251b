/* See ladder.h. Which stages are done, current, skipped or ahead is the server's word. */
#include "show/ladder.h"

#include <string.h>
#include "base/jsonx.h"
#include "show/table.h"
#include "show/when.h"

void
names_add(const json_t *array, struct str *to)
{
	const json_t *name;
	size_t i;

	json_array_foreach(array, i, name) str_addf(
	    to, "%s%s", i == 0 ? "" : ", ", json_is_string(name) ? json_string_value(name) : "?");
}

static bool
has_hold(const json_t *step)
{
	const char *hold = jsonx_text_or(step, "hold", "");

	return *hold != '\0' && !str_equal(hold, "0s") && !str_equal(hold, "0");
}

static void
comma(struct str *to)
{
	if (to->length > 0)
		str_add(to, ", ");
}

void
stage_wait(const json_t *rollout, const json_t *step, int64_t now_ms, struct str *to)
{
	const char *phase = jsonx_text_or(rollout, "phase", "");
	bool forward = str_equal(phase, "progressing") || str_equal(phase, "paused");
	bool settled = jsonx_text(rollout, "stage.settled") != NULL;
	char left[WHEN_SIZE];
	int64_t until;

	if (!forward)
		return;
	if (!settled)
		str_add(to, "settling");
	if (has_hold(step)) {
		comma(to);
		str_addf(to, "hold %s", jsonx_text(step, "hold"));
	}
	if (has_hold(step) && settled && when_at(rollout, "stage.hold_until", &until)) {
		when_span(until - now_ms, left);
		if (until > now_ms)
			str_addf(to, ", %s left", left);
		else
			str_add(to, " is over");
	}
	if (jsonx_bool(step, "approve", false)) {
		comma(to);
		str_add(to, "needs approval");
	}
}

static void
add_took(const json_t *step, struct str *to)
{
	char text[WHEN_SIZE];
	int64_t entered, left;

	if (!when_at(step, "entered", &entered) || !when_at(step, "left", &left))
		return;
	when_span(left - entered, text);
	str_addf(to, "took %s", text);
}

static void
add_plan(const json_t *step, struct str *to)
{
	if (has_hold(step))
		str_addf(to, "hold %s", jsonx_text(step, "hold"));
	if (jsonx_bool(step, "approve", false)) {
		comma(to);
		str_add(to, "needs approval");
	}
	if (json_array_size(jsonx_at(step, "gates")) > 0) {
		comma(to);
		str_add(to, "gates ");
		names_add(jsonx_at(step, "gates"), to);
	}
}

struct look {
	enum mark mark;
	enum style mark_style, name_style;
};

static struct look
look_of(const struct page *page, const char *state)
{
	const char *phase = jsonx_text_or(page->rollout, "phase", "");

	if (str_equal(state, "done"))
		return (struct look){MARK_DONE, GREEN, PLAIN};
	if (str_equal(state, "skipped"))
		return (struct look){MARK_SKIPPED, DIM, DIM};
	if (!str_equal(state, "current"))
		return (struct look){MARK_AHEAD, DIM, DIM};
	if (str_equal(phase, "progressing"))
		return (struct look){MARK_CURRENT, CYAN, BOLD};
	return (struct look){phase_mark(phase), phase_style(phase), BOLD};
}

static void
add_step(const struct page *page, struct table *table, const json_t *step)
{
	const char *state = jsonx_text_or(step, "state", "ahead");
	struct look look = look_of(page, state);
	struct str note;

	str_init(&note, 0);
	if (str_equal(state, "current"))
		stage_wait(page->rollout, step, page->now_ms, &note);
	else if (str_equal(state, "done"))
		add_took(step, &note);
	else if (str_equal(state, "skipped"))
		str_add(&note, "skipped");
	else
		add_plan(step, &note);
	table_add(table, look.mark_style, paint_mark(page->paint, look.mark));
	table_addf(table, DIM, "%lld", (long long)jsonx_int(step, "index", 0));
	table_add(table, look.name_style, jsonx_text_or(step, "name", "?"));
	if (json_is_integer(jsonx_at(step, "weight")))
		table_addf(
		    table, look.name_style, "%lld%%", (long long)jsonx_int(step, "weight", 0));
	else
		table_add(table, look.name_style, jsonx_text_or(step, "batch", ""));
	table_add(table, str_equal(state, "current") ? PLAIN : DIM, str_text(&note));
	str_done(&note);
}

static void
add_measured(const struct page *page, const json_t *step, struct str *to)
{
	const json_t *list = jsonx_at(step, "measured"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *verdict = jsonx_text_or(one, "verdict", "?");
		long long count = jsonx_int(one, "count", 0);
		char value[32];

		value_text(page->paint, jsonx_at(one, "value"), value, sizeof(value));
		str_add(to, "           ");
		paint_addf(page->paint, to, DIM, "%s ", jsonx_text_or(one, "gate", "?"));
		paint_addf(page->paint, to, PLAIN, "%s ", value);
		paint_add(page->paint, to, verdict_style(verdict), verdict_text(verdict));
		paint_addf(page->paint, to, DIM, ", asked %lld time%s, %lld failed", count,
		    count == 1 ? "" : "s", (long long)jsonx_int(one, "failures", 0));
		str_add(to, "\n");
	}
}

/* The lines to show when there is room for few: around the current stage. */
static void
choose_rows(const struct page *page, const json_t *ladder, size_t *from, size_t *count)
{
	size_t all = json_array_size(ladder), room = (size_t)page->ladder_rows;
	int64_t current = jsonx_int(page->rollout, "stage.index", 0);

	*from = 0;
	*count = all;
	if (page->ladder_rows <= 0 || all <= room)
		return;
	*count = room;
	if (current > 1)
		*from = (size_t)current - 1;
	if (*from + room > all)
		*from = all - room;
}

void
ladder_add(const struct page *page, struct str *to)
{
	const json_t *ladder = jsonx_at(page->rollout, "ladder"), *step;
	struct table *table = table_new(page->paint, 5);
	struct str lines;
	const char *line;
	size_t i, from, count;

	table_right(table, 1);
	table_right(table, 3);
	json_array_foreach(ladder, i, step) add_step(page, table, step);
	str_init(&lines, 0);
	table_print(table, 2, &lines);
	table_free(table);
	choose_rows(page, ladder, &from, &count);
	line = str_text(&lines);
	json_array_foreach(ladder, i, step)
	{
		size_t length = strcspn(line, "\n") + 1;

		if (i >= from && i < from + count) {
			str_add_bytes(to, line, length);
			if (page->full)
				add_measured(page, step, to);
		}
		line += length;
	}
	str_done(&lines);
}
