/* files: what the simulator leaves in its folder, and its self-signed certificate. */
#ifndef SIM_FILES_H
#define SIM_FILES_H

#include <stdbool.h>

/* kubeconfig, kubeconfig-ca (verifies; only with TLS), apiserver.pid and, last, ready. 0, or
 * -1 with a line on stderr. cert NULL: no TLS; token NULL: none. */
struct files {
	int port, metrics_port, istiod_port; /* istiod_port 0: there is none */
	const char *token, *cert;
};
int files_write(const char *dir, const struct files *f);
/* Removes ready. */
void files_remove(const char *dir);
/* A new certificate for 127.0.0.1 and its key, as PEM; 0 or -1. */
int tls_make(char **cert, char **key);

#endif
