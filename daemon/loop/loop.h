/* The one event loop (libevent), and the only place that knows libevent. Everything that the
 * daemon knows is owned by the thread that runs it. Each turn: events, timers, deferred work
 * (bounded), then the end-of-turn hooks. A turn over 50 ms is logged. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/histogram.h"

struct loop;
struct loop_timer;
struct loop_fd;
struct loop_signal;

struct loop *loop_new(void);
/* After all its timers and watches; deferred work that is left is dropped. NULL is allowed. */
void loop_free(struct loop *loop);
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop); /* from any thread; the turn is finished first */

/* One-shot timer on the monotonic clock; set again at will. It may be freed in its callback. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx);
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms); /* 0: the next turn */
void loop_timer_clear(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is allowed */

enum loop_ready { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_CLOSED = 4 };
/* Level-triggered and persistent; may be freed in its callback. LOOP_CLOSED: the peer closed or
 * reset the connection; told every turn, in a call of its own, while it is wanted. */
struct loop_fd *loop_fd_new(
    struct loop *loop, int fd, int wanted, void (*ready)(void *ctx, int what), void *ctx);
void loop_fd_want(struct loop_fd *watch, int wanted);
void loop_fd_free(struct loop_fd *watch); /* before the descriptor is closed; NULL is allowed */

struct loop_signal *loop_signal_new(
    struct loop *loop, int signal, void (*fire)(void *ctx), void *ctx);
void loop_signal_free(struct loop_signal *signal);

/* Runs once, at the end of this turn, in order; from within deferred work or a hook: of the next.
 * Loop thread only. */
void loop_defer(struct loop *loop, void (*run)(void *ctx), void *ctx);
/* Runs at the end of every turn (after deferred work), e.g. reaping. */
void loop_each_turn(struct loop *loop, void (*run)(void *ctx), void *ctx);
/* Like loop_defer, from any thread (eventfd). */
void loop_post(struct loop *loop, void (*run)(void *ctx), void *ctx);

struct loop_stats {
	struct histogram turns; /* how long they took: meanwhile all else waits */
	struct histogram lag;	/* how much later than wanted timers fired */
	uint64_t slow_turns;
	size_t deferred; /* now: what waits for the end of a turn */
};
void loop_stats(const struct loop *loop, struct loop_stats *stats);

#endif
