/* Getters for JSON of others, and the one writer of JSON. Always true: whatever the shape of
 * the value, a getter gives the thing of the asked type or "not there". */
#include "base/jsonx.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include "base/log.h"

#define KEY_MAX 512
#define DEPTH_MAX 64
#define EXACT_MAX 9007199254740992.0 /* 2^53: up to here a real holds every integer */

/* Copies the next step of the path, up to an unescaped dot, and moves *path behind it. */
static bool
next_step(const char **path, char key[KEY_MAX])
{
	const char *from = *path;
	size_t length = 0;

	while (*from != '\0' && *from != '.') {
		if (*from == '\\' && from[1] != '\0')
			from++;
		if (length + 1 >= KEY_MAX)
			return false;
		key[length++] = *from++;
	}
	key[length] = '\0';
	*path = *from == '.' ? from + 1 : from;
	return true;
}

json_t *
jsonx_at(const json_t *root, const char *path)
{
	const json_t *at = root;
	char key[KEY_MAX];
	int64_t index;

	while (at != NULL && *path != '\0') {
		if (!next_step(&path, key))
			return NULL;
		if (json_is_object(at))
			at = json_object_get(at, key);
		else if (json_is_array(at) && str_number(key, 0, INT32_MAX, &index) == 0)
			at = json_array_get(at, (size_t)index);
		else
			at = NULL;
	}
	return (json_t *)at;
}

const char *
jsonx_text(const json_t *root, const char *path)
{
	return json_string_value(jsonx_at(root, path));
}

const char *
jsonx_text_or(const json_t *root, const char *path, const char *otherwise)
{
	const char *text = jsonx_text(root, path);

	return text == NULL ? otherwise : text;
}

int64_t
jsonx_int(const json_t *root, const char *path, int64_t otherwise)
{
	const json_t *value = jsonx_at(root, path);
	double real;

	if (json_is_integer(value))
		return json_integer_value(value);
	if (!json_is_real(value))
		return otherwise;
	real = json_real_value(value);
	if (fabs(real) > EXACT_MAX || (double)(int64_t)real != real)
		return otherwise;
	return (int64_t)real;
}

int
jsonx_count(const json_t *root, const char *path, int otherwise)
{
	int64_t number = jsonx_int(root, path, -1);

	return number < 0 || number > INT_MAX ? otherwise : (int)number;
}

double
jsonx_real(const json_t *root, const char *path, double otherwise)
{
	const json_t *value = jsonx_at(root, path);

	return json_is_number(value) ? json_number_value(value) : otherwise;
}

bool
jsonx_bool(const json_t *root, const char *path, bool otherwise)
{
	const json_t *value = jsonx_at(root, path);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* The deepest nesting of brackets outside of strings; exact for valid JSON. */
static size_t
depth_of(const char *bytes, size_t length)
{
	size_t depth = 0, deepest = 0;
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		char c = bytes[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{'))
			deepest = ++depth > deepest ? depth : deepest;
		else if (!quoted && (c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return deepest;
}

/* The parser's text quotes the input, also where that is no text. */
static void
clean(char *text)
{
	while (*text != '\0') {
		size_t length = str_utf8_char(text, strlen(text));

		if (length == 0 || (unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
		text += length == 0 ? 1 : length;
	}
}

json_t *
jsonx_parse(const char *bytes, size_t length, size_t limit, struct err *e)
{
	json_error_t error;
	json_t *value;

	if (length == 0) {
		err_set(e, "JSON expected, found nothing");
		return NULL;
	}
	if (length > limit) {
		err_set(e, "the JSON text has %zu bytes; at most %zu are taken", length, limit);
		return NULL;
	}
	if (depth_of(bytes, length) > DEPTH_MAX) {
		err_set(e, "the JSON text is nested deeper than %d levels", DEPTH_MAX);
		return NULL;
	}
	value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value == NULL) {
		clean(error.text);
		err_set(e, "not valid JSON, line %d column %d: %s", error.line, error.column,
		    error.text);
	}
	return value;
}

void
jsonx_add_text(struct str *to, const char *text, size_t length)
{
	size_t from = 0;

	str_add(to, "\"");
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		str_add_bytes(to, text + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\')
			str_addf(to, "\\%c", c);
		else if (c == '\n' || c == '\t' || c == '\r')
			str_add(to, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
		else
			str_addf(to, "\\u%04x", c);
	}
	str_add_bytes(to, text + from, length - from);
	str_add(to, "\"");
}

void
jsonx_add_real(struct str *to, double value)
{
	char text[40];
	double again;

	for (int digits = 15; digits <= 17; digits++) {
		str_print(text, sizeof(text), "%.*g", digits, value);
		if (str_real(text, &again) == 0 && again == value)
			break;
	}
	str_add(to, text);
	if (text[strcspn(text, ".e")] == '\0')
		str_add(to, ".0");
}

static void add_value(struct str *to, const json_t *value, int depth);

static void
add_array(struct str *to, const json_t *array, int depth)
{
	str_add(to, "[");
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			str_add(to, ",");
		add_value(to, json_array_get(array, i), depth + 1);
	}
	str_add(to, "]");
}

static void
add_object(struct str *to, const json_t *object, int depth)
{
	json_t *it = (json_t *)object, *value;
	const char *key, *between = "";

	str_add(to, "{");
	json_object_foreach(it, key, value)
	{
		str_add(to, between);
		jsonx_add_text(to, key, strlen(key));
		str_add(to, ":");
		add_value(to, value, depth + 1);
		between = ",";
	}
	str_add(to, "}");
}

static void
add_value(struct str *to, const json_t *value, int depth)
{
	if (depth > 1000)
		log_fatal("JSON that contains itself cannot be written");
	switch (value == NULL ? JSON_NULL : json_typeof(value)) {
	case JSON_OBJECT:
		add_object(to, value, depth);
		break;
	case JSON_ARRAY:
		add_array(to, value, depth);
		break;
	case JSON_STRING:
		jsonx_add_text(to, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		str_addf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		jsonx_add_real(to, json_real_value(value));
		break;
	case JSON_TRUE:
		str_add(to, "true");
		break;
	case JSON_FALSE:
		str_add(to, "false");
		break;
	case JSON_NULL:
		str_add(to, "null");
		break;
	}
}

void
jsonx_add(struct str *to, const json_t *value)
{
	add_value(to, value, 0);
}

json_t *
jsonx_time(int64_t wall_ms)
{
	char text[40];

	if (wall_ms == 0)
		return json_null();
	str_time_text(wall_ms, text, sizeof(text));
	return json_string(text);
}

char *
jsonx_dump(const json_t *value)
{
	struct str s;

	str_init(&s, 0);
	jsonx_add(&s, value);
	return str_take(&s);
}
