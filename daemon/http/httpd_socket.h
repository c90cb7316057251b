/* Inside the room httpd only: sockets that listen, made here or passed by systemd. */
#ifndef HTTP_HTTPD_SOCKET_H
#define HTTP_HTTPD_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include "base/err.h"

enum { HTTPD_PASSED = 8 };

struct httpd;

struct httpd_passed {
	int fd; /* -1: it is in use by a port */
	struct sockaddr_storage where;
	char name[64];
};

/* The passed socket of this place, which is the caller's from now on; -1: there is none. */
int httpd_passed_take(struct httpd *httpd, const struct sockaddr *where);
void httpd_passed_close(struct httpd *httpd);

must_check int httpd_socket_tcp(
    struct httpd *httpd, const char *address, int *fd, int *port, struct err *e);
/* *passed: it was there already, and so was its file. */
must_check int httpd_socket_unix(
    struct httpd *httpd, const char *path, unsigned mode, int *fd, bool *passed, struct err *e);
void httpd_socket_peer(int fd, bool local, char *to, size_t size);

#endif
