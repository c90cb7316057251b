/* gc: how objects go: grace of pods, finalizers, and what their owners' end means for them. */
#ifndef SIM_GC_H
#define SIM_GC_H

#include "store.h"

enum propagation { BACKGROUND, FOREGROUND, ORPHAN };

void gc_init(void);
/* Deletes as the API does. grace in seconds, -1: the object's own. The object may be gone
 * afterwards, or stay with a deletionTimestamp. */
void gc_delete(struct obj *o, enum propagation how, int64_t grace);
/* Finishes a deletion that waited for finalizers, if none is left; true if o is gone now. */
bool gc_settle(struct obj *o);
/* How long a deleted pod takes to go, ms. */
enum { POD_GONE_MS = 300 };

#endif
