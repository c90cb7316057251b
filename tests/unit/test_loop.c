/* The loop: order, bounds, and that things may be freed in their own callbacks. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"

/* What a test's callbacks work on. */
struct scene {
	struct loop *loop;
	struct loop_timer *timer, *guard;
	struct loop_fd *watch, *other;
	char trace[64]; /* one letter for each thing that happened */
	int count, seen;
	int fds[2];
};

static void
on_guard(void *ctx)
{
	(void)ctx;
	log_fatal("the test's loop did not stop");
}

static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->loop = loop_new();
	s->guard = loop_timer_new(s->loop, on_guard, s);
	loop_timer_set(s->guard, 20000);
	*state = s;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s->fds);
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	loop_timer_free(s->guard);
	loop_timer_free(s->timer);
	loop_fd_free(s->watch);
	loop_fd_free(s->other);
	loop_free(s->loop);
	close(s->fds[0]);
	close(s->fds[1]);
	free(s);
	return 0;
}

static void
note(struct scene *s, char c)
{
	size_t length = strlen(s->trace);

	if (length + 1 < sizeof(s->trace))
		s->trace[length] = c;
}

static void
note_a(void *ctx)
{
	note(ctx, 'a');
}

static void
note_b(void *ctx)
{
	note(ctx, 'b');
}

static void
note_turn(void *ctx)
{
	note(ctx, '.');
}

static void
stop(void *ctx)
{
	loop_stop(((struct scene *)ctx)->loop);
}

static void
test_timers_fire_in_order_of_time(void **state)
{
	struct scene *s = *state;
	struct loop_timer *b = loop_timer_new(s->loop, note_b, s);
	struct loop_timer *a = loop_timer_new(s->loop, note_a, s);
	struct loop_timer *last = loop_timer_new(s->loop, stop, s);
	struct loop_timer *never = loop_timer_new(s->loop, on_guard, s);
	int64_t start = clock_mono_ms();

	loop_timer_set(last, 30);
	loop_timer_set(b, 10);
	loop_timer_set(a, 0);
	loop_timer_set(never, 5);
	loop_timer_set(never, INT64_MAX);
	loop_run(s->loop);
	assert_string_equal(s->trace, "ab");
	assert_true(clock_mono_ms() - start >= 29);
	loop_timer_set(a, -5);
	loop_timer_set(b, 0);
	loop_timer_clear(b);
	loop_timer_set(last, 5);
	loop_run(s->loop);
	assert_string_equal(s->trace, "aba");
	loop_timer_free(a);
	loop_timer_free(b);
	loop_timer_free(last);
	loop_timer_free(never);
}

static void
free_timer_and_stop(void *ctx)
{
	struct scene *s = ctx;

	loop_timer_free(s->timer);
	s->timer = NULL;
	loop_stop(s->loop);
}

static void
test_timer_freed_in_its_callback(void **state)
{
	struct scene *s = *state;

	s->timer = loop_timer_new(s->loop, free_timer_and_stop, s);
	loop_timer_set(s->timer, 0);
	loop_run(s->loop);
	assert_null(s->timer);
}

static void
set_again(void *ctx)
{
	struct scene *s = ctx;

	if (++s->count == 5)
		loop_stop(s->loop);
	else
		loop_timer_set(s->timer, 1);
}

static void
test_timer_set_again_in_its_callback(void **state)
{
	struct scene *s = *state;

	s->timer = loop_timer_new(s->loop, set_again, s);
	loop_timer_set(s->timer, 1);
	loop_run(s->loop);
	assert_int_equal(s->count, 5);
}

/* A long turn must not make a timer that is set at its end fire early. */
static void
set_late(void *ctx)
{
	struct scene *s = ctx;
	struct timespec busy = {.tv_nsec = 80000000};

	nanosleep(&busy, NULL);
	s->count = (int)clock_mono_ms();
	loop_timer_set(s->timer, 60);
}

static void
stop_and_look(void *ctx)
{
	struct scene *s = ctx;

	s->seen = (int)clock_mono_ms();
	loop_stop(s->loop);
}

static void
test_slow_turn_is_counted_and_delays_nothing_wrongly(void **state)
{
	struct scene *s = *state;
	struct loop_stats stats;

	log_setup(LOG_ERROR, LOG_TEXT, "test");
	s->timer = loop_timer_new(s->loop, stop_and_look, s);
	loop_defer(s->loop, set_late, s);
	loop_run(s->loop);
	assert_true(s->seen - s->count >= 59);
	loop_stats(s->loop, &stats);
	assert_int_equal(stats.slow_turns, 1);
	assert_true(histogram_count(&stats.turns) >= 2);
	assert_true(stats.turns.sum_us >= 79000);
	/* The timer was set in that turn, for its end: it was not late. */
	assert_int_equal(histogram_count(&stats.lag), 1);
}

static void
on_io(void *ctx, int what)
{
	struct scene *s = ctx;
	char byte;

	if (what & LOOP_WRITE) {
		note(s, 'w');
		loop_fd_want(s->watch, LOOP_READ);
		assert_int_equal(write(s->fds[1], "xy", 2), 2);
	}
	if (what & LOOP_READ) {
		note(s, 'r');
		assert_int_equal(read(s->fds[0], &byte, 1), 1);
		if (byte == 'y') {
			loop_fd_free(s->watch);
			s->watch = NULL;
			loop_stop(s->loop);
		}
	}
}

static void
test_descriptor_is_level_triggered(void **state)
{
	struct scene *s = *state;

	s->watch = loop_fd_new(s->loop, s->fds[0], LOOP_WRITE, on_io, s);
	loop_run(s->loop);
	assert_string_equal(s->trace, "wrr");
	assert_null(s->watch);
}

static void
free_both(void *ctx, int what)
{
	struct scene *s = ctx;

	(void)what;
	s->count++;
	loop_fd_free(s->watch);
	loop_fd_free(s->other);
	s->watch = s->other = NULL;
	loop_defer(s->loop, stop, s);
}

/* Two are ready in the same turn, and the first one that is told frees both. */
static void
test_descriptor_freed_by_another(void **state)
{
	static const int kinds[] = {LOOP_READ, LOOP_CLOSED};
	struct scene *s = *state;

	for (int i = 0; i < 2; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		s->count = 0;
		s->watch = loop_fd_new(s->loop, pair[0], kinds[i], free_both, s);
		s->other = loop_fd_new(s->loop, s->fds[0], kinds[i], free_both, s);
		shutdown(s->fds[1], SHUT_WR);
		shutdown(pair[1], SHUT_WR);
		loop_run(s->loop);
		assert_int_equal(s->count, 1);
		close(pair[0]);
		close(pair[1]);
	}
}

static void
on_end(void *ctx, int what)
{
	struct scene *s = ctx;

	assert_int_equal(what, LOOP_CLOSED);
	note(s, 'c');
	loop_fd_want(s->watch, 0);
	loop_stop(s->loop);
}

/* Two ends of a TCP connection. */
static void
connect_pair(int pair[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair[1], (struct sockaddr *)&address, size), 0);
	pair[0] = accept(listener, NULL, NULL);
	assert_true(pair[0] >= 0);
	close(listener);
}

static void
test_closed_peer_is_told(void **state)
{
	struct scene *s = *state;
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	for (int with_reset = 0; with_reset < 2; with_reset++) {
		int pair[2];

		connect_pair(pair);
		/* Unread bytes must neither hide the end nor count as one. */
		assert_int_equal(write(pair[1], "x", 1), 1);
		s->watch = loop_fd_new(s->loop, pair[0], LOOP_CLOSED, on_end, s);
		if (with_reset)
			setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(pair[1]);
		loop_run(s->loop);
		loop_fd_free(s->watch);
		s->watch = NULL;
		close(pair[0]);
	}
	assert_string_equal(s->trace, "cc");
}

static void
test_open_peer_is_not_told(void **state)
{
	struct scene *s = *state;

	s->watch = loop_fd_new(s->loop, s->fds[0], LOOP_CLOSED, on_end, s);
	s->timer = loop_timer_new(s->loop, stop, s);
	assert_int_equal(write(s->fds[1], "x", 1), 1);
	loop_timer_set(s->timer, 10);
	loop_run(s->loop);
	assert_string_equal(s->trace, "");
}

static void
defer_b(void *ctx)
{
	struct scene *s = ctx;

	note(s, 'd');
	loop_defer(s->loop, note_b, s);
	loop_defer(s->loop, stop, s);
}

static void
test_deferred_work_and_hooks(void **state)
{
	struct scene *s = *state;

	loop_each_turn(s->loop, note_turn, s);
	loop_defer(s->loop, note_a, s);
	loop_defer(s->loop, defer_b, s);
	loop_defer(s->loop, note_a, s);
	loop_run(s->loop);
	assert_string_equal(s->trace, "ada.b.");
}

struct numbered {
	struct scene *scene;
	int number;
};

static void
check_number(void *ctx)
{
	struct numbered *job = ctx;

	assert_int_equal(job->number, job->scene->seen++);
	free(job);
}

static struct numbered *
numbered_new(struct scene *s, int number)
{
	struct numbered *job = calloc(1, sizeof(*job));

	job->scene = s;
	job->number = number;
	return job;
}

static void
test_much_deferred_work_keeps_its_order(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 5000; i++)
		loop_defer(s->loop, check_number, numbered_new(s, i));
	loop_defer(s->loop, stop, s);
	loop_run(s->loop);
	assert_int_equal(s->seen, 5000);
}

static void
defer_for_ever(void *ctx)
{
	struct scene *s = ctx;

	loop_defer(s->loop, defer_for_ever, s);
}

static void
stop_on_input(void *ctx, int what)
{
	(void)what;
	stop(ctx);
}

static void
test_deferred_work_does_not_starve_input(void **state)
{
	struct scene *s = *state;

	s->watch = loop_fd_new(s->loop, s->fds[0], LOOP_READ, stop_on_input, s);
	loop_defer(s->loop, defer_for_ever, s);
	assert_int_equal(write(s->fds[1], "x", 1), 1);
	loop_run(s->loop);
}

static void *
post_many(void *arg)
{
	struct scene *s = arg;

	for (int i = 0; i < 10000; i++)
		loop_post(s->loop, check_number, numbered_new(s, i));
	loop_post(s->loop, stop, s);
	return NULL;
}

static void
test_posts_from_a_thread(void **state)
{
	struct scene *s = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, post_many, s), 0);
	loop_run(s->loop);
	pthread_join(thread, NULL);
	assert_int_equal(s->seen, 10000);
}

static void *
stop_from_thread(void *arg)
{
	stop(arg);
	return NULL;
}

static void
test_stop_from_a_thread(void **state)
{
	struct scene *s = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, s), 0);
	loop_run(s->loop);
	pthread_join(thread, NULL);
}

static void
test_signal(void **state)
{
	struct scene *s = *state;
	struct loop_signal *watch = loop_signal_new(s->loop, SIGUSR1, stop, s);

	raise(SIGUSR1);
	loop_run(s->loop);
	loop_signal_free(watch);
	loop_signal_free(NULL);
}

int
main(void)
{
#define loop_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    loop_test(test_timers_fire_in_order_of_time),
	    loop_test(test_timer_freed_in_its_callback),
	    loop_test(test_timer_set_again_in_its_callback),
	    loop_test(test_slow_turn_is_counted_and_delays_nothing_wrongly),
	    loop_test(test_descriptor_is_level_triggered),
	    loop_test(test_descriptor_freed_by_another),
	    loop_test(test_closed_peer_is_told),
	    loop_test(test_open_peer_is_not_told),
	    loop_test(test_deferred_work_and_hooks),
	    loop_test(test_much_deferred_work_keeps_its_order),
	    loop_test(test_deferred_work_does_not_starve_input),
	    loop_test(test_posts_from_a_thread),
	    loop_test(test_stop_from_a_thread),
	    loop_test(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
