/* What the mesh takes: its names, and how long it is waited for. */
#include "model/mesh.h"

#include <string.h>

#define DIFFERS_MS 15000 /* Istio's longest debounce, and a margin */

static const char *const names[MESH_SUBJECTS] = {
    [MESH_WEIGHT] = "weight",
    [MESH_ROUTING] = "routing",
    [MESH_CANARY] = "canary",
    [MESH_STABLE] = "stable",
};

const char *
mesh_subject_name(enum mesh_subject subject)
{
	return names[subject];
}

enum mesh_subject
mesh_subject_of(const char *name)
{
	int i = 0;
	while (i < MESH_SUBJECTS && strcmp(names[i], name) != 0)
		i++;
	return (enum mesh_subject)i;
}

enum mesh_way
mesh_way(const struct mesh_asking *asking, enum mesh_subject subject)
{
	return asking == NULL ? MESH_TIME : asking->way[subject];
}

int64_t
mesh_assumed_ms(
    const struct mesh_asking *asking, enum mesh_subject subject, int64_t from_ms, int64_t settle_ms)
{
	enum mesh_way way = mesh_way(asking, subject);
	bool longer = way == MESH_TRAFFIC && asking->differs[subject] && settle_ms < DIFFERS_MS;
	return way == MESH_ISTIOD ? 0 : from_ms + (longer ? DIFFERS_MS : settle_ms);
}
