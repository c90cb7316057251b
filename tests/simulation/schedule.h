/* A schedule: the apps, and everything that is done to them and goes wrong, each with its time. A
 * seed makes one; it can be written as text and read back, and items can be taken out of it, so
 * that a failing one becomes short. What happens between the items comes from the seed too. */
#ifndef TESTS_SIMULATION_SCHEDULE_H
#define TESTS_SIMULATION_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"

#define SCHEDULE_APPS 4
#define SCHEDULE_ITEMS 64

enum item_kind {
	/* What the API answers to writes, for a while */
	FAULT_REFUSED,
	FAULT_CONFLICT,
	FAULT_THROTTLED,
	FAULT_SERVER_ERROR,
	FAULT_UNREACHABLE,
	FAULT_ANSWER_LOST,  /* it took effect */
	FAULT_REQUEST_LOST, /* it did not */
	FAULT_LATE_EFFECT,
	FAULT_TWICE,	 /* the answer comes twice */
	FAULT_OVERTAKEN, /* the answer comes after that of a later one */
	FAULT_OUTAGE,
	FAULT_WEBHOOK, /* every write of routing is refused */
	/* What is seen */
	FAULT_TOLD_LATE,
	FAULT_NOT_TOLD, /* until the objects are read directly */
	FAULT_NOT_FRESH,
	/* Others in the cluster */
	FAULT_DELETED,
	FAULT_WEIGHT_EDITED,
	FAULT_IMAGE_EDITED,
	FAULT_SIZE_EDITED,
	FAULT_SCALED, /* by the HPA */
	FAULT_NODE,   /* it comes or goes */
	FAULT_POD_DELETED,
	FAULT_BACKUP_FAILS,
	FAULT_BACKUP_HANGS,
	FAULT_CRASHED,
	FAULT_NEVER_READY,
	FAULT_FLAPS,
	/* The mesh */
	FAULT_CHURN,
	FAULT_MESH_SILENT, /* it pushes, and answers nobody */
	FAULT_MESH_DOWN,
	FAULT_PROXY_STUCK,
	/* Prometheus */
	FAULT_GATE_FAILS,
	FAULT_NO_DATA,
	FAULT_GATE_ERROR,
	FAULT_TOO_FEW,
	FAULT_NAN,
	FAULT_STALE,
	FAULT_GATE_LATE,
	FAULT_GATE_SILENT,
	FAULT_PROMETHEUS_DOWN,
	/* The disk */
	FAULT_DISK_FULL,
	FAULT_DISK_WRITES,
	FAULT_DISK_SYNCS,
	FAULT_DISK_SLOW,
	/* Time */
	FAULT_CLOCK_JUMPS,
	FAULT_SUSPENDED,
	/* The process ends: killed, or the machine with it */
	CRASH_NOW,
	CRASH_BEFORE_COMMIT,
	CRASH_IN_COMMIT,
	CRASH_AFTER_COMMIT,
	CRASH_ACT_SENT,	    /* and the cluster never gets it */
	CRASH_ACT_APPLIED,  /* and nobody hears the answer */
	CRASH_ACT_ANSWERED, /* and the answer is not written down */
	/* People and programs */
	DO_START,
	DO_START_AGAIN, /* the same request with the same key */
	DO_UNDO,
	DO_PROMOTE,
	DO_PROMOTE_FULL,
	DO_ABORT,
	DO_PAUSE,
	DO_RESUME,
	DO_RETRY,
	DO_APPROVE,
	ITEM_KINDS
};

#define FIRST_CRASH CRASH_NOW
#define FIRST_COMMAND DO_START

struct item {
	enum item_kind kind;
	int app;
	int64_t at_ms, for_ms;
	int arg; /* image, how often, how far, which: see world_item.c */
};

struct app_plan {
	bool subset, own_rule; /* own_rule: the DestinationRule is the user's */
	bool colours;	       /* blue-green, not a canary: behind a Service, or if it weighs */
	bool weighs, given;    /* in the mesh; the user has made both Services */
	bool rolls;	       /* one workload that takes the release in batches */
	bool ordinals;	       /* and it is a StatefulSet */
	bool parallel;	       /* whose pods do not wait for each other when they are made */
	bool nodes;	       /* or it is a DaemonSet, replicas: nodes */
	int unavailable;       /* then so many pods may be missing; 0: the default, 1 */
	int64_t backup_ms;     /* what rolls is backed up first, within that; 0: it is not */
	bool judged, keep;     /* its preview has gates; the old colour is kept for a while */
	bool dark, larger;   /* a canary: without traffic first; more pods than its weight needs */
	bool shrinks, tight; /* its stable side gives up what it took over; with no head room */
	bool hpa, approve;
	int replicas, hpa_min, hpa_max;
	int weights; /* which list of them */
	int64_t hold_ms, deadline_ms, drain_ms;
	int on_edit, on_start;
	int gates;
	int failures, measurements, on_deadline;
	int64_t every_ms, gate_deadline_ms;
};

struct schedule {
	uint64_t seed;
	int64_t end_ms; /* nothing goes wrong after it */
	int64_t pods_late_ms, mesh_late_ms;
	bool asks; /* the mesh can be asked */
	int app_count;
	struct app_plan apps[SCHEDULE_APPS];
	int count;
	struct item items[SCHEDULE_ITEMS]; /* in order of time */
};

/* Its batch of that stage, from 1 on; 0: it is before the first. */
int schedule_batch(const struct app_plan *plan, int stage);
uint64_t schedule_mix(uint64_t *state); /* the next number of a row */

void schedule_make(uint64_t seed, struct schedule *schedule);
void schedule_write(const struct schedule *schedule, FILE *to);
must_check int schedule_read(FILE *from, struct schedule *schedule, struct err *e);

const char *item_name(enum item_kind kind);
/* The App that it describes, as YAML; owned by the caller. */
char *schedule_app_text(const struct schedule *schedule, int app);
/* Its App names no batches: each ordinal is one. */
bool schedule_each_ordinal(const struct app_plan *plan);
/* The weights of its stages, ended by 0. */
const int *schedule_weights(const struct schedule *schedule, int app);

#endif
