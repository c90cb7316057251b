/* Rollout: one attempt to bring one release to one cluster. Its state is the fold of its events and
 * nothing else: rollout_fold is the only code that changes it, so what is in memory after a restart
 * is what was there before. All times are wall-clock ms. */
#ifndef MODEL_ROLLOUT_H
#define MODEL_ROLLOUT_H

#include "base/id.h"
#include "base/trace.h"
#include "model/baseline.h"
#include "model/event.h"
#include "model/mesh.h"
#include "model/parts.h"
#include "model/phase.h"
#include "model/release.h"

struct rollout {
	char id[ID_SIZE];
	struct app *app; /* as it was at the start; shared with others that have the same */
	struct release release;
	char starter[128];  /* the certain id of who started it; "" : not known */
	struct trace trace; /* that it is of; no event changes it */
	enum phase phase;
	char reason[1600]; /* of the phase; "" none */
	char superseded_by[ID_SIZE];
	int64_t created_ms, started_ms, ended_ms, phase_ms;
	bool compiled;
	struct baseline baseline;
	struct climb ladder;
	int stage;
	int64_t resumed_ms;	      /* the last resume, retry or restart of waiting */
	bool skip, approved;	      /* asked for in this stage */
	struct stage_record *records; /* one for each stage */
	struct gate_state *gates;     /* one for each gate of the app */
	/* what we wrote */
	int weight;	 /* the last weight that we know to be written by us */
	bool stable_new; /* the stable workload's image as we left it */
	bool rolled;	 /* its image was changed by us, forth or back */
	bool resized;	 /* its size was, or may have been */
	int stable;	 /* its size as we left it, while that is less than at the start; else 0 */
	int batch;	 /* a workload that rolls: held at so many new pods; 0: it is not held */
	int canary;	 /* the canary's replicas as we left it; 0: none */
	/* what was seen */
	int seen;	    /* the route's weight */
	int64_t seen_ms;    /* since when it is that; 0: from before the start */
	int64_t sent_ms;    /* not later than it was written by us; 0: others wrote it */
	int64_t routing_ms; /* the last write of routing structure; 0: none */
	int64_t accepted_of_ms, accepted_ms; /* of which change of the route, and since when */
	int taken;	   /* the last weight that the data plane is known to have had */
	uint64_t maybe[2]; /* a bit for each weight it may have had since, or still has */
	struct mesh_fact mesh[MESH_SUBJECTS];
	struct side_facts sides[2];
	int peak;	     /* most ready endpoints in this stage: the deadline's progress */
	int64_t progress_ms; /* the stage's deadline counts from here */
	int relapses;	     /* how often the stage was reached and lost again */
	struct attempt attempt;
	struct past_act overtaken; /* by an abort, and not answered yet */
	struct late_acts late;
	struct drift drift;
	struct waiting waiting;	   /* object "" : it is not waiting */
	int64_t last_seq, last_ms; /* of the newest event folded */
	bool fenced;		   /* another airisd may write; what it did is not known */
	int64_t back_ms; /* of the first event after a long absence, or a fence; 0: none */
};

struct rollout *rollout_new(const char *id);
/* Uses this app instead of its own, if they are the same: so there is one of them in memory. */
void rollout_share_app(struct rollout *rollout, const struct app *app);
void rollout_free(struct rollout *rollout);
/* 0, or -1 for an event that cannot follow (a damaged journal): nothing was changed then. */
must_check int rollout_fold(struct rollout *rollout, const struct event *event, struct err *e);
/* When the subject changed last; 0: before the start. */
int64_t rollout_changed_ms(const struct rollout *rollout, enum mesh_subject subject);
/* When its route changed last, in weights or structure; 0: before the start. */
int64_t rollout_route_ms(const struct rollout *rollout);
/* The Gateway controllers are known to have accepted that, a Service's endpoints to be those that
 * it selects; a VirtualService needs none. */
bool rollout_accepted(const struct rollout *rollout);
/* From when on time counts: the change; of a route, when that was accepted. */
int64_t rollout_takes_from_ms(const struct rollout *rollout, enum mesh_subject subject);
/* The data plane is known to have taken that change. */
bool rollout_taken(const struct rollout *rollout, enum mesh_subject subject);
/* The nearest weights on each side of the last one that the data plane may still have; -1: none. */
void rollout_other_weights(const struct rollout *rollout, int *below, int *above);
/* So long after its newest event that airisd or the clock was away: time assumes nothing then. */
bool rollout_was_away(const struct rollout *rollout, int64_t now_ms);
/* A past act as it was sent. */
struct act rollout_past_act(const struct rollout *rollout, const struct past_act *past);
const struct stage *rollout_stage(const struct rollout *rollout); /* NULL before it was compiled */

#endif
