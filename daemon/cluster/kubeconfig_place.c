/* Getters for what stands in a kubeconfig. Values, which may be secrets, never come into an error.
 */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/kubeconfig_place.h"

static const char *
type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		break;
	}
	return "nothing";
}

int
kubeconfig_locate(const struct kubeconfig_place *place, const char *key, struct err *e)
{
	char path[256];

	str_print(path, sizeof path, "%s%s%s", place->path, *key && *place->path ? "." : "", key);
	return err_wrap(
	    e, "%s, line %d: %s", place->source->file, yaml_line(place->source->lines, path), path);
}

static int
wrong_type(const struct kubeconfig_place *place, const char *key, const json_t *value,
    const char *allowed, struct err *e)
{
	err_set(e, "found %s; allowed is %s", type_name(value), allowed);
	return kubeconfig_locate(place, key, e);
}

/* NULL for absent and for null. */
static json_t *
member(const struct kubeconfig_place *place, const char *key)
{
	json_t *value = json_object_get(place->value, key);

	return json_is_null(value) ? NULL : value;
}

int
kubeconfig_text(const struct kubeconfig_place *place, const char *key, char **to, struct err *e)
{
	json_t *value = member(place, key);

	if (!value)
		return 0;
	if (!json_is_string(value))
		return wrong_type(
		    place, key, value, "a text (in quotes, if it looks otherwise)", e);
	if (*json_string_value(value))
		*to = mem_strdup(json_string_value(value));
	return 0;
}

int
kubeconfig_flag(const struct kubeconfig_place *place, const char *key, bool *to, struct err *e)
{
	json_t *value = member(place, key);

	if (value && !json_is_boolean(value))
		return wrong_type(place, key, value, "true or false", e);
	*to = json_is_true(value);
	return 0;
}

int
kubeconfig_path(const struct kubeconfig_place *place, const char *key, char **to, struct err *e)
{
	char *path = NULL;

	if (kubeconfig_text(place, key, &path, e) < 0)
		return -1;
	if (!path)
		return 0;
	*to = *path == '/' ? mem_strdup(path) : str_format("%s/%s", place->source->folder, path);
	free(path);
	return 0;
}

static int
base64_digit(char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Line breaks are skipped; NULL: not base64, or bytes that are no text. Owned by the caller. */
static char *
base64_decode(const char *text)
{
	char *to = mem_alloc(strlen(text) / 4 * 3 + 4);
	size_t count = 0, digits = 0, padding = 0;
	unsigned bits = 0;

	for (; *text; text++) {
		int digit = base64_digit(*text);

		if (*text == '\n' || *text == '\r' || *text == ' ')
			continue;
		padding += *text == '=';
		if ((digit < 0 && *text != '=') || (digit >= 0 && padding))
			goto bad;
		digits++;
		bits = bits << 6 | (unsigned)(digit < 0 ? 0 : digit);
		if (digits % 4)
			continue;
		to[count++] = (char)(bits >> 16);
		to[count++] = (char)(bits >> 8);
		to[count++] = (char)bits;
	}
	if (digits % 4 || padding > 2 || padding > count)
		goto bad;
	to[count - padding] = '\0';
	if (strlen(to) == count - padding)
		return to;
bad:
	mem_wipe(to, count);
	free(to);
	return NULL;
}

int
kubeconfig_pem(const struct kubeconfig_place *place, const char *key, struct kubeconfig_text *to,
    struct err *e)
{
	char *encoded = NULL, name[64];

	str_print(name, sizeof name, "%s-data", key);
	if (kubeconfig_text(place, name, &encoded, e) < 0)
		return -1;
	if (!encoded)
		return kubeconfig_path(place, key, &to->file, e);
	to->data = base64_decode(encoded);
	mem_wipe(encoded, strlen(encoded));
	free(encoded);
	if (to->data && strstr(to->data, "-----BEGIN "))
		return 0;
	err_set(e, to->data ? "the decoded text is not PEM (no -----BEGIN)"
			    : "found text that is not base64; allowed is a PEM file in base64");
	return kubeconfig_locate(place, name, e);
}

int
kubeconfig_texts(const struct kubeconfig_place *place, const char *key, char ***to, struct err *e)
{
	json_t *list = member(place, key), *value;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return wrong_type(place, key, list, "a list of texts", e);
	json_array_foreach(list, i, value)
	{
		if (!json_is_string(value))
			return wrong_type(place, key, value, "a list of texts", e);
	}
	*to = mem_array(json_array_size(list) + 1, sizeof **to);
	json_array_foreach(list, i, value)(*to)[i] = mem_strdup(json_string_value(value));
	return 0;
}

int
kubeconfig_inner(const struct kubeconfig_place *place, const char *key, struct kubeconfig_place *to,
    struct err *e)
{
	json_t *value = member(place, key);

	if (!value)
		return 0;
	if (!json_is_object(value))
		return wrong_type(place, key, value, "a mapping", e);
	*to = (struct kubeconfig_place){.source = place->source, .value = value};
	str_print(to->path, sizeof to->path, "%s.%s", place->path, key);
	return 1;
}
