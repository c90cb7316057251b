/* Moving the time of virtual_loop.h by hand. */
#ifndef TESTS_UNIT_VIRTUAL_TIME_H
#define TESTS_UNIT_VIRTUAL_TIME_H

#include "loop/loop.h"

int64_t virtual_loop_now(const struct loop *loop);
bool virtual_loop_turn(struct loop *loop); /* false: nothing was due */
void virtual_loop_advance(struct loop *loop, int64_t ms);
void virtual_loop_drop(struct loop *loop); /* what is deferred */
/* When the next timer fires; now, if something is deferred; -1: nothing will happen by itself. */
int64_t virtual_loop_next(const struct loop *loop);

#endif
