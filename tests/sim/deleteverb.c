/* deleteverb: the DELETE requests. */
#include "api.h"
#include "gc.h"
#include "jx.h"
#include "select.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

struct wish {
	enum propagation how;
	int64_t grace;
	const char *uid, *rv; /* preconditions, in body */
	json_t *body;
};

static enum propagation
read_policy(const char *policy)
{
	if (policy != NULL && strcmp(policy, "Foreground") == 0)
		return FOREGROUND;
	return policy != NULL && strcmp(policy, "Orphan") == 0 ? ORPHAN : BACKGROUND;
}

static int
read_wish(struct req *q, struct reply *r, struct wish *w)
{
	const char *policy = req_param(q, "propagationPolicy");
	const char *grace = req_param(q, "gracePeriodSeconds");

	*w = (struct wish){.grace = -1};
	if (q->len > 0) {
		w->body = api_body(q, r, false);
		if (w->body == NULL)
			return -1;
	}
	if (jx_str(w->body, "propagationPolicy") != NULL)
		policy = jx_str(w->body, "propagationPolicy");
	w->how = read_policy(policy);
	if (policy == NULL && q->kind->id == K_JOB)
		w->how = ORPHAN; /* as batch/v1 has it, and nothing else */
	if (jx_at(w->body, "orphanDependents") != NULL && jx_bool(w->body, "orphanDependents"))
		w->how = ORPHAN;
	w->grace =
	    grace != NULL ? strtoll(grace, NULL, 10) : jx_int(w->body, "gracePeriodSeconds", -1);
	w->uid = jx_str(w->body, "preconditions.uid");
	w->rv = jx_str(w->body, "preconditions.resourceVersion");
	return 0;
}

static json_t *
success(const struct kind *k, const char *name, const char *uid)
{
	json_t *d = status_details(k, name);

	jx_set_str(d, "uid", uid);
	return json_pack("{s:s, s:s, s:{}, s:s, s:o}", "kind", "Status", "apiVersion", "v1",
	    "metadata", "status", "Success", "details", d);
}

static int
delete_one(struct req *q, struct reply *r, struct wish *w)
{
	struct obj *o = api_object(q, r);

	if (o == NULL)
		return -1;
	if (w->uid != NULL && strcmp(w->uid, o->uid) != 0)
		return fail_delete(r, q->kind, q->name, "UID", o->uid, w->uid);
	if (w->rv != NULL && strtoull(w->rv, NULL, 10) != o->rv)
		return fail_delete(r, q->kind, q->name, "ResourceVersion",
		    jx_str(o->json, "metadata.resourceVersion"), w->rv);
	r->code = 200;
	obj_ref(o);
	if (!q->dry)
		gc_delete(o, w->how, w->grace);
	if (o->dead && q->kind->id != K_POD && q->kind->id != K_SERVICE)
		r->body = success(q->kind, o->name, o->uid);
	else
		r->body = api_view(q, o->json);
	obj_unref(o);
	return 0;
}

int
api_delete(struct req *q, struct reply *r)
{
	struct wish w;
	int rc;

	if (read_wish(q, r, &w) < 0)
		return -1;
	rc = delete_one(q, r, &w);
	json_decref(w.body);
	return rc;
}

int
api_delete_all(struct req *q, struct reply *r)
{
	const char *error = NULL;
	struct selector *sel =
	    selector_new(req_param(q, "labelSelector"), req_param(q, "fieldSelector"), &error);
	struct wish w;
	size_t from, to, n;

	if (sel == NULL)
		return fail_request(r, error);
	if (read_wish(q, r, &w) < 0) {
		selector_free(sel);
		return -1;
	}
	store_range(q->kind, q->ns, &from, &to);
	while (to > from) {
		struct obj **all = store_all(q->kind, &n);

		to--;
		if (to < n && selector_match(sel, all[to]->json))
			gc_delete(all[to], w.how, w.grace);
	}
	r->code = 200;
	r->body = success(q->kind, NULL, "");
	selector_free(sel);
	json_decref(w.body);
	return 0;
}
