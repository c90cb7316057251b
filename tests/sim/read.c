/* read: get, list and the start of a watch. */
#include "api.h"
#include "jx.h"
#include "select.h"
#include "table.h"
#include "util.h"
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct page {
	uint64_t rv; /* of the first page */
	char *start; /* key of the last object given, or NULL */
	size_t limit;
};

int
api_get(struct req *q, struct reply *r)
{
	struct obj *o = api_object(q, r);

	if (o == NULL)
		return -1;
	r->code = 200;
	r->body = api_view(q, o->json);
	if (table_wanted(q->accept)) {
		json_t *one = json_pack("[o]", r->body);

		r->body = table_new(q->kind, one, NULL);
		json_decref(one);
	}
	return 0;
}

/* A token is RV, a slash and the last key, in hexadecimal: opaque, and safe in a URL. */
static char *
make_token(uint64_t rv, const char *key)
{
	char *plain = xfmt("%llu/%s", (unsigned long long)rv, key);
	struct buf b = {0};

	for (const char *c = plain; *c != '\0'; c++)
		buf_fmt(&b, "%02x", (unsigned char)*c);
	free(plain);
	return b.p;
}

static bool
read_token(const char *token, struct page *p)
{
	size_t n = strlen(token) / 2;
	char *plain = xalloc(n + 1), *slash;
	unsigned c;

	for (size_t i = 0; i < n; i++) {
		if (sscanf(token + 2 * i, "%2x", &c) != 1) {
			free(plain);
			return false;
		}
		plain[i] = (char)c;
	}
	slash = strchr(plain, '/');
	if (slash != NULL) {
		p->rv = strtoull(plain, NULL, 10);
		p->start = xdup(slash + 1);
	}
	free(plain);
	return slash != NULL;
}

static int
fail_future(struct reply *r, uint64_t rv)
{
	json_t *d = json_object();
	char *message = xfmt("Timeout: Too large resource version: %llu, current: %llu",
	    (unsigned long long)rv, (unsigned long long)store_rv());

	status_cause(d, "ResourceVersionTooLarge", "Too large resource version", "");
	json_object_del(json_array_get(json_object_get(d, "causes"), 0), "field");
	jx_set_int(d, "retryAfterSeconds", 1);
	fail(r, 504, "Timeout", message, d);
	r->retry_after = 1;
	free(message);
	return -1;
}

static int
fail_token(struct reply *r, struct page *p)
{
	json_t *meta;
	char *token = make_token(store_rv(), p->start);

	fail(r, 410, "Expired",
	    "The provided continue parameter is too old to display a consistent list result. You "
	    "can start a new list without the continue parameter, or use the continue token in "
	    "this response to retrieve the remainder of the results.",
	    NULL);
	meta = json_object_get(r->body, "metadata");
	jx_set_str(meta, "continue", token);
	free(token);
	return -1;
}

static int
read_page(struct req *q, struct reply *r, struct page *p)
{
	const char *token = req_param(q, "continue"), *limit = req_param(q, "limit");
	const char *rv = req_param(q, "resourceVersion");

	*p = (struct page){.rv = store_rv()};
	if (limit != NULL)
		p->limit = (size_t)strtoull(limit, NULL, 10);
	if (token != NULL && *token != '\0') {
		if (!read_token(token, p))
			return fail_request(r, "continue key is not valid");
		if (store_expired(q->kind, p->rv))
			return fail_token(r, p);
		return 0;
	}
	if (rv != NULL && strtoull(rv, NULL, 10) > store_rv())
		return fail_future(r, strtoull(rv, NULL, 10));
	return 0;
}

static json_t *
item_view(struct req *q, json_t *stored)
{
	json_t *v = api_view(q, stored), *copy;

	if (q->kind->crd)
		return v;
	copy = json_copy(v);
	json_decref(v);
	json_object_del(copy, "kind");
	json_object_del(copy, "apiVersion");
	return copy;
}

static void
fill_page(struct req *q, struct page *p, const struct selector *sel, json_t *items, json_t *meta)
{
	size_t from, to, n, last = 0;
	struct obj **all = store_all(q->kind, &n);

	store_range(q->kind, q->ns, &from, &to);
	if (p->start != NULL && store_after(q->kind, p->start) > from)
		from = store_after(q->kind, p->start);
	for (; from < to; from++) {
		if (!selector_match(sel, all[from]->json))
			continue;
		if (p->limit > 0 && json_array_size(items) == p->limit)
			break;
		json_array_append_new(items, item_view(q, all[from]->json));
		last = from;
	}
	if (from < to) {
		char *token = make_token(p->rv, all[last]->key);

		jx_set_str(meta, "continue", token);
		if (sel == NULL)
			jx_set_int(meta, "remainingItemCount", (int64_t)(to - from));
		free(token);
	}
}

static int
start_watch(struct req *q, struct reply *r, struct selector *sel)
{
	const char *rv = req_param(q, "resourceVersion"), *t = req_param(q, "timeoutSeconds");
	const char *marks = req_param(q, "allowWatchBookmarks");
	struct watch_spec spec = {.kind = q->kind, .selector = sel};

	if (req_param(q, "sendInitialEvents") != NULL) {
		selector_free(sel);
		return fail(r, 422, "Invalid",
		    "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: "
		    "sendInitialEvents is forbidden for watch unless the WatchList feature gate is "
		    "enabled",
		    json_object());
	}
	snprintf(spec.ns, sizeof(spec.ns), "%s", q->ns);
	snprintf(spec.version, sizeof(spec.version), "%s", q->version);
	spec.rv = rv != NULL ? strtoull(rv, NULL, 10) : 0;
	spec.timeout_s = t != NULL ? strtoull(t, NULL, 10) : 0;
	spec.bookmarks = marks != NULL && (strcmp(marks, "true") == 0 || strcmp(marks, "1") == 0);
	spec.path = q->path;
	spec.table = table_wanted(q->accept);
	r->code = 200;
	r->watch = watch_new(&spec);
	return 0;
}

/* Whether every field of a selector is one that the API server can select by. */
static bool
known_fields(const struct kind *k, const char *fields)
{
	static const char *const pod[] = {"spec.nodeName", "status.phase", "spec.restartPolicy",
	    "spec.schedulerName", "status.podIP", NULL};
	static const char *const event[] = {"involvedObject.kind", "involvedObject.namespace",
	    "involvedObject.name", "involvedObject.uid", "reason", "type", "source", NULL};
	static const char *const none[] = {NULL};
	const char *const *more = k->id == K_POD ? pod : k->id == K_EVENT ? event : none;

	while (*fields != '\0') {
		size_t n = strcspn(fields, "=!,");
		bool known = (n == 13 && strncmp(fields, "metadata.name", n) == 0) ||
			     (n == 18 && strncmp(fields, "metadata.namespace", n) == 0);

		for (size_t i = 0; more[i] != NULL && !known; i++)
			known = strlen(more[i]) == n && strncmp(more[i], fields, n) == 0;
		if (!known)
			return false;
		fields += strcspn(fields, ",");
		fields += *fields == ',';
	}
	return true;
}

static struct selector *
read_selector(struct req *q, struct reply *r, int *rc)
{
	const char *labels = req_param(q, "labelSelector"), *fields = req_param(q, "fieldSelector");
	const char *error = NULL;
	struct selector *s = NULL;
	char *both = NULL;

	*rc = 0;
	if (q->name[0] != '\0') { /* a watch on one object by its path */
		both = xfmt("metadata.name=%s", q->name);
		fields = both;
	}
	if (fields != NULL && *fields != '\0' && both == NULL && !known_fields(q->kind, fields)) {
		*rc = fail_request(r, "field label not supported");
		return NULL;
	}
	if ((labels != NULL && *labels != '\0') || (fields != NULL && *fields != '\0')) {
		s = selector_new(labels, fields, &error);
		if (s == NULL)
			*rc = fail_request(r, error);
	}
	free(both);
	return s;
}

/* Takes over both. */
static json_t *
list_body(struct req *q, json_t *items, json_t *meta)
{
	char version[96], name[64];
	json_t *table;

	if (table_wanted(q->accept)) {
		table = table_new(q->kind, items, meta);
		json_decref(items);
		json_decref(meta);
		return table;
	}
	snprintf(name, sizeof(name), "%sList", q->kind->name);
	return json_pack("{s:s, s:s, s:o, s:o}", "kind", name, "apiVersion",
	    kind_api_version(q->kind, q->version, version), "metadata", meta, "items", items);
}

int
api_list(struct req *q, struct reply *r)
{
	int rc;
	struct selector *sel = read_selector(q, r, &rc);
	struct page p;
	const char *rv = req_param(q, "resourceVersion");
	char now[24];
	json_t *items, *meta;

	if (rc < 0)
		return -1;
	if (rv != NULL && rv[strspn(rv, "0123456789")] != '\0') {
		selector_free(sel);
		return fail_request(r, "resourceVersion: Invalid value: it is a number");
	}
	if (q->verb == V_WATCH)
		return start_watch(q, r, sel);
	if (read_page(q, r, &p) < 0) {
		free(p.start);
		selector_free(sel);
		return -1;
	}
	items = json_array();
	meta = json_object();
	snprintf(now, sizeof(now), "%llu", (unsigned long long)p.rv);
	jx_set_str(meta, "resourceVersion", now);
	fill_page(q, &p, sel, items, meta);
	r->code = 200;
	r->body = list_body(q, items, meta);
	free(p.start);
	selector_free(sel);
	return 0;
}
