/* A way through the states, for people. */
#ifndef TESTS_MODEL_TELL_H
#define TESTS_MODEL_TELL_H

#include <stdio.h>
#include "lab.h"
#include "store.h"

/* The shortest way to that state, then `step` (-1: none), which broke lab->bad. */
void tell_way(struct lab *lab, const struct store *store, uint32_t number, int step, FILE *to);
void tell_state(const struct lab *lab, const struct state *s, FILE *to);

#endif
