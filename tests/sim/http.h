/* http: the API server's socket and the metrics' socket. */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include <stdbool.h>

struct http_settings {
	int port, metrics_port; /* 0: any free one */
	const char *token;	/* NULL: none is asked for */
	char *cert, *key;	/* PEM, NULL: plain HTTP */
};

/* Opens both; the ports in the settings become the real ones. 0, or -1 with a line on stderr. */
int http_start(struct http_settings *s);
/* A listening socket on loopback, or -1; *port becomes the real one. */
int http_listen(int *port);
/* Ends every stream and waiting request, then closes. */
void http_stop(void);

#endif
