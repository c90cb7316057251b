/* A hash map from text to a pointer. Keys are copied, values are the caller's. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
void map_free(struct map *map, void (*free_value)(void *value)); /* free_value may be NULL */
void *map_get(const struct map *map, const char *key);		 /* NULL: not there */
void *map_set(struct map *map, const char *key, void *value);	 /* returns the old value or NULL */
void *map_remove(struct map *map, const char *key);		 /* returns the value or NULL */
/* The same by a number: of a request, an act, a question. */
void *map_get_number(const struct map *map, uint64_t number);
void *map_set_number(struct map *map, uint64_t number, void *value);
void *map_remove_number(struct map *map, uint64_t number);
size_t map_count(const struct map *map);
/* Steps through all entries in the order they were added; start with *cursor = 0; false at the
 * end. Removing the entry just returned is allowed, adding is not. key and value may be NULL. */
bool map_next(const struct map *map, size_t *cursor, const char **key, void **value);

#endif
