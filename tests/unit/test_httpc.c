/* The client: outcomes, bounds, deadlines, streams, cancelling, against a peer that can misbehave.
 * (TLS is in test_httpc_tls.c.) */
#include "test_http_lab.h"

#include <dlfcn.h>
#include <netdb.h>
#include "http/httpc_transfer.h"

static struct httpc_pool *pool;
static struct peer peer;
static struct asked a, b;

/* Names that end in ".slow.test" take a second to be resolved (and then do not exist). */
int
getaddrinfo(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct timespec second = {.tv_sec = 1};

	if (node != NULL && str_ends(node, ".slow.test")) {
		(void)nanosleep(&second, NULL);
		return EAI_NONAME;
	}
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, found);
}

static int
setup(void **state)
{
	(void)state;
	lab_open();
	pool = httpc_pool_new(lab.loop, 4);
	a = (struct asked){0};
	b = (struct asked){0};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	peer_close(&peer); /* open when a test has failed */
	httpc_pool_free(pool);
	lab_close();
	return 0;
}

static void
test_answer(void **state)
{
	(void)state;
	peer_open(&peer,
	    "HTTP/1.1 503 Busy\r\nContent-Type: text/x\r\nRetry-After: 7\r\nContent-Length: "
	    "5\r\n\r\nhello",
	    PEER_KEEPS);
	ask(&a, pool,
	    (struct httpc_request){.method = "GET",
		.url = url_of(peer.port, "/a?b=c"),
		.headers = (const char *const[]){"X-Token: abc", NULL},
		.basic = "me:secret"});
	assert_int_equal(httpc_active(pool), 1);
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(httpc_active(pool), 0);
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	assert_int_equal(a.status, 503);
	assert_int_equal(a.retry_after_ms, 7000);
	assert_string_equal(a.body, "hello");
	assert_int_equal(a.body_length, 5);
	assert_string_equal(a.content_type, "text/x");
	assert_string_equal(a.error, "");
	assert_non_null(strstr(peer.seen, "GET /a?b=c HTTP/1.1\r\n"));
	assert_non_null(strstr(peer.seen, "X-Token: abc\r\n"));
	assert_non_null(strstr(peer.seen, "Authorization: Basic bWU6c2VjcmV0\r\n"));
	assert_non_null(strstr(peer.seen, "Accept-Encoding: "));
	assert_non_null(strstr(peer.seen, "User-Agent: airisd\r\n"));
	peer_close(&peer);
}

static void
test_methods(void **state)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
	char line[64];

	(void)state;
	peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", PEER_KEEPS);
	for (size_t i = 0; i < 4; i++) {
		peer.length = 0;
		ask(&a, pool,
		    (struct httpc_request){.method = methods[i],
			.url = url_of(peer.port, "/x"),
			.body = "{\"a\":1}",
			.body_length = 7});
		assert_true(lab_until(asked_is_done, &a));
		assert_int_equal(a.outcome, HTTPC_ANSWERED);
		assert_true(str_print(line, sizeof(line), "%s /x HTTP/1.1\r\n", methods[i]));
		assert_true(str_starts(peer.seen, line));
		assert_non_null(strstr(peer.seen, "Content-Length: 7\r\n"));
		assert_null(strstr(peer.seen, "Content-Type"));
		assert_null(strstr(peer.seen, "Expect"));
		assert_true(str_ends(peer.seen, "\r\n\r\n{\"a\":1}"));
	}
	ask(&a, pool, (struct httpc_request){.method = "HEAD", .url = url_of(peer.port, "/")});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.status, 200);
	assert_int_equal(peer.accepted, 1); /* one connection served them all */
	peer_close(&peer);
}

static void
test_redirects_are_not_followed(void **state)
{
	(void)state;
	peer_open(&peer, "HTTP/1.1 302 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
	    PEER_KEEPS);
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/")});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.status, 302);
	assert_int_equal(peer.heads, 1);
	peer_close(&peer);
}

static void
test_nobody_listens_is_not_sent(void **state)
{
	int port;

	(void)state;
	peer_open(&peer, NULL, PEER_KEEPS);
	port = peer.port;
	peer_close(&peer);
	ask(&a, pool,
	    (struct httpc_request){
		.method = "PATCH", .url = url_of(port, "/"), .body = "x", .body_length = 1});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_int_equal(a.status, 0);
	assert_non_null(strstr(a.error, "connect"));
}

static void
test_requests_that_cannot_be_sent(void **state)
{
	static const char *const broken[] = {"Authorization: Bearer abc\n", NULL};

	(void)state;
	ask(&a, pool, (struct httpc_request){.url = "ht tp:/nonsense"});
	ask(&b, pool, (struct httpc_request){.url = "http://127.0.0.1:1/", .headers = broken});
	assert_true(lab_until(asked_is_done, &a));
	assert_true(lab_until(asked_is_done, &b));
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_non_null(strstr(a.error, "URL"));
	assert_int_equal(b.outcome, HTTPC_NOT_SENT);
	assert_non_null(strstr(b.error, "Authorization"));
	assert_null(strstr(b.error, "abc"));
	ask(&a, pool, (struct httpc_request){.url = "file:///etc/passwd"});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
}

static void
test_lost_answers_are_unknown(void **state)
{
	static const struct {
		const char *reply;
		enum peer_end end;
	} cases[] = {
	    {"", PEER_CLOSES},
	    {"", PEER_RESETS},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", PEER_CLOSES},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", PEER_CLOSES},
	    {"nonsense\r\n\r\n", PEER_CLOSES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		peer_open(&peer, cases[i].reply, cases[i].end);
		ask(&a, pool,
		    (struct httpc_request){.method = "PATCH",
			.url = url_of(peer.port, "/"),
			.body = "x",
			.body_length = 1});
		assert_true(lab_until(asked_is_done, &a));
		assert_int_equal(a.outcome, HTTPC_UNKNOWN);
		assert_true(a.error[0] != '\0');
		assert_string_equal(a.body, "");
		assert_int_equal(peer.heads, 1); /* never sent twice */
		peer_close(&peer);
	}
}

static void
test_no_answer_in_time_is_unknown(void **state)
{
	(void)state;
	peer_open(&peer, NULL, PEER_KEEPS);
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/"), .timeout_ms = 150});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_UNKNOWN);
	assert_in_range(a.took_ms, 140, 2000);
	peer_close(&peer);
}

/* curl's own timeout does not run while a request waits for a connection. */
static void
test_deadline_in_the_queue(void **state)
{
	struct httpc_pool *narrow = httpc_pool_new(lab.loop, 1);

	(void)state;
	peer_open(&peer, NULL, PEER_KEEPS);
	ask(&a, narrow, (struct httpc_request){.url = url_of(peer.port, "/1"), .timeout_ms = 5000});
	ask(&b, narrow, (struct httpc_request){.url = url_of(peer.port, "/2"), .timeout_ms = 150});
	assert_true(lab_until(asked_is_done, &b));
	assert_int_equal(b.outcome, HTTPC_NOT_SENT);
	assert_int_equal(a.done, 0);
	assert_int_equal(peer.heads, 1);
	httpc_pool_free(narrow);
	assert_int_equal(a.done, 0);
	peer_close(&peer);
}

static void
test_too_big(void **state)
{
	(void)state;
	peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789", PEER_KEEPS);
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/"), .max_body = 8});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_TOO_BIG);
	assert_non_null(strstr(a.error, "8 bytes"));
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/"), .max_body = 9});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	assert_string_equal(a.body, "123456789");
	peer_close(&peer);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void
test_stream(void **state)
{
	(void)state;
	peer_open(&peer, CHUNKED "6\r\nfirst;\r\n", PEER_KEEPS);
	ask(&a, pool,
	    (struct httpc_request){
		.url = url_of(peer.port, "/"), .on_data = asked_data, .max_body = 4});
	assert_true(lab_until(asked_has_data, &a));
	assert_int_equal(a.done, 0);
	assert_int_equal(a.status, 200);
	assert_null(strstr(peer.seen, "Accept-Encoding"));
	raw_send(peer.fds[0], "7\r\nsecond;\r\n0\r\n\r\n");
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	assert_string_equal(a.data, "first;second;");
	assert_string_equal(a.body, "");
	peer_close(&peer);
}

static int opened, opened_status;

static void
note_open(void *ctx, uint64_t number, int status, bool http2)
{
	struct asked *asked = ctx;

	assert_true(number == asked->number);
	assert_int_equal(asked->chunks, 0);
	assert_false(http2);
	opened++;
	opened_status = status;
}

static bool
has_opened(void *ctx)
{
	return *(int *)ctx > 0;
}

/* A watch with nothing to tell is open all the same. */
static void
test_open_is_told_once(void **state)
{
	(void)state;
	opened = 0;
	peer_open(&peer,
	    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n",
	    PEER_KEEPS);
	ask(&a, pool,
	    (struct httpc_request){
		.url = url_of(peer.port, "/"), .on_open = note_open, .on_data = asked_data});
	assert_true(lab_until(has_opened, &opened));
	assert_int_equal(opened_status, 200);
	raw_send(peer.fds[0], "1\r\nx\r\n0\r\n\r\n");
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(opened, 1);
	assert_string_equal(a.data, "x");
	peer_close(&peer);
}

static void
test_stream_stopped_by_its_reader(void **state)
{
	(void)state;
	peer_open(&peer, CHUNKED "1\r\nx\r\n", PEER_KEEPS);
	a.stop_after = 1;
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/"), .on_data = asked_data});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_UNKNOWN);
	assert_string_equal(a.error, "stopped by its reader");
	assert_int_equal(a.chunks, 1);
	peer_close(&peer);
}

/* The peer's machine is gone: nothing comes, not even an end. */
static void
test_half_open_stream(void **state)
{
	(void)state;
	peer_open(&peer, CHUNKED "1\r\nx\r\n", PEER_KEEPS);
	ask(&a, pool,
	    (struct httpc_request){
		.url = url_of(peer.port, "/"), .on_data = asked_data, .idle_timeout_ms = 200});
	assert_true(lab_until(asked_has_data, &a));
	lab_for(120);
	raw_send(peer.fds[0], "1\r\ny\r\n"); /* each byte gives it the time anew */
	lab_for(120);
	assert_int_equal(a.done, 0);
	assert_true(lab_until(asked_is_done, &a));
	assert_string_equal(a.data, "xy");
	assert_int_equal(a.outcome, HTTPC_UNKNOWN);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.error, "200 ms"));
	assert_in_range(a.took_ms, 310, 3000);
	/* The dead connection is not used again. */
	peer.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	ask(&b, pool, (struct httpc_request){.url = url_of(peer.port, "/")});
	assert_true(lab_until(asked_is_done, &b));
	assert_int_equal(b.outcome, HTTPC_ANSWERED);
	assert_int_equal(peer.accepted, 2);
	peer_close(&peer);
}

static void
test_cancel(void **state)
{
	(void)state;
	peer_open(&peer, CHUNKED "1\r\nx\r\n", PEER_KEEPS);
	httpc_cancel(pool, 0);
	httpc_cancel(pool, 12345678);
	/* before it began */
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/")});
	httpc_cancel(pool, a.number);
	assert_int_equal(httpc_active(pool), 0);
	/* in the middle of its own data */
	b.cancel_in_data = true;
	ask(&b, pool, (struct httpc_request){.url = url_of(peer.port, "/"), .on_data = asked_data});
	assert_true(lab_until(asked_has_data, &b));
	assert_int_equal(httpc_active(pool), 0);
	lab_for(20);
	assert_int_equal(b.chunks, 1);
	assert_int_equal(peer.heads, 1);
	/* under way */
	b.cancel_in_data = false;
	ask(&b, pool, (struct httpc_request){.url = url_of(peer.port, "/"), .on_data = asked_data});
	assert_true(lab_until(asked_has_data, &b));
	httpc_cancel(pool, b.number);
	httpc_cancel(pool, b.number);
	assert_int_equal(httpc_active(pool), 0);
	lab_for(20);
	assert_int_equal(a.done + b.done, 0);
	peer_close(&peer);
}

static void
test_cancel_another_in_done(void **state)
{
	(void)state;
	peer_open(&peer, NULL, PEER_KEEPS);
	ask(&b, pool, (struct httpc_request){.url = url_of(peer.port, "/b")});
	a.cancel_in_done = b.number;
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/a"), .timeout_ms = 50});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(httpc_active(pool), 0);
	assert_int_equal(b.done, 0);
	peer_close(&peer);
}

static void
test_pool_freed_in_its_callbacks(void **state)
{
	struct httpc_pool *other = httpc_pool_new(lab.loop, 4);

	(void)state;
	peer_open(&peer, CHUNKED "1\r\nx\r\n", PEER_KEEPS);
	a.free_in_data = true;
	ask(&a, other,
	    (struct httpc_request){.url = url_of(peer.port, "/"), .on_data = asked_data});
	ask(&b, other, (struct httpc_request){.url = url_of(peer.port, "/")});
	assert_true(lab_until(asked_has_data, &a));
	lab_for(10);
	other = httpc_pool_new(lab.loop, 4);
	a = (struct asked){.free_in_done = true};
	ask(&a, other, (struct httpc_request){.url = url_of(peer.port, "/"), .timeout_ms = 50});
	ask(&b, other, (struct httpc_request){.url = url_of(peer.port, "/")});
	assert_true(lab_until(asked_is_done, &a));
	lab_for(10);
	assert_int_equal(b.done, 0);
	peer_close(&peer);
}

static void
test_proxy(void **state)
{
	char proxy[64];

	(void)state;
	peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", PEER_KEEPS);
	assert_true(str_print(proxy, sizeof(proxy), "http://127.0.0.1:%d", peer.port));
	ask(&a, pool, (struct httpc_request){.url = "http://far.test/x", .proxy = proxy});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	assert_true(str_starts(peer.seen, "GET http://far.test/x HTTP/1.1\r\n"));
	/* A proxy that says no: nothing of the request itself was sent. */
	peer.reply = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
	ask(&a, pool,
	    (struct httpc_request){.method = "PATCH",
		.url = "https://far.test/x",
		.proxy = proxy,
		.body = "x",
		.body_length = 1});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_non_null(strstr(peer.seen, "CONNECT far.test:443 HTTP/1.1\r\n"));
	peer_close(&peer);
}

/* The address is the URL's, the Host too; only TLS sees the other name. */
static void
test_server_name_changes_no_address(void **state)
{
	char host[64];

	(void)state;
	peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", PEER_KEEPS);
	ask(&a, pool,
	    (struct httpc_request){
		.url = url_of(peer.port, "/x?y"), .tls = {.server_name = "lab.test"}});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	assert_true(str_print(host, sizeof(host), "\r\nHost: 127.0.0.1:%d\r\n", peer.port));
	assert_true(str_starts(peer.seen, "GET /x?y HTTP/1.1\r\n"));
	assert_non_null(strstr(peer.seen, host));
	assert_null(strstr(peer.seen, "lab.test"));
	peer_close(&peer);
}

static void
test_environment_proxy_is_ignored(void **state)
{
	(void)state;
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", PEER_KEEPS);
	ask(&a, pool, (struct httpc_request){.url = url_of(peer.port, "/")});
	assert_true(lab_until(asked_is_done, &a));
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	assert_int_equal(unsetenv("http_proxy"), 0);
	peer_close(&peer);
}

/* Neither a timeout, nor cancelling, nor freeing waits for a name server. */
static void
test_slow_name_server_does_not_stop_the_loop(void **state)
{
	struct httpc_pool *other = httpc_pool_new(lab.loop, 4);
	int64_t began = clock_mono_ms();

	(void)state;
	ask(&a, pool, (struct httpc_request){.url = "http://a.slow.test/", .timeout_ms = 100});
	ask(&b, pool, (struct httpc_request){.url = "http://b.slow.test/"});
	assert_true(lab_until(asked_is_done, &a));
	httpc_cancel(pool, b.number);
	ask(&b, other, (struct httpc_request){.url = "http://c.slow.test/"});
	lab_for(20);
	httpc_pool_free(other);
	assert_in_range(clock_mono_ms() - began, 100, 700);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	/* The resolver's threads end by themselves; wait for them, or they would seem to be leaks.
	 */
	lab_for(1200);
}

static void
test_retry_after(void **state)
{
	int64_t now = INT64_C(784111777000); /* Sun, 06 Nov 1994 08:49:37 GMT */

	(void)state;
	assert_int_equal(httpc_retry_after(NULL, now), -1);
	assert_int_equal(httpc_retry_after("", now), -1);
	assert_int_equal(httpc_retry_after("soon", now), -1);
	assert_int_equal(httpc_retry_after("0", now), 0);
	assert_int_equal(httpc_retry_after("120", now), 120000);
	assert_int_equal(httpc_retry_after("99999999999", now), 86400000);
	assert_int_equal(httpc_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), 10000);
	assert_int_equal(httpc_retry_after("Sun, 06 Nov 1994 08:49:27 GMT", now), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(test_answer),
	    test(test_methods),
	    test(test_redirects_are_not_followed),
	    test(test_nobody_listens_is_not_sent),
	    test(test_requests_that_cannot_be_sent),
	    test(test_lost_answers_are_unknown),
	    test(test_no_answer_in_time_is_unknown),
	    test(test_deadline_in_the_queue),
	    test(test_too_big),
	    test(test_stream),
	    test(test_open_is_told_once),
	    test(test_stream_stopped_by_its_reader),
	    test(test_half_open_stream),
	    test(test_cancel),
	    test(test_cancel_another_in_done),
	    test(test_pool_freed_in_its_callbacks),
	    test(test_proxy),
	    test(test_server_name_changes_no_address),
	    test(test_environment_proxy_is_ignored),
	    test(test_slow_name_server_does_not_stop_the_loop),
	    test(test_retry_after),
	};

	return cmocka_run_group_tests_name("httpc", tests, NULL, NULL);
}
