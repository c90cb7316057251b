/* map: a hash table from text to a pointer. It copies the keys and owns no values. */
#ifndef SIM_MAP_H
#define SIM_MAP_H

#include <stddef.h>

struct map_slot {
	char *key;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t cap, used;
};

void *map_get(const struct map *m, const char *key);
/* Sets the value; NULL removes the key. */
void map_set(struct map *m, const char *key, void *value);
void map_free(struct map *m);
/* Steps through all entries: start with *i = 0; NULL at the end. Nothing may be set meanwhile. */
const struct map_slot *map_next(const struct map *m, size_t *i);

#endif
