/* The app's part of a VirtualService or an HTTPRoute: which rules are its own, which two backends
 * are the sides, what share the canary has, and the JSON Patches that change that and nothing else.
 * Pure. */
#ifndef CLUSTER_ROUTE_H
#define CLUSTER_ROUTE_H

#include <jansson.h>
#include <stdbool.h>
#include "base/err.h"
#include "model/app.h"
#include "model/baseline.h"
#include "model/observed.h"

struct route_pair {	    /* the two sides in one rule of the app */
	int rule;	    /* index in spec.http or spec.rules */
	int stable, canary; /* indexes in its backends; canary -1: it is not named */
	int backends;	    /* in the rule */
	bool bare;	    /* the stable backend has no weight field, or what stands for none */
	bool subset;	    /* it names a subset */
	int part;	    /* the canary's weight as written; absent: 0 */
	int total;	    /* of both; a single destination without a weight: 100 */
};

struct route_view {
	bool fits;
	char why_not[OBSERVED_TEXT];
	struct route_pair pairs[APP_ROUTES]; /* in the app's order */
	int count;
};

void route_view(const struct app *app, const json_t *route, struct route_view *view);
/* asked: the weight that was last asked for, -1 none. A pair whose total is not 100 cannot hold
 * every percentage, so of the percentages that a weight can stand for, the one asked for is meant,
 * or else one of the app's plan, or else the nearest. */
void route_look(const struct app *app, const json_t *route, int asked, struct route_seen *seen);
/* What is written for the canary in a pair of this total: between 1 % and 99 % always a share, if
 * the total is 2 at least. */
int route_part(int total, int weight);
/* Is a pair's total too small for a weight of the plan? Then the text says so; forbids a start. */
bool route_too_coarse(const struct app *app, const struct route_view *view, char *to, size_t size);
/* Does another rule than the app's lead to one of its sides, by name? Then the text says which. */
bool route_leaves_out(const struct app *app, const json_t *route, const struct route_view *view,
    char *to, size_t size);
/* Gateway API: have the controllers of all parents accepted it as it is now? Else why says who has
 * not. */
bool route_accepted(const json_t *route, char *why, size_t size);
/* Does this host, as written in an object in ns, mean the Service of this name in ns? */
bool route_is_host(const char *host, const char *service, const char *ns);

/* The JSON Patches start with metadata.resourceVersion, so a stale one is a conflict. New
 * references; json_null: nothing to do; NULL: e says why the route does not fit. */
must_check json_t *route_weight_patch(
    const struct app *app, const json_t *route, int weight, bool has_stable_subset, struct err *e);
must_check json_t *route_name_patch(const struct app *app, const json_t *route, struct err *e);
must_check json_t *route_home_patch(
    const struct app *app, const json_t *route, const struct baseline *baseline, struct err *e);

/* JSON Patch building: ops for paths; value is stolen. */
json_t *route_patch_of(const json_t *object); /* an array that sets its resourceVersion */
void route_patch_add(json_t *patch, const char *op, const char *path, json_t *value);
/* Nothing but the resourceVersion: json_null in its place. */
json_t *route_patch_end(json_t *patch);

#endif
