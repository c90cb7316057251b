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
	char namespace[APP_LABEL], app[APP_LABEL]; /* of a rollout, if they were looked at */
};

/* auth.c */
must_check int api_token_load(struct api_token *token, struct err *e);
void api_token_check(struct api_token *token); /* loads it again if its file has changed */
bool api_token_fits(const struct api_token *token, const char *secret);

/* who.c */
bool api_who(struct call *call);   /* false: nobody who is known */
bool api_actor(struct call *call); /* false: answered with 400 */
struct token;
bool api_token_find(const struct api *api, const char *id, struct token *token);
/* Who asked about what, for what goes on after its answer has begun. */
struct api_mark {
	enum principal_kind kind;
	char id[PRINCIPAL_ID], token[SECRET_ID];
	char namespace[APP_LABEL], app[APP_LABEL]; /* "" : whatever it is */
};
void api_mark(const struct call *call, struct api_mark *mark);
bool api_still_sees(const struct api *api, const struct api_mark *mark);

/* may.c; where a function is false that takes a call that is not const, it was answered */
bool api_may(struct call *call, enum right right, const struct app *app); /* one it may see */
bool api_may_app(struct call *call, enum right right, const char *name);
bool api_may_put(struct call *call, const struct app *next);
bool api_may_command(struct call *call, enum command command, bool full);
bool api_sees(const struct call *call, const char *namespace, const char *app);
bool api_sees_all(const struct call *call);

/* pending.c: requests whose answer comes from the engine */
enum pending_kind {
	PENDING_ROLLOUT,
	PENDING_APP,
	PENDING_DELETE,
	PENDING_PLAN,
	PENDING_TOKEN,
	PENDING_EXCHANGE
};
struct pending {
	enum pending_kind kind;
	char image[APP_IMAGE];	  /* of a plan */
	char secret[SECRET_TEXT]; /* of a token that is made */
	char from[API_ACTOR];	  /* of an exchange: where it came from, */
	char address[64];	  /* and by TCP the key of its failures */
	int64_t until_ms;	  /* of a rollout: it is waited for then, and has a place; 0: not */
	struct api_mark who;	  /* the same: by whom */
};
struct pending *api_pend(struct api *api, uint64_t number, enum pending_kind kind);
struct engine_reply api_reply(
    struct call *call, enum pending_kind kind); /* the same, and a reply */
/* The same of a rollout that is waited for so long; 0: not. It has a place then. */
struct engine_reply api_reply_wait(struct call *call, int64_t wait_ms);
struct pending *api_pended(struct api *api, uint64_t number); /* taken out; NULL: gone */
void api_pending_free(void *pending); /* its secret is wiped; NULL is allowed */
void api_pending_gone(struct api *api, uint64_t number);
/* Answers with the rollout as it is now. */
void api_answer_rollout(struct api *api, uint64_t number, bool created, const char *id);

/* tokens.c: the token is the caller's; answered when it is durable */
struct token;
void api_write_token(struct api *api, uint64_t number, const struct token *token,
    const char *secret, const struct actor *actor);

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
