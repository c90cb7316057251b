/* Inside net/ only: https. The server's certificate and name are always verified; there is no way
 * to turn that off. */
#ifndef CLI_NET_TLS_H
#define CLI_NET_TLS_H

#include <curl/curl.h>
#include "base/err.h"
#include "config.h"

void tls_set(CURL *easy, const struct settings *settings);
/* Was it TLS that failed? Then e says what and what to do, and nothing of the request was taken by
 * the server. why: curl's own text. */
bool tls_explain(
    const struct settings *settings, CURL *easy, CURLcode code, const char *why, struct err *e);
/* The connection broke, and nobody said why: would the server refuse our certificate, or demand
 * one? Asks it by a handshake of its own, at most 3 s. */
bool tls_ask_why(const struct settings *settings, CURLcode code, struct err *e);

#endif
