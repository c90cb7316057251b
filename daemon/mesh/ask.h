/* One question to all istiods of a cluster, and what is kept of each of them. Inside of mesh. */
#ifndef MESH_ASK_H
#define MESH_ASK_H

#include "base/map.h"
#include "base/str.h"
#include "http/httpc.h"
#include "mesh/mesh.h"
#include "mesh/read.h"

struct istiod_place {
	char url[300];
	int64_t asked_ms, answered_ms; /* wall clock; 0: never */
	int proxies, waiting;	       /* as of the last /debug/syncz */
	int64_t pushes;		       /* the newest seen; -1 unknown */
	double started;		       /* its process_start_time_seconds; 0 unknown */
	struct map *names;	       /* of its proxies, as of the last /debug/syncz; NULL never */
	struct map *waits; /* of these the ones that had not confirmed then; NULL: none */
	char unconfirmed[200];
	char error[200]; /* of the last request; "" fine */
};

struct traffic_seen {	   /* the last look at traffic */
	int64_t looked_ms; /* wall clock; 0: never */
	char verdict[16], text[300];
};

struct cluster_mesh {
	struct mesh *mesh;
	char name[APP_LABEL];
	struct istiod_place places[MESH_ISTIODS];
	int place_count;
	bool discover, found;
	char token_file[1024], service_account[APP_LABEL];
	char token[8192]; /* "" : none yet */
	int64_t token_until_ms, token_asked_ms, found_asked_ms, looked_ms;
	int64_t patience_ms;
	char error[200];	/* finding or token; "" fine */
	char assumed[200];	/* whom the last weight was only assumed for; "" all confirmed it */
	char source[APP_LABEL]; /* whose traffic is looked at, when no istiod is asked; "" none */
	struct traffic_seen seen;
	/* Proxies whose istiod ended: they come back to one of the istiods. name -> since when */
	struct map *orphans;
	/* Proxies that their istiod lost before they had confirmed: they may be stopped, or cut
	 * off, and go on with what they had. name -> since when */
	struct map *suspects;
};

void mesh_count_request(struct mesh *mesh);

/* places.c: whose proxies are where */
void mesh_place_done(struct istiod_place *place);
void mesh_place_lost(struct cluster_mesh *cluster, struct istiod_place *place, int64_t now_ms);
void mesh_place_started(
    struct cluster_mesh *cluster, struct istiod_place *place, double started, int64_t now_ms);
/* Those that are there now, and of them those that have not confirmed (taken from proxies). */
void mesh_place_proxies(struct cluster_mesh *cluster, struct istiod_place *place,
    const json_t *syncz, struct mesh_proxies *proxies);
/* How many are still expected; their names are added, after a comma if something is there. */
int mesh_orphans(struct cluster_mesh *cluster, int64_t now_ms, struct str *names);
int mesh_suspects(struct cluster_mesh *cluster, int64_t now_ms, struct str *names);

struct ask_done {
	void (*done)(void *ctx, uint64_t number, const struct mesh_answer *answer);
	void *ctx;
};

struct ask;
/* question NULL: only looks, once, so that people see something; there is no answer then. */
struct ask *mesh_ask_new(struct cluster_mesh *cluster, struct httpc_pool *pool, struct loop *loop,
    const struct mesh_needs *needs, const struct mesh_question *question, uint64_t number,
    const struct ask_done *done, void (*ended)(void *ctx, struct ask *ask), void *ended_ctx);
void mesh_ask_free(struct ask *ask);
uint64_t mesh_ask_number(const struct ask *ask);
struct cluster_mesh *mesh_ask_cluster(const struct ask *ask);
/* Before and after the cluster's places change. */
void mesh_ask_stop(struct ask *ask);
void mesh_ask_start(struct ask *ask);

#endif
