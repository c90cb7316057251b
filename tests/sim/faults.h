/* faults: what goes wrong on demand. Rules come in by POST /sim/faults (see main.c for their
 * form); each request asks what befalls it. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "api.h"

struct fate {
	uint64_t latency_ms;
	int status, retry_after;
	bool after;	 /* the status is answered although the request took effect */
	bool drop;	 /* the connection is closed, nothing took effect */
	bool drop_after; /* the request takes effect, the answer is lost */
	bool conflict, webhook;
	const char *denied; /* 403 with this text; NULL: not */
};

/* What befalls this request; counts the hits of the rules that match it. */
struct fate fault_pick(const struct req *q);
/* Why such a request would be denied; NULL: it would not. Takes nothing from a rule's count. */
const char *fault_denied(const struct req *q);
/* Pods that a namespace may have, -1 without a limit. Only looks, counts nothing. */
int64_t fault_quota(const char *ns);
void fault_quota_hit(const char *ns);

/* The three methods of /sim/faults. */
int faults_add(struct req *q, struct reply *r);
int faults_list(struct reply *r);
int faults_clear(struct reply *r);

#endif
