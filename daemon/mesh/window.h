/* One window of time in istio_requests_total: the query, and what its answer says. Pure. Inside of
 * mesh. Nothing is extrapolated: counters of two moments are subtracted, and a window that cannot
 * be believed is not used. */
#ifndef MESH_WINDOW_H
#define MESH_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "model/app.h"
#include "model/share.h"

#define WINDOW_REPORTERS 2

struct window {
	struct share_seen seen[WINDOW_REPORTERS]; /* of reporters that had requests */
	int count;
	bool broken;	/* the answer is none: another window will not have a better one */
	char text[200]; /* why it cannot be used */
};

/* PromQL for the last window_ms; owned by the caller. NULL: the app's names do not go into one. */
char *window_query(const struct app *app, int64_t window_ms, struct err *e);

struct window_answer {
	int status; /* HTTP */
	const char *body;
	size_t length;
	int64_t window_ms;
	int64_t elapsed_ms; /* since the change, when it was asked: no request may be older */
};
/* False: it cannot be used, and text says why. */
bool window_read(struct window *window, const struct app *app, const struct window_answer *answer);

#endif
