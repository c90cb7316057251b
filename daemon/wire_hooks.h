/* Webhooks: from the settings to the room, and what the room asks of the engine. Part of the roof.
 */
#ifndef WIRE_HOOKS_H
#define WIRE_HOOKS_H

#include "engine/engine.h"
#include "engine/outbox.h"
#include "hooks/hooks.h"
#include "settings/settings.h"

struct wire_hooks;

/* Before the engine: takes its ports and gives it one more, notices. Then begin. Freed before it.
 */
struct wire_hooks *wire_hooks_new(struct loop *loop, struct engine_ports *ports);
void wire_hooks_begin(
    struct wire_hooks *wire, struct engine *engine, const struct settings *settings);
void wire_hooks_set(struct wire_hooks *wire, const struct settings *settings);
void wire_hooks_free(struct wire_hooks *wire); /* NULL is allowed */
struct hooks *wire_hooks(struct wire_hooks *wire);

void wire_hooks_check(const struct settings *settings, struct errlist *errors);
/* What only who runs it needs: its files. */
void wire_hooks_check_run(const struct settings *settings, struct errlist *errors);

#endif
