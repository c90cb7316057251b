/* traffic: the clients. Every tick sends requests to each VirtualService and each accepted
 * HTTPRoute, and to each Service with the annotation lab/rps that no route covers, through the
 * routing that the mesh knows, and counts what each pod answers by its image's tag: …-errN is N
 * percent of 5xx, …-latN is N ms of latency.
 *
 * A request is lost, and counted by reason, when the routing is to blame: the route names
 * nothing that exists (no_destination), nobody is ready there (no_endpoints), the pod is gone
 * (gone), or the pods that get it have less capacity than it needs (overload; a pod's
 * annotation lab/rps, if any). What a bad image answers is a failure of the release and not
 * counted as lost. */
#include "ends.h"
#include "istiod.h"
#include "jx.h"
#include "map.h"
#include "measure.h"
#include "mesh.h"
#include "plan.h"
#include "proxies.h"
#include "util.h"
#include "world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 200, FINE_TICK_MS = 10 };

static uint64_t tick_ms = TICK_MS; /* finer where a window of milliseconds matters */
static double seconds;		   /* of one tick */
static const struct proxy *via;	   /* the proxy whose requests these are; NULL: the late mesh */
struct queue {			   /* before pods whose capacity is finite */
	double requests;
	uint64_t at;
};

static struct map queues;
static json_t *wanted; /* labels, used again and again */

static long
poisson(double mean)
{
	double l, p = 1;
	long k = 0;

	if (mean <= 0)
		return 0;
	if (mean > 50) {
		k = lround(mean + sqrt(mean) * rnd_normal());
		return k > 0 ? k : 0;
	}
	for (l = exp(-mean);; k++) {
		p *= rnd_unit();
		if (p <= l)
			return k;
	}
}

/* The pods that the mesh sends to behind a destination; why says what is missing if none. */
static size_t
behind(const char *ns, const struct dest *d, struct endpoint ***to, enum loss *why)
{
	json_t *svc, *selector;
	size_t n, in = 0;

	if (via != NULL)
		return proxy_behind(via, ns, d, to, why);
	svc = mesh_service(ns, d->host);
	selector = jx_at(svc, "spec.selector");
	*why = NO_DESTINATION;
	if (json_object_size(selector) == 0)
		return 0;
	json_object_clear(wanted);
	json_object_update(wanted, selector);
	if (d->subset[0] != '\0' && !mesh_subset(ns, d->host, d->subset, wanted))
		return 0;
	*why = NO_ENDPOINTS;
	n = ends_select(ns, wanted, to);
	for (size_t i = 0; i < n; i++)
		if ((*to)[i]->in)
			(*to)[in++] = (*to)[i];
	return in;
}

/* How many of n requests do not fit. A queue of one second's work stands before the pods,
 * whichever proxy fills it. */
static long
overflow(const char *route, const struct dest *d, struct endpoint **to, size_t nto, long n)
{
	double per_second = 0, done;
	struct queue *queue;
	uint64_t now = now_ms();
	char key[500];
	long over;

	for (size_t i = 0; i < nto; i++) {
		if (to[i]->capacity < 0)
			return 0;
		per_second += to[i]->capacity;
	}
	snprintf(key, sizeof(key), "%s %s %s", route, d->host, d->subset);
	queue = map_get(&queues, key);
	if (queue == NULL) {
		queue = xalloc(sizeof(*queue));
		map_set(&queues, key, queue);
	}
	done = via == NULL ? per_second * seconds : per_second * (double)(now - queue->at) / 1000;
	queue->at = now;
	queue->requests = fmax(0, queue->requests - done) + (double)n;
	over = (long)(queue->requests - per_second);
	if (over < 0)
		over = 0;
	if (over > n)
		over = n;
	queue->requests -= (double)over;
	return over;
}

static void
answer(const char *ns, const struct dest *d, const struct endpoint *e)
{
	enum code code = CODE_200;

	if (!e->going && !e->ready) {
		measure_count(ns, d->host, e->workload, d->subset, CODE_503, 0, 1);
		return;
	}
	if (e->error_percent > 0 && rnd_unit() * 100 < e->error_percent)
		code = CODE_500;
	measure_count(
	    ns, d->host, e->workload, d->subset, code, e->latency_ms * exp(0.5 * rnd_normal()), 1);
}

static void
lose(struct tally *t, const char *ns, const struct dest *d, enum loss why, long n)
{
	t->lost[why] += (double)n;
	measure_count(ns, d->host, "unknown", d->subset, CODE_503, 0, n);
}

static void
send_to(struct tally *t, const char *ns, const struct dest *d, long n)
{
	struct endpoint **to;
	enum loss why;
	size_t nto;
	long over;

	if (n == 0)
		return;
	t->sent += (double)n;
	nto = behind(ns, d, &to, &why);
	if (nto == 0) {
		lose(t, ns, d, why, n);
		return;
	}
	over = overflow(t->route, d, to, nto, n);
	if (over > 0)
		lose(t, ns, d, OVERLOAD, over);
	for (n -= over; n > 0; n--) {
		struct endpoint *e = to[rnd_below(nto)];

		if (e->alive)
			answer(ns, d, e);
		else
			lose(t, ns, d, GONE, 1);
	}
}

/* Mirrored requests: their answers go nowhere, so none is lost. */
static void
shadow(const char *ns, const struct dest *d, long n)
{
	struct endpoint **to;
	enum loss why;
	size_t nto = behind(ns, d, &to, &why);

	for (; n > 0 && nto > 0; n--)
		answer(ns, d, to[rnd_below(nto)]);
}

/* Sends one kind of client's requests by the first rule that matches them. */
static void
through(
    struct tally *t, const char *ns, const struct route *route, const struct client *c, double mean)
{
	for (size_t i = 0; i < route->nrules; i++) {
		const struct rule *r = &route->rules[i];
		double total = 0;

		if (!rule_matches(r, c->header, c->value))
			continue;
		for (size_t j = 0; j < r->nto; j++)
			total += r->to[j].weight;
		if (total == 0)
			break;
		for (size_t j = 0; j < r->nto; j++)
			send_to(t, ns, &r->to[j], poisson(mean * r->to[j].weight / total));
		if (r->mirrored)
			shadow(ns, &r->mirror, poisson(mean * r->mirror.weight / 100));
		return;
	}
	t->sent += mean;
	t->lost[NO_DESTINATION] += mean;
}

static void
serve_route(const char *ns, const char *name, const struct route *r, double rps)
{
	struct tally *t = measure_route(r->gateway ? "route/" : "vs/", name);

	for (size_t j = 0; j < r->nclients; j++)
		through(t, ns, r, &r->clients[j], rps * seconds * r->clients[j].share);
}

static void
serve_service(const char *ns, const char *name, double rps)
{
	struct dest d = {.weight = 100};

	snprintf(d.host, sizeof(d.host), "%s", name);
	send_to(measure_route("svc/", name), ns, &d, poisson(rps * seconds));
}

/* By the late mesh: one view for all. */
static void
serve_late(void)
{
	size_t n;
	struct item **all = mesh_routes(&n);

	for (size_t i = 0; i < n; i++)
		serve_route(all[i]->ns, all[i]->name, all[i]->route, all[i]->rps);
	all = mesh_services(&n);
	for (size_t i = 0; i < n; i++)
		if (!mesh_routed(all[i]->key))
			serve_service(all[i]->ns, all[i]->name, all[i]->rps);
}

/* By what one proxy has. */
static void
serve_proxy(const struct proxy *p, double share)
{
	const struct snap *routes = proxy_routes(p);
	const struct map_slot *slot;
	size_t i = 0;

	if (routes == NULL || share == 0)
		return;
	via = p;
	for (size_t j = 0; j < routes->nroutes; j++) {
		const struct snap_route *r = &routes->routes[j];

		serve_route(r->ns, r->name, r->route, r->rps * share);
	}
	while ((slot = map_next(&routes->services, &i)) != NULL) {
		const struct snap_service *s = slot->value;

		if (s->rps > 0 && !snap_routed(routes, s->key))
			serve_service(s->ns, s->name, s->rps * share);
	}
	via = NULL;
}

static void
serve(void)
{
	if (!istiod_on()) {
		serve_late();
		return;
	}
	for (size_t i = 0; proxies_at(i) != NULL; i++)
		serve_proxy(proxies_at(i), proxy_share(proxies_at(i)));
}

static void
tick(void *arg)
{
	static uint64_t next;
	uint64_t now = now_ms();

	ends_tick(now);
	mesh_tick(now);
	serve();
	if (next == 0 || next + 5 * tick_ms < now)
		next = now;
	next += tick_ms;
	plan_call(next > now ? next - now : 0, tick, arg);
}

void
traffic_init(void)
{
	wanted = json_object();
	tick_ms = istiod_on() ? FINE_TICK_MS : TICK_MS;
	seconds = (double)tick_ms / 1000;
	plan_call(tick_ms, tick, NULL);
}
