/* patchverb: the PATCH requests, by content type, and the scale subresource. */
#include "api.h"
#include "apply.h"
#include "fields.h"
#include "jx.h"
#include "patch.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
refuse_conflicts(struct reply *r, json_t *found)
{
	json_t *details = json_object(), *c;
	struct buf text = {0};
	size_t i, n = json_array_size(found);

	buf_fmt(&text, "Apply failed with %zu conflict%s: ", n, n == 1 ? "" : "s");
	json_array_foreach(found, i, c)
	{
		buf_fmt(&text, "%s%s: %s", i ? "\n" : "", jx_str(c, "who"), jx_str(c, "field"));
		status_cause(details, "FieldManagerConflict", jx_str(c, "who"), jx_str(c, "field"));
	}
	fail(r, 409, "Conflict", text.p, details);
	buf_free(&text);
	json_decref(found);
	return -1;
}

static int
fail_no_manager(struct reply *r)
{
	json_t *d = json_pack("{s:s, s:s}", "group", "meta.k8s.io", "kind", "PatchOptions");

	status_cause(
	    d, "FieldValueRequired", "Required value: is required for apply patch", "fieldManager");
	return fail(r, 422, "Invalid",
	    "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required "
	    "for apply patch",
	    d);
}

static int
apply_to(struct req *q, struct reply *r, struct obj *o, json_t *config, json_t *set)
{
	const char *rv = jx_str(config, "metadata.resourceVersion");
	const char *force = req_param(q, "force");
	json_t *next, *found;

	if (rv != NULL && strtoull(rv, NULL, 10) != o->rv)
		return fail_conflict(r, q->kind, q->name);
	if (force == NULL || strcmp(force, "true") != 0) {
		found = apply_conflicts(q->kind, o->json, config, q->manager);
		if (json_array_size(found) > 0)
			return refuse_conflicts(r, found);
		json_decref(found);
	}
	next = apply_merge(q->kind, o->json, config, q->manager);
	return api_store(q, r, o, next, "Apply", set);
}

static int
fail_no_uid(struct req *q, struct reply *r, const char *uid)
{
	char res[96];
	char *text = xfmt("Operation cannot be fulfilled on %s \"%s\": uid mismatch: the provided "
			  "object specified uid %s, and no existing object was found",
	    kind_resource(q->kind, res), q->name, uid);

	fail(r, 409, "Conflict", text, status_details(q->kind, q->name));
	free(text);
	return -1;
}

/* An applied configuration says of itself what it is. */
static int
check_type(struct req *q, struct reply *r, const json_t *config)
{
	const char *api = jx_str(config, "apiVersion"), *kind = jx_str(config, "kind");
	const char *name = jx_str(config, "metadata.name");
	char version[96], *text;

	kind_api_version(q->kind, q->version, version);
	if (api == NULL || kind == NULL)
		return fail_request(r, "invalid object type: /, Kind=");
	if (strcmp(api, version) == 0 && strcmp(kind, q->kind->name) == 0 &&
	    (name == NULL || strcmp(name, q->name) == 0))
		return 0;
	text = xfmt("the object (%s %s %s) does not match the URL (%s %s %s)", api, kind,
	    name != NULL ? name : "", version, q->kind->name, q->name);
	fail_request(r, text);
	free(text);
	return -1;
}

static int
apply(struct req *q, struct reply *r)
{
	struct obj *o = store_get(q->kind, q->ns, q->name);
	json_t *config, *set;
	const char *uid;
	int rc;

	if (req_param(q, "fieldManager") == NULL)
		return fail_no_manager(r);
	config = api_body(q, r, false);
	if (config == NULL || check_type(q, r, config) < 0) {
		json_decref(config);
		return -1;
	}
	set = fields_of(q->kind, config);
	uid = jx_str(config, "metadata.uid");
	if (o != NULL)
		rc = apply_to(q, r, o, config, set);
	else if (q->sub[0] != '\0')
		rc = fail_not_found(r, q->kind, q->name);
	else if (uid != NULL)
		rc = fail_no_uid(q, r, uid);
	else
		rc = api_store_new(q, r, json_incref(config), "Apply", set);
	json_decref(set);
	json_decref(config);
	return rc;
}

static bool
is_type(const struct req *q, const char *type)
{
	size_t n = strlen(type);

	return q->content_type != NULL && strncmp(q->content_type, type, n) == 0 &&
	       (q->content_type[n] == '\0' || q->content_type[n] == ';');
}

static json_t *
patched(struct req *q, struct reply *r, json_t *target, bool crd)
{
	json_t *body, *next = NULL;
	int malformed = 0;

	if (!is_type(q, "application/merge-patch+json") &&
	    !is_type(q, "application/json-patch+json") &&
	    (crd || !is_type(q, "application/strategic-merge-patch+json"))) {
		fail_media_type(r);
		return NULL;
	}
	body = api_body(q, r, true);
	if (body == NULL)
		return NULL;
	if (is_type(q, "application/json-patch+json")) {
		next = patch_json(target, body, &malformed);
		if (malformed && !json_is_array(body))
			fail_request(r, "error decoding patch: a JSON patch is an array");
		else if (next == NULL)
			fail_rejected(r);
	} else if (!json_is_object(body)) {
		fail_request(r, "a merge patch is a JSON object");
	} else if (is_type(q, "application/merge-patch+json")) {
		next = patch_merge(target, body);
	} else {
		next = patch_strategic(target, body);
	}
	json_decref(body);
	return next;
}

int
api_patch(struct req *q, struct reply *r)
{
	struct obj *o;
	json_t *next;

	if (is_type(q, "application/apply-patch+yaml"))
		return apply(q, r);
	o = api_object(q, r);
	if (o == NULL || (next = patched(q, r, o->json, q->kind->crd)) == NULL)
		return -1;
	return api_store(q, r, o, next, "Update", NULL);
}

static json_t *
scale_of(const struct obj *o)
{
	json_t *match = jx_at(o->json, "spec.selector.matchLabels"), *v;
	struct buf sel = {0};
	const char *key;
	json_t *out;

	buf_str(&sel, "");
	json_object_foreach(match, key, v)
	    buf_fmt(&sel, "%s%s=%s", sel.len ? "," : "", key, json_string_value(v));
	out = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:O, s:O}, s:{s:I}, s:{s:I, s:s}}", "kind",
	    "Scale", "apiVersion", "autoscaling/v1", "metadata", "name", o->name, "namespace",
	    o->ns, "uid", o->uid, "resourceVersion", jx_at(o->json, "metadata.resourceVersion"),
	    "creationTimestamp", jx_at(o->json, "metadata.creationTimestamp"), "spec", "replicas",
	    (json_int_t)jx_int(o->json, "spec.replicas", 0), "status", "replicas",
	    (json_int_t)jx_int(o->json, "status.replicas", 0), "selector", sel.p);
	buf_free(&sel);
	return out;
}

static int
set_scale(struct req *q, struct reply *r, struct obj *o, json_t *scale)
{
	json_t *next = json_copy(o->json), *meta = jx_own(next, "metadata");
	json_t *rv = jx_at(scale, "metadata.resourceVersion");
	int rc;

	jx_set_int(jx_own(next, "spec"), "replicas", jx_int(scale, "spec.replicas", 0));
	if (rv != NULL)
		json_object_set(meta, "resourceVersion", rv);
	json_decref(scale);
	rc = api_store(q, r, o, next, "Update", NULL);
	if (rc == 0) {
		json_decref(r->body);
		r->body = scale_of(o);
	}
	return rc;
}

int
api_scale(struct req *q, struct reply *r)
{
	struct obj *o = api_object(q, r);
	json_t *scale, *next;

	if (o == NULL)
		return -1;
	if (q->verb == V_GET) {
		r->code = 200;
		r->body = scale_of(o);
		return 0;
	}
	if (q->verb == V_UPDATE) {
		next = api_body(q, r, false);
	} else if (q->verb == V_PATCH) {
		scale = scale_of(o);
		next = patched(q, r, scale, false);
		json_decref(scale);
	} else {
		return fail(r, 405, "MethodNotAllowed", "scale can be read, put and patched",
		    json_object());
	}
	return next == NULL ? -1 : set_scale(q, r, o, next);
}
