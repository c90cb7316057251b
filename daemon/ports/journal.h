/* The socket for the store. Appending is asynchronous and grouped; reading small things is not. One
 * batch is atomic. Sequence numbers are given when the batch is handed over, in order, and are
 * never used twice. */
#ifndef PORTS_JOURNAL_H
#define PORTS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/chain.h"
#include "base/err.h"

enum journal_kind {
	JOURNAL_EVENT, /* key: rollout; name: event kind; text: its JSON; number: out, the sequence
			  number */
	JOURNAL_ROLLOUT, /* key: rollout; app, cluster; name: phase; text: summary JSON; number:
			  * release; final: nothing follows. An index for lists: always derived from
			  * the events */
	JOURNAL_APP,	 /* key: app; text: its spec as JSON; NULL text: deleted */
	JOURNAL_RELEASE, /* key: app; number: release; text: JSON. Written once, never changed */
	JOURNAL_KEY,	 /* key: Idempotency-Key; name: hash of the request; text: the rollout. It
			  * takes the place of the same key if that is JOURNAL_KEY_MS older */
	JOURNAL_TOKEN,	 /* key: token's id; text: its JSON; NULL text: number 0 revokes it, any
			  * other is the time it was used last, which makes no token of none */
	JOURNAL_OUTBOX,	 /* key: rollout; app: the hook; name: its event; actor: id of the delivery;
			  * text: JSON. NULL text: number is done with */
	JOURNAL_AUDIT	 /* audit alone; its number and hash are given when it is written */
};

/* So long a key is good for; an older one may be read still, or be gone. */
#define JOURNAL_KEY_MS (INT64_C(24) * 3600 * 1000)

/* What waits for a hook is counted no further. */
#define JOURNAL_OUTBOX_COUNT 10000

struct journal_write {
	enum journal_kind kind;
	const char *key, *app, *cluster, *name, *text, *actor; /* copied */
	int64_t number;
	int64_t at_ms;
	bool final;
	const struct chain_row *audit; /* copied */
	bool
	    urgent; /* it may use the disk space that is kept for aborts; so may all of its batch */
};

struct journal_row { /* what reading gives; strings are valid during the callback */
	int64_t seq, at_ms, number;
	const char *key, *app, *cluster, *name, *text, *actor;
	bool final;
};
typedef bool journal_each(void *ctx, const struct journal_row *row); /* false: enough */

struct journal_audit { /* valid during the callback */
	struct chain_row row;
	unsigned char hash[CHAIN_HASH];
};
typedef bool journal_audit_each(void *ctx, const struct journal_audit *audit);

struct journal_head { /* the newest row of the audit; seq 0: there is none yet */
	int64_t seq, at_ms;
	unsigned char hash[CHAIN_HASH];
	char chain[40]; /* the database's identity, which the first row is chained to */
};

struct journal_audit_filter { /* NULL: any */
	const char *app, *rollout, *who;
	int64_t after;	/* rows after this one, oldest first, or */
	int64_t before; /* if not 0: rows before this one, newest first */
	int limit;
};

struct journal_filter { /* for rollouts; NULL or 0: any */
	const char *app, *phase, *cluster;
	const char *before; /* cursor: ids older than this one, newest first */
	int limit;
	bool live; /* only those that are not final; oldest first */
};

struct journal_port {
	void *ctx;
	/* Sequence numbers of EVENT writes are filled into writes[i].number before it returns. done
	 * comes in a later turn: ok after the commit, or not, with the reason (then nothing of the
	 * batch is there). */
	void (*append)(void *ctx, struct journal_write *writes, int count,
	    void (*done)(void *done_ctx, uint64_t ticket, bool ok, const char *why), void *done_ctx,
	    uint64_t ticket);
	/* Synchronous, indexed, bounded reads. 0 or -1. A limit of 0: all, page by page. Within
	 * each, reading and appending are allowed. */
	int (*events)(void *ctx, const char *rollout, int64_t after_seq, int limit,
	    journal_each *each, void *each_ctx, struct err *e); /* rollout NULL: of all */
	int (*rollouts)(void *ctx, const struct journal_filter *filter, journal_each *each,
	    void *each_ctx, struct err *e);
	int (*apps)(void *ctx, journal_each *each, void *each_ctx, struct err *e);
	int (*releases)(void *ctx, const char *app, int before, int limit, journal_each *each,
	    void *each_ctx, struct err *e); /* newest first; before 0: from the newest */
	/* key: id; text: JSON; number: when it was used last. NULL: this journal keeps none. */
	int (*tokens)(void *ctx, journal_each *each, void *each_ctx, struct err *e);
	/* Calls each at most once. */
	int (*key)(void *ctx, const char *key, journal_each *each, void *each_ctx, struct err *e);
	/* What waits for a hook, oldest first: key, app, name, actor, text as in JOURNAL_OUTBOX.
	 * The row at which each says enough is the last. */
	int (*outbox)(void *ctx, const char *hook, int64_t after, int limit, journal_each *each,
	    void *each_ctx, struct err *e);
	/* The oldest row of the first hook, by its name, after that one; "" : of the first. */
	int (*outbox_next)(
	    void *ctx, const char *hook, journal_each *each, void *each_ctx, struct err *e);
	/* JOURNAL_OUTBOX_COUNT: so many or more; -1: it cannot be read. */
	int64_t (*outbox_count)(void *ctx, const char *hook);
	int64_t (*last_seq)(void *ctx); /* the newest durable event */
	int (*audit)(void *ctx, const struct journal_audit_filter *filter, journal_audit_each *each,
	    void *each_ctx, struct err *e); /* a limit of 1 to 1000 */
	int (*audit_head)(void *ctx, struct journal_head *head, struct err *e);
};

#endif
