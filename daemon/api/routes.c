/* The table of routes, and finding one in it. */
#include <string.h>
#include "api/routes.h"

#define BODY_APP ((size_t)256 * 1024)
#define BODY ((size_t)16 * 1024)
#define BODY_PROOF ((size_t)32 * 1024)

/* Whoever adds one has to say what it is called and what it answers. */
#define ROUTE(method, path, handle, name, gives, says, ...)                                        \
	{                                                                                          \
		method, path, handle, name, gives, says, __VA_ARGS__                               \
	}
#define OPEN .open = true, .query = ""
#define MAY(right_, about_) .right = RIGHT_##right_, .about = ABOUT_##about_
#define BIT(code) (1U << CODE_##code)
#define COMMAND(command, says, right_, keys)                                                       \
	ROUTE("POST", "/v1/rollouts/{id}/" command, api_give_command, command "Rollout",           \
	    "Rollout", says, MAY(right_, ROLLOUT), .acts = command, .query = "wait",               \
	    .max_body = BODY, .body = keys, .empty = true, .refuses = BIT(CONFLICT))

#define EXAMPLE_APP                                                                                \
	"{\"kind\": \"App\", \"name\": \"web\", \"namespace\": \"shop\", "                         \
	"\"workload\": {\"name\": \"web\"}, \"traffic\": {\"istio\": {\"virtualService\": "        \
	"\"web\"}}, "                                                                              \
	"\"strategy\": {\"canary\": {\"weights\": [10, 50, 100], \"hold\": \"5m\"}}}"

/* An image, or undo, which alone has a number to go back to. */
#define RULE_START                                                                                 \
	"{\"oneOf\": [{\"required\": [\"image\"], \"properties\": {\"undo\": {\"const\": false}, " \
	"\"to\": false}}, {\"required\": [\"undo\"], \"properties\": {\"undo\": {\"const\": "      \
	"true}, "                                                                                  \
	"\"image\": false}}]}"

const struct api_route api_routes[] = {
    ROUTE("GET", "/healthz", api_get_health, "getHealth", "plain",
	"ok while the daemon's loop turns", OPEN),
    ROUTE("GET", "/readyz", api_get_ready, "getReady", "Ready",
	"whether it can write down what it is told", MAY(KNOWN, ANY), .here = true, .query = "",
	.late = "Ready"),
    ROUTE("GET", "/metrics", api_get_metrics, "getMetrics", "plain", "for Prometheus",
	MAY(READ, ALL), .here = true, .query = ""),
    ROUTE(
	"GET", "/openapi.json", api_get_openapi, "getDescription", "object", "this document", OPEN),
    ROUTE("GET", "/v1/version", api_get_version, "getVersion", "Version", "the daemon's version",
	MAY(KNOWN, ANY), .query = ""),
    ROUTE("GET", "/v1/clusters", api_get_clusters, "listClusters", "ClusterList",
	"each cluster, and what is known of it", MAY(READ, ANY), .query = ""),
    ROUTE("GET", "/v1/mesh", api_get_mesh, "listMeshes", "MeshList",
	"what each cluster's mesh has taken, and how that is asked", MAY(READ, ANY), .query = ""),
    ROUTE("GET", "/v1/webhooks", api_get_webhooks, "listWebhooks", "WebhookList",
	"who is told of what happens, and how that goes", MAY(ADMIN, ALL), .query = ""),
    ROUTE("GET", "/v1/apps", api_list_apps, "listApps", "AppPage", "apps, by name", MAY(READ, ANY),
	.query = "limit after"),
    ROUTE("GET", "/v1/apps/{app}", api_get_app, "getApp", "App", "an app", MAY(READ, APP),
	.query = "", .headers = "If-None-Match", .tagged = true),
    ROUTE("PUT", "/v1/apps/{app}", api_put_app, "putApp", "AppPut", "creates or changes an app",
	MAY(APPS, BODY), .acts = "app put", .query = "", .max_body = BODY_APP, .takes_app = true,
	.example = EXAMPLE_APP, .headers = "If-Match If-None-Match", .made = MADE_MAYBE,
	.tagged = true, .refuses = BIT(CONFLICT) | BIT(PRECONDITION_FAILED)),
    ROUTE("DELETE", "/v1/apps/{app}", api_delete_app, "deleteApp", "",
	"deletes an app that has no rollout under way; its releases stay", MAY(APPS, APP),
	.acts = "app delete", .query = "", .max_body = BODY, .headers = "If-Match",
	.refuses = BIT(CONFLICT) | BIT(PRECONDITION_FAILED)),
    ROUTE("GET", "/v1/apps/{app}/releases", api_list_releases, "listReleases", "ReleasePage",
	"an app's releases, the newest first", MAY(READ, APP), .query = "limit before"),
    ROUTE("POST", "/v1/apps/{app}/preflight", api_make_preflight, "makePreflight", "Preflight",
	"what forbids a start now; nothing is written", MAY(RELEASE, APP), .query = "",
	.max_body = BODY, .body = api_preflight_keys, .empty = true, .refuses = BIT(CONFLICT)),
    ROUTE("GET", "/v1/rollouts", api_list_rollouts, "listRollouts", "RolloutPage",
	"rollouts, the newest first", MAY(READ, ANY),
	.query = "app phase cluster live limit before"),
    ROUTE("POST", "/v1/rollouts", api_start_rollout, "startRollout", "Rollout", "starts a rollout",
	MAY(RELEASE, BODY), .acts = "start", .query = "wait", .max_body = BODY,
	.body = api_start_keys, .rule = RULE_START,
	.example = "{\"app\": \"web\", \"image\": \"shop/web:1.4\", \"why\": \"the new basket\"}",
	.headers = "Idempotency-Key traceparent", .made = MADE_MAYBE,
	.refuses = BIT(NOT_FOUND) | BIT(CONFLICT) | BIT(KEY_REUSED)),
    ROUTE("GET", "/v1/rollouts/{id}", api_get_rollout, "getRollout", "Rollout",
	"a rollout, at once or when it stands", MAY(READ, ROLLOUT), .query = "wait after"),
    ROUTE("GET", "/v1/rollouts/{id}/events", api_get_events, "listEvents", "EventPage",
	"what happened to a rollout, as a page or as a stream", MAY(READ, ROLLOUT),
	.query = "after limit", .headers = "Last-Event-ID"),
    ROUTE("GET", "/v1/rollouts/{id}/plan", api_get_plan, "getPlan", "Plan",
	"what a rollout does, stage by stage", MAY(READ, ROLLOUT), .query = "",
	.refuses = BIT(CONFLICT)),
    ROUTE("GET", "/v1/audit", api_get_audit, "listAudit", "AuditPage",
	"who did what, and what came of it", MAY(ADMIN, ALL),
	.query = "after before limit app rollout who"),
    ROUTE("POST", "/v1/plan", api_make_plan, "makePlan", "Plan",
	"what a release would do; nothing is written", MAY(RELEASE, BODY), .query = "",
	.max_body = BODY, .body = api_plan_keys,
	.example = "{\"app\": \"web\", \"image\": \"shop/web:1.4\"}",
	.refuses = BIT(NOT_FOUND) | BIT(CONFLICT)),
    COMMAND(
	"promote", "goes on to the next stage, or with full to the end", RELEASE, api_promote_keys),
    COMMAND("abort", "takes the release back", STOP, api_command_keys),
    COMMAND("pause", "stays where it is until it is resumed", STOP, api_command_keys),
    COMMAND("resume", "ends a pause", RELEASE, api_command_keys),
    COMMAND("retry", "tries again what has failed", RELEASE, api_command_keys),
    COMMAND("approve", "lets it past an approval", APPROVE, api_command_keys),
    ROUTE("POST", "/v1/tokens", api_make_token, "makeToken", "TokenMade",
	"makes a token; the secret is in this answer alone", MAY(ADMIN, ALL),
	.acts = "token create", .query = "", .max_body = BODY, .body = api_token_keys,
	.example = "{\"role\": \"deployer\", \"namespaces\": [\"shop\"], \"apps\": [\"web-*\"], "
		   "\"note\": \"ci\", \"expires\": \"90d\"}",
	.made = MADE_ALWAYS, .refuses = BIT(CONFLICT)),
    ROUTE("GET", "/v1/tokens", api_list_tokens, "listTokens", "TokenList", "all tokens",
	MAY(ADMIN, ALL), .query = ""),
    ROUTE("POST", "/v1/tokens/exchange", api_exchange_token, "exchangeToken", "TokenMade",
	"a CI system's token for one of airisd's", OPEN, .max_body = BODY_PROOF,
	.body = api_exchange_keys, .made = MADE_ALWAYS,
	.refuses = BIT(UNAUTHORIZED) | BIT(FORBIDDEN) | BIT(CONFLICT) | BIT(THROTTLED) |
		   BIT(DEGRADED) | BIT(STOPPING) | BIT(ISSUER_AWAY)),
    ROUTE("DELETE", "/v1/tokens/{id}", api_drop_token, "dropToken", "", "revokes a token",
	MAY(ADMIN, ALL), .acts = "token revoke", .query = "", .max_body = BODY,
	.refuses = BIT(CONFLICT)),
};
const size_t api_route_count = sizeof(api_routes) / sizeof(api_routes[0]);

/* Is it a path of its own? Then no pattern has it, too. */
static bool
is_named(const char *path)
{
	for (size_t i = 0; i < api_route_count; i++)
		if (strcmp(api_routes[i].path, path) == 0)
			return true;
	return false;
}

/* What stands for {…} goes to arg: one part of the path, not empty. */
static bool
matches(const char *pattern, const char *path, char *arg, size_t size)
{
	const char *hole = strchr(pattern, '{');
	if (hole == NULL)
		return strcmp(pattern, path) == 0;
	size_t before = (size_t)(hole - pattern);
	const char *rest = strchr(hole, '}') + 1;
	if (strncmp(pattern, path, before) != 0)
		return false;
	size_t length = strcspn(path + before, "/");
	if (length == 0 || length >= size || strcmp(path + before + length, rest) != 0)
		return false;
	str_print(arg, size, "%.*s", (int)length, path + before);
	return true;
}

static void
add_method(char allow[64], const char *method)
{
	size_t length = strlen(allow);
	str_print(allow + length, 64 - length, "%s%s", length > 0 ? ", " : "", method);
}

const struct api_route *
api_route_find(const char *method, const char *path, char *arg, size_t size, char allow[64])
{
	bool named = is_named(path);
	allow[0] = '\0';
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		if (named ? strcmp(route->path, path) != 0 : !matches(route->path, path, arg, size))
			continue;
		if (strcmp(route->method, method) == 0)
			return route;
		add_method(allow, route->method);
	}
	return NULL;
}
