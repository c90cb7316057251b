/* The room as a whole: where it listens, and the one way a request takes: token, route, query,
 * body, actor, handler. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/ask.h"
#include "api/limit.h"
#include "api/rate.h"
#include "api/routes.h"
#include "api/topic.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/log.h"

#define FOLLOWERS 128
#define SECOND_US INT64_C(1000000)
#define WHO_MAX 4096 /* of whom it is known how often they asked */
#define HEARTBEAT_MS 15000
#define SLOW_MS 30000

static void
refuse_stranger(struct api *api, uint64_t number, const struct httpd_request *request, bool tried)
{
	api->stats.unauthorized++;
	log_debug("api", "%s: no token, or a wrong one", httpd_peer(request));
	api_problem(api, number, CODE_UNAUTHORIZED,
	    tried ? "the token is mistyped, unknown, revoked or expired; send Authorization: "
		    "Bearer TOKEN with one that is good"
	    : api->client_ca
		? "TCP needs a client certificate, or a token: send Authorization: Bearer TOKEN"
		: "TCP needs a token: send Authorization: Bearer TOKEN, or use the Unix socket");
}

/* Somebody who is known, and by TCP with patience. False: answered. */
static bool
may_enter(struct call *call)
{
	struct api *api = call->api;
	bool local = httpd_is_local(call->request);
	bool given = httpd_header(call->request, "Authorization") != NULL;
	char address[API_WHO];
	api_who_address(httpd_address(call->request), address);
	if (!local && given && !api_limit_logins(call, address))
		return false;
	bool known = api_who(call);
	if (!local && given && !known)
		api_limit_failed(api, address);
	if (!local && !api_limit_rate(call, known ? call->principal.id : address))
		return false;
	if (!known)
		refuse_stranger(api, call->number, call->request, given);
	return known;
}

static void
refuse_path(struct call *call, const char *allow)
{
	const char *path = httpd_path(call->request);
	if (allow[0] != '\0')
		api_problem_method(call->api, call->number, httpd_method(call->request), allow);
	else
		api_problem(call->api, call->number, CODE_NOT_FOUND,
		    "there is no path \"%.200s\"; what there is begins with /v1/apps, "
		    "/v1/rollouts, /v1/plan or /v1/version",
		    path);
}

static bool
body_fits(struct call *call, const struct api_route *route)
{
	size_t length;
	(void)httpd_body(call->request, &length);
	if (length <= route->max_body)
		return true;
	if (route->max_body == 0)
		api_problem(call->api, call->number, CODE_BAD_REQUEST,
		    "%s takes no body; this one has %zu bytes", route->method, length);
	else
		api_problem(call->api, call->number, CODE_TOO_LARGE,
		    "the body has %zu bytes; allowed here: %zu", length, route->max_body);
	return false;
}

/* A browser sends its certificate along with whatever any page asks for, and says so by Origin.
 * Tokens are sent by who has them alone. False: answered. */
static bool
is_on_purpose(struct call *call)
{
	const char *origin = httpd_header(call->request, "Origin");
	if (origin == NULL || !call->route->acts || call->principal.kind != PRINCIPAL_CERTIFICATE)
		return true;
	api_problem(call->api, call->number, CODE_FORBIDDEN,
	    "a page in a browser (Origin: %.200s) asks for it with the client certificate of who "
	    "looks "
	    "at it: what changes something is taken from programs, or with a token",
	    origin);
	return false;
}

/* "127.0.0.1:8080", "[::1]:8080"; without brackets 0::1:8080 is an address and no port. */
static bool
is_loopback(const char *address)
{
	const char *colon = strrchr(address, ':');
	return colon != NULL && host_is_loopback(address, (size_t)(colon - address));
}

static bool
is_here(const struct httpd_request *request)
{
	return httpd_is_local(request) || is_loopback(httpd_address(request));
}

static bool
is_open(const struct api_route *route, const struct httpd_request *request)
{
	return route != NULL && (route->open || (route->here && is_here(request)));
}

static void
on_request(void *ctx, struct httpd_request *request)
{
	struct call call = {.api = ctx, .request = request, .number = httpd_number(request)};
	const char *method = httpd_method(request), *path = httpd_path(request);
	char allow[64];
	const struct api_route *route =
	    api_route_find(method, path, call.arg, sizeof(call.arg), allow);
	api_count_begin(call.api, call.number);
	bool open = is_open(route, request);
	if (!open && !may_enter(&call))
		return;
	api_count_route(call.api, call.number, route);
	if (route == NULL) {
		refuse_path(&call, allow);
		return;
	}
	call.route = route;
	if (!api_actor(&call) || !is_on_purpose(&call) || (!open && !api_may_route(&call, route)) ||
	    !api_ask_query(&call, route->query) || !body_fits(&call, route))
		return;
	log_line(route->acts ? LOG_INFO : LOG_DEBUG, "api", NULL, NULL, "%s %s by %s", method, path,
	    call.actor.name);
	route->handle(&call);
}

static void
on_gone(void *ctx, uint64_t number)
{
	api_count_end(ctx, number, 0);
	if (!api_topics_gone(ctx, number))
		api_pending_gone(ctx, number);
}

struct api *
api_new(struct loop *loop, struct engine *engine, const struct api_settings *settings,
    const struct api_ports *ports, struct err *e)
{
	bool has_file = settings->token_file != NULL && settings->token_file[0] != '\0';
	if (settings->max_followers < 0 || settings->heartbeat_ms < 0 || settings->slow_ms < 0) {
		err_set(e, "limits of the API cannot be negative");
		return NULL;
	}
	struct api *api = mem_alloc(sizeof(*api));
	api->loop = loop;
	api->engine = engine;
	api->ports = *ports;
	api->policy = (struct policy){.own = geteuid()};
	api->token.file = has_file ? mem_strdup(settings->token_file) : NULL;
	api->pending = map_new();
	api->topics = map_new();
	api->asked = map_new();
	if (settings->rate > 0)
		api->asks = rate_new(SECOND_US / settings->rate,
		    settings->burst > 0 ? settings->burst : settings->rate, WHO_MAX);
	if (settings->failed_logins > 0)
		api->logins = rate_new(
		    60 * SECOND_US / settings->failed_logins, settings->failed_logins, WHO_MAX);
	api->max_followers = settings->max_followers > 0 ? settings->max_followers : FOLLOWERS;
	api->heartbeat_ms = settings->heartbeat_ms > 0 ? settings->heartbeat_ms : HEARTBEAT_MS;
	api->slow_ms = settings->slow_ms > 0 ? settings->slow_ms : SLOW_MS;
	api->httpd = httpd_new(loop, &settings->limits, on_request, on_gone, api);
	return api;
}

int
api_tcp_check(const char *address, bool tls, struct err *e)
{
	if (!tls && !is_loopback(address))
		return err_set(e,
		    "%s: refused: without TLS airisd listens on loopback only, such as "
		    "127.0.0.1:8080 or [::1]:8080; give listen.tls a certificate and its key, or "
		    "use the Unix socket",
		    address);
	return 0;
}

int
api_tls(struct api *api, const struct httpd_tls_settings *settings, struct errlist *errors)
{
	if (httpd_tls(api->httpd, settings, errors) < 0)
		return -1;
	api->tls = true;
	api->client_ca = settings->client_ca_file != NULL && settings->client_ca_file[0] != '\0';
	return 0;
}

struct httpd_tls_stats
api_tls_stats(const struct api *api)
{
	return httpd_tls_stats(api->httpd);
}

int
api_listen_tcp(struct api *api, const char *address, int *port, struct err *e)
{
	bool by_certificate = api->client_ca && api->token.file == NULL;
	if (api_tcp_check(address, api->tls, e) < 0)
		return -1;
	if (!by_certificate && api_token_load(&api->token, e) < 0)
		return err_wrap(e, "%s: refused: TCP is guarded by a token", address);
	return httpd_listen_tcp(api->httpd, address, port, e);
}

int
api_listen_unix(struct api *api, const char *path, unsigned mode, struct err *e)
{
	return httpd_listen_unix(api->httpd, path, mode, e);
}

int
api_pass(struct api *api, int fd, const char *name, struct err *e)
{
	return httpd_pass(api->httpd, fd, name, e);
}

int
api_passed_all(struct api *api, struct err *e)
{
	return httpd_passed_all(api->httpd, e);
}

void
api_policy_set(struct api *api, const struct policy *policy)
{
	api->policy = *policy;
}

int
api_reload(struct api *api, const char *token_file, struct err *e)
{
	char *before = api->token.file;
	api->token.file = mem_strdup(token_file);
	free(before);
	api->token.known = false;
	return token_file == NULL ? 0 : api_token_load(&api->token, e);
}

void
api_stop(struct api *api)
{
	if (api->httpd == NULL)
		return;
	struct httpd *httpd = api->httpd;
	api_topics_stop(api);
	api->httpd = NULL;
	httpd_free(httpd);
}

void
api_free(struct api *api)
{
	if (api == NULL)
		return;
	api_stop(api);
	map_free(api->pending, api_pending_free);
	map_free(api->topics, NULL);
	map_free(api->asked, free);
	rate_free(api->asks);
	rate_free(api->logins);
	free(api->stats.cells);
	free(api->description);
	free(api->token.file);
	mem_wipe(&api->token, sizeof(api->token));
	free(api);
}
