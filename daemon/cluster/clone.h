/* Cloning: the canary's Deployment and Service, made from the user's own, and the labels that tell
 * the canary's pods from the stable ones. Pure; results are new references. */
#ifndef CLUSTER_CLONE_H
#define CLUSTER_CLONE_H

#include <jansson.h>
#include "base/err.h"
#include "model/app.h"

#define CLONE_SIDE                                                                                 \
	"airis.io/side" /* label "canary": on the pods and in the Deployment's selector. Of a      \
			 * colour: "blue", "green" */
#define CLONE_NAME_MAX 63

/* Host mode: the labels that canary pods have in place of the stable ones, so that Service X does
 * not choose them and X-canary does. theirs: X-canary when the user made it, else NULL: then it is
 * one label of X's selector with "-canary" at its end. NULL: e says why X or theirs cannot do. */
must_check json_t *clone_host_labels(const json_t *service, const json_t *theirs, struct err *e);

/* The label of a selector by which its pods are best told from others; NULL: it has none. */
const char *clone_telling_label(const json_t *selector);

/* The canary's Deployment. labels: over those of the stable pods. NULL: e (a name too long, the
 * container is not there). */
must_check json_t *clone_deployment(const struct app *app, const json_t *stable,
    const json_t *labels, const char *image, int replicas, struct err *e);
/* The canary's Service: ports and selector (with labels in it), always of type ClusterIP. */
must_check json_t *clone_service(
    const struct app *app, const json_t *service, const json_t *labels, struct err *e);
/* An object's metadata with our mark and nothing else; for what is not cloned. */
json_t *clone_metadata(const struct app *app, const char *name);

/* The labels of the stable Deployment's pods with these over them; a new reference. */
json_t *clone_pod_labels(const json_t *stable, const json_t *labels);

#endif
