/* Which command is allowed in which phase, and what it does. */
#include <string.h>
#include "base/str.h"
#include "model/command.h"

#define IN(phase) (1u << PHASE_##phase)
#define LIVE (IN(QUEUED) | IN(PROGRESSING) | IN(PAUSED))

static const struct {
	const char *name;
	unsigned allowed; /* phases in which it does something */
	unsigned already; /* phases in which it is true already */
	const char *use;  /* what to do instead */
} commands[COMMAND_COUNT] = {
    [COMMAND_PROMOTE] = {"promote", IN(PROGRESSING) | IN(PAUSED), IN(SUCCEEDED),
	"only a progressing or paused rollout can be promoted"},
    [COMMAND_APPROVE] = {"approve", IN(PROGRESSING) | IN(PAUSED), IN(SUCCEEDED),
	"only a progressing or paused rollout can be approved"},
    [COMMAND_PAUSE] = {"pause", IN(PROGRESSING), IN(PAUSED),
	"only a progressing rollout can be paused; abort works in every phase"},
    [COMMAND_RESUME] = {"resume", IN(PAUSED), IN(PROGRESSING),
	"only a paused rollout can be resumed"},
    [COMMAND_RETRY] = {"retry", IN(PROGRESSING) | IN(PAUSED) | IN(ABORTING) | IN(FAILED), 0,
	"a rollout that has ended is not tried again: start a new one"},
    [COMMAND_ABORT] = {"abort", LIVE | IN(FAILED), IN(ABORTING) | IN(ABORTED),
	"it has ended: use undo to go back to the release before"},
};

const char *
command_name(enum command command)
{
	return commands[command].name;
}

enum command
command_of(const char *name)
{
	int i = 0;
	while (i < COMMAND_COUNT && strcmp(commands[i].name, name) != 0)
		i++;
	return (enum command)i;
}

static void
add_phase(struct events *events, int64_t now_ms, enum phase to, const char *reason)
{
	events_add(events, EVENT_PHASE, now_ms,
	    json_pack("{s:s, s:s}", "to", phase_name(to), "reason", reason));
}

static void
add_promotion(const struct rollout *r, bool full, int64_t now_ms, struct events *events)
{
	if (r->phase == PHASE_PAUSED)
		add_phase(events, now_ms, PHASE_PROGRESSING, "");
	if (full && r->compiled && r->stage < r->ladder.full)
		events_add(
		    events, EVENT_STAGE, now_ms, json_pack("{s:i}", "index", r->ladder.full));
	/* The way there is not waited for either: hold, approval and gates of the stage are
	 * skipped. */
	events_add(events, EVENT_COMMAND, now_ms,
	    json_pack("{s:s, s:b}", "name", "promote", "full", full));
}

static void
add_events(const struct rollout *r, enum command command, bool full, const char *reason,
    int64_t now_ms, struct events *events)
{
	if (command == COMMAND_PROMOTE) {
		add_promotion(r, full, now_ms, events);
		return;
	}
	events_add(events, EVENT_COMMAND, now_ms,
	    json_pack("{s:s, s:s}", "name", command_name(command), "reason", reason));
	if (command == COMMAND_PAUSE)
		add_phase(events, now_ms, PHASE_PAUSED, reason[0] ? reason : "paused by command");
	else if (command == COMMAND_ABORT)
		add_phase(
		    events, now_ms, PHASE_ABORTING, reason[0] ? reason : "aborted by command");
	else if (r->phase == PHASE_PAUSED && command != COMMAND_APPROVE)
		add_phase(events, now_ms, PHASE_PROGRESSING, "");
	else if (r->phase == PHASE_FAILED)
		add_phase(events, now_ms, PHASE_ABORTING, r->reason);
}

bool
command_approves(const struct rollout *r, enum command command, bool full)
{
	if (command == COMMAND_APPROVE)
		return true;
	if (command != COMMAND_PROMOTE || !r->compiled)
		return false;
	int last = full && r->ladder.full > r->stage ? r->ladder.full : r->stage;
	for (int i = r->stage; i <= last; i++)
		if (r->ladder.stages[i].approve && !(i == r->stage && r->approved))
			return true;
	return false;
}

static bool
is_own_approval(
    const struct rollout *r, enum command command, bool full, const char *by, struct err *why)
{
	bool own = by[0] != '\0' && strcmp(by, r->starter) == 0 && !r->app->self_approval &&
		   command_approves(r, command, full);
	if (own)
		err_set(why,
		    "rollout %s was started by the same %s%s: somebody else must approve it "
		    "(another "
		    "user of the host, or another token), or the app says selfApproval: true, "
		    "which "
		    "counts for rollouts that are started from then on",
		    r->id, by,
		    command == COMMAND_PROMOTE ? ", and this goes past an approval" : "");
	return own;
}

enum command_answer
command_give(const struct rollout *r, enum command command, bool full, const char *by,
    const char *reason, int64_t now_ms, struct events *events, struct err *why)
{
	if (commands[command].already >> r->phase & 1)
		return COMMAND_NOTHING;
	if (!(commands[command].allowed >> r->phase & 1)) {
		err_set(why, "rollout %s is %s: %s", r->id, phase_name(r->phase),
		    commands[command].use);
		return COMMAND_REFUSED;
	}
	if (command == COMMAND_PROMOTE && !r->compiled) {
		err_set(why, "rollout %s has not begun yet: wait for its first stage", r->id);
		return COMMAND_REFUSED;
	}
	if (is_own_approval(r, command, full, by, why))
		return COMMAND_REFUSED;
	add_events(r, command, full, reason, now_ms, events);
	return COMMAND_TAKEN;
}
