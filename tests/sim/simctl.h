/* simctl: /sim/…, what the simulator itself is asked and told. */
#ifndef SIM_SIMCTL_H
#define SIM_SIMCTL_H

#include "api.h"

void simctl_handle(struct req *q, struct reply *r);

#endif
