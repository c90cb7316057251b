/* Answers. Every one goes out through api_answer_raw, so that all have the same headers and are
 * counted. An answer to a request that is gone is dropped by httpd. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "api/api_room.h"
#include "api/render.h"
#include "base/jsonx.h"
#include "model/app_tag.h"

static const struct {
	const char *name, *title;
	int status;
} codes[CODE_COUNT] = {
    [CODE_BAD_REQUEST] = {"bad_request", "Bad Request", 400},
    [CODE_UNAUTHORIZED] = {"unauthorized", "Unauthorized", 401},
    [CODE_FORBIDDEN] = {"forbidden", "Forbidden", 403},
    [CODE_NOT_FOUND] = {"not_found", "Not Found", 404},
    [CODE_METHOD_NOT_ALLOWED] = {"method_not_allowed", "Method Not Allowed", 405},
    [CODE_CONFLICT] = {"conflict", "Conflict", 409},
    [CODE_KEY_REUSED] = {"key_reused", "Conflict", 409},
    [CODE_PRECONDITION_FAILED] = {"precondition_failed", "Precondition Failed", 412},
    [CODE_TOO_LARGE] = {"too_large", "Content Too Large", 413},
    [CODE_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", "Unsupported Media Type", 415},
    [CODE_UNPROCESSABLE] = {"unprocessable", "Unprocessable Content", 422},
    [CODE_THROTTLED] = {"throttled", "Too Many Requests", 429},
    [CODE_DEGRADED] = {"degraded", "Service Unavailable", 503},
    [CODE_STOPPING] = {"stopping", "Service Unavailable", 503},
    [CODE_ISSUER_AWAY] = {"issuer_away", "Service Unavailable", 503},
    [CODE_INTERNAL] = {"internal", "Internal Server Error", 500},
};

const char *
api_code_name(enum api_code code)
{
	return codes[code].name;
}

int
api_code_status(enum api_code code)
{
	return codes[code].status;
}

#define EXTRA_MAX 2

/* extra: more headers, at most EXTRA_MAX and then NULL; or NULL. */
static void
answer_raw(struct api *api, uint64_t number, int status, const char *type, const char *const *extra,
    const char *text)
{
	const char *headers[2 + EXTRA_MAX + 1] = {
	    "Cache-Control: no-store", "X-Content-Type-Options: nosniff"};
	if (api->httpd == NULL)
		return;
	for (size_t i = 0; extra != NULL && extra[i] != NULL && i < EXTRA_MAX; i++)
		headers[2 + i] = extra[i];
	api_count_end(api, number, status);
	httpd_answer(api->httpd, number, status, type, headers, text, strlen(text));
}

static void
answer_json(struct api *api, uint64_t number, int status, const char *type,
    const char *const *extra, json_t *body)
{
	struct str text;
	str_init(&text, 0);
	jsonx_add(&text, body);
	str_add(&text, "\n");
	json_decref(body);
	answer_raw(api, number, status, type, extra, str_text(&text));
	str_done(&text);
}

void
api_answer(struct api *api, uint64_t number, int status, json_t *body)
{
	answer_json(api, number, status, "application/json", NULL, body);
}

void
api_answer_at(struct api *api, uint64_t number, int status, const char *location, json_t *body)
{
	char header[128];
	str_print(header, sizeof(header), "Location: %s", location);
	answer_json(
	    api, number, status, "application/json", (const char *const[]){header, NULL}, body);
}

void
api_answer_state(struct api *api, uint64_t number, bool created, const char *id, const char *state)
{
	char location[96], *text = str_format("%s\n", state);
	str_print(location, sizeof(location), "Location: /v1/rollouts/%s", id);
	answer_raw(api, number, created ? 201 : 200, "application/json",
	    (const char *const[]){created ? location : NULL, NULL}, text);
	free(text);
}

#define TAG_HEADER (APP_TAG + 16)

static void
tag_header(const struct app *app, char header[TAG_HEADER])
{
	char tag[APP_TAG];
	app_tag(app, tag);
	str_print(header, TAG_HEADER, "ETag: \"%s\"", tag);
}

void
api_answer_app(struct api *api, uint64_t number, const struct app *app, bool created, json_t *body)
{
	char tag[TAG_HEADER], location[96];
	const char *const headers[] = {tag, created ? location : NULL, NULL};
	tag_header(app, tag);
	str_print(location, sizeof(location), "Location: /v1/apps/%s", app->name);
	answer_json(api, number, created ? 201 : 200, "application/json", headers, body);
}

void
api_answer_seen(struct api *api, uint64_t number, const struct app *app)
{
	char tag[TAG_HEADER];
	tag_header(app, tag);
	answer_raw(api, number, 304, NULL, (const char *const[]){tag, NULL}, "");
}

void
api_answer_text(struct api *api, uint64_t number, const char *type, const char *text)
{
	answer_raw(api, number, 200, type, NULL, text);
}

void
api_answer_nothing(struct api *api, uint64_t number)
{
	answer_raw(api, number, 204, NULL, NULL, "");
}

static json_t *
problem_json(enum api_code code, const char *detail)
{
	return json_pack("{s:s, s:s, s:i, s:o, s:s}", "type", "about:blank", "title",
	    codes[code].title, "status", codes[code].status, "detail", api_text_json(detail),
	    "code", codes[code].name);
}

static const char *const *
extra_headers(enum api_code code)
{
	static const char *const who[] = {"WWW-Authenticate: Bearer realm=\"airisd\"", NULL};
	static const char *const later[] = {"Retry-After: 2", NULL};
	if (code == CODE_UNAUTHORIZED)
		return who;
	if (code == CODE_DEGRADED || code == CODE_THROTTLED || code == CODE_STOPPING)
		return later;
	return NULL;
}

void
api_problem(struct api *api, uint64_t number, enum api_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *detail = str_vformat(format, args);
	va_end(args);
	answer_json(api, number, codes[code].status, "application/problem+json",
	    extra_headers(code), problem_json(code, detail));
	free(detail);
}

void
api_problem_later(struct api *api, uint64_t number, int64_t wait_ms, const char *detail)
{
	enum api_code code = CODE_THROTTLED;
	char header[48];
	str_print(header, sizeof(header), "Retry-After: %lld", (long long)((wait_ms + 999) / 1000));
	answer_json(api, number, codes[code].status, "application/problem+json",
	    (const char *const[]){header, NULL}, problem_json(code, detail));
}

void
api_problem_changed(struct api *api, uint64_t number, const struct app *app, const char *detail)
{
	enum api_code code = CODE_PRECONDITION_FAILED;
	char tag[TAG_HEADER];
	if (app != NULL)
		tag_header(app, tag);
	answer_json(api, number, codes[code].status, "application/problem+json",
	    (const char *const[]){app != NULL ? tag : NULL, NULL}, problem_json(code, detail));
}

void
api_problem_list(struct api *api, uint64_t number, const char *detail, const struct errlist *errors)
{
	json_t *body = problem_json(CODE_UNPROCESSABLE, detail), *list = json_array();
	for (size_t i = 0; i < errors->count; i++) {
		const struct err_item *item = &errors->items[i];
		json_t *one = json_pack("{s:o, s:o}", "path", api_text_json(item->path), "detail",
		    api_text_json(item->text));
		if (item->line > 0)
			json_object_set_new(one, "line", json_integer(item->line));
		json_array_append_new(list, one);
	}
	json_object_set_new(body, "errors", list);
	answer_json(
	    api, number, codes[CODE_UNPROCESSABLE].status, "application/problem+json", NULL, body);
}

void
api_problem_method(struct api *api, uint64_t number, const char *method, const char *allow)
{
	char header[96], detail[192];
	str_print(header, sizeof(header), "Allow: %s", allow);
	str_print(
	    detail, sizeof(detail), "%s is not allowed for this path; allowed: %s", method, allow);
	answer_json(api, number, codes[CODE_METHOD_NOT_ALLOWED].status, "application/problem+json",
	    (const char *const[]){header, NULL}, problem_json(CODE_METHOD_NOT_ALLOWED, detail));
}
