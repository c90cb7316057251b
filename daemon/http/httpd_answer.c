/* Answers and streams, by number. An answer that comes in the handler is given at once; a later one
 * wakes the suspended request, and MHD asks for it in its next run. A stream's bytes wait in a
 * queue that is bounded; its reader suspends whenever the queue is empty (T8: never returns 0
 * otherwise). */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "http/httpd_room.h"

enum {
	BLOCK = 16 * 1024,
	HEADER_MAX = 8 * 1024,
	ANSWER_FACTOR = 2 /* an answer may take twice the idle time to be read */
};

static void
add_header(struct MHD_Response *response, const char *header)
{
	const char *colon = strchr(header, ':');
	char *name;

	if (colon == NULL)
		return;
	name = mem_strndup(header, (size_t)(colon - header));
	for (colon++; *colon == ' '; colon++)
		;
	/* MHD refuses line breaks in values. */
	(void)MHD_add_response_header(response, name, colon);
	free(name);
}

static void
add_headers(struct MHD_Response *response, const char *content_type, const char *const *headers)
{
	if (content_type != NULL)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (size_t i = 0; headers != NULL && headers[i] != NULL; i++)
		add_header(response, headers[i]);
}

static struct MHD_Response *
whole_response(
    const char *content_type, const char *const *headers, const char *body, size_t length)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    length, (void *)(uintptr_t)(length > 0 ? body : ""), MHD_RESPMEM_MUST_COPY);

	if (response == NULL)
		log_fatal("out of memory: no HTTP response");
	add_headers(response, content_type, headers);
	return response;
}

/* The same words as in the answers of the API above. */
static const char *
code_of(int status)
{
	switch (status) {
	case MHD_HTTP_CONTENT_TOO_LARGE:
	case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
		return "too_large";
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		return "stopping";
	default:
		return "bad_request";
	}
}

void
httpd_problem(struct httpd_request *request, int status, const char *title, const char *detail)
{
	static const char *const close_header[] = {"Connection: close", NULL};
	struct str text;

	str_init(&text, HEADER_MAX);
	str_addf(&text,
	    "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\","
	    "\"code\":\"%s\"}",
	    title, status, detail, code_of(status));
	request->status = status;
	request->response =
	    whole_response("application/problem+json", close_header, str_text(&text), text.length);
	request->phase = HTTPD_ANSWERED;
	str_done(&text);
}

enum MHD_Result
httpd_response_queue(struct httpd_request *request)
{
	struct httpd_connection *connection = request->connection;
	struct MHD_Response *response = request->response;
	enum MHD_Result result;

	request->response = NULL;
	if (request->phase == HTTPD_STREAMING) {
		/* A stream may be silent for long; hanging up is noticed by other means. */
		(void)MHD_set_connection_option(request->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
		httpd_guard(connection, 0);
	} else {
		httpd_guard(
		    connection, ANSWER_FACTOR * connection->port->httpd->limits.idle_timeout_ms);
	}
	result = MHD_queue_response(request->mhd, (unsigned int)request->status, response);
	MHD_destroy_response(response);
	return result;
}

void
httpd_answer(struct httpd *httpd, uint64_t number, int status, const char *content_type,
    const char *const *headers, const char *body, size_t length)
{
	struct httpd_request *request = httpd_request_find(httpd, number);

	if (request == NULL || request->phase != HTTPD_HANDED)
		return;
	httpd_request_unlist(httpd, request);
	request->phase = HTTPD_ANSWERED;
	request->status = status;
	request->response = whole_response(content_type, headers, body, length);
	httpd_request_wake(request);
}

static ssize_t
read_stream(void *ctx, uint64_t position, char *to, size_t room)
{
	struct httpd_request *request = ctx;
	size_t count = request->out_length < room ? request->out_length : room;

	(void)position;
	if (request->lost)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (count == 0) {
		if (request->ended || request->connection->port->httpd->stopping)
			return MHD_CONTENT_READER_END_OF_STREAM;
		httpd_request_sleep(request);
		return 0;
	}
	memcpy(to, request->out + request->out_start, count);
	request->out_length -= count;
	request->out_start = request->out_length > 0 ? request->out_start + count : 0;
	return (ssize_t)count;
}

void
httpd_stream_start(
    struct httpd *httpd, uint64_t number, const char *content_type, const char *const *headers)
{
	struct httpd_request *request = httpd_request_find(httpd, number);

	if (request == NULL || request->phase != HTTPD_HANDED)
		return;
	request->phase = HTTPD_STREAMING;
	request->status = MHD_HTTP_OK;
	request->response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, request, NULL);
	if (request->response == NULL)
		log_fatal("out of memory: no HTTP response");
	add_headers(request->response, content_type, headers);
	/* The connection's timeout is off from here on, so it serves nothing else. */
	(void)MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONNECTION, "close");
	httpd_request_wake(request);
}

static void
append(struct httpd_request *request, const char *bytes, size_t count)
{
	size_t end = request->out_start + request->out_length;

	if (request->out_start > 0 && end + count > request->out_room) {
		memmove(request->out, request->out + request->out_start, request->out_length);
		request->out_start = 0;
		end = request->out_length;
	}
	if (end + count > request->out_room) {
		request->out_room = 2 * (end + count);
		request->out = mem_grow(request->out, request->out_room, 1);
	}
	memcpy(request->out + end, bytes, count);
	request->out_length += count;
}

bool
httpd_stream_send(struct httpd *httpd, uint64_t number, const char *bytes, size_t count)
{
	struct httpd_request *request = httpd_request_find(httpd, number);

	if (request == NULL || request->phase != HTTPD_STREAMING || request->lost)
		return false;
	if (count > HTTPD_STREAM_ROOM - request->out_length) {
		httpd_request_unlist(httpd, request);
		httpd_request_cut(request);
		return false;
	}
	if (count > 0) {
		append(request, bytes, count);
		httpd_request_wake(request);
	}
	return true;
}

size_t
httpd_stream_room(const struct httpd *httpd, uint64_t number)
{
	const struct httpd_request *request = httpd_request_find(httpd, number);

	if (request == NULL || request->phase != HTTPD_STREAMING || request->lost)
		return 0;
	return HTTPD_STREAM_ROOM - request->out_length;
}

static void
end_stream(struct httpd *httpd, struct httpd_request *request)
{
	httpd_request_unlist(httpd, request);
	request->ended = true;
	httpd_guard(request->connection, ANSWER_FACTOR * httpd->limits.idle_timeout_ms);
	httpd_request_wake(request);
}

void
httpd_stream_end(struct httpd *httpd, uint64_t number)
{
	struct httpd_request *request = httpd_request_find(httpd, number);

	if (request != NULL && request->phase == HTTPD_STREAMING)
		end_stream(httpd, request);
}

static void
stop_one(struct httpd *httpd, struct httpd_request *request)
{
	if (request->phase == HTTPD_STREAMING) {
		end_stream(httpd, request);
		return;
	}
	httpd_request_unlist(httpd, request);
	httpd_problem(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Service Unavailable",
	    "The daemon is stopping; ask again when it is back.");
	httpd_request_wake(request);
}

/* MHD aborts the process when it is stopped with a suspended connection (T5). */
void
httpd_answers_stop(struct httpd *httpd)
{
	for (size_t i = 0; i < HTTPD_BUCKETS; i++)
		while (httpd->table[i] != NULL)
			stop_one(httpd, httpd->table[i]);
}
