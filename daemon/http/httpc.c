/* The pool: one curl multi handle in the loop. What is always true: curl_multi_* is never called
 * from a curl callback. Starting only queues; a zero timer gives the queue to curl. Cancelling
 * inside of curl's work only marks; the same timer reaps. on_done runs outside of curl's work,
 * when the transfer is no longer in any list, so it may start, cancel or free the pool. */
#include <signal.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "http/httpc_transfer.h"

struct httpc_socket {
	struct httpc_socket *next;
	struct httpc_pool *pool;
	curl_socket_t fd;
	struct loop_fd *watch;
};

struct httpc_pool {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *curl_timer; /* what curl asked for */
	struct loop_timer *kick;       /* zero timer: start what waits, reap what was cancelled */
	struct httpc_transfer *transfers;
	struct httpc_socket *sockets;
	int depth;    /* > 0: somewhere below us curl or a user's callback is running */
	bool in_curl; /* curl is running: do not call it */
	bool dying;   /* freed from a callback: finished when depth is back at 0 */
	int active;
};

static uint64_t last_number;

static void pool_finish(struct httpc_pool *pool);

static void
pool_enter(struct httpc_pool *pool)
{
	pool->depth++;
}

/* The pool may be gone afterwards. */
static void
pool_leave(struct httpc_pool *pool)
{
	if (--pool->depth == 0 && pool->dying)
		pool_finish(pool);
}

static void
transfer_link(struct httpc_pool *pool, struct httpc_transfer *t)
{
	t->next = pool->transfers;
	pool->transfers = t;
	pool->active++;
}

static void
transfer_unlink(struct httpc_pool *pool, struct httpc_transfer *t)
{
	struct httpc_transfer **place = &pool->transfers;

	while (*place != t)
		place = &(*place)->next;
	*place = t->next;
	if (t->state != HTTPC_CANCELLED)
		pool->active--;
}

/* Out of the list and out of curl; not while curl is running. */
static void
transfer_detach(struct httpc_pool *pool, struct httpc_transfer *t)
{
	transfer_unlink(pool, t);
	loop_timer_free(t->timer);
	t->timer = NULL;
	if (t->state == HTTPC_WAITING)
		return;
	pool->in_curl = true;
	curl_multi_remove_handle(pool->multi, t->easy);
	pool->in_curl = false;
}

static void
transfer_free(struct httpc_transfer *t)
{
	httpc_easy_done(t);
	free(t);
}

/* Tells the owner, if it still wants to know. */
static void
transfer_end(struct httpc_pool *pool, struct httpc_transfer *t, CURLcode code)
{
	bool told = t->state != HTTPC_CANCELLED;
	struct httpc_answer answer;
	struct err scratch;

	transfer_detach(pool, t);
	if (told) {
		httpc_answer_fill(&answer, t, code, &scratch);
		t->on_done(t->ctx, &answer);
	}
	transfer_free(t);
}

static int64_t
time_left(const struct httpc_transfer *t, int64_t now)
{
	int64_t left = INT64_MAX;

	if (t->timeout_ms > 0)
		left = t->started_ms + t->timeout_ms - now;
	if (t->idle_ms > 0 && t->last_byte_ms + t->idle_ms - now < left)
		left = t->last_byte_ms + t->idle_ms - now;
	return left;
}

static void
on_transfer_timer(void *ctx)
{
	struct httpc_transfer *t = ctx;
	struct httpc_pool *pool = t->pool;
	int64_t now = clock_mono_ms(), left = time_left(t, now);

	if (t->state == HTTPC_CANCELLED)
		return;
	if (left > 0) {
		loop_timer_set(t->timer, left);
		return;
	}
	t->cut = HTTPC_CUT_DEADLINE;
	if (t->idle_ms > 0 && t->last_byte_ms + t->idle_ms <= now)
		t->cut = HTTPC_CUT_IDLE;
	/* Whoever is the last to leave a connection that went silent closes it. */
	if (t->state == HTTPC_RUNNING)
		curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
	pool_enter(pool);
	transfer_end(pool, t, CURLE_OPERATION_TIMEDOUT);
	pool_leave(pool);
}

static void
pool_drain(struct httpc_pool *pool)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
		struct httpc_transfer *t = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		transfer_end(pool, t, code);
	}
}

static void
pool_action(struct httpc_pool *pool, curl_socket_t fd, int flags)
{
	int running;

	pool_enter(pool);
	pool->in_curl = true;
	curl_multi_socket_action(pool->multi, fd, flags, &running);
	pool->in_curl = false;
	pool_drain(pool);
	pool_leave(pool);
}

static void
on_socket_ready(void *ctx, int what)
{
	struct httpc_socket *s = ctx;
	int flags = 0;

	if (what & (LOOP_READ | LOOP_CLOSED))
		flags |= CURL_CSELECT_IN;
	if (what & LOOP_WRITE)
		flags |= CURL_CSELECT_OUT;
	pool_action(s->pool, s->fd, flags);
}

static void
on_curl_timer(void *ctx)
{
	pool_action(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void
socket_free(struct httpc_pool *pool, struct httpc_socket *s)
{
	struct httpc_socket **place = &pool->sockets;

	while (*place != s)
		place = &(*place)->next;
	*place = s->next;
	loop_fd_free(s->watch);
	free(s);
}

static struct httpc_socket *
socket_new(struct httpc_pool *pool, curl_socket_t fd, int wanted)
{
	struct httpc_socket *s = mem_alloc(sizeof(*s));

	s->pool = pool;
	s->fd = fd;
	s->watch = loop_fd_new(pool->loop, fd, wanted, on_socket_ready, s);
	s->next = pool->sockets;
	pool->sockets = s;
	return s;
}

/* curl says what it waits for. (curl_multi_assign is the one call that is allowed here.) */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct httpc_pool *pool = ctx;
	struct httpc_socket *s = socket_ctx;
	int wanted = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL)
			socket_free(pool, s);
		curl_multi_assign(pool->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		wanted |= LOOP_READ;
	if (what & CURL_POLL_OUT)
		wanted |= LOOP_WRITE;
	if (s != NULL)
		loop_fd_want(s->watch, wanted);
	else
		curl_multi_assign(pool->multi, fd, socket_new(pool, fd, wanted));
	return 0;
}

static int
watch_time(CURLM *multi, long delay_ms, void *ctx)
{
	struct httpc_pool *pool = ctx;

	(void)multi;
	if (delay_ms < 0)
		loop_timer_clear(pool->curl_timer);
	else
		loop_timer_set(pool->curl_timer, delay_ms);
	return 0;
}

static void
transfer_launch(struct httpc_pool *pool, struct httpc_transfer *t)
{
	CURLMcode code;

	if (t->cut == HTTPC_CUT_REFUSED) {
		transfer_end(pool, t, CURLE_FAILED_INIT);
		return;
	}
	pool->in_curl = true;
	code = curl_multi_add_handle(pool->multi, t->easy);
	pool->in_curl = false;
	if (code == CURLM_OK) {
		t->state = HTTPC_RUNNING;
		return;
	}
	t->cut = HTTPC_CUT_REFUSED;
	(void)err_set(&t->refused, "%s", curl_multi_strerror(code));
	transfer_end(pool, t, CURLE_FAILED_INIT);
}

/* The next transfer that the kick has work with. Looked for anew each time, because on_done of one
 * may cancel any other. */
static struct httpc_transfer *
next_to_kick(struct httpc_pool *pool)
{
	struct httpc_transfer *t = pool->transfers, *oldest = NULL;

	for (; t != NULL; t = t->next) {
		if (t->state == HTTPC_CANCELLED)
			return t;
		if (t->state == HTTPC_WAITING)
			oldest = t;
	}
	return oldest;
}

static void
on_kick(void *ctx)
{
	struct httpc_pool *pool = ctx;
	struct httpc_transfer *t;
	uint64_t newest = last_number;

	pool_enter(pool);
	/* What is started by callbacks in here has its own kick: a bounded turn. */
	while ((t = next_to_kick(pool)) != NULL && t->number <= newest) {
		if (t->state == HTTPC_WAITING)
			transfer_launch(pool, t);
		else
			transfer_end(pool, t, CURLE_ABORTED_BY_CALLBACK);
	}
	pool_leave(pool);
}

static void
global_setup(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	/* curl with NOSIGNAL leaves it to us: OpenSSL writes to dead peers. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		log_fatal("libcurl cannot be initialised");
}

struct httpc_pool *
httpc_pool_new(struct loop *loop, int max_connections_per_host)
{
	struct httpc_pool *pool = mem_alloc(sizeof(*pool));

	global_setup();
	pool->loop = loop;
	pool->multi = curl_multi_init();
	if (pool->multi == NULL)
		log_fatal("libcurl gave no multi handle: out of memory");
	pool->curl_timer = loop_timer_new(loop, on_curl_timer, pool);
	pool->kick = loop_timer_new(loop, on_kick, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, watch_time);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(
	    pool->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)max_connections_per_host);
	return pool;
}

static void
pool_finish(struct httpc_pool *pool)
{
	while (pool->transfers != NULL) {
		struct httpc_transfer *t = pool->transfers;

		transfer_detach(pool, t);
		transfer_free(t);
	}
	/* Connections kept for later go now; their watches before them. */
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, NULL);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, NULL);
	while (pool->sockets != NULL)
		socket_free(pool, pool->sockets);
	curl_multi_cleanup(pool->multi);
	loop_timer_free(pool->curl_timer);
	loop_timer_free(pool->kick);
	free(pool);
}

static void
transfer_cancel(struct httpc_pool *pool, struct httpc_transfer *t)
{
	if (t->state == HTTPC_CANCELLED)
		return;
	if (t->state == HTTPC_WAITING || !pool->in_curl) {
		transfer_detach(pool, t);
		transfer_free(t);
		return;
	}
	t->state = HTTPC_CANCELLED;
	pool->active--;
	loop_timer_set(pool->kick, 0);
}

void
httpc_pool_free(struct httpc_pool *pool)
{
	struct httpc_transfer *t, *next;

	if (pool == NULL || pool->dying)
		return;
	pool->dying = true;
	for (t = pool->transfers; t != NULL; t = next) {
		next = t->next;
		transfer_cancel(pool, t);
	}
	if (pool->depth == 0)
		pool_finish(pool);
}

uint64_t
httpc_start(struct httpc_pool *pool, const struct httpc_request *request)
{
	struct httpc_transfer *t = mem_alloc(sizeof(*t));

	t->pool = pool;
	t->number = ++last_number;
	t->on_open = request->on_open;
	t->on_data = request->on_data;
	t->on_done = request->on_done;
	t->may_send = request->may_send;
	t->ctx = request->ctx;
	t->started_ms = clock_mono_ms();
	t->last_byte_ms = t->started_ms;
	if (httpc_easy_setup(t, request, &t->refused) < 0)
		t->cut = HTTPC_CUT_REFUSED;
	transfer_link(pool, t);
	t->timer = loop_timer_new(pool->loop, on_transfer_timer, t);
	if (t->timeout_ms > 0 || t->idle_ms > 0)
		loop_timer_set(t->timer, time_left(t, t->started_ms));
	loop_timer_set(pool->kick, 0);
	return t->number;
}

void
httpc_cancel(struct httpc_pool *pool, uint64_t number)
{
	for (struct httpc_transfer *t = pool->transfers; t != NULL; t = t->next)
		if (t->number == number) {
			transfer_cancel(pool, t);
			return;
		}
}

int
httpc_active(const struct httpc_pool *pool)
{
	return pool->active;
}
