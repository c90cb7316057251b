/* A table of keys as JSON Schema, for programs that write what it reads. */
#include <stdlib.h>
#include <string.h>
#include "base/keys.h"

static json_t *
choices_schema(const struct key *key)
{
	json_t *names = json_array();

	for (int i = 0; key->choices[i] != NULL; i++)
		json_array_append_new(names, json_string(key->choices[i]));
	return json_pack("{s:s, s:o}", "type", "string", "enum", names);
}

static json_t *
type_schema(const struct key *key)
{
	if (key->choices != NULL)
		return choices_schema(key);
	if (key->type == &keys_object)
		return keys_schema(key->inside);
	if (key->type == &keys_list)
		return json_pack("{s:s, s:I, s:o}", "type", "array", "maxItems",
		    (json_int_t)key->max, "items", keys_schema(key->inside));
	if (key->type->schema == NULL)
		return json_object();
	return json_loads(key->type->schema, 0, NULL);
}

/* What the type has in common for all its keys, and this one says. */
static void
add_range(json_t *schema, const struct key *key)
{
	const char *type = json_string_value(json_object_get(schema, "type"));

	if (key->type == &keys_int || key->type == &keys_real)
		json_object_set_new(schema, "minimum", json_integer(key->min));
	if (key->type == &keys_int)
		json_object_set_new(schema, "maximum", json_integer(key->max));
	else if (key->type != &keys_duration && key->max > 0 && type != NULL &&
		 strcmp(type, "string") == 0)
		json_object_set_new(schema, "maxLength", json_integer(key->max - 1));
}

/* JSON Schema knows no durations: their range is told in words. */
static json_t *
help_of(const struct key *key)
{
	struct str text;
	json_t *help;

	str_init(&text, 0);
	str_add(&text, key->help);
	if (key->type == &keys_duration) {
		str_add(&text, "; ");
		keys_allowed(key, &text);
	}
	help = json_string(str_text(&text));
	str_done(&text);
	return help;
}

static json_t *
key_schema(const struct key *key)
{
	json_t *schema = type_schema(key);

	add_range(schema, key);
	json_object_set_new(schema, "description", help_of(key));
	if (key->otherwise != NULL)
		json_object_set_new(schema, "default",
		    key->type->bare ? json_loads(key->otherwise, JSON_DECODE_ANY, NULL)
				    : json_string(key->otherwise));
	return schema;
}

json_t *
keys_schema(const struct key *table)
{
	json_t *properties = json_object(), *required = json_array();
	json_t *schema = json_pack("{s:s, s:O, s:b}", "type", "object", "properties", properties,
	    "additionalProperties", false);

	for (const struct key *key = table; key->name != NULL; key++) {
		json_object_set_new(properties, key->name, key_schema(key));
		if (key->required)
			json_array_append_new(required, json_string(key->name));
	}
	json_decref(properties);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}
