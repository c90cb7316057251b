/* From the rooms' numbers to the families of the table. What has few labels is there from the start
 * with 0, so that its first increase is seen; what may have many, such as a duration for each kind
 * of act, from its first on. */
#include "wire_metrics.h"

#include "base/log.h"
#include "base/version.h"
#include "cluster/kube_stats.h"
#include "engine/stats.h"
#include "settings/settings.h"
#include "store/schema.h"
#include "telemetry/process.h"

/* --- the engine --------------------------------------------------------------------------------
 */

struct live { /* of the rollouts that have not ended */
	struct metrics *to;
	bool apps;
	int count[STRATEGIES][PHASE_FAILED + 1];
	int64_t longest_ms[PHASE_FAILED + 1];
};

static void
add_app(struct metrics *to, const struct engine_live *live)
{
	const struct rollout *r = live->rollout;
	const struct app *app = r->app;
	metrics_put(to, METRIC_ROLLOUT_INFO, 1, app->name, app->namespace, app->cluster,
	    app->strategy->name, phase_name(live->phase));
	metrics_put(to, METRIC_ROLLOUT_WAITING, (double)live->waiting_ms / 1000, app->name,
	    app->namespace, app->cluster);
	if (!app->rolls)
		metrics_put(to, METRIC_ROLLOUT_WEIGHT, (double)r->seen / 100, app->name,
		    app->namespace, app->cluster);
}

static void
on_live(void *ctx, const struct engine_live *live)
{
	struct live *sum = ctx;
	sum->count[strategy_place(live->rollout->app->strategy)][live->phase]++;
	if (live->waiting_ms > sum->longest_ms[live->phase])
		sum->longest_ms[live->phase] = live->waiting_ms;
	if (sum->apps && live->first)
		add_app(sum->to, live);
}

static void
add_live(struct metrics *to, const struct engine *engine, bool apps)
{
	static const enum phase phases[] = {
	    PHASE_QUEUED, PHASE_PROGRESSING, PHASE_PAUSED, PHASE_ABORTING, PHASE_FAILED};
	struct live live = {.to = to, .apps = apps};
	engine_each_live(engine, on_live, &live);
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		const char *phase = phase_name(phases[i]);
		metrics_put(
		    to, METRIC_LONGEST_WAIT, (double)live.longest_ms[phases[i]] / 1000, phase);
		for (int s = 0; s < STRATEGIES; s++)
			metrics_put(to, METRIC_ROLLOUTS, live.count[s][phases[i]],
			    strategy_at(s)->name, phase);
	}
}

static void
add_ends(struct metrics *to, const struct engine_stats *stats, int strategy)
{
	static const enum phase ends[] = {PHASE_SUCCEEDED, PHASE_ABORTED, PHASE_FAILED};
	const char *name = strategy_at(strategy)->name;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const char *phase = phase_name(ends[i]);
		metrics_put(
		    to, METRIC_ROLLOUTS_ENDED, stats->ended[strategy][ends[i]], name, phase);
		if (ends[i] != PHASE_FAILED)
			metrics_put_histogram(to, METRIC_ROLLOUT_DURATION,
			    &stats->took[strategy][ends[i]], name, phase);
	}
}

static void
add_strategies(struct metrics *to, const struct engine_stats *stats)
{
	for (int s = 0; s < STRATEGIES; s++) {
		const char *name = strategy_at(s)->name;
		metrics_put(to, METRIC_ROLLOUTS_STARTED, stats->started[s], name);
		add_ends(to, stats, s);
		metrics_put_histogram(to, METRIC_HOMEWARD_DURATION, &stats->homeward[s], name);
		for (int word = 0; word < STAGE_WORDS; word++)
			if (stats->stages[s][word].scale != NULL)
				metrics_put_histogram(to, METRIC_STAGE_DURATION,
				    &stats->stages[s][word], name, stage_word_name(word));
	}
}

static void
add_acts(struct metrics *to, const struct engine_stats *stats)
{
	for (int kind = ACT_NONE + 1; kind < ACT_KINDS; kind++) {
		const char *act = act_name((enum act_kind)kind);
		for (int outcome = 0; outcome <= ACT_UNREACHED; outcome++)
			metrics_put(to, METRIC_ACTS, stats->acts[kind][outcome], act,
			    act_outcome_name((enum act_outcome)outcome));
		if (stats->act_took[kind].scale != NULL)
			metrics_put_histogram(to, METRIC_ACT_DURATION, &stats->act_took[kind], act);
	}
}

void
wire_engine_metrics(struct metrics *to, const struct engine *engine, bool apps)
{
	const struct engine_stats *stats = engine_stats(engine);
	struct engine_queues queues = engine_queues(engine);
	const char *why;
	add_live(to, engine, apps);
	add_strategies(to, stats);
	add_acts(to, stats);
	for (int i = 0; i < COMMAND_COUNT; i++)
		metrics_put(to, METRIC_COMMANDS, stats->commands[i], command_name((enum command)i));
	for (int i = 0; i <= VERDICT_TOO_FEW; i++)
		if (i != VERDICT_PENDING)
			metrics_put(to, METRIC_MEASUREMENTS, stats->measures[i],
			    verdict_name((enum verdict)i));
	metrics_one_histogram(to, METRIC_ABORT_LATENCY, &stats->aborts);
	metrics_one(to, METRIC_APPS, stats->apps);
	metrics_one(to, METRIC_ACTS_UNDER_WAY, queues.acts);
	metrics_one(to, METRIC_UNWRITTEN, queues.writes);
	metrics_one(to, METRIC_DECISIONS, stats->decisions);
	metrics_one(to, METRIC_EVENTS, stats->events);
	metrics_one(to, METRIC_DEGRADED, engine_degraded(engine, &why));
}

/* --- who comes in ------------------------------------------------------------------------------
 */

static void
add_tls(struct metrics *to, const struct api *api)
{
	struct httpd_tls_stats stats = api_tls_stats(api);
	if (!stats.on)
		return;
	metrics_one(to, METRIC_TLS_NOT_AFTER, (double)stats.not_after_s);
	metrics_one(to, METRIC_TLS_REFUSED, stats.refused);
}

void
wire_api_metrics(struct metrics *to, struct api *api)
{
	const struct api_stats *stats = api_stats(api);
	char code[16];
	for (size_t i = 0; i < stats->cell_count; i++) {
		const struct api_cell *cell = &stats->cells[i];
		str_print(code, sizeof(code), "%d", cell->code);
		metrics_put(to, METRIC_API_REQUESTS, cell->count, cell->method, cell->route, code);
	}
	for (int i = 0; i < API_METHODS; i++)
		metrics_put_histogram(
		    to, METRIC_API_DURATION, &stats->took[i], api_method_name((enum api_method)i));
	metrics_one(to, METRIC_API_UNDER_WAY, stats->under_way);
	metrics_one(to, METRIC_API_CONNECTIONS, stats->connections);
	metrics_one(to, METRIC_API_STREAMS, stats->followers);
	metrics_one(to, METRIC_API_UNAUTHORIZED, stats->unauthorized);
	metrics_one(to, METRIC_API_SLOWED, stats->slowed);
	add_tls(to, api);
}

/* --- whom we ask -------------------------------------------------------------------------------
 */

static void
add_lease(struct metrics *to, const char *name, const struct lease *lease)
{
	if (lease == NULL)
		return;
	metrics_put(to, METRIC_LEASE_WANTED, lease_wanted(lease), name);
	metrics_put(to, METRIC_LEASE_HELD, lease_held(lease), name);
	metrics_put(to, METRIC_LEASE_LOST, lease_lost(lease), name);
}

static void
add_bulletins(struct metrics *to, const char *name, const struct bulletins *bulletins)
{
	if (bulletins == NULL)
		return;
	metrics_put(to, METRIC_KUBE_EVENTS_WAITING, bulletins_waiting(bulletins), name);
	for (int i = 0; i < BULLETINS_RESULTS; i++) {
		enum bulletins_result result = (enum bulletins_result)i;
		metrics_put(to, METRIC_KUBE_EVENTS, bulletins_count(bulletins, result), name,
		    bulletins_result_name(result));
	}
}

void
wire_cluster_metrics(struct metrics *to, const char *name, struct cluster *cluster)
{
	const struct kube_stats *stats = kube_stats(cluster_kube(cluster));
	char code[16];
	for (size_t i = 0; i < stats->cells; i++) {
		const struct kube_stats_cell *cell = &stats->requests[i];
		str_print(code, sizeof(code), "%d", cell->code);
		metrics_put(to, METRIC_KUBE_REQUESTS, cell->count, name, cell->verb, code);
	}
	metrics_put_histogram(to, METRIC_KUBE_DURATION, &stats->took, name);
	metrics_put(to, METRIC_KUBE_UNDER_WAY, stats->under_way, name);
	metrics_put(to, METRIC_KUBE_WAITING, stats->waiting, name);
	metrics_put(to, METRIC_KUBE_RETRIES, stats->retries, name);
	metrics_put(to, METRIC_KUBE_THROTTLED, stats->throttled, name);
	metrics_put(to, METRIC_KUBE_THROTTLED_TIME, (double)stats->throttled_ms / 1000, name);
	metrics_put(to, METRIC_KUBE_RELISTS, stats->relists, name);
	metrics_put(to, METRIC_KUBE_WATCH_CUTS, stats->watch_cuts, name);
	metrics_put(to, METRIC_KUBE_WATCHES, stats->watches, name);
	metrics_put(to, METRIC_KUBE_CACHES, stats->caches, name);
	metrics_put(to, METRIC_KUBE_REFRESHES, stats->refreshes, name);
	add_bulletins(to, name, cluster_bulletins(cluster));
	add_lease(to, name, cluster_lease(cluster));
}

static void
add_source(struct metrics *to, const struct gates_health *source)
{
	const char *name = source->name;
	metrics_put(to, METRIC_SOURCE_UP, source->known && source->ok, name);
	metrics_put(to, METRIC_SOURCE_REQUESTS, source->asked - source->failed, name, "answered");
	metrics_put(to, METRIC_SOURCE_REQUESTS, source->failed, name, "failed");
	metrics_put_histogram(to, METRIC_SOURCE_DURATION, &source->took, name);
	metrics_put(to, METRIC_SOURCE_MEASUREMENTS, source->running, name, "running");
	metrics_put(to, METRIC_SOURCE_MEASUREMENTS, source->waiting, name, "waiting");
	metrics_put(to, METRIC_SOURCE_SKEW, (double)source->skew_ms / 1000, name);
}

void
wire_source_metrics(struct metrics *to, const struct gates *gates)
{
	struct gates_health health[SETTINGS_SOURCES];
	size_t count = gates_health(gates, health, SETTINGS_SOURCES);
	for (size_t i = 0; i < count && i < SETTINGS_SOURCES; i++)
		add_source(to, &health[i]);
}

void
wire_hook_metrics(struct metrics *to, const struct hooks *hooks)
{
	struct hooks_status list[NOTICE_HOOKS];
	int count = hooks_status(hooks, list);
	for (int i = 0; i < count; i++) {
		const struct hooks_status *hook = &list[i];
		metrics_put(to, METRIC_WEBHOOK_DELIVERIES, hook->delivered, hook->name, "taken");
		metrics_put(to, METRIC_WEBHOOK_DELIVERIES, hook->failed, hook->name, "failed");
		metrics_put(to, METRIC_WEBHOOK_DELIVERIES, hook->given_up, hook->name, "given_up");
		metrics_put(to, METRIC_WEBHOOK_WAITING, hook->waiting, hook->name);
		metrics_put(to, METRIC_WEBHOOK_UP, hook->state == HOOKS_OK, hook->name);
	}
}

void
wire_trace_metrics(struct metrics *to, const struct traces *traces)
{
	struct traces_status status;
	traces_status(traces, &status);
	metrics_one(to, METRIC_TRACE_EXPORTED, status.exported);
	for (int i = 0; i < TRACES_LOSSES; i++)
		metrics_put(to, METRIC_TRACE_DROPPED, status.dropped[i],
		    traces_loss_name((enum traces_loss)i));
	metrics_one(to, METRIC_TRACE_WAITING, status.waiting);
}

/* --- what it stands on -------------------------------------------------------------------------
 */

void
wire_store_metrics(struct metrics *to, struct store *store)
{
	struct store_stats stats;
	store_stats(store, &stats);
	metrics_one(to, METRIC_STORE_WRITABLE, store_healthy(store, NULL));
	metrics_one_histogram(to, METRIC_STORE_COMMIT_DURATION, &stats.commit_took);
	metrics_one(to, METRIC_STORE_FAILED_COMMITS, stats.failed_commits);
	metrics_one(to, METRIC_STORE_WRITES, stats.writes);
	metrics_one(to, METRIC_STORE_WAITING, stats.waiting_writes);
	metrics_one(to, METRIC_STORE_WAITING_BYTES, stats.waiting_bytes);
	metrics_put(to, METRIC_STORE_BYTES, stats.db_bytes, "db");
	metrics_put(to, METRIC_STORE_BYTES, stats.wal_bytes, "wal");
	metrics_put(to, METRIC_STORE_BYTES, stats.reserve_bytes, "reserve");
}

static void
add_process(struct metrics *to)
{
	struct process_stats stats;
	struct err e;
	if (process_stats(&stats, &e) < 0) {
		log_debug("airisd", "%s", e.text);
		return;
	}
	metrics_one(to, METRIC_PROCESS_CPU, stats.cpu_seconds);
	metrics_one(to, METRIC_PROCESS_RESIDENT, stats.resident_bytes);
	metrics_one(to, METRIC_PROCESS_VIRTUAL, stats.virtual_bytes);
	metrics_one(to, METRIC_PROCESS_FDS, stats.fds);
	metrics_one(to, METRIC_PROCESS_FDS_MAX, stats.max_fds);
	metrics_one(to, METRIC_PROCESS_START, stats.start_seconds);
}

void
wire_process_metrics(struct metrics *to, const struct loop *loop)
{
	struct loop_stats stats;
	char database[16];
	loop_stats(loop, &stats);
	metrics_one_histogram(to, METRIC_LOOP_TURN, &stats.turns);
	metrics_one_histogram(to, METRIC_LOOP_LAG, &stats.lag);
	metrics_one(to, METRIC_LOOP_SLOW_TURNS, stats.slow_turns);
	metrics_one(to, METRIC_LOOP_DEFERRED, stats.deferred);
	str_print(database, sizeof(database), "%d", store_migrations_count);
	metrics_put(to, METRIC_BUILD_INFO, 1, version_text(), database);
	add_process(to);
}
