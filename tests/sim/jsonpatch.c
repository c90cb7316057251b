/* jsonpatch: RFC 6902. A document is deep-copied once and changed in place. */
#include "patch.h"

#include "jx.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

/* Where a pointer leads: the parent, and the last token in it. */
struct place {
	json_t *parent;
	char *token;
};

static char *
unescape(const char *from, size_t n)
{
	struct buf b = {0};

	buf_add(&b, "", 0);
	for (size_t i = 0; i < n; i++) {
		if (from[i] == '~' && i + 1 < n && (from[i + 1] == '0' || from[i + 1] == '1'))
			buf_str(&b, from[++i] == '0' ? "~" : "/");
		else
			buf_add(&b, from + i, 1);
	}
	return b.p;
}

/* An index into an array: -1 if the token is none. */
static long
index_of(const char *token)
{
	char *end;
	long i = strtol(token, &end, 10);

	if (*token == '\0' || *end != '\0' || i < 0 || *token == '+' || *token == ' ')
		return -1;
	return i;
}

static json_t *
child(json_t *parent, const char *token)
{
	if (json_is_array(parent)) {
		long i = index_of(token);

		return i < 0 ? NULL : json_array_get(parent, (size_t)i);
	}
	return json_object_get(parent, token);
}

static bool
locate(json_t *root, const char *pointer, struct place *p)
{
	json_t *at = root;

	*p = (struct place){0};
	if (pointer == NULL || *pointer != '/')
		return false;
	for (;;) {
		const char *from = pointer + 1;
		size_t n = strcspn(from, "/");

		p->parent = at;
		p->token = unescape(from, n);
		if (from[n] == '\0')
			return json_is_object(at) || json_is_array(at);
		at = child(at, p->token);
		free(p->token);
		p->token = NULL;
		if (at == NULL)
			return false;
		pointer = from + n;
	}
}

static bool
put_value(const struct place *p, json_t *value, bool replace)
{
	long i;

	if (json_is_object(p->parent)) {
		if (replace && json_object_get(p->parent, p->token) == NULL)
			return false;
		return json_object_set_new(p->parent, p->token, json_deep_copy(value)) == 0;
	}
	if (!replace && strcmp(p->token, "-") == 0)
		return json_array_append_new(p->parent, json_deep_copy(value)) == 0;
	i = index_of(p->token);
	if (i < 0 || (size_t)i > json_array_size(p->parent))
		return false;
	if (replace)
		return json_array_set_new(p->parent, (size_t)i, json_deep_copy(value)) == 0;
	return json_array_insert_new(p->parent, (size_t)i, json_deep_copy(value)) == 0;
}

static bool
remove_value(const struct place *p)
{
	long i;

	if (json_is_object(p->parent))
		return json_object_del(p->parent, p->token) == 0;
	i = index_of(p->token);
	return i >= 0 && json_array_remove(p->parent, (size_t)i) == 0;
}

/* The value that "from" names, owned by the caller; removed from its place if asked. */
static json_t *
take(json_t *root, const char *from, bool remove)
{
	struct place p;
	json_t *v = NULL;

	if (locate(root, from, &p)) {
		v = json_incref(child(p.parent, p.token));
		if (v != NULL && remove)
			remove_value(&p);
	}
	free(p.token);
	return v;
}

static bool
apply(json_t *root, json_t *op)
{
	const char *what = jx_str(op, "op"), *path = jx_str(op, "path");
	json_t *value = json_incref(json_object_get(op, "value"));
	struct place p;
	bool ok = false;

	if (strcmp(what, "move") == 0 || strcmp(what, "copy") == 0)
		value = take(root, jx_str(op, "from"), *what == 'm');
	if (!locate(root, path, &p)) {
		ok = false;
	} else if (strcmp(what, "test") == 0) {
		json_t *have = child(p.parent, p.token);

		ok = have == NULL ? json_is_null(value) : json_equal(have, value);
	} else if (strcmp(what, "remove") == 0) {
		ok = remove_value(&p);
	} else {
		ok = value != NULL && put_value(&p, value, strcmp(what, "replace") == 0);
	}
	free(p.token);
	json_decref(value);
	return ok;
}

static bool
well_formed(const json_t *op)
{
	static const char *const known[] = {"add", "remove", "replace", "move", "copy", "test"};
	const char *what = jx_str(op, "op");

	for (size_t i = 0; what != NULL && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(what, known[i]) == 0)
			return jx_str(op, "path") != NULL;
	return false;
}

json_t *
patch_json(json_t *target, json_t *ops, int *malformed)
{
	json_t *out, *op;
	size_t i;

	*malformed = !json_is_array(ops);
	json_array_foreach(ops, i, op) *malformed |= !well_formed(op);
	if (*malformed)
		return NULL;
	out = json_deep_copy(target);
	json_array_foreach(ops, i, op) if (!apply(out, op))
	{
		json_decref(out);
		return NULL;
	}
	return out;
}
