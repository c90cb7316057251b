/* jx: see jx.h. */
#include "jx.h"

#include "util.h"

#include <string.h>

json_t *
jx_at(const json_t *o, const char *path)
{
	while (o != NULL && *path != '\0') {
		size_t n = strcspn(path, ".");

		o = json_object_getn(o, path, n);
		path += n;
		if (*path == '.')
			path++;
	}
	return (json_t *)o;
}

const char *
jx_str(const json_t *o, const char *path)
{
	return json_string_value(jx_at(o, path));
}

int64_t
jx_int(const json_t *o, const char *path, int64_t otherwise)
{
	json_t *v = jx_at(o, path);

	if (json_is_integer(v))
		return json_integer_value(v);
	if (json_is_real(v))
		return (int64_t)json_real_value(v);
	return otherwise;
}

int64_t
jx_share(const json_t *v, int64_t of, bool up)
{
	const char *text = json_string_value(v);

	if (text == NULL)
		return json_integer_value(v);
	return (strtoll(text, NULL, 10) * of + (up ? 99 : 0)) / 100;
}

bool
jx_bool(const json_t *o, const char *path)
{
	return json_is_true(jx_at(o, path));
}

const char *
jx_annotation(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(jx_at(o, "metadata.annotations"), name));
}

json_t *
jx_own(json_t *parent, const char *key)
{
	json_t *child = json_object_get(parent, key);
	json_t *copy = json_is_object(child) ? json_copy(child) : json_object();

	json_object_set_new(parent, key, copy);
	return copy;
}

json_t *
jx_own_path(json_t *root, const char *path)
{
	char key[128];

	while (*path != '\0') {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key))
			return root;
		memcpy(key, path, n);
		key[n] = '\0';
		root = jx_own(root, key);
		path += n;
		if (*path == '.')
			path++;
	}
	return root;
}

json_t *
jx_own_list(json_t *parent, const char *key)
{
	json_t *list = json_object_get(parent, key), *copy, *item;
	size_t i;

	if (!json_is_array(list))
		return NULL;
	copy = json_array();
	json_array_foreach(list, i, item)
	    json_array_append_new(copy, json_is_object(item) ? json_copy(item) : json_incref(item));
	json_object_set_new(parent, key, copy);
	return copy;
}

void
jx_set_str(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, json_string(value));
}

void
jx_set_int(json_t *o, const char *key, int64_t value)
{
	json_object_set_new(o, key, json_integer(value));
}

void
jx_set_count(json_t *o, const char *key, int64_t value)
{
	if (value == 0)
		json_object_del(o, key);
	else
		jx_set_int(o, key, value);
}

static int
append(const char *text, size_t n, void *arg)
{
	buf_add(arg, text, n);
	return 0;
}

char *
jx_dump(const json_t *o, size_t *len)
{
	struct buf b = {0};

	buf_add(&b, "", 0);
	json_dump_callback(o, append, &b, JSON_COMPACT | JSON_ENCODE_ANY);
	if (len != NULL)
		*len = b.len;
	return b.p;
}
