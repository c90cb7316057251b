/* Inside of hooks: what its files share. */
#ifndef HOOKS_HOOKS_ROOM_H
#define HOOKS_HOOKS_ROOM_H

#include "base/id.h"
#include "hooks/hooks.h"
#include "hooks/pace.h"
#include "http/httpc.h"

#define HOLDS 64      /* rollouts whose turn is later, of a hook */
#define SUM_MOST 1000 /* rows in a sum, or given up at once */
/* Rows that the journal is asked to drop at a time: what all hooks ask for together must not fill
 * the queue of a disk that hangs, in which an abort would have no place. */
#define DROP_MOST 250
#define HEADERS 24

struct hooks {
	struct loop *loop;
	struct hooks_ports ports;
	struct httpc_pool *pool;
	struct worker *workers[NOTICE_HOOKS];
	int count;
	uint64_t number;	  /* of the newest worker */
	struct loop_timer *sweep; /* drops what waits for nobody */
	bool sweeping;
	char swept[KEYS_LABEL]; /* whose rows go; it was said */
	int64_t wall_base_ms, mono_base_ms;
};

struct job {	       /* what is under way */
	int64_t *seqs; /* owned; of a sum several */
	int count;
	int64_t at_ms;
	char rollout[ID_SIZE], id[ID_SIZE], event[16];
	char *data;	     /* owned */
	int counts[NOTICES]; /* of a sum */
};

struct hold {
	char rollout[ID_SIZE];
	int64_t next_ms;
	int attempts;
	bool flap; /* it waits for calm, not after a failure */
};

struct worker {
	struct hooks *hooks;
	uint64_t number;
	char *name, *url, *secret_file, *ca_pem;
	char *headers[HEADERS];
	int header_count;
	enum say_format format;
	unsigned events;
	struct globs namespaces, apps;
	int64_t timeout_ms;

	struct loop_timer *timer;
	uint64_t request; /* under way; 0: none */
	struct job job;
	bool dropping;	/* the journal has been asked, */
	int64_t *drops; /* for these; owned */
	int drop_count, dropped,
	    asked;		  /* the first ones are gone; those after them are asked for */
	const char *given_up_why; /* a literal; NULL: they were taken */
	bool drop_again;	  /* it could not */
	bool gone;
	bool more_old; /* than were given up at once */
	int failures;  /* in a row */
	int64_t not_before_ms;
	struct hold holds[HOLDS];
	int hold_count;
	struct {
		char rollout[ID_SIZE];
		int64_t at_ms;
	} said[HOLDS]; /* pauses and resumptions */
	int said_next;
	struct pace_minute minute;
	char error[256];
	int64_t last_ok_ms, failing_ms;
	uint64_t delivered, failed, given_up;
};

/* worker.c */
struct worker *worker_new(struct hooks *hooks, const struct hooks_hook *from);
void worker_set(struct worker *worker, const struct hooks_hook *from);
void worker_free(struct worker *worker);
void worker_dropped(struct worker *worker, bool gone);
void worker_poke(struct worker *worker); /* there is something new for it */
int64_t worker_now_ms(const struct worker *worker);

/* pick.c: what is next. */
enum pick { PICK_JOB, PICK_SKIP, PICK_SUM, PICK_LATER, PICK_NOTHING, PICK_UNREADABLE };
/* JOB, SKIP (it need not be told) and SUM: job is filled. LATER: at *when_ms. */
enum pick pick_next(struct worker *worker, int64_t *when_ms);
/* Up to SUM_MOST of the oldest, until that wall time; job is filled. */
must_check int pick_old(struct worker *worker, int64_t until_ms, struct job *job);
bool pick_failed(struct worker *worker); /* the job's rollout waits; false: it has none */
void pick_said(struct worker *worker);	 /* the job was taken */
void job_done(struct job *job);

#endif
