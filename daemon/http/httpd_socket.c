/* Sockets that listen, and who is at the other end of one. A Unix socket that nobody listens on is
 * what a killed daemon left behind: it is removed. A live one, and anything that is no socket, is
 * never touched. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "http/httpd_room.h"

enum { BACKLOG = 512 };

/* Splits "127.0.0.1:80" or "[::1]:80". */
static int
split_address(const char *address, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t length;

	if (colon == NULL || colon == address)
		return -1;
	length = (size_t)(colon - address);
	if (address[0] == '[') {
		if (address[length - 1] != ']' || length < 3)
			return -1;
		address++;
		length -= 2;
	} else if (memchr(address, ':', length) != NULL) {
		return -1;
	}
	if (length >= size)
		return -1;
	memcpy(host, address, length);
	host[length] = '\0';
	*port = colon + 1;
	return 0;
}

static int
listen_on(const struct addrinfo *where, const char *address, struct err *e)
{
	int on = 1, code, fd;

	fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, "%s: no socket: %s", address, strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (where->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, where->ai_addr, where->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		code = errno;
		(void)close(fd);
		return err_set(e, "%s: cannot listen: %s%s", address, strerror(code),
		    code == EADDRINUSE ? "; stop who uses it or choose another port" : "");
	}
	return fd;
}

static int
port_of(int fd)
{
	struct sockaddr_in6 bound = {0};
	socklen_t size = sizeof(bound);

	(void)getsockname(fd, (struct sockaddr *)&bound, &size);
	return ntohs(bound.sin6_port); /* at the same place in both families */
}

int
httpd_socket_tcp(struct httpd *httpd, const char *address, int *fd, int *port, struct err *e)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *found = NULL;
	char host[64];
	const char *service;
	int64_t wanted;
	int made;

	if (split_address(address, host, sizeof(host), &service) < 0 ||
	    str_number(service, 0, 65535, &wanted) < 0 ||
	    getaddrinfo(host, service, &hints, &found) != 0)
		return err_set(e,
		    "\"%s\": not an address to listen on; expected 127.0.0.1:8080 or [::1]:8080 "
		    "(port 0: any free one)",
		    address);
	made = httpd_passed_take(httpd, found->ai_addr);
	if (made < 0)
		made = listen_on(found, address, e);
	freeaddrinfo(found);
	if (made < 0)
		return -1;
	*fd = made;
	*port = port_of(made);
	return 0;
}

/* 0: the way is free. */
static int
remove_stale(const struct sockaddr_un *where, struct err *e)
{
	struct stat found;
	int fd, code;

	if (lstat(where->sun_path, &found) < 0)
		return errno == ENOENT ? 0 : err_set(e, "%s: %s", where->sun_path, strerror(errno));
	if (!S_ISSOCK(found.st_mode))
		return err_set(e, "%s: is there and is no socket; choose another path or remove it",
		    where->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, "%s: no socket: %s", where->sun_path, strerror(errno));
	code = connect(fd, (const struct sockaddr *)where, sizeof(*where)) == 0 ? 0 : errno;
	(void)close(fd);
	if (code == 0 || code == EAGAIN)
		return err_set(e,
		    "%s: somebody listens there; is another airisd running, or airisd.socket "
		    "without airisd.service?",
		    where->sun_path);
	if (code != ECONNREFUSED)
		return err_set(e, "%s: %s", where->sun_path, strerror(code));
	if (unlink(where->sun_path) < 0 && errno != ENOENT)
		return err_set(
		    e, "%s: stale, and cannot be removed: %s", where->sun_path, strerror(errno));
	return 0;
}

static int
make_unix(const struct sockaddr_un *where, unsigned mode, int *fd, struct err *e)
{
	const char *path = where->sun_path;
	mode_t mask;
	int made, code = 0;

	if (remove_stale(where, e) < 0)
		return -1;
	made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (made < 0)
		return err_set(e, "%s: no socket: %s", path, strerror(errno));
	/* Nobody else can connect in the moment between bind and chmod. */
	mask = umask(0177);
	if (bind(made, (const struct sockaddr *)where, sizeof(*where)) < 0)
		code = errno;
	(void)umask(mask);
	if (code == 0 && (chmod(path, mode) < 0 || listen(made, BACKLOG) < 0)) {
		code = errno;
		(void)unlink(path);
	}
	if (code != 0) {
		(void)close(made);
		return err_set(e, "%s: cannot listen: %s", path, strerror(code));
	}
	*fd = made;
	return 0;
}

/* The mode is all that guards it, and systemd's own default is 0666. */
static int
check_mode(const char *path, unsigned mode, struct err *e)
{
	struct stat found;

	if (lstat(path, &found) < 0)
		return err_set(e, "%s: systemd passes it, but its file: %s", path, strerror(errno));
	if ((found.st_mode & 0777 & ~mode) != 0)
		return err_set(e,
		    "%s: systemd passes it with mode %04o, which lets in more than "
		    "listen.socketMode %04o does; set SocketMode=%04o in the socket unit",
		    path, found.st_mode & 0777, mode, mode);
	return 0;
}

int
httpd_socket_unix(
    struct httpd *httpd, const char *path, unsigned mode, int *fd, bool *passed, struct err *e)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	int made;

	if (path[0] == '\0' || !str_copy(where.sun_path, sizeof(where.sun_path), path))
		return err_set(e, "\"%s\": a socket's path has 1 to %zu bytes", path,
		    sizeof(where.sun_path) - 1);
	made = httpd_passed_take(httpd, (const struct sockaddr *)&where);
	*passed = made >= 0;
	if (!*passed)
		return make_unix(&where, mode, fd, e);
	if (check_mode(path, mode, e) < 0) {
		(void)close(made);
		return -1;
	}
	*fd = made;
	return 0;
}

static void
local_peer(int fd, char *to, size_t size)
{
	struct ucred who;
	socklen_t length = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0)
		(void)str_copy(to, size, "uid=? pid=?");
	else
		(void)str_print(to, size, "uid=%u pid=%d", (unsigned)who.uid, (int)who.pid);
}

/* A socket of [::] has IPv4 too, as ::ffff:127.0.0.1: the same address, and the only one that is
 * spoken of, so that it counts for one where addresses are counted, and for this host where it is.
 */
static void
unmap(struct sockaddr_storage *who, socklen_t *length)
{
	const struct sockaddr_in6 v6 = *(const struct sockaddr_in6 *)who;
	struct sockaddr_in *v4 = (struct sockaddr_in *)who;

	if (who->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return;
	*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = v6.sin6_port};
	memcpy(&v4->sin_addr, &v6.sin6_addr.s6_addr[12], sizeof(v4->sin_addr));
	*length = sizeof(*v4);
}

void
httpd_socket_peer(int fd, bool local, char *to, size_t size)
{
	struct sockaddr_storage who = {0};
	socklen_t length = sizeof(who);
	char host[64], port[16];

	if (local) {
		local_peer(fd, to, size);
		return;
	}
	if (getpeername(fd, (struct sockaddr *)&who, &length) < 0) {
		(void)str_copy(to, size, "?");
		return;
	}
	unmap(&who, &length);
	if (getnameinfo((struct sockaddr *)&who, length, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		(void)str_copy(to, size, "?");
	else
		(void)str_print(
		    to, size, who.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
