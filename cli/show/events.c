/* The data of an event is shown as `key value`, in the order the server chose. Nothing here knows
 * the kinds, so that new ones need no new client.
 */
#include "show/events.h"

#include <string.h>
#include "base/jsonx.h"
#include "show/table.h"
#include "show/when.h"

enum { TEXT_BYTES = 300, TREE_BYTES = 60 };
#define LATER_MS INT64_C(100000000000) /* in 1973: more is a time, less a span */

/* Speaks for itself, without its key before it. */
static bool
is_plain(const char *key)
{
	static const char *const keys[] = {
	    "text", "what", "reason", "detail", "why", "error", "to", "name", "object"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (str_equal(keys[i], key))
			return true;
	}
	return false;
}

static bool
is_empty(const json_t *value)
{
	return json_is_null(value) || json_is_false(value) ||
	       (json_is_string(value) && json_string_length(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

/* Numbers of "…_ms" are times or spans. */
static void
add_ms(struct str *to, const char *key, int64_t ms, int64_t now_ms)
{
	char text[WHEN_SIZE];

	if (ms > LATER_MS)
		when_clock(ms, now_ms, text);
	else
		str_duration_text(ms, text, sizeof(text));
	str_addf(to, "%.*s %s", (int)strlen(key) - 3, key, text);
}

static void
add_value(struct str *to, const json_t *value)
{
	bool is_text = json_is_string(value);
	bool is_tree = json_is_object(value) || json_is_array(value);
	struct str text;

	str_init(&text, is_tree ? TREE_BYTES : TEXT_BYTES);
	if (is_text)
		str_add(&text, json_string_value(value));
	else
		jsonx_add(&text, value);
	if (!is_tree || !text.full)
		str_add(to, str_text(&text));
	if (text.full)
		str_add(to, "…");
	str_done(&text);
}

static void
add_data(const json_t *data, int64_t now_ms, struct str *to)
{
	json_t *it = (json_t *)data, *value;
	const char *key;

	json_object_foreach(it, key, value)
	{
		if (is_empty(value) || (str_ends(key, "_ms") && json_integer_value(value) <= 0))
			continue;
		str_add(to, to->length == 0 ? "" : ", ");
		if (str_ends(key, "_ms") && json_is_integer(value)) {
			add_ms(to, key, json_integer_value(value), now_ms);
			continue;
		}
		if (!is_plain(key))
			str_addf(to, "%s ", key);
		add_value(to, value);
	}
}

/* Red what ends it badly, yellow what holds it; of phases it is the new one that counts. */
static enum style
kind_style(const json_t *item)
{
	const char *kind = jsonx_text_or(item, "kind", "?");

	if (str_equal(kind, "phase"))
		kind = jsonx_text_or(item, "data.to", kind);
	if (strstr(kind, "abort") != NULL || strstr(kind, "fail") != NULL)
		return RED;
	if (strstr(kind, "pause") != NULL || strstr(kind, "wait") != NULL ||
	    strstr(kind, "drift") != NULL || strstr(kind, "supersede") != NULL)
		return YELLOW;
	return strstr(kind, "succe") != NULL ? GREEN : CYAN;
}

static void
add_row(struct table *table, const json_t *item, int64_t now_ms)
{
	const char *kind = jsonx_text_or(item, "kind", "?"),
		   *actor = jsonx_text_or(item, "actor", "");
	char at[WHEN_SIZE] = "?";
	struct str text;
	int64_t ms;

	if (when_at(item, "at", &ms)) {
		when_clock(ms, now_ms, at);
		str_print(at + strlen(at), sizeof(at) - strlen(at), ".%03d", (int)(ms % 1000));
	}
	str_init(&text, 0);
	add_data(jsonx_at(item, "data"), now_ms, &text);
	if (*actor != '\0')
		str_addf(&text, "%sby %s", text.length == 0 ? "" : ", ", actor);
	table_add(table, DIM, at);
	table_add(table, kind_style(item), kind);
	table_add(table, PLAIN, str_text(&text));
	str_done(&text);
}

void
show_events(const struct paint *paint, const json_t *items, size_t first, int64_t now_ms,
    int indent, struct str *to)
{
	struct table *table = table_new(paint, 3);
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		if (i >= first)
			add_row(table, item, now_ms);
	}
	table_print(table, indent, to);
	table_free(table);
}
