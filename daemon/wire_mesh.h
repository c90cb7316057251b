/* The mesh and the clusters it is asked through, connected. Part of the roof. */
#ifndef WIRE_MESH_H
#define WIRE_MESH_H

#include <jansson.h>
#include "cluster/cluster.h"
#include "gates/gates.h"
#include "loop/loop.h"
#include "ports/mesh.h"
#include "settings/settings.h"

struct wire_mesh;

/* clusters: those of the settings, in that order; they and gates stay the caller's. */
struct wire_mesh *wire_mesh_new(struct loop *loop, const struct settings *settings,
    struct gates *gates, struct cluster *const *clusters, int count);
/* After the engine, before gates and clusters; NULL too. */
void wire_mesh_free(struct wire_mesh *mesh);
struct mesh_port wire_mesh_port(struct wire_mesh *mesh);
/* What is known of each cluster's mesh, for people; it is looked at anew meanwhile. */
json_t *wire_mesh_json(struct wire_mesh *mesh, int64_t settle_ms);
uint64_t wire_mesh_requests(const struct wire_mesh *mesh); /* questions to istiod */

#endif
