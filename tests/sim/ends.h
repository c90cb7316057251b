/* ends: every pod as an endpoint: what the controllers see of it at once, and what the mesh
 * believes of it, which is late. Found by label. */
#ifndef SIM_ENDS_H
#define SIM_ENDS_H

#include "store.h"

#include <stddef.h>

struct endpoint {
	struct obj *pod;
	bool in;	    /* the mesh sends requests to it */
	bool alive;	    /* the pod exists */
	bool ready;	    /* ready and not going */
	bool going;	    /* has a deletionTimestamp */
	uint64_t change_at; /* when the mesh learns that in is wrong; 0: it is right */
	bool pending;
	int refs; /* pushes that hold it (snap.h) */
	char workload[64];
	double error_percent, latency_ms;
	double capacity; /* requests per second, -1: no limit */
	json_t *labels;	 /* as indexed */
};

/* The endpoints of a namespace whose labels have every pair of wanted, dead ones included as
 * long as the mesh sends to them. The array is the callee's and valid until the next call. */
size_t ends_select(const char *ns, const json_t *wanted, struct endpoint ***out);
/* The endpoint of a pod, kept until it is released even if the pod goes; NULL: there is none. */
struct endpoint *ends_take(const char *uid);
void ends_release(struct endpoint *e);
/* The mesh learns what is due. */
void ends_tick(uint64_t now);
/* Whether the pod's condition Ready is True. */
bool ends_pod_ready(const json_t *pod);

#endif
