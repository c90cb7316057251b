/* discovery: what there is: /api, /apis, the resource lists, /version, health, and the review
 * that says that everything is allowed, but what a fault denies. */
#include "api.h"
#include "faults.h"
#include "jx.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct group {
	const char *name;
	const char *versions[3];
};

static const struct group groups[] = {{"apps", {"v1"}}, {"autoscaling", {"v2"}}, {"batch", {"v1"}},
    {"policy", {"v1"}}, {"networking.k8s.io", {"v1"}}, {"storage.k8s.io", {"v1"}},
    {"security.istio.io", {"v1"}}, {"discovery.k8s.io", {"v1"}}, {"coordination.k8s.io", {"v1"}},
    {"networking.istio.io", {"v1", "v1beta1", "v1alpha3"}},
    {"gateway.networking.k8s.io", {"v1", "v1beta1"}}, {"authorization.k8s.io", {"v1"}}};
#define NGROUPS (sizeof(groups) / sizeof(groups[0]))

static json_t *
verbs(const char *list)
{
	json_t *out = json_array();

	while (*list != '\0') {
		size_t n = strcspn(list, " ");

		json_array_append_new(out, json_stringn(list, n));
		list += n + (list[n] == ' ');
	}
	return out;
}

/* What "kubectl get all" shows. */
static bool
in_all(enum kind_id id)
{
	return id == K_POD || id == K_SERVICE || id == K_DEPLOYMENT || id == K_REPLICASET ||
	       id == K_STATEFULSET || id == K_DAEMONSET || id == K_JOB || id == K_CRONJOB ||
	       id == K_HPA;
}

static json_t *
resource(const struct kind *k, const char *sub)
{
	char *name = xfmt("%s%s%s", k->plural, sub ? "/" : "", sub ? sub : "");
	bool scale = sub != NULL && strcmp(sub, "scale") == 0;
	json_t *out = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", name, "singularName",
	    sub ? "" : k->singular, "namespaced", (int)k->namespaced, "kind",
	    scale ? "Scale" : k->name, "verbs",
	    verbs(sub ? "get patch update"
		      : "create delete deletecollection get list patch update watch"));

	free(name);
	if (scale) {
		jx_set_str(out, "group", "autoscaling");
		jx_set_str(out, "version", "v1");
	}
	if (sub == NULL && k->short_name != NULL)
		json_object_set_new(out, "shortNames", json_pack("[s]", k->short_name));
	if (sub == NULL && in_all(k->id))
		json_object_set_new(out, "categories", json_pack("[s]", "all"));
	if (sub == NULL && k->id == K_HTTPROUTE)
		json_object_set_new(out, "categories", json_pack("[s]", "gateway-api"));
	return out;
}

static json_t *
resources(const char *group, const char *version)
{
	json_t *list = json_array(), *out;
	char *gv = xfmt("%s%s%s", group, *group ? "/" : "", version);

	for (int i = 0; i < K_COUNT; i++) {
		const struct kind *k = &kinds[i];

		if (kind_find(group, version, k->plural) != k)
			continue;
		json_array_append_new(list, resource(k, NULL));
		if (k->status)
			json_array_append_new(list, resource(k, "status"));
		if (k->scale)
			json_array_append_new(list, resource(k, "scale"));
	}
	if (strcmp(group, "authorization.k8s.io") == 0)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:b, s:s, s:[s]}", "name", "selfsubjectaccessreviews",
			"singularName", "selfsubjectaccessreview", "namespaced", 0, "kind",
			"SelfSubjectAccessReview", "verbs", "create"));
	out = json_pack("{s:s, s:s, s:s, s:o}", "kind", "APIResourceList", "apiVersion", "v1",
	    "groupVersion", gv, "resources", list);
	free(gv);
	return out;
}

static json_t *
group_entry(const struct group *g)
{
	json_t *versions = json_array(), *v;

	for (size_t i = 0; i < 3 && g->versions[i] != NULL; i++) {
		char *gv = xfmt("%s/%s", g->name, g->versions[i]);

		v = json_pack("{s:s, s:s}", "groupVersion", gv, "version", g->versions[i]);
		json_array_append_new(versions, v);
		free(gv);
	}
	return json_pack("{s:s, s:o, s:O}", "name", g->name, "versions", versions,
	    "preferredVersion", json_array_get(versions, 0));
}

static json_t *
group_list(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < NGROUPS; i++)
		json_array_append_new(list, group_entry(&groups[i]));
	return json_pack(
	    "{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", list);
}

static const struct group *
find_group(const char *name, const char *version)
{
	for (size_t i = 0; i < NGROUPS; i++) {
		if (strcmp(groups[i].name, name) != 0)
			continue;
		for (size_t j = 0; j < 3 && groups[i].versions[j] != NULL; j++)
			if (*version == '\0' || strcmp(groups[i].versions[j], version) == 0)
				return &groups[i];
	}
	return NULL;
}

static const char *
text_of(const json_t *about, const char *key)
{
	const char *text = jx_str(about, key);

	return text != NULL ? text : "";
}

/* Why a fault denies the request that a review is about; NULL: none does. */
static const char *
denial(const struct req *q, const json_t *about)
{
	const char *group = text_of(about, "group"), *plural = text_of(about, "resource");
	struct req asked = {.user_agent = q->user_agent, .verb = V_OTHER, .method = ""};
	const char *why;

	for (int i = 0; i < K_COUNT; i++)
		if (strcmp(kinds[i].group, group) == 0 && strcmp(kinds[i].plural, plural) == 0)
			asked.kind = &kinds[i];
	for (int v = 0; v < V_OTHER; v++)
		if (strcmp(verb_name((enum verb)v), text_of(about, "verb")) == 0)
			asked.verb = (enum verb)v;
	asked.path = xfmt("/apis/%s/v1/namespaces/%s/%s/%s", group, text_of(about, "namespace"),
	    plural, text_of(about, "name"));
	why = fault_denied(&asked);
	free(asked.path);
	return why;
}

static int
review(struct req *q, struct reply *r)
{
	json_t *body = api_body(q, r, false), *spec, *status;
	const char *denied;

	if (body == NULL)
		return -1;
	spec = json_object_get(body, "spec");
	denied = denial(q, json_object_get(spec, "resourceAttributes"));
	status = json_pack("{s:b}", "allowed", denied == NULL);
	if (denied != NULL && *denied != '\0')
		jx_set_str(status, "reason", denied);
	r->code = 201;
	r->body = json_pack("{s:s, s:s, s:{s:n}, s:O, s:o}", "kind", "SelfSubjectAccessReview",
	    "apiVersion", "authorization.k8s.io/v1", "metadata", "creationTimestamp", "spec",
	    spec != NULL ? spec : json_null(), "status", status);
	json_decref(body);
	return 0;
}

static int
group_path(struct req *q, struct reply *r)
{
	char name[64] = "", version[32] = "", rest[64] = "";
	const struct group *g;

	sscanf(q->path, "/apis/%63[^/]/%31[^/]/%63[^/]", name, version, rest);
	g = find_group(name, version);
	if (g != NULL && strcmp(rest, "selfsubjectaccessreviews") == 0 && q->verb == V_OTHER &&
	    strcmp(q->method, "POST") == 0)
		return review(q, r);
	if (g == NULL || *rest != '\0') {
		r->code = 404;
		r->text = xdup("404 page not found\n");
		r->type = "text/plain; charset=utf-8";
		return -1;
	}
	r->code = 200;
	if (*version != '\0') {
		r->body = resources(name, version);
	} else {
		r->body = group_entry(g);
		jx_set_str(r->body, "kind", "APIGroup");
		jx_set_str(r->body, "apiVersion", "v1");
	}
	return 0;
}

static bool
is_path(const struct req *q, const char *path)
{
	size_t n = strlen(path);

	return strncmp(q->path, path, n) == 0 &&
	       (q->path[n] == '\0' || (q->path[n] == '/' && q->path[n + 1] == '\0'));
}

static json_t *
version_info(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", "1", "minor", "36",
	    "gitVersion", "v1.36.0+airis-sim", "gitTreeState", "clean", "goVersion", "none",
	    "compiler", "gcc", "platform", "linux/amd64");
}

int
api_discovery(struct req *q, struct reply *r)
{
	r->code = 200;
	if (is_path(q, "/healthz") || starts_with(q->path, "/livez") ||
	    starts_with(q->path, "/readyz")) {
		r->text = xdup("ok");
		r->type = "text/plain; charset=utf-8";
	} else if (is_path(q, "/version")) {
		r->body = version_info();
	} else if (is_path(q, "/api")) {
		r->body = json_pack("{s:s, s:[s], s:[]}", "kind", "APIVersions", "versions", "v1",
		    "serverAddressByClientCIDRs");
	} else if (is_path(q, "/apis")) {
		r->body = group_list();
	} else if (is_path(q, "/api/v1")) {
		r->body = resources("", "v1");
	} else if (starts_with(q->path, "/openapi/v3")) {
		return api_openapi(q, r);
	} else if (starts_with(q->path, "/apis/")) {
		return group_path(q, r);
	} else {
		return fail_path(r);
	}
	return 0;
}
