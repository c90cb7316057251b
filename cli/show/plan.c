/* A plan: what would be done, stage by stage. */
#include "base/jsonx.h"
#include "show/events.h"
#include "show/rollout.h"

static void
add_stage(const struct paint *paint, const json_t *stage, size_t index, struct str *to)
{
	const json_t *acts = jsonx_at(stage, "acts"), *act;
	const char *hold = jsonx_text_or(stage, "hold", "0s");
	struct str facts;
	size_t i;

	str_init(&facts, 0);
	if (json_is_integer(jsonx_at(stage, "weight")))
		str_addf(&facts, "weight %lld%%", (long long)jsonx_int(stage, "weight", 0));
	else
		str_addf(&facts, "pods %s", jsonx_text_or(stage, "batch", "as they are"));
	if (!str_equal(hold, "0s") && *hold != '\0')
		str_addf(&facts, ", hold %s", hold);
	if (jsonx_bool(stage, "approve", false))
		str_add(&facts, ", needs approval");
	if (json_array_size(jsonx_at(stage, "gates")) > 0) {
		str_add(&facts, ", gates ");
		names_add(jsonx_at(stage, "gates"), &facts);
	}
	str_addf(to, "%3zu  ", index);
	paint_add(paint, to, BOLD, jsonx_text_or(stage, "name", "?"));
	str_add(to, "  ");
	paint_add(paint, to, DIM, str_text(&facts));
	str_add(to, "\n");
	str_done(&facts);
	json_array_foreach(acts, i, act)
	{
		paint_addf(paint, to, CYAN, "       %-14s ", jsonx_text_or(act, "act", ""));
		paint_wrap(paint, to, 22, 22, jsonx_text_or(act, "text", "?"));
	}
	if (json_array_size(acts) == 0)
		paint_add(paint, to, DIM, "       nothing is changed"), str_add(to, "\n");
}

/* What forbids a start, or what does not: a line each with its mark. */
static void
add_findings(const struct paint *paint, const json_t *list, bool blocks, struct str *to)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		paint_addf(paint, to, blocks ? RED : YELLOW, "  %s ",
		    paint_mark(paint, blocks ? MARK_FAIL : MARK_UNKNOWN));
		paint_wrap(paint, to, 4, 4, json_is_string(one) ? json_string_value(one) : "?");
	}
}

void
show_plan(const struct paint *paint, const json_t *plan, struct str *to)
{
	const json_t *list = jsonx_at(plan, "stages"), *one;
	const json_t *warnings = jsonx_at(plan, "warnings");
	size_t i;

	paint_add(paint, to, BOLD, jsonx_text_or(plan, "app", "?"));
	paint_addf(paint, to, DIM, " %s ", paint_mark(paint, MARK_TO));
	paint_add(paint, to, PLAIN, jsonx_text_or(plan, "image", "?"));
	str_add(to, "\n\n");
	json_array_foreach(list, i, one) add_stage(paint, one, i, to);
	list = jsonx_at(plan, "preflight");
	if (json_array_size(list) + json_array_size(warnings) > 0)
		str_add(to, "\n");
	if (json_array_size(list) > 0) {
		paint_add(paint, to, RED, "It would not be started now:");
		str_add(to, "\n");
	}
	add_findings(paint, list, true, to);
	add_findings(paint, warnings, false, to);
}

void
show_preflight(const struct paint *paint, const json_t *preflight, struct str *to)
{
	const json_t *list = jsonx_at(preflight, "findings"), *one;
	bool ok = jsonx_bool(preflight, "ok", false);
	size_t i;

	paint_add(paint, to, BOLD, jsonx_text_or(preflight, "app", "?"));
	paint_addf(paint, to, ok ? GREEN : RED, " %s",
	    ok ? "could be released now" : "would not be released now:");
	str_add(to, "\n");
	json_array_foreach(list, i, one)
	{
		bool blocks = str_equal(jsonx_text(one, "severity"), "blocks");

		paint_addf(paint, to, blocks ? RED : YELLOW, "  %s ",
		    paint_mark(paint, blocks ? MARK_FAIL : MARK_UNKNOWN));
		paint_wrap(paint, to, 4, 4, jsonx_text_or(one, "text", "?"));
	}
}
