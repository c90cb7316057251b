/* write: creations and changes of objects: what the server keeps, adds, refuses and counts. */
#include "api.h"
#include "defaults.h"
#include "fields.h"
#include "gc.h"
#include "jx.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
sub_or_null(const struct req *q)
{
	return q->sub[0] != '\0' ? q->sub : NULL;
}

/* Everything but metadata and status. */
static bool
same_spec(const json_t *a, const json_t *b)
{
	json_t *x = json_copy((json_t *)a), *y = json_copy((json_t *)b);
	bool same;

	json_object_del(x, "metadata");
	json_object_del(x, "status");
	json_object_del(y, "metadata");
	json_object_del(y, "status");
	same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

/* Equal but for resourceVersion and managedFields. */
static bool
same_content(const json_t *a, const json_t *b)
{
	json_t *x = json_copy((json_t *)a), *y = json_copy((json_t *)b), *m, *n;
	bool same;

	m = jx_own(x, "metadata");
	n = jx_own(y, "metadata");
	json_object_del(m, "resourceVersion");
	json_object_del(m, "managedFields");
	json_object_del(n, "resourceVersion");
	json_object_del(n, "managedFields");
	same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

/* Empty maps and lists are not stored. */
static void
drop_empty(json_t *meta)
{
	if (json_object_size(json_object_get(meta, "annotations")) == 0)
		json_object_del(meta, "annotations");
	if (json_object_size(json_object_get(meta, "labels")) == 0)
		json_object_del(meta, "labels");
	if (json_array_size(json_object_get(meta, "finalizers")) == 0)
		json_object_del(meta, "finalizers");
}

static void
keep_metadata(const struct obj *cur, json_t *next)
{
	static const char *const kept[] = {"name", "namespace", "uid", "creationTimestamp",
	    "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
	    "managedFields", "resourceVersion"};
	json_t *have = json_object_get(cur->json, "metadata"), *meta = jx_own(next, "metadata");

	json_object_del(meta, "selfLink");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		json_t *v = json_object_get(have, kept[i]);

		if (v != NULL)
			json_object_set(meta, kept[i], v);
		else
			json_object_del(meta, kept[i]);
	}
	drop_empty(meta);
}

static void
set_identity(const struct kind *k, json_t *next)
{
	char version[96];

	jx_set_str(next, "apiVersion", kind_api_version(k, NULL, version));
	jx_set_str(next, "kind", k->name);
}

/* What a change may not touch, put back. */
static json_t *
restrict_change(struct req *q, struct obj *cur, json_t *next)
{
	json_t *out;

	if (strcmp(q->sub, "status") == 0) {
		out = json_copy(cur->json);
		if (json_object_get(next, "status") != NULL)
			json_object_set(out, "status", json_object_get(next, "status"));
		json_decref(next);
		return out;
	}
	out = json_copy(next);
	json_decref(next);
	set_identity(cur->kind, out);
	keep_metadata(cur, out);
	if (cur->kind->status) {
		if (json_object_get(cur->json, "status") != NULL)
			json_object_set(out, "status", json_object_get(cur->json, "status"));
		else
			json_object_del(out, "status");
	}
	return out;
}

static int
fail_uid(struct req *q, struct reply *r, const char *uid)
{
	char *text = xfmt("Invalid value: \"%s\": field is immutable", uid);

	fail_invalid(r, q->kind, q->name, "metadata.uid", "FieldValueInvalid", text);
	free(text);
	return -1;
}

static int
check_preconditions(
    struct req *q, struct reply *r, const struct obj *cur, const json_t *next, const char *rv)
{
	const char *uid = jx_str(next, "metadata.uid"), *name = jx_str(next, "metadata.name");

	if (rv != NULL && *rv != '\0' && strtoull(rv, NULL, 10) != cur->rv)
		return fail_conflict(r, q->kind, q->name);
	if (uid != NULL && strcmp(uid, cur->uid) != 0) {
		if (q->verb == V_UPDATE)
			return fail_precondition(r, q->kind, q->name, cur->uid, uid);
		return fail_uid(q, r, uid);
	}
	if (name != NULL && strcmp(name, q->name) != 0)
		return fail_request(r, "the name of the object does not match the name on the URL");
	return 0;
}

static void
answer(struct req *q, struct reply *r, int code, json_t *json)
{
	r->code = code;
	json_decref(r->body);
	r->body = api_view(q, json);
}

int
api_store(
    struct req *q, struct reply *r, struct obj *cur, json_t *next, const char *how, json_t *applied)
{
	char version[96];
	struct writer w = {
	    q->manager, how, sub_or_null(q), kind_api_version(q->kind, q->version, version)};
	json_t *managed;

	if (check_preconditions(q, r, cur, next, jx_str(next, "metadata.resourceVersion")) < 0) {
		json_decref(next);
		return -1;
	}
	next = restrict_change(q, cur, next);
	defaults_add(q->kind, next);
	if (defaults_check(q->kind, cur->json, next, r) < 0) {
		json_decref(next);
		return -1;
	}
	managed = fields_managed(q->kind, cur->json, next, &w, applied);
	if (same_content(cur->json, next) &&
	    (applied == NULL || json_array_size(managed) ==
				    json_array_size(jx_at(cur->json, "metadata.managedFields")))) {
		json_decref(managed);
		json_decref(next);
		answer(q, r, 200, cur->json);
		return 0;
	}
	json_object_set_new(jx_own(next, "metadata"), "managedFields", managed);
	if (q->kind->generations && !same_spec(cur->json, next))
		jx_set_int(jx_own(next, "metadata"), "generation",
		    jx_int(cur->json, "metadata.generation", 1) + 1);
	if (q->dry) {
		answer(q, r, 200, next);
		json_decref(next);
		return 0;
	}
	store_put(q->kind, cur, next);
	answer(q, r, 200, cur->json);
	gc_settle(cur);
	return 0;
}

static void
new_metadata(struct req *q, json_t *next)
{
	json_t *meta = jx_own(next, "metadata");
	char text[64], *name;
	const char *base = jx_str(meta, "generateName");

	if (q->name[0] != '\0') {
		jx_set_str(meta, "name", q->name); /* an apply */
	} else if (jx_str(meta, "name") == NULL && base != NULL) {
		rnd_suffix(text, 5);
		name = xfmt("%s%s", base, text);
		jx_set_str(meta, "name", name);
		free(name);
	}
	if (q->kind->namespaced)
		jx_set_str(meta, "namespace", q->ns);
	else
		json_object_del(meta, "namespace");
	rnd_uuid(text);
	jx_set_str(meta, "uid", text);
	wall_text(text, sizeof(text));
	jx_set_str(meta, "creationTimestamp", text);
	if (q->kind->generations)
		jx_set_int(meta, "generation", 1);
	json_object_del(meta, "deletionTimestamp");
	json_object_del(meta, "managedFields");
	json_object_del(meta, "selfLink");
	drop_empty(meta);
}

/* A new object's status is the server's, and of a built-in kind never absent. */
static void
empty_status(const struct kind *k, json_t *next)
{
	if (!k->status || k->id == K_NAMESPACE || k->id == K_NODE)
		return;
	if (k->crd)
		json_object_del(next, "status");
	else if (k->id == K_SERVICE)
		json_object_set_new(next, "status", json_pack("{s:{}}", "loadBalancer"));
	else
		json_object_set_new(next, "status", json_object());
}

int
api_store_new(struct req *q, struct reply *r, json_t *given, const char *how, json_t *applied)
{
	char version[96];
	struct writer w = {q->manager, how, NULL, kind_api_version(q->kind, q->version, version)};
	json_t *next = json_copy(given);
	const char *rv = jx_str(given, "metadata.resourceVersion");
	struct obj *o;

	if (rv != NULL && *rv != '\0') {
		json_decref(given);
		json_decref(next);
		return fail_request(
		    r, "resourceVersion should not be set on objects to be created");
	}
	json_decref(given);
	set_identity(q->kind, next);
	new_metadata(q, next);
	empty_status(q->kind, next);
	defaults_add(q->kind, next);
	if (defaults_check(q->kind, NULL, next, r) < 0 ||
	    world_admit(q->kind, q->ns, next, r) < 0) {
		json_decref(next);
		return -1;
	}
	if (store_get(q->kind, q->ns, jx_str(next, "metadata.name")) != NULL) {
		fail_exists(r, q->kind, jx_str(next, "metadata.name"));
		json_decref(next);
		return -1;
	}
	json_object_set_new(jx_own(next, "metadata"), "managedFields",
	    fields_managed(q->kind, NULL, next, &w, applied));
	if (q->dry) {
		answer(q, r, 201, next);
		json_decref(next);
		return 0;
	}
	o = store_put(q->kind, NULL, next);
	answer(q, r, 201, o->json);
	return 0;
}

/* Objects of CRDs must say what they are; those of built-in kinds may leave it to the URL. */
static int
check_type(struct req *q, struct reply *r, const json_t *body)
{
	const char *kind = jx_str(body, "kind"), *api = jx_str(body, "apiVersion");
	char version[96], *text;

	kind_api_version(q->kind, q->version, version);
	if (q->kind->crd && (kind == NULL || api == NULL)) {
		text =
		    xfmt("the object provided is unrecognized (must be of type %s): Object '%s' is "
			 "missing",
			q->kind->name, kind == NULL ? "Kind" : "apiVersion");
	} else if (api != NULL && strcmp(api, version) != 0) {
		text =
		    xfmt("the API version in the data (%s) does not match the expected API version "
			 "(%s)",
			api, version);
	} else if (kind != NULL && strcmp(kind, q->kind->name) != 0) {
		text = xfmt("%s in version \"%s\" cannot be handled as a %s", kind, q->version,
		    q->kind->name);
	} else {
		return 0;
	}
	fail_request(r, text);
	free(text);
	return -1;
}

int
api_create(struct req *q, struct reply *r)
{
	json_t *body = api_body(q, r, false);
	const char *ns;

	if (body == NULL || check_type(q, r, body) < 0) {
		json_decref(body);
		return -1;
	}
	ns = jx_str(body, "metadata.namespace");
	if (ns != NULL && *ns != '\0' && q->kind->namespaced && q->ns[0] != '\0' &&
	    strcmp(ns, q->ns) != 0) {
		json_decref(body);
		return fail_request(r,
		    "the namespace of the provided object does not match the namespace sent on "
		    "the request");
	}
	if (q->kind->namespaced && q->ns[0] == '\0')
		snprintf(q->ns, sizeof(q->ns), "%s", ns != NULL && *ns != '\0' ? ns : "default");
	return api_store_new(q, r, body, "Update", NULL);
}

int
api_update(struct req *q, struct reply *r)
{
	struct obj *o = api_object(q, r);
	json_t *body;
	const char *rv;

	if (o == NULL || (body = api_body(q, r, false)) == NULL)
		return -1;
	if (check_type(q, r, body) < 0) {
		json_decref(body);
		return -1;
	}
	rv = jx_str(body, "metadata.resourceVersion");
	if (q->kind->crd && (rv == NULL || *rv == '\0')) {
		json_decref(body);
		return fail_invalid(r, q->kind, q->name, "metadata.resourceVersion",
		    "FieldValueInvalid", "Invalid value: 0x0: must be specified for an update");
	}
	return api_store(q, r, o, body, "Update", NULL);
}
