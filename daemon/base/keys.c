/* Reading objects by a table of keys. Always true: a slot is written only with a value that its
 * key allows, and every key that is there but not in the table is an error. */
#include "base/keys.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"

enum { FOUND_TEXT = 48, KEYS_OF_A_TABLE = 32 };

/* Paths are written as base/yaml.h has them, so that a line can be found for each. */
size_t
keys_enter(struct keys_at *at, const char *key)
{
	size_t mark = strlen(at->path);
	struct str step;

	str_init(&step, 0);
	if (mark > 0)
		str_add(&step, ".");
	for (const char *c = key; *c != '\0'; c++) {
		bool control = (unsigned char)*c < 0x20 || *c == 0x7f;

		str_add_bytes(&step, control ? "?" : c, 1);
	}
	str_copy(at->path + mark, sizeof(at->path) - mark, str_text(&step));
	str_done(&step);
	return mark;
}

size_t
keys_enter_item(struct keys_at *at, size_t index)
{
	size_t mark = strlen(at->path);

	str_print(at->path + mark, sizeof(at->path) - mark, "[%zu]", index);
	return mark;
}

void
keys_leave(struct keys_at *at, size_t mark)
{
	at->path[mark] = '\0';
}

/* --- words for people ------------------------------------------------------------------------ */

static void
add_choices(struct str *to, const char *const *choices)
{
	for (int i = 0; choices[i] != NULL; i++)
		str_addf(to, "%s%s", i == 0 ? "" : " | ", choices[i]);
}

static void
add_range(struct str *to, const struct key *key)
{
	char least[32], most[32];

	if (key->type == &keys_duration) {
		str_duration_text(key->min, least, sizeof(least));
		str_duration_text(key->max, most, sizeof(most));
		str_addf(to, " from %s to %s", least, most);
	} else if (key->type == &keys_int) {
		str_addf(to, " from %lld to %lld", (long long)key->min, (long long)key->max);
	} else if (key->type == &keys_real) {
		str_addf(to, " of at least %lld", (long long)key->min);
	} else if (key->type == &keys_text || key->type == &keys_name) {
		str_addf(to, " of at most %lld bytes", (long long)key->max - 1);
	} else if (key->type == &keys_list) {
		str_addf(to, " of at most %lld", (long long)key->max);
	}
}

void
keys_allowed(const struct key *key, struct str *to)
{
	if (key->choices != NULL) {
		add_choices(to, key->choices);
		return;
	}
	str_add(to, key->type->name);
	add_range(to, key);
}

static void
add_found(struct str *to, const json_t *found)
{
	char *text = jsonx_dump(found), cut[FOUND_TEXT + 1];

	switch (json_typeof(found)) {
	case JSON_OBJECT:
		str_addf(to, "an object with %zu keys", json_object_size(found));
		break;
	case JSON_ARRAY:
		str_addf(to, "a list of %zu", json_array_size(found));
		break;
	case JSON_STRING:
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
		if (!str_copy(cut, sizeof(cut), text))
			str_addf(to, "%s…", cut);
		else
			str_add(to, text);
		break;
	case JSON_NULL:
		str_add(to, "nothing (null)");
		break;
	}
	free(text);
}

void
keys_wrong(struct keys_at *at, const struct key *key, const json_t *found)
{
	struct str text;

	str_init(&text, 900);
	str_add(&text, "expected: ");
	keys_allowed(key, &text);
	str_add(&text, "; found: ");
	add_found(&text, found);
	keys_error(at, "%s", str_text(&text));
	str_done(&text);
}

static size_t
least_of(size_t a, size_t b, size_t c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many letters must be changed, added or taken away; case does not count. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[FOUND_TEXT + 1], width = strnlen(b, FOUND_TEXT);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0' && i <= FOUND_TEXT; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t same = corner + (lower(a[i - 1]) != lower(b[j - 1]));

			corner = row[j];
			row[j] = least_of(same, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[width];
}

const char *
keys_nearest(const char *text, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t best = strnlen(text, FOUND_TEXT) / 2 + 1;

	for (size_t i = 0; i < count; i++) {
		size_t far = distance(text, candidates[i]);

		if (far < best && far < strlen(candidates[i])) {
			best = far;
			nearest = candidates[i];
		}
	}
	return nearest;
}

/* --- objects --------------------------------------------------------------------------------- */

static void
unknown_key(const struct key *table, const char *name, struct keys_at *at)
{
	const char *names[KEYS_OF_A_TABLE], *nearest;
	size_t count = 0, mark;
	struct str text;

	str_init(&text, 900);
	str_add(&text, "there is no such key");
	for (; count < KEYS_OF_A_TABLE && table[count].name != NULL; count++)
		names[count] = table[count].name;
	nearest = keys_nearest(name, names, count);
	if (nearest != NULL)
		str_addf(&text, "; did you mean \"%s\"?", nearest);
	str_add(&text, nearest != NULL ? " Allowed here: " : "; allowed here: ");
	for (size_t i = 0; i < count; i++)
		str_addf(&text, "%s%s", i == 0 ? "" : ", ", names[i]);
	mark = keys_enter(at, name);
	keys_error(at, "%s", str_text(&text));
	keys_leave(at, mark);
	str_done(&text);
}

static const struct key *
find_key(const struct key *table, const char *name)
{
	while (table->name != NULL && strcmp(table->name, name) != 0)
		table++;
	return table->name == NULL ? NULL : table;
}

static json_t *
default_value(const struct key *key)
{
	if (key->type->bare)
		return json_loads(key->otherwise, JSON_DECODE_ANY, NULL);
	return json_string(key->otherwise);
}

static void
read_key(const struct key *key, const json_t *object, void *record, struct keys_at *at)
{
	json_t *given = json_object_get(object, key->name);
	size_t mark = keys_enter(at, key->name);
	void *slot = (char *)record + key->offset;

	if (given != NULL) {
		key->type->parse(key, given, slot, at);
	} else if (key->otherwise != NULL) {
		json_t *value = default_value(key);

		key->type->parse(key, value, slot, at);
		json_decref(value);
	} else if (key->required) {
		keys_error(at, "is missing: %s", key->help);
	}
	keys_leave(at, mark);
}

void
keys_read(const struct key *table, const json_t *object, void *record, struct keys_at *at)
{
	json_t *walk = (json_t *)object, *value;
	const char *name;

	json_object_foreach(walk, name, value)
	{
		if (find_key(table, name) == NULL)
			unknown_key(table, name, at);
	}
	for (const struct key *key = table; key->name != NULL; key++)
		read_key(key, object, record, at);
}

/* --- the reference --------------------------------------------------------------------------- */

void
keys_reference(const struct key *table, const char *prefix, struct str *to)
{
	for (const struct key *key = table; key->name != NULL; key++) {
		char *path = str_format("%s%s", prefix, key->name);
		bool items = key->type == &keys_list;
		bool plain = key->type != &keys_object && !items;

		str_addf(to, "%s: ", path);
		keys_allowed(key, to);
		if (key->required)
			str_add(to, ", required");
		else if (plain && key->otherwise != NULL)
			str_addf(to, ", default %s", key->otherwise);
		str_addf(to, ". %s\n", key->help);
		if (key->inside != NULL) {
			char *below = str_format("%s%s.", path, items ? "[]" : "");

			keys_reference(key->inside, below, to);
			free(below);
		}
		free(path);
	}
}
