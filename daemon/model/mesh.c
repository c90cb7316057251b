/* Names of what the mesh takes. */
#include "model/mesh.h"

#include <string.h>

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
