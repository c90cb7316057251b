/* What cluster/ keeps for each app that is followed, and the index that leads from a changed object
 * to the apps that it matters to: what a change costs does not depend on how many apps there are.
 */
#ifndef CLUSTER_PORT_APP_H
#define CLUSTER_PORT_APP_H

#include <stdint.h>
#include "base/map.h"
#include "cluster/kube.h"
#include "cluster/observe.h"
#include "loop/loop.h"
#include "model/app.h"
#include "model/observed.h"

#define PORT_READS 8

struct cluster;

struct port_turns { /* what is few at a time, the others in a row: verifying, */
	int under_way;
	struct port_app *first, *last;
	struct reviews *reviews; /* and what is asked before a start: port_review.h */
};

struct port_verify {		    /* direct reads under way; see port_verify.c */
	uint64_t reads[PORT_READS]; /* 0: none, or answered */
	int waiting;
	bool failed;
	bool covers; /* it began when must_verify was set */
	bool queued; /* waits for its turn: */
	struct port_app *next;
	int64_t sent_ms; /* when the first of them went out */
	struct loop_timer *retry;
	int64_t retry_ms;
};

struct port_app {
	struct cluster *cluster;
	struct app *app;		/* shared with the engine */
	int asked;			/* the canary's weight last asked for; -1 none */
	bool to_act;			/* the lease is wanted for it */
	int64_t verified_ms;		/* wall clock */
	bool must_verify;		/* not fresh before a look that begins from now on */
	char unanswered[OBSERVED_TEXT]; /* why the last verify failed; "" it did not */
	int64_t unanswered_since_ms;
	struct port_verify verify;
};

/* The kinds that an app's observation needs; returns how many (at most KUBE_KINDS). */
int port_kinds(const struct app *app, enum kube_kind kinds[KUBE_KINDS]);

struct port_index; /* object -> names of apps */
struct port_index *port_index_new(void);
void port_index_free(struct port_index *index);
void port_index_add(struct port_index *index, const struct app *app);
void port_index_remove(struct port_index *index, const struct app *app);
/* Calls each with the name of every app that this object, old or new, may matter to. */
void port_index_find(const struct port_index *index, const struct kube *kube, enum kube_kind kind,
    const char *ns, const char *name, json_t *old, json_t *now,
    void (*each)(void *ctx, const char *app), void *ctx);
/* The same for all apps in a namespace. */
void port_index_namespace(const struct port_index *index, const char *ns,
    void (*each)(void *ctx, const char *app), void *ctx);

void port_verify(struct port_app *app); /* see port_verify.c */
void port_verify_cancel(struct port_app *app);
void port_changed(struct cluster *cluster, const char *app); /* told once, in the next turn */
/* What the caches have of it, for observe_done to free. Returns the app itself, or in room what its
 * sides are now; room NULL: it has them. */
const struct app *port_gather(const struct kube *kube, const struct app *app, struct app *room,
    struct observe_objects *objects);
/* All of the app's namespace but this one are added. */
void port_find_all(const struct kube *kube, enum kube_kind kind, const struct app *app,
    const json_t *but, json_t *to);
struct loop *cluster_loop(struct cluster *cluster);
struct port_turns *cluster_turns(struct cluster *cluster);

#endif
