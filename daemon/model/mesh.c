/* What the mesh takes: its names, and how long it is waited for. */
#include "model/mesh.h"

#include <string.h>

#define DIFFERS_MS 15000 /* Istio's longest debounce, and a margin */
#define HEARD_FOR_MS 5000
#define LOOK_MS 5000 /* the first look at traffic is over */

static const char *const names[MESH_SUBJECTS] = {
    [MESH_WEIGHT] = "weight",
    [MESH_ROUTING] = "routing",
    [MESH_CANARY] = "canary",
    [MESH_STABLE] = "stable",
};

bool
mesh_in_route(enum mesh_subject subject)
{
	return subject == MESH_WEIGHT || subject == MESH_ROUTING;
}

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

bool
mesh_is_heard(const struct mesh_asking *asking, int64_t now_ms)
{
	return mesh_way(asking, MESH_STABLE) != MESH_ISTIOD ||
	       (asking->heard_ms != 0 && now_ms < asking->heard_ms + HEARD_FOR_MS);
}

int64_t
mesh_assumed_ms(
    const struct mesh_asking *asking, enum mesh_subject subject, int64_t from_ms, int64_t settle_ms)
{
	int64_t due_ms = from_ms + settle_ms, last_ms = from_ms + DIFFERS_MS;
	enum mesh_way way = mesh_way(asking, subject);
	if (way == MESH_ISTIOD)
		return 0;
	if (way == MESH_TIME || due_ms >= last_ms)
		return due_ms;
	if (asking->differs[subject])
		return last_ms;
	if (asking->text[subject][0] != '\0' || asking->back_ms == 0)
		return due_ms;
	int64_t look_ms = asking->back_ms + LOOK_MS;
	due_ms = due_ms > look_ms ? due_ms : look_ms;
	return due_ms < last_ms ? due_ms : last_ms;
}
