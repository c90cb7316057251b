/* The method of the project's mesh notes, page by page. First istiod must have read the objects (or
 * know the addresses); then, for our weights, every proxy must have acknowledged routes of a push
 * that began after that; for endpoints, structure and others' weights also stillness will do:
 * nothing came in, nothing was pushed and all is acknowledged for longer than the debounce. */
#include "mesh/probe.h"

#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "mesh/read.h"

#define DEBOUNCE_MS 100 /* PILOT_DEBOUNCE_AFTER: no push begins sooner after a change */
#define STILL_MS 300	/* nothing pushed, nothing changed for so long: nothing is on its way */
#define YOUNG_S 60	/* an istiod that started just now may not have all its proxies yet */
#define PAGE_MAX ((size_t)64 << 20)

static const char *const pages[] = {
    [PAGE_CONFIGZ] = "/debug/configz",
    [PAGE_SHARDZ] = "/debug/endpointShardz",
    [PAGE_METRICS] = "/metrics",
    [PAGE_SYNCZ] = "/debug/syncz",
};

static bool
about_endpoints(const struct ask_about *about)
{
	return about->subject == MESH_CANARY || about->subject == MESH_STABLE;
}

void
mesh_probe_begin(struct probe *probe, const struct ask_about *about, struct istiod_place *place)
{
	*probe = (struct probe){.about = about, .place = place, .known = about->look};
	probe->page = about->look	       ? PAGE_METRICS
		      : about_endpoints(about) ? PAGE_SHARDZ
					       : PAGE_CONFIGZ;
}

const char *
mesh_probe_page(const struct probe *probe)
{
	return pages[probe->page];
}

/* --- has istiod read it? ------------------------------------------------------------------------
 */

struct all_there {
	const json_t *shardz;
	const struct ask_about *about;
	const char *service;
	bool all;
};

static void
check_address(void *ctx, const char *address)
{
	struct all_there *there = ctx;
	there->all = there->all && mesh_read_address(there->shardz, there->about->app->namespace,
				       there->service, address);
}

static bool
knows_endpoints(const struct ask_about *about, const json_t *shardz)
{
	const struct traffic_spec *traffic = &about->app->traffic;
	bool canary = about->subject == MESH_CANARY;
	bool host = traffic->mode == TRAFFIC_HOST;
	struct all_there there = {.shardz = shardz,
	    .about = about,
	    .service = canary && host ? traffic->canary_service : traffic->service,
	    .all = true};
	const struct mesh_needs *needs = about->needs;
	if (!needs->addresses(needs->ctx, about->app, canary, check_address, &there))
		return false;
	return there.all;
}

static bool
knows_objects(const struct ask_about *about, const json_t *configz)
{
	const struct app *app = about->app;
	bool rule = about->subject == MESH_ROUTING && about->rule_version[0] != '\0';
	return (about->version[0] == '\0' ||
		   mesh_read_knows(configz, app_route_kind(app), app->namespace, app->traffic.route,
		       about->version)) &&
	       (!rule || mesh_read_knows(configz, "DestinationRule", app->namespace,
			     app->traffic.destination_rule, about->rule_version));
}

static void
judge_known(struct probe *probe, const json_t *page)
{
	const struct ask_about *about = probe->about;
	probe->known =
	    about_endpoints(about) ? knows_endpoints(about, page) : knows_objects(about, page);
	if (!probe->known) {
		str_copy(probe->names, sizeof(probe->names),
		    about_endpoints(about) ? "istiod does not know all endpoints"
					   : "istiod has not read what was written");
		return;
	}
	/* A push that begins within the debounce of the write cannot have it yet: newer ones must.
	 * Later the count may have ours already. */
	probe->soon = clock_wall_ms() - about->since_ms < DEBOUNCE_MS;
	probe->page = PAGE_METRICS;
}

static void
judge_counters(struct probe *probe, const char *metrics)
{
	const struct ask_about *about = probe->about;
	double pushes = mesh_read_metric(metrics, "pilot_pushcontext_init_seconds_count");
	double updates = mesh_read_metric(metrics, "pilot_inbound_updates");
	int64_t now_ms = clock_wall_ms();
	bool late = now_ms - about->since_ms >= DEBOUNCE_MS;
	mesh_place_started(about->cluster, probe->place,
	    mesh_read_metric(metrics, "process_start_time_seconds"), now_ms);
	if (!probe->counted && (!about->by_push || (probe->soon && !late)))
		probe->after = (int64_t)pushes;
	if (!probe->counted || pushes != probe->pushes || updates != probe->updates)
		probe->still_since_ms = now_ms;
	probe->counted = true;
	probe->pushes = pushes;
	probe->updates = updates;
	if (pushes > (double)probe->place->pushes)
		probe->place->pushes = (int64_t)pushes;
	probe->page = PAGE_SYNCZ;
}

/* --- have its proxies acknowledged it? ----------------------------------------------------------
 */

static void
note_proxies(struct probe *probe, const struct mesh_proxies *proxies)
{
	struct istiod_place *place = probe->place;
	place->proxies = proxies->total;
	place->waiting = proxies->waiting;
	str_copy(probe->names, sizeof(probe->names), str_text(&proxies->names));
	str_copy(place->unconfirmed, sizeof(place->unconfirmed), str_text(&proxies->names));
}

/* Endpoints and structure: every proxy has a later push; or all is acknowledged and all is still,
 * so that nothing can be on its way. */
static bool
all_is_still(struct probe *probe, const json_t *syncz, struct mesh_proxies *proxies)
{
	int64_t now_ms = clock_wall_ms();
	mesh_read_pushed(syncz, probe->after, about_endpoints(probe->about), proxies);
	bool pushed = proxies->waiting == 0 && proxies->total > 0;
	mesh_read_done(proxies);
	mesh_read_acked(syncz, proxies);
	note_proxies(probe, proxies);
	bool still = proxies->waiting == 0 && now_ms - probe->still_since_ms >= STILL_MS &&
		     now_ms - proxies->newest_sent_ms >= STILL_MS;
	return pushed || still;
}

static bool
routes_taken(struct probe *probe, const json_t *syncz, struct mesh_proxies *proxies)
{
	const struct ask_about *about = probe->about;
	int64_t now_ms = clock_wall_ms();
	mesh_read_acked(syncz, proxies);
	/* Sent in the future: its clock is ahead of ours by at least that. */
	int64_t ahead_ms = proxies->newest_sent_ms > now_ms ? proxies->newest_sent_ms - now_ms : 0;
	mesh_read_done(proxies);
	mesh_read_routes(syncz, probe->after, about->since_ms + DEBOUNCE_MS + ahead_ms, proxies);
	if (proxies->newest_push > probe->place->pushes)
		probe->place->pushes = proxies->newest_push;
	note_proxies(probe, proxies);
	return proxies->waiting == 0;
}

/* Nobody remembers which proxies it had, and it has just begun to take them on. */
static bool
is_young(struct probe *probe, bool first)
{
	double started = probe->place->started;
	double age_s = (double)clock_wall_ms() / 1000 - started;
	if (!first || started <= 0 || age_s < 0 || age_s >= YOUNG_S)
		return false;
	str_copy(probe->names, sizeof(probe->names),
	    "istiod has just started; not all proxies may have come to it yet");
	probe->young = true;
	return true;
}

static bool
judge_taken(struct probe *probe, const json_t *syncz, struct mesh_proxies *proxies)
{
	const struct ask_about *about = probe->about;
	if (!about->look && about->by_push)
		return routes_taken(probe, syncz, proxies);
	if (!about->look) {
		probe->page = PAGE_METRICS;
		return all_is_still(probe, syncz, proxies);
	}
	mesh_read_acked(syncz, proxies);
	note_proxies(probe, proxies);
	return true;
}

static void
judge_proxies(struct probe *probe, const json_t *syncz)
{
	const struct ask_about *about = probe->about;
	struct mesh_proxies proxies;
	bool first = probe->place->names == NULL;
	probe->done = judge_taken(probe, syncz, &proxies);
	if (probe->done && is_young(probe, first))
		probe->done = about->look;
	else
		mesh_place_proxies(about->cluster, probe->place, syncz, &proxies);
	mesh_read_done(&proxies);
}

void
mesh_probe_read(struct probe *probe, const char *body, size_t length)
{
	struct err e;
	int64_t begun_ms = clock_mono_ms();
	if (probe->page == PAGE_METRICS) {
		judge_counters(probe, body);
		return;
	}
	json_t *page = jsonx_parse(body, length, PAGE_MAX, &e);
	if (!json_is_array(page) && probe->page != PAGE_SHARDZ)
		str_print(probe->place->error, sizeof(probe->place->error), "%s: %s",
		    pages[probe->page], page == NULL ? e.text : "not a list, as istiod's is");
	else if (!probe->known)
		judge_known(probe, page);
	else
		judge_proxies(probe, page);
	json_decref(page);
	probe->took_ms = clock_mono_ms() - begun_ms;
}

/* Quick while an answer is due, slower when it takes long, and never most of our time. Nothing can
 * be confirmed before the debounce is over. */
int64_t
mesh_probe_pause_ms(const struct probe *probe)
{
	const struct ask_about *about = probe->about;
	int64_t now_ms = clock_wall_ms(), age = now_ms - about->begun_ms;
	int64_t least = about->by_push || !probe->known ? 10 : 40;
	int64_t pause = age < 500 ? least : age < 3000 ? 50 : 200;
	int64_t earliest = about->by_push ? about->since_ms + DEBOUNCE_MS + 5 - now_ms : 0;
	if (probe->page == PAGE_METRICS && !probe->counted)
		return 0;
	if (probe->page == PAGE_SYNCZ && !about->look && pause < earliest)
		pause = earliest < DEBOUNCE_MS ? earliest : DEBOUNCE_MS;
	return pause > 4 * probe->took_ms ? pause : 4 * probe->took_ms;
}
