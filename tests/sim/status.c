/* status: see status.h. The wording is that of a real API server. */
#include "status.h"

#include "jx.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *
status_body(int code, const char *reason, const char *message, json_t *details)
{
	json_t *body = json_pack("{s:s, s:s, s:{}, s:s, s:s, s:s}", "kind", "Status", "apiVersion",
	    "v1", "metadata", "status", "Failure", "message", message, "reason", reason);

	if (details != NULL)
		json_object_set_new(body, "details", details);
	jx_set_int(body, "code", code);
	return body;
}

json_t *
status_details(const struct kind *k, const char *name)
{
	json_t *d = json_object();

	if (name != NULL && *name != '\0')
		jx_set_str(d, "name", name);
	if (*k->group != '\0')
		jx_set_str(d, "group", k->group);
	jx_set_str(d, "kind", k->plural);
	return d;
}

void
status_cause(json_t *details, const char *reason, const char *message, const char *field)
{
	json_t *causes = json_object_get(details, "causes");

	if (causes == NULL) {
		causes = json_array();
		json_object_set_new(details, "causes", causes);
	}
	json_array_append_new(causes,
	    json_pack("{s:s, s:s, s:s}", "reason", reason, "message", message, "field", field));
}

int
fail(struct reply *r, int code, const char *reason, const char *message, json_t *details)
{
	json_decref(r->body);
	r->code = code;
	r->body = status_body(code, reason, message, details);
	return -1;
}

static int
fail_text(struct reply *r, int code, const char *reason, char *message, json_t *details)
{
	fail(r, code, reason, message, details);
	free(message);
	return -1;
}

int
fail_not_found(struct reply *r, const struct kind *k, const char *name)
{
	char res[96];

	return fail_text(r, 404, "NotFound",
	    xfmt("%s \"%s\" not found", kind_resource(k, res), name), status_details(k, name));
}

int
fail_path(struct reply *r)
{
	return fail(
	    r, 404, "NotFound", "the server could not find the requested resource", json_object());
}

int
fail_exists(struct reply *r, const struct kind *k, const char *name)
{
	char res[96];

	return fail_text(r, 409, "AlreadyExists",
	    xfmt("%s \"%s\" already exists", kind_resource(k, res), name), status_details(k, name));
}

int
fail_conflict(struct reply *r, const struct kind *k, const char *name)
{
	char res[96];

	return fail_text(r, 409, "Conflict",
	    xfmt("Operation cannot be fulfilled on %s \"%s\": the object has been modified; please "
		 "apply your changes to the latest version and try again",
		kind_resource(k, res), name),
	    status_details(k, name));
}

int
fail_precondition(
    struct reply *r, const struct kind *k, const char *name, const char *have, const char *want)
{
	char res[96];

	return fail_text(r, 409, "Conflict",
	    xfmt("Operation cannot be fulfilled on %s \"%s\": Precondition failed: UID in "
		 "precondition: %s, UID in object meta: %s",
		kind_resource(k, res), name, want, have),
	    status_details(k, name));
}

int
fail_delete(struct reply *r, const struct kind *k, const char *name, const char *what,
    const char *have, const char *want)
{
	json_t *d = status_details(k, name);

	jx_set_str(d, "kind", k->name);
	return fail_text(r, 409, "Conflict",
	    xfmt("Operation cannot be fulfilled on %s%s%s \"%s\": the %s in the precondition (%s) "
		 "does not match the %s in record (%s). The object might have been %s",
		k->name, *k->group ? "." : "", k->group, name, what, want, what, have,
		*what == 'U' ? "deleted and then recreated" : "modified"),
	    d);
}

int
fail_invalid(struct reply *r, const struct kind *k, const char *name, const char *field,
    const char *reason, const char *text)
{
	/* Of a CRD the check of the version names the resource, all others the kind. */
	const char *of =
	    k->crd && strcmp(field, "metadata.resourceVersion") == 0 ? k->plural : k->name;
	json_t *d = json_object();
	char *message;

	jx_set_str(d, "name", name != NULL ? name : "");
	if (*k->group != '\0')
		jx_set_str(d, "group", k->group);
	jx_set_str(d, "kind", of);
	status_cause(d, reason, text, field);
	if (*k->group != '\0')
		message = xfmt("%s.%s \"%s\" is invalid: %s: %s", of, k->group,
		    name != NULL ? name : "", field, text);
	else
		message =
		    xfmt("%s \"%s\" is invalid: %s: %s", of, name != NULL ? name : "", field, text);
	return fail_text(r, 422, "Invalid", message, d);
}

int
fail_causes(struct reply *r, const struct kind *k, const char *name, json_t *causes)
{
	bool several = json_array_size(causes) > 1;
	json_t *d = json_object(), *cause;
	struct buf text = {0};
	int rc;
	size_t i;

	if (name == NULL)
		name = "";
	buf_fmt(&text, "%s.%s \"%s\" is invalid: %s", k->name, k->group, name, several ? "[" : "");
	json_array_foreach(causes, i, cause) buf_fmt(
	    &text, "%s%s: %s", i > 0 ? ", " : "", jx_str(cause, "field"), jx_str(cause, "message"));
	buf_str(&text, several ? "]" : "");
	jx_set_str(d, "name", name);
	jx_set_str(d, "group", k->group);
	jx_set_str(d, "kind", k->name);
	json_object_set_new(d, "causes", causes);
	rc = fail(r, 422, "Invalid", text.p, d);
	buf_free(&text);
	return rc;
}

int
fail_rejected(struct reply *r)
{
	return fail(r, 422, "Invalid",
	    "the server rejected our request due to an error in our request", json_object());
}

int
fail_request(struct reply *r, const char *message)
{
	return fail(r, 400, "BadRequest", message, NULL);
}

int
fail_media_type(struct reply *r)
{
	return fail(r, 415, "UnsupportedMediaType", "415: Unsupported Media Type", json_object());
}

int
fail_expired(struct reply *r, uint64_t rv, uint64_t now)
{
	return fail_text(r, 410, "Expired",
	    xfmt("too old resource version: %llu (%llu)", (unsigned long long)rv,
		(unsigned long long)now),
	    NULL);
}

void
reply_done(struct reply *r)
{
	json_decref(r->body);
	free(r->text);
	*r = (struct reply){0};
}
