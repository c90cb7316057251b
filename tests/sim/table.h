/* table: objects as rows, as kubectl get asks for them (Accept …;as=Table). */
#ifndef SIM_TABLE_H
#define SIM_TABLE_H

#include "kinds.h"

#include <jansson.h>
#include <stdbool.h>

bool table_wanted(const char *accept);
/* A Table of an array of stored trees. metadata may be NULL. New reference. */
json_t *table_new(const struct kind *k, const json_t *items, json_t *metadata);

#endif
