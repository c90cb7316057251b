/* The right to write in one cluster: a Lease (coordination.k8s.io/v1) that one airisd holds at a
 * time. Sought while it is wanted, renewed every third of its duration, given back afterwards; an
 * airisd that wants nothing sends nothing. What to do is decided by model/lease.h, here is what it
 * takes: requests in the vital lane, a timer, a clock that runs on in suspend. Loop thread only. */
#ifndef CLUSTER_LEASE_H
#define CLUSTER_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cluster/kube.h"
#include "loop/loop.h"

struct lease;

struct lease_settings { /* all is copied */
	const char *namespace, *name;
	const char *identity; /* of this daemon and its database; for people too: "ops-1 4f1c" */
	int64_t duration_ms;  /* at least 1 s; others are told whole seconds, rounded up */
};

struct lease_events {
	void *ctx;
	/* Whether it is held, or why not, or whether it is idle, is another now. other: it is held,
	 * and another held it before: what was seen until now may be old. Never from within a call.
	 */
	void (*changed)(void *ctx, bool other);
};

struct lease *lease_new(struct loop *loop, struct kube *kube, const struct lease_settings *settings,
    const struct lease_events *events);
void lease_free(struct lease *lease); /* before its kube; does not give it back; NULL is allowed */

/* Wanted no more: it is given back a moment later, unless it is wanted again. */
void lease_want(struct lease *lease, bool wanted);
void lease_drop(struct lease *lease); /* not wanted, and given back at once */
/* Look at once whether something is due: time may have passed unseen. */
void lease_poke(struct lease *lease);
/* Not wanted, not ours any more, and no request under way. */
bool lease_is_idle(const struct lease *lease);
bool lease_wanted(const struct lease *lease);

/* May be written now? By the clock: also right when the process was stopped in between. */
bool lease_held(const struct lease *lease);
const char *lease_namespace(const struct lease *lease); /* where it is, */
const char *lease_name(const struct lease *lease);	/* and its name */
bool lease_in_other_hands(const struct lease *lease);	/* as far as was seen */
/* Why not, in one sentence for people that stays the same while nothing changes. */
void lease_why(const struct lease *lease, char *text, size_t size);
/* {"name": "NS/NAME", "holder", "held", "wanted", "renewed_s": seconds since it was seen to be
 * renewed, or null, "text": why it is wanted and not held, or ""} */
json_t *lease_json(const struct lease *lease);
uint64_t lease_lost(const struct lease *lease); /* how often it ran out while it was wanted */

/* "HOST 16 hex digits": id is the database's, where tells the host and the file apart from others
 * that have a copy of the database; cluster keeps two entries for one cluster apart. */
void lease_identity(const char *host, const char *id, const char *where, const char *cluster,
    char *to, size_t size);

#endif
