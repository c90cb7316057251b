/* The notify protocol of systemd: one datagram to an AF_UNIX address, '@' for an abstract one. */
#include "telemetry/systemd.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"

static struct {
	int fd;
	struct sockaddr_un address;
	socklen_t length;
	int64_t watchdog_ms;
} notify = {.fd = -1};

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

void
systemd_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	if (path != NULL)
		open_socket(path);
	read_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
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
