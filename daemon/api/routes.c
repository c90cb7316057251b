/* The table of routes, and finding one in it. */
#include <string.h>
#include "api/routes.h"

#define BODY_APP ((size_t)256 * 1024)
#define BODY ((size_t)16 * 1024)

const struct api_route api_routes[] = {
    {"GET", "/healthz", api_get_health, .open = true, .query = ""},
    {"GET", "/readyz", api_get_ready, .open = true, .query = ""},
    {"GET", "/metrics", api_get_metrics, .open = true, .query = ""},
    {"GET", "/v1/version", api_get_version, .query = ""},
    {"GET", "/v1/clusters", api_get_clusters, .query = ""},
    {"GET", "/v1/mesh", api_get_mesh, .query = ""},
    {"GET", "/v1/apps", api_list_apps, .query = "limit after"},
    {"GET", "/v1/apps/{app}", api_get_app, .query = ""},
    {"PUT", "/v1/apps/{app}", api_put_app, .acts = true, .query = "", .max_body = BODY_APP},
    {"DELETE", "/v1/apps/{app}", api_delete_app, .acts = true, .query = "", .max_body = BODY},
    {"GET", "/v1/apps/{app}/releases", api_list_releases, .query = "limit before"},
    {"POST", "/v1/apps/{app}/preflight", api_make_preflight, .query = "", .max_body = BODY},
    {"GET", "/v1/rollouts", api_list_rollouts, .query = "app phase cluster live limit before"},
    {"POST", "/v1/rollouts", api_start_rollout, .acts = true, .query = "wait", .max_body = BODY},
    {"GET", "/v1/rollouts/{id}", api_get_rollout, .query = "wait after"},
    {"GET", "/v1/rollouts/{id}/events", api_get_events, .query = "after limit"},
    {"GET", "/v1/rollouts/{id}/plan", api_get_plan, .query = ""},
    {"POST", "/v1/plan", api_make_plan, .query = "", .max_body = BODY},
#define COMMAND(name)                                                                              \
	{                                                                                          \
		"POST", "/v1/rollouts/{id}/" name, api_give_command,                               \
		    .acts = true, .query = "wait", .max_body = BODY                                \
	}
    COMMAND("promote"),
    COMMAND("abort"),
    COMMAND("pause"),
    COMMAND("resume"),
    COMMAND("retry"),
    COMMAND("approve"),
#undef COMMAND
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
