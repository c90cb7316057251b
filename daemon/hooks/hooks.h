/* Webhooks out: what is in the outbox is delivered to those that the settings name, at least once,
 * of one rollout in order. Always true: a row leaves the outbox only when its receiver has taken
 * it, or it was given up, which is said; in memory there is one row of each hook at most, but for a
 * sum. Loop thread only.
 *
 * Receivers are named by admins alone; yet no redirect is followed, an answer is bounded and never
 * shown, and http is for this host only. */
#ifndef HOOKS_HOOKS_H
#define HOOKS_HOOKS_H

#include <jansson.h>
#include "base/glob.h"
#include "hooks/say.h"
#include "loop/loop.h"
#include "ports/clock.h"
#include "ports/journal.h"
#include "ports/notices.h"

struct hooks;

struct hooks_hook { /* texts are copied */
	const char *name, *url;
	const char *secret_file; /* read at each delivery; NULL: not signed */
	const char *ca_file;	 /* NULL: the system's */
	const char *const *headers;
	enum say_format format;
	unsigned events; /* a bit for each notice */
	struct globs namespaces, apps;
	int64_t timeout_ms;
};

struct hooks_ports {
	void *ctx;
	struct clock_port clock;
	struct journal_port journal; /* for reading */
	/* Rows of that hook are done with; hooks_dropped says so in a later turn, with that number.
	 * given_up: why they were not delivered and never will be, which is told together with
	 * their end; NULL: they were, or nobody wants them. */
	void (*drop)(void *ctx, const int64_t *seqs, int count, uint64_t number, const char *hook,
	    const char *given_up);
};

struct hooks *hooks_new(struct loop *loop, const struct hooks_ports *ports);
void hooks_free(struct hooks *hooks); /* NULL is allowed */
/* Is there something wrong with its URL? */
must_check int hooks_check(const struct hooks_hook *hook, struct err *e);
/* From now on these, NOTICE_HOOKS at most. What waits for one that is not there any more is
 * dropped; one that had gone away, or rests after failures, is tried at once. */
void hooks_set(struct hooks *hooks, const struct hooks_hook *list, int count);
/* gone: or they are still there, and are asked for again. */
void hooks_dropped(struct hooks *hooks, uint64_t number, bool gone);
struct notice_port hooks_port(struct hooks *hooks);

enum hooks_state { HOOKS_OK, HOOKS_FAILING, HOOKS_GONE };
struct hooks_status { /* borrowed until the turn's end */
	const char *name, *url, *error;
	enum say_format format;
	enum hooks_state state;
	int64_t waiting;		      /* rows; -1: not known */
	int64_t last_ok_ms, failing_ms;	      /* wall; 0: never, not */
	uint64_t delivered, failed, given_up; /* since the start */
};
int hooks_status(const struct hooks *hooks, struct hooks_status list[NOTICE_HOOKS]);
json_t *hooks_json(const struct hooks *hooks); /* {"webhooks": […]} */

#endif
