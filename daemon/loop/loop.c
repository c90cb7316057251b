/* The event loop. Always true: what is deferred while deferred work runs waits for the next
 * turn, and a turn takes at most DEFERRED_MAX of it, so sockets and timers are never starved;
 * no wrapper here touches a watch after its callback ran, so a callback may free its watch.
 *
 * Closed peers are watched by an epoll set of our own: libevent reports a reset connection
 * (EPOLLERR) as readable and writable only, so one who waits for nothing but the end would never
 * hear of it, while the loop would spin. */
#include "loop/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define DEFERRED_MAX 1000
#define CLOSED_BATCH 64
#define SLOW_TURN_US 50000
#define SLOW_LOG_EVERY_US 1000000
#define LONGEST_DELAY_MS (INT64_C(1000) * 86400 * 1000)

struct job {
	void (*run)(void *ctx);
	void *ctx;
};

/* The jobs from first on are waiting. */
struct jobs {
	struct job *items;
	size_t first, count, room;
};

struct loop {
	struct event_base *base;
	struct jobs deferred;
	struct jobs hooks;
	_Atomic bool stopped;
	int live; /* timers, descriptors and signals not freed yet */

	pthread_mutex_t lock; /* guards posted */
	struct jobs posted;
	int wake_fd;
	struct event wake;

	int closed_fd;
	struct event closed;
	struct epoll_event batch[CLOSED_BATCH]; /* a freed watch is taken out of it */
	int batch_count;

	int64_t turn_began; /* µs, when the first callback of this turn ran; -1: none did */
	int64_t slow_logged;
	struct loop_stats stats;
};

struct loop_timer {
	struct event event;
	struct loop *loop;
	int64_t due_us;
	void (*fire)(void *ctx);
	void *ctx;
};

struct loop_fd {
	struct event event;
	struct loop *loop;
	int fd;
	int wanted;
	void (*ready)(void *ctx, int what);
	void *ctx;
};

struct loop_signal {
	struct event event;
	struct loop *loop;
	void (*fire)(void *ctx);
	void *ctx;
};

static void
jobs_add(struct jobs *jobs, struct job job)
{
	if (jobs->count == jobs->room && jobs->first > jobs->room / 2) {
		jobs->count -= jobs->first;
		memmove(jobs->items, jobs->items + jobs->first, jobs->count * sizeof(job));
		jobs->first = 0;
	}
	if (jobs->count == jobs->room) {
		jobs->room = jobs->room == 0 ? 16 : jobs->room * 2;
		jobs->items = mem_grow(jobs->items, jobs->room, sizeof(job));
	}
	jobs->items[jobs->count++] = job;
}

static size_t
jobs_waiting(const struct jobs *jobs)
{
	return jobs->count - jobs->first;
}

static struct job
jobs_take(struct jobs *jobs)
{
	struct job job = jobs->items[jobs->first++];

	if (jobs->first == jobs->count)
		jobs->first = jobs->count = 0;
	return job;
}

static void
begin_turn(struct loop *loop)
{
	if (loop->turn_began < 0)
		loop->turn_began = clock_mono_us();
}

static void
wake_up(struct loop *loop)
{
	uint64_t one = 1;

	/* A full counter (EAGAIN) wakes as well. */
	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t count;

	(void)what;
	begin_turn(loop);
	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&loop->lock);
	while (jobs_waiting(&loop->posted) > 0)
		jobs_add(&loop->deferred, jobs_take(&loop->posted));
	pthread_mutex_unlock(&loop->lock);
}

static void
on_closed(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)what;
	begin_turn(loop);
	loop->batch_count = epoll_wait(fd, loop->batch, CLOSED_BATCH, 0);
	for (int i = 0; i < loop->batch_count; i++) {
		struct loop_fd *watch = loop->batch[i].data.ptr;

		if (watch != NULL)
			watch->ready(watch->ctx, LOOP_CLOSED);
	}
	loop->batch_count = 0;
}

static void
add_event(struct event *event, const struct timeval *delay, const char *what)
{
	if (event_add(event, delay) != 0)
		log_fatal("loop: cannot watch a %s: %s", what, strerror(errno));
}

static void
watch_own(struct loop *loop, struct event *event, int fd, event_callback_fn callback)
{
	if (fd < 0 ||
	    event_assign(event, loop->base, fd, EV_READ | EV_PERSIST, callback, loop) != 0)
		log_fatal("loop: no descriptor: %s", strerror(errno));
	add_event(event, NULL, "descriptor");
}

struct loop *
loop_new(void)
{
	struct loop *loop = mem_alloc(sizeof(*loop));
	struct event_config *config = event_config_new();

	if (config == NULL)
		log_fatal("loop: out of memory");
	/* A cached time would make timers that are set late in a long turn fire early. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
					  EVENT_BASE_FLAG_NO_CACHE_TIME |
					  EVENT_BASE_FLAG_PRECISE_TIMER);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL)
		log_fatal("loop: libevent does not start: %s", strerror(errno));
	pthread_mutex_init(&loop->lock, NULL);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch_own(loop, &loop->wake, loop->wake_fd, on_wake);
	loop->closed_fd = epoll_create1(EPOLL_CLOEXEC);
	watch_own(loop, &loop->closed, loop->closed_fd, on_closed);
	loop->turn_began = -1;
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->live != 0)
		log_fatal("loop: %d timers or watches outlive the loop", loop->live);
	event_del(&loop->wake);
	event_del(&loop->closed);
	close(loop->wake_fd);
	close(loop->closed_fd);
	event_base_free(loop->base);
	pthread_mutex_destroy(&loop->lock);
	free(loop->deferred.items);
	free(loop->hooks.items);
	free(loop->posted.items);
	free(loop);
}

static void
run_deferred(struct loop *loop)
{
	size_t count = jobs_waiting(&loop->deferred);

	if (count > DEFERRED_MAX)
		count = DEFERRED_MAX;
	while (count-- > 0) {
		struct job job = jobs_take(&loop->deferred);

		job.run(job.ctx);
	}
}

static void
end_turn(struct loop *loop)
{
	int64_t now = clock_mono_us(), took = now - loop->turn_began;

	histogram_add(&loop->stats.turns, &histogram_quick, took);
	if (took > SLOW_TURN_US) {
		loop->stats.slow_turns++;
		if (loop->slow_logged == 0 || now - loop->slow_logged >= SLOW_LOG_EVERY_US) {
			log_warn("loop", "a turn took %lld ms (slow turns so far: %llu)",
			    (long long)took / 1000, (unsigned long long)loop->stats.slow_turns);
			loop->slow_logged = now;
		}
	}
	loop->turn_began = -1;
}

static void
run_turn(struct loop *loop)
{
	int flags = EVLOOP_ONCE;

	if (jobs_waiting(&loop->deferred) > 0)
		flags |= EVLOOP_NONBLOCK;
	if (event_base_loop(loop->base, flags) < 0)
		log_fatal("loop: waiting for events failed: %s", strerror(errno));
	begin_turn(loop);
	run_deferred(loop);
	for (size_t i = 0; i < loop->hooks.count; i++)
		loop->hooks.items[i].run(loop->hooks.items[i].ctx);
	end_turn(loop);
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopped)
		run_turn(loop);
	loop->stopped = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
	wake_up(loop);
}

void
loop_defer(struct loop *loop, void (*run)(void *ctx), void *ctx)
{
	jobs_add(&loop->deferred, (struct job){run, ctx});
}

void
loop_each_turn(struct loop *loop, void (*run)(void *ctx), void *ctx)
{
	jobs_add(&loop->hooks, (struct job){run, ctx});
}

void
loop_post(struct loop *loop, void (*run)(void *ctx), void *ctx)
{
	bool first;

	pthread_mutex_lock(&loop->lock);
	first = jobs_waiting(&loop->posted) == 0;
	jobs_add(&loop->posted, (struct job){run, ctx});
	pthread_mutex_unlock(&loop->lock);
	if (first)
		wake_up(loop);
}

void
loop_stats(const struct loop *loop, struct loop_stats *stats)
{
	*stats = loop->stats;
	stats->deferred = jobs_waiting(&loop->deferred);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	begin_turn(timer->loop);
	histogram_add(&timer->loop->stats.lag, &histogram_quick, clock_mono_us() - timer->due_us);
	timer->fire(timer->ctx);
}

struct loop_timer *
loop_timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx)
{
	struct loop_timer *timer = mem_alloc(sizeof(*timer));

	timer->loop = loop;
	timer->fire = fire;
	timer->ctx = ctx;
	if (event_assign(&timer->event, loop->base, -1, 0, on_timer, timer) != 0)
		log_fatal("loop: bad timer");
	loop->live++;
	return timer;
}

void
loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
	struct timeval delay;

	if (delay_ms < 0)
		delay_ms = 0;
	if (delay_ms > LONGEST_DELAY_MS)
		delay_ms = LONGEST_DELAY_MS;
	timer->due_us = clock_mono_us() + delay_ms * 1000;
	delay.tv_sec = (time_t)(delay_ms / 1000);
	delay.tv_usec = (suseconds_t)(delay_ms % 1000 * 1000);
	/* A timer that is due but did not run yet would still run: take it out first. */
	event_del(&timer->event);
	add_event(&timer->event, &delay, "timer");
}

void
loop_timer_clear(struct loop_timer *timer)
{
	event_del(&timer->event);
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	event_del(&timer->event);
	timer->loop->live--;
	free(timer);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *watch = arg;
	int ready = (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0);

	(void)fd;
	begin_turn(watch->loop);
	watch->ready(watch->ctx, ready & watch->wanted);
}

/* Takes the watch out of a batch of closed ones that is being worked on. */
static void
forget_closed(struct loop_fd *watch)
{
	struct loop *loop = watch->loop;

	for (int i = 0; i < loop->batch_count; i++) {
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
	}
}

static void
want_closed(struct loop_fd *watch, bool wanted)
{
	struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = watch};
	int set = watch->loop->closed_fd;

	if (wanted) {
		if (epoll_ctl(set, EPOLL_CTL_ADD, watch->fd, &event) != 0)
			log_fatal("loop: cannot watch the end of descriptor %d: %s", watch->fd,
			    strerror(errno));
		return;
	}
	forget_closed(watch);
	/* Fails only when the descriptor is gone, and then the kernel has forgotten it as well. */
	epoll_ctl(set, EPOLL_CTL_DEL, watch->fd, NULL);
}

struct loop_fd *
loop_fd_new(struct loop *loop, int fd, int wanted, void (*ready)(void *ctx, int what), void *ctx)
{
	struct loop_fd *watch = mem_alloc(sizeof(*watch));

	watch->loop = loop;
	watch->fd = fd;
	watch->ready = ready;
	watch->ctx = ctx;
	loop->live++;
	loop_fd_want(watch, wanted);
	return watch;
}

void
loop_fd_want(struct loop_fd *watch, int wanted)
{
	const int io = LOOP_READ | LOOP_WRITE;
	int before = watch->wanted;
	short events = EV_PERSIST;

	watch->wanted = wanted;
	if ((before ^ wanted) & LOOP_CLOSED)
		want_closed(watch, (wanted & LOOP_CLOSED) != 0);
	if (((before ^ wanted) & io) == 0)
		return;
	if (before & io)
		event_del(&watch->event);
	if ((wanted & io) == 0)
		return;
	if (wanted & LOOP_READ)
		events |= EV_READ;
	if (wanted & LOOP_WRITE)
		events |= EV_WRITE;
	if (event_assign(&watch->event, watch->loop->base, watch->fd, events, on_ready, watch) != 0)
		log_fatal("loop: bad descriptor %d", watch->fd);
	add_event(&watch->event, NULL, "descriptor");
}

void
loop_fd_free(struct loop_fd *watch)
{
	if (watch == NULL)
		return;
	loop_fd_want(watch, 0);
	watch->loop->live--;
	free(watch);
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *signal = arg;

	(void)fd;
	(void)what;
	begin_turn(signal->loop);
	signal->fire(signal->ctx);
}

struct loop_signal *
loop_signal_new(struct loop *loop, int signal, void (*fire)(void *ctx), void *ctx)
{
	struct loop_signal *watch = mem_alloc(sizeof(*watch));

	watch->loop = loop;
	watch->fire = fire;
	watch->ctx = ctx;
	if (event_assign(
		&watch->event, loop->base, signal, EV_SIGNAL | EV_PERSIST, on_signal, watch) != 0)
		log_fatal("loop: bad signal %d", signal);
	add_event(&watch->event, NULL, "signal");
	loop->live++;
	return watch;
}

void
loop_signal_free(struct loop_signal *signal)
{
	if (signal == NULL)
		return;
	event_del(&signal->event);
	signal->loop->live--;
	free(signal);
}
