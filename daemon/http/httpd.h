/* The HTTP server: libmicrohttpd by external epoll in the loop, behind a wrapper that closes its
 * traps (tech.md 1.2: lost resume, deaf at the limit, starved loop, handshake spin, abort on stop,
 * slow headers, silent disconnects). Requests are numbered; an answer may be given now or later. */
#ifndef HTTP_HTTPD_H
#define HTTP_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "loop/loop.h"

struct httpd;
struct httpd_request; /* valid from the handler's call until it was answered or went away */

struct httpd_limits {		 /* zero: the default */
	size_t max_body;	 /* 256 KiB: 413 */
	size_t max_header;	 /* 32 KiB of memory for a head; of its bytes at most 16 KiB: 431 */
	int max_connections;	 /* 256 per listener; more wait in the kernel */
	int64_t idle_timeout_ms; /* 60 s */
	int64_t header_deadline_ms; /* 10 s for a whole header, 30 s for a whole body */
};

typedef void httpd_handler(void *ctx, struct httpd_request *request);
/* Told when a request that was not answered yet (or a stream that was not ended) has lost its
 * client: within a second, also of one that has only closed its sending side. Not told by
 * httpd_free. */
typedef void httpd_gone(void *ctx, uint64_t number);

struct httpd *httpd_new(struct loop *loop, const struct httpd_limits *limits,
    httpd_handler *handler, httpd_gone *gone, void *ctx);
/* A listening socket that is there already. The call below that asks for its very place takes it;
 * httpd_passed_all is an error while one has been taken by none. */
must_check int httpd_pass(struct httpd *httpd, int fd, const char *name, struct err *e);
must_check int httpd_passed_all(const struct httpd *httpd, struct err *e);
/* "127.0.0.1:8080", "[::1]:0"; *port gets the real port. Not loopback: refused by the caller, not
 * here. */
must_check int httpd_listen_tcp(struct httpd *httpd, const char *address, int *port, struct err *e);

struct httpd_tls_settings { /* copied; NULL or "": none */
	/* PEM files: its own certificate and then those that lead to its root, and the key. */
	const char *certificate_file, *key_file;
	const char *client_ca_file; /* a client's certificate must lead to one of these */
	bool client_required;	    /* who shows none is refused */
	/* Certificates out of their time are taken too: clients refuse them, and it is said daily.
	 */
	bool any_time;
};
/* Is all well with these files? Paths of the errors: certificateFile, keyFile, clientCaFile. */
void httpd_tls_check(const struct httpd_tls_settings *settings, struct errlist *errors);
/* The first time, before httpd_listen_tcp: TCP speaks TLS 1.2 and 1.3 and nothing else. Later: for
 * new connections the files are taken anew, as they are also by themselves within about a second
 * of a change; those that stand go on. -1: as before, errors say why. */
must_check int httpd_tls(
    struct httpd *httpd, const struct httpd_tls_settings *settings, struct errlist *errors);
struct httpd_tls_stats {
	bool on;
	bool refused;	     /* what is in the files now is not what is used */
	int64_t not_after_s; /* the end of the certificate in use, since 1970 */
	uint64_t loaded;     /* how often the files were taken */
};
struct httpd_tls_stats httpd_tls_stats(const struct httpd *httpd);

/* Removes a stale socket (nobody listens), refuses a live one; mode such as 0660. A passed one has
 * its mode already: it may be stricter, not laxer. */
must_check int httpd_listen_unix(
    struct httpd *httpd, const char *path, unsigned mode, struct err *e);
/* Open requests get 503, streams end; then everything is closed. Not from a handler. */
void httpd_free(struct httpd *httpd);

uint64_t httpd_number(const struct httpd_request *request);
const char *httpd_method(const struct httpd_request *request);
const char *httpd_path(const struct httpd_request *request); /* decoded, starts with / */
const char *httpd_query(
    const struct httpd_request *request, const char *name); /* NULL: not given */
/* Calls each for every query argument. */
void httpd_each_query(const struct httpd_request *request,
    void (*each)(void *ctx, const char *name, const char *value), void *ctx);
const char *httpd_header(const struct httpd_request *request, const char *name); /* NULL: none */
const char *httpd_body(const struct httpd_request *request, size_t *length);
bool httpd_is_local(const struct httpd_request *request); /* came by the Unix socket */
/* "uid=1000 pid=123" for the socket, "127.0.0.1:4711" for TCP, "certificate NAME 127.0.0.1:4711"
 * for who has shown one that the client CA of now verifies. */
const char *httpd_peer(const struct httpd_request *request);
const char *httpd_address(
    const struct httpd_request *request); /* the same, without a certificate */
/* That NAME: of the certificate's subjectAltName the first URI, else DNS name, else e-mail address;
 * never its CN, which anybody may choose freely. At most HTTPD_NAME visible ASCII characters. NULL:
 * no certificate, or none of these in it. */
enum { HTTPD_NAME = 100 };
const char *httpd_certificate(const struct httpd_request *request);
/* The same of a request that is not answered yet, or a stream, as the client CA and the time of now
 * have it. NULL also: there is no such request any more. */
const char *httpd_certificate_now(const struct httpd *httpd, uint64_t number);

/* Answer by number, now or in a later turn; unknown numbers (client gone) are ignored. headers:
 * "Name: value" …, NULL-terminated, may be NULL. */
void httpd_answer(struct httpd *httpd, uint64_t number, int status, const char *content_type,
    const char *const *headers, const char *body, size_t length);
/* Server-Sent Events or any chunked stream: start, then send pieces. Returns false when the
 * client's bounded queue (1 MiB) is full or it is gone: the stream is then ended. */
void httpd_stream_start(
    struct httpd *httpd, uint64_t number, const char *content_type, const char *const *headers);
bool httpd_stream_send(struct httpd *httpd, uint64_t number, const char *bytes, size_t count);
/* How many bytes a stream takes now without being ended; 0: there is no such stream. */
size_t httpd_stream_room(const struct httpd *httpd, uint64_t number);
void httpd_stream_end(struct httpd *httpd, uint64_t number);
int httpd_connections(const struct httpd *httpd);
/* How often a busy client was slowed down (tech.md T4); for the metrics. */
uint64_t httpd_spins(const struct httpd *httpd);

#endif
