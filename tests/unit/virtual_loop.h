/* loop/loop.h with time that is moved by hand: no libevent, no waiting, the same order every time.
 * Included by the one file of a test program that has its main(); the linker then takes these
 * functions and leaves the real ones in the archive. */
#ifndef TESTS_UNIT_VIRTUAL_LOOP_H
#define TESTS_UNIT_VIRTUAL_LOOP_H

#include <assert.h>
#include <stdlib.h>
#include "base/mem.h"
#include "virtual_time.h"

struct virtual_job {
	void (*run)(void *ctx);
	void *ctx;
};

struct loop {
	int64_t now_ms;
	struct virtual_job *jobs;
	size_t count;
	struct loop_timer *timers;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next;
	int64_t at_ms; /* 0: not set */
	void (*fire)(void *ctx);
	void *ctx;
};

struct loop_fd {
	int nothing;
};

struct loop *
loop_new(void)
{
	struct loop *loop = mem_alloc(sizeof(*loop));
	loop->now_ms = 1000;
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	assert(loop->timers == NULL);
	free(loop->jobs);
	free(loop);
}

int64_t
virtual_loop_now(const struct loop *loop)
{
	return loop->now_ms;
}

void
virtual_loop_drop(struct loop *loop)
{
	loop->count = 0;
}

static struct loop_timer *
first_due(struct loop *loop)
{
	struct loop_timer *first = NULL;
	for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
		if (timer->at_ms != 0 && timer->at_ms <= loop->now_ms &&
		    (first == NULL || timer->at_ms < first->at_ms))
			first = timer;
	return first;
}

bool
virtual_loop_turn(struct loop *loop)
{
	struct loop_timer *timer;
	size_t count;
	bool any = false;
	while ((timer = first_due(loop)) != NULL) {
		timer->at_ms = 0;
		timer->fire(timer->ctx);
		any = true;
	}
	count = loop->count;
	for (size_t i = 0; i < count && i < loop->count; i++)
		loop->jobs[i].run(loop->jobs[i].ctx);
	for (size_t i = count; i < loop->count; i++)
		loop->jobs[i - count] = loop->jobs[i];
	loop->count -= count < loop->count ? count : loop->count;
	return any || count > 0;
}

int64_t
virtual_loop_next(const struct loop *loop)
{
	int64_t next = loop->count > 0 ? loop->now_ms : -1;
	for (const struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
		if (timer->at_ms != 0 && (next < 0 || timer->at_ms < next))
			next = timer->at_ms;
	return next;
}

void
virtual_loop_advance(struct loop *loop, int64_t ms)
{
	loop->now_ms += ms;
}

void
loop_run(struct loop *loop)
{
	(void)loop;
	abort();
}

void
loop_stop(struct loop *loop)
{
	(void)loop;
}

struct loop_timer *
loop_timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx)
{
	struct loop_timer *timer = mem_alloc(sizeof(*timer));
	*timer = (struct loop_timer){.loop = loop, .next = loop->timers, .fire = fire, .ctx = ctx};
	loop->timers = timer;
	return timer;
}

/* At least one ms later, so that a timer set anew in each turn does not stop the test. */
void
loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
	timer->at_ms = timer->loop->now_ms + (delay_ms < 1 ? 1 : delay_ms);
}

void
loop_timer_clear(struct loop_timer *timer)
{
	timer->at_ms = 0;
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	struct loop_timer **at = &timer->loop->timers;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	free(timer);
}

struct loop_fd *
loop_fd_new(struct loop *loop, int fd, int wanted, void (*ready)(void *ctx, int what), void *ctx)
{
	(void)loop, (void)fd, (void)wanted, (void)ready, (void)ctx;
	return mem_alloc(sizeof(struct loop_fd));
}

void
loop_fd_want(struct loop_fd *watch, int wanted)
{
	(void)watch, (void)wanted;
}

void
loop_fd_free(struct loop_fd *watch)
{
	free(watch);
}

struct loop_signal *
loop_signal_new(struct loop *loop, int signal, void (*fire)(void *ctx), void *ctx)
{
	(void)loop, (void)signal, (void)fire, (void)ctx;
	return NULL;
}

void
loop_signal_free(struct loop_signal *signal)
{
	(void)signal;
}

void
loop_defer(struct loop *loop, void (*run)(void *ctx), void *ctx)
{
	loop->jobs = mem_grow(loop->jobs, loop->count + 1, sizeof(loop->jobs[0]));
	loop->jobs[loop->count++] = (struct virtual_job){run, ctx};
}

void
loop_each_turn(struct loop *loop, void (*run)(void *ctx), void *ctx)
{
	(void)loop, (void)run, (void)ctx;
	abort();
}

void
loop_post(struct loop *loop, void (*run)(void *ctx), void *ctx)
{
	(void)loop, (void)run, (void)ctx;
	abort();
}

#endif
