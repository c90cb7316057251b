/* One schedule in a process of its own, so that one that crashes or hangs is a result too; and a
 * failing one made as short as can be. */
#ifndef TESTS_SIMULATION_SHRINK_H
#define TESTS_SIMULATION_SHRINK_H

#include "world.h"

/* Crashes have the law "crash", hangs "hang". */
void run_apart(const struct schedule *schedule, struct violation *violation);
/* Takes out what it can while it still violates the same law. Number of runs that it took. */
int shrink(struct schedule *schedule, const struct violation *violation);

#endif
