/* The room's door: the set of sources. Always true: sources have different names, and a
 * measurement that runs has a source that is in the set. */
#include "gates/gates.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "gates/gates_room.h"

struct gates_origin *
gates_find(const struct gates *gates, const char *name)
{
	for (size_t i = 0; i < gates->count; i++) {
		if (strcmp(gates->origins[i]->name, name) == 0)
			return gates->origins[i];
	}
	return NULL;
}

static void
add(struct gates *gates, const struct gates_source *source)
{
	struct gates_origin *origin = gates_origin_new(gates, source);

	gates->origins = mem_grow(gates->origins, gates->count + 1, sizeof(struct gates_origin *));
	gates->origins[gates->count++] = origin;
	gates_probe_start(origin);
}

static void
drop(struct gates *gates, size_t index)
{
	struct gates_origin *origin = gates->origins[index];

	gates_measurements_end(origin, "is no longer in the daemon's settings");
	gates_queries_end(origin, "is no longer in the daemon's settings");
	gates->origins[index] = gates->origins[--gates->count];
	gates_origin_free(origin);
}

struct gates *
gates_new(struct loop *loop, const struct gates_source *sources, size_t count)
{
	struct gates *gates = mem_alloc(sizeof(*gates));

	gates->loop = loop;
	gates->pool = httpc_pool_new(loop, GATES_RUNNING);
	gates->measurements = map_new();
	gates->parts = map_new();
	gates->queries = map_new();
	gates->requests = map_new();
	for (size_t i = 0; i < count; i++)
		add(gates, &sources[i]);
	return gates;
}

void
gates_free(struct gates *gates)
{
	if (gates == NULL)
		return;
	gates_measurements_free(gates);
	gates_queries_free(gates);
	for (size_t i = 0; i < gates->count; i++)
		gates_origin_free(gates->origins[i]);
	free(gates->origins);
	map_free(gates->measurements, NULL);
	map_free(gates->parts, NULL);
	map_free(gates->queries, NULL);
	map_free(gates->requests, NULL);
	httpc_pool_free(gates->pool);
	free(gates);
}

static bool
is_in(const char *name, const struct gates_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(sources[i].name, name) == 0)
			return true;
	}
	return false;
}

void
gates_reload(struct gates *gates, const struct gates_source *sources, size_t count)
{
	for (size_t i = gates->count; i > 0; i--) {
		if (!is_in(gates->origins[i - 1]->name, sources, count))
			drop(gates, i - 1);
	}
	for (size_t i = 0; i < count; i++) {
		struct gates_origin *origin = gates_find(gates, sources[i].name);

		if (origin == NULL) {
			add(gates, &sources[i]);
			continue;
		}
		gates_origin_set(origin, &sources[i]);
		origin->health.skew_ms = 0;
		gates_probe_start(origin);
	}
}

static bool
has_source(void *ctx, const char *name)
{
	return gates_find(ctx, name) != NULL;
}

void
gates_port(struct gates *gates, struct gate_port *port)
{
	*port = (struct gate_port){.ctx = gates,
	    .measure = gates_measure,
	    .cancel = gates_cancel,
	    .has_source = has_source};
}

size_t
gates_health(const struct gates *gates, struct gates_health *to, size_t room)
{
	for (size_t i = 0; i < gates->count && i < room; i++)
		to[i] = gates->origins[i]->health;
	return gates->count;
}
