/* A whole daemon below its roof for the tests of the API: the real loop, store, engine, server and
 * API; a made-up cluster where every act works in the next turn; gates that say what they are told
 * to. */
#ifndef TESTS_UNIT_TEST_API_LAB_H
#define TESTS_UNIT_TEST_API_LAB_H

#include "test_http_lab.h"

#include <dirent.h>
#include <jansson.h>
#include <sys/stat.h>
#include "api/api.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "engine/stats.h"
#include "store/store.h"
#include "wire_metrics.h"

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
lab_follow(void *ctx, const struct app *app, bool to_act)
{
	(void)ctx;
	(void)to_act;
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
	world.wrote += writes[0].kind != JOURNAL_AUDIT; /* who was refused is written, too */
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

static json_t *
lab_mesh(void *ctx)
{
	(void)ctx;
	return json_pack("{s:[{s:s}]}", "clusters", "name", "default");
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
	struct metrics *metrics = metrics_new();
	(void)ctx;
	wire_engine_metrics(metrics, world.engine, true);
	wire_api_metrics(metrics, world.api);
	metrics_text(metrics, to);
	metrics_free(metrics);
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
	static const struct api_ports ports = {NULL, lab_clusters, lab_sources, lab_store,
	    lab_metrics, lab_check, NULL, lab_mesh, NULL};
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

#endif
