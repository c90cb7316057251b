/* The socket for a cluster: look, be told of changes, act. The engine holds it as a table of
 * functions; production is cluster/, tests have their own. Everything runs in the loop thread, and
 * no callback comes before the call that causes it has returned. */
#ifndef PORTS_CLUSTER_H
#define PORTS_CLUSTER_H

#include <jansson.h>
#include "model/act.h"
#include "model/app.h"
#include "model/baseline.h"
#include "model/findings.h"
#include "model/observed.h"
#include "model/told.h"

struct cluster_events {
	void *ctx;
	/* Something of this app changed (or may have). */
	void (*changed)(void *ctx, const char *app);
	/* The answer to act number; text is what the cluster said, "" if nothing. retry_after_ms:
	 * -1 none. */
	void (*acted)(void *ctx, uint64_t number, enum act_outcome outcome, const char *text,
	    int64_t retry_after_ms);
};

struct cluster_port {
	void *ctx;
	/* Follow an app's objects while a rollout needs them. The app is shared (app_share).
	 * Following again replaces. Unfollowed namespaces are watched a little longer, then let go.
	 * to_act: acts will follow, so the right to write in the cluster is sought meanwhile. */
	void (*follow)(void *ctx, const struct app *app, bool to_act);
	void (*unfollow)(void *ctx, const char *app);
	/* What is there now, from the caches; new_image tells which ready pods run the release. */
	void (*observe)(
	    void *ctx, const struct app *app, const char *new_image, struct observed *seen);
	/* Read the app's objects directly, past the caches, then call changed; observed.verified_ms
	 * tells. */
	void (*verify)(void *ctx, const struct app *app);
	/* Carries an act out; returns its number, never 0. The answer comes by acted, always, with
	 * a deadline. */
	uint64_t (*act)(void *ctx, const struct app *app, const struct baseline *baseline,
	    const struct act *act);
	/* Asks the cluster whether it would let us write what a rollout of this app writes, whose
	 * objects are fresh. It costs requests: only before a start, or for who wants to know. done
	 * comes once, in a later turn (found is borrowed); how long to wait for it is the caller's.
	 * NULL: it cannot be asked. */
	uint64_t (*review)(void *ctx, const struct app *app,
	    void (*done)(void *done_ctx, uint64_t number, const struct findings *found),
	    void *done_ctx);
	void (*review_cancel)(void *ctx, uint64_t number); /* then it never comes */
	/* Shows a durable notice on the app's workload, if it can; nobody waits for it. The same
	 * one again changes nothing. NULL: it shows none. */
	void (*tell)(void *ctx, const struct app *app, const struct told *told);
};

#endif
