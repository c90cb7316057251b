/* The store's thread without a thread: it runs on a stack of its own, and only when the loop waits
 * for it or gives it a turn, so that every run has the same order. Linked with --wrap for the calls
 * of pthreads that the writer makes; and the machine's clocks are the simulation's. */
#ifndef TESTS_SIMULATION_TURNS_H
#define TESTS_SIMULATION_TURNS_H

#include <stdint.h>

void turns_give(void);	      /* the writer runs until it waits; nothing if there is none */
void turns_clock(int64_t ms); /* what base/clock.h says from now on */

#endif
