/* What the tests of the http floor share: a loop that runs until something is true (or 10 s have
 * passed: then the test fails), raw clients, and a scripted peer that can misbehave. */
#ifndef TESTS_UNIT_TEST_HTTP_LAB_H
#define TESTS_UNIT_TEST_HTTP_LAB_H

#include "unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "http/httpc.h"
#include "http/httpd.h"
#include "loop/loop.h"

#define unused __attribute__((unused))

struct lab {
	struct loop *loop;
	struct loop_timer *tick;
	bool (*until)(void *ctx);
	void *ctx;
	int64_t deadline;
	bool reached;
};

static struct lab lab;

static void
lab_tick(void *ctx)
{
	(void)ctx;
	lab.reached = lab.until != NULL && lab.until(lab.ctx);
	if (lab.reached || clock_mono_ms() >= lab.deadline)
		loop_stop(lab.loop);
	else
		loop_timer_set(lab.tick, 2);
}

static unused void
lab_open(void)
{
	lab.loop = loop_new();
	lab.tick = loop_timer_new(lab.loop, lab_tick, NULL);
}

static unused void
lab_close(void)
{
	loop_timer_free(lab.tick);
	loop_free(lab.loop);
	lab = (struct lab){0};
}

/* Runs the loop until it is true, at most for 10 s. */
static unused bool
lab_until(bool (*until)(void *ctx), void *ctx)
{
	lab.until = until;
	lab.ctx = ctx;
	lab.reached = false;
	lab.deadline = clock_mono_ms() + 10000;
	loop_timer_set(lab.tick, 0);
	loop_run(lab.loop);
	return lab.reached;
}

static unused void
lab_for(int64_t ms)
{
	lab.until = NULL;
	lab.deadline = clock_mono_ms() + ms;
	loop_timer_set(lab.tick, 0);
	loop_run(lab.loop);
}

/* CPU time of this process, to see a loop that spins. */
static unused int64_t
lab_cpu_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- raw clients --- */

static unused int
raw_connect(int port)
{
	struct sockaddr_in where = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static unused void
raw_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

struct raw {
	int fd;
	bool closed;
	const char *needle;
	size_t length;
	char text[131072];
};

static unused bool
raw_pull(void *ctx)
{
	struct raw *raw = ctx;
	ssize_t got;

	while (!raw->closed && raw->length < sizeof(raw->text) - 1) {
		got =
		    recv(raw->fd, raw->text + raw->length, sizeof(raw->text) - 1 - raw->length, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (got <= 0)
			raw->closed = true;
		else
			raw->length += (size_t)got;
	}
	raw->text[raw->length] = '\0';
	if (raw->needle != NULL && strstr(raw->text, raw->needle) != NULL)
		return true;
	return raw->closed;
}

/* Reads until needle came or the connection ended (NULL: until it ended). */
static unused bool
raw_expect(struct raw *raw, const char *needle)
{
	raw->needle = needle;
	if (!lab_until(raw_pull, raw))
		return false;
	return needle == NULL ? raw->closed : strstr(raw->text, needle) != NULL;
}

static unused void
raw_reset(int fd)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	assert_int_equal(close(fd), 0);
}

/* --- a peer that answers every request head with what the script says --- */

enum peer_end { PEER_KEEPS, PEER_CLOSES, PEER_RESETS };

struct peer {
	int listener;
	int port;
	int fds[16];
	struct loop_fd *watches[16];
	struct loop_fd *accepts;
	int accepted;
	int heads; /* requests seen */
	const char *reply;
	enum peer_end end;
	char seen[16384]; /* everything that came, of all connections */
	size_t length;
};

struct peer_line {
	struct peer *peer;
	int index;
};
static struct peer_line peer_lines[16];

static unused void
peer_drop(struct peer *peer, int i)
{
	loop_fd_free(peer->watches[i]);
	peer->watches[i] = NULL;
	if (peer->fds[i] >= 0 && peer->end == PEER_RESETS)
		raw_reset(peer->fds[i]);
	else if (peer->fds[i] >= 0)
		(void)close(peer->fds[i]);
	peer->fds[i] = -1;
}

static unused void
peer_read(void *ctx, int what)
{
	struct peer_line *line = ctx;
	struct peer *peer = line->peer;
	int fd = peer->fds[line->index];
	ssize_t got;

	(void)what;
	got = recv(fd, peer->seen + peer->length, sizeof(peer->seen) - 1 - peer->length, 0);
	if (got <= 0) {
		peer_drop(peer, line->index);
		return;
	}
	peer->length += (size_t)got;
	peer->seen[peer->length] = '\0';
	if (strstr(peer->seen + peer->length - (size_t)got, "\r\n\r\n") == NULL)
		return;
	peer->heads++;
	if (peer->reply != NULL)
		raw_send(fd, peer->reply);
	if (peer->end != PEER_KEEPS)
		peer_drop(peer, line->index);
}

static unused void
peer_accept(void *ctx, int what)
{
	struct peer *peer = ctx;
	int fd = accept(peer->listener, NULL, NULL), i = peer->accepted;

	(void)what;
	assert_true(fd >= 0 && i < 16);
	peer->accepted++;
	peer->fds[i] = fd;
	peer_lines[i] = (struct peer_line){peer, i};
	peer->watches[i] = loop_fd_new(lab.loop, fd, LOOP_READ, peer_read, &peer_lines[i]);
}

static unused void
peer_open(struct peer *peer, const char *reply, enum peer_end end)
{
	struct sockaddr_in where = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(where);

	*peer = (struct peer){.reply = reply, .end = end};
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(peer->listener >= 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&where, sizeof(where)), 0);
	assert_int_equal(listen(peer->listener, 16), 0);
	assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&where, &size), 0);
	peer->port = ntohs(where.sin_port);
	peer->accepts = loop_fd_new(lab.loop, peer->listener, LOOP_READ, peer_accept, peer);
}

static unused void
peer_close(struct peer *peer)
{
	if (peer->accepts == NULL)
		return;
	for (int i = 0; i < peer->accepted; i++)
		if (peer->fds[i] >= 0)
			peer_drop(peer, i);
	loop_fd_free(peer->accepts);
	peer->accepts = NULL;
	(void)close(peer->listener);
}

/* --- a client request whose end is kept --- */

struct asked {
	struct httpc_pool *pool;
	uint64_t number;
	int done; /* how often on_done came */
	enum httpc_outcome outcome;
	int status;
	int64_t retry_after_ms;
	int64_t took_ms;
	char body[65536];
	size_t body_length;
	char content_type[128];
	char error[1100];
	char data[65536]; /* stream */
	size_t data_length;
	int chunks;
	int stop_after; /* chunks; 0: never */
	bool cancel_in_data;
	bool free_in_done;
	bool free_in_data;
	uint64_t cancel_in_done;
};

static unused void
asked_done(void *ctx, const struct httpc_answer *answer)
{
	struct asked *a = ctx;

	a->done++;
	assert_true(answer->number == a->number);
	a->outcome = answer->outcome;
	a->status = answer->status;
	a->retry_after_ms = answer->retry_after_ms;
	a->took_ms = answer->took_ms;
	a->body_length = answer->body_length;
	(void)str_copy(a->body, sizeof(a->body), answer->body);
	(void)str_copy(a->content_type, sizeof(a->content_type),
	    answer->content_type != NULL ? answer->content_type : "");
	(void)str_copy(a->error, sizeof(a->error), answer->error != NULL ? answer->error : "");
	if (a->cancel_in_done != 0)
		httpc_cancel(a->pool, a->cancel_in_done);
	httpc_cancel(a->pool, a->number);
	if (a->free_in_done)
		httpc_pool_free(a->pool);
}

static unused bool
asked_data(void *ctx, uint64_t number, int status, const char *bytes, size_t count)
{
	struct asked *a = ctx;

	assert_true(number == a->number);
	a->status = status;
	if (a->data_length + count < sizeof(a->data)) {
		memcpy(a->data + a->data_length, bytes, count);
		a->data_length += count;
	}
	a->chunks++;
	if (a->cancel_in_data)
		httpc_cancel(a->pool, number);
	if (a->free_in_data)
		httpc_pool_free(a->pool);
	return a->stop_after == 0 || a->chunks < a->stop_after;
}

static unused bool
asked_is_done(void *ctx)
{
	return ((struct asked *)ctx)->done > 0;
}

static unused bool
asked_has_data(void *ctx)
{
	return ((struct asked *)ctx)->chunks > 0;
}

/* Starts; url may hold one %d for the port. */
static unused void
ask(struct asked *a, struct httpc_pool *pool, struct httpc_request request)
{
	*a = (struct asked){.stop_after = a->stop_after,
	    .cancel_in_data = a->cancel_in_data,
	    .free_in_done = a->free_in_done,
	    .free_in_data = a->free_in_data,
	    .cancel_in_done = a->cancel_in_done};
	a->pool = pool;
	request.on_done = asked_done;
	request.ctx = a;
	a->number = httpc_start(pool, &request);
	assert_true(a->number != 0);
	assert_int_equal(a->done, 0);
}

static unused const char *
url_of(int port, const char *path)
{
	static char urls[8][256];
	static int next;
	char *url = urls[next++ % 8];

	assert_true(str_print(url, sizeof(urls[0]), "http://127.0.0.1:%d%s", port, path));
	return url;
}

#endif
