/* One question, asked of every istiod of the cluster until all of them have answered it, or for
 * fifteen seconds. Each istiod knows only its own proxies. */
#include "mesh/ask.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "mesh/probe.h"

#define AGAIN_MS 100
#define FAILED_AGAIN_MS 100
#define PAGE_MAX ((size_t)64 << 20)

struct asker { /* one istiod's */
	struct ask *ask;
	struct probe probe;
	int64_t failing_ms; /* since when it does not answer; 0: it does */
	uint64_t request;
	struct loop_timer *timer;
};

struct ask {
	struct ask_about about;
	struct httpc_pool *pool;
	struct loop *loop;
	uint64_t number;
	struct ask_done done;
	void (*ended)(void *ctx, struct ask *ask);
	void *ended_ctx;
	struct asker askers[MESH_ISTIODS];
	int count;
	struct loop_timer *deadline;
	bool answered;
};

/* An istiod that fails for so long is not waited for here; about two seconds. */
static int64_t
silence_ms(const struct cluster_mesh *cluster)
{
	return cluster->patience_ms / 7;
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
	if (ask->about.subject == MESH_WEIGHT && !ask->about.look)
		str_copy(ask->about.cluster->assumed, sizeof(ask->about.cluster->assumed),
		    outcome == MESH_ASSUMED ? text : "");
	if (!ask->about.look)
		ask->done.done(ask->done.ctx, ask->number, &answer);
	ask->ended(ask->ended_ctx, ask);
}

/* False: some are still to come; then an istiod is asked again who has come back. */
static bool
all_are_back(struct ask *ask)
{
	struct str names;
	str_init(&names, 100);
	int missing = mesh_orphans(ask->about.cluster, clock_wall_ms(), &names) +
		      mesh_suspects(ask->about.cluster, clock_wall_ms(), &names);
	str_done(&names);
	return missing == 0 || ask->about.look;
}

static void
finish_if_all(struct ask *ask)
{
	for (int i = 0; i < ask->count; i++)
		if (!ask->askers[i].probe.done)
			return;
	if (!all_are_back(ask)) {
		for (int i = 0; i < ask->count; i++) {
			ask->askers[i].probe.done = false;
			loop_timer_set(ask->askers[i].timer, AGAIN_MS);
		}
		return;
	}
	finish(ask, MESH_CONFIRMED, "");
}

static void
add_missing(const struct probe *probe, struct str *text)
{
	if (!probe->done && probe->names[0] != '\0')
		str_addf(text, "%s%s", text->length > 0 ? ", " : "", probe->names);
}

/* An istiod that has not even read the change has certainly not pushed it; a proxy without
 * an istiod goes on with what it had, whatever the time. */
static bool
may_be_assumed(const struct ask *ask)
{
	bool endpoints = ask->about.subject == MESH_CANARY || ask->about.subject == MESH_STABLE;
	for (int i = 0; i < ask->count; i++)
		if ((!ask->askers[i].probe.known && !endpoints) || ask->askers[i].probe.young)
			return false;
	return ask->count > 0;
}

static void
on_deadline(void *ctx)
{
	struct ask *ask = ctx;
	const struct cluster_mesh *cluster = ask->about.cluster;
	struct str text;
	str_init(&text, 190);
	if (ask->count == 0)
		str_addf(&text, "no istiod of cluster %s is known: %s", cluster->name,
		    cluster->error[0] ? cluster->error : "none was found");
	for (int i = 0; i < ask->count; i++)
		add_missing(&ask->askers[i].probe, &text);
	if (ask->count > 0)
		mesh_suspects(ask->about.cluster, clock_wall_ms(), &text);
	int missing = ask->count > 0 ? mesh_orphans(ask->about.cluster, clock_wall_ms(), &text) : 0;
	bool assumed = missing == 0 && may_be_assumed(ask);
	finish(ask, assumed ? MESH_ASSUMED : MESH_UNREACHABLE, str_text(&text));
	str_done(&text);
}

/* --- asking -------------------------------------------------------------------------------------
 */

static void
refused(struct asker *asker, int status)
{
	struct istiod_place *place = asker->probe.place;
	struct cluster_mesh *cluster = asker->ask->about.cluster;
	const char *what = cluster->token[0] == '\0'
			       ? "set clusters[].istiod.serviceAccount or tokenFile: it wants a"
			       : "it did not take ours, which must be the";
	str_print(place->error, sizeof(place->error),
	    "HTTP %d: %s token of a service account in istio-system, audience istio-ca", status,
	    what);
	if (status == 401)
		cluster->token[0] = '\0';
}

/* What it said before it failed may have been said by a process that is gone. */
static void
failed(struct asker *asker, const struct httpc_answer *answer)
{
	struct istiod_place *place = asker->probe.place;
	if (answer->outcome != HTTPC_ANSWERED)
		str_copy(place->error, sizeof(place->error), answer->error);
	else if (answer->status == 401 || answer->status == 403)
		refused(asker, answer->status);
	else
		str_print(place->error, sizeof(place->error), "HTTP %d", answer->status);
	if (asker->failing_ms == 0)
		asker->failing_ms = clock_wall_ms();
	mesh_probe_begin(&asker->probe, &asker->ask->about, place);
}

static void
go_on(struct asker *asker)
{
	const struct istiod_place *place = asker->probe.place;
	char text[300];
	if (asker->failing_ms != 0 &&
	    clock_wall_ms() - asker->failing_ms >= silence_ms(asker->ask->about.cluster)) {
		str_print(
		    text, sizeof(text), "istiod %s does not answer: %s", place->url, place->error);
		finish(asker->ask, MESH_UNREACHABLE, text);
		return;
	}
	loop_timer_set(asker->timer,
	    asker->failing_ms != 0 ? FAILED_AGAIN_MS : mesh_probe_pause_ms(&asker->probe));
}

static void
on_page(void *ctx, const struct httpc_answer *answer)
{
	struct asker *asker = ctx;
	struct istiod_place *place = asker->probe.place;
	asker->request = 0;
	if (answer->outcome == HTTPC_ANSWERED && answer->status == 200) {
		asker->failing_ms = 0;
		place->error[0] = '\0';
		place->answered_ms = clock_wall_ms();
		mesh_probe_read(&asker->probe, answer->body, answer->body_length);
	} else
		failed(asker, answer);
	if (asker->probe.done)
		finish_if_all(asker->ask);
	else
		go_on(asker);
}

/* A token that was asked for comes in a moment; without it the answer is known. */
static bool
waits_for_token(struct asker *asker)
{
	const struct cluster_mesh *cluster = asker->ask->about.cluster;
	if (cluster->service_account[0] == '\0' || cluster->token_file[0] != '\0' ||
	    cluster->token[0] != '\0')
		return false;
	str_copy(asker->probe.place->error, sizeof(asker->probe.place->error),
	    cluster->error[0] ? cluster->error : "there is no token yet");
	if (asker->failing_ms == 0)
		asker->failing_ms = clock_wall_ms();
	return true;
}

static void
send_page(void *ctx)
{
	struct asker *asker = ctx;
	struct ask *ask = asker->ask;
	struct cluster_mesh *cluster = ask->about.cluster;
	char url[400], bearer[8300];
	const char *headers[] = {bearer, NULL};
	if (waits_for_token(asker)) {
		go_on(asker);
		return;
	}
	str_print(
	    url, sizeof(url), "%s%s", asker->probe.place->url, mesh_probe_page(&asker->probe));
	str_print(bearer, sizeof(bearer), "Authorization: Bearer %s", cluster->token);
	struct httpc_request request = {.method = "GET",
	    .url = url,
	    .headers = cluster->token[0] ? headers : NULL,
	    .timeout_ms = silence_ms(cluster),
	    .connect_timeout_ms = silence_ms(cluster),
	    .max_body = PAGE_MAX,
	    .on_done = on_page,
	    .ctx = asker};
	asker->probe.place->asked_ms = clock_wall_ms();
	mesh_count_request(cluster->mesh);
	asker->request = httpc_start(ask->pool, &request);
	mem_wipe(bearer, sizeof(bearer));
}

void
mesh_ask_start(struct ask *ask)
{
	struct cluster_mesh *cluster = ask->about.cluster;
	ask->count = cluster->place_count;
	for (int i = 0; i < ask->count; i++) {
		struct asker *asker = &ask->askers[i];
		*asker = (struct asker){.ask = ask};
		mesh_probe_begin(&asker->probe, &ask->about, &cluster->places[i]);
		asker->timer = loop_timer_new(ask->loop, send_page, asker);
		loop_timer_set(asker->timer, 0);
	}
	bool briefly = ask->count == 0 || ask->about.look;
	bool less = briefly && silence_ms(cluster) < cluster->patience_ms;
	loop_timer_set(ask->deadline, less ? silence_ms(cluster) : cluster->patience_ms);
}

void
mesh_ask_stop(struct ask *ask)
{
	for (int i = 0; i < ask->count; i++) {
		if (ask->askers[i].request != 0)
			httpc_cancel(ask->pool, ask->askers[i].request);
		loop_timer_free(ask->askers[i].timer);
	}
	ask->count = 0;
}

static void
take_question(struct ask_about *about, const struct mesh_question *question)
{
	about->app = app_share(question->app);
	about->subject = question->subject;
	about->since_ms = question->since_ms;
	about->by_push = question->subject == MESH_WEIGHT && question->since_ms > 0;
	str_copy(about->version, sizeof(about->version), question->resource_version);
	str_copy(about->rule_version, sizeof(about->rule_version), question->rule_version);
}

struct ask *
mesh_ask_new(struct cluster_mesh *cluster, struct httpc_pool *pool, struct loop *loop,
    const struct mesh_needs *needs, const struct mesh_question *question, uint64_t number,
    const struct ask_done *done, void (*ended)(void *ctx, struct ask *ask), void *ended_ctx)
{
	struct ask *ask = mem_alloc(sizeof(*ask));
	*ask = (struct ask){.pool = pool,
	    .loop = loop,
	    .number = number,
	    .done = *done,
	    .ended = ended,
	    .ended_ctx = ended_ctx};
	ask->about = (struct ask_about){.cluster = cluster,
	    .needs = needs,
	    .look = question == NULL,
	    .begun_ms = clock_wall_ms()};
	if (question != NULL)
		take_question(&ask->about, question);
	ask->deadline = loop_timer_new(loop, on_deadline, ask);
	mesh_ask_start(ask);
	return ask;
}

void
mesh_ask_free(struct ask *ask)
{
	mesh_ask_stop(ask);
	loop_timer_free(ask->deadline);
	app_free(ask->about.app);
	free(ask);
}

uint64_t
mesh_ask_number(const struct ask *ask)
{
	return ask->number;
}

struct cluster_mesh *
mesh_ask_cluster(const struct ask *ask)
{
	return ask->about.cluster;
}
