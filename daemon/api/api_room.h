/* Inside of the api: what its files share. A request is a struct call while its handler runs; what
 * outlives that is known by the request's number only. */
#ifndef API_API_ROOM_H
#define API_API_ROOM_H

#include <jansson.h>
#include "api/answer.h"
#include "api/api.h"
#include "base/map.h"

enum {
	API_LIMIT = 100, /* rows of a list, unless asked for */
	API_LIMIT_MAX = 500,
	API_TEXT = 512,
	API_ACTOR = 128,
	API_COMMIT = 128,
	API_KEY = 128,
	API_PLANS_MAX = 32
};

struct api_token {
	char *file; /* NULL: none */
	bool known;
	unsigned char digest[32];
	int64_t checked_ms; /* monotonic */
	int64_t changed_ns, size;
	uint64_t inode;
};

struct api {
	struct loop *loop;
	struct engine *engine;
	struct httpd *httpd; /* NULL: stopped */
	struct api_ports ports;
	struct api_token token;
	struct rate *asks, *logins;   /* NULL: no limit */
	struct map *pending;	      /* request number -> struct pending */
	int plans;		      /* of these, plans */
	struct map *topics;	      /* rollout -> struct topic: who follows it */
	int followers, max_followers; /* streams and waits */
	int64_t heartbeat_ms, slow_ms;
	struct loop_timer *tick; /* of the topics */
	bool flush_due;
	struct map *asked; /* request number -> struct asked: not answered yet */
	struct api_stats stats;
};

struct call {
	struct api *api;
	struct httpd_request *request;
	uint64_t number;
	char arg[256];	      /* what stands for {app} or {id} in the path */
	char name[API_ACTOR]; /* of actor */
	char who[API_ACTOR];  /* the same, without what it says of itself */
	struct actor actor;   /* points into this call, and to the peer */
};

/* auth.c */
must_check int api_token_load(struct api_token *token, struct err *e);
/* Loads it again if its file has changed; looked at once a second, or at once. */
void api_token_check(struct api_token *token, bool at_once);
bool api_token_fits(const struct api_token *token, const char *authorization);
bool api_actor(struct call *call); /* false: answered with 400 */

/* pending.c: requests whose answer comes from the engine */
enum pending_kind { PENDING_ROLLOUT, PENDING_APP, PENDING_DELETE, PENDING_PLAN };
struct pending {
	enum pending_kind kind;
	char image[APP_IMAGE]; /* of a plan */
	int64_t until_ms;      /* of a rollout: it is waited for then, and has a place; 0: not */
};
struct pending *api_pend(struct api *api, uint64_t number, enum pending_kind kind);
struct engine_reply api_reply(
    struct call *call, enum pending_kind kind); /* the same, and a reply */
/* The same of a rollout that is waited for so long; 0: not. It has a place then. */
struct engine_reply api_reply_wait(struct call *call, int64_t wait_ms);
struct pending *api_pended(struct api *api, uint64_t number); /* taken out; NULL: gone. free() it */
void api_pending_gone(struct api *api, uint64_t number);
/* Answers with the rollout as it is now. */
void api_answer_rollout(struct api *api, uint64_t number, bool created, const char *id);

/* count.c: each request ends once, with the status it was answered with; 0: nobody waits for it */
struct api_route;
void api_count_begin(struct api *api, uint64_t number);
void api_count_end(struct api *api, uint64_t number, int status);
/* It may know that there is this route. */
void api_count_route(struct api *api, uint64_t number, const struct api_route *route);
void api_count_waits(struct api *api, uint64_t number); /* from here on at its own wish */

/* rollouts.c: 0, or -1 with what it was answered with */
must_check int api_look(struct api *api, uint64_t number, const char *id, struct engine_look *look);
bool api_id_ok(struct call *call); /* false: answered with 404 */

/* stream.c */
void api_stream_open(struct call *call, int64_t after);

#endif
