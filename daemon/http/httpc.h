/* HTTP requests to others, on curl multi in the loop. A pool is one curl multi: its own connections
 * and limits. (A full set of watches on one connection starves requests, so each cluster has two
 * pools.) Callbacks get the request's number; after httpc_cancel none comes. */
#ifndef HTTP_HTTPC_H
#define HTTP_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "loop/loop.h"

struct httpc_pool;

struct httpc_pool *httpc_pool_new(struct loop *loop, int max_connections_per_host);
/* Cancels what is under way; may be called in a callback. */
void httpc_pool_free(struct httpc_pool *pool);

struct httpc_tls {
	const char *ca_pem;   /* PEM text; NULL: the system's */
	const char *cert_pem; /* client certificate and key; NULL: none */
	const char *key_pem;
	const char *server_name; /* verify and ask for this name; NULL: the URL's host */
	bool insecure;
};

enum httpc_outcome {
	HTTPC_ANSWERED, /* a status was received, whole body */
	HTTPC_NOT_SENT, /* not a byte of the request left: safe to send again */
	/* Sent, but no whole answer: it may have taken effect. Also a stream that on_data stopped,
	 * that was cut, or that was silent for too long. */
	HTTPC_UNKNOWN,
	HTTPC_TOO_BIG /* the body went over max_body */
};

struct httpc_answer {
	uint64_t number;
	enum httpc_outcome outcome;
	int status;		/* when ANSWERED; else 0, or what came before it broke */
	int64_t retry_after_ms; /* -1: no such header */
	const char *body;	/* NUL-terminated; valid during the callback; "" for streams */
	size_t body_length;
	const char *content_type;
	const char *error; /* text when not ANSWERED */
	int64_t took_ms;
};

struct httpc_request {
	const char *method; /* all strings are copied */
	const char *url;
	const char *const *headers; /* "Name: value" …, NULL-terminated; may be NULL */
	const char *body;	    /* may be NULL */
	size_t body_length;
	const char *basic; /* "user:password" or NULL */
	const char *proxy; /* URL or NULL: none, whatever the environment says */
	struct httpc_tls tls;
	bool http2;		    /* try HTTP/2 over TLS and share connections */
	int64_t connect_timeout_ms; /* default 5000 */
	int64_t timeout_ms; /* whole request and its wait for a connection; 0: 30 s, streams none */
	int64_t idle_timeout_ms; /* streams: end when no byte came for so long; 0: none */
	size_t max_body;	 /* default 8 MiB, after decompression; not for streams */
	/* The answer's header is here (once; not for 1xx). NULL: not wanted. */
	void (*on_open)(void *ctx, uint64_t number, int status, bool http2);
	/* Streams: called for each chunk; return false to stop. NULL: the body is collected. */
	bool (*on_data)(void *ctx, uint64_t number, int status, const char *bytes, size_t count);
	void (*on_done)(void *ctx, const struct httpc_answer *answer);
	/* Asked when there is a connection and the next thing is to send; false: NOT_SENT. NULL:
	 * always. Nothing here may be called in it. */
	bool (*may_send)(void *ctx, uint64_t number);
	void *ctx;
};

/* Starts; never calls back before it returned. The number is unique in the process, never 0. */
uint64_t httpc_start(struct httpc_pool *pool, const struct httpc_request *request);
void httpc_cancel(struct httpc_pool *pool, uint64_t number); /* unknown numbers are ignored */
int httpc_active(const struct httpc_pool *pool);

#endif
