/* A topic is a rollout that somebody follows. Its state is looked at once for all who do, at most
 * once a turn after events and once a second otherwise, and lives as long as it has a follower. */
#ifndef API_TOPIC_H
#define API_TOPIC_H

#include "api/api_room.h"
#include "api/wait.h"
#include "base/id.h"

struct topic {
	char id[ID_SIZE];
	struct stream *streams; /* stream.c */
	struct wait *waits;	/* wait.c */
	char *state;		/* as last rendered; NULL: not yet */
	uint64_t version;	/* of the state; changes with it */
	struct api_stand stand; /* the same, for who waits */
	bool dirty;		/* it is to be looked at again */
	bool final;		/* the state is the last one, unless an event comes */
};

struct topic *api_topic(struct api *api, const char *id); /* made if there is none */
/* Its state is looked at again, and its followers are fed, at the end of this turn. */
void api_topic_look(struct api *api, struct topic *topic);
void api_topics_feed_later(struct api *api); /* its followers alone */
/* The client of a request has gone. False: it follows nothing. */
bool api_topics_gone(struct api *api, uint64_t number);
void api_topics_stop(struct api *api); /* ends whoever follows */

/* stream.c: the followers of a topic that are streams */
void api_streams_event(struct api *api, struct topic *topic, const struct journal_row *row);
void api_streams_feed(struct api *api, struct topic *topic);
void api_streams_beat(struct api *api, const struct topic *topic); /* once a second */
bool api_streams_gone(struct topic *topic, uint64_t number);
void api_streams_end(struct api *api, struct topic *topic); /* the daemon stops */

/* wait.c: the followers of a topic that are requests */
void api_waits_feed(struct api *api, struct topic *topic);
bool api_waits_gone(struct topic *topic, uint64_t number);
void api_waits_end(struct api *api, struct topic *topic); /* the daemon stops */

#endif
