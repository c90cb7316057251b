/* The REST API of airisd: people and programs come in here. What it answers is docs/rest.md. It
 * decides nothing: it checks what was asked, hands it to the engine, and answers when the engine
 * says that it is written down. Loop thread only.
 *
 * Order at the end: api_stop, engine_free, api_free (plans that wait are answered by the engine's
 * end, so the api must still be there). */
#ifndef API_API_H
#define API_API_H

#include "access/oidc.h"
#include "access/policy.h"
#include "base/histogram.h"
#include "base/str.h"
#include "engine/engine.h"
#include "http/httpd.h"

struct api;

struct api_settings {		/* copied; zero or NULL: the default */
	const char *token_file; /* of the bearer token that guards TCP; none: no TCP */
	struct httpd_limits limits;
	int rate, burst;      /* requests by TCP, each second and at once; 0: no limit */
	int failed_logins;    /* in a minute, by address; 0: no limit */
	int max_followers;    /* streams and waits; 128; more are refused (429) */
	int64_t heartbeat_ms; /* of a quiet stream; 15 s */
	int64_t slow_ms;      /* a stream that takes nothing for so long is ended; 30 s */
};

/* What only the roof can ask the other rooms; each may be NULL. JSON is a new reference. */
struct api_ports {
	void *ctx;
	/* [{"name": …, "fresh": true, "text": "", "lease": {…} or null}] */
	json_t *(*clusters)(void *ctx);
	/* [{"name": …, "ok": true, "text": ""}] */
	json_t *(*sources)(void *ctx);
	bool (*store)(void *ctx, struct err *why);  /* can it be written? */
	void (*metrics)(void *ctx, struct str *to); /* the whole of Prometheus' text */
	/* Adds what an app asks for and the settings do not have: its cluster, its data sources. */
	void (*check_app)(void *ctx, const struct app *app, struct errlist *errors);
	struct oidc *oidc;		/* NULL: no CI system is believed */
	json_t *(*mesh)(void *ctx);	/* {"clusters": […]}, as GET /v1/mesh answers */
	json_t *(*webhooks)(void *ctx); /* {"webhooks": […]}, as GET /v1/webhooks answers */
};

/* NULL: a setting is out of its range. */
struct api *api_new(struct loop *loop, struct engine *engine, const struct api_settings *settings,
    const struct api_ports *ports, struct err *e);
/* From now on TCP speaks TLS; again: the certificates are taken anew, as in http/httpd.h. */
must_check int api_tls(
    struct api *api, const struct httpd_tls_settings *settings, struct errlist *errors);
struct httpd_tls_stats api_tls_stats(const struct api *api);
/* "127.0.0.1:8080"; *port gets the real one. Refused: an address that is not loopback without TLS,
 * and any that neither a token in the token file nor a client CA guards. */
must_check int api_tcp_check(const char *address, bool tls, struct err *e); /* refused? */
/* A socket that systemd passes; the calls below take it when it is their place. When none did,
 * api_passed_all says so. */
must_check int api_pass(struct api *api, int fd, const char *name, struct err *e);
must_check int api_passed_all(struct api *api, struct err *e);
must_check int api_listen_tcp(struct api *api, const char *address, int *port, struct err *e);
/* Guarded by the socket's mode (such as 0660) alone. */
must_check int api_listen_unix(struct api *api, const char *path, unsigned mode, struct err *e);
/* The engine's event callback: feeds the streams. */
void api_event(struct api *api, const struct journal_row *row);
/* Who may do what; copied, and in force at once, for streams within a second. Until it is called
 * whoever may open the socket is admin. The token of the token file always is. */
void api_policy_set(struct api *api, const struct policy *policy);
/* From now on the token is in this file (NULL: none), and read now. (A changed file is noticed
 * within a second anyway.) -1: no token can be read from it, so nobody is let in by one until one
 * can. */
must_check int api_reload(struct api *api, const char *token_file, struct err *e);
/* What was asked of it, for the metrics. */
enum api_method { API_GET, API_POST, API_PUT, API_DELETE, API_METHODS };
const char *api_method_name(enum api_method method);
struct api_cell {
	const char *method, *route; /* of the table of routes; both "other": it is not there */
	int code;		    /* 0: the client left before */
	uint64_t count;
};
struct api_stats {
	struct api_cell *cells;
	size_t cell_count;
	struct histogram took[API_METHODS];
	int under_way, connections, followers; /* now */
	uint64_t unauthorized, slowed;
};
const struct api_stats *api_stats(struct api *api); /* valid until the next request */
/* Takes no more requests; streams are told and end, open requests get 503. */
void api_stop(struct api *api);
void api_free(struct api *api); /* stops it first; NULL is allowed */

#endif
