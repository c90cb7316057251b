/* Inside of the api: what its files share. A request is a struct call while its handler runs; what
 * outlives that is known by the request's number only. */
#ifndef API_API_ROOM_H
#define API_API_ROOM_H

#include <jansson.h>
#include "access/policy.h"
#include "access/secret.h"
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
	uint64_t version;   /* of the digest: another token has another one */
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
	bool tls, client_ca; /* of TCP */
	struct policy policy;
	/* when expired tokens of CI systems were dropped last */
	int64_t cleaned_ms;
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
	char *description; /* /openapi.json; NULL: nobody has asked yet */
};

struct api_route;

struct call {
	struct api *api;
	const struct api_route *route;
	struct httpd_request *request;
	uint64_t number;
	char arg[256];		    /* what stands for {app} or {id} in the path */
	char name[API_ACTOR];	    /* of actor */
	struct actor actor;	    /* points into this call, and to the peer */
	struct principal principal; /* points into this call, and to the api's policy */
	char namespace[APP_LABEL], app[APP_LABEL]; /* which it is about; "" : not looked at */
};

/* auth.c */
must_check int api_token_load(struct api_token *token, struct err *e);
/* Loads it again if its file has changed; looked at once a second, or at once. */
void api_token_check(struct api_token *token, bool at_once);
bool api_token_fits(const struct api_token *token, const char *secret);

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
