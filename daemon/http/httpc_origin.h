/* Where a URL leads. */
#ifndef HTTP_HTTPC_ORIGIN_H
#define HTTP_HTTPC_ORIGIN_H

/* "https://host:port" of a URL, owned by the caller; NULL: not https, or with a user, a query or a
 * fragment. */
char *httpc_origin(const char *url);

#endif
