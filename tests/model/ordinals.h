/* The small world's StatefulSet: its pods by ordinal, and what its controller does with them. A
 * DaemonSet has its pods by node in the same way (nodes.h). */
#ifndef TESTS_MODEL_ORDINALS_H
#define TESTS_MODEL_ORDINALS_H

#include "model/act.h"
#include "model/workload_seen.h"
#include "state.h"

enum { SEAT_OLD = 1, SEAT_NEW = 2, SEAT_READY = 4 };

int ordinals_seat(enum image image);
bool ordinals_is_ready(const struct cluster *c, int i);
bool ordinals_is_of(const struct cluster *c, int i, enum image image);
void ordinals_set(struct state *s, int i, int seat); /* 0: its pod goes */
void ordinals_begin(struct cluster *c, int size);
void ordinals_see(const struct cluster *c, struct workload_seen *seen);
/* One step of the controller; false: it rests. */
bool ordinals_step(struct state *s);
/* A pod of that image, the first one or the last one; false: there is none. */
bool ordinals_turns(struct state *s, enum image image, bool last, bool ready);
enum act_outcome ordinals_delete(struct state *s, const struct act *act);
/* The pod that its controller waits for without end; -1: none */
int ordinals_stuck(const struct cluster *c);
/* So many that serve go when number pods may have the new image, and so many are missing then. */
int ordinals_taken(const struct cluster *c, int number, int *missing);

#endif
