/* deploys: what the parts of the Deployment controller share: one turn's view of a Deployment
 * and its ReplicaSets. */
#ifndef SIM_DEPLOYS_H
#define SIM_DEPLOYS_H

#include "store.h"

struct roll {
	struct obj *d;
	int64_t replicas, surge, unavailable; /* as the spec asks, absolute */
	struct obj **sets;		      /* all of its ReplicaSets, oldest first */
	size_t n;
	struct obj *fresh; /* the one of the current template, or NULL */
	char hash[11];	   /* of the template */
};

int64_t set_replicas(const struct obj *set); /* wanted */
int64_t set_available(const struct obj *set);
/* Sum of wanted replicas of all sets. */
int64_t roll_total(const struct roll *r);

/* The new ReplicaSet is made if there is none and create says so; revisions are kept. Returns
 * true if something was written, so that the turn ends and the next one goes on. */
bool roll_fresh(struct roll *r, bool create);
/* Sets a ReplicaSet's size, its annotations with it; true if it changed. */
bool roll_resize(struct roll *r, struct obj *set, int64_t replicas);
/* After a change of spec.replicas: spreads it over the sets. True if that was the case. */
bool roll_rescale(struct roll *r);
/* One step of a rolling update or a recreation. */
void roll_step(struct roll *r);
/* Deletes empty old sets beyond the history limit. */
void roll_clean(struct roll *r);

/* Writes the Deployment's status if it changed, and plans the next look at its deadline. */
void roll_status(struct roll *r);

#endif
