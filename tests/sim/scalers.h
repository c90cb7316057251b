/* scalers: what scales a workload by its scale subresource. */
#ifndef SIM_SCALERS_H
#define SIM_SCALERS_H

#include "store.h"

#include <stdint.h>

/* Writes the size of a Deployment or StatefulSet as this manager. */
void scalers_scale(struct obj *workload, int64_t n, const char *manager);

#endif
