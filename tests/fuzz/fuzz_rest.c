/* The REST API, and what is behind it: the real dispatch, handlers, engine and model; a made-up
 * HTTP server, a journal in memory, and a cluster where an act changes nothing that is seen. The
 * input is requests, separated by a line "%%": METHOD TARGET, header lines, an empty line, the
 * body.
 * "@" in a target stands for the newest rollout.
 *
 * Whatever is asked: one answer, of a status that is documented, never 500; JSON is JSON, no header
 * is smuggled in; who comes by TCP without a token sees nothing. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "../unit/virtual_loop.h"
#include "api/api.h"
#include "api/openapi.h"
#include "api/routes.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "http/httpd_room.h"
#include "memory.h"
#include "no_httpd.h"
#include "fuzz_review.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS = 12, REQUESTS = 8, TURNS = 40, TURN_MS = 300 };

struct pair {
	char *name, *value;
};

struct asked {
	struct httpd_request request; /* only its number is of use */
	char *text, *method, *path, *body;
	struct pair headers[PAIRS], query[PAIRS];
	int header_count, query_count;
	int answers;
	bool streaming, ended, local;
};

static struct {
	struct loop *loop;
	struct engine *engine;
	struct api *api;
	httpd_handler *handler;
	void *ctx;
	struct asked asked[REQUESTS];
	int count;
	char newest[ID_SIZE];
	uint64_t acts;
	struct cluster_port cluster;
} world;

static struct asked *
asked_of(uint64_t number)
{
	assert(number >= 1 && number <= (uint64_t)world.count);
	return &world.asked[number - 1];
}

/* --- what was answered ------------------------------------------------------------------------ */

static bool
is_open(const struct asked *asked)
{
	char arg[256], allow[64];
	const struct api_route *route =
	    api_route_find(asked->method, asked->path, arg, sizeof(arg), allow);

	return route != NULL && route->open;
}

/* By /openapi.json. */
static bool
is_told(const struct asked *asked, int status)
{
	char arg[256], allow[64];
	const struct api_route *route =
	    api_route_find(asked->method, asked->path, arg, sizeof(arg), allow);

	if (route == NULL || status < 400)
		return true;
	for (int i = 0; i < CODE_COUNT; i++)
		if (api_openapi_codes(route) >> i & 1 &&
		    api_code_status((enum api_code)i) == status)
			return true;
	return false;
}

static void
check_status(const struct asked *asked, int status)
{
	static const int documented[] = {
	    200, 201, 204, 304, 400, 401, 404, 405, 409, 412, 413, 415, 422, 429, 503};
	bool known = false;

	for (size_t i = 0; i < sizeof(documented) / sizeof(documented[0]); i++)
		known |= documented[i] == status;
	if (!known || !is_told(asked, status))
		log_fatal("%s %s is answered with %d", asked->method, asked->path, status);
	assert(asked->local || status == 401 || is_open(asked));
	assert(!asked->local || status != 401);
}

static void
check_body(int status, const char *type, const char *body, size_t length)
{
	struct err e;
	json_t *json;

	assert((status != 204 && status != 304) || length == 0);
	if (type == NULL || strstr(type, "json") == NULL)
		return;
	json = jsonx_parse(body, length, length, &e);
	if (json == NULL)
		log_fatal("%s: %s", e.text, body);
	if (status >= 400 && strcmp(type, "application/problem+json") == 0)
		assert(jsonx_int(json, "status", 0) == status && jsonx_text(json, "title") &&
		       jsonx_text(json, "code") && jsonx_text(json, "detail"));
	if (status == 201 && jsonx_text(json, "id") != NULL)
		str_copy(world.newest, sizeof(world.newest), jsonx_text(json, "id"));
	assert((status < 400) == (strcmp(type, "application/json") == 0) || status == 503);
	json_decref(json);
}

void
httpd_answer(struct httpd *httpd, uint64_t number, int status, const char *content_type,
    const char *const *headers, const char *body, size_t length)
{
	struct asked *asked = asked_of(number);

	(void)httpd;
	assert(!asked->streaming && ++asked->answers == 1);
	for (; headers != NULL && *headers != NULL; headers++)
		assert(strpbrk(*headers, "\r\n") == NULL && strchr(*headers, ':') != NULL);
	assert(content_type == NULL || strpbrk(content_type, "\r\n") == NULL);
	check_status(asked, status);
	check_body(status, content_type, body, length);
}

void
httpd_stream_start(
    struct httpd *httpd, uint64_t number, const char *content_type, const char *const *headers)
{
	struct asked *asked = asked_of(number);

	(void)httpd;
	(void)headers;
	assert(asked->answers == 0 && asked->local && !asked->streaming);
	assert(strcmp(content_type, "text/event-stream") == 0);
	asked->streaming = true;
	asked->answers = 1;
}

/* Whole messages, without a way out of a line. */
bool
httpd_stream_send(struct httpd *httpd, uint64_t number, const char *bytes, size_t count)
{
	(void)httpd;
	assert(asked_of(number)->streaming && !asked_of(number)->ended);
	assert(memchr(bytes, '\r', count) == NULL && memchr(bytes, '\0', count) == NULL);
	assert(count >= 2 && memcmp(bytes + count - 2, "\n\n", 2) == 0);
	for (const char *line = bytes; line < bytes + count; line = strchr(line, '\n') + 1)
		assert(*line == ':' || *line == '\n' || str_starts(line, "id: ") ||
		       str_starts(line, "event: ") || str_starts(line, "data: ") ||
		       str_starts(line, "retry: "));
	return true;
}

void
httpd_stream_end(struct httpd *httpd, uint64_t number)
{
	(void)httpd;
	asked_of(number)->ended = true;
}

size_t
httpd_stream_room(const struct httpd *httpd, uint64_t number)
{
	(void)httpd;
	return asked_of(number)->streaming && !asked_of(number)->ended ? 1 << 20 : 0;
}

/* --- what was asked --------------------------------------------------------------------------- */

struct httpd *
httpd_new(struct loop *loop, const struct httpd_limits *limits, httpd_handler *handler,
    httpd_gone *gone, void *ctx)
{
	(void)loop, (void)limits, (void)gone;
	world.handler = handler;
	world.ctx = ctx;
	return mem_alloc(sizeof(struct httpd));
}

void
httpd_free(struct httpd *httpd)
{
	free(httpd);
}

int
httpd_listen_tcp(struct httpd *httpd, const char *address, int *port, struct err *e)
{
	(void)httpd, (void)address, (void)port;
	return err_set(e, "no");
}

int
httpd_listen_unix(struct httpd *httpd, const char *path, unsigned mode, struct err *e)
{
	(void)httpd, (void)path, (void)mode;
	return err_set(e, "no");
}

uint64_t
httpd_number(const struct httpd_request *request)
{
	return request->number;
}

const char *
httpd_method(const struct httpd_request *request)
{
	return asked_of(request->number)->method;
}

const char *
httpd_path(const struct httpd_request *request)
{
	return asked_of(request->number)->path;
}

const char *
httpd_query(const struct httpd_request *request, const char *name)
{
	const struct asked *asked = asked_of(request->number);

	for (int i = 0; i < asked->query_count; i++)
		if (strcmp(asked->query[i].name, name) == 0)
			return asked->query[i].value;
	return NULL;
}

void
httpd_each_query(const struct httpd_request *request,
    void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	const struct asked *asked = asked_of(request->number);

	for (int i = 0; i < asked->query_count; i++)
		each(ctx, asked->query[i].name, asked->query[i].value);
}

const char *
httpd_header(const struct httpd_request *request, const char *name)
{
	const struct asked *asked = asked_of(request->number);

	for (int i = 0; i < asked->header_count; i++)
		if (strcasecmp(asked->headers[i].name, name) == 0)
			return asked->headers[i].value;
	return NULL;
}

const char *
httpd_body(const struct httpd_request *request, size_t *length)
{
	*length = strlen(asked_of(request->number)->body);
	return asked_of(request->number)->body;
}

bool
httpd_is_local(const struct httpd_request *request)
{
	return asked_of(request->number)->local;
}

const char *
httpd_peer(const struct httpd_request *request)
{
	return asked_of(request->number)->local ? "uid=0 pid=1" : "127.0.0.1:4711";
}

const char *
httpd_address(const struct httpd_request *request)
{
	return httpd_peer(request);
}

/* --- the cluster ------------------------------------------------------------------------------ */

static void
follow(void *ctx, const struct app *app, bool to_act)
{
	(void)ctx, (void)app, (void)to_act;
}

static void
unfollow(void *ctx, const char *app)
{
	(void)ctx, (void)app;
}

static void
observe(void *ctx, const struct app *app, const char *new_image, struct observed *seen)
{
	(void)ctx, (void)app, (void)new_image;
	*seen = (struct observed){.fresh = true,
	    .service = true,
	    .verified_ms = virtual_loop_now(world.loop),
	    .stable = {.exists = true,
		.observed = true,
		.uid = "u1",
		.image = "web:1",
		.replicas = 4,
		.pods = 4,
		.updated = 4,
		.ready = 4},
	    .route = {.exists = true, .fits = true, .even = true, .accepted = true},
	    .subsets = {.stable_fits = true}};
}

static void
verify(void *ctx, const struct app *app)
{
	(void)ctx;
	engine_changed(world.engine, app->name);
}

static void
on_acted(void *ctx)
{
	if (world.engine != NULL)
		engine_acted(world.engine, "default", (uint64_t)(uintptr_t)ctx, ACT_DONE, "", -1);
}

static uint64_t
act(void *ctx, const struct app *app, const struct baseline *baseline, const struct act *act)
{
	(void)ctx, (void)app, (void)baseline, (void)act;
	world.acts++;
	loop_defer(world.loop, on_acted, (void *)(uintptr_t)world.acts);
	return world.acts;
}

static const struct cluster_port *
cluster_of(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0 ? &world.cluster : NULL;
}

static int64_t
now(void *ctx)
{
	(void)ctx;
	return INT64_C(1795380162080) + virtual_loop_now(world.loop);
}

static uint64_t
measure(void *ctx, const struct gate_question *question,
    void (*done)(void *ctx, uint64_t number, const struct gate_sample *sample), void *done_ctx)
{
	(void)ctx, (void)question, (void)done, (void)done_ctx;
	return 1; /* a source that is slow */
}

static void
cancel(void *ctx, uint64_t number)
{
	(void)ctx, (void)number;
}

static bool
has_source(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0;
}

static void
on_event(void *ctx, const struct journal_row *row)
{
	(void)ctx;
	if (world.api != NULL)
		api_event(world.api, row);
}

static void
open_world(struct memory **memory)
{
	static const struct api_settings settings = {.max_followers = 3};
	static const struct api_ports ports = {0};
	struct engine_settings engine = {.settle_ms = 1000};
	struct engine_ports sockets = {.gates = {NULL, measure, cancel, has_source},
	    .clock = {NULL, now, now},
	    .cluster = cluster_of,
	    .event = on_event};
	struct err e;

	memset(&world, 0, sizeof(world));
	id_seed(1);
	world.cluster = (struct cluster_port){
	    NULL, follow, unfollow, observe, verify, act, fuzz_review, fuzz_review_cancel};
	str_copy(world.newest, sizeof(world.newest), "r-00000000000000000000000000");
	world.loop = loop_new();
	reviews_loop = world.loop;
	*memory = memory_new(world.loop);
	sockets.journal = memory_port(*memory);
	world.engine = engine_new(world.loop, &sockets, &engine, &e);
	world.api = api_new(world.loop, world.engine, &settings, &ports, &e);
	assert(world.engine != NULL && world.api != NULL);
}

static void
close_world(struct memory *memory)
{
	struct engine *engine = world.engine;

	api_stop(world.api);
	world.engine = NULL;
	engine_free(engine);
	api_free(world.api);
	world.api = NULL;
	loop_free(world.loop);
	memory_free(memory);
	for (int i = 0; i < world.count; i++) {
		free(world.asked[i].text);
		free(world.asked[i].path);
	}
}

/* --- from the input to requests --------------------------------------------------------------- */

static char
hex(char c)
{
	return (char)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* As libmicrohttpd does it, in place; httpd_check_uri was asked before. */
static void
decode(char *text, bool plus)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text == '%') {
			*to++ = (char)(hex(text[1]) << 4 | hex(text[2]));
			text += 2;
		} else {
			*to++ = plus && *text == '+' ? ' ' : *text;
		}
	}
	*to = '\0';
}

static void
split_query(struct asked *asked, char *query)
{
	for (char *rest = query, *pair; (pair = strsep(&rest, "&")) != NULL;) {
		char *name = strsep(&pair, "=");

		if (asked->query_count == PAIRS || name[0] == '\0')
			continue;
		decode(name, true);
		if (pair != NULL)
			decode(pair, true);
		asked->query[asked->query_count++] =
		    (struct pair){name, pair != NULL ? pair : name + strlen(name)};
	}
}

static bool
is_good(const struct asked *asked)
{
	bool good = str_utf8_ok(asked->path, strlen(asked->path));

	for (int i = 0; i < asked->query_count; i++)
		good &= str_utf8_ok(asked->query[i].name, strlen(asked->query[i].name)) &&
			str_utf8_ok(asked->query[i].value, strlen(asked->query[i].value));
	return good;
}

static bool
split_target(struct asked *asked, const char *target)
{
	struct str path;
	char *query;

	if (!httpd_check_uri(target))
		return false;
	str_init(&path, 0);
	for (const char *c = target; *c != '\0'; c++) {
		if (*c == '@')
			str_add(&path, world.newest);
		else
			str_add_bytes(&path, c, 1);
	}
	asked->path = str_take(&path);
	query = strchr(asked->path, '?');
	if (query != NULL) {
		*query++ = '\0';
		split_query(asked, query);
	}
	decode(asked->path, false);
	return is_good(asked);
}

/* False: libmicrohttpd or the wrapper around it would not have let it through. */
static bool
split(struct asked *asked, char *text)
{
	char *rest = text, *line = strsep(&rest, "\n"), *target = strchr(line, ' ');

	if (target == NULL || target == line)
		return false;
	*target++ = '\0';
	asked->method = line;
	asked->local = true;
	asked->body = text + strlen(text);
	while ((line = strsep(&rest, "\n")) != NULL && line[0] != '\0') {
		char *value = strchr(line, ':');

		if (value == NULL || asked->header_count == PAIRS || strchr(line, '\r') != NULL)
			return false;
		*value++ = '\0';
		value += strspn(value, " ");
		asked->headers[asked->header_count++] = (struct pair){line, value};
		asked->local &= strcasecmp(line, "X-Tcp") != 0;
	}
	if (rest != NULL)
		asked->body = rest;
	return strlen(asked->method) < 32 && split_target(asked, target);
}

static void
ask(const char *text, size_t length)
{
	struct asked *asked = &world.asked[world.count++];

	*asked = (struct asked){
	    .text = mem_strndup(text, length), .request = {.number = (uint64_t)world.count}};
	if (!split(asked, asked->text))
		return;
	world.handler(world.ctx, &asked->request);
	for (int i = 0; i < TURNS && (asked->answers == 0 || i < 4); i++) {
		virtual_loop_turn(world.loop);
		virtual_loop_advance(world.loop, TURN_MS);
	}
	if (asked->answers == 0)
		log_fatal("%s %s is not answered", asked->method, asked->path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_setup(LOG_ERROR, LOG_TEXT, "fuzz");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *next;
	struct memory *memory;

	open_world(&memory);
	while (at < end && world.count < REQUESTS) {
		next = memmem(at, (size_t)(end - at), "\n%%\n", 4);
		ask(at, (size_t)((next != NULL ? next : end) - at));
		at = next != NULL ? next + 4 : end;
	}
	close_world(memory);
	return 0;
}
