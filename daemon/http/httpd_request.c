/* A request's life. MHD calls httpd_request_begin with the first line, httpd_request_step when the
 * head is there, for each piece of body, when all is there, and after each resume; and
 * httpd_request_over exactly once at the end, which frees it. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "http/httpd_tls.h"

enum {
	BODY_FACTOR = 3,	       /* a body may take three times as long as a head */
	SWALLOW_MAX = 16 * 1024 * 1024 /* so much that is too large is read for a clean 413 */
};

static uint64_t last_number;

void *
httpd_request_begin(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
	struct httpd_port *port = ctx;
	struct httpd_request *request = mem_alloc(sizeof(*request));

	request->connection =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	request->connection->request = request;
	httpd_tls_guest_look(request->connection);
	request->mhd = mhd;
	request->bad_uri = !httpd_check_uri(uri);
	request->uri_length = strlen(uri);
	str_init(&request->body, port->httpd->limits.max_body);
	return request;
}

struct httpd_request *
httpd_request_find(const struct httpd *httpd, uint64_t number)
{
	struct httpd_request *request = httpd->table[number % HTTPD_BUCKETS];

	while (request != NULL && request->number != number)
		request = request->next;
	return request;
}

void
httpd_request_list(struct httpd *httpd, struct httpd_request *request)
{
	struct httpd_request **bucket;

	request->number = ++last_number;
	bucket = &httpd->table[request->number % HTTPD_BUCKETS];
	request->next = *bucket;
	*bucket = request;
	request->listed = true;
}

void
httpd_request_unlist(struct httpd *httpd, struct httpd_request *request)
{
	struct httpd_request **place = &httpd->table[request->number % HTTPD_BUCKETS];

	if (!request->listed)
		return;
	while (*place != request)
		place = &(*place)->next;
	*place = request->next;
	request->listed = false;
}

void
httpd_request_sleep(struct httpd_request *request)
{
	MHD_suspend_connection(request->mhd);
	request->suspended = true;
}

void
httpd_request_wake(struct httpd_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->mhd);
	httpd_port_poke(request->connection->port);
}

void
httpd_request_cut(struct httpd_request *request)
{
	request->lost = true;
	(void)shutdown(request->connection->fd, SHUT_RDWR);
	httpd_request_wake(request);
}

/* Says no to what was read so far. */
static enum MHD_Result
refuse(struct httpd_request *request, int status, const char *title, const char *detail)
{
	httpd_problem(request, status, title, detail);
	return httpd_response_queue(request);
}

static enum MHD_Result
refuse_size(struct httpd_request *request)
{
	char detail[128];

	(void)str_print(detail, sizeof(detail), "The body is larger than the %zu bytes allowed.",
	    request->body.limit);
	return refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "Content Too Large", detail);
}

static enum MHD_Result
refuse_head(struct httpd_request *request)
{
	char detail[128];

	(void)str_print(detail, sizeof(detail),
	    "The head of the request is larger than the %d bytes or %d headers allowed.",
	    HTTPD_HEAD_BYTES, HTTPD_HEAD_LINES);
	return refuse(request, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
	    "Request Header Fields Too Large", detail);
}

static bool
has_body(struct MHD_Connection *mhd, size_t *length)
{
	const char *text =
	    MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	int64_t value = 0;

	*length = 0;
	if (text == NULL)
		return MHD_lookup_connection_value(
			   mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
	*length = str_number(text, 0, INT64_MAX, &value) == 0 ? (size_t)value : SIZE_MAX;
	return *length > 0;
}

static bool
asks_first(struct MHD_Connection *mhd)
{
	return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT) != NULL;
}

/* The head is there, nothing of the body yet. */
static enum MHD_Result
take_head(struct httpd_request *request, const char *url, const char *method)
{
	const struct httpd_limits *limits = &request->connection->port->httpd->limits;
	const char *why = httpd_check_head(request, url);
	size_t length;

	request->phase = HTTPD_READING;
	request->path = mem_strdup(url);
	if (!str_copy(request->method, sizeof(request->method), method))
		why = "The method's name is too long.";
	if (why != NULL)
		return refuse(request, MHD_HTTP_BAD_REQUEST, "Bad Request", why);
	if (!httpd_check_size(request))
		return refuse_head(request);
	if (!has_body(request->mhd, &length)) {
		httpd_guard(request->connection, 0);
		return MHD_YES;
	}
	/* Who has not asked for permission sends all before it reads an answer; closed in the
	 * middle it would see a broken connection instead of a 413. */
	request->too_big = length > limits->max_body;
	if (request->too_big && (length > SWALLOW_MAX || asks_first(request->mhd)))
		return refuse_size(request);
	httpd_guard(request->connection, BODY_FACTOR * limits->header_deadline_ms);
	return MHD_YES;
}

static enum MHD_Result
take_body(struct httpd_request *request, const char *bytes, size_t *size)
{
	request->received += *size;
	if (request->received > request->body.limit)
		request->too_big = true;
	if (!request->too_big)
		str_add_bytes(&request->body, bytes, *size);
	*size = 0;
	/* MHD takes no answer in the middle of a body; who sends without end is cut. */
	return request->received > SWALLOW_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result
give_or_sleep(struct httpd_request *request)
{
	struct httpd *httpd = request->connection->port->httpd;

	if (request->lost)
		return MHD_NO;
	if (request->response != NULL)
		return httpd_response_queue(request);
	if (request->phase != HTTPD_HANDED)
		return MHD_YES; /* MHD has its response already */
	if (httpd->stopping) {
		httpd_request_unlist(httpd, request);
		return refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Service Unavailable",
		    "The daemon is stopping; ask again when it is back.");
	}
	httpd_request_sleep(request);
	return MHD_YES;
}

static enum MHD_Result
hand_over(struct httpd_request *request)
{
	struct httpd *httpd = request->connection->port->httpd;

	if (request->too_big)
		return refuse_size(request);
	httpd_guard(request->connection, 0);
	request->phase = HTTPD_HANDED;
	if (!httpd->stopping) {
		httpd_request_list(httpd, request);
		httpd->handler(httpd->ctx, request);
	}
	return give_or_sleep(request);
}

enum MHD_Result
httpd_request_step(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **request_ctx)
{
	struct httpd_request *request = *request_ctx;

	(void)ctx;
	(void)mhd;
	(void)version;
	switch (request->phase) {
	case HTTPD_FRESH:
		return take_head(request, url, method);
	case HTTPD_READING:
		if (*upload_size > 0)
			return take_body(request, upload, upload_size);
		return hand_over(request);
	case HTTPD_HANDED:
	case HTTPD_ANSWERED:
	case HTTPD_STREAMING:
		*upload_size = 0;
		break;
	}
	return give_or_sleep(request);
}

/* Between two requests of a connection the client has the idle time, then the head's time. */
void
httpd_request_over(
    void *ctx, struct MHD_Connection *mhd, void **request_ctx, enum MHD_RequestTerminationCode code)
{
	struct httpd_port *port = ctx;
	struct httpd *httpd = port->httpd;
	struct httpd_request *request = *request_ctx;
	bool untold;

	(void)mhd;
	(void)code;
	if (request == NULL)
		return;
	*request_ctx = NULL;
	request->connection->request = NULL;
	untold = request->listed && !httpd->stopping;
	httpd_request_unlist(httpd, request);
	httpd_guard(
	    request->connection, httpd->limits.idle_timeout_ms + httpd->limits.header_deadline_ms);
	if (untold && httpd->gone != NULL)
		httpd->gone(httpd->ctx, request->number);
	if (request->response != NULL)
		MHD_destroy_response(request->response);
	str_done(&request->body);
	free(request->path);
	free(request->out);
	free(request);
}
