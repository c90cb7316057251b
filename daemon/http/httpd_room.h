/* Inside the room httpd only: httpd.c is the whole, httpd_port.c a listener and its pump,
 * httpd_socket.c makes listeners, httpd_passed.c has those that were made before, httpd_request.c a
 * request's life, httpd_answer.c its answer, httpd_tls.c its certificates.
 *
 * FRESH -> READING -> HANDED -> ANSWERED -> (freed when MHD has completed it)
 *                        \-> STREAMING ---/
 * A request is in the table of numbers while HANDED, or STREAMING and not ended. It is suspended
 * (out of MHD's sight) only while HANDED without a response, or STREAMING with nothing to send;
 * never once httpd->stopping is set. */
#ifndef HTTP_HTTPD_ROOM_H
#define HTTP_HTTPD_ROOM_H

#include <microhttpd.h>
#include <sys/types.h>
#include "base/str.h"
#include "http/httpd.h"
#include "http/httpd_check.h"
#include "http/httpd_socket.h"

enum {
	HTTPD_BUCKETS = 256,
	HTTPD_STREAM_ROOM = 1024 * 1024,
	HTTPD_GRACE_MS = 500,	/* what is left to do for a client that has hung up */
	HTTPD_ZERO_TURNS = 64,	/* after so many MHD timeouts of 0 in a row … */
	HTTPD_ZERO_DELAY_MS = 2 /* … each waits so long */
};

struct httpd {
	struct loop *loop;
	struct httpd_limits limits;
	httpd_handler *handler;
	httpd_gone *gone;
	void *ctx;
	struct httpd_port *ports;
	struct httpd_passed passed[HTTPD_PASSED];
	int passed_count;
	struct httpd_request *table[HTTPD_BUCKETS];
	int connections;
	uint64_t spins;
	bool stopping;
	struct httpd_tls *tls; /* NULL: TCP is plain */
};

struct httpd_port {
	struct httpd_port *next;
	struct httpd *httpd;
	struct MHD_Daemon *mhd;
	int listener;	   /* ours until MHD is stopped; -1 after quiesce */
	char *unix_path;   /* NULL: TCP */
	dev_t unix_device; /* which file we made, so that we never remove another's */
	ino_t unix_inode;  /* 0: it was passed, and is not ours to remove */
	bool tls;
	struct loop_fd *watch;	  /* MHD's epoll descriptor */
	struct loop_timer *timer; /* the pump's next run */
	bool running, again;	  /* inside of MHD_run; it has work that it does not know of */
	int zeros;		  /* timeouts of 0 in a row without an event */
};

struct httpd_connection {
	struct httpd_port *port;
	int fd;
	struct loop_timer *guard;      /* cuts who is too slow */
	struct loop_fd *watch;	       /* until the client hangs up */
	struct httpd_request *request; /* the one under way, or NULL */
	bool hung_up;
	struct httpd_tls_guest *guest; /* over TLS; else NULL */
	char peer[96];
};

enum httpd_phase { HTTPD_FRESH, HTTPD_READING, HTTPD_HANDED, HTTPD_ANSWERED, HTTPD_STREAMING };

struct httpd_request {
	struct httpd_request *next; /* in its bucket */
	struct httpd_connection *connection;
	struct MHD_Connection *mhd;
	uint64_t number;
	enum httpd_phase phase;
	bool listed, suspended, too_big;
	bool lost;    /* the client is gone, or was cut */
	bool bad_uri; /* seen before MHD decoded it */
	size_t uri_length;
	bool ended; /* stream: nothing more is added */
	char *path;
	char method[32];
	struct str body;
	size_t received;
	int status;
	struct MHD_Response *response; /* waits to be given to MHD */
	char *out;		       /* stream: bytes from out_start to out_start + out_length */
	size_t out_start, out_length, out_room;
};

struct httpd_port *httpd_port_new(struct httpd *httpd, int listener, bool tls);
void httpd_port_close(struct httpd_port *port); /* takes no more connections */
void httpd_port_drain(struct httpd_port *port); /* lets MHD write what it has */
void httpd_port_free(struct httpd_port *port);
void httpd_port_poke(struct httpd_port *port); /* MHD has work that it does not know of */
/* Cuts the connection after deadline_ms (0: never), after the grace when the client has hung up. */
void httpd_guard(struct httpd_connection *connection, int64_t deadline_ms);
/* The pump's next delay when MHD asks for mhd_ms; counts zeros in a row in *zeros. */
int64_t httpd_pump_delay(int *zeros, int64_t mhd_ms);

/* MHD's callbacks, and the table. */
void *httpd_request_begin(void *ctx, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result httpd_request_step(void *ctx, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request_ctx);
void httpd_request_over(void *ctx, struct MHD_Connection *mhd, void **request_ctx,
    enum MHD_RequestTerminationCode code);
struct httpd_request *httpd_request_find(const struct httpd *httpd, uint64_t number);
void httpd_request_list(struct httpd *httpd, struct httpd_request *request);
void httpd_request_unlist(struct httpd *httpd, struct httpd_request *request);
void httpd_request_sleep(struct httpd_request *request);
void httpd_request_wake(struct httpd_request *request);
void httpd_request_cut(struct httpd_request *request); /* the client is to go */

void httpd_problem(
    struct httpd_request *request, int status, const char *title, const char *detail);
enum MHD_Result httpd_response_queue(struct httpd_request *request);
void httpd_answers_stop(struct httpd *httpd); /* 503 for who waits, an end for streams */

#endif
