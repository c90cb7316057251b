/* decide: the whole next move of a rollout, as a pure function of its state, what is observed and
 * the time: events to write, at most one act to send, what it waits for, when to look again. The
 * engine writes, sends and calls again; it makes no decision of its own. */
#ifndef MODEL_DECIDE_H
#define MODEL_DECIDE_H

#include "model/converge.h"
#include "model/findings.h"
#include "model/rollout.h"

struct situation {
	const struct rollout *rollout;
	const struct observed *seen;
	int64_t now_ms;
	int64_t settle_ms;
	int64_t back_ms; /* airisd was away until then, see rollout_was_away; 0: not for long */
	const struct mesh_asking *mesh; /* NULL: it cannot be asked */
	bool under_way; /* an act was sent that is not answered yet; it may be an older one */
	const char *unwritten; /* why the journal cannot be written; NULL: it can */
	/* What was asked of the cluster and the data sources before a start has been answered:
	 * NULL: nothing was found. unasked: not yet, or too long ago. */
	const struct findings *found;
	bool unasked;
	const char *before;	   /* id of a rollout of the same app that goes first; NULL: none */
	const char *superseded_by; /* id of one that takes its place; NULL: none */
};

struct decision {
	struct events events;	/* to be written, in order; the caller's to free */
	struct act act;		/* kind ACT_NONE: none. Its ACT event is among the events */
	struct waiting waiting; /* why it does not move now; object "": it does */
	struct act repair;	/* scratch: what would undo a foreign edit */
	bool verify;		/* read the objects directly first, then ask again */
	bool inquire;		/* ask what is unasked, then ask again */
	bool ask_mesh;		/* does it answer? also if all that it is asked of is taken */
	int64_t wake_ms;	/* look again then, at the latest; 0: only when something happens */
};

/* Call again after folding its events, until it adds none. */
void decide(const struct situation *situation, struct decision *decision);
/* Instead of it while what was decided last cannot be written down: nothing is built on that, but a
 * gate that fails too often still ends the rollout. */
void decide_unwritten(const struct situation *situation, struct decision *decision);

#endif
