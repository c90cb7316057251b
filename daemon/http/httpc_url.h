/* Taking a URL apart, as libcurl will when it is asked for. */
#ifndef HTTP_HTTPC_URL_H
#define HTTP_HTTPC_URL_H

#include <stdbool.h>
#include "base/err.h"

struct httpc_url {
	char scheme[16], host[256]; /* in lower case; of IPv6 with its brackets */
	bool user;		    /* it names a user or a password, */
	bool query, fragment;	    /* it has one */
	char port[8];		    /* that of the scheme, if it names none */
};
/* False: it is no URL, or its host is longer than names are. */
bool httpc_url_read(const char *text, struct httpc_url *url);
/* 0: what is sent there is seen by nobody on the way. e does not have the URL itself: that of a
 * chat is a secret. */
must_check int httpc_url_guarded(const char *text, struct err *e);

#endif
