/* proxies: see proxies.h. What is on its way to a proxy stands in a queue in order of due times;
 * a stopped proxy's queue waits for it. */
#include "proxies.h"

#include "jx.h"
#include "plan.h"
#include "select.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROXIES_MAX = 16, RECONNECT_MS = 900 };

struct sent {
	char nonce[128], acked[128], time[48];
};

struct delivery {
	uint64_t due;
	int resource;
	struct snap *snap;
	char nonce[128];
	struct delivery *next;
};

struct proxy {
	char name[32];
	bool connected, stopped, scoped;
	struct snap *has[RESOURCES];
	struct snap *warm; /* clusters as they were before those that still warm */
	uint64_t warm_at;
	struct sent sent[RESOURCES];
	struct delivery *queue;
	uint64_t last_due;
};

struct proxies_settings proxies_settings = {.late_ms = 5, .warming_ms = 15};
static struct proxy proxies[PROXIES_MAX];
static size_t nproxies;
static struct snap *latest; /* what a proxy gets that connects */

static void
set_snap(struct snap **to, struct snap *s)
{
	struct snap *old = *to;

	*to = s != NULL ? snap_ref(s) : NULL;
	snap_unref(old);
}

static void
wall_nanos(char *out, size_t cap)
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, cap - n, ".%09ldZ", ts.tv_nsec);
}

/* --- what arrives ------------------------------------------------------------------------- */

static void
apply(struct proxy *p, const struct delivery *d, uint64_t now)
{
	if (d->resource == CLUSTERS) {
		if (p->has[CLUSTERS] == NULL)
			set_snap(&p->warm, d->snap);
		else if (now >= p->warm_at)
			set_snap(&p->warm, p->has[CLUSTERS]);
		p->warm_at = now + 2 + rnd_below(proxies_settings.warming_ms);
	}
	set_snap(&p->has[d->resource], d->snap);
	snprintf(p->sent[d->resource].acked, sizeof(d->nonce), "%s", d->nonce);
}

static void
arrive(void *arg)
{
	struct proxy *p = arg;
	uint64_t now = now_ms();

	while (p->queue != NULL && p->queue->due <= now && !p->stopped) {
		struct delivery *d = p->queue;

		p->queue = d->next;
		apply(p, d, now);
		snap_unref(d->snap);
		free(d);
	}
}

/* Of what waits for a stopped proxy only the newest matters. */
static void
replace_waiting(struct proxy *p, int resource)
{
	struct delivery **at = &p->queue, *d;

	while ((d = *at) != NULL) {
		if (d->resource != resource) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		snap_unref(d->snap);
		free(d);
	}
}

static void
send_one(struct proxy *p, int resource, struct snap *s)
{
	struct sent *sent = &p->sent[resource];
	struct delivery *d = xalloc(sizeof(*d)), **end = &p->queue;
	uint64_t now = now_ms();
	char uuid[40];

	rnd_uuid(uuid);
	snprintf(d->nonce, sizeof(d->nonce), "%s%s", s->version, uuid);
	snprintf(sent->nonce, sizeof(sent->nonce), "%s", d->nonce);
	wall_nanos(sent->time, sizeof(sent->time));
	if (p->stopped)
		replace_waiting(p, resource);
	if (p->last_due < now)
		p->last_due = now;
	p->last_due += 1 + rnd_below(proxies_settings.late_ms);
	d->due = p->last_due;
	d->resource = resource;
	d->snap = snap_ref(s);
	while (*end != NULL)
		end = &(*end)->next;
	*end = d;
	plan_call(d->due - now, arrive, p);
}

static void
send_all(struct proxy *p, struct snap *s, unsigned resources)
{
	for (int i = 0; i < RESOURCES; i++)
		if (resources & 1u << i)
			send_one(p, i, s);
}

void
proxies_push(struct snap *s, unsigned resources)
{
	set_snap(&latest, s);
	for (size_t i = 0; i < nproxies; i++)
		if (proxies[i].connected && !proxies[i].scoped)
			send_all(&proxies[i], s, resources);
}

void
proxies_drop(void)
{
	for (size_t i = 0; i < nproxies; i++)
		proxies[i].connected = false;
}

static void
connect_one(void *arg)
{
	struct proxy *p = arg;

	if (p->connected || istiod_state() != ISTIOD_UP)
		return;
	p->connected = true;
	send_all(p, latest, ALL_RESOURCES);
}

void
proxies_connect(struct snap *s)
{
	set_snap(&latest, s);
	for (size_t i = 0; i < nproxies; i++)
		plan_call(100 + rnd_below(RECONNECT_MS), connect_one, &proxies[i]);
}

void
proxies_init(size_t n)
{
	nproxies = n < PROXIES_MAX ? n : PROXIES_MAX;
	for (size_t i = 0; i < nproxies; i++) {
		snprintf(proxies[i].name, sizeof(proxies[i].name), "client-%zu.lab", i + 1);
		proxies[i].connected = true;
	}
}

/* --- what it does with requests ----------------------------------------------------------- */

struct proxy *
proxies_at(size_t i)
{
	return i < nproxies ? &proxies[i] : NULL;
}

double
proxy_share(const struct proxy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < nproxies; i++)
		n += !proxies[i].scoped;
	return p->stopped || p->scoped || n == 0 ? 0 : 1.0 / (double)n;
}

const struct snap *
proxy_routes(const struct proxy *p)
{
	return p->has[ROUTES];
}

static bool
has_cluster(const struct snap *s, const char *ns, const struct dest *d, json_t *labels)
{
	if (snap_service(s, ns, d->host) == NULL)
		return false;
	return d->subset[0] == '\0' || snap_subset(s, ns, d->host, d->subset, labels);
}

size_t
proxy_behind(const struct proxy *p, const char *ns, const struct dest *d, struct endpoint ***to,
    enum loss *why)
{
	static struct endpoint **found;
	static size_t cap;
	static json_t *labels;
	const struct snap_service *svc;
	size_t n = 0;

	if (labels == NULL)
		labels = json_object();
	json_object_clear(labels);
	*why = NO_DESTINATION;
	if (!has_cluster(p->has[CLUSTERS], ns, d, labels) ||
	    (now_ms() < p->warm_at && !has_cluster(p->warm, ns, d, NULL)))
		return 0;
	*why = NO_ENDPOINTS;
	svc = snap_service(p->has[ENDPOINTS], ns, d->host);
	if (svc != NULL && svc->nends > cap) {
		cap = svc->nends;
		found = xgrow(found, cap * sizeof(*found));
	}
	for (size_t i = 0; svc != NULL && i < svc->nends; i++)
		if (json_object_size(labels) == 0 || labels_match(labels, svc->ends[i]->labels))
			found[n++] = svc->ends[i];
	*to = found;
	return n;
}

/* --- for people and tests ----------------------------------------------------------------- */

static bool
in_names(const json_t *names, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(
	    (json_t *)names, i, one) if (json_string_value(one) != NULL &&
					 strcmp(json_string_value(one), name) == 0) return true;
	return false;
}

static bool
all_known(const json_t *names)
{
	size_t n = 0;

	for (size_t i = 0; i < nproxies; i++)
		n += in_names(names, proxies[i].name);
	return json_is_array(names) && n == json_array_size(names);
}

bool
proxies_set_stopped(const json_t *names)
{
	if (!all_known(names))
		return false;
	for (size_t i = 0; i < nproxies; i++) {
		proxies[i].stopped = in_names(names, proxies[i].name);
		plan_call(0, arrive, &proxies[i]);
	}
	return true;
}

bool
proxies_set_scoped(const json_t *names)
{
	if (!all_known(names))
		return false;
	for (size_t i = 0; i < nproxies; i++) {
		bool was = proxies[i].scoped;

		proxies[i].scoped = in_names(names, proxies[i].name);
		if (was && !proxies[i].scoped && latest != NULL)
			send_all(&proxies[i], latest, ALL_RESOURCES);
	}
	return true;
}

static json_int_t
push_of(const struct snap *s)
{
	return s != NULL ? (json_int_t)s->push : 0;
}

json_t *
proxies_show(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < nproxies; i++) {
		const struct proxy *p = &proxies[i];

		json_array_append_new(
		    list, json_pack("{s:s, s:b, s:b, s:b, s:I, s:I, s:I}", "name", p->name,
			      "connected", (int)p->connected, "stopped", (int)p->stopped, "scoped",
			      (int)p->scoped, "clusters", push_of(p->has[CLUSTERS]), "endpoints",
			      push_of(p->has[ENDPOINTS]), "routes", push_of(p->has[ROUTES])));
	}
	return list;
}

static void
add_type(json_t *row, const char *name, const char *type, const struct sent *sent)
{
	char key[80];

	snprintf(key, sizeof(key), "%s_sent", name);
	jx_set_str(row, key, sent->nonce);
	snprintf(key, sizeof(key), "%s_acked", name);
	jx_set_str(row, key, sent->acked);
	snprintf(key, sizeof(key), "type.googleapis.com/envoy.config.%s", type);
	json_object_set_new(json_object_get(row, "resources"), key,
	    json_pack("{s:s, s:s, s:s}", "sent", sent->nonce, "acked", sent->acked, "sentTime",
		sent->time));
}

json_t *
proxies_syncz(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < nproxies; i++) {
		const struct proxy *p = &proxies[i];
		json_t *row;

		if (!p->connected)
			continue;
		row = json_pack("{s:s, s:s, s:s, s:s, s:{}}", "cluster_id", "Kubernetes", "proxy",
		    p->name, "proxy_type", "sidecar", "istio_version", "1.31.0", "resources");
		add_type(row, "cluster", "cluster.v3.Cluster", &p->sent[CLUSTERS]);
		add_type(row, "listener", "listener.v3.Listener", &p->sent[ROUTES]);
		add_type(row, "route", "route.v3.RouteConfiguration", &p->sent[ROUTES]);
		add_type(row, "endpoint", "endpoint.v3.ClusterLoadAssignment", &p->sent[ENDPOINTS]);
		json_array_append_new(list, row);
	}
	return list;
}
