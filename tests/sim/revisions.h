/* revisions: the templates that a StatefulSet or a DaemonSet has had, each kept as a
 * ControllerRevision that it owns. The same template again gets the old one, as the newest. */
#ifndef SIM_REVISIONS_H
#define SIM_REVISIONS_H

#include "store.h"

/* The label of a pod that says which one it is of. */
#define REVISION_LABEL "controller-revision-hash"

/* The one of owner's template now, made if there is none; label is where it keeps its hash. */
struct obj *revision_now(struct obj *owner, const char *label);
/* By name, or NULL. */
struct obj *revision_named(const struct obj *owner, const char *name);
const char *revision_hash(const struct obj *revision, const char *label);
json_t *revision_template(const struct obj *revision);
/* The label of a pod, "" if it has none. */
const char *revision_of_pod(const struct obj *pod);
/* Deletes the oldest ones beyond the history limit; what used(owner, revision) stays. */
void revisions_trim(struct obj *owner, bool (*used)(const struct obj *, const struct obj *));

#endif
