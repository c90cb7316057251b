/* The notify protocol of systemd: one datagram to an AF_UNIX address, '@' for an abstract one. And
 * its way to pass sockets: LISTEN_FDS of them from descriptor 3 on, for the process LISTEN_PID,
 * their names in LISTEN_FDNAMES with colons between them. */
#include "telemetry/systemd.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"

#define FIRST_SOCKET 3
#define MOST_SOCKETS 64

static struct {
	int fd;
	struct sockaddr_un address;
	socklen_t length;
	int64_t watchdog_ms;
} notify = {.fd = -1};

static int not_open; /* the first descriptor that should be a socket and is not there; 0: none */

static void
open_socket(const char *path)
{
	size_t length = strlen(path);
	if (length < 2 || length >= sizeof(notify.address.sun_path) ||
	    (path[0] != '/' && path[0] != '@')) {
		log_warn("systemd", "NOTIFY_SOCKET \"%s\" is no socket's address; not used", path);
		return;
	}
	notify.address.sun_family = AF_UNIX;
	memcpy(notify.address.sun_path, path, length);
	if (path[0] == '@')
		notify.address.sun_path[0] = '\0';
	notify.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void
read_watchdog(const char *usec, const char *pid)
{
	int64_t us, owner;
	if (usec == NULL || str_number(usec, 1, INT64_MAX, &us) < 0)
		return;
	if (pid != NULL && (str_number(pid, 1, INT32_MAX, &owner) < 0 || owner != getpid()))
		return;
	notify.watchdog_ms = us / 1000 / 2;
}

/* How many sockets are passed to us. */
static int
read_count(int64_t *fds, struct err *e)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	int64_t owner;

	*fds = 0;
	if (count == NULL || pid == NULL)
		return 0;
	if (str_number(pid, 1, INT32_MAX, &owner) < 0)
		return err_set(e, "LISTEN_PID is \"%s\"; expected: a process id", pid);
	if (owner != getpid())
		return 0;
	if (str_number(count, 0, MOST_SOCKETS, fds) < 0)
		return err_set(e,
		    "LISTEN_FDS is \"%s\"; expected: how many sockets are passed, at most %d",
		    count, MOST_SOCKETS);
	return 0;
}

/* A program that we start must not have them, whenever that is. And one that is not there is missed
 * now: later its number is that of something else. */
static void
keep_sockets(void)
{
	struct err e;
	int64_t fds;

	not_open = 0;
	if (read_count(&fds, &e) < 0)
		return;
	for (int i = FIRST_SOCKET + (int)fds - 1; i >= FIRST_SOCKET; i--)
		if (fcntl(i, F_SETFD, FD_CLOEXEC) < 0)
			not_open = i;
}

void
systemd_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	if (path != NULL)
		open_socket(path);
	read_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
	keep_sockets();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
systemd_tell(const char *state)
{
	if (notify.fd < 0)
		return;
	ssize_t sent = sendto(notify.fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&notify.address, notify.length);
	if (sent < 0)
		log_debug("systemd", "the notification was not taken");
}

int64_t
systemd_watchdog_ms(void)
{
	return notify.watchdog_ms;
}

void
systemd_close(void)
{
	if (notify.fd >= 0)
		close(notify.fd);
	notify.fd = -1;
}

/* --- sockets ---------------------------------------------------------------------------------- */

/* The next of "a:b:c"; "unknown" when there is none, as sd_listen_fds_with_names says. */
static void
next_name(const char **names, char *to, size_t size)
{
	size_t length = *names == NULL ? 0 : strcspn(*names, ":");

	if (length == 0 || !str_print(to, size, "%.*s", (int)length, *names))
		str_copy(to, size, "unknown");
	if (*names != NULL)
		*names = (*names)[length] == ':' ? *names + length + 1 : NULL;
}

static int
pass_all(int64_t fds, const char *names,
    int (*each)(void *ctx, int fd, const char *name, struct err *e), void *ctx, struct err *e)
{
	char name[64];

	for (int i = 0; i < fds; i++) {
		next_name(&names, name, sizeof(name));
		if (each(ctx, FIRST_SOCKET + i, name, e) < 0)
			return -1;
	}
	return 0;
}

int
systemd_sockets(
    int (*each)(void *ctx, int fd, const char *name, struct err *e), void *ctx, struct err *e)
{
	static const char *const variables[] = {
	    "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"};
	int64_t fds;
	int result = read_count(&fds, e);

	if (result == 0 && not_open > 0)
		result = err_set(e, "LISTEN_FDS is \"%s\", and descriptor %d is not open",
		    getenv("LISTEN_FDS"), not_open);
	if (result == 0)
		result = pass_all(fds, getenv("LISTEN_FDNAMES"), each, ctx, e);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return result;
}
