/* Notices: what others are told of a rollout. Their names are an interface (docs/rest.md): they may
 * become more, and none changes its meaning. */
#ifndef MODEL_NOTICE_H
#define MODEL_NOTICE_H

#include "model/rollout.h"

enum notice {
	NOTICE_STARTED,	 /* it was created */
	NOTICE_STAGE,	 /* it has come to another stage */
	NOTICE_PAUSED,	 /* a person is needed to go on */
	NOTICE_APPROVAL, /* a person is asked to approve */
	NOTICE_RESUMED,	 /* it is no longer paused */
	NOTICE_ABORTING, /* it goes home, */
	NOTICE_ABORTED,	 /* and is there */
	NOTICE_SUCCEEDED,
	NOTICE_FAILED, /* it cannot go home alone */
	NOTICES	       /* none of them */
};

const char *notice_name(enum notice notice);
enum notice notice_of_name(const char *name); /* NOTICES: no such */

/* What a rollout was like before an event was folded. */
struct notice_mark {
	enum phase phase;
	bool approval; /* it waited for one */
};
struct notice_mark notice_mark(const struct rollout *rollout);
/* What is to be told of that event; the rollout is as it is after it. NOTICES: nothing. */
enum notice notice_of(
    const struct rollout *rollout, enum event_kind kind, const struct notice_mark *before);

#endif
