/* Rights: what a rollout of an app writes in its cluster, forth and home again, as the Kubernetes
 * API names it to who asks whether that is allowed. Pure. */
#ifndef CLUSTER_RIGHTS_H
#define CLUSTER_RIGHTS_H

#include <jansson.h>
#include "cluster/observe.h"
#include "model/app.h"
#include "model/findings.h"

#define RIGHTS_MAX 16

struct right {
	const char *verb, *group, *resource; /* static */
	char namespace[APP_LABEL];
	char name[APP_NAME]; /* "": of any, as a create has no name yet */
	const char
	    *spare; /* NULL: a rollout needs it; else a clause that says when it does, static */
};

/* Fills in at most RIGHTS_MAX; how many. Of an app with sides; what is there already need not be
 * made. */
int rights_of(
    const struct app *app, const struct observe_objects *objects, struct right rights[RIGHTS_MAX]);
/* Those that the Lease needs on top of count others; how many there are then. */
int rights_of_lease(const char *ns, const char *name, struct right rights[RIGHTS_MAX], int count);
/* Likewise, that Events need. */
int rights_of_events(const char *ns, struct right rights[RIGHTS_MAX], int count);
/* A SelfSubjectAccessReview that asks for one. A new reference. */
json_t *rights_question(const struct right *right);
/* Whether its answer allows that. body is that of a 2xx; NULL or no such review: -1, and e says so.
 * A denial is added to found: as a problem, or as a warning if the right may not be needed. */
must_check int rights_judge(
    const struct right *right, const json_t *body, struct findings *found, struct err *e);

#endif
