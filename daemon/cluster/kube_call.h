/* One request to an API server, and what came of it: the words of kube.h for it. Times are ms. */
#ifndef CLUSTER_KUBE_CALL_H
#define CLUSTER_KUBE_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kube_lane {
	KUBE_NORMAL,
	KUBE_URGENT, /* to go home; never waits for normal ones */
	KUBE_VITAL,  /* what all writes hang on; waits for neither */
	KUBE_SPARE,  /* nobody waits for it: one at a time, of the budget only what others leave */
	KUBE_LANES
};
enum kube_outcome {
	KUBE_ANSWERED, /* see status */
	KUBE_NOT_SENT, /* nothing has happened: may be sent again */
	KUBE_UNKNOWN   /* a write that may have taken effect: read back first */
};

struct kube_answer {
	uint64_t number;
	enum kube_outcome outcome;
	int status;		/* HTTP, when ANSWERED; else 0 */
	char reason[64];	/* Status.reason, such as "Conflict"; "" */
	char message[1024];	/* Status.message, cut; or why there is no answer; "" when 2xx */
	int64_t retry_after_ms; /* -1: not said */
	int64_t sent_ms;	/* wall clock: when it went out, after its wait; 0: it did not */
	json_t *body;		/* borrowed; NULL: none, or no JSON. Not slimmed */
};
typedef void kube_done(void *ctx, const struct kube_answer *answer);

/* Asked when a request leaves its lane and once more when the next thing is to send it. False: it
 * is not sent (NOT_SENT, with why as the message). */
struct kube_fence {
	bool (*open)(void *ctx, char *why, size_t size);
	void *ctx;
};

struct kube_call { /* all is copied */
	enum kube_lane lane;
	const char *method;	  /* GET POST PUT PATCH DELETE */
	const char *path;	  /* "/api/v1/...", may have a query; POST, PUT, PATCH get
				     fieldManager=airisd and fieldValidation=Strict */
	const char *content_type; /* NULL: application/json */
	const char *body;	  /* text or NULL */
	int64_t deadline_ms; /* 0: the settings'; else a write may wait for its answer so long */
	struct kube_fence fence; /* open NULL: none */
	kube_done *done;	 /* once, within the deadline; NULL: not wanted */
	void *ctx;
};

#endif
