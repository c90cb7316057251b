/* What differs between the kinds of routes: where their rules and backends are, how a backend names
 * a side, what a missing weight means. Inside of the route files; one const struct a kind. */
#ifndef CLUSTER_ROUTE_FORM_H
#define CLUSTER_ROUTE_FORM_H

#include <jansson.h>
#include "cluster/kube_kinds.h"
#include "model/app.h"

enum route_side { ROUTE_OTHER, ROUTE_STABLE, ROUTE_CANARY };

struct route_form {
	enum kube_kind kind;
	const char *rules;	    /* path of the rules: "spec.http" */
	const char *rules_at;	    /* the same in a JSON Patch: "/spec/http" */
	const char *rules_field[3]; /* the same in managedFields, NULL-terminated */
	const char *backends;	    /* of a rule: "route" */
	/* For people: "http route", "http", "destination with host" */
	const char *rule, *list, *backend;
	const char *names; /* the key that names rules: "traffic.istio.routes" */
	int missing;	   /* a weight that is not given */
	enum route_side (*side)(const struct app *app, const json_t *backend);
	const char *(*name)(const json_t *backend); /* of what it leads to; "" : nothing */
	/* The stable backend again, with the canary in its place. A new reference. */
	json_t *(*canary)(const struct app *app, const json_t *stable);
};

const struct route_form *route_form(const struct app *app);
/* Of a Service only what it is: it has no rules. */
extern const struct route_form route_form_istio, route_form_gateway, route_form_service;

#endif
