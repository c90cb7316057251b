/* effects.c, effects_mesh.c: the engine's only doors to the outside. */
#ifndef ENGINE_EFFECTS_H
#define ENGINE_EFFECTS_H

#include "engine/engine.h"

struct entry;

void effects_send(struct entry *entry);
void effects_gates(struct entry *entry);
void effects_mesh_know(struct entry *entry); /* how its mesh is asked, what it said, as of now */
void effects_mesh(struct entry *entry, const struct observed *seen); /* as of this turn */
void effects_gates_cancel(struct entry *entry);
void effects_mesh_cancel(struct entry *entry);
void effects_mesh_free(struct engine *engine);
void effects_verify(struct entry *entry);
void effects_follow(struct entry *entry, bool follow);
void effects_free(struct engine *engine);

#endif
