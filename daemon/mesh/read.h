/* Reading istiod's debug pages; pure. Inside of mesh. */
#ifndef MESH_READ_H
#define MESH_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

/* /debug/configz: the resourceVersion of a VirtualService; NULL: it is not known there. */
const char *read_version(const json_t *configz, const char *ns, const char *name);

/* /metrics: a counter, summed over its label sets; -1: not there. */
int64_t read_counter(const char *metrics, const char *name);

/* The number of the push in a nonce: TIME/PUSH and 36 characters of a UUID; 0: none. */
int64_t read_push(const char *nonce);
int64_t read_time_ms(const char *rfc3339); /* 0: no time */

/* /debug/syncz, judged proxy by proxy. */
struct read_proxies {
	int total, waiting;
	int64_t newest_sent_ms; /* of any cluster, endpoint or route */
	struct str names;	/* of those that wait, comma separated, bounded */
};
/* A proxy has a route when it acknowledged what it was sent last, that was of a push after `after`,
 * and it was sent later than sent_ms. */
void read_routes(const json_t *syncz, int64_t after, int64_t sent_ms, struct read_proxies *proxies);
/* A proxy is up to date when clusters, endpoints and routes are acknowledged; pushed: and one of
 * them is of a push after `after`. */
void read_all(const json_t *syncz, bool pushed, int64_t after, struct read_proxies *proxies);
void read_proxies_done(struct read_proxies *proxies);

/* /debug/endpointShardz: the address is there for the Service and healthy. */
bool read_address(const json_t *shardz, const char *ns, const char *service, const char *address);

#endif
