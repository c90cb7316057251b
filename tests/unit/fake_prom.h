/* A Prometheus of cardboard for tests of the gates: a thread that takes one request per connection
 * and answers, hangs, cuts or closes as it was told. Probes (vector(1)) are answered apart, so
 * that they disturb nobody's count. */
#ifndef TESTS_UNIT_FAKE_PROM_H
#define TESTS_UNIT_FAKE_PROM_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "loop/loop.h"

enum fake_mode { FAKE_ANSWER, FAKE_HANG, FAKE_CLOSE, FAKE_CUT };
enum { FAKE_KEPT = 64, FAKE_HUNG = 256 };

struct fake {
	pthread_t thread;
	pthread_mutex_t lock;
	int listener, port;
	struct loop *loop; /* is woken after each request */
	/* What it does. `@T` in the answer becomes the time that was asked for. */
	enum fake_mode mode;
	int close_first; /* so many requests are closed before the mode counts */
	int status;
	const char *answer;
	int64_t skew_ms; /* of its clock, seen by probes */
	/* What it saw. */
	int requests, probes;
	char *kept[FAKE_KEPT]; /* whole requests */
	int hung[FAKE_HUNG], hung_count;
};

#define FAKE_ONE(value)                                                                            \
	"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},"  \
	"\"value\":[@T,\"" value "\"]}]}}"

static inline char *
fake_read(int fd)
{
	struct str request;
	char piece[4096];
	const char *end, *length;

	str_init(&request, 1 << 20);
	for (;;) {
		ssize_t got = recv(fd, piece, sizeof(piece), 0);

		if (got <= 0)
			break;
		str_add_bytes(&request, piece, (size_t)got);
		end = strstr(str_text(&request), "\r\n\r\n");
		length = strcasestr(str_text(&request), "\r\nContent-Length: ");
		if (end != NULL && length != NULL &&
		    request.length >=
			(size_t)(end + 4 - request.data) + strtoul(length + 18, NULL, 10))
			break;
	}
	return str_take(&request);
}

static inline void
fake_send(int fd, int status, const char *body, bool cut)
{
	char *whole = str_format("HTTP/1.1 %d Said\r\nContent-Type: application/json\r\n"
				 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
	    status, strlen(body) + (cut ? 10 : 0), body);
	size_t length = strlen(whole), sent = 0;

	while (sent < length) {
		ssize_t now = send(fd, whole + sent, length - sent, MSG_NOSIGNAL);

		if (now <= 0)
			break;
		sent += (size_t)now;
	}
	free(whole);
}

static inline char *
fake_body(const char *answer, const char *request, int64_t now_ms)
{
	const char *at = strstr(request, "&time="), *mark;
	char time[32];
	struct str body;

	if (at != NULL)
		str_print(time, sizeof(time), "%.*s", (int)strcspn(at + 6, "&"), at + 6);
	else
		str_print(time, sizeof(time), "%lld.%03d", (long long)now_ms / 1000,
		    (int)(now_ms % 1000));
	str_init(&body, 0);
	while ((mark = strstr(answer, "@T")) != NULL) {
		str_add_bytes(&body, answer, (size_t)(mark - answer));
		str_add(&body, time);
		answer = mark + 2;
	}
	str_add(&body, answer);
	return str_take(&body);
}

static inline void
fake_noop(void *ctx)
{
	(void)ctx;
}

/* Answers as told; true: the connection stays open. */
static inline bool
fake_serve(struct fake *f, int fd, char *request)
{
	bool probe = strstr(request, "query=vector%281%29&timeout") != NULL, keep = false;
	enum fake_mode mode = probe ? FAKE_ANSWER : f->mode;
	char *body;

	if (!probe && f->close_first > 0) {
		f->close_first--;
		mode = FAKE_CLOSE;
	}
	body = fake_body(probe ? FAKE_ONE("1") : f->answer, request, clock_wall_ms() + f->skew_ms);
	if (mode == FAKE_ANSWER || mode == FAKE_CUT)
		fake_send(fd, probe ? 200 : f->status, body, mode == FAKE_CUT);
	if (mode == FAKE_HANG && f->hung_count < FAKE_HUNG) {
		f->hung[f->hung_count++] = fd;
		keep = true;
	}
	free(body);
	if (probe)
		f->probes++;
	else if (f->requests < FAKE_KEPT)
		f->kept[f->requests] = mem_strdup(request);
	f->requests += !probe;
	return keep;
}

static inline void *
fake_run(void *ctx)
{
	struct fake *f = ctx;
	const struct timeval patience = {.tv_sec = 5};
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		char *request;
		bool keep;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		request = fake_read(fd);
		pthread_mutex_lock(&f->lock);
		keep = fake_serve(f, fd, request);
		pthread_mutex_unlock(&f->lock);
		free(request);
		if (!keep)
			close(fd);
		loop_post(f->loop, fake_noop, NULL);
	}
	return NULL;
}

static inline void
fake_start(struct fake *f, struct loop *loop)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);

	*f = (struct fake){.loop = loop, .status = 200, .answer = FAKE_ONE("1")};
	pthread_mutex_init(&f->lock, NULL);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(f->listener >= 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(f->listener, 128), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&at, &length), 0);
	f->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&f->thread, NULL, fake_run, f), 0);
}

static inline void
fake_stop(struct fake *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	for (int i = 0; i < f->hung_count; i++)
		close(f->hung[i]);
	for (int i = 0; i < FAKE_KEPT; i++)
		free(f->kept[i]);
	pthread_mutex_destroy(&f->lock);
}

/* Changes what it does. */
static inline void
fake_do(struct fake *f, enum fake_mode mode, int status, const char *answer)
{
	pthread_mutex_lock(&f->lock);
	f->mode = mode;
	f->status = status;
	f->answer = answer;
	pthread_mutex_unlock(&f->lock);
}

static inline int
fake_requests(struct fake *f)
{
	int count;

	pthread_mutex_lock(&f->lock);
	count = f->requests;
	pthread_mutex_unlock(&f->lock);
	return count;
}

static inline int
fake_hung(struct fake *f)
{
	int count;

	pthread_mutex_lock(&f->lock);
	count = f->hung_count;
	pthread_mutex_unlock(&f->lock);
	return count;
}

/* A request as it was taken; "" if there were not so many. Stays until fake_stop. */
static inline const char *
fake_request(struct fake *f, int index)
{
	const char *request;

	pthread_mutex_lock(&f->lock);
	request = index < FAKE_KEPT && f->kept[index] != NULL ? f->kept[index] : "";
	pthread_mutex_unlock(&f->lock);
	return request;
}

#endif
