/* Names with stars. */
#include "base/glob.h"

#include <string.h>

bool
glob_ok(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length < KEYS_LABEL &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-*") == length;
}

/* The last star takes one more character whenever the rest does not fit: no recursion, and at most
 * as many steps as pattern times text. */
bool
glob_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;
	if (text == NULL)
		return pattern[0] != '\0' && pattern[strspn(pattern, "*")] == '\0';
	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

bool
globs_match(const struct globs *globs, const char *text)
{
	for (int i = 0; i < globs->count; i++)
		if (glob_matches(globs->items[i], text))
			return true;
	return false;
}

bool
globs_match_all(const struct globs *globs)
{
	return globs_match(globs, NULL);
}

void
globs_set(struct globs *globs, const char *only)
{
	*globs = (struct globs){.count = 1};
	str_copy(globs->items[0], sizeof(globs->items[0]), only);
}

json_t *
globs_json(const struct globs *globs)
{
	json_t *list = json_array();
	for (int i = 0; i < globs->count; i++)
		json_array_append_new(list, json_string(globs->items[i]));
	return list;
}

static void
parse_globs(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	struct globs globs = {.count = 0};
	size_t count = json_array_size(value), before = at->errors->count;
	if (count == 0 || count > GLOBS_MAX) {
		keys_wrong(at, key, value);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(value, i));
		size_t mark = keys_enter_item(at, i);
		if (text == NULL || !glob_ok(text))
			keys_error(at,
			    "expected: a name of at most 63 characters a-z, 0-9 and -, with * "
			    "for any; found: %.80s",
			    text == NULL ? "no text" : text);
		else
			str_copy(globs.items[globs.count++], KEYS_LABEL, text);
		keys_leave(at, mark);
	}
	if (at->errors->count == before)
		*(struct globs *)slot = globs;
}

const struct key_type keys_globs = {.name = "list of 1 to 16 names, * stands for any characters",
    .bare = true,
    .schema = "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 16, \"items\": "
	      "{\"type\": \"string\", \"pattern\": \"^[a-z0-9*-]{1,63}$\"}}",
    .parse = parse_globs};
