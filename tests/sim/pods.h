/* pods: what the nodes keep about a pod. */
#ifndef SIM_PODS_H
#define SIM_PODS_H

#include "store.h"

struct podx {
	char ip[20];
	int step, restarts;
	uint64_t ready_ms; /* since when it is ready; 0: it is not */
};

struct podx *pods_ext(struct obj *o);

#endif
