/* A small API server for tests, on sockets in the same loop: the test's handler is given each
 * request and answers it byte by byte as it likes, now or later. And waiting for something to
 * become true, with a deadline. One of each per program. */
#ifndef TESTS_UNIT_KUBE_FAKE_H
#define TESTS_UNIT_KUBE_FAKE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/str.h"
#include "loop/loop.h"

/* --- waiting --- */

static bool (*until_condition)(void);
static bool until_met;
static struct loop *until_loop;

/* Before a new loop: it may have the address of an old one. */
static inline void
until_forget(void)
{
	until_loop = NULL;
}

static inline void
until_turn(void *ctx)
{
	(void)ctx;
	if (!until_condition || !until_condition())
		return;
	until_met = true;
	until_condition = NULL;
	loop_stop(until_loop);
}

static inline void
until_over(void *ctx)
{
	(void)ctx;
	loop_stop(until_loop);
}

/* Runs the loop until the condition is true (true) or for at most ms (false). */
static inline bool
run_until(struct loop *loop, bool (*condition)(void), int64_t ms)
{
	struct loop_timer *timer;

	if (condition())
		return true;
	timer = loop_timer_new(loop, until_over, NULL);
	if (until_loop != loop) {
		until_loop = loop;
		loop_each_turn(loop, until_turn, NULL);
	}
	until_condition = condition;
	until_met = false;
	loop_timer_set(timer, ms);
	loop_run(loop);
	until_condition = NULL;
	loop_timer_free(timer);
	return until_met;
}

static inline bool
never(void)
{
	return false;
}

/* --- the server --- */

enum { FAKE_CONNS = 64, FAKE_HEAD = 8192 };

struct fake_conn {
	int fd; /* -1: free */
	struct loop_fd *watch;
	char in[65536];
	size_t have;
	char method[16], path[2048], head[FAKE_HEAD];
	char *body; /* of the request being answered */
	bool busy;  /* a request is waiting for its answer */
	bool chunked;
	struct str out;
	size_t sent;
};

typedef void fake_handler(struct fake_conn *conn);

struct fake {
	struct loop *loop;
	int fd, port;
	struct loop_fd *watch;
	bool deaf; /* takes connections and bytes, and does nothing with them */
	fake_handler *handler;
	struct fake_conn conns[FAKE_CONNS];
	int requests; /* handled */
};

static struct fake fake;

static inline void
fake_close(struct fake_conn *conn)
{
	if (conn->fd < 0)
		return;
	loop_fd_free(conn->watch);
	close(conn->fd);
	free(conn->body);
	str_done(&conn->out);
	memset(conn, 0, sizeof *conn);
	conn->fd = -1;
}

static inline void
fake_flush(struct fake_conn *conn)
{
	while (conn->out.length > conn->sent) {
		ssize_t count = send(conn->fd, conn->out.data + conn->sent,
		    conn->out.length - conn->sent, MSG_NOSIGNAL);

		if (count <= 0)
			break;
		conn->sent += (size_t)count;
	}
	if (conn->sent == conn->out.length) {
		str_clear(&conn->out);
		conn->sent = 0;
	}
	loop_fd_want(conn->watch, conn->out.length ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static inline void
fake_send(struct fake_conn *conn, const char *bytes, size_t count)
{
	if (conn->fd < 0)
		return;
	str_add_bytes(&conn->out, bytes, count);
	fake_flush(conn);
}

/* headers: "" or lines that end with \r\n */
static inline void
fake_answer_with(struct fake_conn *conn, int status, const char *headers, const char *body)
{
	char *text = str_format("HTTP/1.1 %d Text\r\nContent-Type: application/json\r\n"
				"Content-Length: %zu\r\n%s\r\n%s",
	    status, strlen(body), headers, body);

	conn->busy = false;
	fake_send(conn, text, strlen(text));
	free(text);
}

static inline void
fake_answer(struct fake_conn *conn, int status, const char *body)
{
	fake_answer_with(conn, status, "", body);
}

static inline void
fake_stream(struct fake_conn *conn)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";

	conn->chunked = true;
	fake_send(conn, head, sizeof head - 1);
}

static inline void
fake_chunk_bytes(struct fake_conn *conn, const char *bytes, size_t count)
{
	char size[32];

	str_print(size, sizeof size, "%zx\r\n", count);
	fake_send(conn, size, strlen(size));
	fake_send(conn, bytes, count);
	fake_send(conn, "\r\n", 2);
}

static inline void
fake_chunk(struct fake_conn *conn, const char *text)
{
	fake_chunk_bytes(conn, text, strlen(text));
}

static inline void
fake_stream_end(struct fake_conn *conn)
{
	conn->busy = false;
	conn->chunked = false;
	fake_send(conn, "0\r\n\r\n", 5);
}

static inline bool
fake_has_header(const struct fake_conn *conn, const char *line)
{
	return strcasestr(conn->head, line) != NULL;
}

/* True: a whole request was there and is in conn now. */
static inline bool
fake_take(struct fake_conn *conn)
{
	char *end = memmem(conn->in, conn->have, "\r\n\r\n", 4), *length;
	size_t head, body = 0;

	if (conn->busy || !end)
		return false;
	head = (size_t)(end - conn->in) + 4;
	if (head >= FAKE_HEAD)
		return false;
	memcpy(conn->head, conn->in, head);
	conn->head[head] = '\0';
	length = strcasestr(conn->head, "\r\nContent-Length:");
	if (length)
		body = (size_t)strtoul(length + 17, NULL, 10);
	if (conn->have < head + body)
		return false;
	free(conn->body);
	conn->body = strndup(conn->in + head, body);
	memmove(conn->in, conn->in + head + body, conn->have - head - body);
	conn->have -= head + body;
	if (sscanf(conn->head, "%15s %2047s", conn->method, conn->path) != 2)
		return false;
	conn->busy = true;
	return true;
}

static inline void
fake_on_conn(void *ctx, int what)
{
	struct fake_conn *conn = ctx;
	ssize_t count;

	if (what & LOOP_WRITE)
		fake_flush(conn);
	if (!(what & (LOOP_READ | LOOP_CLOSED)))
		return;
	count = read(conn->fd, conn->in + conn->have, sizeof conn->in - conn->have);
	if (count < 0 && errno == EAGAIN)
		return;
	if (count <= 0) {
		fake_close(conn);
		return;
	}
	conn->have += (size_t)count;
	while (!fake.deaf && conn->fd >= 0 && fake_take(conn)) {
		fake.requests++;
		fake.handler(conn);
	}
}

static inline void
fake_on_accept(void *ctx, int what)
{
	int fd = accept4(fake.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)ctx;
	(void)what;
	for (int i = 0; fd >= 0 && i < FAKE_CONNS; i++) {
		struct fake_conn *conn = &fake.conns[i];

		if (conn->fd >= 0)
			continue;
		conn->fd = fd;
		conn->watch = loop_fd_new(fake.loop, fd, LOOP_READ, fake_on_conn, conn);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static inline void
fake_listen(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)fake.port)};
	socklen_t size = sizeof address;
	int on = 1;

	fake.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fake.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fake.fd, (struct sockaddr *)&address, size) < 0 || listen(fake.fd, 64) < 0)
		abort();
	getsockname(fake.fd, (struct sockaddr *)&address, &size);
	fake.port = ntohs(address.sin_port);
	fake.watch = loop_fd_new(fake.loop, fake.fd, LOOP_READ, fake_on_accept, NULL);
}

static inline void
fake_start(struct loop *loop, fake_handler *handler)
{
	memset(&fake, 0, sizeof fake);
	fake.loop = loop;
	fake.handler = handler;
	until_forget();
	for (int i = 0; i < FAKE_CONNS; i++)
		fake.conns[i].fd = -1;
	fake_listen();
}

/* Like a process that was killed; fake_listen brings it back on the same port. */
static inline void
fake_stop(void)
{
	loop_fd_free(fake.watch);
	close(fake.fd);
	for (int i = 0; i < FAKE_CONNS; i++)
		fake_close(&fake.conns[i]);
}

/* --- files --- */

static inline char *
make_folder(void)
{
	char *path = mem_strdup("/tmp/test_kube.XXXXXX");

	return mkdtemp(path);
}

static inline char *
write_file(const char *folder, const char *name, const char *text)
{
	char *path = str_format("%s/%s", folder, name);
	char *other = str_format("%s.new", path);
	FILE *file = fopen(other, "we");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0 || rename(other, path) < 0)
		abort();
	free(other);
	return path;
}

#endif
