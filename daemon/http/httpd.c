/* The server as a whole: its limits, its ports, and what a handler may ask of a request. */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "http/httpd_port.h"
#include "http/httpd_tls.h"

static const struct httpd_limits defaults = {
    .max_body = 256 * 1024,
    .max_header = 32 * 1024,
    .max_connections = 256,
    .idle_timeout_ms = 60 * 1000,
    .header_deadline_ms = 10 * 1000,
};

static struct httpd_limits
limits_or_defaults(const struct httpd_limits *given)
{
	struct httpd_limits limits = given != NULL ? *given : defaults;

	if (limits.max_body == 0)
		limits.max_body = defaults.max_body;
	if (limits.max_header == 0)
		limits.max_header = defaults.max_header;
	if (limits.max_connections <= 0)
		limits.max_connections = defaults.max_connections;
	if (limits.idle_timeout_ms <= 0)
		limits.idle_timeout_ms = defaults.idle_timeout_ms;
	if (limits.header_deadline_ms <= 0)
		limits.header_deadline_ms = defaults.header_deadline_ms;
	return limits;
}

/* MHD says so before it aborts: a bug of ours, never something that a client did. */
static void
on_panic(void *ctx, const char *file, unsigned int line, const char *reason)
{
	(void)ctx;
	log_fatal("libmicrohttpd: %s:%u: %s", file, line, reason != NULL ? reason : "?");
}

struct httpd *
httpd_new(struct loop *loop, const struct httpd_limits *limits, httpd_handler *handler,
    httpd_gone *gone, void *ctx)
{
	struct httpd *httpd = mem_alloc(sizeof(*httpd));

	(void)signal(SIGPIPE, SIG_IGN);
	MHD_set_panic_func(on_panic, NULL);
	httpd->loop = loop;
	httpd->limits = limits_or_defaults(limits);
	httpd->handler = handler;
	httpd->gone = gone;
	httpd->ctx = ctx;
	return httpd;
}

static struct httpd_port *
add_port(struct httpd *httpd, int listener, bool tls)
{
	struct httpd_port *port = httpd_port_new(httpd, listener, tls);

	port->next = httpd->ports;
	httpd->ports = port;
	return port;
}

int
httpd_listen_tcp(struct httpd *httpd, const char *address, int *port, struct err *e)
{
	int listener;

	if (httpd_socket_tcp(httpd, address, &listener, port, e) < 0)
		return -1;
	(void)add_port(httpd, listener, httpd->tls != NULL);
	return 0;
}

int
httpd_listen_unix(struct httpd *httpd, const char *path, unsigned mode, struct err *e)
{
	struct httpd_port *port;
	struct stat made = {0};
	bool passed;
	int listener;

	if (httpd_socket_unix(httpd, path, mode, &listener, &passed, e) < 0)
		return -1;
	port = add_port(httpd, listener, false);
	port->unix_path = mem_strdup(path);
	if (passed)
		return 0;
	(void)lstat(path, &made);
	port->unix_device = made.st_dev;
	port->unix_inode = made.st_ino;
	return 0;
}

static void
remove_socket(const struct httpd_port *port)
{
	struct stat found;

	if (port->unix_path != NULL && port->unix_inode != 0 &&
	    lstat(port->unix_path, &found) == 0 && found.st_dev == port->unix_device &&
	    found.st_ino == port->unix_inode)
		(void)unlink(port->unix_path);
}

void
httpd_free(struct httpd *httpd)
{
	struct httpd_port *port, *next;

	if (httpd == NULL)
		return;
	httpd->stopping = true;
	for (port = httpd->ports; port != NULL; port = port->next) {
		remove_socket(port);
		httpd_port_close(port);
	}
	httpd_answers_stop(httpd);
	for (port = httpd->ports; port != NULL; port = port->next)
		httpd_port_drain(port);
	for (port = httpd->ports; port != NULL; port = next) {
		next = port->next;
		httpd_port_free(port);
	}
	httpd_passed_close(httpd);
	httpd_tls_free(httpd->tls);
	free(httpd);
}

int
httpd_connections(const struct httpd *httpd)
{
	return httpd->connections;
}

uint64_t
httpd_spins(const struct httpd *httpd)
{
	return httpd->spins;
}

uint64_t
httpd_number(const struct httpd_request *request)
{
	return request->number;
}

const char *
httpd_method(const struct httpd_request *request)
{
	return request->method;
}

const char *
httpd_path(const struct httpd_request *request)
{
	return request->path;
}

struct each_query {
	void (*each)(void *ctx, const char *name, const char *value);
	void *ctx;
};

static enum MHD_Result
pass_query(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct each_query *to = ctx;

	(void)kind;
	to->each(to->ctx, name, value != NULL ? value : "");
	return MHD_YES;
}

void
httpd_each_query(const struct httpd_request *request,
    void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	struct each_query to = {each, ctx};

	(void)MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, pass_query, &to);
}

struct find_query {
	const char *name;
	const char *value;
};

/* Unlike MHD's own look-up this one tells "Limit" from "limit". */
static void
find_query(void *ctx, const char *name, const char *value)
{
	struct find_query *find = ctx;

	if (find->value == NULL && strcmp(name, find->name) == 0)
		find->value = value;
}

const char *
httpd_query(const struct httpd_request *request, const char *name)
{
	struct find_query find = {name, NULL};

	httpd_each_query(request, find_query, &find);
	return find.value;
}

const char *
httpd_header(const struct httpd_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

const char *
httpd_body(const struct httpd_request *request, size_t *length)
{
	if (length != NULL)
		*length = request->body.length;
	return str_text(&request->body);
}

bool
httpd_is_local(const struct httpd_request *request)
{
	return request->connection->port->unix_path != NULL;
}

const char *
httpd_address(const struct httpd_request *request)
{
	return request->connection->peer;
}

const char *
httpd_peer(const struct httpd_request *request)
{
	const char *known = httpd_tls_guest_peer(request->connection->guest);

	return known != NULL ? known : request->connection->peer;
}

const char *
httpd_certificate(const struct httpd_request *request)
{
	return httpd_tls_guest_name(request->connection->guest);
}

const char *
httpd_certificate_now(const struct httpd *httpd, uint64_t number)
{
	struct httpd_request *request = httpd_request_find(httpd, number);

	if (request == NULL)
		return NULL;
	httpd_tls_guest_look(request->connection);
	return httpd_certificate(request);
}
