/* The transition table of rollouts. Only fold moves a rollout from phase to phase. */
#include <string.h>
#include "model/phase.h"

#define TO(phase) (1u << PHASE_##phase)

static const struct {
	const char *name;
	unsigned next;
} phases[] = {
    [PHASE_QUEUED] = {"queued", TO(PROGRESSING) | TO(ABORTING)},
    [PHASE_PROGRESSING] = {"progressing", TO(PAUSED) | TO(SUCCEEDED) | TO(ABORTING)},
    [PHASE_PAUSED] = {"paused", TO(PROGRESSING) | TO(ABORTING)},
    [PHASE_SUCCEEDED] = {"succeeded", 0},
    [PHASE_ABORTING] = {"aborting", TO(ABORTED) | TO(FAILED)},
    [PHASE_ABORTED] = {"aborted", 0},
    [PHASE_FAILED] = {"failed", TO(ABORTING)},
};

const char *
phase_name(enum phase phase)
{
	return phases[phase].name;
}

bool
phase_of(const char *name, enum phase *phase)
{
	for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (strcmp(phases[i].name, name) == 0) {
			*phase = (enum phase)i;
			return true;
		}
	return false;
}

bool
phase_may(enum phase from, enum phase to)
{
	return phases[from].next >> to & 1;
}

bool
phase_final(enum phase phase)
{
	return phase == PHASE_SUCCEEDED || phase == PHASE_ABORTED || phase == PHASE_FAILED;
}

bool
phase_forward(enum phase phase)
{
	return phase == PHASE_PROGRESSING || phase == PHASE_PAUSED;
}
