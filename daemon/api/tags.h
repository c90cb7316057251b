/* ETags in requests (RFC 9110): which app a client has seen, and what it asks for because of it. */
#ifndef API_TAGS_H
#define API_TAGS_H

#include "api/api_room.h"
#include "model/app_tag.h"

/* If-Match and If-None-Match of a request that changes an app. False: answered with 400. create:
 * If-None-Match: * is allowed. */
bool api_ask_condition(struct call *call, bool create, struct app_condition *condition);
/* If-None-Match of one that reads: *seen says that the client has this one. False: as above. */
bool api_ask_seen(struct call *call, const char *tag, bool *seen);

#endif
