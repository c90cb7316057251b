/* The certificates that a server is verified by, for httpc_tls. */
#ifndef HTTP_HTTPC_CA_H
#define HTTP_HTTPC_CA_H

/* What is in the file, PEM; owned by the caller. path NULL or "": NULL, which is the system's.
 * Where it cannot be read, which is logged for whose sake, no certificate: nobody is verified. */
char *httpc_ca_read(const char *path, const char *whose);

#endif
