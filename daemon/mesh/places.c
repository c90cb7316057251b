/* Whose proxies are where. An istiod that ended takes its knowledge with it: the proxies that it
 * had keep what they were sent, and come back to it, or to another one, within a minute (Envoy's
 * back-off goes up to half of that). Until then they have confirmed nothing, although no istiod
 * names them. */
#include <stdlib.h>
#include "base/clock.h"
#include "mesh/ask.h"
#include "mesh/read.h"

#define EXPECTED_MS 60000

static int there;

void
mesh_place_done(struct istiod_place *place)
{
	map_free(place->names, NULL);
	map_free(place->waits, NULL);
	place->names = place->waits = NULL;
}

static void
expect(struct map *expected, const char *name, int64_t now_ms)
{
	int64_t *since_ms = mem_alloc(sizeof(*since_ms));
	*since_ms = now_ms;
	free(map_set(expected, name, since_ms));
}

void
mesh_place_lost(struct cluster_mesh *cluster, struct istiod_place *place, int64_t now_ms)
{
	size_t cursor = 0;
	const char *name;
	while (place->names != NULL && map_next(place->names, &cursor, &name, NULL))
		expect(cluster->orphans, name, now_ms);
	mesh_place_done(place);
	place->pushes = -1;
}

void
mesh_place_started(
    struct cluster_mesh *cluster, struct istiod_place *place, double started, int64_t now_ms)
{
	bool anew = place->started > 0 && started > 0 && started != place->started;
	if (anew) {
		bool had = place->names != NULL;
		mesh_place_lost(cluster, place, now_ms);
		place->names = had ? map_new() : NULL; /* known: none of them is back yet */
	}
	if (started > 0)
		place->started = started;
}

/* One that had confirmed everything and is gone has been deleted, as pods are all the time; one
 * that had not may be hung, or cut off: istiod drops it after 40 s of silence. */
static void
suspect_lost(struct cluster_mesh *cluster, const struct istiod_place *place, int64_t now_ms)
{
	size_t cursor = 0;
	const char *name;
	while (place->waits != NULL && map_next(place->waits, &cursor, &name, NULL))
		if (map_get(place->names, name) == NULL)
			expect(cluster->suspects, name, now_ms);
}

void
mesh_place_proxies(struct cluster_mesh *cluster, struct istiod_place *place, const json_t *syncz,
    struct mesh_proxies *proxies)
{
	const char *name;
	map_free(place->names, NULL);
	place->names = map_new();
	for (size_t i = 0; i < json_array_size(syncz); i++) {
		name = mesh_read_proxy(syncz, i);
		if (name == NULL)
			continue;
		map_set(place->names, name, &there);
		free(map_remove(cluster->orphans, name));
		free(map_remove(cluster->suspects, name));
	}
	suspect_lost(cluster, place, clock_wall_ms());
	map_free(place->waits, NULL);
	place->waits = proxies->waits;
	proxies->waits = NULL;
}

static int
count_expected(struct map *expected, int64_t now_ms, const char *why, struct str *names)
{
	size_t cursor = 0;
	const char *name;
	void *value;
	int count = 0;
	while (map_next(expected, &cursor, &name, &value)) {
		int64_t since_ms = *(int64_t *)value;
		if (now_ms - since_ms >= EXPECTED_MS) {
			free(map_remove(expected, name));
			continue;
		}
		count++;
		str_addf(names, "%s%s (%s)", names->length > 0 ? ", " : "", name, why);
	}
	return count;
}

int
mesh_orphans(struct cluster_mesh *cluster, int64_t now_ms, struct str *names)
{
	return count_expected(cluster->orphans, now_ms, "not connected", names);
}

int
mesh_suspects(struct cluster_mesh *cluster, int64_t now_ms, struct str *names)
{
	return count_expected(cluster->suspects, now_ms, "disconnected before it confirmed", names);
}
