/* Follows one rollout to its end or to a goal: state first, then the stream from the cursor on;
 * when the connection is lost (a restart of the daemon), again, with a back-off, until the time is
 * up. */
#ifndef CLI_NET_FOLLOW_H
#define CLI_NET_FOLLOW_H

#include "args.h"
#include "net/client.h"

/* How it is shown. Any function may be NULL. */
struct view {
	void (*state)(void *ctx, const json_t *rollout);
	void (*event)(void *ctx, const json_t *item);
	void (*link)(void *ctx, bool up, const char *text); /* the connection was lost, is back */
	void (*tick)(void *ctx);			    /* about four times a second */
};

struct follow {
	struct client *client;
	const char *id;
	struct goal goal;
	int64_t timeout_ms; /* -1: none */
	const struct view *view;
	void *ctx;
	/* Results. */
	json_t *rollout;  /* as last seen; NULL: never; owned by the caller */
	struct answer no; /* the answer that refused, when the code says so; answer_done it */
	struct err why;	  /* when it timed out without a connection: what was wrong with it */
};

/* Returns an exit code (enum code). */
int follow_run(struct follow *follow);

#endif
