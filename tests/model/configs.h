/* The worlds that are explored. */
#ifndef TESTS_MODEL_CONFIGS_H
#define TESTS_MODEL_CONFIGS_H

#include "state.h"

int configs_count(void);
const struct config *configs_get(int number);
/* "1 crash, 2 flips"; what may go wrong in it. */
void configs_budget(const struct config *config, char *to, size_t size);

#endif
