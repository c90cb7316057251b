/* Traces: from the settings to the room. Part of the roof. */
#ifndef WIRE_TRACES_H
#define WIRE_TRACES_H

#include "engine/engine.h"
#include "settings/settings.h"
#include "traces/traces.h"

/* Before the engine: takes its ports and gives it one more, traces. Freed after it. */
struct traces *wire_traces_new(
    struct loop *loop, struct engine_ports *ports, const struct settings *settings);
void wire_traces_set(struct traces *traces, const struct settings *settings);

void wire_traces_check(const struct settings *settings, struct errlist *errors);
/* What only who runs it needs: its files. */
void wire_traces_check_run(const struct settings *settings, struct errlist *errors);

#endif
