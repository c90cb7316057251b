/* Breadth first through all that can happen; then back from the good ends. */
#ifndef TESTS_MODEL_SEARCH_H
#define TESTS_MODEL_SEARCH_H

#include <stdio.h>
#include "lab.h"

struct found {
	uint32_t states, longest; /* longest: the longest shortest way home of an abort, in steps */
	uint64_t transitions;
	size_t bytes;
	bool whole; /* not cut off at most states */
	bool bad;   /* a law is broken or a state has no way on; told to `to` */
};

void search(const struct config *config, uint32_t most, FILE *to, struct found *found);
#endif
