/* A server whose handler does what the path says, and remembers. */
#ifndef TESTS_UNIT_TEST_HTTPD_LAB_H
#define TESTS_UNIT_TEST_HTTPD_LAB_H

#include "test_http_lab.h"

struct served {
	struct httpd *httpd;
	int port;
	int handled;
	uint64_t numbers[512]; /* of /late and /stream, in order */
	int waiting;
	uint64_t gone[512];
	int gone_count;
	char peer[256], certificate[128]; /* "": none */
	bool local;
};

static struct served served;

static unused void
say_query(void *ctx, const char *name, const char *value)
{
	str_addf(ctx, "[%s=%s]", name, value);
}

/* method|path|body|X-Test|?one|all arguments */
static unused void
handle_echo(struct httpd_request *request)
{
	static const char *const headers[] = {"X-Answer: yes", "Retry-After: 3", NULL};
	struct str text;
	size_t length;
	const char *body = httpd_body(request, &length), *test = httpd_header(request, "x-test"),
		   *one = httpd_query(request, "one");

	str_init(&text, 0);
	str_addf(&text, "%s|%s|%zu:%.40s|%s|%s|", httpd_method(request), httpd_path(request),
	    length, body, test != NULL ? test : "-", one != NULL ? one : "-");
	httpd_each_query(request, say_query, &text);
	httpd_answer(served.httpd, httpd_number(request), 200, "text/plain", headers,
	    str_text(&text), text.length);
	/* The second answer to a question is ignored. */
	httpd_answer(served.httpd, httpd_number(request), 500, NULL, NULL, "no", 2);
	str_done(&text);
}

static unused void
handle(void *ctx, struct httpd_request *request)
{
	const char *path = httpd_path(request);
	uint64_t number = httpd_number(request);

	assert_ptr_equal(ctx, &served);
	served.handled++;
	served.local = httpd_is_local(request);
	(void)str_copy(served.peer, sizeof(served.peer), httpd_peer(request));
	const char *certificate = httpd_certificate(request);
	(void)str_copy(
	    served.certificate, sizeof(served.certificate), certificate != NULL ? certificate : "");
	if (str_equal(path, "/late") || str_equal(path, "/stream")) {
		served.numbers[served.waiting++ % 512] = number;
		if (str_equal(path, "/stream"))
			httpd_stream_start(served.httpd, number, "text/event-stream", NULL);
	} else if (str_equal(path, "/none")) {
		httpd_answer(served.httpd, number, 204, NULL, NULL, "", 0);
	} else {
		handle_echo(request);
	}
}

static unused void
on_gone(void *ctx, uint64_t number)
{
	assert_ptr_equal(ctx, &served);
	served.gone[served.gone_count++ % 512] = number;
	/* Too late for these, and no harm. */
	httpd_answer(served.httpd, number, 200, NULL, NULL, "x", 1);
	assert_false(httpd_stream_send(served.httpd, number, "x", 1));
}

static unused void
serve(struct httpd_limits limits)
{
	struct err e = {""};

	lab_open();
	served = (struct served){0};
	served.httpd = httpd_new(lab.loop, &limits, handle, on_gone, &served);
	assert_int_equal(httpd_listen_tcp(served.httpd, "127.0.0.1:0", &served.port, &e), 0);
	assert_true(served.port > 0);
}

static unused void
serve_no_more(void)
{
	httpd_free(served.httpd);
	served.httpd = NULL;
	lab_close();
}

static unused bool
served_waiting(void *ctx)
{
	return served.waiting >= *(int *)ctx;
}

static unused bool
served_gone(void *ctx)
{
	return served.gone_count >= *(int *)ctx;
}

static unused bool
served_connections(void *ctx)
{
	return httpd_connections(served.httpd) == *(int *)ctx;
}

/* A raw client that has just sent this. */
static unused struct raw *
raw_ask(const char *text)
{
	struct raw *raw = mem_alloc(sizeof(*raw));

	raw->fd = raw_connect(served.port);
	raw_send(raw->fd, text);
	return raw;
}

static unused void
raw_end(struct raw *raw)
{
	(void)close(raw->fd);
	free(raw);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

#endif
