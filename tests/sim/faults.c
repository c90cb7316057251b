/* faults: see faults.h. Rules are tried in the order in which they came; latencies add up, of
 * the rest the first that matches counts. */
#include "faults.h"

#include "jx.h"
#include "util.h"
#include "watch.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct rule {
	json_t *source, *match, *effect; /* match and effect lie in source */
	regex_t path;
	bool has_path;
	int64_t left; /* -1: without end */
	double percent;
	uint64_t hits;
	struct rule *next;
};

static struct rule *rules;

static const char *const match_keys[] = {"verb", "path", "kind", "namespace", "user_agent", NULL};
static const char *const effect_keys[] = {"latency_ms", "status", "retry_after", "after", "drop",
    "drop_after", "conflict", "cut_watches", "mute_watches", "expire_history", "webhook_refuses",
    "quota", "denied", NULL};
static const char *const rule_keys[] = {"match", "count", "percent", "effect", NULL};

static int
check_keys(struct reply *r, const char *where, const json_t *o, const char *const *known)
{
	struct buf text = {0};
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)o, key, v)
	{
		for (i = 0; known[i] != NULL && strcmp(known[i], key) != 0; i++)
			;
		if (known[i] != NULL)
			continue;
		buf_fmt(&text, "%s: unknown key \"%s\"; allowed:", where, key);
		for (i = 0; known[i] != NULL; i++)
			buf_fmt(&text, " %s", known[i]);
		fail_request(r, text.p);
		buf_free(&text);
		return -1;
	}
	return 0;
}

static void
rule_free(struct rule *f)
{
	if (f->has_path)
		regfree(&f->path);
	json_decref(f->source);
	free(f);
}

static bool
kind_is(const struct kind *k, const char *name)
{
	return k != NULL && (strcmp(k->name, name) == 0 || strcmp(k->plural, name) == 0);
}

/* Whether a rule means this kind and path; the other conditions are fault_pick's. */
static bool
means(const struct kind *k, const char *path, const void *arg)
{
	const struct rule *f = arg;
	const char *kind = jx_str(f->match, "kind"), *ns = jx_str(f->match, "namespace");

	if (kind != NULL && !kind_is(k, kind))
		return false;
	if (ns != NULL) {
		char *part = xfmt("/namespaces/%s/", ns);
		bool in = strstr(path, part) != NULL;

		free(part);
		if (!in)
			return false;
	}
	return !f->has_path || regexec(&f->path, path, 0, NULL, 0) == 0;
}

static bool
verb_is(const struct req *q, const char *wanted)
{
	bool write = q->verb == V_CREATE || q->verb == V_UPDATE || q->verb == V_PATCH ||
		     q->verb == V_DELETE || q->verb == V_DELETE_ALL;

	if (strcmp(wanted, "write") == 0)
		return write;
	if (strcmp(wanted, "read") == 0)
		return q->verb == V_GET || q->verb == V_LIST || q->verb == V_WATCH;
	return strcasecmp(wanted, verb_name(q->verb)) == 0 || strcmp(wanted, q->method) == 0;
}

static bool
befalls(struct rule *f, const struct req *q)
{
	const char *verb = jx_str(f->match, "verb"), *ua = jx_str(f->match, "user_agent");

	if (f->left == 0 || !means(q->kind, q->path, f) || (verb != NULL && !verb_is(q, verb)))
		return false;
	if (ua != NULL && (q->user_agent == NULL || strstr(q->user_agent, ua) == NULL))
		return false;
	if (jx_bool(f->effect, "webhook_refuses") &&
	    (q->kind == NULL || !kind_is_istio(q->kind) || !verb_is(q, "write") ||
		q->verb == V_DELETE))
		return false;
	return f->percent >= 100 || rnd_unit() * 100 < f->percent;
}

struct fate
fault_pick(const struct req *q)
{
	struct fate fate = {0};

	for (struct rule *f = rules; f != NULL; f = f->next) {
		if (json_object_get(f->effect, "quota") != NULL || !befalls(f, q))
			continue;
		f->hits++;
		if (f->left > 0)
			f->left--;
		fate.latency_ms += (uint64_t)jx_int(f->effect, "latency_ms", 0);
		if (fate.status || fate.drop || fate.drop_after || fate.conflict || fate.webhook ||
		    fate.denied)
			continue;
		fate.status = (int)jx_int(f->effect, "status", 0);
		fate.retry_after = (int)jx_int(f->effect, "retry_after", 0);
		fate.after = jx_bool(f->effect, "after");
		fate.drop = jx_bool(f->effect, "drop");
		fate.drop_after = jx_bool(f->effect, "drop_after");
		fate.conflict = jx_bool(f->effect, "conflict");
		fate.webhook = jx_bool(f->effect, "webhook_refuses");
		fate.denied = jx_str(f->effect, "denied");
	}
	return fate;
}

const char *
fault_denied(const struct req *q)
{
	for (struct rule *f = rules; f != NULL; f = f->next)
		if (jx_str(f->effect, "denied") != NULL && befalls(f, q))
			return jx_str(f->effect, "denied");
	return NULL;
}

static struct rule *
quota_rule(const char *ns)
{
	for (struct rule *f = rules; f != NULL; f = f->next) {
		const char *of = jx_str(f->match, "namespace");

		if (json_object_get(f->effect, "quota") != NULL && f->left != 0 &&
		    (of == NULL || strcmp(of, ns) == 0))
			return f;
	}
	return NULL;
}

int64_t
fault_quota(const char *ns)
{
	struct rule *f = quota_rule(ns);

	return f != NULL ? jx_int(f->effect, "quota", -1) : -1;
}

void
fault_quota_hit(const char *ns)
{
	struct rule *f = quota_rule(ns);

	if (f != NULL)
		f->hits++;
}

/* What happens at once, when the rule comes in. */
static void
act(struct rule *f)
{
	if (jx_bool(f->effect, "cut_watches"))
		f->hits += watch_cut(means, f);
	if (jx_bool(f->effect, "mute_watches"))
		f->hits += watch_mute(means, f);
	if (jx_bool(f->effect, "expire_history")) {
		store_expire_history();
		f->hits++;
	}
	if (json_object_size(f->effect) == 1 && f->hits > 0)
		f->left = 0;
}

static struct rule *
rule_new(struct reply *r, json_t *source)
{
	struct rule *f = xalloc(sizeof(*f));
	const char *path;

	f->source = json_incref(source);
	f->match = json_object_get(source, "match");
	f->effect = json_object_get(source, "effect");
	f->left = jx_int(source, "count", -1);
	f->percent = json_number_value(json_object_get(source, "percent"));
	if (json_object_get(source, "percent") == NULL)
		f->percent = 100;
	path = jx_str(f->match, "path");
	if (check_keys(r, "rule", source, rule_keys) == 0 &&
	    check_keys(r, "match", f->match, match_keys) == 0 &&
	    check_keys(r, "effect", f->effect, effect_keys) == 0) {
		f->has_path =
		    path != NULL && regcomp(&f->path, path, REG_EXTENDED | REG_NOSUB) == 0;
		if (path != NULL && !f->has_path)
			fail_request(r, "match.path: not a regular expression");
		else if (json_object_size(f->effect) == 0)
			fail_request(r, "rule: effect is missing; it says what shall happen");
		else
			return f;
	}
	rule_free(f);
	return NULL;
}

static int
add_one(struct reply *r, json_t *source)
{
	struct rule *f = rule_new(r, source), **end = &rules;

	if (f == NULL)
		return -1;
	while (*end != NULL)
		end = &(*end)->next;
	*end = f;
	act(f);
	return 0;
}

int
faults_add(struct req *q, struct reply *r)
{
	json_t *body = api_body(q, r, true), *one;
	int rc = 0;
	size_t i;

	if (body == NULL)
		return -1;
	if (json_is_object(body))
		rc = add_one(r, body);
	json_array_foreach(body, i, one) rc = rc < 0 ? rc : add_one(r, one);
	json_decref(body);
	return rc < 0 ? rc : faults_list(r);
}

int
faults_list(struct reply *r)
{
	json_t *list = json_array();

	for (struct rule *f = rules; f != NULL; f = f->next) {
		json_t *o = json_copy(f->source);

		jx_set_int(o, "hits", (int64_t)f->hits);
		if (f->left >= 0)
			jx_set_int(o, "left", f->left);
		json_array_append_new(list, o);
	}
	r->code = 200;
	r->body = json_pack("{s:o}", "faults", list);
	return 0;
}

int
faults_clear(struct reply *r)
{
	while (rules != NULL) {
		struct rule *f = rules;

		rules = f->next;
		rule_free(f);
	}
	return faults_list(r);
}
