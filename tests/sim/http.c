/* http: libmicrohttpd with its own polling thread. A request is read in full, meets its fate
 * (faults.h), perhaps waits, and is handled under the big lock in one go. */
#include "http.h"

#include "api.h"
#include "faults.h"
#include "istiod.h"
#include "jx.h"
#include "plan.h"
#include "reqlog.h"
#include "simctl.h"
#include "util.h"
#include "watch.h"
#include "world.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BODY_MAX = 8 << 20, WEBHOOK_MS = 10000, LOOK_AGAIN_MS = 50 };
enum stage { READING, WAITING, READY };

struct call {
	struct MHD_Connection *connection;
	struct req q;
	struct reply r;
	struct buf body;
	struct fate fate;
	uint64_t webhook_until; /* waits for an istiod that hangs */
	enum stage stage;
	bool too_big;
	struct call *next_waiting;
};

static struct MHD_Daemon *api_daemon, *metrics_daemon;
static struct http_settings *settings;
static struct call *waiting; /* suspended for a latency */
static bool closing;

static enum MHD_Result
add_param(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct req *q = arg;

	(void)kind;
	q->params = xgrow(q->params, (q->nparams + 1) * sizeof(*q->params));
	q->params[q->nparams++] = (struct param){xdup(key), value != NULL ? xdup(value) : NULL};
	return MHD_YES;
}

static char *
header(struct MHD_Connection *c, const char *name)
{
	const char *v = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);

	return v != NULL ? xdup(v) : NULL;
}

static struct call *
call_new(struct MHD_Connection *c, const char *url, const char *method)
{
	struct call *call = xalloc(sizeof(*call));

	call->connection = c;
	call->q.method = xdup(method);
	call->q.path = xdup(url);
	call->q.content_type = header(c, "Content-Type");
	call->q.user_agent = header(c, "User-Agent");
	call->q.impersonate = header(c, "Impersonate-User");
	call->q.authorization = header(c, "Authorization");
	call->q.accept = header(c, "Accept");
	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, add_param, &call->q);
	return call;
}

static void
call_free(struct call *call)
{
	struct req *q = &call->q;

	for (size_t i = 0; i < q->nparams; i++) {
		free(q->params[i].key);
		free(q->params[i].value);
	}
	free(q->params);
	free(q->method);
	free(q->path);
	free(q->content_type);
	free(q->user_agent);
	free(q->impersonate);
	free(q->authorization);
	free(q->accept);
	reply_done(&call->r);
	buf_free(&call->body);
	free(call);
}

/* The latency is over. The call may have ended meanwhile; then it is no longer in the list. */
static void
resume(void *arg)
{
	struct call **p = &waiting, *call;

	while (*p != NULL && *p != arg)
		p = &(*p)->next_waiting;
	call = *p;
	if (call == NULL)
		return;
	if (now_ms() < call->webhook_until && istiod_webhook(&call->q) == ISTIOD_HUNG && !closing) {
		plan_call(LOOK_AGAIN_MS, resume, call);
		return;
	}
	*p = call->next_waiting;
	call->stage = READY;
	MHD_resume_connection(call->connection);
}

static bool
allowed(const struct req *q)
{
	if (settings->token == NULL)
		return true;
	return q->authorization != NULL && strncmp(q->authorization, "Bearer ", 7) == 0 &&
	       strcmp(q->authorization + 7, settings->token) == 0;
}

static void
fated_status(struct call *call)
{
	struct reply *r = &call->r;
	int status = call->fate.status;
	const char *reason = status == 429   ? "TooManyRequests"
			     : status == 503 ? "ServiceUnavailable"
			     : status == 504 ? "Timeout"
			     : status == 403 ? "Forbidden"
			     : status == 401 ? "Unauthorized"
			     : status == 404 ? "NotFound"
					     : "InternalError";
	json_t *d = json_object();

	if (call->fate.retry_after > 0)
		jx_set_int(d, "retryAfterSeconds", call->fate.retry_after);
	fail(r, status, reason, "the simulator was told to answer so", d);
	r->retry_after = call->fate.retry_after;
}

static void
refuse_by_webhook(struct reply *r, bool hung)
{
	char *text = xfmt(
	    "Internal error occurred: failed calling webhook \"validation.istio.io\": failed to "
	    "call webhook: Post \"https://istiod.istio-system.svc:443/validate?timeout=10s\": %s",
	    hung ? "context deadline exceeded"
		 : "dial tcp 10.96.0.15:443: connect: connection refused");
	json_t *d = json_object();

	status_cause(d, "", text + strlen("Internal error occurred: "), "");
	fail(r, 500, "InternalError", text, d);
	free(text);
}

/* Does what the request asks, unless its fate says otherwise. */
static void
perform(struct call *call)
{
	struct fate *f = &call->fate;
	enum istiod_state webhook = istiod_webhook(&call->q);

	if (f->drop) {
		call->r.drop = true;
	} else if (f->status != 0 && !f->after) {
		fated_status(call);
	} else if (f->denied != NULL) {
		fail(&call->r, 403, "Forbidden", f->denied, json_object());
	} else if (f->conflict && call->q.kind != NULL) {
		fail_conflict(&call->r, call->q.kind, call->q.name);
	} else if (f->webhook || webhook != ISTIOD_UP) {
		refuse_by_webhook(&call->r, webhook == ISTIOD_HUNG);
	} else {
		api_handle(&call->q, &call->r);
		if (f->drop_after && call->r.watch == NULL)
			call->r.drop = true;
		if (f->after && f->status != 0 && call->r.watch == NULL)
			fated_status(call);
	}
}

/* Begins a request that is read in full; true if it can be answered now. */
static bool
begin(struct call *call)
{
	struct req *q = &call->q;

	q->body = call->body.p;
	q->len = call->body.len;
	if (call->too_big) {
		fail(&call->r, 413, "RequestEntityTooLarge",
		    "the body is longer than 8 MiB, the most that is taken", NULL);
		return true;
	}
	if (starts_with(q->path, "/sim/")) {
		simctl_handle(q, &call->r);
		return true;
	}
	api_route(q);
	call->fate = fault_pick(q);
	if (istiod_webhook(q) == ISTIOD_HUNG) {
		call->fate.latency_ms += LOOK_AGAIN_MS;
		call->webhook_until = now_ms() + WEBHOOK_MS;
	}
	if (call->fate.latency_ms > 0 && !closing) {
		call->stage = WAITING;
		call->next_waiting = waiting;
		waiting = call;
		MHD_suspend_connection(call->connection);
		plan_call(call->fate.latency_ms, resume, call);
		return false;
	}
	call->stage = READY;
	return true;
}

static void
finish(struct call *call)
{
	if (call->stage == READY && call->r.code == 0) {
		if (!allowed(&call->q))
			fail(&call->r, 401, "Unauthorized", "Unauthorized", NULL);
		else
			perform(call);
		reqlog_add(&call->q, call->r.drop ? 0 : call->r.code);
	}
}

static struct MHD_Response *
make_response(struct call *call)
{
	struct reply *r = &call->r;
	struct MHD_Response *res;
	char number[24];

	if (r->watch != NULL) {
		watch_attach(r->watch, call->connection);
		res = MHD_create_response_from_callback(
		    MHD_SIZE_UNKNOWN, 32768, watch_read, r->watch, watch_end);
	} else {
		size_t len = 0;

		if (r->text == NULL)
			r->text = jx_dump(r->body, &len);
		else
			len = strlen(r->text);
		res = MHD_create_response_from_buffer(len, r->text, MHD_RESPMEM_MUST_FREE);
		r->text = NULL;
	}
	MHD_add_response_header(
	    res, "Content-Type", r->type != NULL ? r->type : "application/json");
	MHD_add_response_header(res, "Cache-Control", "no-cache, private");
	if (r->retry_after > 0) {
		snprintf(number, sizeof(number), "%d", r->retry_after);
		MHD_add_response_header(res, "Retry-After", number);
	}
	return res;
}

static enum MHD_Result
send_reply(struct call *call)
{
	struct MHD_Response *res;
	enum MHD_Result rc;

	if (call->r.drop)
		return MHD_NO;
	res = make_response(call);
	rc = MHD_queue_response(call->connection, (unsigned)call->r.code, res);
	MHD_destroy_response(res);
	return rc;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **state)
{
	struct call *call = *state;
	bool now = true;

	(void)arg;
	(void)version;
	if (call == NULL) {
		*state = call_new(c, url, method);
		return MHD_YES;
	}
	if (*size > 0) {
		if (call->body.len + *size > BODY_MAX)
			call->too_big = true;
		else
			buf_add(&call->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	big_lock();
	if (call->stage == READING)
		now = begin(call);
	if (now && call->stage != WAITING)
		finish(call);
	now = now && call->stage != WAITING;
	big_unlock();
	return now ? send_reply(call) : MHD_YES;
}

static void
on_done(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct call *call = *state, **p;

	(void)arg;
	(void)c;
	(void)why;
	if (call == NULL)
		return;
	big_lock();
	for (p = &waiting; *p != NULL; p = &(*p)->next_waiting)
		if (*p == call) {
			*p = call->next_waiting;
			break;
		}
	reply_done(&call->r); /* its body may share parts with the store */
	big_unlock();
	call_free(call);
	*state = NULL;
}

static enum MHD_Result
on_metrics(void *arg, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **state)
{
	static int seen;
	struct MHD_Response *res;
	enum MHD_Result rc;
	struct buf text = {0};

	(void)arg;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	*size = 0;
	if (*state == NULL) {
		*state = &seen;
		return MHD_YES;
	}
	big_lock();
	world_metrics(&text);
	big_unlock();
	res = MHD_create_response_from_buffer(text.len, text.p, MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(res, "Content-Type", "text/plain; version=0.0.4");
	rc = MHD_queue_response(c, 200, res);
	MHD_destroy_response(res);
	return rc;
}

int
http_listen(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static struct MHD_Daemon *
open_api(int fd, struct http_settings *s)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL |
			 MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
			 (s->cert != NULL ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert},
	    {MHD_OPTION_HTTPS_MEM_KEY, 0, s->key}, {MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET,
	    fd, MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL, MHD_OPTION_CONNECTION_LIMIT, 4000u,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)131072, MHD_OPTION_ARRAY,
	    s->cert != NULL ? tls : none, MHD_OPTION_END);
}

int
http_start(struct http_settings *s)
{
	int api = http_listen(&s->port), metrics = http_listen(&s->metrics_port);

	settings = s;
	if (api < 0 || metrics < 0) {
		perror("airis-sim: cannot listen on 127.0.0.1");
		return -1;
	}
	api_daemon = open_api(api, s);
	metrics_daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL,
	    NULL, on_metrics, NULL, MHD_OPTION_LISTEN_SOCKET, metrics, MHD_OPTION_END);
	if (api_daemon == NULL || metrics_daemon == NULL) {
		fputs("airis-sim: the HTTP server did not start\n", stderr);
		return -1;
	}
	return 0;
}

/* Wakes whatever is suspended: a daemon must not be stopped over it. */
void
http_stop(void)
{
	int fd = MHD_quiesce_daemon(api_daemon);

	for (int i = 0; i < 200; i++) {
		size_t left;

		big_lock();
		closing = true;
		watch_end_all();
		while (waiting != NULL)
			resume(waiting);
		left = watch_count();
		big_unlock();
		if (left == 0)
			break;
		usleep(5000);
	}
	MHD_stop_daemon(api_daemon);
	MHD_stop_daemon(metrics_daemon);
	if (fd >= 0)
		close(fd);
}
