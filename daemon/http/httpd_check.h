/* Inside the room httpd only: what is refused of a head that MHD lets through. */
#ifndef HTTP_HTTPD_CHECK_H
#define HTTP_HTTPD_CHECK_H

#include <stdbool.h>

struct httpd_request;

enum {
	HTTPD_HEAD_BYTES = 16 * 1024, /* of a head's first line and headers, */
	HTTPD_HEAD_LINES = 100	      /* and so many of these */
};

/* Why a request's head is refused (a text), or NULL. */
const char *httpd_check_head(struct httpd_request *request, const char *url);
bool httpd_check_uri(const char *uri);
bool httpd_check_size(struct httpd_request *request); /* false: the head is too large */

#endif
