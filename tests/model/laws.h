/* The laws and invariants, looked at from outside: from what is written and from what the world
 * has. What airisd believes of itself counts for nothing here. A breach goes to lab_bad. */
#ifndef TESTS_MODEL_LAWS_H
#define TESTS_MODEL_LAWS_H

#include "lab.h"

enum { CLEARED_HOLD = 1, CLEARED_GATE = 2, CLEARED_ALL = 3 }; /* checks.cleared */

void laws_event(struct lab *lab, struct state *s, const struct event *event);
void laws_choice(struct lab *lab, struct state *s, const struct act *act); /* when it is chosen */
void laws_send(struct lab *lab, const struct state *s, const struct act *act);
void laws_landed(
    struct state *s, const struct act *act, int weight_before, enum act_outcome outcome);
void laws_before_look(struct lab *lab, struct state *s);
void laws_after_look(struct lab *lab, struct state *s);
/* After every step: what the proxy believes must be servable. */
void laws_state(struct lab *lab, struct state *s);

#endif
