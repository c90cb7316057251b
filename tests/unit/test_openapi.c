/* /openapi.json: it has all of the tables that it is made from, it is whole, and its patterns allow
 * what the daemon takes. That the daemon keeps to it: tests/e2e/test_openapi.py. */
#include "unit.h"

#include <regex.h>
#include <string.h>
#include "api/answer.h"
#include "api/openapi.h"
#include "api/shapes.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/version.h"
#include "model/release.h"

static json_t *doc;

static int
setup(void **state)
{
	(void)state;
	doc = api_openapi();
	return doc == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	json_decref(doc);
	return 0;
}

static json_t *
operation(const struct api_route *route)
{
	char method[8];
	str_copy(method, sizeof(method), route->method);
	for (char *c = method; *c != '\0'; c++)
		*c = (char)(*c | 0x20);
	json_t *path = json_object_get(json_object_get(doc, "paths"), route->path);
	json_t *json = json_object_get(path, method);
	if (json == NULL)
		fail_msg("%s %s is not described", route->method, route->path);
	return json;
}

/* What it refers to; itself if that is nothing. */
static const json_t *
followed(const json_t *json)
{
	const char *to = json_string_value(json_object_get(json, "$ref"));
	const json_t *at = doc;
	char name[64];
	while (to != NULL && at != NULL && (to = strchr(to, '/')) != NULL) {
		to++;
		str_print(name, sizeof(name), "%.*s", (int)strcspn(to, "/"), to);
		at = json_object_get(at, name);
	}
	return at == NULL || at == doc ? json : at;
}

static size_t
words(const char *text)
{
	size_t count = 0;
	for (; text != NULL && *text != '\0'; count++) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	return count;
}

static void
test_every_route_is_described(void **state)
{
	json_t *names = json_object();
	(void)state;
	assert_string_equal(jsonx_text(doc, "info.version"), version_text());
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		json_t *json = operation(route), *list = json_object_get(json, "parameters");
		const char *name = jsonx_text(json, "operationId");
		size_t wanted = words(route->query) + words(route->headers) +
				(strchr(route->path, '{') != NULL) + (route->acts != NULL);
		bool takes = route->body != NULL || route->takes_app;
		assert_non_null(name);
		assert_true(strlen(jsonx_text(json, "summary")) > 0);
		if (json_object_get(names, name) != NULL)
			fail_msg("%s stands for two routes", name);
		json_object_set_new(names, name, json_true());
		if (json_array_size(list) != wanted)
			fail_msg("%s: of what it looks at something has no table", name);
		for (size_t k = 0; k < wanted; k++)
			assert_true(json_object_size(
					json_object_get(json_array_get(list, k), "schema")) > 0);
		assert_int_equal(json_object_get(json, "requestBody") != NULL, takes);
		/* It may have a body that nobody reads, but none is read that may not be there. */
		assert_true(!takes || route->max_body > 0);
		assert_int_equal(
		    json_array_size(json_object_get(json, "security")) == 0, route->open);
	}
	json_decref(names);
}

/* What each may be refused with, by its status and by name, and not more. */
static void
test_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_route_count; i++) {
		json_t *all = json_object_get(operation(&api_routes[i]), "responses");
		unsigned codes = api_openapi_codes(&api_routes[i]);
		for (int code = 0; code < CODE_COUNT; code++) {
			char status[8], name[40];
			str_print(
			    status, sizeof(status), "%d", api_code_status((enum api_code)code));
			str_print(name, sizeof(name), "`%s`", api_code_name((enum api_code)code));
			const json_t *refusal = followed(json_object_get(all, status));
			const char *told = jsonx_text_or(refusal, "description", "");
			if ((strstr(told, name) != NULL) != (codes >> code & 1))
				fail_msg(
				    "%s %s: %s", api_routes[i].method, api_routes[i].path, name);
		}
	}
	json_t *names = jsonx_at(doc, "components.schemas.Problem.properties.code.enum");
	assert_int_equal(json_array_size(names), CODE_COUNT);
}

static const struct api_route *
route_of(const char *method, const char *path)
{
	char arg[64], allow[64];
	const struct api_route *route = api_route_find(method, path, arg, sizeof(arg), allow);
	assert_non_null(route);
	return route;
}

static bool
has(const struct api_route *route, const char *status)
{
	return jsonx_at(operation(route), "responses") != NULL &&
	       json_object_get(json_object_get(operation(route), "responses"), status) != NULL;
}

/* What follows from a route's other columns, by hand. */
static void
test_answers(void **state)
{
	const struct api_route *put = route_of("PUT", "/v1/apps/web");
	const struct api_route *start = route_of("POST", "/v1/rollouts");
	const struct api_route *health = route_of("GET", "/healthz");
	(void)state;
	assert_true(has(put, "200") && has(put, "201") && has(put, "412") && has(put, "422"));
	assert_true(has(put, "413") && has(put, "415") && has(put, "503") && !has(put, "304"));
	assert_true(has(put, "401") && has(put, "403") && !has(put, "404"));
	assert_true(has(route_of("GET", "/v1/tokens"), "403"));
	assert_false(has(route_of("GET", "/v1/version"), "403"));
	assert_true(has(route_of("GET", "/v1/version"), "401"));
	assert_true(has(start, "201") && has(start, "409") && has(start, "429"));
	assert_true(has(route_of("GET", "/v1/apps/web"), "304"));
	assert_true(has(route_of("DELETE", "/v1/apps/web"), "204"));
	assert_false(has(route_of("DELETE", "/v1/apps/web"), "200"));
	assert_true(has(route_of("POST", "/v1/tokens"), "201"));
	assert_false(has(route_of("POST", "/v1/tokens"), "200"));
	assert_true(has(health, "200") && !has(health, "401") && !has(health, "429"));
	assert_non_null(jsonx_at(operation(put), "responses.201.headers.Location"));
	assert_non_null(jsonx_at(operation(put), "responses.200.headers.ETag"));
	assert_null(jsonx_at(operation(put), "responses.200.headers.Location"));
	assert_non_null(
	    jsonx_at(followed(jsonx_at(operation(start), "responses.429")), "headers.Retry-After"));
	assert_non_null(jsonx_at(operation(start), "responses.503.headers.Retry-After"));
	assert_non_null(jsonx_at(
	    followed(jsonx_at(operation(start), "responses.401")), "headers.WWW-Authenticate"));
	json_t *ready = operation(route_of("GET", "/readyz"));
	json_t *late = json_object_get(jsonx_at(ready, "responses.503"), "content");
	assert_non_null(json_object_get(late, "application/json"));
	json_t *events = operation(route_of("GET", "/v1/rollouts/r-x/events"));
	json_t *content = json_object_get(jsonx_at(events, "responses.200"), "content");
	assert_non_null(json_object_get(content, "text/event-stream"));
}

static void
check_members(const json_t *schema, const char *where)
{
	json_t *properties = json_object_get(schema, "properties"), *item;
	json_t *required = json_object_get(schema, "required");
	const char *name;
	size_t i;
	json_array_foreach(required, i, item)
	{
		if (json_object_get(properties, json_string_value(item)) == NULL)
			fail_msg("%s: %s has no schema", where, json_string_value(item));
	}
	json_object_foreach(properties, name, item)
	{
		if (json_object_get(item, "type") == NULL &&
		    json_object_get(item, "$ref") == NULL && json_object_get(item, "anyOf") == NULL)
			fail_msg("%s: nobody says what %s is", where, name);
	}
}

/* Every reference leads somewhere, every member that must be there has a schema, and so has every
 * key that a body may have. */
static void
check_whole(const json_t *json, const char *where)
{
	json_t *walk = (json_t *)json, *item;
	const char *name;
	size_t i;
	if (json_object_get(json, "$ref") != NULL && followed(json) == json)
		fail_msg("%s leads nowhere", where);
	if (json_is_string(json_object_get(json, "type")))
		check_members(json, where);
	json_array_foreach(walk, i, item)
	{
		check_whole(item, where);
	}
	json_object_foreach(walk, name, item)
	{
		check_whole(item, name);
	}
}

static void
test_it_is_whole(void **state)
{
	(void)state;
	check_whole(doc, "the document");
	assert_null(api_shape("nothing"));
	assert_null(api_shape(""));
	assert_null(api_shape("[nothing]"));
	json_t *list = api_shape("[text]"), *maybe = api_shape("Gate?");
	assert_string_equal(jsonx_text(list, "items.type"), "string");
	assert_string_equal(jsonx_text(maybe, "anyOf.1.type"), "null");
	json_decref(list);
	json_decref(maybe);
}

static void
test_bodies_are_those_of_the_keys(void **state)
{
	(void)state;
	json_t *start = jsonx_at(operation(route_of("POST", "/v1/rollouts")), "requestBody");
	json_t *json = json_object_get(json_object_get(start, "content"), "application/json");
	json_t *schema = json_object_get(json, "schema");
	assert_true(jsonx_bool(start, "required", false));
	assert_false(jsonx_bool(schema, "additionalProperties", true));
	assert_string_equal(jsonx_text(schema, "required.0"), "app");
	assert_int_equal(jsonx_int(schema, "properties.to.minimum", -1), 1);
	assert_int_equal(jsonx_int(schema, "properties.to.maximum", -1), INT32_MAX);
	assert_int_equal(jsonx_int(schema, "properties.commit.maxLength", -1), 127);
	assert_int_equal(json_array_size(json_object_get(schema, "oneOf")), 2);
	json_t *abort =
	    jsonx_at(operation(route_of("POST", "/v1/rollouts/r-x/abort")), "requestBody");
	assert_false(jsonx_bool(abort, "required", true));
	json_t *app = jsonx_at(doc, "components.schemas.AppSpec.properties");
	assert_string_equal(jsonx_text(app, "onEdit.enum.1"), "repair");
	assert_string_equal(jsonx_text(app, "onEdit.default"), "hold");
	assert_int_equal(jsonx_int(app, "gates.maxItems", -1), 32);
	assert_string_equal(jsonx_text(app, "gates.items.properties.failures.type"), "integer");
	assert_int_equal(jsonx_int(app, "gates.items.properties.failures.default", -1), 2);
	assert_non_null(strstr(
	    jsonx_text(app, "gates.items.properties.every.description"), "from 100ms to 1h"));
}

/* --- patterns --------------------------------------------------------------------------------- */

static const char *
pattern_at(const char *path)
{
	const char *pattern = jsonx_text(doc, path);
	if (pattern == NULL)
		fail_msg("%s: no pattern", path);
	return pattern;
}

/* The pattern and the check say the same of texts that are almost right. */
static void
compare(const char *pattern, bool (*check)(const char *text), const char *letters, size_t most)
{
	regex_t regex;
	char text[64];
	size_t count = strlen(letters), taken = 0;
	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	for (int i = 0; i < 40000; i++) {
		size_t length = (size_t)(id_random() * (double)(most + 1));
		for (size_t k = 0; k < length; k++)
			text[k] = letters[(size_t)(id_random() * (double)count)];
		text[length] = '\0';
		bool good = check(text);
		taken += good;
		if ((regexec(&regex, text, 0, NULL, 0) == 0) != good)
			fail_msg("\"%s\": the daemon says %s, %s does not", text,
			    good ? "yes" : "no", pattern);
	}
	assert_true(taken > 400);
	regfree(&regex);
}

static void
test_patterns_are_what_is_checked(void **state)
{
	regex_t regex;
	(void)state;
	id_seed(7);
	json_t *label = api_shape("label"), *rollout = api_shape("rollout");
	compare(jsonx_text(label, "pattern"), str_is_dns_label, "ab0-", 6);
	compare(
	    pattern_at("components.schemas.AppSpec.properties.workload.properties.name.pattern"),
	    str_is_dns_name, "ab0-.", 7);
	json_t *plan = operation(route_of("POST", "/v1/plan"));
	json_t *content = jsonx_at(plan, "requestBody.content");
	json_t *schema = json_object_get(json_object_get(content, "application/json"), "schema");
	compare(jsonx_text(schema, "properties.image.pattern"), image_ok, "ab0A-_./:", 9);
	assert_int_equal(
	    regcomp(&regex, jsonx_text(rollout, "pattern"), REG_EXTENDED | REG_NOSUB), 0);
	for (int c = '0'; c <= 'z'; c++) {
		char id[64], text[8] = {(char)c, (char)c, (char)c, (char)c, (char)c, (char)c, '\0'};
		str_print(id, sizeof(id), "r-%s01j9zk3v5q8w2x4y6t7n", text);
		assert_int_equal(regexec(&regex, id, 0, NULL, 0) == 0, id_ok(id, "r-"));
	}
	regfree(&regex);
	json_decref(label);
	json_decref(rollout);
}

/* A path that is a route is no {id} of another one. */
static void
test_a_name_is_no_pattern(void **state)
{
	char arg[64], allow[64];
	(void)state;
	assert_null(api_route_find("DELETE", "/v1/tokens/exchange", arg, sizeof(arg), allow));
	assert_string_equal(allow, "POST");
	assert_non_null(api_route_find("DELETE", "/v1/tokens/exchang1", arg, sizeof(arg), allow));
	assert_string_equal(arg, "exchang1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	    T(test_every_route_is_described), T(test_codes), T(test_answers), T(test_it_is_whole),
	    T(test_bodies_are_those_of_the_keys), T(test_patterns_are_what_is_checked),
	    T(test_a_name_is_no_pattern)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
