/* Inside the room httpc only: one request on its way. httpc.c owns the list and the multi handle,
 * httpc_easy.c turns a request into curl's options, httpc_answer.c a finished one into an answer.
 */
#ifndef HTTP_HTTPC_TRANSFER_H
#define HTTP_HTTPC_TRANSFER_H

#include <curl/curl.h>
#include "base/str.h"
#include "http/httpc.h"

enum httpc_state {
	HTTPC_WAITING,	/* started, not yet given to curl */
	HTTPC_RUNNING,	/* in the multi handle */
	HTTPC_CANCELLED /* in the multi handle, says nothing any more, is reaped soon */
};

/* Why we, and not curl, ended it. */
enum httpc_cut {
	HTTPC_CUT_NONE,
	HTTPC_CUT_STOPPED,  /* on_data returned false */
	HTTPC_CUT_TOO_BIG,  /* over max_body */
	HTTPC_CUT_IDLE,	    /* silent for idle_timeout_ms */
	HTTPC_CUT_DEADLINE, /* over timeout_ms, mostly waiting for a free connection */
	HTTPC_CUT_REFUSED,  /* the request itself is wrong; see refused */
	HTTPC_CUT_BARRED    /* may_send returned false */
};

struct httpc_transfer {
	struct httpc_transfer *next;
	struct httpc_pool *pool;
	uint64_t number;
	enum httpc_state state;
	enum httpc_cut cut;
	struct err refused;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	struct str collected;
	char curl_error[CURL_ERROR_SIZE];
	struct loop_timer *timer; /* for deadline_ms and idle_ms, whichever is next */
	int64_t started_ms;	  /* monotonic */
	int64_t last_byte_ms;
	int64_t timeout_ms; /* 0: none */
	int64_t idle_ms;    /* 0: none */
	bool proxied;
	bool opened;
	void (*on_open)(void *ctx, uint64_t number, int status, bool http2);
	bool (*on_data)(void *ctx, uint64_t number, int status, const char *bytes, size_t count);
	void (*on_done)(void *ctx, const struct httpc_answer *answer);
	bool (*may_send)(void *ctx, uint64_t number);
	void *ctx;
};

/* Makes transfer->easy with everything that the request asks for. -1: it cannot be sent, e says
 * why. */
must_check int httpc_easy_setup(
    struct httpc_transfer *transfer, const struct httpc_request *request, struct err *e);
void httpc_easy_done(struct httpc_transfer *transfer);

/* Fills the answer from a transfer that ended with code. scratch holds the error's text. */
void httpc_answer_fill(struct httpc_answer *answer, struct httpc_transfer *transfer, CURLcode code,
    struct err *scratch);
/* "120" or an HTTP date -> ms from now (0 when past); -1: neither. */
int64_t httpc_retry_after(const char *value, int64_t wall_ms);

#endif
