/* Reading istiod's debug pages; pure. Inside of mesh. */
#ifndef MESH_READ_H
#define MESH_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/map.h"
#include "base/str.h"

/* /debug/configz: the object is there, as it was written or newer ("" : in any version). */
bool mesh_read_knows(
    const json_t *configz, const char *kind, const char *ns, const char *name, const char *version);

/* /metrics: a number, summed over its label sets; -1: not there. */
double mesh_read_metric(const char *metrics, const char *name);

/* The number of the push in a nonce: TIME/PUSH and 36 characters of a UUID; 0: none. */
int64_t mesh_read_push(const char *nonce);
int64_t mesh_read_time_ms(const char *rfc3339); /* 0: no time */

/* /debug/syncz, judged proxy by proxy. */
struct mesh_proxies {
	int total, waiting;
	int64_t newest_sent_ms; /* of any cluster, endpoint or route */
	int64_t newest_push;	/* of any route */
	struct str names;	/* of those that wait, comma separated, bounded */
	struct map *waits;	/* the same, all of them, as keys; NULL: none */
};
/* A proxy has a route when it acknowledged what it was sent last, that was of a push after `after`,
 * and it was sent later than sent_ms. One that was never sent a route asks for none. */
void mesh_read_routes(
    const json_t *syncz, int64_t after, int64_t sent_ms, struct mesh_proxies *proxies);
/* A proxy is up to date when it acknowledged all clusters, endpoints and routes; it has a push when
 * these are of one after `after` (endpoints only: routes may be older). */
void mesh_read_acked(const json_t *syncz, struct mesh_proxies *proxies);
void mesh_read_pushed(
    const json_t *syncz, int64_t after, bool endpoints, struct mesh_proxies *proxies);
void mesh_read_done(struct mesh_proxies *proxies);
const char *mesh_read_proxy(const json_t *syncz, size_t i); /* its name; NULL: there is none */

/* /debug/endpointShardz: the address is there for the Service and healthy. */
bool mesh_read_address(
    const json_t *shardz, const char *ns, const char *service, const char *address);

#endif
