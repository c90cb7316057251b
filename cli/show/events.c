/* The data of an event is shown as `key value` in the order the server chose; texts for people come
 * first and without their key. Nothing here knows the kinds, so that new ones need no new client.
 */
#include "show/events.h"

#include <string.h>
#include "base/jsonx.h"
#include "show/table.h"
#include "show/when.h"

enum { VALUE_BYTES = 300 };

static bool
is_sentence(const char *key)
{
	static const char *const keys[] = {"text", "what", "reason", "detail", "why", "error"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (str_equal(keys[i], key))
			return true;
	}
	return false;
}

static void
add_value(struct str *to, const json_t *value)
{
	struct str text;

	str_init(&text, VALUE_BYTES);
	if (json_is_string(value))
		str_add(&text, json_string_value(value));
	else
		jsonx_add(&text, value);
	str_add(to, str_text(&text));
	if (text.full)
		str_add(to, "…");
	str_done(&text);
}

static bool
is_empty(const json_t *value)
{
	return json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

static void
add_data(const json_t *data, struct str *to)
{
	json_t *it = (json_t *)data, *value;
	const char *key;

	json_object_foreach(it, key, value)
	{
		if (is_sentence(key) && !is_empty(value)) {
			str_add(to, to->length == 0 ? "" : ": ");
			add_value(to, value);
		}
	}
	json_object_foreach(it, key, value)
	{
		if (is_sentence(key) || is_empty(value))
			continue;
		str_addf(to, "%s%s ", to->length == 0 ? "" : ", ", key);
		add_value(to, value);
	}
}

static enum style
kind_style(const char *kind)
{
	if (strstr(kind, "abort") != NULL || strstr(kind, "fail") != NULL)
		return RED;
	if (strstr(kind, "pause") != NULL || strstr(kind, "block") != NULL ||
	    strstr(kind, "error") != NULL)
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
	add_data(jsonx_at(item, "data"), &text);
	if (*actor != '\0')
		str_addf(&text, "%sby %s", text.length == 0 ? "" : ", ", actor);
	table_add(table, DIM, at);
	table_add(table, kind_style(kind), kind);
	table_add(table, PLAIN, str_text(&text));
	str_done(&text);
}

void
events_add(const struct paint *paint, const json_t *items, size_t first, int64_t now_ms, int indent,
    struct str *to)
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
