/* What came of many runs, and the schedules that are kept because they failed once. */
#ifndef TESTS_SIMULATION_SUMMARY_H
#define TESTS_SIMULATION_SUMMARY_H

#include "world.h"

void summary_add(struct counters *sum, const struct counters *more);
/* How many kinds never did anything, of a run that is long enough to expect it. */
int summary_print(const struct counters *sum, int64_t took_ms);
/* Runs all kept ones (NULL: none); how many fail. */
int summary_kept(const char *folder);

#endif
