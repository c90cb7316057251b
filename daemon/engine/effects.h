/* effects.c, effects_mesh.c: the engine's only doors to the outside. */
#ifndef ENGINE_EFFECTS_H
#define ENGINE_EFFECTS_H

#include "engine/engine.h"

struct entry;

void effects_send(struct entry *entry);
/* What waits to be sent is not sent, and the attempt says so; nothing, if nothing waits. */
void effects_drop(struct entry *entry, enum act_outcome outcome, const char *why);
/* Its intent could not be written down: sent all the same if that can do no harm, else dropped. */
void effects_unwritten(struct entry *entry);
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
