/* A notice of a rollout as an Event of Kubernetes about the app's workload, and what is to be done
 * about an answer to it. Pure.
 *
 * Events of the core API (v1), not of events.k8s.io/v1, which is the same objects behind another
 * door: that one refuses firstTimestamp and lastTimestamp, by which kubectl describe and kubectl
 * get events --sort-by=.lastTimestamp put them in order. What it demands on top (eventTime, action,
 * reportingComponent and -Instance) is given here, too. */
#ifndef CLUSTER_BULLETIN_H
#define CLUSTER_BULLETIN_H

#include "cluster/kube_call.h"
#include "model/app.h"
#include "model/told.h"

#define BULLETIN_NAME 254 /* room for an object's name */

struct bulletin {	  /* all is copied */
	const char *kind; /* static: "Deployment" */
	char namespace[APP_LABEL], workload[APP_NAME];
	char rollout[ID_SIZE];
	enum notice notice;
	bool bad;
	int64_t seq, at_ms;
	char text[TOLD_TEXT];
};

void bulletin_make(const struct app *app, const struct told *told, struct bulletin *bulletin);
/* The same notice has the same name: written twice, it is there once. Of one workload they sort by
 * age. */
void bulletin_name(const struct bulletin *bulletin, char to[BULLETIN_NAME]);
/* uid: the workload's; instance: which airisd. A new reference. */
json_t *bulletin_json(const struct bulletin *bulletin, const char *uid, const char *instance);

enum bulletin_verdict {
	BULLETIN_DONE,	    /* it is there, maybe from before */
	BULLETIN_AGAIN,	    /* later */
	BULLETIN_FORBIDDEN, /* so are all of its namespace, until somebody gives the right */
	BULLETIN_REFUSED    /* this one will never be taken */
};
enum bulletin_verdict bulletin_judge(const struct kube_answer *answer);

#endif
