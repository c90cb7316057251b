/* The server: answers now and later, streams, bounds, refusals. (Its traps are in
 * test_httpd_traps.c, its sockets in test_httpd_socket.c.) */
#include "test_httpd_lab.h"

static int
setup(void **state)
{
	(void)state;
	serve((struct httpd_limits){.max_body = 1000, .max_header = 8192});
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	serve_no_more();
	return 0;
}

static int one = 1, two = 2, none;

static void
test_echo(void **state)
{
	struct raw *raw = raw_ask("POST /a%20b/%C3%A9?one=1%202&Two=b+c&x HTTP/1.1\r\nHost: "
				  "x\r\nX-Test: t\r\nContent-Length: 5\r\n\r\nhello");

	(void)state;
	assert_true(raw_expect(raw, "[x=]"));
	assert_true(str_starts(raw->text, "HTTP/1.1 200 OK\r\n"));
	assert_true(
	    str_ends(raw->text, "\r\n\r\nPOST|/a b/\xc3\xa9|5:hello|t|1 2|[one=1 2][Two=b c][x=]"));
	assert_non_null(strstr(raw->text, "X-Answer: yes\r\n"));
	assert_non_null(strstr(raw->text, "Content-Type: text/plain\r\n"));
	assert_true(str_starts(served.peer, "127.0.0.1:"));
	assert_false(served.local);
	/* the same connection again */
	raw->length = 0;
	raw_send(raw->fd, GET("/b?Two=x"));
	assert_true(raw_expect(raw, "GET|/b|0:|-|-|[Two=x]"));
	raw->length = 0;
	raw_send(raw->fd, GET("/none"));
	assert_true(raw_expect(raw, "\r\n\r\n"));
	assert_true(str_starts(raw->text, "HTTP/1.1 204 "));
	raw->length = 0;
	raw_send(raw->fd, "HEAD /c HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(raw_expect(raw, "\r\n\r\n"));
	assert_true(str_ends(raw->text, "\r\n\r\n"));
	assert_int_equal(httpd_connections(served.httpd), 1);
	raw_end(raw);
	assert_true(lab_until(served_connections, &none));
	assert_int_equal(served.gone_count, 0);
}

/* T1: nothing but the answer itself wakes the server. */
static void
test_late_answer(void **state)
{
	struct raw *raw = raw_ask(GET("/late"));
	int64_t began;

	(void)state;
	assert_true(lab_until(served_waiting, &one));
	lab_for(50);
	began = clock_mono_ms();
	httpd_answer(served.httpd, 0, 200, NULL, NULL, "no", 2);
	httpd_answer(served.httpd, served.numbers[0], 201, "text/plain", NULL, "late", 4);
	httpd_answer(served.httpd, served.numbers[0], 500, NULL, NULL, "no", 2);
	assert_true(raw_expect(raw, "\r\n\r\nlate"));
	assert_true(str_starts(raw->text, "HTTP/1.1 201 "));
	assert_true(clock_mono_ms() - began < 500);
	raw->length = 0;
	raw_send(raw->fd, GET("/again"));
	assert_true(raw_expect(raw, "GET|/again|"));
	raw_end(raw);
	assert_true(lab_until(served_connections, &none));
	assert_int_equal(served.gone_count, 0);
}

enum { MANY = 60 };

static bool
all_done(void *ctx)
{
	struct asked *asked = ctx;

	for (int i = 0; i < MANY; i++)
		if (asked[i].done == 0)
			return false;
	return true;
}

/* The client of this house against the server of this house. */
static void
test_many_late_answers(void **state)
{
	struct httpc_pool *pool = httpc_pool_new(lab.loop, MANY);
	struct asked *asked = mem_array(MANY, sizeof(*asked));
	int all = MANY;
	char body[16];

	(void)state;
	for (int i = 0; i < MANY; i++)
		ask(&asked[i], pool, (struct httpc_request){.url = url_of(served.port, "/late")});
	assert_true(lab_until(served_waiting, &all));
	for (int i = MANY - 1; i >= 0; i--) {
		assert_true(str_print(body, sizeof(body), "%d", i));
		httpd_answer(
		    served.httpd, served.numbers[i], 200, "text/plain", NULL, body, strlen(body));
	}
	assert_true(lab_until(all_done, asked));
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(asked[i].outcome, HTTPC_ANSWERED);
		assert_true(asked[i].body[0] != '\0');
	}
	free(asked);
	httpc_pool_free(pool);
}

static void
test_stream(void **state)
{
	struct raw *raw = raw_ask(GET("/stream"));

	(void)state;
	assert_true(raw_expect(raw, "\r\n\r\n"));
	assert_non_null(strstr(raw->text, "text/event-stream"));
	assert_non_null(strstr(raw->text, "chunked"));
	assert_true(httpd_stream_send(served.httpd, served.numbers[0], "data: 1\n\n", 9));
	assert_true(raw_expect(raw, "data: 1\n\n"));
	lab_for(20);
	assert_true(httpd_stream_send(served.httpd, served.numbers[0], "data: 2\n\n", 9));
	assert_true(httpd_stream_send(served.httpd, served.numbers[0], "data: 3\n\n", 9));
	assert_true(httpd_stream_send(served.httpd, served.numbers[0], "", 0));
	assert_true(raw_expect(raw, "data: 3\n\n"));
	/* a stream has its answer already */
	httpd_answer(served.httpd, served.numbers[0], 200, NULL, NULL, "no", 2);
	httpd_stream_start(served.httpd, served.numbers[0], "no/no", NULL);
	httpd_stream_end(served.httpd, served.numbers[0]);
	assert_false(httpd_stream_send(served.httpd, served.numbers[0], "x", 1));
	assert_true(raw_expect(raw, NULL));
	assert_true(str_ends(raw->text, "0\r\n\r\n"));
	raw_end(raw);
	assert_int_equal(served.gone_count, 0);
}

/* What was sent before the end is still delivered, however much. */
static void
test_stream_in_bulk(void **state)
{
	struct httpc_pool *pool = httpc_pool_new(lab.loop, 2);
	struct asked *a = mem_alloc(sizeof(*a));
	char *bulk = mem_alloc(50000);

	(void)state;
	memset(bulk, 'x', 50000);
	ask(a, pool,
	    (struct httpc_request){.url = url_of(served.port, "/stream"), .on_data = asked_data});
	assert_true(lab_until(served_waiting, &one));
	assert_true(httpd_stream_send(served.httpd, served.numbers[0], bulk, 50000));
	assert_true(httpd_stream_send(served.httpd, served.numbers[0], "end", 3));
	httpd_stream_end(served.httpd, served.numbers[0]);
	assert_true(lab_until(asked_is_done, a));
	assert_int_equal(a->outcome, HTTPC_ANSWERED);
	assert_int_equal(a->data_length, 50003);
	assert_memory_equal(a->data + 49999, "xend", 4);
	free(a);
	free(bulk);
	httpc_pool_free(pool);
}

/* A client that does not read: the queue is bounded, then it is cut. */
static void
test_stream_of_a_sleeping_client(void **state)
{
	struct raw *raw = raw_ask(GET("/stream"));
	char *bulk = mem_alloc(60000);
	int pieces = 0;

	(void)state;
	assert_true(lab_until(served_waiting, &one));
	while (pieces < 2000 && httpd_stream_send(served.httpd, served.numbers[0], bulk, 60000)) {
		pieces++;
		lab_for(0);
	}
	assert_in_range(pieces, 17, 1000);
	assert_true(lab_until(served_connections, &none));
	assert_int_equal(served.gone_count, 0); /* false has said it */
	free(bulk);
	raw_end(raw);
}

static void
test_client_gone(void **state)
{
	struct raw *late = raw_ask(GET("/late"));
	struct raw *stream;

	(void)state;
	assert_true(lab_until(served_waiting, &one));
	raw_end(late);
	assert_true(lab_until(served_gone, &one));
	assert_true(served.gone[0] == served.numbers[0]);
	stream = raw_ask(GET("/stream"));
	assert_true(lab_until(served_waiting, &two));
	assert_true(raw_expect(stream, "\r\n\r\n"));
	raw_reset(stream->fd);
	free(stream);
	assert_true(lab_until(served_gone, &two));
	assert_true(served.gone[1] == served.numbers[1]);
	assert_true(lab_until(served_connections, &none));
	assert_false(httpd_stream_send(served.httpd, served.numbers[1], "x", 1));
	httpd_stream_end(served.httpd, served.numbers[1]);
}

/* A client that sends its next request before it has its answer, then goes. */
static void
test_impatient_client(void **state)
{
	struct raw *raw = raw_ask(GET("/late") GET("/second"));

	(void)state;
	assert_true(lab_until(served_waiting, &one));
	lab_for(20);
	assert_int_equal(served.handled, 1);
	httpd_answer(served.httpd, served.numbers[0], 200, NULL, NULL, "first", 5);
	assert_true(raw_expect(raw, "GET|/second|"));
	assert_true(strstr(raw->text, "first") < strstr(raw->text, "/second"));
	raw_end(raw);
	raw = raw_ask(GET("/late") GET("/second"));
	assert_true(lab_until(served_waiting, &two));
	raw_end(raw);
	assert_true(lab_until(served_gone, &one));
	assert_int_equal(served.handled, 3);
}

#define HEAD_OF(method, path) method " " path " HTTP/1.1\r\nHost: x\r\n"
#define POST_HEAD HEAD_OF("POST", "/p")

static void
test_bodies(void **state)
{
	char text[1300], body[1001];
	struct raw *raw;

	(void)state;
	memset(body, 'b', 1000);
	body[1000] = '\0';
	/* just fits */
	assert_true(
	    str_print(text, sizeof(text), POST_HEAD "Content-Length: 1000\r\n\r\n%s", body));
	raw = raw_ask(text);
	assert_true(raw_expect(raw, "POST|/p|1000:bbbb"));
	raw_end(raw);
	/* one more, asked for permission: refused before a byte of it is sent */
	raw = raw_ask(POST_HEAD "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
	assert_true(raw_expect(raw, NULL));
	assert_true(str_starts(raw->text, "HTTP/1.1 413 "));
	assert_non_null(strstr(raw->text, "Connection: close"));
	assert_non_null(strstr(raw->text, "1000 bytes"));
	raw_end(raw);
	/* without asking, and in pieces whose sum is too large */
	assert_true(
	    str_print(text, sizeof(text), POST_HEAD "Content-Length: 1001\r\n\r\n%sb", body));
	raw = raw_ask(text);
	assert_true(raw_expect(raw, "HTTP/1.1 413 "));
	raw_end(raw);
	assert_true(str_print(text, sizeof(text),
	    POST_HEAD "Transfer-Encoding: chunked\r\n\r\n3e8\r\n%s\r\n1\r\nb\r\n0\r\n\r\n", body));
	raw = raw_ask(text);
	assert_true(raw_expect(raw, "HTTP/1.1 413 "));
	raw_end(raw);
	/* chunks that fit */
	raw =
	    raw_ask(POST_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
	assert_true(raw_expect(raw, "POST|/p|5:abcde"));
	raw_end(raw);
	assert_int_equal(served.handled, 2);
}

/* Clients that send all before they read, as most do, get their 413 too. */
static void
test_large_uploads_get_their_413(void **state)
{
	static const size_t sizes[] = {1001, 20000, 300000, 5000000};
	struct httpc_pool *pool = httpc_pool_new(lab.loop, 2);
	struct asked *a = mem_alloc(sizeof(*a));
	char *bulk = mem_alloc(5000000);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ask(a, pool,
		    (struct httpc_request){.method = "POST",
			.url = url_of(served.port, "/"),
			.body = bulk,
			.body_length = sizes[i]});
		assert_true(lab_until(asked_is_done, a));
		assert_string_equal(a->error, "");
		assert_int_equal(a->status, 413);
	}
	assert_int_equal(served.handled, 0);
	free(bulk);
	free(a);
	httpc_pool_free(pool);
}

static void
test_a_body_without_end_is_cut(void **state)
{
	static char piece[100001];
	struct raw *raw = raw_ask(POST_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n");
	size_t sent = 0;
	ssize_t count;

	(void)state;
	while (!raw->closed && sent < 64 * 1024 * 1024) {
		count = send(raw->fd, piece, sizeof(piece), MSG_NOSIGNAL);
		sent += count > 0 ? (size_t)count : 0;
		lab_for(0);
		(void)raw_pull(raw);
	}
	assert_true(raw->closed);
	assert_int_equal(served.handled, 0);
	raw_end(raw);
}

static void
test_large_heads(void **state)
{
	struct str text;
	struct raw *raw;

	(void)state;
	str_init(&text, 0);
	str_add(&text, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ");
	for (int i = 0; i < 1000; i++)
		str_add(&text, "0123456789");
	raw = raw_ask(str_text(&text));
	assert_true(raw_expect(raw, "HTTP/1.1 431 "));
	raw_end(raw);
	str_clear(&text);
	str_add(&text, "GET /");
	for (int i = 0; i < 1000; i++)
		str_add(&text, "0123456789");
	raw = raw_ask(str_text(&text));
	assert_true(raw_expect(raw, "HTTP/1.1 414 "));
	raw_end(raw);
	str_done(&text);
	assert_int_equal(served.handled, 0);
}

/* Heads that two readers could understand in two ways, and paths that are none. */
static void
test_refused_heads(void **state)
{
	static const char *const heads[] = {
	    POST_HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	    POST_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
	    POST_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    POST_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    POST_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	    POST_HEAD "Content-Length: -1\r\n\r\n",
	    POST_HEAD "Content-Length: 1x\r\n\r\nx",
	    HEAD_OF("GET", "/") "Host: y\r\n\r\n",
	    "GET / HTTP/1.1\r\n\r\n",
	    GET("/a%00b"),
	    GET("/a%zzb"),
	    GET("/a%4"),
	    GET("/a?b=%00"),
	    GET("/a%ffb"),
	    GET("/a%c0%afb"),
	    GET("/a?b=%ff"),
	    GET("http://x/a"),
	    GET("*"),
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\nHost: x\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct raw *raw = raw_ask(heads[i]);

		if (!raw_expect(raw, NULL) || !str_starts(raw->text, "HTTP/1.1 400 "))
			fail_msg("head %zu: %s", i, raw->text);
		raw_end(raw);
	}
	assert_int_equal(served.handled, 0);
	assert_int_equal(served.gone_count, 0);
}

static void
test_noise(void **state)
{
	static const char *const noise[] = {"\r\n\r\n\r\n\r\n",
	    "\x16\x03\x01\x02\x01\x01\xfc\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
	    "GET / HTTP/2.0\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	    " / / /\r\n\r\n", ": : :\r\n: x\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		struct raw *raw = raw_ask(noise[i]);

		lab_for(5);
		raw_end(raw);
	}
	assert_true(lab_until(served_connections, &none));
	assert_int_equal(served.handled, 0);
	assert_int_equal(served.gone_count, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(test_echo),
	    test(test_late_answer),
	    test(test_many_late_answers),
	    test(test_stream),
	    test(test_stream_in_bulk),
	    test(test_stream_of_a_sleeping_client),
	    test(test_client_gone),
	    test(test_impatient_client),
	    test(test_bodies),
	    test(test_large_uploads_get_their_413),
	    test(test_a_body_without_end_is_cut),
	    test(test_large_heads),
	    test(test_refused_heads),
	    test(test_noise),
	};

	return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
