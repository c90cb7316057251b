/* Commands of people and programs, and the one table of where they are allowed. */
#ifndef MODEL_COMMAND_H
#define MODEL_COMMAND_H

#include "model/rollout.h"

enum command {
	COMMAND_PROMOTE,
	COMMAND_APPROVE,
	COMMAND_PAUSE,
	COMMAND_RESUME,
	COMMAND_RETRY,
	COMMAND_ABORT,
	COMMAND_COUNT
};

enum command_answer {
	COMMAND_TAKEN,	 /* events say what it does */
	COMMAND_NOTHING, /* allowed, and already so: abort of what aborts */
	COMMAND_REFUSED
};

const char *command_name(enum command command);
enum command command_of(const char *name); /* COMMAND_COUNT: no such */

/* Does it stand for an approval: by saying so, or by going past a stage that waits for one? */
bool command_approves(const struct rollout *rollout, enum command command, bool full);

/* Adds the events of a command; why (of a refusal) says what the state is and what would be
 * allowed. by: the certain id of who gives it, "" if that is not known; nobody approves what they
 * started, unless the app allows it. full: promote straight to the full stage. reason: what the
 * person gave, may be "". */
enum command_answer command_give(const struct rollout *rollout, enum command command, bool full,
    const char *by, const char *reason, int64_t now_ms, struct events *events, struct err *why);

#endif
