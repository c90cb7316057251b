/* snap: what one push of istiod holds: routing and endpoints as istiod knew them when the push
 * began. Immutable and counted; proxies keep the snapshots that they were sent. Used by the
 * model -mesh istiod only. */
#ifndef SIM_SNAP_H
#define SIM_SNAP_H

#include "ends.h"
#include "map.h"
#include "rules.h"

struct snap_service {
	char *key, *ns; /* "namespace/name" */
	const char *name;
	double rps;		/* annotation lab/rps: traffic without a route; 0: none */
	struct endpoint **ends; /* the ready ones */
	size_t nends;
};

struct snap_route {
	char *key, *ns;
	const char *name;
	struct route *route;
	double rps;
};

struct snap {
	int refs;
	uint64_t push;	     /* its number */
	char version[64];    /* as nonces begin: time, a slash, the number */
	struct map services; /* "namespace/name" -> snap_service */
	struct map rules;    /* "namespace/host" -> json array of DestinationRules */
	struct map routed;   /* "namespace/host" of VirtualServices */
	struct snap_route *routes;
	size_t nroutes;
};

/* known: by kind, "namespace/name" -> json_t; accepted: the HTTPRoutes that count. With one
 * reference. */
struct snap *snap_new(
    const struct map *known, const struct map *accepted, uint64_t push, double default_rps);
struct snap *snap_ref(struct snap *s);
void snap_unref(struct snap *s); /* NULL is allowed */

struct snap_service *snap_service(const struct snap *s, const char *ns, const char *host);
/* Adds the labels of a subset to wanted; false if there is none. */
bool snap_subset(
    const struct snap *s, const char *ns, const char *host, const char *subset, json_t *wanted);
bool snap_routed(const struct snap *s, const char *key);

#endif
