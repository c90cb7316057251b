/* Requests whose answer comes from the engine: known by their number, so that an answer for a
 * client that has gone finds nothing and is dropped. */
#ifndef API_PENDING_H
#define API_PENDING_H

#include "api/who.h"

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

/* tokens.c: gives the token an id and a secret; it is answered with when it is durable */
struct token;
void api_issue_token(
    struct api *api, uint64_t number, struct token *token, const struct actor *actor);

#endif
