/* The mesh behind ports/mesh.h: every istiod of a cluster is asked what its proxies have
 * acknowledged, by the method measured in the project's mesh notes. Only while a change is open;
 * with back-off; bounded: after fifteen seconds of answers the proxies that did not confirm are
 * named, and a change is assumed; an istiod that does not answer is never assumed to have pushed
 * anything. Never asks config_dump, edsz or ndsz: those make istiod send old routes. Where no
 * istiod can be asked, the requests that a data source counted show whether a weight is taken.
 * Loop thread only. */
#ifndef MESH_MESH_H
#define MESH_MESH_H

#include <jansson.h>
#include "base/err.h"
#include "loop/loop.h"
#include "ports/mesh.h"

#define MESH_ISTIODS 8

struct mesh;

struct mesh_cluster { /* strings are copied */
	const char *name;
	const char *urls[MESH_ISTIODS]; /* http(s)://HOST:15014; none and not discover: not asked */
	int url_count;
	bool discover;		     /* find them as endpoints of Service istiod in istio-system */
	const char *token_file;	     /* bearer token, read again when it changes; NULL: none */
	const char *service_account; /* in istio-system: tokens are asked for; NULL: none */
	const char *source;  /* no istiod is asked: data source with the mesh's requests; NULL */
	int64_t patience_ms; /* until the unconfirmed are named; 0: fifteen seconds */
};

struct mesh_page { /* a data source's answer: error NULL, or why there is none; borrowed */
	int status;
	const char *body;
	size_t length;
	const char *error;
};

/* What only other rooms can do; the roof connects them. */
struct mesh_needs {
	void *ctx;
	/* A token of a service account in istio-system, audience istio-ca; then mesh_token. */
	void (*token)(void *ctx, const char *cluster, const char *service_account);
	/* The addresses of Service istiod's ready endpoints; then mesh_found. */
	void (*find)(void *ctx, const char *cluster);
	/* Calls each for every pod address of the app's side that is ready; false: not known now.
	 */
	bool (*addresses)(void *ctx, const struct app *app, bool canary,
	    void (*each)(void *each_ctx, const char *address), void *each_ctx);
	/* Asks a data source one query of PromQL, for its own now. Calls back once, later. */
	uint64_t (*query)(void *ctx, const char *source, const char *query,
	    void (*done)(void *done_ctx, uint64_t number, const struct mesh_page *page),
	    void *done_ctx);
	void (*cancel_query)(void *ctx, uint64_t number);
};

struct mesh *mesh_new(struct loop *loop, const struct mesh_cluster *clusters, int count,
    const struct mesh_needs *needs);
void mesh_free(struct mesh *mesh); /* NULL is allowed */
struct mesh_port mesh_port(struct mesh *mesh);

/* Answers to needs. token NULL: error says why. */
void mesh_token(struct mesh *mesh, const char *cluster, const char *token, int64_t expires_ms,
    const char *error);
void mesh_found(struct mesh *mesh, const char *cluster, const char *const *addresses, int count,
    const char *error);

/* Looks at every istiod of every cluster once, if that was not done just now, so that mesh_status
 * has something to say although nothing is asked. */
void mesh_look(struct mesh *mesh);
/* For people: each istiod with its proxies, last push, what is unconfirmed, what is wrong; or what
 * traffic showed last. A new reference; NULL: this cluster's mesh is not asked. */
json_t *mesh_status(const struct mesh *mesh, const char *cluster);
uint64_t mesh_requests(const struct mesh *mesh); /* sent to istiods so far */

#endif
