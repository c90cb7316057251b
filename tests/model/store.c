/* Packed states in one growing block, found again by open addressing. A state is mostly zeros:
 * packed is a bit for each byte, and the bytes that are not zero. */
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { BYTES = sizeof(struct state), BITS = (BYTES + 7) / 8, PACKED = BITS + BYTES };

struct known {
	size_t at; /* in packed */
	uint32_t parent;
	uint8_t length, step;
};

struct store {
	uint8_t *packed;
	size_t used, room;
	struct known *known;
	uint32_t count, capacity;
	uint32_t *table; /* number + 1; 0: free */
	uint32_t slots;	 /* a power of two */
};

_Static_assert(PACKED < 256, "the length of a packed state is a byte");

struct store *
store_new(void)
{
	struct store *store = mem_alloc(sizeof(*store));
	store->slots = 1U << 16;
	store->table = mem_array(store->slots, sizeof(store->table[0]));
	return store;
}

void
store_free(struct store *store)
{
	free(store->packed);
	free(store->known);
	free(store->table);
	free(store);
}

static uint8_t
pack(const struct state *s, uint8_t *to)
{
	const uint8_t *bytes = (const uint8_t *)s;
	uint8_t length = BITS;
	memset(to, 0, BITS);
	for (int i = 0; i < BYTES; i++)
		if (bytes[i] != 0) {
			to[i / 8] = (uint8_t)(to[i / 8] | 1 << i % 8);
			to[length++] = bytes[i];
		}
	return length;
}

static uint64_t
hash(const uint8_t *bytes, size_t length)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < length; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

static uint32_t *
find(struct store *store, const uint8_t *bytes, uint8_t length)
{
	uint32_t at = (uint32_t)hash(bytes, length) & (store->slots - 1);
	for (; store->table[at] != 0; at = (at + 1) & (store->slots - 1)) {
		const struct known *known = &store->known[store->table[at] - 1];
		if (known->length == length &&
		    memcmp(store->packed + known->at, bytes, length) == 0)
			break;
	}
	return &store->table[at];
}

static void
make_room(struct store *store)
{
	if (store->used + PACKED > store->room) {
		store->room = store->room < 1 << 20 ? 1 << 20 : store->room + store->room / 2;
		store->packed = mem_grow(store->packed, store->room, 1);
	}
	if (store->count == store->capacity) {
		store->capacity += store->capacity / 2 + 1024;
		store->known = mem_grow(store->known, store->capacity, sizeof(store->known[0]));
	}
	if (store->count < store->slots / 4 * 3)
		return;
	free(store->table);
	store->slots *= 2;
	store->table = mem_array(store->slots, sizeof(store->table[0]));
	for (uint32_t i = 0; i < store->count; i++)
		*find(store, store->packed + store->known[i].at, store->known[i].length) = i + 1;
}

uint32_t
store_add(struct store *store, const struct state *s, uint32_t parent, int step, bool *is_new)
{
	uint8_t bytes[PACKED];
	uint8_t length = pack(s, bytes);
	make_room(store);
	uint32_t *slot = find(store, bytes, length);
	*is_new = *slot == 0;
	if (!*is_new)
		return *slot - 1;
	store->known[store->count] = (struct known){store->used, parent, length, (uint8_t)step};
	memcpy(store->packed + store->used, bytes, length);
	store->used += length;
	*slot = ++store->count;
	return store->count - 1;
}

uint32_t
store_count(const struct store *store)
{
	return store->count;
}

size_t
store_bytes(const struct store *store)
{
	return store->room + store->capacity * sizeof(store->known[0]) +
	       store->slots * sizeof(store->table[0]);
}

void
store_get(const struct store *store, uint32_t number, struct state *s)
{
	const uint8_t *packed = store->packed + store->known[number].at, *from = packed + BITS;
	uint8_t *bytes = (uint8_t *)s;
	for (int i = 0; i < BYTES; i++)
		bytes[i] = packed[i / 8] >> i % 8 & 1 ? *from++ : 0;
}

uint32_t
store_parent(const struct store *store, uint32_t number, int *step)
{
	*step = store->known[number].step;
	return store->known[number].parent;
}
