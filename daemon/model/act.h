/* Act: one change of the cluster, the smallest that is safe by itself. converge chooses it, the
 * journal has it before it is sent, the cluster room carries it out. Every act can be repeated:
 * it says the state wanted, and what has it already is left alone. */
#ifndef MODEL_ACT_H
#define MODEL_ACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "model/app.h"

enum act_kind {
	ACT_NONE,
	ACT_HPA_FLOOR, /* number: minReplicas of the HPA on the stable workload; text: the name of
			  the ScaledObject that holds it, whose bounds ACT_AS_IT_WAS gives back */
	ACT_CREATE_SERVICE, /* host mode: the canary's Service, cloned from the stable one */
	ACT_ADD_SUBSETS, /* DestinationRule: both subsets are there (it is created if there is none)
			  */
	ACT_NAME_STABLE, /* subset mode: the route names the stable subset, and no canary yet */
	ACT_CREATE_CANARY, /* number: replicas; text: image. Cloned from the stable workload */
	ACT_SCALE_CANARY,  /* number: replicas */
	ACT_WEIGHT,    /* number: the canary's percent; the canary destination is added if it is not
			  there. A Service selects one side: 0 or 100 */
	ACT_SET_IMAGE, /* text: the stable workload's image */
	ACT_ROUTE_HOME, /* the route has its baseline shape again (destinations we added are gone)
			 */
	ACT_DELETE_CANARY,
	ACT_REMOVE_SUBSETS, /* those that we added; the whole DestinationRule if we created it */
	ACT_DELETE_SERVICE, /* the canary's, if ours */
	/* Two colours; number 100: of the canary, 0: of the stable side. */
	ACT_POINT_SERVICE, /* the preview Service selects that side */
	ACT_FOLLOW_HPA,	   /* the HPA scales that side's workload; text: its ScaledObject's name */
	ACT_SCALE_STABLE,  /* number: replicas */
	ACT_CREATE_BUDGET, /* a PodDisruptionBudget for that side, cloned from the other one's */
	ACT_DELETE_BUDGET, /* that side's, if ours */
	/* The image on number pods of the stable workload and no further, whatever they do; text:
	 * the image. ACT_SET_IMAGE lets it go on by itself, as it would without us. */
	ACT_ROLL,
	ACT_BACKUP,	 /* text: the Job that is made of the App's CronJob */
	ACT_REPLACE_POD, /* text: a DaemonSet's pod, which is deleted so that a new one comes */
	ACT_DELETE_POD,	 /* text: a StatefulSet's pod that is stuck (struct workload_seen) */
	ACT_KINDS
};

#define ACT_AS_IT_WAS (-1)

struct act {
	enum act_kind kind;
	int number;
	char text[APP_IMAGE];
	bool urgent; /* goes in the lane kept for aborts */
};

enum act_outcome {
	ACT_DONE,     /* the cluster has it; the cache shows it */
	ACT_ALREADY,  /* nothing had to be written */
	ACT_CONFLICT, /* the object was newer than what was decided on; it was read again */
	ACT_UNKNOWN,  /* no answer; the object was read again, decide anew */
	ACT_REFUSED,  /* the cluster said no (4xx, a webhook): text says what it said */
	ACT_UNREACHED /* nothing was sent, or the cluster is down or throttles: try later */
};

/* The API server ends a write by itself (its parameter timeout); so a write that nobody answered
 * takes no effect later than ACT_LATE_MS after it was given up. */
#define ACT_SERVER_MS 12000
#define ACT_LATE_MS 13000

enum act_object {
	NO_OBJECT,
	ON_ROUTE,
	ON_RULE,
	ON_SERVICE,
	ON_CANARY,
	ON_STABLE,
	ON_HPA,
	ON_BUDGET,
	ON_POD
};

enum act_object act_object(enum act_kind kind); /* which of an app's objects it writes */
bool act_creates(enum act_kind kind); /* may be a creation, which no resourceVersion guards */
bool act_deletes(enum act_kind kind); /* an object, or subsets, that traffic on the canary needs */
bool act_removes(enum act_kind kind); /* one of these, or takes the canary out of the route */
const char *act_name(enum act_kind kind);    /* "weight"; used in the journal and the API */
enum act_kind act_kind_of(const char *name); /* ACT_NONE: no such */
const char *act_outcome_name(enum act_outcome outcome);
enum act_outcome act_outcome_of(const char *name);
/* One line for people: "VirtualService airis-mon/web: canary weight 25, stable 75". */
void act_text(const struct act *act, const struct app *app, char *to, size_t size);

#endif
