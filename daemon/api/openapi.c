/* The description of the API that /openapi.json gives out. All of it is made from the tables that
 * requests go through: routes, keys of bodies, codes of problems, shapes of answers. What the
 * daemon may do beyond it is open; it never refuses what is allowed here for its form alone, but
 * for what JSON Schema cannot say (422 tells that). */
#include "api/openapi.h"
#include <stdlib.h>
#include <string.h>
#include "api/api_room.h"
#include "access/role.h"
#include "api/shapes.h"
#include "base/jsonx.h"
#include "base/version.h"

#define WORD_MAX 32
#define OTHERS                                                                                     \
	"Not listed on each path: 405 for other methods, and what is answered before a path is "   \
	"looked at: 431 for a head and 413 for a body that is too large for any of them."

/* What stands in queries, paths and headers. */
struct parameter {
	const char *name;
	const char
	    *where; /* the path, or of headers the method, where it is so; NULL: all others */
	const char *shape, *says, *example;
};

static const struct parameter queries[] = {
    {"limit", NULL, "limit", "how many at most", NULL},
    {"after", "/v1/apps", "argument",
	"the name after which the page begins: `next` of the one before", NULL},
    {"after", "/v1/rollouts/{id}", "cursor",
	"with wait: answer as soon as the rollout's `cursor` is more than this", NULL},
    {"after", NULL, "cursor", "the number after which the page begins: `next` of the one before",
	NULL},
    {"before", "/v1/rollouts", "rollout", "the rollout before which the page begins: `next`", NULL},
    {"before", NULL, "cursor", "the number before which the page begins: `next`", NULL},
    {"app", NULL, "argument", "only of this app", NULL},
    {"phase", NULL, "phase", "only those in this phase", NULL},
    {"cluster", NULL, "argument", "only those on this cluster", NULL},
    {"live", NULL, "flag", "only those that have not ended", NULL},
    {"wait", NULL, "wait", "answer when the rollout stands, or after this time", "1s"},
    {"rollout", NULL, "argument", "only of this rollout", NULL},
    {"who", NULL, "argument", "only by who has this name, or is it for certain", NULL},
};

static const struct parameter holes[] = {
    {"app", NULL, "label", "the app's name", "web"},
    {"id", "/v1/tokens/{id}", "token", "the token's id, which is no secret", NULL},
    {"id", NULL, "rollout", "the rollout's id", NULL},
};

static const struct parameter headers[] = {
    {"If-Match", NULL, "tags", "only if the app is one of these: * or ETags", NULL},
    {"If-None-Match", "PUT", "star", "only if there is no such app", NULL},
    {"If-None-Match", NULL, "tags", "304 if the app is one of these: * or ETags", NULL},
    {"Idempotency-Key", NULL, "key", "the same start again finds the rollout that it has started",
	NULL},
    {"traceparent", NULL, "visible", "the trace that the rollout becomes part of (W3C)", NULL},
    {"Last-Event-ID", NULL, "digits", "where a stream goes on", NULL},
    {"X-Airis-Actor", NULL, "visible", "who acts, for people; decides nothing", NULL},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct parameter *
find(const struct parameter *table, size_t count, const char *name, const char *where)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0 &&
		    (table[i].where == NULL || strcmp(table[i].where, where) == 0))
			return &table[i];
	return NULL;
}

static void
add_parameter(json_t *to, const struct parameter *parameter, const char *in, json_t *schema)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", parameter->name, "in", in,
	    "description", parameter->says, "required", strcmp(in, "path") == 0, "schema", schema);
	if (parameter->example != NULL)
		json_object_set_new(json, "example", json_string(parameter->example));
	json_array_append_new(to, json);
}

/* One for each word; a word that no table knows is told by the unit test: it has no schema. */
static void
add_words(json_t *to, const char *words, const struct api_route *route, bool query)
{
	for (const char *at = words; at != NULL && *at != '\0';) {
		char name[WORD_MAX];
		size_t length = strcspn(at, " ");
		str_print(name, sizeof(name), "%.*s", (int)length, at);
		const struct parameter *found =
		    query ? find(queries, COUNT(queries), name, route->path)
			  : find(headers, COUNT(headers), name, route->method);
		if (found != NULL)
			add_parameter(
			    to, found, query ? "query" : "header", api_shape(found->shape));
		at += length + strspn(at + length, " ");
	}
}

static json_t *
parameters(const struct api_route *route)
{
	json_t *list = json_array();
	char name[WORD_MAX];
	const char *hole = strchr(route->path, '{');
	if (hole != NULL) {
		str_print(name, sizeof(name), "%.*s", (int)strcspn(hole + 1, "}"), hole + 1);
		const struct parameter *found = find(holes, COUNT(holes), name, route->path);
		add_parameter(list, found, "path", api_shape(found->shape));
	}
	add_words(list, route->query, route, true);
	add_words(list, route->headers, route, false);
	if (route->acts != NULL)
		add_words(list, "X-Airis-Actor", route, false);
	return list;
}

/* --- bodies ----------------------------------------------------------------------------------- */

static json_t *
body_schema(const struct api_route *route)
{
	json_t *rule, *value, *schema;
	const char *key;
	if (route->takes_app)
		return json_pack("{s:s}", "$ref", "#/components/schemas/AppSpec");
	schema = keys_schema(route->body);
	if (route->rule == NULL)
		return schema;
	rule = json_loads(route->rule, 0, NULL);
	json_object_foreach(rule, key, value) json_object_set(schema, key, value);
	json_decref(rule);
	return schema;
}

static json_t *
body(const struct api_route *route)
{
	char says[64];
	json_t *content = json_object(), *media = json_pack("{s:o}", "schema", body_schema(route));
	if (route->example != NULL)
		json_object_set_new(media, "example", json_loads(route->example, 0, NULL));
	json_object_set(content, "application/json", media);
	if (route->takes_app)
		json_object_set(content, "application/yaml", media);
	json_decref(media);
	str_print(says, sizeof(says), "at most %zu bytes", route->max_body);
	return json_pack(
	    "{s:s, s:b, s:o}", "description", says, "required", !route->empty, "content", content);
}

/* --- answers ---------------------------------------------------------------------------------- */

unsigned
api_openapi_codes(const struct api_route *route)
{
	unsigned codes = route->refuses | 1U << CODE_BAD_REQUEST | 1U << CODE_INTERNAL;
	if (!route->open)
		codes |= 1U << CODE_UNAUTHORIZED | 1U << CODE_THROTTLED | 1U << CODE_STOPPING;
	if (!route->open && route->right != RIGHT_KNOWN)
		codes |= 1U << CODE_FORBIDDEN;
	if (strchr(route->path, '{') != NULL && !route->takes_app)
		codes |= 1U << CODE_NOT_FOUND;
	if (route->max_body > 0)
		codes |= 1U << CODE_TOO_LARGE;
	if (route->body != NULL || route->takes_app)
		codes |= 1U << CODE_UNSUPPORTED_MEDIA_TYPE | 1U << CODE_UNPROCESSABLE;
	if (route->acts != NULL)
		codes |= 1U << CODE_DEGRADED;
	return codes;
}

static void
add_header(json_t *answer, const char *name, const char *says)
{
	json_t *all = json_object_get(answer, "headers");
	if (all == NULL) {
		all = json_object();
		json_object_set_new(answer, "headers", all);
	}
	json_object_set_new(all, name,
	    json_pack("{s:s, s:{s:s}}", "description", says, "schema", "type", "string"));
}

static json_t *
answer(const char *says, const char *type, const char *shape)
{
	return json_pack(
	    "{s:s, s:{s:{s:o}}}", "description", says, "content", type, "schema", api_shape(shape));
}

static json_t *
success(const struct api_route *route, bool made)
{
	bool plain = strcmp(route->gives, "plain") == 0;
	if (route->gives[0] == '\0')
		return json_pack("{s:s}", "description", "done; there is nothing to tell");
	json_t *json = answer(made ? "made" : "as asked for",
	    plain ? "text/plain" : "application/json", route->gives);
	if (route->headers != NULL && strcmp(route->headers, "Last-Event-ID") == 0)
		json_object_set_new(json_object_get(json, "content"), "text/event-stream",
		    json_pack("{s:o}", "schema", api_shape("text")));
	if (made)
		add_header(json, "Location", "the path of what was made");
	if (route->tagged)
		add_header(json, "ETag", "of the app, for If-Match and If-None-Match");
	return json;
}

static const char *
status_text(int status, char to[8])
{
	str_print(to, 8, "%d", status);
	return to;
}

/* What the components have of each status: "conflict, key_reused". */
static json_t *
problem(int status, unsigned codes)
{
	struct str names;
	str_init(&names, 0);
	for (int i = 0; i < CODE_COUNT; i++)
		if (codes >> i & 1 && api_code_status((enum api_code)i) == status)
			str_addf(&names, "%s`%s`", names.length > 0 ? ", " : "",
			    api_code_name((enum api_code)i));
	json_t *json = answer(str_text(&names), "application/problem+json", "Problem");
	str_done(&names);
	if (status == api_code_status(CODE_UNAUTHORIZED))
		add_header(json, "WWW-Authenticate", "how to say who asks");
	if (status == api_code_status(CODE_THROTTLED) || status == api_code_status(CODE_DEGRADED))
		add_header(json, "Retry-After", "whole seconds to wait");
	if (status == api_code_status(CODE_PRECONDITION_FAILED))
		add_header(json, "ETag", "of the app as it is, if there is one");
	return json;
}

/* No other code has its status: it is told once for all routes. */
static bool
is_alone(enum api_code code)
{
	for (int i = 0; i < CODE_COUNT; i++)
		if (i != (int)code && api_code_status((enum api_code)i) == api_code_status(code))
			return false;
	return true;
}

static json_t *
problems(void)
{
	json_t *all = json_object();
	for (int i = 0; i < CODE_COUNT; i++)
		if (is_alone((enum api_code)i))
			json_object_set_new(all, api_code_name((enum api_code)i),
			    problem(api_code_status((enum api_code)i), 1U << i));
	return all;
}

static json_t *
refusal(enum api_code code, unsigned codes)
{
	char path[64];
	if (!is_alone(code))
		return problem(api_code_status(code), codes);
	str_print(path, sizeof(path), "#/components/responses/%s", api_code_name(code));
	return json_pack("{s:s}", "$ref", path);
}

static json_t *
answers(const struct api_route *route)
{
	json_t *all = json_object();
	unsigned codes = api_openapi_codes(route);
	char status[8];
	if (route->gives[0] == '\0')
		json_object_set_new(all, "204", success(route, false));
	else if (route->made != MADE_ALWAYS)
		json_object_set_new(all, "200", success(route, false));
	if (route->made != MADE_NOTHING)
		json_object_set_new(all, "201", success(route, true));
	if (route->tagged && route->max_body == 0) {
		json_t *same = json_pack("{s:s}", "description", "the app is one of If-None-Match");
		add_header(same, "ETag", "of the app");
		json_object_set_new(all, "304", same);
	}
	for (int i = 0; i < CODE_COUNT; i++)
		if (codes >> i & 1)
			json_object_set_new(all,
			    status_text(api_code_status((enum api_code)i), status),
			    refusal((enum api_code)i, codes));
	if (route->late != NULL)
		json_object_set_new(json_object_get(json_object_get(all, "503"), "content"),
		    "application/json", json_pack("{s:o}", "schema", api_shape(route->late)));
	return all;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Who may; none and a token: from this host without. */
static json_t *
security(const struct api_route *route)
{
	if (route->open)
		return json_array();
	return route->here ? json_pack("[{}, {s:[]}]", "token") : json_pack("[{s:[]}]", "token");
}

static json_t *
help_of(const struct api_route *route)
{
	struct str text;
	str_init(&text, 0);
	if (route->open)
		str_add(&text, "Open to all who can connect.");
	else if (route->right == RIGHT_KNOWN)
		str_add(&text, "For whoever is known.");
	else
		right_roles(route->right, &text);
	if (route->here)
		str_add(&text, " From this host it takes nothing.");
	json_t *json = json_string(str_text(&text));
	str_done(&text);
	return json;
}

/* "/v1/apps/{app}" -> apps; what is not below /v1 is about the daemon. */
static json_t *
tag_of(const struct api_route *route)
{
	const char *name = strncmp(route->path, "/v1/", 4) == 0 ? route->path + 4 : "daemon";
	return json_stringn(name, strcspn(name, "/"));
}

static json_t *
operation(const struct api_route *route)
{
	json_t *json = json_pack("{s:s, s:s, s:o, s:[o], s:o, s:o}", "operationId", route->name,
	    "summary", route->says, "description", help_of(route), "tags", tag_of(route),
	    "security", security(route), "parameters", parameters(route));
	if (route->body != NULL || route->takes_app)
		json_object_set_new(json, "requestBody", body(route));
	json_object_set_new(json, "responses", answers(route));
	return json;
}

static json_t *
paths(void)
{
	json_t *all = json_object();
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		char method[8];
		json_t *path = json_object_get(all, route->path);
		if (path == NULL) {
			path = json_object();
			json_object_set_new(all, route->path, path);
		}
		str_copy(method, sizeof(method), route->method);
		for (char *c = method; *c != '\0'; c++)
			*c = (char)(*c - 'A' + 'a');
		json_object_set_new(path, method, operation(route));
	}
	return all;
}

static json_t *
components(void)
{
	json_t *schemas = api_shapes(), *app = keys_schema(app_table());
	json_object_set_new(app, "description",
	    json_string("As airis-app(5) has it. What takes more than one key to see is not here: "
			"422 tells it."));
	json_object_set_new(schemas, "AppSpec", app);
	return json_pack("{s:o, s:o, s:{s:{s:s, s:s, s:s}}}", "schemas", schemas, "responses",
	    problems(), "securitySchemes", "token", "type", "http", "scheme", "bearer",
	    "description",
	    "By TCP. The Unix socket knows its users, and HTTPS client certificates.");
}

json_t *
api_openapi(void)
{
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:o, s:o}", "openapi", "3.1.0",
	    "info", "title", "airisd", "version", version_text(), "description",
	    "Releases on Kubernetes, step by step. docs/rest.md tells all of it in words. " OTHERS,
	    "servers", "url", "/", "paths", paths(), "components", components());
}

void
api_get_openapi(struct call *call)
{
	struct api *api = call->api;
	if (api->description == NULL) {
		json_t *json = api_openapi();
		api->description = jsonx_dump(json);
		json_decref(json);
	}
	api_answer_text(api, call->number, "application/json", api->description);
}
