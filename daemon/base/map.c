/* A hash map: a dense array of entries in the order of insertion, and a table of their numbers
 * hashed by key. So stepping through is the same in every run, which simulation needs, while
 * the hash has a random secret, because keys may come from strangers.
 * Always true: the table has at least twice as many slots as entries used, so a probe ends. */
#include "base/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/mem.h"
#include "base/str.h"

struct entry {
	char *key; /* NULL: removed */
	void *value;
	uint64_t hash;
};

struct map {
	struct entry *entries;
	uint32_t *slots; /* number of an entry + 1; 0: never used */
	size_t used;	 /* entries, the removed ones included */
	size_t live;
	size_t room; /* of entries; slots are twice that. A power of two or 0 */
	uint64_t secret[2];
};

static inline uint64_t
turn_left(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = turn_left(v[1], 13) ^ v[0];
	v[0] = turn_left(v[0], 32);
	v[2] += v[3];
	v[3] = turn_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = turn_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = turn_left(v[1], 17) ^ v[2];
	v[2] = turn_left(v[2], 32);
}

/* SipHash-1-3 of the key's bytes. */
static uint64_t
hash_key(const uint64_t k[2], const char *key)
{
	size_t length = strlen(key), whole = length / 8 * 8;
	uint64_t v[4] = {k[0] ^ 0x736f6d6570736575u, k[1] ^ 0x646f72616e646f6du,
	    k[0] ^ 0x6c7967656e657261u, k[1] ^ 0x7465646279746573u};
	uint64_t word;

	for (size_t i = 0; i <= whole; i += 8) {
		word = 0;
		memcpy(&word, key + i, i < whole ? 8 : length - whole);
		if (i == whole)
			word |= (uint64_t)length << 56;
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *
map_new(void)
{
	struct map *map = mem_alloc(sizeof(*map));
	/* Without randomness the map still works, it is only easier to slow down. */
	ssize_t got = getrandom(map->secret, sizeof(map->secret), GRND_NONBLOCK);

	(void)got;
	return map;
}

void
map_free(struct map *map, void (*free_value)(void *value))
{
	if (map == NULL)
		return;
	for (size_t i = 0; i < map->used; i++) {
		if (map->entries[i].key == NULL)
			continue;
		free(map->entries[i].key);
		if (free_value != NULL)
			free_value(map->entries[i].value);
	}
	free(map->entries);
	free(map->slots);
	free(map);
}

static void
link_entry(struct map *map, size_t number)
{
	size_t mask = map->room * 2 - 1, at = map->entries[number].hash & mask;

	while (map->slots[at] != 0)
		at = (at + 1) & mask;
	map->slots[at] = (uint32_t)(number + 1);
}

/* Closes the gaps of removed entries and makes room for at least one more. */
static void
rebuild(struct map *map)
{
	size_t kept = 0;

	while (map->live * 4 >= map->room * 3)
		map->room = map->room == 0 ? 8 : map->room * 2;
	map->entries = mem_grow(map->entries, map->room, sizeof(*map->entries));
	for (size_t i = 0; i < map->used; i++) {
		if (map->entries[i].key != NULL)
			map->entries[kept++] = map->entries[i];
	}
	map->used = kept;
	free(map->slots);
	map->slots = mem_array(map->room * 2, sizeof(*map->slots));
	for (size_t i = 0; i < kept; i++)
		link_entry(map, i);
}

static struct entry *
find(const struct map *map, const char *key, uint64_t hash)
{
	size_t mask = map->room * 2 - 1;

	if (map->room == 0)
		return NULL;
	for (size_t at = hash & mask; map->slots[at] != 0; at = (at + 1) & mask) {
		struct entry *entry = &map->entries[map->slots[at] - 1];

		if (entry->key != NULL && entry->hash == hash && strcmp(entry->key, key) == 0)
			return entry;
	}
	return NULL;
}

void *
map_get(const struct map *map, const char *key)
{
	struct entry *entry;

	if (map->live == 0)
		return NULL;
	entry = find(map, key, hash_key(map->secret, key));
	return entry == NULL ? NULL : entry->value;
}

void *
map_set(struct map *map, const char *key, void *value)
{
	uint64_t hash = hash_key(map->secret, key);
	struct entry *entry = find(map, key, hash);
	void *old;

	if (entry != NULL) {
		old = entry->value;
		entry->value = value;
		return old;
	}
	if (map->used == map->room)
		rebuild(map);
	map->entries[map->used] = (struct entry){mem_strdup(key), value, hash};
	link_entry(map, map->used++);
	map->live++;
	return NULL;
}

void *
map_remove(struct map *map, const char *key)
{
	struct entry *entry = find(map, key, hash_key(map->secret, key));

	if (entry == NULL)
		return NULL;
	free(entry->key);
	entry->key = NULL;
	map->live--;
	return entry->value;
}

#define NUMBER 24

static const char *
number_key(uint64_t number, char key[NUMBER])
{
	str_print(key, NUMBER, "%" PRIu64, number);
	return key;
}

void *
map_get_number(const struct map *map, uint64_t number)
{
	char key[NUMBER];

	return map_get(map, number_key(number, key));
}

void *
map_set_number(struct map *map, uint64_t number, void *value)
{
	char key[NUMBER];

	return map_set(map, number_key(number, key), value);
}

void *
map_remove_number(struct map *map, uint64_t number)
{
	char key[NUMBER];

	return map_remove(map, number_key(number, key));
}

size_t
map_count(const struct map *map)
{
	return map->live;
}

bool
map_next(const struct map *map, size_t *cursor, const char **key, void **value)
{
	while (*cursor < map->used) {
		const struct entry *entry = &map->entries[(*cursor)++];

		if (entry->key == NULL)
			continue;
		if (key != NULL)
			*key = entry->key;
		if (value != NULL)
			*value = entry->value;
		return true;
	}
	return false;
}
