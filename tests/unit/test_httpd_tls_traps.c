/* Nobody can make the server over TLS spin, stall or wait for ever. */
#include "test_httpd_tls_lab.h"

enum { MANY = 200 };

/* The first bytes of a handshake and then nothing make libmicrohttpd say "at once" for ever. */
static void
test_half_a_handshake(void **state)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	struct raw *raw[8];
	struct guest *guest;
	int64_t cpu;

	(void)state;
	serve_tls((struct httpd_limits){.header_deadline_ms = 800}, NOBODY);
	for (size_t i = 0; i < 8; i++) {
		raw[i] = mem_alloc(sizeof(*raw[i]));
		raw[i]->fd = raw_connect(served.port);
		assert_int_equal(
		    send(raw[i]->fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL), sizeof(hello) - 1);
	}
	lab_for(100);
	cpu = lab_cpu_ms();
	lab_for(300);
	assert_true(lab_cpu_ms() - cpu < 100);
	guest = guest_ask(NULL, GET("/meanwhile"));
	assert_true(guest_expect(guest, "GET|/meanwhile|"));
	guest_free(guest);
	for (size_t i = 0; i < 8; i++) {
		assert_true(raw_expect(raw[i], NULL)); /* the deadline of a header cuts it */
		raw_end(raw[i]);
	}
	assert_true(lab_until(served_connections, &none));
}

static bool
all_answered(void *ctx)
{
	struct guest **guests = ctx;
	int done = 0;

	for (int i = 0; i < MANY; i++) {
		if (!guests[i]->shaken && guest_ready(guests[i]))
			guest_send(guests[i], GET("/many"), strlen(GET("/many")));
		guests[i]->needle = "GET|/many|";
		done += guests[i]->shaken && guest_pull(guests[i]) && !guests[i]->closed;
	}
	return done == MANY;
}

/* Two hundred at once are all served, and then cost nothing while they are silent. */
static void
test_many_at_once_and_idle(void **state)
{
	struct guest *guests[MANY];
	int64_t cpu;

	(void)state;
	serve_tls((struct httpd_limits){.max_connections = MANY + 10}, NOBODY);
	for (int i = 0; i < MANY; i++)
		guests[i] = guest_new(NULL, 0);
	assert_true(lab_until(all_answered, guests));
	assert_int_equal(httpd_connections(served.httpd), MANY);
	lab_for(50);
	cpu = lab_cpu_ms();
	lab_for(500);
	assert_true(lab_cpu_ms() - cpu < 150);
	for (int i = 0; i < MANY; i++)
		guest_free(guests[i]);
}

enum { STORM = 60 };

struct storm {
	struct guest *guests[STORM];
	int64_t cpu_ms, worst_ms; /* of a turn */
};

static bool
all_shaken(void *ctx)
{
	struct storm *storm = ctx;
	int64_t took_ms = lab_cpu_ms() - storm->cpu_ms;
	int done = 0;

	if (took_ms > storm->worst_ms)
		storm->worst_ms = took_ms;
	for (int i = 0; i < STORM; i++)
		done += guest_ready(storm->guests[i]) && storm->guests[i]->shaken;
	storm->cpu_ms = lab_cpu_ms();
	return done == STORM;
}

/* Sixty handshakes with a large key are half a second of work; it is done in pieces. */
static void
test_handshakes_leave_time_for_others(void **state)
{
	struct pair slow =
	    make_pair((struct wanted){.name = "slow", .alternative = "IP:127.0.0.1", .rsa = true});
	struct storm storm = {0};
	int64_t began;

	(void)state;
	save_crt(&slow, "crt");
	save_key(&slow, "key", NULL);
	serve_tls((struct httpd_limits){0}, NOBODY);
	for (int i = 0; i < STORM; i++) {
		storm.guests[i] = guest_new(NULL, 0);
		(void)guest_ready(storm.guests[i]); /* its first words */
	}
	began = storm.cpu_ms = lab_cpu_ms();
	assert_true(lab_until(all_shaken, &storm));
	if (storm.worst_ms > 60 && storm.worst_ms > (lab_cpu_ms() - began) / 5)
		fail_msg("%lld ms of %lld in one turn", (long long)storm.worst_ms,
		    (long long)(lab_cpu_ms() - began));
	for (int i = 0; i < STORM; i++)
		guest_free(storm.guests[i]);
	free_pair(&slow);
}

/* Bytes that GnuTLS has already taken from the socket: no event tells of them. */
static void
test_what_waits_in_the_record_is_read(void **state)
{
	static const char both[] = GET("/late") GET("/after") GET("/last");
	struct guest *guest;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_ask(NULL, both);
	assert_true(lab_until(served_waiting, &one));
	lab_for(50);
	assert_int_equal(served.handled, 1);
	httpd_answer(served.httpd, served.numbers[0], 200, NULL, NULL, "late", 4);
	assert_true(guest_expect(guest, "GET|/last|"));
	assert_int_equal(served.handled, 3);
	guest_free(guest);
}

static void
test_a_body_in_large_and_in_tiny_records(void **state)
{
	enum { SIZE = 200000 };
	static char body[SIZE + 128];
	size_t head;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	for (size_t piece = 7; piece <= 16384; piece += 16377) {
		struct guest *guest = guest_new(NULL, 0);
		size_t length = piece == 7 ? 1400 : SIZE;

		str_print(body, sizeof(body),
		    "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", length);
		head = strlen(body);
		memset(body + head, 'b', length);
		assert_true(guest_shakes(guest));
		for (size_t sent = 0; sent < head + length;) {
			size_t left = head + length - sent, now = left < piece ? left : piece;
			int rc = SSL_write(guest->ssl, body + sent, (int)now);

			sent += rc > 0 ? (size_t)rc : 0;
			if (rc <= 0)
				lab_for(2);
		}
		str_print(body, sizeof(body), "POST|/body|%zu:bbb", length);
		assert_true(guest_expect(guest, body));
		guest_free(guest);
	}
}

/* A stream's events arrive one by one, and silence between them costs nothing. */
static void
test_streams(void **state)
{
	struct guest *guest;
	char text[32];
	int64_t cpu;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_ask(NULL, GET("/stream"));
	assert_true(guest_expect(guest, "\r\n\r\n"));
	for (int i = 0; i < 20; i++) {
		str_print(text, sizeof(text), "event %d.", i);
		assert_true(httpd_stream_send(served.httpd, served.numbers[0], text, strlen(text)));
		assert_true(guest_expect(guest, text));
	}
	cpu = lab_cpu_ms();
	lab_for(300);
	assert_true(lab_cpu_ms() - cpu < 100);
	httpd_stream_end(served.httpd, served.numbers[0]);
	assert_true(guest_expect(guest, NULL));
	assert_string_equal(guest->reason, ""); /* by a notice of TLS, not cut */
	guest_free(guest);
}

/* Who changes its keys again and again is hung up on. (In one burst: libmicrohttpd reads on at the
 * next byte only, so then it is the deadline of a header that ends it.) */
static void
test_floods(void **state)
{
	struct guest *guest;
	int64_t cpu = lab_cpu_ms();

	(void)state;
	serve_tls((struct httpd_limits){.header_deadline_ms = 500}, NOBODY);
	for (int pause = 0; pause < 2; pause++) {
		guest = guest_new(NULL, TLS1_3_VERSION);
		assert_true(guest_shakes(guest));
		for (int i = 0; i < 200; i++) {
			(void)SSL_key_update(guest->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
			if (SSL_do_handshake(guest->ssl) <= 0)
				break;
			lab_for(pause);
		}
		assert_true(guest_expect(guest, NULL));
		guest_free(guest);
	}
	assert_true(lab_cpu_ms() - cpu < 500);
}

/* Also of one that has only said that it sends no more. */
static void
test_hanging_up(void **state)
{
	struct guest *guest;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_ask(NULL, GET("/late"));
	assert_true(lab_until(served_waiting, &one));
	assert_int_equal(SSL_shutdown(guest->ssl), 0);
	assert_int_equal(shutdown(guest->fd, SHUT_WR), 0);
	assert_true(lab_until(served_gone, &one));
	assert_true(lab_until(served_connections, &none));
	guest_free(guest);
}

/* Open requests and streams over TLS end as over plain HTTP. */
static void
test_the_end(void **state)
{
	struct guest *late, *stream;
	int two = 2;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	late = guest_ask(NULL, GET("/late"));
	assert_true(lab_until(served_waiting, &one));
	stream = guest_ask(NULL, GET("/stream"));
	assert_true(lab_until(served_waiting, &two));
	httpd_free(served.httpd);
	served.httpd = NULL;
	assert_true(guest_expect(late, "503"));
	assert_true(guest_expect(stream, NULL));
	assert_string_equal(stream->reason, "");
	guest_free(late);
	guest_free(stream);
	lab_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(test_half_a_handshake),
	    test(test_many_at_once_and_idle),
	    test(test_handshakes_leave_time_for_others),
	    test(test_what_waits_in_the_record_is_read),
	    test(test_a_body_in_large_and_in_tiny_records),
	    test(test_streams),
	    test(test_floods),
	    test(test_hanging_up),
	    test(test_the_end),
	};

	return cmocka_run_group_tests_name("httpd_tls_traps", tests, make_all, remove_all);
}
