#include "patch.h"
#include <stdbool.h>
#include <string.h>
#include "base/jsonx.h"

/* What is no place in an array is none that there is. */
static size_t
index_of(const char *key)
{
	int64_t index;

	return str_number(key, 0, INT32_MAX, &index) == 0 ? (size_t)index : SIZE_MAX;
}

/* The value that holds the path's last part, which goes to key. Keys with ~ are none of ours. */
static json_t *
walk(json_t *at, const char *path, char *key, size_t size)
{
	while (at != NULL && *path == '/') {
		size_t length = strcspn(path + 1, "/");

		str_print(key, size, "%.*s", (int)length, path + 1);
		path += 1 + length;
		if (*path == '\0')
			return at;
		at = json_is_array(at) ? json_array_get(at, index_of(key))
				       : json_object_get(at, key);
	}
	return NULL;
}

static bool
in_array(json_t *array, const char *key, const char *op, json_t *value)
{
	bool end = strcmp(key, "-") == 0;
	size_t size = json_array_size(array), i = end ? size : index_of(key);

	if (strcmp(op, "add") == 0)
		return json_array_insert(array, i, value) == 0;
	if (i >= size)
		return false;
	return strcmp(op, "remove") == 0 ? json_array_remove(array, i) == 0
					 : json_array_set(array, i, value) == 0;
}

static bool
in_object(json_t *object, const char *key, const char *op, json_t *value)
{
	bool there = json_object_get(object, key) != NULL;

	if (!there && strcmp(op, "add") != 0)
		return false;
	return strcmp(op, "remove") == 0 ? json_object_del(object, key) == 0
					 : json_object_set(object, key, value) == 0;
}

json_t *
patch_apply(const json_t *object, const json_t *patch)
{
	json_t *result = json_deep_copy(object), *step, *value;
	char key[512];
	size_t i;

	json_array_foreach(patch, i, step)
	{
		const char *op = jsonx_text_or(step, "op", "");
		json_t *in = walk(result, jsonx_text_or(step, "path", ""), key, sizeof(key));
		bool good;

		value = json_deep_copy(json_object_get(step, "value"));
		good = json_is_array(in) ? in_array(in, key, op, value)
					 : json_is_object(in) && in_object(in, key, op, value);
		json_decref(value);
		if (!good) {
			json_decref(result);
			return NULL;
		}
	}
	return result;
}
