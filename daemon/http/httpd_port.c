/* One listener, its MHD daemon, and the pump that drives it. MHD has no thread here: it works only
 * inside of MHD_run, which is called when its epoll descriptor is ready or when the pump's timer
 * fires. What MHD does not tell, the pump must know (tech.md 1.2):
 *  T1 a resumed request wakes nothing          -> httpd_port_poke after each resume
 *  T2 a closed connection at the limit neither -> the same when a connection has closed
 *  T3 a timeout of 0 is a timer, never an active event: the rest of the loop has its turn
 *  T4 a peer can make the timeout 0 for ever   -> after 64 in a row without an event, 2 ms
 *  T6 a timeout of silence is none of slowness -> a guard per connection shuts the socket down
 *  T7 who hangs up in silence is not noticed   -> each socket's end is watched by us as well
 *  T9 a run walks all that is suspended        -> one run for all resumes of a turn */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "http/httpd_tls.h"

int64_t
httpd_pump_delay(int *zeros, int64_t mhd_ms)
{
	if (mhd_ms > 0) {
		*zeros = 0;
		return mhd_ms;
	}
	if (*zeros < HTTPD_ZERO_TURNS) {
		(*zeros)++;
		return 0;
	}
	return HTTPD_ZERO_DELAY_MS;
}

static void
pump_arm(struct httpd_port *port)
{
	MHD_UNSIGNED_LONG_LONG wait = 0;
	int64_t delay;

	if (port->again)
		wait = 0;
	else if (MHD_get_timeout(port->mhd, &wait) != MHD_YES) {
		port->zeros = 0;
		loop_timer_clear(port->timer);
		return;
	}
	port->again = false;
	delay = httpd_pump_delay(&port->zeros, wait < INT32_MAX ? (int64_t)wait : INT32_MAX);
	if (wait == 0 && delay > 0)
		port->httpd->spins++;
	loop_timer_set(port->timer, delay);
}

static void
pump_run(struct httpd_port *port)
{
	port->running = true;
	(void)MHD_run(port->mhd);
	port->running = false;
	pump_arm(port);
}

static void
on_timer(void *ctx)
{
	pump_run(ctx);
}

static void
on_epoll(void *ctx, int what)
{
	struct httpd_port *port = ctx;

	(void)what;
	port->zeros = 0;
	pump_run(port);
}

void
httpd_port_poke(struct httpd_port *port)
{
	port->again = true;
	if (!port->running)
		loop_timer_set(port->timer, 0);
}

/* A dead peer of a quiet connection (a stream, a late answer) is found by the kernel. */
static void
set_keepalive(int fd)
{
	int on = 1, idle_s = 20, every_s = 10;
	unsigned int user_ms = 30000;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof(user_ms));
}

static void
on_guard(void *ctx)
{
	struct httpd_connection *connection = ctx;

	log_debug("httpd", "%s %s: cut", connection->peer,
	    connection->hung_up ? "has hung up" : "is too slow");
	if (connection->request != NULL)
		httpd_request_cut(connection->request);
	else
		(void)shutdown(connection->fd, SHUT_RDWR);
}

void
httpd_guard(struct httpd_connection *connection, int64_t deadline_ms)
{
	if (connection->hung_up && (deadline_ms == 0 || deadline_ms > HTTPD_GRACE_MS))
		deadline_ms = HTTPD_GRACE_MS;
	if (deadline_ms > 0)
		loop_timer_set(connection->guard, deadline_ms);
	else
		loop_timer_clear(connection->guard);
}

/* MHD does not see this while the connection is suspended, nor when the last bytes came together
 * with the end (it takes a short read for the last there is). */
static void
on_hang_up(void *ctx, int what)
{
	struct httpd_connection *connection = ctx;

	(void)what;
	loop_fd_free(connection->watch);
	connection->watch = NULL;
	connection->hung_up = true;
	httpd_guard(connection, 0);
}

static void
connection_open(struct httpd_port *port, struct MHD_Connection *mhd, void **ctx)
{
	struct httpd_connection *connection = mem_alloc(sizeof(*connection));

	connection->port = port;
	connection->fd =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	connection->guard = loop_timer_new(port->httpd->loop, on_guard, connection);
	connection->watch =
	    loop_fd_new(port->httpd->loop, connection->fd, LOOP_CLOSED, on_hang_up, connection);
	httpd_socket_peer(
	    connection->fd, port->unix_path != NULL, connection->peer, sizeof(connection->peer));
	if (port->unix_path == NULL)
		set_keepalive(connection->fd);
	if (port->tls)
		httpd_tls_guest_new(connection, mhd);
	httpd_guard(connection, port->httpd->limits.header_deadline_ms);
	port->httpd->connections++;
	*ctx = connection;
}

/* MHD closes the descriptor after this call, not before. */
static void
on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_ctx,
    enum MHD_ConnectionNotificationCode what)
{
	struct httpd_port *port = ctx;
	struct httpd_connection *connection = *socket_ctx;

	switch (what) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		connection_open(port, mhd, socket_ctx);
		break;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		port->httpd->connections--;
		loop_timer_free(connection->guard);
		loop_fd_free(connection->watch);
		httpd_tls_guest_free(connection->guest);
		free(connection);
		*socket_ctx = NULL;
		httpd_port_poke(port);
		break;
	}
}

static struct MHD_Daemon *
start_mhd(struct httpd_port *port, const struct httpd_limits *limits)
{
	unsigned int silence_s = (unsigned int)((limits->idle_timeout_ms + 999) / 1000);
	unsigned int tls = port->tls ? MHD_USE_TLS : 0;
	struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem secure[] = {
	    {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)httpd_tls_no_certificate},
	    {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)httpd_tls_priorities},
	    {MHD_OPTION_END, 0, NULL}};

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | tls, 0, NULL, NULL,
	    httpd_request_step, port, MHD_OPTION_ARRAY, port->tls ? secure : plain,
	    MHD_OPTION_LISTEN_SOCKET, port->listener, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    limits->max_header, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)limits->max_connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, silence_s, MHD_OPTION_NOTIFY_COMPLETED,
	    httpd_request_over, port, MHD_OPTION_NOTIFY_CONNECTION, on_connection, port,
	    MHD_OPTION_URI_LOG_CALLBACK, httpd_request_begin, port, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

struct httpd_port *
httpd_port_new(struct httpd *httpd, int listener, bool tls)
{
	struct httpd_port *port = mem_alloc(sizeof(*port));
	const union MHD_DaemonInfo *info;

	port->httpd = httpd;
	port->listener = listener;
	port->tls = tls;
	port->mhd = start_mhd(port, &httpd->limits);
	if (port->mhd == NULL)
		log_fatal("libmicrohttpd does not start on a socket that listens");
	info = MHD_get_daemon_info(port->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	port->watch = loop_fd_new(httpd->loop, info->epoll_fd, LOOP_READ, on_epoll, port);
	port->timer = loop_timer_new(httpd->loop, on_timer, port);
	httpd_port_poke(port);
	return port;
}

void
httpd_port_close(struct httpd_port *port)
{
	assert(!port->running);
	(void)MHD_quiesce_daemon(port->mhd);
	(void)close(port->listener);
	port->listener = -1;
}

void
httpd_port_drain(struct httpd_port *port)
{
	/* The first run takes up what was resumed, the next ones write and close it. */
	port->running = true;
	for (int i = 0; i < 8; i++)
		(void)MHD_run(port->mhd);
	port->running = false;
}

void
httpd_port_free(struct httpd_port *port)
{
	loop_fd_free(port->watch);
	port->running = true;
	MHD_stop_daemon(port->mhd);
	loop_timer_free(port->timer);
	free(port->unix_path);
	free(port);
}
