/* The YAML writer. Always true: yaml_parse() gives back the value that was written, and readers
 * of YAML 1.1 see the same types, because what they would take for a boolean or a date is
 * quoted. */
#include "base/yaml.h"

#include <string.h>
#include <strings.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "base/yaml_plain.h"

#define DEPTH_MAX 1000
#define KEY_ROOM 1000 /* characters of a key as it is written, quotes included */

static void add_value(struct str *to, const json_t *value, int depth);

/* Words that a reader of YAML 1.1 or 1.2 takes for something else than text. */
static bool
is_special_word(const char *text)
{
	static const char *const words[] = {
	    "y", "n", "yes", "no", "on", "off", "true", "false", "null"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_plain(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t length = strlen(text);
	int64_t ms;

	if (str_duration(text, &ms) == 0)
		return true;
	if (length == 0 || (strchr(letters, text[0]) == NULL && strchr("_/", text[0]) == NULL))
		return false;
	for (size_t i = 0; i < length; i++) {
		char next = text[i + 1];

		if (strchr(letters, text[i]) != NULL || strchr("0123456789_./@=+,()-", text[i]))
			continue;
		if (text[i] == ' ' && next != '\0' && next != ' ')
			continue;
		if (text[i] == ':' && next != '\0' && next != ' ')
			continue;
		return false;
	}
	return !is_special_word(text);
}

/* Characters that libyaml does not take as they are, or takes for the end of a line. */
static bool
must_escape(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
	       point == 0x2029 || point == 0xfeff || point == 0xfffe || point == 0xffff;
}

static uint32_t
code_point(const char *bytes, size_t count)
{
	uint32_t point = (unsigned char)bytes[0];

	if (count > 1)
		point &= 0x7fu >> count;
	for (size_t i = 1; i < count; i++)
		point = point << 6 | ((unsigned char)bytes[i] & 0x3f);
	return point;
}

static void
add_quoted(struct str *to, const char *text)
{
	size_t length = strlen(text), count;

	str_add(to, "\"");
	for (size_t at = 0; at < length; at += count) {
		uint32_t point;

		count = str_utf8_char(text + at, length - at);
		if (count == 0)
			log_fatal("yaml: a text that is not UTF-8");
		point = code_point(text + at, count);
		if (point == '"' || point == '\\')
			str_addf(to, "\\%c", (char)point);
		else if (point == '\n')
			str_add(to, "\\n");
		else if (point == '\t')
			str_add(to, "\\t");
		else if (must_escape(point))
			str_addf(to, "\\u%04x", point);
		else
			str_add_bytes(to, text + at, count);
	}
	str_add(to, "\"");
}

/* Can it stand as a literal block (|)? Lines of printable text, the first not indented, and no
 * empty lines at the end. */
static bool
is_block(const char *text)
{
	size_t length = strlen(text), count;

	if (strchr(text, '\n') == NULL || strchr(" \t\n", text[0]) != NULL ||
	    str_ends(text, "\n\n"))
		return false;
	for (size_t at = 0; at < length; at += count) {
		count = str_utf8_char(text + at, length - at);
		if (count == 0)
			return false;
		if (text[at] != '\n' && text[at] != '\t' &&
		    must_escape(code_point(text + at, count)))
			return false;
		/* Blank lines with spaces in them do not survive at the end. */
		if (text[at] == '\n' && at > 0 && strchr(" \t", text[at - 1]) != NULL)
			return false;
	}
	return strchr(" \t", text[length - 1]) == NULL;
}

static void
add_indent(struct str *to, int depth)
{
	for (int i = 0; i < depth; i++)
		str_add(to, "  ");
}

static void
add_block(struct str *to, const char *text, int depth)
{
	size_t length;

	str_add(to, str_ends(text, "\n") ? "|" : "|-");
	for (; *text != '\0'; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		str_add(to, "\n");
		if (length > 0)
			add_indent(to, depth);
		str_add_bytes(to, text, length);
	}
	str_add(to, "\n");
}

static void
add_text(struct str *to, const char *text)
{
	if (is_plain(text))
		str_add(to, text);
	else
		add_quoted(to, text);
}

/* A key up to its colon. YAML takes at most 1024 characters before the colon, unless the key has
 * a line of its own. */
static void
add_key(struct str *to, const char *key, int depth)
{
	size_t start = to->length;
	struct str own;

	add_text(to, key);
	if (to->length - start <= KEY_ROOM) {
		str_add(to, ":");
		return;
	}
	str_init(&own, 0);
	str_add(&own, to->data + start);
	to->length = start;
	str_addf(to, "? %s\n", str_text(&own));
	str_done(&own);
	add_indent(to, depth);
	str_add(to, ":");
}

/* The members or items, each on lines of its own; the first one continues the current line. */
static void
add_members(struct str *to, const json_t *object, int depth)
{
	json_t *it = (json_t *)object, *value;
	const char *key;
	bool first = true;

	json_object_foreach(it, key, value)
	{
		bool list = json_is_array(value) && json_array_size(value) > 0;
		bool nested = list || (json_is_object(value) && json_object_size(value) > 0);

		if (!first)
			add_indent(to, depth);
		first = false;
		add_key(to, key, depth);
		str_add(to, nested ? "\n" : " ");
		/* Items stand as far left as their key. */
		if (nested)
			add_indent(to, list ? depth : depth + 1);
		add_value(to, value, list ? depth : depth + 1);
	}
}

static void
add_items(struct str *to, const json_t *array, int depth)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			add_indent(to, depth);
		str_add(to, "- ");
		add_value(to, json_array_get(array, i), depth + 1);
	}
}

/* A value from the current place on, with the end of its last line. */
static void
add_value(struct str *to, const json_t *value, int depth)
{
	if (depth > DEPTH_MAX)
		log_fatal("JSON that contains itself cannot be written");
	if (json_is_object(value) && json_object_size(value) > 0) {
		add_members(to, value, depth);
		return;
	}
	if (json_is_array(value) && json_array_size(value) > 0) {
		add_items(to, value, depth);
		return;
	}
	if (json_is_string(value) && depth > 0 && is_block(json_string_value(value))) {
		add_block(to, json_string_value(value), depth);
		return;
	}
	if (json_is_string(value))
		add_text(to, json_string_value(value));
	else
		jsonx_add(to, value);
	str_add(to, "\n");
}

char *
yaml_dump(const json_t *value)
{
	struct str s;

	str_init(&s, 0);
	add_value(&s, value, 0);
	return str_take(&s);
}
