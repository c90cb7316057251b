/* Sockets that listen already when we start, as systemd passes them (socket activation). Always
 * true: the settings say where the daemon listens. A passed socket only saves opening one of these
 * places, so that connections queue in it while the daemon is away; one of any other place is
 * refused, never served. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "http/httpd_room.h"

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

/* What it is instead of a stream socket that listens; NULL: it is one. */
static const char *
fault_of(int fd, const struct sockaddr_storage *where)
{
	struct stat found;

	if (fcntl(fd, F_GETFD) < 0 || fstat(fd, &found) < 0)
		return "is not open";
	if (!S_ISSOCK(found.st_mode))
		return "is no socket";
	if (option(fd, SO_TYPE) != SOCK_STREAM)
		return "is no stream socket; use ListenStream= in the socket unit";
	if (option(fd, SO_ACCEPTCONN) != 1)
		return "does not listen; use Accept=no in the socket unit";
	if (where->ss_family != AF_UNIX && where->ss_family != AF_INET &&
	    where->ss_family != AF_INET6)
		return "is neither a Unix socket nor TCP";
	return NULL;
}

/* As the settings write it. */
static void
write_address(const struct sockaddr_storage *where, char *to, size_t size)
{
	const struct sockaddr_un *local = (const struct sockaddr_un *)where;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)where;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)where;
	char host[INET6_ADDRSTRLEN] = "?";

	if (where->ss_family == AF_UNIX)
		(void)str_print(to, size, "%s",
		    local->sun_path[0] != '\0' ? local->sun_path : "(a name without a file)");
	else if (where->ss_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host)) != NULL)
		(void)str_print(to, size, "[%s]:%u", host, ntohs(v6->sin6_port));
	else if (inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host)) != NULL)
		(void)str_print(to, size, "%s:%u", host, ntohs(v4->sin_port));
}

int
httpd_pass(struct httpd *httpd, int fd, const char *name, struct err *e)
{
	struct sockaddr_storage where = {0};
	socklen_t size = sizeof(where) - 1; /* a NUL stays behind the longest path */
	struct httpd_passed *passed = &httpd->passed[httpd->passed_count];
	const char *fault;
	int flags;

	(void)getsockname(fd, (struct sockaddr *)&where, &size);
	fault = fault_of(fd, &where);
	if (fault != NULL)
		return err_set(e, "descriptor %d (\"%s\") that systemd passes %s", fd, name, fault);
	if (httpd->passed_count == HTTPD_PASSED)
		return err_set(
		    e, "systemd passes more than %d sockets; one for each address", HTTPD_PASSED);
	flags = fcntl(fd, F_GETFL);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(
		    e, "descriptor %d (\"%s\") that systemd passes: %s", fd, name, strerror(errno));
	passed->fd = fd;
	passed->where = where;
	(void)str_copy(passed->name, sizeof(passed->name), name);
	httpd->passed_count++;
	return 0;
}

static bool
is_same(const struct sockaddr_storage *a, const struct sockaddr *b)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a, *other4 = (const void *)b;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a, *other6 = (const void *)b;

	if (a->ss_family != b->sa_family)
		return false;
	if (a->ss_family == AF_UNIX)
		return strcmp(((const struct sockaddr_un *)a)->sun_path,
			   ((const struct sockaddr_un *)(const void *)b)->sun_path) == 0;
	if (a->ss_family == AF_INET)
		return v4->sin_port == other4->sin_port &&
		       v4->sin_addr.s_addr == other4->sin_addr.s_addr;
	return v6->sin6_port == other6->sin6_port &&
	       memcmp(&v6->sin6_addr, &other6->sin6_addr, sizeof(v6->sin6_addr)) == 0;
}

int
httpd_passed_take(struct httpd *httpd, const struct sockaddr *where)
{
	for (int i = 0; i < httpd->passed_count; i++) {
		struct httpd_passed *passed = &httpd->passed[i];
		int fd = passed->fd;

		if (fd < 0 || !is_same(&passed->where, where))
			continue;
		passed->fd = -1;
		return fd;
	}
	return -1;
}

int
httpd_passed_all(const struct httpd *httpd, struct err *e)
{
	for (int i = 0; i < httpd->passed_count; i++) {
		const struct httpd_passed *passed = &httpd->passed[i];
		char where[128] = "";

		if (passed->fd < 0)
			continue;
		write_address(&passed->where, where, sizeof(where));
		return err_set(e,
		    "systemd passes the socket \"%s\" at %s, where the settings do not listen: put "
		    "it into listen.socket or listen.tcp as it is written here, or take it out of "
		    "the socket unit",
		    passed->name, where);
	}
	return 0;
}

void
httpd_passed_close(struct httpd *httpd)
{
	for (int i = 0; i < httpd->passed_count; i++)
		if (httpd->passed[i].fd >= 0)
			(void)close(httpd->passed[i].fd);
	httpd->passed_count = 0;
}
