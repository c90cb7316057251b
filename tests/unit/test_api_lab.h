/* A whole daemon below its roof for the tests of the API: the real loop, store, engine, server and
 * API; a made-up cluster where every act works in the next turn; gates that say what they are told
 * to. Requests go through real sockets. */
#ifndef TESTS_UNIT_TEST_API_LAB_H
#define TESTS_UNIT_TEST_API_LAB_H

#include "test_http_lab.h"

#include <dirent.h>
#include <jansson.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "api/api.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "store/store.h"

#define TOKEN "0123456789abcdef-the-token"
#define NOBODY "r-00000000000000000000000000" /* an id that nothing has */

struct lab_app {
	char name[APP_LABEL], new_image[APP_IMAGE];
	struct observed seen;
};

struct world {
	char folder[64], token[96], socket[96], db[96];
	struct store *store;
	struct journal_port journal; /* the store's */
	struct engine *engine;
	struct api *api;
	int port;
	struct cluster_port cluster;
	struct lab_app apps[8];
	int app_count;
	uint64_t acts, asks;
	bool stale;	   /* the cluster is not read */
	bool no_writes;	   /* the disk is full */
	bool store_is_bad; /* and the store says so */
	enum verdict verdict;
	int wrote; /* commits that were asked for */
};
static struct world world;

/* --- the cluster ------------------------------------------------------------------------------ */

static unused struct lab_app *
lab_app_of(const char *name)
{
	for (int i = 0; i < world.app_count; i++)
		if (strcmp(world.apps[i].name, name) == 0)
			return &world.apps[i];
	assert_true(world.app_count < 8);
	struct lab_app *app = &world.apps[world.app_count++];
	*app = (struct lab_app){.seen = {.service = true}};
	str_copy(app->name, sizeof(app->name), name);
	app->seen.stable = (struct workload_seen){.exists = true,
	    .observed = true,
	    .uid = "u1",
	    .image = "web:1",
	    .replicas = 4,
	    .pods = 4,
	    .updated = 4,
	    .ready = 4};
	app->seen.route = (struct route_seen){.exists = true, .fits = true, .even = true};
	app->seen.subsets.stable_fits = true;
	return app;
}

static void
lab_follow(void *ctx, const struct app *app)
{
	(void)ctx;
	(void)lab_app_of(app->name);
}

static void
lab_unfollow(void *ctx, const char *app)
{
	(void)ctx;
	(void)app;
}

static void
lab_observe(void *ctx, const struct app *app, const char *new_image, struct observed *seen)
{
	struct lab_app *of = lab_app_of(app->name);
	(void)ctx;
	str_copy(of->new_image, sizeof(of->new_image), new_image);
	*seen = of->seen;
	seen->fresh = !world.stale;
	seen->verified_ms = clock_wall_ms();
	if (world.stale)
		str_copy(seen->stale, sizeof(seen->stale), "the cluster does not answer");
}

static void
lab_verify(void *ctx, const struct app *app)
{
	(void)ctx;
	engine_changed(world.engine, app->name);
}

struct lab_act {
	char app[APP_LABEL];
	struct baseline baseline;
	struct act act;
	uint64_t number;
};

static void
lab_acted(void *ctx)
{
	struct lab_act *doing = ctx;
	struct lab_app *app = lab_app_of(doing->app);
	struct rollout *r = rollout_new("r-made-up");
	r->baseline = doing->baseline;
	str_copy(r->release.image, sizeof(r->release.image), app->new_image);
	rehearse_act(&app->seen, r, &doing->act);
	rollout_free(r);
	if (world.engine != NULL) {
		engine_acted(world.engine, "default", doing->number, ACT_DONE, "", -1);
		engine_changed(world.engine, doing->app);
	}
	free(doing);
}

static uint64_t
lab_act(void *ctx, const struct app *app, const struct baseline *baseline, const struct act *act)
{
	struct lab_act *doing = mem_alloc(sizeof(*doing));
	(void)ctx;
	*doing = (struct lab_act){.baseline = *baseline, .act = *act, .number = ++world.acts};
	str_copy(doing->app, sizeof(doing->app), app->name);
	loop_defer(lab.loop, lab_acted, doing);
	return doing->number;
}

static const struct cluster_port *
lab_cluster(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0 ? &world.cluster : NULL;
}

/* --- gates, clock, journal -------------------------------------------------------------------- */

struct lab_ask {
	void (*done)(void *ctx, uint64_t number, const struct gate_sample *sample);
	void *ctx;
	uint64_t number;
};

static void
lab_sampled(void *ctx)
{
	struct lab_ask *ask = ctx;
	struct gate_sample sample = {.verdict = world.verdict,
	    .has_value = true,
	    .value = 0.998,
	    .samples = -1,
	    .at_ms = clock_wall_ms()};
	ask->done(ask->ctx, ask->number, &sample);
	free(ask);
}

static uint64_t
lab_measure(void *ctx, const struct gate_question *question,
    void (*done)(void *ctx, uint64_t number, const struct gate_sample *sample), void *done_ctx)
{
	struct lab_ask *ask = mem_alloc(sizeof(*ask));
	(void)ctx;
	(void)question;
	*ask = (struct lab_ask){done, done_ctx, ++world.asks};
	loop_defer(lab.loop, lab_sampled, ask);
	return ask->number;
}

static void
lab_cancel(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
}

static bool
lab_has_source(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0;
}

static int64_t
lab_wall(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static int64_t
lab_mono(void *ctx)
{
	(void)ctx;
	return clock_mono_ms();
}

struct lab_refusal {
	void (*done)(void *ctx, uint64_t ticket, bool ok, const char *why);
	void *ctx;
	uint64_t ticket;
};

static void
lab_refuse(void *ctx)
{
	struct lab_refusal *refusal = ctx;
	refusal->done(refusal->ctx, refusal->ticket, false, "the disk is full");
	free(refusal);
}

static void
lab_append(void *ctx, struct journal_write *writes, int count,
    void (*done)(void *ctx, uint64_t ticket, bool ok, const char *why), void *done_ctx,
    uint64_t ticket)
{
	world.wrote++;
	if (!world.no_writes) {
		world.journal.append(ctx, writes, count, done, done_ctx, ticket);
		return;
	}
	struct lab_refusal *refusal = mem_alloc(sizeof(*refusal));
	*refusal = (struct lab_refusal){done, done_ctx, ticket};
	loop_defer(lab.loop, lab_refuse, refusal);
}

/* --- what the roof would say ------------------------------------------------------------------ */

static void
lab_event(void *ctx, const struct journal_row *row)
{
	(void)ctx;
	if (world.api != NULL)
		api_event(world.api, row);
}

static json_t *
lab_clusters(void *ctx)
{
	(void)ctx;
	return json_pack("[{s:s, s:b, s:s}]", "name", "default", "fresh", !world.stale, "text", "");
}

static json_t *
lab_sources(void *ctx)
{
	(void)ctx;
	return json_pack("[{s:s, s:b, s:s}]", "name", "default", "ok", 1, "text", "");
}

static bool
lab_store(void *ctx, struct err *why)
{
	(void)ctx;
	if (world.store_is_bad)
		err_set(why, "the disk is full");
	return !world.store_is_bad;
}

static void
lab_metrics(void *ctx, struct str *to)
{
	(void)ctx;
	str_add(to, "lab_answer 42\n");
}

static void
lab_check(void *ctx, const struct app *app, struct errlist *errors)
{
	(void)ctx;
	if (lab_cluster(NULL, app->cluster) == NULL)
		errlist_add(errors, "cluster", "\"%s\" is not in the settings", app->cluster);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static unused void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
}

static void
open_engine(void)
{
	struct store_settings store = {.path = world.db};
	struct engine_settings settings = {.settle_ms = 1};
	struct err e;
	world.store = store_open(&store, lab.loop, &e);
	if (world.store == NULL)
		fail_msg("%s", e.text);
	world.journal = store_port(world.store);
	struct engine_ports ports = {.journal = world.journal,
	    .gates = {NULL, lab_measure, lab_cancel, lab_has_source},
	    .clock = {NULL, lab_wall, lab_mono},
	    .cluster = lab_cluster,
	    .event = lab_event};
	ports.journal.append = lab_append;
	world.engine = engine_new(lab.loop, &ports, &settings, &e);
	if (world.engine == NULL)
		fail_msg("%s", e.text);
}

static unused void
open_api(struct api_settings settings)
{
	static const struct api_ports ports = {
	    NULL, lab_clusters, lab_sources, lab_store, lab_metrics, lab_check};
	struct err e;
	settings.token_file = world.token;
	world.api = api_new(lab.loop, world.engine, &settings, &ports, &e);
	assert_non_null(world.api);
	if (api_listen_tcp(world.api, "127.0.0.1:0", &world.port, &e) < 0 ||
	    api_listen_unix(world.api, world.socket, 0600, &e) < 0)
		fail_msg("%s", e.text);
}

static unused void
world_open(struct api_settings settings)
{
	lab_open();
	world = (struct world){.verdict = VERDICT_PASS,
	    .cluster = {NULL, lab_follow, lab_unfollow, lab_observe, lab_verify, lab_act}};
	log_setup(LOG_ERROR, LOG_TEXT, "test");
	str_copy(world.folder, sizeof(world.folder), "/tmp/airis-api-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	str_print(world.token, sizeof(world.token), "%s/token", world.folder);
	str_print(world.socket, sizeof(world.socket), "%s/sock", world.folder);
	str_print(world.db, sizeof(world.db), "%s/db", world.folder);
	write_file(world.token, TOKEN "\n");
	open_engine();
	open_api(settings);
}

static unused void
world_stop(void)
{
	struct engine *engine = world.engine;
	api_stop(world.api);
	world.engine = NULL;
	engine_free(engine);
	api_free(world.api);
	world.api = NULL;
	store_close(world.store);
}

/* A daemon that comes back: with a loop of its own, as a process has. */
static unused void
world_restart(void)
{
	world_stop();
	lab_close();
	lab_open();
	open_engine();
	open_api((struct api_settings){0});
}

static unused void
world_close(void)
{
	struct dirent *entry;
	if (world.api != NULL)
		world_stop();
	lab_close();
	DIR *folder = opendir(world.folder);
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)closedir(folder);
	assert_int_equal(rmdir(world.folder), 0);
}

static unused int
setup(void **state)
{
	(void)state;
	world_open((struct api_settings){0});
	return 0;
}

static unused int
teardown(void **state)
{
	(void)state;
	world_close();
	return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

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
	char head[8192], body[65536];
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
