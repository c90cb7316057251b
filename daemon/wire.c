/* Everything is built here in order and torn down in reverse. Rooms do not know each other: what
 * goes from one to another goes through here. */
#include "wire.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "api/api.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/version.h"
#include "cluster/cluster.h"
#include "cluster/kube_stats.h"
#include "engine/engine.h"
#include "gates/gates.h"
#include "store/schema.h"
#include "store/store.h"
#include "telemetry/systemd.h"
#include "wire_access.h"
#include "wire_audit.h"
#include "wire_hooks.h"
#include "wire_lease.h"
#include "wire_mesh.h"
#include "wire_metrics.h"
#include "wire_text.h"
#include "wire_tls.h"
#include "wire_traces.h"

#define ENDING_MS 500

struct wire;

struct wire_cluster {
	struct wire *wire;
	const char *name;
	struct cluster *cluster;
	struct cluster_port port;
};

struct wire {
	struct settings *settings;
	const char *path;
	struct loop *loop;
	struct store *store;
	struct gates *gates;
	struct wire_mesh *mesh;
	struct engine *engine;
	struct api *api;
	struct oidc *oidc;
	struct wire_hooks *hooks;
	struct traces *traces;
	struct witness *witness;
	struct wire_cluster clusters[SETTINGS_CLUSTERS];
	int cluster_count;
	struct loop_signal *signals[3];
	struct loop_timer *watchdog;
	struct loop_timer *ending; /* stops the loop, whoever still has to answer */
	int retiring;		   /* clusters that have not given back their lease */
};

/* --- between the rooms ------------------------------------------------------------------------ */

static void
on_changed(void *ctx, const char *app)
{
	struct wire_cluster *cluster = ctx;
	if (cluster->wire->engine != NULL)
		engine_changed(cluster->wire->engine, app);
}

static void
on_acted(
    void *ctx, uint64_t number, enum act_outcome outcome, const char *text, int64_t retry_after_ms)
{
	struct wire_cluster *cluster = ctx;
	if (cluster->wire->engine != NULL)
		engine_acted(
		    cluster->wire->engine, cluster->name, number, outcome, text, retry_after_ms);
}

static const struct cluster_port *
find_cluster(void *ctx, const char *name)
{
	struct wire *wire = ctx;
	for (int i = 0; i < wire->cluster_count; i++)
		if (strcmp(wire->clusters[i].name, name) == 0)
			return &wire->clusters[i].port;
	return NULL;
}

static void
on_event(void *ctx, const struct journal_row *row)
{
	struct wire *wire = ctx;
	if (wire->api != NULL)
		api_event(wire->api, row);
}

static int64_t
wall(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static int64_t
mono(void *ctx)
{
	(void)ctx;
	return clock_boot_ms();
}

/* --- what the API shows of rooms that it does not know ------------------------------------------
 */

static json_t *
clusters_health(void *ctx)
{
	struct wire *wire = ctx;
	json_t *list = json_array();
	for (int i = 0; i < wire->cluster_count; i++)
		json_array_append_new(list, wire_cluster_health(wire->clusters[i].cluster));
	return list;
}

static json_t *
sources_health(void *ctx)
{
	struct wire *wire = ctx;
	return wire_sources_health(wire->gates);
}

static bool
store_health(void *ctx, struct err *why)
{
	struct wire *wire = ctx;
	return store_healthy(wire->store, why);
}

static json_t *
mesh_json(void *ctx)
{
	struct wire *wire = ctx;
	return wire_mesh_json(wire->mesh, wire->settings->settle_ms);
}

static json_t *
webhooks_json(void *ctx)
{
	struct wire *wire = ctx;
	return hooks_json(wire_hooks(wire->hooks));
}

/* What an app asks for must be in the settings. */
static void
check_app(void *ctx, const struct app *app, struct errlist *errors)
{
	struct wire *wire = ctx;
	struct gate_port gates;
	if (find_cluster(wire, app->cluster) == NULL)
		errlist_add(errors, "cluster",
		    "no cluster \"%s\" is in the daemon's settings; it has %d: name one of them, "
		    "or "
		    "add it to clusters in airisd.yaml",
		    app->cluster, wire->cluster_count);
	gates_port(wire->gates, &gates);
	for (int i = 0; i < app->gate_count; i++) {
		char path[64];
		str_print(path, sizeof(path), "gates[%d].prometheus.source", i);
		if (!gates.has_source(gates.ctx, app->gates[i].source))
			errlist_add(errors, path,
			    "no data source \"%s\" is in the daemon's settings (prometheus in "
			    "airisd.yaml)",
			    app->gates[i].source);
	}
}

static void
collect_metrics(void *ctx, struct str *to)
{
	struct wire *wire = ctx;
	struct metrics *metrics = metrics_new();
	wire_engine_metrics(metrics, wire->engine, wire->settings->metrics_apps);
	wire_api_metrics(metrics, wire->api);
	for (int i = 0; i < wire->cluster_count; i++)
		wire_cluster_metrics(metrics, wire->clusters[i].name, wire->clusters[i].cluster);
	wire_source_metrics(metrics, wire->gates);
	metrics_one(metrics, METRIC_ISTIOD_REQUESTS, wire_mesh_requests(wire->mesh));
	wire_hook_metrics(metrics, wire_hooks(wire->hooks));
	wire_trace_metrics(metrics, wire->traces);
	wire_store_metrics(metrics, wire->store);
	wire_process_metrics(metrics, wire->loop);
	metrics_text(metrics, to);
	metrics_free(metrics);
}

/* --- building -----------------------------------------------------------------------------------
 */

static int
build_clusters(struct wire *wire, struct err *e)
{
	for (int i = 0; i < wire->settings->cluster_count; i++) {
		const struct settings_cluster *from = &wire->settings->clusters[i];
		struct wire_cluster *cluster = &wire->clusters[i];
		struct kube_settings settings = {.name = from->name,
		    .kubeconfig = from->kubeconfig[0] ? from->kubeconfig : NULL,
		    .context = from->context[0] ? from->context : NULL,
		    .in_cluster = from->in_cluster,
		    .exec_allowed = from->exec,
		    .no_http2 = !from->http2,
		    .qps = from->qps,
		    .burst = from->burst,
		    .request_timeout_ms = from->request_timeout_ms};
		struct wire_lease lease;
		if (wire_lease(&lease, from, wire->store, wire->settings->database, e) < 0)
			return -1;
		*cluster = (struct wire_cluster){.wire = wire, .name = from->name};
		struct cluster_events events = {
		    .ctx = cluster, .changed = on_changed, .acted = on_acted};
		cluster->cluster = cluster_new(wire->loop, &settings,
		    from->lease.enabled ? &lease.settings : NULL, &events, e);
		if (cluster->cluster == NULL)
			return err_wrap(e, "cluster \"%s\"", from->name);
		cluster_tell_set(cluster->cluster, from->events);
		cluster->port = cluster_port(cluster->cluster);
		wire->cluster_count++;
	}
	return 0;
}

static void
sources_of(const struct settings *settings, struct gates_source *to)
{
	for (int i = 0; i < settings->source_count; i++) {
		const struct settings_source *from = &settings->sources[i];
		to[i] = (struct gates_source){.name = from->name,
		    .url = from->url,
		    .ca_file = from->ca_file[0] ? from->ca_file : NULL,
		    .username = from->username[0] ? from->username : NULL,
		    .password_file = from->password_file[0] ? from->password_file : NULL,
		    .token_file = from->token_file[0] ? from->token_file : NULL,
		    .headers = (const char *const *)from->headers,
		    .timeout_ms = from->timeout_ms};
	}
}

/* What can be seen in the settings themselves. */
static void
check_text(const struct settings *settings, struct errlist *errors)
{
	struct gates_source sources[SETTINGS_SOURCES];
	char path[32];
	struct err e;
	bool tls = settings->tls.certificate_file[0] != '\0';
	if (settings->tcp[0] != '\0' && api_tcp_check(settings->tcp, tls, &e) < 0)
		errlist_add(errors, "listen.tcp", "%s", e.text);
	sources_of(settings, sources);
	for (int i = 0; i < settings->source_count; i++) {
		str_print(path, sizeof(path), "prometheus[%d]", i);
		if (gates_source_check(&sources[i], &e) < 0)
			errlist_add(errors, path, "%s", e.text);
	}
	wire_oidc_check(settings, errors);
	wire_hooks_check(settings, errors);
	wire_traces_check(settings, errors);
}

void
wire_check(const struct settings *settings, struct errlist *errors)
{
	check_text(settings, errors);
	wire_tls_check(settings, false, errors);
}

void
wire_check_run(const struct settings *settings, struct errlist *errors)
{
	check_text(settings, errors);
	wire_tls_check(settings, true, errors);
	settings_need_credentials(settings, errors);
	wire_access_check(settings, errors);
	wire_hooks_check_run(settings, errors);
	wire_traces_check_run(settings, errors);
}

/* Of one that runs: certificates that are refused leave the other settings alone. */
static void
check_again(const struct settings *settings, struct errlist *errors)
{
	check_text(settings, errors);
	settings_need_credentials(settings, errors);
	wire_access_check(settings, errors);
}

static void
build_gates(struct wire *wire)
{
	struct gates_source sources[SETTINGS_SOURCES];
	sources_of(wire->settings, sources);
	wire->gates = gates_new(wire->loop, sources, (size_t)wire->settings->source_count);
}

static void
build_mesh(struct wire *wire)
{
	struct cluster *clusters[SETTINGS_CLUSTERS];
	for (int i = 0; i < wire->cluster_count; i++)
		clusters[i] = wire->clusters[i].cluster;
	wire->mesh =
	    wire_mesh_new(wire->loop, wire->settings, wire->gates, clusters, wire->cluster_count);
}

static int
refuse_journal(const char *database, struct err *e)
{
	char advice[STORE_ADVICE];
	struct err why = *e;
	store_schema_advice(database, advice, sizeof(advice));
	return err_set(e,
	    "the database %s cannot be gone on from: %s. It was left as it is, nothing acts on "
	    "it, and traffic stays as it is. To see all that is wrong: airisd --verify-db %s. To "
	    "restore a backup: %s",
	    database, why.text, database, advice);
}

static int
build_engine(struct wire *wire, struct err *e)
{
	struct engine_ports ports = {.journal = store_port(wire->store),
	    .clock = {.wall_ms = wall, .mono_ms = mono},
	    .ctx = wire,
	    .cluster = find_cluster,
	    .mesh = wire_mesh_port(wire->mesh),
	    .event = on_event};
	wire->hooks = wire_hooks_new(wire->loop, &ports);
	wire->traces = wire_traces_new(wire->loop, &ports, wire->settings);
	struct engine_settings settings = {.settle_ms = wire->settings->settle_ms};
	gates_port(wire->gates, &ports.gates);
	wire->engine = engine_new(wire->loop, &ports, &settings, e);
	return wire->engine == NULL ? refuse_journal(wire->settings->database, e) : 0;
}

static int
build_api(struct wire *wire, struct err *e)
{
	const struct settings *from = wire->settings;
	struct api_settings settings = {.token_file = from->token_file[0] ? from->token_file : NULL,
	    .rate = from->rate,
	    .burst = from->burst,
	    .failed_logins = from->failed_logins,
	    .max_followers = from->max_connections / 2,
	    .limits = {.max_connections = from->max_connections,
		.max_body = (size_t)from->max_body,
		.header_deadline_ms = from->header_timeout_ms}};
	static const struct clock_port times = {.wall_ms = wall, .mono_ms = mono};
	wire->oidc = wire_oidc(wire->loop, &times, from);
	struct api_ports ports = {.ctx = wire,
	    .oidc = wire->oidc,
	    .clusters = clusters_health,
	    .sources = sources_health,
	    .store = store_health,
	    .mesh = mesh_json,
	    .webhooks = webhooks_json,
	    .metrics = collect_metrics,
	    .check_app = check_app};
	wire->api = api_new(wire->loop, wire->engine, &settings, &ports, e);
	if (wire->api == NULL)
		return -1;
	wire_access(from, wire->api);
	return 0;
}

static int
on_passed(void *ctx, int fd, const char *name, struct err *e)
{
	struct wire *wire = ctx;
	return api_pass(wire->api, fd, name, e);
}

/* Where the settings say, in sockets of systemd where it has opened them. */
static int
listen_here(struct wire *wire, struct err *e)
{
	const struct settings *from = wire->settings;
	int port;
	if (systemd_sockets(on_passed, wire, e) < 0)
		return -1;
	if (from->socket[0] && api_listen_unix(wire->api, from->socket, from->mode, e) < 0)
		return -1;
	if (wire_tls_start(wire->api, from, e) < 0)
		return -1;
	if (from->tcp[0] && api_listen_tcp(wire->api, from->tcp, &port, e) < 0)
		return -1;
	if (from->tcp[0])
		log_info("airisd", "listening on %s (port %d)%s", from->tcp, port,
		    from->tls.certificate_file[0] ? ", HTTPS" : "");
	return api_passed_all(wire->api, e);
}

static int
build(struct wire *wire, struct err *e)
{
	struct store_settings store = {
	    .path = wire->settings->database, .reserve_bytes = wire->settings->reserve};
	wire->store = store_open(&store, wire->loop, e);
	if (wire->store == NULL || build_clusters(wire, e) < 0)
		return -1;
	failpoint("start:opened");
	build_gates(wire);
	build_mesh(wire);
	if (build_engine(wire, e) < 0)
		return -1;
	failpoint("start:recovered");
	wire_hooks_begin(wire->hooks, wire->engine, wire->settings);
	wire->witness = wire_witness(wire->loop, wire->engine, wire->settings, e);
	if (wire->witness == NULL)
		return -1;
	return build_api(wire, e) < 0 || listen_here(wire, e) < 0 ? -1 : 0;
}

/* In reverse; the store last, so that what was decided is written down. */
static void
tear_down(struct wire *wire)
{
	/* What was asked before the signal gets its answer, if the disk gives it. */
	if (wire->store != NULL)
		store_flush(wire->store);
	failpoint("stop:flushed");
	if (wire->api != NULL)
		api_stop(wire->api);
	if (wire->store != NULL)
		store_flush(wire->store);
	failpoint("stop:answered");
	witness_free(wire->witness);
	struct engine *engine = wire->engine;
	wire->engine = NULL;
	oidc_free(wire->oidc);
	wire_hooks_free(wire->hooks);
	engine_free(engine);
	traces_free(wire->traces);
	api_free(wire->api);
	wire->api = NULL;
	wire_mesh_free(wire->mesh);
	gates_free(wire->gates);
	for (int i = 0; i < wire->cluster_count; i++)
		cluster_free(wire->clusters[i].cluster);
	store_close(wire->store);
}

/* --- signals ------------------------------------------------------------------------------------
 */

static void
on_ending(void *ctx)
{
	struct wire *wire = ctx;
	loop_stop(wire->loop);
}

static void
on_retired(void *ctx)
{
	struct wire *wire = ctx;
	if (--wire->retiring == 0)
		loop_stop(wire->loop);
}

/* Leases are given back first, so that nobody has to wait until they run out. A second signal does
 * not wait for it. */
static void
on_stop(void *ctx)
{
	struct wire *wire = ctx;
	bool again = wire->retiring > 0;

	failpoint("stop:before");
	log_info("airisd", "stopping");
	systemd_tell("STOPPING=1");
	if (again || wire->cluster_count == 0) {
		loop_stop(wire->loop);
		return;
	}
	loop_timer_set(wire->ending, ENDING_MS);
	wire->retiring = wire->cluster_count;
	for (int i = 0; i < wire->cluster_count; i++)
		cluster_retire(wire->clusters[i].cluster, on_retired, wire);
}

static void
take_over(struct wire *wire, struct settings *next)
{
	struct gates_source sources[SETTINGS_SOURCES];
	log_setup((enum log_level)next->log_level, (enum log_format)next->log_format, "airisd");
	sources_of(next, sources);
	gates_reload(wire->gates, sources, (size_t)next->source_count);
	wire_tls_reload(wire->api, wire->settings, next);
	engine_settle_set(wire->engine, next->settle_ms);
	wire_access_reload(next, wire->api);
	wire_oidc_reload(wire->oidc, next);
	wire_hooks_set(wire->hooks, next);
	wire_traces_set(wire->traces, next);
	wire->settings->settle_ms = next->settle_ms;
	wire->settings->metrics_apps = next->metrics_apps;
	wire->settings->log_level = next->log_level;
	wire->settings->log_format = next->log_format;
	log_info("airisd", "the settings were read again");
}

static void
on_reload(void *ctx)
{
	struct wire *wire = ctx;
	struct errlist said;
	failpoint("reload:before");
	errlist_init(&said);
	systemd_tell("RELOADING=1");
	struct settings *next = settings_read(wire->path, check_again, &said);
	for (size_t i = 0; i < said.count; i++)
		log_error("airisd", "%s:%d: %s: %s; the old settings stay in force", wire->path,
		    said.items[i].line, said.items[i].path, said.items[i].text);
	if (next != NULL) {
		settings_fixed(wire->settings, next, &said);
		for (size_t i = 0; i < said.count; i++)
			log_warn("airisd", "%s: %s", said.items[i].path, said.items[i].text);
		take_over(wire, next);
		settings_free(next);
	}
	errlist_done(&said);
	systemd_tell("READY=1");
	failpoint("reload:after");
}

static void
on_watchdog(void *ctx)
{
	struct wire *wire = ctx;
	systemd_tell("WATCHDOG=1");
	loop_timer_set(wire->watchdog, systemd_watchdog_ms());
}

static void
listen_to_signals(struct wire *wire)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error of the disk, not an end */
	wire->signals[0] = loop_signal_new(wire->loop, SIGTERM, on_stop, wire);
	wire->signals[1] = loop_signal_new(wire->loop, SIGINT, on_stop, wire);
	wire->signals[2] = loop_signal_new(wire->loop, SIGHUP, on_reload, wire);
	wire->watchdog = loop_timer_new(wire->loop, on_watchdog, wire);
	wire->ending = loop_timer_new(wire->loop, on_ending, wire);
	if (systemd_watchdog_ms() > 0)
		loop_timer_set(wire->watchdog, systemd_watchdog_ms());
}

/* A connection, a watch, a stream: each is a descriptor. */
static void
allow_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max > 65536 ? 65536 : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_debug("airisd", "the limit of open files stays as it is");
}

int
wire_run(struct settings *settings, const char *path, struct err *e)
{
	struct wire wire = {.settings = settings, .path = path};
	log_setup(
	    (enum log_level)settings->log_level, (enum log_format)settings->log_format, "airisd");
	allow_descriptors();
	systemd_open();
	wire.loop = loop_new();
	listen_to_signals(&wire);
	int rc = build(&wire, e);
	if (rc == 0) {
		failpoint("start:listening");
		log_info("airisd", "version %s is ready", version_text());
		systemd_tell("READY=1\nSTATUS=ready");
		loop_run(wire.loop);
	}
	tear_down(&wire);
	for (int i = 0; i < 3; i++)
		loop_signal_free(wire.signals[i]);
	loop_timer_free(wire.watchdog);
	loop_timer_free(wire.ending);
	loop_free(wire.loop);
	systemd_close();
	settings_free(settings);
	return rc;
}
