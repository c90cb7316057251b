/* What the cluster looks like for one app at one moment: gathered by the cluster room from its
 * caches, read by converge. Plain data; no pointers, so it can be copied, compared and made up by
 * tests. Names say what was seen, never what it means. */
#ifndef MODEL_OBSERVED_H
#define MODEL_OBSERVED_H

#include <stdbool.h>
#include <stdint.h>
#include "model/app.h"
#include "model/budgets.h"
#include "model/workload_seen.h"

/* What the Service of the idle colour selects. */
enum preview_seen { PREVIEW_OTHER, PREVIEW_STABLE, PREVIEW_CANARY };

struct route_seen {
	bool exists;
	bool fits;		     /* the app's routes were found and have a shape we can prove */
	char why_not[OBSERVED_TEXT]; /* when it does not fit: what was found, what is needed */
	bool names_stable_subset;    /* subset mode: the stable destination has the stable subset */
	bool names_canary;	     /* a canary destination is there, with whatever weight */
	int weight;		     /* the canary's percent of the two sides; 0 when not named */
	bool even;		     /* all the app's routes agree on it */
	/* One bit per route of the app, in the app's order (bit 0: the only one): */
	uint32_t bare;	      /* the stable destination has no weight field */
	uint32_t with_canary; /* it names a canary destination */
	uint32_t with_subset; /* its stable destination names a subset */
	char resource_version[64];
	char edited_by[APP_NAME]; /* field manager of its rules, if not airisd; "" unknown */
	int64_t edited_at_ms;
	/* Gateway API: the controllers of all its parents have accepted it as it is now. A Service:
	 * its endpoints are those of its selector. */
	bool accepted;
	char unaccepted[OBSERVED_TEXT]; /* else who has not, or why not */
};

/* A Job that airisd made for the app of its CronJob; of which rollout it is says its name. One of
 * an earlier rollout may be as new, or have come late. */
#define BACKUPS_SEEN 4
enum job_state { JOB_NONE, JOB_RUNS, JOB_SUCCEEDED, JOB_FAILED };
struct backup_seen {
	char job[APP_LABEL];
	enum job_state state;
	char why[OBSERVED_TEXT]; /* it failed */
};

struct subsets_seen {	     /* subset mode: the DestinationRule */
	bool exists, ours;   /* ours: created by airisd */
	bool stable, canary; /* these subsets are there */
	bool stable_fits; /* the stable subset's labels match the stable pods and no canary pod */
	char why_not[OBSERVED_TEXT];
	char resource_version[64]; /* "" : there is none */
};

/* Who scales the workload: an HPA, or a ScaledObject of KEDA's, which makes an HPA of its own from
 * it and takes back what others write there. */
struct hpa_seen {
	bool exists;
	bool keda;	     /* a ScaledObject; all below is what that says */
	char name[APP_NAME]; /* of that object */
	int min;	     /* absent: 1, of a ScaledObject 0 */
	int max;
	bool on_canary; /* two colours: it scales the canary's workload */
	/* A ScaledObject's minReplicaCount is absent; it has an idleReplicaCount, to which KEDA
	 * goes when nothing is to do, whatever its floor is. */
	bool bare, idles;
	int idle;
	bool paused;	     /* KEDA leaves the workload at its size */
	char lags[APP_NAME]; /* KEDA's HPA, while it is not yet as the ScaledObject says; "" */
};

/* Another airisd may write in this cluster: then this one does not. */
struct fence_seen {
	char why[OBSERVED_TEXT]; /* "" : this one may write */
	char object[128];	 /* what is waited for: "Lease airis/airisd" */
	bool other;		 /* another one was seen to hold it: it may have changed anything */
};

struct observed {
	bool fresh; /* every list was read and every watch lives; else nothing is decided on it */
	char stale[OBSERVED_TEXT]; /* what is missing, for people */
	int64_t stale_since_ms;
	struct fence_seen fence;
	int64_t verified_ms; /* monotonic-free wall time of the last direct read of these objects; 0
				never */
	struct workload_seen stable, canary;
	bool service, canary_service, canary_service_ours; /* host mode: the canary's */
	enum preview_seen preview;			   /* two colours: of that Service */
	bool service_selects_canary; /* host mode: the stable Service would catch canary pods */
	char preflight[OBSERVED_TEXT * 6]; /* what forbids a start, found while looking: one
					      thing a line; "" none */
	char warnings[OBSERVED_TEXT * 4];  /* likewise, what to know before one */
	struct route_seen route;
	struct subsets_seen subsets;
	struct hpa_seen hpa;
	struct backup_seen backups[BACKUPS_SEEN]; /* the newest ones; JOB_NONE: no more */
	struct budgets_seen budgets;
	char budgets_unknown[OBSERVED_TEXT]; /* "": they are known; else why they cannot be read */
};

#endif
