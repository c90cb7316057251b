/* statefuls: what the parts of the StatefulSet controller share: one turn's view of a set and its
 * pods. */
#ifndef SIM_STATEFULS_H
#define SIM_STATEFULS_H

#include "store.h"

struct turn {
	struct obj *set, *current, *update; /* its two revisions */
	bool ordered;			    /* one pod after the other */
	int64_t start, n;		    /* the ordinals [start, start + n) are wanted */
	struct obj **at;		    /* the pod of each, or NULL */
	struct obj **extra;		    /* pods of other ordinals, the highest first */
	size_t nextra;
	const struct obj *bad; /* the lowest one that is not available */
	int64_t min_s;	       /* minReadySeconds */
	uint64_t next_ms;      /* until a pod is old enough, 0: none is waited for */
};

/* The ordinal in a name of the set's pods, or -1. */
int64_t stateful_ordinal(const struct obj *set, const char *name);
/* Makes the pod of an ordinal, and the claims it needs. False: it may not be now; the set is
 * looked at again. */
bool stateful_make(struct turn *t, int64_t ordinal);
void stateful_delete(struct turn *t, struct obj *pod);
/* Writes the status, if it changed. */
void stateful_status(const struct turn *t);

#endif
