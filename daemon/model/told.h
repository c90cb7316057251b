/* What is told of a rollout where people look at its workload: one notice, one sentence. Pure. */
#ifndef MODEL_TOLD_H
#define MODEL_TOLD_H

#include "model/notice.h"

#define TOLD_TEXT 1024 /* bytes with the NUL: whoever takes it takes no more */

struct told { /* borrowed */
	enum notice notice;
	bool bad;	     /* as told_is_bad */
	const char *rollout; /* its id */
	int64_t seq, at_ms;  /* of the event */
	const char *text;
};

/* It is not as it was wished for, and nobody asked for that. actor "" : airisd itself. */
bool told_is_bad(enum notice notice, const char *actor);
/* What happened, why, by whom, and what was measured. Valid UTF-8, cut between characters. */
void told_text(
    const struct rollout *rollout, enum notice notice, const char *actor, char to[TOLD_TEXT]);

#endif
