/* One question, asked of every istiod of the cluster until all of them have answered it, or for
 * fifteen seconds. Each istiod knows only its own proxies. */
#include "mesh/ask.h"

#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "mesh/read.h"

#define DEBOUNCE_MS 100 /* PILOT_DEBOUNCE_AFTER: no push begins sooner after a change */
#define STILL_MS 300	/* nothing pushed, nothing changed for so long: nothing is on its way */
#define PATIENCE_MS 15000
#define SILENCE_MS 2000 /* an istiod that fails for so long is not waited for here */
#define REQUEST_MS 2000
#define PAGE_MAX ((size_t)64 << 20)

enum page { PAGE_CONFIGZ, PAGE_SHARDZ, PAGE_METRICS, PAGE_SYNCZ };

static const char *const pages[] = {
    [PAGE_CONFIGZ] = "/debug/configz",
    [PAGE_SHARDZ] = "/debug/endpointShardz",
    [PAGE_METRICS] = "/metrics",
    [PAGE_SYNCZ] = "/debug/syncz",
};

struct probe { /* one istiod's part */
	struct ask *ask;
	struct istiod_place *place;
	bool known, done, waits_for_push;
	bool counted;  /* the counters were read since it is known */
	int64_t after; /* the push must be newer than this */
	int64_t updates, pushes, still_since_ms;
	int64_t failing_ms; /* since when it does not answer; 0: it does */
	enum page page;
	uint64_t request;
	struct loop_timer *timer;
	char names[160];
};

struct ask {
	struct cluster_mesh *cluster;
	struct httpc_pool *pool;
	const struct mesh_needs *needs;
	struct app app; /* plain part only; spec and queries are not looked at */
	enum mesh_subject subject;
	int64_t since_ms, begun_ms;
	char version[64];
	uint64_t number;
	struct ask_done done;
	void (*ended)(void *ctx, struct ask *ask);
	void *ended_ctx;
	struct probe probes[MESH_ISTIODS];
	int probe_count;
	struct loop_timer *deadline;
	bool answered;
};

static bool
about_endpoints(const struct ask *ask)
{
	return ask->subject == MESH_CANARY || ask->subject == MESH_STABLE;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void
finish(struct ask *ask, enum mesh_outcome outcome, const char *text)
{
	struct mesh_answer answer = {.outcome = outcome, .at_ms = clock_wall_ms(), .text = text};
	if (ask->answered)
		return;
	ask->answered = true;
	ask->done.done(ask->done.ctx, ask->number, &answer);
	ask->ended(ask->ended_ctx, ask);
}

static void
finish_if_all(struct ask *ask)
{
	for (int i = 0; i < ask->probe_count; i++)
		if (!ask->probes[i].done)
			return;
	finish(ask, MESH_CONFIRMED, "");
}

static void
on_deadline(void *ctx)
{
	struct ask *ask = ctx;
	struct str text;
	str_init(&text, 190);
	if (ask->probe_count == 0) {
		str_addf(&text, "no istiod of cluster %s is known: %s", ask->cluster->name,
		    ask->cluster->error[0] ? ask->cluster->error : "none was found");
		finish(ask, MESH_UNREACHABLE, str_text(&text));
		str_done(&text);
		return;
	}
	for (int i = 0; i < ask->probe_count; i++)
		if (!ask->probes[i].done)
			str_addf(&text, "%s%s", text.length > 0 ? ", " : "",
			    ask->probes[i].names[0] ? ask->probes[i].names
						    : "istiod has not read it");
	finish(ask, MESH_ASSUMED, str_text(&text));
	str_done(&text);
}

/* --- reading -----------------------------------------------------------------------------------
 */

struct all_there {
	const json_t *shardz;
	const struct ask *ask;
	const char *service;
	bool all;
};

static void
check_address(void *ctx, const char *address)
{
	struct all_there *there = ctx;
	there->all = there->all && read_address(there->shardz, there->ask->app.namespace,
				       there->service, address);
}

static bool
knows_endpoints(const struct ask *ask, const json_t *shardz)
{
	bool canary = ask->subject == MESH_CANARY;
	bool host = ask->app.istio.mode == TRAFFIC_HOST;
	struct all_there there = {.shardz = shardz,
	    .ask = ask,
	    .service = canary && host ? ask->app.istio.canary_service : ask->app.istio.service,
	    .all = true};
	if (!ask->needs->addresses(ask->needs->ctx, &ask->app, canary, check_address, &there))
		return false;
	return there.all;
}

static bool
knows_version(const struct ask *ask, const json_t *configz)
{
	const char *version =
	    read_version(configz, ask->app.namespace, ask->app.istio.virtual_service);
	return ask->version[0] == '\0' || str_equal(version, ask->version);
}

static void
judge_known(struct probe *probe, const json_t *page)
{
	struct ask *ask = probe->ask;
	probe->known = about_endpoints(ask) ? knows_endpoints(ask, page) : knows_version(ask, page);
	if (!probe->known)
		return;
	/* A push that begins within the debounce of the write cannot have it yet: newer ones must.
	 * Later the count may have ours already. */
	bool soon = clock_wall_ms() - ask->since_ms < DEBOUNCE_MS;
	bool needs_count = ask->subject != MESH_WEIGHT || soon;
	probe->page = needs_count ? PAGE_METRICS : PAGE_SYNCZ;
}

static void
judge_counters(struct probe *probe, const char *metrics)
{
	int64_t pushes = read_counter(metrics, "pilot_pushcontext_init_seconds_count");
	int64_t updates = read_counter(metrics, "pilot_inbound_updates");
	int64_t now_ms = clock_wall_ms();
	if (!probe->counted)
		probe->after = pushes;
	if (!probe->counted || pushes != probe->pushes || updates != probe->updates)
		probe->still_since_ms = now_ms;
	probe->counted = true;
	probe->pushes = probe->place->pushes = pushes;
	probe->updates = updates;
	probe->page = PAGE_SYNCZ;
}

static void
note_proxies(struct probe *probe, const struct read_proxies *proxies)
{
	probe->place->proxies = proxies->total;
	probe->place->waiting = proxies->waiting;
	str_copy(probe->names, sizeof(probe->names), str_text(&proxies->names));
	str_copy(probe->place->unconfirmed, sizeof(probe->place->unconfirmed),
	    str_text(&proxies->names));
}

/* Endpoints and structure: every proxy has a later push; or all is acknowledged and all is still,
 * so that nothing can be on its way. */
static bool
all_is_still(struct probe *probe, const json_t *syncz)
{
	struct read_proxies proxies;
	int64_t now_ms = clock_wall_ms();
	read_all(syncz, true, probe->after, &proxies);
	bool pushed = proxies.waiting == 0;
	read_proxies_done(&proxies);
	read_all(syncz, false, 0, &proxies);
	note_proxies(probe, &proxies);
	bool still = proxies.waiting == 0 && now_ms - probe->still_since_ms >= STILL_MS &&
		     now_ms - proxies.newest_sent_ms >= STILL_MS;
	read_proxies_done(&proxies);
	return pushed || still;
}

static void
judge_proxies(struct probe *probe, const json_t *syncz)
{
	struct ask *ask = probe->ask;
	struct read_proxies proxies;
	if (ask->subject != MESH_WEIGHT) {
		probe->done = all_is_still(probe, syncz);
		probe->page = PAGE_METRICS;
		return;
	}
	read_routes(
	    syncz, probe->counted ? probe->after : 0, ask->since_ms + DEBOUNCE_MS, &proxies);
	note_proxies(probe, &proxies);
	probe->done = proxies.waiting == 0;
	read_proxies_done(&proxies);
}

static void
judge(struct probe *probe, const char *body, size_t length)
{
	struct err e;
	if (probe->page == PAGE_METRICS) {
		judge_counters(probe, body);
		return;
	}
	json_t *page = jsonx_parse(body, length, PAGE_MAX, &e);
	if (page == NULL)
		str_print(probe->place->error, sizeof(probe->place->error), "%s: %s",
		    pages[probe->page], e.text);
	else if (!probe->known)
		judge_known(probe, page);
	else
		judge_proxies(probe, page);
	json_decref(page);
}

/* --- asking -------------------------------------------------------------------------------------
 */

static void
failed(struct probe *probe, const struct httpc_answer *answer)
{
	struct istiod_place *place = probe->place;
	int64_t now_ms = clock_wall_ms();
	if (answer->outcome != HTTPC_ANSWERED)
		str_copy(place->error, sizeof(place->error), answer->error);
	else if (answer->status == 401 || answer->status == 403)
		str_print(place->error, sizeof(place->error),
		    "HTTP %d: it wants a token of a service account in istio-system (audience "
		    "istio-ca): set clusters[].istiod.serviceAccount or tokenFile",
		    answer->status);
	else
		str_print(place->error, sizeof(place->error), "HTTP %d", answer->status);
	if (answer->status == 401)
		probe->ask->cluster->token[0] = '\0';
	if (probe->failing_ms == 0)
		probe->failing_ms = now_ms;
}

/* Quick while an answer is due, slower when it takes long. */
static int64_t
pause_ms(const struct ask *ask)
{
	int64_t age = clock_wall_ms() - ask->begun_ms;
	return age < 500 ? 10 : age < 3000 ? 50 : 200;
}

static void
on_page(void *ctx, const struct httpc_answer *answer)
{
	struct probe *probe = ctx;
	struct ask *ask = probe->ask;
	char text[300];
	probe->request = 0;
	if (answer->outcome == HTTPC_ANSWERED && answer->status == 200) {
		probe->failing_ms = 0;
		probe->place->error[0] = '\0';
		probe->place->answered_ms = clock_wall_ms();
		judge(probe, answer->body, answer->body_length);
	} else
		failed(probe, answer);
	if (probe->done) {
		finish_if_all(ask);
		return;
	}
	if (probe->failing_ms != 0 && clock_wall_ms() - probe->failing_ms >= SILENCE_MS) {
		str_print(text, sizeof(text), "istiod %s does not answer: %s", probe->place->url,
		    probe->place->error);
		finish(ask, MESH_UNREACHABLE, text);
		return;
	}
	loop_timer_set(probe->timer, probe->failing_ms != 0 ? 200 : pause_ms(ask));
}

static void
send(void *ctx)
{
	struct probe *probe = ctx;
	struct ask *ask = probe->ask;
	char url[400], bearer[8300];
	const char *headers[] = {bearer, NULL};
	str_print(url, sizeof(url), "%s%s", probe->place->url, pages[probe->page]);
	str_print(bearer, sizeof(bearer), "Authorization: Bearer %s", ask->cluster->token);
	struct httpc_request request = {.method = "GET",
	    .url = url,
	    .headers = ask->cluster->token[0] ? headers : NULL,
	    .timeout_ms = REQUEST_MS,
	    .connect_timeout_ms = REQUEST_MS,
	    .max_body = PAGE_MAX,
	    .on_done = on_page,
	    .ctx = probe};
	probe->place->asked_ms = clock_wall_ms();
	mesh_count_request(ask->cluster->mesh);
	probe->request = httpc_start(ask->pool, &request);
	mem_wipe(bearer, sizeof(bearer));
}

static void
begin_probe(struct ask *ask, struct istiod_place *place, struct loop *loop)
{
	struct probe *probe = &ask->probes[ask->probe_count++];
	*probe = (struct probe){.ask = ask,
	    .place = place,
	    .pushes = -1,
	    .updates = -1,
	    .page = about_endpoints(ask) ? PAGE_SHARDZ : PAGE_CONFIGZ};
	probe->timer = loop_timer_new(loop, send, probe);
	loop_timer_set(probe->timer, 0);
}

struct ask *
ask_new(struct cluster_mesh *cluster, struct httpc_pool *pool, struct loop *loop,
    const struct mesh_needs *needs, const struct mesh_question *question, uint64_t number,
    const struct ask_done *done, void (*ended)(void *ctx, struct ask *ask), void *ended_ctx)
{
	struct ask *ask = mem_alloc(sizeof(*ask));
	*ask = (struct ask){.cluster = cluster,
	    .pool = pool,
	    .needs = needs,
	    .app = *question->app,
	    .subject = question->subject,
	    .since_ms = question->since_ms,
	    .begun_ms = clock_wall_ms(),
	    .number = number,
	    .done = *done,
	    .ended = ended,
	    .ended_ctx = ended_ctx};
	str_copy(ask->version, sizeof(ask->version), question->resource_version);
	for (int i = 0; i < cluster->place_count; i++)
		begin_probe(ask, &cluster->places[i], loop);
	ask->deadline = loop_timer_new(loop, on_deadline, ask);
	loop_timer_set(ask->deadline, ask->probe_count == 0 ? SILENCE_MS : PATIENCE_MS);
	return ask;
}

void
ask_free(struct ask *ask)
{
	for (int i = 0; i < ask->probe_count; i++) {
		if (ask->probes[i].request != 0)
			httpc_cancel(ask->pool, ask->probes[i].request);
		loop_timer_free(ask->probes[i].timer);
	}
	loop_timer_free(ask->deadline);
	free(ask);
}

uint64_t
ask_number(const struct ask *ask)
{
	return ask->number;
}
