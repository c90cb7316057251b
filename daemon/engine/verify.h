/* Does a journal mean something? Everything in it is read as a start would read it. */
#ifndef ENGINE_VERIFY_H
#define ENGINE_VERIFY_H

#include <stdint.h>
#include "ports/journal.h"

/* Parses every app; folds every rollout from its events, and compares it with its row in the list
 * of rollouts. Each finding is a text. The journal's events, rollouts and apps are read, and
 * nothing may be written to it meanwhile. The number of findings; rollouts: how many there are. */
int engine_verify(const struct journal_port *journal, void (*finding)(void *ctx, const char *text),
    void *ctx, int64_t *rollouts);

#endif
