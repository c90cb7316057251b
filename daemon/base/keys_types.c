/* The types of values that a key may have: one parser each. Always true: a parser either stores
 * a checked value or adds an error, never both. */
#include "base/keys.h"

#include <math.h>
#include <string.h>
#include "base/jsonx.h"

static bool
is_one_line(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static void
parse_text(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const char *text = json_string_value(value);

	if (text == NULL || *text == '\0' || strlen(text) >= (size_t)key->max || !is_one_line(text))
		keys_wrong(at, key, value);
	else
		str_copy(slot, (size_t)key->max, text);
}

static void
parse_label(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const char *text = json_string_value(value);

	if (!str_is_dns_label(text))
		keys_wrong(at, key, value);
	else
		str_copy(slot, KEYS_LABEL, text);
}

static void
parse_name(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const char *text = json_string_value(value);

	if (!str_is_dns_name(text) || strlen(text) >= (size_t)key->max)
		keys_wrong(at, key, value);
	else
		str_copy(slot, (size_t)key->max, text);
}

static void
parse_int(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	int64_t number = jsonx_int(value, "", key->min - 1);

	if (number < key->min || number > key->max)
		keys_wrong(at, key, value);
	else
		*(int *)slot = (int)number;
}

static void
parse_real(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	double number = jsonx_real(value, "", NAN);

	if (!isfinite(number) || number < (double)key->min)
		keys_wrong(at, key, value);
	else
		*(double *)slot = number;
}

static void
parse_duration(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	int64_t ms;

	if (str_duration(json_string_value(value), &ms) != 0 || ms < key->min || ms > key->max)
		keys_wrong(at, key, value);
	else
		*(int64_t *)slot = ms;
}

static void
parse_bool(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	if (!json_is_boolean(value))
		keys_wrong(at, key, value);
	else
		*(bool *)slot = json_is_true(value);
}

/* The number of the choice; -1 and an error if there is none. */
static int
choice_of(const struct key *key, const json_t *value, struct keys_at *at)
{
	const char *text = json_string_value(value);

	for (int i = 0; text != NULL && key->choices[i] != NULL; i++) {
		if (strcmp(key->choices[i], text) == 0)
			return i;
	}
	keys_wrong(at, key, value);
	return -1;
}

static void
parse_choice(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	int choice = choice_of(key, value, at);

	if (choice >= 0)
		*(int *)slot = choice;
}

static void
parse_either(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	int choice = choice_of(key, value, at);

	if (choice >= 0)
		*(bool *)slot = choice == 1;
}

static void
parse_object(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	if (!json_is_object(value))
		keys_wrong(at, key, value);
	else
		keys_read(key->inside, value, slot, at);
}

static void
parse_list(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	if (!json_is_array(value) || json_array_size(value) > (size_t)key->max) {
		keys_wrong(at, key, value);
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);
		size_t mark = keys_enter_item(at, i);
		void *record = key->add(slot);

		if (!json_is_object(item))
			keys_error(at, "expected: an object with keys such as \"%s\"",
			    key->inside[0].name);
		else if (record != NULL)
			keys_read(key->inside, item, record, at);
		keys_leave(at, mark);
	}
}

const struct key_type keys_text = {.name = "text",
    .schema =
	"{\"type\": \"string\", \"minLength\": 1, \"pattern\": \"^[^\\\\x00-\\\\x1f\\\\x7f]*$\"}",
    .parse = parse_text};
const struct key_type keys_label = {
    .name = "name of at most 63 characters a-z, 0-9 and - (a DNS label)",
    .schema = "{\"type\": \"string\", \"pattern\": \"" KEYS_LABEL_PATTERN "\"}",
    .parse = parse_label};
const struct key_type keys_name = {.name = "name in a-z, 0-9, - and . (a DNS name)",
    .schema = "{\"type\": \"string\", \"pattern\": "
	      "\"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$\"}",
    .parse = parse_name};
const struct key_type keys_int = {
    .name = "whole number", .bare = true, .schema = "{\"type\": \"integer\"}", .parse = parse_int};
const struct key_type keys_real = {
    .name = "number", .bare = true, .schema = "{\"type\": \"number\"}", .parse = parse_real};
const struct key_type keys_duration = {.name = "duration such as 1m30s",
    .schema = "{\"type\": \"string\", \"minLength\": 2, \"pattern\": "
	      "\"^([0-9]{1,15}d)?([0-9]{1,15}h)?([0-9]{1,15}m)?([0-9]{1,15}s)?([0-9]{1,15}ms)?$\"}",
    .parse = parse_duration};
const struct key_type keys_bool = {.name = "true or false",
    .bare = true,
    .schema = "{\"type\": \"boolean\"}",
    .parse = parse_bool};
const struct key_type keys_choice = {.name = "choice", .parse = parse_choice};
const struct key_type keys_either = {.name = "choice", .parse = parse_either};
const struct key_type keys_object = {.name = "object", .bare = true, .parse = parse_object};
const struct key_type keys_list = {.name = "list", .bare = true, .parse = parse_list};
