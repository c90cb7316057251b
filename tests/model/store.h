/* All states that were reached, each once, in the order of their discovery: the shortest way to
 * each goes through its parent. Kept whole (packed), so nothing rests on a hash being unique. */
#ifndef TESTS_MODEL_STORE_H
#define TESTS_MODEL_STORE_H

#include <stddef.h>
#include "state.h"

struct store;

struct store *store_new(void);
void store_free(struct store *store);
/* Its number; *is_new: it was not there yet, then it has this parent and step. */
uint32_t store_add(
    struct store *store, const struct state *s, uint32_t parent, int step, bool *is_new);
uint32_t store_count(const struct store *store);
size_t store_bytes(const struct store *store);
void store_get(const struct store *store, uint32_t number, struct state *s);
uint32_t store_parent(const struct store *store, uint32_t number, int *step);

#endif
