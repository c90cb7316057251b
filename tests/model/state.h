/* One state of the small world that is explored: bytes only, so that it can be copied, compared and
 * hashed as it is. What the cluster has, what the mesh has of it, what of the rollout matters
 * (reduce.c), acts on their way, and what the checks remember. */
#ifndef TESTS_MODEL_STATE_H
#define TESTS_MODEL_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include "model/rollout.h"

enum image { IMAGE_OLD, IMAGE_NEW };
enum presence { GONE, THERE, GOING };	 /* GOING: deleted, its pods are still there */
enum flight { LANDED, WRITTEN, ON_WAY }; /* of the rollout's last act: journalled, then sent */
enum wait { WAIT_NONE, WAIT_RUNS, WAIT_OVER };
enum sight { SEES, STALE, NOTHING_YET }; /* NOTHING_YET: just started */
enum budget { CRASHES, ANSWERS, EDITS, FLIPS, OUTAGES, COMMANDS, BUDGETS };

struct cluster {       /* what the API server has; what airisd sees when it looks */
	uint8_t image; /* of the stable template */
	uint8_t held;  /* it rolls: at so many new pods; 0: by itself */
	uint8_t stable_size;
	uint8_t old_pods, old_ready, new_pods, new_ready; /* the stable side's, by image */
	uint8_t canary;					  /* enum presence */
	uint8_t canary_size, canary_pods, canary_ready;
	uint8_t service, subsets;
	uint8_t route, weight, names_canary, names_stable;
	uint8_t hpa_min;	    /* 0: there is no HPA */
	uint8_t ordinals, seats[3]; /* a StatefulSet's pods: see ordinals.c */
	uint8_t nodes, by_hand;	    /* or a DaemonSet's: see nodes.c */
	uint8_t job;		    /* of the backup: enum job_state */
};

struct data_plane { /* what the one proxy believes; see world.h */
	uint8_t weight, names_canary, names_stable;
	uint8_t service, subsets;
	uint8_t canary_ends, old_ends, new_ends; /* ready endpoints that it knows */
	uint8_t canary_dead;			 /* it still knows canary pods that are gone */
	uint8_t canary_busy, stable_busy;	 /* requests may be under way there */
};

enum whose { WHO_KNOWS, THE_LAST, EARLIER }; /* attempt */
struct reduced_late {			     /* may: it may still come */
	uint8_t there, may, act, number, urgent, away, whose;
};

struct reduced { /* the rollout: see reduce.c */
	uint8_t phase, stage, skip;
	uint8_t weight, stable_new, rolled, resized, canary, stable, batch;
	uint8_t seen, seen_in_phase, had_weight;
	uint8_t taken[MESH_SUBJECTS], settled_mesh[MESH_SUBJECTS]; /* fact; mesh.settle is over */
	uint8_t ready[2], steady;
	uint8_t hold, drain;		   /* enum wait */
	uint8_t backup_late, backed_up;	   /* its deadline is over; its stage was reached */
	uint8_t late, phase_late, backoff; /* deadline over; carrier wait over; retry not yet due */
	uint8_t acted, act, number, text, urgent, pending, failures, outcome;
	struct reduced_late late_acts[LATE_ACTS];
	uint8_t drift, found, repairs, repair;
	uint8_t measured, failed, passed; /* the gate, if there is one */
};

enum { A_CREATION = 2 }; /* fresh: no resourceVersion guards it, only that there is none yet */

struct act_on_way { /* sent; overtaken by an abort, or given up (adrift) */
	uint8_t act, number, text, fresh;
};

struct checks {		     /* what the laws have to remember */
	uint8_t fresh_abort; /* no act since the abort began */
	uint8_t alone;	     /* an abort's weight is written and the mesh has not taken it */
	uint8_t rung;	     /* the highest stage whose weight the mesh has had */
	uint8_t cleared;     /* and it was held to the end, or a person said go on */
	uint8_t pass;	     /* a person said so before the mesh had the weight */
	uint8_t jump;	     /* a person said: straight to the full stage */
	uint8_t rolled;	     /* the stable image was changed by airisd */
	uint8_t unseen;	     /* a foreign edit may have come and gone without being seen */
	uint8_t backed_up;   /* the Job has succeeded */
	uint8_t blind;	     /* so may a pod's readiness */
};

struct state {
	struct cluster c;
	struct data_plane m;
	struct reduced r;
	uint8_t flight, fresh; /* fresh: nobody wrote the act's object since it was sent */
	struct act_on_way overtaken, adrift;
	uint8_t down, outage; /* outage: enum sight */
	struct checks k;
	uint8_t left[BUDGETS];
	struct cluster seen; /* in an outage: what was seen last; else zero */
};

/* A world, and how much may go wrong in it. */
struct config {
	const char *name, *more; /* more: further keys of the app */
	int full;		 /* pods of the stable side */
	bool subset, hpa, asks;	 /* asks: the mesh confirms; else time is the answer */
	bool shrinks;		 /* the stable side gives up what the canary has taken over */
	bool colours;		 /* blue-green; the second colour is not there at first */
	bool weighs;		 /* by weights, and its Service is not there either */
	bool rolls;		 /* one Deployment, in batches, with one pod above its size */
	bool ordinals;		 /* or a StatefulSet, ordinal by ordinal */
	bool nodes;		 /* or a DaemonSet, node by node */
	bool backup;		 /* after a backup */
	bool never_canary, never_stable, fatal; /* new pods of that side never get ready */
	bool gate, commands;			/* commands: pause, resume, promote too */
	uint8_t budget[BUDGETS];
	bool full_only; /* only in the long form */
};

#endif
