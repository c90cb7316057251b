/* Phases of a rollout and the one table of what may follow what.
 *
 *   queued -> progressing <-> paused -> succeeded
 *      \____________\____________\__-> aborting -> aborted
 *                                          \ -> failed (a person is needed) -> aborting
 */
#ifndef MODEL_PHASE_H
#define MODEL_PHASE_H

#include <stdbool.h>

enum phase {
	PHASE_QUEUED,
	PHASE_PROGRESSING,
	PHASE_PAUSED,
	PHASE_SUCCEEDED,
	PHASE_ABORTING,
	PHASE_ABORTED,
	PHASE_FAILED
};

const char *phase_name(enum phase phase);
bool phase_of(const char *name, enum phase *phase);
bool phase_may(enum phase from, enum phase to);
bool phase_final(enum phase phase);   /* nothing follows by itself; failed can be tried again */
bool phase_forward(enum phase phase); /* progressing or paused */

#endif
