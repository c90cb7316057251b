/* Requests that wait for a rollout: ?wait=30s. Streams and waits have one budget: who wants to
 * follow takes a place of it first, before anything is started. */
#ifndef API_WAIT_H
#define API_WAIT_H

#include "api/api_room.h"

struct api_stand {
	int64_t cursor; /* the newest event */
	bool ended;	/* nothing follows */
	bool stands;	/* ended, or waits for a person: paused, failed, or for an approval */
};
void api_stand(const struct engine_look *look, struct api_stand *stand);
/* Is it where it is waited for? after: for an event after this one; -1: until it stands. */
bool api_stand_fits(const struct api_stand *stand, int64_t after);

/* The query's wait in ms, 0 if there is none. False: answered with 400. */
bool api_ask_wait(struct call *call, int64_t *wait_ms);
/* False: answered with 429. */
bool api_place_take(struct call *call);
void api_place_free(struct api *api);

struct api_wish {
	int64_t after;		    /* as above */
	int64_t until_ms;	    /* monotonic: then it is answered anyway */
	const struct api_mark *who; /* copied: who asked, and must still be allowed to see it */
	bool created;		    /* with 201 and a Location, else 200 */
};
/* The request is answered with the rollout's state, in this turn or later. It has a place, which is
 * freed then. */
void api_wait(struct api *api, uint64_t number, const char *id, const struct api_wish *wish);

#endif
