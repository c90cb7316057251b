/* map: open addressing with linear probing; removing shifts the run back, so there are no
 * tombstones and the table never degrades. */
#include "map.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>

static size_t
find(const struct map *m, const char *key)
{
	size_t i = hash_text(key, strlen(key)) & (m->cap - 1);

	while (m->slots[i].key != NULL && strcmp(m->slots[i].key, key) != 0)
		i = (i + 1) & (m->cap - 1);
	return i;
}

void *
map_get(const struct map *m, const char *key)
{
	return m->cap == 0 ? NULL : m->slots[find(m, key)].value;
}

static void
grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->slots = xalloc(m->cap * sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].key != NULL)
			m->slots[find(m, old.slots[i].key)] = old.slots[i];
	free(old.slots);
}

static void
take_out(struct map *m, size_t i)
{
	size_t mask = m->cap - 1, j = i;

	free(m->slots[i].key);
	for (;;) {
		size_t home;

		m->slots[i] = (struct map_slot){0};
		do {
			j = (j + 1) & mask;
			if (m->slots[j].key == NULL)
				return;
			home = hash_text(m->slots[j].key, strlen(m->slots[j].key)) & mask;
		} while (((j - home) & mask) < ((j - i) & mask));
		m->slots[i] = m->slots[j];
		i = j;
	}
}

void
map_set(struct map *m, const char *key, void *value)
{
	size_t i;

	if (m->used * 4 >= m->cap * 3)
		grow(m);
	i = find(m, key);
	if (value == NULL) {
		if (m->slots[i].key != NULL) {
			take_out(m, i);
			m->used--;
		}
		return;
	}
	if (m->slots[i].key == NULL) {
		m->slots[i].key = xdup(key);
		m->used++;
	}
	m->slots[i].value = value;
}

void
map_free(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	*m = (struct map){0};
}

const struct map_slot *
map_next(const struct map *m, size_t *i)
{
	while (*i < m->cap)
		if (m->slots[(*i)++].key != NULL)
			return &m->slots[*i - 1];
	return NULL;
}
