/* Thousands of clients that do anything at any moment: half requests, resets, hanging up,
 * pipelining, noise, while the server answers late, streams and stops. Nothing may abort, leak or
 * get stuck. The seed is fixed; a failure says at which step it was. */
#include "test_httpd_lab.h"

enum { CLIENTS = 40 };

static uint64_t seed;

static unsigned
roll(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % below;
}

static const char *const texts[] = {
    GET("/now"),
    GET("/late"),
    GET("/stream"),
    GET("/late") GET("/now") GET("/stream"),
    "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /stream HTTP/1.0\r\n\r\n",
    "GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789",
    "POST /now HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
    "POST /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
    "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nmuch",
    "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "\r\n\r\n\r\n",
};

/* Does not wait: with few places the queue of the kernel gets full. */
static int
connect_soon(void)
{
	struct sockaddr_in where = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)served.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)connect(fd, (struct sockaddr *)&where, sizeof(where));
	return fd;
}

static void
act_as_client(int *fd)
{
	const char *text = texts[roll(sizeof(texts) / sizeof(texts[0]))];
	size_t length = strlen(text);
	char sink[4096];

	if (*fd < 0)
		*fd = connect_soon();
	switch (roll(8)) {
	case 0:
		(void)close(*fd);
		*fd = -1;
		break;
	case 1:
		raw_reset(*fd);
		*fd = -1;
		break;
	case 2:
		(void)shutdown(*fd, SHUT_WR);
		break;
	case 3:
		length = roll((unsigned)length + 1);
		(void)send(*fd, text, length, MSG_NOSIGNAL);
		break;
	case 4:
		while (recv(*fd, sink, sizeof(sink), 0) > 0)
			;
		break;
	default:
		(void)send(*fd, text, length, MSG_NOSIGNAL);
		break;
	}
}

static void
act_as_server(void)
{
	static const char much[20000];
	uint64_t number;

	if (served.waiting == 0)
		return;
	number = served.numbers[roll(served.waiting < 512 ? (unsigned)served.waiting : 512)];
	switch (roll(5)) {
	case 0:
		httpd_answer(
		    served.httpd, number, 200, "text/plain", NULL, much, roll(sizeof(much)));
		break;
	case 1:
		httpd_stream_start(served.httpd, number, "text/plain", NULL);
		break;
	case 2:
		httpd_stream_end(served.httpd, number);
		break;
	default:
		(void)httpd_stream_send(served.httpd, number, much, 1 + roll(sizeof(much) - 1));
		break;
	}
}

static void
torture(uint64_t start, int steps, int64_t pause_ms, struct httpd_limits limits)
{
	int fds[CLIENTS], none = 0;
	struct raw *raw;

	seed = start;
	serve(limits);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = -1;
	for (int step = 0; step < steps; step++) {
		act_as_client(&fds[roll(CLIENTS)]);
		act_as_server();
		if (roll(3) == 0)
			lab_for(pause_ms);
	}
	assert_true(served.handled > 20);
	assert_true(served.gone_count > 0);
	/* Half of the clients leave by themselves, the others are there when the server stops. */
	for (int i = 0; i < CLIENTS; i += 2)
		if (fds[i] >= 0)
			raw_reset(fds[i]);
	if (start % 2 == 0) {
		for (int i = 1; i < CLIENTS; i += 2)
			if (fds[i] >= 0)
				(void)close(fds[i]);
		assert_true(lab_until(served_connections, &none));
		raw = raw_ask(GET("/well?"));
		assert_true(raw_expect(raw, "GET|/well|"));
		raw_end(raw);
	}
	serve_no_more();
	for (int i = 1; i < CLIENTS && start % 2 == 1; i += 2)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

static void
test_torture(void **state)
{
	(void)state;
	for (uint64_t start = 1; start <= 4; start++) {
		print_message("seed %d\n", (int)start);
		torture(start, 4000, 0, (struct httpd_limits){.max_body = 2000});
	}
}

/* The same with few places and hardly any patience. */
static void
test_torture_in_a_narrow_place(void **state)
{
	(void)state;
	for (uint64_t start = 11; start <= 12; start++) {
		print_message("seed %d\n", (int)start);
		torture(start, 1000, 1,
		    (struct httpd_limits){.max_body = 2000,
			.max_header = 2048,
			.max_connections = 8,
			.header_deadline_ms = 20,
			.idle_timeout_ms = 30});
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_torture),
	    cmocka_unit_test(test_torture_in_a_narrow_place),
	};

	return cmocka_run_group_tests_name("httpd_torture", tests, NULL, NULL);
}
