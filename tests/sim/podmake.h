/* podmake: what the controllers that own pods have in common: making one of a template, and what
 * state it is in. */
#ifndef SIM_PODMAKE_H
#define SIM_PODMAKE_H

#include "store.h"

/* A pod that owner is to have, not stored yet; name NULL: "OWNER-" and a random end. What it
 * shares with the template is not owned: change it by jx_own alone. */
json_t *pod_of(const struct obj *owner, const json_t *template, const char *name);
/* The node it is on, or the only one that its affinity leaves it; NULL: any. */
const char *pod_node(const struct obj *pod);
bool pod_going(const struct obj *pod);
/* Whether its phase is Succeeded or Failed. */
bool pod_ended(const struct obj *pod);
/* Whether it is ready for min_s; if it is ready and not that old yet, *next_ms becomes the time
 * until then, where that is less than it was (0: nothing known). */
bool pod_available(struct obj *pod, int64_t min_s, uint64_t *next_ms);

#endif
