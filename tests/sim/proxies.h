/* proxies: the data plane of -mesh istiod. A push reaches each proxy a little later, in the order
 * clusters, endpoints, routes; a cluster that is new to it warms for some time, and a request
 * that is routed to it meanwhile is lost. Requests are shared out over the proxies, and each goes
 * by what its proxy has. */
#ifndef SIM_PROXIES_H
#define SIM_PROXIES_H

#include "istiod.h"
#include "measure.h"
#include "snap.h"

struct proxy;

struct proxies_settings {
	uint64_t late_ms;    /* each resource takes 1 … this many ms */
	uint64_t warming_ms; /* a new cluster takes 2 … this many ms more */
};
extern struct proxies_settings proxies_settings;

void proxies_init(size_t n);
/* istiod begins to send these resources (bits) of the snapshot to every proxy it is to. */
void proxies_push(struct snap *s, unsigned resources);
/* istiod is gone: nobody is connected. When it is back they connect one by one. */
void proxies_drop(void);
void proxies_connect(struct snap *s);

/* Proxies by index, NULL beyond the last. */
struct proxy *proxies_at(size_t i);
/* Its part of all requests, 0 … 1: 0 for one that is stopped or scoped out. */
double proxy_share(const struct proxy *p);
const struct snap *proxy_routes(const struct proxy *p); /* NULL: none yet */
/* The endpoints that it sends to, valid until the next call; why says what is missing if none. */
size_t proxy_behind(const struct proxy *p, const char *ns, const struct dest *d,
    struct endpoint ***to, enum loss *why);

/* Names in a JSON array: these are stopped (never acknowledge), or scoped out of everything
 * (never get a push); all others are not. False if a name is unknown; then nothing changes. */
bool proxies_set_stopped(const json_t *names);
bool proxies_set_scoped(const json_t *names);
json_t *proxies_show(void);  /* for GET /sim/mesh; new reference */
json_t *proxies_syncz(void); /* as /debug/syncz has it; new reference */

#endif
