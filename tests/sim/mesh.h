/* mesh: routing as the proxies know it, which is late. A change of a VirtualService, a
 * DestinationRule or (once it is accepted: gateway.h) an HTTPRoute counts after the mesh delay
 * (half of it fixed, half random, object by object, so order is not kept); a change of a Service
 * after a fifth of that. */
#ifndef SIM_MESH_H
#define SIM_MESH_H

#include "rules.h"
#include "store.h"

struct item {
	char *key, *ns; /* "namespace/name" */
	const char *name;
	const struct kind *kind;
	struct obj *truth;  /* NULL once it is deleted */
	json_t *cur, *next; /* believed, and what will be; next NULL: a deletion */
	bool known, there, dirty, waits;
	uint64_t due;
	struct route *route; /* of a VirtualService's or an HTTPRoute's cur */
	double rps;	     /* requests per second sent to it */
	size_t loaded_at;    /* place among the loaded ones + 1, 0: none */
};

/* The mesh learns what is due. */
void mesh_tick(uint64_t now);
/* The believed VirtualServices and HTTPRoutes, and Services, that get requests. */
struct item **mesh_routes(size_t *n);
struct item **mesh_services(size_t *n);
/* Whether a believed VirtualService has this host (namespace/short name). */
bool mesh_routed(const char *key);
/* The believed Service, or NULL. */
json_t *mesh_service(const char *ns, const char *host);
/* Adds the labels of a believed DestinationRule's subset to wanted; false if there is none. */
bool mesh_subset(const char *ns, const char *host, const char *subset, json_t *wanted);

#endif
