/* The table of routes, and finding one in it. */
#include <string.h>
#include "api/routes.h"

#define BODY_APP ((size_t)256 * 1024)
#define BODY ((size_t)16 * 1024)
#define BODY_PROOF ((size_t)32 * 1024)

#define OPEN .open = true, .query = ""
#define MAY(right_, about_) .right = RIGHT_##right_, .about = ABOUT_##about_
#define COMMAND(name, right_)                                                                      \
	{                                                                                          \
		"POST", "/v1/rollouts/{id}/" name, api_give_command, MAY(right_, ROLLOUT),         \
		    .acts = name, .query = "wait", .max_body = BODY                                \
	}

const struct api_route api_routes[] = {
    {"GET", "/healthz", api_get_health, OPEN},
    {"GET", "/readyz", api_get_ready, MAY(KNOWN, ANY), .here = true, .query = ""},
    {"GET", "/metrics", api_get_metrics, MAY(READ, ALL), .here = true, .query = ""},
    {"GET", "/v1/version", api_get_version, MAY(KNOWN, ANY), .query = ""},
    {"GET", "/v1/clusters", api_get_clusters, MAY(READ, ANY), .query = ""},
    {"GET", "/v1/mesh", api_get_mesh, MAY(READ, ANY), .query = ""},
    {"GET", "/v1/webhooks", api_get_webhooks, MAY(ADMIN, ALL), .query = ""},
    {"GET", "/v1/apps", api_list_apps, MAY(READ, ANY), .query = "limit after"},
    {"GET", "/v1/apps/{app}", api_get_app, MAY(READ, APP), .query = ""},
    {"PUT", "/v1/apps/{app}", api_put_app, MAY(APPS, BODY), .acts = "app put", .query = "",
	.max_body = BODY_APP},
    {"DELETE", "/v1/apps/{app}", api_delete_app, MAY(APPS, APP), .acts = "app delete", .query = "",
	.max_body = BODY},
    {"GET", "/v1/apps/{app}/releases", api_list_releases, MAY(READ, APP), .query = "limit before"},
    {"POST", "/v1/apps/{app}/preflight", api_make_preflight, MAY(RELEASE, APP), .query = "",
	.max_body = BODY},
    {"GET", "/v1/rollouts", api_list_rollouts, MAY(READ, ANY),
	.query = "app phase cluster live limit before"},
    {"POST", "/v1/rollouts", api_start_rollout, MAY(RELEASE, BODY), .acts = "start",
	.query = "wait", .max_body = BODY},
    {"GET", "/v1/rollouts/{id}", api_get_rollout, MAY(READ, ROLLOUT), .query = "wait after"},
    {"GET", "/v1/rollouts/{id}/events", api_get_events, MAY(READ, ROLLOUT), .query = "after limit"},
    {"GET", "/v1/rollouts/{id}/plan", api_get_plan, MAY(READ, ROLLOUT), .query = ""},
    {"GET", "/v1/audit", api_get_audit, MAY(ADMIN, ALL),
	.query = "after before limit app rollout who"},
    {"POST", "/v1/plan", api_make_plan, MAY(RELEASE, BODY), .query = "", .max_body = BODY},
    COMMAND("promote", RELEASE),
    COMMAND("abort", STOP),
    COMMAND("pause", STOP),
    COMMAND("resume", RELEASE),
    COMMAND("retry", RELEASE),
    COMMAND("approve", APPROVE),
    {"POST", "/v1/tokens", api_make_token, MAY(ADMIN, ALL), .acts = "token create", .query = "",
	.max_body = BODY},
    {"GET", "/v1/tokens", api_list_tokens, MAY(ADMIN, ALL), .query = ""},
    {"POST", "/v1/tokens/exchange", api_exchange_token, OPEN, .max_body = BODY_PROOF},
    {"DELETE", "/v1/tokens/{id}", api_drop_token, MAY(ADMIN, ALL), .acts = "token revoke",
	.query = "", .max_body = BODY},
};
const size_t api_route_count = sizeof(api_routes) / sizeof(api_routes[0]);

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
	allow[0] = '\0';
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		if (!matches(route->path, path, arg, size))
			continue;
		if (strcmp(route->method, method) == 0)
			return route;
		add_method(allow, route->method);
	}
	return NULL;
}
