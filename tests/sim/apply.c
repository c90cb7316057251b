/* apply: see apply.h. */
#include "apply.h"

#include "fields.h"
#include "jx.h"
#include "patch.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

struct hunt {
	const struct kind *k;
	json_t *found;
	const char *who;
};

static void hunt_object(
    struct hunt *h, const json_t *want, const json_t *live, const json_t *set, const char *path);

static void
hunt_value(
    struct hunt *h, const char *field, json_t *want, json_t *live, json_t *set, const char *path)
{
	json_t *item;
	size_t i;
	bool deeper = false;

	if (json_is_object(want) && json_object_size(set) > 0) {
		hunt_object(h, want, live, set, path);
		return;
	}
	json_array_foreach(want, i, item)
	{
		char *name = fields_item(h->k, field, want, item), *below;
		const char *by = name != NULL ? list_merge_key(field, want) : NULL;
		int at = by ? list_find(live, by, json_object_get(item, by)) : -1;

		deeper = deeper || name != NULL;
		if (at >= 0 && json_object_get(set, name) != NULL) {
			below = xfmt("%s[%s]", path, name + 2);
			hunt_object(h, item, json_array_get(live, (size_t)at),
			    json_object_get(set, name), below);
			free(below);
		}
		free(name);
	}
	if (!deeper && !json_equal(want, live))
		json_array_append_new(
		    h->found, json_pack("{s:s, s:s}", "field", path, "who", h->who));
}

static void
hunt_object(
    struct hunt *h, const json_t *want, const json_t *live, const json_t *set, const char *path)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)want, key, v)
	{
		char *name = xfmt("f:%s", key), *below = xfmt("%s.%s", path, key);
		json_t *sub = json_object_get(set, name);

		if (sub != NULL)
			hunt_value(h, key, v, json_object_get(live, key), sub, below);
		free(name);
		free(below);
	}
}

/* How the error names a manager; the caller frees. */
static char *
who_is(const json_t *entry)
{
	const char *sub = jx_str(entry, "subresource");
	struct buf b = {0};

	buf_fmt(&b, "conflict with \"%s\"", jx_str(entry, "manager"));
	if (sub != NULL)
		buf_fmt(&b, " with subresource \"%s\"", sub);
	if (strcmp(jx_str(entry, "operation"), "Update") == 0)
		buf_fmt(&b, " using %s", jx_str(entry, "apiVersion"));
	return b.p;
}

json_t *
apply_conflicts(const struct kind *k, const json_t *live, const json_t *config, const char *manager)
{
	struct hunt h = {.k = k, .found = json_array()};
	json_t *entry;
	size_t i;

	json_array_foreach(jx_at(live, "metadata.managedFields"), i, entry)
	{
		const char *m = jx_str(entry, "manager");
		char *who;

		if (strcmp(m, manager) == 0 && strcmp(jx_str(entry, "operation"), "Apply") == 0)
			continue;
		who = who_is(entry);
		h.who = who;
		hunt_object(&h, config, live, json_object_get(entry, "fieldsV1"), "");
		free(who);
	}
	return h.found;
}

static json_t *merge(const struct kind *k, const char *field, json_t *live, json_t *want);

static json_t *
merge_list(const struct kind *k, const char *field, json_t *live, json_t *want)
{
	const char *by = k->crd ? NULL : list_merge_key(field, want);
	json_t *out, *item;
	size_t i;

	if (by == NULL || !json_is_array(live))
		return json_incref(want);
	out = json_copy(live);
	json_array_foreach(want, i, item)
	{
		int at = list_find(out, by, json_object_get(item, by));

		if (at < 0)
			json_array_append(out, item);
		else
			json_array_set_new(
			    out, (size_t)at, merge(k, "", json_array_get(out, (size_t)at), item));
	}
	return out;
}

static json_t *
merge(const struct kind *k, const char *field, json_t *live, json_t *want)
{
	json_t *out, *v;
	const char *key;

	if (json_is_array(want))
		return merge_list(k, field, live, want);
	if (!json_is_object(want))
		return json_incref(want);
	out = json_is_object(live) ? json_copy(live) : json_object();
	json_object_foreach(want, key, v) if (!json_is_null(v))
	    json_object_set_new(out, key, merge(k, key, json_object_get(out, key), v));
	return out;
}

static json_t *drop(const struct kind *k, const char *field, json_t *live, json_t *set);

static json_t *
drop_items(const struct kind *k, const char *field, json_t *live, json_t *set)
{
	json_t *out = json_array(), *item;
	size_t i;

	json_array_foreach(live, i, item)
	{
		char *name = fields_item(k, field, live, item);
		json_t *sub = name != NULL ? json_object_get(set, name) : NULL;

		if (sub == NULL)
			json_array_append(out, item);
		else if (json_object_get(sub, ".") == NULL)
			json_array_append_new(out, drop(k, "", item, sub));
		free(name);
	}
	return out;
}

/* live without the leaves of a set. */
static json_t *
drop(const struct kind *k, const char *field, json_t *live, json_t *set)
{
	json_t *out, *sub;
	const char *key;

	if (json_is_array(live))
		return drop_items(k, field, live, set);
	if (!json_is_object(live))
		return json_incref(live);
	out = json_copy(live);
	json_object_foreach(set, key, sub)
	{
		json_t *child = starts_with(key, "f:") ? json_object_get(out, key + 2) : NULL;

		if (child == NULL)
			continue;
		if (json_object_size(sub) == 0)
			json_object_del(out, key + 2);
		else
			json_object_set_new(out, key + 2, drop(k, key + 2, child, sub));
	}
	return out;
}

json_t *
apply_merge(const struct kind *k, json_t *live, json_t *config, const char *manager)
{
	json_t *gone = json_object(), *wanted = fields_of(k, config), *entry, *lean, *out;
	size_t i;

	json_array_foreach(jx_at(live, "metadata.managedFields"), i,
	    entry) if (strcmp(jx_str(entry, "manager"), manager) == 0 &&
		       strcmp(jx_str(entry, "operation"), "Apply") == 0)
	    fields_add(gone, json_object_get(entry, "fieldsV1"));
	fields_take(gone, wanted);
	json_array_foreach(jx_at(live, "metadata.managedFields"), i,
	    entry) if (strcmp(jx_str(entry, "manager"), manager) != 0 ||
		       strcmp(jx_str(entry, "operation"), "Apply") != 0)
	    fields_take(gone, json_object_get(entry, "fieldsV1"));
	lean = drop(k, "", live, gone);
	out = merge(k, "", lean, config);
	json_decref(lean);
	json_decref(gone);
	json_decref(wanted);
	return out;
}
