/* What a request to the API server must carry, kept current: files are read again when they change
 * (looked at every 60 s and on 401), credential plugins run again before their credentials expire.
 */
#ifndef CLUSTER_CREDENTIALS_H
#define CLUSTER_CREDENTIALS_H

#include "cluster/kubeconfig.h"
#include "http/httpc.h"
#include "loop/loop.h"

struct credentials;

enum credentials_state {
	CREDENTIALS_READY,
	CREDENTIALS_WAIT,  /* a plugin is running; `ready` will be called */
	CREDENTIALS_FAILED /* credentials_problem says why; asking again later may help */
};

struct credentials_access {		/* borrowed until the turn ends */
	const char *authorization;	/* "Authorization: Bearer ..."; NULL: none */
	const char *basic;		/* "user:password"; NULL: none */
	const char *proxy;		/* URL; NULL: none */
	const char *const *impersonate; /* headers; NULL: none */
	struct httpc_tls tls;
	uint64_t generation; /* another one after each change */
};

/* config is taken over on success. NULL: a file is missing or wrong, e says which. ready is
 * called when waiting is over, for better or worse. */
must_check struct credentials *credentials_new(struct loop *loop, struct kubeconfig *config,
    void (*ready)(void *ctx), void *ctx, struct err *e);
void credentials_free(struct credentials *credentials);
const struct kubeconfig *credentials_config(const struct credentials *credentials);

enum credentials_state credentials_get(
    struct credentials *credentials, struct credentials_access *to);
const char *credentials_problem(const struct credentials *credentials);
/* The server said 401 to this generation. True: there is something newer or it is being fetched, so
 * get them and repeat the request once. */
bool credentials_refused(struct credentials *credentials, uint64_t generation);
/* A connection failed: perhaps a certificate was replaced. Looks at the files. */
void credentials_doubt(struct credentials *credentials);
uint64_t credentials_refreshes(const struct credentials *credentials);

#endif
