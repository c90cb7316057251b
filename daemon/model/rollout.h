/* Rollout: one attempt to bring one release to one cluster. Its state is the fold of its events and
 * nothing else: rollout_fold is the only code that changes it, so what is in memory after a restart
 * is what was there before. All times are wall-clock ms. */
#ifndef MODEL_ROLLOUT_H
#define MODEL_ROLLOUT_H

#include "base/id.h"
#include "model/act.h"
#include "model/app.h"
#include "model/baseline.h"
#include "model/event.h"
#include "model/ladder.h"
#include "model/mesh.h"
#include "model/phase.h"
#include "model/verdict.h"

enum side { SIDE_STABLE, SIDE_CANARY };

struct side_facts { /* has had at least `ready` ready endpoints since `since_ms` */
	int ready;
	int64_t since_ms;
};

struct gate_state { /* of one gate, since the stage (or the last weight change) began */
	int count, failures;
	int passes;	  /* in a row */
	int64_t again_ms; /* asked again since, after it had not been for long; 0: always was */
	struct gate_sample last;
};

struct stage_record {
	int64_t entered_ms, settled_ms, left_ms; /* 0: not yet */
	bool skipped;
	struct gate_state *gates; /* as they stood when the stage was left; NULL: none measured */
};

struct climb { /* the ladder as it was compiled, owned */
	struct stage *stages;
	int count, full;
};

struct waiting { /* why it is not moving */
	char object[APP_NAME * 2];
	char what[640];
	char next[256];
	char reason[64];	    /* of the pods: "ImagePullBackOff"; "" none */
	int64_t since_ms, until_ms; /* until 0: no end known */
};

struct attempt { /* the last act */
	struct act act;
	uint64_t number;     /* of this rollout, 1, 2, … */
	int64_t sent_ms;     /* not later than it was sent */
	int64_t answered_ms; /* 0: not yet */
	bool pending;	     /* sent or about to be; no outcome yet */
	int failures;	     /* in a row, without an effect */
	int64_t retry_ms;    /* not before; 0: now */
	enum act_outcome outcome;
	char text[512];
};

struct drift {	       /* a foreign edit that stands */
	char what[32]; /* "weight", "image", "canary image", "canary size"; "" none */
	char found[APP_IMAGE], expected[APP_IMAGE];
	char by[APP_NAME];
	int64_t since_ms;
	int repairs; /* how often we wrote over it since the stage began */
	bool repair; /* a person said: write it again */
};

struct rollout {
	char id[ID_SIZE];
	struct app *app; /* as it was at the start; shared with others that have the same */
	struct release release;
	enum phase phase;
	char reason[640]; /* of the phase; "" none */
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
	int canary;	 /* the canary's replicas as we left it; 0: none */
	/* what was seen */
	int seen;	    /* the route's weight */
	int64_t seen_ms;    /* since when it is that; 0: from before the start */
	int64_t sent_ms;    /* not later than it was written by us; 0: others wrote it */
	int64_t routing_ms; /* the last write of routing structure; 0: none */
	int taken;	    /* the last weight that the data plane is known to have had */
	struct mesh_fact mesh[MESH_SUBJECTS];
	struct side_facts sides[2];
	int peak;	     /* most ready endpoints in this stage: the deadline's progress */
	int64_t progress_ms; /* the stage's deadline counts from here */
	int relapses;	     /* how often the stage was reached and lost again */
	struct attempt attempt;
	struct drift drift;
	struct waiting waiting;	   /* object "" : it is not waiting */
	int64_t last_seq, last_ms; /* of the newest event folded */
	int64_t back_ms;	   /* of the first event after a long absence; 0: none */
};

struct rollout *rollout_new(const char *id);
/* Uses this app instead of its own, if they are the same: so there is one of them in memory. */
void rollout_share_app(struct rollout *rollout, const struct app *app);
void rollout_free(struct rollout *rollout);
/* 0, or -1 for an event that cannot follow (a damaged journal): nothing was changed then. */
must_check int rollout_fold(struct rollout *rollout, const struct event *event, struct err *e);
/* When the subject changed last; 0: before the start. */
int64_t rollout_changed_ms(const struct rollout *rollout, enum mesh_subject subject);
/* The data plane is known to have taken that change. */
bool rollout_taken(const struct rollout *rollout, enum mesh_subject subject);
/* So long after its newest event that airisd or the clock was away: time assumes nothing then. */
bool rollout_was_away(const struct rollout *rollout, int64_t now_ms);
const struct stage *rollout_stage(const struct rollout *rollout); /* NULL before it was compiled */

json_t *release_json(const struct release *release); /* new reference */
must_check int release_parse(const json_t *json, struct release *release, struct err *e);

#endif
