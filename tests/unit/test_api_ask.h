/* Asking the daemon of test_api_lab.h through real sockets, and what its answers must be like. */
#ifndef TESTS_UNIT_TEST_API_ASK_H
#define TESTS_UNIT_TEST_API_ASK_H

#include <poll.h>
#include <sys/un.h>
#include "test_api_lab.h"

static unused int
unix_connect(void)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(str_copy(where.sun_path, sizeof(where.sun_path), world.socket));
	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

enum way { BY_TOKEN, BY_TCP, BY_SOCKET }; /* BY_TCP: without a token */

static unused struct raw *
begin(enum way way, const char *method, const char *path, const char *headers, const char *body)
{
	struct raw *raw = mem_alloc(sizeof(*raw));
	size_t length = body == NULL ? 0 : strlen(body), sent = 0;
	char *text = str_format("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s"
				"Content-Length: %zu\r\n\r\n%s",
	    method, path, way == BY_TOKEN ? "Authorization: Bearer " TOKEN "\r\n" : "",
	    headers ? headers : "", length, body ? body : "");
	raw->fd = way == BY_SOCKET ? unix_connect() : raw_connect(world.port);
	for (size_t whole = strlen(text); sent < whole;) {
		ssize_t count = send(raw->fd, text + sent, whole - sent, MSG_NOSIGNAL);
		if (count > 0)
			sent += (size_t)count;
		else if (count < 0 && errno != EAGAIN)
			break; /* refused before all was read */
		else
			lab_for(2);
	}
	free(text);
	return raw;
}

static unused void
finish(struct raw *raw)
{
	(void)close(raw->fd);
	free(raw);
}

/* The last answer. */
static struct {
	int status;
	char head[8192], body[131072];
	json_t *json; /* NULL: it was none */
} got;

/* Reads to the end without the loop: for when nobody serves any more. */
static unused void
read_rest(struct raw *raw)
{
	struct pollfd wait = {.fd = raw->fd, .events = POLLIN};
	raw->needle = NULL;
	while (!raw_pull(raw))
		assert_int_equal(poll(&wait, 1, 5000), 1);
}

static unused int
take_read(struct raw *raw)
{
	char *end = strstr(raw->text, "\r\n\r\n");
	assert_non_null(end);
	json_decref(got.json);
	got.status = (int)strtol(raw->text + 9, NULL, 10);
	str_print(got.head, sizeof(got.head), "%.*s\r\n", (int)(end - raw->text), raw->text);
	str_copy(got.body, sizeof(got.body), end + 4);
	got.json = jsonx_parse(got.body, strlen(got.body), sizeof(got.body), NULL);
	finish(raw);
	return got.status;
}

static unused int
take(struct raw *raw)
{
	assert_true(raw_expect(raw, NULL));
	return take_read(raw);
}

static unused int
say(enum way way, const char *method, const char *path, const char *headers, const char *body)
{
	return take(begin(way, method, path, headers, body));
}

#define JSON "Content-Type: application/json\r\n"
#define YAML "Content-Type: application/yaml\r\n"
#define get(path) say(BY_TOKEN, "GET", path, NULL, NULL)
#define post(path, body) say(BY_TOKEN, "POST", path, JSON, body)

static unused const char *
text_at(const char *path)
{
	return jsonx_text_or(got.json, path, "(none)");
}

static unused long long
int_at(const char *path)
{
	return jsonx_int(got.json, path, -1);
}

/* A problem in its whole form. */
static unused void
expect_problem(int status, const char *code, const char *detail)
{
	if (got.status != status || strcmp(text_at("code"), code) != 0 ||
	    strstr(text_at("detail"), detail) == NULL)
		fail_msg(
		    "expected %d %s \"%s\", got:\n%s%s", status, code, detail, got.head, got.body);
	assert_non_null(strstr(got.head, "application/problem+json"));
	assert_string_equal(text_at("type"), "about:blank");
	assert_int_equal(int_at("status"), status);
	assert_string_not_equal(text_at("title"), "(none)");
}

/* One of its errors. line 0: any */
static unused void
expect_error(const char *path, int line, const char *detail)
{
	size_t i;
	json_t *one;
	json_array_foreach(jsonx_at(got.json, "errors"), i,
	    one) if (strcmp(jsonx_text_or(one, "path", "?"), path) == 0 &&
		     strstr(jsonx_text_or(one, "detail", ""), detail) != NULL &&
		     (line == 0 || jsonx_int(one, "line", 0) == line)) return;
	fail_msg("no error at %s line %d with \"%s\" in %s", path, line, detail, got.body);
}

/* An app of this name; stages and more as YAML. */
static unused char *
app_yaml(const char *name, const char *canary, const char *more)
{
	return str_format("kind: App\n"
			  "name: %s\n"
			  "namespace: shop\n"
			  "workload: {kind: Deployment, name: %s}\n"
			  "traffic: {istio: {virtualService: %s}}\n"
			  "strategy: {canary: {%s, drain: 0s}}\n%s",
	    name, name, name, canary, more);
}

static unused int
put_app(const char *name, const char *canary, const char *more)
{
	char path[128], *text = app_yaml(name, canary, more);
	str_print(path, sizeof(path), "/v1/apps/%s", name);
	int status = say(BY_TOKEN, "PUT", path, YAML, text);
	free(text);
	return status;
}

#define HELD "weights: [25, 50, 100], hold: 1h"
#define FAST "weights: [50, 100]"

/* Starts a rollout of app and gives its id. */
static unused void
start(const char *app, const char *image, char id[ID_SIZE])
{
	char body[256];
	str_print(body, sizeof(body), "{\"app\":\"%s\",\"image\":\"%s\"}", app, image);
	if (post("/v1/rollouts", body) != 201)
		fail_msg("%s", got.body);
	assert_true(str_copy(id, ID_SIZE, text_at("id")));
}

static unused const char *
path_of(const char *id, const char *rest)
{
	static char paths[4][160];
	static int next;
	char *path = paths[next++ % 4];
	str_print(path, sizeof(paths[0]), "/v1/rollouts/%s%s", id, rest);
	return path;
}

struct wish {
	const char *id, *stage;
	enum phase phase;
};

static bool
wish_is_true(void *ctx)
{
	const struct wish *wish = ctx;
	struct engine_look look;
	struct err e;
	if (engine_look(world.engine, wish->id, &look, &e) < 0)
		return false;
	const struct stage *stage = rollout_stage(look.rollout);
	bool ended = phase_final(look.rollout->phase) && look.rollout->phase != PHASE_FAILED;
	bool is = look.rollout->phase == wish->phase && (!ended || !look.live) &&
		  (wish->stage == NULL ||
		      (stage != NULL && strcmp(stage->name, wish->stage) == 0 &&
			  look.rollout->records[look.rollout->stage].settled_ms != 0));
	engine_look_done(&look);
	return is;
}

/* Waits until the rollout is in that phase and (if given) settled in that stage. */
static unused void
await(const char *id, enum phase phase, const char *stage)
{
	struct wish wish = {id, stage, phase};
	if (lab_until(wish_is_true, &wish))
		return;
	(void)get(path_of(id, ""));
	fail_msg("%s is not %s in %s: %s", id, phase_name(phase), stage ? stage : "-", got.body);
}

#endif
