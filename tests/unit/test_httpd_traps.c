/* libmicrohttpd's traps, each with the test that shows it closed. T1..T9 are the names that
 * httpd_port.c gives them. Without the fix most of these hang, spin or abort. */
#include "test_httpd_lab.h"

#include <dlfcn.h>
#include "http/httpd_port.h"
#include "http/httpd_room.h"

/* --- between the pump and libmicrohttpd --- */

static bool always_at_once; /* it says "timeout 0", whatever there is to do */
static int runs;	    /* of MHD_run */

enum MHD_Result
MHD_get_timeout(struct MHD_Daemon *daemon, MHD_UNSIGNED_LONG_LONG *timeout)
{
	enum MHD_Result (*real)(struct MHD_Daemon *, MHD_UNSIGNED_LONG_LONG *);

	*(void **)(&real) = dlsym(RTLD_NEXT, "MHD_get_timeout");
	if (!always_at_once)
		return real(daemon, timeout);
	*timeout = 0;
	return MHD_YES;
}

enum MHD_Result
MHD_run(struct MHD_Daemon *daemon)
{
	enum MHD_Result (*real)(struct MHD_Daemon *);

	*(void **)(&real) = dlsym(RTLD_NEXT, "MHD_run");
	runs++;
	return real(daemon);
}

static int one = 1, two = 2, none;

static int
teardown(void **state)
{
	(void)state;
	always_at_once = false;
	if (served.httpd != NULL)
		serve_no_more();
	return 0;
}

/* A resume wakes the server although no socket says anything. */
static void
test_t1_lost_resume(void **state)
{
	struct raw *raw;
	int64_t began;

	(void)state;
	serve((struct httpd_limits){0});
	raw = raw_ask(GET("/late"));
	assert_true(lab_until(served_waiting, &one));
	lab_for(100); /* everything is quiet */
	began = clock_mono_ms();
	httpd_answer(served.httpd, served.numbers[0], 200, NULL, NULL, "late", 4);
	assert_true(raw_expect(raw, "late"));
	assert_true(clock_mono_ms() - began < 300);
	raw_end(raw);
}

/* At the limit of connections nobody is heard; when they all end at once, who waits is served. */
static void
test_t2_deaf_at_the_limit(void **state)
{
	struct raw *silent[2], *waits;

	(void)state;
	serve((struct httpd_limits){.max_connections = 2, .header_deadline_ms = 200});
	silent[0] = raw_ask("GET / HT");
	silent[1] = raw_ask("GET / HT");
	assert_true(lab_until(served_connections, &two));
	waits = raw_ask(GET("/hello"));
	lab_for(50);
	assert_int_equal(served.handled, 0);
	assert_int_equal(httpd_connections(served.httpd), 2);
	assert_true(raw_expect(waits, "GET|/hello|"));
	raw_end(silent[0]);
	raw_end(silent[1]);
	raw_end(waits);
}

static int ticks_in_between;
static struct loop_timer *ticker;

static void
count_tick(void *ctx)
{
	(void)ctx;
	if (served.handled > 0 && served.handled < 100)
		ticks_in_between++;
	loop_timer_set(ticker, 0);
}

/* A client with much to ask does not keep the loop's timers from running. */
static void
test_t3_starved_loop(void **state)
{
	struct raw *raw;
	struct str text;

	(void)state;
	serve((struct httpd_limits){0});
	str_init(&text, 0);
	for (int i = 0; i < 99; i++)
		str_add(&text, GET("/more"));
	str_add(&text, GET("/last"));
	ticks_in_between = 0;
	ticker = loop_timer_new(lab.loop, count_tick, NULL);
	loop_timer_set(ticker, 0);
	raw = raw_ask(str_text(&text));
	assert_true(raw_expect(raw, "GET|/last|"));
	assert_int_equal(served.handled, 100);
	assert_true(ticks_in_between >= 20);
	loop_timer_free(ticker);
	str_done(&text);
	raw_end(raw);
}

/* A client that makes libmicrohttpd say "at once" for ever (half a TLS handshake does) is slowed
 * down, and others are served meanwhile. */
static void
test_t4_handshake_spin(void **state)
{
	struct raw *raw;
	int64_t began, cpu;
	uint64_t spins;

	(void)state;
	serve((struct httpd_limits){0});
	lab_for(20);
	always_at_once = true;
	raw = raw_ask(GET("/first"));
	assert_true(raw_expect(raw, "GET|/first|"));
	runs = 0;
	cpu = lab_cpu_ms();
	spins = httpd_spins(served.httpd);
	began = clock_mono_ms();
	lab_for(400);
	assert_in_range(runs, HTTPD_ZERO_TURNS / 2,
	    HTTPD_ZERO_TURNS + (clock_mono_ms() - began) / HTTPD_ZERO_DELAY_MS + 1);
	assert_true(lab_cpu_ms() - cpu < 100);
	assert_in_range(httpd_spins(served.httpd) - spins, 10, 400);
	raw_end(raw);
	began = clock_mono_ms();
	raw = raw_ask(GET("/second"));
	assert_true(raw_expect(raw, "GET|/second|"));
	assert_true(clock_mono_ms() - began < 300);
	always_at_once = false;
	raw_end(raw);
}

/* An honest one is not slowed down, and the count begins anew after each pause. */
static void
test_t4_delays(void **state)
{
	int zeros = 0;

	(void)state;
	for (int i = 0; i < HTTPD_ZERO_TURNS; i++)
		assert_int_equal(httpd_pump_delay(&zeros, 0), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(httpd_pump_delay(&zeros, 0), HTTPD_ZERO_DELAY_MS);
	assert_int_equal(httpd_pump_delay(&zeros, 700), 700);
	assert_int_equal(httpd_pump_delay(&zeros, 0), 0);
}

/* Stopping with requests in every state: no abort, everybody who waits is told. */
static void
test_t5_abort_on_stop(void **state)
{
	struct raw *late, *more, *stream, *head, *body, *quiet;

	(void)state;
	serve((struct httpd_limits){0});
	late = raw_ask(GET("/late"));
	more = raw_ask(GET("/late") GET("/late"));
	stream = raw_ask(GET("/stream"));
	head = raw_ask("GET / HT");
	body = raw_ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
	quiet = raw_ask(GET("/done"));
	assert_true(raw_expect(stream, "\r\n\r\n"));
	assert_true(raw_expect(quiet, "GET|/done|"));
	assert_true(lab_until(served_waiting, &two));
	lab_for(20);
	assert_true(httpd_stream_send(served.httpd, served.numbers[2], "last words", 10));
	httpd_free(served.httpd);
	served.httpd = NULL;
	assert_true(raw_expect(late, NULL));
	assert_true(str_starts(late->text, "HTTP/1.1 503 "));
	assert_non_null(strstr(late->text, "stopping"));
	assert_true(raw_expect(more, NULL));
	assert_true(str_starts(more->text, "HTTP/1.1 503 "));
	assert_true(raw_expect(stream, NULL));
	assert_non_null(strstr(stream->text, "last words"));
	assert_true(str_ends(stream->text, "0\r\n\r\n"));
	assert_true(raw_expect(head, NULL));
	assert_true(raw_expect(body, NULL));
	assert_true(raw_expect(quiet, NULL));
	assert_int_equal(served.gone_count, 0);
	raw_end(late);
	raw_end(more);
	raw_end(stream);
	raw_end(head);
	raw_end(body);
	raw_end(quiet);
	lab_close();
}

static bool
is_closed(void *ctx)
{
	struct raw *raw = ctx;

	raw->needle = NULL;
	return raw_pull(raw);
}

/* Sends one byte each 20 ms until it is cut; returns how long that took. */
static int64_t
drip(struct raw *raw, const char *text)
{
	int64_t began = clock_mono_ms();

	for (size_t i = 0; !is_closed(raw) && clock_mono_ms() - began < 5000; i++) {
		if (text[i % strlen(text)] != '\0')
			(void)send(raw->fd, &text[i % strlen(text)], 1, MSG_NOSIGNAL);
		lab_for(20);
	}
	return clock_mono_ms() - began;
}

/* Slow is not silent: each phase has a deadline for its whole. */
static void
test_t6_slow_clients_are_cut(void **state)
{
	struct raw *raw;

	(void)state;
	serve((struct httpd_limits){.header_deadline_ms = 200, .idle_timeout_ms = 300});
	raw = raw_ask("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
	assert_in_range(drip(raw, "a"), 150, 1500);
	raw_end(raw);
	raw = raw_ask("");
	assert_true(lab_until(is_closed, raw)); /* says nothing at all */
	raw_end(raw);
	raw = raw_ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
	assert_in_range(drip(raw, "b"), 500, 2500);
	raw_end(raw);
	/* the second request of a connection */
	raw = raw_ask(GET("/first"));
	assert_true(raw_expect(raw, "GET|/first|"));
	assert_in_range(
	    drip(raw, "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 400,
	    2500);
	raw_end(raw);
	/* A late answer may take longer than all of them. */
	raw = raw_ask(GET("/late"));
	lab_for(900);
	assert_int_equal(served.waiting, 1);
	assert_int_equal(served.gone_count, 0);
	httpd_answer(served.httpd, served.numbers[0], 200, NULL, NULL, "late", 4);
	assert_true(raw_expect(raw, "late"));
	raw_end(raw);
}

/* Clients that go while they are suspended are noticed, however they go, and nothing spins. */
static void
test_t7_silent_disconnects(void **state)
{
	struct raw *closes, *resets;
	int64_t cpu;

	(void)state;
	serve((struct httpd_limits){0});
	closes = raw_ask(GET("/late"));
	assert_true(lab_until(served_waiting, &one));
	resets = raw_ask(GET("/stream"));
	assert_true(raw_expect(resets, "\r\n\r\n"));
	lab_for(20);
	raw_end(closes);
	assert_true(lab_until(served_gone, &one));
	raw_reset(resets->fd);
	free(resets);
	assert_true(lab_until(served_gone, &two));
	assert_true(lab_until(served_connections, &none));
	cpu = lab_cpu_ms();
	lab_for(200);
	assert_true(lab_cpu_ms() - cpu < 100);
}

/* The last bytes and the end in one go: libmicrohttpd takes the bytes and misses the end. */
static void
test_t7_end_with_the_last_bytes(void **state)
{
	static const char *const texts[] = {"GET / HT",
	    "POST / HTTP/1.1\r\nHost: x\r\n"
	    "Content-Length: 9\r\n\r\nabc",
	    GET("/done")};
	struct raw *raw;

	(void)state;
	serve((struct httpd_limits){0});
	for (size_t i = 0; i < 3; i++) {
		raw = raw_ask(texts[i]);
		assert_int_equal(shutdown(raw->fd, SHUT_WR), 0);
		assert_true(lab_until(is_closed, raw));
		raw_end(raw);
	}
	assert_int_equal(served.handled, 1);
	assert_int_equal(served.gone_count, 0);
	/* Who has only said that it sends no more gets its answer if it comes soon. */
	raw = raw_ask(GET("/late"));
	assert_int_equal(shutdown(raw->fd, SHUT_WR), 0);
	assert_true(lab_until(served_waiting, &one));
	lab_for(20);
	httpd_answer(served.httpd, served.numbers[0], 200, NULL, NULL, "late", 4);
	assert_true(raw_expect(raw, "late"));
	assert_true(raw_expect(raw, NULL));
	raw_end(raw);
	assert_int_equal(served.gone_count, 0);
}

/* Streams with nothing to say cost nothing. */
static void
test_t8_idle_streams_do_not_spin(void **state)
{
	struct raw *raw[4];
	int64_t cpu;

	(void)state;
	serve((struct httpd_limits){0});
	for (int i = 0; i < 4; i++) {
		raw[i] = raw_ask(GET("/stream"));
		assert_true(raw_expect(raw[i], "\r\n\r\n"));
		assert_true(httpd_stream_send(served.httpd, served.numbers[i], "x", 1));
	}
	lab_for(20);
	cpu = lab_cpu_ms();
	lab_for(300);
	assert_true(lab_cpu_ms() - cpu < 120);
	assert_true(httpd_spins(served.httpd) == 0); /* not even with the brake of T4 on */
	for (int i = 0; i < 4; i++)
		raw_end(raw[i]);
}

enum { MANY = 150 };

static bool
all_answered(void *ctx)
{
	struct raw **raws = ctx;
	int done = 0;

	for (int i = 0; i < MANY; i++) {
		raws[i]->needle = "late";
		done += raw_pull(raws[i]);
	}
	return done == MANY;
}

/* Each resume makes libmicrohttpd walk all that is suspended: those of a turn are taken together.
 */
static void
test_t9_many_resumes_are_one_run(void **state)
{
	struct raw *raws[MANY];
	int many = MANY;

	(void)state;
	serve((struct httpd_limits){.max_connections = MANY + 10});
	for (int i = 0; i < MANY; i++)
		raws[i] = raw_ask(GET("/late"));
	assert_true(lab_until(served_waiting, &many));
	lab_for(50);
	runs = 0;
	for (int i = 0; i < MANY; i++)
		httpd_answer(served.httpd, served.numbers[i], 200, NULL, NULL, "late", 4);
	assert_int_equal(runs, 0);
	assert_true(lab_until(all_answered, raws));
	assert_in_range(runs, 1, 20);
	for (int i = 0; i < MANY; i++)
		raw_end(raws[i]);
}

#define test(name) cmocka_unit_test_teardown(name, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(test_t1_lost_resume),
	    test(test_t2_deaf_at_the_limit),
	    test(test_t3_starved_loop),
	    test(test_t4_handshake_spin),
	    test(test_t4_delays),
	    test(test_t5_abort_on_stop),
	    test(test_t6_slow_clients_are_cut),
	    test(test_t7_silent_disconnects),
	    test(test_t7_end_with_the_last_bytes),
	    test(test_t8_idle_streams_do_not_spin),
	    test(test_t9_many_resumes_are_one_run),
	};

	return cmocka_run_group_tests_name("httpd_traps", tests, NULL, NULL);
}
