/* Pod size: what the API server and the scheduler count for a pod, from its spec. Pure. */
#ifndef CLUSTER_PODSIZE_H
#define CLUSTER_PODSIZE_H

#include <jansson.h>

enum podsize_what { ROOM_PODS, ROOM_CPU, ROOM_MEMORY, ROOM_CPU_LIMIT, ROOM_MEMORY_LIMIT, ROOMS };

/* "500m", "1.5Gi", 3; -1: no quantity. */
double podsize_quantity(const json_t *quantity);
/* Of one pod, anything but ROOM_PODS; where no request is given a limit is one. 0: it asks for
 * none; -1: something that it asks for is no quantity, so that the sum is not known. */
double podsize_of(const json_t *spec, enum podsize_what what);

#endif
