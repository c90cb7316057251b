/* HTTP to airisd, over TCP or a Unix socket: one request at a time, and one stream beside it.
 * Waiting ends early on Ctrl-C; bodies are bounded; redirects are not followed. */
#ifndef CLI_NET_CLIENT_H
#define CLI_NET_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "config.h"

struct client;

/* settings must live as long as the client. */
must_check int client_new(const struct settings *settings, struct client **client, struct err *e);
void client_free(struct client *client);
/* Is called about four times a second while something is waited for; NULL: nothing. */
void client_on_idle(struct client *client, void (*idle)(void *ctx), void *ctx);
/* The time at the server in ms since 1970: our clock, corrected by the server's Date. */
int64_t client_now_ms(const struct client *client);
const char *client_server(const struct client *client); /* as the user wrote it */

struct request {
	const char *method, *path; /* path with its query, encoded */
	const char *type;	   /* content type of the body; NULL: JSON */
	const char *body;	   /* may be NULL */
	size_t length;
	const char *key;    /* Idempotency-Key; NULL: none */
	const char *trace;  /* traceparent; NULL: none */
	int64_t timeout_ms; /* 0: the default of 15 s */
};

struct answer {
	int status;
	char *text; /* NUL-terminated */
	size_t length;
	json_t *json; /* NULL: the body is empty or no JSON */
	char type[128];
};
void answer_done(struct answer *answer);

enum call {
	CALL_ANSWERED,
	CALL_UNREACHED,	 /* nothing was sent */
	CALL_LOST,	 /* sent, but no whole answer came: it may have been done */
	CALL_TIMED_OUT,	 /* the same, for want of time */
	CALL_INTERRUPTED /* Ctrl-C */
};
/* Unless ANSWERED, e says what to check. End with answer_done in any case. */
enum call client_call(
    struct client *client, const struct request *request, struct answer *answer, struct err *e);

/* Waits so long, or until Ctrl-C. */
void client_sleep(struct client *client, int64_t ms);

/* A path whose parts are encoded: path_format("/v1/apps/%", name); each % takes one text. Owned by
 * the caller. */
char *path_format(const char *format, ...);

#endif
