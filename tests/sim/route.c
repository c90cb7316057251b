/* route: the path of a request, read. */
#include "api.h"
#include "jx.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
req_param(const struct req *q, const char *key)
{
	for (size_t i = 0; i < q->nparams; i++)
		if (strcmp(q->params[i].key, key) == 0)
			return q->params[i].value != NULL ? q->params[i].value : "";
	return NULL;
}

const char *
verb_name(enum verb v)
{
	switch (v) {
	case V_GET:
		return "get";
	case V_LIST:
		return "list";
	case V_WATCH:
		return "watch";
	case V_CREATE:
		return "create";
	case V_UPDATE:
		return "update";
	case V_PATCH:
		return "patch";
	case V_DELETE:
		return "delete";
	case V_DELETE_ALL:
		return "deletecollection";
	case V_OTHER:
		break;
	}
	return "other";
}

/* Takes the next segment of a path into out; false at its end or if it is too long. */
static bool
segment(const char **path, char *out, size_t cap)
{
	size_t n;

	while (**path == '/')
		(*path)++;
	n = strcspn(*path, "/");
	if (n == 0 || n >= cap)
		return false;
	memcpy(out, *path, n);
	out[n] = '\0';
	*path += n;
	return true;
}

static bool
is_true(const char *v)
{
	return v != NULL && (strcmp(v, "true") == 0 || strcmp(v, "1") == 0 || *v == '\0');
}

static void
find_verb(struct req *q)
{
	bool one = q->name[0] != '\0';

	q->verb = V_OTHER;
	if (strcmp(q->method, "GET") == 0)
		q->verb = is_true(req_param(q, "watch")) ? V_WATCH : one ? V_GET : V_LIST;
	else if (strcmp(q->method, "POST") == 0)
		q->verb = V_CREATE;
	else if (strcmp(q->method, "PUT") == 0)
		q->verb = V_UPDATE;
	else if (strcmp(q->method, "PATCH") == 0)
		q->verb = V_PATCH;
	else if (strcmp(q->method, "DELETE") == 0)
		q->verb = one ? V_DELETE : V_DELETE_ALL;
}

static void
find_manager(struct req *q)
{
	const char *m = req_param(q, "fieldManager");
	int n;

	if (m != NULL && *m != '\0') {
		snprintf(q->manager, sizeof(q->manager), "%s", m);
		return;
	}
	m = q->user_agent != NULL ? q->user_agent : "unknown";
	n = (int)strcspn(m, "/");
	snprintf(q->manager, sizeof(q->manager), "%.*s", n > 100 ? 100 : n, m);
}

/* The rest of a path after the version: [namespaces/NS/]PLURAL[/NAME[/SUB]]. */
static int
find_names(struct req *q, const char *group, const char *path)
{
	const char *rest = path;
	char first[128], plural[128];

	if (!segment(&rest, first, sizeof(first)))
		return -1;
	if (strcmp(first, "namespaces") == 0) {
		const char *after = rest;
		char ns[128], what[128];

		if (segment(&after, ns, sizeof(ns)) && segment(&after, what, sizeof(what)) &&
		    kind_find(group, q->version, what) != NULL) {
			snprintf(q->ns, sizeof(q->ns), "%s", ns);
			rest = after;
			snprintf(first, sizeof(first), "%s", what);
		}
	}
	snprintf(plural, sizeof(plural), "%s", first);
	q->kind = kind_find(group, q->version, plural);
	if (q->kind == NULL)
		return -1;
	if (segment(&rest, q->name, sizeof(q->name)))
		segment(&rest, q->sub, sizeof(q->sub));
	return 0;
}

int
api_route(struct req *q)
{
	const char *rest = q->path;
	char root[16], group[128] = "";

	find_manager(q);
	q->dry = req_param(q, "dryRun") != NULL;
	q->verb = V_OTHER;
	if (!segment(&rest, root, sizeof(root)))
		return -1;
	if (strcmp(root, "apis") == 0) {
		if (!segment(&rest, group, sizeof(group)))
			return -1;
	} else if (strcmp(root, "api") != 0) {
		return -1;
	}
	if (!segment(&rest, q->version, sizeof(q->version)) || find_names(q, group, rest) < 0)
		return -1;
	find_verb(q);
	return 0;
}

json_t *
api_view(const struct req *q, json_t *stored)
{
	json_t *copy;
	char version[96];

	if (strcmp(q->version, q->kind->version) == 0)
		return json_incref(stored);
	copy = json_copy(stored);
	jx_set_str(copy, "apiVersion", kind_api_version(q->kind, q->version, version));
	return copy;
}

struct obj *
api_object(struct req *q, struct reply *r)
{
	struct obj *o = store_get(q->kind, q->ns, q->name);

	if (o == NULL)
		fail_not_found(r, q->kind, q->name);
	return o;
}

json_t *
api_body(struct req *q, struct reply *r, bool array)
{
	const char *type = q->content_type != NULL ? q->content_type : "";
	json_error_t error;
	json_t *body;

	if (strstr(type, "protobuf") != NULL || strstr(type, "cbor") != NULL) {
		fail(r, 415, "UnsupportedMediaType",
		    "the body of the request was in an unknown format - accepted media types "
		    "include: application/json",
		    json_object());
		return NULL;
	}
	body = json_loadb(q->body != NULL ? q->body : "", q->len, JSON_REJECT_DUPLICATES, &error);
	if (body != NULL && (json_is_object(body) || array))
		return body;
	json_decref(body);
	fail_request(r, "the body is not a JSON object");
	return NULL;
}

static int
wrong_method(struct reply *r)
{
	return fail(r, 405, "MethodNotAllowed",
	    "the server does not allow this method on the requested resource", json_object());
}

static int
handle_named(struct req *q, struct reply *r)
{
	if (strcmp(q->sub, "scale") == 0 && q->kind->scale)
		return api_scale(q, r);
	if (q->sub[0] != '\0' && !(strcmp(q->sub, "status") == 0 && q->kind->status))
		return fail_path(r);
	switch (q->verb) {
	case V_GET:
		return api_get(q, r);
	case V_UPDATE:
		return api_update(q, r);
	case V_PATCH:
		return api_patch(q, r);
	case V_DELETE:
		return api_delete(q, r);
	case V_WATCH:
	case V_LIST:
		return api_list(q, r);
	case V_CREATE:
	case V_DELETE_ALL:
	case V_OTHER:
		break;
	}
	return wrong_method(r);
}

void
api_handle(struct req *q, struct reply *r)
{
	if (q->kind == NULL) {
		api_discovery(q, r);
	} else if (q->name[0] != '\0' && q->verb != V_WATCH) {
		handle_named(q, r);
	} else if (q->verb == V_LIST || q->verb == V_WATCH) {
		api_list(q, r);
	} else if (q->verb == V_CREATE) {
		api_create(q, r);
	} else if (q->verb == V_DELETE_ALL) {
		api_delete_all(q, r);
	} else {
		wrong_method(r);
	}
}
