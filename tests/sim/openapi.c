/* openapi: as much of /openapi/v3 as kubectl asks before it writes: that PATCH knows
 * fieldValidation and fieldManager, so that it leaves validation to the server. */
#include "api.h"
#include "jx.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *
parameter(const char *name)
{
	return json_pack(
	    "{s:s, s:s, s:{s:s}}", "name", name, "in", "query", "schema", "type", "string");
}

static json_t *
path_item(const struct kind *k, const char *version)
{
	return json_pack("{s:{s:[o, o, o, o], s:{}, s:{s:s, s:s, s:s}}}", "patch", "parameters",
	    parameter("fieldManager"), parameter("fieldValidation"), parameter("dryRun"),
	    parameter("force"), "responses", "x-kubernetes-group-version-kind", "group", k->group,
	    "version", version, "kind", k->name);
}

static json_t *
document(const char *group, const char *version)
{
	json_t *paths = json_object();

	for (int i = 0; i < K_COUNT; i++) {
		const struct kind *k = &kinds[i];
		char api[96], *path;

		if (kind_find(group, version, k->plural) != k)
			continue;
		path = xfmt("/%s/%s/%s%s/{name}", *group ? "apis" : "api",
		    kind_api_version(k, version, api),
		    k->namespaced ? "namespaces/{namespace}/" : "", k->plural);
		json_object_set_new(paths, path, path_item(k, version));
		free(path);
	}
	return json_pack("{s:s, s:{s:s, s:s}, s:o}", "openapi", "3.0.0", "info", "title",
	    "airis-sim", "version", "v1", "paths", paths);
}

static json_t *
index_of_documents(void)
{
	static const char *const names[] = {"api/v1", "apis/apps/v1", "apis/autoscaling/v2",
	    "apis/batch/v1", "apis/policy/v1", "apis/networking.k8s.io/v1",
	    "apis/storage.k8s.io/v1", "apis/security.istio.io/v1", "apis/discovery.k8s.io/v1",
	    "apis/coordination.k8s.io/v1", "apis/networking.istio.io/v1",
	    "apis/networking.istio.io/v1beta1", "apis/gateway.networking.k8s.io/v1",
	    "apis/gateway.networking.k8s.io/v1beta1"};
	json_t *paths = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set_new(paths, names[i],
		    json_pack("{s:o}", "serverRelativeURL",
			json_sprintf("/openapi/v3/%s?hash=1", names[i])));
	return json_pack("{s:o}", "paths", paths);
}

int
api_openapi(struct req *q, struct reply *r)
{
	char group[64] = "", version[32] = "";
	const char *rest = q->path + strlen("/openapi/v3");

	r->code = 200;
	if (*rest == '\0' || strcmp(rest, "/") == 0) {
		r->body = index_of_documents();
		return 0;
	}
	if (sscanf(rest, "/apis/%63[^/]/%31[^/]", group, version) != 2 &&
	    sscanf(rest, "/api/%31[^/]", version) != 1)
		return fail_path(r);
	r->body = document(group, version);
	return 0;
}
