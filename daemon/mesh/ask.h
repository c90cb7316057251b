/* One question to all istiods of a cluster. Inside of mesh. */
#ifndef MESH_ASK_H
#define MESH_ASK_H

#include "http/httpc.h"
#include "mesh/mesh.h"

struct istiod_place {
	char url[300];
	int64_t asked_ms, answered_ms; /* wall clock; 0: never */
	int proxies, waiting;	       /* as of the last /debug/syncz */
	int64_t pushes;		       /* begun, as of the last look; -1 unknown */
	char unconfirmed[200];
	char error[200]; /* of the last request; "" fine */
};

struct cluster_mesh {
	struct mesh *mesh;
	char name[APP_LABEL];
	struct istiod_place places[MESH_ISTIODS];
	int place_count;
	bool discover, found;
	char token_file[1024], service_account[APP_LABEL];
	char token[8192]; /* "" : none yet */
	int64_t token_until_ms, token_asked_ms, found_asked_ms;
	char error[200]; /* finding or token; "" fine */
};

void mesh_count_request(struct mesh *mesh);

struct ask_done {
	void (*done)(void *ctx, uint64_t number, const struct mesh_answer *answer);
	void *ctx;
};

struct ask;
struct ask *ask_new(struct cluster_mesh *cluster, struct httpc_pool *pool, struct loop *loop,
    const struct mesh_needs *needs, const struct mesh_question *question, uint64_t number,
    const struct ask_done *done, void (*ended)(void *ctx, struct ask *ask), void *ended_ctx);
void ask_free(struct ask *ask);
uint64_t ask_number(const struct ask *ask);

#endif
