/* From an act to one request, and from its answer to an outcome. Pure: what is decided here depends
 * only on the act, the objects as they were read, the baseline, and the answer. */
#ifndef CLUSTER_ACT_PLAN_H
#define CLUSTER_ACT_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include "cluster/kube_kinds.h"
#include "cluster/observe.h"
#include "model/act.h"
#include "model/baseline.h"

#define ACT_TEXT 1024

enum act_verb { ACT_POST, ACT_PATCH, ACT_DELETE };

struct act_plan {
	bool send; /* false: outcome and text are the answer */
	enum act_outcome
	    outcome; /* ALREADY, REFUSED or CONFLICT (what it was decided on is gone) */
	char text[ACT_TEXT];
	enum kube_kind kind; /* the object; also to be read back */
	char name[APP_NAME];
	enum act_verb verb;
	json_t *body; /* owned; released by act_plan_done */
	char uid[64]; /* of the object; "": none yet */
};

void act_plan(const struct app *app, const struct baseline *baseline, const struct act *act,
    const struct observe_objects *objects, struct act_plan *plan);
void act_plan_done(struct act_plan *plan);
const char *act_verb_method(enum act_verb verb);       /* "PATCH" */
const char *act_verb_content_type(enum act_verb verb); /* "application/json-patch+json" */

enum act_sent { ACT_SENT_ANSWERED, ACT_SENT_NOT, ACT_SENT_UNKNOWN };
struct act_answer {
	enum act_sent sent;
	int status;
	const char *reason, *message; /* of the Status; never NULL */
};
struct act_judgement {
	enum act_outcome outcome;
	bool read; /* the object must be read again before the outcome is told */
	bool
	    exists; /* a create met an object of that name: ALREADY if that is ours, else REFUSED */
	bool gone;  /* the object is not there any more */
	char text[ACT_TEXT];
};
void act_judge(
    const struct act_plan *plan, const struct act_answer *answer, struct act_judgement *judgement);

#endif
