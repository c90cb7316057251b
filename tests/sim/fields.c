/* fields: see fields.h. */
#include "fields.h"

#include "jx.h"
#include "map.h"
#include "patch.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

static json_t *set_of(const struct kind *k, const char *field, const json_t *v);

static bool
owned_metadata(const char *key)
{
	return strcmp(key, "labels") == 0 || strcmp(key, "annotations") == 0 ||
	       strcmp(key, "ownerReferences") == 0 || strcmp(key, "finalizers") == 0;
}

/* Whether a set of an object names the object itself as well, as ".". */
static bool
names_itself(const struct kind *k, const char *field)
{
	if (strcmp(field, "metadata") == 0 || *field == '\0')
		return false;
	return k->crd || strcmp(field, "labels") == 0 || strcmp(field, "annotations") == 0 ||
	       strcmp(field, "rollingUpdate") == 0;
}

static bool
atomic_object(const struct kind *k, const char *field)
{
	return !k->crd && strcmp(field, "selector") == 0;
}

char *
fields_item(const struct kind *k, const char *field, const json_t *list, const json_t *item)
{
	const char *by = k->crd || k->id == K_SLICE ? NULL : list_merge_key(field, list);
	json_t *key;
	char *text, *name;

	if (by == NULL || !json_is_object(item))
		return NULL;
	key = json_object();
	json_object_set(key, by, json_object_get(item, by));
	if (strcmp(field, "ports") == 0 && json_object_get(item, "protocol") != NULL)
		json_object_set(key, "protocol", json_object_get(item, "protocol"));
	text = jx_dump(key, NULL);
	name = xfmt("k:%s", text);
	free(text);
	json_decref(key);
	return name;
}

static void
enter(json_t *set, const char *key, json_t *sub)
{
	char *name = xfmt("f:%s", key);

	json_object_set_new(set, name, sub);
	free(name);
}

static json_t *
set_of_list(const struct kind *k, const char *field, const json_t *list)
{
	json_t *set = json_object(), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		char *name = fields_item(k, field, list, item);
		json_t *sub;

		if (name == NULL)
			continue;
		sub = set_of(k, "", item);
		json_object_set_new(sub, ".", json_object());
		json_object_set_new(set, name, sub);
		if (strcmp(field, "containers") != 0)
			json_object_set_new(set, ".", json_object());
		free(name);
	}
	return set;
}

static json_t *
set_of(const struct kind *k, const char *field, const json_t *v)
{
	json_t *set, *child;
	const char *key;

	if (json_is_array(v))
		return set_of_list(k, field, v);
	set = json_object();
	if (!json_is_object(v) || json_object_size(v) == 0 || atomic_object(k, field))
		return set;
	if (names_itself(k, field))
		json_object_set_new(set, ".", json_object());
	json_object_foreach((json_t *)v, key, child) enter(set, key, set_of(k, key, child));
	return set;
}

static json_t *
diff(const struct kind *k, const char *field, const json_t *old, const json_t *next)
{
	json_t *set, *child, *sub;
	const char *key;
	size_t i;

	if (json_equal(old, next))
		return NULL;
	if (json_is_object(next) && json_is_object(old) && !atomic_object(k, field)) {
		set = json_object();
		json_object_foreach((json_t *)next, key, child)
		{
			sub = diff(k, key, json_object_get(old, key), child);
			if (sub != NULL)
				enter(set, key, sub);
		}
	} else if (json_is_array(next) && json_is_array(old)) {
		set = json_object();
		json_array_foreach(next, i, child)
		{
			char *name = fields_item(k, field, next, child);
			const char *by = name != NULL ? list_merge_key(field, next) : NULL;
			int at = by ? list_find(old, by, json_object_get(child, by)) : -1;

			if (name == NULL)
				break;
			sub = at < 0 ? set_of(k, "", child)
				     : diff(k, "", json_array_get(old, (size_t)at), child);
			if (at < 0)
				json_object_set_new(sub, ".", json_object());
			if (sub != NULL)
				json_object_set_new(set, name, sub);
			free(name);
		}
		return set;
	} else {
		return set_of(k, field, next);
	}
	if (json_object_size(set) == 0) {
		json_decref(set);
		return NULL;
	}
	return set;
}

/* The part of an object that managers own: no identity, no server-set metadata. */
static json_t *
ownable(const json_t *object)
{
	json_t *out = json_object(), *meta = json_object(), *v;
	const char *key;

	json_object_foreach(json_object_get(object, "metadata"), key, v) if (owned_metadata(key))
	    json_object_set(meta, key, v);
	if (json_object_size(meta) > 0)
		json_object_set(out, "metadata", meta);
	json_decref(meta);
	json_object_foreach((json_t *)object, key, v)
	{
		if (strcmp(key, "metadata") == 0 || strcmp(key, "kind") == 0 ||
		    strcmp(key, "apiVersion") == 0)
			continue;
		if (strcmp(key, "status") != 0 || json_object_size(v) > 0)
			json_object_set(out, key, v);
	}
	return out;
}

json_t *
fields_of(const struct kind *k, const json_t *object)
{
	json_t *part = ownable(object), *set = set_of(k, "", part);

	json_decref(part);
	return set;
}

json_t *
fields_diff(const struct kind *k, const json_t *old, const json_t *next)
{
	json_t *a = ownable(old), *b = ownable(next), *set = diff(k, "", a, b);

	json_decref(a);
	json_decref(b);
	return set != NULL ? set : json_object();
}

void
fields_add(json_t *set, const json_t *plus)
{
	const char *key;
	json_t *v, *have;

	json_object_foreach((json_t *)plus, key, v)
	{
		have = json_object_get(set, key);
		if (have == NULL)
			json_object_set_new(set, key, json_deep_copy(v));
		else
			fields_add(have, v);
	}
}

void
fields_take(json_t *set, const json_t *minus)
{
	const char *key;
	json_t *v, *have;

	json_object_foreach((json_t *)minus, key, v)
	{
		have = json_object_get(set, key);
		if (have == NULL || json_object_size(have) == 0) {
			if (have != NULL && json_object_size(v) == 0)
				json_object_del(set, key);
			continue;
		}
		if (json_object_size(v) > 0)
			fields_take(have, v);
		if (json_object_size(v) == 0 || json_object_size(have) == 0 ||
		    (json_object_size(have) == 1 && json_object_get(have, ".") != NULL))
			json_object_del(set, key);
	}
}

static bool
same_writer(const json_t *entry, const struct writer *w)
{
	const char *sub = jx_str(entry, "subresource");

	return strcmp(jx_str(entry, "manager"), w->manager) == 0 &&
	       strcmp(jx_str(entry, "operation"), w->operation) == 0 &&
	       strcmp(sub != NULL ? sub : "", w->subresource != NULL ? w->subresource : "") == 0;
}

static json_t *
new_entry(const struct writer *w)
{
	char now[32];
	json_t *e;

	wall_text(now, sizeof(now));
	e = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}}", "manager", w->manager, "operation",
	    w->operation, "apiVersion", w->api_version, "time", now, "fieldsType", "FieldsV1",
	    "fieldsV1");
	if (w->subresource != NULL)
		jx_set_str(e, "subresource", w->subresource);
	return e;
}

/* Sets of fields are alike in thousands of objects, so equal ones are kept once. The table is
 * emptied when it has grown large; what is in use stays alive by its references. */
static void
share(json_t *entry)
{
	static struct map shared;
	json_t *set = json_object_get(entry, "fieldsV1"), *known;
	const struct map_slot *slot;
	char *text = jx_dump(set, NULL);
	size_t i = 0;

	known = map_get(&shared, text);
	if (known != NULL) {
		json_object_set(entry, "fieldsV1", known);
	} else {
		if (shared.used > 2000) {
			while ((slot = map_next(&shared, &i)) != NULL)
				json_decref(slot->value);
			map_free(&shared);
		}
		map_set(&shared, text, json_incref(set));
	}
	free(text);
}

json_t *
fields_managed(const struct kind *k, const json_t *old, const json_t *next, const struct writer *w,
    json_t *applied)
{
	json_t *list = json_array(), *entry, *mine = NULL, *had = NULL;
	json_t *set = old != NULL ? fields_diff(k, old, next) : fields_of(k, next);
	json_t *gone = old != NULL ? fields_diff(k, next, old) : json_object();
	size_t i;

	json_array_foreach(jx_at(old, "metadata.managedFields"), i, entry)
	{
		json_t *copy, *fields;

		if (same_writer(entry, w)) {
			had = json_object_get(entry, "fieldsV1");
			if (applied == NULL && json_object_size(set) == 0)
				mine = json_incref(entry);
			continue;
		}
		copy = json_copy(entry);
		fields = json_deep_copy(json_object_get(entry, "fieldsV1"));
		json_object_set_new(copy, "fieldsV1", fields);
		fields_take(fields, set);
		fields_take(fields, gone);
		if (json_object_size(fields) > 0) {
			share(copy);
			json_array_append(list, copy);
		}
		json_decref(copy);
	}
	if (mine == NULL) {
		mine = new_entry(w);
		if (applied == NULL && had != NULL) {
			json_t *mix = json_deep_copy(had);

			fields_take(mix, gone);
			fields_add(mix, set);
			json_object_set_new(mine, "fieldsV1", mix);
		} else {
			json_object_set(mine, "fieldsV1", applied != NULL ? applied : set);
		}
	}
	if (json_object_size(json_object_get(mine, "fieldsV1")) > 0) {
		share(mine);
		json_array_append(list, mine);
	}
	json_decref(mine);
	json_decref(set);
	json_decref(gone);
	return list;
}
