/* defaults: what the API server adds to an object and what it refuses. */
#ifndef SIM_DEFAULTS_H
#define SIM_DEFAULTS_H

#include "status.h"

/* Adds defaults; the root is the caller's own, deeper parts are copied where they change. */
void defaults_add(const struct kind *k, json_t *root);
/* 0, or -1 and an error in the reply. old is NULL for a creation. */
int defaults_check(const struct kind *k, const json_t *old, const json_t *next, struct reply *r);

#endif
