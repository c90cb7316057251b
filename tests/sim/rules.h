/* rules: a VirtualService's http routes, or an HTTPRoute's rules, in the form that the traffic
 * uses: who matches, and where a matching request goes by weight. */
#ifndef SIM_RULES_H
#define SIM_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct dest {
	char host[128], subset[64]; /* host up to its first dot */
	double weight;		    /* for a mirror: percent of the requests */
};

struct condition;

struct rule {
	struct condition *conditions;
	size_t nconditions, nmatches; /* no matches: everything matches */
	struct dest *to;
	size_t nto;
	bool mirrored;
	struct dest mirror;
	unsigned rank; /* of an HTTPRoute: how specific its match is */
};

/* A kind of client: share of the requests (0 … 1) that carry a header; header "" for none. */
struct client {
	char header[64], value[128];
	double share;
};

struct route {
	struct rule *rules;
	size_t nrules;
	struct client *clients;
	size_t nclients;
	bool gateway; /* an HTTPRoute: the most specific match comes first */
};

/* Of a VirtualService or an HTTPRoute. */
struct route *route_new(const json_t *object);
void route_free(struct route *r);
bool rule_matches(const struct rule *r, const char *header, const char *value);
/* The name up to the first dot, into out. */
void short_name(const char *host, char *out, size_t cap);

#endif
