/* The audit's head, from the store to its witness. Part of the roof. */
#ifndef WIRE_AUDIT_H
#define WIRE_AUDIT_H

#include "engine/engine.h"
#include "settings/settings.h"
#include "telemetry/witness.h"

/* NULL: the key of audit.signKeyFile cannot be used. */
struct witness *wire_witness(
    struct loop *loop, struct engine *engine, const struct settings *settings, struct err *e);

#endif
