/* patch: merge patch and strategic merge; JSON patch is in jsonpatch.c. */
#include "patch.h"

#include "jx.h"
#include "util.h"

#include <string.h>

json_t *
patch_merge(json_t *target, json_t *patch)
{
	json_t *out, *v;
	const char *key;

	if (!json_is_object(patch))
		return json_incref(patch);
	out = json_is_object(target) ? json_copy(target) : json_object();
	json_object_foreach(patch, key, v)
	{
		if (json_is_null(v))
			json_object_del(out, key);
		else
			json_object_set_new(out, key, patch_merge(json_object_get(out, key), v));
	}
	return out;
}

const char *
list_merge_key(const char *field, const json_t *list)
{
	static const struct {
		const char *field, *key;
	} keys[] = {{"containers", "name"}, {"initContainers", "name"},
	    {"ephemeralContainers", "name"}, {"env", "name"}, {"volumes", "name"},
	    {"imagePullSecrets", "name"}, {"volumeMounts", "mountPath"}, {"conditions", "type"},
	    {"ownerReferences", "uid"}, {"podIPs", "ip"}, {"hostAliases", "ip"}};
	const json_t *first = json_array_get(list, 0);

	if (first != NULL && !json_is_object(first))
		return NULL;
	if (strcmp(field, "ports") == 0) {
		if (json_object_get(first, "containerPort") != NULL)
			return "containerPort";
		return json_object_get(first, "port") != NULL ? "port" : NULL;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].field, field) == 0)
			return keys[i].key;
	return NULL;
}

int
list_find(const json_t *list, const char *key, const json_t *value)
{
	json_t *item;
	size_t i;

	json_array_foreach(
	    list, i, item) if (json_equal(json_object_get(item, key), value)) return (int)i;
	return -1;
}

static json_t *
without_directives(json_t *patch)
{
	json_t *out, *v;
	const char *key;
	size_t i;

	if (json_is_array(patch)) {
		out = json_array();
		json_array_foreach(patch, i, v) json_array_append_new(out, without_directives(v));
		return out;
	}
	if (!json_is_object(patch))
		return json_incref(patch);
	out = json_object();
	json_object_foreach(patch, key, v) if (*key != '$' && !json_is_null(v))
	    json_object_set_new(out, key, without_directives(v));
	return out;
}

static json_t *
merge_list(json_t *target, json_t *patch, const char *key)
{
	json_t *out = json_is_array(target) ? json_copy(target) : json_array(), *item;
	size_t i;

	json_array_foreach(patch, i, item)
	{
		const char *how = jx_str(item, "$patch");
		int at = list_find(out, key, json_object_get(item, key));

		if (how != NULL && strcmp(how, "replace") == 0) {
			json_array_clear(out);
		} else if (how != NULL && strcmp(how, "delete") == 0) {
			if (at >= 0)
				json_array_remove(out, (size_t)at);
		} else if (at >= 0) {
			json_array_set_new(out, (size_t)at,
			    patch_strategic(json_array_get(out, (size_t)at), item));
		} else {
			json_array_append_new(out, without_directives(item));
		}
	}
	return out;
}

static void
delete_primitives(json_t *out, const char *field, json_t *values)
{
	json_t *list = json_object_get(out, field), *kept = json_array(), *v, *w;
	size_t i, j;

	json_array_foreach(list, i, v)
	{
		bool gone = false;

		json_array_foreach(values, j, w) gone = gone || json_equal(v, w);
		if (!gone)
			json_array_append(kept, v);
	}
	json_object_set_new(out, field, kept);
}

static void
retain_keys(json_t *out, json_t *names)
{
	json_t *copy = json_copy(out), *v, *name;
	const char *key;
	size_t i;

	json_object_foreach(copy, key, v)
	{
		bool keep = false;

		json_array_foreach(names, i, name) keep =
		    keep || strcmp(json_string_value(name), key) == 0;
		if (!keep)
			json_object_del(out, key);
	}
	json_decref(copy);
}

static void
strategic_field(json_t *out, const char *key, json_t *v)
{
	json_t *have = json_object_get(out, key);
	const char *by;

	if (starts_with(key, "$deleteFromPrimitiveList/")) {
		delete_primitives(out, strchr(key, '/') + 1, v);
	} else if (*key == '$') {
		return;
	} else if (json_is_null(v)) {
		json_object_del(out, key);
	} else if (json_is_object(v)) {
		json_object_set_new(out, key, patch_strategic(have, v));
	} else if (json_is_array(v) && strcmp(key, "finalizers") != 0) {
		by = list_merge_key(key, json_array_size(have) > 0 ? have : v);
		if (by != NULL)
			json_object_set_new(out, key, merge_list(have, v, by));
		else
			json_object_set_new(out, key, without_directives(v));
	} else {
		json_object_set(out, key, v);
	}
}

json_t *
patch_strategic(json_t *target, json_t *patch)
{
	const char *how = jx_str(patch, "$patch"), *key;
	json_t *out, *v;

	if (!json_is_object(patch) || (how != NULL && strcmp(how, "replace") == 0))
		return without_directives(patch);
	if (how != NULL && strcmp(how, "delete") == 0)
		return json_object();
	out = json_is_object(target) ? json_copy(target) : json_object();
	if (json_object_get(patch, "$retainKeys") != NULL)
		retain_keys(out, json_object_get(patch, "$retainKeys"));
	json_object_foreach(patch, key, v) strategic_field(out, key, v);
	return out;
}
