/* A workload as it is seen: its template, how it rolls by itself, and how many of its pods are how
 * far. A part of struct observed; plain data, no pointers. */
#ifndef MODEL_WORKLOAD_SEEN_H
#define MODEL_WORKLOAD_SEEN_H

#include <stdbool.h>
#include "model/app_strategy.h"

#define OBSERVED_TEXT 256

/* Why pods do not get ready, from waiting reasons, conditions and events. "" : nothing wrong. */
struct problem {
	char object[APP_NAME + 16]; /* "Pod web-canary-5d9-x7x" */
	char reason[64];	    /* "ImagePullBackOff" */
	char message[OBSERVED_TEXT];
	bool
	    fatal; /* waiting will not help by itself: cannot pull, crash loop, cannot be created */
};

/* How a workload rolls by itself: a Deployment by amounts, as they are written: 1 or "25%"; ""
 * absent; a StatefulSet from its last ordinal down to the partition. */
#define PACE_HELD_S 2147483646 /* never reached, and below what a deadline may be */
struct pace {
	char surge[24], unavailable[24];
	int min_ready_s, deadline_s; /* minReadySeconds, progressDeadlineSeconds; -1 absent */
	bool ordinals;		     /* of a StatefulSet that rolls, with its */
	int partition;		     /* 0: absent, or all of it */
	bool nodes;		     /* of a DaemonSet, of which */
	bool by_hand; /* only those pods are replaced that somebody deletes (OnDelete) */
};

struct workload_seen {
	char name[APP_NAME]; /* that was looked for */
	bool exists, deleting;
	bool ours;     /* carries the mark that airisd puts on what it creates for this app */
	bool observed; /* status.observedGeneration >= metadata.generation */
	char uid[64];
	char image[APP_IMAGE]; /* of the released container, in the template */
	int replicas;	       /* spec.replicas; -1: the field is absent */
	int pods;	       /* status.replicas: pods of any template, also unready */
	int updated;	       /* status.updatedReplicas */
	/* Endpoints that are ready in the side's Service and whose pod is ready; of two colours
	 * ready pods that this Service would select. */
	int ready;
	int ready_new;	 /* of these, pods that run the release's image */
	int terminating; /* pods that are still going */
	struct pace pace;
	/* A StatefulSet's pod that neither runs its template, as it should, nor is ready: its
	 * controller waits for it without end (kubernetes/kubernetes#67250). "": none */
	char stuck[APP_NAME];
	/* A DaemonSet's pod that does not run its template, of those the one to replace first. "":
	 * none */
	char next[APP_NAME];
	bool next_ready;
	int broken_last; /* a StatefulSet's unready old pods, from its last ordinal on in a row */
	char edited_by[APP_NAME]; /* field manager of the image (of a canary also of its size), if
				   * not airisd; "" unknown */
	char sized_by[APP_NAME];  /* likewise of its size */
	struct problem problem;
};

#endif
