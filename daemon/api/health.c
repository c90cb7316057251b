/* Is it alive, is it of use, and what does it do: for probes and for Prometheus. All labels come
 * from enums, so their number is bounded. */
#include "api/render.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "base/version.h"

void
api_get_version(struct call *call)
{
	api_answer(call->api, call->number, 200, json_pack("{s:s}", "version", version_text()));
}

void
api_get_health(struct call *call)
{
	api_answer_text(call->api, call->number, "text/plain; charset=utf-8", "ok\n");
}

/* Ready is who can write down what it is told. A cluster or a source that is away is told, too, but
 * rollouts wait for it by themselves. */
static bool
can_write(const struct api *api, struct err *why)
{
	const char *degraded;
	if (api->ports.store != NULL && !api->ports.store(api->ports.ctx, why))
		return false;
	if (!engine_degraded(api->engine, &degraded))
		return true;
	err_set(why, "%s", degraded);
	return false;
}

static json_t *
list_of(const struct api *api, json_t *(*list)(void *ctx))
{
	json_t *json = list == NULL ? NULL : list(api->ports.ctx);
	return json == NULL ? json_array() : json;
}

void
api_get_ready(struct call *call)
{
	struct api *api = call->api;
	struct err why = {"ok"};
	bool ready = can_write(api, &why);
	api_answer(api, call->number, ready ? 200 : 503,
	    json_pack("{s:b, s:o, s:o, s:o}", "ready", ready, "store",
		api_text_json(ready ? "ok" : why.text), "clusters",
		list_of(api, api->ports.clusters), "sources", list_of(api, api->ports.sources)));
}

void
api_get_clusters(struct call *call)
{
	api_answer(call->api, call->number, 200,
	    json_pack("{s:o}", "clusters", list_of(call->api, call->api->ports.clusters)));
}

void
api_get_mesh(struct call *call)
{
	const struct api_ports *ports = &call->api->ports;
	json_t *mesh = ports->mesh == NULL ? NULL : ports->mesh(ports->ctx);
	api_answer(
	    call->api, call->number, 200, mesh != NULL ? mesh : json_pack("{s:[]}", "clusters"));
}

/* --- metrics ---------------------------------------------------------------------------------- */

static void
head(struct str *to, const char *name, const char *type, const char *help)
{
	str_addf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
one(struct str *to, const char *name, const char *type, const char *help, double value)
{
	head(to, name, type, help);
	str_addf(to, "%s %.15g\n", name, value);
}

static void
add_rollouts(struct str *to, const struct engine_stats *stats)
{
	static const enum phase ends[] = {PHASE_SUCCEEDED, PHASE_ABORTED, PHASE_FAILED};
	one(to, "airis_rollouts_started_total", "counter", "Rollouts started.",
	    (double)stats->started);
	head(to, "airis_rollouts_ended_total", "counter", "Rollouts that ended, by their phase.");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		str_addf(to, "airis_rollouts_ended_total{phase=\"%s\"} %llu\n", phase_name(ends[i]),
		    (unsigned long long)stats->ended[ends[i]]);
	one(to, "airis_rollouts_live", "gauge", "Rollouts that have not ended.", stats->live);
	one(to, "airis_apps", "gauge", "Apps.", stats->apps);
	one(to, "airis_decisions_total", "counter", "Looks at a rollout that asked what is next.",
	    (double)stats->decisions);
	one(to, "airis_events_total", "counter", "Events of rollouts.", (double)stats->events);
}

static void
add_acts(struct str *to, const struct engine_stats *stats)
{
	head(to, "airis_acts_total", "counter", "Acts on clusters that were answered.");
	for (int kind = ACT_NONE + 1; kind < ACT_KINDS; kind++)
		for (int outcome = 0; outcome <= ACT_UNREACHED; outcome++)
			str_addf(to, "airis_acts_total{act=\"%s\",outcome=\"%s\"} %llu\n",
			    act_name((enum act_kind)kind),
			    act_outcome_name((enum act_outcome)outcome),
			    (unsigned long long)stats->acts[kind][outcome]);
	head(to, "airis_measurements_total", "counter", "Measurements of gates.");
	for (int i = 0; i <= VERDICT_TOO_FEW; i++)
		str_addf(to, "airis_measurements_total{verdict=\"%s\"} %llu\n",
		    verdict_name((enum verdict)i), (unsigned long long)stats->measures[i]);
}

static void
add_aborts(struct str *to, const struct engine_stats *stats)
{
	head(to, "airis_abort_seconds", "summary",
	    "From an abort command until its weight was sent to the cluster.");
	str_addf(to, "airis_abort_seconds_sum %.3f\nairis_abort_seconds_count %llu\n",
	    (double)stats->abort_sum_ms / 1000, (unsigned long long)stats->aborts);
	one(to, "airis_abort_seconds_max", "gauge", "The longest of these.",
	    (double)stats->abort_max_ms / 1000);
}

static void
add_daemon(struct str *to, const struct api *api)
{
	const char *why;
	head(to, "airis_build_info", "gauge", "The version that runs.");
	str_addf(to, "airis_build_info{version=\"%s\"} 1\n", version_text());
	one(to, "airis_degraded", "gauge", "1 while nothing can be written down.",
	    engine_degraded(api->engine, &why));
	one(to, "airis_loop_slow_turns_total", "counter",
	    "Turns of the loop that took longer than 50 ms.", (double)loop_slow_turns(api->loop));
	one(to, "airis_http_connections", "gauge", "Connections to this API.",
	    httpd_connections(api->httpd));
	one(to, "airis_http_spins_total", "counter", "How often a busy client was slowed down.",
	    (double)httpd_spins(api->httpd));
	one(to, "airis_http_streams", "gauge", "Streams of events.", api->streams);
	one(to, "airis_http_unauthorized_total", "counter", "Requests without the right token.",
	    (double)api->unauthorized);
	head(to, "airis_http_answers_total", "counter", "Answers, by the class of their status.");
	for (int i = 2; i < API_CLASSES; i++)
		str_addf(to, "airis_http_answers_total{class=\"%dxx\"} %llu\n", i,
		    (unsigned long long)api->answers[i]);
}

void
api_get_metrics(struct call *call)
{
	struct api *api = call->api;
	const struct engine_stats *stats = engine_stats(api->engine);
	struct str text;
	str_init(&text, 0);
	add_rollouts(&text, stats);
	add_acts(&text, stats);
	add_aborts(&text, stats);
	add_daemon(&text, api);
	if (api->ports.metrics != NULL)
		api->ports.metrics(api->ports.ctx, &text);
	api_answer_text(
	    api, call->number, "text/plain; version=0.0.4; charset=utf-8", str_text(&text));
	str_done(&text);
}
