/* What the state of a rollout is made of. Plain data; only the fold writes it. */
#ifndef MODEL_PARTS_H
#define MODEL_PARTS_H

#include "model/act.h"
#include "model/app.h"
#include "model/ladder.h"
#include "model/late.h"
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
	int ready;				 /* the canary's endpoints when it was reached */
	bool outgrown; /* reached, and the canary is to be larger since, as the stable side is */
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
	char what[32]; /* "weight", "image", "pace", "canary image", "canary size", "stable size";
			* "" none */
	char found[APP_IMAGE], expected[APP_IMAGE];
	char by[APP_NAME];
	int64_t since_ms;
	int repairs; /* how often we wrote over it since the stage began */
	bool repair; /* a person said: write it again */
};

#endif
