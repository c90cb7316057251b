/* What an App says of the way from the old version to the new one, and how large the names and
 * lists of an App may be. For model/app.h. */
#ifndef MODEL_APP_STRATEGY_H
#define MODEL_APP_STRATEGY_H

#include <stdbool.h>
#include <stdint.h>

#define APP_LABEL 64 /* RFC 1123 label and NUL */
#define APP_NAME 254 /* RFC 1123 subdomain and NUL */
#define APP_IMAGE 512
#define APP_GATES 32
#define APP_STAGES 32
#define APP_ROUTES 16

struct stage_spec {
	int weight; /* percent, 0..100; a batch's pods that run the release, in percent or */
	bool pods;  /* as a number */
	int size;   /* of a canary: percent of the stable side's size, 1..100; never falls */
	int64_t hold_ms;
	bool approve;	/* a person must approve before the next stage */
	uint32_t gates; /* bit i: gate i must pass to leave */
};

struct canary_spec {
	struct stage_spec *stages; /* owned; at most APP_STAGES */
	int stage_count;
	bool shrink;  /* the stable side gives up what the canary has taken over */
	int headroom; /* then: percent of its size that a side keeps above its share */
};

/* Two workloads that stay: one serves, the other rests until it gets the next release. */
struct colours_spec {
	/* Their Deployments. Names not given: those of the first are WORKLOAD, if there is such a
	 * Deployment, else WORKLOAD-blue. */
	char first[APP_NAME], second[APP_NAME];
	bool named;
	/* By weights: a Service of each, as written. Whichever is the stable side's now: traffic.
	 */
	char first_service[APP_NAME], second_service[APP_NAME];
	char label[APP_NAME]; /* the pod label that tells them apart; "": one of the Service's */
	int preview; /* while it is judged: the idle one's size in percent of the active one's */
	struct stage_spec judge; /* before the switch */
	int64_t watch_ms; /* after the switch, with everything that is needed to go back at once */
	uint32_t watch;	  /* bit i: gate i judges then */
	int64_t keep_ms;  /* after that: until the old one goes */
};

struct share_spec { /* pods of a workload */
	int number;
	bool percent; /* of its size */
};

/* One workload that takes the release batch by batch, while it serves. */
struct rolling_spec {
	struct share_spec surge;       /* pods above its size */
	struct share_spec unavailable; /* pods that may be missing */
	char backup[APP_LABEL];	       /* the CronJob of which a Job is made first; "": none */
	int64_t backup_ms;	       /* that it may take */
	struct stage_spec each; /* no stages are given: a StatefulSet goes ordinal by ordinal */
};

#endif
